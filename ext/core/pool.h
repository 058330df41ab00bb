/*
** Pooling: the token vectors of one text become one vector.
**
** Matches sentence-transformers (models/Pooling.py): mean, weightedmean (position), max, cls, lasttoken,
** mean_sqrt_len_tokens. Sums run in float64, element by element, in row order, and are rounded to float32 once.
**
** In a window, where rows leave again, sums are compensated (Knuth's two-sum): a row that leaves takes away what it
** brought, even if it was 2^50 times as large as those that stay.
*/
#ifndef WHITEN_CORE_POOL_H
#define WHITEN_CORE_POOL_H

#include "core/base.h"

enum pool_mode {
  POOL_MEAN,
  POOL_POSITION_MEAN,
  POOL_MAX,
  POOL_MEAN_SQRT_LEN,
  POOL_CLS,
  POOL_LAST,
  POOL_MODE_COUNT
};

/* A zeroed struct is empty; pool_init makes it ready. Owned: acc, low, kept. */
struct pool {
  const struct memory *mem;
  enum pool_mode mode;
  size_t dim;
  double *acc;       /* sums: dim elements */
  double *low;       /* what the sums lost to rounding; only in a window */
  float *kept;       /* max, cls, last: the vector so far */
  double weight;     /* sum of the weights, */
  double weight_low; /* and what it lost to rounding */
  int64_t counted;   /* rows with weight > 0 now in the sums */
  int64_t position;  /* of the kept vector */
  int tied;          /* another row has the same position */
};

enum status pool_init(struct pool *pool, enum pool_mode mode, size_t dim, const struct memory *mem);
void pool_clear(struct pool *pool);

/*
** One row: v has dim elements, unaligned; weight >= 0 (a mask, a weight; position * mask for POOL_POSITION_MEAN);
** position matters to cls and last. STATUS_NOT_FINITE: v has an element that is NaN or infinite.
*/
enum status pool_add(struct pool *pool, const void *v, double weight, int64_t position);

/* Takes a row out again: POOL_MEAN alone. pool_add after pool_begin_window is compensated. */
enum status pool_begin_window(struct pool *pool);
void pool_remove(struct pool *pool, const void *v, double weight);

/* Whether no row has counted: the result is NULL. */
int pool_is_empty(const struct pool *pool);

/* The pooled vector: dim elements. STATUS_OVERFLOW: *index is beyond float32. STATUS_DUPLICATE: cls or last, and two
** rows share the position that counts. */
enum status pool_value(const struct pool *pool, float *out, size_t *index);

#endif
