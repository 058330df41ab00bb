/*
** whiten_index_recall(index, queries, k): how an index does on its own rows. So many stored vectors, evenly spread over
** the index, are asked for as queries, and compared with what one pass over the whole content finds (core/join.h).
**
**   recall              share of the k most similar rows that the index finds, mean over the queries; a row as similar
**                       as the k-th counts, whichever of equals it is
**   candidates          rows fetched from the content, mean
**   microseconds        of a search, median, without SQL around it
**   exact_microseconds  of the pass over the content, for each of the queries: what an exhaustive search costs at least
**   queries             how many there were: fewer where the index has fewer rows
*/
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/join.h"
#include "host/memory.h"
#include "host/plan.h"
#include "index/query.h"
#include "index/sync.h"

enum { RECALL, CANDIDATES, MICROSECONDS, EXACT, QUERIES, INDEX };

static const char *const ARGUMENTS[] = {"index", "queries", "k", NULL};

struct cursor {
  struct table_cursor base;
  double values[INDEX];
  int is_done;
};

/* What a run needs: the index, its queries as they are stored, what the pass found, and the searches' figures. */
struct run {
  struct call *call;
  struct index *index;
  int64_t count;
  size_t k;
  int64_t *rowids;
  double *seconds;
  struct join join;
  double found, wanted, fetched, pass;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The rowid of the i-th coded row, in the order of the chunks. */
static int64_t rowid_at(struct run *r, struct store_reader *reader, int64_t i) {
  const struct generation *g = &r->index->generations[0];
  size_t place = 0;
  while (i >= g->dir.chunks[place].count) i -= g->dir.chunks[place++].count;
  int64_t number = g->dir.chunks[place].number;
  unsigned char *rest = sqlite3_malloc64(g->codes.rest_bytes);
  int64_t found = 0;
  if (rest == NULL)
    fail_nomem(r->call);
  else if (store_read(r->call, reader, number, (size_t)i / CODES_BLOCK, 1, rest) == 0)
    found = codes_rowid(rest, (size_t)i % CODES_BLOCK);
  sqlite3_free(rest);
  return found;
}

/* ---- the pass over the content ---- */

/* A row whitened as it is for a similarity; 0 if it has no direction. */
static int whiten(struct run *r, const struct vector *v) {
  struct generation *g = &r->index->generations[0];
  size_t place;
  if (whitener_apply(&g->model->whitener, v->data, g->shifted, g->y, &place) == STATUS_OVERFLOW) {
    if (!fail_not_finite(r->call, r->index->arguments.column, v->dim, v->data))
      fail_overflow(r->call, "the whitened vector", place);
    return 0;
  }
  return 1;
}

static void add_queries(struct run *r) {
  const struct generation *g = &r->index->generations[0];
  struct store_reader reader = {.store = &r->index->store, .codes = &g->codes, .rest = 1};
  struct vector v;
  join_init(&r->join, g->model->whitener.header.m, r->k, r->call->connection->cores, &sqlite_memory);
  for (int64_t i = 0; i < r->count && !r->call->failed; i++) {
    r->rowids[i] = rowid_at(r, &reader, i * dir_rows(&g->dir) / r->count);
    if (r->call->failed || index_fetch(r->call, r->index, r->rowids[i], &v)) break;
    if (v.data != NULL && whiten(r, &v) && join_add_query(&r->join, r->rowids[i], g->y) != STATUS_OK)
      fail_nomem(r->call);
    index_fetch_done(r->index, &v);
  }
  store_reader_close(&reader);
}

static void pass_rows(struct run *r) {
  struct source *content = &r->index->content;
  struct generation *g = &r->index->generations[0];
  size_t d = g->model->whitener.header.d;
  struct vector v;
  if (source_start(r->call, content, NULL)) return;
  while (!r->call->failed && source_next(r->call, content, &d, &v)) {
    if (v.data == NULL) continue;
    r->call->rowid = &content->rowid;
    if (whiten(r, &v) && join_add(&r->join, content->rowid, g->y) != STATUS_OK) fail_nomem(r->call);
    r->call->rowid = NULL;
    vector_free(&v);
  }
  source_start(r->call, content, NULL);
}

static void search_exactly(struct run *r) {
  double start = now();
  add_queries(r);
  if (r->call->failed || join_is_empty(&r->join)) return;
  enum status rc = join_start(&r->join);
  if (rc == STATUS_OK && index_open_content(r->call, r->index) == 0) pass_rows(r);
  if (rc == STATUS_OK && !r->call->failed) rc = join_finish(&r->join);
  if (rc != STATUS_OK) fail_status(r->call, rc);
  join_end(&r->join);
  r->pass = now() - start;
}

/* ---- the searches ---- */

/* One search against what the pass found. */
static void compare(struct run *r, size_t query, const struct vector *v) {
  struct topk topk = {0};
  struct rowids all = rowids_all();
  struct search search = {.k = r->k, .least = -INFINITY, .rowids = &all, .error_factor = r->index->error_factor};
  struct search_counts counts = {0};
  size_t wanted = 0, found = 0;
  double start = now(), least = 0;
  search_run(r->call, r->index, v, &search, &topk, &counts);
  r->seconds[query] = now() - start;
  for (const struct hit *hit; (hit = join_hit(&r->join, query, wanted)) != NULL; wanted++) least = hit->similarity;
  while (found < topk.count && topk.hits[found].similarity >= least) found++;
  r->wanted += (double)wanted;
  r->found += (double)(found < wanted ? found : wanted);
  r->fetched += (double)counts.fetched;
  topk_clear(&topk, &sqlite_memory);
}

/* The queries are read before they are asked: a search fetches rows itself. */
static void search_all(struct run *r) {
  size_t d = r->index->generations[0].model->whitener.header.d;
  float *copy = result_buffer(r->call, d);
  struct vector v, query = {.data = copy, .dim = d};
  for (size_t i = 0; copy != NULL && i < join_count(&r->join) && !r->call->failed; i++) {
    if (index_fetch(r->call, r->index, join_rowid(&r->join, i), &v)) break;
    if (v.data != NULL) memcpy(copy, v.data, d * sizeof *copy);
    int is_there = v.data != NULL;
    index_fetch_done(r->index, &v);
    if (is_there) compare(r, i, &query);
  }
  sqlite3_free(copy);
}

static int compare_seconds(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void report(struct run *r, double values[INDEX]) {
  double count = (double)join_count(&r->join);
  qsort(r->seconds, join_count(&r->join), sizeof *r->seconds, compare_seconds);
  values[RECALL] = r->found / r->wanted;
  values[CANDIDATES] = r->fetched / count;
  values[MICROSECONDS] = 1e6 * r->seconds[join_count(&r->join) / 2];
  values[EXACT] = 1e6 * r->pass / count;
  values[QUERIES] = count;
}

/* ---- the table function ---- */

static void run(struct call *call, struct index *index, const int64_t asked[2], struct cursor *cursor) {
  if (sync_ready(call, index)) return;
  int64_t rows = dir_rows(&index->generations[0].dir);
  struct run r = {.call = call, .index = index, .count = asked[0] < rows ? asked[0] : rows, .k = (size_t)asked[1]};
  if (r.count == 0) return;
  r.rowids = memory_array(&sqlite_memory, (uint64_t)r.count, sizeof *r.rowids);
  r.seconds = memory_array(&sqlite_memory, (uint64_t)r.count, sizeof *r.seconds);
  if (r.rowids != NULL && r.seconds != NULL) {
    search_exactly(&r);
    if (!call->failed) search_all(&r);
    cursor->is_done = call->failed || r.wanted == 0;
    if (!cursor->is_done) report(&r, cursor->values);
  } else {
    fail_nomem(call);
  }
  join_clear(&r.join);
  sqlite3_free(r.rowids);
  sqlite3_free(r.seconds);
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  int64_t asked[2];
  table_clear(base);
  cursor->is_done = 1;
  if (integer_read(call, argv[1], "queries", 1, &asked[0]) || integer_read(call, argv[2], "k", 1, &asked[1]))
    return;
  sqlite3_stmt *statement;
  struct index *index = index_hold(call, table_db(base), argv[0], &statement);
  if (index == NULL) return;
  run(call, index, asked, cursor);
  index_let_go(index, statement);
}

static void next(struct call *call, struct table_cursor *base) {
  (void)call;
  ((struct cursor *)base)->is_done = 1;
}

static int is_at_end(const struct table_cursor *base) {
  return ((const struct cursor *)base)->is_done;
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  (void)call;
  double value = ((const struct cursor *)base)->values[index];
  if (index == QUERIES)
    sqlite3_result_int64(context, (int64_t)value);
  else
    sqlite3_result_double(context, value);
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  (void)base;
  return 0;
}

const struct table_function whiten_index_recall_table = {
    .name = "whiten_index_recall",
    .columns = "recall REAL, candidates REAL, microseconds REAL, exact_microseconds REAL, queries INTEGER",
    .column_count = INDEX,
    .arguments = ARGUMENTS,
    .cursor_bytes = sizeof(struct cursor),
    .filter = filter,
    .next = next,
    .is_at_end = is_at_end,
    .column = column,
    .rowid = rowid};
