/* See folds.h. */
#include "core/folds.h"

#include <stdlib.h>

/* A component: its pairs, and the first of them, by which it is known. */
struct component {
  size_t pairs, first;
};

static int by_size(const void *a, const void *b) {
  const struct component *p = a, *q = b;
  if (p->pairs != q->pairs) return p->pairs > q->pairs ? -1 : 1;
  return (p->first > q->first) - (p->first < q->first);
}

/* The root of a row's tree, with the way to it halved (Tarjan & van Leeuwen 1984). */
static uint32_t root_of(uint32_t *parent, uint32_t row) {
  for (; parent[row] != row; row = parent[row]) parent[row] = parent[parent[row]];
  return row;
}

static void join(const struct labels *l, uint32_t *parent) {
  for (uint32_t i = 0; i < l->rows.count; i++) parent[i] = i;
  for (size_t i = 0; i < l->count; i++) {
    uint32_t a = root_of(parent, l->pairs[i].a), b = root_of(parent, l->pairs[i].b);
    if (a < b)
      parent[b] = a;
    else
      parent[a] = b;
  }
}

/* The components in the order of their first pairs: number_of[root] is each one's place, from 1. */
static size_t number(const struct labels *l, uint32_t *parent, uint32_t *number_of, struct component *components) {
  size_t count = 0;
  for (size_t i = 0; i < l->rows.count; i++) number_of[i] = 0;
  for (size_t i = 0; i < l->count; i++) {
    uint32_t root = root_of(parent, l->pairs[i].a);
    if (number_of[root] == 0) {
      components[count] = (struct component){0, i};
      number_of[root] = (uint32_t)++count;
    }
    components[number_of[root] - 1].pairs++;
  }
  return count;
}

enum status folds_assign(const struct labels *l, unsigned char *fold, size_t *largest) {
  uint32_t *parent = memory_array(l->mem, l->rows.count, sizeof *parent);
  uint32_t *number_of = memory_array(l->mem, l->rows.count, sizeof *number_of);
  struct component *components = memory_array(l->mem, l->count, sizeof *components);
  size_t taken[FOLDS] = {0};
  enum status rc = parent != NULL && number_of != NULL && components != NULL ? STATUS_OK : STATUS_NOMEM;
  *largest = 0;
  if (rc == STATUS_OK) {
    join(l, parent);
    size_t count = number(l, parent, number_of, components);
    qsort(components, count, sizeof *components, by_size);
    for (size_t c = 0; c < count; c++) {
      size_t least = 0;
      for (size_t f = 1; f < FOLDS; f++)
        if (taken[f] < taken[least]) least = f;
      taken[least] += components[c].pairs;
      if (taken[least] > *largest) *largest = taken[least];
      number_of[root_of(parent, l->pairs[components[c].first].a)] = (uint32_t)least;
    }
    for (size_t i = 0; i < l->count; i++) fold[i] = (unsigned char)number_of[root_of(parent, l->pairs[i].a)];
  }
  l->mem->release(parent);
  l->mem->release(number_of);
  l->mem->release(components);
  return rc;
}
