/* See vector.h. The safe range of a sum is 2^-60 .. 2^100: inside it no lane overflowed, and what underflowed is below
** 2^-126 each, too little to be seen in the sum. */
#include "core/vector.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

#define LANES 32

static float load(const void *p, size_t i) {
  float x;
  memcpy(&x, (const unsigned char *)p + 4 * i, sizeof x);
  return x;
}

int vector_square_is_safe(double sum) {
  return sum >= 0x1p-60 && sum <= 0x1p100;
}

/* The fold of core/simd/simd.h. */
static double fold(double lane[LANES]) {
  for (int step = LANES / 2; step > 0; step /= 2)
    for (int i = 0; i < step; i++) lane[i] += lane[i + step];
  return lane[0];
}

/* NaN, if the sum is not finite because an element is not: sums of finite elements cannot leave float64. */
static double finite_or_nan(double sum) {
  return isfinite(sum) ? sum : NAN;
}

static double wide_dot(size_t n, const void *a, const void *b) {
  double lane[LANES] = {0};
  for (size_t i = 0; i < n; i++) lane[i % LANES] += (double)load(a, i) * load(b, i);
  return finite_or_nan(fold(lane));
}

static double wide_l2sq(size_t n, const void *a, const void *b) {
  double lane[LANES] = {0};
  for (size_t i = 0; i < n; i++) {
    double d = (double)load(a, i) - load(b, i);
    lane[i % LANES] += d * d;
  }
  return finite_or_nan(fold(lane));
}

static double wide_l1(size_t n, const void *a, const void *b) {
  double lane[LANES] = {0};
  for (size_t i = 0; i < n; i++) lane[i % LANES] += fabs((double)load(a, i) - load(b, i));
  return finite_or_nan(fold(lane));
}

double vector_dot(size_t n, const void *a, const void *b) {
  double dot = simd->dot(n, a, b);
  return vector_square_is_safe(fabs(dot)) ? dot : wide_dot(n, a, b);
}

double vector_square(size_t n, const void *a) {
  double sum = simd->dot(n, a, a);
  return vector_square_is_safe(sum) ? sum : wide_dot(n, a, a);
}

double vector_norm(size_t n, const void *a) {
  return sqrt(vector_square(n, a));
}

double vector_l2(size_t n, const void *a, const void *b) {
  double sum = simd->l2sq(n, a, b);
  return sqrt(vector_square_is_safe(sum) ? sum : wide_l2sq(n, a, b));
}

/* No difference underflows: it is exact before it could. */
double vector_l1(size_t n, const void *a, const void *b) {
  double sum = simd->l1(n, a, b);
  return sum <= 0x1p100 ? sum : wide_l1(n, a, b);
}

double vector_cosine(size_t n, const void *a, double square, const void *b) {
  double sums[2]; /* a.b and b.b */
  simd->dot2(n, a, b, sums);
  if (!vector_square_is_safe(square) || !vector_square_is_safe(sums[1])) {
    square = wide_dot(n, a, a);
    sums[0] = wide_dot(n, a, b);
    sums[1] = wide_dot(n, b, b);
    if (isnan(square) || isnan(sums[1])) return NAN;
    if (square == 0 || sums[1] == 0) return COSINE_UNDEFINED;
  }
  double cosine = sums[0] / sqrt(square * sums[1]);
  return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

void vector_divide(size_t n, const void *a, double norm, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)(load(a, i) / norm);
}

void vector_scale(size_t n, const void *a, double factor, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)(load(a, i) * factor);
}

size_t vector_find_not_finite(size_t n, const void *a) {
  if (simd->is_finite(n, a)) return n;
  for (size_t i = 0; i < n; i++)
    if (!isfinite(load(a, i))) return i;
  return n;
}

double vector_square_f64(size_t n, const void *a) {
  double lane[8] = {0};
  for (size_t i = 0; i < n; i++) lane[i % 8] += (double)load(a, i) * load(a, i);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
