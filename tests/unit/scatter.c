/*
** core/scatter: against two passes in long double; the same bits from any number of threads, and against the order of
** summation that core/simd/simd.h gives; matrices of every shape, from less than a tile to more than one job; faults.
*/
#include "core/scatter.h"

#include "core/simd/simd.h"
#include "faulty_memory.h"

enum { ROWS = 70, DIM = 450 }; /* 19 panels of 24 columns, the last one part full: three jobs for the largest */

static float rows[ROWS * DIM];
static double scales[ROWS], mean[DIM], delta[DIM], start[DIM * DIM], sums[DIM * DIM], other[DIM * DIM];

static void fill(struct random *r, size_t dim, enum scatter_precision precision) {
  for (size_t i = 0; i < ROWS * dim; i++) rows[i] = (float)(3 + random_normal(r));
  for (size_t i = 0; i < ROWS; i++) scales[i] = precision == SCATTER_SINGLE || i % 3 ? 1 : 1 + random_uniform(r);
  for (size_t i = 0; i < dim; i++) {
    mean[i] = 3 + 0.1 * random_normal(r);
    delta[i] = random_normal(r);
  }
  for (size_t i = 0; i < dim * dim; i++) start[i] = random_normal(r);
}

/* What the block is made of may be overwritten as soon as scatter_add returns. */
static enum status run(size_t dim, enum scatter_precision precision, size_t count, int cores, double *out) {
  static float x[ROWS * DIM];
  static double s[ROWS], m[DIM], e[DIM];
  struct scatter scatter = {0};
  enum status rc = scatter_reserve(&scatter, dim, precision, count, &faulty_memory);
  if (rc == STATUS_OK) {
    memcpy(x, rows, sizeof x);
    memcpy(s, scales, sizeof s);
    memcpy(m, mean, sizeof m);
    memcpy(e, delta, sizeof e);
    memcpy(out, start, dim * dim * sizeof *out);
    if (cores > 1) scatter_start_threads(&scatter, cores);
    scatter_add(&scatter, &(struct scatter_block){count, x, s, m, e}, out);
    memset(x, 0xff, sizeof x);
    memset(s, 0xff, sizeof s);
    memset(m, 0xff, sizeof m);
    memset(e, 0xff, sizeof e);
    scatter_wait(&scatter);
  }
  scatter_clear(&scatter);
  scatter_clear(&scatter); /* harmless twice */
  return rc;
}

/* Within what a chain of `count` products may be off (Higham 2002, (3.5)), and a few roundings before and behind it. */
static void check(size_t dim, enum scatter_precision precision, size_t count) {
  double rounding = (double)(count + 6) * (precision == SCATTER_SINGLE ? 0x1p-24 : 0x1p-53);
  for (size_t i = 0; i < dim; i++) {
    for (size_t j = 0; j < i; j++) assert_same_double(sums[i * dim + j], start[i * dim + j]);
    for (size_t j = i; j < dim; j++) {
      long double sum = 0, size = 0;
      for (size_t r = 0; r < count; r++) {
        long double term = (long double)scales[r] * scales[r] * (rows[r * dim + i] - (long double)mean[i]) *
                           (rows[r * dim + j] - (long double)mean[j]);
        sum += term;
        size += fabsl(term);
      }
      sum += start[i * dim + j] + (long double)delta[i] * delta[j];
      assert_near(sums[i * dim + j], (double)sum, 0x1p-50 * (fabs((double)sum) + 10) + rounding * (double)size);
    }
  }
}

static const size_t DIMS[] = {1, 2, 7, 8, 9, 23, 24, 25, 31, 47, 48, 49, 72, 95, 191, 192, 200, 217, 400, DIM};

TEST(scatter_of_every_shape) {
  static const size_t COUNTS[] = {1, 2, 31, 32, 33, ROWS};
  struct random r = {random_seed()};
  for (int precision = SCATTER_DOUBLE; precision <= SCATTER_SINGLE; precision++)
    for (size_t d = 0; d < COUNT(DIMS) - (is_quick() ? 4 : 0); d++) {
      size_t count = COUNTS[d % COUNT(COUNTS)];
      fill(&r, DIMS[d], (enum scatter_precision)precision);
      assert_int_equal(run(DIMS[d], (enum scatter_precision)precision, count, 1, sums), STATUS_OK);
      check(DIMS[d], (enum scatter_precision)precision, count);
      for (int cores = 2; cores <= 5; cores += 3) {
        assert_int_equal(run(DIMS[d], (enum scatter_precision)precision, count, cores, other), STATUS_OK);
        assert_memory_equal(sums, other, DIMS[d] * DIMS[d] * sizeof *sums);
      }
    }
  assert_int_equal(faulty.live, 0);
}

/* One chain over the rows, then the rank-one term, then the sum. */
TEST(scatter_in_its_order) {
  struct random r = {random_seed() + 1};
  const size_t dim = 60;
  fill(&r, dim, SCATTER_DOUBLE);
  assert_int_equal(run(dim, SCATTER_DOUBLE, ROWS, 3, sums), STATUS_OK);
#if !defined(FP_FAST_FMA) && !defined(__aarch64__)
  if (strcmp(simd->name, "portable") == 0) return; /* rounds each product */
#endif
  for (size_t i = 0; i < dim; i++)
    for (size_t j = i; j < dim; j++) {
      double chain = 0;
      volatile double rank_one = delta[i] * delta[j];
      for (size_t n = 0; n < ROWS; n++)
        chain = fma(scales[n] * (rows[n * dim + i] - mean[i]), scales[n] * (rows[n * dim + j] - mean[j]), chain);
      assert_same_double(sums[i * dim + j], start[i * dim + j] + (chain + rank_one));
    }
}

/* Block after block, of fewer and more rows, through the same panels. */
TEST(scatter_again_and_again) {
  struct random r = {random_seed() + 2};
  const size_t dim = 50, counts[] = {3, 70, 1, 33};
  struct scatter scatter = {0};
  fill(&r, dim, SCATTER_DOUBLE);
  memcpy(other, start, sizeof other);
  for (size_t i = 0; i < COUNT(counts); i++) {
    assert_int_equal(scatter_reserve(&scatter, dim, SCATTER_DOUBLE, counts[i], &faulty_memory), STATUS_OK);
    assert_in_range(scatter.capacity, counts[i], ROWS);
    scatter_add(&scatter, &(struct scatter_block){counts[i], rows, scales, mean, delta}, other);
    scatter_wait(&scatter);
    assert_int_equal(run(dim, SCATTER_DOUBLE, counts[i], 2, sums), STATUS_OK);
    for (size_t e = 0; e < dim * dim; e++) start[e] = sums[e];
  }
  assert_memory_equal(sums, other, dim * dim * sizeof *sums);
  scatter_wait(&scatter); /* harmless twice */
  scatter_clear(&scatter);
}

static enum status reserve_once(void) {
  struct scatter scatter = {0};
  enum status rc = scatter_reserve(&scatter, 30, SCATTER_DOUBLE, 10, &faulty_memory);
  if (rc == STATUS_OK) rc = scatter_reserve(&scatter, 30, SCATTER_DOUBLE, 20, &faulty_memory);
  scatter_wait(&scatter);
  scatter_clear(&scatter);
  return rc;
}

TEST(scatter_out_of_memory) {
  assert_int_equal(faulty_exhaust(reserve_once), 3);
}

UNIT_MAIN(faulty_test(scatter_of_every_shape), faulty_test(scatter_in_its_order),
          faulty_test(scatter_again_and_again), faulty_test(scatter_out_of_memory))
