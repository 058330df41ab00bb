/*
** The arithmetic of core/simd/simd.h over the vector types of gcc and clang: what AVX2, AVX-512 and NEON share, which is
** all but their registers. No include guard: each variant includes it once, after it has defined
**
**   VARIANT         its name; the table that comes out is simd_VARIANT
**   TARGET          its instruction set, in the compilers' words; not defined where every CPU has it
**   WIDTH           bytes of a register
**   FMA(a, b, sum)  a * b + sum, rounded once, of registers of floats or doubles
**   SPLAT(x)        a register full of one float or double
**   LOW(v), HIGH(v) the halves of a register of floats
**   WIDE(half)      the doubles of half a register of floats (gcc 12 makes __builtin_convertvector slow)
**   NARROW(v)       doubles rounded to half a register of floats
**   ANY(v)          whether a bit is set in a register of words
**   MASK(v)         bit i for the highest of word i
**   TABLE(p)        16 bytes, as often as they fit
**   LOOKUP(t, i)    of such a table the entries at bytes of 0 .. 15
**   PAIRS(u, s)     bytes of 0 .. 15 by signed ones, neighbours (or halves) added: registers of int16
**   TILE_ROWS       rows of a tile: it keeps TILE_ROWS x TILE_REGISTERS sums in registers, besides what it loads
**   PANELS_AT_ONCE  panels that one row meets at once: their sums are kept in registers, too
**   SUMS            another variant, if that one's dot-like sums are to be taken
**
** Loops that run over registers are unrolled, for an array whose index is not constant lies in memory. What is left of a
** vector behind the last whole register is the portable variant's.
*/
#include <string.h>

#include "core/simd/simd.h"

#define PRAGMA(words) PRAGMA_OF(words)
#define PRAGMA_OF(words) _Pragma(#words)
#if defined(__clang__) /* does so by itself; a pragma makes it do so before it knows the counts */
#define UNROLL
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(TARGET) && defined(__clang__)
PRAGMA(clang attribute push(__attribute__((target(TARGET))), apply_to = function))
#elif defined(TARGET)
PRAGMA(GCC target(TARGET))
#endif

#define PASTE(a, b) PASTE_OF(a, b)
#define PASTE_OF(a, b) a##_##b
#define INLINE static inline __attribute__((always_inline))

typedef float floats __attribute__((vector_size(WIDTH)));
typedef double doubles __attribute__((vector_size(WIDTH)));
typedef uint32_t words __attribute__((vector_size(WIDTH)));
typedef float half_floats __attribute__((vector_size(WIDTH / 2)));

enum { FLOATS = WIDTH / 4, DOUBLES = WIDTH / 8 };

/* The same in memory, wherever they lie. */
#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef floats floats_anywhere ANYWHERE;
typedef doubles doubles_anywhere ANYWHERE;
typedef half_floats half_floats_anywhere ANYWHERE;

INLINE floats floats_at(const void *p) {
  return *(const floats_anywhere *)p;
}

INLINE doubles doubles_at(const void *p) {
  return *(const doubles_anywhere *)p;
}

INLINE half_floats half_at(const void *p) {
  return *(const half_floats_anywhere *)p;
}

INLINE void put_floats(float *p, floats v) {
  *(floats_anywhere *)p = v;
}

INLINE void put_doubles(double *p, doubles v) {
  *(doubles_anywhere *)p = v;
}

/* ---- Dot-like sums ---- */

#ifndef SUMS
#define SUMS VARIANT

enum { LANES = 32, SUM_REGISTERS = LANES / FLOATS };
enum sum { DOT, DOT2, L2SQ, L1 };

/* Register r holds lanes FLOATS r and on. */
INLINE double fold(const floats lane[SUM_REGISTERS]) {
  doubles sum[2 * SUM_REGISTERS];
  double last[DOUBLES];
  UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) {
    sum[2 * r] = WIDE(LOW(lane[r]));
    sum[2 * r + 1] = WIDE(HIGH(lane[r]));
  }
  UNROLL for (size_t step = SUM_REGISTERS; step > 0; step /= 2) {
    UNROLL for (size_t r = 0; r < step; r++) sum[r] += sum[r + step];
  }
  UNROLL for (size_t i = 0; i < DOUBLES; i++) last[i] = sum[0][i];
  UNROLL for (size_t step = DOUBLES / 2; step > 0; step /= 2) {
    UNROLL for (size_t i = 0; i < step; i++) last[i] += last[i + step];
  }
  return last[0];
}

/* The next 32 elements. */
INLINE void add_group(enum sum kind, const char *p, const char *q, floats *first, floats *second) {
  UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) {
    floats x = floats_at(p + WIDTH * r), y = floats_at(q + WIDTH * r), d = x - y;
    if (kind == L1)
      first[r] += (floats)((words)d & 0x7fffffffu);
    else
      first[r] = kind == L2SQ ? FMA(d, d, first[r]) : FMA(x, y, first[r]);
    if (kind == DOT2) second[r] = FMA(y, y, second[r]);
  }
}

INLINE void add_groups(enum sum kind, size_t n, const char *p, const char *q, double out[2]) {
  floats first[SUM_REGISTERS], second[SUM_REGISTERS];
  UNROLL for (size_t r = 0; r < SUM_REGISTERS; r++) first[r] = second[r] = SPLAT(0.0f);
  for (; n >= LANES; n -= LANES, p += 4 * LANES, q += 4 * LANES) add_group(kind, p, q, first, second);
  if (n > 0) {
    float x[LANES], y[LANES];
    UNROLL for (size_t i = 0; i < LANES; i += FLOATS) {
      put_floats(x + i, SPLAT(0.0f));
      put_floats(y + i, SPLAT(0.0f));
    }
    memcpy(x, p, n * sizeof *x);
    memcpy(y, q, n * sizeof *y);
    add_group(kind, (const char *)x, (const char *)y, first, second);
  }
  out[0] = fold(first);
  if (kind == DOT2) out[1] = fold(second);
}

double PASTE(VARIANT, dot)(size_t n, const void *a, const void *b) {
  double out[2];
  add_groups(DOT, n, a, b, out);
  return out[0];
}

void PASTE(VARIANT, dot2)(size_t n, const void *a, const void *b, double out[2]) {
  add_groups(DOT2, n, a, b, out);
}

double PASTE(VARIANT, l2sq)(size_t n, const void *a, const void *b) {
  double out[2];
  add_groups(L2SQ, n, a, b, out);
  return out[0];
}

double PASTE(VARIANT, l1)(size_t n, const void *a, const void *b) {
  double out[2];
  add_groups(L1, n, a, b, out);
  return out[0];
}
#endif

/* ---- Element by element ---- */

/* Bit 31 of the elements that are NaN or infinite: adding one to an exponent of all ones carries. */
INLINE words not_finite(floats v) {
  return ((words)v & 0x7fffffffu) + 0x00800000u;
}

INLINE int all_finite(words bad) {
  return !ANY(bad & 0x80000000u);
}

/* The last register is read whole, whatever of it was before. */
static int is_finite(size_t n, const void *x) {
  if (n < FLOATS) return simd_portable.is_finite(n, x);
  const char *p = x;
  words bad = not_finite(floats_at(p + 4 * (n - FLOATS)));
  for (; n >= 2 * FLOATS; n -= 2 * FLOATS, p += 2 * WIDTH)
    bad |= not_finite(floats_at(p)) | not_finite(floats_at(p + WIDTH));
  if (n >= FLOATS) bad |= not_finite(floats_at(p));
  return all_finite(bad);
}

INLINE void accumulate(double *acc, doubles x) {
  put_doubles(acc, doubles_at(acc) + x);
}

/* Two roundings, as long as -ffp-contract=off holds. */
static int add_weighted(size_t n, double *acc, const void *x, double weight) {
  const char *p = x;
  words bad = {0};
  doubles w = SPLAT(weight);
  for (; n >= FLOATS; n -= FLOATS, p += WIDTH, acc += FLOATS) {
    floats v = floats_at(p);
    bad |= not_finite(v);
    accumulate(acc, w * WIDE(LOW(v)));
    accumulate(acc + DOUBLES, w * WIDE(HIGH(v)));
  }
  return all_finite(bad) & (n == 0 || simd_portable.add_weighted(n, acc, p, weight));
}

/* Whether the sum lost anything; only then it is written. */
INLINE int accumulate_exactly(double *acc, doubles x, double *lost) {
  doubles before = doubles_at(acc), sum = before + x, part = sum - before;
  doubles rest = (before - (sum - part)) + (x - part);
  put_doubles(acc, sum);
  if (ANY((words)rest)) return put_doubles(lost, rest), 1;
  return 0;
}

static int add_exact(size_t n, double *acc, const void *x, double weight, double *lost) {
  const char *p = x;
  int any = 0;
  doubles w = SPLAT(weight);
  for (; n >= DOUBLES; n -= DOUBLES, p += WIDTH / 2, acc += DOUBLES, lost += DOUBLES)
    any |= accumulate_exactly(acc, w * WIDE(half_at(p)), lost);
  return any | (n > 0 && simd_portable.add_exact(n, acc, p, weight, lost));
}

static void shift(size_t n, const void *x, const double *mean, float *out) {
  const char *p = x;
  for (; n >= DOUBLES; n -= DOUBLES, p += WIDTH / 2, mean += DOUBLES, out += DOUBLES)
    *(half_floats_anywhere *)out = NARROW(WIDE(half_at(p)) - doubles_at(mean));
  if (n > 0) simd_portable.shift(n, p, mean, out);
}

static void widen(size_t n, const void *x, const double *mean, double scale, double *out) {
  const char *p = x;
  doubles s = SPLAT(scale);
  for (; n >= DOUBLES; n -= DOUBLES, p += WIDTH / 2, mean += DOUBLES, out += DOUBLES)
    put_doubles(out, s * (WIDE(half_at(p)) - doubles_at(mean)));
  if (n > 0) simd_portable.widen(n, p, mean, scale, out);
}

/* ---- Transforms ---- */

/* The first `columns` elements of `count` registers. */
INLINE void store(size_t count, const floats *acc, size_t columns, float *y) {
  UNROLL for (size_t c = 0; c < count; c++) {
    const size_t first = FLOATS * c;
    if (columns >= first + FLOATS) {
      put_floats(y + first, acc[c]);
    } else if (columns > first) {
      float part[FLOATS];
      put_floats(part, acc[c]);
      memcpy(y + first, part, (columns - first) * sizeof *y);
    }
  }
}

enum {
  UNIT = 16, /* the width of a panel is one, two or three of these */
  UNIT_REGISTERS = UNIT / FLOATS,
  PANEL_REGISTERS = PANEL_WIDTH / FLOATS,
  UNITS_AT_ONCE = PANELS_AT_ONCE * PANEL_WIDTH / UNIT
};

/*
** A row by so many units of columns: by whole panels, and a narrow one. Several at once, for their streams are fetched
** together, and no narrow panel is left alone with chains that wait for themselves (8 % of the time at m = 256).
*/
INLINE void row_panels(size_t units, size_t n, const float *x, const float *panels, size_t columns, float *y) {
  const size_t count = units * UNIT_REGISTERS, whole = units / 3 * PANEL_REGISTERS, narrow = units % 3 * UNIT;
  floats acc[UNITS_AT_ONCE * UNIT_REGISTERS];
  UNROLL for (size_t c = 0; c < count; c++) acc[c] = SPLAT(0.0f);
  for (size_t i = 0; i < n; i++) {
    floats v = SPLAT(x[i]);
    UNROLL for (size_t c = 0; c < count; c++) {
      size_t p = c / PANEL_REGISTERS, row = i * (c < whole ? PANEL_WIDTH : narrow);
      acc[c] = FMA(v, floats_at(panels + p * n * PANEL_WIDTH + row + c % PANEL_REGISTERS * FLOATS), acc[c]);
    }
  }
  store(count, acc, columns, y);
}

static void transform(size_t n, size_t m, const float *x, const float *panels, float *y) {
  const size_t step = PANELS_AT_ONCE * PANEL_WIDTH;
  for (; m >= step; m -= step, panels += n * step, y += step) row_panels(UNITS_AT_ONCE, n, x, panels, step, y);
  switch ((m + UNIT - 1) / UNIT) {
#define CASE(units) \
  case units: \
    if (units <= UNITS_AT_ONCE) row_panels(units, n, x, panels, m, y); \
    break;
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#undef CASE
  }
}

/* A row of a panel that is so many units wide by the elements of v that it meets; products are rounded. */
INLINE void pull_units(size_t units, const float *row, const float *v, floats lane[UNIT_REGISTERS]) {
  UNROLL for (size_t c = 0; c < units * UNIT_REGISTERS; c++)
      lane[c % UNIT_REGISTERS] += floats_at(row + c * FLOATS) * floats_at(v + c * FLOATS);
}

static void pull(size_t n, size_t m, const float *panels, const float *v, float *out) {
  const size_t units = (m + UNIT - 1) / UNIT, whole = units / 3, narrow = units % 3;
  for (size_t i = 0; i < n; i++) {
    float sum[UNIT];
    floats lane[UNIT_REGISTERS];
    UNROLL for (size_t c = 0; c < UNIT_REGISTERS; c++) lane[c] = SPLAT(0.0f);
    for (size_t p = 0; p < whole; p++)
      pull_units(3, panels + (p * n + i) * PANEL_WIDTH, v + p * PANEL_WIDTH, lane);
    const float *last = panels + whole * n * PANEL_WIDTH + i * narrow * UNIT;
    if (narrow == 1) pull_units(1, last, v + whole * PANEL_WIDTH, lane);
    if (narrow == 2) pull_units(2, last, v + whole * PANEL_WIDTH, lane);
    UNROLL for (size_t c = 0; c < UNIT_REGISTERS; c++) put_floats(sum + c * FLOATS, lane[c]);
    UNROLL for (size_t step = UNIT / 2; step > 0; step /= 2) {
      UNROLL for (size_t l = 0; l < step; l++) sum[l] += sum[l + step];
    }
    out[i] = sum[0];
  }
}

/* ---- Tiles ---- */

enum { TILE_REGISTERS = 3 };

/* acc += the products of `count` elements of TILE_ROWS rows, `step` apart, with as many rows of `regs` registers of a
** panel that is `width` wide. */
#define DEFINE_ADD_PRODUCTS(name, element, registers, registers_at) \
  INLINE void name(size_t regs, size_t count, const element *const row[TILE_ROWS], size_t step, \
                   const element *panel, size_t width, registers acc[TILE_ROWS][TILE_REGISTERS]) { \
    UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
      UNROLL for (size_t c = 0; c < regs; c++) acc[r][c] = SPLAT((element)0); \
    } \
    for (size_t i = 0; i < count; i++, panel += width) { \
      registers w[TILE_REGISTERS]; \
      UNROLL for (size_t c = 0; c < regs; c++) w[c] = registers_at(panel + c * (sizeof *w / sizeof *panel)); \
      UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
        registers x = SPLAT(row[r][i * step]); \
        UNROLL for (size_t c = 0; c < regs; c++) acc[r][c] = FMA(x, w[c], acc[r][c]); \
      } \
    } \
  }

DEFINE_ADD_PRODUCTS(add_products, double, doubles, doubles_at)
DEFINE_ADD_PRODUCTS(add_products_single, float, floats, floats_at)

INLINE void transform_tile(size_t regs, size_t rows, size_t n, const float *x, const float *panel, size_t width,
                           size_t columns, float *y, size_t stride) {
  floats acc[TILE_ROWS][TILE_REGISTERS];
  const float *row[TILE_ROWS]; /* the last one again where there are fewer */
  UNROLL for (size_t r = 0; r < TILE_ROWS; r++) row[r] = x + (r < rows ? r : rows - 1) * n;
  add_products_single(regs, n, row, 1, panel, width, acc);
  UNROLL for (size_t r = 0; r < TILE_ROWS; r++) {
    if (r < rows) store(regs, acc[r], columns, y + r * stride);
  }
}

static void transform_block(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                            size_t stride) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH, width = (columns + UNIT - 1) / UNIT * UNIT;
    size_t regs = width == PANEL_WIDTH ? 3 : UNIT_REGISTERS > 1 || width > UNIT ? 2 : 1;
    for (size_t r = 0; r < rows; r += TILE_ROWS)
      for (size_t c = 0; c < columns; c += regs * FLOATS) {
        const float *panel = panels + n * first + c;
        float *out = y + r * stride + first + c;
        switch (regs) {
          case 1: transform_tile(1, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
          case 2: transform_tile(2, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
          case 3: transform_tile(3, rows - r, n, x + r * n, panel, width, columns - c, out, stride); break;
        }
      }
  }
}

/* sums += acc + u v for a register of columns. */
INLINE void join(doubles acc, double u, const double *v, double *sums) {
  accumulate(sums, acc + SPLAT(u) * doubles_at(v));
}

INLINE void join_single(floats acc, double u, const double *v, double *sums) {
  join(WIDE(LOW(acc)), u, v, sums);
  join(WIDE(HIGH(acc)), u, v + DOUBLES, sums + DOUBLES);
}

#define DEFINE_SCATTER(name, add_to_tile, join_to, element, registers, stored_width) \
  static void name(size_t rows, const element *a, const element *b, const double *u, const double *v, \
                   double *sums, size_t stride) { \
    enum { STEP = sizeof(registers) / sizeof(element) }; \
    for (size_t f = 0; f < GROUP_ROWS; f += TILE_ROWS) \
      for (size_t c = 0; c < stored_width; c += TILE_REGISTERS * STEP) { \
        registers acc[TILE_ROWS][TILE_REGISTERS]; \
        const element *row[TILE_ROWS]; \
        UNROLL for (size_t r = 0; r < TILE_ROWS; r++) row[r] = a + f + r; \
        add_to_tile(TILE_REGISTERS, rows, row, stored_width, b + c, stored_width, acc); \
        UNROLL for (size_t r = 0; r < TILE_ROWS; r++) { \
          double *out = sums + (f + r) * stride + c; \
          UNROLL for (size_t i = 0; i < TILE_REGISTERS; i++) { \
            join_to(acc[r][i], u[f + r], v + c + i * STEP, out + i * STEP); \
          } \
        } \
      } \
  }

DEFINE_SCATTER(scatter, add_products, join, double, doubles, SCATTER_WIDTH)
DEFINE_SCATTER(scatter_single, add_products_single, join_single, float, floats, SCATTER_WIDTH_SINGLE)

#include "core/simd/codes.h"

#define STRING(name) STRING_OF(name)
#define STRING_OF(name) #name
const struct simd PASTE(simd, VARIANT) = {
    .name = STRING(VARIANT),
    .dot = PASTE(SUMS, dot),
    .dot2 = PASTE(SUMS, dot2),
    .l2sq = PASTE(SUMS, l2sq),
    .l1 = PASTE(SUMS, l1),
    .is_finite = is_finite,
    .add_weighted = add_weighted,
    .add_exact = add_exact,
    .shift = shift,
    .widen = widen,
    .transform = transform,
    .transform_block = transform_block,
    .pull = pull,
    .scatter = scatter,
    .scatter_single = scatter_single,
    .scan_codes = scan_codes,
    .dot_codes = dot_codes,
};

#if defined(TARGET) && defined(__clang__)
PRAGMA(clang attribute pop)
#endif
