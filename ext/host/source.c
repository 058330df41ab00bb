/* See source.h. */
#include "host/source.h"

#include <math.h>
#include <string.h>

#include "host/connection.h"

enum { VECTOR, ROWID }; /* the columns of the statements */

/* A view may read a table function that reads the view. */
enum { DEEPEST = 16 };

/* A seek that takes so many steps of SQLite's machine is none: the rowid is a column without an index. */
enum { STEPS_OF_A_SEEK = 100, STEPS_TO_BEGIN_WITH = 1000 };

static const double ROWS_ASSUMED = 1048576; /* by SQLite's planner, of a table that was not analyzed */

/* ---- names ---- */

static int is_table(sqlite3 *db, const char *schema, const char *table) {
  return sqlite3_table_column_metadata(db, schema, table, NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* Prepares a statement on the source; its text has one %s for the FROM. Returns SQLite's code; SQLITE_NOMEM without
** memory. */
static int prepare(struct source *source, const char *format, sqlite3_stmt **statement) {
  char *sql = sqlite3_mprintf(format, source->column, source->from);
  if (sql == NULL) return SQLITE_NOMEM;
  int rc = sqlite3_prepare_v3(source->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
  sqlite3_free(sql);
  return rc;
}

static int prepare_all(struct source *source) {
  return prepare(source, "SELECT t.%s, t.rowid FROM %s AS t ORDER BY t.rowid", &source->all);
}

/* Whether SQLite's last message is "no such `what`: `name`". */
static int is_missing(sqlite3 *db, const char *what, const char *schema, const char *name) {
  char *text = sqlite3_mprintf("no such %s: %s%s%s", what, schema ? schema : "", schema ? "." : "", name);
  int is = text != NULL && strcmp(text, sqlite3_errmsg(db)) == 0;
  sqlite3_free(text);
  return is;
}

static void fail_no_rowid(struct call *call, const char *argument, const char *table) {
  fail(
      call,
      "%s is '%s', a view or a WITHOUT ROWID table that has no column named rowid, expected rowids: read it through "
      "CREATE TEMP VIEW name AS SELECT key AS rowid, ..., where the keys are integers; else go row by row: "
      "INSERT INTO target(id, v) SELECT id, whiten_apply(model, v) FROM %s",
      argument, table, table);
}

/* Why prepare_all failed, in our words where they are known. */
static void explain(struct call *call, struct source *source, int rc, const char *argument, const char *column) {
  if (rc == SQLITE_NOMEM)
    fail_nomem(call);
  else if (is_missing(source->db, "column", "t", column))
    fail(call, "%s is '%s', expected a column of %s",
         strcmp(source->column_argument, column) == 0 ? "column" : source->column_argument, column, source->name);
  else if (is_missing(source->db, "column", "t", "rowid"))
    fail_no_rowid(call, argument, source->name);
  else
    fail_sqlite(call, rc, source->db);
}

/* Looks in `schema`, or where SQLite looks if that is NULL. Returns 1 if there is no such table. */
static int try_name(struct call *call, struct source *source, const char *schema, const char *table,
                    const char *argument, const char *column) {
  sqlite3_free(source->from);
  source->from = schema != NULL ? sqlite3_mprintf("\"%w\".\"%w\"", schema, table)
                                : sqlite3_mprintf("\"%w\"", table);
  if (source->from == NULL) return fail_nomem(call), 0;
  int rc = prepare_all(source);
  if (rc == SQLITE_ERROR && is_missing(source->db, "table", schema, table)) return 1;
  if (rc != SQLITE_OK) explain(call, source, rc, argument, column);
  return 0;
}

static void find(struct call *call, struct source *source, const char *argument, const char *column) {
  const char *text = source->name, *point = strchr(text, '.');
  char *schema = NULL;
  int missing = 1;
  if (point != NULL && !is_table(source->db, NULL, text)) {
    schema = sqlite3_mprintf("%.*s", (int)(point - text), text);
    if (schema == NULL) return fail_nomem(call);
  }
  int is_qualified = schema != NULL && is_table(source->db, schema, point + 1);
  if (!is_qualified) missing = try_name(call, source, NULL, text, argument, column);
  if (missing && schema != NULL) missing = try_name(call, source, schema, point + 1, argument, column);
  if (missing) fail(call, "%s is '%s', expected the name of a table", argument, text);
  sqlite3_free(schema);
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

int source_open_named(struct call *call, struct source *source, const struct source_names *names) {
  source->column_argument = names->column_argument;
  source->name = sqlite3_mprintf("%s", names->table);
  source->column = sqlite3_mprintf("\"%w\"", names->column);
  if (source->name == NULL || source->column == NULL)
    fail_nomem(call);
  else if (names->schema == NULL)
    find(call, source, names->table_argument, names->column);
  else if (try_name(call, source, names->schema, names->table, names->table_argument, names->column))
    fail(call, "%s is '%s', expected the name of a table", names->table_argument, names->table);
  if (call->failed == 0) source_start(call, source, NULL);
  return call->failed;
}

int source_open(struct call *call, sqlite3 *db, const char *table_argument, const char *column_argument,
                sqlite3_value **argv, struct source *source) {
  *source = (struct source){.db = db};
  struct source_names names = {table_argument, column_argument, NULL, NULL, NULL};
  names.table = read_name(call, table_argument, argv[0], "TEXT, the name of a table");
  names.column = names.table ? read_name(call, column_argument, argv[1], "TEXT, the name of a column") : NULL;
  return names.column == NULL ? call->failed : source_open_named(call, source, &names);
}

void source_close(struct source *source) {
  sqlite3_finalize(source->all);
  sqlite3_finalize(source->some);
  sqlite3_free(source->from);
  sqlite3_free(source->name);
  sqlite3_free(source->column);
  *source = (struct source){0};
}

/* ---- reading ---- */

static int bind_range(struct call *call, struct source *source, sqlite3_int64 first, sqlite3_int64 last) {
  sqlite3_reset(source->some);
  int rc = sqlite3_bind_int64(source->some, 1, first);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(source->some, 2, last);
  if (rc != SQLITE_OK) fail_sqlite(call, rc, source->db);
  return call->failed;
}

int source_start(struct call *call, struct source *source, const struct rowids *rowids) {
  sqlite3_reset(source->all);
  sqlite3_reset(source->some);
  source->current = NULL;
  source->rowids = rowids;
  source->place = 0;
  source->seeking = source->started = 0;
  source->bound = INT64_MAX;
  if (rowids == NULL || rowids_are_all(rowids)) {
    source->current = source->all;
    return 0;
  }
  if (rowids->first > rowids->last || (rowids->is_listed && rowids->count == 0)) return 0;
  if (source->some == NULL) {
    int rc = prepare(source,
                     "SELECT t.%s, t.rowid FROM %s AS t WHERE t.rowid >= ?1 AND t.rowid <= ?2 ORDER BY t.rowid",
                     &source->some);
    if (rc != SQLITE_OK) return fail_sqlite(call, rc, source->db), call->failed;
  }
  source->current = source->some;
  source->seeking = rowids_are_sparse(rowids);
  sqlite3_stmt_status(source->some, SQLITE_STMTSTATUS_VM_STEP, 1);
  sqlite3_int64 first = rowids->is_listed ? rowids->list[0] : rowids->first;
  sqlite3_int64 last = !rowids->is_listed ? rowids->last : rowids->list[source->seeking ? 0 : rowids->count - 1];
  return bind_range(call, source, first, last);
}

/* Steps a statement of ours, which may step others through a view. */
static int step(struct call *call, sqlite3_stmt *statement) {
  if (call->connection->depth >= DEEPEST) {
    fail(call, "views and table functions read each other, expected at most %d within each other", DEEPEST);
    return SQLITE_ERROR;
  }
  call->connection->depth++;
  int rc = sqlite3_step(statement);
  call->connection->depth--;
  return rc;
}

int source_bound(struct call *call, struct source *source) {
  sqlite3_stmt *statement = NULL;
  int rc = prepare(source, "SELECT m.rowid FROM (SELECT %s, rowid FROM %s) AS m ORDER BY m.rowid DESC LIMIT 1",
                   &statement);
  if (rc == SQLITE_OK) rc = step(call, statement);
  if (rc == SQLITE_ROW && sqlite3_column_type(statement, 0) == SQLITE_INTEGER)
    source->bound = sqlite3_column_int64(statement, 0);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE && !call->failed) fail_sqlite(call, rc, source->db);
  sqlite3_finalize(statement);
  return call->failed;
}

/* To the next rowid of the list, or, where seeking turns out to be scanning, to the rest of it. */
static int seek(struct call *call, struct source *source) {
  const struct rowids *rowids = source->rowids;
  int steps = sqlite3_stmt_status(source->some, SQLITE_STMTSTATUS_VM_STEP, 0);
  size_t place = ++source->place;
  if (place >= rowids->count) return 0;
  source->seeking = (size_t)steps < STEPS_TO_BEGIN_WITH + STEPS_OF_A_SEEK * place;
  return !bind_range(call, source, rowids->list[place], rowids->list[source->seeking ? place : rowids->count - 1]);
}

/* The row's rowid, which a table without one of its own must have in a column of that name. */
static int read_rowid(struct call *call, struct source *source) {
  sqlite3_value *value = sqlite3_column_value(source->current, ROWID);
  int type = sqlite3_value_type(value);
  int64_t before = source->rowid;
  source->rowid = sqlite3_value_int64(value);
  if (type != SQLITE_INTEGER && !(type == SQLITE_FLOAT && (double)source->rowid == sqlite3_value_double(value))) {
    char *what = sqlite3_mprintf("rowid of '%s'", source->name);
    if (what == NULL)
      fail_nomem(call);
    else
      fail_type(
          call, what, type,
          "unique INTEGERs, its own or in a column of that name: read it through a view that names such a "
          "one rowid, or go row by row: INSERT INTO target(id, v) SELECT id, whiten_apply(model, v) FROM ...");
    sqlite3_free(what);
  } else if (source->started && source->rowid == before) {
    fail(call, "rowid of '%s' is %lld twice, expected unique INTEGERs in a column named rowid", source->name,
         (long long)before);
  }
  source->started = 1;
  return call->failed;
}

/* Whether the list, if there is one, has the row's rowid. */
static int is_listed(struct source *source) {
  const struct rowids *rowids = source->rowids;
  if (rowids == NULL || !rowids->is_listed) return 1;
  while (source->place < rowids->count && rowids->list[source->place] < source->rowid) source->place++;
  return source->place < rowids->count && rowids->list[source->place] == source->rowid;
}

/* To the next row that is wanted; 0 at the end, where it stays, and after an error. */
static int advance(struct call *call, struct source *source) {
  while (source->current != NULL) {
    int rc = step(call, source->current);
    if (rc == SQLITE_ROW) {
      if (read_rowid(call, source)) return 0;
      if (source->rowid > source->bound) break;
      if (is_listed(source)) return 1;
    } else if (rc != SQLITE_DONE) {
      if (!call->failed) fail_sqlite(call, rc, source->db);
      return 0;
    } else if (!source->seeking || !seek(call, source)) {
      break;
    }
  }
  source->current = NULL;
  return 0;
}

int source_next(struct call *call, struct source *source, size_t *dim, struct vector *v) {
  *v = (struct vector){0};
  if (!advance(call, source)) return 0;
  /* One look at the column: each of sqlite3_column_*() takes the connection's mutex, which the caller of a virtual table
  ** holds anyway; so the value is as good as a protected one. */
  sqlite3_value *value = sqlite3_column_value(source->current, VECTOR);
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

/* ---- for the planner ---- */

/* The schema that has a table, as SQLite looks for it; NULL if it is in none of these. The name begins at *table. */
static char *schema_of(sqlite3 *db, const char **table) {
  static const char *const SCHEMAS[] = {"temp", "main"};
  const char *point = strchr(*table, '.');
  if (is_table(db, NULL, *table)) {
    for (int i = 0; i < 2; i++)
      if (is_table(db, SCHEMAS[i], *table)) return sqlite3_mprintf("%s", SCHEMAS[i]);
  } else if (point != NULL) {
    char *schema = sqlite3_mprintf("%.*s", (int)(point - *table), *table);
    *table = point + 1;
    return schema;
  }
  return NULL;
}

double source_size(sqlite3 *db, const char *table) {
  double rows = ROWS_ASSUMED;
  sqlite3_stmt *statement = NULL;
  char *schema = schema_of(db, &table), *sql = NULL;
  if (schema != NULL && is_table(db, schema, "sqlite_stat1"))
    sql = sqlite3_mprintf("SELECT stat FROM \"%w\".sqlite_stat1 WHERE tbl = ?1 COLLATE NOCASE LIMIT 1", schema);
  if (sql != NULL && sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    rows = fmax(1, sqlite3_column_double(statement, 0));
  sqlite3_finalize(statement);
  sqlite3_free(sql);
  sqlite3_free(schema);
  return rows;
}

void source_check(struct call *call, const struct source *source, const struct vector *v, enum status status) {
  if (status == STATUS_OK) return;
  call->rowid = &source->rowid;
  if (status != STATUS_NOT_FINITE || !fail_not_finite(call, source->column_argument, v->dim, v->data))
    fail_status(call, status);
}
