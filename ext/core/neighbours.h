/*
** How rows lie among each other, where there are no labels to tell what is related: the mean cosine of pairs of rows, and
** by how many standard deviations a row's best neighbour stands out from its mean cosine with the others.
*/
#ifndef WHITEN_CORE_NEIGHBOURS_H
#define WHITEN_CORE_NEIGHBOURS_H

#include "core/eigenbasis.h"

struct neighbours {
  double mean_cosine, contrast; /* NaN for fewer than three rows */
};

/* By the weights (d) of components, NULL for 1 each; squares: of each row by these weights. In float32, blocks of rows
** against all. STATUS_NOMEM, STATUS_STOPPED. */
enum status neighbours_measure(const struct eigenbasis_rows *r, const double *weights, const double *squares,
                               struct neighbours *n);

/* IsoScore (space.h) of what weights make of eigenvalues: NaN for d < 2 or no variance. */
double neighbours_isoscore(size_t d, const double *eigenvalues, const double *weights);

#endif
