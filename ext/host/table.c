/* See table.h. */
#include "host/table.h"

#include <string.h>

#include "host/connection.h"
#include "host/plan.h"

enum { ALL_SAME = (1 << TABLE_ARGUMENTS_MAX) - 1 };

/* The user data of a module. */
struct binding_of_table {
  const struct table_function *function;
  struct connection *connection;
};

struct table {
  sqlite3_vtab base;
  const struct table_function *function;
  struct connection *connection;
  sqlite3 *db;
};

static const struct table_function *function_of(const sqlite3_vtab_cursor *cursor) {
  return ((const struct table *)cursor->pVtab)->function;
}

struct call table_call(const struct table_cursor *cursor) {
  struct table *table = (struct table *)cursor->base.pVtab;
  return call_of_table(table->function->name, table->connection, &table->base.zErrMsg);
}

sqlite3 *table_db(const struct table_cursor *cursor) {
  return ((const struct table *)cursor->base.pVtab)->db;
}

static char *declaration(const struct table_function *function) {
  sqlite3_str *sql = sqlite3_str_new(NULL);
  sqlite3_str_appendf(sql, "CREATE TABLE x(%s", function->columns);
  for (int i = 0; function->arguments[i] != NULL; i++)
    sqlite3_str_appendf(sql, ", arg_%s HIDDEN", function->arguments[i]);
  sqlite3_str_appendchar(sql, 1, ')');
  return sqlite3_str_finish(sql);
}

static int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab,
                         char **error) {
  const struct binding_of_table *binding = aux;
  (void)argc, (void)argv, (void)error;
  char *sql = declaration(binding->function);
  int rc = sql == NULL ? SQLITE_NOMEM : sqlite3_declare_vtab(db, sql);
  sqlite3_free(sql);
  if (rc != SQLITE_OK) return rc;
  sqlite3_vtab_config(db, binding->function->innocuous ? SQLITE_VTAB_INNOCUOUS : SQLITE_VTAB_DIRECTONLY);
  struct table *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (struct table){.function = binding->function, .connection = binding->connection, .db = db};
  *vtab = &table->base;
  return SQLITE_OK;
}

static int table_disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab);
  return SQLITE_OK;
}

static int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  return plan_make(((struct table *)vtab)->db, ((struct table *)vtab)->function, info);
}

static int table_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  uint64_t bytes = ((struct table *)vtab)->function->cursor_bytes;
  *cursor = sqlite3_malloc64(bytes);
  if (*cursor == NULL) return SQLITE_NOMEM;
  memset(*cursor, 0, bytes);
  return SQLITE_OK;
}

void table_clear(struct table_cursor *cursor) {
  const struct table_function *function = function_of(&cursor->base);
  if (function->clear != NULL) function->clear(cursor);
  memset((char *)cursor + sizeof *cursor, 0, function->cursor_bytes - sizeof *cursor);
}

static int table_close(sqlite3_vtab_cursor *base) {
  struct table_cursor *cursor = (struct table_cursor *)base;
  table_clear(cursor);
  for (int i = 0; i < TABLE_ARGUMENTS_MAX; i++) sqlite3_value_free(cursor->arguments[i]);
  rowids_clear(&cursor->query.rowids);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

/* ---- xFilter ---- */

/* The first argument that must be given and is not. */
static void fail_missing(struct call *call, const struct table_function *function, int given) {
  sqlite3_str *list = sqlite3_str_new(NULL);
  int missing = 0;
  for (int i = 0; function->arguments[i] != NULL; i++)
    sqlite3_str_appendf(list, "%s%s", i > 0 ? ", " : "", function->arguments[i]);
  while (given >> missing & 1) missing++;
  char *text = sqlite3_str_finish(list);
  if (text == NULL)
    fail_nomem(call);
  else if (given == 0)
    fail(
        call,
        "%s is missing, expected %s(%s); on the right of RIGHT JOIN, where SQLite before 3.42 does not pass arguments, "
        "(SELECT * FROM %s(...))",
        function->arguments[0], function->name, text, function->name);
  else
    fail(call, "%s is missing, expected %s(%s)", function->arguments[missing], function->name, text);
  sqlite3_free(text);
}

/* Keeps copies of the arguments; notes which are the same. */
static void keep_arguments(struct call *call, struct table_cursor *cursor, sqlite3_value **arguments) {
  cursor->same = 0;
  for (int i = 0; i < TABLE_ARGUMENTS_MAX; i++) {
    if (value_is_same(cursor->arguments[i], arguments[i])) {
      cursor->same |= 1u << i;
      continue;
    }
    sqlite3_value_free(cursor->arguments[i]);
    cursor->arguments[i] = arguments[i] != NULL ? sqlite3_value_dup(arguments[i]) : NULL;
    if (arguments[i] != NULL && cursor->arguments[i] == NULL) fail_nomem(call);
  }
}

/* Asks for the rows: those that are there, if nothing else is asked and no row has changed, or the function's. */
static void ask(struct call *call, struct table_cursor *cursor, sqlite3_value **arguments,
                struct table_query *query) {
  const struct table_function *function = function_of(&cursor->base);
  int changes = sqlite3_total_changes(table_db(cursor));
  int is_kept = cursor->is_filled && cursor->same == ALL_SAME && cursor->changes == changes &&
                plan_is_same(&cursor->query, query);
  rowids_clear(&cursor->query.rowids);
  cursor->query = *query;
  cursor->is_filled = 0;
  if (!is_kept || function->rewind == NULL || !function->rewind(call, cursor))
    if (!call->failed) function->filter(call, cursor, arguments);
  cursor->is_filled = !call->failed;
  cursor->changes = changes;
}

static int table_filter(sqlite3_vtab_cursor *base, int given, const char *text, int argc, sqlite3_value **argv) {
  struct table_cursor *cursor = (struct table_cursor *)base;
  struct call call = table_call(cursor);
  sqlite3_value *arguments[TABLE_ARGUMENTS_MAX] = {0};
  struct table_query query;
  (void)argc;
  if (given & PLAN_INCOMPLETE) {
    fail_missing(&call, function_of(base), given & ~PLAN_INCOMPLETE);
    return call.failed;
  }
  if (plan_refuse(&call, given)) return call.failed;
  for (int i = 0, index = 0; i < TABLE_ARGUMENTS_MAX; i++)
    if (given >> i & 1) arguments[i] = argv[index++];
  keep_arguments(&call, cursor, arguments);
  if (plan_read(&call, function_of(base), text, argv, &query) == 0)
    ask(&call, cursor, arguments, &query);
  else
    rowids_clear(&query.rowids);
  return call.failed;
}

static int table_next(sqlite3_vtab_cursor *base) {
  struct table_cursor *cursor = (struct table_cursor *)base;
  struct call call = table_call(cursor);
  function_of(base)->next(&call, cursor);
  return call.failed;
}

static int table_eof(sqlite3_vtab_cursor *base) {
  return function_of(base)->is_at_end((const struct table_cursor *)base);
}

static int table_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column) {
  struct table_cursor *cursor = (struct table_cursor *)base;
  const struct table_function *function = function_of(base);
  int argument = column - function->column_count;
  if (argument >= 0) {
    if (cursor->arguments[argument] != NULL) sqlite3_result_value(context, cursor->arguments[argument]);
    return SQLITE_OK;
  }
  struct call call = table_call(cursor);
  function->column(&call, cursor, context, column);
  return call.failed;
}

static int table_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid) {
  *rowid = function_of(base)->rowid((const struct table_cursor *)base);
  return SQLITE_OK;
}

static const sqlite3_module MODULE = {.xConnect = table_connect,
                                      .xDisconnect = table_disconnect,
                                      .xBestIndex = table_best_index,
                                      .xOpen = table_open,
                                      .xClose = table_close,
                                      .xFilter = table_filter,
                                      .xNext = table_next,
                                      .xEof = table_eof,
                                      .xColumn = table_column,
                                      .xRowid = table_rowid};

static void binding_free(void *p) {
  struct binding_of_table *binding = p;
  connection_release(binding->connection);
  sqlite3_free(binding);
}

int table_register(sqlite3 *db, const struct table_function *function, struct connection *connection) {
  struct binding_of_table *binding = sqlite3_malloc64(sizeof *binding);
  if (binding == NULL) return SQLITE_NOMEM;
  *binding = (struct binding_of_table){function, connection};
  connection->references++;
  return sqlite3_create_module_v2(db, function->name, &MODULE, binding, binding_free);
}
