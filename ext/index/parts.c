/* The directory and the chunks of an index: see store.h. */
#include <string.h>

#include "host/memory.h"
#include "index/statements.h"

/* More than there can be, of rowids in 64 bits. */
static const int64_t MOST_CHUNKS = INT64_MAX / 2;

/* Of what is gathered. */
enum { GATHERED_BYTES = 4 << 20 };

/* ---- the directory ---- */

void dir_clear(struct dir *dir) {
  sqlite3_free(dir->chunks);
  *dir = (struct dir){0};
}

size_t dir_place(const struct dir *dir, int64_t rowid) {
  size_t low = 0, high = dir->count;
  while (high - low > 1) {
    size_t middle = low + (high - low) / 2;
    if (dir->chunks[middle].first <= rowid)
      low = middle;
    else
      high = middle;
  }
  return low;
}

int64_t dir_rows(const struct dir *dir) {
  int64_t rows = 0;
  for (size_t i = 0; i < dir->count; i++) rows += dir->chunks[i].count;
  return rows;
}

int dir_insert(struct call *call, struct dir *dir, size_t place, const struct dir_chunk *chunk) {
  if (dir->count == dir->capacity) {
    size_t capacity = dir->capacity ? 2 * dir->capacity : 16;
    struct dir_chunk *chunks = sqlite3_realloc64(dir->chunks, capacity * sizeof *chunks);
    if (chunks == NULL) return fail_nomem(call), call->failed;
    dir->chunks = chunks;
    dir->capacity = capacity;
  }
  memmove(dir->chunks + place + 1, dir->chunks + place, (dir->count - place) * sizeof *chunk);
  dir->chunks[place] = *chunk;
  dir->count++;
  return 0;
}

void dir_remove(struct dir *dir, size_t place) {
  dir->count--;
  memmove(dir->chunks + place, dir->chunks + place + 1, (dir->count - place) * sizeof *dir->chunks);
}

int store_dir(struct call *call, struct store *store, int64_t generation, struct dir *dir) {
  sqlite3_stmt *s = statement_of(call, store, DIR);
  dir->count = 0;
  if (s != NULL) sqlite3_bind_int64(s, 1, generation);
  while (statement_step(call, store, s)) {
    struct dir_chunk chunk = {sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1), sqlite3_column_int64(s, 2),
                              sqlite3_column_int64(s, 3)};
    if (chunk.number < 1 || chunk.number > MOST_CHUNKS)
      fail(call,
           "chunk %lld of '%s' has no number that a chunk can have: %s_dir is damaged; 'rebuild' makes it anew",
           (long long)chunk.number, store->name, store->name);
    else if (chunk.count < 1 || chunk.count > CHUNK_ROWS)
      fail(call, "chunk %lld of '%s' has %lld rows, expected 1 to %d: %s_dir is damaged; 'rebuild' makes it anew",
           (long long)chunk.number, store->name, (long long)chunk.count, CHUNK_ROWS, store->name);
    else if (dir->count > 0 && chunk.first <= dir->chunks[dir->count - 1].first)
      fail(call, "chunk %lld of '%s' begins where another does: %s_dir is damaged; 'rebuild' makes it anew",
           (long long)chunk.number, store->name, store->name);
    else
      dir_insert(call, dir, dir->count, &chunk);
  }
  return statement_reset(call, s);
}

/* ---- chunks ---- */

static void fail_damaged(struct call *call, const struct store *store, const struct chunk_part *part) {
  fail(call, "chunk %lld of '%s' is damaged in %s_%s: 'rebuild' makes it anew", (long long)part->number,
       store->name, store->name, part->rest ? "rest" : "signs");
}

/* A part as a new BLOB, `data` from sqlite3_malloc64, which is freed. */
static int put_part(struct call *call, struct store *store, int rest, struct store_rest *part) {
  sqlite3_stmt *s = statement_of(call, store, rest ? PUT_REST : PUT_SIGNS);
  if (s != NULL) {
    sqlite3_bind_int64(s, 1, part->number);
    sqlite3_bind_blob64(s, 2, part->data, part->bytes, SQLITE_STATIC);
    statement_step(call, store, s);
    statement_reset(call, s);
  }
  sqlite3_free(part->data);
  part->data = NULL;
  return call->failed;
}

/* What is gathered: before anything else is done with a rest. */
static int write_gathered(struct call *call, struct store *store) {
  struct store_gathered *g = &store->gathered;
  for (size_t i = 0; i < g->count; i++) put_part(call, store, 1, &g->list[i]);
  g->count = g->bytes = 0;
  return call->failed;
}

/* Opens the BLOB of a part; or, if *blob is open, this one instead of the other. */
static int open_blob(struct call *call, struct store *store, const struct chunk_part *part, int write,
                     sqlite3_blob **blob) {
  int rc = SQLITE_NOMEM;
  if (part->rest && write_gathered(call, store)) return call->failed;
  if (*blob != NULL) {
    rc = sqlite3_blob_reopen(*blob, part->number);
  } else {
    char *table = sqlite3_mprintf("%s_%s", store->name, part->rest ? "rest" : "signs");
    if (table != NULL) rc = sqlite3_blob_open(store->db, store->schema, table, "data", part->number, write, blob);
    sqlite3_free(table);
  }
  if (rc == SQLITE_ERROR)
    fail_damaged(call, store, part);
  else if (rc != SQLITE_OK)
    fail_sqlite(call, rc, store->db);
  return call->failed;
}

static int read_block(struct call *call, struct store_reader *r, const struct chunk_part *part, size_t block,
                      unsigned char *out) {
  size_t size = chunk_stored_bytes(part->codes, part->rest, 1);
  int is_there = (size_t)sqlite3_blob_bytes(r->blob) >= (block + 1) * size;
  if (is_there && sqlite3_blob_read(r->blob, r->stored, (int)size, (int)(block * size)) != SQLITE_OK)
    fail_sqlite(call, sqlite3_errcode(r->store->db), r->store->db);
  else if (!is_there || chunk_read_blocks(part, block, 1, r->stored, out) != STATUS_OK)
    fail_damaged(call, r->store, part);
  return call->failed;
}

int store_read(struct call *call, struct store_reader *r, int64_t number, size_t first, size_t blocks,
               unsigned char *out) {
  struct chunk_part part = {r->codes, number, r->rest};
  if (r->stored == NULL) r->stored = sqlite3_malloc64(chunk_stored_bytes(r->codes, r->rest, 1));
  if (r->stored == NULL) return fail_nomem(call), call->failed;
  if (r->number != number && open_blob(call, r->store, &part, 0, &r->blob)) return call->failed;
  r->number = number;
  for (size_t i = 0; i < blocks; i++, out += r->rest ? r->codes->rest_bytes : r->codes->signs_bytes)
    if (read_block(call, r, &part, first + i, out)) break;
  return call->failed;
}

void store_reader_close(struct store_reader *r) {
  sqlite3_blob_close(r->blob);
  sqlite3_free(r->stored);
  r->blob = NULL;
  r->stored = NULL;
  r->number = 0;
}

/* ---- to be changed ---- */

/* Of a part so many blocks as *stored says, which receives how many there are. */
static int read_part(struct call *call, struct store *store, const struct chunk_part *part, unsigned char *out,
                     size_t *stored) {
  size_t wanted = *stored;
  if (part->rest && write_gathered(call, store)) return call->failed;
  sqlite3_stmt *s = statement_of(call, store, part->rest ? GET_REST : GET_SIGNS);
  size_t size = chunk_stored_bytes(part->codes, part->rest, 1), bytes = 0;
  const void *data = NULL;
  if (s != NULL) sqlite3_bind_int64(s, 1, part->number);
  if (statement_step(call, store, s) && sqlite3_column_type(s, 0) == SQLITE_BLOB) {
    data = sqlite3_column_blob(s, 0);
    bytes = (size_t)sqlite3_column_bytes(s, 0);
    if (data == NULL && bytes > 0) fail_nomem(call);
  }
  *stored = bytes / size;
  if (!call->failed && (data == NULL || bytes % size != 0 || *stored < wanted ||
                        chunk_read_blocks(part, 0, wanted, data, out) != STATUS_OK))
    fail_damaged(call, store, part);
  return statement_reset(call, s);
}

int store_chunk(struct call *call, struct store *store, const struct codes *codes, const struct dir_chunk *of,
                struct chunk *chunk) {
  struct chunk_part signs = {codes, of->number, 0}, rest = {codes, of->number, 1};
  size_t stored_signs = chunk_blocks((size_t)of->count), stored_rest = stored_signs;
  if (chunk_init(chunk, codes, of->number) != STATUS_OK) return fail_nomem(call), call->failed;
  if (read_part(call, store, &signs, chunk->signs, &stored_signs) == 0)
    read_part(call, store, &rest, chunk->rest, &stored_rest);
  if (!call->failed && stored_signs != stored_rest) fail_damaged(call, store, &rest);
  chunk->count = (size_t)of->count;
  chunk->stored_blocks = stored_signs;
  if (call->failed) chunk_clear(chunk);
  return call->failed;
}

/* ---- writing ---- */

/* The dirty blocks of a part into the BLOB that is there. */
static int write_blocks(struct call *call, struct store *store, const struct chunk *chunk,
                        const struct chunk_part *part) {
  size_t size = chunk_stored_bytes(part->codes, part->rest, 1), blocks = chunk_blocks(chunk->count);
  unsigned char *stored = sqlite3_malloc64(size);
  sqlite3_blob *blob = NULL;
  if (stored == NULL)
    fail_nomem(call);
  else if (open_blob(call, store, part, 1, &blob) == 0)
    store->writes++;
  for (size_t b = 0; b < blocks && !call->failed; b++) {
    if (!(chunk->dirty >> b & 1)) continue;
    chunk_write_block(chunk, part->rest, b, stored);
    if (sqlite3_blob_write(blob, stored, (int)size, (int)(b * size)) != SQLITE_OK)
      fail_sqlite(call, sqlite3_errcode(store->db), store->db);
  }
  sqlite3_blob_close(blob);
  sqlite3_free(stored);
  return call->failed;
}

/* All blocks of a part. */
static int write_part(struct call *call, struct store *store, const struct chunk *chunk,
                      const struct chunk_part *part) {
  struct store_gathered *g = &store->gathered;
  size_t size = chunk_stored_bytes(part->codes, part->rest, 1), blocks = chunk_blocks(chunk->count);
  struct store_rest new = {part->number, size * blocks, sqlite3_malloc64(size * blocks)};
  if (new.data == NULL) return fail_nomem(call), call->failed;
  for (size_t b = 0; b < blocks; b++) chunk_write_block(chunk, part->rest, b, new.data + b *size);
  if (!g->is_on || !part->rest) return put_part(call, store, part->rest, &new);
  g->list[g->count++] = new;
  g->bytes += new.bytes;
  return g->count < STORE_GATHERED && g->bytes < GATHERED_BYTES ? call->failed : write_gathered(call, store);
}

void store_gather_begin(struct store *store) {
  store->gathered.is_on = 1;
}

int store_gather_end(struct call *call, struct store *store) {
  store->gathered.is_on = 0;
  return write_gathered(call, store);
}

static int drop_chunk(struct call *call, struct store *store, int64_t number) {
  write_gathered(call, store);
  statement_run(call, store, DROP_DIR, 1, &number);
  statement_run(call, store, DROP_SIGNS, 1, &number);
  return statement_run(call, store, DROP_REST, 1, &number);
}

/* A chunk that has lost a row or two keeps its last block: rows come and go at the edge of a block. */
int store_save(struct call *call, struct store *store, int64_t generation, struct chunk *chunk,
               struct dir_chunk *of) {
  of->count = (int64_t)chunk->count;
  if (chunk->count == 0) return chunk->stored_blocks > 0 ? drop_chunk(call, store, of->number) : call->failed;
  size_t blocks = chunk_blocks(chunk->count);
  int fits = blocks <= chunk->stored_blocks && blocks + 1 >= chunk->stored_blocks;
  for (int rest = 0; rest < 2 && !call->failed; rest++) {
    struct chunk_part part = {chunk->codes, of->number, rest};
    if (fits)
      write_blocks(call, store, chunk, &part);
    else
      write_part(call, store, chunk, &part);
  }
  of->stamp = new_stamp();
  int64_t row[] = {of->number, generation, of->first, of->count, of->stamp};
  if (statement_run(call, store, PUT_DIR, 5, row)) return call->failed;
  chunk->dirty = 0;
  if (!fits) chunk->stored_blocks = blocks;
  return 0;
}
