/*
** The settings that whiten_tune tries, as weights of components. A grid this small was measured as the best: with
** 206 settings the pick follows the noise of the pairs.
**
** Centring alone (power 0) and one or no component removed; power .25, .5, .75; power 1 by ridge {0, .03, .1, .3, 1, 3, 10}
** and remove {0, 1, 3}. All with every component that whiten_solve would accept; then, for the best, fewer.
*/
#ifndef WHITEN_CORE_GRID_H
#define WHITEN_CORE_GRID_H

#include "core/base.h"

enum { GRID_SETTINGS = 26, GRID_HALVINGS = 10, GRID_LEAST_K = 16 };

struct grid_setting {
  double power, ridge; /* the ridge in units of the mean eigenvalue */
  size_t remove, k;
};

/* The settings that moments of this dimension and rank have components for: how many. */
size_t grid_fill(size_t d, size_t rank, struct grid_setting settings[GRID_SETTINGS]);

/* The same setting with fewer components: d / 2, d / 4 ... down to GRID_LEAST_K. */
size_t grid_shorten(size_t d, const struct grid_setting *setting, struct grid_setting settings[GRID_HALVINGS]);

/* weights[d]: what squares are multiplied by, (s / mean + ridge)^-power of the components that are kept, else 0; the
** eigenvalues s ascend, and so do the weights' components. */
void grid_weigh(size_t d, const double *eigenvalues, const struct grid_setting *setting, double *weights);

#endif
