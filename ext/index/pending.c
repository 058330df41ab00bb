/* See pending.h. Below the last mark's count nothing is dropped; so marks and list never point past each other. */
#include "index/pending.h"

#include <string.h>

enum { FIRST_CAPACITY = 16 };

void pending_init(struct pending *p, const struct memory *mem) {
  *p = (struct pending){.mem = mem};
}

/* Frees the changes from .. to - 1 and closes the gap. */
static void drop(struct pending *p, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) p->mem->release(p->changes[i]);
  if (to < p->count) memmove(p->changes + from, p->changes + to, (p->count - to) * sizeof *p->changes);
  p->count -= to - from;
}

void pending_clear(struct pending *p) {
  if (p->mem == NULL) return;
  drop(p, 0, p->count);
  p->mem->release(p->changes);
  p->mem->release(p->marks);
  pending_init(p, p->mem);
}

/* The array with room for `count` elements, or NULL. */
static void *grown(const struct memory *mem, void *array, size_t count, size_t *capacity, size_t size) {
  size_t wanted = *capacity ? *capacity : FIRST_CAPACITY;
  if (count <= *capacity) return array;
  while (wanted < count) wanted *= 2;
  void *larger = mem->resize(array, wanted * size);
  if (larger != NULL) *capacity = wanted;
  return larger;
}

enum status pending_add(struct pending *p, int generation, int64_t rowid, const struct code *code,
                        size_t code_bytes) {
  struct change **changes = grown(p->mem, p->changes, p->count + 1, &p->capacity, sizeof *changes);
  if (changes == NULL) return STATUS_NOMEM;
  p->changes = changes;
  struct change *change = p->mem->alloc(sizeof *change + (code != NULL ? code_bytes : 0));
  if (change == NULL) return STATUS_NOMEM;
  *change = (struct change){.rowid = rowid, .generation = generation, .is_put = code != NULL};
  if (code != NULL) memcpy(change + 1, code, code_bytes);
  p->changes[p->count++] = change;
  return STATUS_OK;
}

const struct code *pending_code(const struct change *change) {
  return change->is_put ? (const void *)(change + 1) : NULL;
}

size_t pending_count(const struct pending *p) {
  return p->count - p->applied;
}

const struct change *pending_at(const struct pending *p, size_t index) {
  return p->changes[p->applied + index];
}

/* Drops what the tables have and no mark needs. */
static void trim(struct pending *p) {
  size_t marked = p->mark_count > 0 ? p->marks[p->mark_count - 1].count : 0;
  if (p->applied <= marked) return;
  drop(p, marked, p->applied);
  p->applied = marked;
}

void pending_applied(struct pending *p) {
  p->applied = p->count;
  trim(p);
}

void pending_write(struct pending *p) {
  if (p->torn == 0) p->torn = p->mark_count + 1;
}

void pending_written(struct pending *p) {
  p->torn = 0;
}

int pending_is_torn(const struct pending *p) {
  return p->torn > 0;
}

int pending_is_needed(const struct pending *p) {
  for (size_t i = 0; i + 1 < p->mark_count; i++)
    if (p->marks[i].applied < p->marks[i].count) return 1;
  return 0;
}

void pending_release(struct pending *p, int savepoint) {
  size_t number = savepoint < 0 ? 0 : (size_t)savepoint;
  if (p->mark_count > number) p->mark_count = number;
  if (p->torn > p->mark_count + 1) p->torn = p->mark_count + 1;
  trim(p);
}

enum status pending_savepoint(struct pending *p, int savepoint) {
  size_t number = (size_t)savepoint;
  struct pending_mark *marks = grown(p->mem, p->marks, number + 1, &p->mark_capacity, sizeof *marks);
  if (marks == NULL) return STATUS_NOMEM;
  p->marks = marks;
  pending_release(p, savepoint);
  while (p->mark_count <= number) p->marks[p->mark_count++] = (struct pending_mark){p->count, p->applied};
  return STATUS_OK;
}

void pending_rollback_to(struct pending *p, int savepoint) {
  size_t number = (size_t)savepoint;
  if (savepoint < 0) pending_end(p);
  if (number >= p->mark_count) return;
  if (p->torn > number + 1) p->torn = 0;
  drop(p, p->marks[number].count, p->count);
  p->applied = p->marks[number].applied;
  p->mark_count = number + 1;
}

void pending_end(struct pending *p) {
  drop(p, 0, p->count);
  p->applied = p->mark_count = p->torn = 0;
}
