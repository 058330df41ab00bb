/* What the tests of fitting share: moments and the covariance of rows, a model solved and widened, what defines it. */
#ifndef WHITEN_TESTS_SOLVE_H
#define WHITEN_TESTS_SOLVE_H

#include "core/blob.h"
#include "core/solve.h"
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
static inline void gather(size_t n, size_t d, const float *rows, double weight) {
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
static inline void gather_random(struct random *r, size_t n, size_t d, double condition) {
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

static inline enum status try_solve(struct solve_options o, struct solved *s, struct solve_limit *limit) {
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

static inline struct solved solve(struct solve_options o) {
  struct solved s;
  struct solve_limit limit;
  assert_int_equal(try_solve(o, &s, &limit), STATUS_OK);
  return s;
}

static inline void done(struct solved *s) {
  faulty_release(s->blob);
  s->blob = NULL;
}

static inline void end(void) {
  moments_clear(&moments);
  assert_int_equal(faulty.live, 0);
}

static inline struct solve_options with_method(enum model_method method) {
  struct solve_options o = SOLVE_DEFAULTS;
  o.method = method;
  return o;
}

static inline struct solve_options with_k(int64_t k) {
  struct solve_options o = SOLVE_DEFAULTS;
  o.k_kind = SOLVE_K_COUNT;
  o.k = k;
  return o;
}

static inline void check_close(const double *found, const double *expected, size_t count, double tolerance) {
  for (size_t i = 0; i < count; i++) assert_near(found[i], expected[i], tolerance);
}

/* K^T A K for A = (1 - rho) cov + added * diag(unit), symmetric d x d. */
static inline void project(const struct solved *s, const double *unit, double *out) {
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

static inline void check_whitens(const struct solved *s, const double *unit, double tolerance) {
  double out[MAX * MAX];
  project(s, unit, out);
  for (size_t a = 0; a < s->h.m; a++)
    for (size_t b = 0; b < s->h.m; b++) assert_near(out[a * s->h.m + b], a == b, tolerance);
}

/* kernel @ inverse @ kernel = kernel, and inverse @ kernel = identity when nothing was left out. */
static inline void check_inverse(const struct solved *s, double tolerance) {
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

/* Seven rows of three, whose constants numpy gave. */
static const float SEVEN[7 * 3] = {2, 1,    0.5f, 0, 3,  -1, -1,    0.5f, 2, 4, -2,
                                   1, 1.5f, 1,    3, -2, 2,  -0.5f, 3,    0, -2};

static inline int begin(void **state) {
  moments = (struct moments){0};
  return faulty_begin(state);
}

#define solve_test(test) cmocka_unit_test_setup(test, begin)

#endif
