/*
** How a function is declared and found again: a row of a const table, and what a call of it can ask for.
*/
#ifndef WHITEN_HOST_FUNCTION_H
#define WHITEN_HOST_FUNCTION_H

#include "host/memory.h"
#include "host/sqlite.h"

/* Flags of a function that depends on its arguments alone and touches nothing else. */
#define FUNCTION_PURE (SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS)

#ifndef SQLITE_RESULT_SUBTYPE /* SQLite 3.45 and newer want it of a function whose result is JSON; older ones ignore it */
#define SQLITE_RESULT_SUBTYPE 0x001000000
#endif

/* A scalar has `call`; an aggregate `step` and `final`; a window function `value` and `inverse` besides. */
struct function {
  const char *name;
  int min_args, max_args;
  int flags;
  int variant; /* which of several functions this is that share their callbacks */
  void (*call)(sqlite3_context *, int, sqlite3_value **);
  void (*step)(sqlite3_context *, int, sqlite3_value **);
  void (*final)(sqlite3_context *);
  void (*value)(sqlite3_context *);
  void (*inverse)(sqlite3_context *, int, sqlite3_value **);
};

/* What the whole connection shares. See connection.h. */
struct connection;

/* The user data of every function. */
struct binding {
  const struct function *function;
  struct connection *connection;
};

/* The tables, each ended by a row without a name. */
extern const struct function embedding_functions[], similarity_functions[], pool_functions[], model_functions[],
    fit_functions[], moments_functions[], align_functions[], measure_functions[], batch_functions[],
    config_functions[], index_functions[], tune_functions[];
/* The table-valued functions: see table.h. */
struct table_function;
extern const struct table_function whiten_spectrum_table, whiten_rows_table, embedding_rows_table,
    cosine_topk_table, cosine_join_table, cosine_pairs_table, whiten_index_recall_table, whiten_index_join_table;
/* The virtual table whiten_index; SQLite's return code. */
int index_register(sqlite3 *db, struct connection *connection);

#endif
