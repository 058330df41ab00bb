/* See check.h. The content is read range by range, as the chunks divide it. */
#include "index/check.h"

#include <stdlib.h>
#include <string.h>

#include "host/memory.h"
#include "index/sync.h"

/* A row of the chunk that is looked at. */
struct place {
  int64_t rowid;
  size_t place;
  int is_seen;
};

struct check {
  struct call *call;
  struct index *index;
  struct generation *g;
  enum check_what what;
  struct chunk chunk;
  struct place places[CHUNK_ROWS]; /* its rows, by rowid */
  struct code *stored;             /* one of them */
  size_t count;                    /* rows to be mended */
  struct sync_row list[CHUNK_ROWS];
  char *codes; /* of these, codes_row_bytes apart */
};

static int compare(const void *a, const void *b) {
  int64_t x = ((const struct place *)a)->rowid, y = ((const struct place *)b)->rowid;
  return x < y ? -1 : x > y;
}

/* ---- a chunk ---- */

static void fail_place(struct check *c, int64_t rowid, const char *what) {
  fail(c->call, "chunk %lld of '%s' has rowid %lld %s: 'rebuild' makes it anew", (long long)c->chunk.number,
       c->index->name, (long long)rowid, what);
}

/* Loads the chunk that a rowid belongs to; its rowids must be of its range, each once. */
static int load(struct check *c, size_t place, const struct rowids *range) {
  const struct dir *dir = &c->g->dir;
  c->chunk.count = 0;
  if (dir->count == 0) return 0;
  if (store_chunk(c->call, &c->index->store, &c->g->codes, &dir->chunks[place], &c->chunk)) return c->call->failed;
  for (size_t i = 0; i < c->chunk.count; i++) {
    struct code_block block = chunk_block(&c->chunk, i / CODES_BLOCK);
    c->places[i] = (struct place){codes_rowid(block.rest, i % CODES_BLOCK), i, 0};
  }
  qsort(c->places, c->chunk.count, sizeof *c->places, compare);
  for (size_t i = 0; i < c->chunk.count && !c->call->failed; i++) {
    int64_t rowid = c->places[i].rowid;
    if (rowid < range->first || rowid > range->last) fail_place(c, rowid, "beyond its range");
    if (i > 0 && rowid == c->places[i - 1].rowid) fail_place(c, rowid, "twice");
  }
  return c->call->failed;
}

static int compare_rows(const void *a, const void *b) {
  int64_t x = ((const struct sync_row *)a)->rowid, y = ((const struct sync_row *)b)->rowid;
  return x < y ? -1 : x > y;
}

/* Rows of the content come first in the list, then those that it has not. */
static int mend(struct check *c) {
  struct sync_rows rows = {.count = c->count, .list = c->list};
  qsort(c->list, c->count, sizeof *c->list, compare_rows);
  c->count = 0;
  return sync_apply(c->call, c->index, c->g, &rows);
}

/* A row is not in step: its code should be this one, or none. */
static int report(struct check *c, int64_t rowid, const struct code *code) {
  if (c->what != CHECK_MEND) {
    c->call->rowid = &rowid;
    fail(c->call,
         code == NULL
             ? "%s is coded, expected no code of what '%s' has not: 'sync' codes what has changed"
             : "%s is not coded as it is, expected the code of what '%s' has: 'sync' codes what has changed",
         c->index->arguments.column, c->index->content_name);
    c->call->rowid = NULL;
    return c->call->failed;
  }
  size_t bytes = codes_row_bytes(&c->g->codes);
  struct code *copy = (struct code *)(void *)(c->codes + bytes * c->count);
  if (code != NULL) memcpy(copy, code, bytes);
  c->list[c->count++] = (struct sync_row){rowid, code != NULL ? copy : NULL};
  return c->count == CHUNK_ROWS ? mend(c) : 0;
}

/* ---- its rows in the content ---- */

/* Two codes of one rowid; between their fields there may be anything. */
static int is_same(const struct codes *codes, struct code *a, struct code *b) {
  return a->signs_factor == b->signs_factor && a->factor == b->factor && a->norm == b->norm &&
         memcmp(code_signs(a), code_signs(b), 5 * codes->bytes) == 0;
}

/* The row of the content against its code. */
static int check_row(struct check *c, int64_t rowid, const struct vector *v) {
  int has_code = v->data != NULL && index_encode(c->call, c->index, c->g, rowid, v);
  struct place key = {.rowid = rowid};
  if (c->call->failed) return c->call->failed;
  struct place *found = bsearch(&key, c->places, c->chunk.count, sizeof key, compare);
  if (found != NULL) {
    struct code_block block = chunk_block(&c->chunk, found->place / CODES_BLOCK);
    found->is_seen = has_code;
    codes_get(&c->g->codes, &block, found->place % CODES_BLOCK, c->stored);
    if (has_code && is_same(&c->g->codes, c->stored, c->g->code)) return 0;
  }
  return has_code ? report(c, rowid, c->g->code) : 0;
}

/* A chunk and the rows of the content in its range. */
static int check_range(struct check *c, size_t place, const struct rowids *range) {
  struct source *content = &c->index->content;
  size_t d = c->g->bare.header.d;
  struct vector v;
  if (load(c, place, range) == 0 && c->what != CHECK_CHUNKS && source_start(c->call, content, range) == 0) {
    while (!c->call->failed && source_next(c->call, content, &d, &v)) {
      c->call->rowid = &content->rowid;
      check_row(c, content->rowid, &v);
      c->call->rowid = NULL;
      vector_free(&v);
    }
    source_start(c->call, content, NULL);
  }
  for (size_t i = 0; c->what != CHECK_CHUNKS && i < c->chunk.count && !c->call->failed; i++)
    if (!c->places[i].is_seen) report(c, c->places[i].rowid, NULL);
  chunk_clear(&c->chunk);
  return c->call->failed ? c->call->failed : mend(c);
}

/* What a chunk divides off: from its first rowid - the first chunk from the beginning - to the next one's. */
static struct rowids range_of(const struct generation *g, size_t place, int64_t from) {
  struct rowids range = rowids_all();
  range.first = from;
  range.last = place + 1 < g->dir.count ? g->dir.chunks[place + 1].first - 1 : g->stored.built;
  return range;
}

static void check_generation(struct check *c) {
  int64_t from = INT64_MIN;
  for (int more = 1; more && !c->call->failed;) {
    size_t place = c->g->dir.count > 0 ? dir_place(&c->g->dir, from) : 0;
    struct rowids range = range_of(c->g, place, from);
    if (range.last < range.first) {
      fail(c->call, "chunks of '%s' overlap: 'rebuild' makes them anew", c->index->name);
      return;
    }
    more = range.last < c->g->stored.built;
    check_range(c, place, &range);
    from = more ? range.last + 1 : from;
  }
}

/* What no generation has, and so nothing reads. */
static void check_orphans(struct call *call, struct index *index, int mends) {
  int64_t chunk;
  if (mends)
    store_sweep(call, &index->store);
  else if (store_orphan(call, &index->store, &chunk) == 0 && chunk != 0)
    fail(call, "chunk %lld of '%s' is in one of its tables only: 'sync' removes it", (long long)chunk,
         index->name);
}

int check_index(struct call *call, struct index *index, enum check_what what) {
  int mends = what == CHECK_MEND;
  struct check *c = sqlite3_malloc64(sizeof *c);
  if (c == NULL) return fail_nomem(call), call->failed;
  memset(c, 0, sizeof *c);
  *c = (struct check){.call = call, .index = index, .what = what};
  for (int i = 0; i < 2 && !call->failed; i++) {
    c->g = &index->generations[i];
    if (c->g->model == NULL || c->g->stored.built == INT64_MIN) continue;
    size_t bytes = codes_row_bytes(&c->g->codes);
    c->codes = memory_array(&sqlite_memory, CHUNK_ROWS + 1, bytes);
    if (c->codes == NULL)
      fail_nomem(call);
    else
      c->stored = (struct code *)(void *)(c->codes + CHUNK_ROWS * bytes);
    if (!call->failed && (what == CHECK_CHUNKS || index_open_content(call, index) == 0)) check_generation(c);
    sqlite3_free(c->codes);
  }
  sqlite3_free(c);
  check_orphans(call, index, mends);
  if (mends && !call->failed) index_touch(call, index);
  return call->failed;
}
