/*
** cosine_topk(table, column, query, k): the k rows most similar to one vector, best first, ties by rowid.
**
** One pass, straight from SQLite's pages: with one query the scan costs more than the arithmetic, so there is nothing
** to gain from threads. Rows that are NULL or zero have no cosine and are left out.
*/
#include "core/topk.h"

#include <math.h>

#include "core/vector.h"
#include "host/source.h"
#include "host/table.h"

enum { ROWID, SIMILARITY, TABLE };

static const char *const ARGUMENTS[] = {"table", "column", "query", "k", NULL};

struct cursor {
  sqlite3_vtab_cursor base;
  struct topk topk;
  size_t row;
};

static int close_cursor(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  topk_clear(&cursor->topk, &sqlite_memory);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

/* Reads the whole column past the query. */
static void scan(struct call *call, struct source *source, const struct vector *query, struct topk *topk) {
  double square = vector_square(query->dim, query->data);
  struct vector v;
  size_t dim = query->dim;
  if (isnan(square) && fail_not_finite(call, "query", query->dim, query->data)) return;
  while (source_next(call, source, &dim, &v)) {
    if (v.data == NULL) continue;
    double cosine = vector_cosine(dim, query->data, square, v.data);
    if (isnan(cosine)) {
      call->rowid = &source->rowid;
      fail_not_finite(call, "column", dim, v.data);
    } else if (cosine != COSINE_UNDEFINED) {
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

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct call call = table_call(base->pVtab);
  struct source source = {0};
  struct vector query = {0};
  int64_t k;
  (void)number, (void)text, (void)argc;
  topk_clear(&cursor->topk, &sqlite_memory);
  cursor->row = 0;
  if (sqlite3_value_type(argv[2]) == SQLITE_NULL) return SQLITE_OK;
  if (integer_read(&call, argv[3], "k", 1, &k) || vector_read(&call, argv[2], "query", &query)) return call.failed;
  topk_init(&cursor->topk, (size_t)k);
  if (source_open(&call, ((struct table *)base->pVtab)->db, "table", argv[0], "column", argv[1], &source) == 0)
    scan(&call, &source, &query, &cursor->topk);
  source_close(&source);
  vector_free(&query);
  return call.failed;
}

static int is_at_end(sqlite3_vtab_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->topk.count;
}

static int next(sqlite3_vtab_cursor *base) {
  ((struct cursor *)base)->row++;
  return SQLITE_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index) {
  const struct cursor *cursor = (const struct cursor *)base;
  const struct hit *hit = &cursor->topk.hits[cursor->row];
  if (index == ROWID) sqlite3_result_int64(context, hit->rowid);
  if (index == SIMILARITY) sqlite3_result_double(context, hit->similarity);
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id) {
  const struct cursor *cursor = (const struct cursor *)base;
  *id = cursor->topk.hits[cursor->row].rowid;
  return SQLITE_OK;
}

static const sqlite3_module METHODS = {TABLE_METHODS,     .xClose = close_cursor, .xFilter = filter, .xNext = next,
                                       .xEof = is_at_end, .xColumn = column,      .xRowid = rowid};

const struct table_shape cosine_topk_table = {
    .name = "cosine_topk",
    .methods = &METHODS,
    .cursor_bytes = sizeof(struct cursor),
    .declaration = "CREATE TABLE x(rowid INTEGER, similarity REAL, arg_table HIDDEN, arg_column HIDDEN, "
                   "arg_query HIDDEN, arg_k HIDDEN)",
    .first_argument = TABLE,
    .order_column = SIMILARITY,
    .order_desc = 1,
    .arguments = ARGUMENTS};
