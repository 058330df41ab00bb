/*
** Spearman's correlation of one column with many, how sure it is, and how sure the difference of two is.
**
** Of standardised ranks z_x, z_y (ties averaged) it is rho = mean z_x z_y, and its influence function, taken at each pair,
** z_x z_y - rho (z_x^2 + z_y^2) / 2 (Devlin, Gnanadesikan & Kettenring 1975, of the ranks). Its standard deviation over
** the root of n is the standard error; that of the difference of two correlations with the same y comes of the difference
** of their influences, in which what they share cancels.
*/
#ifndef WHITEN_CORE_RANKS_H
#define WHITEN_CORE_RANKS_H

#include "core/base.h"

/* A value on its way to its rank. */
struct ranked {
  double value;
  size_t place;
};

/* z[n]: ranks of the values, ties averaged, with mean 0 and mean square 1; all 0 if the values are all equal, and then
** the result is 0. `work` has room for n. */
int ranks_standardize(size_t n, const double *values, double *z, struct ranked *work);

/* The mean of x_i y_i: 0 where either is constant. */
double ranks_correlation(size_t n, const double *x, const double *y);
/* influence[n] of that; it may stand where x or y does. */
void ranks_influence(size_t n, const double *x, const double *y, double *influence);

/* Standard error of the mean of a_i - b_i, n > 1; b may be NULL. */
double ranks_error(size_t n, const double *a, const double *b);

#endif
