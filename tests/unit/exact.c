/* core/exact: sums against an expansion of any length (Shewchuk 1997, as in CPython's fsum), and against themselves when
** things leave again; the ends of float64; digits that fill up; faults. */
#include "core/exact.h"

#include <float.h>
#include <math.h>

#include "faulty_memory.h"

static struct exact sums;

static void begin(size_t n) {
  assert_int_equal(exact_init(&sums, n, &faulty_memory), STATUS_OK);
}

static void end(void) {
  exact_clear(&sums);
  exact_clear(&sums); /* harmless twice */
  assert_int_equal(faulty.live, 0);
}

static void add(size_t i, double x) {
  assert_int_equal(exact_add_one(&sums, i, x), STATUS_OK);
}

static void assert_value(size_t i, double expected) {
  double value = exact_value(&sums, i);
  if (value != expected) fail_msg("element %zu is %a, expected %a", i, value, expected);
}

/* The correctly rounded sum: partials that do not overlap, least first. */
static double reference(size_t n, const double *terms) {
  double p[128], high, low = 0;
  size_t count = 0, kept;
  for (size_t i = 0; i < n; i++) {
    double x = terms[i];
    kept = 0;
    for (size_t j = 0; j < count; j++) {
      double a = fabs(x) < fabs(p[j]) ? p[j] : x, b = fabs(x) < fabs(p[j]) ? x : p[j];
      high = a + b;
      low = b - (high - a);
      if (low != 0) p[kept++] = low;
      x = high;
    }
    p[kept] = x;
    count = kept + 1;
  }
  if (count == 0) return 0;
  high = p[--count];
  for (low = 0; count > 0 && low == 0;) {
    double a = high, b = p[--count];
    high = a + b;
    low = b - (high - a);
  }
  if (count > 0 && (low > 0) == (p[count - 1] > 0) && low != 0) {
    double twice = 2 * low, up = high + twice;
    if (up - high == twice) high = up;
  }
  return high;
}

static double any_double(struct random *r, int lowest, int highest) {
  int exponent = lowest + (int)random_below(r, (size_t)(highest - lowest));
  double fraction = random_below(r, 3) ? random_uniform(r) : 0.5; /* powers of two make ties */
  return (random_below(r, 2) ? 1 : -1) * ldexp(0.5 + fraction / 2, exponent);
}

/* In every order, of every range; what was added is also taken out. */
TEST(exact_against_expansions) {
  static const int RANGES[][2] = {{-3, 3}, {-60, 60}, {-100, 100}, {-1000, 1000}, {-1073, -960}, {900, 1010}};
  struct random r = {random_seed()};
  for (size_t range = 0; range < COUNT(RANGES); range++)
    for (int round = 0; round < 300; round++) {
      double x[40];
      size_t n = 0;
      begin(1);
      for (int step = 0; step < 60; step++) {
        if (n > 0 && random_below(&r, 5) < 2) {
          size_t out = random_below(&r, n--);
          add(0, -x[out]);
          x[out] = x[n];
        } else if (n < COUNT(x)) {
          x[n] = any_double(&r, RANGES[range][0], RANGES[range][1]);
          add(0, x[n++]);
        }
        assert_value(0, reference(n, x));
      }
      end();
    }
}

#define DIM 7u
#define ROWS 90u
#define WIDTH 5u

/* Rows of float32, as a window sees them: each element apart from the others. */
TEST(exact_rows) {
  struct random r = {random_seed() + 1};
  static float rows[ROWS][DIM];
  double weights[ROWS], terms[WIDTH];
  begin(DIM + 1);
  for (size_t i = 0; i < ROWS; i++) {
    weights[i] = i % 3 != 0 ? fabs(any_double(&r, -300, 300)) : 1;
    for (size_t j = 0; j < DIM; j++) rows[i][j] = (float)any_double(&r, -140, 127);
    if (i >= WIDTH) assert_int_equal(exact_add(&sums, DIM, rows[i - WIDTH], -weights[i - WIDTH]), STATUS_OK);
    assert_int_equal(exact_add(&sums, DIM, rows[i], weights[i]), STATUS_OK);
    for (size_t j = 0; j < DIM; j++) {
      size_t n = 0;
      for (size_t k = i + 1; k > 0 && k + WIDTH > i + 1; k--) terms[n++] = weights[k - 1] * rows[k - 1][j];
      assert_value(j, reference(n, terms));
    }
    assert_value(DIM, 0);
  }
  end();
}

/* 2^1023, 1 and 2^-1074 at once, and each of them alone again. */
TEST(exact_ends_of_float64) {
  begin(1);
  add(0, DBL_MAX);
  add(0, 1);
  add(0, -0x1p-1074);
  assert_value(0, DBL_MAX);
  add(0, -DBL_MAX);
  assert_value(0, 1);
  add(0, -1);
  assert_value(0, -0x1p-1074);
  add(0, 0x1p-1074);
  assert_value(0, 0);
  add(0, DBL_MAX);
  add(0, -DBL_MAX);
  add(0, 0x1.8p-1050);
  assert_value(0, 0x1.8p-1050);
  end();
}

TEST(exact_reset_and_overflow) {
  begin(2);
  add(0, 1e300);
  add(0, 1e-300);
  add(0, 1e100);
  add(1, DBL_MAX);
  add(1, DBL_MAX);
  assert_true(fabs(exact_value(&sums, 1)) > DBL_MAX || isnan(exact_value(&sums, 1)));
  add(1, -DBL_MAX);
  assert_true(fabs(exact_value(&sums, 1)) > DBL_MAX || isnan(exact_value(&sums, 1)));
  exact_reset(&sums);
  assert_value(0, 0);
  assert_value(1, 0);
  add(1, 3);
  assert_value(1, 3);
  end();
}

/* Digits are carried before they overflow: the count of rows is set to what some 10^9 rows would make it. */
TEST(exact_digits_are_carried) {
  begin(1);
  add(0, 1e300);
  for (int i = 1; i < 200; i++) {
    if (i == 100) sums.added = ((int64_t)1 << 30) - 1;
    add(0, ldexp(1, -1 - i % 3)); /* too small for the first stage */
    add(0, ldexp(1, -800));       /* for the second */
  }
  assert_true(sums.added < 1000);
  add(0, -1e300);
  double expected = 0;
  for (int i = 1; i < 200; i++) expected += ldexp(1, -1 - i % 3);
  assert_value(0, expected);
  add(0, -expected);
  assert_value(0, 199 * ldexp(1, -800));
  end();
}

TEST(exact_not_finite) {
  float v[3] = {1, INFINITY, 2};
  begin(3);
  assert_int_equal(exact_add(&sums, 3, v, 1), STATUS_NOT_FINITE);
  end();
}

static enum status exact_once(void) {
  struct exact e = {0};
  enum status rc = exact_init(&e, 1, &faulty_memory);
  if (rc == STATUS_OK) rc = exact_add_one(&e, 0, 1e300);
  if (rc == STATUS_OK) rc = exact_add_one(&e, 0, 1);
  if (rc == STATUS_OK) rc = exact_add_one(&e, 0, 1e-300);
  exact_clear(&e);
  return rc;
}

TEST(exact_out_of_memory) {
  assert_int_equal(faulty_exhaust(exact_once), 2);
}

UNIT_MAIN(faulty_test(exact_against_expansions), faulty_test(exact_rows), faulty_test(exact_ends_of_float64),
          faulty_test(exact_reset_and_overflow), faulty_test(exact_digits_are_carried),
          faulty_test(exact_not_finite), faulty_test(exact_out_of_memory))
