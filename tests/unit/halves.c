/* core/halves: what is float64, what is not, and how little of a column is looked at. */
#include "core/halves.h"

#include <math.h>

#include "unit.h"

enum { DIM = 40 };

static void fill(struct random *r, double x[DIM], int from_float32) {
  for (size_t i = 0; i < DIM; i++) x[i] = from_float32 ? (float)random_normal(r) : random_normal(r);
}

TEST(halves_of_float64) {
  struct random r = {random_seed()};
  for (int from_float32 = 0; from_float32 < 2; from_float32++) {
    struct halves h = {0};
    double x[DIM];
    for (int row = 0; h.pairs < 2048; row++) {
      fill(&r, x, from_float32);
      if (row < 6) assert_false(halves_are_float64(&h)); /* fewer than 256 pairs */
      halves_look(&h, 2 * DIM, x);
    }
    assert_true(halves_are_float64(&h));
  }
}

TEST(halves_of_float32) {
  struct random r = {random_seed() + 1};
  struct halves h = {0}, odd = {0};
  for (int row = 0; row < 100; row++) {
    float x[DIM];
    double wide[DIM];
    for (size_t i = 0; i < DIM; i++) x[i] = (float)random_normal(&r);
    fill(&r, wide, 0);
    halves_look(&h, DIM, x);
    halves_look(&odd, 2 * DIM - 1, wide);
  }
  assert_int_equal(h.pairs, 100 * DIM / 2);
  assert_false(halves_are_float64(&h));
  assert_int_equal(odd.pairs, 0);
}

/* Low halves as of float64, high ones apart by one exponent too many. */
TEST(halves_that_lie_apart) {
  struct random r = {random_seed() + 2};
  for (int apart = 15; apart <= 16; apart++) {
    struct halves h = {0};
    for (int i = 0; i < 4000; i++) {
      uint32_t pair[2] = {(uint32_t)random_bits(&r), (uint32_t)(100 + i % 2 * apart) << 23};
      halves_look(&h, 2, pair);
    }
    assert_int_equal(halves_are_float64(&h), apart == 15);
  }
}

TEST(halves_sampled) {
  struct random r = {random_seed() + 3};
  struct halves h = {0}, zeros = {0};
  double x[DIM], nothing[DIM] = {0};
  int completed = 0;
  for (int row = 1; row <= 200; row++) {
    fill(&r, x, 0);
    completed += halves_sample(&h, 2 * DIM, x);
    assert_int_equal(completed, row >= 128); /* 16 pairs a row, 2048 in all */
  }
  assert_true(halves_are_float64(&h));
  for (int row = 0; row < 5000; row++) completed += halves_sample(&zeros, 2 * DIM, nothing);
  assert_int_equal(completed, 2);
  assert_int_equal(zeros.rows, 4096);
  assert_false(halves_are_float64(&zeros));
}

UNIT_MAIN(cmocka_unit_test(halves_of_float64), cmocka_unit_test(halves_of_float32),
          cmocka_unit_test(halves_that_lie_apart), cmocka_unit_test(halves_sampled))
