/*
** Stats and pair stats BLOBs, in whiten_merge and whiten_solve. The first byte says what is repaired (blobs.h), the second
** which options are asked for; the rest is the BLOB.
**
** What is accepted alone is accepted twice; the merge of one is itself; a model that comes out is one that works.
*/
#include <string.h>

#include "blobs.h"
#include "fuzz.h"

static const char *const OPTIONS[] = {"{}",
                                      "{\"method\":\"zca\"}",
                                      "{\"method\":\"pca-cor\",\"ridge\":0.1}",
                                      "{\"method\":\"zca-cor\",\"ridge\":\"oas\"}",
                                      "{\"method\":\"cholesky\",\"ridge\":1}",
                                      "{\"remove\":1,\"power\":0.5,\"normalize\":true}"};
enum { OPTION_SETS = sizeof OPTIONS / sizeof *OPTIONS };

static const char *const OF_PAIRS[] = {"{\"within\":0.5}",
                                       "{\"within\":1}",
                                       "{\"within\":0.25,\"ridge\":0.1}",
                                       "{\"within\":1,\"ridge\":1,\"order\":\"variance\"}",
                                       "{\"within\":0.001,\"normalize\":true}",
                                       "{\"within\":0.5,\"order\":\"variance\"}"};

/* A model that comes out is one that works. */
static void check_model(sqlite3_value *model) {
  if (model == NULL) return;
  sqlite3_value *info = QUERY("SELECT json_valid(whiten_info(?1))", VALUE_OF(model));
  fuzz_must(fuzz_number(info) == 1, "a model that was solved is refused");
  sqlite3_value_free(info);
  sqlite3_value_free(
      QUERY("SELECT whiten_inverse(?1, whiten_apply(?1, embedding_scale(whiten_bias(?1), -1)))", VALUE_OF(model)));
}

/* As the pairs of rows of three dimensions, which most are not: both are refused or accepted, as one or merged. */
static void check_pairs(sqlite3_value *pairs, const char *options) {
#define ROWS "(SELECT whiten_stats(value) FROM json_each('[[1,2,3],[2,1,0],[0.5,4,1],[3,3,3],[-1,0,2]]'))"
  struct argument o = TEXT_OF(options, strlen(options));
  sqlite3_value *model = QUERY("SELECT whiten_solve(" ROWS ", NULL, ?2, ?1)", VALUE_OF(pairs), o);
  sqlite3_value *merged = QUERY("SELECT whiten_solve(" ROWS ", NULL, ?2, whiten_merge(?1))", VALUE_OF(pairs), o);
  fuzz_must(fuzz_same(model, merged), "a merge of one gives another model of pairs");
  check_model(model);
  sqlite3_value_free(model);
  sqlite3_value_free(merged);
}

static void check_solution(sqlite3_value *stats, const char *options) {
  struct argument o = TEXT_OF(options, strlen(options));
  sqlite3_value *model = QUERY("SELECT whiten_solve(?1, NULL, ?2)", VALUE_OF(stats), o);
  sqlite3_value *merged = QUERY("SELECT whiten_solve(whiten_merge(?1), NULL, ?2)", VALUE_OF(stats), o);
  fuzz_must(fuzz_same(model, merged), "a merge of one gives another model");
  check_model(model);
  sqlite3_value_free(model);
  sqlite3_value_free(merged);
}

static void check_stats(sqlite3_value *stats, sqlite3_value *merged, const char *options) {
  sqlite3_value *again = QUERY("SELECT whiten_merge(?1)", VALUE_OF(merged));
  fuzz_must(fuzz_same(merged, again), "a merge of one is another");
  sqlite3_value_free(again);
  check_solution(stats, options);
  sqlite3_value_free(
      QUERY("SELECT whiten_solve(whiten_merge(s)) FROM (SELECT ?1 AS s UNION ALL SELECT ?1)", VALUE_OF(stats)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  unsigned repairs = fuzz_take(&input);
  unsigned set = fuzz_take(&input) % OPTION_SETS;
  struct blob blob = blob_stats(repairs, &input);
  sqlite3_value *stats = QUERY("SELECT ?1", BLOB_OF(blob.bytes, blob.size));
  sqlite3_value *merged = QUERY("SELECT whiten_merge(?1)", VALUE_OF(stats));
  if (merged != NULL)
    check_stats(stats, merged, OPTIONS[set]), check_pairs(stats, OF_PAIRS[set]);
  else
    fuzz_must(QUERY("SELECT whiten_solve(?1)", VALUE_OF(stats)) == NULL, "stats that are refused are solved");
  sqlite3_value_free(stats);
  sqlite3_value_free(merged);
  blob_free(&blob);
  return 0;
}
