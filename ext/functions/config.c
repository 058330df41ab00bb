/* whiten_version, whiten_config: what is running. */
#include "core/simd/simd.h"
#include "core/linalg.h"
#include "whiten.h"
#include "host/connection.h"
#include "host/value.h"

static void whiten_version(sqlite3_context *context, int argc, sqlite3_value **argv) {
  (void)argc;
  (void)argv;
  sqlite3_result_text(context, WHITEN_VERSION, -1, SQLITE_STATIC);
}

static void whiten_config(sqlite3_context *context, int argc, sqlite3_value **argv) {
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

const struct function config_functions[] = {
    {.name = "whiten_config",
     .min_args = 0,
     .max_args = 0,
     .flags = SQLITE_UTF8 | SQLITE_INNOCUOUS | SQLITE_RESULT_SUBTYPE,
     .call = whiten_config},
    /* The last of all that are registered: see init.c. */
    {.name = "whiten_version", .min_args = 0, .max_args = 0, .flags = FUNCTION_PURE, .call = whiten_version},
    {.name = NULL}};
