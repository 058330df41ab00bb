/* What the tests of pooling share: one pooling at work, rows and weights at random. */
#ifndef WHITEN_TESTS_POOL_H
#define WHITEN_TESTS_POOL_H

#include "core/pool.h"
#include "faulty_memory.h"

#define DIM 37
#define ROWS 50

static struct pool pool;

static inline void begin_window(size_t dim) {
  assert_int_equal(pool_init_window(&pool, dim, &faulty_memory), STATUS_OK);
}

static inline void end(void) {
  pool_clear(&pool);
  pool_clear(&pool); /* harmless twice */
  assert_int_equal(faulty.live, 0);
}

static inline void value(float *out) {
  size_t index = 99;
  assert_false(pool_is_empty(&pool));
  assert_int_equal(pool_value(&pool, out, &index), STATUS_OK);
}

/* Rows, and weights that are 0 now and then, 1 now and then. */
static inline void fill(struct random *r, float rows[ROWS][DIM], double weights[ROWS]) {
  for (size_t i = 0; i < ROWS; i++) {
    size_t kind = random_below(r, 4);
    weights[i] = kind == 0 ? 0 : kind == 1 ? 1 : 3 * random_uniform(r);
    for (size_t j = 0; j < DIM; j++) rows[i][j] = (float)(10 + random_normal(r));
  }
  weights[7] = 0.5;
}

#endif
