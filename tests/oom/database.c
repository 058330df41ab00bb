/* The database of the statements: small tables of vectors, made by integer arithmetic, and models fitted over them. */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "whiten.h"

enum { DIM = 4, GROUPED = 12, WIDE = 150 };

char database_path[] = "/tmp/whiten-oom-XXXXXX";

void must(int ok, const char *what) {
  if (ok) return;
  printf("Bail out! %s\n", what);
  exit(2);
}

struct parameter {
  const char *name;
  void *data;
  int bytes;
};
static struct parameter parameters[] = {
    {":model", 0, 0}, {":zca", 0, 0}, {":stats", 0, 0}, {":v", 0, 0}, {":json", 0, 0}};
enum { PARAMETERS = sizeof parameters / sizeof *parameters };

int parameters_bind(sqlite3_stmt *statement) {
  for (int i = 0; i < PARAMETERS; i++) {
    int at = sqlite3_bind_parameter_index(statement, parameters[i].name), rc = SQLITE_OK;
    if (at > 0 && strcmp(parameters[i].name, ":json") == 0)
      rc = sqlite3_bind_text(statement, at, parameters[i].data, parameters[i].bytes, SQLITE_STATIC);
    else if (at > 0)
      rc = sqlite3_bind_blob(statement, at, parameters[i].data, parameters[i].bytes, SQLITE_STATIC);
    if (rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

static float element(int row, int i) {
  unsigned x = (unsigned)(row * 31 + i + 1) * 2654435761u;
  return (float)(int)(x >> 8 & 0xffff) / 16384.0f - 2 + (float)i;
}

static void fill(sqlite3 *db, const char *sql, int rows) {
  sqlite3_stmt *statement = NULL;
  must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
  for (int row = 0; row < rows; row++) {
    float v[DIM];
    for (int i = 0; i < DIM; i++) v[i] = element(row, i);
    sqlite3_bind_int(statement, 1, row);
    sqlite3_bind_blob(statement, 2, v, sizeof v, SQLITE_STATIC);
    must(sqlite3_step(statement) == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_reset(statement);
  }
  sqlite3_finalize(statement);
}

static void keep_parameter(sqlite3 *db, struct parameter *parameter, const char *sql) {
  sqlite3_stmt *statement = NULL;
  must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
  must(sqlite3_step(statement) == SQLITE_ROW, sqlite3_errmsg(db));
  parameter->bytes = sqlite3_column_bytes(statement, 0);
  parameter->data = malloc((size_t)parameter->bytes);
  must(parameter->data != NULL, "memory");
  memcpy(parameter->data, sqlite3_column_blob(statement, 0), (size_t)parameter->bytes);
  sqlite3_finalize(statement);
}

void database_make(const char *encoding) {
  static const char *const SELECTS[PARAMETERS] = {
      "SELECT model FROM models WHERE name = 'pca'", "SELECT model FROM models WHERE name = 'zca'",
      "SELECT stats FROM shards", "SELECT v FROM t WHERE id = 3", "SELECT j FROM t WHERE id = 3"};
  sqlite3 *db = NULL;
  char *pragma = sqlite3_mprintf("PRAGMA encoding = '%s'", encoding);
  strcpy(database_path + sizeof database_path - 7, "XXXXXX");
  int file = mkstemp(database_path);
  must(file >= 0 && close(file) == 0, "no temporary file");
  must(sqlite3_open(database_path, &db) == SQLITE_OK && sqlite3_whiten_init(db, NULL, NULL) == SQLITE_OK,
       "cannot load");
  must(sqlite3_exec(db, pragma, 0, 0, 0) == SQLITE_OK, sqlite3_errmsg(db));
  sqlite3_free(pragma);
  sqlite3_exec(db,
               "PRAGMA journal_mode = memory; PRAGMA synchronous = off;"
               "CREATE TABLE t(id INTEGER PRIMARY KEY, g, v BLOB, w REAL, m INTEGER, j TEXT, p INTEGER);"
               "CREATE TABLE wide(id INTEGER PRIMARY KEY, v BLOB);",
               0, 0, 0);
  fill(db, "INSERT INTO t(id, v) VALUES (?1 + 1, ?2)", GROUPED);
  fill(db, "INSERT INTO wide(id, v) VALUES (?1 + 1, CASE WHEN ?1 % 40 < 39 THEN ?2 END)", WIDE);
  int rc = sqlite3_exec(
      db,
      "UPDATE t SET g = id % 3, w = 0.25 * (id * 7 % 5 + 1), m = id % 4 > 0, p = id,"
      "             j = embedding_as(v, 'json');"
      "CREATE TABLE models AS SELECT 'pca' AS name, whiten_fit(v, 3) AS model FROM t;"
      "INSERT INTO models SELECT 'zca', whiten_fit(v, 2, '{\"method\": \"zca\"}') FROM t;"
      "INSERT INTO models SELECT 'imported', whiten_import(whiten_kernel(model), '[1,2,3,4]')"
      "  FROM models WHERE name = 'pca';"
      "CREATE TABLE shards AS SELECT whiten_stats(v) AS stats FROM t GROUP BY g % 2;"
      "CREATE TABLE whitening AS SELECT * FROM models;"
      "CREATE TABLE few AS SELECT v FROM t WHERE id < 4;"
      "CREATE TABLE texts(id INTEGER PRIMARY KEY, u UNIQUE, v BLOB);"
      "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1024)"
      " INSERT INTO texts SELECT i, i, embedding(printf('[%d,%d,%d,%d]', i % 7, i % 31, i % 111, i)) FROM n;"
      "CREATE VIRTUAL TABLE search USING whiten_index(content = texts, column = v, k = 3);",
      0, 0, 0);
  must(rc == SQLITE_OK, sqlite3_errmsg(db));
  for (int i = 0; i < PARAMETERS; i++) keep_parameter(db, &parameters[i], SELECTS[i]);
  sqlite3_close(db);
}

void database_remove(void) {
  unlink(database_path);
  for (int i = 0; i < PARAMETERS; i++) free(parameters[i].data);
}
