/*
** core/simd, of matrices: panels, transforms and scatter, of every variant that this machine runs, as simd.c does it
** with sums.
*/
#define _GNU_SOURCE
#include "core/simd/simd.h"

#include "simd.h"

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

/* Each row of W by v: 16 lanes, folded in halves; each product and each sum is stored, so none is fused. */
static void check_pull(struct random *r, size_t kind, size_t n, size_t m) {
  float *panels = begin_transform(r, kind, 1, n, m), values[M_MAX + 16] = {0};
  size_t padded = (m + 15) / 16 * 16, edge = m % 2 ? 0 : 3;
  fill(r, kind, m, values);
  float *v = memcpy(guarded_place(&given, 4 * padded, edge), values, 4 * padded),
        *out = guarded_place(&result, 4 * n, edge);
  FOR_EACH_VARIANT(k) {
    memset(out, 0x7f, 4 * n);
    (*k)->pull(n, m, panels, v, out);
    for (size_t i = 0; i < n; i++) {
      volatile float lane[16] = {0}, product;
      for (size_t j = 0; j < padded; j++) {
        product = (j < m ? matrix[i * m + j] : 0) * values[j];
        lane[j % 16] += product;
      }
      for (size_t step = 8; step > 0; step /= 2)
        for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
      check_float(out[i], lane[0], *k, "pull", m);
    }
  }
}

TEST(kernel_pull) {
  struct random r = {random_seed() + 6};
  for (size_t kind = 0; kind < kinds(); kind++)
    for (size_t m = 1; m <= M_MAX; m += m < 100 ? 1 : 5) check_pull(&r, kind, m % 13 + 1, m);
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

#define WITH_TRANSFORM(test) cmocka_unit_test_setup_teardown(test, make_transform_buffers, free_transform_buffers)

UNIT_MAIN(cmocka_unit_test(kernel_panels), WITH_TRANSFORM(kernel_transform), WITH_TRANSFORM(kernel_pull),
          WITH_TRANSFORM(kernel_transform_block), WITH_TRANSFORM(kernel_transform_of_nan),
          WITH_BUFFERS(kernel_scatter))
