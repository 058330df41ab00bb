/* See fuzz.h. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "whiten.h"

enum { LONGEST = 1 << 20 };

void fuzz_must(int ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

sqlite3 *fuzz_connection(void) {
  static sqlite3 *db;
  if (db != NULL) return db;
  setenv("WHITEN_THREADS", "2", 0);
  fuzz_must(sqlite3_open(":memory:", &db) == SQLITE_OK, "no connection");
  fuzz_must(sqlite3_whiten_init(db, NULL, NULL) == SQLITE_OK, "does not load");
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST);
  return db;
}

unsigned fuzz_take(struct input *input) {
  if (input->size == 0) return 0;
  input->size--;
  return *input->data++;
}

static int bind(sqlite3_stmt *statement, int index, const struct argument *a) {
  switch (a->kind) {
    case ARGUMENT_TEXT:
      return sqlite3_bind_text64(statement, index, a->data, a->bytes, SQLITE_STATIC, SQLITE_UTF8);
    case ARGUMENT_BLOB:
      return a->bytes ? sqlite3_bind_blob64(statement, index, a->data, a->bytes, SQLITE_STATIC)
                      : sqlite3_bind_zeroblob(statement, index, 0);
    case ARGUMENT_INTEGER: return sqlite3_bind_int64(statement, index, a->integer);
    default: return a->data ? sqlite3_bind_value(statement, index, a->data) : sqlite3_bind_null(statement, index);
  }
}

/* An error is one of ours, "function: ...", or SQLite's own about sizes; never memory, corruption or misuse. */
static void check_error(sqlite3 *db, int rc, const char *sql) {
  const char *message = sqlite3_errmsg(db);
  int is_ours = rc == SQLITE_ERROR && strstr(message, ": ") != NULL;
  if (!is_ours && rc != SQLITE_TOOBIG) fprintf(stderr, "fuzz: %s\nfuzz: code %d: %s\n", sql, rc, message);
  fuzz_must(is_ours || rc == SQLITE_TOOBIG, "an unexpected error");
}

sqlite3_value *fuzz_query(const char *sql, int count, const struct argument *arguments) {
  sqlite3 *db = fuzz_connection();
  sqlite3_stmt *statement = NULL;
  sqlite3_value *value = NULL;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fuzz_must(0, sqlite3_errmsg(db));
  for (int i = 0; i < count; i++) fuzz_must(bind(statement, i + 1, &arguments[i]) == SQLITE_OK, "cannot bind");
  int rc = sqlite3_step(statement);
  if (rc == SQLITE_ROW) {
    value = sqlite3_value_dup(sqlite3_column_value(statement, 0));
    while (rc == SQLITE_ROW) rc = sqlite3_step(statement);
  }
  if (rc != SQLITE_DONE) {
    check_error(db, rc, sql);
    sqlite3_value_free(value);
    value = NULL;
  }
  sqlite3_finalize(statement);
  return value;
}

int fuzz_same(sqlite3_value *a, sqlite3_value *b) {
  if (a == NULL || b == NULL) return a == b;
  int type = sqlite3_value_type(a);
  if (type != sqlite3_value_type(b)) return 0;
  if (type == SQLITE_NULL) return 1;
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  if (type == SQLITE_FLOAT) {
    double x = sqlite3_value_double(a), y = sqlite3_value_double(b);
    return memcmp(&x, &y, sizeof x) == 0;
  }
  int bytes = sqlite3_value_bytes(a);
  return bytes == sqlite3_value_bytes(b) &&
         (bytes == 0 || memcmp(sqlite3_value_blob(a), sqlite3_value_blob(b), (size_t)bytes) == 0);
}

double fuzz_number(sqlite3_value *value) {
  fuzz_must(value != NULL, "an error where a number was expected");
  int type = sqlite3_value_type(value);
  fuzz_must(type == SQLITE_FLOAT || type == SQLITE_INTEGER, "not a number");
  return sqlite3_value_double(value);
}
