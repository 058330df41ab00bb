/* See pool.h. */
#include "core/pool.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

static int keeps_a_vector(enum pool_mode mode) {
  return mode == POOL_MAX || mode == POOL_CLS || mode == POOL_LAST;
}

static float load(const void *v, size_t i) {
  float x;
  memcpy(&x, (const unsigned char *)v + 4 * i, sizeof x);
  return x;
}

enum status pool_init(struct pool *pool, enum pool_mode mode, size_t dim, const struct memory *mem) {
  *pool = (struct pool){.mem = mem, .mode = mode, .dim = dim};
  if (keeps_a_vector(mode)) {
    pool->kept = memory_array(mem, dim, sizeof *pool->kept);
    return pool->kept ? STATUS_OK : STATUS_NOMEM;
  }
  pool->acc = memory_array(mem, dim, sizeof *pool->acc);
  if (pool->acc == NULL) return STATUS_NOMEM;
  memset(pool->acc, 0, dim * sizeof *pool->acc);
  return STATUS_OK;
}

enum status pool_init_window(struct pool *pool, size_t dim, const struct memory *mem) {
  *pool = (struct pool){.mem = mem, .mode = POOL_MEAN, .dim = dim};
  return exact_init(&pool->exact, dim + 1, mem);
}

void pool_clear(struct pool *pool) {
  if (pool->mem == NULL) return;
  pool->mem->release(pool->acc);
  exact_clear(&pool->exact);
  pool->mem->release(pool->kept);
  *pool = (struct pool){0};
}

/* high + low += x, without loss but for the rounding of low (Knuth, TAOCP 2, 4.2.2, theorem B). */
static void two_sum(double *high, double *low, double x) {
  double sum = *high + x, part = sum - *high;
  *low += (*high - (sum - part)) + (x - part);
  *high = sum;
}

static void keep(struct pool *pool, const void *v, int64_t position) {
  if (pool->counted > 0 && pool->mode == POOL_MAX) {
    for (size_t i = 0; i < pool->dim; i++)
      if (load(v, i) > pool->kept[i]) pool->kept[i] = load(v, i);
    return;
  }
  if (pool->counted > 0 && position == pool->position) {
    pool->tied = 1;
    return;
  }
  if (pool->counted > 0 && (position < pool->position) != (pool->mode == POOL_CLS)) return;
  memcpy(pool->kept, v, pool->dim * sizeof *pool->kept);
  pool->position = position;
  pool->tied = 0;
}

static int is_window(const struct pool *pool) {
  return pool->exact.mem != NULL;
}

static enum status add_to_window(struct pool *pool, const void *v, double weight, int64_t rows) {
  enum status rc = exact_add(&pool->exact, pool->dim, v, (double)rows * weight);
  if (rc == STATUS_OK) rc = exact_add_one(&pool->exact, pool->dim, (double)rows * weight);
  pool->counted += rows;
  return rc;
}

enum status pool_add(struct pool *pool, const void *v, double weight, int64_t position) {
  int finite;
  if (weight > 0 && is_window(pool)) return add_to_window(pool, v, weight, 1);
  if (weight > 0 && pool->acc != NULL) {
    finite = simd->add_weighted(pool->dim, pool->acc, v, weight);
  } else {
    finite = simd->is_finite(pool->dim, v);
    if (finite && weight > 0) keep(pool, v, position);
  }
  if (!finite) return STATUS_NOT_FINITE;
  if (weight > 0) {
    pool->counted++;
    two_sum(&pool->weight, &pool->weight_low, weight);
  }
  return STATUS_OK;
}

void pool_slide(struct pool *pool) {
  pool->slides = 1;
}

enum status pool_remove(struct pool *pool, const void *v, double weight) {
  pool->slides = 1;
  if (!(weight > 0)) return STATUS_OK;
  enum status rc = add_to_window(pool, v, weight, -1);
  if (pool->counted == 0) exact_reset(&pool->exact);
  return rc;
}

int pool_is_empty(const struct pool *pool) {
  return pool->counted == 0;
}

enum status pool_value(const struct pool *pool, float *out, size_t *index) {
  if (keeps_a_vector(pool->mode)) {
    memcpy(out, pool->kept, pool->dim * sizeof *out);
    return pool->tied ? STATUS_DUPLICATE : STATUS_OK;
  }
  double weight = is_window(pool) ? exact_value(&pool->exact, pool->dim) : pool->weight + pool->weight_low;
  double divisor = pool->mode == POOL_MEAN_SQRT_LEN ? sqrt(weight) : weight;
  if (!isfinite(weight)) return STATUS_WEIGHT;
  const double *sums = is_window(pool) ? pool->exact.sum : pool->acc;
  for (size_t i = 0; i < pool->dim; i++) {
    double sum = pool->slides ? exact_value(&pool->exact, i) : sums[i];
    if (!isfinite(sum)) return STATUS_WEIGHT;
    out[i] = (float)(sum / divisor);
    if (!isfinite(out[i])) return *index = i, STATUS_OVERFLOW;
  }
  return STATUS_OK;
}
