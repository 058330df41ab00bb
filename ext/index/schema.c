/* See schema.h. */
#include "index/schema.h"

/* The triggers' names begin with the index's as it was created; NAME_config keeps that. */
static const char INSERT[] = "CREATE TRIGGER \"%w\".\"%w_insert\" AFTER INSERT ON \"%w\" BEGIN"
                             " INSERT INTO \"%w\"(rowid, vector) VALUES (new.rowid, new.\"%w\"); END";
static const char DELETE[] = "CREATE TRIGGER \"%w\".\"%w_delete\" AFTER DELETE ON \"%w\" BEGIN"
                             " INSERT INTO \"%w\"(\"%w\", rowid) VALUES ('delete', old.rowid); END";
static const char UPDATE[] =
    "CREATE TRIGGER \"%w\".\"%w_update\" AFTER UPDATE ON \"%w\""
    " WHEN old.rowid <> new.rowid OR old.\"%w\" IS NOT new.\"%w\" BEGIN"
    " INSERT INTO \"%w\"(\"%w\", rowid) SELECT 'delete', old.rowid WHERE old.rowid <> new.rowid;"
    " INSERT INTO \"%w\"(rowid, vector) VALUES (new.rowid, new.\"%w\"); END";

int schema_check_content(struct call *call, struct index *index) {
  const char *type = NULL, *content = index->content_name, *column = index->arguments.column;
  const char *schema = index_content_schema(index);
  int is_key = 0;
  if (sqlite3_table_column_metadata(index->db, schema, content, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
    fail(call, "content is '%s', expected a table of the schema %s (not a view)", content, schema);
  else if (sqlite3_table_column_metadata(index->db, schema, content, column, NULL, NULL, NULL, NULL, NULL) !=
           SQLITE_OK)
    fail(call, "column is '%s', expected a column of %s", column, content);
  else if (sqlite3_table_column_metadata(index->db, schema, content, "rowid", &type, NULL, NULL, &is_key, NULL) !=
           SQLITE_OK)
    fail(call, "content is '%s', a WITHOUT ROWID table, expected one with rowids", content);
  else if (!is_key || sqlite3_stricmp(type, "INTEGER") != 0)
    fail(call, "content '%s' has a column named rowid that is not its INTEGER PRIMARY KEY, expected none",
         content);
  return call->failed;
}

/* Runs and frees it. */
static int execute(struct call *call, struct index *index, char *sql) {
  int rc = sql != NULL ? sqlite3_exec(index->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc != SQLITE_OK && !call->failed) fail_sqlite(call, rc, index->db);
  return call->failed;
}

int schema_create_triggers(struct call *call, struct index *index) {
  const char *s = index->schema, *n = index->name, *content = index->content_name, *c = index->arguments.column;
  if (store_set_text(call, &index->store, n)) return call->failed;
  execute(call, index, sqlite3_mprintf(INSERT, s, n, content, n, c));
  if (!call->failed) execute(call, index, sqlite3_mprintf(DELETE, s, n, content, n, n));
  if (!call->failed) execute(call, index, sqlite3_mprintf(UPDATE, s, n, content, c, c, n, n, n, c));
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
