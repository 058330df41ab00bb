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
  struct table_cursor base;
  struct topk topk;
  size_t row;
};

static void clear(struct table_cursor *base) {
  topk_clear(&((struct cursor *)base)->topk, &sqlite_memory);
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

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct source source = {0};
  struct vector query = {0};
  int64_t k;
  table_clear(base);
  if (sqlite3_value_type(argv[2]) == SQLITE_NULL) return;
  if (integer_read(call, argv[3], "k", 1, &k) || vector_read(call, argv[2], "query", &query)) return;
  topk_init(&cursor->topk, (size_t)k);
  if (source_open(call, table_db(base), "table", argv[0], "column", argv[1], &source) == 0)
    scan(call, &source, &query, &cursor->topk);
  source_close(&source);
  vector_free(&query);
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->topk.count;
}

static void next(struct call *call, struct table_cursor *base) {
  (void)call;
  ((struct cursor *)base)->row++;
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

const struct table_function cosine_topk_table = {.name = "cosine_topk",
                                                 .columns = "rowid INTEGER, similarity REAL",
                                                 .column_count = TABLE,
                                                 .arguments = ARGUMENTS,
                                                 .order = {SIMILARITY, 1},
                                                 .cursor_bytes = sizeof(struct cursor),
                                                 .filter = filter,
                                                 .next = next,
                                                 .is_at_end = is_at_end,
                                                 .column = column,
                                                 .rowid = rowid,
                                                 .clear = clear};
