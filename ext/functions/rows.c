/*
** whiten_rows(model, table, column): a whole column through a model, in rowid order.
**
** Rows are read ahead into a block, whose slices the workers transform as soon as they are full, while the rows of the
** block before are handed out. Blocks start small, so that LIMIT is cheap. An error in a row that was read ahead waits until the rows before
** it have been handed out. The connection is touched by the calling thread alone.
*/
#include <string.h>

#include "../core/kernel.h"
#include "../core/vector.h"
#include "../core/workers.h"
#include "models.h"
#include "source.h"
#include "tables.h"

enum { ROWID, VECTOR, MODEL };
enum { SLICE = 64, FIRST_BLOCK = SLICE, LARGEST_BLOCK = 512, BLOCK_ELEMENTS = 1 << 20 };

static const char *const ARGUMENTS[] = {"model", "table", "column", NULL};

/* Rows on their way: read, then transformed, then handed out. */
struct block {
  size_t count, vectors;      /* rows; those of them that are not NULL */
  size_t slice_rows[LARGEST_BLOCK / SLICE]; /* written before the slice is handed to the workers */
  int64_t rowid[LARGEST_BLOCK];
  size_t place[LARGEST_BLOCK]; /* of the row's vector, or SIZE_MAX */
  float *in, *out;            /* vectors x d, vectors x m */
  float *interleaved;         /* a slice after the other */
};

struct cursor {
  sqlite3_vtab_cursor base;
  struct shared_model *model;
  struct source source;
  struct workers workers;
  struct block blocks[2];
  int current;           /* the block that is handed out; the other one is under way */
  size_t row;            /* of the current block */
  size_t capacity, largest; /* rows of the next block to read; of the blocks to come */
  int at_end;            /* the source is */
  int failed;            /* why it ended early: an error that waits, with its message */
  char *message;
};

/* Runs on a worker: a slice of the block under way. */
static void transform_slice(void *argument, size_t index) {
  struct cursor *cursor = argument;
  struct block *block = &cursor->blocks[!cursor->current];
  const struct whitener *w = &cursor->model->whitener;
  size_t first = index * SLICE;
  whitener_apply_rows(w, block->slice_rows[index], block->in + first * w->header.d,
                      block->interleaved + first * w->header.d, block->out + first * w->header.m);
}

/* Hands the workers the slice that ends with the vector read last. */
static void start_slice(struct cursor *cursor, struct block *block) {
  size_t index = (block->vectors - 1) / SLICE;
  block->slice_rows[index] = block->vectors - index * SLICE;
  workers_add(&cursor->workers);
}

static int read_row(struct call *call, struct cursor *cursor, struct block *block) {
  struct vector v;
  size_t d = cursor->model->whitener.header.d;
  if (!source_next(call, &cursor->source, &d, &v)) {
    cursor->at_end = 1;
    return 0;
  }
  block->rowid[block->count] = cursor->source.rowid;
  block->place[block->count] = SIZE_MAX;
  if (v.data != NULL) {
    memcpy(block->in + block->vectors * d, v.data, d * sizeof(float));
    block->place[block->count] = block->vectors++;
    if (block->vectors % SLICE == 0) start_slice(cursor, block);
  }
  block->count++;
  vector_free(&v);
  return 1;
}

/* Reads the next block, slice by slice for the workers. */
static void start_block(struct cursor *cursor) {
  struct table *table = (struct table *)cursor->base.pVtab;
  struct call call = call_of_table(table->shape->name, table->connection, &cursor->message);
  struct block *block = &cursor->blocks[!cursor->current];
  block->count = block->vectors = 0;
  workers_submit(&cursor->workers, transform_slice, cursor, 0);
  while (!cursor->at_end && block->count < cursor->capacity && read_row(&call, cursor, block)) continue;
  if (cursor->capacity < cursor->largest) cursor->capacity *= 2;
  if (call.failed) cursor->failed = call.failed;
  if (block->vectors % SLICE != 0) start_slice(cursor, block);
}

/* The block under way becomes the current one, and the one behind it is started. */
static int turn(struct cursor *cursor) {
  sqlite3_vtab *vtab = cursor->base.pVtab;
  workers_wait(&cursor->workers);
  cursor->current = !cursor->current;
  cursor->row = 0;
  if (cursor->blocks[cursor->current].count > 0) {
    start_block(cursor);
    return SQLITE_OK;
  }
  if (cursor->message != NULL) {
    sqlite3_free(vtab->zErrMsg);
    vtab->zErrMsg = cursor->message;
    cursor->message = NULL;
  }
  return cursor->failed;
}

static void block_clear(struct block *block) {
  sqlite3_free(block->in);
  sqlite3_free(block->out);
  sqlite3_free(block->interleaved);
  block->in = block->out = block->interleaved = NULL;
  block->count = block->vectors = 0;
}

static int block_init(struct call *call, struct block *block, size_t rows, size_t d, size_t m) {
  block->in = memory_array(&sqlite_memory, rows * d, sizeof(float));
  block->out = memory_array(&sqlite_memory, rows * m, sizeof(float));
  block->interleaved = memory_array(&sqlite_memory, kernel_interleaved_elements(rows, d), sizeof(float)); /* slices are whole groups */
  if (block->in == NULL || block->out == NULL || block->interleaved == NULL) fail_nomem(call);
  return call->failed;
}

static void reset(struct cursor *cursor) {
  workers_clear(&cursor->workers);
  source_close(&cursor->source);
  model_release(cursor->model);
  cursor->model = NULL;
  for (int i = 0; i < 2; i++) block_clear(&cursor->blocks[i]);
  cursor->row = cursor->capacity = 0;
  cursor->at_end = cursor->current = cursor->failed = 0;
  sqlite3_free(cursor->message);
  cursor->message = NULL;
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  reset((struct cursor *)base);
  sqlite3_free(base);
  return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct call call = table_call(base->pVtab);
  (void)number, (void)text, (void)argc;
  reset(cursor);
  cursor->capacity = FIRST_BLOCK;
  cursor->model = model_argument(&call, argv[0]);
  if (cursor->model == NULL) return call.failed;
  const struct model_header *header = &cursor->model->whitener.header;
  if (source_open(&call, ((struct table *)base->pVtab)->db, "table", argv[1], "column", argv[2], &cursor->source))
    return call.failed;
  cursor->largest = LARGEST_BLOCK;
  while (cursor->largest > SLICE && cursor->largest * header->d > BLOCK_ELEMENTS) cursor->largest /= 2;
  for (int i = 0; i < 2; i++)
    if (block_init(&call, &cursor->blocks[i], cursor->largest, header->d, header->m)) return call.failed;
  workers_init(&cursor->workers, call.connection->cores);
  start_block(cursor);
  return turn(cursor);
}

static int is_at_end(sqlite3_vtab_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->blocks[cursor->current].count;
}

static int next(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  cursor->row++;
  return is_at_end(base) ? turn(cursor) : SQLITE_OK;
}

static int return_vector(struct cursor *cursor, sqlite3_context *context, struct block *block, size_t place) {
  const struct model_header *h = &cursor->model->whitener.header;
  const float *y = block->out + place * h->m;
  if (!kernel->is_finite(h->m, y)) {
    struct call call = table_call(cursor->base.pVtab);
    call.rowid = &block->rowid[cursor->row];
    if (!fail_not_finite(&call, "column", h->d, block->in + place * h->d))
      fail_overflow(&call, "the result", vector_find_not_finite(h->m, y));
    return call.failed;
  }
  if ((h->flags & MODEL_NORMALIZE) && vector_norm(h->m, y) == 0) return SQLITE_OK;
  sqlite3_result_blob64(context, y, h->m * sizeof *y, SQLITE_TRANSIENT);
  return SQLITE_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index) {
  struct cursor *cursor = (struct cursor *)base;
  struct block *block = &cursor->blocks[cursor->current];
  if (index == ROWID) sqlite3_result_int64(context, block->rowid[cursor->row]);
  if (index != VECTOR || block->place[cursor->row] == SIZE_MAX) return SQLITE_OK;
  return return_vector(cursor, context, block, block->place[cursor->row]);
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id) {
  const struct cursor *cursor = (const struct cursor *)base;
  *id = cursor->blocks[cursor->current].rowid[cursor->row];
  return SQLITE_OK;
}

static const sqlite3_module METHODS = {TABLE_METHODS, .xClose = close_cursor, .xFilter = filter, .xNext = next,
                                       .xEof = is_at_end, .xColumn = column, .xRowid = rowid};

const struct table_shape whiten_rows_table = {
    .name = "whiten_rows", .methods = &METHODS, .cursor_bytes = sizeof(struct cursor),
    .declaration = "CREATE TABLE x(rowid INTEGER, vector BLOB, arg_model HIDDEN, arg_table HIDDEN, arg_column HIDDEN)",
    .first_argument = MODEL, .order_column = ROWID, .arguments = ARGUMENTS};
