/* See supervised.h. */
#include "core/supervised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/folds.h"
#include "core/linalg.h"
#include "core/within.h"

enum { BLOCK_PAIRS = 128 };

static int descending(const void *a, const void *b) {
  double p = *(const double *)a, q = *(const double *)b;
  return (p < q) - (p > q);
}

enum status supervised_threshold(const struct labels *l, double *threshold) {
  double *scores = memory_array(l->mem, l->count, sizeof *scores);
  if (scores == NULL) return STATUS_NOMEM;
  for (size_t i = 0; i < l->count; i++) scores[i] = l->pairs[i].score;
  qsort(scores, l->count, sizeof *scores, descending);
  *threshold = scores[l->count > 3 ? l->count / 4 - 1 : 0];
  l->mem->release(scores);
  return STATUS_OK;
}

/* Everything that is d x d or as long as the pairs. Owned: every pointer but p. */
struct work {
  const struct supervised_problem *p;
  unsigned char *fold;
  double *total;       /* S_T */
  double *scatter;     /* FOLDS + 1 of d x d: of the differences of related pairs by fold, and of all */
  size_t count[FOLDS]; /* of related pairs */
  double *within, *mix;
  double *rows; /* 2 blocks of pairs: as they are, and turned */
};

static void work_clear(struct work *w, const struct memory *mem) {
  void *owned[] = {w->fold, w->total, w->scatter, w->within, w->mix, w->rows};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) mem->release(owned[i]);
}

static enum status work_init(struct work *w, const struct supervised_problem *p) {
  const struct memory *mem = p->rows->mem;
  size_t d = p->rows->d, square = d * d;
  *w = (struct work){.p = p,
                     .fold = memory_array(mem, p->labels->count, 1),
                     .total = memory_array(mem, square, sizeof(double)),
                     .scatter = memory_array(mem, square * (FOLDS + 1), sizeof(double)),
                     .within = memory_array(mem, square, sizeof(double)),
                     .mix = memory_array(mem, square, sizeof(double)),
                     .rows = memory_array(mem, d * 4 * BLOCK_PAIRS, sizeof(double))};
  if (w->fold == NULL || w->total == NULL || w->scatter == NULL || w->within == NULL || w->mix == NULL ||
      w->rows == NULL)
    return STATUS_NOMEM;
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += p->eigenvalues[j];
  memset(w->total, 0, square * sizeof(double));
  for (size_t j = 0; j < d; j++) w->total[j * d + j] = p->eigenvalues[j] / (sum / (double)d);
  memset(w->scatter, 0, square * (FOLDS + 1) * sizeof(double));
  return STATUS_OK;
}

/* Adds the products of `count` differences, which stand in w->rows, to the scatter of a fold. */
static void add_differences(struct work *w, size_t fold, size_t count) {
  size_t d = w->p->rows->d, square = d * d;
  double *sum = w->scatter + fold * square, *all = w->scatter + FOLDS * square;
  struct linalg_matrix left = {w->rows, d, count, d, 0}, right = {w->rows, count, d, d, 1};
  linalg_multiply(&left, &right, w->mix);
  for (size_t i = 0; i < square; i++) {
    sum[i] += w->mix[i];
    all[i] += w->mix[i];
  }
  w->count[fold] += count;
}

static enum status scatter_fold(struct work *w, size_t fold) {
  const struct labels *l = w->p->labels;
  size_t d = w->p->rows->d, count = 0;
  for (size_t i = 0; i < l->count; i++) {
    if (w->fold[i] != fold || l->pairs[i].score < w->p->threshold) continue;
    const float *a = w->p->rows->rows + l->pairs[i].a * d, *b = w->p->rows->rows + l->pairs[i].b * d;
    for (size_t j = 0; j < d; j++) w->rows[count * d + j] = (double)a[j] - (double)b[j];
    if (++count < (size_t)4 * BLOCK_PAIRS) continue;
    add_differences(w, fold, count);
    count = 0;
    if (watch_look(w->p->rows->watch)) return STATUS_STOPPED;
  }
  if (count > 0) add_differences(w, fold, count);
  return watch_look(w->p->rows->watch);
}

/* The inverse of L from the related pairs of the other folds, in w->mix. */
static enum status learn(struct work *w, size_t fold) {
  size_t d = w->p->rows->d, square = d * d, count = 0;
  const double *own = w->scatter + fold * square, *all = w->scatter + FOLDS * square;
  for (size_t f = 0; f < FOLDS; f++) count += f != fold ? w->count[f] : 0;
  if (count == 0) return STATUS_SAME_PAIRS;
  for (size_t i = 0; i < square; i++) w->within[i] = (all[i] - own[i]) / (2 * (double)count);
  struct within_problem problem = {
      .d = d, .total = w->total, .within = w->within, .share = SUPERVISED_SHARE, .ridge = SUPERVISED_RIDGE};
  enum status rc = within_mix(&problem, w->mix);
  if (rc == STATUS_OK) rc = linalg_cholesky(d, w->mix);
  if (rc == STATUS_OK) rc = linalg_invert_lower(d, w->mix);
  return rc == STATUS_OK ? rc : STATUS_SAME_PAIRS;
}

/* The cosines of `count` pairs whose rows, a after b, stand in w->rows. */
static void turn(struct work *w, const size_t *pairs, size_t count, double *cosines) {
  size_t d = w->p->rows->d;
  double *turned = w->rows + 2 * BLOCK_PAIRS * d;
  struct linalg_matrix inverse = {w->mix, d, d, d, 0}, rows = {w->rows, d, 2 * count, d, 0};
  linalg_multiply(&inverse, &rows, turned);
  for (size_t i = 0; i < count; i++) {
    const double *a = turned + 2 * i * d, *b = a + d;
    double ab = 0, aa = 0, bb = 0;
    for (size_t j = 0; j < d; j++) {
      ab += a[j] * b[j];
      aa += a[j] * a[j];
      bb += b[j] * b[j];
    }
    double cosine = ab / sqrt(aa * bb);
    cosines[pairs[i]] = isfinite(cosine) ? (double)(float)cosine : 0;
  }
}

static enum status apply(struct work *w, size_t fold, double *cosines) {
  const struct labels *l = w->p->labels;
  size_t d = w->p->rows->d, count = 0, pairs[BLOCK_PAIRS];
  for (size_t i = 0; i < l->count; i++) {
    if (w->fold[i] != fold) continue;
    const float *a = w->p->rows->rows + l->pairs[i].a * d, *b = w->p->rows->rows + l->pairs[i].b * d;
    for (size_t j = 0; j < d; j++) {
      w->rows[2 * count * d + j] = (double)a[j];
      w->rows[(2 * count + 1) * d + j] = (double)b[j];
    }
    pairs[count++] = i;
    if (count < BLOCK_PAIRS) continue;
    turn(w, pairs, count, cosines);
    count = 0;
    if (watch_look(w->p->rows->watch)) return STATUS_STOPPED;
  }
  if (count > 0) turn(w, pairs, count, cosines);
  return watch_look(w->p->rows->watch);
}

enum status supervised_cosines(const struct supervised_problem *p, double *cosines) {
  struct work w;
  size_t largest = 0;
  enum status rc = work_init(&w, p);
  if (rc == STATUS_OK) rc = folds_assign(p->labels, w.fold, &largest);
  if (rc == STATUS_OK && 2 * largest > p->labels->count) rc = STATUS_SAME_PAIRS;
  for (size_t f = 0; rc == STATUS_OK && f < FOLDS; f++) rc = scatter_fold(&w, f);
  for (size_t f = 0; rc == STATUS_OK && f < FOLDS; f++) {
    rc = learn(&w, f);
    if (rc == STATUS_OK) rc = apply(&w, f, cosines);
  }
  work_clear(&w, p->rows->mem);
  return rc;
}
