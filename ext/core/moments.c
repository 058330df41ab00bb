/* See moments.h. */
#include "core/moments.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"
#include "core/blob.h"

enum { VERSION = 1, HEADER = 56, AT_N = 40, AT_WEIGHT = 48 };

static const int64_t MAX_ROWS = (int64_t)1 << 53; /* so that sums of counts cannot overflow */
static const char MAGIC[8] = "whitenS", MAGIC_OF_PAIRS[8] = "whitenP";

enum { FIRST_CAPACITY = 8, LEAST_DIM_FOR_THREADS = 128 };

enum status moments_init(struct moments *m, size_t dim, enum scatter_precision precision, int cores,
                         const struct memory *mem) {
  if (dim > MOMENTS_DIM_MAX) return STATUS_DIM;
  *m = (struct moments){.mem = mem, .dim = dim, .precision = precision, .cores = cores};
  m->block_limit = MOMENTS_BLOCK;
  while (m->block_limit > MOMENTS_BLOCK_LEAST && (double)m->block_limit * (double)(dim * dim) > MOMENTS_BLOCK_WORK)
    m->block_limit /= 2;
  m->mean = memory_array(mem, dim, sizeof *m->mean);
  m->block_sum = memory_array(mem, dim, sizeof *m->block_sum);
  m->delta = memory_array(mem, dim, sizeof *m->delta);
  if (m->mean == NULL || m->block_sum == NULL || m->delta == NULL) return STATUS_NOMEM;
  memset(m->mean, 0, dim * sizeof *m->mean);
  memset(m->block_sum, 0, dim * sizeof *m->block_sum);
  return STATUS_OK;
}

void moments_clear(struct moments *m) {
  if (m->mem == NULL) return;
  scatter_clear(&m->scatter);
  m->mem->release(m->mean);
  m->mem->release(m->cross);
  m->mem->release(m->block);
  m->mem->release(m->block_scales);
  m->mem->release(m->block_sum);
  m->mem->release(m->delta);
  *m = (struct moments){0};
}

static enum status grow(struct moments *m) {
  size_t capacity = m->block_capacity ? 2 * m->block_capacity : FIRST_CAPACITY;
  float *block = m->mem->resize(m->block, capacity * m->dim * sizeof *block);
  if (block == NULL) return STATUS_NOMEM;
  m->block = block;
  double *scales = m->mem->resize(m->block_scales, capacity * sizeof *scales);
  if (scales == NULL) return STATUS_NOMEM;
  m->block_scales = scales;
  m->block_capacity = capacity;
  return STATUS_OK;
}

/* Room for the sums, and for a block on its way into them. */
static enum status prepare(struct moments *m) {
  if (m->cross == NULL) {
    m->cross = memory_array(m->mem, m->dim * m->dim, sizeof *m->cross);
    if (m->cross == NULL) return STATUS_NOMEM;
    memset(m->cross, 0, m->dim * m->dim * sizeof *m->cross);
  }
  return scatter_reserve(&m->scatter, m->dim, m->precision, m->block_rows, m->mem);
}

/* mean moves towards mean_b by its share; delta receives mean_b - mean, scaled for the rank-one term. */
static void join_means(struct moments *m, double weight_b, const double *mean_b) {
  double total = m->weight + weight_b, share = weight_b / total, scale = sqrt(m->weight * share);
  for (size_t i = 0; i < m->dim; i++) {
    double d = mean_b[i] - m->mean[i];
    m->mean[i] += d * share;
    m->delta[i] = d * scale;
  }
  m->weight = total;
}

/* Hands the block over to be added, and starts a new one. */
static enum status turn(struct moments *m) {
  double *mean = m->block_sum;
  scatter_wait(&m->scatter);
  enum status rc = prepare(m);
  if (rc || m->block_rows == 0) return rc;
  if (m->block_rows == m->block_limit && m->dim >= LEAST_DIM_FOR_THREADS)
    scatter_start_threads(&m->scatter, m->cores);
  for (size_t i = 0; i < m->dim; i++) mean[i] /= m->block_weight;
  join_means(m, m->block_weight, mean);
  scatter_add(&m->scatter, &(struct scatter_block){m->block_rows, m->block, m->block_scales, mean, m->delta},
              m->cross);
  memset(m->block_sum, 0, m->dim * sizeof *m->block_sum);
  m->block_rows = 0;
  m->block_weight = 0;
  return STATUS_OK;
}

enum status moments_add(struct moments *m, const void *x, double weight) {
  enum status rc = STATUS_OK;
  if (m->block_rows == m->block_limit) rc = turn(m);
  if (rc == STATUS_OK && m->block_rows == m->block_capacity) rc = grow(m);
  if (rc) return rc;
  memcpy(m->block + m->block_rows * m->dim, x, m->dim * sizeof *m->block);
  int finite = simd->add_weighted(m->dim, m->block_sum, x, weight);
  if (!finite) return STATUS_NOT_FINITE;
  m->block_scales[m->block_rows++] = sqrt(weight);
  m->block_weight += weight;
  m->rows++;
  return STATUS_OK;
}

enum status moments_flush(struct moments *m) {
  enum status rc = m->block_rows == 0 && m->cross != NULL ? STATUS_OK : turn(m);
  scatter_wait(&m->scatter);
  return rc;
}

/* Upper triangle of cross += that of another part, and the rank-one term. */
static void add_part(struct moments *m, const double *cross) {
  const double *delta = m->delta;
  for (size_t i = 0; i < m->dim; i++)
    for (size_t j = i; j < m->dim; j++) m->cross[i * m->dim + j] += cross[i * m->dim + j] + delta[i] * delta[j];
}

enum status moments_merge(struct moments *m, int64_t rows, double weight, const double *mean,
                          const double *cross) {
  enum status rc = prepare(m);
  if (rc || rows == 0) return rc;
  join_means(m, weight, mean);
  add_part(m, cross);
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

int moments_are_in(const void *blob, size_t bytes) {
  return blob_has_magic(blob, bytes, MAGIC);
}

int moments_of_pairs_are_in(const void *blob, size_t bytes) {
  return blob_has_magic(blob, bytes, MAGIC_OF_PAIRS);
}

uint64_t moments_size(size_t d) {
  return HEADER + 8 * (uint64_t)d + 8 * ((uint64_t)d * (d + 1) / 2);
}

void moments_write(const struct moments *moments, void *out) {
  size_t d = moments->dim;
  uint64_t size = moments_size(d);
  memset(out, 0, HEADER);
  blob_begin(out, moments->dim_a > 0 ? MAGIC_OF_PAIRS : MAGIC, VERSION, size, (uint32_t)d);
  blob_put32(out, BLOB_OWN, (uint32_t)moments->dim_a);
  blob_put64(out, AT_N, (uint64_t)moments->rows);
  blob_put_f64(out, AT_WEIGHT, moments->weight);
  char *at = blob_append((char *)out + HEADER, moments->mean, 8 * d);
  for (size_t i = 0; i < d; i++) at = blob_append(at, moments->cross + i * d + i, 8 * (d - i));
  blob_seal(out, size);
}

static int variances_are_sound(const void *blob, size_t d) {
  size_t at = HEADER + 8 * d;
  for (size_t i = 0; i < d; at += 8 * (d - i), i++)
    if (blob_get_f64(blob, at) < 0) return 0;
  return 1;
}

static int header_is_sound(const struct moments_header *h, int is_of_pairs) {
  if (h->d < 1 || h->d > DIM_MAX || h->n < 1 || h->n > MAX_ROWS || !(h->weight > 0) || isinf(h->weight)) return 0;
  return is_of_pairs ? h->dim_a > 0 && h->dim_a < h->d : h->dim_a == 0;
}

enum status moments_read(const void *blob, size_t bytes, struct moments_header *h) {
  *h = (struct moments_header){.size = HEADER};
  int is_of_pairs = moments_of_pairs_are_in(blob, bytes);
  enum status rc = blob_check(blob, bytes, is_of_pairs ? MAGIC_OF_PAIRS : MAGIC, VERSION, HEADER);
  if (rc) return rc;
  *h = (struct moments_header){.size = blob_get64(blob, BLOB_SIZE),
                               .d = blob_get32(blob, BLOB_D),
                               .dim_a = blob_get32(blob, BLOB_OWN),
                               .n = (int64_t)blob_get64(blob, AT_N),
                               .weight = blob_get_f64(blob, AT_WEIGHT)};
  if (h->size != bytes) return STATUS_TRUNCATED;
  if (!header_is_sound(h, is_of_pairs) || moments_size(h->d) != bytes) return STATUS_HEADER;
  rc = blob_check_hash(blob, bytes);
  if (rc) return rc;
  uint64_t numbers = (bytes - HEADER) / 8;
  if (!blob_is_finite_f64((const char *)blob + HEADER, numbers)) return STATUS_NOT_FINITE;
  return variances_are_sound(blob, h->d) ? STATUS_OK : STATUS_HEADER;
}

void moments_unpack(const void *blob, const struct moments_header *h, double *mean, double *cross) {
  size_t d = h->d;
  const char *at = (const char *)blob + HEADER;
  memcpy(mean, at, 8 * d);
  at += 8 * d;
  memset(cross, 0, d * d * sizeof *cross);
  for (size_t i = 0; i < d; i++) {
    memcpy(cross + i * d + i, at, 8 * (d - i));
    at += 8 * (d - i);
  }
}
