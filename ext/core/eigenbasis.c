/* See eigenbasis.h. Products are summed in float64: a ratio of 1e4 between scales would take four digits of float32. */
#include "core/eigenbasis.h"

#include <math.h>

#include "core/linalg.h"

enum { BLOCK_ROWS = 256, BLOCK_LEAST = 8 };
static const double BLOCK_WORK = 0x1p30; /* multiplications between two looks at the watch */

/* c (n x m) = a (n x d) * b^T, b of shape m x d: all row-major, so their transposes are column-major. */
static void multiply(size_t d, size_t n, const double *a, size_t m, const double *b, double *c) {
  struct linalg_matrix left = {b, m, d, d, 1}, right = {a, d, n, d, 0};
  linalg_multiply(&left, &right, c);
}

static size_t rows_of_block(double work) {
  double rows = BLOCK_WORK / work;
  return rows > BLOCK_ROWS ? BLOCK_ROWS : rows < BLOCK_LEAST ? BLOCK_LEAST : (size_t)rows;
}

enum status eigenbasis_rotate(const struct eigenbasis_rows *r, const struct spectrum *s, const double *mean) {
  size_t d = r->d, block = rows_of_block((double)d * (double)d);
  double *centred = memory_array(r->mem, 2 * block * d, sizeof *centred), sum = 0;
  enum status rc = centred != NULL ? STATUS_OK : STATUS_NOMEM;
  for (size_t j = 0; j < d; j++) sum += s->w[j] > 0 ? s->w[j] : 0;
  double unit = sqrt(sum / (double)d);
  for (size_t first = 0; rc == STATUS_OK && first < r->count; first += block) {
    size_t count = r->count - first < block ? r->count - first : block;
    float *rows = r->rows + first * d;
    double *rotated = centred + block * d;
    for (size_t i = 0; i < count; i++)
      for (size_t j = 0; j < d; j++) centred[i * d + j] = ((double)rows[i * d + j] - mean[j]) / unit;
    multiply(d, count, centred, d, s->vectors, rotated);
    for (size_t i = 0; i < count * d; i++) rows[i] = (float)rotated[i];
    rc = watch_look(r->watch);
  }
  r->mem->release(centred);
  return rc;
}

enum status eigenbasis_products(const struct eigenbasis_rows *r, const struct eigenbasis_pairs *pairs,
                                size_t settings, const double *weights, double *out) {
  size_t d = r->d, block = rows_of_block((double)d * (double)settings);
  double *products = memory_array(r->mem, block * d, sizeof *products);
  enum status rc = products != NULL ? STATUS_OK : STATUS_NOMEM;
  for (size_t first = 0; rc == STATUS_OK && first < pairs->count; first += block) {
    size_t count = pairs->count - first < block ? pairs->count - first : block;
    for (size_t i = 0; i < count; i++) {
      const float *a = r->rows + (pairs->a != NULL ? pairs->a[first + i] : first + i) * d;
      const float *b = pairs->b != NULL ? r->rows + pairs->b[first + i] * d : a;
      for (size_t j = 0; j < d; j++) products[i * d + j] = (double)a[j] * (double)b[j];
    }
    multiply(d, count, products, settings, weights, out + first * settings);
    rc = watch_look(r->watch);
  }
  r->mem->release(products);
  return rc;
}
