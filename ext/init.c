/* The entry point: registers what the functions' tables list, and stops at the first that fails. */
#include "whiten.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/simd/simd.h"
#include "core/workers.h"
#include "host/connection.h"
#include "host/table.h"

#ifdef WHITEN_STATIC
#define LOAD_API(api) (void)(api)
#else
const sqlite3_api_routines *sqlite3_api = 0;
#define LOAD_API(api) \
  if (sqlite3_api != (api)) sqlite3_api = (api)
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

static int register_all(sqlite3 *db, struct connection *connection, const char **name) {
  static const struct function *const FUNCTIONS[] = {embedding_functions, similarity_functions, pool_functions,
                                                     model_functions,     fit_functions,        moments_functions,
                                                     measure_functions,   config_functions};
  static const struct table_function *const TABLES[] = {&whiten_spectrum_table, &whiten_rows_table,
                                                        &cosine_topk_table, &cosine_join_table};
  int rc = SQLITE_OK;
  for (size_t t = 0; t < sizeof FUNCTIONS / sizeof *FUNCTIONS; t++)
    for (const struct function *f = FUNCTIONS[t]; rc == SQLITE_OK && f->name != NULL; f++) {
      *name = f->name;
      rc = register_function(db, f, connection);
    }
  for (size_t t = 0; rc == SQLITE_OK && t < sizeof TABLES / sizeof *TABLES; t++) {
    *name = TABLES[t]->name;
    rc = table_register(db, TABLES[t], connection);
  }
  return rc;
}

/* WHITEN_THREADS: 0 when it is not set, -1 when it is no positive integer. */
static int threads_asked_for(void) {
  const char *text = getenv("WHITEN_THREADS");
  if (text == NULL) return 0;
  char *end;
  long threads = strtol(text, &end, 10);
  return end == text || *end != 0 || threads < 1 || threads > INT_MAX ? -1 : (int)threads;
}

/* What is once per process. Threads may load the extension at the same time, so it is done under a lock; whoever calls a
** function has loaded the extension before. Returns whether there is a kernel of the name asked for. */
static int load_once(const sqlite3_api_routines *api) {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static int simd_found = -1;
  pthread_mutex_lock(&mutex);
  LOAD_API(api);
  if (simd_found < 0) simd_found = simd_choose(getenv("WHITEN_KERNEL"));
  int found = simd_found;
  pthread_mutex_unlock(&mutex);
  return found;
}

int sqlite3_whiten_init(sqlite3 *db, char **error, const sqlite3_api_routines *api) {
  const char *name = "";
  int simd_found = load_once(api);
  if (sqlite3_libversion_number() < OLDEST_SQLITE) {
    *error = sqlite3_mprintf("whiten: SQLite is %s, expected 3.38 or newer", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  if (!simd_found) {
    *error = sqlite3_mprintf(
        "whiten: WHITEN_KERNEL is '%s', expected 'portable', or 'avx2', 'avx512' or 'neon' where "
        "the CPU runs it",
        getenv("WHITEN_KERNEL"));
    return SQLITE_ERROR;
  }
  int cores = threads_asked_for();
  if (cores < 0) {
    *error = sqlite3_mprintf("whiten: WHITEN_THREADS is '%s', expected a positive integer",
                             getenv("WHITEN_THREADS"));
    return SQLITE_ERROR;
  }
  cores = workers_cores(cores);
  struct connection *connection = connection_create();
  if (connection == NULL) return SQLITE_NOMEM;
  connection->cores = cores;
  int rc = register_all(db, connection, &name);
  connection_release(connection);
  if (rc != SQLITE_OK && rc != SQLITE_NOMEM)
    *error = sqlite3_mprintf("whiten: cannot register %s: %s", name, sqlite3_errmsg(db));
  return rc;
}
