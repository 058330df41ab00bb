/* AVX2 and FMA: a sum's 32 lanes are four registers; a block of 4 rows x 24 columns fills 12 accumulators. */
#include "core/simd/variants.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

static inline __m256 load(const char *p) {
  return _mm256_loadu_ps((const float *)(const void *)p);
}

/* The last group of 32, padded with zeros. */
static void load_rest(float rest[32], const char *p, size_t n) {
  memset(rest, 0, 32 * sizeof *rest);
  memcpy(rest, p, n * sizeof *rest);
}

/* The fold of core/simd/simd.h: lane[r] holds lanes 8 r .. 8 r + 7. */
static inline double fold(const __m256 lane[4]) {
  __m256d low[4], high[4];
  for (int r = 0; r < 4; r++) {
    low[r] = _mm256_cvtps_pd(_mm256_castps256_ps128(lane[r]));
    high[r] = _mm256_cvtps_pd(_mm256_extractf128_ps(lane[r], 1));
  }
  __m256d a = _mm256_add_pd(_mm256_add_pd(low[0], low[2]), _mm256_add_pd(low[1], low[3]));
  __m256d b = _mm256_add_pd(_mm256_add_pd(high[0], high[2]), _mm256_add_pd(high[1], high[3]));
  __m256d four = _mm256_add_pd(a, b);
  __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static inline void dot_group(const char *p, const char *q, __m256 lane[4]) {
  for (int r = 0; r < 4; r++) lane[r] = _mm256_fmadd_ps(load(p + 32 * r), load(q + 32 * r), lane[r]);
}

double avx2_dot(size_t n, const void *a, const void *b) {
  const char *p = a, *q = b;
  __m256 lane[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (; n >= 32; n -= 32, p += 128, q += 128) dot_group(p, q, lane);
  if (n > 0) {
    float x[32], y[32];
    load_rest(x, p, n);
    load_rest(y, q, n);
    dot_group((const char *)x, (const char *)y, lane);
  }
  return fold(lane);
}

static inline void dot2_group(const char *p, const char *q, __m256 ab[4], __m256 bb[4]) {
  for (int r = 0; r < 4; r++) {
    __m256 y = load(q + 32 * r);
    ab[r] = _mm256_fmadd_ps(load(p + 32 * r), y, ab[r]);
    bb[r] = _mm256_fmadd_ps(y, y, bb[r]);
  }
}

void avx2_dot2(size_t n, const void *a, const void *b, double out[2]) {
  const char *p = a, *q = b;
  __m256 ab[4], bb[4];
  for (int r = 0; r < 4; r++) ab[r] = bb[r] = _mm256_setzero_ps();
  for (; n >= 32; n -= 32, p += 128, q += 128) dot2_group(p, q, ab, bb);
  if (n > 0) {
    float x[32], y[32];
    load_rest(x, p, n);
    load_rest(y, q, n);
    dot2_group((const char *)x, (const char *)y, ab, bb);
  }
  out[0] = fold(ab);
  out[1] = fold(bb);
}

static inline void l2sq_group(const char *p, const char *q, __m256 lane[4]) {
  for (int r = 0; r < 4; r++) {
    __m256 d = _mm256_sub_ps(load(p + 32 * r), load(q + 32 * r));
    lane[r] = _mm256_fmadd_ps(d, d, lane[r]);
  }
}

double avx2_l2sq(size_t n, const void *a, const void *b) {
  const char *p = a, *q = b;
  __m256 lane[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (; n >= 32; n -= 32, p += 128, q += 128) l2sq_group(p, q, lane);
  if (n > 0) {
    float x[32], y[32];
    load_rest(x, p, n);
    load_rest(y, q, n);
    l2sq_group((const char *)x, (const char *)y, lane);
  }
  return fold(lane);
}

/* All ones in the elements that are NaN or infinite: their bits without the sign exceed those of the largest float. */
static inline __m256i not_finite(__m256 v) {
  __m256i bits = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff));
  return _mm256_cmpgt_epi32(bits, _mm256_set1_epi32(0x7f7fffff));
}

static int is_finite(size_t n, const void *x) {
  const char *p = x;
  __m256i bad = _mm256_setzero_si256();
  for (; n >= 8; n -= 8, p += 32) bad = _mm256_or_si256(bad, not_finite(load(p)));
  return _mm256_testz_si256(bad, bad) & (n == 0 || simd_portable.is_finite(n, p));
}

static int add(size_t n, double *acc, const void *x) {
  const char *p = x;
  __m256i bad = _mm256_setzero_si256();
  for (; n >= 8; n -= 8, p += 32, acc += 8) {
    __m256 v = load(p);
    bad = _mm256_or_si256(bad, not_finite(v));
    _mm256_storeu_pd(acc, _mm256_add_pd(_mm256_loadu_pd(acc), _mm256_cvtps_pd(_mm256_castps256_ps128(v))));
    _mm256_storeu_pd(acc + 4,
                     _mm256_add_pd(_mm256_loadu_pd(acc + 4), _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))));
  }
  return _mm256_testz_si256(bad, bad) & (n == 0 || simd_portable.add(n, acc, p));
}

static int add_weighted(size_t n, double *acc, const void *x, double weight) {
  const char *p = x;
  __m256i bad = _mm256_setzero_si256();
  __m256d w = _mm256_set1_pd(weight);
  for (; n >= 8; n -= 8, p += 32, acc += 8) {
    __m256 v = load(p);
    __m256d low = _mm256_mul_pd(w, _mm256_cvtps_pd(_mm256_castps256_ps128(v)));
    __m256d high = _mm256_mul_pd(w, _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1)));
    bad = _mm256_or_si256(bad, not_finite(v));
    _mm256_storeu_pd(acc, _mm256_add_pd(_mm256_loadu_pd(acc), low));
    _mm256_storeu_pd(acc + 4, _mm256_add_pd(_mm256_loadu_pd(acc + 4), high));
  }
  return _mm256_testz_si256(bad, bad) & (n == 0 || simd_portable.add_weighted(n, acc, p, weight));
}

static void shift(size_t n, const void *x, const double *mean, float *out) {
  const char *p = x;
  for (; n >= 4; n -= 4, p += 16, mean += 4, out += 4) {
    __m256d v = _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)p));
    _mm_storeu_ps(out, _mm256_cvtpd_ps(_mm256_sub_pd(v, _mm256_loadu_pd(mean))));
  }
  if (n > 0) simd_portable.shift(n, p, mean, out);
}

static void widen(size_t n, const void *x, const double *mean, double scale, double *out) {
  const char *p = x;
  __m256d s = _mm256_set1_pd(scale);
  for (; n >= 4; n -= 4, p += 16, mean += 4, out += 4) {
    __m256d v = _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)p));
    _mm256_storeu_pd(out, _mm256_mul_pd(s, _mm256_sub_pd(v, _mm256_loadu_pd(mean))));
  }
  if (n > 0) simd_portable.widen(n, p, mean, scale, out);
}

/* Stores `columns` of the registers acc[0 .. C-1]. */
static inline __attribute__((always_inline)) void store(int C, const __m256 *acc, size_t columns, float *y) {
  if (columns >= 8 * (size_t)C) {
    for (int c = 0; c < C; c++) _mm256_storeu_ps(y + 8 * c, acc[c]);
    return;
  }
  float all[2 * PANEL_WIDTH];
  for (int c = 0; c < C; c++) _mm256_storeu_ps(all + 8 * c, acc[c]);
  memcpy(y, all, columns * sizeof *y);
}

/*
** A row by P panels of 48 columns and one of 8 C. Two at once: their streams are fetched together, and no narrow panel
** is left alone with chains that wait for themselves.
*/
static inline __attribute__((always_inline)) void row_panels(int P, int C, size_t n, const float *x,
                                                             const float *panels, size_t columns, float *y) {
  __m256 acc[12];
  const float *narrow = panels + (size_t)P * n * PANEL_WIDTH;
  for (int c = 0; c < 6 * P + C; c++) acc[c] = _mm256_setzero_ps();
  for (size_t i = 0; i < n; i++) {
    __m256 v = _mm256_broadcast_ss(x + i);
#pragma GCC unroll 2
    for (int p = 0; p < P; p++)
      for (int c = 0; c < 6; c++)
        acc[6 * p + c] = _mm256_fmadd_ps(v, _mm256_load_ps(panels + ((size_t)p * n + i) * PANEL_WIDTH + 8 * c),
                                         acc[6 * p + c]);
    for (int c = 0; c < C; c++)
      acc[6 * P + c] = _mm256_fmadd_ps(v, _mm256_load_ps(narrow + i * 8 * (size_t)C + 8 * c), acc[6 * P + c]);
  }
  store(6 * P + C, acc, columns, y);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  const size_t step = 2 * PANEL_WIDTH;
  for (; m >= step; m -= step, panels += n * step, y += step) row_panels(2, 0, n, x, panels, step, y);
  switch ((m + 15) / 16) { /* a panel of more than 32 columns is as wide as a whole one */
    case 1: row_panels(0, 2, n, x, panels, m, y); break;
    case 2: row_panels(0, 4, n, x, panels, m, y); break;
    case 3: row_panels(1, 0, n, x, panels, m, y); break;
    case 4: row_panels(1, 2, n, x, panels, m, y); break;
    case 5: row_panels(1, 4, n, x, panels, m, y); break;
    case 6: row_panels(2, 0, n, x, panels, m, y); break;
  }
}

enum { HALF_ROWS = GROUP_ROWS / 2 };

/* HALF_ROWS rows by 8 C columns of a panel that is `width` wide. */
static inline __attribute__((always_inline)) void half_group(int C, size_t rows, size_t n, const float *x,
                                                             const float *panel, size_t width, size_t columns,
                                                             float *y, size_t stride) {
  __m256 acc[HALF_ROWS][3];
  const float *row[HALF_ROWS]; /* the last one again where there are fewer */
  for (int r = 0; r < HALF_ROWS; r++) {
    row[r] = x + ((size_t)r < rows ? (size_t)r : rows - 1) * n;
    for (int c = 0; c < C; c++) acc[r][c] = _mm256_setzero_ps();
  }
  for (size_t i = 0; i < n; i++, panel += width) {
    __m256 w[3];
    for (int c = 0; c < C; c++) w[c] = _mm256_load_ps(panel + 8 * c);
#pragma GCC unroll 4
    for (int r = 0; r < HALF_ROWS; r++) {
      __m256 v = _mm256_broadcast_ss(row[r] + i);
      for (int c = 0; c < C; c++) acc[r][c] = _mm256_fmadd_ps(v, w[c], acc[r][c]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < HALF_ROWS; r++)
    if ((size_t)r < rows) store(C, acc[r], columns, y + (size_t)r * stride);
}

/* A group of rows by a panel: in quarters of 4 x 24, or 4 x 16 where the panel is narrower. */
static void group_panel(size_t rows, size_t n, const float *x, const float *panel, size_t columns, float *y,
                        size_t stride) {
  size_t width = (columns + 15) / 16 * 16, part = width == PANEL_WIDTH ? 24 : 16;
  for (size_t column = 0; column < columns; column += part)
    for (size_t r = 0; r < GROUP_ROWS && r < rows; r += HALF_ROWS) {
      float *out = y + r * stride + column;
      if (part == 24)
        half_group(3, rows - r, n, x + r * n, panel + column, width, columns - column, out, stride);
      else
        half_group(2, rows - r, n, x + r * n, panel + column, width, columns - column, out, stride);
    }
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH)
    for (size_t r = 0; r < rows; r += GROUP_ROWS)
      group_panel(rows - r, n, x + r * n, panels + n * first, m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH,
                  y + r * stride + first, stride);
}

/* sums += acc + u v, for 4 columns. */
static inline __attribute__((always_inline)) void join(__m256d acc, double u, const double *v, double *sums) {
  __m256d product = _mm256_mul_pd(_mm256_set1_pd(u), _mm256_loadu_pd(v));
  _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), _mm256_add_pd(acc, product)));
}

/* 4 rows by 12 columns of a tile. */
static void scatter_part(size_t rows, const double *a, const double *b, const double *u, const double *v,
                         double *sums, size_t stride) {
  __m256d acc[4][3];
#pragma GCC unroll 4
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 3; c++) acc[f][c] = _mm256_setzero_pd();
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH, b += SCATTER_WIDTH) {
    __m256d w[3];
    for (int c = 0; c < 3; c++) w[c] = _mm256_load_pd(b + 4 * c);
#pragma GCC unroll 4
    for (int f = 0; f < 4; f++) {
      __m256d x = _mm256_broadcast_sd(a + f);
      for (int c = 0; c < 3; c++) acc[f][c] = _mm256_fmadd_pd(x, w[c], acc[f][c]);
    }
  }
#pragma GCC unroll 4
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 3; c++) join(acc[f][c], u[f], v + 4 * c, sums + (size_t)f * stride + 4 * c);
}

static void scatter(size_t rows, const double *a, const double *b, const double *u, const double *v, double *sums,
                    size_t stride) {
  for (size_t f = 0; f < GROUP_ROWS; f += 4)
    for (size_t c = 0; c < SCATTER_WIDTH; c += 12)
      scatter_part(rows, a + f, b + c, u + f, v + c, sums + f * stride + c, stride);
}

/* 4 rows by 24 columns of a tile. */
static void scatter_part_single(size_t rows, const float *a, const float *b, const double *u, const double *v,
                                double *sums, size_t stride) {
  __m256 acc[4][3];
#pragma GCC unroll 4
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 3; c++) acc[f][c] = _mm256_setzero_ps();
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH_SINGLE, b += SCATTER_WIDTH_SINGLE) {
    __m256 w[3];
    for (int c = 0; c < 3; c++) w[c] = _mm256_load_ps(b + 8 * c);
#pragma GCC unroll 4
    for (int f = 0; f < 4; f++) {
      __m256 x = _mm256_broadcast_ss(a + f);
      for (int c = 0; c < 3; c++) acc[f][c] = _mm256_fmadd_ps(x, w[c], acc[f][c]);
    }
  }
#pragma GCC unroll 4
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 3; c++) {
      double *out = sums + (size_t)f * stride + 8 * c;
      join(_mm256_cvtps_pd(_mm256_castps256_ps128(acc[f][c])), u[f], v + 8 * c, out);
      join(_mm256_cvtps_pd(_mm256_extractf128_ps(acc[f][c], 1)), u[f], v + 8 * c + 4, out + 4);
    }
}

static void scatter_single(size_t rows, const float *a, const float *b, const double *u, const double *v,
                           double *sums, size_t stride) {
  for (size_t f = 0; f < GROUP_ROWS; f += 4)
    for (size_t c = 0; c < SCATTER_WIDTH_SINGLE; c += 24)
      scatter_part_single(rows, a + f, b + c, u + f, v + c, sums + f * stride + c, stride);
}

const struct simd simd_avx2 = {
    .name = "avx2",
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
