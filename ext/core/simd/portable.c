/* The reference variant, in plain C: the others must give its bits. fmaf is exact on every machine, if slow on those
** that have no instruction for it. */
#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

#define LANES 32

static float load(const void *p, size_t i) {
  float x;
  memcpy(&x, (const unsigned char *)p + 4 * i, sizeof x);
  return x;
}

static double fold(const float lane[LANES]) {
  double sum[LANES];
  for (int i = 0; i < LANES; i++) sum[i] = lane[i];
  for (int step = LANES / 2; step > 0; step /= 2)
    for (int i = 0; i < step; i++) sum[i] += sum[i + step];
  return sum[0];
}

/* The lanes at element i: of the whole group, or of what is left of it, padded with zeros. */
static void load_group(float group[LANES], size_t n, const void *a, size_t i) {
  size_t left = n - i;
  memcpy(group, (const unsigned char *)a + 4 * i, 4 * (left < LANES ? left : LANES));
  if (left < LANES) memset(group + left, 0, 4 * (LANES - left));
}

static double dot(size_t n, const void *a, const void *b) {
  float lane[LANES] = {0}, x[LANES], y[LANES];
  for (size_t i = 0; i < n; i += LANES) {
    load_group(x, n, a, i);
    load_group(y, n, b, i);
    for (int j = 0; j < LANES; j++) lane[j] = fmaf(x[j], y[j], lane[j]);
  }
  return fold(lane);
}

static void dot2(size_t n, const void *a, const void *b, double out[2]) {
  out[0] = dot(n, a, b);
  out[1] = dot(n, b, b);
}

static double l2sq(size_t n, const void *a, const void *b) {
  float lane[LANES] = {0}, x[LANES], y[LANES];
  for (size_t i = 0; i < n; i += LANES) {
    load_group(x, n, a, i);
    load_group(y, n, b, i);
    for (int j = 0; j < LANES; j++) lane[j] = fmaf(x[j] - y[j], x[j] - y[j], lane[j]);
  }
  return fold(lane);
}

static double l1(size_t n, const void *a, const void *b) {
  float lane[LANES] = {0}, x[LANES], y[LANES];
  for (size_t i = 0; i < n; i += LANES) {
    load_group(x, n, a, i);
    load_group(y, n, b, i);
    for (int j = 0; j < LANES; j++) lane[j] += fabsf(x[j] - y[j]);
  }
  return fold(lane);
}

/* Nonzero in bit 31 when x is NaN or infinite: adding one to an exponent of all ones carries. */
static uint32_t not_finite(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7fffffffu) + 0x00800000u;
}

static int is_finite(size_t n, const void *x) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) bad |= not_finite(load(x, i));
  return !(bad >> 31);
}

static int add_weighted(size_t n, double *acc, const void *x, double weight) {
  uint32_t bad = 0;
  for (size_t i = 0; i < n; i++) {
    acc[i] += weight * load(x, i);
    bad |= not_finite(load(x, i));
  }
  return !(bad >> 31);
}

static int add_exact(size_t n, double *acc, const void *x, double weight, double *lost) {
  int any = 0;
  for (size_t i = 0; i < n; i++) {
    double before = acc[i], product = weight * load(x, i), part;
    acc[i] = before + product;
    part = acc[i] - before;
    lost[i] = (before - (acc[i] - part)) + (product - part);
    any |= lost[i] != 0;
  }
  return any;
}

static void shift(size_t n, const void *x, const double *mean, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)(load(x, i) - mean[i]);
}

static void widen(size_t n, const void *x, const double *mean, double scale, double *out) {
  for (size_t i = 0; i < n; i++) out[i] = scale * (load(x, i) - mean[i]);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    float acc[PANEL_WIDTH] = {0};
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH, width = (columns + 15) / 16 * 16;
    const float *panel = panels + n * first;
    for (size_t i = 0; i < n; i++, panel += width)
      for (size_t j = 0; j < columns; j++) acc[j] = fmaf(x[i], panel[j], acc[j]);
    memcpy(y + first, acc, columns * sizeof *acc);
  }
}

static void transform_group(size_t rows, size_t n, size_t columns, const float *x, const float *panel, float *y,
                            size_t stride) {
  float acc[GROUP_ROWS][PANEL_WIDTH] = {{0}};
  size_t width = (columns + 15) / 16 * 16;
  for (size_t i = 0; i < n; i++, panel += width)
    for (size_t r = 0; r < rows; r++)
      for (size_t j = 0; j < columns; j++) acc[r][j] = fmaf(x[r * n + i], panel[j], acc[r][j]);
  for (size_t r = 0; r < rows; r++) memcpy(y + r * stride, acc[r], columns * sizeof **acc);
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH)
    for (size_t r = 0; r < rows; r += GROUP_ROWS)
      transform_group(rows - r < GROUP_ROWS ? rows - r : GROUP_ROWS, n,
                      m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH, x + r * n, panels + n * first,
                      y + r * stride + first, stride);
}

static void pull(size_t n, size_t m, const float *panels, const float *v, float *out) {
  for (size_t i = 0; i < n; i++) {
    float lane[16] = {0};
    for (size_t j = 0; j < m; j += 16) {
      const float *row = panels + simd_panel_index(n, m, i, j);
      for (size_t l = 0; l < 16; l++) lane[l] += row[l] * v[j + l];
    }
    for (size_t step = 8; step > 0; step /= 2)
      for (size_t l = 0; l < step; l++) lane[l] += lane[l + step];
    out[i] = lane[0];
  }
}

#if defined(FP_FAST_FMA) || defined(__aarch64__) /* clang does not say so of ARM64 */
#define CHAIN(a, b, sum) fma(a, b, sum)
#else
#define CHAIN(a, b, sum) ((a) * (b) + (sum))
#endif
#if defined(FP_FAST_FMAF) || defined(__aarch64__)
#define CHAIN_SINGLE(a, b, sum) fmaf(a, b, sum)
#else
#define CHAIN_SINGLE(a, b, sum) ((a) * (b) + (sum))
#endif

enum { PART = 4 }; /* a tile in parts of 4 x 4, which fit the registers */

#define DEFINE_SCATTER(name, element, chain, width) \
  static void name(size_t rows, const element *a, const element *b, const double *u, const double *v, \
                   double *sums, size_t stride) { \
    for (size_t i = 0; i < GROUP_ROWS; i += PART) \
      for (size_t j = 0; j < (width); j += PART) { \
        element acc[PART][PART] = {{0}}; \
        for (size_t r = 0; r < rows; r++) \
          for (size_t f = 0; f < PART; f++) \
            for (size_t g = 0; g < PART; g++) \
              acc[f][g] = chain(a[r * (width) + i + f], b[r * (width) + j + g], acc[f][g]); \
        for (size_t f = 0; f < PART; f++) \
          for (size_t g = 0; g < PART; g++) \
            sums[(i + f) * stride + j + g] += (double)acc[f][g] + u[i + f] * v[j + g]; \
      } \
  }

DEFINE_SCATTER(scatter, double, CHAIN, SCATTER_WIDTH)
DEFINE_SCATTER(scatter_single, float, CHAIN_SINGLE, SCATTER_WIDTH_SINGLE)

static uint64_t scan_codes(const struct code_scan *scan, const unsigned char *rows, float least,
                           int32_t sums[CODE_ROWS]) {
  const unsigned char *codes = rows + 4 * CODE_ROWS, *tables = scan->tables;
  uint64_t mask = 0;
  memset(sums, 0, CODE_ROWS * sizeof *sums);
  for (size_t i = 0; i < scan->bytes; i++, tables += 32)
    for (size_t r = 0; r < CODE_ROWS; r++) {
      unsigned char byte = codes[i * CODE_ROWS + r];
      sums[r] += tables[byte & 15] + tables[16 + (byte >> 4)];
    }
  for (size_t r = 0; r < CODE_ROWS; r++) {
    float factor = load(rows, r), estimate = ((float)sums[r] * scan->scale + scan->base) * factor;
    mask |= (uint64_t)(factor > 0 && estimate >= least) << r;
  }
  return mask;
}

static int32_t dot_codes(size_t n, const unsigned char *halves, const signed char *weights) {
  int32_t sum = 0;
  for (size_t i = 0; i < n; i++) sum += (halves[i] & 15) * weights[i] + (halves[i] >> 4) * weights[n + i];
  return sum;
}

static void hadamard(size_t n, float *x) {
  for (size_t apart = n / 2; apart > 0; apart /= 2)
    for (size_t first = 0; first < n; first += 2 * apart)
      for (size_t i = first; i < first + apart; i++) {
        float a = x[i], b = x[i + apart];
        x[i] = a + b;
        x[i + apart] = a - b;
      }
}

const struct simd simd_portable = {"portable",   dot,       dot2,           l2sq,       l1,        is_finite,
                                   add_weighted, add_exact, shift,          widen,      transform, transform_block,
                                   pull,         scatter,   scatter_single, scan_codes, dot_codes, hadamard};
