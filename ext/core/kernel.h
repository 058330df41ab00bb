/*
** The kernel of a model, from the directions of the moments, by method; and its inverse. Sources: see solve.h.
*/
#ifndef WHITEN_CORE_KERNEL_H
#define WHITEN_CORE_KERNEL_H

#include "core/model.h"
#include "core/spectrum.h"

/* Which components, and what is done to their eigenvalues s: (1 - rho) s + ridge_added, to the power -power / 2. */
struct kernel_choice {
  enum model_method method;
  size_t first, k; /* the components first .. first + k - 1; all of them for cholesky */
  double rho, ridge_added, power;
};

/* A zeroed struct is empty. Owned: every pointer. */
struct kernel {
  const struct memory *mem;
  float *matrix,
      *inverse; /* d x m and m x d, row-major; no inverse for pca and pca-cor, which have scales instead: */
  double *row_scale, *column_scale; /* d and k: inverse_ji = matrix_ij row_scale_i column_scale_j */
};

/* STATUS_OVERFLOW: a scale so small that float32 keeps none or few of its bits; STATUS_SOLVER; STATUS_NOMEM. */
enum status kernel_init(struct kernel *kernel, const struct spectrum *s, const struct kernel_choice *choice);
void kernel_clear(struct kernel *kernel);

#endif
