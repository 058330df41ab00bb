/* See memory.h. */
#define _GNU_SOURCE
#include "host/memory.h"

#include <sys/mman.h>
#include <unistd.h>

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

/* Linux 5.14 has it; what does not find its pages as they are written to. */
void memory_touch(void *block, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  size_t page = (size_t)sysconf(_SC_PAGESIZE), skipped = (page - (uintptr_t)block % page) % page;
  if (bytes >= skipped + page)
    (void)madvise((char *)block + skipped, (bytes - skipped) / page * page, MADV_POPULATE_WRITE);
#else
  (void)block, (void)bytes;
#endif
}
