/* core/topk: against sorting everything; ties, any order of arrival, faults. */
#include "core/topk.h"

#include "faulty_memory.h"

static int better_first(const void *a, const void *b) {
  const struct hit *x = a, *y = b;
  if (x->similarity != y->similarity) return x->similarity > y->similarity ? -1 : 1;
  return (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

static void add(struct topk *t, struct hit hit) {
  assert_int_equal(topk_reserve(t, t->count + 1, &faulty_memory), STATUS_OK);
  topk_add(t, hit.similarity, hit.rowid);
}

static int is_kept(const struct topk *t, struct hit hit) {
  for (size_t i = 0; i < t->count; i++)
    if (t->hits[i].similarity == hit.similarity && t->hits[i].rowid == hit.rowid) return 1;
  return 0;
}

/* Few different similarities make many ties, also at the edge; rowids in any order, negative ones too. */
TEST(topk_against_sorting) {
  static const size_t KS[] = {1, 2, 3, 10, 16, 17, 100, 500};
  struct random r = {random_seed()};
  static struct hit hits[300];
  for (size_t i = 0; i < COUNT(KS); i++)
    for (size_t n = 0; n <= COUNT(hits); n += 1 + n / 3)
      for (size_t levels = 1; levels < 1000; levels *= 7) {
        struct topk t;
        topk_init(&t, KS[i]);
        int64_t offset = (int64_t)random_below(&r, 1000) - 500;
        for (size_t j = 0; j < n; j++)
          hits[j] = (struct hit){(double)random_below(&r, levels) / 7 - 1,
                                 (int64_t)((j * 7919 + 13) % 307) + offset};
        for (size_t j = 0; j < n; j++) {
          double threshold = topk_threshold(&t);
          assert_int_equal(threshold == -INFINITY, j < KS[i]);
          add(&t, hits[j]);
          if (is_kept(&t, hits[j])) assert_true(hits[j].similarity >= threshold);
          if (hits[j].similarity > threshold) assert_true(is_kept(&t, hits[j]));
        }
        topk_sort(&t);
        qsort(hits, n, sizeof *hits, better_first);
        assert_int_equal(t.count, n < KS[i] ? n : KS[i]);
        for (size_t j = 0; j < t.count; j++) {
          assert_same_double(t.hits[j].similarity, hits[j].similarity);
          assert_int_equal(t.hits[j].rowid, hits[j].rowid);
        }
        topk_clear(&t, &faulty_memory);
      }
  assert_int_equal(faulty.live, 0);
}

TEST(topk_extreme_rowids) {
  struct topk t;
  topk_init(&t, 2);
  add(&t, (struct hit){0.5, INT64_MAX});
  add(&t, (struct hit){0.5, 0});
  add(&t, (struct hit){0.5, INT64_MIN});
  topk_sort(&t);
  assert_int_equal(t.hits[0].rowid, INT64_MIN);
  assert_int_equal(t.hits[1].rowid, 0);
  topk_clear(&t, &faulty_memory);
  topk_clear(&t, &faulty_memory); /* harmless twice */
}

/* A large k takes memory only as hits come. */
TEST(topk_grows_as_it_fills) {
  struct topk t;
  topk_init(&t, (size_t)1 << 60);
  for (int64_t i = 0; i < 100; i++) add(&t, (struct hit){1, i});
  assert_in_range(t.capacity, 100, 256);
  topk_clear(&t, &faulty_memory);
  topk_init(&t, 5);
  assert_int_equal(topk_reserve(&t, SIZE_MAX, &faulty_memory), STATUS_OK);
  assert_int_equal(t.capacity, 5);
  topk_clear(&t, &faulty_memory);
  assert_int_equal(faulty.live, 0);
}

static enum status topk_once(void) {
  struct topk t;
  enum status rc = STATUS_OK;
  topk_init(&t, 1000);
  for (int64_t i = 0; rc == STATUS_OK && i < 200; i++) {
    rc = topk_reserve(&t, t.count + 1, &faulty_memory);
    if (rc == STATUS_OK) topk_add(&t, 1, i);
  }
  topk_clear(&t, &faulty_memory);
  return rc;
}

TEST(topk_out_of_memory) {
  assert_int_equal(faulty_exhaust(topk_once), 5); /* 16, 32, 64, 128, 256 hits */
}

UNIT_MAIN(faulty_test(topk_against_sorting), faulty_test(topk_extreme_rowids), faulty_test(topk_grows_as_it_fills),
          faulty_test(topk_out_of_memory))
