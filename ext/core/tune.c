/* See tune.h. */
#include "core/tune.h"

#include <math.h>

#include "core/eigenbasis.h"
#include "core/ranking.h"
#include "core/ranks.h"
#include "core/supervised.h"
#include "core/vector.h"

/* What measuring works with. */
struct bench {
  struct tune *tune;
  const struct labels *labels;
  struct eigenbasis_rows rows;
  uint32_t *a, *b;      /* of each pair */
  double *gold;         /* standardised ranks of the scores */
  double *column;       /* a number for each pair or row */
  double *squares;      /* rows x settings */
  double *products;     /* pairs x settings */
  struct ranked *ranks; /* workspace */
};

static int is_retrieval(const struct bench *b) {
  return b->labels->kind == LABELS_RELEVANT;
}

static void bench_clear(struct bench *b) {
  void *owned[] = {b->a, b->b, b->gold, b->column, b->squares, b->products, b->ranks};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) b->rows.mem->release(owned[i]);
}

static enum status bench_init(struct bench *b) {
  const struct memory *mem = b->rows.mem;
  size_t pairs = b->labels->count, rows = b->rows.count;
  b->tune->influence = memory_array(mem, (1 + TUNE_SETTINGS) * b->tune->units, sizeof *b->tune->influence);
  b->column = memory_array(mem, pairs > rows ? pairs : rows, sizeof *b->column);
  b->squares = memory_array(mem, rows * GRID_SETTINGS, sizeof *b->squares);
  if (b->tune->influence == NULL || b->column == NULL || b->squares == NULL) return STATUS_NOMEM;
  if (is_retrieval(b)) return STATUS_OK;
  b->a = memory_array(mem, pairs, sizeof *b->a);
  b->b = memory_array(mem, pairs, sizeof *b->b);
  b->gold = memory_array(mem, pairs, sizeof *b->gold);
  b->products = memory_array(mem, pairs * GRID_SETTINGS, sizeof *b->products);
  b->ranks = memory_array(mem, pairs, sizeof *b->ranks);
  if (b->a == NULL || b->b == NULL || b->gold == NULL || b->products == NULL || b->ranks == NULL)
    return STATUS_NOMEM;
  for (size_t i = 0; i < pairs; i++) {
    b->a[i] = b->labels->pairs[i].a;
    b->b[i] = b->labels->pairs[i].b;
    b->column[i] = b->labels->pairs[i].score;
  }
  (void)ranks_standardize(pairs, b->column, b->gold, b->ranks);
  return STATUS_OK;
}

/* Spearman of the cosines in b->column. */
static struct tune_score correlate(struct bench *b, double *influence) {
  size_t n = b->labels->count;
  (void)ranks_standardize(n, b->column, influence, b->ranks);
  double rho = ranks_correlation(n, influence, b->gold);
  ranks_influence(n, influence, b->gold, influence);
  return (struct tune_score){.score = rho};
}

/* MRR by the weights (NULL: raw), with the squares of the rows in b->column; `place` among the influences. */
static enum status rank(struct bench *b, const double *weights, size_t place, struct tune_score *score) {
  struct ranking r = {
      .rows = &b->rows, .labels = b->labels, .reciprocal = b->tune->influence + place * b->tune->units};
  enum status rc = ranking_measure(&r, weights, b->column);
  *score = (struct tune_score){r.mean, r.recall1, r.recall10};
  return rc;
}

static enum status measure_raw(struct bench *b) {
  struct tune *t = b->tune;
  size_t d = b->rows.d;
  if (is_retrieval(b)) {
    for (size_t i = 0; i < b->rows.count; i++) b->column[i] = vector_square_f64(d, b->rows.rows + i * d);
    return rank(b, NULL, 0, &t->raw);
  }
  for (size_t i = 0; i < b->labels->count; i++) {
    const float *a = b->rows.rows + b->a[i] * d;
    b->column[i] = vector_cosine(d, a, vector_square(d, a), b->rows.rows + b->b[i] * d);
  }
  t->raw = correlate(b, t->influence);
  return STATUS_OK;
}

/* The cosines by setting `index` of `settings`, in float32's digits: what differs beyond them is rounding, and a tie. */
static void fill_cosines(struct bench *b, size_t index, size_t settings) {
  for (size_t i = 0; i < b->labels->count; i++) {
    double square = b->squares[b->a[i] * settings + index] * b->squares[b->b[i] * settings + index];
    double cosine = b->products[i * settings + index] / sqrt(square);
    b->column[i] = isfinite(cosine) ? (double)(float)cosine : 0;
  }
}

/* What was measured, and by how much it beats raw. */
static void rate(struct bench *b, struct tune_setting *setting, struct tune_score measured) {
  const struct tune *t = b->tune;
  const double *influence = t->influence + (1 + (size_t)(setting - t->settings)) * t->units;
  setting->measured = measured;
  setting->gain = measured.score - t->raw.score;
  setting->error = ranks_error(t->units, influence, t->influence);
}

static enum status measure_one(struct bench *b, size_t index, size_t settings, const double *weights,
                               struct tune_setting *setting) {
  struct tune_score score;
  size_t place = 1 + (size_t)(setting - b->tune->settings);
  enum status rc = STATUS_OK;
  if (is_retrieval(b)) {
    for (size_t i = 0; i < b->rows.count; i++) b->column[i] = b->squares[i * settings + index];
    rc = rank(b, weights + index * b->rows.d, place, &score);
  } else {
    fill_cosines(b, index, settings);
    score = correlate(b, b->tune->influence + place * b->tune->units);
  }
  rate(b, setting, score);
  return rc;
}

/* Appends the settings, measured on rotated rows. */
static enum status measure(struct bench *b, const double *eigenvalues, const struct grid_setting *how,
                           size_t count) {
  struct tune *t = b->tune;
  size_t d = b->rows.d;
  struct eigenbasis_pairs pairs = {b->labels->count, b->a, b->b}, rows = {.count = b->rows.count};
  double *weights = memory_array(b->rows.mem, count * d, sizeof *weights);
  if (weights == NULL) return STATUS_NOMEM;
  for (size_t i = 0; i < count; i++) grid_weigh(d, eigenvalues, &how[i], weights + i * d);
  enum status rc = eigenbasis_products(&b->rows, &rows, count, weights, b->squares);
  if (rc == STATUS_OK && !is_retrieval(b)) rc = eigenbasis_products(&b->rows, &pairs, count, weights, b->products);
  for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
    t->settings[t->count].how = how[i];
    rc = measure_one(b, i, count, weights, &t->settings[t->count]);
    t->count++;
    if (rc == STATUS_OK) rc = watch_look(b->rows.watch);
  }
  b->rows.mem->release(weights);
  return rc;
}

static size_t best_of(const struct tune *t) {
  size_t best = 0;
  for (size_t i = 1; i < t->count; i++)
    if (t->settings[i].measured.score > t->settings[best].measured.score) best = i;
  return best;
}

/* Whether a setting loses no more against the best than it may; n measurements tell no difference below 1 / (2 n). */
static int is_as_good(const struct tune *t, size_t index, size_t best) {
  const double *influence = t->influence + (1 + index) * t->units, least = 0.5 / (double)t->units;
  double loss = t->settings[best].measured.score - t->settings[index].measured.score;
  double error = ranks_error(t->units, t->influence + (1 + best) * t->units, influence);
  return index == best || loss + (error > least ? error : least) <= TUNE_LOSS;
}

/* Of the best and those from `halvings` on, which are the same with fewer components. */
static void choose(struct tune *t, size_t best, size_t halvings) {
  t->chosen = TUNE_RAW;
  for (size_t i = best; i < t->count; i = i < halvings ? halvings : i + 1) {
    const struct tune_setting *s = &t->settings[i];
    if (is_as_good(t, i, best) && s->gain > 0 && s->gain > t->options.guard * s->error) t->chosen = i;
  }
  t->reason = t->chosen != TUNE_RAW ? TUNE_FOUND : t->raw.score >= 1 ? TUNE_PERFECT : TUNE_NO_GAIN;
}

/* The candidate that learns, if there is enough to learn from. */
static enum status measure_supervised(struct bench *b, const struct spectrum *s) {
  struct tune *t = b->tune;
  struct tune_setting *setting = &t->settings[t->count];
  struct supervised_problem p = {&b->rows, b->labels, s->w, 0};
  if (is_retrieval(b) || !t->options.may_learn || t->units < SUPERVISED_LEAST_PAIRS || s->d > SUPERVISED_DIM_MAX ||
      s->rank < s->d)
    return STATUS_OK;
  enum status rc = supervised_threshold(b->labels, &p.threshold);
  if (rc == STATUS_OK) rc = supervised_cosines(&p, b->column);
  if (rc == STATUS_SAME_PAIRS) return STATUS_OK;
  if (rc) return rc;
  t->threshold = p.threshold;
  setting->how = (struct grid_setting){
      .power = 1, .ridge = SUPERVISED_RIDGE, .k = s->d, .within = SUPERVISED_SHARE};
  rate(b, setting, correlate(b, t->influence + (1 + t->count) * t->units));
  t->count++;
  return STATUS_OK;
}

/* Whether the last setting learns, and is better than the best by a standard error, and than raw by the guard. */
static int is_worth_learning(const struct tune *t, size_t best) {
  const struct tune_setting *s = &t->settings[t->count - 1];
  const double *influence = t->influence + t->count * t->units;
  double gain = s->measured.score - t->settings[best].measured.score;
  return s->how.within > 0 && gain > ranks_error(t->units, influence, t->influence + (1 + best) * t->units) &&
         s->gain > t->options.guard * s->error;
}

static enum status run(struct bench *b, struct spectrum *s, const struct moments *m) {
  struct grid_setting grid[GRID_SETTINGS], halvings[GRID_HALVINGS];
  struct tune *t = b->tune;
  enum status rc = bench_init(b);
  if (rc == STATUS_OK) rc = measure_raw(b);
  if (rc == STATUS_OK) rc = spectrum_init(s, m, 0, m->dim);
  if (rc == STATUS_OK) rc = eigenbasis_rotate(&b->rows, s, m->mean);
  if (rc == STATUS_OK)
    rc = measure(b, s->w, grid, grid_sift(m->dim, s->w, grid, grid_fill(m->dim, s->rank, m->rows, grid)));
  if (rc) return rc;
  size_t best = best_of(t), count = t->count;
  rc = measure(b, s->w, halvings, grid_shorten(m->dim, &t->settings[best].how, halvings));
  if (rc) return rc;
  choose(t, best, count);
  rc = measure_supervised(b, s);
  if (rc == STATUS_OK && is_worth_learning(t, best)) {
    t->chosen = t->count - 1;
    t->reason = TUNE_FOUND;
  }
  return rc;
}

/* Whether the labels say nothing about any setting. */
static int are_dumb(struct tune *t, const struct labels *l) {
  size_t equal = 1;
  while (equal < l->count && l->pairs[equal].score == l->pairs[0].score) equal++;
  t->reason = t->units < TUNE_LEAST_UNITS                     ? TUNE_TOO_FEW
              : l->kind == LABELS_SCORED && equal == l->count ? TUNE_CONSTANT
                                                              : TUNE_FOUND;
  return t->reason != TUNE_FOUND;
}

enum status tune_run(struct tune *t, const struct moments *m, struct labels *labels,
                     const struct tune_options *options, const struct watch *watch) {
  struct spectrum s = {0};
  struct bench b = {
      .tune = t, .labels = labels, .rows = {m->mem, watch, m->dim, labels->rows.count, labels->rows.rows}};
  *t = (struct tune){.mem = m->mem, .options = *options, .chosen = TUNE_RAW};
  t->units = labels->kind == LABELS_RELEVANT ? ranking_queries(labels) : labels->count;
  for (size_t i = 0; i < labels->rows.count; i++) t->documents += labels->is_document[i];
  if (m->rows < 2) return STATUS_NO_VARIANCE;
  if (!(m->weight > 1) || isinf(m->weight)) return STATUS_WEIGHT;
  if (are_dumb(t, labels)) return STATUS_OK;
  enum status rc = run(&b, &s, m);
  spectrum_clear(&s);
  bench_clear(&b);
  return rc;
}

void tune_clear(struct tune *t) {
  if (t->mem != NULL) t->mem->release(t->influence);
  *t = (struct tune){0};
}
