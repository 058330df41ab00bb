/*
** The client of the benchmarks: steps a prepared statement to its end and reads every byte of every column,
** so that nothing of the language that drives it is in the time. The same loop is the read limit: `SELECT v
** FROM t` is what SQLite takes to hand out the rows.
*/
#define _GNU_SOURCE
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct client_run {
  double seconds;
  int64_t rows;
  uint64_t sum; /* of what was read: keeps the compiler from leaving it out, and shows that runs agree */
};

int client_run(sqlite3_stmt *statement, struct client_run *run);

static double now(void) {
  struct timespec t;
  clock_gettime(getenv("BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t sum_bytes(const unsigned char *p, size_t bytes) {
  uint64_t sum = 0, word;
  for (; bytes >= sizeof word; p += sizeof word, bytes -= sizeof word) {
    memcpy(&word, p, sizeof word);
    sum += word;
  }
  for (; bytes > 0; p++, bytes--) sum += *p;
  return sum;
}

static uint64_t sum_column(sqlite3_stmt *statement, int column) {
  double number;
  uint64_t bits;
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: return (uint64_t)sqlite3_column_int64(statement, column);
    case SQLITE_FLOAT:
      number = sqlite3_column_double(statement, column);
      memcpy(&bits, &number, sizeof bits);
      return bits;
    case SQLITE_NULL: return 0;
    default: {
      const void *data = sqlite3_column_blob(statement, column);
      return sum_bytes(data, (size_t)sqlite3_column_bytes(statement, column));
    }
  }
}

/* Returns SQLITE_OK, or the error of the statement. */
int client_run(sqlite3_stmt *statement, struct client_run *run) {
  int rc, columns = sqlite3_column_count(statement);
  *run = (struct client_run){0};
  double start = now();
  while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
    run->rows++;
    for (int i = 0; i < columns; i++) run->sum += sum_column(statement, i);
  }
  run->seconds = now() - start;
  sqlite3_reset(statement);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
