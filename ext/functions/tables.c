/* See tables.h. */
#include "tables.h"

int table_connect(sqlite3 *db, void *aux, const char *declaration, int innocuous, sqlite3_vtab **vtab) {
  int rc = sqlite3_declare_vtab(db, declaration);
  if (rc != SQLITE_OK) return rc;
  sqlite3_vtab_config(db, innocuous ? SQLITE_VTAB_INNOCUOUS : SQLITE_VTAB_DIRECTONLY);
  struct table *table = sqlite3_malloc64(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  *table = (struct table){.connection = aux, .db = db};
  *vtab = &table->base;
  return SQLITE_OK;
}

int table_disconnect(sqlite3_vtab *vtab) {
  sqlite3_free(vtab);
  return SQLITE_OK;
}

int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info, int first, int count) {
  int given = 0;
  for (int i = 0; i < info->nConstraint; i++) {
    int argument = info->aConstraint[i].iColumn - first;
    if (argument < 0 || argument >= count || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ) continue;
    if (!info->aConstraint[i].usable) return SQLITE_CONSTRAINT;
    info->aConstraintUsage[i].argvIndex = argument + 1;
    info->aConstraintUsage[i].omit = 1;
    given |= 1 << argument;
  }
  if (given != (1 << count) - 1) {
    sqlite3_free(vtab->zErrMsg);
    vtab->zErrMsg = sqlite3_mprintf("table-valued function: too few arguments, expected %d", count);
    return SQLITE_ERROR;
  }
  info->estimatedCost = 1000;
  info->estimatedRows = 1000;
  return SQLITE_OK;
}

struct call table_call(sqlite3_vtab *vtab, const char *function) {
  return call_of_table(function, ((struct table *)vtab)->connection, &vtab->zErrMsg);
}
