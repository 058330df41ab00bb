/* core/pool: the six poolings against sums in long double, and faults. */
#include "core/pool.h"

#include <float.h>

#include "pool.h"

static void begin(enum pool_mode mode, size_t dim) {
  assert_int_equal(pool_init(&pool, mode, dim, &faulty_memory), STATUS_OK);
}

/* sum(w x) / sum(w), or / sqrt(sum(w)). */
static void check_sums(enum pool_mode mode, float rows[ROWS][DIM], const double *weights) {
  float out[DIM];
  value(out);
  for (size_t j = 0; j < DIM; j++) {
    long double sum = 0, weight = 0;
    for (size_t i = 0; i < ROWS; i++) {
      long double w = mode == POOL_POSITION_MEAN ? weights[i] * (double)(i + 1) : weights[i];
      sum += w * rows[i][j];
      weight += w;
    }
    long double expected = mode == POOL_MEAN_SQRT_LEN ? sum / sqrtl(weight) : sum / weight;
    assert_near(out[j], (double)expected, 1e-7 * (double)expected);
  }
}

TEST(pool_sums_against_long_double) {
  static const enum pool_mode MODES[] = {POOL_MEAN, POOL_POSITION_MEAN, POOL_MEAN_SQRT_LEN};
  struct random r = {random_seed()};
  static float rows[ROWS][DIM];
  double weights[ROWS];
  for (size_t m = 0; m < COUNT(MODES); m++) {
    fill(&r, rows, weights);
    begin(MODES[m], DIM);
    for (size_t i = 0; i < ROWS; i++) {
      double w = MODES[m] == POOL_POSITION_MEAN ? weights[i] * (double)(i + 1) : weights[i];
      assert_int_equal(pool_add(&pool, rows[i], w, (int64_t)i + 1), STATUS_OK);
    }
    check_sums(MODES[m], rows, weights);
    end();
  }
}

/* Small integers, whose sums are exact: weighted mean (1*1 + 3*5) / 4, mean with sqrt(4) below. */
TEST(pool_closed_forms) {
  float out[2];
  begin(POOL_MEAN, 2);
  pool_add(&pool, (float[]){1, -2}, 1, 0);
  pool_add(&pool, (float[]){5, 6}, 3, 0);
  value(out);
  assert_same_float(out[0], 4);
  assert_same_float(out[1], 4);
  end();
  begin(POOL_MEAN_SQRT_LEN, 2);
  for (int i = 0; i < 4; i++) pool_add(&pool, (float[]){(float)i, 1}, 1, 0);
  value(out);
  assert_same_float(out[0], 3);
  assert_same_float(out[1], 2);
  end();
  begin(POOL_POSITION_MEAN, 2); /* (1*7 + 2*1 + 3*1) / 6 */
  for (int i = 0; i < 3; i++) pool_add(&pool, (float[]){i == 0 ? 7 : 1, 3}, i + 1, i + 1);
  value(out);
  assert_same_float(out[0], 2);
  assert_same_float(out[1], 3);
  end();
}

TEST(pool_sums_in_row_order) {
  float out[1];
  begin(POOL_MEAN, 1); /* float64 in row order: 2^53 + 1 + 1 stays 2^53, 1 + 1 + 2^53 does not */
  pool_add(&pool, (float[]){0x1p53f}, 1, 0);
  pool_add(&pool, (float[]){1}, 1, 0);
  pool_add(&pool, (float[]){1}, 1, 0);
  pool_add(&pool, (float[]){-0x1p53f}, 1, 0);
  value(out);
  assert_same_float(out[0], 0);
  end();
  begin(POOL_MEAN, 1);
  pool_add(&pool, (float[]){1}, 1, 0);
  pool_add(&pool, (float[]){1}, 1, 0);
  pool_add(&pool, (float[]){0x1p53f}, 1, 0);
  pool_add(&pool, (float[]){-0x1p53f}, 1, 0);
  value(out);
  assert_same_float(out[0], 0.5);
  end();
}

TEST(pool_max_of_rows) {
  struct random r = {random_seed() + 1};
  static float rows[ROWS][DIM];
  double weights[ROWS];
  float out[DIM], expected[DIM];
  fill(&r, rows, weights);
  begin(POOL_MAX, DIM);
  for (size_t j = 0; j < DIM; j++) expected[j] = -FLT_MAX;
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t j = 0; j < DIM; j++) rows[i][j] -= 20; /* all negative: nothing may be taken as 0 */
    assert_int_equal(pool_add(&pool, rows[i], weights[i], 0), STATUS_OK);
    for (size_t j = 0; j < DIM && weights[i] > 0; j++) expected[j] = fmaxf(expected[j], rows[i][j]);
  }
  value(out);
  assert_memory_equal(out, expected, sizeof out);
  end();
}

TEST(pool_first_and_last) {
  static const int64_t POSITIONS[] = {5, -3, 9, INT64_MIN, INT64_MAX, 0};
  static const double MASKS[] = {1, 1, 0.5, 0, 0, 1};
  float out[1];
  for (int last = 0; last < 2; last++) {
    begin(last ? POOL_LAST : POOL_CLS, 1);
    for (size_t i = 0; i < COUNT(POSITIONS); i++)
      assert_int_equal(pool_add(&pool, (float[]){(float)i}, MASKS[i], POSITIONS[i]), STATUS_OK);
    value(out);
    assert_same_float(out[0], last ? 2 : 1);
    end();
  }
}

/* Two rows that tie for the extreme position are refused; a tie elsewhere, or one that is beaten later, is not. */
TEST(pool_ties) {
  float out[1];
  size_t index;
  begin(POOL_CLS, 1);
  pool_add(&pool, (float[]){1}, 1, 4);
  pool_add(&pool, (float[]){2}, 1, 4);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_DUPLICATE);
  pool_add(&pool, (float[]){3}, 1, 5);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_DUPLICATE);
  pool_add(&pool, (float[]){4}, 1, 3);
  value(out);
  assert_same_float(out[0], 4);
  pool_add(&pool, (float[]){5}, 1, 4);
  value(out);
  assert_same_float(out[0], 4);
  pool_add(&pool, (float[]){5}, 0, 3); /* masked */
  value(out);
  end();
  begin(POOL_LAST, 1);
  pool_add(&pool, (float[]){1}, 1, INT64_MAX);
  pool_add(&pool, (float[]){2}, 1, INT64_MIN);
  value(out);
  assert_same_float(out[0], 1);
  pool_add(&pool, (float[]){3}, 1, INT64_MAX);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_DUPLICATE);
  end();
}

TEST(pool_empty) {
  for (int mode = 0; mode < POOL_MODE_COUNT; mode++) {
    begin((enum pool_mode)mode, 2);
    assert_true(pool_is_empty(&pool));
    assert_int_equal(pool_add(&pool, (float[]){1, 2}, 0, 1), STATUS_OK);
    assert_true(pool_is_empty(&pool));
    assert_int_equal(pool_add(&pool, (float[]){1, 2}, 1, 1), STATUS_OK);
    assert_false(pool_is_empty(&pool));
    end();
  }
}

/* In every mode, at every element, masked or not. */
TEST(pool_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xff800001};
  static const double WEIGHTS[] = {0, 1, 0.5};
  for (int mode = 0; mode < POOL_MODE_COUNT; mode++)
    for (size_t at = 0; at < DIM; at++)
      for (size_t b = 0; b < COUNT(BAD); b++)
        for (size_t w = 0; w < COUNT(WEIGHTS); w++) {
          float v[DIM] = {0};
          begin((enum pool_mode)mode, DIM);
          v[at] = float_of(BAD[b]);
          assert_int_equal(pool_add(&pool, v, WEIGHTS[w], 1), STATUS_NOT_FINITE);
          end();
        }
  float v[1] = {NAN};
  begin_window(1);
  assert_int_equal(pool_add(&pool, v, 1, 0), STATUS_NOT_FINITE);
  end();
}

TEST(pool_overflow) {
  float out[2];
  size_t index = 99;
  begin(POOL_MEAN_SQRT_LEN, 2);
  for (int i = 0; i < 4; i++) pool_add(&pool, (float[]){1, FLT_MAX}, 1, 0);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 1);
  end();
  begin(POOL_MEAN, 2); /* the sum is beyond float32, the mean is not */
  for (int i = 0; i < 4; i++) pool_add(&pool, (float[]){-FLT_MAX, FLT_MAX}, 1, 0);
  value(out);
  assert_same_float(out[0], -FLT_MAX);
  assert_same_float(out[1], FLT_MAX);
  end();
}

TEST(pool_unaligned) {
  static const float V[3] = {1.5f, -2, 7};
  _Alignas(8) char bytes[sizeof V + 1];
  memcpy(bytes + 1, V, sizeof V);
  for (int mode = 0; mode < POOL_MODE_COUNT; mode++) {
    float out[3];
    begin((enum pool_mode)mode, 3);
    assert_int_equal(pool_add(&pool, bytes + 1, 1, 1), STATUS_OK);
    value(out);
    assert_memory_equal(out, V, sizeof V);
    end();
    if (mode != POOL_MAX) continue;
    begin(POOL_MAX, 3); /* a row behind the first is compared, not copied */
    assert_int_equal(pool_add(&pool, (float[]){-9, -9, -9}, 1, 1), STATUS_OK);
    assert_int_equal(pool_add(&pool, bytes + 1, 1, 1), STATUS_OK);
    value(out);
    assert_memory_equal(out, V, sizeof V);
    end();
  }
  float out[3];
  begin_window(3);
  assert_int_equal(pool_add(&pool, bytes + 1, 1, 1), STATUS_OK);
  assert_int_equal(pool_add(&pool, bytes + 1, 1, 1), STATUS_OK);
  assert_int_equal(pool_remove(&pool, bytes + 1, 1), STATUS_OK);
  value(out);
  assert_memory_equal(out, V, sizeof V);
  end();
}

static enum pool_mode faulty_mode;

static enum status pool_once(void) {
  struct pool p = {0};
  enum status rc = pool_init(&p, faulty_mode, 3, &faulty_memory);
  if (rc == STATUS_OK) rc = pool_add(&p, (float[]){1, 2, 3}, 1, 1);
  if (rc == STATUS_OK) {
    float out[3];
    size_t index;
    rc = pool_value(&p, out, &index);
  }
  pool_clear(&p);
  return rc;
}

TEST(pool_out_of_memory) {
  for (int mode = 0; mode < POOL_MODE_COUNT; mode++) {
    faulty_mode = (enum pool_mode)mode;
    assert_int_equal(faulty_exhaust(pool_once), 1);
  }
  struct pool zeroed = {0};
  pool_clear(&zeroed);
}

UNIT_MAIN(faulty_test(pool_sums_against_long_double), faulty_test(pool_closed_forms),
          faulty_test(pool_sums_in_row_order), faulty_test(pool_max_of_rows), faulty_test(pool_first_and_last),
          faulty_test(pool_ties), faulty_test(pool_empty), faulty_test(pool_not_finite),
          faulty_test(pool_overflow), faulty_test(pool_unaligned), faulty_test(pool_out_of_memory))
