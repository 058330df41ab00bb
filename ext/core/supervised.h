/*
** The candidate of whiten_tune that learns from the pairs: whitening the difference of related ones (within.h), which are
** the top quarter by score. A pair's cosine is that of a kernel which has not seen its rows, by cross-validation; so the
** score can be compared with that of settings which learn nothing. With all components the kernel is M^(-1/2) but for a
** rotation, which no cosine sees; so M = L L^T will do, and no eigenproblem is solved.
*/
#ifndef WHITEN_CORE_SUPERVISED_H
#define WHITEN_CORE_SUPERVISED_H

#include "core/eigenbasis.h"
#include "core/labels.h"

/* Fewer pairs do not show the difference; in more dimensions its matrices take too much memory. */
enum { SUPERVISED_LEAST_PAIRS = 200, SUPERVISED_DIM_MAX = 2048 };
/* Options "within" and "ridge" of whiten_solve. */
#define SUPERVISED_SHARE 0.5
#define SUPERVISED_RIDGE 0.1

/* The score from which a pair counts as related: so that a quarter do, and those with the same score. STATUS_NOMEM. */
enum status supervised_threshold(const struct labels *l, double *threshold);

/*
** cosines[i] of each pair, in float32's digits. The rows are rotated, the spectrum's rank is d. STATUS_SAME_PAIRS: nothing can be learned,
** since related pairs do not differ, or too many pairs hang together; STATUS_NOMEM, STATUS_STOPPED.
*/
struct supervised_problem {
  const struct eigenbasis_rows *rows;
  const struct labels *labels;
  const double *eigenvalues; /* d, ascending */
  double threshold;
};
enum status supervised_cosines(const struct supervised_problem *p, double *cosines);

#endif
