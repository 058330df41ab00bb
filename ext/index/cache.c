/*
** See cache.h. One mutex; a hash table whose buckets are chains; and a ring of the entries that are not in use, the
** longest unused first. Memory is asked for and given back outside the mutex, but for a larger table.
**
** What is looked up lies apart from the data: blocks of many pages begin at the same offset of a page, so that heads in
** front of the data would displace each other in the processor's caches.
*/
#include "index/cache.h"

#include <pthread.h>
#include <string.h>

#include "core/system.h"
#include "host/memory.h"

struct entry {
  struct cache_entry shown; /* first, so that a pointer to it is one to the entry */
  void *memory;             /* of the data */
  int64_t stamp;
  int rest, is_listed; /* in the table: not if another of that stamp, of another size, stands there */
  size_t uses;
  struct entry *next;            /* of the bucket, or of a list of entries to free */
  struct entry *before, *behind; /* in the ring, while it is not in use */
};

enum { FIRST_BITS = 6 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;

/* The first table, so that there always is one. */
static struct entry *first_buckets[1 << FIRST_BITS];
/* Under the mutex. */
static struct {
  struct entry **buckets; /* two to the power of bits */
  unsigned bits;
  size_t count; /* entries in the table */
  struct entry ring;
  uint64_t used, limit;
  size_t indexes;
} cache = {.buckets = first_buckets,
           .bits = FIRST_BITS,
           .ring = {.before = &cache.ring, .behind = &cache.ring},
           .limit = UINT64_C(256) << 20};

/* ---- the lock ---- */

static void before_fork(void) {
  pthread_mutex_lock(&mutex);
}

static void after_fork_parent(void) {
  pthread_mutex_unlock(&mutex);
}

/* What other threads had in use stays so in the child, which has no such threads. */
static void after_fork_child(void) {
  pthread_mutex_init(&mutex, NULL);
}

static void install_fork_handlers(void) {
  system_at_fork(before_fork, after_fork_parent, after_fork_child);
}

static void lock(void) {
  pthread_once(&fork_once, install_fork_handlers);
  pthread_mutex_lock(&mutex);
}

static void free_entries(struct entry *entry) {
  while (entry != NULL) {
    struct entry *next = entry->next;
    sqlite_memory.release(entry->memory);
    sqlite_memory.release(entry);
    entry = next;
  }
}

/* Takes the lock off, and frees what was taken out under it. */
static void unlock(struct entry *out) {
  pthread_mutex_unlock(&mutex);
  free_entries(out);
}

/* ---- table and ring ---- */

/* Stamps are random, but in a damaged table; the first bits of the product depend on all of theirs. */
static struct entry **bucket_of(int64_t stamp, int rest) {
  uint64_t key = ((uint64_t)stamp << 1 | (rest != 0)) * UINT64_C(0x9e3779b97f4a7c15);
  return &cache.buckets[key >> (64 - cache.bits)];
}

static struct entry *look_up(int64_t stamp, int rest) {
  struct entry *entry = *bucket_of(stamp, rest);
  while (entry != NULL && (entry->stamp != stamp || entry->rest != rest)) entry = entry->next;
  return entry;
}

static void ring_remove(struct entry *entry) {
  entry->before->behind = entry->behind;
  entry->behind->before = entry->before;
}

static void ring_append(struct entry *entry) {
  entry->before = cache.ring.before;
  entry->behind = &cache.ring;
  entry->before->behind = cache.ring.before = entry;
}

static struct entry *use(struct entry *entry) {
  if (entry->uses++ == 0) ring_remove(entry);
  return entry;
}

/* Twice the buckets, if there is memory for them: without, chains are longer. */
static void grow(void) {
  struct entry **old = cache.buckets, **buckets = sqlite_memory.alloc(sizeof *old << (cache.bits + 1));
  size_t count = (size_t)1 << cache.bits;
  if (buckets == NULL) return;
  memset(buckets, 0, 2 * count * sizeof *buckets);
  cache.buckets = buckets;
  cache.bits++;
  for (size_t i = 0; i < count; i++)
    for (struct entry *entry = old[i], *next; entry != NULL; entry = next) {
      struct entry **bucket = bucket_of(entry->stamp, entry->rest);
      next = entry->next;
      entry->next = *bucket;
      *bucket = entry;
    }
  if (old != first_buckets) sqlite_memory.release(old);
}

/* The first table again, emptied of what stood there when a larger one took its place. */
static void shrink(void) {
  if (cache.buckets == first_buckets) return;
  sqlite_memory.release(cache.buckets);
  memset(first_buckets, 0, sizeof first_buckets);
  cache.buckets = first_buckets;
  cache.bits = FIRST_BITS;
}

static void insert(struct entry *entry) {
  if (cache.count >> cache.bits > 0) grow();
  struct entry **bucket = bucket_of(entry->stamp, entry->rest);
  entry->next = *bucket;
  *bucket = entry;
  cache.count++;
}

/* Out of table and ring, in front of a list of those to free. */
static struct entry *take_out(struct entry *entry, struct entry *out) {
  struct entry **at = bucket_of(entry->stamp, entry->rest);
  while (*at != entry) at = &(*at)->next;
  *at = entry->next;
  cache.count--;
  cache.used -= entry->shown.bytes;
  ring_remove(entry);
  entry->next = out;
  return entry;
}

/* Takes out what is too much, in front of a list of those to free. */
static struct entry *evict(struct entry *out) {
  uint64_t limit = cache.indexes > 0 ? cache.limit : 0;
  while (cache.used > limit && cache.ring.behind != &cache.ring) out = take_out(cache.ring.behind, out);
  if (cache.count == 0 && cache.indexes == 0) shrink();
  return out;
}

/* ---- what cache.h has ---- */

void cache_join(void) {
  lock();
  cache.indexes++;
  unlock(NULL);
}

void cache_leave(void) {
  lock();
  cache.indexes--;
  unlock(evict(NULL));
}

void cache_limit(uint64_t bytes) {
  lock();
  cache.limit = bytes;
  unlock(evict(NULL));
}

uint64_t cache_limit_now(void) {
  lock();
  uint64_t limit = cache.limit;
  unlock(NULL);
  return limit;
}

uint64_t cache_used(void) {
  lock();
  uint64_t used = cache.used;
  unlock(NULL);
  return used;
}

void cache_find(size_t count, const int64_t *stamps, int rest, const struct cache_entry **entries) {
  lock();
  for (size_t i = 0; i < count; i++) {
    struct entry *entry = look_up(stamps[i], rest != 0);
    entries[i] = entry != NULL ? &use(entry)->shown : NULL;
  }
  unlock(NULL);
}

struct cache_entry *cache_alloc(size_t bytes) {
  struct entry *entry = sqlite_memory.alloc(sizeof *entry);
  void *memory = sqlite_memory.alloc(bytes + 63);
  if (entry == NULL || memory == NULL) {
    sqlite_memory.release(entry);
    sqlite_memory.release(memory);
    return NULL;
  }
  system_touch(memory, bytes + 63);
  *entry = (struct entry){.shown = {memory_align64(memory), bytes}, .memory = memory};
  return &entry->shown;
}

void cache_drop(struct cache_entry *entry) {
  free_entries((struct entry *)entry);
}

const struct cache_entry *cache_add(int64_t stamp, int rest, struct cache_entry *entry) {
  struct entry *added = (struct entry *)entry, *out = NULL;
  lock();
  struct entry *other = look_up(stamp, rest != 0);
  if (other != NULL && other->shown.bytes == entry->bytes) {
    out = added;
    added = use(other);
  } else {
    added->stamp = stamp;
    added->rest = rest != 0;
    added->uses = 1;
    added->is_listed = other == NULL;
    if (added->is_listed) insert(added);
    cache.used += entry->bytes;
    out = evict(NULL);
  }
  unlock(out);
  return &added->shown;
}

void cache_release_all(size_t count, const struct cache_entry *const *entries) {
  struct entry *out = NULL;
  lock();
  for (size_t i = 0; i < count; i++) {
    struct entry *entry = (struct entry *)entries[i];
    if (entry == NULL || --entry->uses > 0) continue;
    if (entry->is_listed) {
      ring_append(entry);
      continue;
    }
    cache.used -= entry->shown.bytes;
    entry->next = out;
    out = entry;
  }
  unlock(evict(out));
}

void cache_release(const struct cache_entry *entry) {
  cache_release_all(1, &entry);
}
