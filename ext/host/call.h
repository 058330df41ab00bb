/*
** The one place that words an error: "function: argument is/has what was found, expected what was expected".
**
** A `struct call` says where an error goes: to a function's context, or to a table-valued function's message. After
** the first error further ones are ignored, and `failed` is set.
*/
#ifndef WHITEN_HOST_CALL_H
#define WHITEN_HOST_CALL_H

#include "core/halves.h"
#include "host/function.h"

struct call {
  const char *function;
  sqlite3_context *context; /* NULL in a table-valued function */
  struct connection *connection;
  char **message;            /* where a table-valued function's message goes */
  int64_t row;               /* of the group, from 1, in an aggregate; else 0 */
  const int64_t *rowid;      /* of the table's row that is being read; else NULL */
  const struct group *group; /* in an aggregate's step */
  int failed;                /* an SQLite error code, or 0 */
};

struct call call_of(sqlite3_context *context);
struct call call_of_table(const char *function, struct connection *connection, char **message);

/* What the state of an aggregate begins with. */
struct group {
  int64_t rows;         /* so far, those that are skipped included */
  int failed;           /* a row did: SQLite finalizes the group all the same */
  struct halves halves; /* what group_look has seen of its vectors */
};

/* In a step: the group's state of so many bytes, zeroed in its first row, which counts the row and makes errors name it;
** NULL after fail_nomem. In a final: what there is, NULL if there was no row. */
void *group_of(struct call *call, size_t bytes);
void *group_ended(const struct call *call);

/* The variant of the function that is being called. */
int call_variant(const struct call *call);

/* Any message; the function's name, and the row if any, come before it. */
void fail(struct call *call, const char *format, ...);
void fail_nomem(struct call *call);

/* What SQLite itself says went wrong in a statement of ours. */
void fail_sqlite(struct call *call, int rc, sqlite3 *db);

/* "argument is TEXT, expected ...": `type` is SQLite's fundamental type. */
void fail_type(struct call *call, const char *argument, int type, const char *expected);
/* "argument[3] is NaN, expected a finite number": looks for the element; does nothing and returns 0 if all are finite. If
** the vector, or the group so far, is float64 by its looks, the message says so. */
int fail_not_finite(struct call *call, const char *argument, size_t dim, const void *vector);
/* "argument[3] is NaN, expected a finite number" of an element that is known to be at fault. */
void fail_element(struct call *call, const char *argument, size_t index, float element);
/* In a step, of each BLOB in a column of vectors: an error, and not 0, once the column turns out to be float64. */
int group_look(struct call *call, struct group *group, const char *argument, size_t dim, const void *vector);
/* The same in the final, of a group that may be small; dim is that of its rows. */
int group_looked(struct call *call, const struct group *group, const char *argument, size_t dim);
/* "argument has 2 elements, expected 3 (as in ...)" */
void fail_dim(struct call *call, const char *argument, size_t found, size_t expected, const char *why);
/* The rows of an aggregate are too long for a covariance. */
void fail_dim_of_moments(struct call *call, size_t found);
/* "result[3] is beyond float32" */
void fail_overflow(struct call *call, const char *what, size_t index);

/* What is wrong with a model or stats BLOB: status as model_read or moments_read gave it. */
void fail_blob(struct call *call, const char *argument, enum status status, const void *blob, size_t bytes,
               uint64_t claimed);

/* Rare ends that need no more than their name: out of memory, a solver that failed. */
void fail_status(struct call *call, enum status status);

#endif
