/*
** Pooling: the token vectors of one text become one vector.
**
** Matches sentence-transformers (models/Pooling.py): mean, weightedmean (position), max, cls, lasttoken,
** mean_sqrt_len_tokens. Sums run in float64, element by element, in row order, and are rounded to float32 once.
**
** A mean whose rows may leave again, as in a window that moves, keeps its sums exactly (core/exact.h), from the first row
** on: which rows will leave is not known when they come. Until the first leaves, or pool_slide says so, the mean is the
** one of the plain sums, to the bit; from then on the one of the exact sums.
*/
#ifndef WHITEN_CORE_POOL_H
#define WHITEN_CORE_POOL_H

#include "core/base.h"
#include "core/exact.h"

enum pool_mode {
  POOL_MEAN,
  POOL_POSITION_MEAN,
  POOL_MAX,
  POOL_MEAN_SQRT_LEN,
  POOL_CLS,
  POOL_LAST,
  POOL_MODE_COUNT
};

/* A zeroed struct is empty; pool_init or pool_init_window makes it ready. Owned: acc, exact, kept. */
struct pool {
  const struct memory *mem;
  enum pool_mode mode;
  size_t dim;
  double *acc;        /* sums: dim elements */
  struct exact exact; /* of a window instead: dim elements, and the weight */
  int slides;         /* rows leave */
  float *kept;        /* max, cls, last: the vector so far */
  double weight;      /* sum of the weights, */
  double weight_low;  /* and what it lost to rounding */
  int64_t counted;    /* rows with weight > 0 now in the sums */
  int64_t position;   /* of the kept vector */
  int tied;           /* another row has the same position */
};

enum status pool_init(struct pool *pool, enum pool_mode mode, size_t dim, const struct memory *mem);
/* POOL_MEAN whose rows may leave again. */
enum status pool_init_window(struct pool *pool, size_t dim, const struct memory *mem);
void pool_clear(struct pool *pool);

/*
** One row: v has dim elements, unaligned; weight >= 0 (a mask, a weight; position * mask for POOL_POSITION_MEAN);
** position matters to cls and last. STATUS_NOT_FINITE: v has an element that is NaN or infinite. STATUS_NOMEM: only in a
** window.
*/
enum status pool_add(struct pool *pool, const void *v, double weight, int64_t position);

/* In a window: rows will leave; and one does, which was added with this weight. */
void pool_slide(struct pool *pool);
enum status pool_remove(struct pool *pool, const void *v, double weight);

/* Whether no row has counted: the result is NULL. */
int pool_is_empty(const struct pool *pool);

/* The pooled vector: dim elements. STATUS_OVERFLOW: *index is beyond float32. STATUS_WEIGHT: the weighted sums are beyond
** float64. STATUS_DUPLICATE: cls or last, and two rows share the position that counts. */
enum status pool_value(const struct pool *pool, float *out, size_t *index);

#endif
