/* A row into the moments of a group, for every aggregate that gathers them; moments from a BLOB. */
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

/*
** A stats BLOB, or one of pair stats, into zeroed moments: flushed, and of pairs with dim_a (pairs->dim_a elements of
** a, pairs->dim - pairs->dim_a of b). 0 on success; moments_clear is the caller's either way. NULL is for the caller
** to handle first.
*/
int stats_read(struct call *call, sqlite3_value *value, const char *argument, struct moments *moments);
int pair_stats_read(struct call *call, sqlite3_value *value, const char *argument, struct moments *pairs);

#endif
