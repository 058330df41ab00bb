/*
** What the unit tests share: cmocka with the headers it wants before it, random numbers, and comparisons of
** floats.
**
** Random tests start from WHITEN_SEED (default 20210329), which every program prints as a comment of TAP. What
** is expected comes from a closed form, a published vector, numpy, or a slower independent computation in the
** test.
*/
#ifndef WHITEN_TESTS_UNIT_H
#define WHITEN_TESTS_UNIT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/simd/simd.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Under valgrind, where WHITEN_QUICK is set, what takes long is left out, and random tests repeat less often. */
static inline int is_quick(void) {
  return getenv("WHITEN_QUICK") != NULL;
}

static inline int repeats(int n) {
  return is_quick() ? 1 + n / 20 : n;
}

/* splitmix64 (Steele, Lea & Flood 2014): every seed gives a good sequence, also 0. */
struct random {
  uint64_t state;
};

static inline uint64_t random_seed(void) {
  const char *seed = getenv("WHITEN_SEED");
  return seed != NULL ? strtoull(seed, NULL, 10) : 20210329;
}

static inline uint64_t random_bits(struct random *r) {
  uint64_t z = r->state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static inline double random_uniform(struct random *r) {
  return (double)(random_bits(r) >> 11) * 0x1p-53;
}

static inline size_t random_below(struct random *r, size_t n) {
  return (size_t)(random_bits(r) % n);
}

/* Standard normal, by Box and Muller. */
static inline double random_normal(struct random *r) {
  double u = 1 - random_uniform(r), v = random_uniform(r);
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static inline float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static inline uint64_t bits_of_double(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* |actual - expected| <= tolerance; two NaN are equal. */
#define assert_near(actual, expected, tolerance) \
  check_near((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)

static inline void check_near(double actual, double expected, double tolerance, const char *what, const char *file,
                              int line) {
  if (fabs(actual - expected) <= tolerance || actual == expected || (isnan(actual) && isnan(expected))) return;
  print_error("%s is %.17g, expected %.17g within %g\n", what, actual, expected, tolerance);
  _fail(file, line);
}

/* The same bits: tells -0 from 0. */
#define assert_same_float(actual, expected) check_same_float((actual), (expected), #actual, __FILE__, __LINE__)
#define assert_same_double(actual, expected) check_same_double((actual), (expected), #actual, __FILE__, __LINE__)

static inline void check_same_float(float actual, float expected, const char *what, const char *file, int line) {
  if (bits_of(actual) == bits_of(expected)) return;
  print_error("%s is %.9g (%08x), expected %.9g (%08x)\n", what, (double)actual, bits_of(actual), (double)expected,
              bits_of(expected));
  _fail(file, line);
}

static inline void check_same_double(double actual, double expected, const char *what, const char *file,
                                     int line) {
  if (bits_of_double(actual) == bits_of_double(expected)) return;
  print_error("%s is %.17g, expected %.17g, to the bit\n", what, actual, expected);
  _fail(file, line);
}

/* The program: its tests, on the fastest kernels or those that WHITEN_KERNEL names, after a line that says so. */
#define UNIT_MAIN(...) \
  int main(void) { \
    const struct CMUnitTest tests[] = {__VA_ARGS__}; \
    if (!simd_choose(getenv("WHITEN_KERNEL"))) return fprintf(stderr, "no such kernel\n"), 2; \
    printf("# WHITEN_SEED=%llu WHITEN_KERNEL=%s\n", (unsigned long long)random_seed(), simd->name); \
    fflush(stdout); \
    return cmocka_run_group_tests(tests, NULL, NULL); \
  }

#endif
