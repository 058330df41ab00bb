/*
** The k most similar of many rows for each of many queries, in one pass over the rows.
**
** A block of rows is multiplied with all queries at once (the blocked transform of core/simd/simd.h, the queries, divided by
** their norms, as its columns): that finds the candidates. Whatever may be among the k best, given a bound of the
** rounding error, is then compared exactly, so similarities are cosine's own bits and ties are what they seem.
** Queries are dealt out to the workers in chunks: each has its own heaps, so nothing is shared, and the result does not
** depend on threads or blocks.
**
** Memory: 8 d bytes for a query, 16 k for its hits, and a block.
*/
#ifndef WHITEN_CORE_JOIN_H
#define WHITEN_CORE_JOIN_H

#include "core/base.h"
#include "core/topk.h"
#include "core/vector.h"
#include "core/workers.h"

/* Most rows of a block; and most multiplications in one, so that a query can be interrupted in good time. */
#define JOIN_ROWS 256
#define JOIN_WORK 2e9

/* One query. */
struct join_query {
  int64_t rowid;
  double square;
  struct topk topk;
};

/* A block of rows on its way: filled by join_add while the other is under way. */
struct join_block {
  size_t count;
  int64_t rowid[JOIN_ROWS];
  float norm[JOIN_ROWS]; /* 0 for a row whose products with the queries could leave float32 */
  float *rows;           /* row-major */
};

/* Zeroed = empty; owned: every pointer. */
struct join {
  const struct memory *mem;
  size_t dim, k, count, capacity; /* of the queries */
  struct join_query *queries;
  float *vectors; /* count x dim, as given */
  float *panels;  /* chunk by chunk: packed, divided by their norms */
  void *panels_block;
  size_t chunk, chunks; /* queries of a chunk; how many there are */
  float *products;      /* a buffer of JOIN_ROWS x chunk for each chunk that can be under way */
  struct join_block blocks[2];
  size_t block_rows; /* rows of a block: JOIN_ROWS, fewer if there are very many queries */
  int filling;
  struct workers workers;
};

void join_init(struct join *j, size_t dim, size_t k, const struct memory *mem);
void join_clear(struct join *j);

/* A query of dim elements, neither zero nor with an element that is not finite, and its vector_square. STATUS_NOMEM. */
enum status join_add_query(struct join *j, int64_t rowid, const void *v, double square);
/* When all queries are in: makes panels and starts the workers. STATUS_NOMEM. */
enum status join_start(struct join *j, int cores);
/* A row of dim elements. STATUS_NOT_FINITE, STATUS_NOMEM; a zero vector is passed over. */
enum status join_add(struct join *j, int64_t rowid, const void *v);
/* When all rows are in: sorts the hits. STATUS_NOMEM. Nothing may be added then. */
enum status join_finish(struct join *j);

#endif
