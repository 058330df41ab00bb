/*
** The products of a batch of vectors with rows that stream past: which pairs may reach a cosine.
**
** A block of rows is multiplied with the whole batch at once (the blocked transform of core/simd/simd.h, the batch's
** vectors, divided by their norms, as its columns). A product is the cosine times the row's norm, but for an error that
** is bounded; so it says which pairs are worth comparing exactly, and products_cosine() does that: to the bit what
** vector_cosine() gives. Vectors are dealt out to the workers in chunks, while the caller fills the next block; what a
** chunk's owner writes is its own, so nothing is shared, and the result does not depend on threads or blocks.
**
** Memory: 8 d bytes for a vector of the batch, which has a limit, and two blocks of rows; 68 MB for d up to 1024, 100 MB
** for the largest d. Who has more vectors starts another batch and lets the rows pass again: against the arithmetic of
** a full batch, 16 million multiplications for a row, reading the row is nothing (1 % at d = 768, on two cores).
*/
#ifndef WHITEN_CORE_PRODUCTS_H
#define WHITEN_CORE_PRODUCTS_H

#include "core/base.h"
#include "core/vector.h"
#include "core/workers.h"

/* Rows of a block. */
#define PRODUCTS_ROWS 256
/* Most elements, and most vectors, of a batch: a block takes 2e9 multiplications at most, so that a query can be
** interrupted in good time. */
#define PRODUCTS_ELEMENTS (1 << 23)
#define PRODUCTS_VECTORS (1 << 16)

/* A vector of the batch. */
struct products_vector {
  int64_t rowid;
  double square;
};

/* Rows on their way: filled while the other block is under way. */
struct products_block {
  size_t count;
  int64_t rowid[PRODUCTS_ROWS];
  float norm[PRODUCTS_ROWS]; /* 0 for a row whose products could leave float32 */
  float *rows;               /* row-major */
};

/* Rows of a block against vectors of the batch; the product of row r with vector v stands at (r - row) * vectors +
** v - vector. */
struct products_tile {
  const struct products_block *block;
  size_t row, rows, vector, vectors;
  const float *products;
};

/* Looks at a tile, on a worker. Tiles of the same vectors come in the order of the rows, one after the other. */
typedef void (*products_visit)(void *owner, const struct products_tile *tile);

/* Zeroed = empty; owned: every pointer but owner. */
struct products {
  const struct memory *mem;
  size_t dim, count, capacity; /* of the batch */
  struct products_vector *batch;
  float *vectors; /* count x dim, as given */
  float *panels;  /* chunk by chunk: packed, divided by their norms */
  void *panels_block;
  size_t panels_columns;
  size_t chunk, chunks; /* vectors of a chunk; how many there are */
  struct products_block blocks[2];
  int filling;
  size_t filled;  /* rows of blocks[filling] */
  int later_only; /* a row counts for the vectors with lower rowids alone; both come in rowid order */
  products_visit visit;
  void *owner;
  struct workers workers;
};

void products_init(struct products *p, size_t dim, int cores, const struct memory *mem);
void products_clear(struct products *p);

/* A vector of dim elements for the batch, which is not full. A zero vector is passed over. STATUS_NOT_FINITE,
** STATUS_NOMEM. */
enum status products_add_vector(struct products *p, int64_t rowid, const void *v);
/* Vectors of a full batch. */
size_t products_limit(const struct products *p);
/* When the batch, of at least one vector, is complete. STATUS_NOMEM. */
enum status products_start(struct products *p);
/* When its rows have passed: the next batch. */
void products_restart(struct products *p);

/* A row of dim elements for the block that is being filled, and not full. A zero vector is passed over.
** STATUS_NOT_FINITE. */
enum status products_add_row(struct products *p, int64_t rowid, const void *v);
int products_has_block(const struct products *p);
/* Waits for the block under way. */
void products_wait(struct products *p);
/* After products_wait: hands the filled block, which may be empty, to the workers. The one before stands, and is
** returned, until rows are added. */
const struct products_block *products_submit(struct products *p);

/* What a product must reach for the cosine to reach `threshold`, in units of the row's norm. */
float products_least(const struct products *p, double threshold);
/* Whether any of `count` products reaches least[i] times the norm, 0 for one that says nothing. */
int products_reach(size_t count, const float *products, const float *least, float norm);
/* The exact cosine of a row of a block and a vector of the batch. */
double products_cosine(const struct products *p, const struct products_block *block, size_t row, size_t vector);

#endif
