/* See neighbours.h. */
#include "core/neighbours.h"

#include <math.h>

#include "core/linalg.h"

enum { BLOCK = 64 };

/* Row `row`'s products with all, which become cosines: adds to the sums. */
static void add_row(const float *products, const float *inverse, size_t count, size_t row,
                    struct neighbours *sums) {
  double sum = 0, squares = 0, best = -1, others = (double)count - 1;
  for (size_t i = 0; i < count; i++) {
    double cosine = (double)products[i] * (double)inverse[i];
    if (i == row) continue;
    sum += cosine;
    squares += cosine * cosine;
    if (cosine > best) best = cosine;
  }
  double mean = sum / others, variance = squares / others - mean * mean;
  sums->mean_cosine += mean;
  if (variance > 0) sums->contrast += (best - mean) / sqrt(variance);
}

enum status neighbours_measure(const struct eigenbasis_rows *r, const double *weights, const double *squares,
                               struct neighbours *n) {
  size_t d = r->d, count = r->count;
  float *block = memory_array(r->mem, BLOCK * d, sizeof *block),
        *inverse = memory_array(r->mem, count, sizeof *block);
  float *products = memory_array(r->mem, BLOCK * count, sizeof *products);
  enum status rc = block != NULL && inverse != NULL && products != NULL ? STATUS_OK : STATUS_NOMEM;
  *n = (struct neighbours){count < 3 ? NAN : 0, count < 3 ? NAN : 0};
  for (size_t i = 0; rc == STATUS_OK && i < count; i++) {
    inverse[i] = (float)(1 / sqrt(squares[i]));
    if (!isfinite(inverse[i])) inverse[i] = 0;
  }
  for (size_t first = 0; rc == STATUS_OK && first < count; first += BLOCK) {
    size_t rows = count - first < BLOCK ? count - first : BLOCK;
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < d; j++)
        block[i * d + j] = (float)((double)r->rows[(first + i) * d + j] * (double)inverse[first + i] *
                                   (weights != NULL ? weights[j] : 1));
    linalg_multiply_single(rows, d, count, block, r->rows, products);
    for (size_t i = 0; i < rows; i++) add_row(products + i * count, inverse, count, first + i, n);
    rc = watch_look(r->watch);
  }
  n->mean_cosine /= (double)count;
  n->contrast /= (double)count;
  r->mem->release(block);
  r->mem->release(inverse);
  r->mem->release(products);
  return rc;
}

double neighbours_isoscore(size_t d, const double *eigenvalues, const double *weights) {
  double sum = 0, squares = 0;
  for (size_t j = 0; j < d; j++) {
    double value = (eigenvalues[j] > 0 ? eigenvalues[j] : 0) * (weights != NULL ? weights[j] : 1);
    sum += value;
    squares += value * value;
  }
  if (d < 2 || !(squares > 0)) return NAN;
  double score = (sum * sum / squares - 1) / ((double)d - 1);
  return score < 0 ? 0 : score > 1 ? 1 : score;
}
