/*
** AVX-512: a panel is three registers wide; a block of 8 rows x 48 columns fills 24 accumulators.
**
** Dot-like sums stay with registers of 8 elements: a row that SQLite hands out is never aligned, every load of 16 would
** cross a cache line, and a scan is 5 % slower.
*/
#include "core/simd/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>

/* Element i and on, of n; zero behind the end. */
static inline __m512 load_part(const char *p, size_t left) {
  return left >= 16 ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps((__mmask16)((1u << left) - 1), p);
}

enum { NAN_OR_INFINITY = 0x99 };

static int is_finite(size_t n, const void *x) {
  const char *p = x;
  __mmask16 bad = 0;
  for (; n >= 16; n -= 16, p += 64) bad |= _mm512_fpclass_ps_mask(_mm512_loadu_ps(p), NAN_OR_INFINITY);
  if (n > 0) bad |= _mm512_fpclass_ps_mask(load_part(p, n), NAN_OR_INFINITY);
  return bad == 0;
}

static int add(size_t n, double *acc, const void *x) {
  const char *p = x;
  __mmask16 bad = 0;
  for (; n >= 16; n -= 16, p += 64, acc += 16) {
    __m512 v = _mm512_loadu_ps(p);
    bad |= _mm512_fpclass_ps_mask(v, NAN_OR_INFINITY);
    _mm512_storeu_pd(acc, _mm512_add_pd(_mm512_loadu_pd(acc), _mm512_cvtps_pd(_mm512_castps512_ps256(v))));
    _mm512_storeu_pd(acc + 8,
                     _mm512_add_pd(_mm512_loadu_pd(acc + 8), _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1))));
  }
  return (bad == 0) & (n == 0 || simd_portable.add(n, acc, p));
}

static int add_weighted(size_t n, double *acc, const void *x, double weight) {
  const char *p = x;
  __mmask16 bad = 0;
  __m512d w = _mm512_set1_pd(weight);
  for (; n >= 16; n -= 16, p += 64, acc += 16) {
    __m512 v = _mm512_loadu_ps(p);
    __m512d low = _mm512_mul_pd(w, _mm512_cvtps_pd(_mm512_castps512_ps256(v)));
    __m512d high = _mm512_mul_pd(w, _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1)));
    bad |= _mm512_fpclass_ps_mask(v, NAN_OR_INFINITY);
    _mm512_storeu_pd(acc, _mm512_add_pd(_mm512_loadu_pd(acc), low));
    _mm512_storeu_pd(acc + 8, _mm512_add_pd(_mm512_loadu_pd(acc + 8), high));
  }
  return (bad == 0) & (n == 0 || simd_portable.add_weighted(n, acc, p, weight));
}

static void shift(size_t n, const void *x, const double *mean, float *out) {
  const char *p = x;
  for (; n >= 8; n -= 8, p += 32, mean += 8, out += 8) {
    __m256 v = _mm256_loadu_ps((const float *)(const void *)p);
    _mm256_storeu_ps(out, _mm512_cvtpd_ps(_mm512_sub_pd(_mm512_cvtps_pd(v), _mm512_loadu_pd(mean))));
  }
  if (n > 0) simd_portable.shift(n, p, mean, out);
}

static void widen(size_t n, const void *x, const double *mean, double scale, double *out) {
  const char *p = x;
  __m512d s = _mm512_set1_pd(scale);
  for (; n >= 8; n -= 8, p += 32, mean += 8, out += 8) {
    __m256 v = _mm256_loadu_ps((const float *)(const void *)p);
    _mm512_storeu_pd(out, _mm512_mul_pd(s, _mm512_sub_pd(_mm512_cvtps_pd(v), _mm512_loadu_pd(mean))));
  }
  if (n > 0) simd_portable.widen(n, p, mean, scale, out);
}

/* Stores `columns` of the registers acc[0 .. C-1]. */
static inline __attribute__((always_inline)) void store(int C, const __m512 *acc, size_t columns, float *y) {
  for (int c = 0; c < C; c++) {
    size_t left = columns - 16 * (size_t)c;
    if (left >= 16)
      _mm512_storeu_ps(y + 16 * c, acc[c]);
    else
      _mm512_mask_storeu_ps(y + 16 * c, (__mmask16)((1u << left) - 1), acc[c]);
  }
}

enum { PANELS_AT_ONCE = 4 };

/*
** A row by P panels of 48 columns and one of 16 C. Several at once: their streams are fetched together, and no narrow
** panel is left alone with a chain that waits for itself (8 % of the time at m = 256).
*/
static inline __attribute__((always_inline)) void row_panels(int P, int C, size_t n, const float *x,
                                                             const float *panels, size_t columns, float *y) {
  __m512 acc[3 * PANELS_AT_ONCE];
  const float *narrow = panels + (size_t)P * n * PANEL_WIDTH;
  for (int c = 0; c < 3 * P + C; c++) acc[c] = _mm512_setzero_ps();
  for (size_t i = 0; i < n; i++) {
    __m512 v = _mm512_set1_ps(x[i]);
#pragma GCC unroll 4
    for (int p = 0; p < P; p++)
      for (int c = 0; c < 3; c++)
        acc[3 * p + c] = _mm512_fmadd_ps(v, _mm512_load_ps(panels + ((size_t)p * n + i) * PANEL_WIDTH + 16 * c),
                                         acc[3 * p + c]);
    for (int c = 0; c < C; c++)
      acc[3 * P + c] = _mm512_fmadd_ps(v, _mm512_load_ps(narrow + i * 16 * (size_t)C + 16 * c), acc[3 * P + c]);
  }
  store(3 * P + C, acc, columns, y);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  const size_t step = PANELS_AT_ONCE * PANEL_WIDTH;
  for (; m >= step; m -= step, panels += n * step, y += step) row_panels(PANELS_AT_ONCE, 0, n, x, panels, step, y);
  switch ((m + 15) / 16) { /* registers: a panel of more than 32 columns is as wide as a whole one */
#define CASE(P, C) \
  case 3 * (P) + (C): row_panels(P, C, n, x, panels, m, y); break;
    CASE(0, 1)
    CASE(0, 2) CASE(1, 0) CASE(1, 1) CASE(1, 2) CASE(2, 0) CASE(2, 1) CASE(2, 2) CASE(3, 0) CASE(3, 1) CASE(3, 2)
        CASE(4, 0)
#undef CASE
  }
}

static inline __attribute__((always_inline)) void group_panel(int C, size_t rows, size_t n, const float *x,
                                                              const float *panel, size_t columns, float *y,
                                                              size_t stride) {
  __m512 acc[GROUP_ROWS][3];
  const float *row[GROUP_ROWS]; /* the last one again where there are fewer */
  for (int r = 0; r < GROUP_ROWS; r++) {
    row[r] = x + ((size_t)r < rows ? (size_t)r : rows - 1) * n;
    for (int c = 0; c < C; c++) acc[r][c] = _mm512_setzero_ps();
  }
  for (size_t i = 0; i < n; i++, panel += 16 * C) {
    __m512 w[3];
    for (int c = 0; c < C; c++) w[c] = _mm512_load_ps(panel + 16 * c);
#pragma GCC unroll 8
    for (int r = 0; r < GROUP_ROWS; r++) {
      __m512 v = _mm512_set1_ps(row[r][i]);
      for (int c = 0; c < C; c++) acc[r][c] = _mm512_fmadd_ps(v, w[c], acc[r][c]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < GROUP_ROWS; r++)
    if ((size_t)r < rows) store(C, acc[r], columns, y + (size_t)r * stride);
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH;
    const float *panel = panels + n * first;
    for (size_t r = 0; r < rows; r += GROUP_ROWS) {
      const float *group = x + r * n;
      float *out = y + r * stride + first;
      if (columns > 32)
        group_panel(3, rows - r, n, group, panel, columns, out, stride);
      else if (columns > 16)
        group_panel(2, rows - r, n, group, panel, columns, out, stride);
      else
        group_panel(1, rows - r, n, group, panel, columns, out, stride);
    }
  }
}

/* sums += acc + u v, for 8 columns. */
static inline __attribute__((always_inline)) void join(__m512d acc, double u, const double *v, double *sums) {
  __m512d product = _mm512_mul_pd(_mm512_set1_pd(u), _mm512_loadu_pd(v));
  _mm512_storeu_pd(sums, _mm512_add_pd(_mm512_loadu_pd(sums), _mm512_add_pd(acc, product)));
}

static void scatter(size_t rows, const double *a, const double *b, const double *u, const double *v, double *sums,
                    size_t stride) {
  __m512d acc[GROUP_ROWS][3];
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) acc[f][c] = _mm512_setzero_pd();
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH, b += SCATTER_WIDTH) {
    __m512d w[3];
    for (int c = 0; c < 3; c++) w[c] = _mm512_load_pd(b + 8 * c);
#pragma GCC unroll 8
    for (int f = 0; f < GROUP_ROWS; f++) {
      __m512d x = _mm512_set1_pd(a[f]);
      for (int c = 0; c < 3; c++) acc[f][c] = _mm512_fmadd_pd(x, w[c], acc[f][c]);
    }
  }
#pragma GCC unroll 8
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) join(acc[f][c], u[f], v + 8 * c, sums + (size_t)f * stride + 8 * c);
}

static void scatter_single(size_t rows, const float *a, const float *b, const double *u, const double *v,
                           double *sums, size_t stride) {
  __m512 acc[GROUP_ROWS][3];
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) acc[f][c] = _mm512_setzero_ps();
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH_SINGLE, b += SCATTER_WIDTH_SINGLE) {
    __m512 w[3];
    for (int c = 0; c < 3; c++) w[c] = _mm512_load_ps(b + 16 * c);
#pragma GCC unroll 8
    for (int f = 0; f < GROUP_ROWS; f++) {
      __m512 x = _mm512_set1_ps(a[f]);
      for (int c = 0; c < 3; c++) acc[f][c] = _mm512_fmadd_ps(x, w[c], acc[f][c]);
    }
  }
#pragma GCC unroll 8
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) {
      double *out = sums + (size_t)f * stride + 16 * c;
      join(_mm512_cvtps_pd(_mm512_castps512_ps256(acc[f][c])), u[f], v + 16 * c, out);
      join(_mm512_cvtps_pd(_mm512_extractf32x8_ps(acc[f][c], 1)), u[f], v + 16 * c + 8, out + 8);
    }
}

const struct simd simd_avx512 = {
    .name = "avx512",
    .dot = avx2_dot,
    .dot2 = avx2_dot2,
    .l2sq = avx2_l2sq,
    .is_finite = is_finite,
    .add = add,
    .add_weighted = add_weighted,
    .shift = shift,
    .widen = widen,
    .transform = transform,
    .transform_block = transform_block,
    .scatter = scatter,
    .scatter_single = scatter_single,
};
#endif
