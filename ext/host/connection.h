/*
** Parsed models: shared by reference, cached per connection, handed around in SQL as pointers.
**
** Parsing a model checks every byte of it and lays its kernel out for the arithmetic; that happens once per connection,
** which keeps the last MODELS_CACHED. SQLite says that an argument is the one of the row before for literals and bound
** parameters alone, by keeping their auxiliary data; any other BLOB, a sub-query's too, is compared in full with the
** models that are kept, in every row. Handles cost nothing.
*/
#ifndef WHITEN_HOST_CONNECTION_H
#define WHITEN_HOST_CONNECTION_H

#include "core/whitener.h"
#include "host/call.h"

#define MODELS_CACHED 16

/* A parsed model with its count of references: the cache, statements, handles, calls. */
struct shared_model {
  int references;
  struct whitener whitener;
};

struct shared_model *model_retain(struct shared_model *model);
void model_release(struct shared_model *model); /* NULL is fine */

/* One per connection, with a reference per registered function. */
struct connection {
  int references;
  struct shared_model *cached[MODELS_CACHED]; /* the most recently used first */
  int64_t parsed;                             /* models parsed in full so far */
  int cores;             /* that a fit or a table-valued function may use: whiten_config('threads') */
  int most_cores;        /* what WHITEN_THREADS and the machine allow, and the default */
  int depth;             /* of tables read within each other */
  struct index *indexes; /* that are open: see index/index.h */
  struct setting *settings;
};

/* What was set under a name, while the connection lasts: what belongs to a virtual table goes whenever SQLite opens that
** anew, because the schema has changed. */
struct setting {
  struct setting *next;
  double value;
  char name[];
};
/* NULL if nothing was; sets it, 0 without memory. */
const struct setting *setting_find(const struct connection *connection, const char *name);
int setting_put(struct connection *connection, const char *name, double value);

struct connection *connection_create(void);
void connection_release(struct connection *connection);

/* How many models the connection keeps. */
int connection_models(const struct connection *connection);

/* The model in a function's first argument, a BLOB or a handle; NULL after an error. The caller releases it. A literal
** or bound model is looked at in the first row alone. */
struct shared_model *model_argument(struct call *call, sqlite3_value *value);

/* The model that a BLOB is, from the connection's cache or parsed; NULL after an error. The caller releases it. */
struct shared_model *model_of_blob(struct call *call, const void *blob, size_t bytes);

/* Whether a value is a handle, whose model was checked when it was made. */
int is_model_handle(sqlite3_value *value);

/* Whether a value is the one that was copied; NULL is no value at all. Of a handle there is no copy. */
int value_is_same(sqlite3_value *copy, sqlite3_value *value);

/* Returns the model as a handle; takes a reference of its own. */
void result_model(struct call *call, struct shared_model *model);
/* Binds it, as a handle, to a parameter of a statement of our own: SQLite's return code. */
int model_bind(sqlite3_stmt *statement, int index, struct shared_model *model);

#endif
