/*
** An allocator for tests that fails its n-th allocation and counts what is live.
**
** Its blocks are full of garbage, aligned to 8 bytes and no more (all that base.h promises), and always move
** when they are resized, so that a pointer kept too long is seen by a sanitizer.
*/
#ifndef WHITEN_TESTS_FAULTY_MEMORY_H
#define WHITEN_TESTS_FAULTY_MEMORY_H

#include "core/base.h"
#include "unit.h"

enum { FAULTY_HEADER = 24 }; /* a multiple of 8 and not of 16: what malloc returns plus this is aligned to 8 */

static struct {
  uint64_t live, calls;
  uint64_t fail_at; /* 1: the first allocation from now on; 0: none */
  int failed;
} faulty;

static inline void *faulty_alloc(uint64_t bytes) {
  if (++faulty.calls == faulty.fail_at) {
    faulty.failed = 1;
    return NULL;
  }
  char *block = malloc(FAULTY_HEADER + bytes);
  if (block == NULL) return NULL;
  memcpy(block, &bytes, sizeof bytes);
  memset(block + FAULTY_HEADER, 0xa5, bytes);
  faulty.live++;
  return block + FAULTY_HEADER;
}

static inline void faulty_release(void *p) {
  if (p == NULL) return;
  assert_true(faulty.live > 0);
  faulty.live--;
  free((char *)p - FAULTY_HEADER);
}

static inline void *faulty_resize(void *p, uint64_t bytes) {
  uint64_t old = 0;
  char *block = faulty_alloc(bytes);
  if (block == NULL || p == NULL) return block;
  memcpy(&old, (char *)p - FAULTY_HEADER, sizeof old);
  memcpy(block, p, old < bytes ? old : bytes);
  faulty_release(p);
  return block;
}

static const struct memory faulty_memory = {faulty_alloc, faulty_resize, faulty_release};

/* A test for UNIT_MAIN that starts with nothing counted, whatever a failed one before it left behind. */
#define faulty_test(test) cmocka_unit_test_setup(test, faulty_begin)

static inline int faulty_begin(void **state) {
  (void)state;
  memset(&faulty, 0, sizeof faulty);
  return 0;
}

/*
** Runs `operation` with the first, then the second ... allocation failing, until none is left to fail. Each
** failed run must return STATUS_NOMEM, the last one STATUS_OK, and none may leak. Returns how many allocations
** there were to fail.
*/
static inline uint64_t faulty_exhaust(enum status (*operation)(void)) {
  assert_int_equal(faulty.live, 0);
  for (uint64_t n = 1;; n++) {
    faulty.calls = 0;
    faulty.fail_at = n;
    faulty.failed = 0;
    enum status rc = operation();
    faulty.fail_at = 0;
    assert_int_equal(rc, faulty.failed ? STATUS_NOMEM : STATUS_OK);
    assert_int_equal(faulty.live, 0);
    if (!faulty.failed) return n - 1;
  }
}

#endif
