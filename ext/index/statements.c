/* See statements.h. */
#include "index/statements.h"

#include <string.h>

/* A chunk that belongs to no generation, or a part of one that is not in the directory. */
static const char ORPHANS[] =
    "SELECT chunk FROM @dir@ WHERE ifnull(generation, 0) NOT IN (SELECT id FROM @config@ WHERE id > 0)"
    " UNION ALL SELECT chunk FROM @signs@ WHERE chunk NOT IN (SELECT chunk FROM @dir@)"
    " UNION ALL SELECT chunk FROM @rest@ WHERE chunk NOT IN (SELECT chunk FROM @dir@) LIMIT 1";

/* Each names tables of the index by their suffixes, between @ and @. */
static const char *const SQL[STATEMENTS] = {
    [HOLD] = "SELECT 1 FROM @config@",
    [ROOT] = "SELECT stamp, built, hash FROM @config@ WHERE id = 0",
    [TOUCH] = "UPDATE @config@ SET stamp = ?1, hash = ?2 WHERE id = 0",
    [TEXT] = "SELECT text FROM @config@ WHERE id = 0",
    [SET_TEXT] = "UPDATE @config@ SET text = ?1 WHERE id = 0",
    [GENERATIONS] = "SELECT id, stamp, built FROM @config@ WHERE id > 0 ORDER BY id",
    [MODEL] = "SELECT model FROM @config@ WHERE id = ?1",
    [ADD_GENERATION] =
        "INSERT INTO @config@(id, stamp, model, built) SELECT max(id) + 1, ?1, ?2, ?3 FROM @config@",
    [SET_BUILT] = "UPDATE @config@ SET built = ?2 WHERE id = ?1",
    [REMOVE_SIGNS] = "DELETE FROM @signs@ WHERE chunk IN (SELECT chunk FROM @dir@ WHERE generation = ?1)",
    [REMOVE_REST] = "DELETE FROM @rest@ WHERE chunk IN (SELECT chunk FROM @dir@ WHERE generation = ?1)",
    [REMOVE_DIR] = "DELETE FROM @dir@ WHERE generation = ?1",
    [REMOVE_GENERATION] = "DELETE FROM @config@ WHERE id = ?1",
    [DIR] = "SELECT chunk, first, count, stamp FROM @dir@ WHERE generation = ?1 ORDER BY first",
    [PUT_DIR] = "REPLACE INTO @dir@(chunk, generation, first, count, stamp) VALUES (?1, ?2, ?3, ?4, ?5)",
    [DROP_DIR] = "DELETE FROM @dir@ WHERE chunk = ?1",
    [GET_SIGNS] = "SELECT data FROM @signs@ WHERE chunk = ?1",
    [GET_REST] = "SELECT data FROM @rest@ WHERE chunk = ?1",
    [PUT_SIGNS] = "INSERT INTO @signs@(chunk, data) VALUES (?1, ?2) ON CONFLICT (chunk) DO UPDATE SET data = ?2",
    [PUT_REST] = "INSERT INTO @rest@(chunk, data) VALUES (?1, ?2) ON CONFLICT (chunk) DO UPDATE SET data = ?2",
    [DROP_SIGNS] = "DELETE FROM @signs@ WHERE chunk = ?1",
    [ORPHAN] = ORPHANS,
    [SWEEP_DIR] = "DELETE FROM @dir@ WHERE ifnull(generation, 0) NOT IN (SELECT id FROM @config@ WHERE id > 0)",
    [SWEEP_SIGNS] = "DELETE FROM @signs@ WHERE chunk NOT IN (SELECT chunk FROM @dir@)",
    [SWEEP_REST] = "DELETE FROM @rest@ WHERE chunk NOT IN (SELECT chunk FROM @dir@)",
    [DROP_REST] = "DELETE FROM @rest@ WHERE chunk = ?1",
};

char *statement_text(const struct store *store, const char *sql) {
  sqlite3_str *text = sqlite3_str_new(store->db);
  for (const char *at = strchr(sql, '@'); at != NULL; at = strchr(sql, '@')) {
    int length = (int)strcspn(at + 1, "@");
    sqlite3_str_append(text, sql, (int)(at - sql));
    sqlite3_str_appendf(text, "\"%w\".\"%w_%.*s\"", store->schema, store->name, length, at + 1);
    sql = at + length + 2;
  }
  sqlite3_str_appendall(text, sql);
  return sqlite3_str_finish(text);
}

sqlite3_stmt *statement_of(struct call *call, struct store *store, enum statement which) {
  sqlite3_stmt **kept = &store->statements[which];
  if (call->failed) return NULL;
  if (*kept != NULL) return *kept;
  char *sql = statement_text(store, SQL[which]);
  int rc = sql != NULL ? sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL)
                       : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc != SQLITE_OK) fail_sqlite(call, rc, store->db);
  return *kept;
}

int statement_step(struct call *call, struct store *store, sqlite3_stmt *s) {
  if (s == NULL || call->failed) return 0;
  if (!sqlite3_stmt_readonly(s)) store->writes++;
  int rc = sqlite3_step(s);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) fail_sqlite(call, rc, store->db);
  return rc == SQLITE_ROW;
}

int statement_reset(struct call *call, sqlite3_stmt *s) {
  if (s != NULL) {
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
  }
  return call->failed;
}

int statement_run(struct call *call, struct store *store, enum statement which, int count, const int64_t *values) {
  sqlite3_stmt *s = statement_of(call, store, which);
  for (int i = 0; s != NULL && i < count; i++) sqlite3_bind_int64(s, i + 1, values[i]);
  while (statement_step(call, store, s)) continue;
  return s != NULL ? statement_reset(call, s) : call->failed;
}

int64_t new_stamp(void) {
  int64_t stamp = 0;
  while (stamp == 0) {
    sqlite3_randomness(sizeof stamp, &stamp);
    stamp &= INT64_MAX;
  }
  return stamp;
}

void statements_forget(struct store *store) {
  for (int i = 0; i < STATEMENTS; i++) {
    sqlite3_finalize(store->statements[i]);
    store->statements[i] = NULL;
  }
}
