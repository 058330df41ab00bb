/*
** whiten_rows(model, table, column): a whole column through a model, in rowid order.
**
** Rows are read ahead in slices, up to a ring of them, which the workers transform while earlier rows are handed out;
** who needs a slice that is not done yet lends a hand. The first slice is waited for alone and the distance grows from
** there, so that LIMIT is cheap. An error in a row that was read ahead waits until the rows before it have been handed
** out. The connection is touched by the calling thread alone.
*/
#include <string.h>

#include "core/simd/simd.h"
#include "core/vector.h"
#include "core/workers.h"
#include "host/connection.h"
#include "host/plan.h"
#include "host/source.h"

enum { ROWID, VECTOR, MODEL };
enum { RING = 16, LARGEST_SLICE = 64, SLICE_ELEMENTS = 1 << 17 };

static const char *const ARGUMENTS[] = {"model", "table", "column", NULL};

/* Bits of the arguments that name the source. */
enum { NAMES = 1 << 1 | 1 << 2 };

/* What became of a vector. */
enum outcome { MADE, ZERO, NOT_FINITE, OVERFLOWS };

/* Rows on their way: read, then transformed, then handed out. */
struct slice {
  size_t count, vectors; /* rows; those of them that are not NULL */
  int64_t rowid[LARGEST_SLICE];
  size_t place[LARGEST_SLICE]; /* of the row's vector, or SIZE_MAX */
  size_t bad[LARGEST_SLICE];   /* of a vector: its first element that is not finite, or d */
  enum outcome outcome[LARGEST_SLICE];
  float *in, *out; /* vectors x d, which lose the mean on their way; vectors x m */
};

struct cursor {
  struct table_cursor base;
  struct shared_model *model;
  struct source source;
  struct workers workers; /* job number n is slice number n */
  struct slice ring[RING];
  float *vectors;       /* of all slices */
  size_t capacity;      /* rows of a slice */
  size_t current, read; /* numbers of the slice that is handed out, and of the one to be read next */
  size_t ahead;         /* slices to be read beyond the ones handed out, the current one included */
  size_t row;           /* of the current slice */
  uint64_t left;        /* rows that are wanted yet */
  int at_end;           /* the source is, or no more is wanted */
  int failed;           /* why it ended early: an error that waits, with its message */
  char *message;
};

static struct slice *slice_of(struct cursor *cursor, size_t number) {
  return &cursor->ring[number % RING];
}

static enum outcome outcome_of(const struct whitener *w, const struct slice *slice, size_t place) {
  size_t m = w->header.m;
  const float *y = slice->out + place * m;
  if (slice->bad[place] < w->header.d) return NOT_FINITE;
  if (!simd->is_finite(m, y)) return OVERFLOWS;
  return (w->header.flags & MODEL_NORMALIZE) && vector_norm(m, y) == 0 ? ZERO : MADE;
}

/* Runs on a worker. */
static void transform_slice(void *argument, size_t number) {
  struct cursor *cursor = argument;
  struct slice *slice = slice_of(cursor, number);
  const struct whitener *w = &cursor->model->whitener;
  size_t d = w->header.d;
  for (size_t i = 0; i < slice->vectors; i++) {
    float *x = slice->in + i * d;
    slice->bad[i] = vector_find_not_finite(d, x);
    whitener_shift(w, x, x);
  }
  whitener_apply_rows(w, slice->vectors, slice->in, slice->out);
  for (size_t i = 0; i < slice->vectors; i++) slice->outcome[i] = outcome_of(w, slice, i);
}

/* 0 at the end, and after an error. */
static int read_row(struct call *call, struct cursor *cursor, struct slice *slice) {
  struct vector v;
  size_t d = cursor->model->whitener.header.d;
  if (!source_next(call, &cursor->source, &d, &v)) return 0;
  slice->rowid[slice->count] = cursor->source.rowid;
  slice->place[slice->count] = SIZE_MAX;
  if (v.data != NULL) {
    memcpy(slice->in + slice->vectors * d, v.data, d * sizeof(float));
    slice->place[slice->count] = slice->vectors++;
  }
  slice->count++;
  vector_free(&v);
  return 1;
}

/* Reads the next slice and hands it to the workers. */
static void read_slice(struct cursor *cursor) {
  struct call call = table_call(&cursor->base);
  call.message = &cursor->message;
  struct slice *slice = slice_of(cursor, cursor->read);
  slice->count = slice->vectors = 0;
  while (slice->count < cursor->capacity && !cursor->at_end)
    cursor->at_end = cursor->left-- == 0 || !read_row(&call, cursor, slice);
  if (call.failed) cursor->failed = call.failed;
  if (slice->count == 0) return;
  cursor->read++;
  workers_add(&cursor->workers);
}

/* Reads ahead, and waits for the current slice; at the end of them, for the error that may wait there. */
static void turn(struct call *call, struct cursor *cursor) {
  cursor->row = 0;
  while (!cursor->at_end && cursor->read - cursor->current < cursor->ahead) read_slice(cursor);
  if (cursor->ahead < RING) cursor->ahead *= 2;
  if (cursor->current < cursor->read) {
    workers_wait_for(&cursor->workers, cursor->current);
  } else if (cursor->failed) {
    sqlite3_free(*call->message);
    *call->message = cursor->message;
    cursor->message = NULL;
    call->failed = cursor->failed;
  }
}

static int make_ring(struct call *call, struct cursor *cursor, size_t d, size_t m) {
  cursor->capacity = LARGEST_SLICE;
  while (cursor->capacity > GROUP_ROWS && cursor->capacity * d > SLICE_ELEMENTS) cursor->capacity /= 2;
  size_t elements = cursor->capacity * (d + m);
  cursor->vectors = memory_array(&sqlite_memory, RING * elements, sizeof(float));
  if (cursor->vectors == NULL) return fail_nomem(call), call->failed;
  for (size_t i = 0; i < RING; i++) {
    cursor->ring[i].in = cursor->vectors + i * elements;
    cursor->ring[i].out = cursor->ring[i].in + cursor->capacity * d;
  }
  return SQLITE_OK;
}

static void clear(struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  workers_clear(&cursor->workers);
  source_close(&cursor->source);
  model_release(cursor->model);
  sqlite3_free(cursor->vectors);
  sqlite3_free(cursor->message);
}

static void open_all(struct call *call, struct cursor *cursor, struct shared_model *model, sqlite3_value **argv) {
  const struct model_header *header = &model->whitener.header;
  table_clear(&cursor->base);
  cursor->model = model;
  if (source_open(call, table_db(&cursor->base), "table", "column", argv + 1, &cursor->source)) return;
  if (make_ring(call, cursor, header->d, header->m)) return;
  workers_init(&cursor->workers, call->connection->cores);
}

/* To the first row. What is appended to the table while its rows are handed out is not read. */
static void start(struct call *call, struct cursor *cursor) {
  const struct table_query *asked = &cursor->base.query;
  workers_submit(&cursor->workers, transform_slice, cursor, 0);
  sqlite3_free(cursor->message);
  cursor->message = NULL;
  cursor->failed = cursor->at_end = 0;
  cursor->current = cursor->read = 0;
  cursor->ahead = 1;
  cursor->left = asked->limit;
  if (source_start(call, &cursor->source, &asked->rowids)) return;
  if (!asked->rowids.is_listed && source_bound(call, &cursor->source)) return;
  turn(call, cursor);
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct shared_model *model = model_argument(call, argv[0]);
  if (model != NULL && model == cursor->model && (base->same & NAMES) == NAMES) {
    model_release(model);
    workers_wait(&cursor->workers);
  } else if (model != NULL) {
    open_all(call, cursor, model, argv);
  }
  if (!call->failed) start(call, cursor);
  if (call->failed) table_clear(base);
}

/* If the ring holds all rows. */
static int rewind_rows(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  if (!cursor->at_end || cursor->failed || cursor->read > RING) return 0;
  cursor->current = cursor->row = 0;
  if (cursor->read > 0) workers_wait_for(&cursor->workers, 0);
  return 1;
}

static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  *rows = plan_rows(plan, 1);
  *cost = 10 * *rows;
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->current == cursor->read;
}

static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  if (++cursor->row < slice_of(cursor, cursor->current)->count) return;
  cursor->current++;
  turn(call, cursor);
}

static void return_vector(struct call *call, struct cursor *cursor, sqlite3_context *context, size_t place) {
  const struct slice *slice = slice_of(cursor, cursor->current);
  const struct model_header *h = &cursor->model->whitener.header;
  const float *y = slice->out + place * h->m;
  call->rowid = &slice->rowid[cursor->row];
  switch (slice->outcome[place]) {
    case MADE: sqlite3_result_blob64(context, y, h->m * sizeof *y, SQLITE_TRANSIENT); break;
    case ZERO: /* has no direction: NULL */ break;
    case NOT_FINITE:
      fail_element(call, "column", slice->bad[place], slice->in[place * h->d + slice->bad[place]]);
      break;
    case OVERFLOWS: fail_overflow(call, "the result", vector_find_not_finite(h->m, y)); break;
  }
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  struct cursor *cursor = (struct cursor *)base;
  const struct slice *slice = slice_of(cursor, cursor->current);
  if (index == ROWID) sqlite3_result_int64(context, slice->rowid[cursor->row]);
  if (index == VECTOR && slice->place[cursor->row] != SIZE_MAX)
    return_vector(call, cursor, context, slice->place[cursor->row]);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->ring[cursor->current % RING].rowid[cursor->row];
}

const struct table_function whiten_rows_table = {.name = "whiten_rows",
                                                 .columns = "rowid INTEGER, vector BLOB",
                                                 .column_count = MODEL,
                                                 .arguments = ARGUMENTS,
                                                 .takes = TABLE_ROWIDS | TABLE_LIMIT,
                                                 .order_count = 1,
                                                 .order = {{ROWID, 0}},
                                                 .cursor_bytes = sizeof(struct cursor),
                                                 .estimate = estimate,
                                                 .filter = filter,
                                                 .rewind = rewind_rows,
                                                 .next = next,
                                                 .is_at_end = is_at_end,
                                                 .column = column,
                                                 .rowid = rowid,
                                                 .clear = clear};
