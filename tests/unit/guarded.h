/* A block of memory between two pages that nobody may touch: a byte read or written outside ends the program. */
#ifndef WHITEN_TESTS_GUARDED_H
#define WHITEN_TESTS_GUARDED_H

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

struct guarded {
  char *begin, *end; /* what may be used */
  size_t page;
};

static inline struct guarded guarded_make(size_t bytes) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (bytes + page - 1) / page * page;
  char *all = mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(all != MAP_FAILED);
  assert_int_equal(mprotect(all + page, inside, PROT_READ | PROT_WRITE), 0);
  return (struct guarded){all + page, all + page + inside, page};
}

static inline void guarded_free(struct guarded *g) {
  munmap(g->begin - g->page, (size_t)(g->end - g->begin) + 2 * g->page);
}

/*
** Room for `bytes` at one of six places: 0, 1, 2 at the end, 3, 4, 5 at the beginning, and 1, 2 or 4, 5 so that
** float32 there are unaligned.
*/
enum { PLACES = 6 };
static inline void *guarded_place(const struct guarded *g, size_t bytes, size_t place) {
  assert_true(bytes + 2 <= (size_t)(g->end - g->begin) || place % 3 == 0);
  return place < 3 ? g->end - bytes - place : g->begin + (place - 3);
}

#endif
