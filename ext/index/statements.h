/*
** The statements on the shadow tables of an index: prepared when they are first needed, and kept.
*/
#ifndef WHITEN_INDEX_STATEMENTS_H
#define WHITEN_INDEX_STATEMENTS_H

#include "index/store.h"

enum statement {
  HOLD,
  ROOT,
  TOUCH,
  TEXT,
  SET_TEXT,
  GENERATIONS,
  MODEL,
  ADD_GENERATION,
  SET_BUILT,
  REMOVE_SIGNS,
  REMOVE_REST,
  REMOVE_DIR,
  REMOVE_GENERATION,
  DIR,
  PUT_DIR,
  DROP_DIR,
  GET_SIGNS,
  GET_REST,
  PUT_SIGNS,
  PUT_REST,
  DROP_SIGNS,
  DROP_REST,
  ORPHAN,
  SWEEP_DIR,
  SWEEP_SIGNS,
  SWEEP_REST,
  STATEMENTS
};
_Static_assert(sizeof((struct store *)NULL)->statements / sizeof(sqlite3_stmt *) == STATEMENTS,
               "store.h has a place for each");

/* SQL in which @suffix@ stands for the table of that suffix, with its name instead; from sqlite3_malloc, NULL without
** memory. */
char *statement_text(const struct store *store, const char *sql);
/* One that is ready to be bound; NULL after an error, also an earlier one. */
sqlite3_stmt *statement_of(struct call *call, struct store *store, enum statement which);
/* Steps one, unless it is NULL or there was an error; whether there is a row. */
int statement_step(struct call *call, struct store *store, sqlite3_stmt *s);
/* Makes it ready for the next use (NULL is fine); returns call->failed. */
int statement_reset(struct call *call, sqlite3_stmt *s);
/* Binds integers to ?1 and on, and runs to the end. 0 on success. */
int statement_run(struct call *call, struct store *store, enum statement which, int count, const int64_t *values);
void statements_forget(struct store *store);

/* 63 random bits, not 0. */
int64_t new_stamp(void);

#endif
