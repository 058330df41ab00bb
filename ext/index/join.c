/*
** whiten_index_join(index, queries_table, queries_column, k): for every row of the table the k rows that the index
** finds, as the join `FROM queries AS q JOIN index AS s ON s.query = q.v AND s.k = k` does, where SQLite asks for one
** query after the other; here batches of them share passes of the codes (searches.h), on all cores. By query rowid,
** best first, ties by rowid. Queries that are NULL or have no direction are left out.
**
** Rows are handed out query by query; the next batch is read when those of the last are at their end. What is appended
** to the queries' table meanwhile is not read.
*/
#include "host/plan.h"
#include "host/source.h"
#include "index/searches.h"
#include "index/sync.h"

enum { QUERY_ROWID, ROWID, SIMILARITY, INDEX };

/* What a search costs, in steps of SQLite's over a row. */
enum { SEARCH_COST = 3000 };

static const char *const ARGUMENTS[] = {"index", "queries_table", "queries_column", "k", NULL};

struct cursor {
  struct table_cursor base;
  struct index *index;
  sqlite3_stmt *statement; /* which keeps it open */
  struct source queries;
  struct searches batch;
  size_t k, query; /* of the batch */
  struct topk topk;
  size_t hit;
  int64_t row;
  int is_done;
};

static void clear(struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  searches_clear(&cursor->batch);
  topk_clear(&cursor->topk, &sqlite_memory);
  source_close(&cursor->queries);
  if (cursor->index != NULL) index_let_go(cursor->index, cursor->statement);
}

/* The next batch; empty at the end of the queries. */
static void read_batch(struct call *call, struct cursor *cursor) {
  struct searches *batch = &cursor->batch;
  struct vector v;
  cursor->query = 0;
  if (searches_begin(call, batch, cursor->index, cursor->k)) return;
  while (!searches_are_full(batch) && source_next(call, &cursor->queries, &batch->dim, &v)) {
    if (v.data == NULL) continue;
    call->rowid = &cursor->queries.rowid;
    searches_add(call, batch, cursor->queries.rowid, &v);
    vector_free(&v);
    if (call->failed) return;
  }
  call->rowid = NULL;
  if (!call->failed) searches_scan(call, batch);
}

/* On to a query that has hits, from the one at cursor->query on. */
static void find_hits(struct call *call, struct cursor *cursor) {
  cursor->hit = 0;
  for (;;) {
    topk_clear(&cursor->topk, &sqlite_memory);
    if (cursor->query == cursor->batch.count) read_batch(call, cursor);
    cursor->is_done = call->failed || cursor->batch.count == 0;
    if (cursor->is_done || searches_hits(call, &cursor->batch, cursor->query, &cursor->topk)) return;
    if (cursor->topk.count > 0) return;
    cursor->query++;
  }
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  int64_t k;
  table_clear(base);
  cursor->is_done = 1;
  if (integer_read(call, argv[3], "k", 1, &k)) return;
  cursor->k = (size_t)k;
  cursor->index = index_hold(call, table_db(base), argv[0], &cursor->statement);
  if (cursor->index == NULL) return;
  if (source_open(call, table_db(base), "queries_table", "queries_column", argv + 1, &cursor->queries) == 0 &&
      source_start(call, &cursor->queries, NULL) == 0 && source_bound(call, &cursor->queries) == 0)
    find_hits(call, cursor);
  if (!call->failed) return;
  table_clear(base);
  cursor->is_done = 1;
}

static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  cursor->row++;
  if (++cursor->hit < cursor->topk.count) return;
  cursor->query++;
  find_hits(call, cursor);
}

static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  double queries = plan_rows(plan, 1);
  *rows = queries * plan_integer(plan, 3, 10);
  *cost = SEARCH_COST * queries;
}

static int is_at_end(const struct table_cursor *base) {
  return ((const struct cursor *)base)->is_done;
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  (void)call;
  const struct cursor *cursor = (const struct cursor *)base;
  const struct hit *hit = &cursor->topk.hits[cursor->hit];
  if (index == QUERY_ROWID) sqlite3_result_int64(context, cursor->batch.rowids[cursor->query]);
  if (index == ROWID) sqlite3_result_int64(context, hit->rowid);
  if (index == SIMILARITY) sqlite3_result_double(context, hit->similarity);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  return ((const struct cursor *)base)->row;
}

const struct table_function whiten_index_join_table = {
    .name = "whiten_index_join",
    .columns = "query_rowid INTEGER, rowid INTEGER, similarity REAL",
    .column_count = INDEX,
    .arguments = ARGUMENTS,
    .order_count = 3,
    .order = {{QUERY_ROWID, 0}, {SIMILARITY, 1}, {ROWID, 0}},
    .cursor_bytes = sizeof(struct cursor),
    .estimate = estimate,
    .filter = filter,
    .next = next,
    .is_at_end = is_at_end,
    .column = column,
    .rowid = rowid,
    .clear = clear};
