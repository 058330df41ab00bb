/*
** searches EXTENSION DATABASE [threads] [rounds]: threads with a connection each on one WAL database; some change the
** rows of a whiten_index, rebuild it and set other limits for the cache, which all share, the others search in
** snapshots of their own. Each search must return as many rows as asked for, with the similarities of the scalar
** functions.
*/
#include "run.h"

#include <pthread.h>
#include <unistd.h>

enum { ROWS = 1200, BEST = 7 };

static struct {
  const char *extension;
  char path[4096];
  int rounds;
} shared;

struct worker {
  pthread_t thread;
  int index, searches, wrong;
};

static sqlite3 *open_database(void) {
  sqlite3 *db = NULL;
  char *error = NULL;
  if (sqlite3_open(shared.path, &db) != SQLITE_OK) die(shared.path, sqlite3_errmsg(db));
  sqlite3_busy_timeout(db, 600000);
  sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
  if (sqlite3_load_extension(db, shared.extension, "sqlite3_whiten_init", &error) != SQLITE_OK)
    die(shared.extension, error);
  return db;
}

static void execute(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) die(sql, sqlite3_errmsg(db));
}

/* i is the row; in a text that sqlite3_mprintf reads. */
#define VECTOR \
  "embedding(printf('[%%d,%%d,%%d,%%d,%%d,%%d]', i %% 7, i %% 11, i %% 13, i %% 17, i %% 19, i * i %% 23))"

/* One transaction of a thread that writes. */
static void change(sqlite3 *db, int round, int index) {
  char *sql = NULL;
  switch (round % 4) {
    case 0:
      sql = sqlite3_mprintf(
          "DELETE FROM docs WHERE id %% 5 = %d AND id > 99; REPLACE INTO docs SELECT i + %d, " VECTOR
          " FROM (SELECT id AS i FROM docs WHERE id < 60)",
          round % 5, 5000 + 100 * index);
      break;
    case 1:
      sql = sqlite3_mprintf("UPDATE docs SET v = embedding_scale(v, -1) WHERE id %% 9 = %d", index % 9);
      break;
    case 2: sql = sqlite3_mprintf("INSERT INTO s(s, rank) VALUES ('rebuild', %d)", 400 + round); break;
    default: sql = sqlite3_mprintf("INSERT INTO s(s, rank) VALUES ('cache', %d)", round % 3 * 20000);
  }
  if (sql == NULL) die("searches", "out of memory");
  execute(db, "BEGIN IMMEDIATE");
  execute(db, sql);
  execute(db, round % 7 == 6 ? "ROLLBACK" : "COMMIT");
  sqlite3_free(sql);
}

/* One search, in a snapshot. */
static int is_right(sqlite3 *db, int round) {
  static const char SQL[] =
      "WITH m AS MATERIALIZED (SELECT model FROM s_config WHERE id = (SELECT min(id) FROM s_config WHERE id > 0)),"
      " q AS MATERIALIZED (SELECT v FROM docs WHERE id = ?1)"
      " SELECT count(*), sum(s.similarity = cosine_sim(whiten_apply(m.model, d.v), whiten_apply(m.model, q.v)))"
      " FROM m, q, s(q.v, ?2) AS s CROSS JOIN docs AS d ON d.id = s.rowid";
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(db, SQL, -1, &statement, NULL) != SQLITE_OK) die(SQL, sqlite3_errmsg(db));
  sqlite3_bind_int(statement, 1, 1 + round % 50);
  sqlite3_bind_int(statement, 2, BEST);
  if (sqlite3_step(statement) != SQLITE_ROW) die(SQL, sqlite3_errmsg(db));
  int right = sqlite3_column_int(statement, 0) == BEST && sqlite3_column_int(statement, 1) == BEST;
  sqlite3_finalize(statement);
  return right;
}

static void *work(void *p) {
  struct worker *worker = p;
  sqlite3 *db = open_database();
  for (int round = 0; round < shared.rounds; round++) {
    if (worker->index % 4 == 0) {
      change(db, round, worker->index);
    } else {
      execute(db, "BEGIN");
      for (int i = 0; i < 3; i++) worker->wrong += !is_right(db, round + i);
      worker->searches += 3;
      execute(db, "COMMIT");
    }
  }
  sqlite3_close(db);
  return NULL;
}

static void make(void) {
  char *sql = sqlite3_mprintf(
      "PRAGMA journal_mode = wal; PRAGMA synchronous = off;"
      "CREATE TABLE docs(id INTEGER PRIMARY KEY, v); WITH n(i) AS"
      " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO docs SELECT i, " VECTOR
      " FROM n; CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 5)",
      ROWS);
  unlink(shared.path);
  sqlite3 *db = open_database();
  execute(db, sql);
  sqlite3_free(sql);
  sqlite3_close(db);
}

int main(int argc, char **argv) {
  if (argc < 3) die(argv[0], "expected EXTENSION DATABASE [threads] [rounds]");
  int threads = argc > 3 ? atoi(argv[3]) : 8, searches = 0, wrong = 0;
  shared.extension = argv[1];
  shared.rounds = argc > 4 ? atoi(argv[4]) : 20;
  snprintf(shared.path, sizeof shared.path, "%s.searched", argv[2]);
  make();
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (workers == NULL) die("searches", "out of memory");
  for (int i = 0; i < threads; i++) {
    workers[i].index = i;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) die("searches", "no thread");
  }
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    searches += workers[i].searches;
    wrong += workers[i].wrong;
  }
  sqlite3 *db = open_database();
  execute(db, "INSERT INTO s(s) VALUES ('integrity-check')");
  sqlite3_close(db);
  free(workers);
  printf("%d threads, %d searches: %d wrong\n", threads, searches, wrong);
  return wrong != 0;
}
