/* core/solve, ranks: which components are kept, which directions are none, and what is refused. */
#include "core/solve.h"

#include <float.h>

#include "solve.h"

/* ---- Which components ---- */

/* k and remove choose among the columns of the full kernel. */
TEST(solve_k_and_remove) {
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
TEST(solve_k_by_share) {
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

TEST(solve_rank_deficient) {
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
TEST(solve_rounding_is_no_variance) {
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
TEST(solve_rank_is_below_the_rows) {
  gather(7, 3, SEVEN, 0);
  moments.rows = 3;
  struct solved s = solve(SOLVE_DEFAULTS);
  assert_int_equal(s.h.rank, 2);
  assert_int_equal(s.h.k, 2);
  done(&s);
  end();
}

TEST(solve_fewer_rows_than_dimensions) {
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

TEST(solve_refusals) {
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
TEST(solve_moments_not_finite) {
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

TEST(solve_flags_and_repetition) {
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

UNIT_MAIN(solve_test(solve_k_and_remove), solve_test(solve_k_by_share), solve_test(solve_rank_deficient),
          solve_test(solve_rounding_is_no_variance), solve_test(solve_rank_is_below_the_rows),
          solve_test(solve_fewer_rows_than_dimensions), solve_test(solve_refusals),
          solve_test(solve_moments_not_finite), solve_test(solve_flags_and_repetition))
