/*
** What the table-valued functions have in common: eponymous, read-only, their arguments hidden columns that stand
** together behind the visible ones and must all be given. The hidden columns are called arg_..., so that they do not
** capture the names of the user's own columns in a join.
*/
#ifndef WHITEN_HOST_TABLE_H
#define WHITEN_HOST_TABLE_H

#include "host/call.h"

/* What a table-valued function is. */
struct table_shape {
  const char *name;
  const sqlite3_module *methods;
  uint64_t cursor_bytes;   /* of its cursor, which begins with sqlite3_vtab_cursor and is zeroed when opened */
  const char *declaration; /* CREATE TABLE x(...) */
  int innocuous;           /* harmless even in the schema of a hostile database; else for top-level SQL alone */
  int first_argument;      /* column of the first argument */
  int order_column, order_desc; /* rows come sorted by this column; -1 if they do not */
  const char *const *arguments; /* their names, ended by NULL */
};

/* The user data of a module. */
struct table_binding {
  const struct table_shape *shape;
  struct connection *connection;
};

/* The virtual table. */
struct table {
  sqlite3_vtab base;
  const struct table_shape *shape;
  struct connection *connection;
  sqlite3 *db;
};

/* Methods that all share. table_best_index passes the arguments to xFilter, in order. */
int table_connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **error);
int table_disconnect(sqlite3_vtab *vtab);
int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info);
int table_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor);
#define TABLE_METHODS \
  .xConnect = table_connect, .xDisconnect = table_disconnect, .xBestIndex = table_best_index, .xOpen = table_open

/* Where the errors of a query on the table go. */
struct call table_call(sqlite3_vtab *vtab);

#endif
