/* See source.h. */
#include "host/source.h"

#include <string.h>

/* A schema and a table in it, found. */
struct name {
  char *schema, *table;
  int is_virtual;
};

static void name_clear(struct name *name) {
  sqlite3_free(name->schema);
  sqlite3_free(name->table);
}

/* Looks for `table` in `schema`, or where SQLite would look if that is NULL. 0 on success, found or not. */
static int look_up(struct call *call, sqlite3 *db, const char *argument, const char *schema, const char *table,
                   struct name *found) {
  static const char SQL[] =
      "SELECT schema, name, type, wr FROM pragma_table_list WHERE name = ?1 COLLATE NOCASE"
      " AND (?2 IS NULL OR schema = ?2 COLLATE NOCASE)"
      " ORDER BY schema <> 'temp', schema <> 'main', (SELECT seq FROM pragma_database_list AS d WHERE d.name = schema)"
      " LIMIT 1";
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(db, SQL, -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(statement, 1, table, -1, SQLITE_TRANSIENT);
  if (rc == SQLITE_OK && schema != NULL) rc = sqlite3_bind_text(statement, 2, schema, -1, SQLITE_TRANSIENT);
  if (rc == SQLITE_OK) rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW) {
    const char *type = (const char *)sqlite3_column_text(statement, 2);
    found->schema = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    found->table = sqlite3_mprintf("%s", sqlite3_column_text(statement, 1));
    found->is_virtual = type != NULL && strcmp(type, "virtual") == 0;
    if (found->schema == NULL || found->table == NULL || type == NULL)
      fail_nomem(call);
    else if (strcmp(type, "view") == 0)
      fail(call, "%s is '%s', a view, expected a table: read views with whiten_apply or cosine_sim, row by row",
           argument, table);
    else if (sqlite3_column_int(statement, 3))
      fail(call, "%s is '%s', a WITHOUT ROWID table, expected one with rowids", argument, table);
  } else if (rc != SQLITE_DONE) {
    fail_sqlite(call, rc, db);
  }
  sqlite3_finalize(statement);
  return call->failed;
}

static int resolve(struct call *call, sqlite3 *db, const char *argument, const char *text, struct name *name) {
  const char *point = strchr(text, '.');
  if (look_up(call, db, argument, NULL, text, name)) return call->failed;
  if (name->table == NULL && point != NULL) {
    char *schema = sqlite3_mprintf("%.*s", (int)(point - text), text);
    if (schema == NULL) return fail_nomem(call), call->failed;
    look_up(call, db, argument, schema, point + 1, name);
    sqlite3_free(schema);
  }
  if (name->table == NULL && !call->failed) fail(call, "%s is '%s', expected the name of a table", argument, text);
  return call->failed;
}

/* What is to be known of a table's columns. */
struct columns {
  int has_column;    /* the one that is asked for */
  const char *rowid; /* a name of the rowid that no column has; NULL if there is none */
};

static void look_at_columns(struct call *call, sqlite3 *db, const struct name *name, const char *column,
                            struct columns *found) {
  static const char *const NAMES[] = {"oid", "_rowid_", "rowid"};
  sqlite3_stmt *statement = NULL;
  int taken[3] = {0},
      rc = sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_xinfo(?1, ?2)", -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(statement, 1, name->table, -1, SQLITE_STATIC);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(statement, 2, name->schema, -1, SQLITE_STATIC);
  while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *each = (const char *)sqlite3_column_text(statement, 0);
    for (int i = 0; i < 3; i++) taken[i] |= sqlite3_stricmp(each, NAMES[i]) == 0;
    found->has_column |= sqlite3_stricmp(each, column) == 0;
    rc = SQLITE_OK;
  }
  sqlite3_finalize(statement);
  if (rc != SQLITE_DONE) fail_sqlite(call, rc, db);
  for (int i = 0; i < 3; i++)
    if (!taken[i]) found->rowid = NAMES[i];
  /* A rowid goes by any of its names that is free. */
  for (int i = 0; found->rowid != NULL && i < 3; i++)
    if (!taken[i]) found->has_column |= sqlite3_stricmp(column, NAMES[i]) == 0;
}

static int check_columns(struct call *call, sqlite3 *db, const struct name *name, const char *argument,
                         const char *column, struct columns *found) {
  *found = (struct columns){0};
  look_at_columns(call, db, name, column, found);
  if (!call->failed && !found->has_column)
    fail(call, "%s is '%s', expected a column of %s", argument, column, name->table);
  if (!call->failed && found->rowid == NULL)
    fail(call, "%s has columns named rowid, _rowid_ and oid, expected one of the names to be free", name->table);
  return call->failed;
}

/* Rows beyond the largest rowid of now are not read: they may be the query's own. */
static char *select_text(const struct name *name, const char *rowid, const char *column) {
  if (name->is_virtual)
    return sqlite3_mprintf("SELECT t.%s, t.\"%w\" FROM \"%w\".\"%w\" AS t ORDER BY 1", rowid, column, name->schema,
                           name->table);
  return sqlite3_mprintf("SELECT t.%s, t.\"%w\" FROM \"%w\".\"%w\" AS t WHERE t.%s <= "
                         "(SELECT m.%s FROM \"%w\".\"%w\" AS m ORDER BY m.%s DESC LIMIT 1) ORDER BY t.%s",
                         rowid, column, name->schema, name->table, rowid, rowid, name->schema, name->table, rowid,
                         rowid);
}

static const char *read_name(struct call *call, const char *argument, sqlite3_value *value, const char *expected) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, argument, sqlite3_value_type(value), expected);
    return NULL;
  }
  const char *text = (const char *)sqlite3_value_text(value);
  if (text == NULL) fail_nomem(call);
  return text;
}

int source_open(struct call *call, sqlite3 *db, const char *table_argument, sqlite3_value *table,
                const char *column_argument, sqlite3_value *column, struct source *source) {
  struct name name = {0};
  char *sql = NULL;
  struct columns columns;
  *source = (struct source){.db = db, .column_argument = column_argument};
  const char *table_text = read_name(call, table_argument, table, "TEXT, the name of a table");
  const char *column_text = table_text ? read_name(call, column_argument, column, "TEXT, the name of a column")
                                       : NULL;
  if (column_text == NULL || resolve(call, db, table_argument, table_text, &name)) goto end;
  if (check_columns(call, db, &name, column_argument, column_text, &columns)) goto end;
  sql = select_text(&name, columns.rowid, column_text);
  if (sql == NULL)
    fail_nomem(call);
  else if (sqlite3_prepare_v2(db, sql, -1, &source->statement, NULL) != SQLITE_OK)
    fail_sqlite(call, sqlite3_errcode(db), db);
end:
  sqlite3_free(sql);
  name_clear(&name);
  return call->failed;
}

void source_close(struct source *source) {
  sqlite3_finalize(source->statement);
  *source = (struct source){0};
}

void source_rewind(struct source *source) {
  source->at_end = 0;
  sqlite3_reset(source->statement); /* its code is the last step's, which source_next has told of */
}

int source_next(struct call *call, struct source *source, size_t *dim, struct vector *v) {
  *v = (struct vector){0};
  if (source->at_end) return 0;
  int rc = sqlite3_step(source->statement);
  source->at_end = rc != SQLITE_ROW;
  if (rc == SQLITE_DONE) return 0;
  if (rc != SQLITE_ROW) {
    fail_sqlite(call, rc, source->db);
    return 0;
  }
  source->rowid = sqlite3_column_int64(source->statement, 0);
  /* One look at the column: each of sqlite3_column_*() takes the connection's mutex, which the caller of a virtual table
  ** holds anyway; so the value is as good as a protected one. */
  sqlite3_value *value = sqlite3_column_value(source->statement, 1);
  if (sqlite3_value_type(value) == SQLITE_NULL) return 1;
  call->rowid = &source->rowid;
  if (vector_read(call, value, source->column_argument, v) == 0) {
    if (*dim == 0) *dim = v->dim;
    if (v->dim != *dim) {
      fail_dim(call, source->column_argument, v->dim, *dim, "");
      vector_free(v);
    }
  }
  call->rowid = NULL;
  return !call->failed;
}
