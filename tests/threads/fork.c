/*
** fork EXTENSION DATABASE BITS.SQL FITS.SQL [forks]: uses the extension, forks, and uses it in child and parent at
** once, again and again; every other time while another thread of the parent is in the middle of a fit, which holds
** the lock of BLAS. A child opens a connection of its own, as SQLite asks for. Nothing may hang or differ.
*/
#include "run.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE = 900 }; /* seconds until a child is taken to hang */

static const char *extension, *database;
static char *bits, *fits;
static struct results bits_wanted, fits_wanted;
static atomic_int stop;

static int use(sqlite3 *db) {
  static struct results found;
  run_statements(db, fits, 0, &found);
  int different = count_differences(&fits_wanted, &found, 0);
  run_statements(db, bits, 1, &found);
  return different + count_differences(&bits_wanted, &found, 1);
}

static void *keep_fitting(void *p) {
  sqlite3 *db = open_with_extension(database, extension);
  (void)p;
  while (!stop)
    if (sqlite3_exec(db, "SELECT whiten_fit(v, 100, '{\"ridge\":1}') FROM long", NULL, NULL, NULL) != SQLITE_OK)
      die("fit", sqlite3_errmsg(db));
  sqlite3_close(db);
  return NULL;
}

/* 0 if the child returned what it should. */
static int wait_for(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child) die("fork", "no child");
  if (WIFSIGNALED(status))
    fprintf(stderr, "the child was ended by signal %d%s\n", WTERMSIG(status),
            WTERMSIG(status) == SIGALRM ? ": it hung" : "");
  return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(int argc, char **argv) {
  if (argc < 5) die(argv[0], "expected EXTENSION DATABASE BITS.SQL FITS.SQL [forks]");
  int forks = argc > 5 ? atoi(argv[5]) : 10, failed = 0, different = 0;
  pthread_t thread;
  extension = argv[1];
  database = argv[2];
  bits = read_text(argv[3]);
  fits = read_text(argv[4]);
  /* Without it every allocation takes a lock of SQLite's, which no fork handler releases. */
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3 *db = open_with_extension(database, extension);
  run_statements(db, fits, 0, &fits_wanted);
  run_statements(db, bits, 1, &bits_wanted);
  for (int i = 0; i < forks; i++) {
    int busy = i % 2;
    stop = 0;
    if (busy && pthread_create(&thread, NULL, keep_fitting, NULL) != 0) die("fork", "no thread");
    if (busy) usleep((useconds_t)(20000 + i * 3700));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) die("fork", "no child");
    if (child == 0) {
      alarm(PATIENCE);
      sqlite3 *own = open_with_extension(database, extension);
      int wrong = use(own);
      sqlite3_close(own);
      _exit(wrong != 0);
    }
    different += use(db);
    stop = 1;
    if (busy) pthread_join(thread, NULL);
    failed += wait_for(child);
  }
  sqlite3_close(db);
  printf("%d forks, half of them during a fit: %d children failed, %d differences in the parent\n", forks, failed,
         different);
  free(bits);
  free(fits);
  return failed != 0 || different != 0;
}
