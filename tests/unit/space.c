/*
** core/stats: mean cosine against all pairs, IsoScore against the steps of its algorithm, correlations against
** constants of scipy.stats and closed forms; faults.
*/
#include "core/correlation.h"
#include "core/space.h"

#include <float.h>

#include "faulty_memory.h"

#define DIM 6
#define ROWS 120

static float rows[ROWS][DIM];

static void fill(struct random *r, double mean) {
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < DIM; j++) rows[i][j] = (float)((mean + random_normal(r)) * (double)(j + 1));
}

/* Every pair of rows that are not zero, in long double. */
static double mean_of_pairs(size_t count) {
  long double sum = 0;
  size_t pairs = 0;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < a; b++) {
      long double ab = 0, aa = 0, bb = 0;
      for (size_t j = 0; j < DIM; j++) {
        ab += (long double)rows[a][j] * rows[b][j];
        aa += (long double)rows[a][j] * rows[a][j];
        bb += (long double)rows[b][j] * rows[b][j];
      }
      if (aa == 0 || bb == 0) continue;
      sum += ab / sqrtl(aa) / sqrtl(bb);
      pairs++;
    }
  return (double)(sum / (long double)pairs);
}

static double mean_cosine_of(size_t count) {
  struct mean_cosine m = {0};
  assert_int_equal(mean_cosine_init(&m, DIM, &faulty_memory), STATUS_OK);
  for (size_t i = 0; i < count; i++) assert_int_equal(mean_cosine_add(&m, rows[i]), STATUS_OK);
  double value = mean_cosine_value(&m);
  mean_cosine_clear(&m);
  mean_cosine_clear(&m); /* harmless twice */
  return value;
}

TEST(mean_cosine_against_all_pairs) {
  static const double MEANS[] = {0, 1, 10, -100};
  struct random r = {random_seed()};
  for (size_t i = 0; i < COUNT(MEANS); i++) {
    fill(&r, MEANS[i]);
    memset(rows[5], 0, sizeof rows[5]);
    memset(rows[ROWS - 1], 0, sizeof rows[0]);
    assert_near(mean_cosine_of(ROWS), mean_of_pairs(ROWS), 1e-13);
    assert_near(mean_cosine_of(2), mean_of_pairs(2), 1e-13);
  }
  fill(&r, 3); /* the magnitude of a row does not count */
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < DIM; j++) rows[i][j] = ldexpf(rows[i][j], (int)(i % 200) - 100);
  assert_near(mean_cosine_of(ROWS), mean_of_pairs(ROWS), 1e-13);
}

TEST(mean_cosine_closed_forms) {
  memset(rows, 0, sizeof rows);
  assert_true(isnan(mean_cosine_of(0)));
  assert_true(isnan(mean_cosine_of(5)));
  for (size_t j = 0; j < DIM; j++) rows[0][j] = 0.1f * (float)(j + 1);
  assert_true(isnan(mean_cosine_of(5)));
  memset(rows[0], 0, sizeof rows[0]);
  rows[0][0] = 3;
  assert_true(isnan(mean_cosine_of(5)));
  rows[1][1] = 1e30f;
  assert_near(mean_cosine_of(2), 0, 1e-15);
  rows[1][0] = 1e30f; /* 45 degrees */
  assert_near(mean_cosine_of(2), sqrt(0.5), 1e-15);
  memset(rows[1], 0, sizeof rows[1]);
  rows[1][0] = -1e-30f;
  assert_near(mean_cosine_of(2), -1, 1e-15);
  rows[2][0] = 1; /* three on a line: cosines -1, 1, -1 */
  assert_near(mean_cosine_of(3), -1 / 3.0, 1e-15);
}

TEST(mean_cosine_not_finite) {
  struct mean_cosine m = {0};
  assert_int_equal(mean_cosine_init(&m, DIM, &faulty_memory), STATUS_OK);
  for (size_t at = 0; at < DIM; at++) {
    float v[DIM] = {1};
    v[at] = at % 2 ? INFINITY : NAN;
    assert_int_equal(mean_cosine_add(&m, v), STATUS_NOT_FINITE);
  }
  mean_cosine_clear(&m);
}

static double isoscore_of(const float (*data)[DIM], size_t count, size_t dim) {
  struct moments m = {0};
  assert_int_equal(moments_init(&m, dim, SCATTER_DOUBLE, 1, &faulty_memory), STATUS_OK);
  for (size_t i = 0; i < count; i++) assert_int_equal(moments_add(&m, data[i], 1), STATUS_OK);
  assert_int_equal(moments_flush(&m), STATUS_OK);
  double score = space_isoscore(&m);
  moments_clear(&m);
  return score;
}

/* Algorithm 1 of Rudman et al. 2022, step by step, from the eigenvalues of the covariance. */
static double isoscore_steps(size_t n, const double *eigenvalues) {
  double d = (double)n, norm = 0, defect = 0;
  for (size_t i = 0; i < n; i++) norm += eigenvalues[i] * eigenvalues[i];
  norm = sqrt(norm);
  for (size_t i = 0; i < n; i++) defect += pow(sqrt(d) * eigenvalues[i] / norm - 1, 2);
  defect = sqrt(defect) / sqrt(2 * (d - sqrt(d)));
  double utilised = pow(d - defect * defect * (d - sqrt(d)), 2) / (d * d);
  return (d * utilised - 1) / (d - 1);
}

/* Two rows at +-a on each axis make a diagonal covariance with eigenvalues in proportion to a^2. */
static void fill_axes(size_t dim, const double *lengths, float mean) {
  for (size_t i = 0; i < 2 * dim; i++)
    for (size_t j = 0; j < DIM; j++)
      rows[i][j] = mean + (i / 2 == j ? (float)(i % 2 ? -lengths[j] : lengths[j]) : 0);
}

TEST(isoscore_against_its_algorithm) {
  static const double LENGTHS[][DIM] = {
      {1, 1, 1, 1, 1, 1}, {1, 2, 3, 4, 5, 6}, {100, 1, 1, 1, 1, 1}, {4, 4, 4, 0, 0, 0}, {1, 0, 0, 0, 0, 0}};
  for (size_t c = 0; c < COUNT(LENGTHS); c++)
    for (size_t dim = 2; dim <= DIM; dim++) {
      double squares[DIM];
      for (size_t j = 0; j < dim; j++) squares[j] = LENGTHS[c][j] * LENGTHS[c][j];
      fill_axes(dim, LENGTHS[c], 50);
      double expected = isoscore_steps(dim, squares);
      assert_near(isoscore_of(rows, 2 * dim, dim), expected < 0 ? 0 : expected, 1e-12);
    }
}

/* Rotated by 45 degrees in each pair of axes: the same score. */
TEST(isoscore_ignores_rotation) {
  static const double LENGTHS[DIM] = {1, 2, 3, 4, 5, 6};
  fill_axes(DIM, LENGTHS, 0);
  double before = isoscore_of(rows, 2 * DIM, DIM);
  for (size_t i = 0; i < 2 * DIM; i++)
    for (size_t j = 0; j < DIM; j += 2) {
      float x = rows[i][j], y = rows[i][j + 1];
      rows[i][j] = 7 + (x + y) * 3;
      rows[i][j + 1] = 7 + (x - y) * 3;
    }
  assert_near(isoscore_of(rows, 2 * DIM, DIM), before, 1e-12);
}

TEST(isoscore_undefined) {
  memset(rows, 0, sizeof rows);
  assert_true(isnan(isoscore_of(rows, 5, DIM))); /* no variance */
  rows[0][0] = 1;
  assert_true(isnan(isoscore_of(rows, 1, DIM))); /* one row */
  assert_true(isnan(isoscore_of(rows, 5, 1)));   /* one dimension */
  assert_near(isoscore_of(rows, 5, 2), 0, 1e-15);
}

static struct correlation correlation_of(size_t count, const double *x, const double *y) {
  struct correlation p = {0};
  for (size_t i = 0; i < count; i++) assert_int_equal(correlation_add(&p, x[i], y[i], &faulty_memory), STATUS_OK);
  return p;
}

static double pearson(size_t count, const double *x, const double *y) {
  struct correlation p = correlation_of(count, x, y);
  double r = correlation_pearson(&p);
  correlation_clear(&p);
  correlation_clear(&p); /* harmless twice */
  return r;
}

static double spearman(size_t count, const double *x, const double *y) {
  struct correlation p = correlation_of(count, x, y);
  double r = correlation_spearman(&p);
  correlation_clear(&p);
  return r;
}

/* scipy.stats.pearsonr and spearmanr, scipy 1.10 */
TEST(correlations_of_scipy) {
  static const double X[] = {0.5, -1.25, 3.75, 2, 2, -4, 0.125, 7, 2, 1.5};
  static const double Y[] = {1, 0.5, 2.5, -3, 4, -4, 0.5, 0.5, 4, 9};
  assert_near(pearson(COUNT(X), X, Y), 0.3277696829983462, 1e-14);
  assert_near(spearman(COUNT(X), X, Y), 0.35514191022394914, 1e-14);
}

TEST(correlations_closed_forms) {
  static const double UP[] = {1, 2, 3, 4}, DOWN[] = {8, 6, 4, 2}, CURVED[] = {1, 10, 100, 1000},
                      FLAT[] = {5, 5, 5, 5};
  static const double SQUARES[] = {4, 1, 1, 4}, CENTRED[] = {-2, -1, 1, 2};
  assert_same_double(pearson(4, UP, UP), 1);
  assert_same_double(pearson(4, UP, DOWN), -1);
  assert_same_double(pearson(2, CURVED, DOWN), -1);
  assert_near(pearson(4, CENTRED, SQUARES), 0, 1e-16);
  assert_same_double(spearman(4, UP, CURVED), 1);
  assert_same_double(spearman(4, CURVED, DOWN), -1);
  assert_near(spearman(4, CENTRED, SQUARES), 0, 1e-16);
  assert_true(isnan(pearson(4, UP, FLAT)) && isnan(pearson(4, FLAT, UP)) && isnan(pearson(4, FLAT, FLAT)));
  assert_true(isnan(spearman(4, UP, FLAT)) && isnan(spearman(4, FLAT, UP)));
  static const double TENTHS[] = {0.1, 0.1, 0.1, 0.1}; /* whose mean rounds */
  assert_true(isnan(pearson(4, UP, TENTHS)) && isnan(pearson(3, TENTHS, UP)));
  assert_true(isnan(pearson(1, UP, UP)) && isnan(spearman(1, UP, UP)));
  assert_true(isnan(pearson(0, UP, UP)) && isnan(spearman(0, UP, UP)));
}

/* Neither the scale nor the offset matters, up to the range of float64. */
TEST(correlations_of_any_magnitude) {
  static const double X[] = {1, 2, 4, 7, 3}, Y[] = {2, 1, 5, 9, 2};
  static const double SCALES[] = {1, 1e-300, 1e307, -1e-308, 1e-320, -1e200};
  double expected = pearson(5, X, Y), ranks = spearman(5, X, Y);
  for (size_t a = 0; a < COUNT(SCALES); a++)
    for (size_t b = 0; b < COUNT(SCALES); b++) {
      double x[5], y[5], sign = SCALES[a] * SCALES[b] < 0 || (SCALES[a] < 0) != (SCALES[b] < 0) ? -1 : 1;
      for (size_t i = 0; i < 5; i++) {
        x[i] = SCALES[a] * X[i];
        y[i] = SCALES[b] * Y[i];
      }
      double loss = fabs(SCALES[a]) < 1e-307 || fabs(SCALES[b]) < 1e-307 ? 1e-3 : 1e-14; /* denormals are coarse */
      assert_near(pearson(5, x, y), sign * expected, loss);
      assert_near(spearman(5, x, y), sign * ranks, 1e-14);
    }
  double x[5], y[5];
  for (size_t i = 0; i < 5; i++) {
    x[i] = 1e15 + X[i];
    y[i] = -1e12 + Y[i];
  }
  assert_near(pearson(5, x, y), expected, 1e-12);
  static const double FAR[] = {DBL_MAX, -DBL_MAX, DBL_MAX};
  assert_near(pearson(3, FAR, FAR), 1, 1e-15);
}

/* Ranks by counting: 1 + smaller ones + half of the other equal ones; then Pearson in long double. */
TEST(spearman_against_counting) {
  struct random r = {random_seed() + 1};
  double x[200], y[200];
  for (size_t levels = 2; levels < 2000; levels *= 5) {
    long double sx = 0, sy = 0, xx = 0, xy = 0, yy = 0, n = COUNT(x);
    for (size_t i = 0; i < COUNT(x); i++) {
      x[i] = (double)random_below(&r, levels) - 3;
      y[i] = x[i] * 0.5 + (double)random_below(&r, levels);
    }
    for (size_t i = 0; i < COUNT(x); i++) {
      long double rx = 0.5L, ry = 0.5L;
      for (size_t j = 0; j < COUNT(x); j++) {
        rx += x[j] < x[i] ? 1 : x[j] == x[i] ? 0.5L : 0;
        ry += y[j] < y[i] ? 1 : y[j] == y[i] ? 0.5L : 0;
      }
      sx += rx, sy += ry, xx += rx * rx, xy += rx * ry, yy += ry * ry;
    }
    long double expected = (xy - sx * sy / n) / sqrtl((xx - sx * sx / n) * (yy - sy * sy / n));
    assert_near(spearman(COUNT(x), x, y), (double)expected, 1e-13);
  }
}

static enum status mean_cosine_once(void) {
  struct mean_cosine m = {0};
  enum status rc = mean_cosine_init(&m, DIM, &faulty_memory);
  if (rc == STATUS_OK) rc = mean_cosine_add(&m, rows[0]);
  mean_cosine_clear(&m);
  return rc;
}

static enum status pairs_once(void) {
  struct correlation p = {0};
  enum status rc = STATUS_OK;
  for (int i = 0; rc == STATUS_OK && i < 300; i++) rc = correlation_add(&p, i, i * i, &faulty_memory);
  if (rc == STATUS_OK) assert_same_double(correlation_spearman(&p), 1);
  correlation_clear(&p);
  return rc;
}

TEST(stats_out_of_memory) {
  assert_int_equal(faulty_exhaust(mean_cosine_once), 1);
  assert_int_equal(faulty_exhaust(pairs_once), 4); /* 64, 128, 256, 512 pairs */
}

UNIT_MAIN(faulty_test(mean_cosine_against_all_pairs), faulty_test(mean_cosine_closed_forms),
          faulty_test(mean_cosine_not_finite), faulty_test(isoscore_against_its_algorithm),
          faulty_test(isoscore_ignores_rotation), faulty_test(isoscore_undefined),
          faulty_test(correlations_of_scipy), faulty_test(correlations_closed_forms),
          faulty_test(correlations_of_any_magnitude), faulty_test(spearman_against_counting),
          faulty_test(stats_out_of_memory))
