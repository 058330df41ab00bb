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
**   SWAP1(v) ...    a register of floats in another order: float i is float i XOR 1, 2 ..., a power of two
**   PAIRS(u, s)     bytes of 0 .. 15 by signed ones, neighbours (or halves) added: registers of int16
**   TILE_ROWS       rows of a tile: it keeps TILE_ROWS x TILE_REGISTERS sums in registers, besides what it loads
**   PANELS_AT_ONCE  panels that one row meets at once: their sums are kept in registers, too
**   SUMS            another variant, if that one's dot-like sums are to be taken
**
** The arithmetic of matrices and of codes stands in files of its own, which this one includes.
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

#include "core/simd/matrix.h"

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
    .hadamard = hadamard,
};

#if defined(TARGET) && defined(__clang__)
PRAGMA(clang attribute pop)
#endif
