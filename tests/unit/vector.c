/*
** core/vector: products, norms and distances of any magnitude, against sums in long double.
**
** What is allowed to differ follows from 32 float32 lanes: an element passes ceil(n / 32) roundings of 2^-24.
*/
#include "core/vector.h"

#include <float.h>

#include "unit.h"

#define MAX 1100

static double tolerance(size_t n) {
  return ((double)n / 32 + 3) * 0x1p-24;
}

static long double dot_reference(size_t n, const float *a, const float *b, long double *magnitude) {
  long double sum = 0;
  *magnitude = 0;
  for (size_t i = 0; i < n; i++) {
    sum += (long double)a[i] * b[i];
    *magnitude += fabsl((long double)a[i] * b[i]);
  }
  return sum;
}

static long double l2_reference(size_t n, const float *a, const float *b) {
  long double sum = 0;
  for (size_t i = 0; i < n; i++) sum += ((long double)a[i] - b[i]) * ((long double)a[i] - b[i]);
  return sqrtl(sum);
}

static double cosine(size_t n, const void *a, const void *b) {
  return vector_cosine(n, a, vector_square(n, a), b);
}

/* Normal elements times 2^exponent, which keeps all of them normal numbers for exponents from -120 to 120. */
static void fill(struct random *r, size_t n, int exponent, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)ldexp(random_normal(r), exponent);
}

/* Dot, norm, distance and cosine of two vectors against long double. */
static void compare(size_t n, const float *a, const float *b) {
  long double dot_size, square_size;
  double t = tolerance(n);
  long double dot = dot_reference(n, a, b, &dot_size);
  long double aa = dot_reference(n, a, a, &square_size), bb = dot_reference(n, b, b, &square_size);
  double distance = (double)l2_reference(n, a, b);
  assert_near(vector_dot(n, a, b), (double)dot, t * (double)dot_size);
  assert_near(vector_norm(n, a), (double)sqrtl(aa), t * (double)sqrtl(aa));
  assert_near(vector_l2(n, a, b), distance, t * distance);
  assert_near(cosine(n, a, b), (double)(dot / sqrtl(aa) / sqrtl(bb)),
              t * (1 + (double)(dot_size / sqrtl(aa) / sqrtl(bb))));
  assert_same_double(cosine(n, a, b), cosine(n, b, a));
  assert_same_double(vector_dot(n, a, b), vector_dot(n, b, a));
  assert_same_double(vector_l2(n, a, b), vector_l2(n, b, a));
  assert_same_double(cosine(n, a, a), 1);
  assert_same_double(vector_l2(n, a, a), 0);
}

TEST(vector_against_long_double) {
  struct random r = {random_seed()};
  float a[MAX], b[MAX];
  for (size_t n = 1; n <= MAX; n += n < 70 ? 1 : 97) {
    fill(&r, n, 0, a);
    fill(&r, n, 0, b);
    compare(n, a, b);
  }
}

/* Every pair of magnitudes: what leaves the range of float32 when squared is taken again, scaled. */
TEST(vector_any_magnitude) {
  struct random r = {random_seed() + 1};
  float a[40], b[40];
  for (int ea = -120; ea <= 120; ea += 8)
    for (int eb = -120; eb <= 120; eb += 8) {
      fill(&r, COUNT(a), ea, a);
      fill(&r, COUNT(b), eb, b);
      compare(COUNT(a), a, b);
    }
}

TEST(vector_extremes) {
  static const float BIG[2] = {1e30f, 1e30f}, SMALL[2] = {1e-30f, 1e-30f},
                     MAX_POSITIVE[3] = {FLT_MAX, FLT_MAX, FLT_MAX},
                     MAX_NEGATIVE[3] = {-FLT_MAX, -FLT_MAX, -FLT_MAX}, TINY[1] = {FLT_TRUE_MIN},
                     ZERO[3] = {0, -0.0f, 0};
  assert_same_double(cosine(2, BIG, BIG), 1);
  assert_same_double(cosine(2, SMALL, SMALL), 1);
  assert_same_double(cosine(2, BIG, SMALL), 1);
  assert_same_double(cosine(3, MAX_POSITIVE, MAX_NEGATIVE), -1);
  assert_same_double(cosine(1, TINY, TINY), 1);
  assert_same_double(vector_norm(1, TINY), 0x1p-149);
  assert_same_double(vector_dot(1, TINY, TINY), 0x1p-298);
  assert_near(vector_norm(3, MAX_POSITIVE), sqrt(3) * FLT_MAX, FLT_MAX * 1e-7);
  assert_near(vector_l2(3, MAX_POSITIVE, MAX_NEGATIVE), 2 * sqrt(3) * FLT_MAX, FLT_MAX * 1e-7);
  assert_near(vector_dot(3, MAX_POSITIVE, MAX_NEGATIVE), -3 * (double)FLT_MAX * FLT_MAX, FLT_MAX * 1e32);
  assert_near(vector_dot(2, BIG, SMALL), 2, 1e-6);
  assert_same_double(vector_norm(3, ZERO), 0);
  assert_same_double(vector_dot(3, ZERO, MAX_POSITIVE), 0);
  assert_same_double(vector_l2(3, ZERO, ZERO), 0);
}

/* Elements of very different size in one vector: none may be lost where it decides the result. */
TEST(vector_mixed_magnitudes) {
  static const float A[2] = {1, 1e-25f}, B[2] = {1, 2e-25f}, HUGE_A[2] = {0x1p100f, 0x1p-60f},
                     SMALL_B[2] = {0, 0x1p-60f};
  static const float FAR_A[2] = {1e30f, 1e-30f}, FAR_B[2] = {1e30f, 3e-30f};
  assert_near(vector_l2(2, A, B), 1e-25, 1e-31);
  assert_near(vector_l2(2, FAR_A, FAR_B), 2e-30, 1e-36);
  assert_same_double(vector_dot(2, HUGE_A, SMALL_B), 0x1p-120);
  assert_near(cosine(2, HUGE_A, SMALL_B), 0x1p-160, 0x1p-180);
}

TEST(vector_cosine_of_zero_is_undefined) {
  static const float ZERO[2] = {0, -0.0f}, ONE[2] = {1, 0}, BIG[2] = {1e30f, 0};
  assert_same_double(cosine(2, ZERO, ONE), COSINE_UNDEFINED);
  assert_same_double(cosine(2, ONE, ZERO), COSINE_UNDEFINED);
  assert_same_double(cosine(2, BIG, ZERO), COSINE_UNDEFINED);
  assert_same_double(cosine(2, ZERO, ZERO), COSINE_UNDEFINED);
}

/* Parallel vectors, whose quotient may round beyond 1. */
TEST(vector_cosine_stays_in_range) {
  struct random r = {random_seed() + 2};
  float a[67], b[67];
  for (int i = 0; i < 2000; i++) {
    size_t n = 1 + random_below(&r, COUNT(a));
    double factor = random_normal(&r);
    fill(&r, n, 0, a);
    for (size_t j = 0; j < n; j++) b[j] = (float)(factor * a[j]);
    double c = cosine(n, a, b);
    assert_true(c >= -1 && c <= 1);
    assert_near(c, factor > 0 ? 1 : -1, 1e-6);
  }
}

TEST(vector_not_finite_gives_nan) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001};
  float good[67], bad[67];
  struct random r = {random_seed() + 3};
  fill(&r, COUNT(good), 0, good);
  for (size_t at = 0; at < COUNT(bad); at++)
    for (size_t i = 0; i < COUNT(BAD); i++) {
      memcpy(bad, good, sizeof bad);
      bad[at] = float_of(BAD[i]);
      assert_true(isnan(vector_dot(COUNT(bad), good, bad)));
      assert_true(isnan(vector_dot(COUNT(bad), bad, good)));
      assert_true(isnan(vector_dot(COUNT(bad), bad, bad)));
      assert_true(isnan(vector_l2(COUNT(bad), bad, good)));
      assert_true(isnan(vector_l2(COUNT(bad), good, bad)));
      assert_true(isnan(vector_norm(COUNT(bad), bad)));
      assert_true(isnan(cosine(COUNT(bad), bad, good)));
      assert_true(isnan(cosine(COUNT(bad), good, bad)));
      assert_true(isnan(cosine(COUNT(bad), bad, bad)));
      assert_int_equal(vector_find_not_finite(COUNT(bad), bad), at);
      assert_int_equal(vector_find_not_finite(at, bad), at);
    }
  assert_int_equal(vector_find_not_finite(0, bad), 0);
  float zero[67] = {0};
  bad[66] = good[66];
  bad[0] = INFINITY;
  assert_true(isnan(vector_dot(COUNT(bad), bad, zero)));
  assert_true(isnan(cosine(COUNT(bad), zero, bad)));
}

/* One rounding each: the CPU's own division and product in float64. */
TEST(vector_divide_and_scale_round_once) {
  struct random r = {random_seed() + 4};
  float a[67], out[67];
  fill(&r, COUNT(a), 3, a);
  vector_divide(COUNT(a), a, 0.3, out);
  for (size_t i = 0; i < COUNT(a); i++) assert_same_float(out[i], (float)(a[i] / 0.3));
  vector_scale(COUNT(a), a, -1 / 3.0, out);
  for (size_t i = 0; i < COUNT(a); i++) assert_same_float(out[i], (float)(a[i] * (-1 / 3.0)));
  vector_scale(COUNT(a), a, 1e300, out);
  assert_int_equal(vector_find_not_finite(COUNT(a), out), 0);
}

TEST(vector_unaligned) {
  struct random r = {random_seed() + 5};
  float a[67], b[67], out[67];
  _Alignas(8) char bytes[2][sizeof a + 3];
  fill(&r, COUNT(a), 0, a);
  fill(&r, COUNT(b), 0, b);
  for (size_t shift = 1; shift < 4; shift++) {
    const void *x = memcpy(bytes[0] + shift, a, sizeof a), *y = memcpy(bytes[1] + 4 - shift, b, sizeof b);
    size_t n = COUNT(a);
    assert_same_double(vector_dot(n, x, y), vector_dot(n, a, b));
    assert_same_double(vector_l2(n, x, y), vector_l2(n, a, b));
    assert_same_double(vector_norm(n, x), vector_norm(n, a));
    assert_same_double(cosine(n, x, y), cosine(n, a, b));
    vector_divide(n, x, 2, out);
    assert_same_float(out[n - 1], a[n - 1] / 2);
  }
}

TEST(vector_square_f64_against_long_double) {
  struct random r = {random_seed() + 6};
  float a[MAX];
  for (size_t n = 1; n <= MAX; n += n < 70 ? 1 : 97) {
    long double magnitude;
    fill(&r, n, (int)n % 100 - 50, a);
    double expected = (double)dot_reference(n, a, a, &magnitude);
    assert_near(vector_square_f64(n, a), expected, expected * 1e-13);
  }
}

UNIT_MAIN(cmocka_unit_test(vector_against_long_double), cmocka_unit_test(vector_any_magnitude),
          cmocka_unit_test(vector_extremes), cmocka_unit_test(vector_mixed_magnitudes),
          cmocka_unit_test(vector_cosine_of_zero_is_undefined), cmocka_unit_test(vector_cosine_stays_in_range),
          cmocka_unit_test(vector_not_finite_gives_nan), cmocka_unit_test(vector_divide_and_scale_round_once),
          cmocka_unit_test(vector_unaligned), cmocka_unit_test(vector_square_f64_against_long_double))
