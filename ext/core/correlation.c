/* See correlation.h. */
#include "core/correlation.h"

#include <math.h>
#include <stdlib.h>

enum status correlation_add(struct correlation *p, double x, double y, const struct memory *mem) {
  p->mem = mem;
  if (p->count == p->capacity) {
    size_t capacity = p->capacity ? 2 * p->capacity : 64;
    struct correlation_pair *grown = mem->resize(p->pairs, capacity * sizeof *grown);
    if (grown == NULL) return STATUS_NOMEM;
    p->pairs = grown;
    p->capacity = capacity;
  }
  p->pairs[p->count++] = (struct correlation_pair){x, y};
  return STATUS_OK;
}

void correlation_clear(struct correlation *p) {
  if (p->mem != NULL) p->mem->release(p->pairs);
  *p = (struct correlation){0};
}

/* The power of two at the largest magnitude of a side: squares of large numbers would overflow, and to divide by it is
** exact. */
static double unit(const struct correlation *p, int side_y) {
  double max = 0;
  int exponent;
  for (size_t i = 0; i < p->count; i++) {
    double value = fabs(side_y ? p->pairs[i].y : p->pairs[i].x);
    if (value > max) max = value;
  }
  (void)frexp(max, &exponent);
  return max > 0 ? ldexp(0.5, exponent) : 1;
}

double correlation_pearson(const struct correlation *p) {
  double n = (double)p->count, unit_x = unit(p, 0), unit_y = unit(p, 1);
  double mean_x = 0, mean_y = 0, sum_x = 0, sum_y = 0, xx = 0, xy = 0, yy = 0;
  int varies_x = 0, varies_y = 0;
  if (p->count < 2) return NAN;
  for (size_t i = 0; i < p->count; i++) {
    mean_x += p->pairs[i].x / unit_x / n;
    mean_y += p->pairs[i].y / unit_y / n;
    varies_x |= p->pairs[i].x != p->pairs[0].x;
    varies_y |= p->pairs[i].y != p->pairs[0].y;
  }
  for (size_t i = 0; i < p->count; i++) {
    double x = p->pairs[i].x / unit_x - mean_x, y = p->pairs[i].y / unit_y - mean_y;
    sum_x += x;
    sum_y += y;
    xx += x * x;
    xy += x * y;
    yy += y * y;
  }
  xx -= sum_x * sum_x / n; /* what rounding the means left */
  xy -= sum_x * sum_y / n;
  yy -= sum_y * sum_y / n;
  if (!varies_x || !varies_y || !(xx > 0) || !(yy > 0)) return NAN;
  double r = xy / sqrt(xx) / sqrt(yy);
  return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* A total order but for pairs that are the same, so that qsort has no choice. */
static int by_x_and_y(const void *a, const void *b) {
  const struct correlation_pair *p = a, *q = b;
  return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->y > q->y) - (p->y < q->y);
}

/* Replaces x by its rank, from 1, ties by the mean of their ranks; leaves the pairs in its order. */
static void rank_x(struct correlation *p) {
  qsort(p->pairs, p->count, sizeof *p->pairs, by_x_and_y);
  for (size_t i = 0, end; i < p->count; i = end) {
    for (end = i + 1; end < p->count && p->pairs[end].x == p->pairs[i].x;) end++;
    double rank = ((double)i + (double)end + 1) / 2;
    for (size_t j = end; j-- > i;) p->pairs[j].x = rank;
  }
}

static void swap_sides(struct correlation *p) {
  for (size_t i = 0; i < p->count; i++) p->pairs[i] = (struct correlation_pair){p->pairs[i].y, p->pairs[i].x};
}

double correlation_spearman(struct correlation *p) {
  if (p->count < 2) return NAN;
  rank_x(p);
  swap_sides(p);
  rank_x(p);
  return correlation_pearson(p);
}
