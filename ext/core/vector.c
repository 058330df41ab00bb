/* See vector.h. The safe range of a sum is 2^-60 .. 2^100: inside it no lane overflowed, and what underflowed is below
** 2^-126 each, too little to be seen in the sum. */
#include "vector.h"

#include <math.h>
#include <string.h>

#include "kernel.h"

#define LANES 32

static float load(const void *p, size_t i) {
  float x;
  memcpy(&x, (const unsigned char *)p + 4 * i, sizeof x);
  return x;
}

static int is_safe(double sum) {
  return sum >= 0x1p-60 && sum <= 0x1p100;
}

/* 2^-e for the binary exponent e of the largest magnitude in a; 1 for the zero vector, NaN when an element is not
** finite. *exponent receives e. */
static double unit_scale(size_t n, const void *a, int *exponent) {
  float largest = 0;
  *exponent = 0;
  for (size_t i = 0; i < n; i++) {
    float x = fabsf(load(a, i));
    if (!(x <= 3.402823466e+38f)) return NAN;
    if (x > largest) largest = x;
  }
  if (largest == 0) return 1;
  (void)frexpf(largest, exponent);
  return ldexp(1.0, -*exponent);
}

/* The fold of kernel.h. */
static double fold(const float lane[LANES]) {
  double sum[LANES];
  for (int i = 0; i < LANES; i++) sum[i] = lane[i];
  for (int step = LANES / 2; step > 0; step /= 2)
    for (int i = 0; i < step; i++) sum[i] += sum[i + step];
  return sum[0];
}

static double dot_scaled(size_t n, const void *a, double scale_a, const void *b, double scale_b) {
  float lane[LANES] = {0};
  for (size_t i = 0; i < n; i++) {
    float x = (float)(load(a, i) * scale_a), y = (float)(load(b, i) * scale_b);
    lane[i % LANES] = fmaf(x, y, lane[i % LANES]);
  }
  return fold(lane);
}

static double l2sq_scaled(size_t n, const void *a, const void *b, double scale) {
  float lane[LANES] = {0};
  for (size_t i = 0; i < n; i++) {
    float d = (float)(load(a, i) * scale) - (float)(load(b, i) * scale);
    lane[i % LANES] = fmaf(d, d, lane[i % LANES]);
  }
  return fold(lane);
}

double vector_dot(size_t n, const void *a, const void *b) {
  double dot = kernel->dot(n, a, b);
  if (is_safe(fabs(dot))) return dot;
  int ea, eb;
  double sa = unit_scale(n, a, &ea), sb = unit_scale(n, b, &eb);
  if (isnan(sa) || isnan(sb)) return NAN;
  return ldexp(dot_scaled(n, a, sa, b, sb), ea + eb);
}

struct vector_square vector_square(size_t n, const void *a) {
  struct vector_square square = {.sum = kernel->dot(n, a, a), .exponent = 0};
  if (is_safe(square.sum)) return square;
  double scale = unit_scale(n, a, &square.exponent);
  square.sum = isnan(scale) ? NAN : dot_scaled(n, a, scale, a, scale);
  return square;
}

double vector_norm(size_t n, const void *a) {
  struct vector_square square = vector_square(n, a);
  return ldexp(sqrt(square.sum), square.exponent);
}

double vector_l2(size_t n, const void *a, const void *b) {
  double sum = kernel->l2sq(n, a, b);
  if (is_safe(sum)) return sqrt(sum);
  int ea, eb;
  double sa = unit_scale(n, a, &ea), sb = unit_scale(n, b, &eb);
  if (isnan(sa) || isnan(sb)) return NAN;
  int exponent = sa < sb ? ea : eb; /* the larger vector sets the scale */
  return ldexp(sqrt(l2sq_scaled(n, a, b, sa < sb ? sa : sb)), exponent);
}

double vector_cosine(size_t n, const void *a, struct vector_square square, const void *b) {
  double sums[2]; /* a.b and b.b */
  kernel->dot2(n, a, b, sums);
  if (square.exponent != 0 || !is_safe(square.sum) || !is_safe(sums[1])) {
    struct vector_square other = vector_square(n, b);
    if (isnan(square.sum) || isnan(other.sum)) return NAN;
    if (square.sum == 0 || other.sum == 0) return COSINE_UNDEFINED;
    sums[0] = dot_scaled(n, a, ldexp(1.0, -square.exponent), b, ldexp(1.0, -other.exponent));
    sums[1] = other.sum;
  }
  double cosine = sums[0] / sqrt(square.sum * sums[1]);
  return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

void vector_divide(size_t n, const void *a, double norm, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)(load(a, i) / norm);
}

void vector_scale(size_t n, const void *a, double factor, float *out) {
  for (size_t i = 0; i < n; i++) out[i] = (float)(load(a, i) * factor);
}

size_t vector_find_not_finite(size_t n, const void *a) {
  if (kernel->is_finite(n, a)) return n;
  for (size_t i = 0; i < n; i++)
    if (!isfinite(load(a, i))) return i;
  return n;
}

double vector_square_f64(size_t n, const void *a) {
  double lane[8] = {0};
  for (size_t i = 0; i < n; i++) lane[i % 8] += (double)load(a, i) * load(a, i);
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
