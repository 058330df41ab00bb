/*
** core/pairs: against comparing everything with everything. The similarities are to be cosine's own bits, so
** vector_cosine, which has tests of its own, is what they are compared with.
*/
#include "core/pairs.h"

#include <math.h>

#include "faulty_memory.h"

#define DIM_LARGEST 70
#define ROWS 900

static float rows[ROWS][DIM_LARGEST];

/* With doubles near and far, opposites, zero vectors, some scaled to the ends of float32's range; rowid is 3 i - 500. */
static void fill(struct random *r, size_t dim) {
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t e = 0; e < dim; e++) rows[i][e] = (float)random_normal(r);
    if (i % 5 == 4) memcpy(rows[i], rows[i / 5], sizeof rows[i]);
    if (i % 7 == 5)
      for (size_t e = 0; e < dim; e++) rows[i][e] = rows[i - 3][e] * (1 + (float)random_normal(r) * 1e-6f);
    if (i % 50 == 7) memset(rows[i], 0, sizeof rows[i]);
    if (i % 50 == 9)
      for (size_t e = 0; e < dim; e++) rows[i][e] = ldexpf(rows[i][e], i % 100 == 9 ? 124 : -143);
    if (i % 11 == 3)
      for (size_t e = 0; e < dim; e++) rows[i][e] = -rows[i - 1][e];
  }
}

static int64_t rowid_of(size_t i) {
  return 3 * (int64_t)i - 500;
}

/* Takes rows in batches of `batch` at most, as who reads a table does; how many times each pair came goes to seen. */
static enum status run(struct pairs *p, size_t dim, size_t count, size_t batch, uint8_t *seen) {
  size_t first = 0, pairs = 0;
  enum status rc = STATUS_OK;
  while (rc == STATUS_OK && first < count) {
    size_t end = first, row = first, turns = 0;
    for (; rc == STATUS_OK && end < count && end - first < batch && !pairs_is_full(p); end++)
      rc = pairs_add_vector(p, rowid_of(end), rows[end]);
    if (rc == STATUS_OK && !pairs_is_empty(p)) rc = pairs_start(p);
    if (rc == STATUS_OK && pairs_is_empty(p)) row = count, turns = 2;
    while (rc == STATUS_OK && turns < 2) {
      struct pair pair;
      for (; rc == STATUS_OK && row < count && !pairs_has_block(p); row++)
        rc = pairs_add(p, rowid_of(row), rows[row]);
      if (rc) break;
      if (!pairs_has_block(p)) turns++;
      pairs_turn(p);
      for (; pairs_next(p, &pair); pairs++) {
        size_t a = (size_t)((pair.a + 500) / 3), b = (size_t)((pair.b + 500) / 3);
        if (seen == NULL) continue;
        assert_true(a < b && b < count);
        seen[a * ROWS + b]++;
        assert_same_double(pair.similarity, vector_cosine(dim, rows[a], vector_square(dim, rows[a]), rows[b]));
      }
    }
    pairs_restart(p);
    first = end;
  }
  return rc;
}

static void check_pairs(size_t dim, size_t count, size_t batch, double threshold, int cores) {
  struct pairs p = {0};
  uint8_t *seen = calloc(ROWS, ROWS);
  size_t wrong = 0;
  pairs_init(&p, dim, threshold, cores, &faulty_memory);
  assert_int_equal(run(&p, dim, count, batch, seen), STATUS_OK);
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) {
      double cosine = a < b ? vector_cosine(dim, rows[a], vector_square(dim, rows[a]), rows[b]) : -2;
      wrong += seen[a * ROWS + b] != (cosine != COSINE_UNDEFINED && cosine >= threshold);
    }
  assert_int_equal(wrong, 0);
  free(seen);
  pairs_clear(&p);
  pairs_clear(&p); /* harmless twice */
  assert_int_equal(faulty.live, 0);
}

/* Blocks full and not, chunks one and several, batches that end within a block. */
TEST(pairs_against_all_pairs) {
  static const size_t DIMS[] = {1, 3, 33, DIM_LARGEST}, COUNTS[] = {0, 1, 2, 8, 255, 256, 257, ROWS};
  static const size_t BATCHES[] = {ROWS, 300, 49, 1};
  static const double THRESHOLDS[] = {1, 0.99, 0.3, -0.5};
  struct random r = {random_seed()};
  for (size_t d = 0; d < (is_quick() ? 2 : COUNT(DIMS)); d++) {
    fill(&r, DIMS[d]);
    for (size_t n = 0; n < COUNT(COUNTS); n++)
      for (size_t b = 0; b < COUNT(BATCHES); b++) {
        if (BATCHES[b] == 1 && COUNTS[n] > 8) continue;
        check_pairs(DIMS[d], COUNTS[n], BATCHES[b], THRESHOLDS[(n + b + d) % COUNT(THRESHOLDS)],
                    1 + (int)(n + b) % 3);
      }
  }
}

TEST(pairs_empty) {
  struct pairs p = {0};
  struct pair pair;
  float zero[3] = {0};
  assert_true(pairs_is_empty(&p));
  assert_false(pairs_is_full(&p));
  assert_int_equal(pairs_next(&p, &pair), 0);
  pairs_init(&p, 3, 0.5, 2, &faulty_memory);
  assert_int_equal(pairs_add_vector(&p, 1, zero), STATUS_OK);
  assert_true(pairs_is_empty(&p));
  pairs_clear(&p);
}

TEST(pairs_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000};
  for (size_t b = 0; b < COUNT(BAD); b++) {
    struct pairs p;
    float v[3] = {1, float_of(BAD[b]), 1}, fine[3] = {1, 2, 3};
    pairs_init(&p, 3, 0.5, 2, &faulty_memory);
    assert_int_equal(pairs_add_vector(&p, 1, v), STATUS_NOT_FINITE);
    assert_int_equal(pairs_add_vector(&p, 1, fine), STATUS_OK);
    assert_int_equal(pairs_start(&p), STATUS_OK);
    assert_int_equal(pairs_add(&p, 1, v), STATUS_NOT_FINITE);
    pairs_clear(&p);
  }
  assert_int_equal(faulty.live, 0);
}

/* Given up with a block under way, and another half asked for. */
TEST(pairs_abandoned) {
  struct random r = {random_seed() + 1};
  fill(&r, 40);
  for (size_t n = 100; n < ROWS; n += 200) {
    struct pairs p;
    struct pair pair;
    pairs_init(&p, 40, -0.9, 3, &faulty_memory);
    for (size_t i = 0; i < ROWS; i++) assert_int_equal(pairs_add_vector(&p, rowid_of(i), rows[i]), STATUS_OK);
    assert_int_equal(pairs_start(&p), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
      assert_int_equal(pairs_add(&p, rowid_of(i), rows[i]), STATUS_OK);
      if (!pairs_has_block(&p)) continue;
      pairs_turn(&p);
      for (int j = 0; j < 100; j++) pairs_next(&p, &pair);
    }
    pairs_clear(&p);
    assert_int_equal(faulty.live, 0);
  }
}

static enum status pairs_once(void) {
  struct pairs p;
  pairs_init(&p, 5, 0.5, 2, &faulty_memory);
  enum status rc = run(&p, 5, 300, 60, NULL);
  pairs_clear(&p);
  return rc;
}

TEST(pairs_out_of_memory) {
  struct random r = {random_seed() + 2};
  fill(&r, 5);
  assert_in_range(faulty_exhaust(pairs_once), 7, 100);
}

UNIT_MAIN(faulty_test(pairs_against_all_pairs), faulty_test(pairs_empty), faulty_test(pairs_not_finite),
          faulty_test(pairs_abandoned), faulty_test(pairs_out_of_memory))
