/*
** Table-valued functions: eponymous, read-only, their arguments hidden columns that stand together behind the visible
** ones. The hidden columns are called arg_..., so that they do not capture the names of the user's own columns in a
** join; they hold the arguments.
**
** To add one: a cursor that begins with struct table_cursor, five callbacks, and a const struct table_function, named in
** function.h and in init.c's list. There is one sqlite3_module, in table.c, which forwards to them. A callback reports
** an error with fail(call, ...); the rest follows from that. Never touched by two threads at a time.
*/
#ifndef WHITEN_HOST_TABLE_H
#define WHITEN_HOST_TABLE_H

#include "host/call.h"

#define TABLE_ARGUMENTS_MAX 8

/* What every cursor begins with; the rest of it is zeroed when it is opened. */
struct table_cursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *arguments[TABLE_ARGUMENTS_MAX]; /* copies, for the hidden columns; NULL if not given */
};

/* A column by which rows come sorted. */
struct table_order {
  int column, desc;
};

/* What a table-valued function is. */
struct table_function {
  const char *name;
  const char *columns;          /* "rowid INTEGER, vector BLOB": the visible ones, as in CREATE TABLE */
  int column_count;             /* how many those are: the first argument's column */
  const char *const *arguments; /* their names, ended by NULL */
  int optional;                 /* how many of them, at the end, may be missing */
  int innocuous;            /* harmless even in the schema of a hostile database; else for top-level SQL alone */
  struct table_order order; /* column -1: rows do not come sorted */
  size_t cursor_bytes;

  /* To the first row. argv has a place for each argument, in order; NULL (no value at all) for one that is missing. The
  ** cursor may have been through this before. */
  void (*filter)(struct call *call, struct table_cursor *cursor, sqlite3_value **argv);
  void (*next)(struct call *call, struct table_cursor *cursor);
  int (*is_at_end)(const struct table_cursor *cursor);
  /* A visible column of the row; nothing set is NULL. */
  void (*column)(struct call *call, struct table_cursor *cursor, sqlite3_context *context, int column);
  sqlite3_int64 (*rowid)(const struct table_cursor *cursor);
  /* Frees what the cursor owns; it is zeroed, or closed, next. NULL if it owns nothing. */
  void (*clear)(struct table_cursor *cursor);
};

/* Zeroes all of a cursor behind struct table_cursor, after freeing what it owns. */
void table_clear(struct table_cursor *cursor);
/* The connection to read from. */
sqlite3 *table_db(const struct table_cursor *cursor);
/* Where the errors of a query on the cursor's table go. */
struct call table_call(const struct table_cursor *cursor);

/* Registers the function. */
int table_register(sqlite3 *db, const struct table_function *function, struct connection *connection);

#endif
