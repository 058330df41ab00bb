/* core/moments: against two passes in long double; any split merged against one pass; faults. */
#include "core/moments.h"

#include "faulty_memory.h"

#define DIM 7
#define ROWS_MAX 1300

static float rows[ROWS_MAX][DIM];
static double weights[ROWS_MAX];

/* Correlated columns with their own spread, around mean * spread. */
static void fill(struct random *r, double mean) {
  for (size_t i = 0; i < ROWS_MAX; i++) {
    double common = random_normal(r);
    for (size_t j = 0; j < DIM; j++) {
      double spread = pow(10, (double)j - 3);
      rows[i][j] = (float)(spread * (mean + common + random_normal(r)));
    }
    weights[i] = 1;
  }
}

static void add(struct moments *m, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) assert_int_equal(moments_add(m, rows[i], weights[i]), STATUS_OK);
}

static void build_as(struct moments *m, enum scatter_precision precision, size_t from, size_t to) {
  assert_int_equal(moments_init(m, DIM, precision, 2, &faulty_memory), STATUS_OK);
  add(m, from, to);
  assert_int_equal(moments_flush(m), STATUS_OK);
}

static void build(struct moments *m, size_t from, size_t to) {
  build_as(m, SCATTER_DOUBLE, from, to);
}

static void clear(struct moments *m) {
  moments_clear(m);
  moments_clear(m); /* harmless twice */
}

/* Two passes over rows from .. to - 1. Errors are measured against what the diagonal allows: sqrt(c_ii c_jj). */
static void check(const struct moments *m, size_t from, size_t to, double relative) {
  long double weight = 0, mean[DIM] = {0}, cross[DIM][DIM] = {{0}};
  for (size_t i = from; i < to; i++) weight += weights[i];
  for (size_t i = from; i < to; i++)
    for (size_t j = 0; j < DIM; j++) mean[j] += weights[i] * (long double)rows[i][j] / weight;
  for (size_t i = from; i < to; i++)
    for (size_t j = 0; j < DIM; j++)
      for (size_t k = 0; k < DIM; k++) cross[j][k] += weights[i] * (rows[i][j] - mean[j]) * (rows[i][k] - mean[k]);
  assert_int_equal(m->dim, DIM);
  assert_int_equal(m->rows, to - from);
  assert_near(m->weight, (double)weight, 1e-14 * (double)weight);
  for (size_t j = 0; j < DIM; j++) {
    assert_near(m->mean[j], (double)mean[j], 1e-14 * fabs((double)mean[j]) + 1e-14 * pow(10, (double)j - 3));
    for (size_t k = j; k < DIM; k++)
      assert_near(m->cross[j * DIM + k], (double)cross[j][k], relative * (double)sqrtl(cross[j][j] * cross[k][k]));
  }
}

/* Fewer rows than a block begins with, full blocks, one more ... */
TEST(moments_any_number_of_rows) {
  static const size_t COUNTS[] = {1,   2,   7,   8,   9,   16,  17,   100,  255,
                                  256, 257, 300, 511, 512, 513, 1024, 1025, ROWS_MAX};
  struct random r = {random_seed()};
  fill(&r, 0.5);
  for (size_t i = 0; i < COUNT(COUNTS); i++) {
    struct moments m = {0};
    build(&m, 0, COUNTS[i]);
    check(&m, 0, COUNTS[i], 1e-13);
    clear(&m);
  }
  assert_int_equal(faulty.live, 0);
}

/* What a mean of a million spreads costs is its own rounding in float64: 1e6 * 2^-53 of the spread, times
** the distance between the means of blocks. (What float32 keeps of the spread is in the rows.) */
TEST(moments_far_mean) {
  static const double MEANS[] = {10, 1e3, 1e6, -1e6};
  struct random r = {random_seed() + 1};
  for (size_t i = 0; i < COUNT(MEANS); i++) {
    struct moments m = {0};
    fill(&r, MEANS[i]);
    build(&m, 0, ROWS_MAX);
    check(&m, 0, ROWS_MAX, 1e-13 + 1e-17 * fabs(MEANS[i]));
    clear(&m);
  }
}

/* In float32 within a block: 1e-6 or a few times that, whatever the mean and however many blocks. */
TEST(moments_in_single_precision) {
  static const double MEANS[] = {0, 10, 1e6};
  static const size_t COUNTS[] = {1, 8, 9, 300, ROWS_MAX};
  struct random r = {random_seed() + 10};
  for (size_t i = 0; i < COUNT(MEANS); i++)
    for (size_t c = 0; c < COUNT(COUNTS); c++) {
      struct moments m = {0};
      fill(&r, MEANS[i]);
      build_as(&m, SCATTER_SINGLE, 0, COUNTS[c]);
      check(&m, 0, COUNTS[c], 1e-5);
      assert_int_equal(m.precision, SCATTER_SINGLE);
      clear(&m);
    }
}

/* A mean that moves on by a thousand spreads from block to block. */
TEST(moments_drifting_mean) {
  struct random r = {random_seed() + 2};
  struct moments m = {0};
  fill(&r, 0);
  for (size_t i = 0; i < ROWS_MAX; i++)
    for (size_t j = 0; j < DIM; j++) rows[i][j] += (float)(pow(10, (double)j - 3) * 4.0 * (double)i);
  build(&m, 0, ROWS_MAX);
  check(&m, 0, ROWS_MAX, 1e-13);
  clear(&m);
}

/* Flushed after every row, or now and then: the same but for rounding. */
TEST(moments_flushed_often) {
  static const size_t EVERY[] = {1, 3, 100};
  struct random r = {random_seed() + 3};
  fill(&r, 10);
  for (size_t e = 0; e < COUNT(EVERY); e++) {
    struct moments m = {0};
    assert_int_equal(moments_init(&m, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
    for (size_t i = 0; i < 400; i++) {
      add(&m, i, i + 1);
      if (i % EVERY[e] == 0) assert_int_equal(moments_flush(&m), STATUS_OK);
    }
    assert_int_equal(moments_flush(&m), STATUS_OK);
    check(&m, 0, 400, 1e-12);
    clear(&m);
  }
}

TEST(moments_weights) {
  struct random r = {random_seed() + 4};
  struct moments m = {0};
  fill(&r, 10);
  for (size_t i = 0; i < ROWS_MAX; i++) weights[i] = i % 3 == 0 ? 1 : 0.001 + 5 * random_uniform(&r);
  build(&m, 0, ROWS_MAX);
  check(&m, 0, ROWS_MAX, 1e-13);
  clear(&m);
}

/* Weight 3 is the row three times. */
TEST(moments_weight_is_frequency) {
  struct random r = {random_seed() + 5};
  struct moments once = {0}, often = {0};
  fill(&r, 10);
  assert_int_equal(moments_init(&once, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
  assert_int_equal(moments_init(&often, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
  for (size_t i = 0; i < 300; i++) {
    size_t times = 1 + i % 3;
    assert_int_equal(moments_add(&once, rows[i], (double)times), STATUS_OK);
    for (size_t t = 0; t < times; t++) assert_int_equal(moments_add(&often, rows[i], 1), STATUS_OK);
  }
  assert_int_equal(moments_flush(&once), STATUS_OK);
  assert_int_equal(moments_flush(&often), STATUS_OK);
  assert_int_equal(once.rows, 300);
  assert_int_equal(often.rows, 600);
  assert_same_double(once.weight, 600);
  assert_same_double(often.weight, 600);
  for (size_t j = 0; j < DIM; j++)
    for (size_t k = j; k < DIM; k++)
      assert_near(once.cross[j * DIM + k], often.cross[j * DIM + k],
                  1e-13 * sqrt(often.cross[j * DIM + j] * often.cross[k * DIM + k]));
  clear(&once);
  clear(&often);
}

static void merge(struct moments *into, const struct moments *m) {
  assert_int_equal(moments_merge(into, m->rows, m->weight, m->mean, m->cross), STATUS_OK);
}

/* Any split in two, in either order, and into many unequal parts. */
TEST(moments_merge_any_split) {
  static const size_t CUTS[] = {0, 1, 2, 10, 200, 256, 257, 399, 400};
  struct random r = {random_seed() + 6};
  fill(&r, 1000);
  for (size_t i = 0; i < ROWS_MAX; i++) {
    weights[i] = i % 2 ? 1 : 0.25 + random_uniform(&r);
    for (size_t j = 0; j < DIM; j++) rows[i][j] += (float)(pow(10, (double)j - 3) * (double)i / 100);
  }
  for (size_t c = 0; c < COUNT(CUTS); c++)
    for (int swapped = 0; swapped < 2; swapped++) {
      struct moments a = {0}, b = {0};
      build(&a, 0, CUTS[c]);
      build(&b, CUTS[c], 400);
      merge(swapped ? &b : &a, swapped ? &a : &b);
      check(swapped ? &b : &a, 0, 400, 1e-12);
      clear(&a);
      clear(&b);
    }
  struct moments all = {0};
  build(&all, 0, 0);
  for (size_t from = 0, to; from < ROWS_MAX; from = to) {
    struct moments part = {0};
    to = from + 1 + random_below(&r, 90);
    if (to > ROWS_MAX) to = ROWS_MAX;
    build(&part, from, to);
    merge(&all, &part);
    clear(&part);
  }
  check(&all, 0, ROWS_MAX, 1e-12);
  clear(&all);
}

/* Rows go on being added to what was merged. */
TEST(moments_add_after_merge) {
  struct random r = {random_seed() + 7};
  struct moments a = {0}, b = {0};
  fill(&r, 10);
  build(&a, 0, 20);
  build(&b, 20, 60);
  merge(&a, &b);
  add(&a, 60, 700);
  assert_int_equal(moments_flush(&a), STATUS_OK);
  check(&a, 0, 700, 1e-12);
  clear(&a);
  clear(&b);
}

/* (1, 10), (3, 30), (5, 20): mean (3, 20), squares 8 and 200, product 20. */
TEST(moments_closed_form) {
  struct moments m = {0};
  double trace, frobenius2;
  assert_int_equal(moments_init(&m, 2, SCATTER_DOUBLE, 1, &faulty_memory), STATUS_OK);
  assert_int_equal(moments_add(&m, (float[]){1, 10}, 1), STATUS_OK);
  assert_int_equal(moments_add(&m, (float[]){3, 30}, 1), STATUS_OK);
  assert_int_equal(moments_add(&m, (float[]){5, 20}, 1), STATUS_OK);
  assert_int_equal(moments_flush(&m), STATUS_OK);
  assert_near(m.mean[0], 3, 1e-15);
  assert_near(m.mean[1], 20, 1e-14);
  assert_near(m.cross[0], 8, 1e-14);
  assert_near(m.cross[1], 20, 1e-13);
  assert_same_double(m.cross[2], 0); /* the lower triangle stays zero */
  assert_near(m.cross[3], 200, 1e-12);
  moments_norms(&m, &trace, &frobenius2);
  assert_near(trace, 208, 1e-12);
  assert_near(frobenius2, 8 * 8 + 2 * 20 * 20 + 200 * 200, 1e-9);
  clear(&m);
}

TEST(moments_without_rows) {
  struct moments m = {0};
  build(&m, 0, 0);
  assert_int_equal(m.rows, 0);
  assert_non_null(m.cross);
  for (size_t i = 0; i < DIM * DIM; i++) assert_same_double(m.cross[i], 0);
  clear(&m);
  clear(&m);
  assert_int_equal(faulty.live, 0);
}

TEST(moments_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000};
  for (size_t at = 0; at < DIM; at++)
    for (size_t b = 0; b < COUNT(BAD); b++)
      for (int weight = 1; weight < 3; weight++) {
        struct moments m = {0};
        float row[DIM] = {0};
        assert_int_equal(moments_init(&m, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
        assert_int_equal(moments_add(&m, row, weight), STATUS_OK);
        row[at] = float_of(BAD[b]);
        assert_int_equal(moments_add(&m, row, weight), STATUS_NOT_FINITE);
        clear(&m);
      }
}

TEST(moments_unaligned) {
  struct random r = {random_seed() + 8};
  struct moments m = {0};
  _Alignas(8) char bytes[sizeof rows[0] + 1];
  fill(&r, 10);
  assert_int_equal(moments_init(&m, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
  for (size_t i = 0; i < 40; i++) {
    memcpy(bytes + 1, rows[i], sizeof rows[i]);
    assert_int_equal(moments_add(&m, bytes + 1, 1), STATUS_OK);
  }
  assert_int_equal(moments_flush(&m), STATUS_OK);
  check(&m, 0, 40, 1e-13);
  clear(&m);
}

/* Adding a block is some 4e9 multiplications at most, as long as a block is worth its name. */
TEST(moments_blocks_by_dimension) {
  static const size_t EXPECTED[][2] = {{1, 512},    {768, 512}, {2896, 512}, {2897, 256},
                                       {4096, 256}, {8192, 64}, {16383, 32}};
  for (size_t i = 0; i < COUNT(EXPECTED); i++) {
    struct moments m = {0};
    assert_int_equal(moments_init(&m, EXPECTED[i][0], SCATTER_DOUBLE, 1, &faulty_memory), STATUS_OK);
    assert_int_equal(m.block_limit, EXPECTED[i][1]);
    clear(&m);
  }
}

/* A group of a few rows must not take d^2: that is for the flush. */
TEST(moments_small_groups_stay_small) {
  struct moments m = {0};
  assert_int_equal(moments_init(&m, DIM, SCATTER_DOUBLE, 2, &faulty_memory), STATUS_OK);
  add(&m, 0, 8);
  assert_null(m.cross);
  assert_int_equal(m.block_capacity, 8);
  clear(&m);
}

/* Enough rows and dimensions for threads: the bits of one thread; and a fit that is given up leaves nothing behind. */
TEST(moments_with_threads) {
  enum { D = 130, N = 1100 };
  static float x[N][D];
  struct random r = {random_seed() + 11};
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < D; j++) x[i][j] = (float)(1 + random_normal(&r));
  for (int precision = SCATTER_DOUBLE; precision <= SCATTER_SINGLE; precision++) {
    struct moments m[3] = {{0}};
    for (int t = 0; t < 3; t++) {
      assert_int_equal(moments_init(&m[t], D, (enum scatter_precision)precision, 1 + 2 * t, &faulty_memory),
                       STATUS_OK);
      for (size_t i = 0; i < N; i++) assert_int_equal(moments_add(&m[t], x[i], 1), STATUS_OK);
      assert_int_equal(m[t].scatter.workers.initialized, 1);
      if (t < 2) assert_int_equal(moments_flush(&m[t]), STATUS_OK);
    }
    assert_memory_equal(m[0].cross, m[1].cross, D * D * sizeof(double));
    assert_memory_equal(m[0].mean, m[1].mean, D * sizeof(double));
    for (int t = 0; t < 3; t++) clear(&m[t]);
  }
  assert_int_equal(faulty.live, 0);
}

static enum scatter_precision faulty_precision;

/* Grows the block through all its sizes, flushes it, and merges. */
static enum status moments_once(void) {
  struct moments m = {0}, other = {0};
  enum status rc = moments_init(&m, DIM, faulty_precision, 2, &faulty_memory);
  for (size_t i = 0; rc == STATUS_OK && i < 600; i++) rc = moments_add(&m, rows[i], weights[i]);
  if (rc == STATUS_OK) rc = moments_flush(&m);
  if (rc == STATUS_OK) rc = moments_init(&other, DIM, faulty_precision, 2, &faulty_memory);
  if (rc == STATUS_OK) rc = moments_merge(&other, m.rows, m.weight, m.mean, m.cross);
  clear(&m);
  clear(&other);
  return rc;
}

TEST(moments_out_of_memory) {
  for (int precision = SCATTER_DOUBLE; precision <= SCATTER_SINGLE; precision++) {
    faulty_precision = (enum scatter_precision)precision;
    assert_in_range(faulty_exhaust(moments_once), 16, 30);
  }
}

UNIT_MAIN(faulty_test(moments_any_number_of_rows), faulty_test(moments_far_mean),
          faulty_test(moments_in_single_precision), faulty_test(moments_drifting_mean),
          faulty_test(moments_flushed_often), faulty_test(moments_weights),
          faulty_test(moments_weight_is_frequency), faulty_test(moments_merge_any_split),
          faulty_test(moments_add_after_merge), faulty_test(moments_closed_form),
          faulty_test(moments_without_rows), faulty_test(moments_not_finite), faulty_test(moments_unaligned),
          faulty_test(moments_blocks_by_dimension), faulty_test(moments_small_groups_stay_small),
          faulty_test(moments_with_threads), faulty_test(moments_out_of_memory))
