/*
** What an index is while a connection has it open: what its CREATE VIRTUAL TABLE said, its store, and what was read of
** that under the root's stamp.
*/
#ifndef WHITEN_INDEX_INDEX_H
#define WHITEN_INDEX_INDEX_H

#include "host/connection.h"
#include "host/source.h"
#include "index/arguments.h"
#include "index/pending.h"
#include "index/store.h"

/* A generation of codes: the current one, or the one that is being built to replace it. Zeroed = there is none. */
struct generation {
  struct store_generation stored;
  struct shared_model *model;
  struct whitener bare; /* the model's, but without normalizing: shares its memory */
  struct codes codes;
  size_t full; /* rows that fill a chunk */
  struct dir dir;
  float *shifted, *y; /* workspaces of index_encode: d elements, and m, 64-byte aligned */
  struct code *code;  /* and what it makes */
  void *workspace;
};

struct index {
  sqlite3_vtab base;
  sqlite3 *db;
  struct connection *connection;
  char *schema, *name;
  struct arguments arguments;
  struct store store;
  int64_t root;                     /* the stamp under which the generations were read; 0: not yet */
  struct generation generations[2]; /* current, next */
  struct pending pending;
  double error_factor;   /* candidates are what may be among the best by so many standard errors; 0: every row */
  char *content_name;    /* the content as it is called now, NULL until somebody asked */
  int has_triggers;      /* it has; known with its name */
  sqlite3_stmt *fetch;   /* SELECT column FROM content WHERE rowid = ?1 */
  struct source content; /* its rows in order */
  struct index *next;    /* of this connection */
  int writing;           /* index_write without index_written */
  int64_t writes;        /* the store's, when it began */
};

/* The error factor, of this connection's index of that name: as it was set last, or as CREATE VIRTUAL TABLE said. */
int index_set_factor(struct call *call, struct index *index, double factor);
int index_restore_factor(struct call *call, struct index *index);
/* Where the errors of a query on it go. */
struct call index_call(struct index *index);

/* Reads what changed since the last look. 0 on success. */
int index_look(struct call *call, struct index *index);
/* Forgets what was read, so that it is read again. */
void index_forget(struct index *index);

/*
** Around whatever writes the tables; pairs may stand within each other. index_write is an error, and needs no other
** half, if an earlier write has failed halfway and was not undone: then nothing is read or written until the
** transaction is rolled back, since what the tables have by then must not be taken for what their stamps name.
*/
int index_write(struct call *call, struct index *index);
void index_written(struct call *call, struct index *index);
/* The generations are in the tables as they are here: writes a new root. The same, of what the tables have. */
int index_touch(struct call *call, struct index *index);
int index_renew(struct call *call, struct index *index);
/* Whether both are one index of one connection: SQLite opens it anew when the schema changes in a transaction, and
** tells the old one of savepoints and the transaction's end, if that has changes. */
int index_is_same(const struct index *a, const struct index *b);
void generation_clear(struct generation *g); /* safe on a zeroed struct */

/* Codes a vector of the content into g->code, of one of its generations: 1 if it has a direction, 0 if not, or after an
** error. */
int index_encode(struct call *call, const struct index *index, struct generation *g, int64_t rowid,
                 const struct vector *v);

/* ---- content.c ---- */

/* Makes index->content_name and its column's name known, as they are now; its schema. */
int index_find_content(struct call *call, struct index *index);
const char *index_content_schema(const struct index *index);
/* Has index->content ready for source_start. 0 on success. */
int index_open_content(struct call *call, struct index *index);
/* Forgets what it is called, and what reads it by that name. */
void index_close_content(struct index *index);
/* The vector of one row, NULL data if that is NULL or there is no such row; of the model's dimension, or an error. Good
** until index_fetch_done, which must follow a success. 0 on success. */
int index_fetch(struct call *call, struct index *index, int64_t rowid, struct vector *v);
void index_fetch_done(struct index *index, struct vector *v);

/* ---- info.c ---- */

/*
** For a function that is given the name of an index: opens it if it is not open, and has all reading be of one snapshot.
** *statement keeps it from being closed, which SQLite may do whenever it sees that another connection has changed the
** schema, in any statement of ours. NULL after an error; else index_let_go must follow.
*/
struct index *index_hold(struct call *call, sqlite3 *db, sqlite3_value *value, sqlite3_stmt **statement);
void index_let_go(struct index *index, sqlite3_stmt *statement);

#endif
