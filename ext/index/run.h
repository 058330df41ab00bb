/*
** What a search is while it runs, for the files that carry it out: query.c begins it, chooses the way and fetches,
** scan.c finds by codes what may be among the best, candidates.c keeps these, compare.c compares rows for good.
**
** Functions return 0 on success, else call->failed.
*/
#ifndef WHITEN_INDEX_RUN_H
#define WHITEN_INDEX_RUN_H

#include "index/query.h"

enum { COMPARE_ROWS = 64 };

/* Rows that wait to be whitened together, which takes a tenth of the time of one by one. Zeroed = empty; owned:
** memory. */
struct waiting {
  size_t count, capacity;
  int64_t rowids[COMPARE_ROWS];
  size_t bad[COMPARE_ROWS]; /* first element that is not finite, or d */
  float *shifted, *y;       /* capacity x d, which have lost the mean; capacity x m */
  void *memory;
};

struct run {
  struct call *call;
  struct index *index;
  const struct generation *generation;
  const struct whitener *whitener;
  const struct search *search;
  struct search_counts *counts;
  struct topk *topk;        /* of similarities to the bit */
  float *query, *direction; /* whitened as whiten_apply does it; of norm 1, padded: m elements each */
  double square;            /* of the query */
  float *pull;              /* d elements: what a row's score is computed with, */
  double offset, pull_norm; /* pull . mean, less what the model adds, along direction; |pull| */
  double added_norm;        /* of what the model adds */
  struct waiting waiting;
  void *memory; /* owned: query, direction, pull */
};

/* ---- query.c ---- */

/* Has a run ready, zeroed but for what others own: 1 if the query has a direction; 0 if not, or after an error. */
int run_begin(struct run *run, const struct vector *query);
void run_end(struct run *run); /* safe when that has failed */
/* Whether codes are scanned; of which rows. */
int run_scans(const struct run *run, struct rowids *coded);
/* The search, which sorts nothing yet. *found is zeroed, or what scan_find_all has found; and is taken over. */
struct candidates;
void run_search(struct run *run, struct candidates *found);

/* ---- compare.c ---- */

/* Room for so many rows, up to COMPARE_ROWS, if there is none. */
int compare_begin(struct run *run, size_t capacity);
void compare_clear(struct run *run);
/* A row of the content: x has d unaligned elements, and is copied. */
int compare_add(struct run *run, int64_t rowid, const void *x);
/* Compares those that wait. */
int compare_flush(struct run *run);
/* Reads and compares all of the content's rows that are asked for. */
int compare_scan(struct run *run, const struct rowids *rowids);

/* ---- candidates.c ---- */

struct candidate {
  float estimate, norm;
  int64_t rowid;
};

/* Zeroed = empty; owned: list, best. */
struct candidates {
  struct candidate *list;
  size_t count, capacity;
  struct topk best; /* the best estimates, as many as topk_init has said */
  double margin;    /* factor times the error of an estimate */
};

void candidates_clear(struct candidates *candidates);
/* Those that do not reach `least` may be dropped for it, now or later. */
int candidates_add(struct call *call, struct candidates *candidates, float least,
                   const struct candidate *candidate);
void candidates_compact(struct candidates *candidates, float least);
/* Room for so many in all: until they are there candidates_add allocates nothing. */
int candidates_reserve(struct call *call, struct candidates *candidates, size_t count);
/* Takes the best one off the list, ties by rowid: candidates_order must have come before. 0 if there is none. */
void candidates_order(struct candidates *candidates);
int candidates_take(struct candidates *candidates, struct candidate *best);

/* ---- scan.c ---- */

/*
** Of the coded rows that are asked for, those whose estimate is at least the width-th best one, or the least similarity
** that is searched for if that is more, minus the margin.
*/
int scan_find(struct run *run, const struct rowids *rowids, size_t width, struct candidates *candidates);

/* ---- scans.c ---- */

enum { SCANS_MAX = 32 };

/* The same of up to SCANS_MAX runs at once, of one index and call, k the width: found[i] of each, or zeroed where the
** search had better be made alone. *kept is NULL at first; what it becomes is used again, and freed in the end. */
struct scans;
int scan_find_all(struct scans **kept, struct run *const *runs, size_t count, const struct rowids *rowids,
                  struct candidates *found);
void scans_free(struct scans *s);

#endif
