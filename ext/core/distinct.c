/* See distinct.h. */
#include "core/distinct.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

void distinct_clear(struct distinct *d) {
  if (d->mem == NULL) return;
  d->mem->release(d->rows);
  d->mem->release(d->hashes);
  d->mem->release(d->slots);
  *d = (struct distinct){.mem = d->mem, .dim = d->dim};
}

uint64_t distinct_hash(const struct distinct *d, const void *v) {
  return hash_xxh64(v, d->dim * sizeof(float), 0);
}

const float *distinct_row(const struct distinct *d, size_t place) {
  return d->rows + place * d->dim;
}

/* The slot of the row, or the free one where it would stand. */
static size_t find(const struct distinct *d, const void *v, uint64_t hash) {
  size_t slot = (size_t)hash & (d->slot_count - 1);
  for (; d->slots[slot] != DISTINCT_NONE; slot = (slot + 1) & (d->slot_count - 1)) {
    uint32_t place = d->slots[slot];
    if (d->hashes[place] == hash && memcmp(distinct_row(d, place), v, d->dim * sizeof(float)) == 0) break;
  }
  return slot;
}

static void fill_slots(struct distinct *d) {
  memset(d->slots, 0xff, d->slot_count * sizeof *d->slots);
  for (uint32_t i = 0; i < d->count; i++) {
    size_t slot = (size_t)d->hashes[i] & (d->slot_count - 1);
    while (d->slots[slot] != DISTINCT_NONE) slot = (slot + 1) & (d->slot_count - 1);
    d->slots[slot] = i;
  }
}

static void *resized(const struct distinct *d, void *block, size_t count, size_t size) {
  return count > SIZE_MAX / 2 / size ? NULL : d->mem->resize(block, count * size);
}

/* Room for half as much again. */
static enum status grow(struct distinct *d) {
  size_t capacity = d->capacity + d->capacity / 2 + 16;
  float *rows = resized(d, d->rows, capacity, d->dim * sizeof *rows);
  if (rows == NULL) return STATUS_NOMEM;
  d->rows = rows;
  uint64_t *hashes = resized(d, d->hashes, capacity, sizeof *hashes);
  if (hashes == NULL) return STATUS_NOMEM;
  d->hashes = hashes;
  size_t slot_count = d->slot_count ? d->slot_count : 64;
  while (slot_count < 2 * capacity) slot_count *= 2;
  if (slot_count != d->slot_count) {
    uint32_t *slots = memory_array(d->mem, slot_count, sizeof *slots);
    if (slots == NULL) return STATUS_NOMEM;
    d->mem->release(d->slots);
    d->slots = slots;
    d->slot_count = slot_count;
    fill_slots(d);
  }
  d->capacity = capacity;
  return STATUS_OK;
}

enum status distinct_add(struct distinct *d, const void *v, uint64_t hash, uint32_t *place) {
  if (d->count == d->capacity) {
    enum status rc = grow(d);
    if (rc) return rc;
  }
  size_t slot = find(d, v, hash);
  *place = d->slots[slot];
  if (*place != DISTINCT_NONE) return STATUS_OK;
  *place = d->slots[slot] = (uint32_t)d->count;
  d->hashes[d->count] = hash;
  memcpy(d->rows + d->count * d->dim, v, d->dim * sizeof(float));
  d->count++;
  return STATUS_OK;
}

/* A row that is to be put into its place. */
struct ordered {
  uint64_t hash;
  const float *row;
  size_t dim;
  uint32_t from;
};

static int by_hash(const void *a, const void *b) {
  const struct ordered *p = a, *q = b;
  if (p->hash != q->hash) return p->hash < q->hash ? -1 : 1;
  return memcmp(p->row, q->row, p->dim * sizeof(float));
}

/* Row i becomes what row order[i].from was, along each cycle, with room for one row. */
static void permute(struct distinct *d, struct ordered *order, float *spare) {
  size_t dim = d->dim, bytes = dim * sizeof(float);
  for (uint32_t start = 0; start < d->count; start++) {
    if (order[start].from == start) continue;
    memcpy(spare, d->rows + start * dim, bytes);
    for (uint32_t to = start, from;; to = from) {
      from = order[to].from;
      order[to].from = to;
      memcpy(d->rows + to * dim, from == start ? spare : d->rows + from * dim, bytes);
      if (from == start) break;
    }
  }
}

/* Closes the gaps; moved[i] is where row i stands then. */
static void compact(struct distinct *d, const unsigned char *keep, uint32_t *moved) {
  size_t count = 0, bytes = d->dim * sizeof(float);
  for (size_t i = 0; i < d->count; i++) {
    moved[i] = keep[i] ? (uint32_t)count : DISTINCT_NONE;
    if (!keep[i]) continue;
    if (count != i) memcpy(d->rows + count * d->dim, d->rows + i * d->dim, bytes);
    d->hashes[count++] = d->hashes[i];
  }
  d->count = count;
}

enum status distinct_keep(struct distinct *d, const unsigned char *keep, uint32_t *moved) {
  size_t before = d->count;
  struct ordered *order = memory_array(d->mem, before, sizeof *order);
  uint32_t *place = memory_array(d->mem, before, sizeof *place);
  float *spare = memory_array(d->mem, d->dim, sizeof *spare);
  enum status rc = order != NULL && place != NULL && spare != NULL ? STATUS_OK : STATUS_NOMEM;
  if (rc == STATUS_OK) {
    compact(d, keep, moved);
    for (uint32_t i = 0; i < d->count; i++)
      order[i] = (struct ordered){d->hashes[i], distinct_row(d, i), d->dim, i};
    qsort(order, d->count, sizeof *order, by_hash);
    for (uint32_t i = 0; i < d->count; i++) {
      d->hashes[i] = order[i].hash;
      place[order[i].from] = i;
    }
    permute(d, order, spare);
    for (size_t i = 0; i < before; i++)
      if (moved[i] != DISTINCT_NONE) moved[i] = place[moved[i]];
    if (d->slot_count > 0) fill_slots(d);
  }
  d->mem->release(order);
  d->mem->release(place);
  d->mem->release(spare);
  return rc;
}
