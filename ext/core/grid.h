/*
** The settings that whiten_tune tries, as weights of components: power 0 (centring alone), .25, .5 and .75, and power 1
** by ridge 0, .1, 1 and 10, each with 0 to 3 leading components removed; all with every component that whiten_solve
** would accept; then, for the best, fewer. Moderate ones come first, and win ties. Power 1 without a ridge is left out where
** there are no more than two rows a dimension, or the rank is not full: its last directions are noise.
**
** On held-out pairs this was better than finer ridges (.03, .3, 3: they differ less than the pairs tell) with removals of 0,
** 1 and 3, and than 206 settings, whose pick follows the noise of the pairs. To project the mean off was never picked.
*/
#ifndef WHITEN_CORE_GRID_H
#define WHITEN_CORE_GRID_H

#include "core/base.h"

enum { GRID_SETTINGS = 32, GRID_HALVINGS = 10, GRID_LEAST_K = 16 };

struct grid_setting {
  double power, ridge; /* the ridge in units of the mean eigenvalue */
  size_t remove, k;
  double within; /* 0 but for the candidate that learns from the pairs, which has no weights: supervised.h */
};

/* The settings that moments of this dimension, rank and number of rows allow: how many. */
size_t grid_fill(size_t d, size_t rank, int64_t rows, struct grid_setting settings[GRID_SETTINGS]);

/* Drops those whose kernel would be beyond float32, which whiten_solve refuses: how many are left, those of power 0 at
** least. The eigenvalues ascend. */
size_t grid_sift(size_t d, const double *eigenvalues, struct grid_setting *settings, size_t count);

/* The same setting with fewer components: d / 2, d / 4 ... down to GRID_LEAST_K. */
size_t grid_shorten(size_t d, const struct grid_setting *setting, struct grid_setting settings[GRID_HALVINGS]);

/* weights[d]: what squares are multiplied by, (s / mean + ridge)^-power of the components that are kept, else 0; the
** eigenvalues s ascend, and so do the weights' components. */
void grid_weigh(size_t d, const double *eigenvalues, const struct grid_setting *setting, double *weights);

#endif
