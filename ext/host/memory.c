/* See memory.h. */
#include "host/memory.h"

#include "host/sqlite.h"

static void *allocate(uint64_t bytes) {
  return sqlite3_malloc64(bytes);
}

static void *resize(void *block, uint64_t bytes) {
  return sqlite3_realloc64(block, bytes);
}

static void release(void *block) {
  sqlite3_free(block);
}

const struct memory sqlite_memory = {allocate, resize, release};
