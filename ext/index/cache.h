/*
** Parts of chunks in memory, for all connections of the process: what a stamp names never changes, so nothing here is
** ever out of date. Every write of a chunk draws a fresh random stamp; rollback and savepoints bring old stamps back.
**
** An entry is found by its stamp and its part (signs or rest). It is counted while it is used, and goes, the longest
** unused first, when the entries are larger than the limit. Safe for any thread, and for a process that forks.
**
** What a stamp names is what a table says it does: who uses an entry sees to it that its bytes are as many as expected.
*/
#ifndef WHITEN_INDEX_CACHE_H
#define WHITEN_INDEX_CACHE_H

#include "core/base.h"

struct cache_entry {
  unsigned char *data; /* 64-byte aligned; not changed after cache_add */
  size_t bytes;
};

/* One more index in the process, one less: with the last one everything is freed that is not in use, and that then. */
void cache_join(void);
void cache_leave(void);

/* Limit in bytes, of all entries (256 MiB unless it is set); 0 keeps nothing beyond its use. */
void cache_limit(uint64_t bytes);
uint64_t cache_limit_now(void);
uint64_t cache_used(void); /* bytes of all entries, those in use and those kept */

/* entries[i] = the entry of stamps[i], counted, or NULL. */
void cache_find(size_t count, const int64_t *stamps, int rest, const struct cache_entry **entries);
/* A block of memory to fill, 64-byte aligned, that cache_add takes over, or cache_drop frees: NULL without memory. */
struct cache_entry *cache_alloc(size_t bytes);
/* Adds it, counted; if another thread was faster returns that one's, which has as many bytes. Does not fail. */
const struct cache_entry *cache_add(int64_t stamp, int rest, struct cache_entry *entry);
void cache_drop(struct cache_entry *entry); /* NULL is fine */
/* One use less; of many entries at once, which costs one lock. NULL is fine. */
void cache_release(const struct cache_entry *entry);
void cache_release_all(size_t count, const struct cache_entry *const *entries);

#endif
