/*
** What the table-valued functions have in common: eponymous, read-only, their arguments hidden columns that stand
** together behind the visible ones and must all be given. The hidden columns are called arg_..., so that they do not
** capture the names of the user's own columns in a join.
*/
#ifndef WHITEN_FUNCTIONS_TABLES_H
#define WHITEN_FUNCTIONS_TABLES_H

#include "error.h"

/* What a table-valued function is. */
struct table_shape {
  const char *name;
  const char *declaration;      /* CREATE TABLE x(...) */
  int innocuous;                /* harmless even in the schema of a hostile database; else for top-level SQL alone */
  int first_argument;           /* column of the first argument */
  int order_column, order_desc; /* rows come sorted by this column; -1 if they do not */
  const char *const *arguments; /* their names, ended by NULL */
};

/* The virtual table: it belongs to a connection. */
struct table {
  sqlite3_vtab base;
  const struct table_shape *shape;
  struct connection *connection;
  sqlite3 *db;
};

/* `aux` is the connection of the module. */
int table_connect(sqlite3 *db, void *aux, const struct table_shape *shape, sqlite3_vtab **vtab);
int table_disconnect(sqlite3_vtab *vtab);

/* xBestIndex: passes the arguments to xFilter, in order. */
int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info);

/* Where the errors of a query on the table go. */
struct call table_call(sqlite3_vtab *vtab);

#endif
