/*
** Vector arithmetic: pointers in, numbers out. Every function gives the same bits on every CPU.
**
** Vectors are unaligned little-endian float32 (`const void *`: they may lie anywhere in a BLOB); n is their length in
** elements. In dot-like sums and transforms NaN and infinity go through to the result, and that is how callers find
** them; the others return whether every element of x is finite.
** `simd` points to the variant in use, chosen once by simd_choose().
**
** Two orders of summation, both with fused multiply-add:
**
** - Dot-like sums run in 32 float32 lanes: lane i takes the products of elements i, i+32, i+64 ... in turn, the last
**   group of 32 padded with zeros; then the lanes are converted to float64 and folded in halves: lane i += lane i+16,
**   then +8, +4, +2, +1. The squares of normal float32 can leave its range: vector.h takes care of that.
** - A transform computes each output as one chain over the input elements, first to last, starting from 0; a scatter
**   each product of columns as one chain over the rows.
**
** One exception: in a scatter the portable variant on x86, whose CPU may lack fused multiply-add, rounds each product
** first. There the fused one is a function of some 50 ns, and a fit would take minutes.
*/
#ifndef WHITEN_CORE_SIMD_SIMD_H
#define WHITEN_CORE_SIMD_SIMD_H

#include "core/base.h"

/* Rows that a scan of codes takes; what it takes them by: two tables of 16 for each of a row's bytes, for its lower half and
** its upper; entries are at most 127. */
#define CODE_ROWS 64
struct code_scan {
  size_t bytes;
  const unsigned char *tables;
  float scale, base;
};

struct simd {
  const char *name;
  /* sum of a_i * b_i */
  double (*dot)(size_t n, const void *a, const void *b);
  /* out[0] = sum of a_i * b_i, out[1] = sum of b_i * b_i */
  void (*dot2)(size_t n, const void *a, const void *b, double out[2]);
  /* sum of (a_i - b_i)^2, each difference rounded to float32 */
  double (*l2sq)(size_t n, const void *a, const void *b);
  /* sum of |a_i - b_i|, each difference rounded to float32 */
  double (*l1)(size_t n, const void *a, const void *b);
  /* Whether every element is finite. */
  int (*is_finite)(size_t n, const void *x);
  /* acc_i += weight * x_i: the product is rounded to float64, then the sum */
  int (*add_weighted)(size_t n, double *acc, const void *x, double weight);
  /* The same, and lost_i, which comes in as 0, = what rounding the sum took, exactly (Knuth's two-sum). Returns whether it
  ** took anything; what NaN and infinity take is NaN. */
  int (*add_exact)(size_t n, double *acc, const void *x, double weight, double *lost);
  /* out_i = x_i - mean_i: subtracted in float64, rounded to float32 once; out may be x */
  void (*shift)(size_t n, const void *x, const double *mean, float *out);
  /* out_i = scale * (x_i - mean_i) in float64 */
  void (*widen)(size_t n, const void *x, const double *mean, double scale, double *out);
  /* y (m) = x (n) * W (n x m), W as simd_pack lays it out: y_j is one chain fma(x_i, W_ij, y_j), i = 0 .. n-1. */
  void (*transform)(size_t n, size_t m, const float *x, const float *panels, float *y);
  /* The same for `rows` vectors at once, x row-major; row r of the result begins at y + r * stride. */
  void (*transform_block)(size_t rows, size_t n, size_t m, const float *x, const float *panels, float *y,
                          size_t stride);
  /* out (n) = W (n x m) * v, v of m elements and zeros up to a multiple of 16: lane l of 16 takes the products of columns l,
  ** l + 16 ... in turn, rounded, and lanes are folded like those of a dot product, in float32. */
  void (*pull)(size_t n, size_t m, const float *panels, const float *v, float *out);
  /* sums (GROUP_ROWS x SCATTER_WIDTH, its rows `stride` apart) += A^T B + u v^T, where A and B are rows x SCATTER_WIDTH
  ** and of A the first GROUP_ROWS columns count: an element of the first product is one chain, the second is rounded,
  ** and their sum is added. */
  void (*scatter)(size_t rows, const double *a, const double *b, const double *u, const double *v, double *sums,
                  size_t stride);
  /* The same with SCATTER_WIDTH_SINGLE columns, and with the chains in float32. */
  void (*scatter_single)(size_t rows, const float *a, const float *b, const double *u, const double *v,
                         double *sums, size_t stride);
  /* What core/codes.h makes of vectors. Of 64 rows, bit r for row r: whether (sum * scale + base) * factor >= least, each
  ** step rounded, and factor > 0. A row's sum, which is left in sums[r], takes two entries for each of its bytes. `rows` is
  ** f32[64], the factors, then u8[bytes][64]. */
  uint64_t (*scan_codes)(const struct code_scan *scan, const unsigned char *rows, float least,
                         int32_t sums[CODE_ROWS]);
  /* Of n bytes, n a multiple of 64 below 2^14: the sum of lower half * weights_i + upper half * weights_(n + i). */
  int32_t (*dot_codes)(size_t n, const unsigned char *halves, const signed char *weights);
  /* Of the n elements, a power of two, sums and differences of those n / 2 apart, then n / 4 ... then 1; unscaled. */
  void (*hadamard)(size_t n, float *x);
};

/* The variant in use: the fastest that this CPU runs, unless simd_choose says otherwise. */
extern const struct simd *simd;

/* Every variant in this build that this CPU runs, the fastest first; a NULL ends the list. */
const struct simd *const *simd_variants(void);

/* Takes the variant of that name, or the fastest when name is NULL. Returns 0 and changes nothing when there is none.
** Not to be called while other threads compute. */
int simd_choose(const char *name);

/* Columns of a panel, and rows that meet it at once. */
#define PANEL_WIDTH 48
#define GROUP_ROWS 8

/* Columns of the panels that a scatter reads: row-major, 64-byte aligned. */
#define SCATTER_WIDTH 24
#define SCATTER_WIDTH_SINGLE 48

/*
** The layout that transforms read: W (n x m, unaligned float32) cut into panels of PANEL_WIDTH columns, the last one of
** as many as are left, rounded up to a multiple of 16 and filled with zeros; a panel holds its row 0, then row 1, ...
** Panels begin 64-byte aligned when `panels` does.
*/
size_t simd_panel_elements(size_t n, size_t m);
void simd_pack(size_t n, size_t m, const void *w, float *panels);
/* Whether the panels are what simd_pack makes of W, to the bit. */
int simd_is_packed(size_t n, size_t m, const void *w, const float *panels);
/* Where element (i, j) of W lies in the panels. */
size_t simd_panel_index(size_t n, size_t m, size_t i, size_t j);

/* The variants, for simd.c that chooses among them, and for each other. */
extern const struct simd simd_portable;
#if defined(__x86_64__)
extern const struct simd simd_avx2, simd_avx512;
double avx2_dot(size_t n, const void *a, const void *b);
void avx2_dot2(size_t n, const void *a, const void *b, double out[2]);
double avx2_l2sq(size_t n, const void *a, const void *b);
double avx2_l1(size_t n, const void *a, const void *b);
#elif defined(__aarch64__)
extern const struct simd simd_neon;
double neon_dot(size_t n, const void *a, const void *b);
void neon_dot2(size_t n, const void *a, const void *b, double out[2]);
double neon_l2sq(size_t n, const void *a, const void *b);
double neon_l1(size_t n, const void *a, const void *b);
#endif

#endif
