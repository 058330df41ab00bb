/*
** A column of vectors in a table that is named by its arguments: read in the order of its rowids through SQLite itself,
** on the same connection, so that locks, authorizer, temp and attached schemas work as in any query.
**
** The name is looked up as given, in temp, main, then the attached databases; if there is no such table and the name
** has a point, what stands before it is taken for the schema. Names are quoted, never pasted.
**
** The rowid is what SQL calls `rowid`: a column of that name if there is one, which must then hold unique integers. So a
** view or a WITHOUT ROWID table can be read if it has such a column, and what is returned is what a join by rowid finds.
**
** A statement is kept from one reading to the next; SQLite prepares it again when the schema changes.
*/
#ifndef WHITEN_HOST_SOURCE_H
#define WHITEN_HOST_SOURCE_H

#include "host/rowids.h"
#include "host/value.h"

struct source {
  sqlite3 *db;
  const char *column_argument; /* what messages call the column */
  char *from, *name, *column;  /* "schema"."table" in SQL; the name as given; the column quoted */
  sqlite3_stmt *all, *some;    /* every row; those of a range */
  sqlite3_stmt *current;       /* the one that is being read */
  const struct rowids *rowids; /* what is read */
  size_t place;                /* in their list */
  int seeking;                 /* one rowid of the list after the other */
  int started;                 /* there is a row before this one */
  int64_t bound;               /* rows beyond are not read */
  int64_t rowid;               /* of the row that source_next read */
};

/* argv[0] names the table, argv[1] the column; messages call these two arguments what the names say. 0 on success. */
int source_open(struct call *call, sqlite3 *db, const char *table_argument, const char *column_argument,
                sqlite3_value **argv, struct source *source);
/* The same, of names that are known, in that schema if it is not NULL: `source` is zeroed but for db. */
struct source_names {
  const char *table_argument, *column_argument, *schema, *table, *column;
};
int source_open_named(struct call *call, struct source *source, const struct source_names *names);
void source_close(struct source *source); /* safe on a zeroed struct */

/* To before the first of the rows wanted, which must outlive the reading: NULL for all. 0 on success. */
int source_start(struct call *call, struct source *source, const struct rowids *rowids);
/* Has a reading that hands rows out as it goes end at the rowid that is the largest now: rows that its own statement
** appends are not met. 0 on success. */
int source_bound(struct call *call, struct source *source);

/*
** The next row: 1 if there is one, 0 at the end or after an error. v->data is NULL where the column is; else the vector
** lives until vector_free, or the next row. If *dim is not 0 the vector must have that many elements; if it is, it
** receives the first one's. From then on errors name the rowid.
*/
int source_next(struct call *call, struct source *source, size_t *dim, struct vector *v);

/* How many rows a table has: as ANALYZE left it, else what SQLite itself assumes. Cheap enough for a planner. */
double source_size(sqlite3 *db, const char *table);

/* What the core says of the row's vector: an error that names both, unless it is STATUS_OK. */
void source_check(struct call *call, const struct source *source, const struct vector *v, enum status status);

#endif
