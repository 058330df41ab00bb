/*
** turn EXTENSION DATABASE: fork() while BLAS works waits for the call that runs, and for no other.
**
** The first of several threads with a fit each is held inside LAPACK (this program's LAPACKE_dsyevd_work comes before the
** library's) until the others queue behind it and the main thread sleeps in fork(). It is let go then, and when fork() goes on
** - a handler that was registered before the extension's runs behind it - no other call may have begun. Nothing
** is told by time: that a thread sleeps is read in /proc.
*/
#define _GNU_SOURCE
#include "run.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4 };
static const char FIT[] = "SELECT whiten_fit(v, 100, '{\"ridge\":1}') FROM long";

static const char *extension, *database;
static atomic_int begun, released, begun_before_fork = -1;
static atomic_int task[THREADS];

int LAPACKE_dsyevd_work(int layout, char job, char uplo, int n, double *a, int lda, double *w, double *work,
                        int work_size, int *iwork, int iwork_size);

int LAPACKE_dsyevd_work(int layout, char job, char uplo, int n, double *a, int lda, double *w, double *work,
                        int work_size, int *iwork, int iwork_size) {
  int (*real)(int, char, char, int, double *, int, double *, double *, int, int *, int);
  *(void **)&real = dlsym(RTLD_NEXT, "LAPACKE_dsyevd_work");
  begun++;
  while (!released) usleep(1000);
  return real(layout, job, uplo, n, a, lda, w, work, work_size, iwork, iwork_size);
}

static void fit(void) {
  sqlite3 *db = open_with_extension(database, extension);
  if (sqlite3_exec(db, "SELECT whiten_config('threads', 1)", NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_exec(db, FIT, NULL, NULL, NULL) != SQLITE_OK)
    die("fit", sqlite3_errmsg(db));
  sqlite3_close(db);
}

static void *fit_once(void *p) {
  *(atomic_int *)p = (int)syscall(SYS_gettid);
  fit();
  return NULL;
}

/* Waits until a thread sleeps, in one place: no time of the processor is used between two looks. */
static void wait_for_sleep(int thread) {
  char path[64], text[512];
  long long ticks = -1, before = -2;
  char state = 0;
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
  for (int same = 0; same < 20; usleep(5000)) {
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) die(path, "cannot be read");
    fclose(file);
    long long user, system;
    const char *rest = strrchr(text, ')'); /* behind the name: state, ten numbers, the ticks of user and system */
    if (rest == NULL ||
        sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lld %lld", &state, &user, &system) != 3)
      die(path, "is not as expected");
    ticks = user + system;
    same = state == 'S' && ticks == before ? same + 1 : 0;
    before = ticks;
  }
}

static void *release(void *p) {
  wait_for_sleep((int)getpid());
  (void)p;
  released = 1;
  return NULL;
}

static void note(void) {
  begun_before_fork = begun;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS], releaser;
  int status;
  if (argc < 3) die(argv[0], "expected EXTENSION DATABASE");
  extension = argv[1];
  database = argv[2];
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its lock is released by no handler of fork() */
  pthread_atfork(note, NULL, NULL);
  for (int i = 0; i < THREADS; i++) {
    if (pthread_create(&threads[i], NULL, fit_once, &task[i]) != 0) die("turn", "no thread");
    if (i == 0)
      while (begun == 0) usleep(1000);
  }
  for (int i = 1; i < THREADS; i++) {
    while (task[i] == 0) usleep(1000);
    wait_for_sleep(task[i]);
  }
  if (pthread_create(&releaser, NULL, release, NULL) != 0) die("turn", "no thread");
  pid_t child = fork();
  if (child < 0) die("turn", "no child");
  if (child == 0) {
    fit();
    _exit(0);
  }
  pthread_join(releaser, NULL);
  for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  if (waitpid(child, &status, 0) != child || status != 0) die("turn", "the child failed");
  printf("%d of %s calls before the fork\n", begun_before_fork, begun >= THREADS ? "all" : "too few");
  return begun_before_fork != 1 || begun < THREADS;
}
