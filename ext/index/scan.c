/*
** A scan for candidates: chunk by chunk the top bits of all rows are scanned, what passes is estimated from all its
** bits, and what passes that is kept. See query.h for the bounds, and core/codes.h for the estimates.
**
** What passes is estimated after its chunk only if its top bits alone would make it one of the best: these few soon
** bring the bound to where it will be in the end. The others wait until all is scanned; by then the bound has risen
** above most of them. The memory that the rest of a row is in is asked for before it is needed.
**
** The signs of a chunk come from the cache, or are read. A query leaves what it has read in the cache only until that
** are so many bytes of signs, and of the rest - whole chunks of it, beyond that single blocks - as there were in it
** already, at least LEAST_WARMING and at most WARMING, so that the first queries of a process wait neither for what few
** rows need nor for memory that the system must find first; and nothing if all of the signs, or of the codes, do not fit
** the cache.
*/
#include "index/scan.h"

#include <string.h>

#include "index/filter.h"

enum { LEAST_WARMING = 128 << 10, WARMING = 2 << 20, FIRST_CAPACITY = 256, AHEAD = 8 };

/* Of a scan that reads no table SQLite knows nothing: after so many chunks it is asked whether to go on. */
enum { CHUNKS_AT_ONCE = 64 };

/* A list of less than one in so many rows of a chunk is looked up before these are scanned. */
enum { FEW = 8 };

/* Whether the rowid is asked for is not known yet. */
enum { UNCHECKED = 1 << 30 };

/* After a better estimate: the k-th best one, or what is asked for, minus what it may err. */
static void raise_least(struct scan *scan) {
  double kth = topk_threshold(&scan->found->best), least = scan->run->search->least;
  double best = kth > least ? kth : least, full = best - scan->found->margin;
  scan->best = (float)best;
  scan->least = (float)full;
  scan->least_signs = (float)(full - scan->margin_signs);
}

static int keep(struct scan *scan, const struct candidate *candidate) {
  if (candidates_add(scan->run->call, scan->found, scan->least, candidate) == 0) raise_least(scan);
  return scan->run->call->failed;
}

/* ---- chunks ---- */

static const struct dir_chunk *chunk_of(const struct scan *scan, size_t i) {
  return &scan->run->generation->dir.chunks[scan->from + i];
}

static size_t blocks_of(const struct dir_chunk *chunk) {
  return chunk_blocks((size_t)chunk->count);
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
  size_t blocks = blocks_of(chunk);
  struct cache_entry *entry = cache_alloc(blocks * (rest ? scan->codes->rest_bytes : scan->codes->signs_bytes));
  if (entry == NULL) return fail_nomem(call), NULL;
  if (store_read(call, &scan->readers[rest], chunk->number, 0, blocks, entry->data)) {
    cache_drop(entry);
    return NULL;
  }
  return cache_add(chunk->stamp, rest, entry);
}

/* Memory for a spare part of so many bytes, kept in *memory: NULL after an error. */
static unsigned char *spare_of(struct scan *scan, void **memory, size_t bytes) {
  if (*memory == NULL) *memory = sqlite3_malloc64(bytes + 63);
  if (*memory == NULL) return fail_nomem(scan->run->call), NULL;
  return memory_align64(*memory);
}

/* One block of a rest that is not in memory. */
static const unsigned char *read_block(struct scan *scan, size_t i, size_t block) {
  struct call *call = scan->run->call;
  if (scan->spare != NULL && scan->spare_chunk == i && scan->spare_block == block) return scan->spare;
  scan->spare = spare_of(scan, &scan->spare_memory, scan->codes->rest_bytes);
  if (scan->spare == NULL) return NULL;
  scan->spare_chunk = i;
  scan->spare_block = block;
  return store_read(call, &scan->readers[1], chunk_of(scan, i)->number, block, 1, scan->spare) == 0 ? scan->spare
                                                                                                    : NULL;
}

const unsigned char *scan_signs(struct scan *scan, size_t i) {
  const struct dir_chunk *chunk = chunk_of(scan, i);
  size_t blocks = blocks_of(chunk), bytes = scan->codes->signs_bytes * blocks;
  if (scan->signs[i] == NULL && scan->warming_signs > 0) {
    scan->warming_signs -= bytes < scan->warming_signs ? bytes : scan->warming_signs;
    scan->signs[i] = load(scan, chunk, 0);
    if (scan->signs[i] == NULL) return NULL;
  }
  if (scan->signs[i] != NULL) return check_bytes(scan, chunk, scan->signs[i], 0) ? NULL : scan->signs[i]->data;
  unsigned char *spare = spare_of(scan, &scan->spare_signs_memory, scan->codes->signs_bytes * CHUNK_BLOCKS);
  if (spare == NULL || store_read(scan->run->call, &scan->readers[0], chunk->number, 0, blocks, spare))
    return NULL;
  return spare;
}

/* Reads the rest of the i-th chunk into the cache, if it is to be warmed. */
static int warm(struct scan *scan, size_t i) {
  const struct dir_chunk *chunk = chunk_of(scan, i);
  size_t bytes = scan->codes->rest_bytes * blocks_of(chunk);
  if (scan->rest[i] != NULL || scan->warming == 0) return 0;
  scan->warming -= bytes < scan->warming ? bytes : scan->warming;
  scan->rest[i] = load(scan, chunk, 1);
  return scan->run->call->failed;
}

/* The rest of a block of the i-th chunk; NULL after an error. */
static const unsigned char *rest_of(struct scan *scan, size_t i, size_t block) {
  if (warm(scan, i)) return NULL;
  return scan->rest[i] != NULL ? scan->rest[i]->data + block * scan->codes->rest_bytes
                               : read_block(scan, i, block);
}

/* ---- rows ---- */

/* From all bits. */
static int estimate(struct scan *scan, const struct waiting_row *row) {
  size_t place = row->place % CODES_BLOCK;
  const unsigned char *rest = rest_of(scan, row->chunk, row->place % UNCHECKED / CODES_BLOCK);
  if (rest == NULL) return scan->run->call->failed;
  if (row->place & UNCHECKED && !rowids_have(&scan->asked, codes_rowid(rest, place))) return 0;
  scan->run->counts->estimated++;
  float cosine = codes_estimate(&scan->query, rest, place, row->sum);
  if (cosine < scan->least) return 0;
  struct candidate candidate = {cosine, codes_norm(rest, place), codes_rowid(rest, place)};
  return keep(scan, &candidate);
}

/* Room for so many in all. */
static int reserve_waiting(struct scan *scan, size_t count) {
  size_t capacity = scan->waiting ? 2 * scan->waiting_capacity : FIRST_CAPACITY;
  if (count <= scan->waiting_capacity) return 0;
  if (capacity < count) capacity = count;
  struct waiting_row *waiting = sqlite3_realloc64(scan->waiting, capacity * sizeof *waiting);
  if (waiting == NULL) return fail_nomem(scan->run->call), scan->run->call->failed;
  scan->waiting = waiting;
  scan->waiting_capacity = capacity;
  return 0;
}

static int wait(struct scan *scan, const struct waiting_row *row) {
  if (reserve_waiting(scan, scan->waiting_count + 1)) return scan->run->call->failed;
  scan->waiting[scan->waiting_count++] = *row;
  return 0;
}

/* Of the i-th chunk: what passes waits. */
static int scan_block(struct scan *scan, size_t i, size_t b, const unsigned char *signs) {
  int32_t sums[CODES_BLOCK];
  uint64_t passed = codes_scan(&scan->query, signs, scan->least_signs, sums) & scan->wanted[b];
  for (; passed != 0; passed &= passed - 1) {
    uint32_t place = (uint32_t)__builtin_ctzll(passed), row = (uint32_t)(b * CODES_BLOCK) + place;
    float first = codes_estimate_signs(&scan->query, signs, place, sums[place]);
    struct waiting_row waiting = {first, sums[place], (uint32_t)i, row | scan->unchecked};
    if (wait(scan, &waiting)) break;
  }
  return scan->run->call->failed;
}

/* The rowids of the i-th chunk that are asked for: those below the first chunk's first are the first's. */
static void look_at(struct scan *scan, size_t i) {
  const struct dir *dir = &scan->run->generation->dir;
  size_t place = scan->from + i;
  int64_t first = place > 0 ? dir->chunks[place].first : INT64_MIN;
  int64_t last = place + 1 < dir->count ? dir->chunks[place + 1].first - 1 : INT64_MAX;
  scan->asked = rowids_part(scan->rowids, first, last);
  scan->looked_at = i;
}

static void prefetch(const struct scan *scan, const struct waiting_row *row) {
  const struct cache_entry *rest = scan->rest[row->chunk];
  size_t block = row->place % UNCHECKED / CODES_BLOCK;
  if (rest != NULL)
    codes_prefetch(&scan->query, rest->data + block * scan->codes->rest_bytes, row->place % CODES_BLOCK);
}

/* Of those that wait, from number `from` on, estimates what reaches *bound, which may rise by it; what still passes
** goes on waiting. */
static int estimate_waiting(struct scan *scan, size_t from, const float *bound) {
  size_t kept = from, ahead = from;
  for (size_t n = from; n < scan->waiting_count; n++) {
    const struct waiting_row row = scan->waiting[n];
    for (; ahead < scan->waiting_count && ahead <= n + AHEAD; ahead++)
      if (scan->waiting[ahead].first >= *bound) prefetch(scan, &scan->waiting[ahead]);
    if (row.first < *bound) {
      if (row.first >= scan->least_signs) scan->waiting[kept++] = row;
      continue;
    }
    if (row.place & UNCHECKED && row.chunk != scan->looked_at) look_at(scan, row.chunk);
    if (estimate(scan, &row)) break;
  }
  scan->waiting_count = kept;
  return scan->run->call->failed;
}

/* Which rows of the i-th chunk, which is looked at, are asked for. A list of many is looked up for the few rows that
** pass. */
static int want(struct scan *scan, size_t i) {
  size_t rows = (size_t)chunk_of(scan, i)->count;
  int is_few = scan->asked.is_listed && scan->asked.count < rows / FEW;
  memset(scan->wanted, 0xff, sizeof scan->wanted);
  if (rows % CODES_BLOCK > 0) scan->wanted[rows / CODES_BLOCK] = ((uint64_t)1 << rows % CODES_BLOCK) - 1;
  scan->unchecked = scan->is_filtered ? UNCHECKED : 0;
  if (!is_few || warm(scan, i) || scan->rest[i] == NULL) return scan->run->call->failed;
  filter_mark(&scan->asked, scan->codes, scan->rest[i]->data, rows, scan->wanted);
  scan->unchecked = 0;
  return 0;
}

int scan_chunk(struct scan *scan, size_t i, const unsigned char *signs) {
  const struct dir_chunk *chunk = chunk_of(scan, i);
  size_t from = scan->waiting_count;
  look_at(scan, i);
  if (rowids_are_none(&scan->asked) || check_bytes(scan, chunk, scan->rest[i], 1) || want(scan, i))
    return scan->run->call->failed;
  if (signs == NULL) signs = scan_signs(scan, i);
  if (signs == NULL) return scan->run->call->failed;
  for (size_t b = 0; b < blocks_of(chunk); b++) {
    if (scan->wanted[b] == 0) continue;
    size_t rows = (size_t)chunk->count - b * CODES_BLOCK;
    scan->run->counts->scanned += rows < CODES_BLOCK ? rows : CODES_BLOCK;
    if (scan_block(scan, i, b, signs + b * scan->codes->signs_bytes)) break;
  }
  return scan->run->call->failed ? scan->run->call->failed : estimate_waiting(scan, from, &scan->best);
}

/* Reading the root is what shows whether the query was interrupted. */
static int scan_chunks(struct scan *scan) {
  struct call *call = scan->run->call;
  int64_t stamp, hash;
  for (size_t i = 0; i < scan->count && scan_chunk(scan, i, NULL) == 0; i++)
    if (i % CHUNKS_AT_ONCE == CHUNKS_AT_ONCE - 1 && store_root(call, &scan->run->index->store, &stamp, &hash))
      break;
  return scan->run->call->failed;
}

/* ---- all of it ---- */

/* What the cache has of the chunks, and what may be read into it. */
static int find_chunks(struct scan *scan) {
  const struct generation *g = scan->run->generation;
  scan->from = dir_place(&g->dir, scan->rowids->first);
  scan->count = dir_place(&g->dir, scan->rowids->last) - scan->from + 1;
  scan->stamps = memory_array(&sqlite_memory, scan->count, sizeof *scan->stamps + 2 * sizeof *scan->signs);
  if (scan->stamps == NULL) return fail_nomem(scan->run->call), SQLITE_NOMEM;
  scan->signs = (const struct cache_entry **)(void *)(scan->stamps + scan->count);
  scan->rest = scan->signs + scan->count;
  for (size_t i = 0; i < scan->count; i++) scan->stamps[i] = chunk_of(scan, i)->stamp;
  cache_find(scan->count, scan->stamps, 0, scan->signs);
  cache_find(scan->count, scan->stamps, 1, scan->rest);
  uint64_t blocks = (uint64_t)dir_rows(&g->dir) / CODES_BLOCK, limit = cache_limit_now(), warming = cache_used();
  if (warming < LEAST_WARMING) warming = LEAST_WARMING;
  if (warming > WARMING) warming = WARMING;
  if (blocks * g->codes.signs_bytes < limit) scan->warming_signs = warming;
  if (blocks * (g->codes.signs_bytes + g->codes.rest_bytes) < limit) scan->warming = warming;
  return 0;
}

int scan_begin(struct scan *scan, const struct scan *other) {
  if (other != NULL) {
    scan->from = other->from;
    scan->count = other->count;
    scan->signs = other->signs;
    scan->rest = other->rest;
    scan->warming = other->warming;
  } else {
    int rc = find_chunks(scan);
    if (rc) return rc;
  }
  if (codes_query_init(&scan->query, scan->codes, scan->run->direction) != STATUS_OK) fail_nomem(scan->run->call);
  return scan->run->call->failed;
}

void scan_end(struct scan *scan) {
  for (int rest = 0; rest < 2; rest++) store_reader_close(&scan->readers[rest]);
  if (scan->stamps != NULL) {
    cache_release_all(scan->count, scan->signs);
    cache_release_all(scan->count, scan->rest);
  }
  sqlite3_free(scan->stamps);
  sqlite3_free(scan->waiting);
  sqlite3_free(scan->spare_memory);
  sqlite3_free(scan->spare_signs_memory);
  codes_query_clear(&scan->query);
}

void scan_init(struct scan *scan, struct run *run, const struct rowids *rowids, size_t width,
               struct candidates *candidates) {
  double factor = run->search->error_factor;
  *scan = (struct scan){.run = run,
                        .codes = &run->generation->codes,
                        .found = candidates,
                        .rowids = rowids,
                        .is_filtered = !rowids_are_all(rowids)};
  for (int rest = 0; rest < 2; rest++)
    scan->readers[rest] = (struct store_reader){.store = &run->index->store, .codes = scan->codes, .rest = rest};
  *candidates = (struct candidates){.margin = factor * scan->codes->error};
  topk_init(&candidates->best, width);
  scan->margin_signs = factor * scan->codes->error_signs;
  raise_least(scan);
}

int scan_finish(struct scan *scan) {
  if (estimate_waiting(scan, 0, &scan->least_signs) == 0) candidates_compact(scan->found, scan->least);
  return scan->run->call->failed;
}

int scan_find(struct run *run, const struct rowids *rowids, size_t width, struct candidates *candidates) {
  struct scan scan;
  scan_init(&scan, run, rowids, width, candidates);
  if (scan_begin(&scan, NULL) == 0 && scan_chunks(&scan) == 0) scan_finish(&scan);
  scan_end(&scan);
  return run->call->failed;
}

/* ---- on a thread ---- */

static int is_loaded(const struct scan *scan, size_t i, int rest) {
  const struct cache_entry *entry = rest ? scan->rest[i] : scan->signs[i];
  size_t size = rest ? scan->codes->rest_bytes : scan->codes->signs_bytes;
  return entry != NULL && entry->bytes == blocks_of(chunk_of(scan, i)) * size;
}

int scan_has(const struct scan *scan, size_t from, size_t to) {
  while (from < to && is_loaded(scan, from, 0) && is_loaded(scan, from, 1)) from++;
  return from >= to;
}

int scan_reserve(struct scan *scan, size_t waiting, size_t found) {
  if (reserve_waiting(scan, waiting)) return scan->run->call->failed;
  return candidates_reserve(scan->run->call, scan->found, found);
}
