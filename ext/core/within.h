/*
** Whitening the difference of related pairs: the directions in which rows differ most, relative to how related ones
** differ.
**
** With S_T the covariance of all rows and S_w half the mean square of the differences of related pairs,
**   M = (1 - share) S_T + share S_w tr S_T / tr S_w + ridge t I,   t = tr S_T / d,
** kernel = M^(-1/2) Q, Q the eigenvectors of M^(-1/2) S_T M^(-1/2), whose eigenvalues are the ratios of the total
** variance to that of M. share 1 is relevant component analysis (Bar-Hillel, Hertz, Shental & Weinshall 2005,
** "Learning a Mahalanobis Metric from Equivalence Constraints"), within-class covariance normalization (Hatch,
** Kajarekar & Stolcke 2006) and, cut to its first components, Fisher's linear discriminant analysis; what remains of
** S_T and the ridge keep it steady where pairs are few.
*/
#ifndef WHITEN_CORE_WITHIN_H
#define WHITEN_CORE_WITHIN_H

#include "core/kernel.h"

/*
** S_w (d x d, both triangles) from the moments of related pairs [a; b] of d elements each, flushed:
** (E aa^T + E bb^T - E ab^T - E ba^T) / 2, so the mean of the differences counts, and the order within a pair does not.
** STATUS_DIM: a and b are not of one dimension; STATUS_SAME_PAIRS: no difference beyond float64's rounding.
*/
enum status within_matrix(const struct moments *pairs, double *within);

/* Which components come first: those of the largest ratio, or the eigenvectors of M by their eigenvalues. */
enum within_order { WITHIN_BY_RATIO, WITHIN_BY_VARIANCE, WITHIN_ORDERS };

/* "ratio", "variance", or NULL past the last one. */
const char *within_order_name(uint32_t order);

struct within_problem {
  size_t d;
  size_t nulls; /* leading dimensions in which no row varies: rows and columns of zeros in both matrices */
  const double *total, *within; /* S_T and S_w, d x d, both triangles */
  double share, ridge;          /* share in (0, 1], ridge >= 0 */
  enum within_order order;
};

/*
** The kernel (d x d row-major, columns are components: y = (x - mean) @ kernel) and its values (d, descending: the
** ratios of total variance to that of M, or the eigenvalues of M). The last `nulls` columns mean nothing.
** STATUS_NO_VARIANCE, STATUS_SAME_PAIRS: a trace is 0; STATUS_FEW_PAIRS: M is singular; STATUS_OVERFLOW: a number is
** not finite; STATUS_SOLVER, STATUS_NOMEM. Needs 4 d^2 float64, and what linalg_eigen does.
*/
enum status within_kernel(const struct within_problem *problem, double *kernel, double *values,
                          const struct memory *mem);

/* M (d x d, both triangles), also in place of S_w: the inverse of the kernel's first k columns K is K^T M. Errors as
** above. */
enum status within_mix(const struct within_problem *problem, double *mix);

/* The pairs that a model is made from besides its rows, and what is made of them; share 0: none. */
struct within_choice {
  const struct moments *pairs; /* flushed, with vectors of the rows' dimension */
  double share, ridge;
  enum within_order order;
};

/* A kernel, its inverse (x = mean + y @ inverse) and its values, all d components. A zeroed struct is empty. */
struct within {
  const struct memory *mem;
  size_t d;
  double *kernel, *inverse, *values; /* d x d row-major, twice, and d */
};

/*
** In the directions of the moments, all d of them known, where those beyond the rank, without a ridge, are left out;
** each component has the element of largest magnitude in its kernel positive. Errors as for within_kernel, and
** STATUS_DIM. Needs some 10 d^2 float64 besides.
*/
enum status within_init(struct within *w, const struct spectrum *s, const struct within_choice *choice);
void within_clear(struct within *w);

/* The first k components as the kernel of a model. STATUS_OVERFLOW: one so small that float32 keeps few of its bits;
** STATUS_NOMEM. */
enum status within_take(const struct within *w, size_t k, struct kernel *kernel);

#endif
