/* See build.h. */
#include "index/build.h"

#include <string.h>

#include "core/vector.h"
#include "core/workers.h"
#include "host/memory.h"
#include "index/sync.h"

/* ---- the model ---- */

/* The statement that makes or takes the model, which is sought in the index's schema first; NULL without memory. */
static char *model_sql(const struct index *index) {
  const struct arguments *a = &index->arguments;
  if (a->model != NULL && sqlite3_table_column_metadata(index->db, index->schema, "whitening", "model", NULL, NULL,
                                                        NULL, NULL, NULL) == SQLITE_OK)
    return sqlite3_mprintf("SELECT model FROM \"%w\".whitening WHERE name = %Q", index->schema, a->model);
  if (a->model != NULL) return sqlite3_mprintf("SELECT model FROM whitening WHERE name = %Q", a->model);
  return sqlite3_mprintf("SELECT whiten_fit(t.\"%w\", %s, %Q) FROM \"%w\".\"%w\" AS t", a->column,
                         a->k ? a->k : "NULL", a->options, index_content_schema(index), index->content_name);
}

/* The model of a statement's row, which is NULL where there are no rows to fit one. */
static void add_model(struct call *call, struct index *index, sqlite3_stmt *s, struct store_generation *g) {
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    fail_sqlite(call, rc, index->db);
  else if (rc == SQLITE_DONE)
    fail(call, "model is '%s', expected the name of a row of the table whitening", index->arguments.model);
  else if (sqlite3_column_type(s, 0) == SQLITE_BLOB)
    store_add_generation(call, &index->store, sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0), g);
  else if (index->arguments.model != NULL)
    fail(call, "model '%s' is not a BLOB, expected a model of whiten_fit", index->arguments.model);
}

int build_begin(struct call *call, struct index *index) {
  struct store_generation g = {.built = INT64_MIN};
  sqlite3_stmt *s = NULL;
  if (index_find_content(call, index)) return call->failed;
  char *sql = model_sql(index);
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK)
    add_model(call, index, s, &g);
  else
    fail_sqlite(call, rc, index->db);
  sqlite3_finalize(s);
  if (call->failed || g.id == 0) return call->failed;
  return index_renew(call, index);
}

/* ---- rows on their way ---- */

/* Rows of a batch at most: it has as many as fill a chunk, so that a build that starts from nothing writes each chunk once;
** elements of it; and rows of a job. */
enum { BATCH = CHUNK_ROWS, BATCH_ELEMENTS = 1 << 21, JOB = 32 };

enum outcome { NOT_FINITE, NO_DIRECTION, CODED };

/* Rows that are read, and, by the workers, coded. */
struct batch {
  size_t count;
  int64_t rowid[BATCH];
  float *rows, *out;            /* rows x d, rows x m */
  unsigned char outcome[BATCH]; /* of enum outcome */
  struct code *codes;           /* codes_row_bytes apart */
};

struct build {
  struct call *call;
  struct index *index;
  struct generation *g;
  struct batch batch[2];
  int coding; /* which batch the workers have */
  struct workers workers;
  int64_t left, last; /* rows to read; the last rowid that was */
  int is_at_end;
  size_t limit; /* rows of a batch */
  struct sync_row list[BATCH];
  void *memory;
};

static struct code *code_of(const struct build *b, const struct batch *batch, size_t row) {
  return (struct code *)(void *)((char *)batch->codes + row * codes_row_bytes(&b->g->codes));
}

/* Rows index * JOB and on; on any thread. */
static void code_rows(void *argument, size_t index) {
  struct build *b = argument;
  struct batch *batch = &b->batch[b->coding];
  const struct whitener *w = &b->g->bare;
  size_t first = index * JOB, d = w->header.d, m = w->header.m;
  size_t count = batch->count - first < JOB ? batch->count - first : JOB;
  float *y = batch->out + first * m;
  whitener_apply_rows(w, count, batch->rows + first * d, y);
  for (size_t i = 0; i < count; i++) {
    struct code *code = code_of(b, batch, first + i);
    code->rowid = batch->rowid[first + i];
    if (vector_find_not_finite(m, y + i * m) < m)
      batch->outcome[first + i] = NOT_FINITE;
    else
      batch->outcome[first + i] = codes_encode(&b->g->codes, y + i * m, code) == STATUS_OK ? CODED : NO_DIRECTION;
  }
}

/* The next rows of the content that have a vector, the mean subtracted. */
static void read_rows(struct build *b, struct batch *batch) {
  size_t d = b->g->bare.header.d;
  struct vector v;
  batch->count = 0;
  while (batch->count < b->limit && b->left > 0 && !b->is_at_end && !b->call->failed) {
    if (!source_next(b->call, &b->index->content, &d, &v)) {
      b->is_at_end = 1;
      break;
    }
    b->left--;
    b->last = b->index->content.rowid;
    if (v.data == NULL) continue;
    batch->rowid[batch->count] = b->last;
    whitener_shift(&b->g->bare, v.data, batch->rows + batch->count++ * d);
    vector_free(&v);
  }
}

/* A row that cannot be coded: read again, for the message. */
static void fail_row(struct build *b, int64_t rowid) {
  struct vector v;
  struct rowids one = {.first = rowid, .last = rowid};
  size_t d = b->g->bare.header.d, place;
  if (source_start(b->call, &b->index->content, &one) || !source_next(b->call, &b->index->content, &d, &v)) return;
  b->call->rowid = &rowid;
  if (whitener_apply(&b->g->bare, v.data, b->g->shifted, b->g->y, &place) != STATUS_OK &&
      !fail_not_finite(b->call, b->index->arguments.column, d, v.data))
    fail_overflow(b->call, "the whitened vector", place);
  b->call->rowid = NULL;
  vector_free(&v);
}

/* The coded rows into chunks. */
static void write_rows(struct build *b, const struct batch *batch) {
  struct sync_rows rows = {.list = b->list, .are_behind = 1};
  for (size_t i = 0; i < batch->count && !b->call->failed; i++) {
    if (batch->outcome[i] == NOT_FINITE)
      fail_row(b, batch->rowid[i]);
    else if (batch->outcome[i] == CODED)
      b->list[rows.count++] = (struct sync_row){batch->rowid[i], code_of(b, batch, i)};
  }
  if (!b->call->failed) sync_apply(b->call, b->index, b->g, &rows);
}

/* While one batch is coded, the next is read. */
static void code_all(struct build *b) {
  int at = 0;
  read_rows(b, &b->batch[at]);
  while (!b->call->failed && b->batch[at].count > 0) {
    b->coding = at;
    workers_submit(&b->workers, code_rows, b, (b->batch[at].count + JOB - 1) / JOB);
    read_rows(b, &b->batch[!at]);
    workers_wait(&b->workers);
    if (!b->call->failed) write_rows(b, &b->batch[at]);
    at = !at;
  }
}

/* ---- a step ---- */

static int allocate(struct build *b) {
  size_t d = b->g->bare.header.d, m = b->g->bare.header.m, bytes = codes_row_bytes(&b->g->codes);
  b->limit = d <= BATCH_ELEMENTS / BATCH ? b->g->full : BATCH_ELEMENTS / d / JOB * JOB;
  size_t rows = b->limit * d * sizeof(float), out = b->limit * m * sizeof(float), codes = b->limit * bytes;
  b->memory = sqlite3_malloc64(63 + 2 * (rows + out + codes));
  if (b->memory == NULL) return fail_nomem(b->call), b->call->failed;
  char *at = memory_align64(b->memory);
  for (int i = 0; i < 2; i++, at += rows + out + codes) {
    b->batch[i].rows = (float *)(void *)at;
    b->batch[i].out = (float *)(void *)(at + rows);
    b->batch[i].codes = (struct code *)(void *)(at + rows + out);
  }
  return 0;
}

static void finish(struct build *b) {
  struct store *store = &b->index->store;
  int64_t built = b->is_at_end ? INT64_MAX : b->last;
  store_set_built(b->call, store, b->g->stored.id, built);
  b->g->stored.built = built;
  if (b->is_at_end && b->g == &b->index->generations[1])
    store_remove_generation(b->call, store, b->index->generations[0].stored.id);
  if (!b->call->failed) index_renew(b->call, b->index);
}

/* The next rows of a generation that is not complete. */
static int code_generation(struct call *call, struct index *index, struct generation *g, int64_t rows) {
  struct rowids behind = rowids_all();
  struct build *b = sqlite3_malloc64(sizeof *b);
  if (b == NULL) return fail_nomem(call), call->failed;
  memset(b, 0, sizeof *b);
  *b = (struct build){.call = call, .index = index, .g = g, .left = rows, .last = g->stored.built};
  if (g->stored.built > INT64_MIN) behind.first = g->stored.built + 1;
  if (allocate(b) == 0 && index_open_content(call, index) == 0 &&
      source_start(call, &index->content, &behind) == 0) {
    workers_init(&b->workers, call->connection->cores);
    store_gather_begin(&index->store);
    code_all(b);
    store_gather_end(call, &index->store);
    workers_clear(&b->workers);
    source_start(call, &index->content, NULL);
    if (!call->failed) finish(b);
  }
  sqlite3_free(b->memory);
  sqlite3_free(b);
  return call->failed;
}

static struct generation *incomplete(struct index *index) {
  for (int i = 1; i >= 0; i--)
    if (index->generations[i].model != NULL && index->generations[i].stored.built != INT64_MAX)
      return &index->generations[i];
  return NULL;
}

int build_step(struct call *call, struct index *index, int64_t rows) {
  if (sync_refresh(call, index)) return call->failed;
  if (index->generations[0].model == NULL && build_begin(call, index)) return call->failed;
  struct generation *g = incomplete(index);
  return g != NULL ? code_generation(call, index, g, rows) : 0;
}

/* What is damaged must not keep what would mend it from being made: nothing of it stays. */
static int empty(struct call *call, struct index *index) {
  if (store_empty(call, &index->store)) return call->failed;
  for (struct index *i = index->connection->indexes; i != NULL; i = i->next) {
    if (!index_is_same(i, index)) continue;
    pending_applied(&i->pending);
    if (i != index) pending_written(&i->pending);
  }
  return index_renew(call, index);
}

/* Before a rebuild from the beginning to the end, in place of sync_refresh: one that has begun goes. */
static int begin_anew(struct call *call, struct index *index) {
  char *ignored = NULL;
  index_forget(index);
  struct call trial = call_of_table(call->function, call->connection, &ignored);
  sync_refresh(&trial, index);
  sqlite3_free(ignored);
  if (trial.failed == SQLITE_ERROR) return empty(call, index);
  if (sync_refresh(call, index) || store_sweep(call, &index->store)) return call->failed;
  if (index->generations[1].model == NULL) return 0;
  if (store_remove_generation(call, &index->store, index->generations[1].stored.id)) return call->failed;
  return index_renew(call, index);
}

int build_again(struct call *call, struct index *index, int64_t rows) {
  if (rows == INT64_MAX ? begin_anew(call, index) : sync_refresh(call, index)) return call->failed;
  if (index->generations[0].model != NULL && index->generations[1].model == NULL && build_begin(call, index))
    return call->failed;
  return build_step(call, index, rows);
}
