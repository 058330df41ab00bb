/*
** A column of vectors in a table that is named by its arguments: read in rowid order through SQLite itself, on the same
** connection, so that locks, authorizer, temp and attached schemas work as in any query.
**
** The name is looked up as given, in temp, main, then the attached databases; if there is no such table and the name
** has a point, what stands before it is taken for the schema. Names are quoted, never pasted. Views and WITHOUT ROWID
** tables are refused. Rows that are added while an ordinary table is read are not seen.
*/
#ifndef WHITEN_HOST_SOURCE_H
#define WHITEN_HOST_SOURCE_H

#include "host/value.h"

struct source {
  sqlite3 *db;
  sqlite3_stmt *statement;
  const char *column_argument; /* what messages call the column */
  int64_t rowid;               /* of the row that source_next read */
  int at_end;                  /* a step more would start again */
};

/* `table` and `column` are the arguments so named in messages (table_argument ...). 0 on success. */
int source_open(struct call *call, sqlite3 *db, const char *table_argument, sqlite3_value *table,
                const char *column_argument, sqlite3_value *column, struct source *source);
void source_close(struct source *source);
/* Before the first row again. */
void source_rewind(struct source *source);

/*
** The next row: 1 if there is one, 0 at the end or after an error. v->data is NULL where the column is; else the vector
** lives until vector_free, or the next row. If *dim is not 0 the vector must have that many elements; if it is, it
** receives the first one's. From then on errors name the rowid.
*/
int source_next(struct call *call, struct source *source, size_t *dim, struct vector *v);

#endif
