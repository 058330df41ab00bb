/*
** What SQLite's planner asks a table-valued function, and how the answer comes back in xFilter.
**
** Arguments that nothing gives - which is so in every attempt to use an index for the terms of an OR, and on the right of
** RIGHT and FULL JOIN, where SQLite hands none over - make a plan at a prohibitive cost; who runs it all the same is told.
** EXPLAIN QUERY PLAN shows the arguments that are given and what is taken into account besides: "table, column, query, k,
** rowid IN, LIMIT".
*/
#ifndef WHITEN_HOST_PLAN_H
#define WHITEN_HOST_PLAN_H

#include "host/table.h"

/* In idxNum, besides a bit for each argument that is given: there are some that must be given and are not. */
#define PLAN_INCOMPLETE (1 << TABLE_ARGUMENTS_MAX)

/* Or: a comparison with the rowid must be known before the best are chosen, and is not. */
#define PLAN_WAITS (2 << TABLE_ARGUMENTS_MAX)

/* Or: SQLite takes the rows for sorted as they come. */
#define PLAN_SORTED (4 << TABLE_ARGUMENTS_MAX)

/* If xFilter is given a plan that cannot be run, an error that says why; whether it is. */
int plan_refuse(struct call *call, int given);

/* xBestIndex. */
int plan_make(sqlite3 *db, const struct table_function *function, sqlite3_index_info *info);

/* For a function's estimate: the rows of the table that an argument names; the integer that it is. Both as far as they are
** known when a statement is prepared. */
double plan_rows(const struct table_plan *plan, int argument);
double plan_integer(const struct table_plan *plan, int argument, double otherwise);

/* What is asked for besides the arguments, from xFilter's own arguments behind them. 0 on success. */
int plan_read(struct call *call, const struct table_function *function, const char *text, sqlite3_value **argv,
              struct table_query *query);
/* Whether two queries ask for the same rows, of which `picked` is a choice. */
int plan_is_same(const struct table_query *a, const struct table_query *b);

#endif
