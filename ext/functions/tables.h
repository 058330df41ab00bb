/*
** What the table-valued functions have in common: eponymous, read-only, their arguments hidden columns that stand
** together behind the visible ones and must all be given.
*/
#ifndef WHITEN_FUNCTIONS_TABLES_H
#define WHITEN_FUNCTIONS_TABLES_H

#include "error.h"

/* The virtual table: it belongs to a connection. */
struct table {
  sqlite3_vtab base;
  struct connection *connection;
  sqlite3 *db;
};

/* `aux` is the connection of the module. `innocuous`: harmless even in the schema of a hostile database; else the
** function is for top-level SQL alone. */
int table_connect(sqlite3 *db, void *aux, const char *declaration, int innocuous, sqlite3_vtab **vtab);
int table_disconnect(sqlite3_vtab *vtab);

/* Passes the `count` arguments that begin at column `first` to xFilter, in order. */
int table_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info, int first, int count);

/* Where the errors of a query on the table go. */
struct call table_call(sqlite3_vtab *vtab, const char *function);

#endif
