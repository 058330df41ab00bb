/*
** core/folds and core/supervised: components by spreading labels until nothing changes; cosines against the metric M^-1 by
** elimination; faults.
*/
#include "core/supervised.h"

#include "core/folds.h"
#include "faulty_memory.h"

enum { DIM = 4, ROWS = 120, PAIRS = 240 };
static const struct watch NEVER = {0};

/* Pairs of the rows of blocks of three. */
static void fill(struct labels *l, struct random *r, size_t rows, size_t pairs) {
  labels_init(l, LABELS_SCORED, DIM, &faulty_memory);
  for (size_t i = 0; i < pairs; i++) {
    size_t width = i % 2 ? 3 : 6, start = random_below(r, (rows + width - 1) / width) * width;
    float a[DIM], b[DIM];
    for (size_t j = 0; j < DIM; j++) {
      struct random of_a = {start + i % 3 + 1000 * j}, of_b = {start + (i + 1) % 3 + 1000 * j};
      a[j] = (float)(random_normal(&of_a) * (double)(j + 1));
      b[j] = (float)(random_normal(&of_b) * (double)(j + 1));
    }
    assert_int_equal(labels_add(l, a, b, (double)random_below(r, 9)), STATUS_OK);
  }
  assert_int_equal(labels_finish(l), STATUS_OK);
}

/* The least row that a row hangs together with. */
static void spread(const struct labels *l, uint32_t *label) {
  for (uint32_t i = 0; i < l->rows.count; i++) label[i] = i;
  for (int changed = 1; changed;) {
    changed = 0;
    for (size_t i = 0; i < l->count; i++) {
      uint32_t *a = &label[l->pairs[i].a], *b = &label[l->pairs[i].b];
      if (*a == *b) continue;
      *a = *b = *a < *b ? *a : *b;
      changed = 1;
    }
  }
}

TEST(folds_keep_together_what_hangs_together) {
  struct random r = {random_seed()};
  struct labels l;
  unsigned char fold[PAIRS];
  uint32_t label[2 * PAIRS];
  size_t largest, taken[FOLDS] = {0}, most = 0;
  fill(&l, &r, ROWS, PAIRS);
  assert_int_equal(folds_assign(&l, fold, &largest), STATUS_OK);
  spread(&l, label);
  for (size_t i = 0; i < l.count; i++) {
    assert_in_range(fold[i], 0, FOLDS - 1);
    taken[fold[i]]++;
    for (size_t j = 0; j < i; j++)
      if (label[l.pairs[i].a] == label[l.pairs[j].a]) assert_int_equal(fold[i], fold[j]);
  }
  for (size_t f = 0; f < FOLDS; f++) most = taken[f] > most ? taken[f] : most;
  assert_int_equal(largest, most);
  assert_in_range(most, PAIRS / FOLDS, PAIRS / FOLDS + 20);
  labels_clear(&l);
  fill(&l, &r, 3, PAIRS); /* all in one */
  assert_int_equal(folds_assign(&l, fold, &largest), STATUS_OK);
  assert_int_equal(largest, l.count);
  labels_clear(&l);
}

/* x^T M^-1 y, by Gauss and Jordan. */
static double product(const double m[DIM][DIM], const float *x, const float *y) {
  double s[DIM][DIM + 1], sum = 0;
  for (size_t i = 0; i < DIM; i++) {
    memcpy(s[i], m[i], sizeof m[i]);
    s[i][DIM] = y[i];
  }
  for (size_t p = 0; p < DIM; p++)
    for (size_t i = 0; i < DIM; i++) {
      double factor = i == p ? 0 : s[i][p] / s[p][p];
      for (size_t j = p; j <= DIM; j++) s[i][j] -= factor * s[p][j];
    }
  for (size_t i = 0; i < DIM; i++) sum += x[i] * s[i][DIM] / s[i][i];
  return sum;
}

/* M of within.h from the related pairs outside a fold; the eigenvalues are 1 .. 4, of mean 2.5. */
static void mix(const struct labels *l, const unsigned char *fold, unsigned char left_out, double threshold,
                double m[DIM][DIM]) {
  double count = 0, trace = 0;
  memset(m, 0, sizeof(double[DIM][DIM]));
  for (size_t i = 0; i < l->count; i++) {
    const float *a = distinct_row(&l->rows, l->pairs[i].a), *b = distinct_row(&l->rows, l->pairs[i].b);
    if (fold[i] == left_out || l->pairs[i].score < threshold) continue;
    count++;
    for (size_t j = 0; j < DIM; j++)
      for (size_t k = 0; k < DIM; k++)
        m[j][k] += ((double)a[j] - (double)b[j]) * ((double)a[k] - (double)b[k]) / 2;
  }
  for (size_t j = 0; j < DIM; j++) trace += m[j][j] / count;
  for (size_t j = 0; j < DIM; j++)
    for (size_t k = 0; k < DIM; k++)
      m[j][k] = SUPERVISED_SHARE * m[j][k] / count * DIM / trace +
                (j == k ? (1 - SUPERVISED_SHARE) * (double)(j + 1) / 2.5 + SUPERVISED_RIDGE : 0);
}

TEST(supervised_against_the_metric) {
  static const double EIGENVALUES[DIM] = {1, 2, 3, 4};
  struct random r = {random_seed()};
  struct labels l;
  unsigned char fold[PAIRS];
  double cosines[PAIRS], m[DIM][DIM], related = 0, threshold;
  size_t largest;
  fill(&l, &r, ROWS, PAIRS);
  assert_int_equal(supervised_threshold(&l, &threshold), STATUS_OK);
  for (size_t i = 0; i < l.count; i++) related += l.pairs[i].score >= threshold;
  assert_in_range((size_t)related, PAIRS / 4, PAIRS / 2);
  for (size_t i = 0; i < l.count; i++) related -= l.pairs[i].score > threshold;
  assert_true(related > 0);
  struct eigenbasis_rows rows = {&faulty_memory, &NEVER, DIM, l.rows.count, l.rows.rows};
  assert_int_equal(supervised_cosines(&(struct supervised_problem){&rows, &l, EIGENVALUES, threshold}, cosines),
                   STATUS_OK);
  assert_int_equal(folds_assign(&l, fold, &largest), STATUS_OK);
  for (size_t i = 0; i < l.count; i++) {
    const float *a = distinct_row(&l.rows, l.pairs[i].a), *b = distinct_row(&l.rows, l.pairs[i].b);
    mix(&l, fold, fold[i], threshold, m);
    assert_near(cosines[i], product(m, a, b) / sqrt(product(m, a, a) * product(m, b, b)), 1e-7);
  }
  labels_clear(&l);
}

static enum status supervised_once(void) {
  struct random r = {random_seed()};
  uint64_t fail_at = faulty.fail_at;
  struct labels l;
  double cosines[PAIRS];
  faulty.fail_at = 0;
  fill(&l, &r, ROWS, PAIRS);
  faulty.fail_at = fail_at;
  faulty.calls = 0;
  struct eigenbasis_rows rows = {&faulty_memory, &NEVER, DIM, l.rows.count, l.rows.rows};
  enum status rc = supervised_cosines(&(struct supervised_problem){&rows, &l, (double[DIM]){1, 2, 3, 4}, 5},
                                      cosines);
  labels_clear(&l);
  return rc;
}

TEST(supervised_out_of_memory) {
  assert_in_range(faulty_exhaust(supervised_once), 9, 20);
}

UNIT_MAIN(faulty_test(folds_keep_together_what_hangs_together), faulty_test(supervised_against_the_metric),
          faulty_test(supervised_out_of_memory))
