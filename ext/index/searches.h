/*
** A batch of searches of one index, whose scans share passes of the codes: the same hits, to the bit, as by search_run
** one by one. Candidates of all are found at once; each is then fetched and compared when its hits are asked for.
**
** Functions return 0 on success, else call->failed.
*/
#ifndef WHITEN_INDEX_SEARCHES_H
#define WHITEN_INDEX_SEARCHES_H

#include "index/run.h"

/* Zeroed = empty; owned: vectors, runs' memory, candidates, scans. */
struct searches {
  struct index *index;
  struct search search;
  struct rowids all;
  int64_t root; /* the index as it was when candidates were found */
  size_t dim, count, capacity;
  float *vectors;
  int64_t rowids[SCANS_MAX]; /* of the queries, as the caller calls them */
  struct run runs[SCANS_MAX];
  struct search_counts counts[SCANS_MAX];
  struct candidates candidates[SCANS_MAX];
  struct scans *scans; /* from batch to batch */
};

/* A new batch, of searches for the k nearest; the index is made ready. */
int searches_begin(struct call *call, struct searches *s, struct index *index, size_t k);
int searches_are_full(const struct searches *s);
/* A query of s->dim elements, which are copied; one without a direction, which has no hits, is left out. */
int searches_add(struct call *call, struct searches *s, int64_t rowid, const struct vector *query);
/* After the last one. */
int searches_scan(struct call *call, struct searches *s);
/* The hits of the i-th query, once, sorted: the caller clears *topk. If the index has changed since, it is asked
** anew. */
int searches_hits(struct call *call, struct searches *s, size_t i, struct topk *topk);
void searches_clear(struct searches *s);

#endif
