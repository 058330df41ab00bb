/*
** A search: codes find candidates, the stored vectors decide.
**
** 1. The query is whitened; its direction scans the top bits of every chunk. T is the k-th best estimate so far, or the
**    similarity that is asked for if that is more; e1 and e2 are the errors of estimates from the top bits and from
**    all, f is the error factor. Rows whose top bits give at least T - f e2 - f e1 are estimated from all bits; those
**    of at least T - f e2 become candidates.
** 2. Candidates are fetched from the content in the order of their estimates, until the k-th best score exceeds the
**    next estimate + f e2; a score is ((W q) . x - (W q) . mean) / norm, one product over d.
** 3. Those whose score, give or take its rounding, is among the best are whitened: what is returned is, to the bit,
**    cosine_sim(whiten_apply(model, v), whiten_apply(model, query)), best first, ties by rowid.
**
** Few rows, most rows, rows that are not coded yet and error factor 0 are compared exactly, all of them, without codes.
**
** Rows that the content no longer has make a search by codes go on, so that there are k hits where k rows can be.
*/
#ifndef WHITEN_INDEX_QUERY_H
#define WHITEN_INDEX_QUERY_H

#include "core/topk.h"
#include "index/index.h"

struct search {
  size_t k; /* SIZE_MAX: all */
  double least;
  int above; /* similarity > least, not >= */
  const struct rowids *rowids;
  double error_factor;
};

/* How a search went. */
struct search_counts {
  uint64_t scanned, estimated, fetched;
};

/* The hits, sorted, in *topk, which the caller clears; none for a query that is NULL or has no direction. The index is
** ready. 0 on success. */
int search_run(struct call *call, struct index *index, const struct vector *query, const struct search *search,
               struct topk *topk, struct search_counts *counts);

#endif
