/*
** The directions of moments: eigenvalues and eigenvectors of the covariance, or of the correlation, and the rank, which
** says how many of them have variance.
**
** Rank. What rounding leaves is no variance. Rounding x_i to float32 adds to column i alone, at most FLT_EPSILON^2 / 12
** times its mean square; the eigenvalues of that noise reach (1 + sqrt(d / n))^2 times its size (Marchenko & Pastur
** 1967), and so FLT_EPSILON^2 max(4, (1 + sqrt(d / n))^2) E x_i^2 is above all of them. That is a diagonal matrix N, and the
** rank is the number of positive eigenvalues of cov - N. Scaling rows and columns does not change that number (Sylvester),
** so it is counted where float64 sees most, with the columns brought to unit variance; what is within d * DBL_EPSILON of 0
** there, relative to the largest, is not counted. A column of sd 0.05 beside one of 1e6 has its variance, whatever the
** units. The rank is at most n - 1.
**
** SCATTER_SINGLE adds the rounding of its chains. An element of the covariance is off by a part of sqrt(S_ii S_jj) that
** is some u sqrt(m) for m rows of a block, u = FLT_EPSILON / 2, where rounding errors are as good as random (Higham & Mary
** 2019, "A New Approach to Probabilistic Rounding Error Analysis"); where rows repeat, and the errors between two powers of
** two with them, up to u m / 3, of root mean square 0.15 u m. On the p directions without variance that makes eigenvalues up
** to 2 sqrt(p) times the root mean square (Wigner). With m <= 512 a bound on all of it is 8 u sqrt(m p). A direction counts
** from there on, p being all directions that are not larger: one small direction is not measured by what many could make
** up. Over dense, sparse, binary, one-hot, sorted, repeated and heavy-tailed rows at most 0.93 of the bound were measured,
** and a twentieth for normal ones.
**
** All of that is asked only when dsyevd leaves a doubt: eigenvalues above every element of N, and above 1024 times what
** dsyevd may be off, d * DBL_EPSILON * largest, are certain (Weyl), and if those are n - 1, or as many as there are columns
** that vary, nothing is left to ask. Where columns of unequal scale hide directions from dsyevd, the eigenvectors come from
** a one-sided Jacobi method (dgejsv) on a factor of the covariance, which keeps their digits: relative errors follow the
** condition of the correlation, not of the covariance (Demmel & Veselic 1992, "Jacobi's Method is More Accurate than QR").
** At sd 1 .. 1e-9 and d = 12 dsyevd is off by a factor of 20 in the least eigenvalue, dgejsv by 1e-14. It takes three to
** four times as long and cannot be interrupted, so beyond SPECTRUM_JACOBI_MAX dimensions it is not tried, nor where the
** components that are needed are certain anyway. Nor is it kept
** where the rounding of large columns lies among what small columns have (two columns of 1e6 that are one, beside others of
** 1e-3): orthogonal eigenvectors cannot be clear of it, and the correlation matrix is the way out.
*/
#ifndef WHITEN_CORE_SPECTRUM_H
#define WHITEN_CORE_SPECTRUM_H

#include "core/base.h"
#include "core/moments.h"

#define SPECTRUM_JACOBI_MAX 1535

/* Why the rank is no larger. */
enum spectrum_limit {
  SPECTRUM_ROWS,    /* the rows have variance in no more directions */
  SPECTRUM_SINGLE,  /* SCATTER_SINGLE cannot tell more from rounding */
  SPECTRUM_FLOAT64, /* float64 cannot tell more from rounding */
  SPECTRUM_SCALE    /* nor can it here, but it might in the correlation matrix */
};

/* A zeroed struct is empty. Owned: every pointer. */
struct spectrum {
  const struct memory *mem;
  size_t d, needed, rank; /* of `needed` components the digits matter */
  enum spectrum_limit limit;
  int is_correlation;
  double
      *cov; /* d x d, upper triangle: covariance, or correlation, whose constant columns have -1 in the diagonal */
  double *sd;          /* d: standard deviations, 0 for a column without variance */
  double *noise;       /* d: the diagonal of N, in the units of cov */
  double sum_error;    /* 8 u sqrt(m) of SCATTER_SINGLE, or 0 */
  double *eigenvalues; /* d, descending, >= 0 */
  double *vectors;     /* those of the `count` largest, d elements each, the last one first: LAPACK's order */
  size_t count;
  double *w; /* d: LAPACK's order */
};

/*
** From flushed moments of two rows or more. The eigenvectors are those of the `needed` largest, or all; each has its
** element of largest magnitude positive. Needs up to 4 d^2 float64. STATUS_NO_VARIANCE, STATUS_SOLVER, STATUS_OVERFLOW (sums
** that are not finite; variances too small for SCATTER_SINGLE), STATUS_NOMEM.
*/
enum status spectrum_init(struct spectrum *s, const struct moments *m, int is_correlation, size_t needed);
void spectrum_clear(struct spectrum *s);

/* The eigenvector of the j-th largest eigenvalue, j < count. */
const double *spectrum_vector(const struct spectrum *s, size_t j);

/* Columns that have variance. */
size_t spectrum_varying(const struct spectrum *s);

#endif
