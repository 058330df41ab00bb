/* See sync.h. */
#include "index/sync.h"

#include <stdlib.h>

#include "host/memory.h"

/* Changes that are written without waiting for the end of the transaction: some megabytes of codes. */
enum { PENDING_MAX = 16384 };

/* ---- one row ---- */

static int is_coded(const struct generation *g, int64_t rowid) {
  return g->model != NULL && rowid <= g->stored.built;
}

/* What the generations are must be known before anything is coded. What is pending says that it is, unless a rollback
** has changed it. */
static int look(struct call *call, struct index *index) {
  if (index->root != 0 && pending_count(&index->pending) > 0) return 0;
  return index_look(call, index);
}

static int add(struct call *call, struct index *index, int generation, int64_t rowid, const struct code *code) {
  size_t bytes = codes_row_bytes(&index->generations[generation].codes);
  if (pending_add(&index->pending, generation, rowid, code, bytes) != STATUS_OK) fail_nomem(call);
  return call->failed;
}

int sync_put(struct call *call, struct index *index, int64_t rowid, const struct vector *v) {
  if (look(call, index)) return call->failed;
  for (int i = 0; i < 2 && !call->failed; i++) {
    struct generation *g = &index->generations[i];
    if (!is_coded(g, rowid)) continue;
    int is_found = v->data != NULL && index_encode(call, index, g, rowid, v);
    if (!call->failed) add(call, index, i, rowid, is_found ? g->code : NULL);
  }
  return pending_count(&index->pending) < PENDING_MAX ? call->failed : sync_flush(call, index);
}

int sync_look(struct call *call, struct index *index, int64_t rowid) {
  struct vector v;
  if (look(call, index)) return call->failed;
  if (!is_coded(&index->generations[0], rowid) && !is_coded(&index->generations[1], rowid)) return 0;
  if (index_fetch(call, index, rowid, &v)) return call->failed;
  sync_put(call, index, rowid, &v);
  index_fetch_done(index, &v);
  return call->failed;
}

int sync_remove(struct call *call, struct index *index, int64_t rowid) {
  struct vector none = {0};
  return sync_put(call, index, rowid, &none);
}

/* ---- a chunk ---- */

/* A chunk that is being changed, and its place in the dir. */
struct edit {
  struct call *call;
  struct index *index;
  struct generation *g;
  size_t place;
  struct chunk chunk;
};

/* A number that no chunk has, written or not. */
static int64_t new_number(const struct index *index) {
  int64_t number = 0;
  for (int i = 0; i < 2; i++) {
    const struct dir *dir = &index->generations[i].dir;
    for (size_t c = 0; c < dir->count; c++)
      if (dir->chunks[c].number > number) number = dir->chunks[c].number;
  }
  return number + 1;
}

/* A new chunk in the dir at edit->place, empty. */
static int begin_new(struct edit *e, int64_t first) {
  struct dir_chunk entry = {.number = new_number(e->index), .first = first};
  if (chunk_init(&e->chunk, &e->g->codes, entry.number) != STATUS_OK) return fail_nomem(e->call), e->call->failed;
  return dir_insert(e->call, &e->g->dir, e->place, &entry);
}

static int begin(struct edit *e, int64_t rowid, int is_behind) {
  struct dir *dir = &e->g->dir;
  e->place = 0;
  if (dir->count == 0) return begin_new(e, rowid);
  e->place = dir_place(dir, rowid);
  if (is_behind && e->place + 1 == dir->count && dir->chunks[e->place].count >= (int64_t)e->g->full &&
      dir->chunks[e->place].first < rowid) {
    e->place++;
    return begin_new(e, rowid);
  }
  return store_chunk(e->call, &e->index->store, &e->g->codes, &dir->chunks[e->place], &e->chunk);
}

/* Writes the chunk, and lets go of it. */
static int end(struct edit *e) {
  struct dir_chunk *entry = &e->g->dir.chunks[e->place];
  if (!e->call->failed && (e->chunk.count == 0 || e->chunk.dirty != 0 || e->chunk.count != (size_t)entry->count)) {
    store_save(e->call, &e->index->store, e->g->stored.id, &e->chunk, entry);
    if (e->chunk.count == 0) dir_remove(&e->g->dir, e->place);
  }
  chunk_clear(&e->chunk);
  return e->call->failed;
}

/* The lower half stays in the chunk, the upper one begins another; goes on with the one that the rowid belongs to. */
static int split(struct edit *e, int64_t rowid) {
  struct edit upper = {.call = e->call, .index = e->index, .g = e->g, .place = e->place + 1};
  struct dir *dir = &e->g->dir;
  int64_t last;
  if (begin_new(&upper, 0) == 0) {
    chunk_split(&e->chunk, &upper.chunk);
    chunk_range(&upper.chunk, &dir->chunks[upper.place].first, &last);
    store_save(e->call, &e->index->store, e->g->stored.id, &upper.chunk, &dir->chunks[upper.place]);
  }
  if (!e->call->failed && rowid >= dir->chunks[upper.place].first) {
    end(e);
    *e = upper;
  } else {
    chunk_clear(&upper.chunk);
  }
  return e->call->failed;
}

/* A row for a full chunk. Behind its last one it begins a chunk, so that rows that come in order fill chunks; before it
** there may be room beyond that. */
static int make_room(struct edit *e, int64_t rowid) {
  int64_t first, last;
  chunk_range(&e->chunk, &first, &last);
  if (rowid < last) return e->chunk.count < CHUNK_ROWS ? 0 : split(e, rowid);
  if (end(e)) return e->call->failed;
  e->place++;
  return begin_new(e, rowid);
}

static int put(struct edit *e, const struct code *row) {
  if (e->chunk.count >= e->g->full && chunk_find(&e->chunk, row->rowid) == SIZE_MAX && make_room(e, row->rowid))
    return e->call->failed;
  chunk_put(&e->chunk, row);
  struct dir_chunk *entry = &e->g->dir.chunks[e->place];
  if (row->rowid < entry->first) entry->first = row->rowid;
  return 0;
}

/* Whether a row belongs to the chunk that is being changed, or to none that is there. */
static int is_here(const struct edit *e, int64_t rowid) {
  const struct dir *dir = &e->g->dir;
  return e->place + 1 >= dir->count || rowid < dir->chunks[e->place + 1].first;
}

int sync_apply(struct call *call, struct index *index, struct generation *g, const struct sync_rows *rows) {
  struct edit e = {.call = call, .index = index, .g = g};
  for (size_t i = 0; i < rows->count && !call->failed;) {
    if (begin(&e, rows->list[i].rowid, rows->are_behind)) break;
    do {
      const struct sync_row *row = &rows->list[i++];
      if (row->code != NULL)
        put(&e, row->code);
      else
        chunk_remove(&e.chunk, row->rowid);
    } while (i < rows->count && !call->failed && is_here(&e, rows->list[i].rowid));
    end(&e);
  }
  chunk_clear(&e.chunk);
  return call->failed;
}

/* The rows of a chunk join those of the one before it. */
static int join(struct edit *e, struct edit *next) {
  struct code *row = sqlite3_malloc64(codes_row_bytes(&e->g->codes));
  if (row == NULL) return fail_nomem(e->call), e->call->failed;
  for (size_t i = 0; i < next->chunk.count; i++) {
    struct code_block block = chunk_block(&next->chunk, i / CODES_BLOCK);
    codes_get(&e->g->codes, &block, i % CODES_BLOCK, row);
    chunk_put(&e->chunk, row);
  }
  sqlite3_free(row);
  while (next->chunk.count > 0) {
    struct code_block block = chunk_block(&next->chunk, 0);
    chunk_remove(&next->chunk, codes_rowid(block.rest, 0));
  }
  return 0;
}

static int optimize(struct call *call, struct index *index, struct generation *g) {
  struct dir *dir = &g->dir;
  for (size_t i = 0; i + 1 < dir->count && !call->failed; i++)
    while (i + 1 < dir->count && dir->chunks[i].count + dir->chunks[i + 1].count <= CHUNK_ROWS && !call->failed) {
      struct edit e = {.call = call, .index = index, .g = g, .place = i}, next = e;
      next.place = i + 1;
      if (store_chunk(call, &index->store, &g->codes, &dir->chunks[i], &e.chunk) == 0 &&
          store_chunk(call, &index->store, &g->codes, &dir->chunks[i + 1], &next.chunk) == 0)
        join(&e, &next);
      end(&next);
      end(&e);
    }
  return call->failed;
}

int sync_optimize(struct call *call, struct index *index) {
  for (int i = 0; i < 2 && !call->failed; i++) optimize(call, index, &index->generations[i]);
  return call->failed ? call->failed : index_touch(call, index);
}

/* ---- what is pending ---- */

struct ordered {
  int64_t rowid;
  int generation;
  size_t order;
  const struct code *code;
};

static int compare(const void *a, const void *b) {
  const struct ordered *x = a, *y = b;
  if (x->generation != y->generation) return x->generation < y->generation ? -1 : 1;
  if (x->rowid != y->rowid) return x->rowid < y->rowid ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

/* The last change of each rowid, those of generation 0 first; counts those of each. */
static void last_of_each(struct ordered *all, size_t count, struct sync_row *list, size_t counts[2]) {
  size_t kept = 0;
  qsort(all, count, sizeof *all, compare);
  for (size_t i = 0; i < count; i++) {
    const struct ordered *c = &all[i];
    if (i + 1 < count && all[i + 1].rowid == c->rowid && all[i + 1].generation == c->generation) continue;
    list[kept++] = (struct sync_row){c->rowid, c->code};
    counts[c->generation]++;
  }
}

static int apply_pending(struct call *call, struct index *index, struct ordered *all, struct sync_row *list) {
  size_t count = pending_count(&index->pending), counts[2] = {0};
  for (size_t i = 0; i < count; i++) {
    const struct change *c = pending_at(&index->pending, i);
    all[i] = (struct ordered){c->rowid, c->generation, i, pending_code(c)};
  }
  last_of_each(all, count, list, counts);
  store_gather_begin(&index->store);
  for (int i = 0; i < 2 && !call->failed; i++) {
    struct sync_rows rows = {.count = counts[i], .list = list + (i ? counts[0] : 0)};
    sync_apply(call, index, &index->generations[i], &rows);
  }
  return store_gather_end(call, &index->store);
}

static int write_pending(struct call *call, struct index *index) {
  size_t count = pending_count(&index->pending);
  if (index_look(call, index)) return call->failed;
  struct ordered *all = memory_array(&sqlite_memory, count, sizeof *all);
  struct sync_row *list = memory_array(&sqlite_memory, count, sizeof *list);
  if (all == NULL || list == NULL)
    fail_nomem(call);
  else if (apply_pending(call, index, all, list) == 0)
    index_touch(call, index);
  sqlite3_free(all);
  sqlite3_free(list);
  if (!call->failed) pending_applied(&index->pending);
  return call->failed;
}

/* What this one has. The user's last rowid stays what it is. */
static int flush(struct call *call, struct index *index) {
  int64_t last = sqlite3_last_insert_rowid(index->db);
  if (index_write(call, index)) return call->failed;
  write_pending(call, index);
  index_written(call, index);
  sqlite3_set_last_insert_rowid(index->db, last);
  return call->failed;
}

/* The one that was opened first has the oldest changes, and is the last of the list, which may change meanwhile: SQLite
** closes what it opened before the schema changed, in any statement. */
int sync_flush(struct call *call, struct index *index) {
  struct index *oldest;
  do {
    oldest = NULL;
    for (struct index *i = index->connection->indexes; i != NULL; i = i->next)
      if (pending_count(&i->pending) > 0 && index_is_same(i, index)) oldest = i;
  } while (oldest != NULL && flush(call, oldest) == 0);
  return call->failed;
}

int sync_refresh(struct call *call, struct index *index) {
  return sync_flush(call, index) ? call->failed : index_look(call, index);
}

int sync_ready(struct call *call, struct index *index) {
  if (sync_refresh(call, index)) return call->failed;
  if (index->generations[0].model == NULL && index_find_content(call, index) == 0)
    fail(call, "the index is not built, expected rows in '%s' and INSERT INTO %s(%s) VALUES ('build')",
         index->content_name, index->name, index->name);
  return call->failed;
}
