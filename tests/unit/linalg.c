/* core/linalg: against plain loops, matrices whose eigenvalues are known, and the definitions. */
#include "core/linalg.h"

#include "linalg.h"

TEST(linalg_names_itself) {
  assert_true(linalg_threads() >= 1);
  assert_non_null(strstr(linalg_config(), "OpenBLAS"));
}

TEST(linalg_eigen_random) {
  static const double SCALES[] = {1, 1e-100, 1e100};
  struct random r = {random_seed() + 1};
  for (size_t d = 1; d <= MAX; d += d < 6 ? 1 : 11)
    for (size_t s = 0; s < COUNT(SCALES); s++) {
      fill(&r, d * d, a);
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++) a[i * d + j] = a[j * d + i] *= SCALES[s];
      check_eigen(d, a);
    }
  assert_int_equal(faulty.live, 0);
}

/* Second differences: 2 - 2 cos(k pi / (n + 1)); all ones: n once, else 0; the identity. */
TEST(linalg_eigen_closed_forms) {
  size_t d = 30;
  memset(a, 0, sizeof a);
  for (size_t i = 0; i < d; i++) {
    a[i * d + i] = 2;
    if (i + 1 < d) a[i * d + i + 1] = a[(i + 1) * d + i] = -1;
  }
  check_eigen(d, a);
  for (size_t k = 0; k < d; k++)
    assert_near(w[k], 2 - 2 * cos((double)(k + 1) * acos(-1) / (double)(d + 1)), 1e-14);
  for (size_t i = 0; i < d * d; i++) a[i] = 1;
  check_eigen(d, a);
  for (size_t k = 0; k < d; k++) assert_near(w[k], k + 1 == d ? (double)d : 0, 1e-13);
  for (size_t i = 0; i < d * d; i++) a[i] = i % (d + 1) == 0;
  check_eigen(d, a);
  for (size_t k = 0; k < d; k++) assert_near(w[k], 1, 1e-15);
  memset(a, 0, sizeof a);
  check_eigen(d, a);
}

/* The few largest of a large matrix come another way: second differences again, whose vectors are sines. */
TEST(linalg_eigen_of_the_largest) {
  enum { D = 1536, COUNT_TOP = 3 };
  if (is_quick()) skip();
  double *matrix = calloc(D * D, sizeof *matrix), *vectors = calloc(D * COUNT_TOP, sizeof *vectors), all[D];
  assert_true(linalg_prefers_top(D, COUNT_TOP) && !linalg_prefers_top(D, D) && !linalg_prefers_top(20, 1));
  for (size_t i = 0; i < D; i++) {
    matrix[i * D + i] = 2;
    if (i + 1 < D) matrix[i * D + i + 1] = -1;
  }
  assert_int_equal(linalg_eigen(D, COUNT_TOP, matrix, vectors, all, &faulty_memory), STATUS_OK);
  for (size_t k = 0; k < D; k++) assert_near(all[k], 2 - 2 * cos((double)(k + 1) * acos(-1) / (D + 1)), 1e-12);
  for (size_t k = 0; k < COUNT_TOP; k++) { /* sin(i j pi / (D + 1)) */
    const double *v = vectors + k * D;
    double angle = (double)(D - COUNT_TOP + k + 1) * acos(-1) / (D + 1), sign = v[0] * sin(angle) < 0 ? -1 : 1;
    for (size_t i = 0; i < D; i++)
      assert_near(v[i], sign * sqrt(2.0 / (D + 1)) * sin((double)(i + 1) * angle), 1e-8);
  }
  free(matrix);
  free(vectors);
  assert_int_equal(faulty.live, 0);
}

/* L L^T of a known L with a positive diagonal: the factor is L itself. Column-major; the upper triangle is
** not read. */
TEST(linalg_cholesky_finds_the_factor) {
  struct random r = {random_seed() + 2};
  for (size_t d = 1; d <= MAX; d += 13) {
    memset(b, 0, sizeof b);
    for (size_t j = 0; j < d; j++)
      for (size_t i = j; i < d; i++)
        b[j * d + i] = i == j ? 2 + random_uniform(&r) : random_normal(&r) / (double)d;
    for (size_t j = 0; j < d; j++)
      for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t k = 0; k < d; k++) sum += b[k * d + i] * b[k * d + j];
        a[j * d + i] = i >= j ? sum : NAN;
      }
    assert_int_equal(linalg_cholesky(d, a), STATUS_OK);
    for (size_t i = 0; i < d * d; i++) assert_near(a[i], b[i], 1e-13);
    memcpy(c, a, sizeof c);
    assert_int_equal(linalg_invert_lower(d, c), STATUS_OK);
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++) {
        double sum = 0;
        for (size_t k = 0; k < d; k++) sum += b[k * d + i] * c[j * d + k];
        assert_near(sum, i == j, 1e-13);
      }
  }
}

TEST(linalg_cholesky_refuses) {
  double indefinite[] = {1, 2, 2, 1}, singular[] = {1, 1, 1, 1}, zero[] = {0}, negative[] = {-4},
         lower[] = {1, 5, 0, 0};
  assert_int_equal(linalg_cholesky(2, indefinite), STATUS_SOLVER);
  assert_int_equal(linalg_cholesky(2, singular), STATUS_SOLVER);
  assert_int_equal(linalg_cholesky(1, zero), STATUS_SOLVER);
  assert_int_equal(linalg_cholesky(1, negative), STATUS_SOLVER);
  assert_int_equal(linalg_invert_lower(2, lower), STATUS_SOLVER);
}

TEST(linalg_multiply_transposed_against_loops) {
  struct random r = {random_seed() + 3};
  for (size_t n = 1; n < 20; n += 6)
    for (size_t k = 1; k < 20; k += 6) {
      fill(&r, n * k, a);
      fill(&r, n * k, b);
      for (size_t i = 0; i < n * n; i++) c[i] = NAN; /* is overwritten, not added to */
      linalg_multiply_transposed(n, k, a, b, c);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
          double sum = 0;
          for (size_t e = 0; e < k; e++) sum += a[e * n + i] * b[e * n + j];
          assert_near(c[j * n + i], sum, 1e-13);
        }
    }
}

/* P K = I, and K P symmetric: with K of full column rank these define it. */
TEST(linalg_pseudo_inverse_by_definition) {
  struct random r = {random_seed() + 4};
  for (size_t d = 1; d <= MAX; d += 13)
    for (size_t k = 1; k <= d; k += 5) {
      fill(&r, d * k, a);
      if (k == d) /* a square one at random may be badly conditioned */
        for (size_t i = 0; i < d; i++) a[i * k + i] += 20;
      assert_int_equal(linalg_pseudo_inverse(d, k, a, b, &faulty_memory), STATUS_OK);
      for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) {
          double sum = 0;
          for (size_t e = 0; e < d; e++) sum += b[i * d + e] * a[e * k + j];
          assert_near(sum, i == j, 1e-9);
        }
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
          c[i * d + j] = 0;
          for (size_t e = 0; e < k; e++) c[i * d + j] += a[i * k + e] * b[e * d + j];
        }
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) assert_near(c[i * d + j], c[j * d + i], 1e-9);
    }
  static const double K[] = {3, 0, 4, 0, 0, 2}, EXPECTED[] = {0.12, 0.16, 0, 0, 0, 0.5};
  assert_int_equal(linalg_pseudo_inverse(3, 2, K, b, &faulty_memory), STATUS_OK);
  for (size_t i = 0; i < 6; i++) assert_near(b[i], EXPECTED[i], 1e-15);
}

TEST(linalg_pseudo_inverse_of_dependent_columns) {
  static const double ZERO_COLUMN[] = {1, 0, 2, 0, 3, 0}, TWICE[] = {1, 2, 2, 4, 3, 6}, NOTHING[] = {0, 0};
  struct random r = {random_seed() + 5};
  assert_int_equal(linalg_pseudo_inverse(3, 2, ZERO_COLUMN, b, &faulty_memory), STATUS_SOLVER);
  assert_int_equal(linalg_pseudo_inverse(3, 2, TWICE, b, &faulty_memory), STATUS_SOLVER);
  assert_int_equal(linalg_pseudo_inverse(2, 1, NOTHING, b, &faulty_memory), STATUS_SOLVER);
  for (int i = 0; i < 50;
       i++) { /* the last column is the sum of the others, rounded to float32 like a kernel is */
    for (size_t row = 0; row < 10; row++) {
      double sum = 0;
      for (size_t column = 0; column < 4; column++) sum += a[row * 5 + column] = (float)random_normal(&r);
      a[row * 5 + 4] = (float)sum;
    }
    assert_int_equal(linalg_pseudo_inverse(10, 5, a, b, &faulty_memory), STATUS_SOLVER);
  }
  assert_int_equal(faulty.live, 0);
}

UNIT_MAIN(faulty_test(linalg_names_itself), faulty_test(linalg_eigen_random),
          faulty_test(linalg_eigen_closed_forms), faulty_test(linalg_eigen_of_the_largest),
          faulty_test(linalg_cholesky_finds_the_factor), faulty_test(linalg_cholesky_refuses),
          faulty_test(linalg_multiply_transposed_against_loops), faulty_test(linalg_pseudo_inverse_by_definition),
          faulty_test(linalg_pseudo_inverse_of_dependent_columns))
