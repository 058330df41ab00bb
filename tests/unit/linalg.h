/* What the tests of linear algebra share: room for matrices, and what defines eigenvectors. */
#ifndef WHITEN_TESTS_LINALG_H
#define WHITEN_TESTS_LINALG_H

#include "core/linalg.h"
#include "faulty_memory.h"

#define MAX 40

static double a[MAX * MAX], b[MAX * MAX], c[MAX * MAX], w[MAX];

static inline void fill(struct random *r, size_t count, double *out) {
  for (size_t i = 0; i < count; i++) out[i] = random_normal(r);
}

/* A v = w v for each, v orthonormal, w ascending. Of the input only the upper triangle (row-major) is read. */
static inline void check_eigen(size_t d, const double *matrix) {
  double scale = 0;
  for (size_t i = 0; i < d * d; i++) scale = fmax(scale, fabs(matrix[i]));
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) b[i * d + j] = j >= i ? matrix[i * d + j] : NAN;
  assert_int_equal(linalg_eigen(d, d, b, c, w, &faulty_memory), STATUS_OK);
  for (size_t k = 0; k < d; k++) {
    const double *v = c + k * d;
    if (k > 0) assert_true(w[k] >= w[k - 1]);
    for (size_t i = 0; i < d; i++) {
      double sum = 0;
      for (size_t j = 0; j < d; j++) sum += matrix[i * d + j] * v[j];
      assert_near(sum, w[k] * v[i], 1e-13 * scale * (double)d);
    }
    for (size_t other = 0; other <= k; other++) {
      double product = 0;
      for (size_t i = 0; i < d; i++) product += v[i] * c[other * d + i];
      assert_near(product, other == k, 1e-13);
    }
  }
}

#endif
