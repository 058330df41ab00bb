/*
** core/distinct and core/labels: rows by their bytes; samples that are those with the least hashes whatever the order, as
** a sort of everything says; faults.
*/
#include "core/labels.h"

#include "core/hash.h"
#include "faulty_memory.h"

enum { DIM = 3, MANY = 3000 };

TEST(distinct_rows_are_known_by_their_bytes) {
  struct distinct d = {.mem = &faulty_memory, .dim = DIM};
  struct random r = {random_seed()};
  static float rows[MANY][DIM];
  uint32_t place, expected;
  for (size_t i = 0; i < MANY; i++) {
    for (size_t j = 0; j < DIM; j++) rows[i][j] = (float)random_below(&r, 9);
    for (expected = 0; expected < d.count && memcmp((const char *)distinct_row(&d, expected),
                                                    (const char *)rows[i], sizeof rows[i]) != 0;)
      expected++;
    assert_int_equal(distinct_add(&d, rows[i], distinct_hash(&d, rows[i]), &place), STATUS_OK);
    assert_int_equal(place, expected);
  }
  assert_in_range(d.count, 600, 9 * 9 * 9);
  distinct_clear(&d);
  distinct_clear(&d);
}

/* Rows 0, 1, 2 ...; every third goes: the others are found where `moved` says, and stand in the order of their hashes. */
TEST(distinct_rows_that_are_kept) {
  struct distinct d = {.mem = &faulty_memory, .dim = DIM};
  static unsigned char keep[MANY];
  static uint32_t moved[MANY];
  uint32_t place;
  for (size_t i = 0; i < MANY; i++) {
    float row[DIM] = {(float)i, 1, 2};
    keep[i] = i % 3 != 0;
    assert_int_equal(distinct_add(&d, row, distinct_hash(&d, row), &place), STATUS_OK);
  }
  assert_int_equal(distinct_keep(&d, keep, moved), STATUS_OK);
  assert_int_equal(d.count, MANY - MANY / 3);
  for (size_t i = 0; i < MANY; i++) {
    float row[DIM] = {(float)i, 1, 2};
    if (!keep[i]) {
      assert_int_equal(moved[i], DISTINCT_NONE);
      continue;
    }
    assert_memory_equal(distinct_row(&d, moved[i]), row, sizeof row);
    assert_int_equal(distinct_add(&d, row, distinct_hash(&d, row), &place), STATUS_OK);
    assert_int_equal(place, moved[i]);
  }
  for (size_t i = 1; i < d.count; i++) assert_true(d.hashes[i - 1] < d.hashes[i]);
  distinct_clear(&d);
}

static void row_of(size_t i, float *row) {
  for (size_t j = 0; j < DIM; j++) row[j] = (float)(i * (j + 1) + j);
}

static uint64_t hash_of(size_t i) {
  float row[DIM];
  row_of(i, row);
  return hash_xxh64(row, sizeof row, 0);
}

/* `count` pairs (i / queries_of, i) in one order or the other; limits that are small, as they are for long rows. */
static struct labels gather(enum labels_kind kind, size_t count, size_t documents_of, int backwards) {
  struct labels l;
  labels_init(&l, kind, DIM, &faulty_memory);
  l.pair_limit = 500;
  l.query_limit = 100;
  l.document_limit = 300;
  l.pair_trigger = l.row_trigger = 700;
  for (size_t i = 0; i < count; i++) {
    size_t n = backwards ? count - 1 - i : i;
    float a[DIM], b[DIM];
    row_of(n / documents_of + 1000000, a);
    row_of(n, b);
    assert_int_equal(labels_add(&l, a, b, (double)(n % 7)), STATUS_OK);
  }
  assert_int_equal(labels_finish(&l), STATUS_OK);
  return l;
}

static void assert_same_labels(const struct labels *l, const struct labels *other) {
  assert_int_equal(l->count, other->count);
  assert_int_equal(l->rows.count, other->rows.count);
  assert_memory_equal(l->rows.rows, other->rows.rows, l->rows.count * DIM * sizeof(float));
  assert_memory_equal(l->is_document, other->is_document, l->rows.count);
  for (size_t i = 0; i < l->count; i++) {
    assert_int_equal(l->pairs[i].a, other->pairs[i].a);
    assert_int_equal(l->pairs[i].b, other->pairs[i].b);
    assert_same_double(l->pairs[i].score, other->pairs[i].score);
  }
}

static int by_value(const void *a, const void *b) {
  uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
  return (p > q) - (p < q);
}

/* The limit-th smallest. */
static uint64_t bound_of(uint64_t *hashes, size_t count, size_t limit) {
  qsort(hashes, count, sizeof *hashes, by_value);
  return hashes[limit - 1];
}

TEST(labels_of_pairs_with_scores) {
  struct labels l = gather(LABELS_SCORED, 5000, 1, 0), other = gather(LABELS_SCORED, 5000, 1, 1);
  static uint64_t hashes[5000];
  assert_same_labels(&l, &other);
  for (size_t i = 0; i < 5000; i++) {
    double score = (double)(i % 7);
    uint64_t parts[3] = {hash_of(i + 1000000), hash_of(i), 0};
    memcpy(&parts[2], &score, sizeof score);
    hashes[i] = hash_xxh64(parts, sizeof parts, 0);
  }
  uint64_t bound = bound_of(hashes, 5000, 500);
  assert_int_equal(l.count, 500);
  assert_int_equal(l.given, 5000);
  assert_int_equal(l.rows.count, 1000);
  for (size_t i = 0; i < l.count; i++) {
    size_t n = (size_t)distinct_row(&l.rows, l.pairs[i].b)[0];
    assert_true(l.pairs[i].order <= bound);
    assert_same_double(l.pairs[i].score, (double)(n % 7));
    assert_int_equal(distinct_row(&l.rows, l.pairs[i].a)[0], (float)(n + 1000000));
  }
  labels_clear(&l);
  labels_clear(&l);
  labels_clear(&other);
}

/* 1,000 queries with 5 documents each: the 100 queries with the least hashes, all their documents, and the 300 documents
** with the least hashes. */
TEST(labels_of_queries_and_documents) {
  struct labels l = gather(LABELS_RELEVANT, 5000, 5, 0), other = gather(LABELS_RELEVANT, 5000, 5, 1);
  static uint64_t queries[1000], documents[5000];
  size_t rows = 0, pairs = 0;
  assert_same_labels(&l, &other);
  for (size_t i = 0; i < 1000; i++) queries[i] = hash_of(i + 1000000);
  for (size_t i = 0; i < 5000; i++) documents[i] = hash_of(i);
  uint64_t query_bound = bound_of(queries, 1000, 100), document_bound = bound_of(documents, 5000, 300);
  for (size_t i = 0; i < 5000; i++) {
    size_t is_relevant = hash_of(i / 5 + 1000000) <= query_bound;
    pairs += is_relevant;
    rows += is_relevant || hash_of(i) <= document_bound;
  }
  assert_int_equal(pairs, 500);
  assert_int_equal(l.count, pairs);
  assert_int_equal(l.rows.count, rows + 100);
  for (size_t i = 0; i < l.count; i++) {
    float query = distinct_row(&l.rows, l.pairs[i].a)[0], document = distinct_row(&l.rows, l.pairs[i].b)[0];
    assert_true(hash_of((size_t)query) <= query_bound);
    assert_int_equal(query, (float)((size_t)document / 5 + 1000000));
    assert_true(l.is_document[l.pairs[i].b] && !l.is_document[l.pairs[i].a]);
  }
  labels_clear(&l);
  labels_clear(&other);
}

/* A query with more documents than there may be pairs. */
TEST(labels_of_one_query) {
  struct labels l = gather(LABELS_RELEVANT, 2000, 2000, 0), other = gather(LABELS_RELEVANT, 2000, 2000, 1);
  assert_int_equal(l.count, 500);
  assert_same_labels(&l, &other);
  labels_clear(&l);
  labels_clear(&other);
}

TEST(labels_of_rows) {
  struct labels l = gather(LABELS_NONE, 5000, 1, 0), other = gather(LABELS_NONE, 5000, 1, 1);
  static uint64_t hashes[5000];
  for (size_t i = 0; i < 5000; i++) hashes[i] = hash_of(i);
  assert_int_equal(l.rows.count, 300);
  assert_same_labels(&l, &other);
  (void)bound_of(hashes, 5000, 300);
  assert_memory_equal(l.rows.hashes, hashes, 300 * sizeof *hashes);
  labels_clear(&l);
  labels_clear(&other);
}

static enum status labels_once(void) {
  struct labels l;
  enum status rc = STATUS_OK;
  labels_init(&l, LABELS_RELEVANT, DIM, &faulty_memory);
  l.pair_trigger = 60;
  for (size_t i = 0; rc == STATUS_OK && i < 200; i++) {
    float a[DIM], b[DIM];
    row_of(i / 2 + 5000, a);
    row_of(i, b);
    rc = i % 5 == 0 ? labels_add_document(&l, b) : labels_add(&l, a, b, 0);
  }
  if (rc == STATUS_OK) rc = labels_finish(&l);
  labels_clear(&l);
  return rc;
}

TEST(labels_out_of_memory) {
  assert_in_range(faulty_exhaust(labels_once), 20, 200);
}

UNIT_MAIN(faulty_test(distinct_rows_are_known_by_their_bytes), faulty_test(distinct_rows_that_are_kept),
          faulty_test(labels_of_pairs_with_scores), faulty_test(labels_of_queries_and_documents),
          faulty_test(labels_of_one_query), faulty_test(labels_of_rows), faulty_test(labels_out_of_memory))
