/* See allocator.h. SQLite keeps its memory mutex while it is here, and no thread of ours allocates: no lock is needed.
** The size that was asked for stands before the block, at the distance that keeps the alignment of malloc. */
#include "allocator.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD = 16 };

static long count, failed, fail_at;
static int persistent, armed;
static long long outstanding;

static int refuse(void) {
  if (!armed) return 0;
  count++;
  if (fail_at == 0 || !(count == fail_at || (persistent && count > fail_at))) return 0;
  failed++;
  return 1;
}

static int size_of(void *block) {
  int bytes;
  memcpy(&bytes, (char *)block - HEAD, sizeof bytes);
  return bytes;
}

static void *note(char *head, int bytes) {
  if (head == NULL) return NULL;
  memcpy(head, &bytes, sizeof bytes);
  outstanding += bytes;
  return head + HEAD;
}

static void *allocate(int bytes) {
  return refuse() ? NULL : note(malloc((size_t)bytes + HEAD), bytes);
}

static void release(void *block) {
  if (block == NULL) return;
  outstanding -= size_of(block);
  free((char *)block - HEAD);
}

/* A block that is resized moves, so that a pointer into the old one is found by the sanitizers. */
static void *resize(void *block, int bytes) {
  if (refuse()) return NULL;
  int old = size_of(block);
  void *fresh = note(malloc((size_t)bytes + HEAD), bytes);
  if (fresh == NULL) return NULL;
  memcpy(fresh, block, (size_t)(old < bytes ? old : bytes));
  release(block);
  return fresh;
}

static int round_up(int bytes) {
  return (bytes + 7) & ~7;
}

static int start(void *data) {
  (void)data;
  return SQLITE_OK;
}

static void stop(void *data) {
  (void)data;
}

int allocator_install(void) {
  static const sqlite3_mem_methods METHODS = {allocate, release, resize, size_of, round_up, start, stop, NULL};
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &METHODS);
}

void allocator_arm(long n, int persistently) {
  count = failed = 0;
  fail_at = n;
  persistent = persistently;
  armed = 1;
}

long allocator_disarm(void) {
  armed = 0;
  return count;
}

long allocator_failed(void) {
  return failed;
}

long long allocator_outstanding(void) {
  return outstanding;
}
