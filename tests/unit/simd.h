/* What the tests of simd share: the lengths, the variants, kinds of numbers, guarded buffers, comparisons to the bit. */
#ifndef WHITEN_TESTS_SIMD_H
#define WHITEN_TESTS_SIMD_H

#include "core/simd/simd.h"

#include <float.h>

#include "guarded.h"

#define LARGEST 16384

static const size_t LARGE[] = {95,  96,  97,  127,  128,  129,  255,  300,
                               384, 511, 768, 1000, 1024, 1536, 4097, LARGEST};

/* 0 .. 67, then the large ones; 0 at the end of the list (but for the first). */
static inline size_t length_of(size_t i) {
  size_t large = is_quick() ? 6 : COUNT(LARGE);
  return i < 68 ? i : i - 68 < large ? LARGE[i - 68] : 0;
}

#define FOR_EACH_LENGTH(n) for (size_t at_##n = 0, n = 0; at_##n == 0 || (n = length_of(at_##n)) > 0; at_##n++)
#define FOR_EACH_VARIANT(k) for (const struct simd *const *k = simd_variants(); *k != NULL; k++)

static struct guarded ga, gb, gc, gd;

static inline int make_buffers(void **state) {
  (void)state;
  ga = guarded_make(LARGEST * sizeof(double) + 8);
  gb = guarded_make(LARGEST * sizeof(double) + 8);
  gc = guarded_make(LARGEST * sizeof(double) + 8);
  gd = guarded_make(LARGEST * sizeof(double) + 8);
  return 0;
}

static inline int free_buffers(void **state) {
  (void)state;
  guarded_free(&ga);
  guarded_free(&gb);
  guarded_free(&gc);
  guarded_free(&gd);
  return 0;
}

/* Kinds of numbers: plain; with zeros of either sign; of magnitudes that differ by 2^60, so that the order of
** additions in float64 shows; and of all magnitudes, so that products overflow and underflow. */
enum { KINDS = 4 };
static inline size_t kinds(void) {
  return is_quick() ? 1 : KINDS; /* under valgrind memory matters, not bits */
}

static inline void fill(struct random *r, size_t kind, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) {
    out[i] = (float)random_normal(r);
    if (kind == 1 && random_below(r, 3) == 0) out[i] = random_below(r, 2) ? 0 : -0.0f;
    if (kind == 2) out[i] = ldexpf(out[i], (int)random_below(r, 60) - 30);
    if (kind == 3) out[i] = ldexpf(out[i], (int)random_below(r, 270) - 145);
    if (!isfinite(out[i])) out[i] = FLT_MAX;
  }
}

/* Equal to the bit; NaN has many bit patterns, and they are one here. */
static inline void check_double(double found, double expected, const struct simd *k, const char *what, size_t n) {
  if (bits_of_double(found) == bits_of_double(expected) || (isnan(found) && isnan(expected))) return;
  fail_msg("%s of %s, %zu elements: %.17g, expected %.17g", what, k->name, n, found, expected);
}

static inline void check_float(float found, float expected, const struct simd *k, const char *what, size_t n) {
  if (bits_of(found) == bits_of(expected) || (isnan(found) && isnan(expected))) return;
  fail_msg("%s of %s, %zu elements: %.9g, expected %.9g", what, k->name, n, (double)found, (double)expected);
}

#define WITH_BUFFERS(test) cmocka_unit_test_setup_teardown(test, make_buffers, free_buffers)

#endif
