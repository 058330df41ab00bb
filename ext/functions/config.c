/* whiten_version, whiten_config: what is running, and with how many threads. */
#include <string.h>

#include "core/simd/simd.h"
#include "core/linalg.h"
#include "core/workers.h"
#include "whiten.h"
#include "host/connection.h"
#include "host/value.h"

static void whiten_version(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_text(context, WHITEN_VERSION, -1, SQLITE_STATIC);
}

/* whiten_config() */
static void describe(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  (void)argc;
  (void)argv;
  char *text = sqlite3_mprintf(
      "{\"version\":\"%s\",\"sqlite\":\"%s\",\"blas\":\"%w\",\"kernel\":\"%s\",\"threads\":%d,\"blas_threads\":%d,"
      "\"models\":{\"cached\":%d,\"parsed\":%lld}}",
      WHITEN_VERSION, sqlite3_libversion(), linalg_config(), simd->name, call.connection->cores, linalg_threads(),
      connection_models(call.connection), (long long)call.connection->parsed);
  if (text == NULL) {
    fail_nomem(&call);
    return;
  }
  size_t bytes = 0;
  while (text[bytes] != 0) bytes++;
  result_json(&call, text, bytes);
}

static void set_threads(struct call *call, sqlite3_value *value) {
  struct connection *connection = call->connection;
  int64_t threads = connection->most_cores;
  if (sqlite3_value_type(value) != SQLITE_NULL && integer_read(call, value, "threads", 1, &threads)) return;
  if (threads > WORKERS_MAX)
    fail(call, "threads is %lld, expected 1 to %d, or NULL for as many as there may be", (long long)threads,
         WORKERS_MAX);
  else
    connection->cores = threads < connection->most_cores ? (int)threads : connection->most_cores;
}

/* whiten_config(name), whiten_config(name, value) */
static void configure(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  int type = sqlite3_value_type(argv[0]);
  if (type == SQLITE_NULL) return;
  const char *name = type == SQLITE_TEXT ? (const char *)sqlite3_value_text(argv[0]) : "";
  if (type != SQLITE_TEXT)
    fail_type(&call, "name", type, "'threads'");
  else if (name == NULL)
    fail_nomem(&call);
  else if (strcmp(name, "threads") != 0)
    fail(&call, "name is '%s', expected 'threads'", name);
  else if (argc > 1)
    set_threads(&call, argv[1]);
  if (!call.failed) sqlite3_result_int(context, call.connection->cores);
}

/* What reads may stand in a schema that is not trusted; what sets, in statements of the application's own alone. */
#define READS (SQLITE_UTF8 | SQLITE_INNOCUOUS)
#define SETS (SQLITE_UTF8 | SQLITE_DIRECTONLY)

const struct function config_functions[] = {
    {.name = "whiten_config",
     .min_args = 0,
     .max_args = 0,
     .flags = READS | SQLITE_RESULT_SUBTYPE,
     .call = describe},
    {.name = "whiten_config", .min_args = 1, .max_args = 1, .flags = READS, .call = configure},
    {.name = "whiten_config", .min_args = 2, .max_args = 2, .flags = SETS, .call = configure},
    /* The last of all that are registered: see init.c. */
    {.name = "whiten_version", .min_args = 0, .max_args = 0, .flags = FUNCTION_PURE, .call = whiten_version},
    {.name = NULL}};
