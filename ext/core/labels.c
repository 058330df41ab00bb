/* See labels.h. */
#include "core/labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

static size_t least(size_t limit, double other) {
  return other < (double)limit ? (size_t)other : limit;
}

static void set_triggers(struct labels *l) {
  l->pair_trigger = l->count + l->pair_limit / 4 + 16;
  l->row_trigger = l->rows.count + (l->kind == LABELS_SCORED ? l->pair_limit : l->document_limit) / 4 + 16;
}

void labels_init(struct labels *l, enum labels_kind kind, size_t dim, const struct memory *mem) {
  double row_bytes = (double)dim * sizeof(float);
  *l = (struct labels){.mem = mem,
                       .kind = kind,
                       .rows = {.mem = mem, .dim = dim},
                       .query_limit = LABELS_QUERIES,
                       .pair_limit = least(LABELS_PAIRS, LABELS_BYTES / (2 * row_bytes)),
                       .pair_bound = UINT64_MAX,
                       .document_bound = UINT64_MAX};
  l->document_limit = kind == LABELS_NONE
                          ? least(LABELS_ROWS, sqrt(LABELS_SQUARES / (double)dim))
                          : least(LABELS_DOCUMENTS, LABELS_PRODUCTS / LABELS_QUERIES / (double)dim);
  set_triggers(l);
  l->pair_trigger += l->pair_limit;
  l->row_trigger += kind == LABELS_SCORED ? 2 * l->pair_limit : l->document_limit;
}

void labels_clear(struct labels *l) {
  if (l->mem == NULL) return;
  distinct_clear(&l->rows);
  l->mem->release(l->pairs);
  l->mem->release(l->is_document);
  *l = (struct labels){0};
}

static int by_order(const void *a, const void *b) {
  const struct label *p = a, *q = b;
  if (p->order != q->order) return p->order < q->order ? -1 : 1;
  return p->second != q->second ? (p->second < q->second ? -1 : 1) : (p->a > q->a) - (p->a < q->a);
}

/* How many of the sorted pairs are in the sample: of queries, whole ones, unless the first alone is too much. */
static size_t pairs_to_keep(const struct labels *l) {
  if (l->kind != LABELS_RELEVANT) return l->count < l->pair_limit ? l->count : l->pair_limit;
  size_t queries = 0, start = 0;
  for (size_t i = 0; i < l->count; i++) {
    if (i > 0 && l->pairs[i].order == l->pairs[i - 1].order) continue;
    if (queries++ == l->query_limit || i > l->pair_limit) return i <= l->pair_limit ? i : start;
    start = i;
  }
  if (l->count <= l->pair_limit) return l->count;
  return start > 0 ? start : l->pair_limit;
}

static void trim_pairs(struct labels *l) {
  if (l->count == 0) return;
  qsort(l->pairs, l->count, sizeof *l->pairs, by_order);
  size_t kept = pairs_to_keep(l);
  if (kept < l->count) l->pair_bound = l->pairs[kept - 1].order;
  l->count = kept;
}

static int by_value(const void *a, const void *b) {
  uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
  return (p > q) - (p < q);
}

/* Lowers the bound to the hash of the last document that is kept. */
static enum status bound_documents(struct labels *l) {
  size_t count = 0;
  uint64_t *hashes = memory_array(l->mem, l->rows.count, sizeof *hashes);
  if (hashes == NULL) return STATUS_NOMEM;
  for (size_t i = 0; i < l->rows.count; i++)
    if (l->is_document[i]) hashes[count++] = l->rows.hashes[i];
  if (count > l->document_limit) {
    qsort(hashes, count, sizeof *hashes, by_value);
    if (hashes[l->document_limit - 1] < l->document_bound) l->document_bound = hashes[l->document_limit - 1];
  }
  l->mem->release(hashes);
  return STATUS_OK;
}

/* Drops the rows that are in no pair, and no document within the bound. */
static enum status trim_rows(struct labels *l) {
  size_t before = l->rows.count;
  unsigned char *keep = memory_array(l->mem, before, 2);
  uint32_t *moved = memory_array(l->mem, before, sizeof *moved);
  enum status rc = keep != NULL && moved != NULL ? STATUS_OK : STATUS_NOMEM;
  if (rc == STATUS_OK) {
    unsigned char *was_document = keep + before;
    for (size_t i = 0; i < before; i++) {
      was_document[i] = l->is_document[i];
      keep[i] = l->kind != LABELS_SCORED && l->is_document[i] && l->rows.hashes[i] <= l->document_bound;
    }
    for (size_t i = 0; i < l->count; i++) keep[l->pairs[i].a] = keep[l->pairs[i].b] = 1;
    rc = distinct_keep(&l->rows, keep, moved);
    for (size_t i = 0; rc == STATUS_OK && i < before; i++)
      if (moved[i] != DISTINCT_NONE) l->is_document[moved[i]] = was_document[i];
    for (size_t i = 0; rc == STATUS_OK && i < l->count; i++) {
      l->pairs[i].a = moved[l->pairs[i].a];
      l->pairs[i].b = moved[l->pairs[i].b];
    }
  }
  l->mem->release(keep);
  l->mem->release(moved);
  return rc;
}

enum status labels_finish(struct labels *l) {
  trim_pairs(l);
  enum status rc = l->kind == LABELS_SCORED ? STATUS_OK : bound_documents(l);
  if (rc == STATUS_OK) rc = trim_rows(l);
  set_triggers(l);
  return rc;
}

static enum status add_row(struct labels *l, const void *v, uint64_t hash, int is_document, uint32_t *place) {
  size_t before = l->rows.count;
  enum status rc = distinct_add(&l->rows, v, hash, place);
  if (rc == STATUS_OK && l->documents_capacity < l->rows.capacity) {
    unsigned char *grown = l->mem->resize(l->is_document, l->rows.capacity);
    if (grown == NULL) return STATUS_NOMEM;
    l->is_document = grown;
    l->documents_capacity = l->rows.capacity;
  }
  if (rc) return rc;
  if (l->rows.count > before) l->is_document[*place] = 0;
  if (is_document) l->is_document[*place] = 1;
  return STATUS_OK;
}

static enum status add_pair(struct labels *l, const struct label *pair) {
  if (l->count == l->capacity) {
    size_t capacity = l->capacity + l->capacity / 2 + 16;
    struct label *grown = l->mem->resize(l->pairs, capacity * sizeof *grown);
    if (grown == NULL) return STATUS_NOMEM;
    l->pairs = grown;
    l->capacity = capacity;
  }
  l->pairs[l->count++] = *pair;
  return STATUS_OK;
}

static uint64_t hash_of_pair(uint64_t a, uint64_t b, double score) {
  uint64_t parts[3] = {a, b, 0};
  memcpy(&parts[2], &score, sizeof score);
  return hash_xxh64(parts, sizeof parts, 0);
}

static enum status trim(struct labels *l) {
  return l->count >= l->pair_trigger || l->rows.count >= l->row_trigger ? labels_finish(l) : STATUS_OK;
}

enum status labels_add_document(struct labels *l, const void *b) {
  uint64_t hash = distinct_hash(&l->rows, b);
  uint32_t place;
  if (hash > l->document_bound) return STATUS_OK;
  enum status rc = add_row(l, b, hash, 1, &place);
  return rc ? rc : trim(l);
}

enum status labels_add(struct labels *l, const void *a, const void *b, double score) {
  struct label pair = {.second = distinct_hash(&l->rows, b), .score = score};
  l->given++;
  if (l->kind == LABELS_NONE) return labels_add_document(l, b);
  uint64_t hash_a = distinct_hash(&l->rows, a);
  pair.order = l->kind == LABELS_SCORED ? hash_of_pair(hash_a, pair.second, score) : hash_a;
  if (pair.order > l->pair_bound) return l->kind == LABELS_SCORED ? STATUS_OK : labels_add_document(l, b);
  enum status rc = add_row(l, b, pair.second, 1, &pair.b);
  if (rc == STATUS_OK) rc = add_row(l, a, hash_a, 0, &pair.a);
  if (rc == STATUS_OK) rc = add_pair(l, &pair);
  return rc ? rc : trim(l);
}
