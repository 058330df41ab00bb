/* core/pool, windows: against sums from scratch, rows that leave without a trace, and faults. */
#include "core/pool.h"

#include <float.h>

#include "pool.h"

/* Every frame of a window that slides over the rows, against sums from scratch. */
TEST(pool_window_against_long_double) {
  struct random r = {random_seed() + 2};
  static float rows[ROWS][DIM];
  double weights[ROWS];
  fill(&r, rows, weights);
  for (size_t width = 1; width < 12; width += 5) {
    begin_window(DIM);
    for (size_t i = 0; i < ROWS; i++) {
      if (i >= width) assert_int_equal(pool_remove(&pool, rows[i - width], weights[i - width]), STATUS_OK);
      assert_int_equal(pool_add(&pool, rows[i], weights[i], 0), STATUS_OK);
      long double weight = 0;
      size_t first = i + 1 > width ? i + 1 - width : 0;
      for (size_t k = first; k <= i; k++) weight += weights[k];
      assert_int_equal(pool_is_empty(&pool), weight == 0);
      if (weight == 0) continue;
      float out[DIM];
      value(out);
      for (size_t j = 0; j < DIM; j++) {
        long double sum = 0;
        for (size_t k = first; k <= i; k++) sum += weights[k] * rows[k][j];
        assert_near(out[j], (double)(sum / weight), 1e-6);
      }
    }
    end();
  }
}

/* A row that leaves takes away what it brought, even if it was 2^50 times as large as the others. */
TEST(pool_window_forgets) {
  float out[1];
  begin_window(1);
  for (int i = 1; i < 20; i++) {
    float large = (float)ldexp(1 + i / 32.0, 50);
    pool_add(&pool, &large, 1, 0);
    pool_add(&pool, (float[]){(float)i}, 1, 0);
    pool_remove(&pool, &large, 1);
    value(out);
    assert_same_float(out[0], (float)(i + 1) / 2); /* the mean of 1 .. i */
  }
  end();
}

/* The weights as well; and the last row that leaves leaves nothing. */
TEST(pool_window_of_weights) {
  float out[1];
  begin_window(1);
  pool_add(&pool, (float[]){3}, 0x1p60, 0);
  pool_add(&pool, (float[]){5}, 1, 0);
  pool_add(&pool, (float[]){8}, 0.5, 0);
  pool_remove(&pool, (float[]){3}, 0x1p60);
  value(out);
  assert_same_float(out[0], 6);
  pool_remove(&pool, (float[]){5}, 1);
  pool_remove(&pool, (float[]){5}, 0); /* never counted */
  value(out);
  assert_same_float(out[0], 8);
  pool_remove(&pool, (float[]){8}, 0.5);
  assert_true(pool_is_empty(&pool));
  pool_add(&pool, (float[]){3}, 0x1p60, 0);
  pool_add(&pool, (float[]){5}, 1, 0);
  pool_add(&pool, (float[]){8}, 0.5, 0);
  pool_remove(&pool, (float[]){5}, 1); /* while the large one is there */
  pool_remove(&pool, (float[]){3}, 0x1p60);
  value(out);
  assert_same_float(out[0], 8);
  pool_remove(&pool, (float[]){8}, 0.5);
  assert_true(pool_is_empty(&pool));
  pool_add(&pool, (float[]){0.1f}, 0.25, 0);
  value(out);
  assert_same_float(out[0], 0.1f);
  end();
}

/* Until a row leaves or is said to, the mean is that of a group, to the bit; then that of the rows that are there. */
TEST(pool_window_that_stands_still) {
  float out[1];
  for (int slides = 0; slides < 2; slides++) {
    begin_window(1);
    pool_add(&pool, (float[]){0x1p60f}, 1, 0);
    pool_add(&pool, (float[]){1}, 1, 0);
    pool_add(&pool, (float[]){-0x1p60f}, 2, 0);
    pool_add(&pool, (float[]){0x1p60f}, 1, 0);
    if (slides) pool_slide(&pool);
    value(out);
    assert_same_float(out[0], slides ? 0.2f : 0);
    end();
  }
}

TEST(pool_window_beyond_float64) {
  float out[1];
  size_t index;
  begin_window(1);
  pool_add(&pool, (float[]){1}, DBL_MAX, 0);
  pool_add(&pool, (float[]){1}, DBL_MAX, 0);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_WEIGHT);
  pool_slide(&pool);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_WEIGHT);
  pool_remove(&pool, (float[]){1}, DBL_MAX);
  pool_remove(&pool, (float[]){1}, DBL_MAX);
  assert_true(pool_is_empty(&pool));
  pool_add(&pool, (float[]){3}, 2, 0); /* nothing of it is left */
  value(out);
  assert_same_float(out[0], 3);
  end();
  begin_window(1);
  pool_add(&pool, (float[]){1e30f}, 1e290, 0);
  assert_int_equal(pool_value(&pool, out, &index), STATUS_WEIGHT);
  end();
}

/* Magnitudes that need all three stages of the exact sums, among the elements or, the other way, among the weights. */
static int faulty_weights;

static enum status window_once(void) {
  static const double SPREAD[] = {1e30, 1e-7, 1e-30, 1e10};
  struct pool p = {0};
  enum status rc = pool_init_window(&p, 1, &faulty_memory);
  for (size_t i = 0; i < COUNT(SPREAD) && rc == STATUS_OK; i++) {
    float v = faulty_weights ? 0 : (float)SPREAD[i];
    rc = pool_add(&p, &v, faulty_weights ? SPREAD[i] : 1, 0);
  }
  float first = faulty_weights ? 0 : (float)SPREAD[0];
  if (rc == STATUS_OK) rc = pool_remove(&p, &first, faulty_weights ? SPREAD[0] : 1);
  pool_clear(&p);
  return rc;
}

TEST(pool_window_out_of_memory) {
  for (faulty_weights = 0; faulty_weights < 2; faulty_weights++) assert_int_equal(faulty_exhaust(window_once), 2);
}

UNIT_MAIN(faulty_test(pool_window_against_long_double), faulty_test(pool_window_forgets),
          faulty_test(pool_window_of_weights), faulty_test(pool_window_that_stands_still),
          faulty_test(pool_window_beyond_float64), faulty_test(pool_window_out_of_memory))
