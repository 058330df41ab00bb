/*
** Table-valued functions: eponymous, read-only, their arguments hidden columns that stand together behind the visible
** ones. The hidden columns are called arg_..., so that they do not capture the names of the user's own columns in a
** join; they hold the arguments (a handle shows as NULL there).
**
** To add one: a cursor that begins with struct table_cursor, callbacks, and a const struct table_function, named in
** function.h and in init.c's list. There is one sqlite3_module, in table.c, which forwards to them; what SQLite's planner
** is told is in plan.c. A callback reports an error with fail(call, ...); the rest follows from that. Never touched by two
** threads at a time.
**
** In one statement the same arguments give the same rows: asked again - in the inner loop of a join, for another rowid -
** a cursor that can `rewind` does so, until another statement of the connection has changed a row. A function that
** cannot, or whose arguments changed, is filtered anew; `same` tells which arguments did not.
*/
#ifndef WHITEN_HOST_TABLE_H
#define WHITEN_HOST_TABLE_H

#include "host/rowids.h"

#define TABLE_ARGUMENTS_MAX 8
#define TABLE_ORDERS_MAX 3

/* What a function can have taken into account while it looks, instead of filtered afterwards: comparisons with the rowid,
** which is column 0 then, and with the similarity, column 1. */
enum table_takes {
  TABLE_ROWIDS = 1, /* <, <=, >, >=, BETWEEN, IN, =: query.rowids; all but = are always taken, whatever the plan */
  TABLE_PICKS_ROWID =
      2, /* but = picks among the rows that there are without it: query.picked; a join by rowid needs that */
  TABLE_SIMILARITY = 4, /* >, >=: query.least */
  TABLE_LIMIT = 8       /* LIMIT and OFFSET: query.limit */
};

/* What is asked for besides the arguments. */
struct table_query {
  struct rowids rowids, picked;
  double least;   /* a similarity must be at least that, */
  int above;      /* or above it */
  uint64_t limit; /* no more rows are looked at; UINT64_MAX without LIMIT */
};

/* What every cursor begins with; the rest of it is zeroed when it is opened. */
struct table_cursor {
  sqlite3_vtab_cursor base;
  sqlite3_value *arguments[TABLE_ARGUMENTS_MAX]; /* copies, for the hidden columns; NULL if not given */
  unsigned same;                                 /* a bit for each argument that is what it was before */
  struct table_query query;
  int is_filled, changes; /* without an error; the connection's changed rows by then */
};

/* A column by which rows come sorted. */
struct table_order {
  int column, desc;
};

struct table_plan;

/* What a table-valued function is. */
struct table_function {
  const char *name;
  const char *columns;          /* "rowid INTEGER, vector BLOB": the visible ones, as in CREATE TABLE */
  int column_count;             /* how many those are: the first argument's column */
  const char *const *arguments; /* their names, ended by NULL */
  int optional;                 /* how many of them, at the end, may be missing */
  int match_column; /* `x MATCH value` gives the first argument if x is that or this column; 0: MATCH does not */
  int innocuous;    /* harmless even in the schema of a hostile database; else for top-level SQL alone */
  unsigned takes;   /* of enum table_takes */
  int order_count;  /* rows come sorted by so many columns, which together are unique; 0: not sorted */
  struct table_order order[TABLE_ORDERS_MAX];
  size_t cursor_bytes;

  /* How many rows there will be, and what they cost, in steps of SQLite's over a row; NULL: a thousand. */
  void (*estimate)(const struct table_plan *plan, double *rows, double *cost);
  /* To the first row. argv has a place for each argument, in order; NULL (no value at all) for one that is missing. The
  ** cursor may have been through this before. */
  void (*filter)(struct call *call, struct table_cursor *cursor, sqlite3_value **argv);
  /* To the first row again: nothing has changed but query.picked. NULL if it cannot; returns 0 if it cannot now. */
  int (*rewind)(struct call *call, struct table_cursor *cursor);
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
