/*
** cosine_join(table, column, queries_table, queries_column, k): for every row of the second table the k rows of the
** first one that are most similar; by query rowid, best first, ties by rowid. Rows and queries that are NULL or zero
** have no cosine and are left out. The arithmetic and its memory: core/join.h.
*/
#include "core/join.h"

#include "host/connection.h"
#include "host/plan.h"
#include "host/source.h"

enum { QUERY_ROWID, ROWID, SIMILARITY, TABLE };

static const char *const ARGUMENTS[] = {"table", "column", "queries_table", "queries_column", "k", NULL};

struct cursor {
  struct table_cursor base;
  struct join join;
  size_t query, hit, row;
};

static void clear(struct table_cursor *base) {
  join_clear(&((struct cursor *)base)->join);
}

/* Reads a batch of queries; whether there are any. The first query of all gives the dimension, which was 0. */
static int read_queries(struct call *call, struct source *source, struct join *join, size_t k, size_t *dim) {
  struct vector v;
  while (!join_is_full(join) && source_next(call, source, dim, &v)) {
    if (v.data == NULL) continue;
    if (join->mem == NULL) join_init(join, v.dim, k, call->connection->cores, &sqlite_memory);
    source_check(call, source, &v, join_add_query(join, source->rowid, v.data));
    vector_free(&v);
    if (call->failed) return 0;
  }
  return !call->failed && !join_is_empty(join);
}

static void read_rows(struct call *call, struct source *source, struct join *join, size_t dim) {
  struct vector v;
  while (source_next(call, source, &dim, &v)) {
    if (v.data == NULL) continue;
    source_check(call, source, &v, join_add(join, source->rowid, v.data));
    vector_free(&v);
    if (call->failed) return;
  }
}

static void run(struct call *call, sqlite3 *db, struct join *join, size_t k, sqlite3_value **argv) {
  struct source rows = {0}, queries = {0};
  size_t dim = 0;
  if (source_open(call, db, "table", "column", argv, &rows) == 0 &&
      source_open(call, db, "queries_table", "queries_column", argv + 2, &queries) == 0)
    while (!call->failed && read_queries(call, &queries, join, k, &dim)) {
      enum status rc = join_start(join);
      if (rc == STATUS_OK) read_rows(call, &rows, join, dim);
      if (rc == STATUS_OK && !call->failed) rc = join_finish(join);
      if (rc) fail_status(call, rc);
      source_start(call, &rows, NULL);
    }
  join_end(join);
  source_close(&rows);
  source_close(&queries);
}

/* The next hit, if this query has no more. */
static void skip_empty(struct cursor *cursor) {
  while (cursor->query < join_count(&cursor->join) &&
         join_hit(&cursor->join, cursor->query, cursor->hit) == NULL) {
    cursor->query++;
    cursor->hit = 0;
  }
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  int64_t k;
  table_clear(base);
  if (integer_read(call, argv[4], "k", 1, &k)) return;
  run(call, table_db(base), &cursor->join, (size_t)k, argv);
  if (call->failed)
    join_clear(&cursor->join);
  else
    skip_empty(cursor);
}

static int rewind_rows(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->query = cursor->hit = cursor->row = 0;
  skip_empty(cursor);
  return 1;
}

static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  double n = plan_rows(plan, 0), queries = plan_rows(plan, 2);
  *rows = queries * plan_integer(plan, 4, 10);
  *cost = 4 * (n + queries) + n * queries / 10;
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->query >= join_count(&cursor->join);
}

static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->hit++;
  cursor->row++;
  skip_empty(cursor);
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  (void)call;
  const struct cursor *cursor = (const struct cursor *)base;
  const struct hit *hit = join_hit(&cursor->join, cursor->query, cursor->hit);
  if (index == QUERY_ROWID) sqlite3_result_int64(context, join_rowid(&cursor->join, cursor->query));
  if (index == ROWID) sqlite3_result_int64(context, hit->rowid);
  if (index == SIMILARITY) sqlite3_result_double(context, hit->similarity);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return (sqlite3_int64)cursor->row;
}

const struct table_function cosine_join_table = {.name = "cosine_join",
                                                 .columns = "query_rowid INTEGER, rowid INTEGER, similarity REAL",
                                                 .column_count = TABLE,
                                                 .arguments = ARGUMENTS,
                                                 .order_count = 3,
                                                 .order = {{QUERY_ROWID, 0}, {SIMILARITY, 1}, {ROWID, 0}},
                                                 .cursor_bytes = sizeof(struct cursor),
                                                 .estimate = estimate,
                                                 .filter = filter,
                                                 .rewind = rewind_rows,
                                                 .next = next,
                                                 .is_at_end = is_at_end,
                                                 .column = column,
                                                 .rowid = rowid,
                                                 .clear = clear};
