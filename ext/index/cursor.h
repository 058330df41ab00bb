/*
** A query on an index: `docs_search(query [, k])`, with LIMIT, thresholds on the similarity and conditions on the rowid
** as host/plan.h passes them.
**
** Without k, LIMIT and threshold, which SQLite does not pass on from the outside of a join, rows come for as long as
** somebody asks: a few first, then some times as many by another search.
*/
#ifndef WHITEN_INDEX_CURSOR_H
#define WHITEN_INDEX_CURSOR_H

#include "host/table.h"
#include "index/index.h"

/* The columns of an index. */
enum { INDEX_ROWID, INDEX_SIMILARITY, INDEX_QUERY, INDEX_K, INDEX_COMMAND, INDEX_RANK, INDEX_VECTOR };

/* What the planner is told. */
extern const struct table_function index_function;

int cursor_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **cursor);
int cursor_close(sqlite3_vtab_cursor *base);
int cursor_filter(sqlite3_vtab_cursor *base, int given, const char *text, int argc, sqlite3_value **argv);
int cursor_next(sqlite3_vtab_cursor *base);
int cursor_eof(sqlite3_vtab_cursor *base);
int cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column);
int cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid);

#endif
