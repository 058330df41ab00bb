/* NEON: a sum's 32 lanes are eight registers; a block of 8 rows x 12 columns fills 24 accumulators, which of the shapes
** that fit 32 registers takes the fewest loads for a product. */
#include "core/simd/variants.h"

#if defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#include <string.h>

static inline float32x4_t load(const char *p) {
  return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p));
}

/* The last group of 32, padded with zeros. */
static void load_rest(float rest[32], const char *p, size_t n) {
  memset(rest, 0, 32 * sizeof *rest);
  memcpy(rest, p, n * sizeof *rest);
}

static inline float64x2_t low(float32x4_t v) {
  return vcvt_f64_f32(vget_low_f32(v));
}

static inline float64x2_t high(float32x4_t v) {
  return vcvt_high_f64_f32(v);
}

/* The fold of core/simd/simd.h: lane[r] holds lanes 4 r .. 4 r + 3. */
static inline double fold(const float32x4_t lane[8]) {
  float64x2_t a[8], b[8];
  for (int r = 0; r < 8; r++) {
    a[r] = low(lane[r]);
    b[r] = high(lane[r]);
  }
  for (int step = 4; step > 0; step /= 2)
    for (int r = 0; r < step; r++) {
      a[r] = vaddq_f64(a[r], a[r + step]);
      b[r] = vaddq_f64(b[r], b[r + step]);
    }
  return vaddvq_f64(vaddq_f64(a[0], b[0]));
}

static inline void dot_group(const char *p, const char *q, float32x4_t lane[8]) {
  for (int r = 0; r < 8; r++) lane[r] = vfmaq_f32(lane[r], load(p + 16 * r), load(q + 16 * r));
}

static double dot(size_t n, const void *a, const void *b) {
  const char *p = a, *q = b;
  float32x4_t lane[8];
  for (int r = 0; r < 8; r++) lane[r] = vdupq_n_f32(0);
  for (; n >= 32; n -= 32, p += 128, q += 128) dot_group(p, q, lane);
  if (n > 0) {
    float x[32], y[32];
    load_rest(x, p, n);
    load_rest(y, q, n);
    dot_group((const char *)x, (const char *)y, lane);
  }
  return fold(lane);
}

static inline void dot2_group(const char *p, const char *q, float32x4_t ab[8], float32x4_t bb[8]) {
  for (int r = 0; r < 8; r++) {
    float32x4_t y = load(q + 16 * r);
    ab[r] = vfmaq_f32(ab[r], load(p + 16 * r), y);
    bb[r] = vfmaq_f32(bb[r], y, y);
  }
}

static void dot2(size_t n, const void *a, const void *b, double out[2]) {
  const char *p = a, *q = b;
  float32x4_t ab[8], bb[8];
  for (int r = 0; r < 8; r++) ab[r] = bb[r] = vdupq_n_f32(0);
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

static inline void l2sq_group(const char *p, const char *q, float32x4_t lane[8]) {
  for (int r = 0; r < 8; r++) {
    float32x4_t d = vsubq_f32(load(p + 16 * r), load(q + 16 * r));
    lane[r] = vfmaq_f32(lane[r], d, d);
  }
}

static double l2sq(size_t n, const void *a, const void *b) {
  const char *p = a, *q = b;
  float32x4_t lane[8];
  for (int r = 0; r < 8; r++) lane[r] = vdupq_n_f32(0);
  for (; n >= 32; n -= 32, p += 128, q += 128) l2sq_group(p, q, lane);
  if (n > 0) {
    float x[32], y[32];
    load_rest(x, p, n);
    load_rest(y, q, n);
    l2sq_group((const char *)x, (const char *)y, lane);
  }
  return fold(lane);
}

/* All ones in the elements that are finite: less than infinity in magnitude, which NaN is not. */
static inline uint32x4_t finite_mask(float32x4_t v) {
  return vcaltq_f32(v, vdupq_n_f32(__builtin_inff()));
}

static inline int all(uint32x4_t good) {
  return vminvq_u32(good) != 0;
}

static int is_finite(size_t n, const void *x) {
  const char *p = x;
  uint32x4_t good = vdupq_n_u32(UINT32_MAX);
  for (; n >= 4; n -= 4, p += 16) good = vandq_u32(good, finite_mask(load(p)));
  return all(good) & (n == 0 || simd_portable.is_finite(n, p));
}

static int add(size_t n, double *acc, const void *x) {
  const char *p = x;
  uint32x4_t good = vdupq_n_u32(UINT32_MAX);
  for (; n >= 4; n -= 4, p += 16, acc += 4) {
    float32x4_t v = load(p);
    good = vandq_u32(good, finite_mask(v));
    vst1q_f64(acc, vaddq_f64(vld1q_f64(acc), low(v)));
    vst1q_f64(acc + 2, vaddq_f64(vld1q_f64(acc + 2), high(v)));
  }
  return all(good) & (n == 0 || simd_portable.add(n, acc, p));
}

/* Two roundings as long as -ffp-contract=off holds: to the compiler these intrinsics are * and +. */
static int add_weighted(size_t n, double *acc, const void *x, double weight) {
  const char *p = x;
  uint32x4_t good = vdupq_n_u32(UINT32_MAX);
  float64x2_t w = vdupq_n_f64(weight);
  for (; n >= 4; n -= 4, p += 16, acc += 4) {
    float32x4_t v = load(p);
    good = vandq_u32(good, finite_mask(v));
    vst1q_f64(acc, vaddq_f64(vld1q_f64(acc), vmulq_f64(w, low(v))));
    vst1q_f64(acc + 2, vaddq_f64(vld1q_f64(acc + 2), vmulq_f64(w, high(v))));
  }
  return all(good) & (n == 0 || simd_portable.add_weighted(n, acc, p, weight));
}

static inline float32x4_t shifted(float32x4_t v, const double *mean) {
  float32x2_t first = vcvt_f32_f64(vsubq_f64(low(v), vld1q_f64(mean)));
  return vcvt_high_f32_f64(first, vsubq_f64(high(v), vld1q_f64(mean + 2)));
}

static void shift(size_t n, const void *x, const double *mean, float *out) {
  const char *p = x;
  for (; n >= 4; n -= 4, p += 16, mean += 4, out += 4) vst1q_f32(out, shifted(load(p), mean));
  if (n > 0) simd_portable.shift(n, p, mean, out);
}

static void widen(size_t n, const void *x, const double *mean, double scale, double *out) {
  const char *p = x;
  float64x2_t s = vdupq_n_f64(scale);
  for (; n >= 4; n -= 4, p += 16, mean += 4, out += 4) {
    float32x4_t v = load(p);
    vst1q_f64(out, vmulq_f64(s, vsubq_f64(low(v), vld1q_f64(mean))));
    vst1q_f64(out + 2, vmulq_f64(s, vsubq_f64(high(v), vld1q_f64(mean + 2))));
  }
  if (n > 0) simd_portable.widen(n, p, mean, scale, out);
}

/* Stores `columns` of the registers acc[0 .. C-1]. */
static inline __attribute__((always_inline)) void store(int C, const float32x4_t *acc, size_t columns, float *y) {
  if (columns >= 4 * (size_t)C) {
    for (int c = 0; c < C; c++) vst1q_f32(y + 4 * c, acc[c]);
    return;
  }
  float part[PANEL_WIDTH];
  for (int c = 0; c < C; c++) vst1q_f32(part + 4 * c, acc[c]);
  memcpy(y, part, columns * sizeof *y);
}

static inline __attribute__((always_inline)) void row_panel(int C, size_t n, const float *x, const float *panel,
                                                            size_t columns, float *y) {
  float32x4_t acc[12];
  for (int c = 0; c < C; c++) acc[c] = vdupq_n_f32(0);
  for (size_t i = 0; i < n; i++, panel += 4 * C)
    for (int c = 0; c < C; c++) acc[c] = vfmaq_n_f32(acc[c], vld1q_f32(panel + 4 * c), x[i]);
  store(C, acc, columns, y);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH;
    if (columns > 32)
      row_panel(12, n, x, panels + n * first, columns, y + first);
    else if (columns > 16)
      row_panel(8, n, x, panels + n * first, columns, y + first);
    else
      row_panel(4, n, x, panels + n * first, columns, y + first);
  }
}

/* GROUP_ROWS rows by 4 C columns of a panel that is `width` wide. */
static inline __attribute__((always_inline)) void group_part(int C, size_t rows, size_t n, const float *x,
                                                             const float *panel, size_t width, size_t columns,
                                                             float *y, size_t stride) {
  float32x4_t acc[GROUP_ROWS][3];
  const float *row[GROUP_ROWS]; /* the last one again where there are fewer */
  for (int r = 0; r < GROUP_ROWS; r++) {
    row[r] = x + ((size_t)r < rows ? (size_t)r : rows - 1) * n;
    for (int c = 0; c < C; c++) acc[r][c] = vdupq_n_f32(0);
  }
  for (size_t i = 0; i < n; i++, panel += width) {
    float32x4_t w[3];
    for (int c = 0; c < C; c++) w[c] = vld1q_f32(panel + 4 * c);
#pragma GCC unroll 8
    for (int r = 0; r < GROUP_ROWS; r++)
      for (int c = 0; c < C; c++) acc[r][c] = vfmaq_n_f32(acc[r][c], w[c], row[r][i]);
  }
#pragma GCC unroll 8
  for (int r = 0; r < GROUP_ROWS; r++)
    if ((size_t)r < rows) store(C, acc[r], columns, y + (size_t)r * stride);
}

/* A group of rows by a panel: in parts of 8 x 12, or 8 x 8 where the panel is narrower. */
static void group_panel(size_t rows, size_t n, const float *x, const float *panel, size_t columns, float *y,
                        size_t stride) {
  size_t width = (columns + 15) / 16 * 16, part = width == PANEL_WIDTH ? 12 : 8;
  for (size_t column = 0; column < columns; column += part)
    if (part == 12)
      group_part(3, rows, n, x, panel + column, width, columns - column, y + column, stride);
    else
      group_part(2, rows, n, x, panel + column, width, columns - column, y + column, stride);
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH)
    for (size_t r = 0; r < rows; r += GROUP_ROWS)
      group_panel(rows - r, n, x + r * n, panels + n * first, m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH,
                  y + r * stride + first, stride);
}

/* sums += acc + u v, for 2 columns. */
static inline __attribute__((always_inline)) void join(float64x2_t acc, double u, const double *v, double *sums) {
  float64x2_t product = vmulq_n_f64(vld1q_f64(v), u);
  vst1q_f64(sums, vaddq_f64(vld1q_f64(sums), vaddq_f64(acc, product)));
}

/* acc[f] += x[f] * w for two rows. */
static inline __attribute__((always_inline)) void two_rows(float64x2_t acc[][6], const float64x2_t w[6],
                                                           float64x2_t x) {
  for (int c = 0; c < 6; c++) acc[0][c] = vfmaq_laneq_f64(acc[0][c], w[c], x, 0);
  for (int c = 0; c < 6; c++) acc[1][c] = vfmaq_laneq_f64(acc[1][c], w[c], x, 1);
}

/* 4 rows by 12 columns of a tile. */
static void scatter_part(size_t rows, const double *a, const double *b, const double *u, const double *v,
                         double *sums, size_t stride) {
  float64x2_t acc[4][6];
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 6; c++) acc[f][c] = vdupq_n_f64(0);
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH, b += SCATTER_WIDTH) {
    float64x2_t w[6];
    for (int c = 0; c < 6; c++) w[c] = vld1q_f64(b + 2 * c);
    two_rows(acc, w, vld1q_f64(a));
    two_rows(acc + 2, w, vld1q_f64(a + 2));
  }
  for (int f = 0; f < 4; f++)
    for (int c = 0; c < 6; c++) join(acc[f][c], u[f], v + 2 * c, sums + (size_t)f * stride + 2 * c);
}

static void scatter(size_t rows, const double *a, const double *b, const double *u, const double *v, double *sums,
                    size_t stride) {
  for (size_t f = 0; f < GROUP_ROWS; f += 4)
    for (size_t c = 0; c < SCATTER_WIDTH; c += 12)
      scatter_part(rows, a + f, b + c, u + f, v + c, sums + f * stride + c, stride);
}

/* acc[r] += x[r] * w for four rows; a lane's number must be a literal. */
static inline __attribute__((always_inline)) void four_rows(float32x4_t acc[][3], const float32x4_t *w,
                                                            float32x4_t x) {
  for (int c = 0; c < 3; c++) acc[0][c] = vfmaq_laneq_f32(acc[0][c], w[c], x, 0);
  for (int c = 0; c < 3; c++) acc[1][c] = vfmaq_laneq_f32(acc[1][c], w[c], x, 1);
  for (int c = 0; c < 3; c++) acc[2][c] = vfmaq_laneq_f32(acc[2][c], w[c], x, 2);
  for (int c = 0; c < 3; c++) acc[3][c] = vfmaq_laneq_f32(acc[3][c], w[c], x, 3);
}

/* 8 rows by 12 columns of a tile. */
static void scatter_part_single(size_t rows, const float *a, const float *b, const double *u, const double *v,
                                double *sums, size_t stride) {
  float32x4_t acc[GROUP_ROWS][3];
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) acc[f][c] = vdupq_n_f32(0);
  for (size_t r = 0; r < rows; r++, a += SCATTER_WIDTH_SINGLE, b += SCATTER_WIDTH_SINGLE) {
    float32x4_t w[3];
    for (int c = 0; c < 3; c++) w[c] = vld1q_f32(b + 4 * c);
    four_rows(acc, w, vld1q_f32(a));
    four_rows(acc + 4, w, vld1q_f32(a + 4));
  }
  for (int f = 0; f < GROUP_ROWS; f++)
    for (int c = 0; c < 3; c++) {
      double *out = sums + (size_t)f * stride + 4 * c;
      join(vcvt_f64_f32(vget_low_f32(acc[f][c])), u[f], v + 4 * c, out);
      join(vcvt_high_f64_f32(acc[f][c]), u[f], v + 4 * c + 2, out + 2);
    }
}

static void scatter_single(size_t rows, const float *a, const float *b, const double *u, const double *v,
                           double *sums, size_t stride) {
  for (size_t c = 0; c < SCATTER_WIDTH_SINGLE; c += 12)
    scatter_part_single(rows, a, b + c, u, v + c, sums + c, stride);
}

const struct simd simd_neon = {
    .name = "neon",
    .dot = dot,
    .dot2 = dot2,
    .l2sq = l2sq,
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
