/*
** Every pair of rows whose cosine reaches a threshold: batch by batch, each against itself and the rows behind it.
**
** products.h finds the candidates, a bit each; they are compared exactly, one by one, when pairs are asked for, while the
** workers are at the next block. So pairs are never held, however many there are, and a similarity is cosine's own bits.
**
** Memory: that of products.h, and two blocks of candidates, 32 bytes a vector of the batch each: 4 MB at most.
*/
#ifndef WHITEN_CORE_PAIRS_H
#define WHITEN_CORE_PAIRS_H

#include "core/products.h"

struct pair {
  int64_t a, b; /* rowids, a < b */
  double similarity;
};

/* Zeroed = empty; owned: candidates, products. */
struct pairs {
  struct products products;
  double threshold;
  uint8_t *candidates[2]; /* of each block: PRODUCTS_ROWS x stride */
  size_t stride, capacity;
  const struct products_block *block; /* whose pairs are being asked for */
  size_t row, vector;                 /* the next candidate to look at */
};

void pairs_init(struct pairs *p, size_t dim, double threshold, int cores, const struct memory *mem);
void pairs_clear(struct pairs *p);

/* A vector of dim elements for the batch, which is not full, in the order of rowids. One that is zero is passed over.
** STATUS_NOT_FINITE, STATUS_NOMEM. */
enum status pairs_add_vector(struct pairs *p, int64_t rowid, const void *v);
/* Whether the batch is; a zeroed struct's is empty. */
int pairs_is_full(const struct pairs *p);
int pairs_is_empty(const struct pairs *p);
/* Rowids of the batch, which is not empty. */
int64_t pairs_first(const struct pairs *p);
int64_t pairs_last(const struct pairs *p);
/* When the batch, of at least one vector, is complete. STATUS_NOMEM. */
enum status pairs_start(struct pairs *p);
/* When its rows have passed: the next batch. Harmless on a zeroed struct. */
void pairs_restart(struct pairs *p);

/* A row, of the batch or behind it, in the order of rowids, while there is no whole block. STATUS_NOT_FINITE. */
enum status pairs_add(struct pairs *p, int64_t rowid, const void *v);
int pairs_has_block(const struct pairs *p);
/* Hands the block, which may be of fewer rows or of none, to the workers. From now on pairs_next gives the pairs of the
** block that was handed over before, until rows are added. */
void pairs_turn(struct pairs *p);
/* The next pair, by the row, then by the vector: 1, or 0 if there is none. */
int pairs_next(struct pairs *p, struct pair *pair);

#endif
