/*
** The scatter of a block of rows: sums += sum over rows of s^2 (x - mean)(x - mean)^T + delta delta^T.
**
** The rows are centred into panels of columns; tiles of the matrix, each the product of two panels, are dealt to
** threads while the caller gathers the next block. An element's products form one chain over the rows, in float64 or
** float32, which joins the float64 sum at its end: how many threads there are makes no difference to a bit.
**
** Measured against blocks added with OpenBLAS's dsyrk, on two threads at d = 768: a fit takes 0.8 of the time, since
** reading overlaps computing and nobody waits for the slower thread but once in a block.
*/
#ifndef WHITEN_CORE_SCATTER_H
#define WHITEN_CORE_SCATTER_H

#include "core/workers.h"

/* How products within a block are summed. SCATTER_SINGLE: in float32, after the shift, the blocks in float64: faster,
** at about 1e-6 of relative error in the covariance, whatever the mean. */
enum scatter_precision { SCATTER_DOUBLE, SCATTER_SINGLE };

/* One block on its way into the sums. `scales` are the square roots of the rows' weights; all 1 with SCATTER_SINGLE,
** which does not look at them. `delta` is the rank-one term. */
struct scatter_block {
  size_t rows;
  const float *x;       /* rows x dim */
  const double *scales; /* rows */
  const double *mean;   /* dim */
  const double *delta;  /* dim */
};

/* A zeroed struct is empty. Owned: panels_block, delta. */
struct scatter {
  const struct memory *mem;
  size_t dim, width, capacity; /* columns of a panel; rows that the panels have room for */
  enum scatter_precision precision;
  struct workers workers;
  void *panels_block, *panels; /* float64 or float32: panel, row, column; 64-byte aligned */
  double *delta;               /* the block's, padded with zeros to whole panels */
  struct scatter_block block;
  double *sums;
};

/* With room for blocks of `capacity` rows; dim and precision are the same every time. STATUS_NOMEM: what there was stays.
** Not while a block is under way. */
enum status scatter_reserve(struct scatter *s, size_t dim, enum scatter_precision precision, size_t capacity,
                            const struct memory *mem);
void scatter_clear(struct scatter *s);

/* Starts threads for the blocks to come, once: as many as `cores`, the caller among them, and work allow. Without, a
** block is added before scatter_add returns. */
void scatter_start_threads(struct scatter *s, int cores);

/* Adds a block, of no more rows than there is room for, and delta delta^T to the upper triangle of sums (dim x dim,
** row-major). The block and what it points to may be changed after the return; sums not before scatter_wait, which comes
** before the next block, too. */
void scatter_add(struct scatter *s, const struct scatter_block *block, double *sums);
void scatter_wait(struct scatter *s);

#endif
