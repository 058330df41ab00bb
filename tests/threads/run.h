/*
** What the programs of tests/threads share: open a connection with the extension, run every statement of a file, and
** hash what comes back. The statements are those of tests/bits/bits.sql, over the database that tests/bits/bits.py writes:
** everything that promises the same bits; and tests/threads/fits.sql for what does not.
*/
#ifndef TESTS_THREADS_RUN_H
#define TESTS_THREADS_RUN_H

#include <math.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one run of a file gives: a hash per statement, or the REALs that come back, one after the other. */
enum { RESULTS_MAX = 4096 };
struct results {
  int count;
  uint64_t hash[RESULTS_MAX];
  double real[RESULTS_MAX];
};

static inline void die(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

static inline char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) die(path, "cannot be read");
  char *text = calloc(1, 1 << 20);
  if (text == NULL || fread(text, 1, (1 << 20) - 1, file) == 0) die(path, "is empty");
  fclose(file);
  return text;
}

static inline sqlite3 *open_with_extension(const char *database, const char *extension) {
  sqlite3 *db = NULL;
  char *error = NULL;
  if (sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) die(database, sqlite3_errmsg(db));
  sqlite3_busy_timeout(db, 60000);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  if (sqlite3_load_extension(db, extension, "sqlite3_whiten_init", &error) != SQLITE_OK) die(extension, error);
  return db;
}

/* FNV-1a. */
static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
  return hash;
}

static inline uint64_t hash_row(uint64_t hash, sqlite3_stmt *statement) {
  for (int i = 0; i < sqlite3_column_count(statement); i++) {
    int type = sqlite3_column_type(statement, i);
    hash = hash_bytes(hash, &type, sizeof type);
    if (type == SQLITE_FLOAT) {
      double real = sqlite3_column_double(statement, i);
      hash = hash_bytes(hash, &real, sizeof real);
    } else if (type != SQLITE_NULL) {
      const void *bytes = sqlite3_column_blob(statement, i);
      hash = hash_bytes(hash, bytes, (size_t)sqlite3_column_bytes(statement, i));
    }
  }
  return hash;
}

/* Every REAL that comes back. */
static inline void keep_reals(struct results *results, sqlite3_stmt *statement) {
  for (int i = 0; i < sqlite3_column_count(statement); i++)
    if (sqlite3_column_type(statement, i) == SQLITE_FLOAT && results->count < RESULTS_MAX)
      results->real[results->count++] = sqlite3_column_double(statement, i);
}

/* Runs the statements of sql, one after the other; each must give a row. */
static inline void run_statements(sqlite3 *db, const char *sql, int exact, struct results *results) {
  results->count = 0;
  while (*sql != 0) {
    sqlite3_stmt *statement = NULL;
    uint64_t hash = 0xcbf29ce484222325u;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, &sql) != SQLITE_OK) die("prepare", sqlite3_errmsg(db));
    if (statement == NULL) continue;
    int rc, rows = 0;
    for (; (rc = sqlite3_step(statement)) == SQLITE_ROW; rows++)
      if (exact)
        hash = hash_row(hash, statement);
      else
        keep_reals(results, statement);
    if (rc != SQLITE_DONE || rows == 0) die(sqlite3_sql(statement), rows ? sqlite3_errmsg(db) : "no rows");
    if (exact && results->count < RESULTS_MAX) results->hash[results->count++] = hash;
    sqlite3_finalize(statement);
  }
}

/* The number of results that differ: hashes at all, REALs by more than 1e-9, relative. */
static inline int count_differences(const struct results *a, const struct results *b, int exact) {
  int different = a->count != b->count;
  for (int i = 0; i < a->count && i < b->count; i++) {
    if (exact)
      different += a->hash[i] != b->hash[i];
    else
      different += !(fabs(a->real[i] - b->real[i]) <= 1e-9 * fabs(a->real[i]) + 1e-300);
  }
  return different;
}

#endif
