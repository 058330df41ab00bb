/*
** Scans of several queries at once: all of them take a round of chunks while its codes are in the processor's cache,
** and then the next one. Each goes the way that it would go alone, chunk by chunk, so it finds the same.
**
** Where a round's chunks are in memory the queries are dealt to threads, which do nothing but arithmetic: room for what
** they may find is made before, once, and kept from batch to batch, since memory costs more to get from the system than
** to fill. Else the caller's thread reads a chunk once, for all of them. A query whose top bits say so little that more
** than MOST rows wait for it is given up: it will be asked alone.
*/
#include <string.h>

#include "core/workers.h"
#include "index/scan.h"

enum { ROUND = 8, GROUP = 4, MOST = 1 << 14, ROOM = MOST + ROUND * CHUNK_ROWS };

/* Owned: what stands in it, of which a scan's waiting rows and the lists of found outlive a batch. */
struct scans {
  struct workers workers;
  struct call *call; /* of the batch */
  struct index *index;
  size_t count, from, to; /* queries; chunks of the round */
  struct scan list[SCANS_MAX];
  struct candidates found[SCANS_MAX];
};

static int is_given_up(const struct scan *scan) {
  return scan->waiting_count > MOST || scan->found->count > MOST;
}

static size_t end_of(const struct scans *s, size_t group) {
  return (group + 1) * GROUP < s->count ? (group + 1) * GROUP : s->count;
}

/* Run on any thread. */
static void scan_group(void *argument, size_t group) {
  struct scans *s = argument;
  for (size_t n = group * GROUP; n < end_of(s, group); n++)
    for (size_t i = s->from; i < s->to && !is_given_up(&s->list[n]); i++) scan_chunk(&s->list[n], i, NULL);
}

static void finish_group(void *argument, size_t group) {
  struct scans *s = argument;
  for (size_t n = group * GROUP; n < end_of(s, group); n++)
    if (!is_given_up(&s->list[n])) scan_finish(&s->list[n]);
}

/* Has the threads do it, where there is room for all that they find. */
static int deal(struct scans *s, workers_job job) {
  for (size_t n = 0; n < s->count; n++)
    if (scan_reserve(&s->list[n], ROOM, ROOM)) return s->call->failed;
  workers_submit(&s->workers, job, s, (s->count + GROUP - 1) / GROUP);
  workers_wait(&s->workers);
  return s->call->failed;
}

/* The round, on the caller's thread. */
static int read_round(struct scans *s) {
  for (size_t i = s->from; i < s->to && !s->call->failed; i++) {
    const unsigned char *signs = scan_signs(s->list, i);
    for (size_t n = 0; signs != NULL && n < s->count; n++)
      if (!is_given_up(&s->list[n]) && scan_chunk(&s->list[n], i, signs)) break;
  }
  return s->call->failed;
}

/* Reading the root is what shows whether the query was interrupted. */
static int run_rounds(struct scans *s) {
  const size_t chunks = s->list->count;
  int64_t stamp, hash;
  for (s->from = 0; s->from < chunks; s->from = s->to) {
    s->to = s->from + ROUND < chunks ? s->from + ROUND : chunks;
    if (store_root(s->call, &s->index->store, &stamp, &hash)) break;
    if (scan_has(s->list, s->from, s->to) ? deal(s, scan_group) : read_round(s)) break;
  }
  return s->call->failed;
}

static int finish(struct scans *s) {
  if (scan_has(s->list, 0, s->list->count)) return deal(s, finish_group);
  for (size_t n = 0; n < s->count; n++)
    if (!is_given_up(&s->list[n]) && scan_finish(&s->list[n])) break;
  return s->call->failed;
}

/* The first scan has the chunks, and reads the signs for all. */
static int begin(struct scans *s, struct run *const *runs, const struct rowids *rowids) {
  for (size_t n = 0; n < s->count; n++) {
    struct scan *scan = &s->list[n], kept = *scan;
    struct candidates list = s->found[n];
    scan_init(scan, runs[n], rowids, runs[n]->search->k, &s->found[n]);
    scan->waiting = kept.waiting;
    scan->waiting_capacity = kept.waiting_capacity;
    s->found[n].list = list.list;
    s->found[n].capacity = list.capacity;
  }
  for (size_t n = 0; n < s->count; n++)
    if (scan_begin(&s->list[n], n > 0 ? s->list : NULL)) break;
  s->list->warming_signs *= s->count;
  return s->call->failed;
}

/* Ends the n-th scan, but for its memory. */
static void end(struct scans *s, size_t n) {
  struct scan *scan = &s->list[n], kept = {.waiting = scan->waiting, .waiting_capacity = scan->waiting_capacity};
  scan->waiting = NULL;
  scan_end(scan);
  *scan = kept;
  topk_clear(&s->found[n].best, &sqlite_memory);
}

/* What the n-th scan has found, in memory of its own. */
static void hand_over(struct scans *s, size_t n, struct candidates *found) {
  *found = s->found[n];
  found->capacity = found->count + 1;
  found->list = memory_array(&sqlite_memory, found->capacity, sizeof *found->list);
  s->found[n].best = (struct topk){0};
  if (found->list == NULL)
    fail_nomem(s->call);
  else
    memcpy(found->list, s->found[n].list, found->count * sizeof *found->list);
}

int scan_find_all(struct scans **kept, struct run *const *runs, size_t count, const struct rowids *rowids,
                  struct candidates *found) {
  struct call *call = runs[0]->call;
  struct scans *s = *kept;
  if (s == NULL) {
    s = *kept = memory_array(&sqlite_memory, 1, sizeof *s);
    if (s == NULL) return fail_nomem(call), call->failed;
    memset(s, 0, sizeof *s);
    workers_init(&s->workers, call->connection->cores);
  }
  s->call = call;
  s->index = runs[0]->index;
  s->count = count;
  if (begin(s, runs, rowids) == 0 && run_rounds(s) == 0) finish(s);
  for (size_t n = 0; n < count; n++)
    if (!call->failed && !is_given_up(&s->list[n])) hand_over(s, n, &found[n]);
  for (size_t n = count; n-- > 0;) end(s, n);
  return call->failed;
}

void scans_free(struct scans *s) {
  if (s == NULL) return;
  workers_clear(&s->workers);
  for (size_t n = 0; n < SCANS_MAX; n++) {
    sqlite3_free(s->list[n].waiting);
    candidates_clear(&s->found[n]);
  }
  sqlite3_free(s);
}
