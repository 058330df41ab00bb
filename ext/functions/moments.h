/* A row into the moments of a group, for every aggregate that gathers them. */
#ifndef WHITEN_FUNCTIONS_MOMENTS_H
#define WHITEN_FUNCTIONS_MOMENTS_H

#include "core/moments.h"
#include "host/value.h"

/* Zeroed moments are made by the first row, whose dimension the others must have. A weight of 0 adds nothing. */
void moments_add_row(struct call *call, struct moments *moments, enum scatter_precision precision,
                     const struct vector *v, double weight);

#endif
