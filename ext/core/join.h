/*
** The k most similar of many rows for each of many queries, batch by batch: queries for one batch, all rows past them,
** then the next. products.h finds the candidates; what may be among the k best is compared exactly, so similarities are
** cosine's own bits and ties are what they seem.
**
** Memory: that of products.h, whatever the number of queries, and up to 16 k + 64 bytes for the hits of each query.
*/
#ifndef WHITEN_CORE_JOIN_H
#define WHITEN_CORE_JOIN_H

#include "core/products.h"
#include "core/topk.h"

/* One query. */
struct join_query {
  int64_t rowid;
  struct topk topk;
};

/* Zeroed = empty, and without hits; owned: every pointer. */
struct join {
  const struct memory *mem;
  size_t k, count, limit;      /* queries of all batches that have started; of a full batch */
  struct join_query **batches; /* all but the last one full */
  size_t batch_count;
  struct products products;
};

void join_init(struct join *j, size_t dim, size_t k, int cores, const struct memory *mem);
void join_clear(struct join *j);

/* A query of dim elements for the batch, which is not full. One that is zero is passed over. STATUS_NOT_FINITE,
** STATUS_NOMEM. */
enum status join_add_query(struct join *j, int64_t rowid, const void *v);
/* Whether the batch is; a zeroed struct's is empty. */
int join_is_full(const struct join *j);
int join_is_empty(const struct join *j);
/* When the batch, of at least one query, is complete. STATUS_NOMEM. */
enum status join_start(struct join *j);
/* A row of dim elements for the batch. STATUS_NOT_FINITE, STATUS_NOMEM; a zero vector is passed over. */
enum status join_add(struct join *j, int64_t rowid, const void *v);
/* When all rows have passed: sorts the hits; another batch may follow. STATUS_NOMEM. */
enum status join_finish(struct join *j);
/* When there are no more batches: lets go of all but the hits. */
void join_end(struct join *j);

/* How many queries there were; the rowid of one; a hit of one, the best first, or NULL behind the last. */
size_t join_count(const struct join *j);
int64_t join_rowid(const struct join *j, size_t query);
const struct hit *join_hit(const struct join *j, size_t query, size_t place);

#endif
