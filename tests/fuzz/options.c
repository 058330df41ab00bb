/*
** Options: the first byte chooses k, the rest is the JSON.
**
** whiten_fit and whiten_solve, which read them alike, agree to the bit; a model that comes out works.
*/
#include <string.h>

#include "fuzz.h"

static const char ROWS[] = "CREATE TEMP TABLE rows AS SELECT embedding(value) AS v FROM json_each("
                           "'[[1,2,3],[2,1,0],[0.5,4,1],[3,3,3],[-1,0,2],[1,1,-2],[2,5,1]]')";
static const char *const KS[] = {"NULL", "1", "2", "3", "0.5", "0.999", "4", "'1'"};

static void check(sqlite3_value *fitted, sqlite3_value *solved, struct argument options) {
  sqlite3_value *single = QUERY("SELECT json_extract(?1, '$.precision') IS 'single'", options);
  int is_single = single != NULL && sqlite3_value_int(single);
  fuzz_must(is_single || fuzz_same(fitted, solved), "whiten_fit and whiten_solve differ");
  fuzz_must(!is_single || solved == NULL, "whiten_solve takes precision single");
  sqlite3_value_free(single);
  if (fitted == NULL) return;
  sqlite3_value *info = QUERY("SELECT json_valid(whiten_info(?1))", VALUE_OF(fitted));
  sqlite3_value *inverted = QUERY("SELECT whiten_inverse(?1, whiten_apply(?1, '[1,2,4]'))", VALUE_OF(fitted));
  fuzz_must(fuzz_number(info) == 1 && inverted != NULL, "the model does not work");
  sqlite3_value_free(info);
  sqlite3_value_free(inverted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int ready;
  struct input input = {data, size};
  const char *k = KS[fuzz_take(&input) % (sizeof KS / sizeof *KS)];
  struct argument options = TEXT_OF(input.data, input.size);
  if (!ready) ready = sqlite3_exec(fuzz_connection(), ROWS, 0, 0, 0) == SQLITE_OK;
  char *fit = sqlite3_mprintf("SELECT whiten_fit(v, %s, ?1) FROM rows", k);
  char *solve = sqlite3_mprintf("SELECT whiten_solve(whiten_stats(v), %s, ?1) FROM rows", k);
  sqlite3_value *fitted = QUERY(fit, options), *solved = QUERY(solve, options);
  sqlite3_value *valid = QUERY("SELECT json_valid(?1)", options);
  int is_json = sqlite3_value_int(valid);
  fuzz_must(is_json || fitted == NULL, "options that are not JSON are taken");
  if (is_json) check(fitted, solved, options);
  sqlite3_value_free(valid);
  sqlite3_value_free(fitted);
  sqlite3_value_free(solved);
  sqlite3_free(fit);
  sqlite3_free(solve);
  return 0;
}
