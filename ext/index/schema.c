/* See schema.h. */
#include "index/schema.h"

#include <string.h>

/*
** Their names begin with the index's, which NAME_config keeps. They name only what SQLite follows through ALTER TABLE: no
** command, which would go into a column that is called as the index was. And they give no vector: what the row has by
** then is read, since another trigger of the same statement, which computes vectors for instance, may have changed the
** row and been told of before them. UPDATE watches the columns that may change the vector or the rowid and no others, so
** that a client without the extension may set those.
*/
static const char INSERT[] = "CREATE TRIGGER \"%w\".\"%w_insert\" AFTER INSERT ON \"%w\" BEGIN"
                             " INSERT INTO \"%w\"(rowid) VALUES (new.rowid); END";
static const char DELETE[] = "CREATE TRIGGER \"%w\".\"%w_delete\" AFTER DELETE ON \"%w\" BEGIN"
                             " INSERT INTO \"%w\"(rowid) VALUES (old.rowid); END";
static const char UPDATE[] = "CREATE TRIGGER \"%w\".\"%w_update\" AFTER UPDATE%s ON \"%w\""
                             " WHEN old.\"%w\" IS NOT new.\"%w\" OR old.rowid <> new.rowid BEGIN"
                             " INSERT INTO \"%w\"(rowid) SELECT old.rowid WHERE old.rowid <> new.rowid;"
                             " INSERT INTO \"%w\"(rowid) VALUES (new.rowid); END";

/* 'table', 'view', 'virtual' or 'shadow', and whether it is WITHOUT ROWID; *type is from sqlite3_malloc, NULL if there is
** no such table, or after an error. */
static void find_kind(struct call *call, const struct index *index, const char *schema, char **type,
                      int *without_rowid) {
  sqlite3_stmt *s = NULL;
  char *sql = sqlite3_mprintf("SELECT type, wr FROM pragma_table_list(%Q) WHERE schema = %Q COLLATE NOCASE",
                              index->content_name, schema);
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  if (rc == SQLITE_ROW) {
    *type = sqlite3_mprintf("%s", sqlite3_column_text(s, 0));
    *without_rowid = sqlite3_column_int(s, 1);
    if (*type == NULL) fail_nomem(call);
  } else if (rc != SQLITE_DONE) {
    fail_sqlite(call, rc, index->db);
  }
  sqlite3_finalize(s);
}

static void check_kind(struct call *call, const struct index *index, const char *schema) {
  const char *content = index->content_name;
  char *kind = NULL;
  int without_rowid = 0;
  find_kind(call, index, schema, &kind, &without_rowid);
  if (kind == NULL || sqlite3_strnicmp(content, "sqlite_", 7) == 0)
    fail(call, "content is '%s', expected a table of the schema %s", content, schema);
  else if (strcmp(kind, "table") != 0)
    fail(call, "content is '%s', a %s%s, expected an ordinary table", content, kind,
         strcmp(kind, "view") == 0 ? "" : " table");
  else if (without_rowid)
    fail(call, "content is '%s', a WITHOUT ROWID table, expected one with rowids", content);
  sqlite3_free(kind);
}

int schema_check_content(struct call *call, struct index *index) {
  const char *type = NULL, *content = index->content_name, *column = index->arguments.column;
  const char *schema = index_content_schema(index);
  int is_key = 0;
  check_kind(call, index, schema);
  if (call->failed) return call->failed;
  if (sqlite3_table_column_metadata(index->db, schema, content, column, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
    fail(call, "column is '%s', expected a column of %s", column, content);
  else if (sqlite3_table_column_metadata(index->db, schema, content, "rowid", &type, NULL, NULL, &is_key, NULL) !=
               SQLITE_OK ||
           !is_key || sqlite3_stricmp(type, "INTEGER") != 0)
    fail(call, "content '%s' has a column named rowid that is not its INTEGER PRIMARY KEY, expected none",
         content);
  return call->failed;
}

/*
** What follows AFTER UPDATE: the column and every name of the rowid; nothing where the column is a generated one, which
** changes though no statement sets it. From sqlite3_malloc, NULL after an error.
*/
static char *watched(struct call *call, const struct index *index) {
  static const char SQL[] =
      "SELECT iif(max(hidden), '', ' OF ' || group_concat(format('\"%%w\"', name), ', ')) FROM ("
      "SELECT name, hidden > 1 AND name = %Q COLLATE NOCASE AS hidden FROM pragma_table_xinfo(%Q, %Q)"
      " WHERE pk > 0 OR name = %Q COLLATE NOCASE"
      " UNION ALL VALUES ('rowid', 0), ('oid', 0), ('_rowid_', 0))";
  const char *column = index->arguments.column, *content = index->content_name;
  sqlite3_stmt *s = NULL;
  char *sql = sqlite3_mprintf(SQL, column, content, index_content_schema(index), column), *text = NULL;
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  const char *found = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
  if (found != NULL)
    text = sqlite3_mprintf("%s", found);
  else if (rc != SQLITE_ROW)
    fail_sqlite(call, rc, index->db);
  sqlite3_finalize(s);
  if (text == NULL && !call->failed) fail_nomem(call);
  return text;
}

/* Runs and frees it. */
static int execute(struct call *call, struct index *index, char *sql) {
  int rc = sql != NULL ? sqlite3_exec(index->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc != SQLITE_OK && !call->failed) fail_sqlite(call, rc, index->db);
  return call->failed;
}

int schema_create_triggers(struct call *call, struct index *index, const char *name) {
  const char *s = index->schema, *n = name, *content = index->content_name, *c = index->arguments.column;
  if (store_set_text(call, &index->store, n)) return call->failed;
  index->has_triggers = 1;
  execute(call, index, sqlite3_mprintf(INSERT, s, n, content, n));
  if (!call->failed) execute(call, index, sqlite3_mprintf(DELETE, s, n, content, n));
  char *columns = call->failed ? NULL : watched(call, index);
  if (!call->failed) execute(call, index, sqlite3_mprintf(UPDATE, s, n, columns, content, c, c, n, n));
  sqlite3_free(columns);
  return call->failed;
}

int schema_drop_triggers(struct call *call, struct index *index) {
  static const char *const NAMES[] = {"insert", "delete", "update"};
  char *prefix;
  if (store_text(call, &index->store, &prefix)) return call->failed;
  const char *known = prefix[0] != 0 ? prefix : index->name; /* if the tables are damaged */
  for (int i = 0; i < 3 && index->arguments.triggers && !call->failed; i++)
    execute(call, index,
            sqlite3_mprintf("DROP TRIGGER IF EXISTS \"%w\".\"%w_%s\"", index->schema, known, NAMES[i]));
  sqlite3_free(prefix);
  return call->failed;
}

/* In a transaction SQLite would not take back in memory what the statement had done until it failed. */
static void check_free(struct call *call, const struct index *index, const char *name) {
  sqlite3_stmt *s = NULL;
  char *sql = sqlite3_mprintf(
      "WITH part(suffix) AS (VALUES ('_config'), ('_dir'), ('_signs'), ('_rest'), ('_insert'),"
      " ('_update'), ('_delete'))"
      " SELECT name FROM \"%w\".sqlite_schema JOIN part ON name = %Q || suffix COLLATE NOCASE",
      index->schema, name);
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  if (rc == SQLITE_ROW)
    fail(call, "there is already a '%s', expected a name whose tables and triggers are free",
         sqlite3_column_text(s, 0));
  else if (rc != SQLITE_DONE)
    fail_sqlite(call, rc, index->db);
  sqlite3_finalize(s);
}

/* Where the user has dropped the triggers there are none afterwards, either. */
int schema_rename(struct call *call, struct index *index, const char *name) {
  index_close_content(index); /* a trigger may have been dropped since it was found by it */
  check_free(call, index, name);
  if (call->failed || index_find_content(call, index)) return call->failed;
  if (index->has_triggers && schema_drop_triggers(call, index) == 0) schema_create_triggers(call, index, name);
  return call->failed ? call->failed : store_rename(call, &index->store, name);
}
