/* See table.h. */
#include "host/table.h"

#include <string.h>

int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **error) {
  const struct table_binding *binding = aux;
  (void)argc, (void)argv, (void)error;
  int rc = sqlite3_declare_vtab(db, binding->shape->declaration);
  if (rc != SQLITE_OK) return rc;
  sqlite3_vtab_config(db, binding->shape->innocuous ? SQLITE_VTAB_INNOCUOUS : SQLITE_VTAB_DIRECTONLY);
  struct table *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (struct table){.shape = binding->shape, .connection = binding->connection, .db = db};
  *vtab = &table->base;
  return SQLITE_OK;
}

int table_disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab);
  return SQLITE_OK;
}

int table_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor) {
  uint64_t bytes = ((struct table *)vtab)->shape->cursor_bytes;
  *cursor = sqlite3_malloc64(bytes);
  if (*cursor == NULL) return SQLITE_NOMEM;
  memset(*cursor, 0, bytes);
  return SQLITE_OK;
}

static int refuse(sqlite3_vtab *vtab, const struct table_shape *shape, int missing) {
  struct call call = table_call(vtab);
  sqlite3_str *list = sqlite3_str_new(NULL);
  for (int i = 0; shape->arguments[i] != NULL; i++)
    sqlite3_str_appendf(list, "%s%s", i > 0 ? ", " : "", shape->arguments[i]);
  char *text = sqlite3_str_finish(list);
  if (text == NULL)
    fail_nomem(&call);
  else
    fail(&call, "%s is missing, expected %s(%s)", shape->arguments[missing], shape->name, text);
  sqlite3_free(text);
  return call.failed;
}

int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  const struct table_shape *shape = ((struct table *)vtab)->shape;
  unsigned given = 0;
  int count = 0;
  while (shape->arguments[count] != NULL) count++;
  for (int i = 0; i < info->nConstraint; i++) {
    int argument = info->aConstraint[i].iColumn - shape->first_argument;
    if (argument < 0 || argument >= count || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    info->aConstraintUsage[i].argvIndex = argument + 1;
    info->aConstraintUsage[i].omit = 1;
    given |= 1u << argument;
  }
  for (int i = 0; i < count; i++)
    if (!(given >> i & 1)) return refuse(vtab, shape, i);
  info->orderByConsumed = info->nOrderBy == 1 && info->aOrderBy[0].iColumn == shape->order_column &&
                          info->aOrderBy[0].desc == shape->order_desc;
  info->estimatedCost = 1000;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

struct call table_call(sqlite3_vtab *vtab) {
  struct table *table = (struct table *)vtab;
  return call_of_table(table->shape->name, table->connection, &vtab->zErrMsg);
}
