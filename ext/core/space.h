/*
** Statistics that judge an embedding space: mean cosine and IsoScore.
*/
#ifndef WHITEN_CORE_SPACE_H
#define WHITEN_CORE_SPACE_H

#include "core/base.h"
#include "core/moments.h"

/*
** Mean cosine over the distinct pairs of rows, in O(n d): (|sum u|^2 - n) / (n (n - 1)) for the unit vectors u
** (Ethayarajh 2019 uses it as the measure of anisotropy). Zeroed = empty; owned: sum.
*/
struct mean_cosine {
  const struct memory *mem;
  size_t dim;
  int64_t rows; /* rows that are not zero */
  double *sum;  /* of the unit vectors */
};
enum status mean_cosine_init(struct mean_cosine *m, size_t dim, const struct memory *mem);
void mean_cosine_clear(struct mean_cosine *m);
/* A zero vector is passed over. STATUS_NOT_FINITE. */
enum status mean_cosine_add(struct mean_cosine *m, const void *v);
/* NaN with fewer than two rows. */
double mean_cosine_value(const struct mean_cosine *m);

/*
** IsoScore (Rudman, Gillman, Rayne & Eickhoff 2022, Algorithm 1) of flushed moments, 0..1. With eigenvalues s of the
** covariance, normalized to length sqrt(d), its isotropy defect depends on their sum and the sum of their squares
** alone, the trace and the Frobenius norm of the covariance: no eigenproblem is solved. NaN for d < 2, fewer than two
** rows or no variance.
*/
double space_isoscore(const struct moments *m);

#endif
