/*
** whiten_index_info(index): JSON about an index.
**
**   rows, pending   of the content: coded; not coded yet, because the build is not done
**   chunks, bytes   of the codes in the file, without what SQLite needs for its pages
**   d, k            elements of a stored vector, and of a whitened one, which is what is coded
**   model           the model's hash, as whiten_info has it
**   recall          'fast', 'default', 'safe' or 'exact'
**   rebuilt         rows that the next generation has coded, while there is one; else null
**   drift           how far the content has moved since the model was fitted: the norm of the mean of whitened rows,
**                   relative to the root of their mean square; 0 when the model is of these very rows, up to 1. Of
**                   DRIFT_ROWS rows at most, evenly spread, so that 1 / sqrt of their number is chance
**   cache           bytes that the process keeps of all indexes, and the limit
*/
#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "index/cache.h"
#include "index/index.h"
#include "index/sync.h"

enum { DRIFT_ROWS = 1000 };

/* ---- by name ---- */

/* Whether an index is the one of a name, alone or behind its schema and a point. */
static int is_named(const struct index *index, const char *name) {
  size_t length = strlen(index->schema);
  if (sqlite3_stricmp(index->name, name) == 0) return 1;
  return sqlite3_strnicmp(name, index->schema, (int)length) == 0 && name[length] == '.' &&
         sqlite3_stricmp(index->name, name + length + 1) == 0;
}

/* Where SQLite looks first. */
static int rank_of(const struct index *index) {
  return sqlite3_stricmp(index->schema, "temp") == 0 ? 2 : sqlite3_stricmp(index->schema, "main") == 0;
}

/* Of several that are one index, the newest comes first. */
static struct index *find(const struct connection *connection, const sqlite3 *db, const char *name) {
  struct index *found = NULL;
  for (struct index *i = connection->indexes; i != NULL; i = i->next)
    if (i->db == db && is_named(i, name) && (found == NULL || rank_of(i) > rank_of(found))) found = i;
  return found;
}

/* Runs a statement that names a table and gives no row, and frees its text. */
static int run(sqlite3 *db, char *sql, sqlite3_stmt **s) {
  int rc = sql != NULL ? sqlite3_prepare_v2(db, sql, -1, s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(*s);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* SQLite opens a virtual table when a statement first names it, and closes it when the schema has changed, unless there
** is a statement that names it: no statement, and no error, if nothing is called so. */
static int open_named(struct call *call, sqlite3 *db, const char *name, sqlite3_stmt **s) {
  const char *point = strchr(name, '.');
  int rc = run(db, sqlite3_mprintf("SELECT 1 FROM \"%w\" LIMIT 0", name), s);
  if (rc == SQLITE_ERROR && point != NULL)
    rc = run(db, sqlite3_mprintf("SELECT 1 FROM \"%.*w\".\"%w\" LIMIT 0", (int)(point - name), name, point + 1),
             s);
  if (rc != SQLITE_OK && rc != SQLITE_ERROR) fail_sqlite(call, rc, db);
  return call->failed;
}

struct index *index_hold(struct call *call, sqlite3 *db, sqlite3_value *value, sqlite3_stmt **statement) {
  *statement = NULL;
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, "index", sqlite3_value_type(value), "TEXT, the name of a whiten_index table");
    return NULL;
  }
  const char *name = (const char *)sqlite3_value_text(value);
  if (name == NULL) return fail_nomem(call), NULL;
  struct index *index = open_named(call, db, name, statement) == 0 ? find(call->connection, db, name) : NULL;
  if (index == NULL)
    fail(call, "index is '%s', expected the name of a whiten_index table", name);
  else if (store_hold(call, &index->store) == 0)
    return index;
  index_let_go(index, *statement);
  return NULL;
}

void index_let_go(struct index *index, sqlite3_stmt *statement) {
  if (index != NULL) store_let_go(&index->store);
  sqlite3_finalize(statement);
}

/* ---- figures ---- */

/* The integer that a statement's only row has; the text is freed. */
static int64_t ask(struct call *call, struct index *index, char *sql) {
  sqlite3_stmt *s = NULL;
  int64_t value = 0;
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    value = sqlite3_column_int64(s, 0);
  else if (!call->failed)
    fail_sqlite(call, rc, index->db);
  sqlite3_finalize(s);
  return value;
}

static int64_t bytes_of(const struct generation *g) {
  int64_t bytes = 0;
  for (size_t i = 0; i < g->dir.count; i++) {
    size_t blocks = chunk_blocks((size_t)g->dir.chunks[i].count);
    bytes += (int64_t)(chunk_stored_bytes(&g->codes, 0, blocks) + chunk_stored_bytes(&g->codes, 1, blocks));
  }
  return bytes;
}

static int64_t pending_rows(struct call *call, struct index *index) {
  int64_t built = index->generations[0].stored.built;
  if (built == INT64_MAX || index_find_content(call, index)) return 0;
  return ask(
      call, index,
      sqlite3_mprintf("SELECT count(*) FROM \"%w\".\"%w\" AS t WHERE t.\"%w\" IS NOT NULL AND t.rowid > %lld",
                      index_content_schema(index), index->content_name, index->arguments.column,
                      index->generations[0].model != NULL ? (long long)built : (long long)INT64_MIN));
}

/* ---- drift ---- */

/* Adds the whitened rows from the first of each of so many ranges, without what the model adds to them: it is the mean of
** the rows that were fitted. */
static int64_t add_sample(struct call *call, struct index *index, double *sum, double *square) {
  struct generation *g = &index->generations[0];
  struct whitener centred = g->bare;
  centred.offset = NULL;
  size_t d = g->bare.header.d, m = g->bare.header.m, place, count = 0;
  size_t step = g->dir.count > DRIFT_ROWS ? g->dir.count / DRIFT_ROWS : 1;
  int64_t each = (int64_t)(DRIFT_ROWS / (g->dir.count / step) + 1);
  struct vector v;
  for (size_t c = 0; c < g->dir.count && count < DRIFT_ROWS && !call->failed; c += step) {
    struct rowids range = {.first = g->dir.chunks[c].first, .last = INT64_MAX};
    if (source_start(call, &index->content, &range)) break;
    for (int64_t i = 0; i < each && source_next(call, &index->content, &d, &v); i++) {
      if (v.data == NULL) continue;
      if (whitener_apply(&centred, v.data, g->shifted, g->y, &place) == STATUS_OK) {
        for (size_t j = 0; j < m; j++) sum[j] += g->y[j];
        *square += vector_square_f64(m, g->y);
        count++;
      }
      vector_free(&v);
    }
  }
  source_start(call, &index->content, NULL);
  return (int64_t)count;
}

static double drift_of(struct call *call, struct index *index) {
  struct generation *g = &index->generations[0];
  double square = 0, norm = 0, *sum;
  if (g->model == NULL || g->dir.count == 0 || index_open_content(call, index)) return NAN;
  sum = sqlite3_malloc64(g->bare.header.m * sizeof *sum);
  if (sum == NULL) return fail_nomem(call), NAN;
  for (size_t j = 0; j < g->bare.header.m; j++) sum[j] = 0;
  int64_t count = add_sample(call, index, sum, &square);
  for (size_t j = 0; j < g->bare.header.m; j++) norm += sum[j] * sum[j];
  sqlite3_free(sum);
  return count > 0 && square > 0 ? sqrt(norm / (double)count / square) : NAN;
}

/* ---- the function ---- */

static void append_number(sqlite3_str *json, const char *name, double value) {
  if (isfinite(value))
    sqlite3_str_appendf(json, ",\"%s\":%.6g", name, value);
  else
    sqlite3_str_appendf(json, ",\"%s\":null", name);
}

static void append_info(struct call *call, sqlite3_str *json, struct index *index) {
  const struct generation *g = &index->generations[0], *next = &index->generations[1];
  sqlite3_str_appendf(json, "{\"version\":1,\"rows\":%lld,\"pending\":%lld,\"chunks\":%lld,\"bytes\":%lld",
                      (long long)dir_rows(&g->dir), (long long)pending_rows(call, index), (long long)g->dir.count,
                      (long long)bytes_of(g));
  if (g->model != NULL)
    sqlite3_str_appendf(json, ",\"d\":%u,\"k\":%u,\"model\":\"%016llx\"", g->bare.header.d, g->bare.header.m,
                        (unsigned long long)g->bare.header.hash);
  else
    sqlite3_str_appendall(json, ",\"d\":null,\"k\":null,\"model\":null");
  sqlite3_str_appendf(json, ",\"recall\":\"%s\"", arguments_recall(index->error_factor));
  append_number(json, "rebuilt", next->model != NULL ? (double)dir_rows(&next->dir) : NAN);
  append_number(json, "drift", drift_of(call, index));
  sqlite3_str_appendf(json, ",\"cache\":{\"bytes\":%lld,\"limit\":%lld}}", (long long)cache_used(),
                      (long long)cache_limit_now());
}

/* whiten_index_info(index) */
static void whiten_index_info(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  sqlite3_stmt *statement;
  struct index *index = index_hold(&call, sqlite3_context_db_handle(context), argv[0], &statement);
  if (index == NULL) return;
  sqlite3_str *json = sqlite3_str_new(NULL);
  if (sync_refresh(&call, index) == 0) append_info(&call, json, index);
  index_let_go(index, statement);
  size_t bytes = (size_t)sqlite3_str_length(json);
  char *text = sqlite3_str_finish(json);
  if (text == NULL || call.failed) {
    fail_nomem(&call);
    sqlite3_free(text);
  } else {
    result_json(&call, text, bytes);
  }
}

const struct function index_functions[] = {{.name = "whiten_index_info",
                                            .min_args = 1,
                                            .max_args = 1,
                                            .flags = SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_RESULT_SUBTYPE,
                                            .call = whiten_index_info},
                                           {.name = NULL}};
