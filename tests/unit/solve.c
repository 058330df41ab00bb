/*
** core/solve: kernels against constants of numpy and against what defines them (the covariance of what they give is the
** identity, the inverse is one, the eigenvectors are orthonormal); faults.
*/
#include "core/solve.h"

#include "solve.h"

/* ---- Constants of numpy: eigh, cholesky and the formulas of Kessy et al., on the seven rows ---- */

TEST(solve_constants_of_numpy) {
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

TEST(solve_ridge_and_power_of_numpy) {
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
TEST(solve_oas_of_numpy) {
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

TEST(solve_gives_the_identity) {
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

TEST(solve_with_a_ridge_gives_the_identity) {
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
TEST(solve_power) {
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
TEST(solve_signs_and_order) {
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
TEST(solve_shapes_of_methods) {
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
TEST(solve_zca_of_fewer_components) {
  struct random r = {random_seed() + 5};
  size_t d = 8;
  double out[MAX * MAX] = {0};
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

/* The moments are not to be counted as a leak: their blocks are there before and after. */
TEST(solve_out_of_memory) {
  for (int method = 0; method < MODEL_METHODS; method++) {
    gather(7, 3, SEVEN, 0);
    uint64_t before = faulty.live;
    faulty.live = 0;
    faulty_options = with_method((enum model_method)method);
    assert_in_range(faulty_exhaust(solve_once), 8, 20);
    faulty.live = before;
  }
  end();
}

UNIT_MAIN(solve_test(solve_constants_of_numpy), solve_test(solve_ridge_and_power_of_numpy),
          solve_test(solve_oas_of_numpy), solve_test(solve_gives_the_identity),
          solve_test(solve_with_a_ridge_gives_the_identity), solve_test(solve_power),
          solve_test(solve_signs_and_order), solve_test(solve_shapes_of_methods),
          solve_test(solve_zca_of_fewer_components), solve_test(solve_out_of_memory))
