/*
** Fails the n-th allocation, n = 1, 2, 3 ... until the statement succeeds, once and then persistently, in statements
** that exercise every function (statements.c), in loading, and where threads are made.
**
** After each: SQLITE_NOMEM or the right answer (the bytes it gives undisturbed); on the same connection the same
** statement then gives the right answer; and after closing no more bytes are allocated than before opening.
**
**   oom [--short] [FUNCTION]   TAP, a line per function; --short tries fewer n in long statements
**   oom --list                 the names of the functions
*/
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocator.h"
#include "database.h"
#include "statements.h"
#include "whiten.h"

static const char *extension;

/* ---- running a statement ---- */

/* What a statement gave: a code, and a hash of all values, or of the message. */
struct outcome {
  int rc;
  uint64_t digest;
};

static uint64_t digest(uint64_t hash, const void *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
  return (hash ^ n) * 1099511628211u;
}

static uint64_t digest_row(uint64_t hash, sqlite3_stmt *statement) {
  for (int i = 0; i < sqlite3_column_count(statement); i++) {
    sqlite3_value *value = sqlite3_column_value(statement, i);
    int type = sqlite3_value_type(value);
    double number = sqlite3_value_double(value);
    hash = digest(hash, &type, sizeof type);
    if (type == SQLITE_INTEGER || type == SQLITE_FLOAT)
      hash = digest(hash, &number, sizeof number);
    else if (type != SQLITE_NULL)
      hash = digest(hash, sqlite3_value_blob(value), (size_t)sqlite3_value_bytes(value));
  }
  return hash;
}

/* One statement, of which *tail is set behind. */
static int run_one(sqlite3 *db, const char *sql, const char **tail, uint64_t *hash) {
  sqlite3_stmt *statement = NULL;
  int rc = sqlite3_prepare_v2(db, sql, -1, &statement, tail);
  if (rc == SQLITE_OK) rc = parameters_bind(statement);
  if (rc == SQLITE_OK)
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) *hash = digest_row(*hash, statement);
  sqlite3_finalize(statement);
  return rc;
}

static struct outcome run(sqlite3 *db, const char *sql) {
  struct outcome outcome = {.rc = SQLITE_DONE, .digest = 14695981039346656037u};
  while (*sql != 0 && outcome.rc == SQLITE_DONE) outcome.rc = run_one(db, sql, &sql, &outcome.digest);
  if (outcome.rc != SQLITE_DONE) {
    const char *message = sqlite3_errmsg(db);
    outcome.digest = digest(0, message, strlen(message));
  }
  return outcome;
}

static int is_nomem(int rc) {
  return rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM;
}

static int is_same(struct outcome a, struct outcome b) {
  return a.rc == b.rc && a.digest == b.digest;
}

/* Out of memory, or right. Where an error is right its code is what counts: SQLite may not have had the memory to keep
** the message. */
static int is_right_without_memory(struct outcome outcome, struct outcome right) {
  return is_nomem(outcome.rc) || (right.rc != SQLITE_DONE && outcome.rc == right.rc);
}

/* ---- faults in threads: build/libcore.a is linked with --wrap=pthread_create ---- */

static int threads_allowed = 1 << 30;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                          void *argument) {
  if (threads_allowed <= 0) return 11; /* EAGAIN */
  threads_allowed--;
  return __real_pthread_create(thread, attributes, start, argument);
}

/* ---- one function's cases ---- */

struct tally {
  long failures, statements, wrong;
};

static void complain(struct tally *tally, const char *what, const char *sql, long n, int persistently) {
  if (tally->wrong++ < 10)
    printf("# %s: allocation %ld failed%s: %s\n", what, n, persistently ? " with all behind it" : "", sql);
}

static sqlite3 *open_database(void) {
  sqlite3 *db = NULL;
  must(sqlite3_open(database_path, &db) == SQLITE_OK, "cannot open the database");
  must(sqlite3_whiten_init(db, NULL, NULL) == SQLITE_OK, "cannot load");
  must(sqlite3_exec(db, "PRAGMA journal_mode = memory; PRAGMA synchronous = off; BEGIN", 0, 0, 0) == SQLITE_OK,
       "pragma");
  return db;
}

static struct outcome run_and_undo(sqlite3 *db, const char *sql) {
  struct outcome outcome = run(db, sql);
  sqlite3_exec(db, "ROLLBACK", 0, 0, 0);
  return outcome;
}

/* An index is whole, also in the transaction in which something failed, or it says that it is not. */
static int is_whole(sqlite3 *db, const char *sql, int is_undone) {
  if (strstr(sql, "search") == NULL) return 1;
  if (sqlite3_exec(db, "INSERT INTO search(search) VALUES ('integrity-check')", 0, 0, 0) == SQLITE_OK) return 1;
  const char *message = sqlite3_errmsg(db);
  int is_expected = strstr(message, "expected ROLLBACK") != NULL || strstr(sql, "TABLE search") != NULL ||
                    strstr(sql, "DROP TRIGGER") != NULL;
  if (is_undone || !is_expected) printf("# %s\n", message);
  return !is_undone && is_expected;
}

/* One fault; 0 when the statement ended before it came to that. */
static int fail_one(struct tally *tally, const char *sql, struct outcome right, long n, int persistently) {
  long long before = allocator_outstanding();
  sqlite3 *db = open_database();
  allocator_arm(n, persistently);
  struct outcome outcome = run(db, sql);
  allocator_disarm();
  long failed = allocator_failed();
  if (!is_same(outcome, right) && !(failed > 0 && is_right_without_memory(outcome, right))) {
    complain(tally, "wrong answer", sql, n, persistently);
    if (tally->wrong <= 10) printf("#   code %d, expected %d: %s\n", outcome.rc, right.rc, sqlite3_errmsg(db));
  }
  if (!is_whole(db, sql, 0)) complain(tally, "not whole", sql, n, persistently);
  sqlite3_exec(db, "ROLLBACK", 0, 0, 0); /* unless SQLite has done so */
  if (!is_whole(db, sql, 1)) complain(tally, "not whole afterwards", sql, n, persistently);
  must(sqlite3_exec(db, "BEGIN", 0, 0, 0) == SQLITE_OK, "no transaction");
  if (!is_same(run_and_undo(db, sql), right))
    complain(tally, "wrong answer of the statement after", sql, n, persistently);
  if (sqlite3_close(db) != SQLITE_OK) complain(tally, "does not close", sql, n, persistently);
  if (allocator_outstanding() != before) complain(tally, "leak", sql, n, persistently);
  tally->failures += failed > 0;
  return failed > 0;
}

/* The next n: every one, or in the short form ever fewer behind the first 150. */
static long next(long n, int is_short) {
  return is_short && n > 150 ? n + n / 50 : n + 1;
}

static void fail_each(struct tally *tally, const char *function, const char *sql, int is_short) {
  sqlite3 *db = open_database();
  struct outcome right = run_and_undo(db, sql);
  sqlite3_close(db);
  if ((right.rc == SQLITE_DONE) == (strcmp(function, "errors") == 0))
    complain(tally, "undisturbed, not what it should be", sql, 0, 0);
  tally->statements++;
  for (int persistently = 0; persistently < 2; persistently++)
    for (long n = 1; fail_one(tally, sql, right, n, persistently); n = next(n, is_short)) continue;
}

/* ---- loading: linked, as an auto-extension, and from whiten.so ---- */

enum { INIT, AUTO, FILE_, LOADS };

static int load(sqlite3 **db, int how) {
  int rc = SQLITE_OK;
  if (how != INIT) rc = sqlite3_open(database_path, db);
  if (rc == SQLITE_OK && how == INIT) {
    char *message = NULL;
    rc = sqlite3_whiten_init(*db, &message, NULL);
    sqlite3_free(message);
  } else if (rc == SQLITE_OK && how == FILE_) {
    rc = sqlite3_db_config(*db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 1, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_load_extension(*db, extension, "sqlite3_whiten_init", NULL);
  }
  return rc;
}

/* An extension that is loaded by the file reports SQLITE_ERROR, whatever its reason: its message may be empty then. */
static int load_one(struct tally *tally, int how, long n, int persistently) {
  static const char *const NAMES[] = {"sqlite3_whiten_init", "sqlite3_auto_extension", "sqlite3_load_extension"};
  static const char SQL[] = "SELECT hex(pool_mean(v)), hex(whiten_fit(v, 2)) FROM t";
  struct outcome right;
  long long before = allocator_outstanding();
  sqlite3 *db = NULL;
  db = open_database();
  right = run_and_undo(db, SQL);
  sqlite3_close(db);
  db = NULL;
  if (how == AUTO) sqlite3_auto_extension((void (*)(void))sqlite3_whiten_init);
  if (how == INIT) must(sqlite3_open(database_path, &db) == SQLITE_OK, "cannot open the database");
  allocator_arm(n, persistently);
  int rc = load(&db, how);
  allocator_disarm();
  long failed = allocator_failed();
  if (rc != SQLITE_OK && !(failed > 0 && (is_nomem(rc) || how == FILE_)))
    complain(tally, "code", NAMES[how], n, persistently);
  if (rc == SQLITE_OK && !is_same(run(db, SQL), right))
    complain(tally, "wrong answer", NAMES[how], n, persistently);
  if (how != INIT) sqlite3_close(db);
  if (how != INIT) db = NULL;
  if (load(&db, how) != SQLITE_OK) complain(tally, "cannot load afterwards", NAMES[how], n, persistently);
  if (!is_same(run(db, SQL), right)) complain(tally, "wrong answer afterwards", NAMES[how], n, persistently);
  sqlite3_close(db);
  if (how == AUTO) sqlite3_reset_auto_extension();
  if (allocator_outstanding() != before) complain(tally, "leak", NAMES[how], n, persistently);
  tally->failures += failed > 0;
  return failed > 0;
}

static void fail_loading(struct tally *tally, int is_short) {
  for (int how = 0; how < LOADS; how++) {
    struct tally warm = {0};
    load_one(&warm, how, 0, 0);
    if (how == AUTO) load_one(&warm, how, 1, 1); /* SQLite's own list of auto-extensions keeps its size */
    tally->statements++;
    for (int persistently = 0; persistently < 2; persistently++)
      for (long n = 1; load_one(tally, how, n, persistently); n = next(n, is_short)) continue;
  }
}

/* ---- threads that cannot be made: the same bytes with fewer ---- */

static void fail_threads(struct tally *tally, int is_short) {
  static const char *const SQL[] = {
      "SELECT rowid, vector FROM whiten_rows(:model, 'wide', 'v')",
      "SELECT * FROM cosine_join('wide', 'v', 't', 'v', 3)",
      "SELECT whiten_stats(embedding(CAST(printf('%0128d', a.id * b.id) AS BLOB), 'i8')) "
      "FROM wide AS a, wide AS b"};
  (void)is_short;
  for (size_t i = 0; i < sizeof SQL / sizeof *SQL; i++) {
    sqlite3 *db = open_database();
    struct outcome right = run(db, SQL[i]);
    tally->statements++;
    for (int allowed = 0; allowed < 4; allowed++) {
      long long before = allocator_outstanding();
      threads_allowed = allowed;
      struct outcome outcome = run(db, SQL[i]);
      tally->failures += threads_allowed == 0;
      threads_allowed = 1 << 30;
      if (outcome.rc != SQLITE_DONE || !is_same(outcome, right)) complain(tally, "threads", SQL[i], allowed, 1);
      if (allocator_outstanding() != before) complain(tally, "leak", SQL[i], allowed, 1);
    }
    sqlite3_close(db);
  }
}

/* ---- the list, the report ---- */

static const struct {
  const char *name;
  void (*run)(struct tally *tally, int is_short);
} OTHERS[] = {{"load", fail_loading}, {"threads", fail_threads}};
enum { OTHER_CASES = sizeof OTHERS / sizeof *OTHERS };

static int list(void) {
  for (const struct statement *s = statements; s->sql != NULL; s++)
    if (s->function != NULL) puts(s->function);
  for (int i = 0; i < OTHER_CASES; i++) puts(OTHERS[i].name);
  return 0;
}

/* The statements of one function, or a case beside them. */
static void fail_function(struct tally *tally, const char *function, int is_short) {
  int is_in = 0;
  for (const struct statement *s = statements; s->sql != NULL; s++) {
    if (s->function != NULL) is_in = strcmp(s->function, function) == 0;
    if (is_in) fail_each(tally, function, s->sql, is_short);
  }
  for (int i = 0; i < OTHER_CASES; i++)
    if (strcmp(OTHERS[i].name, function) == 0) OTHERS[i].run(tally, is_short);
}

/* In a database of either encoding: text of the other one is converted, which allocates. */
static long test(int number, const char *function, int is_short, int *wrong) {
  static const char *const ENCODINGS[] = {"UTF-8", "UTF-16le"};
  struct tally tally = {0};
  for (int i = 0; i < 2; i++) {
    database_make(ENCODINGS[i]);
    fail_function(&tally, function, is_short);
    database_remove();
  }
  printf("%s %d - %s # %ld allocations failed in %ld statements\n", tally.wrong ? "not ok" : "ok", number,
         function, tally.failures, tally.statements);
  fflush(stdout);
  *wrong += tally.wrong > 0;
  return tally.failures;
}

int main(int argc, char **argv) {
  int is_short = argc > 1 && strcmp(argv[1], "--short") == 0, number = 0, wrong = 0;
  const char *only = argc > 1 + is_short ? argv[1 + is_short] : NULL;
  long total = 0;
  if (only != NULL && strcmp(only, "--list") == 0) return list();
  extension = getenv("WHITEN_SO") ? getenv("WHITEN_SO") : "./whiten.so";
  setenv("WHITEN_THREADS", "2", 0);
  must(allocator_install() == SQLITE_OK, "the allocator is not accepted");
  for (const struct statement *s = statements; s->sql != NULL; s++)
    if (s->function != NULL && (only == NULL || strcmp(only, s->function) == 0))
      total += test(++number, s->function, is_short, &wrong);
  for (int i = 0; i < OTHER_CASES; i++)
    if (only == NULL || strcmp(only, OTHERS[i].name) == 0)
      total += test(++number, OTHERS[i].name, is_short, &wrong);
  printf("1..%d\n# %ld allocations failed\n", number, total);
  return wrong > 0 || number == 0;
}
