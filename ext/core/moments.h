/*
** Streaming first and second moments in float64: row count, weight, mean, centred cross-products.
**
** Rows gather in a block of float32; a full block is centred by its own mean and its scatter added by threads of its
** own (scatter.h) while the next one gathers; the two means are joined as in Chan, Golub & LeVeque (1979):
** M2 += M2_block + delta delta^T * nA nB / (nA + nB). So nothing is lost to a mean far from zero, nor to a mean that
** drifts, and the same rows in the same order give the same bits whatever the number of threads. Rejected: float32 sums
** (29 % off in the smallest eigenvalue when the mean is 1.2x the spread), and dsyr row by row (9 times slower).
**
** Memory: the block starts at 8 rows and doubles up to its limit; d^2 float64 and panels for a block (8 d bytes a row, 4 d
** with SCATTER_SINGLE) from the first full block on, or when the moments are asked for; so many small groups stay small.
** Threads only after a full block, and in 128 dimensions or more.
*/
#ifndef WHITEN_CORE_MOMENTS_H
#define WHITEN_CORE_MOMENTS_H

#include "core/scatter.h"

/* Most rows of a block; fewer in many dimensions, so that adding one takes no longer than 0.1 s (0.3 s above 8,192
** dimensions) and a query can be interrupted in good time. Part of the order of summation. */
#define MOMENTS_BLOCK 512
#define MOMENTS_BLOCK_WORK 0x1p32 /* most multiplications, but never below MOMENTS_BLOCK_LEAST rows */
#define MOMENTS_BLOCK_LEAST 32

/* Longest row: d x d float64 must stay below 2 GB, the largest block that SQLite's allocator gives. */
#define MOMENTS_DIM_MAX 16383

/* A zeroed struct is empty; moments_init makes it ready. Owned: every pointer. */
struct moments {
  const struct memory *mem;
  size_t dim;
  size_t dim_a;  /* of pairs, whose rows are [a; b]: the elements of a; 0: rows are of one vector */
  int64_t rows;  /* rows with weight > 0 */
  double weight; /* sum of the weights: the row count when all are 1 */
  double *mean;  /* dim elements */
  double
      *cross; /* dim x dim row-major, upper triangle: sum of w (x - mean)(x - mean)^T; NULL while no block is in */
  enum scatter_precision precision;
  int cores;              /* that a group of many rows may use */
  struct scatter scatter; /* the block under way into cross */
  /* the block that is filling */
  size_t block_limit, block_rows, block_capacity;
  double block_weight;
  float *block;         /* block_capacity x dim */
  double *block_scales; /* square roots of the weights */
  double *block_sum;    /* sum of w x over the block, and its mean in the end */
  double *delta;        /* the rank-one term of what is being added */
};

/* STATUS_DIM: more than MOMENTS_DIM_MAX; the struct stays as it was. STATUS_NOMEM. */
enum status moments_init(struct moments *m, size_t dim, enum scatter_precision precision, int cores,
                         const struct memory *mem);
void moments_clear(struct moments *m);

/* One row of dim float32, unaligned, with a frequency weight > 0: weight 2 counts as the row twice.
** STATUS_NOT_FINITE: the row has an element that is NaN or infinite, and only moments_clear may follow; STATUS_NOMEM. */
enum status moments_add(struct moments *m, const void *x, double weight);

/* Adds what is in the block and waits for it, so that mean and cross are complete. STATUS_NOMEM. */
enum status moments_flush(struct moments *m);

/* Joins moments of other rows: mean of dim, cross as above. Both must be flushed. STATUS_NOMEM. */
enum status moments_merge(struct moments *m, int64_t rows, double weight, const double *mean, const double *cross);

/* After moments_flush: sum of the variances, and sum of the squared covariances (the squared Frobenius norm). */
void moments_norms(const struct moments *m, double *trace, double *frobenius2);

/*
** Moments as a BLOB, which SQL calls stats; those of pairs, pair stats. Offsets in bytes; the first 36 are as blob.h says,
** the magic is "whitenS", or "whitenP" for pairs. Version 1 of both:
**   36  u32    zero; of pairs the elements of a, 1 .. d - 1
**   40  i64    n: rows, 1 .. 2^53
**   48  f64    sum of the weights
**   56  f64[d] mean
**       f64[d (d + 1) / 2] upper triangle, row by row, of the sum of w (x - mean)(x - mean)^T
*/
struct moments_header {
  uint64_t size;
  uint32_t d, dim_a; /* dim_a is 0 unless they are of pairs */
  int64_t n;
  double weight;
};

/* Whether a BLOB begins like moments, or like those of pairs. */
int moments_are_in(const void *blob, size_t bytes);
int moments_of_pairs_are_in(const void *blob, size_t bytes);

/* The size for d dimensions; and the BLOB itself: the moments must be flushed. */
uint64_t moments_size(size_t d);
void moments_write(const struct moments *m, void *out);

/* Validates the BLOB of either kind, hash and numbers included. STATUS_FOREIGN, STATUS_VERSION, STATUS_BYTE_ORDER, STATUS_TRUNCATED
** (header->size is what it should be), STATUS_HEADER, STATUS_HASH, STATUS_NOT_FINITE. */
enum status moments_read(const void *blob, size_t bytes, struct moments_header *header);

/* Unpacks what moments_read accepted: mean (d), cross (d x d, upper triangle; the lower is set to zero). */
void moments_unpack(const void *blob, const struct moments_header *header, double *mean, double *cross);

#endif
