/*
** core/join: every hit against comparing everything with everything. The similarities are to be cosine's own
** bits, so vector_cosine, which has tests of its own, is what they are compared with.
*/
#include "core/join.h"

#include <float.h>
#include <math.h>

#include "faulty_memory.h"

#define DIM_LARGEST 70
#define ROWS 700
#define QUERIES 300

static float rows[ROWS][DIM_LARGEST], queries[QUERIES][DIM_LARGEST];
static int64_t rowids[ROWS];

/* Rows in no order of rowid, with doubles, with zero vectors, and some at the ends of float32's range. */
static void fill(struct random *r, size_t dim) {
  for (size_t i = 0; i < ROWS; i++) {
    rowids[i] = (int64_t)((i * 7919) % 701) - 300;
    for (size_t e = 0; e < dim; e++) rows[i][e] = (float)random_normal(r);
    if (i % 5 == 4) memcpy(rows[i], rows[i / 5], sizeof rows[i]);
    if (i % 50 == 7) memset(rows[i], 0, sizeof rows[i]);
    if (i % 50 == 9)
      for (size_t e = 0; e < dim; e++) rows[i][e] = ldexpf(rows[i][e], i % 100 == 9 ? 124 : -143);
  }
  for (size_t q = 0; q < QUERIES; q++) {
    for (size_t e = 0; e < dim; e++) queries[q][e] = (float)random_normal(r);
    if (q % 4 == 3) memcpy(queries[q], rows[(q * 31) % 600 / 50 * 50], sizeof queries[q]);
    if (q % 30 == 11)
      for (size_t e = 0; e < dim; e++) queries[q][e] = ldexpf(queries[q][e], 90);
  }
}

static int better_first(const void *a, const void *b) {
  const struct hit *x = a, *y = b;
  if (x->similarity != y->similarity) return x->similarity > y->similarity ? -1 : 1;
  return (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

static void check_query(const struct join *j, size_t query, const float *v, size_t dim, size_t k, size_t count) {
  struct hit all[ROWS];
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    double similarity = vector_cosine(dim, v, vector_square(dim, v), rows[i]);
    if (similarity != COSINE_UNDEFINED) all[n++] = (struct hit){similarity, rowids[i]};
  }
  qsort(all, n, sizeof *all, better_first);
  if (n > k) n = k;
  assert_null(join_hit(j, query, n));
  for (size_t i = 0; i < n; i++) {
    const struct hit *hit = join_hit(j, query, i);
    assert_non_null(hit);
    assert_same_double(hit->similarity, all[i].similarity);
    assert_int_equal(hit->rowid, all[i].rowid);
  }
}

static enum status run(struct join *j, size_t dim, size_t k, size_t query_count, size_t row_count, int cores) {
  enum status rc = STATUS_OK;
  join_init(j, dim, k, cores, &faulty_memory);
  for (size_t q = 0; rc == STATUS_OK && q < query_count; q++) rc = join_add_query(j, (int64_t)q * 3, queries[q]);
  if (rc == STATUS_OK) rc = join_start(j);
  for (size_t i = 0; rc == STATUS_OK && i < row_count; i++) rc = join_add(j, rowids[i], rows[i]);
  return rc == STATUS_OK ? join_finish(j) : rc;
}

static void check_join(size_t dim, size_t k, size_t query_count, size_t row_count, int cores) {
  struct join j;
  assert_int_equal(run(&j, dim, k, query_count, row_count, cores), STATUS_OK);
  join_end(&j);
  assert_int_equal(join_count(&j), query_count);
  for (size_t q = 0; q < query_count; q++) {
    assert_int_equal(join_rowid(&j, q), q * 3);
    check_query(&j, q, queries[q], dim, k, row_count);
  }
  join_clear(&j);
  join_clear(&j); /* harmless twice */
  assert_int_equal(faulty.live, 0);
}

/* Blocks full and not, one chunk of queries and several, more hits asked for than there are rows. */
TEST(join_against_all_pairs) {
  static const size_t DIMS[] = {1, 3, 33, DIM_LARGEST}, KS[] = {1, 5, 1000};
  static const size_t QUERY_COUNTS[] = {1, 48, 49, QUERIES}, ROW_COUNTS[] = {0, 1, 8, 255, 256, 257, ROWS};
  struct random r = {random_seed()};
  for (size_t d = 0; d < (is_quick() ? 2 : COUNT(DIMS)); d++) {
    fill(&r, DIMS[d]);
    for (size_t q = 0; q < COUNT(QUERY_COUNTS); q++)
      for (size_t n = is_quick() ? 5 : 0; n < COUNT(ROW_COUNTS); n++)
        check_join(DIMS[d], KS[(q + n) % COUNT(KS)], QUERY_COUNTS[q], ROW_COUNTS[n], 1 + (int)(q + n) % 3);
  }
}

/* Rows that are all but parallel: candidates must not be lost to the rounding of the products. */
TEST(join_of_near_duplicates) {
  struct random r = {random_seed() + 1};
  fill(&r, DIM_LARGEST);
  for (size_t i = 0; i < ROWS; i++)
    for (size_t e = 0; e < DIM_LARGEST; e++) rows[i][e] = queries[0][e] * (1 + (float)random_normal(&r) * 1e-6f);
  for (size_t k = 1; k < (is_quick() ? 2 : 30); k += 7) check_join(DIM_LARGEST, k, is_quick() ? 5 : 50, ROWS, 2);
}

TEST(join_without_queries) {
  struct join j = {0};
  float zero[5] = {0};
  assert_true(join_is_empty(&j));
  assert_false(join_is_full(&j));
  assert_int_equal(join_count(&j), 0);
  join_init(&j, 5, 3, 2, &faulty_memory);
  assert_int_equal(join_add_query(&j, 1, zero), STATUS_OK);
  assert_true(join_is_empty(&j));
  assert_int_equal(join_count(&j), 0);
  join_clear(&j);
}

TEST(join_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000};
  struct random r = {random_seed() + 3};
  fill(&r, 3);
  for (size_t b = 0; b < COUNT(BAD); b++) {
    struct join j;
    float v[3] = {1, float_of(BAD[b]), 1};
    join_init(&j, 3, 2, 2, &faulty_memory);
    assert_int_equal(join_add_query(&j, 2, v), STATUS_NOT_FINITE);
    assert_int_equal(join_add_query(&j, 1, queries[0]), STATUS_OK);
    assert_int_equal(join_start(&j), STATUS_OK);
    assert_int_equal(join_add(&j, 1, v), STATUS_NOT_FINITE);
    join_clear(&j);
  }
  assert_int_equal(faulty.live, 0);
}

/* Given up half way, with a block under way. */
TEST(join_abandoned) {
  struct random r = {random_seed() + 4};
  fill(&r, 20);
  for (size_t n = 0; n < ROWS; n += is_quick() ? 300 : 100) {
    struct join j;
    join_init(&j, 20, 3, 3, &faulty_memory);
    for (size_t q = 0; q < 100; q++) assert_int_equal(join_add_query(&j, 1, queries[q]), STATUS_OK);
    assert_int_equal(join_start(&j), STATUS_OK);
    for (size_t i = 0; i < n; i++) assert_int_equal(join_add(&j, rowids[i], rows[i]), STATUS_OK);
    join_clear(&j);
    assert_int_equal(faulty.live, 0);
  }
}

static enum status join_once(void) {
  struct join j;
  enum status rc = run(&j, 5, 40, 20, 300, 2);
  join_clear(&j);
  return rc;
}

TEST(join_out_of_memory) {
  struct random r = {random_seed() + 5};
  fill(&r, 5);
  assert_in_range(faulty_exhaust(join_once), 10, 100);
}

/* More queries than a batch takes. Query q points along axis q, row i along axis 4 i. */
TEST(join_of_batches) {
  enum { D = 16384, N = 300 };
  struct join j = {0};
  if (is_quick()) return;
  float *v = calloc(D, sizeof *v);
  size_t count = 0, batches = 0, total = 2 * (PRODUCTS_ELEMENTS / D) + 10;
  join_init(&j, D, 1, 2, &faulty_memory);
  while (count < total) {
    for (; count < total && !join_is_full(&j); count++) {
      v[count] = 1;
      assert_int_equal(join_add_query(&j, (int64_t)count, v), STATUS_OK);
      v[count] = 0;
    }
    assert_int_equal(join_start(&j), STATUS_OK);
    for (int64_t i = 0; i < N; i++) {
      v[4 * i] = 3;
      assert_int_equal(join_add(&j, i, v), STATUS_OK);
      v[4 * i] = 0;
    }
    assert_int_equal(join_finish(&j), STATUS_OK);
    batches++;
  }
  join_end(&j);
  assert_int_equal(batches, 3);
  assert_int_equal(join_count(&j), total);
  for (size_t q = 0; q < total; q++) {
    const struct hit *hit = join_hit(&j, q, 0);
    int is_found = q % 4 == 0 && q / 4 < N;
    assert_int_equal(join_rowid(&j, q), q);
    assert_int_equal(hit->rowid, is_found ? q / 4 : 0);
    assert_same_double(hit->similarity, is_found ? 1 : 0);
    assert_null(join_hit(&j, q, 1));
  }
  free(v);
  join_clear(&j);
  assert_int_equal(faulty.live, 0);
}

UNIT_MAIN(faulty_test(join_of_batches), faulty_test(join_against_all_pairs), faulty_test(join_of_near_duplicates),
          faulty_test(join_without_queries), faulty_test(join_not_finite), faulty_test(join_abandoned),
          faulty_test(join_out_of_memory))
