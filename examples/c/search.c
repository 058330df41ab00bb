/* The smallest complete C program: SQLite with the extension linked in, no .so to ship.
 * Build from the root of the repository: make examples/c/search; then run examples/c/search */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "whiten.h"

enum { ROWS = 300, DIM = 8 };

static void check(int rc, sqlite3 *db) {
  if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE) return;
  fprintf(stderr, "search: %s\n", sqlite3_errmsg(db));
  exit(1);
}

static void execute(sqlite3 *db, const char *sql) {
  check(sqlite3_exec(db, sql, NULL, NULL, NULL), db);
}

static void print_query(sqlite3 *db, const char *sql) {
  sqlite3_stmt *stmt;
  check(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), db);
  while (sqlite3_step(stmt) == SQLITE_ROW) printf("%s\n", (const char *)sqlite3_column_text(stmt, 0));
  check(sqlite3_finalize(stmt), db); /* gives the error of the last step, if there was one */
}

int main(void) {
  sqlite3_auto_extension((void (*)(void))sqlite3_whiten_init); /* for every connection from here on */
  sqlite3 *db;
  check(sqlite3_open(":memory:", &db), db);
  execute(db, "CREATE TABLE doc(id INTEGER PRIMARY KEY, raw BLOB, white BLOB)");

  /* Your model's embeddings go here; these stand-ins share an offset and spread less in each direction. */
  sqlite3_stmt *insert;
  check(sqlite3_prepare_v2(db, "INSERT INTO doc(raw) VALUES (?)", -1, &insert, NULL), db);
  long long x = 1;
  for (int row = 0; row < ROWS; row++) {
    float v[DIM]; /* a vector is d little-endian float32, nothing more */
    for (int i = 0; i < DIM; i++) {
      x = x * 48271 % 2147483647;
      v[i] = (float)(1 + ((double)x / 2147483647 - 0.5) * 2 / (i + 1));
    }
    check(sqlite3_bind_blob(insert, 1, v, sizeof v, SQLITE_TRANSIENT), db);
    check(sqlite3_step(insert), db);
    check(sqlite3_reset(insert), db);
  }
  sqlite3_finalize(insert);

  /* Fit a model that keeps 6 of 8 directions, then apply it to every row. */
  execute(db, "CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);"
              "INSERT INTO whitening SELECT 'doc', whiten_fit(raw, 6) FROM doc;"
              "UPDATE doc SET white = whiten_apply((SELECT whiten_model(model) FROM whitening), raw)");
  print_query(db, "SELECT printf('mean cosine: raw %.4f, whitened %.4f',"
                  " mean_cosine(raw), mean_cosine(white)) FROM doc");
  print_query(db, "SELECT printf('row %d: %.4f', id, score) FROM (SELECT id, cosine_sim(white,"
                  " (SELECT white FROM doc WHERE id = 1)) AS score FROM doc WHERE id <> 1)"
                  " ORDER BY score DESC LIMIT 3");
  check(sqlite3_close(db), db);
  return 0;
}
