/*
** Candidates by codes: chunk by chunk the top bits of all rows are scanned, what passes is estimated from all its
** bits, and what passes that is kept. See query.h for the bounds, and core/codes.h for the estimates.
**
** What passes is estimated at once only if its top bits alone would make it one of the best: these few soon bring the
** bound to where it will be in the end. The others wait until all is scanned; by then the bound has risen above half of
** them, and the memory that the rest of them is in is asked for before it is needed.
**
** The signs of a chunk come from the cache, or are read and left there. Of the rest, a query reads whole chunks into
** the cache only up to WARMING bytes, and single blocks beyond, so that the first queries of a process do not wait for
** what few rows need; nothing of it is kept if the codes do not fit the cache, all of them.
*/
#include <math.h>

#include "core/codes.h"
#include "index/cache.h"
#include "index/run.h"

enum { WARMING = 8 << 20, FIRST_CAPACITY = 256, AHEAD = 8 };

/* A row that waits to be estimated. */
struct waiting_row {
  float first; /* its estimate from the top bits */
  int32_t sum;
  uint32_t chunk, place; /* chunk of the scan, row of the chunk */
};

struct scan {
  struct run *run;
  const struct codes *codes;
  struct codes_query query;
  struct candidates *found;
  int is_filtered;     /* not all rows are asked for, */
  struct rowids asked; /* but, of the chunk that is looked at, these */
  size_t from, count;  /* the chunks, in the generation's dir */
  int64_t *stamps;     /* of each, and what the cache has of it */
  const struct cache_entry **signs, **rest;
  size_t waiting_count, waiting_capacity;
  struct waiting_row *waiting;
  unsigned char *spare; /* one block of a rest that is not in memory, */
  size_t spare_chunk, spare_block;
  uint64_t warming;         /* bytes of rests that may still be read into the cache */
  double margin_signs;      /* factor times the error of an estimate from the top bits */
  float least_signs, least; /* what estimates must reach */
  float best;               /* what would be among the best so far */
  void *spare_memory;       /* owned, as are query, waiting, stamps, signs, rest and what these hold */
};

/* ---- what is kept ---- */

void candidates_clear(struct candidates *candidates) {
  sqlite3_free(candidates->list);
  topk_clear(&candidates->best, &sqlite_memory);
  *candidates = (struct candidates){0};
}

static int is_better(const struct candidate *a, const struct candidate *b) {
  return a->estimate > b->estimate || (a->estimate == b->estimate && a->rowid < b->rowid);
}

/* Moves the candidate at i down to where no child is better. */
static void sift_down(struct candidates *c, size_t i) {
  struct candidate moving = c->list[i];
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= c->count) break;
    if (child + 1 < c->count && is_better(&c->list[child + 1], &c->list[child])) child++;
    if (!is_better(&c->list[child], &moving)) break;
    c->list[i] = c->list[child];
    i = child;
  }
  c->list[i] = moving;
}

void candidates_order(struct candidates *candidates) {
  for (size_t i = candidates->count / 2; i-- > 0;) sift_down(candidates, i);
}

int candidates_take(struct candidates *candidates, struct candidate *best) {
  if (candidates->count == 0) return 0;
  *best = candidates->list[0];
  candidates->list[0] = candidates->list[--candidates->count];
  if (candidates->count > 0) sift_down(candidates, 0);
  return 1;
}

/* Drops what no longer reaches `least`. */
static void compact(struct candidates *c, float least) {
  size_t kept = 0;
  for (size_t i = 0; i < c->count; i++)
    if (c->list[i].estimate >= least) c->list[kept++] = c->list[i];
  c->count = kept;
}

static int make_room(struct scan *scan) {
  struct candidates *c = scan->found;
  compact(c, scan->least);
  if (c->list != NULL && c->count <= c->capacity / 2) return 0;
  size_t capacity = c->list ? 2 * c->capacity : FIRST_CAPACITY;
  struct candidate *list = sqlite3_realloc64(c->list, capacity * sizeof *list);
  if (list == NULL) return fail_nomem(scan->run->call), scan->run->call->failed;
  c->list = list;
  c->capacity = capacity;
  return 0;
}

/* After a better estimate: the k-th best one, or what is asked for, minus what it may err. */
static void raise_least(struct scan *scan) {
  double kth = topk_threshold(&scan->found->best), least = scan->run->search->least;
  double best = kth > least ? kth : least, full = best - scan->found->margin;
  scan->best = (float)best;
  scan->least = (float)full;
  scan->least_signs = (float)(full - scan->margin_signs);
}

static int keep(struct scan *scan, const struct candidate *candidate) {
  struct candidates *c = scan->found;
  if (c->count == c->capacity && make_room(scan)) return scan->run->call->failed;
  c->list[c->count++] = *candidate;
  if (c->best.k < SIZE_MAX) {
    if (topk_reserve(&c->best, c->best.count + 1, &sqlite_memory) != STATUS_OK)
      return fail_nomem(scan->run->call), scan->run->call->failed;
    topk_add(&c->best, candidate->estimate, candidate->rowid);
    raise_least(scan);
  }
  return 0;
}

/* ---- chunks ---- */

static const struct dir_chunk *chunk_of(const struct scan *scan, size_t i) {
  return &scan->run->generation->dir.chunks[scan->from + i];
}

static size_t blocks_of(const struct dir_chunk *chunk) {
  return ((size_t)chunk->count + CODES_BLOCK - 1) / CODES_BLOCK;
}

/* A stamp that names another chunk's part, too, is no stamp. */
static int check_bytes(struct scan *scan, const struct dir_chunk *chunk, const struct cache_entry *entry,
                       int rest) {
  struct index *index = scan->run->index;
  size_t size = rest ? scan->codes->rest_bytes : scan->codes->signs_bytes;
  if (entry == NULL || entry->bytes == blocks_of(chunk) * size) return 0;
  fail(scan->run->call, "chunk %lld of '%s' is damaged in %s_dir: 'rebuild' makes it anew",
       (long long)chunk->number, index->name, index->name);
  return scan->run->call->failed;
}

/* Reads a part of a chunk into the cache; NULL after an error. */
static const struct cache_entry *load(struct scan *scan, const struct dir_chunk *chunk, int rest) {
  struct call *call = scan->run->call;
  struct chunk_part part = {scan->codes, chunk->number, rest};
  size_t blocks = blocks_of(chunk);
  struct cache_entry *entry = cache_alloc(blocks * (rest ? scan->codes->rest_bytes : scan->codes->signs_bytes));
  if (entry == NULL) return fail_nomem(call), NULL;
  if (store_part(call, &scan->run->index->store, &part, blocks, entry->data)) {
    cache_drop(entry);
    return NULL;
  }
  return cache_add(chunk->stamp, rest, entry);
}

/* One block of a rest that is not in memory. */
static const unsigned char *read_block(struct scan *scan, size_t i, size_t block) {
  struct chunk_part part = {scan->codes, chunk_of(scan, i)->number, 1};
  if (scan->spare_memory == NULL) {
    scan->spare_memory = sqlite3_malloc64(scan->codes->rest_bytes + 63);
    if (scan->spare_memory == NULL) return fail_nomem(scan->run->call), NULL;
    scan->spare = memory_align64(scan->spare_memory);
  } else if (scan->spare_chunk == i && scan->spare_block == block) {
    return scan->spare;
  }
  scan->spare_chunk = i;
  scan->spare_block = block;
  return store_block(scan->run->call, &scan->run->index->store, &part, block, scan->spare) == 0 ? scan->spare
                                                                                                : NULL;
}

/* The rest of a block of the i-th chunk; NULL after an error. */
static const unsigned char *rest_of(struct scan *scan, size_t i, size_t block) {
  size_t size = scan->codes->rest_bytes, bytes = size * blocks_of(chunk_of(scan, i));
  if (scan->rest[i] == NULL && scan->warming >= bytes) {
    scan->warming -= bytes;
    scan->rest[i] = load(scan, chunk_of(scan, i), 1);
    if (scan->rest[i] == NULL) return NULL;
  }
  return scan->rest[i] != NULL ? scan->rest[i]->data + block * size : read_block(scan, i, block);
}

/* ---- rows ---- */

/* From all bits. */
static int estimate(struct scan *scan, const struct waiting_row *row) {
  size_t place = row->place % CODES_BLOCK;
  const unsigned char *rest = rest_of(scan, row->chunk, row->place / CODES_BLOCK);
  if (rest == NULL) return scan->run->call->failed;
  if (scan->is_filtered && !rowids_have(&scan->asked, codes_rowid(rest, place))) return 0;
  scan->run->counts->estimated++;
  float cosine = codes_estimate(&scan->query, rest, place, row->sum);
  if (cosine < scan->least) return 0;
  struct candidate candidate = {cosine, codes_norm(rest, place), codes_rowid(rest, place)};
  return keep(scan, &candidate);
}

static int wait(struct scan *scan, const struct waiting_row *row) {
  if (scan->waiting_count == scan->waiting_capacity) {
    size_t capacity = scan->waiting ? 2 * scan->waiting_capacity : FIRST_CAPACITY;
    struct waiting_row *waiting = sqlite3_realloc64(scan->waiting, capacity * sizeof *waiting);
    if (waiting == NULL) return fail_nomem(scan->run->call), scan->run->call->failed;
    scan->waiting = waiting;
    scan->waiting_capacity = capacity;
  }
  scan->waiting[scan->waiting_count++] = *row;
  return 0;
}

/* Of a block with `rows` rows. */
static int scan_block(struct scan *scan, size_t i, size_t b, size_t rows) {
  const unsigned char *signs = scan->signs[i]->data + b * scan->codes->signs_bytes;
  int32_t sums[CODES_BLOCK];
  uint64_t passed = codes_scan(&scan->query, signs, scan->least_signs, sums);
  if (rows < CODES_BLOCK) passed &= ((uint64_t)1 << rows) - 1;
  for (; passed != 0; passed &= passed - 1) {
    uint32_t place = (uint32_t)__builtin_ctzll(passed);
    float first = codes_estimate_signs(&scan->query, signs, place, sums[place]);
    struct waiting_row row = {first, sums[place], (uint32_t)i, (uint32_t)(b * CODES_BLOCK) + place};
    if (first >= scan->best ? estimate(scan, &row) : wait(scan, &row)) break;
  }
  return scan->run->call->failed;
}

/* The rowids of the i-th chunk that are asked for: those below the first chunk's first are the first's. */
static void look_at(struct scan *scan, const struct rowids *rowids, size_t i) {
  const struct dir *dir = &scan->run->generation->dir;
  size_t place = scan->from + i;
  int64_t first = place > 0 ? dir->chunks[place].first : INT64_MIN;
  int64_t last = place + 1 < dir->count ? dir->chunks[place + 1].first - 1 : INT64_MAX;
  scan->asked = rowids_part(rowids, first, last);
}

static int scan_chunk(struct scan *scan, const struct rowids *rowids, size_t i) {
  const struct dir_chunk *chunk = chunk_of(scan, i);
  size_t rows = (size_t)chunk->count;
  look_at(scan, rowids, i);
  if (rowids_are_none(&scan->asked)) return 0;
  if (scan->signs[i] == NULL) scan->signs[i] = load(scan, chunk, 0);
  if (scan->signs[i] == NULL || check_bytes(scan, chunk, scan->signs[i], 0) ||
      check_bytes(scan, chunk, scan->rest[i], 1))
    return scan->run->call->failed;
  scan->run->counts->scanned += rows;
  for (size_t b = 0; b * CODES_BLOCK < rows; b++)
    if (scan_block(scan, i, b, rows - b * CODES_BLOCK)) break;
  return scan->run->call->failed;
}

static void let_go(const struct cache_entry **entry) {
  cache_release(*entry);
  *entry = NULL;
}

/* Signs go at once if the cache is too small for them. */
static int scan_chunks(struct scan *scan, const struct rowids *rowids) {
  for (size_t i = 0; i < scan->count; i++) {
    if (scan_chunk(scan, rowids, i)) break;
    if (cache_used() > cache_limit_now()) let_go(&scan->signs[i]);
  }
  return scan->run->call->failed;
}

static void prefetch(const struct scan *scan, const struct waiting_row *row) {
  const struct cache_entry *rest = scan->rest[row->chunk];
  if (rest == NULL || row->first < scan->least_signs) return;
  codes_prefetch(&scan->query, rest->data + row->place / CODES_BLOCK * scan->codes->rest_bytes,
                 row->place % CODES_BLOCK);
}

/* Those that wait, in the order of their chunks. */
static int estimate_waiting(struct scan *scan, const struct rowids *rowids) {
  size_t chunk = SIZE_MAX;
  for (size_t n = 0; n < scan->waiting_count; n++) {
    const struct waiting_row *row = &scan->waiting[n];
    if (n + AHEAD < scan->waiting_count) prefetch(scan, row + AHEAD);
    if (row->first < scan->least_signs) continue;
    if (scan->is_filtered && row->chunk != chunk) look_at(scan, rowids, chunk = row->chunk);
    if (estimate(scan, row)) break;
  }
  return scan->run->call->failed;
}

/* ---- all of it ---- */

static int begin(struct scan *scan, const struct rowids *rowids) {
  const struct generation *g = scan->run->generation;
  struct call *call = scan->run->call;
  scan->from = dir_place(&g->dir, rowids->first);
  scan->count = dir_place(&g->dir, rowids->last) - scan->from + 1;
  scan->stamps = memory_array(&sqlite_memory, scan->count, sizeof *scan->stamps + 2 * sizeof *scan->signs);
  if (scan->stamps == NULL) return fail_nomem(call), call->failed;
  scan->signs = (const struct cache_entry **)(void *)(scan->stamps + scan->count);
  scan->rest = scan->signs + scan->count;
  for (size_t i = 0; i < scan->count; i++) scan->stamps[i] = chunk_of(scan, i)->stamp;
  cache_find(scan->count, scan->stamps, 0, scan->signs);
  cache_find(scan->count, scan->stamps, 1, scan->rest);
  uint64_t row_bytes = (g->codes.signs_bytes + g->codes.rest_bytes) / CODES_BLOCK;
  if ((uint64_t)dir_rows(&g->dir) * row_bytes <= cache_limit_now()) scan->warming = WARMING;
  if (codes_query_init(&scan->query, scan->codes, scan->run->direction) != STATUS_OK) fail_nomem(call);
  return call->failed;
}

static void end(struct scan *scan) {
  if (scan->stamps != NULL) {
    cache_release_all(scan->count, scan->signs);
    cache_release_all(scan->count, scan->rest);
  }
  sqlite3_free(scan->stamps);
  sqlite3_free(scan->waiting);
  sqlite3_free(scan->spare_memory);
  codes_query_clear(&scan->query);
}

int candidates_find(struct run *run, const struct rowids *rowids, size_t width, struct candidates *candidates) {
  struct scan scan = {
      .run = run, .codes = &run->generation->codes, .found = candidates, .is_filtered = !rowids_are_all(rowids)};
  double factor = run->search->error_factor;
  *candidates = (struct candidates){.margin = factor * scan.codes->error};
  topk_init(&candidates->best, width);
  scan.margin_signs = factor * scan.codes->error_signs;
  raise_least(&scan);
  if (begin(&scan, rowids) == 0 && scan_chunks(&scan, rowids) == 0 && estimate_waiting(&scan, rowids) == 0)
    compact(candidates, scan.least);
  end(&scan);
  return run->call->failed;
}
