/*
** parallel EXTENSION DATABASE BITS.SQL FITS.SQL [threads] [rounds]: one thread runs every statement; then that many
** threads with a connection each do, all at once, loading the extension themselves. Each must return what the one
** returned: the bits, and for the fits REALs within 1e-9.
*/
#include "run.h"

#include <pthread.h>

static struct {
  const char *extension, *database;
  char *bits, *fits;
  int rounds;
  struct results bits_wanted, fits_wanted;
  pthread_barrier_t start;
} shared;

struct worker {
  pthread_t thread;
  int index, different;
};

static void *work(void *p) {
  struct worker *worker = p;
  struct results *found = calloc(1, sizeof *found);
  if (found == NULL) die("parallel", "out of memory");
  pthread_barrier_wait(&shared.start);
  for (int round = 0; round < shared.rounds; round++) {
    sqlite3 *db = open_with_extension(shared.database, shared.extension);
    for (int part = 0; part < 2; part++) {
      /* Half of the threads begin with the fits, so that these and all the rest meet. */
      int exact = (part + worker->index) % 2;
      run_statements(db, exact ? shared.bits : shared.fits, exact, found);
      worker->different += count_differences(exact ? &shared.bits_wanted : &shared.fits_wanted, found, exact);
    }
    sqlite3_close(db);
  }
  free(found);
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 5) die(argv[0], "expected EXTENSION DATABASE BITS.SQL FITS.SQL [threads] [rounds]");
  int threads = argc > 5 ? atoi(argv[5]) : 32, different = 0;
  shared.extension = argv[1];
  shared.database = argv[2];
  shared.bits = read_text(argv[3]);
  shared.fits = read_text(argv[4]);
  shared.rounds = argc > 6 ? atoi(argv[6]) : 1;
  sqlite3 *db = open_with_extension(shared.database, shared.extension);
  run_statements(db, shared.bits, 1, &shared.bits_wanted);
  run_statements(db, shared.fits, 0, &shared.fits_wanted);
  sqlite3_close(db);

  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (workers == NULL) die("parallel", "out of memory");
  pthread_barrier_init(&shared.start, NULL, (unsigned)threads);
  for (int i = 0; i < threads; i++) {
    workers[i].index = i;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) die("parallel", "no thread");
  }
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    different += workers[i].different;
  }
  printf("%d threads, %d statements with the same bits, %d numbers within 1e-9: %d differences\n", threads,
         shared.bits_wanted.count, shared.fits_wanted.count, different);
  free(workers);
  free(shared.bits);
  free(shared.fits);
  return different != 0;
}
