/* A row into the moments of a group, for every aggregate that gathers them. */
#ifndef WHITEN_FUNCTIONS_MOMENTS_H
#define WHITEN_FUNCTIONS_MOMENTS_H

#include "core/moments.h"
#include "host/value.h"

/* What the state of such an aggregate begins with. */
struct gathering {
  struct group group;
  struct moments moments;
};

/* Zeroed moments are made by the first row, whose dimension the others must have. A weight of 0 adds nothing. A column of
** float64 is refused. */
void moments_add_row(struct call *call, struct gathering *gathering, enum scatter_precision precision,
                     const struct vector *v, double weight);

/* In the final: whether there is anything to return, that no row refused; a small column of float64 is refused here. */
int moments_are_gathered(struct call *call, const struct gathering *gathering);

#endif
