/* See moments.h. */
#include "moments.h"

#include <math.h>
#include <string.h>

#include "kernel.h"
#include "linalg.h"

#define FIRST_CAPACITY 8

enum status moments_init(struct moments *m, size_t dim, enum moments_precision precision, const struct memory *mem) {
  if (dim > MOMENTS_DIM_MAX) return STATUS_DIM;
  *m = (struct moments){.mem = mem, .dim = dim, .precision = precision};
  m->block_limit = linalg_threads() > 1 ? MOMENTS_BLOCK_THREADS : MOMENTS_BLOCK;
  m->mean = memory_array(mem, dim, sizeof *m->mean);
  m->block_sum = memory_array(mem, dim, sizeof *m->block_sum);
  if (m->mean == NULL || m->block_sum == NULL) return STATUS_NOMEM;
  memset(m->mean, 0, dim * sizeof *m->mean);
  memset(m->block_sum, 0, dim * sizeof *m->block_sum);
  return STATUS_OK;
}

void moments_clear(struct moments *m) {
  if (m->mem == NULL) return;
  m->mem->release(m->mean);
  m->mem->release(m->cross);
  m->mem->release(m->block);
  m->mem->release(m->block_weights);
  m->mem->release(m->block_sum);
  m->mem->release(m->wide);
  m->mem->release(m->narrow);
  *m = (struct moments){0};
}

static enum status grow(struct moments *m) {
  size_t capacity = m->block_capacity ? 2 * m->block_capacity : FIRST_CAPACITY;
  float *block = m->mem->resize(m->block, capacity * m->dim * sizeof *block);
  if (block == NULL) return STATUS_NOMEM;
  m->block = block;
  double *weights = m->mem->resize(m->block_weights, capacity * sizeof *weights);
  if (weights == NULL) return STATUS_NOMEM;
  m->block_weights = weights;
  m->block_capacity = capacity;
  return STATUS_OK;
}

enum status moments_add(struct moments *m, const void *x, double weight) {
  enum status rc = STATUS_OK;
  if (m->block_rows == m->block_limit) rc = moments_flush(m);
  if (rc == STATUS_OK && m->block_rows == m->block_capacity) rc = grow(m);
  if (rc) return rc;
  memcpy(m->block + m->block_rows * m->dim, x, m->dim * sizeof *m->block);
  int finite = weight == 1 ? kernel->add(m->dim, m->block_sum, x)
                           : kernel->add_weighted(m->dim, m->block_sum, x, weight);
  if (!finite) return STATUS_NOT_FINITE;
  m->block_weights[m->block_rows++] = weight;
  m->block_weight += weight;
  m->rows++;
  return STATUS_OK;
}

static enum status prepare(struct moments *m) {
  size_t dim = m->dim, wide_rows = 1 + (m->precision == MOMENTS_DOUBLE ? m->block_capacity : 0);
  if (m->cross == NULL) {
    m->cross = memory_array(m->mem, dim * dim, sizeof *m->cross);
    if (m->cross == NULL) return STATUS_NOMEM;
    memset(m->cross, 0, dim * dim * sizeof *m->cross);
  }
  double *wide = m->mem->resize(m->wide, wide_rows * dim * sizeof *wide);
  if (wide == NULL) return STATUS_NOMEM;
  m->wide = wide;
  if (m->precision == MOMENTS_DOUBLE) return STATUS_OK;
  float *narrow = m->mem->resize(m->narrow, (m->block_capacity + dim) * dim * sizeof *narrow);
  if (narrow == NULL) return STATUS_NOMEM;
  m->narrow = narrow;
  return STATUS_OK;
}

/* mean moves towards mean_b by its share; delta receives mean_b - mean, scaled for the rank-one term. */
static void join_means(struct moments *m, double weight_b, const double *mean_b, double *delta) {
  double total = m->weight + weight_b, share = weight_b / total, scale = sqrt(m->weight * share);
  for (size_t i = 0; i < m->dim; i++) {
    double d = mean_b[i] - m->mean[i];
    m->mean[i] += d * share;
    delta[i] = d * scale;
  }
  m->weight = total;
}

/* The block and the rank-one term as one product. */
static void add_block(struct moments *m, const double *mean) {
  size_t dim = m->dim, rows = m->block_rows;
  for (size_t r = 0; r < rows; r++)
    kernel->widen(dim, m->block + r * dim, mean, sqrt(m->block_weights[r]), m->wide + r * dim);
  join_means(m, m->block_weight, mean, m->wide + rows * dim);
  linalg_syrk(rows + 1, dim, m->wide, m->cross);
}

/* cross += delta delta^T + the products of the block, or of another such part; upper triangles. */
static void add_part(struct moments *m, const double *delta, const float *single, const double *full) {
  size_t dim = m->dim;
  for (size_t i = 0; i < dim; i++)
    for (size_t j = i; j < dim; j++)
      m->cross[i * dim + j] += (single ? single[i * dim + j] : full[i * dim + j]) + delta[i] * delta[j];
}

/* Frequency weights do not occur here: whiten_stats, which takes them, sums in float64. */
static void add_block_single(struct moments *m, const double *mean) {
  size_t dim = m->dim, rows = m->block_rows;
  float *products = m->narrow + rows * dim;
  for (size_t r = 0; r < rows; r++) kernel->shift(dim, m->block + r * dim, mean, m->narrow + r * dim);
  join_means(m, m->block_weight, mean, m->wide);
  linalg_syrk_single(rows, dim, m->narrow, products);
  add_part(m, m->wide, products, NULL);
}

enum status moments_flush(struct moments *m) {
  size_t dim = m->dim;
  if (m->block_rows == 0 && m->cross != NULL) return STATUS_OK;
  enum status rc = prepare(m);
  if (rc || m->block_rows == 0) return rc;
  double *mean = m->block_sum;
  for (size_t i = 0; i < dim; i++) mean[i] /= m->block_weight;
  if (m->precision == MOMENTS_SINGLE)
    add_block_single(m, mean);
  else
    add_block(m, mean);
  memset(m->block_sum, 0, dim * sizeof *m->block_sum);
  m->block_rows = 0;
  m->block_weight = 0;
  return STATUS_OK;
}

enum status moments_merge(struct moments *m, int64_t rows, double weight, const double *mean, const double *cross) {
  enum status rc = prepare(m);
  if (rc || rows == 0) return rc;
  double *delta = m->wide;
  join_means(m, weight, mean, delta);
  add_part(m, delta, NULL, cross);
  m->rows += rows;
  return STATUS_OK;
}

void moments_norms(const struct moments *m, double *trace, double *frobenius2) {
  size_t dim = m->dim;
  double diagonal2 = 0, upper2 = 0;
  *trace = 0;
  for (size_t i = 0; i < dim; i++) {
    *trace += m->cross[i * dim + i];
    diagonal2 += m->cross[i * dim + i] * m->cross[i * dim + i];
    for (size_t j = i + 1; j < dim; j++) upper2 += m->cross[i * dim + j] * m->cross[i * dim + j];
  }
  *frobenius2 = diagonal2 + 2 * upper2;
}
