/*
** bounded EXTENSION DATABASE: how many threads a connection starts, for every whiten_config('threads', n). The machine is
** made to have CORES cores, and pthread_create is counted: this program's own definitions of both come before those of the
** C library, for the extension too.
**
** Each statement must start no more than n - 1 threads (the caller is one), a fit of many rows exactly as many, and all
** must return the bits that one thread returns.
*/
#define _GNU_SOURCE
#include "run.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { CORES = 8 };

static atomic_int created;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument) {
  int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
  created++;
  return real(thread, attributes, run, argument);
}

int sched_getaffinity(pid_t process, size_t bytes, cpu_set_t *set) {
  (void)process;
  memset(set, 0, bytes);
  for (int i = 0; i < CORES; i++) CPU_SET_S(i, bytes, set);
  return 0;
}

#define LONG "(SELECT l.v FROM json_each('[1,2,3,4,5,6,7,8,9]') CROSS JOIN long AS l)"
static const char *const STATEMENTS[] = {
    "SELECT whiten_stats(v) FROM " LONG,
    "SELECT rowid, vector FROM whiten_rows((SELECT model FROM models WHERE name = 'pca 300'), 'long', 'v')",
    "SELECT query_rowid, rowid, similarity FROM cosine_join('long', 'v', 'long', 'v', 3)"};
enum { COUNT = sizeof STATEMENTS / sizeof *STATEMENTS };

static int number(sqlite3 *db, const char *sql) {
  sqlite3_stmt *statement;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW)
    die(sql, sqlite3_errmsg(db));
  int value = sqlite3_column_int(statement, 0);
  sqlite3_finalize(statement);
  return value;
}

/* 1 for each statement whose threads or bits are not as they should be, with `threads` of them. */
static int check(sqlite3 *db, int threads, struct results *wanted) {
  static struct results found;
  int wrong = 0;
  for (int i = 0; i < COUNT; i++) {
    created = 0;
    run_statements(db, STATEMENTS[i], 1, &found);
    int started = created;
    if (threads == 1) wanted[i] = found;
    if (started > threads - 1 || (i == 0 && started < threads - 1) || count_differences(&wanted[i], &found, 1)) {
      fprintf(stderr, "%d threads: %d started, or other bits: %s\n", threads, started, STATEMENTS[i]);
      wrong++;
    }
  }
  return wrong;
}

int main(int argc, char **argv) {
  static struct results wanted[COUNT];
  char sql[100];
  if (argc < 3) die(argv[0], "expected EXTENSION DATABASE");
  sqlite3 *db = open_with_extension(argv[2], argv[1]), *other = open_with_extension(argv[2], argv[1]);
  int most = number(db, "SELECT whiten_config('threads')"), wrong = 0;
  for (int n = 1; n <= CORES + 1; n++) {
    snprintf(sql, sizeof sql, "SELECT whiten_config('threads', %d)", n);
    int now = number(db, sql);
    wrong += now != (n < most ? n : most);
    wrong += check(db, now, wanted);
    wrong += number(other, "SELECT whiten_config('threads')") != most; /* a connection's own */
  }
  number(db, "SELECT whiten_config('threads', 1)");
  wrong += number(db, "SELECT whiten_config('threads', NULL)") != most;
  wrong += check(db, most, wanted);
  sqlite3_close(db);
  sqlite3_close(other);
  printf("up to %d threads: %d wrong\n", most, wrong);
  return wrong != 0;
}
