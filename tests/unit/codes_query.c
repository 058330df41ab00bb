/*
** core/codes: what is asked of codes. Scans and estimates against their definition in float64, from the bits of the
** rows; and against exact cosines, within the error that is stated.
*/
#define _GNU_SOURCE
#include "core/codes.h"

#include <float.h>

#include "faulty_memory.h"
#include "simd.h"

enum { K_MAX = 1100, ROWS = 256, BLOCKS = ROWS / 64 };

static const size_t SOME[] = {1,  2,  3,   4,   5,   8,   15,  16,  17,  31,  64,
                              67, 96, 100, 127, 128, 129, 255, 256, 257, 300, 1100};

/* Rows that are coded, their vectors, and a query. */
static struct {
  struct codes c;
  unsigned char *signs, *rest;
  float x[ROWS][K_MAX], direction[K_MAX];
  double rotated[K_MAX]; /* the direction, of unit norm */
  struct codes_query q;
} set;

static void *aligned(size_t bytes) {
  void *p = aligned_alloc(64, bytes);
  assert_non_null(p);
  memset(p, 0, bytes);
  return p;
}

static double dot_of(size_t n, const float *a, const float *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

static double cosine_of(size_t n, const float *a, const float *b) {
  return dot_of(n, a, b) / sqrt(dot_of(n, a, a)) / sqrt(dot_of(n, b, b));
}

static struct code_block block_of(size_t row) {
  return (struct code_block){set.signs + row / 64 * set.c.signs_bytes, set.rest + row / 64 * set.c.rest_bytes};
}

static void begin(size_t k) {
  assert_int_equal(codes_init(&set.c, k, &faulty_memory), STATUS_OK);
  set.signs = aligned(BLOCKS * set.c.signs_bytes);
  set.rest = aligned(BLOCKS * set.c.rest_bytes);
}

/* Codes what stands in x; a row of zeros leaves its place empty. */
static void code_rows(void) {
  struct code *row = aligned((codes_row_bytes(&set.c) + 63) / 64 * 64);
  float *y = aligned((4 * set.c.k + 63) / 64 * 64);
  for (size_t i = 0; i < ROWS; i++) {
    struct code_block block = block_of(i);
    memcpy(y, set.x[i], 4 * set.c.k);
    row->rowid = (int64_t)i;
    if (codes_encode(&set.c, y, row) == STATUS_OK)
      codes_put(&set.c, &block, i % 64, row);
    else
      codes_erase(&set.c, &block, i % 64);
  }
  free(row);
  free(y);
}

/* Makes the query ready; its norm is another one each time. */
static void ask(struct random *r) {
  static float rotated[K_MAX];
  double norm = sqrt(dot_of(set.c.k, set.direction, set.direction));
  for (size_t i = 0; i < set.c.k; i++) rotated[i] = (float)(set.direction[i] / norm);
  codes_rotate(&set.c, rotated); /* checked in codes.c */
  for (size_t i = 0; i < set.c.k; i++) set.rotated[i] = rotated[i];
  float scale = ldexpf(1, (int)random_below(r, 100) - 50);
  for (size_t i = 0; i < set.c.k; i++) rotated[i] = set.direction[i] * scale;
  assert_int_equal(codes_query_init(&set.q, &set.c, rotated), STATUS_OK);
  assert_int_equal((uintptr_t)set.q.tables % 64, 0);
}

static void end(void) {
  codes_query_clear(&set.q);
  codes_query_clear(&set.q);
  free(set.signs);
  free(set.rest);
  codes_clear(&set.c);
  assert_int_equal(faulty.live, 0);
}

/* The estimates of a row from its bits, by their definition: of the top bits, and of all; and the sum of the squares of
** what the lower bits are multiplied by. */
static void estimates_of(size_t row, double out[2], double *squares) {
  struct code_block block = block_of(row);
  float factors[2];
  double sums[2] = {0, 0};
  memcpy(&factors[0], block.signs + 4 * (row % 64), 4);
  memcpy(&factors[1], block.rest + 512 + 4 * (row % 64), 4);
  for (size_t i = 0; i < set.c.k; i++) {
    unsigned top = block.signs[256 + i / 8 * 64 + row % 64] >> i % 8 & 1;
    unsigned low = block.rest[1024 + row % 64 * 4 * set.c.bytes + i / 2] >> i % 2 * 4 & 15;
    sums[0] += (2.0 * top - 1) * set.rotated[i];
    sums[1] += (16.0 * top + low - 15.5) * set.rotated[i];
    *squares += (low - 7.5) * (low - 7.5);
  }
  for (int i = 0; i < 2; i++) out[i] = sums[i] * factors[i];
}

static float estimated(size_t row) {
  int32_t sums[64];
  codes_scan(&set.q, block_of(row).signs, 0, sums);
  return codes_estimate(&set.q, block_of(row).rest, row % 64, sums[row % 64]);
}

/* What a scan takes for an estimate, to 1e-5: where it ceases to find the row. */
static double scanned(size_t row) {
  double least = -4, most = 4;
  int32_t sums[64];
  while (most - least > 1e-5) {
    double middle = (least + most) / 2;
    if (codes_scan(&set.q, block_of(row).signs, (float)middle, sums) >> row % 64 & 1)
      least = middle;
    else
      most = middle;
  }
  return least;
}

static void fill_kind(struct random *r, int kind) {
  const size_t k = set.c.k;
  for (size_t j = 0; j < k; j++) set.direction[j] = (float)random_normal(r);
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < k; j++) {
      float noise = (float)random_normal(r);
      const float choices[] = {noise, set.direction[j] + (float)(i % 8) / 4 * noise, i % k == j ? -2.0f : 0.0f,
                               i % 2 ? 1.0f : -1.0f, i % 5 == 0 ? 0 : ldexpf(noise, (int)(i % 2 ? 120 : -140))};
      set.x[i][j] = choices[kind];
    }
  for (size_t j = 0; kind == 2 && j < k; j++) set.direction[j] = j % 3 == 0;
}

/* The same from every variant. What tables and a query in 8 bits are rounded by is uniform within their step, which
** gives the standard deviation of the sum: within six of them. */
TEST(estimates_by_definition) {
  struct random r = {random_seed()};
  const struct simd *before = simd;
  for (size_t at = 0; at < COUNT(SOME) - (is_quick() ? 10 : 0); at++)
    for (int kind = 0; kind < 5; kind++) {
      begin(SOME[at]);
      fill_kind(&r, kind);
      code_rows();
      ask(&r);
      const double tables = 2 * (double)set.c.bytes;
      for (size_t i = 0; i < ROWS; i += 1 + i % 7) {
        struct code_block block = block_of(i);
        double expected[2], largest = 0, squares = 0;
        estimates_of(i, expected, &squares);
        for (size_t j = 0; j < set.c.k; j++) largest = fmax(largest, fabs(set.rotated[j]));
        float factors[2], first = 0;
        memcpy(&factors[0], block.signs + 4 * (i % 64), 4);
        memcpy(&factors[1], block.rest + 512 + 4 * (i % 64), 4);
        for (const struct simd *const *v = simd_variants(); *v != NULL; v++) {
          simd = *v;
          float estimate = estimated(i);
          if (v == simd_variants()) first = estimate;
          assert_same_float(estimate, first);
          double noise = largest / 127 * sqrt(squares / 12) + 8 * set.q.scale * sqrt(tables / 12);
          assert_near(estimate, expected[1], 6 * noise * factors[1] + 1e-6);
        }
        int32_t sums[64];
        if (factors[0] > 0)
          assert_near(scanned(i), expected[0], 6 * set.q.scale * sqrt(tables / 12) * factors[0] + 2e-5);
        else
          assert_int_equal(codes_scan(&set.q, block.signs, -INFINITY, sums) >> i % 64 & 1, 0);
      }
      end();
    }
  simd = before;
}

/* How much of the square of the error of an estimate from all bits is rounding of the query, whatever the cosine is: with
** codes.h's step 0.1881, (10 * 3 / 4 + 64 * 0.1881^2 * 36) / (12 * 127^2) of that and 0.003507. */
static const double ROUNDED = 0.1187;

/* The standard deviations of what estimates are wrong by, in those that are stated. */
static void measure(double out[2]) {
  double sums[2] = {0, 0}, counted = 0;
  for (size_t i = 0; i < ROWS; i++) {
    double cosine = cosine_of(set.c.k, set.x[i], set.direction);
    double signs = (scanned(i) - cosine) / set.c.error_signs;
    double all = (estimated(i) - cosine) / set.c.error;
    if (1 - cosine * cosine < 1e-3) continue;
    sums[0] += signs * signs / (1 - cosine * cosine);
    sums[1] += all * all / ((1 - ROUNDED) * (1 - cosine * cosine) + ROUNDED);
    counted++;
  }
  for (int i = 0; i < 2; i++) out[i] = sqrt(sums[i] / counted);
}

/* Of 20 queries of 256 rows each: normal vectors, those near the query, unit vectors. */
TEST(errors_as_stated) {
  static const size_t K[] = {17, 24, 32, 64, 100, 129, 256, 257, 300, 511, 768, 1000, 1100};
  struct random r = {random_seed() + 1};
  if (is_quick()) skip();
  for (size_t at = 0; at < COUNT(K); at++)
    for (int kind = 0; kind < 3; kind++) {
      double sums[2] = {0, 0};
      begin(K[at]);
      for (int times = 0; times < 20; times++) {
        double found[2];
        codes_query_clear(&set.q);
        fill_kind(&r, kind);
        for (size_t j = 0; kind == 2 && j < set.c.k; j++) set.direction[j] = (float)random_normal(&r);
        code_rows();
        ask(&r);
        measure(found);
        for (int i = 0; i < 2; i++) sums[i] += found[i] * found[i] / 20;
      }
      for (int i = 0; i < 2; i++) assert_near(sqrt(sums[i]), 1, 0.15);
      end();
    }
}

/* ---- What has no direction, and no memory ---- */

TEST(zero_has_no_direction) {
  static const float ZEROS[K_MAX];
  struct random r = {random_seed() + 2};
  for (size_t at = 0; at < COUNT(SOME); at++) {
    struct codes_query q;
    begin(SOME[at]);
    assert_int_equal(codes_query_init(&q, &set.c, ZEROS), STATUS_NO_VARIANCE);
    codes_query_clear(&q);
    fill_kind(&r, 0);
    ask(&r);
    end();
  }
}

static enum status make_all(void) {
  static float direction[100];
  struct codes c;
  struct codes_query q = {0};
  for (size_t i = 0; i < 100; i++) direction[i] = (float)i;
  enum status rc = codes_init(&c, 100, &faulty_memory);
  if (rc == STATUS_OK) rc = codes_query_init(&q, &c, direction);
  codes_query_clear(&q);
  codes_clear(&c);
  return rc;
}

TEST(out_of_memory) {
  assert_int_equal(faulty_exhaust(make_all), 2);
}

UNIT_MAIN(faulty_test(estimates_by_definition), faulty_test(errors_as_stated), faulty_test(zero_has_no_direction),
          faulty_test(out_of_memory))
