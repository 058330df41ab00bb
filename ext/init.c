/*
** The entry point: registers what the functions' tables list, and stops at the first that fails.
**
** A connection may load the extension again, from wherever: the same version has nothing to do, another one says so.
** Who is there is asked through SQL, since another copy of the library shares no memory with this one. whiten_version is
** registered last: where it is, everything is.
**
** The library stays in the process, since BLAS has threads of its own that run its code. SQLITE_OK_LOAD_PERMANENTLY, what SQLite
** offers for that, was rejected: sqlite3_auto_extension(), which takes the entry point of a shared library too, takes it
** for an error. The library holds itself instead; where the linker has nodelete, that says so from the first moment.
*/
#include "whiten.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/simd/simd.h"
#include "core/system.h"
#include "core/workers.h"
#include "host/connection.h"
#include "host/table.h"

#ifdef WHITEN_STATIC
#define LOAD_API(api) (void)(api)
static void stay_loaded(void) {
} /* the application does */
#else
const sqlite3_api_routines *sqlite3_api = 0;
#define LOAD_API(api) \
  if (sqlite3_api != (api)) sqlite3_api = (api)

static void stay_loaded(void) {
  system_stay_loaded(&sqlite3_api);
}
#endif

enum { OLDEST_SQLITE = 3038000 };

static void binding_free(void *p) {
  struct binding *binding = p;
  connection_release(binding->connection);
  sqlite3_free(binding);
}

/* One function with each number of arguments it takes. */
static int register_function(sqlite3 *db, const struct function *f, struct connection *connection) {
  for (int args = f->min_args; args <= f->max_args; args++) {
    struct binding *binding = sqlite3_malloc64(sizeof *binding);
    if (binding == NULL) return SQLITE_NOMEM;
    *binding = (struct binding){f, connection};
    connection->references++;
    int rc = f->value != NULL ? sqlite3_create_window_function(db, f->name, args, f->flags, binding, f->step,
                                                               f->final, f->value, f->inverse, binding_free)
                              : sqlite3_create_function_v2(db, f->name, args, f->flags, binding, f->call, f->step,
                                                           f->final, binding_free);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

static int register_functions(sqlite3 *db, const struct function *table, struct connection *connection,
                              const char **name) {
  int rc = SQLITE_OK;
  for (const struct function *f = table; rc == SQLITE_OK && f->name != NULL; f++) {
    *name = f->name;
    rc = register_function(db, f, connection);
  }
  return rc;
}

static int register_all(sqlite3 *db, struct connection *connection, const char **name) {
  /* config_functions, which end in whiten_version, stand behind the tables. */
  static const struct function *const FUNCTIONS[] = {embedding_functions, similarity_functions, pool_functions,
                                                     model_functions,     fit_functions,        moments_functions,
                                                     align_functions,     measure_functions,    batch_functions,
                                                     index_functions,     tune_functions};
  static const struct table_function *const TABLES[] = {
      &whiten_spectrum_table, &whiten_rows_table,  &embedding_rows_table,      &cosine_topk_table,
      &cosine_join_table,     &cosine_pairs_table, &whiten_index_recall_table, &whiten_index_join_table};
  int rc = SQLITE_OK;
  for (size_t t = 0; rc == SQLITE_OK && t < sizeof FUNCTIONS / sizeof *FUNCTIONS; t++)
    rc = register_functions(db, FUNCTIONS[t], connection, name);
  for (size_t t = 0; rc == SQLITE_OK && t < sizeof TABLES / sizeof *TABLES; t++) {
    *name = TABLES[t]->name;
    rc = table_register(db, TABLES[t], connection);
  }
  if (rc == SQLITE_OK) {
    *name = "whiten_index";
    rc = index_register(db, connection);
  }
  return rc == SQLITE_OK ? register_functions(db, config_functions, connection, name) : rc;
}

/* Whether a row of the statement has this text in its first column; on an error none has. */
static int has_row(sqlite3_stmt *statement, const char *text) {
  while (sqlite3_step(statement) == SQLITE_ROW) {
    const char *found = (const char *)sqlite3_column_text(statement, 0);
    if (found != NULL && strcmp(found, text) == 0) return 1;
  }
  return 0;
}

/* The version that this connection has loaded, from sqlite3_malloc, or NULL if none has been. Neither statement reads the
** schema, which the user may not be able to read yet, and neither fails where the function is not: that would go to
** the host's log, and fail the sqlite3_open() of an automatic extension. */
static int loaded_version(sqlite3 *db, char **version) {
  sqlite3_stmt *statement = NULL;
  *version = NULL;
  int rc = sqlite3_prepare_v2(db, "PRAGMA function_list", -1, &statement, NULL);
  int there = rc == SQLITE_OK && has_row(statement, "whiten_version");
  int ended = sqlite3_finalize(statement);
  if (rc == SQLITE_NOMEM || ended != SQLITE_OK) return rc == SQLITE_NOMEM ? rc : ended;
  if (!there) return SQLITE_OK; /* or a host's authorizer does not let us know */
  rc = sqlite3_prepare_v2(db, "SELECT whiten_version()", -1, &statement, NULL);
  if (rc != SQLITE_OK) return rc;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    *version = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    if (*version == NULL) rc = SQLITE_NOMEM;
  }
  ended = sqlite3_finalize(statement);
  return rc != SQLITE_OK ? rc : ended;
}

/* WHITEN_THREADS: 0 when it is not set, -1 when it is no positive integer. */
static int threads_asked_for(void) {
  const char *text = getenv("WHITEN_THREADS");
  if (text == NULL) return 0;
  char *end;
  long long threads = strtoll(text, &end, 10);
  return end == text || *end != 0 || threads < 1 || threads > INT_MAX ? -1 : (int)threads;
}

/* What is once per process. Threads may load the extension at the same time, so it is done under a lock; whoever calls a
** function has loaded the extension before. Returns whether there is a kernel of the name asked for. */
static int load_once(const sqlite3_api_routines *api) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static int simd_found = -1;
  pthread_mutex_lock(&mutex);
  LOAD_API(api);
  if (simd_found < 0) {
    stay_loaded();
    simd_found = simd_choose(getenv("WHITEN_KERNEL"));
  }
  int found = simd_found;
  pthread_mutex_unlock(&mutex);
  return found;
}

/* SQLITE_DONE if the connection has this version already. */
static int check_loaded(sqlite3 *db, char **error) {
  char *version;
  int rc = loaded_version(db, &version);
  if (rc == SQLITE_OK && version != NULL) {
    rc = strcmp(version, WHITEN_VERSION) == 0 ? SQLITE_DONE : SQLITE_ERROR;
    if (rc == SQLITE_ERROR)
      *error = sqlite3_mprintf("whiten: this connection has version %s loaded, expected %s, as this library is",
                               version, WHITEN_VERSION);
  } else if (rc != SQLITE_OK && rc != SQLITE_NOMEM) {
    *error = sqlite3_mprintf("whiten: cannot see what is loaded: %s", sqlite3_errmsg(db));
  }
  sqlite3_free(version);
  return rc;
}

/* What the environment asks for; an error if that is not to be had. */
static int read_environment(int simd_found, int *cores, char **error) {
  if (!simd_found) {
    *error = sqlite3_mprintf(
        "whiten: WHITEN_KERNEL is '%s', expected 'portable', or 'avx2', 'avx512' or 'neon' where "
        "the CPU runs it",
        getenv("WHITEN_KERNEL"));
    return SQLITE_ERROR;
  }
  int asked_for = threads_asked_for();
  if (asked_for < 0) {
    *error = sqlite3_mprintf("whiten: WHITEN_THREADS is '%s', expected a positive integer",
                             getenv("WHITEN_THREADS"));
    return SQLITE_ERROR;
  }
  *cores = workers_cores(asked_for);
  return SQLITE_OK;
}

/* What cannot be helped. */
static int check_machine(char **error) {
  enum { IS_LITTLE_ENDIAN = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ };
  if (!IS_LITTLE_ENDIAN)
    *error = sqlite3_mprintf(
        "whiten: this machine is big-endian, expected little-endian, the order in which vectors, "
        "models and indexes are stored");
  else if (sqlite3_libversion_number() < OLDEST_SQLITE)
    *error = sqlite3_mprintf("whiten: SQLite is %s, expected 3.38 or newer", sqlite3_libversion());
  else
    return SQLITE_OK;
  return SQLITE_ERROR;
}

int sqlite3_whiten_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  const char *name = "";
  int cores, simd_found = load_once(api);
  int rc = check_machine(error);
  if (rc == SQLITE_OK) rc = check_loaded(db, error);
  if (rc != SQLITE_OK) return rc == SQLITE_DONE ? SQLITE_OK : rc;
  rc = read_environment(simd_found, &cores, error);
  if (rc != SQLITE_OK) return rc;
  struct connection *connection = connection_create();
  if (connection == NULL) return SQLITE_NOMEM;
  connection->cores = connection->most_cores = cores;
  rc = register_all(db, connection, &name);
  connection_release(connection);
  if (rc != SQLITE_OK && rc != SQLITE_NOMEM)
    *error = sqlite3_mprintf("whiten: cannot register %s: %s", name, sqlite3_errmsg(db));
  return rc;
}
