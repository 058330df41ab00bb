/*
** cosine_topk(table, column, query, k): the k rows most similar to one vector, best first, ties by rowid.
**
** One pass, straight from SQLite's pages: with one query the scan costs more than the arithmetic, so there is nothing
** to gain from threads. Rows that are NULL or zero have no cosine and are left out.
*/
#include "core/topk.h"

#include <math.h>

#include "core/vector.h"
#include "host/plan.h"
#include "host/source.h"

enum { ROWID, SIMILARITY, TABLE };

static const char *const ARGUMENTS[] = {"table", "column", "query", "k", NULL};

/* Bits of the arguments that name the source. */
enum { NAMES = 1 << 0 | 1 << 1 };

struct cursor {
  struct table_cursor base;
  struct source source; /* kept while the names are the same */
  struct topk topk;
  size_t row;
};

static void clear(struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  topk_clear(&cursor->topk, &sqlite_memory);
  source_close(&cursor->source);
}

static int is_similar(const struct table_query *asked, double cosine) {
  return cosine > asked->least || (cosine == asked->least && !asked->above);
}

/* Reads the column past the query. */
static void scan(struct call *call, struct cursor *cursor, const struct vector *query) {
  double square = vector_square(query->dim, query->data);
  struct source *source = &cursor->source;
  struct topk *topk = &cursor->topk;
  struct vector v;
  size_t dim = query->dim;
  if (isnan(square) && fail_not_finite(call, "query", query->dim, query->data)) return;
  while (source_next(call, source, &dim, &v)) {
    if (v.data == NULL) continue;
    double cosine = vector_cosine(dim, query->data, square, v.data);
    if (isnan(cosine)) {
      call->rowid = &source->rowid;
      fail_not_finite(call, "column", dim, v.data);
    } else if (cosine != COSINE_UNDEFINED && is_similar(&cursor->base.query, cosine)) {
      if (topk_reserve(topk, topk->count + 1, &sqlite_memory) == STATUS_OK)
        topk_add(topk, cosine, source->rowid);
      else
        fail_nomem(call);
    }
    vector_free(&v);
    if (call->failed) return;
  }
  topk_sort(topk);
}

/* On from row, to the rowid that is picked. */
static void skip_others(struct cursor *cursor) {
  const struct rowids *picked = &cursor->base.query.picked;
  const struct topk *topk = &cursor->topk;
  while (cursor->row < topk->count &&
         (topk->hits[cursor->row].rowid < picked->first || topk->hits[cursor->row].rowid > picked->last))
    cursor->row++;
}

static void open_and_scan(struct call *call, struct cursor *cursor, sqlite3_value **argv,
                          const struct vector *query) {
  struct source *source = &cursor->source;
  if (source->all == NULL && source_open(call, table_db(&cursor->base), "table", "column", argv, source)) return;
  if (source_start(call, source, &cursor->base.query.rowids) == 0) scan(call, cursor, query);
  skip_others(cursor);
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct vector query = {0};
  int64_t k;
  if ((base->same & NAMES) != NAMES) source_close(&cursor->source);
  topk_clear(&cursor->topk, &sqlite_memory);
  cursor->row = 0;
  if (sqlite3_value_type(argv[2]) == SQLITE_NULL) return;
  if (integer_read(call, argv[3], "k", 1, &k) || vector_read(call, argv[2], "query", &query)) return;
  topk_init(&cursor->topk, (uint64_t)k < base->query.limit ? (size_t)k : (size_t)base->query.limit);
  if (cursor->topk.k > 0) open_and_scan(call, cursor, argv, &query);
  vector_free(&query);
  if (call->failed) table_clear(base);
}

static int rewind_rows(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->row = 0;
  skip_others(cursor);
  return 1;
}

static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  double n = plan_rows(plan, 0);
  *rows = fmin(n, plan_integer(plan, 3, 10));
  *cost = 4 * n;
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->topk.count;
}

static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->row++;
  skip_others(cursor);
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  (void)call;
  const struct cursor *cursor = (const struct cursor *)base;
  const struct hit *hit = &cursor->topk.hits[cursor->row];
  if (index == ROWID) sqlite3_result_int64(context, hit->rowid);
  if (index == SIMILARITY) sqlite3_result_double(context, hit->similarity);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->topk.hits[cursor->row].rowid;
}

const struct table_function cosine_topk_table = {
    .name = "cosine_topk",
    .columns = "rowid INTEGER, similarity REAL",
    .column_count = TABLE,
    .arguments = ARGUMENTS,
    .takes = TABLE_ROWIDS | TABLE_PICKS_ROWID | TABLE_SIMILARITY | TABLE_LIMIT,
    .order_count = 2,
    .order = {{SIMILARITY, 1}, {ROWID, 0}},
    .cursor_bytes = sizeof(struct cursor),
    .estimate = estimate,
    .filter = filter,
    .rewind = rewind_rows,
    .next = next,
    .is_at_end = is_at_end,
    .column = column,
    .rowid = rowid,
    .clear = clear};
