/*
** Which rowids a query asks for: a range, and a list within it, made from comparisons in SQL. A value is compared as
** SQLite compares it with an INTEGER column: TEXT that is a number counts as one, other TEXT and BLOBs are above every
** number, NULL compares with nothing.
*/
#ifndef WHITEN_HOST_ROWIDS_H
#define WHITEN_HOST_ROWIDS_H

#include "host/call.h"

struct rowids {
  sqlite3_int64 first, last; /* first > last: none */
  sqlite3_int64 *list;       /* ascending, each once, none outside; owned */
  size_t count;
  int is_listed; /* none but those of the list */
};

struct rowids rowids_all(void);
void rowids_clear(struct rowids *r); /* safe on a zeroed struct */
int rowids_are_all(const struct rowids *r);
int rowids_are_same(const struct rowids *a, const struct rowids *b);
/* Whether a list leaves gaps so wide that its rows are better sought one by one than met in a scan. */
int rowids_are_sparse(const struct rowids *r);
/* Those of them that are first .. last: shares the list, and is not to be cleared. */
struct rowids rowids_part(const struct rowids *r, sqlite3_int64 first, sqlite3_int64 last);
int rowids_have(const struct rowids *r, sqlite3_int64 id);
int rowids_are_none(const struct rowids *r);

/* Narrows to those for which `rowid op value` holds: SQLITE_INDEX_CONSTRAINT_EQ, GT, GE, LT, LE. */
void rowids_compare(struct rowids *r, int op, sqlite3_value *value);
/* Narrows to those in a list that sqlite3_vtab_in passes. 0 on success. */
int rowids_in(struct call *call, struct rowids *r, sqlite3_value *values);

#endif
