/*
** Codes of vectors: k components in 5 bits each, from which cosines with a query are estimated, first from the top bit
** of each component, then from all five.
**
** A vector is divided by its norm, rotated, and quantised uniformly. The rotation is random, but always the same for
** a k: four rounds of sign flips and a fast Hadamard transform of the largest power of two of components that there is,
** by turns the first and the last ones; where k is no power of two, a Kac step after every second round: sums and
** differences of components that are ceil(k / 2) apart, divided by sqrt(2). (A Kac step after every round halves what a
** transform has not reached instead of dissolving it: unit vectors have 3.7 times the error at k = 4095. Floor(k / 2)
** apart, it takes back a stage of the transform at k = 257.) The flips are the bits of splitmix64 seeded with k, a
** number for 64 components, the lowest bit first, in each round from a fresh one; 1 is a flip.
**
** This makes the components of any unit vector look like k independent ones of variance 1 / k, which is what the
** quantiser is made for and what makes the error of an estimate known. The estimator is RaBitQ's (Gao & Long 2024,
** arXiv:2405.12497; Gao et al. 2024, arXiv:2409.09913): <c, q> / <c, o> for the code c of the unit vector o; its error
** is random with standard deviation sqrt((1 / r^2 - 1) / (k - 1)) times sqrt(1 - cosine^2), r = <c, o> / |c|.
**
** Component o_i becomes floor(o_i / step + 16), at least 0 and at most 31. The step is what is best for 32 levels and a
** normal distribution (Max 1960): 0.1881 standard deviations, or 0.1881 / sqrt(k); then r^2 = 0.9965. Of the top bits
** alone, r^2 = 2 / pi.
**
** The same bits on every CPU: floats are added, multiplied and rounded one by one in an order that is fixed, and what
** is summed in an order of its own is integer.
**
** Rows stand in blocks of 64, in two parts:
**
**   signs  f32[64]            1 / <c, o>, c = -1 or 1 by the top bit; 0 for a place that is empty
**          u8[bytes][64]      byte j of row r at j * 64 + r: top bits of components 8 j .. 8 j + 7, the lowest first
**   rest   i64[64]            rowids
**          f32[64]            1 / <c, o>, c = five bits - 15.5
**          f32[64]            norm of the vector, at most FLT_MAX
**          u8[64][4 bytes]    row-major: low four bits of components 2 i (lower half) and 2 i + 1
**
** where bytes = ceil(k / 8); components beyond k are zero bits, and a query's are 0 there.
*/
#ifndef WHITEN_CORE_CODES_H
#define WHITEN_CORE_CODES_H

#include <string.h>

#include "core/base.h"

enum { CODES_BLOCK = 64 };

/* How vectors of k elements are coded. Zeroed = empty; owned: flips. */
struct codes {
  const struct memory *mem;
  size_t k, bytes;                /* bytes of a row's top bits; of its other bits there are four times as many */
  size_t signs_bytes, rest_bytes; /* of a block: multiples of 64 */
  size_t window;                  /* components that a Hadamard transform takes */
  float *flips;                   /* 4 rounds x k: by what components are multiplied before it */
  double error_signs, error;      /* one standard deviation of an estimate from the top bits, and from all */
};

/* k is 1 .. DIM_MAX. STATUS_NOMEM. */
enum status codes_init(struct codes *c, size_t k, const struct memory *mem);
void codes_clear(struct codes *c);

/* A coded vector, wherever it is kept: this, then `bytes` bytes of top bits, then 4 * bytes of the others. */
struct code {
  int64_t rowid;
  float signs_factor, factor, norm;
};
/* Bytes of struct code and what follows it, a multiple of 8. */
size_t codes_row_bytes(const struct codes *c);
unsigned char *code_signs(struct code *row);
unsigned char *code_rest(const struct codes *c, struct code *row);

/* Rotates k elements in place. */
void codes_rotate(const struct codes *c, float *x);
/* Codes y (k aligned elements, finite, overwritten); row->rowid is left alone. STATUS_NO_VARIANCE for a zero vector,
** which has no direction. */
enum status codes_encode(const struct codes *c, float *y, struct code *row);

/* A block as in memory: both parts 64-byte aligned. Puts a row in its place, and takes it out; clears a place. */
struct code_block {
  unsigned char *signs, *rest;
};
void codes_put(const struct codes *c, const struct code_block *block, size_t place, const struct code *row);
void codes_get(const struct codes *c, const struct code_block *block, size_t place, struct code *row);
void codes_erase(const struct codes *c, const struct code_block *block, size_t place);
static inline int64_t codes_rowid(const unsigned char *rest, size_t place) {
  int64_t number;
  memcpy(&number, rest + place * sizeof number, sizeof number);
  return number;
}
float codes_norm(const unsigned char *rest, size_t place);

/* A query made ready, cleared before its codes are. Owned: block. */
struct codes_query {
  const struct codes *codes;
  float scale, base;   /* <c, q> for c = -1 or 1 is about sum of entries * scale + base */
  float fine_scale;    /* and for c = low four bits - 7.5 it is (sum - 7.5 * sum of fine) * fine_scale */
  int32_t fine_offset; /* 15 * sum of fine */
  unsigned char
      *tables;       /* 32 bytes for each byte of top bits, a table of 16 for each half of it; 64-byte aligned */
  signed char *fine; /* 8 bits a component: the even ones, then the odd ones, each `padding` zeros before them */
  size_t padding;
  void *block;
};
/* Of a direction: k elements, finite, of any norm but zero. STATUS_NOMEM, STATUS_NO_VARIANCE. */
enum status codes_query_init(struct codes_query *q, const struct codes *c, const float *direction);
void codes_query_clear(struct codes_query *q);

/* Which rows of a block have an estimate of at least `least` from their top bits: bit r for row r; never an empty place.
** sums[r] is what the full estimate of row r begins with. */
uint64_t codes_scan(const struct codes_query *q, const unsigned char *signs, float least,
                    int32_t sums[CODES_BLOCK]);
/* The estimate of the cosine from the top bits of one row; from all, which are in the rest of its block. */
float codes_estimate_signs(const struct codes_query *q, const unsigned char *signs, size_t place, int32_t sum);
float codes_estimate(const struct codes_query *q, const unsigned char *rest, size_t place, int32_t sum);
/* Has the CPU fetch what that reads. */
void codes_prefetch(const struct codes_query *q, const unsigned char *rest, size_t place);

#endif
