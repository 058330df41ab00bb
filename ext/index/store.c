/* See store.h. Chunks are in parts.c. */
#include "index/store.h"

#include <string.h>

#include "index/statements.h"

int store_open(struct call *call, struct store *store, sqlite3 *db, const char *schema, const char *name) {
  *store = (struct store){.db = db, .schema = sqlite3_mprintf("%s", schema), .name = sqlite3_mprintf("%s", name)};
  if (store->schema == NULL || store->name == NULL) fail_nomem(call);
  return call->failed;
}

void store_close(struct store *store) {
  statements_forget(store);
  sqlite3_free(store->schema);
  sqlite3_free(store->name);
  *store = (struct store){0};
}

/* ---- the tables ---- */

static int execute(struct call *call, struct store *store, const char *format) {
  char *sql = statement_text(store, format);
  int rc = sql != NULL ? sqlite3_exec(store->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc != SQLITE_OK) fail_sqlite(call, rc, store->db);
  return call->failed;
}

int store_create(struct call *call, struct store *store) {
  return execute(
      call, store,
      "CREATE TABLE @config@(id INTEGER PRIMARY KEY, stamp INTEGER, model BLOB, built INTEGER, text TEXT,"
      " hash INTEGER);"
      "CREATE TABLE @dir@(chunk INTEGER PRIMARY KEY, generation INTEGER, first INTEGER, count INTEGER,"
      " stamp INTEGER);"
      "CREATE TABLE @signs@(chunk INTEGER PRIMARY KEY, data BLOB);"
      "CREATE TABLE @rest@(chunk INTEGER PRIMARY KEY, data BLOB);"
      "INSERT INTO @config@(id, stamp, built, hash) VALUES (0, 1, 1, 0)");
}

int store_destroy(struct call *call, struct store *store) {
  statements_forget(store);
  return execute(call, store,
                 "DROP TABLE IF EXISTS @config@; DROP TABLE IF EXISTS @dir@; DROP TABLE IF EXISTS @signs@;"
                 "DROP TABLE IF EXISTS @rest@");
}

int store_rename(struct call *call, struct store *store, const char *name) {
  static const char *const SUFFIXES[] = {"config", "dir", "signs", "rest"};
  statements_forget(store);
  for (int i = 0; i < 4 && !call->failed; i++) {
    char *sql = sqlite3_mprintf("ALTER TABLE \"%w\".\"%w_%s\" RENAME TO \"%w_%s\"", store->schema, store->name,
                                SUFFIXES[i], name, SUFFIXES[i]);
    int rc = sql != NULL ? sqlite3_exec(store->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
    sqlite3_free(sql);
    if (rc != SQLITE_OK) fail_sqlite(call, rc, store->db);
  }
  return call->failed;
}

int store_orphan(struct call *call, struct store *store, int64_t *number) {
  sqlite3_stmt *s = statement_of(call, store, ORPHAN);
  *number = statement_step(call, store, s) ? sqlite3_column_int64(s, 0) : 0;
  return statement_reset(call, s);
}

int store_sweep(struct call *call, struct store *store) {
  static const enum statement EACH[] = {SWEEP_DIR, SWEEP_SIGNS, SWEEP_REST};
  for (int i = 0; i < 3; i++) statement_run(call, store, EACH[i], 0, NULL);
  return call->failed;
}

int store_empty(struct call *call, struct store *store) {
  store->writes++;
  return execute(call, store,
                 "DELETE FROM @dir@; DELETE FROM @signs@; DELETE FROM @rest@; DELETE FROM @config@ WHERE id <> 0;"
                 "INSERT INTO @config@(id, stamp, built, hash) VALUES (0, 1, 1, 0)"
                 " ON CONFLICT DO UPDATE SET stamp = 1, hash = 0,"
                 " built = CASE WHEN typeof(built) = 'integer' AND built > 1 THEN built ELSE 1 END");
}

/* ---- the root and the generations ---- */

int store_hold(struct call *call, struct store *store) {
  statement_step(call, store, statement_of(call, store, HOLD));
  return call->failed;
}

void store_let_go(struct store *store) {
  sqlite3_reset(store->statements[HOLD]);
}

int store_root(struct call *call, struct store *store, int64_t *stamp, int64_t *hash) {
  enum { NEWEST = 1 };
  sqlite3_stmt *s = statement_of(call, store, ROOT);
  *stamp = *hash = 0;
  if (statement_step(call, store, s)) {
    *stamp = sqlite3_column_int64(s, 0);
    *hash = sqlite3_column_int64(s, 2);
    int64_t version = sqlite3_column_int64(s, 1);
    if (version > NEWEST)
      fail(call, "the index has format version %lld, expected %d: made by another version of the extension",
           (long long)version, NEWEST);
    else if (*stamp == 0 || version != NEWEST)
      fail(call, "%s_config has a root without a stamp or a version: it is damaged; 'rebuild' makes it anew",
           store->name);
  } else if (!call->failed) {
    fail(call, "%s_config has no row 0, the root of the index: it is damaged; 'rebuild' makes it anew",
         store->name);
  }
  return s != NULL ? statement_reset(call, s) : call->failed;
}

int store_touch(struct call *call, struct store *store, int64_t hash, int64_t *stamp) {
  int64_t values[] = {new_stamp(), hash};
  *stamp = values[0];
  return statement_run(call, store, TOUCH, 2, values);
}

int store_text(struct call *call, struct store *store, char **text) {
  sqlite3_stmt *s = statement_of(call, store, TEXT);
  *text = NULL;
  int has_row = statement_step(call, store, s);
  *text = call->failed ? NULL : sqlite3_mprintf("%s", has_row ? (const char *)sqlite3_column_text(s, 0) : NULL);
  if (*text == NULL) fail_nomem(call);
  return s != NULL ? statement_reset(call, s) : call->failed;
}

int store_set_text(struct call *call, struct store *store, const char *text) {
  sqlite3_stmt *s = statement_of(call, store, SET_TEXT);
  if (s == NULL) return call->failed;
  sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
  statement_step(call, store, s);
  return statement_reset(call, s);
}

/* As many were never made. */
static const int64_t MOST_GENERATIONS = INT64_MAX / 2;

int store_generations(struct call *call, struct store *store, struct store_generation generations[2], int *count) {
  sqlite3_stmt *s = statement_of(call, store, GENERATIONS);
  *count = 0;
  while (statement_step(call, store, s)) {
    if (*count == 2) {
      fail(call, "%s_config has more than two generations: it is damaged; 'rebuild' makes it anew", store->name);
      break;
    }
    struct store_generation *g = &generations[(*count)++];
    g->id = sqlite3_column_int64(s, 0);
    if (g->id > MOST_GENERATIONS)
      fail(call, "%s_config has generation %lld, more than there can be: it is damaged; 'rebuild' makes it anew",
           store->name, (long long)g->id);
    g->stamp = sqlite3_column_int64(s, 1);
    g->built = sqlite3_column_type(s, 2) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(s, 2);
  }
  return s != NULL ? statement_reset(call, s) : call->failed;
}

int store_model(struct call *call, struct store *store, int64_t generation, void **model, size_t *bytes) {
  sqlite3_stmt *s = statement_of(call, store, MODEL);
  *model = NULL;
  *bytes = 0;
  if (s != NULL) sqlite3_bind_int64(s, 1, generation);
  if (statement_step(call, store, s)) {
    const void *blob = sqlite3_column_blob(s, 0);
    *bytes = (size_t)sqlite3_column_bytes(s, 0);
    *model = sqlite3_malloc64(*bytes + 1);
    if (*model == NULL || (blob == NULL && *bytes > 0))
      fail_nomem(call);
    else if (*bytes > 0)
      memcpy(*model, blob, *bytes);
  }
  return s != NULL ? statement_reset(call, s) : call->failed;
}

static void bind_built(sqlite3_stmt *s, int index, int64_t built) {
  if (built == INT64_MAX)
    sqlite3_bind_null(s, index);
  else
    sqlite3_bind_int64(s, index, built);
}

int store_add_generation(struct call *call, struct store *store, const void *model, size_t bytes,
                         struct store_generation *g) {
  sqlite3_stmt *s = statement_of(call, store, ADD_GENERATION);
  if (s == NULL) return call->failed;
  g->stamp = new_stamp();
  sqlite3_bind_int64(s, 1, g->stamp);
  sqlite3_bind_blob64(s, 2, model, bytes, SQLITE_STATIC);
  bind_built(s, 3, g->built);
  statement_step(call, store, s);
  if (!call->failed) g->id = sqlite3_last_insert_rowid(store->db);
  return statement_reset(call, s);
}

int store_set_built(struct call *call, struct store *store, int64_t generation, int64_t built) {
  sqlite3_stmt *s = statement_of(call, store, SET_BUILT);
  if (s == NULL) return call->failed;
  sqlite3_bind_int64(s, 1, generation);
  bind_built(s, 2, built);
  statement_step(call, store, s);
  return statement_reset(call, s);
}

int store_remove_generation(struct call *call, struct store *store, int64_t generation) {
  static const enum statement EACH[] = {REMOVE_SIGNS, REMOVE_REST, REMOVE_DIR, REMOVE_GENERATION};
  for (int i = 0; i < 4 && !call->failed; i++) statement_run(call, store, EACH[i], 1, &generation);
  return call->failed;
}
