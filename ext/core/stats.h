/*
** Statistics that judge an embedding space, and correlations that judge a similarity.
*/
#ifndef WHITEN_CORE_STATS_H
#define WHITEN_CORE_STATS_H

#include "base.h"
#include "moments.h"

/*
** Mean cosine over the distinct pairs of rows, in O(n d): (|sum u|^2 - n) / (n (n - 1)) for the unit vectors u
** (Ethayarajh 2019 uses it as the measure of anisotropy). Zeroed = empty; owned: sum.
*/
struct mean_cosine {
  const struct memory *mem;
  size_t dim;
  int64_t rows;   /* rows that are not zero */
  double *sum;    /* of the unit vectors */
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
double stats_isoscore(const struct moments *m);

/* Pairs (x, y) of a correlation. Zeroed = empty; owned: pairs. */
struct pair {
  double x, y;
};
struct pairs {
  const struct memory *mem;
  size_t count, capacity;
  struct pair *pairs;
};
enum status pairs_add(struct pairs *p, double x, double y, const struct memory *mem);
void pairs_clear(struct pairs *p);
/* Linear correlation by the corrected two-pass formula (Chan, Golub & LeVeque 1983, eq. 1.7); NaN when fewer than two
** pairs or one side is constant. */
double pairs_pearson(const struct pairs *p);
/* Correlation of the ranks, ties averaged; overwrites the pairs. NaN as above. */
double pairs_spearman(struct pairs *p);

#endif
