/*
** core/ranks, grid, eigenbasis, ranking, neighbours and tune: closed forms, a published standard error, loops that count;
** noise, where there is nothing to choose; faults.
*/
#include "core/tune.h"

#include "core/eigenbasis.h"
#include "core/neighbours.h"
#include "core/ranking.h"
#include "core/ranks.h"
#include "faulty_memory.h"

enum { ROWS = 60, DIM = 5 };
static const struct watch NEVER = {0};
static const struct tune_options ONE = {1, 1}, TWO = {2, 1};

TEST(ranks_closed_forms) {
  struct ranked work[4];
  double z[4], y[4], influence[4];
  assert_true(
      ranks_standardize(4, (double[]){8, 7, 9, 7}, z, work)); /* ranks 3, 1.5, 4, 1.5: squares sum to 4.5 */
  for (size_t i = 0; i < 4; i++) assert_near(z[i], ((double[]){.5, -1, 1.5, -1})[i] * sqrt(4 / 4.5), 1e-15);
  assert_true(ranks_standardize(4, (double[]){3, 2, 4, 1}, y, work));
  assert_near(ranks_correlation(4, z, y), 4.5 / sqrt(4.5 * 5), 1e-15);
  ranks_influence(4, z, y, influence);
  assert_near(influence[0] + influence[1] + influence[2] + influence[3], 0, 1e-15);
  assert_near(influence[0], z[0] * y[0] - 4.5 / sqrt(22.5) * (z[0] * z[0] + y[0] * y[0]) / 2, 1e-15);
  assert_false(ranks_standardize(4, (double[]){2, 2, 2, 2}, z, work));
  assert_near(ranks_correlation(4, z, y), 0, 0);
  assert_near(ranks_error(3, (double[]){1, 2, 3}, NULL), sqrt(1. / 3), 1e-15);
  assert_near(ranks_error(3, (double[]){1, 2, 3}, (double[]){0, 1, 2}), 0, 1e-15);
}

/* Bonett & Wright 2000: the standard error of Spearman's r is (1 - r^2) sqrt((1 + r^2 / 2) / n) for normal pairs. */
TEST(ranks_error_of_a_paper) {
  enum { N = 400, SAMPLES = 60 };
  static const double CORRELATIONS[] = {0, .3, .6};
  struct random r = {random_seed()};
  static double x[N], y[N], influence[N];
  static struct ranked work[N];
  for (size_t c = 0; c < COUNT(CORRELATIONS); c++) {
    double errors = 0, rho = 0, p = CORRELATIONS[c];
    for (int sample = 0; sample < SAMPLES; sample++) {
      for (size_t i = 0; i < N; i++) {
        x[i] = random_normal(&r);
        y[i] = p * x[i] + sqrt(1 - p * p) * random_normal(&r);
      }
      (void)ranks_standardize(N, x, x, work);
      (void)ranks_standardize(N, y, y, work);
      rho += ranks_correlation(N, x, y) / SAMPLES;
      ranks_influence(N, x, y, influence);
      errors += ranks_error(N, influence, NULL) / SAMPLES;
    }
    double paper = (1 - rho * rho) * sqrt((1 + rho * rho / 2) / N);
    assert_near(errors / paper, 1, .08);
  }
}

TEST(grid_of_a_full_rank) {
  struct grid_setting settings[GRID_SETTINGS], halvings[GRID_HALVINGS];
  double weights[4];
  assert_int_equal(grid_fill(64, 64, 1000, settings), GRID_SETTINGS);
  for (size_t i = 0; i < GRID_SETTINGS; i++) {
    assert_int_equal(settings[i].k + settings[i].remove, 64);
    for (size_t j = 0; j < i; j++)
      assert_true(settings[i].power != settings[j].power || settings[i].ridge != settings[j].ridge ||
                  settings[i].remove != settings[j].remove);
  }
  assert_int_equal(grid_shorten(64, &settings[0], halvings), 2);
  assert_int_equal(halvings[0].k, 32);
  assert_int_equal(halvings[1].k, 16);
  assert_int_equal(grid_shorten(31, &settings[0], halvings), 0);
  /* eigenvalues 1, 2, 4, 9 of mean 4 */
  grid_weigh(4, (double[]){1, 2, 4, 9}, &(struct grid_setting){.power = 1, .ridge = .5, .remove = 1, .k = 2},
             weights);
  for (size_t j = 0; j < 4; j++) assert_near(weights[j], ((double[]){0, 1, 1 / 1.5, 0})[j], 1e-15);
  grid_weigh(4, (double[]){1, 2, 4, 9}, &(struct grid_setting){.power = .5, .k = 4}, weights);
  for (size_t j = 0; j < 4; j++) assert_near(weights[j], ((double[]){2, sqrt(2), 1, 2. / 3})[j], 1e-15);
}

/* Without a ridge no k above the rank; no full whitening of few rows; nothing removed that is not there. */
/* Kernels at the ends of float32: of variances of 1e76 at power 1, 1e-38, which is less than sqrt(4) FLT_MIN; of 1e-80, 1e40. */
TEST(grid_sift_drops_what_cannot_be_solved) {
  static const double ENDS[][2] = {{1e76, 1e-80}, {1e70, 1e-70}};
  struct grid_setting settings[GRID_SETTINGS];
  for (size_t scale = 0; scale < 2; scale++)
    for (size_t end = 0; end < 2; end++) {
      double w = ENDS[scale][end];
      size_t all = grid_fill(4, 4, 100, settings);
      size_t left = grid_sift(4, (double[]){w, w, w, w}, settings, all);
      assert_int_equal(all, 32);
      assert_int_equal(left, scale == 0 ? 16 : 32);
      for (size_t i = 0; i < left && scale == 0; i++) assert_true(settings[i].power < 1);
    }
}

TEST(grid_of_little) {
  struct grid_setting settings[GRID_SETTINGS];
  size_t count = grid_fill(8, 5, 6, settings);
  assert_int_equal(count, 28);
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(settings[i].k, (settings[i].ridge > 0 ? 8 : 5) - settings[i].remove);
    assert_true(settings[i].power < 1 || settings[i].ridge > 0);
  }
  assert_int_equal(grid_fill(1, 1, 100, settings), 8);
  assert_int_equal(grid_fill(8, 2, 100, settings), 14);
  assert_int_equal(grid_fill(64, 64, 129, settings), 28);
  assert_int_equal(grid_fill(64, 64, 130, settings), 32);
}

/* Rows (x, y) of unequal spread around (10, -3); the same for every test below. */
static void fill(struct random *r, float *rows) {
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < DIM; j++) rows[i * DIM + j] = (float)(10 + (double)(j + 1) * random_normal(r));
}

static struct moments moments_of(const float *rows) {
  struct moments m;
  enum status rc = moments_init(&m, DIM, SCATTER_DOUBLE, 1, &faulty_memory);
  for (size_t i = 0; rc == STATUS_OK && i < ROWS; i++) rc = moments_add(&m, rows + i * DIM, 1);
  if (rc == STATUS_OK) rc = moments_flush(&m);
  assert_int_equal(rc, STATUS_OK);
  return m;
}

/* Power 1 is the inverse covariance, solved for by elimination; power 0 is the plain product of centred rows. */
static double mahalanobis(const struct moments *m, const float *a, const float *b) {
  double s[DIM][DIM + 1], sum = 0;
  for (size_t i = 0; i < DIM; i++) {
    for (size_t j = 0; j < DIM; j++) s[i][j] = m->cross[i < j ? i * DIM + j : j * DIM + i] / (ROWS - 1);
    s[i][DIM] = b[i] - m->mean[i];
  }
  for (size_t p = 0; p < DIM; p++)
    for (size_t i = 0; i < DIM; i++) {
      double factor = i == p ? 0 : s[i][p] / s[p][p];
      for (size_t j = p; j <= DIM; j++) s[i][j] -= factor * s[p][j];
    }
  for (size_t i = 0; i < DIM; i++) sum += (a[i] - m->mean[i]) * s[i][DIM] / s[i][i];
  return sum;
}

TEST(eigenbasis_against_the_inverse) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM], rotated[ROWS * DIM];
  static double weights[2 * DIM], products[ROWS * 2];
  uint32_t a[ROWS], b[ROWS];
  struct spectrum s = {0};
  fill(&r, rows);
  memcpy(rotated, rows, sizeof rows);
  struct moments m = moments_of(rows);
  assert_int_equal(spectrum_init(&s, &m, 0, DIM), STATUS_OK);
  struct eigenbasis_rows basis = {&faulty_memory, &NEVER, DIM, ROWS, rotated};
  assert_int_equal(eigenbasis_rotate(&basis, &s, m.mean), STATUS_OK);
  grid_weigh(DIM, s.w, &(struct grid_setting){.power = 1, .k = DIM}, weights);
  grid_weigh(DIM, s.w, &(struct grid_setting){.power = 0, .k = DIM}, weights + DIM);
  for (uint32_t i = 0; i < ROWS; i++) a[i] = i, b[i] = (i * 7 + 3) % ROWS;
  assert_int_equal(eigenbasis_products(&basis, &(struct eigenbasis_pairs){ROWS, a, b}, 2, weights, products),
                   STATUS_OK);
  double unit = (s.w[0] + s.w[1] + s.w[2] + s.w[3] + s.w[4]) / DIM;
  for (size_t i = 0; i < ROWS; i++) {
    double plain = 0;
    for (size_t j = 0; j < DIM; j++)
      plain += (rows[a[i] * DIM + j] - m.mean[j]) * (rows[b[i] * DIM + j] - m.mean[j]);
    assert_near(products[2 * i], mahalanobis(&m, rows + a[i] * DIM, rows + b[i] * DIM), 1e-5);
    assert_near(products[2 * i + 1], plain / unit, 1e-5);
  }
  spectrum_clear(&s);
  moments_clear(&m);
}

static double cosine(const float *a, const float *b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t j = 0; j < DIM; j++) ab += (double)a[j] * b[j], aa += (double)a[j] * a[j], bb += (double)b[j] * b[j];
  return ab / sqrt(aa * bb);
}

static void squares_of(const struct labels *l, double *squares) {
  for (size_t i = 0; i < l->rows.count; i++) {
    const float *row = distinct_row(&l->rows, i);
    squares[i] = 0;
    for (size_t j = 0; j < DIM; j++) squares[i] += (double)row[j] * row[j];
  }
}

/* Queries 0 .. 19, of which every second has two relevant documents, among 40: ranks by counting. */
TEST(ranking_against_counting) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM];
  double squares[ROWS], reciprocal[20], mean = 0, at_1 = 0, at_10 = 0;
  struct labels l;
  fill(&r, rows);
  labels_init(&l, LABELS_RELEVANT, DIM, &faulty_memory);
  for (size_t i = 0; i < 20; i++) {
    size_t best = 20 + i, rank = 1;
    const float *query = rows + i * DIM, *other = rows + (59 - i) * DIM;
    assert_int_equal(labels_add(&l, query, rows + best * DIM, 0), STATUS_OK);
    if (i % 2) assert_int_equal(labels_add(&l, query, other, 0), STATUS_OK);
    if (i % 2 && cosine(query, other) > cosine(query, rows + best * DIM)) best = 59 - i;
    if (i > 0) rank += cosine(query, rows) > cosine(query, rows + best * DIM);
    for (size_t j = 20; j < 60; j++) rank += cosine(query, rows + j * DIM) > cosine(query, rows + best * DIM);
    mean += 1. / (double)rank / 20;
    at_1 += rank == 1 ? 1. / 20 : 0;
    at_10 += rank <= 10 ? 1. / 20 : 0;
  }
  /* a query that is a document is not in its own way */
  for (size_t j = 20; j < 60; j++) assert_int_equal(labels_add_document(&l, rows + j * DIM), STATUS_OK);
  assert_int_equal(labels_add_document(&l, rows), STATUS_OK);
  assert_int_equal(labels_finish(&l), STATUS_OK);
  squares_of(&l, squares);
  struct eigenbasis_rows all = {&faulty_memory, &NEVER, DIM, l.rows.count, l.rows.rows};
  struct ranking ranking = {.rows = &all, .labels = &l, .reciprocal = reciprocal};
  assert_int_equal(ranking_queries(&l), 20);
  assert_int_equal(ranking_measure(&ranking, NULL, squares), STATUS_OK);
  assert_near(ranking.mean, mean, 1e-12);
  assert_near(ranking.recall1, at_1, 1e-12);
  assert_near(ranking.recall10, at_10, 1e-12);
  labels_clear(&l);
}

/* In one dimension all cosines are 1 or -1, however they are rounded: nothing is above anything of its side. */
TEST(ranking_of_ties) {
  struct random r = {random_seed()};
  double squares[ROWS], reciprocal[ROWS];
  struct labels l;
  labels_init(&l, LABELS_RELEVANT, 1, &faulty_memory);
  for (size_t i = 0; i < ROWS / 2; i++) {
    float a = (float)random_uniform(&r) + 1, b = (float)random_uniform(&r) + 3;
    assert_int_equal(labels_add(&l, &a, &b, 0), STATUS_OK);
  }
  assert_int_equal(labels_finish(&l), STATUS_OK);
  for (size_t i = 0; i < l.rows.count; i++) squares[i] = (double)l.rows.rows[i] * l.rows.rows[i];
  struct eigenbasis_rows all = {&faulty_memory, &NEVER, 1, l.rows.count, l.rows.rows};
  struct ranking ranking = {.rows = &all, .labels = &l, .reciprocal = reciprocal};
  assert_int_equal(ranking_measure(&ranking, NULL, squares), STATUS_OK);
  assert_near(ranking.mean, 1, 0);
  labels_clear(&l);
}

TEST(neighbours_against_all_pairs) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM];
  double squares[ROWS], mean = 0, contrast = 0;
  struct neighbours n;
  fill(&r, rows);
  for (size_t i = 0; i < ROWS; i++) {
    double sum = 0, square = 0, best = -1;
    squares[i] = 0;
    for (size_t j = 0; j < DIM; j++) squares[i] += (double)rows[i * DIM + j] * rows[i * DIM + j];
    for (size_t j = 0; j < ROWS; j++) {
      double c = cosine(rows + i * DIM, rows + j * DIM);
      if (i == j) continue;
      sum += c, square += c * c;
      if (c > best) best = c;
    }
    sum /= ROWS - 1;
    mean += sum / ROWS;
    contrast += (best - sum) / sqrt(square / (ROWS - 1) - sum * sum) / ROWS;
  }
  struct eigenbasis_rows all = {&faulty_memory, &NEVER, DIM, ROWS, rows};
  assert_int_equal(neighbours_measure(&all, NULL, squares, &n), STATUS_OK);
  assert_near(n.mean_cosine, mean, 1e-6);
  assert_near(n.contrast, contrast, 1e-3);
  all.count = 2;
  assert_int_equal(neighbours_measure(&all, NULL, squares, &n), STATUS_OK);
  assert_true(isnan(n.mean_cosine) && isnan(n.contrast));
  assert_near(neighbours_isoscore(2, (double[]){1, 4}, NULL), 8. / 17, 1e-15);
  assert_near(neighbours_isoscore(2, (double[]){1, 4}, (double[]){1, .25}), 1, 1e-15);
  assert_true(isnan(neighbours_isoscore(1, (double[]){1}, NULL)));
}

/* Pairs of the rows: scored at random, or by what power 1 would say. */
static void label_pairs(struct labels *l, const float *rows, const struct moments *m, struct random *r) {
  labels_init(l, LABELS_SCORED, DIM, &faulty_memory);
  for (size_t i = 0; i < ROWS; i++)
    for (size_t j = 0; j < i; j += 3) {
      const float *a = rows + i * DIM, *b = rows + j * DIM;
      double score = m == NULL ? random_normal(r)
                               : mahalanobis(m, a, b) / sqrt(mahalanobis(m, a, a) * mahalanobis(m, b, b));
      assert_int_equal(labels_add(l, a, b, score), STATUS_OK);
    }
  assert_int_equal(labels_finish(l), STATUS_OK);
}

TEST(tune_finds_what_there_is) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM];
  struct labels l;
  struct tune t;
  fill(&r, rows);
  struct moments m = moments_of(rows);
  label_pairs(&l, rows, &m, &r);
  assert_int_equal(tune_run(&t, &m, &l, &ONE, &NEVER), STATUS_OK);
  assert_int_equal(t.reason, TUNE_FOUND);
  assert_same_double(t.settings[t.chosen].how.power, 1);
  assert_same_double(t.settings[t.chosen].how.ridge, 0);
  assert_int_equal(t.settings[t.chosen].how.remove, 0);
  assert_near(t.settings[t.chosen].measured.score, 1, 1e-6);
  labels_clear(&l);
  tune_clear(&t);
  tune_clear(&t);
  moments_clear(&m);
}

/* The best of 32 settings gains more than two standard errors in few of 20 sets of noise. */
TEST(tune_finds_nothing_in_noise) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM];
  size_t found = 0;
  for (int set = 0; set < 20; set++) {
    struct labels l;
    struct tune t;
    fill(&r, rows);
    struct moments m = moments_of(rows);
    label_pairs(&l, rows, NULL, &r);
    assert_int_equal(tune_run(&t, &m, &l, &TWO, &NEVER), STATUS_OK);
    found += t.reason == TUNE_FOUND;
    labels_clear(&l);
    tune_clear(&t);
    moments_clear(&m);
  }
  assert_in_range(found, 0, 4);
}

static int is_stopped(void *looks) {
  return --*(int *)looks < 0;
}

TEST(tune_stops_when_it_is_told) {
  struct random r = {random_seed()};
  static float rows[ROWS * DIM];
  fill(&r, rows);
  struct moments m = moments_of(rows);
  enum status rc = STATUS_STOPPED;
  int looks = 0;
  for (; rc == STATUS_STOPPED && looks < 1000; looks++) {
    struct labels l;
    struct tune t;
    int left = looks;
    label_pairs(&l, rows, NULL, &r);
    rc = tune_run(&t, &m, &l, &ONE, &(struct watch){is_stopped, &left});
    labels_clear(&l);
    tune_clear(&t);
  }
  assert_int_equal(rc, STATUS_OK);
  assert_in_range(looks, 10, 100);
  moments_clear(&m);
}

UNIT_MAIN(faulty_test(grid_sift_drops_what_cannot_be_solved), faulty_test(ranks_closed_forms),
          faulty_test(ranks_error_of_a_paper), faulty_test(grid_of_a_full_rank), faulty_test(grid_of_little),
          faulty_test(eigenbasis_against_the_inverse), faulty_test(ranking_against_counting),
          faulty_test(ranking_of_ties), faulty_test(neighbours_against_all_pairs),
          faulty_test(tune_finds_what_there_is), faulty_test(tune_finds_nothing_in_noise),
          faulty_test(tune_stops_when_it_is_told))
