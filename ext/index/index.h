/*
** What an index is while a connection has it open: what its CREATE VIRTUAL TABLE said, its store, and what was read of that
** under the root's stamp.
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
  struct dir dir;
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
  double error_factor;   /* candidates are what may be among the best by so many standard errors; 0: exact */
  sqlite3_stmt *fetch;   /* SELECT column FROM content WHERE rowid = ?1 */
  struct source content; /* the content's rows in order, opened at need */
  struct index *next;    /* of this connection */
};

/* Where the errors of a query on it go. */
struct call index_call(struct index *index);

/* Reads what changed since the last look, after writing what is pending. 0 on success. */
int index_refresh(struct call *call, struct index *index);
/* The same, and an error that says how to build if there is no generation. */
int index_ready(struct call *call, struct index *index);

/* The content opened for reading in order, with `struct source`; the vector of one row, NULL data if it is not there or NULL. Vectors are of
** the model's dimension or an error. 0 on success. */
int index_open_content(struct call *call, struct index *index);
int index_fetch(struct call *call, struct index *index, int64_t rowid, struct vector *v);
/* A fetched vector is good until this or the next fetch. */
void index_fetch_done(struct index *index, struct vector *v);

/* Codes a vector of the content for a generation: y and shifted are workspaces of m and d; *found is 0 for a vector without a direction. */
int index_encode(struct call *call, struct index *index, const struct generation *g, const struct vector *v,
                 struct code *code, int *found);

#endif
