/* See cursor.h. */
#include "index/cursor.h"

#include <math.h>
#include <string.h>

#include "host/memory.h"
#include "host/plan.h"
#include "index/query.h"
#include "index/sync.h"

/* Rows of the first search where nobody says how many, and how many times as many the next one has. */
enum { FIRST_ROWS = 100, MORE = 10 };

struct cursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *arguments[2]; /* copies of query and k; NULL if not given */
  struct table_query asked;
  struct topk topk, before; /* what there is; what there was before that, and was given out */
  size_t known;             /* of before: these rank above the row */
  size_t row, rows;         /* of the hits; as many were asked for */
  int goes_on;              /* there may be more, and nobody has said how many are wanted */
  int is_sorted;            /* SQLite takes them for sorted */
  int is_filled, changes;   /* without an error; the connection's changed rows by then */
};

static void estimate(const struct table_plan *plan, double *rows, double *cost) {
  *rows = plan_integer(plan, 1, 10);
  *cost = 5000;
}

static const char *const ARGUMENTS[] = {"query", "k", NULL};

const struct table_function index_function = {
    .name = "whiten_index",
    .column_count = INDEX_QUERY,
    .arguments = ARGUMENTS,
    .optional = 1,
    .match_column = INDEX_COMMAND,
    .takes = TABLE_ROWIDS | TABLE_PICKS_ROWID | TABLE_SIMILARITY | TABLE_LIMIT,
    .order_count = 2,
    .order = {{INDEX_SIMILARITY, 1}, {INDEX_ROWID, 0}},
    .estimate = estimate,
};

static struct index *index_of(const struct cursor *cursor) {
  return (struct index *)cursor->base.pVtab;
}

int cursor_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  struct cursor *c = sqlite3_malloc64(sizeof *c);
  (void)vtab;
  if (c == NULL) return SQLITE_NOMEM;
  memset(c, 0, sizeof *c);
  *cursor = &c->base;
  return SQLITE_OK;
}

static void forget_given(struct cursor *cursor) {
  topk_clear(&cursor->before, &sqlite_memory);
  cursor->known = 0;
}

int cursor_close(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  topk_clear(&cursor->topk, &sqlite_memory);
  forget_given(cursor);
  rowids_clear(&cursor->asked.rowids);
  for (int i = 0; i < 2; i++) sqlite3_value_free(cursor->arguments[i]);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

/* ---- rows ---- */

static int is_after(const struct hit *hit, const struct hit *last) {
  return hit->similarity < last->similarity || (hit->similarity == last->similarity && hit->rowid > last->rowid);
}

/* Whether a smaller search had it. One that it missed, though it ranks among what it had, comes late, unless rows must
** come sorted. */
static int is_given(struct cursor *cursor, const struct hit *hit) {
  const struct topk *before = &cursor->before;
  if (before->count == 0 || is_after(hit, &before->hits[before->count - 1])) return 0;
  if (cursor->is_sorted) return 1;
  while (is_after(hit, &before->hits[cursor->known])) cursor->known++;
  return hit->rowid == before->hits[cursor->known].rowid;
}

/* On from row, to the rowid that is picked. */
static void skip_others(struct cursor *cursor) {
  const struct rowids *picked = &cursor->asked.picked;
  for (; cursor->row < cursor->topk.count; cursor->row++) {
    const struct hit *hit = &cursor->topk.hits[cursor->row];
    if (hit->rowid >= picked->first && hit->rowid <= picked->last && !is_given(cursor, hit)) return;
  }
}

static void search(struct call *call, struct cursor *cursor) {
  struct index *index = index_of(cursor);
  struct vector query = {0};
  /* Who is given one row after the other until all are there finds the one that is picked among them: at once. */
  const struct rowids *picked = &cursor->asked.picked;
  struct rowids rowids = rowids_part(&cursor->asked.rowids, cursor->goes_on ? picked->first : INT64_MIN,
                                     cursor->goes_on ? picked->last : INT64_MAX);
  struct search search = {.k = cursor->rows,
                          .least = cursor->asked.least,
                          .above = cursor->asked.above,
                          .rowids = &rowids,
                          .error_factor = index->error_factor};
  struct search_counts counts;
  topk_clear(&cursor->topk, &sqlite_memory);
  if (cursor->rows == 0 || sqlite3_value_type(cursor->arguments[0]) == SQLITE_NULL) return;
  if (vector_read(call, cursor->arguments[0], "query", &query)) return;
  if (sync_ready(call, index) == 0) search_run(call, index, &query, &search, &cursor->topk, &counts);
  vector_free(&query);
}

/* More rows, if there may be some. */
static void go_on(struct call *call, struct cursor *cursor) {
  while (cursor->goes_on && !call->failed && cursor->row >= cursor->topk.count) {
    if (cursor->topk.count < cursor->rows) {
      cursor->goes_on = 0;
      return;
    }
    forget_given(cursor);
    cursor->before = cursor->topk;
    cursor->topk = (struct topk){0};
    cursor->rows *= MORE;
    cursor->row = 0;
    search(call, cursor);
    skip_others(cursor);
  }
}

/* How many rows are wanted. */
static void read_count(struct call *call, struct cursor *cursor) {
  const struct table_query *asked = &cursor->asked;
  int64_t k = INT64_MAX;
  int has_k = cursor->arguments[1] != NULL && sqlite3_value_type(cursor->arguments[1]) != SQLITE_NULL;
  if (has_k && integer_read(call, cursor->arguments[1], "k", 1, &k)) return;
  cursor->rows = (uint64_t)k < asked->limit ? (size_t)k : (size_t)asked->limit;
  cursor->goes_on = !has_k && asked->limit == UINT64_MAX && asked->least == -INFINITY;
  if (cursor->goes_on)
    cursor->rows = FIRST_ROWS;
  else if (!has_k && asked->limit == UINT64_MAX)
    cursor->rows = SIZE_MAX;
}

/* ---- xFilter ---- */

static int keep_arguments(struct call *call, struct cursor *cursor, int given, sqlite3_value **argv) {
  int same = 1, index = 0;
  for (int i = 0; i < 2; i++) {
    sqlite3_value *value = given >> i & 1 ? argv[index++] : NULL;
    if (value_is_same(cursor->arguments[i], value)) continue;
    same = 0;
    sqlite3_value_free(cursor->arguments[i]);
    cursor->arguments[i] = value != NULL ? sqlite3_value_dup(value) : NULL;
    if (value != NULL && cursor->arguments[i] == NULL) fail_nomem(call);
  }
  return same;
}

/* The same question again, in the inner loop of a join, has the same answer until a row changes. */
static void fill(struct call *call, struct cursor *cursor, const struct table_query *asked, int same) {
  int changes = sqlite3_total_changes(index_of(cursor)->db);
  int is_kept = cursor->is_filled && same && cursor->changes == changes && plan_is_same(&cursor->asked, asked);
  rowids_clear(&cursor->asked.rowids);
  cursor->asked = *asked;
  cursor->is_filled = 0;
  cursor->changes = changes;
  cursor->row = 0;
  forget_given(cursor);
  if (!is_kept) {
    read_count(call, cursor);
    if (!call->failed) search(call, cursor);
  }
  int is_whole = !cursor->goes_on || rowids_are_all(&cursor->asked.picked);
  skip_others(cursor);
  if (!call->failed) go_on(call, cursor);
  cursor->is_filled = !call->failed && !cursor->goes_on && is_whole;
}

int cursor_filter(sqlite3_vtab_cursor *base, int given, const char *text, int argc, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct call call = index_call(index_of(cursor));
  struct table_query asked;
  (void)argc;
  if (given & PLAN_INCOMPLETE) {
    fail(&call, "query is missing, expected %s(query [, k]) or WHERE query = ...", call.function);
    return call.failed;
  }
  if (plan_refuse(&call, given)) return call.failed;
  cursor->is_sorted = (given & PLAN_SORTED) != 0;
  int same = keep_arguments(&call, cursor, given, argv);
  if (plan_read(&call, &index_function, text, argv, &asked) == 0)
    fill(&call, cursor, &asked, same);
  else
    rowids_clear(&asked.rowids);
  return call.failed;
}

int cursor_next(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  struct call call = index_call(index_of(cursor));
  cursor->row++;
  skip_others(cursor);
  go_on(&call, cursor);
  return call.failed;
}

int cursor_eof(sqlite3_vtab_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->topk.count;
}

int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  const struct cursor *cursor = (const struct cursor *)base;
  const struct hit *hit = &cursor->topk.hits[cursor->row];
  if (column == INDEX_ROWID) sqlite3_result_int64(context, hit->rowid);
  if (column == INDEX_SIMILARITY) sqlite3_result_double(context, hit->similarity);
  if (column == INDEX_QUERY || column == INDEX_K) {
    sqlite3_value *value = cursor->arguments[column - INDEX_QUERY];
    if (value != NULL) sqlite3_result_value(context, value);
  }
  return SQLITE_OK;
}

int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  const struct cursor *cursor = (const struct cursor *)base;
  *rowid = cursor->topk.hits[cursor->row].rowid;
  return SQLITE_OK;
}
