/*
** core/whiten: kernels against constants of numpy and against what defines them (the covariance of what they
** give is the identity, the inverse is one, the eigenvectors are orthonormal); ranks, refusals, imports;
** faults.
*/
#include "core/blob.h"
#include "core/solve.h"

#include <float.h>

#include "faulty_memory.h"

#define MAX 24

/* What a model holds, widened. */
struct solved {
  struct model_header h;
  double mean[MAX], eigenvalues[MAX], kernel[MAX * MAX], inverse[MAX * MAX];
  unsigned char *blob;
};

static struct moments moments;
static double cov[MAX * MAX]; /* by two passes */

/* Moments and covariance (divisor: weights - 1) of n rows of d; weight 0: all 1. */
static void gather(size_t n, size_t d, const float *rows, double weight) {
  double total = weight > 0 ? weight * (double)n : (double)n, mean[MAX] = {0};
  moments_clear(&moments);
  assert_int_equal(moments_init(&moments, d, SCATTER_DOUBLE, 1, &faulty_memory), STATUS_OK);
  for (size_t r = 0; r < n; r++)
    assert_int_equal(moments_add(&moments, rows + r * d, weight > 0 ? weight : 1), STATUS_OK);
  assert_int_equal(moments_flush(&moments), STATUS_OK);
  for (size_t r = 0; r < n; r++)
    for (size_t i = 0; i < d; i++) mean[i] += (double)rows[r * d + i] / (double)n;
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) {
      double sum = 0;
      for (size_t r = 0; r < n; r++) sum += (rows[r * d + i] - mean[i]) * (rows[r * d + j] - mean[j]);
      cov[i * d + j] = sum * (weight > 0 ? weight : 1) / (total - 1);
    }
}

/* n correlated rows around 3; each column its own spread, from 1 down to 1 / condition. */
static void gather_random(struct random *r, size_t n, size_t d, double condition) {
  static float rows[400 * MAX];
  for (size_t i = 0; i < n; i++) {
    double common = random_normal(r);
    for (size_t j = 0; j < d; j++) {
      double spread = pow(condition, -(double)j / (double)(d > 1 ? d - 1 : 1));
      rows[i * d + j] = (float)(3 + spread * (random_normal(r) + 0.5 * common));
    }
  }
  gather(n, d, rows, 0);
}

static enum status try_solve(struct solve_options o, struct solved *s, struct solve_limit *limit) {
  uint64_t size = 0;
  void *blob = NULL;
  enum status rc = solve_moments(&moments, &o, &blob, &size, limit);
  *s = (struct solved){.blob = blob};
  if (rc) {
    assert_null(blob);
    return rc;
  }
  struct model_arrays arrays;
  assert_int_equal(model_read(blob, size, &s->h, &arrays), STATUS_OK);
  assert_int_equal(blob_check_hash(blob, size), STATUS_OK);
  assert_int_equal(model_check_finite(&s->h, &arrays), STATUS_OK);
  size_t d = s->h.d, m = s->h.m;
  memcpy(s->mean, arrays.mean, d * 8);
  memcpy(s->eigenvalues, arrays.eigenvalues, d * 8);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < m; j++) {
      float x;
      double row = 1, column = 1;
      memcpy(&x, (const char *)arrays.kernel + 4 * (i * m + j), 4);
      s->kernel[i * m + j] = x;
      if (arrays.inverse != NULL) {
        memcpy(&x, (const char *)arrays.inverse + 4 * (j * d + i), 4);
      } else {
        memcpy(&row, (const char *)arrays.row_scale + 8 * i, 8);
        memcpy(&column, (const char *)arrays.column_scale + 8 * j, 8);
      }
      s->inverse[j * d + i] = x * row * column;
    }
  return rc;
}

static struct solved solve(struct solve_options o) {
  struct solved s;
  struct solve_limit limit;
  assert_int_equal(try_solve(o, &s, &limit), STATUS_OK);
  return s;
}

static void done(struct solved *s) {
  faulty_release(s->blob);
  s->blob = NULL;
}

static void end(void) {
  moments_clear(&moments);
  assert_int_equal(faulty.live, 0);
}

static struct solve_options with_method(enum model_method method) {
  struct solve_options o = SOLVE_DEFAULTS;
  o.method = method;
  return o;
}

static struct solve_options with_k(int64_t k) {
  struct solve_options o = SOLVE_DEFAULTS;
  o.k_kind = SOLVE_K_COUNT;
  o.k = k;
  return o;
}

static void check_close(const double *found, const double *expected, size_t count, double tolerance) {
  for (size_t i = 0; i < count; i++) assert_near(found[i], expected[i], tolerance);
}

/* K^T A K for A = (1 - rho) cov + added * diag(unit), symmetric d x d. */
static void project(const struct solved *s, const double *unit, double *out) {
  size_t d = s->h.d, m = s->h.m;
  for (size_t a = 0; a < m; a++)
    for (size_t b = 0; b < m; b++) {
      double sum = 0;
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
          double value = (1 - s->h.rho) * cov[i * d + j] + (i == j ? s->h.ridge_added * (unit ? unit[i] : 1) : 0);
          sum += s->kernel[i * m + a] * value * s->kernel[j * m + b];
        }
      out[a * m + b] = sum;
    }
}

static void check_whitens(const struct solved *s, const double *unit, double tolerance) {
  double out[MAX * MAX];
  project(s, unit, out);
  for (size_t a = 0; a < s->h.m; a++)
    for (size_t b = 0; b < s->h.m; b++) assert_near(out[a * s->h.m + b], a == b, tolerance);
}

/* kernel @ inverse @ kernel = kernel, and inverse @ kernel = identity when nothing was left out. */
static void check_inverse(const struct solved *s, double tolerance) {
  size_t d = s->h.d, m = s->h.m;
  double product[MAX * MAX];
  for (size_t a = 0; a < m; a++)
    for (size_t b = 0; b < m; b++) {
      product[a * m + b] = 0;
      for (size_t i = 0; i < d; i++) product[a * m + b] += s->inverse[a * d + i] * s->kernel[i * m + b];
      if (m == s->h.k) assert_near(product[a * m + b], a == b, tolerance);
    }
  for (size_t i = 0; i < d; i++)
    for (size_t b = 0; b < m; b++) {
      double sum = 0;
      for (size_t a = 0; a < m; a++) sum += s->kernel[i * m + a] * product[a * m + b];
      assert_near(sum, s->kernel[i * m + b], tolerance * fabs(s->kernel[i * m + b]) + tolerance);
    }
}

/* ---- Constants of numpy: eigh, cholesky and the formulas of Kessy et al., on these seven rows ---- */

static const float SEVEN[7 * 3] = {2, 1,    0.5f, 0, 3,  -1, -1,    0.5f, 2, 4, -2,
                                   1, 1.5f, 1,    3, -2, 2,  -0.5f, 3,    0, -2};

TEST(whiten_constants_of_numpy) {
  static const double MEAN[] = {1.0714285714285714, 0.7857142857142857, 0.42857142857142855};
  static const double EIGENVALUES[] = {6.332467394665386, 3.17462869037066, 0.7190943911544309};
  static const double CORRELATION[] = {1.7537245934883878, 1.0183804928790718, 0.22789491363254036};
  static const double KERNELS[MODEL_METHODS][9] = {
      {0.330494232, -0.113639165, 0.609721138, -0.218515228, -0.0959009558, 0.964132013, 0.030675492, 0.541189999,
       0.298877258},
      {0.613121229, 0.336180289, 0.0704651393, 0.336180289, 0.924797548, 0.135013867, 0.0704651393, 0.135013867,
       0.599967612},
      {-0.235550624, -0.139765292, 0.647210731, 0.340345757, -0.0210875662, 0.932853963, -0.0833672408,
       0.541149477, 0.288725411},
      {0.635709883, 0.29186075, 0.0677525667, 0.401237115, 0.897955995, 0.138492759, 0.0843245845, 0.125380536,
       0.600270191},
      {0.70278031, 0, 0, 0.749212439, 0.6520561, 0, 0.186216764, 0.138082468, 0.573944043}};
  gather(7, 3, SEVEN, 0);
  for (int method = 0; method < MODEL_METHODS; method++) {
    struct solved s = solve(with_method((enum model_method)method));
    int correlation = method == MODEL_PCA_COR || method == MODEL_ZCA_COR;
    check_close(s.mean, MEAN, 3, 1e-15);
    check_close(s.eigenvalues, correlation ? CORRELATION : EIGENVALUES, 3, 1e-14);
    check_close(s.kernel, KERNELS[method], 9, 2e-7);
    assert_true(s.h.d == 3 && s.h.k == 3 && s.h.m == 3 && s.h.rank == 3 && s.h.n == 7 && s.h.weight == 7);
    done(&s);
  }
  end();
}

TEST(whiten_ridge_and_power_of_numpy) {
  static const double RIDGE[] = {0.293364736, -0.0916662302, 0.332128636, -0.193966054, -0.0773578289,
                                 0.525184105, 0.0272292425,  0.436547091, 0.162805075};
  static const double POWER[] = {0.524272557, -0.151688015, 0.561471513, -0.346637024, -0.12801067,
                                 0.887836466, 0.0486614199, 0.722392114, 0.275225928};
  static const double CHOLESKY[] = {0.452520714,  0,          0, 0.275384036, 0.493547405, 0, 0.0487131312,
                                    0.0669356882, 0.459311367};
  struct solve_options o = SOLVE_DEFAULTS;
  gather(7, 3, SEVEN, 0);
  o.ridge = 0.5;
  struct solved s = solve(o);
  check_close(s.kernel, RIDGE, 9, 2e-7);
  assert_same_double(s.h.ridge, 0.5);
  assert_near(s.h.ridge_added, (6.332467394665386 + 3.17462869037066 + 0.7190943911544309) / 6, 1e-14);
  done(&s);
  o.method = MODEL_CHOLESKY;
  s = solve(o);
  check_close(s.kernel, CHOLESKY, 9, 2e-7);
  done(&s);
  o = SOLVE_DEFAULTS;
  o.power = 0.5;
  s = solve(o);
  check_close(s.kernel, POWER, 9, 2e-7);
  assert_same_double(s.h.power, 0.5);
  done(&s);
  end();
}

/* Chen et al. 2010, eq. (23), on each row twenty times; with seven rows the formula is beyond 1. */
TEST(whiten_oas_of_numpy) {
  static const double RHO = 0.05465660638029144, ADDED = 0.16084283960490023;
  static const double KERNEL[] = {0.360272207, -0.122059439, 0.597938849, -0.238203743, -0.103006889,
                                  0.945501066, 0.033439395,  0.581290328, 0.293101735};
  struct solve_options o = SOLVE_DEFAULTS;
  o.oas = 1;
  gather(7, 3, SEVEN, 20);
  struct solved s = solve(o);
  assert_near(s.h.rho, RHO, 1e-14);
  assert_near(s.h.ridge_added, ADDED, 1e-14);
  check_close(s.kernel, KERNEL, 9, 2e-7);
  assert_same_double(s.h.ridge, 0);
  assert_true(s.h.flags & MODEL_OAS);
  assert_true(s.h.weight == 140 && s.h.n == 7);
  done(&s);
  gather(7, 3, SEVEN, 0);
  s = solve(o);
  assert_same_double(s.h.rho, 1);
  double scale = 1 / sqrt(10.226190476190476 / 3); /* a multiple of a rotation */
  for (size_t a = 0; a < 3; a++)
    for (size_t b = 0; b < 3; b++) {
      double sum = 0;
      for (size_t i = 0; i < 3; i++) sum += s.kernel[i * 3 + a] * s.kernel[i * 3 + b];
      assert_near(sum, a == b ? scale * scale : 0, 1e-6);
    }
  done(&s);
  end();
}

/* ---- What defines the methods ---- */

TEST(whiten_gives_the_identity) {
  static const double CONDITIONS[] = {1, 100, 1e3};
  struct random r = {random_seed()};
  for (int method = 0; method < MODEL_METHODS; method++)
    for (size_t c = 0; c < COUNT(CONDITIONS); c++)
      for (size_t d = 1; d <= MAX; d += d < 4 ? 1 : 10) {
        gather_random(&r, 300, d, CONDITIONS[c]);
        struct solved s = solve(with_method((enum model_method)method));
        assert_int_equal(s.h.rank, d);
        check_whitens(&s, NULL, 2e-4 * CONDITIONS[c] / 100 + 1e-5);
        check_inverse(&s, 1e-6 * CONDITIONS[c] + 1e-5);
        done(&s);
      }
  end();
}

TEST(whiten_with_a_ridge_gives_the_identity) {
  struct random r = {random_seed() + 1};
  double unit[MAX];
  for (int method = 0; method < MODEL_METHODS; method++)
    for (int oas = 0; oas < 2; oas++) {
      int correlation = method == MODEL_PCA_COR || method == MODEL_ZCA_COR;
      struct solve_options o = with_method((enum model_method)method);
      gather_random(&r, 30, 14, 1000);
      for (size_t i = 0; i < 14; i++) unit[i] = correlation ? cov[i * 14 + i] : 1;
      o.ridge = oas ? 0 : 0.1;
      o.oas = oas;
      struct solved s = solve(o);
      if (correlation) { /* shrinks the correlation, whose mean eigenvalue is 1: the diagonal stays what it is */
        assert_near(s.h.ridge_added, oas ? s.h.rho : 0.1, 1e-12);
      } else {
        double trace = 0;
        for (size_t i = 0; i < 14; i++) trace += cov[i * 14 + i];
        assert_near(s.h.ridge_added, (oas ? s.h.rho : 0.1) * trace / 14, 1e-12);
      }
      check_whitens(&s, unit, 1e-5);
      check_inverse(&s, 1e-4);
      done(&s);
    }
  end();
}

/* power p leaves the variances s^(1 - p); 0 rotates: an orthonormal kernel. */
TEST(whiten_power) {
  static const double POWERS[] = {0, 0.25, 0.5, 1};
  struct random r = {random_seed() + 2};
  double out[MAX * MAX];
  gather_random(&r, 200, 9, 30);
  for (size_t p = 0; p < COUNT(POWERS); p++) {
    struct solve_options o = SOLVE_DEFAULTS;
    o.power = POWERS[p];
    struct solved s = solve(o);
    project(&s, NULL, out);
    for (size_t a = 0; a < 9; a++)
      for (size_t b = 0; b < 9; b++)
        assert_near(out[a * 9 + b], a == b ? pow(s.eigenvalues[a], 1 - POWERS[p]) : 0, 1e-5);
    check_inverse(&s, 1e-4);
    for (size_t a = 0; a < 9 && POWERS[p] == 0; a++)
      for (size_t b = 0; b < 9; b++) {
        double sum = 0;
        for (size_t i = 0; i < 9; i++) sum += s.kernel[i * 9 + a] * s.kernel[i * 9 + b];
        assert_near(sum, a == b, 1e-6);
      }
    done(&s);
  }
  end();
}

/* Largest magnitude positive, eigenvalues descending and those of the covariance: trace and squares agree. */
TEST(whiten_signs_and_order) {
  struct random r = {random_seed() + 3};
  for (int repeat = 0; repeat < 20; repeat++) {
    gather_random(&r, 100, 11, 20);
    struct solved s = solve(SOLVE_DEFAULTS);
    double trace = 0, squares = 0, sum = 0, sum2 = 0;
    for (size_t j = 0; j < 11; j++) {
      size_t largest = 0;
      for (size_t i = 0; i < 11; i++)
        if (fabs(s.kernel[i * 11 + j]) > fabs(s.kernel[largest * 11 + j])) largest = i;
      assert_true(s.kernel[largest * 11 + j] > 0);
      if (j > 0) assert_true(s.eigenvalues[j] <= s.eigenvalues[j - 1]);
      sum += s.eigenvalues[j];
      sum2 += s.eigenvalues[j] * s.eigenvalues[j];
      trace += cov[j * 11 + j];
    }
    for (size_t i = 0; i < 121; i++) squares += cov[i] * cov[i];
    assert_near(sum, trace, 1e-13 * trace);
    assert_near(sum2, squares, 1e-12 * squares);
    done(&s);
  }
  end();
}

/* zca: symmetric. zca-cor: V^(1/2) K symmetric. cholesky: lower triangle, positive diagonal. */
TEST(whiten_shapes_of_methods) {
  struct random r = {random_seed() + 4};
  size_t d = 8;
  gather_random(&r, 100, d, 10);
  struct solved zca = solve(with_method(MODEL_ZCA)), cor = solve(with_method(MODEL_ZCA_COR));
  struct solved cholesky = solve(with_method(MODEL_CHOLESKY));
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) {
      assert_near(zca.kernel[i * d + j], zca.kernel[j * d + i], 1e-6);
      assert_near(cor.kernel[i * d + j] * sqrt(cov[i * d + i]), cor.kernel[j * d + i] * sqrt(cov[j * d + j]),
                  1e-6);
      if (j > i) assert_same_double(cholesky.kernel[i * d + j], 0);
      if (j == i) assert_true(cholesky.kernel[i * d + j] > 0);
    }
  done(&zca);
  done(&cor);
  done(&cholesky);
  end();
}

/* zca with k < d: symmetric, and its product with the covariance a projection of rank k. */
TEST(whiten_zca_of_fewer_components) {
  struct random r = {random_seed() + 5};
  size_t d = 8;
  double out[MAX * MAX];
  gather_random(&r, 100, d, 10);
  struct solve_options o = with_k(3);
  o.method = MODEL_ZCA;
  struct solved s = solve(o);
  assert_true(s.h.k == 3 && s.h.m == d);
  project(&s, NULL, out);
  double trace = 0;
  for (size_t a = 0; a < d; a++) {
    trace += out[a * d + a];
    for (size_t b = 0; b < d; b++) {
      double squared = 0;
      for (size_t c = 0; c < d; c++) squared += out[a * d + c] * out[c * d + b];
      assert_near(squared, out[a * d + b], 1e-5);
    }
  }
  assert_near(trace, 3, 1e-5);
  check_inverse(&s, 1e-5);
  done(&s);
  end();
}

/* ---- Which components ---- */

/* k and remove choose among the columns of the full kernel. */
TEST(whiten_k_and_remove) {
  struct random r = {random_seed() + 6};
  size_t d = 10;
  gather_random(&r, 100, d, 10);
  struct solved full = solve(SOLVE_DEFAULTS);
  for (int64_t remove = 0; remove < 10; remove++)
    for (int64_t k = 0; k <= 10 - remove; k++) {
      struct solve_options o = k ? with_k(k) : SOLVE_DEFAULTS;
      o.remove = remove;
      struct solved s = solve(o);
      size_t kept = k ? (size_t)k : d - (size_t)remove;
      assert_true(s.h.k == kept && s.h.m == kept && s.h.remove == remove && s.h.rank == d);
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < kept; j++)
          assert_same_double(s.kernel[i * kept + j], full.kernel[i * d + j + (size_t)remove]);
      done(&s);
    }
  done(&full);
  end();
}

/* The smallest k whose share of what `remove` leaves is reached. */
TEST(whiten_k_by_share) {
  struct random r = {random_seed() + 7};
  size_t d = 10;
  gather_random(&r, 100, d, 10);
  struct solved full = solve(SOLVE_DEFAULTS);
  for (size_t remove = 0; remove < 9; remove += 4) {
    double total = 0, cumulative = 0;
    for (size_t j = remove; j < d; j++) total += full.eigenvalues[j];
    for (size_t j = remove; j + 1 < d; j++) {
      struct solve_options o = SOLVE_DEFAULTS;
      cumulative += full.eigenvalues[j];
      o.k_kind = SOLVE_K_SHARE;
      o.remove = (int64_t)remove;
      o.share = cumulative / total * (1 - 1e-9);
      struct solved s = solve(o);
      assert_int_equal(s.h.k, j - remove + 1);
      done(&s);
      o.share = cumulative / total * (1 + 1e-9);
      s = solve(o);
      assert_int_equal(s.h.k, j - remove + 2);
      done(&s);
    }
  }
  struct solve_options o = SOLVE_DEFAULTS;
  o.k_kind = SOLVE_K_SHARE;
  o.share = DBL_MIN;
  struct solved s = solve(o);
  assert_int_equal(s.h.k, 1);
  done(&s);
  done(&full);
  end();
}

static void expect_refusal(struct solve_options o, enum status status, size_t rank) {
  struct solved s;
  struct solve_limit limit;
  enum status rc = try_solve(o, &s, &limit);
  assert_int_equal(rc, status);
  if (status == STATUS_RANK) assert_int_equal(limit.components, rank);
}

/* Column 3 twice column 1, column 4 constant: rank d - 2 (d - 1 in a correlation, less the constant). */
static void gather_deficient(void) {
  struct random r = {random_seed() + 8};
  float rows[50 * 5];
  for (size_t i = 0; i < 50; i++) {
    for (size_t j = 0; j < 3; j++) rows[i * 5 + j] = (float)random_normal(&r);
    rows[i * 5 + 3] = 2 * rows[i * 5 + 1];
    rows[i * 5 + 4] = 1e3f;
  }
  gather(50, 5, rows, 0);
}

TEST(whiten_rank_deficient) {
  for (int method = 0; method < MODEL_CHOLESKY; method++) {
    struct solve_options o = with_method((enum model_method)method);
    gather_deficient();
    struct solved s = solve(o);
    assert_true(s.h.rank == 3 && s.h.k == 3);
    check_inverse(&s, 1e-5);
    if (s.h.m == 3) check_whitens(&s, NULL, 1e-5);
    int correlation = method == MODEL_PCA_COR || method == MODEL_ZCA_COR;
    for (size_t j = 0; correlation && j < s.h.m; j++) assert_same_double(s.kernel[4 * s.h.m + j], 0);
    done(&s);
    o.k_kind = SOLVE_K_COUNT;
    o.k = 4;
    expect_refusal(o, STATUS_RANK, 3);
    o.k = 3;
    o.remove = 1;
    expect_refusal(o, STATUS_RANK, 2);
    o.remove = 3;
    o.k_kind = SOLVE_K_ALL;
    expect_refusal(o, STATUS_RANK, 0);
    o.remove = 0;
    o.ridge = 0.5; /* gives every direction variance, but a constant column has no correlation */
    s = solve(o);
    assert_true(s.h.rank == 3 && s.h.k == (correlation ? 4 : 5));
    done(&s);
  }
  expect_refusal(with_method(MODEL_CHOLESKY), STATUS_RANK, 3);
  struct solve_options o = with_method(MODEL_CHOLESKY);
  o.ridge = 0.5;
  struct solved s = solve(o);
  check_whitens(&s, NULL, 1e-5);
  done(&s);
  end();
}

/* A third of another column, rounded to float32 far from zero: what is left is rounding, not a direction. */
TEST(whiten_rounding_is_no_variance) {
  static const double MEANS[] = {0, 10, -1000};
  struct random r = {random_seed() + 10};
  for (size_t m = 0; m < COUNT(MEANS); m++) {
    float rows[200 * 3];
    for (size_t i = 0; i < 200; i++) {
      rows[i * 3] = (float)(MEANS[m] + random_normal(&r));
      rows[i * 3 + 1] = rows[i * 3] / 3;
      rows[i * 3 + 2] = (float)(MEANS[m] + random_normal(&r));
    }
    gather(200, 3, rows, 0);
    for (int method = 0; method < MODEL_CHOLESKY; method++) {
      struct solved s = solve(with_method((enum model_method)method));
      assert_int_equal(s.h.rank, 2);
      done(&s);
    }
  }
  end();
}

/* Whatever the eigenvalues say: n rows have at most n - 1 directions. */
TEST(whiten_rank_is_below_the_rows) {
  gather(7, 3, SEVEN, 0);
  moments.rows = 3;
  struct solved s = solve(SOLVE_DEFAULTS);
  assert_int_equal(s.h.rank, 2);
  assert_int_equal(s.h.k, 2);
  done(&s);
  end();
}

TEST(whiten_fewer_rows_than_dimensions) {
  struct random r = {random_seed() + 9};
  for (size_t n = 2; n < 10; n++) {
    gather_random(&r, n, 12, 1);
    struct solved s = solve(SOLVE_DEFAULTS);
    assert_int_equal(s.h.rank, n - 1);
    assert_int_equal(s.h.k, n - 1);
    check_whitens(&s, NULL, 1e-4);
    done(&s);
    expect_refusal(with_k((int64_t)n), STATUS_RANK, n - 1);
  }
  end();
}

TEST(whiten_refusals) {
  static const float SAME[] = {1, 2, 1, 2, 1, 2}, TINY[] = {0, 1e-43f, 2e-43f};
  gather(3, 2, SAME, 0);
  for (int method = 0; method < MODEL_METHODS; method++)
    expect_refusal(with_method((enum model_method)method), STATUS_NO_VARIANCE, 0);
  gather(1, 2, SAME, 0);
  expect_refusal(SOLVE_DEFAULTS, STATUS_NO_VARIANCE, 0);
  gather(1, 2, SAME, 5);
  expect_refusal(SOLVE_DEFAULTS, STATUS_NO_VARIANCE, 0);
  gather(7, 3, SEVEN, 1 / 7.0);
  expect_refusal(SOLVE_DEFAULTS, STATUS_WEIGHT, 0);
  gather(7, 3, SEVEN, 0.01);
  expect_refusal(SOLVE_DEFAULTS, STATUS_WEIGHT, 0);
  gather(3, 1, TINY, 0);
  expect_refusal(SOLVE_DEFAULTS, STATUS_OVERFLOW, 0); /* 1 / 1e-43 is beyond float32 */
  gather(7, 3, SEVEN, 0);
  struct solve_options o = with_k(2);
  o.method = MODEL_CHOLESKY;
  expect_refusal(o, STATUS_K_CHOLESKY, 0);
  o = with_method(MODEL_CHOLESKY);
  o.remove = 1;
  expect_refusal(o, STATUS_K_CHOLESKY, 0);
  o.remove = 0;
  o.power = 0.5;
  expect_refusal(o, STATUS_K_CHOLESKY, 0);
  end();
}

/* Moments that went out of range, as those of altered shards may: an error, and nothing leaks. */
TEST(whiten_moments_not_finite) {
  static const double BAD[] = {INFINITY, -INFINITY, NAN, 1e308};
  for (size_t b = 0; b < COUNT(BAD); b++)
    for (int method = 0; method < MODEL_METHODS; method++)
      for (size_t at = 0; at < 2; at++) {
        struct solved s;
        struct solve_limit limit;
        gather(7, 3, SEVEN, 0);
        moments.cross[at] = BAD[b];
        if (try_solve(with_method((enum model_method)method), &s, &limit) == STATUS_OK) done(&s);
        moments.cross[at] = 1;
        moments.mean[1] = BAD[b];
        if (try_solve(with_method((enum model_method)method), &s, &limit) == STATUS_OK) done(&s);
      }
  end();
}

TEST(whiten_flags_and_repetition) {
  struct solve_options o = SOLVE_DEFAULTS;
  o.normalize = 1;
  gather(7, 3, SEVEN, 0);
  struct solved s = solve(o), again = solve(o);
  assert_int_equal(s.h.flags, MODEL_NORMALIZE | MODEL_SCALES);
  assert_memory_equal(s.blob, again.blob, s.h.size);
  done(&s);
  done(&again);
  moments.precision = SCATTER_SINGLE;
  s = solve(with_method(MODEL_ZCA));
  assert_int_equal(s.h.flags, MODEL_SINGLE | MODEL_INVERSE);
  done(&s);
  end();
}

/* ---- Import ---- */

TEST(whiten_import_keeps_what_it_gets) {
  static const float KERNEL[] = {3, 0, 4, 0, 0, 2}, BIAS[] = {-1, 2.5f, 0}; /* 3 x 2 */
  static const float INVERSE[] = {0.12f, 0.16f, 0, 0, 0, 0.5f};
  _Alignas(8) char bytes[1 + sizeof KERNEL];
  void *blob = NULL;
  uint64_t size;
  struct model_header h;
  struct model_arrays arrays;
  memcpy(bytes + 1, KERNEL, sizeof KERNEL);
  assert_int_equal(solve_import(&(struct solve_arrays){3, 2, bytes + 1, BIAS}, &faulty_memory, &blob, &size),
                   STATUS_OK);
  assert_int_equal(model_read(blob, size, &h, &arrays), STATUS_OK);
  assert_int_equal(blob_check_hash(blob, size), STATUS_OK);
  assert_true(h.d == 3 && h.k == 2 && h.m == 2 && h.n == 0);
  assert_int_equal(h.flags, MODEL_IMPORTED | MODEL_INVERSE);
  assert_null(arrays.eigenvalues);
  assert_memory_equal(arrays.kernel, KERNEL, sizeof KERNEL);
  for (size_t i = 0; i < 3; i++) {
    double mean;
    memcpy(&mean, (const char *)arrays.mean + 8 * i, 8);
    assert_near(mean, -(double)BIAS[i], 0);
  }
  for (size_t i = 0; i < 6; i++) {
    float x;
    memcpy(&x, (const char *)arrays.inverse + 4 * i, 4);
    assert_near(x, INVERSE[i], 1e-8);
  }
  faulty_release(blob);
  end();
}

TEST(whiten_import_without_inverse) {
  static const float TWICE[] = {1, 2, 2, 4, 3, 6}, ZERO[6] = {0}, TINY[] = {1e-40f, 0, 0, 1, 0, 0}, BIAS[3] = {0};
  static const float *const KERNELS[] = {TWICE, ZERO, TINY};
  for (size_t i = 0; i < COUNT(KERNELS); i++) {
    void *blob = NULL;
    uint64_t size;
    struct model_header h;
    struct model_arrays arrays;
    assert_int_equal(solve_import(&(struct solve_arrays){3, 2, KERNELS[i], BIAS}, &faulty_memory, &blob, &size),
                     STATUS_OK);
    assert_int_equal(model_read(blob, size, &h, &arrays), STATUS_OK);
    assert_int_equal(h.flags, MODEL_IMPORTED);
    assert_null(arrays.inverse);
    assert_memory_equal(arrays.kernel, KERNELS[i], sizeof TWICE);
    faulty_release(blob);
  }
  end();
}

/* ---- Memory ---- */

static struct solve_options faulty_options;

static enum status solve_once(void) {
  void *blob = NULL;
  uint64_t size;
  struct solve_limit limit;
  struct moments m = moments;
  enum status rc = solve_moments(&m, &faulty_options, &blob, &size, &limit);
  if (rc != STATUS_OK) assert_null(blob);
  faulty_release(blob);
  return rc;
}

static enum status import_once(void) {
  static const float KERNEL[] = {3, 0, 4, 0, 0, 2}, BIAS[] = {-1, 2.5f, 0};
  void *blob = NULL;
  uint64_t size;
  enum status rc = solve_import(&(struct solve_arrays){3, 2, KERNEL, BIAS}, &faulty_memory, &blob, &size);
  if (rc != STATUS_OK) assert_null(blob);
  faulty_release(blob);
  return rc;
}

/* The moments are not to be counted as a leak: their blocks are there before and after. */
TEST(whiten_out_of_memory) {
  for (int method = 0; method < MODEL_METHODS; method++) {
    gather(7, 3, SEVEN, 0);
    uint64_t before = faulty.live;
    faulty.live = 0;
    faulty_options = with_method((enum model_method)method);
    assert_in_range(faulty_exhaust(solve_once), 8, 20);
    faulty.live = before;
  }
  end();
  assert_in_range(faulty_exhaust(import_once), 6, 12);
}

static int begin(void **state) {
  moments = (struct moments){0};
  return faulty_begin(state);
}

#define whiten_test(test) cmocka_unit_test_setup(test, begin)

UNIT_MAIN(whiten_test(whiten_constants_of_numpy), whiten_test(whiten_ridge_and_power_of_numpy),
          whiten_test(whiten_oas_of_numpy), whiten_test(whiten_gives_the_identity),
          whiten_test(whiten_with_a_ridge_gives_the_identity), whiten_test(whiten_power),
          whiten_test(whiten_signs_and_order), whiten_test(whiten_shapes_of_methods),
          whiten_test(whiten_zca_of_fewer_components), whiten_test(whiten_k_and_remove),
          whiten_test(whiten_k_by_share), whiten_test(whiten_rank_deficient),
          whiten_test(whiten_rounding_is_no_variance), whiten_test(whiten_rank_is_below_the_rows),
          whiten_test(whiten_fewer_rows_than_dimensions), whiten_test(whiten_refusals),
          whiten_test(whiten_moments_not_finite), whiten_test(whiten_flags_and_repetition),
          whiten_test(whiten_import_keeps_what_it_gets), whiten_test(whiten_import_without_inverse),
          whiten_test(whiten_out_of_memory))
