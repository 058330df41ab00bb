/*
** Rows in the eigenbasis of a covariance, where every whitening is a column of weights: it multiplies component j by some
** c_j, so the product of two whitened rows is the sum of c_j^2 a_j b_j, and those of many settings are one product of
** matrices. Models are not made, and the cosines are theirs but for how whiten_apply rounds.
*/
#ifndef WHITEN_CORE_EIGENBASIS_H
#define WHITEN_CORE_EIGENBASIS_H

#include "core/spectrum.h"

/* Rows of d float32 which are replaced, and components with them: ascending, LAPACK's order. */
struct eigenbasis_rows {
  const struct memory *mem;
  const struct watch *watch;
  size_t d, count;
  float *rows;
};

/*
** rows = (rows - mean) U / sqrt(mean eigenvalue): centred, rotated and in units in which the mean variance is 1. The
** spectrum has all vectors. STATUS_NOMEM, STATUS_STOPPED.
*/
enum status eigenbasis_rotate(const struct eigenbasis_rows *r, const struct spectrum *s, const double *mean);

/* Which products: of rows a[i] and b[i], or of row i with itself where they are NULL. */
struct eigenbasis_pairs {
  size_t count;
  const uint32_t *a, *b;
};

/* out (pairs x settings) = sum of weights[setting][j] a_j b_j; weights: settings x d. STATUS_NOMEM, STATUS_STOPPED. */
enum status eigenbasis_products(const struct eigenbasis_rows *r, const struct eigenbasis_pairs *pairs,
                                size_t settings, const double *weights, double *out);

#endif
