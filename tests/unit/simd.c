/*
** core/simd: every variant that this machine runs against slow references written from core/simd/simd.h, to the bit,
** for every length from 0 to 67 and some large ones, unaligned, and with pages that may not be touched on both
** sides of everything.
*/
#define _GNU_SOURCE
#include "core/simd/simd.h"

#include <float.h>

#include "guarded.h"

#define LARGEST 16384

static const size_t LARGE[] = {95,  96,  97,  127,  128,  129,  255,  300,
                               384, 511, 768, 1000, 1024, 1536, 4097, LARGEST};

/* 0 .. 67, then the large ones; 0 at the end of the list (but for the first). */
static size_t length_of(size_t i) {
  size_t large = is_quick() ? 6 : COUNT(LARGE);
  return i < 68 ? i : i - 68 < large ? LARGE[i - 68] : 0;
}

#define FOR_EACH_LENGTH(n) for (size_t at_##n = 0, n = 0; at_##n == 0 || (n = length_of(at_##n)) > 0; at_##n++)
#define FOR_EACH_VARIANT(k) for (const struct simd *const *k = simd_variants(); *k != NULL; k++)

static struct guarded ga, gb, gc, gd;

static int make_buffers(void **state) {
  (void)state;
  ga = guarded_make(LARGEST * sizeof(double) + 8);
  gb = guarded_make(LARGEST * sizeof(double) + 8);
  gc = guarded_make(LARGEST * sizeof(double) + 8);
  gd = guarded_make(LARGEST * sizeof(double) + 8);
  return 0;
}

static int free_buffers(void **state) {
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
static size_t kinds(void) {
  return is_quick() ? 1 : KINDS; /* under valgrind memory matters, not bits */
}

static void fill(struct random *r, size_t kind, size_t n, float *out) {
  for (size_t i = 0; i < n; i++) {
    out[i] = (float)random_normal(r);
    if (kind == 1 && random_below(r, 3) == 0) out[i] = random_below(r, 2) ? 0 : -0.0f;
    if (kind == 2) out[i] = ldexpf(out[i], (int)random_below(r, 60) - 30);
    if (kind == 3) out[i] = ldexpf(out[i], (int)random_below(r, 270) - 145);
    if (!isfinite(out[i])) out[i] = FLT_MAX;
  }
}

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

/* Equal to the bit; NaN has many bit patterns, and they are one here. */
static void check_double(double found, double expected, const struct simd *k, const char *what, size_t n) {
  if (bits_of_double(found) == bits_of_double(expected) || (isnan(found) && isnan(expected))) return;
  fail_msg("%s of %s, %zu elements: %.17g, expected %.17g", what, k->name, n, found, expected);
}

static void check_float(float found, float expected, const struct simd *k, const char *what, size_t n) {
  if (bits_of(found) == bits_of(expected) || (isnan(found) && isnan(expected))) return;
  fail_msg("%s of %s, %zu elements: %.9g, expected %.9g", what, k->name, n, (double)found, (double)expected);
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

/* acc += weight x, scale (x - mean), (float)(x - mean): element by element, each step rounded as
** said. */
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

/* ---- Layouts ---- */

#define N_MAX 67
#define M_MAX 210 /* more than four panels */
#define ROWS_MAX 19

/* Panels of 48 columns, the last one as wide as is left, rounded up to 16. */
static size_t panel_reference(size_t n, size_t m, size_t i, size_t j) {
  size_t panel = j / 48, left = m - 48 * panel, width = left >= 48 ? 48 : left > 32 ? 48 : left > 16 ? 32 : 16;
  return 48 * panel * n + i * width + j % 48;
}

TEST(kernel_panels) {
  struct random r = {random_seed() + 3};
  static float w[N_MAX * M_MAX];
  static char filled[N_MAX * (M_MAX + 48)];
  struct guarded gw = guarded_make(sizeof w + 2), gp = guarded_make(4 * sizeof filled);
  for (size_t n = 1; n <= N_MAX; n += 11)
    for (size_t m = 1; m <= M_MAX; m++) {
      size_t total = simd_panel_elements(n, m);
      assert_int_equal(total, n * ((m + 15) / 16 * 16));
      fill(&r, 0, n * m, w);
      for (size_t i = 0; i < n * m; i++)
        if (w[i] == 0) w[i] = 1;
      const void *source = memcpy(guarded_place(&gw, 4 * n * m, m % PLACES), w, 4 * n * m);
      float *panels = guarded_place(&gp, 4 * total, m % 2 ? 0 : 3);
      memset(panels, 0x7f, 4 * total);
      memset(filled, 0, sizeof filled);
      simd_pack(n, m, source, panels);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
          size_t at = panel_reference(n, m, i, j);
          assert_int_equal(simd_panel_index(n, m, i, j), at);
          assert_same_float(panels[at], w[i * m + j]);
          filled[at] = 1;
        }
      for (size_t i = 0; i < total; i++)
        if (!filled[i]) assert_same_float(panels[i], 0);
      assert_true(simd_is_packed(n, m, source, panels));
      panels[panel_reference(n, m, n / 2, m - 1)] += 1;
      assert_false(simd_is_packed(n, m, source, panels));
    }
  guarded_free(&gw);
  guarded_free(&gp);
}

/* ---- Transforms ---- */

static struct guarded given, weights, result;
static float vectors[ROWS_MAX][N_MAX], matrix[N_MAX * M_MAX], expected[ROWS_MAX][M_MAX];

/* Fills vectors and matrix, and what is expected: y_rj = fma(x_ri, W_ij, y_rj), i = 0 .. n - 1, from 0.
** Returns W in panels. */
static float *begin_transform(struct random *r, size_t kind, size_t rows, size_t n, size_t m) {
  fill(r, kind, n * m, matrix);
  for (size_t row = 0; row < rows; row++) {
    fill(r, kind, n, vectors[row]);
    for (size_t j = 0; j < m; j++) {
      float acc = 0;
      for (size_t i = 0; i < n; i++) acc = fmaf(vectors[row][i], matrix[i * m + j], acc);
      expected[row][j] = acc;
    }
  }
  float *panels = guarded_place(&weights, 4 * simd_panel_elements(n, m), m % 2 ? 0 : 3);
  simd_pack(n, m, matrix, panels);
  return panels;
}

static void check_transform(struct random *r, size_t kind, size_t n, size_t m) {
  float *panels = begin_transform(r, kind, 1, n, m);
  size_t edge = (n + m) % 2 ? 0 : 3;
  float *in = memcpy(guarded_place(&given, 4 * n, edge), vectors[0], 4 * n),
        *out = guarded_place(&result, 4 * m, edge);
  FOR_EACH_VARIANT(k) {
    memset(out, 0x7f, 4 * m);
    (*k)->transform(n, m, in, panels, out);
    for (size_t j = 0; j < m; j++) check_float(out[j], expected[0][j], *k, "transform", n);
  }
}

TEST(kernel_transform) {
  struct random r = {random_seed() + 4};
  for (size_t kind = 0; kind < kinds(); kind++)
    for (size_t n = 1; n <= N_MAX; n += n < 9 ? 1 : 29)
      for (size_t m = 1; m <= M_MAX; m++) check_transform(&r, kind, n, m);
}

/* Any number of rows; what lies between the rows of the result is not touched. */
static void check_block(struct random *r, size_t kind, size_t rows, size_t n, size_t m, size_t stride) {
  size_t span = (rows - 1) * stride + m, edge = m % 2 ? 0 : 3;
  float *panels = begin_transform(r, kind, rows, n, m);
  float *in = guarded_place(&given, 4 * rows * n, edge), *out = guarded_place(&result, 4 * span, edge);
  for (size_t row = 0; row < rows; row++) memcpy(in + row * n, vectors[row], 4 * n);
  FOR_EACH_VARIANT(k) {
    for (size_t i = 0; i < span; i++) out[i] = 77;
    (*k)->transform_block(rows, n, m, in, panels, out, stride);
    for (size_t row = 0; row < rows; row++)
      for (size_t j = 0; j < stride && row * stride + j < span; j++)
        check_float(out[row * stride + j], j < m ? expected[row][j] : 77, *k, "transform_block", n);
  }
}

TEST(kernel_transform_block) {
  static const size_t NS[] = {1, 2, 5, 16, 67};
  struct random r = {random_seed() + 5};
  for (size_t kind = 0; kind < kinds(); kind++)
    for (size_t rows = 1; rows <= ROWS_MAX; rows += rows < 9 ? 1 : 5)
      for (size_t m = 1; m <= M_MAX; m += m < 52 ? 1 : 7)
        check_block(&r, kind, rows, NS[(rows + m) % COUNT(NS)], m, m + (rows + m) % 3);
}

static int make_transform_buffers(void **state) {
  (void)state;
  given = guarded_make(4 * ROWS_MAX * N_MAX + 8);
  weights = guarded_make(4 * N_MAX * (M_MAX + 48) + 8);
  result = guarded_make(4 * ROWS_MAX * (M_MAX + 3) + 8);
  return 0;
}

static int free_transform_buffers(void **state) {
  (void)state;
  guarded_free(&given);
  guarded_free(&weights);
  guarded_free(&result);
  return 0;
}

/* A NaN in one row stays in that row. */
TEST(kernel_transform_of_nan) {
  struct random r = {random_seed() + 6};
  for (size_t at = 0; at < 10; at++) {
    float *panels = begin_transform(&r, 0, 10, 7, 50), *in = guarded_place(&given, 4 * 10 * 7, 0);
    float *out = guarded_place(&result, 4 * 10 * 50, 0);
    for (size_t row = 0; row < 10; row++)
      for (size_t i = 0; i < 7; i++) in[row * 7 + i] = row == at && i == at % 7 ? NAN : vectors[row][i];
    FOR_EACH_VARIANT(k) {
      (*k)->transform_block(10, 7, 50, in, panels, out, 50);
      for (size_t row = 0; row < 10; row++)
        for (size_t j = 0; j < 50; j++)
          check_float(out[row * 50 + j], row == at ? NAN : expected[row][j], *k, "block", j);
    }
  }
}

/* ---- Scatter ---- */

#if defined(FP_FAST_FMA) || defined(__aarch64__)
#define FUSES(k) ((void)(k), 1)
#else
#define FUSES(k) (strcmp((k)->name, "portable") != 0)
#endif

enum { SCATTER_ROWS = 40 };

/* Sums of a tile with room around it, and what is expected of them. */
struct scatter_case {
  size_t rows, stride;
  double u[GROUP_ROWS], v[SCATTER_WIDTH_SINGLE], sums[GROUP_ROWS * 60], out[GROUP_ROWS * 60];
};

static void begin_scatter(struct random *r, size_t rows, struct scatter_case *c) {
  c->rows = rows;
  c->stride = 48 + rows % 13;
  for (size_t i = 0; i < GROUP_ROWS; i++) c->u[i] = random_normal(r);
  for (size_t i = 0; i < SCATTER_WIDTH_SINGLE; i++) c->v[i] = random_normal(r);
  for (size_t i = 0; i < GROUP_ROWS * c->stride; i++) c->sums[i] = random_normal(r);
}

/* sum + x * y, rounded to float32 when `single`, and once when it fuses. */
static double chain(double x, double y, double sum, int single, int fuses) {
  volatile double product = x * y;
  volatile float product_single = (float)x * (float)y;
  if (single) return fuses ? fmaf((float)x, (float)y, (float)sum) : (float)(product_single + (float)sum);
  return fuses ? fma(x, y, sum) : product + sum;
}

/* What the sums are after a scatter of A and B, whose rows have `width` columns; behind these, what they were. */
static void check_scatter(const struct scatter_case *c, const double *a, const double *b, size_t width,
                          const struct simd *k) {
  int single = width == SCATTER_WIDTH_SINGLE;
  for (size_t i = 0; i < GROUP_ROWS; i++)
    for (size_t j = 0; j < c->stride; j++) {
      double sum = 0, before = c->sums[i * c->stride + j];
      for (size_t n = 0; n < c->rows && j < width; n++)
        sum = chain(a[n * width + i], b[n * width + j], sum, single, FUSES(k));
      volatile double product = j < width ? c->u[i] * c->v[j] : 0;
      check_double(c->out[i * c->stride + j], j < width ? before + (sum + product) : before, k,
                   single ? "scatter_single" : "scatter", c->rows);
    }
}

/* The same numbers in float32, at the end of a page. */
static const float *narrow(struct guarded *g, size_t n, const double *from) {
  float *to = guarded_place(g, 4 * n, 0);
  for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
  return to;
}

/* Numbers that float32 holds: plain, with zeros, or of many magnitudes. */
static const double *scatter_panel(struct random *r, struct guarded *g, size_t kind, size_t n) {
  static float numbers[SCATTER_ROWS * SCATTER_WIDTH_SINGLE];
  double *panel = guarded_place(g, 8 * n, 0);
  fill(r, kind, n, numbers);
  for (size_t i = 0; i < n; i++) panel[i] = kind == 0 ? random_normal(r) : (double)numbers[i];
  return panel;
}

/* In both precisions; sums of float64 numbers of float32's precision would be exact, so kind 0 has more. */
TEST(kernel_scatter) {
  struct random r = {random_seed() + 7};
  for (size_t rows = 0; rows <= SCATTER_ROWS; rows++)
    for (int single = 0; single <= 1; single++) {
      size_t width = single ? SCATTER_WIDTH_SINGLE : SCATTER_WIDTH, n = SCATTER_ROWS * width;
      struct scatter_case c;
      begin_scatter(&r, rows, &c);
      const double *a = scatter_panel(&r, &ga, rows % 3, n), *b = scatter_panel(&r, &gb, rows % 3, n);
      const float *a_single = narrow(&gc, n, a), *b_single = narrow(&gd, n, b);
      FOR_EACH_VARIANT(k) {
        memcpy(c.out, c.sums, sizeof c.out);
        if (single)
          (*k)->scatter_single(rows, a_single, b_single, c.u, c.v, c.out, c.stride);
        else
          (*k)->scatter(rows, a, b, c.u, c.v, c.out, c.stride);
        check_scatter(&c, a, b, width, *k);
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

#define WITH_BUFFERS(test) cmocka_unit_test_setup_teardown(test, make_buffers, free_buffers)
#define WITH_TRANSFORM(test) cmocka_unit_test_setup_teardown(test, make_transform_buffers, free_transform_buffers)

UNIT_MAIN(WITH_BUFFERS(kernel_sums), WITH_BUFFERS(kernel_sums_of_nan),
          WITH_BUFFERS(kernel_finds_what_is_not_finite), WITH_BUFFERS(kernel_element_by_element),
          WITH_BUFFERS(kernel_add_exact), cmocka_unit_test(kernel_panels), WITH_TRANSFORM(kernel_transform),
          WITH_TRANSFORM(kernel_transform_block), WITH_TRANSFORM(kernel_transform_of_nan),
          WITH_BUFFERS(kernel_scatter), cmocka_unit_test(simd_choice))
