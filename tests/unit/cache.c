/*
** index/cache: what is found, kept and freed, against a list that does the same by going through all of it; entries of
** another size; no memory; a forked process. tests/threads/cache.c has many threads.
*/
#define _DEFAULT_SOURCE
#include "index/cache.h"

#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* ---- SQLite's allocator, which fails at will ---- */

static sqlite3_mem_methods real;
static int allocations, fail_from = -1; /* the first allocation of these that fails, as all behind it; -1: none */

static void *faulty_malloc(int bytes) {
  return fail_from >= 0 && allocations++ >= fail_from ? NULL : real.xMalloc(bytes);
}

static void fail_allocations(int from) {
  allocations = 0;
  fail_from = from;
}

static int begin(void **state) {
  (void)state;
  if (real.xMalloc == NULL) {
    sqlite3_mem_methods methods;
    sqlite3_shutdown();
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    methods = real;
    methods.xMalloc = faulty_malloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
  }
  fail_allocations(-1);
  cache_limit(UINT64_C(256) << 20);
  return 0;
}

/* ---- the model ---- */

enum { STAMPS = 100, ENTRIES = 400 };

/* An entry that is there: in use by `uses`, else since when it is not. */
struct known {
  int64_t stamp;
  int rest, is_listed, uses;
  size_t bytes;
  uint64_t since;
  const struct cache_entry *entry;
};

static struct {
  struct known entries[ENTRIES];
  size_t count;
  uint64_t limit, clock;
  int indexes;
} model;

static uint64_t used(void) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < model.count; i++) bytes += model.entries[i].bytes;
  return bytes;
}

static void forget(size_t i) {
  model.entries[i] = model.entries[--model.count];
}

/* Frees the longest unused as long as there is too much. */
static void settle(void) {
  for (;;) {
    size_t oldest = SIZE_MAX;
    for (size_t i = 0; i < model.count; i++)
      if (model.entries[i].uses == 0 &&
          (oldest == SIZE_MAX || model.entries[i].since < model.entries[oldest].since))
        oldest = i;
    if (oldest == SIZE_MAX || used() <= (model.indexes > 0 ? model.limit : 0)) break;
    forget(oldest);
  }
  assert_int_equal(cache_used(), used());
}

static struct known *known(int64_t stamp, int rest) {
  for (size_t i = 0; i < model.count; i++)
    if (model.entries[i].stamp == stamp && model.entries[i].rest == rest && model.entries[i].is_listed)
      return &model.entries[i];
  return NULL;
}

/* Stamps that differ in few bits, some in the highest one. */
static int64_t stamp_of(size_t i) {
  return i % 3 == 2 ? INT64_MIN + (int64_t)i : (int64_t)i << (i % 7 * 8);
}

static unsigned char pattern(int64_t stamp, int rest, size_t bytes) {
  return (unsigned char)((uint64_t)stamp * 31 + (uint64_t)rest * 7 + bytes);
}

static struct cache_entry *make(int64_t stamp, int rest, size_t bytes) {
  struct cache_entry *entry = cache_alloc(bytes);
  assert_non_null(entry);
  assert_int_equal((uintptr_t)entry->data % 64, 0);
  assert_int_equal(entry->bytes, bytes);
  memset(entry->data, pattern(stamp, rest, bytes), bytes);
  return entry;
}

static void check_data(const struct known *k) {
  unsigned char wanted = pattern(k->stamp, k->rest, k->bytes);
  assert_int_equal(k->entry->bytes, k->bytes);
  for (size_t i = 0; i < k->bytes; i++) assert_int_equal(k->entry->data[i], wanted);
}

static void find(int64_t *stamps, size_t count, int rest) {
  const struct cache_entry *found[8];
  cache_find(count, stamps, rest, found);
  for (size_t i = 0; i < count; i++) {
    struct known *k = known(stamps[i], rest);
    assert_ptr_equal(found[i], k != NULL ? k->entry : NULL);
    if (k == NULL) continue;
    k->uses++;
    check_data(k);
  }
}

static void add(int64_t stamp, int rest, size_t bytes) {
  struct known *k = known(stamp, rest);
  if (model.count == ENTRIES) return;
  const struct cache_entry *entry = cache_add(stamp, rest, make(stamp, rest, bytes));
  if (k != NULL && k->bytes == bytes) {
    assert_ptr_equal(entry, k->entry);
    k->uses++;
  } else {
    model.entries[model.count++] = (struct known){
        .stamp = stamp, .rest = rest, .is_listed = k == NULL, .uses = 1, .bytes = bytes, .entry = entry};
  }
  settle();
}

/* One use less of so many entries from the i-th on that are in use. */
static void release(size_t from, size_t count) {
  const struct cache_entry *entries[8] = {NULL};
  size_t chosen = 0;
  for (size_t i = from; i < model.count && chosen < count; i++)
    if (model.entries[i].uses > 0) {
      struct known *k = &model.entries[i];
      check_data(k);
      entries[chosen++] = k->entry;
      if (--k->uses == 0) k->since = ++model.clock;
    }
  if (chosen == 1)
    cache_release(entries[0]);
  else
    cache_release_all(8, entries);
  for (size_t i = model.count; i-- > 0;) /* one of another size is gone at once */
    if (model.entries[i].uses == 0 && !model.entries[i].is_listed) forget(i);
  settle();
}

static void step(struct random *r) {
  int rest = (int)random_below(r, 2);
  size_t what = random_below(r, 1000), stamp = random_below(r, STAMPS), sizes = random_below(r, 20) ? 1 : 3;
  if (what < 300) {
    int64_t stamps[] = {stamp_of(stamp), stamp_of(stamp / 2), stamp_of(STAMPS - 1 - stamp), stamp_of(stamp)};
    find(stamps, random_below(r, COUNT(stamps) + 1), rest);
  } else if (what < 600) {
    add(stamp_of(stamp), rest, 1 + stamp * 11 % 200 + random_below(r, sizes)); /* of no bytes there is none */
  } else if (what < 985) {
    size_t from = random_below(r, model.count + 1); /* its turn before the other's, on every compiler */
    release(from, 1 + random_below(r, 8));
  } else if (what < 995) {
    model.limit = random_below(r, 4) * 1000;
    cache_limit(model.limit);
    assert_int_equal(cache_limit_now(), model.limit);
  } else if (model.indexes == 0 || (model.indexes < 3 && random_below(r, 2))) {
    model.indexes++;
    cache_join();
  } else {
    model.indexes--;
    cache_leave();
  }
  settle();
}

TEST(cache_against_a_list) {
  struct random r = {random_seed()};
  sqlite3_int64 before = sqlite3_memory_used();
  for (int i = 0; i < repeats(60); i++) {
    memset(&model, 0, sizeof model);
    model.limit = 3000;
    cache_limit(model.limit);
    for (int j = 0; j < 3000; j++) step(&r);
    while (model.indexes > 0) {
      model.indexes--;
      cache_leave();
      settle();
    }
    while (model.count > 0) release(0, 8);
    assert_int_equal(cache_used(), 0);
    assert_int_equal(sqlite3_memory_used(), before); /* the table, too */
  }
}

/* The table grows with its entries; the limit is 256 MiB unless it is set. */
TEST(cache_of_many) {
  enum { MANY = 5000 };
  static int64_t stamps[MANY];
  static const struct cache_entry *entries[MANY];
  struct random r = {random_seed()};
  sqlite3_int64 before = sqlite3_memory_used();
  assert_int_equal(cache_limit_now(), UINT64_C(256) << 20);
  cache_join();
  for (size_t i = 0; i < MANY; i++) {
    stamps[i] = (int64_t)(random_bits(&r) >> 1);
    cache_release(cache_add(stamps[i], 1, make(stamps[i], 1, 64)));
  }
  cache_find(MANY, stamps, 0, entries);
  for (size_t i = 0; i < MANY; i++) assert_null(entries[i]);
  cache_find(MANY, stamps, 1, entries);
  for (size_t i = 0; i < MANY; i++) {
    assert_non_null(entries[i]);
    assert_int_equal(entries[i]->data[63], pattern(stamps[i], 1, 64));
  }
  cache_release_all(MANY, entries);
  cache_leave();
  assert_int_equal(sqlite3_memory_used(), before);
}

/* Without memory there is no entry; a table that cannot grow still finds what it has. */
TEST(cache_out_of_memory) {
  enum { MANY = 300 };
  static struct cache_entry *entries[MANY];
  sqlite3_int64 before = sqlite3_memory_used();
  cache_join();
  for (int n = 0; n < 2; n++) {
    fail_allocations(n);
    assert_null(cache_alloc(1000));
    assert_int_equal(sqlite3_memory_used(), before);
  }
  fail_allocations(-1);
  for (size_t i = 0; i < MANY; i++) entries[i] = make((int64_t)i, 0, 8);
  fail_allocations(0);
  for (size_t i = 0; i < MANY; i++) cache_release(cache_add((int64_t)i, 0, entries[i]));
  assert_true(allocations > 0);
  for (int64_t i = 0; i < MANY; i++) {
    const struct cache_entry *found;
    cache_find(1, &i, 0, &found);
    assert_ptr_equal(found, entries[i]);
    cache_release(found);
  }
  fail_allocations(-1);
  cache_drop(make(1, 1, 1));
  cache_drop(NULL);
  cache_release(NULL);
  cache_leave();
  assert_int_equal(sqlite3_memory_used(), before);
}

/* A child goes on with what it has. */
TEST(cache_in_a_forked_process) {
  int64_t stamp = 7;
  int status;
  cache_join();
  const struct cache_entry *kept = cache_add(stamp, 0, make(stamp, 0, 100)), *found = NULL;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    alarm(60);
    cache_find(1, &stamp, 0, &found);
    int good = found == kept && cache_used() == 100;
    cache_release(found);
    cache_release(cache_add(8, 0, cache_alloc(50)));
    _exit(!(good && cache_used() == 150));
  }
  assert_true(waitpid(child, &status, 0) == child && status == 0);
  cache_release(kept);
  cache_leave();
  assert_int_equal(cache_used(), 0);
}

#define cache_test(test) cmocka_unit_test_setup(test, begin)
UNIT_MAIN(cache_test(cache_of_many), cache_test(cache_against_a_list), cache_test(cache_out_of_memory),
          cache_test(cache_in_a_forked_process))
