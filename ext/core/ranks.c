/* See ranks.h. */
#include "core/ranks.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b) {
  const struct ranked *p = a, *q = b;
  if (p->value != q->value) return p->value < q->value ? -1 : 1;
  return (p->place > q->place) - (p->place < q->place);
}

int ranks_standardize(size_t n, const double *values, double *z, struct ranked *work) {
  double middle = ((double)n + 1) / 2, squares = 0;
  for (size_t i = 0; i < n; i++) work[i] = (struct ranked){values[i], i};
  qsort(work, n, sizeof *work, by_value);
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && work[end].value == work[i].value;) end++;
    double centred = ((double)i + (double)end + 1) / 2 - middle;
    for (size_t j = i; j < end; j++) z[work[j].place] = centred;
    squares += (double)(end - i) * centred * centred;
  }
  double scale = squares > 0 ? sqrt((double)n / squares) : 0;
  for (size_t i = 0; i < n; i++) z[i] *= scale;
  return squares > 0;
}

double ranks_correlation(size_t n, const double *x, const double *y) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum / (double)n;
}

void ranks_influence(size_t n, const double *x, const double *y, double *influence) {
  double rho = ranks_correlation(n, x, y);
  for (size_t i = 0; i < n; i++) influence[i] = x[i] * y[i] - rho * (x[i] * x[i] + y[i] * y[i]) / 2;
}

double ranks_error(size_t n, const double *a, const double *b) {
  double mean = 0, squares = 0;
  for (size_t i = 0; i < n; i++) mean += (a[i] - (b != NULL ? b[i] : 0)) / (double)n;
  for (size_t i = 0; i < n; i++) {
    double off = a[i] - (b != NULL ? b[i] : 0) - mean;
    squares += off * off;
  }
  return sqrt(squares / ((double)n - 1) / (double)n);
}
