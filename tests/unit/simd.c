/*
** core/simd: every variant that this machine runs against slow references written from core/simd/simd.h, to the bit,
** for every length from 0 to 67 and some large ones, unaligned, and with pages that may not be touched on both
** sides of everything. The choice of the variant.
*/
#define _GNU_SOURCE
#include "core/simd/simd.h"

#include "simd.h"

/* ---- The two orders of summation, as core/simd/simd.h words them ---- */

/* Element i of lane order, zero in the padding of the last group of 32. */
static float padded(const float *a, size_t n, size_t i) {
  return i < n ? a[i] : 0;
}

/* The sum over lane, lane + width, lane + 2 width ... below 32: at width 1 all of them. */
static double fold_reference(const float *lane, size_t first, size_t width) { /* NOLINT(misc-no-recursion) */
  return width == 32 ? (double)lane[first]
                     : fold_reference(lane, first, 2 * width) + fold_reference(lane, first + width, 2 * width);
}

static double dot_reference(size_t n, const float *a, const float *b) {
  float lane[32] = {0};
  for (size_t l = 0; l < 32; l++)
    for (size_t i = l; i < (n + 31) / 32 * 32; i += 32) lane[l] = fmaf(padded(a, n, i), padded(b, n, i), lane[l]);
  return fold_reference(lane, 0, 1);
}

static double l2sq_reference(size_t n, const float *a, const float *b) {
  float lane[32] = {0};
  for (size_t l = 0; l < 32; l++)
    for (size_t i = l; i < (n + 31) / 32 * 32; i += 32) {
      float difference = padded(a, n, i) - padded(b, n, i);
      lane[l] = fmaf(difference, difference, lane[l]);
    }
  return fold_reference(lane, 0, 1);
}

static double l1_reference(size_t n, const float *a, const float *b) {
  float lane[32] = {0};
  for (size_t l = 0; l < 32; l++)
    for (size_t i = l; i < (n + 31) / 32 * 32; i += 32) lane[l] += fabsf(padded(a, n, i) - padded(b, n, i));
  return fold_reference(lane, 0, 1);
}

TEST(kernel_sums) {
  struct random r = {random_seed()};
  static float a[LARGEST], b[LARGEST];
  for (size_t kind = 0; kind < kinds(); kind++) FOR_EACH_LENGTH(n) {
      fill(&r, kind, n, a);
      fill(&r, kind, n, b);
      double ab = dot_reference(n, a, b), bb = dot_reference(n, b, b), l2 = l2sq_reference(n, a, b);
      double l1 = l1_reference(n, a, b);
      for (size_t place = 0; place < PLACES; place++) {
        const void *x = memcpy(guarded_place(&ga, 4 * n, place), a, 4 * n);
        const void *y = memcpy(guarded_place(&gb, 4 * n, (place + 1) % PLACES), b, 4 * n);
        FOR_EACH_VARIANT(k) {
          double sums[2] = {77, 77};
          check_double((*k)->dot(n, x, y), ab, *k, "dot", n);
          (*k)->dot2(n, x, y, sums);
          check_double(sums[0], ab, *k, "dot2, first", n);
          check_double(sums[1], bb, *k, "dot2, second", n);
          check_double((*k)->l2sq(n, x, y), l2, *k, "l2sq", n);
          check_double((*k)->l1(n, x, y), l1, *k, "l1", n);
          check_double((*k)->dot(n, x, x), dot_reference(n, a, a), *k, "dot with itself", n);
        }
      }
    }
}

/* One number that is not finite, anywhere: the sum is not finite either. */
TEST(kernel_sums_of_nan) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xff800001};
  for (size_t n = 1; n <= 67; n++)
    for (size_t at = 0; at < n; at++)
      for (size_t b = 0; b < COUNT(BAD); b++) {
        float *x = guarded_place(&ga, 4 * n, 0), *y = guarded_place(&gb, 4 * n, 0);
        for (size_t i = 0; i < n; i++) x[i] = y[i] = 1;
        x[at] = float_of(BAD[b]);
        FOR_EACH_VARIANT(k) {
          double sums[2];
          assert_true(!isfinite((*k)->dot(n, x, y)));
          assert_true(!isfinite((*k)->dot(n, y, x)));
          assert_true(!isfinite((*k)->l2sq(n, x, y)));
          assert_true(!isfinite((*k)->l1(n, x, y)));
          (*k)->dot2(n, x, y, sums);
          assert_true(!isfinite(sums[0]));
          assert_same_double(sums[1], (double)n);
          (*k)->dot2(n, y, x, sums);
          assert_true(!isfinite(sums[0]) && !isfinite(sums[1]));
        }
      }
}

TEST(kernel_finds_what_is_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff};
  static const uint32_t GOOD[] = {0x7f7fffff, 0xff7fffff, 0, 0x80000000, 1, 0x80000001, 0x3f800000, 0x007fffff};
  static double acc[67];
  for (size_t n = 0; n <= 67; n++)
    for (size_t place = 0; place < PLACES; place++) {
      char *x = guarded_place(&ga, 4 * n, place);
      for (size_t i = 0; i < n; i++) memcpy(x + 4 * i, &GOOD[i % COUNT(GOOD)], 4);
      FOR_EACH_VARIANT(k) {
        assert_true((*k)->is_finite(n, x));
        assert_true((*k)->add_weighted(n, acc, x, 0.5));
        for (size_t at = 0; at < n; at++)
          for (size_t b = 0; b < (place ? 1 : COUNT(BAD)); b++) {
            uint32_t before;
            memcpy(&before, x + 4 * at, 4);
            memcpy(x + 4 * at, &BAD[b], 4);
            int found = (*k)->is_finite(n, x) || (*k)->add_weighted(n, acc, x, 0.5);
            memcpy(x + 4 * at, &before, 4);
            memset(acc, 0, sizeof acc);
            if (found) fail_msg("%s passes over %08x at %zu of %zu", (*k)->name, BAD[b], at, n);
          }
      }
    }
}

/* The sum, and what it lost, here by Dekker's sum, which asks which of the two is larger; nothing is lost of small
** integers. */
TEST(kernel_add_exact) {
  struct random r = {random_seed() + 7};
  static float a[LARGEST];
  static double acc[LARGEST];
  FOR_EACH_LENGTH(n) {
    for (int exact = 0; exact < 2; exact++)
      for (size_t place = 0; place < PLACES; place++) {
        double weight = exact ? 3 : 3 * random_uniform(&r);
        for (size_t i = 0; i < n; i++) {
          a[i] = exact ? (float)(i % 9) : (float)(random_normal(&r) * ldexp(1, (int)(i % 11)));
          acc[i] = exact ? 5 : random_normal(&r);
        }
        const void *x = memcpy(guarded_place(&ga, 4 * n, place), a, 4 * n);
        size_t edge = place < 3 ? 0 : 3;
        double *sums = guarded_place(&gb, 8 * n, edge), *lost = guarded_place(&gc, 8 * n, edge);
        FOR_EACH_VARIANT(k) {
          memcpy(sums, acc, 8 * n);
          memset(lost, 0, 8 * n);
          int any = (*k)->add_exact(n, sums, x, weight, lost), wanted = 0;
          for (size_t i = 0; i < n; i++) {
            volatile double product = weight * a[i], sum = acc[i] + product;
            volatile double part = fabs(acc[i]) < fabs(product) ? product - sum : acc[i] - sum;
            double rest = part + (fabs(acc[i]) < fabs(product) ? acc[i] : product);
            check_double(sums[i], sum, *k, "add_exact", n);
            check_double(lost[i], rest, *k, "add_exact: lost", n);
            wanted |= rest != 0;
          }
          if (any != wanted) fail_msg("%s says %d of what was lost of %zu elements", (*k)->name, any, n);
        }
      }
  }
}

/* acc += weight x, scale (x - mean), (float)(x - mean): each step rounded as said. */
TEST(kernel_element_by_element) {
  struct random r = {random_seed() + 1};
  static float a[LARGEST];
  static double acc[LARGEST], mean[LARGEST];
  for (size_t kind = 0; kind < kinds(); kind++) FOR_EACH_LENGTH(n) {
      double weight = 3 * random_uniform(&r);
      fill(&r, kind, n, a);
      for (size_t i = 0; i < n; i++) {
        acc[i] = random_normal(&r);
        mean[i] = a[i] + random_normal(&r);
      }
      for (size_t place = 0; place < PLACES; place++) {
        const void *x = memcpy(guarded_place(&ga, 4 * n, place), a, 4 * n);
        size_t edge = place < 3 ? 0 : 3; /* float64 and results are aligned */
        double *means = memcpy(guarded_place(&gb, 8 * n, edge), mean, 8 * n);
        double *sums = guarded_place(&gc, 8 * n, edge);
        float *out = guarded_place(&gd, 4 * n, edge);
        FOR_EACH_VARIANT(k) {
          memcpy(sums, acc, 8 * n);
          (*k)->add_weighted(n, sums, x, weight);
          for (size_t i = 0; i < n; i++) {
            volatile double product = weight * a[i];
            check_double(sums[i], acc[i] + product, *k, "add_weighted", n);
          }
          (*k)->widen(n, x, means, weight, sums);
          for (size_t i = 0; i < n; i++) check_double(sums[i], weight * (a[i] - mean[i]), *k, "widen", n);
          (*k)->shift(n, x, means, out);
          for (size_t i = 0; i < n; i++) check_float(out[i], (float)(a[i] - mean[i]), *k, "shift", n);
          memcpy(out, a, 4 * n);
          (*k)->shift(n, out, means, out);
          for (size_t i = 0; i < n; i++) check_float(out[i], (float)(a[i] - mean[i]), *k, "shift in place", n);
        }
      }
    }
}

/* ---- The choice ---- */

TEST(simd_choice) {
  const struct simd *const *variants = simd_variants();
  size_t count = 0;
  const struct simd *before = simd;
  FOR_EACH_VARIANT(k) {
    assert_true(simd_choose((*k)->name));
    assert_ptr_equal(simd, *k);
    count++;
  }
  assert_true(count >= 1);
  assert_string_equal(variants[count - 1]->name, "portable");
  assert_false(simd_choose("none such"));
  assert_false(simd_choose(""));
  assert_string_equal(simd->name, "portable");
  assert_true(simd_choose(NULL));
  assert_ptr_equal(simd, variants[0]);
  simd = before;
}

UNIT_MAIN(WITH_BUFFERS(kernel_sums), WITH_BUFFERS(kernel_sums_of_nan),
          WITH_BUFFERS(kernel_finds_what_is_not_finite), WITH_BUFFERS(kernel_add_exact),
          WITH_BUFFERS(kernel_element_by_element), cmocka_unit_test(simd_choice))
