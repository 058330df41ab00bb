/*
** A scan for candidates, step by step: scan_find (run.h) is all of it for one query, scans.c takes several through the
** same chunks. Functions return 0 on success, else call->failed.
*/
#ifndef WHITEN_INDEX_SCAN_H
#define WHITEN_INDEX_SCAN_H

#include "core/codes.h"
#include "index/cache.h"
#include "index/run.h"

/* A row that waits to be estimated. */
struct waiting_row {
  float first; /* its estimate from the top bits */
  int32_t sum;
  uint32_t chunk, place; /* chunk of the scan; row of the chunk, with a bit of UNCHECKED */
};

struct scan {
  struct run *run;
  const struct codes *codes;
  struct codes_query query;
  struct candidates *found;
  const struct rowids *rowids;   /* what is asked for, */
  int is_filtered;               /* which is not all rows, */
  struct rowids asked;           /* but, of the chunk that is looked at, these */
  size_t looked_at;              /* which chunk that is */
  uint64_t wanted[CHUNK_BLOCKS]; /* its rows that may be asked for */
  uint32_t unchecked;            /* UNCHECKED if this has to be looked up yet, else 0 */
  size_t from, count;            /* the chunks, in the generation's dir */
  int64_t *stamps;               /* of each, and what the cache has of it */
  const struct cache_entry **signs, **rest;
  size_t waiting_count, waiting_capacity;
  struct waiting_row *waiting;
  struct store_reader readers[2]; /* of signs, of rests */
  unsigned char *spare;           /* one block of a rest that is not in memory, */
  size_t spare_chunk, spare_block;
  uint64_t warming, warming_signs; /* bytes of rests, and of signs, that may still be read into the cache */
  double margin_signs;             /* factor times the error of an estimate from the top bits */
  float least_signs, least;        /* what estimates must reach */
  float best;                      /* what would be among the best so far */
  void *spare_memory,
      *spare_signs_memory; /* owned, as are readers, query, waiting, stamps and, where there are stamps, signs, rest and what
                              these hold */
};

/* Of a run whose query is ready; *candidates is what it finds. */
void scan_init(struct scan *scan, struct run *run, const struct rowids *rowids, size_t width,
               struct candidates *candidates);
/* With chunks of its own, or with those of another scan for the same rows, which must outlive this one. */
int scan_begin(struct scan *scan, const struct scan *other);
/* The signs of its i-th chunk, from the cache or as they were read, until the next one's are; NULL after an error. */
const unsigned char *scan_signs(struct scan *scan, size_t i);
/* Scans the i-th chunk: one after the other, in their order. signs: NULL, or what scan_signs gave. */
int scan_chunk(struct scan *scan, size_t i, const unsigned char *signs);
/* After the last chunk. */
int scan_finish(struct scan *scan);
void scan_end(struct scan *scan);

/* Whether chunks from .. to - 1 are in memory. Then scan_chunk and scan_finish do not call SQLite, and may run on any
** thread, after scan_reserve: for as many rows in all as may wait by then, and as may be found. */
int scan_has(const struct scan *scan, size_t from, size_t to);
int scan_reserve(struct scan *scan, size_t waiting, size_t found);

#endif
