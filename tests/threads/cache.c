/*
** cache EXTENSION DATABASE [threads] [rounds]: many threads find, add and release parts in the cache of whiten_index,
** under a limit that holds few of them, as indexes open and close, and while the process forks. What is found is what
** was added under its stamp, and stays while it is in use; in the end nothing is left. It is linked with
** ext/index/cache.c and does without the extension.
*/
#define _GNU_SOURCE
#include "index/cache.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

enum { STAMPS = 200, AT_ONCE = 8, WORDS = 64, KEPT = 20, PATIENCE = 300 };

static int rounds = 2000;

struct worker {
  pthread_t thread;
  uint64_t random;
  int wrong, found;
};

static uint64_t next(struct worker *w) {
  w->random = w->random * 6364136223846793005u + 1442695040888963407u;
  return w->random >> 33;
}

static uint64_t word_of(int64_t stamp, int rest, size_t i) {
  return ((uint64_t)stamp * 2 + (uint64_t)rest) * 0x9e3779b97f4a7c15u + i;
}

static const struct cache_entry *add(int64_t stamp, int rest) {
  struct cache_entry *entry = cache_alloc(WORDS * sizeof(uint64_t));
  if (entry == NULL) die("cache", "out of memory");
  for (size_t i = 0; i < WORDS; i++) {
    uint64_t word = word_of(stamp, rest, i);
    memcpy(entry->data + i * sizeof word, &word, sizeof word);
  }
  return cache_add(stamp, rest, entry);
}

static int is_wrong(const struct cache_entry *entry, int64_t stamp, int rest) {
  for (size_t i = 0; i < WORDS; i++) {
    uint64_t word = word_of(stamp, rest, i);
    if (memcmp(entry->data + i * sizeof word, &word, sizeof word) != 0) return 1;
  }
  return 0;
}

/* As a query does: finds what there is of a few parts, adds the others, reads all, and releases them. */
static void query(struct worker *w) {
  const struct cache_entry *entries[AT_ONCE];
  int64_t stamps[AT_ONCE];
  int rest = (int)(next(w) % 2);
  for (size_t i = 0; i < AT_ONCE; i++) stamps[i] = (int64_t)(next(w) % STAMPS * (next(w) % STAMPS) / STAMPS);
  cache_find(AT_ONCE, stamps, rest, entries);
  for (size_t i = 0; i < AT_ONCE; i++) {
    w->found += entries[i] != NULL;
    if (entries[i] == NULL) entries[i] = add(stamps[i], rest);
  }
  for (size_t i = 0; i < AT_ONCE; i++) w->wrong += is_wrong(entries[i], stamps[i], rest);
  cache_release(entries[0]);
  cache_release_all(AT_ONCE - 1, entries + 1);
}

static void *work(void *p) {
  struct worker *w = p;
  for (int i = 0; i < rounds; i++) {
    if (i % 50 == 0) cache_join();
    query(w);
    if (i % 97 == 0) cache_limit((1 + next(w) % KEPT) * WORDS * sizeof(uint64_t));
    if (i % 50 == 49) cache_leave();
  }
  return NULL;
}

/* 0 if the child, where one thread goes on, finds what it should. */
static int fork_once(void) {
  int status;
  pid_t child = fork();
  if (child < 0) die("cache", "no child");
  if (child == 0) {
    struct worker own = {.random = 99};
    alarm(PATIENCE);
    for (int i = 0; i < 100; i++) query(&own);
    _exit(own.wrong != 0);
  }
  if (waitpid(child, &status, 0) != child) die("cache", "no child");
  return status != 0;
}

int main(int argc, char **argv) {
  int threads = argc > 3 ? atoi(argv[3]) : 16, wrong = 0, failed = 0, found = 0;
  if (argc > 4) rounds = atoi(argv[4]);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* its lock is released by no handler of fork() */
  if (sqlite3_initialize() != SQLITE_OK) die("cache", "no SQLite"); /* nor is the one that its first use takes */
  struct worker *workers = calloc((size_t)threads, sizeof *workers);
  if (workers == NULL) die("cache", "out of memory");
  cache_join();
  for (int i = 0; i < threads; i++) {
    workers[i].random = (uint64_t)i;
    if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) die("cache", "no thread");
  }
  for (int i = 0; i < 10; i++) failed += fork_once();
  for (int i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    wrong += workers[i].wrong;
    found += workers[i].found;
  }
  uint64_t kept = cache_used(), limit = cache_limit_now();
  cache_leave();
  printf("%d threads: %s found, %d wrong, %d children failed, %s kept, %d left\n", threads,
         found > 0 ? "some" : "none", wrong, failed, kept <= limit ? "few" : "too many", (int)cache_used());
  free(workers);
  return wrong != 0 || failed != 0;
}
