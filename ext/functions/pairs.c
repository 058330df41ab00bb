/*
** cosine_pairs(table, column, threshold): every pair of rows whose cosine_sim is at least the threshold: rowid_a <
** rowid_b, similarity. Rows that are NULL or zero have no cosine and are left out.
**
** Pairs are handed out while the workers look for the next ones, and never held: core/pairs.h has the arithmetic and its
** memory. The table is read in passes, one for every batch of rows, which are met by themselves and the rows behind them;
** a batch is read, then its pass begins at its first row once more, so that all of a pass goes through SQLite, and can be
** interrupted. Within a batch pairs come in the order of rowid_b, then rowid_a; that is promised of no larger table.
*/
#include "core/pairs.h"

#include <math.h>

#include "host/connection.h"
#include "host/plan.h"
#include "host/source.h"

enum { ROWID_A, ROWID_B, SIMILARITY, TABLE };

static const char *const ARGUMENTS[] = {"table", "column", "threshold", NULL};

/* Where a batch is: rows pass; they have passed, and a block is under way; all its pairs have been asked for. */
enum phase { PASSING, PASSED, DONE };

struct cursor {
  struct table_cursor base;
  struct source source;
  struct rowids range; /* of the source, that is being read */
  struct pairs pairs;
  size_t dim;
  double threshold;
  enum phase phase;
  int is_last, is_at_end; /* no batch comes after this one; no pair comes */
  struct pair pair;
  int64_t row;
};

static void clear(struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  source_close(&cursor->source);
  pairs_clear(&cursor->pairs);
}

/* The next vector of the table goes into the batch, or into the block: 0 at the end, and after an error. */
static int read_vector(struct call *call, struct cursor *cursor,
                       enum status (*add)(struct pairs *, int64_t, const void *)) {
  struct source *source = &cursor->source;
  struct vector v;
  int is_first = cursor->dim == 0;
  if (!source_next(call, source, &cursor->dim, &v)) return 0;
  if (v.data == NULL) return 1;
  if (is_first) pairs_init(&cursor->pairs, v.dim, cursor->threshold, call->connection->cores, &sqlite_memory);
  source_check(call, source, &v, add(&cursor->pairs, source->rowid, v.data));
  vector_free(&v);
  return !call->failed;
}

static void read_from(struct call *call, struct cursor *cursor, int64_t first) {
  cursor->range.first = first;
  source_start(call, &cursor->source, &cursor->range);
}

/* Reads the next batch; whether there is one. */
static int start_batch(struct call *call, struct cursor *cursor) {
  struct pairs *pairs = &cursor->pairs;
  if (cursor->is_last) return 0;
  if (!pairs_is_empty(pairs)) {
    if (pairs_last(pairs) == INT64_MAX) return 0;
    read_from(call, cursor, pairs_last(pairs) + 1);
  }
  pairs_restart(pairs);
  while (!pairs_is_full(pairs) && !cursor->is_last) cursor->is_last = !read_vector(call, cursor, pairs_add_vector);
  if (call->failed || pairs_is_empty(pairs)) return 0;
  enum status rc = pairs_start(pairs);
  if (rc) fail_status(call, rc);
  read_from(call, cursor, pairs_first(pairs));
  cursor->phase = PASSING;
  return !call->failed;
}

/* Hands over a block of rows. */
static void pass_block(struct call *call, struct cursor *cursor) {
  struct pairs *pairs = &cursor->pairs;
  int are_left = 1;
  while (are_left && !pairs_has_block(pairs)) are_left = read_vector(call, cursor, pairs_add);
  if (!are_left) cursor->phase = PASSED;
  pairs_turn(pairs);
}

/* To the next pair. */
static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  cursor->row++;
  while (!call->failed && !cursor->is_at_end && !pairs_next(&cursor->pairs, &cursor->pair)) {
    if (cursor->phase == PASSING) {
      pass_block(call, cursor);
    } else if (cursor->phase == PASSED) {
      cursor->phase = DONE;
      pairs_turn(&cursor->pairs);
    } else {
      cursor->is_at_end = !start_batch(call, cursor);
    }
  }
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  table_clear(base);
  cursor->phase = DONE;
  if (number_read(call, argv[2], "threshold", -INFINITY, &cursor->threshold)) return;
  if (cursor->threshold <= -1 || cursor->threshold > 1) {
    fail(call, "threshold is %.15g, expected a cosine above -1 and up to 1", cursor->threshold);
    return;
  }
  cursor->range = rowids_all();
  if (source_open(call, table_db(base), "table", "column", argv, &cursor->source)) return;
  if (source_bound(call, &cursor->source)) return;
  cursor->range.last = cursor->source.bound;
  next(call, base); /* the first batch reads the source as it was opened: what has no rowid is met there */
}

/* Of pairs nobody knows how many there are: as many as rows. */
static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  double n = plan_rows(plan, 0);
  *rows = n;
  *cost = 8 * n + n * n / 20;
}

static int is_at_end(const struct table_cursor *base) {
  return ((const struct cursor *)base)->is_at_end;
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  const struct pair *pair = &((const struct cursor *)base)->pair;
  (void)call;
  if (index == ROWID_A) sqlite3_result_int64(context, pair->a);
  if (index == ROWID_B) sqlite3_result_int64(context, pair->b);
  if (index == SIMILARITY) sqlite3_result_double(context, pair->similarity);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  return ((const struct cursor *)base)->row;
}

const struct table_function cosine_pairs_table = {.name = "cosine_pairs",
                                                  .columns = "rowid_a INTEGER, rowid_b INTEGER, similarity REAL",
                                                  .column_count = TABLE,
                                                  .arguments = ARGUMENTS,
                                                  .cursor_bytes = sizeof(struct cursor),
                                                  .estimate = estimate,
                                                  .filter = filter,
                                                  .next = next,
                                                  .is_at_end = is_at_end,
                                                  .column = column,
                                                  .rowid = rowid,
                                                  .clear = clear};
