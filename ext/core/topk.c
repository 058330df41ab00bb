/* See topk.h. */
#include "core/topk.h"

#include <math.h>

#define FIRST_CAPACITY 16

void topk_init(struct topk *t, size_t k) {
  *t = (struct topk){.k = k};
}

void topk_clear(struct topk *t, const struct memory *mem) {
  mem->release(t->hits);
  *t = (struct topk){0};
}

static int is_worse(const struct hit *a, const struct hit *b) {
  if (a->similarity != b->similarity) return a->similarity < b->similarity;
  return a->rowid > b->rowid;
}

static void swap(struct hit *a, struct hit *b) {
  struct hit c = *a;
  *a = *b;
  *b = c;
}

/* Moves the hit at i down to where both children are better. */
static void sift_down(struct hit *hits, size_t count, size_t i) {
  for (;;) {
    size_t worst = i, left = 2 * i + 1, right = left + 1;
    if (left < count && is_worse(&hits[left], &hits[worst])) worst = left;
    if (right < count && is_worse(&hits[right], &hits[worst])) worst = right;
    if (worst == i) return;
    swap(&hits[i], &hits[worst]);
    i = worst;
  }
}

static void sift_up(struct hit *hits, size_t i) {
  for (; i > 0 && is_worse(&hits[i], &hits[(i - 1) / 2]); i = (i - 1) / 2) swap(&hits[i], &hits[(i - 1) / 2]);
}

enum status topk_reserve(struct topk *t, size_t count, const struct memory *mem) {
  size_t capacity = t->capacity ? t->capacity : FIRST_CAPACITY;
  if (count > t->k) count = t->k;
  if (count <= t->capacity) return STATUS_OK;
  while (capacity < count) capacity *= 2;
  if (capacity > t->k) capacity = t->k;
  struct hit *hits = mem->resize(t->hits, capacity * sizeof *hits);
  if (hits == NULL) return STATUS_NOMEM;
  t->hits = hits;
  t->capacity = capacity;
  return STATUS_OK;
}

void topk_add(struct topk *t, double similarity, int64_t rowid) {
  struct hit hit = {similarity, rowid};
  if (t->count < t->k) {
    t->hits[t->count] = hit;
    sift_up(t->hits, t->count++);
  } else if (is_worse(&t->hits[0], &hit)) {
    t->hits[0] = hit;
    sift_down(t->hits, t->count, 0);
  }
}

double topk_threshold(const struct topk *t) {
  return t->count < t->k ? -INFINITY : t->hits[0].similarity;
}

/* The worst goes to the end, then the worst of the rest ... */
void topk_sort(struct topk *t) {
  for (size_t n = t->count; n > 1; n--) {
    swap(&t->hits[0], &t->hits[n - 1]);
    sift_down(t->hits, n - 1, 0);
  }
}
