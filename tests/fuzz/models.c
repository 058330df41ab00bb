/*
** Model BLOBs, in every function that takes one. The first byte says what is repaired, so that the search gets behind
** the checks: 1 the hash, 2 the size (the BLOB is cut or filled up), 4 magic, version and byte order.
**
** A model that one function accepts all accept, as a BLOB and as a handle; results have the sizes of the header, and
** whiten_rows gives what whiten_apply gives.
*/
#include <string.h>

#include "blobs.h"
#include "fuzz.h"

static void check_same(const char *sql_blob, const char *sql_handle, sqlite3_value *model, sqlite3_value *vector) {
  sqlite3_value *a = QUERY(sql_blob, VALUE_OF(model), VALUE_OF(vector));
  sqlite3_value *b = QUERY(sql_handle, VALUE_OF(model), VALUE_OF(vector));
  fuzz_must(fuzz_same(a, b), "BLOB and handle differ");
  sqlite3_value_free(a);
  sqlite3_value_free(b);
}

static void check_size(const char *sql, sqlite3_value *model, uint64_t bytes) {
  sqlite3_value *value = QUERY(sql, VALUE_OF(model));
  fuzz_must(value != NULL && (uint64_t)sqlite3_value_bytes(value) == bytes, sql);
  sqlite3_value_free(value);
}

/* The vector through whiten_apply, and from a table through whiten_rows. */
static void check_rows(sqlite3_value *model, sqlite3_value *vector) {
  sqlite3_exec(fuzz_connection(), "CREATE TEMP TABLE IF NOT EXISTS one(v BLOB); DELETE FROM one", 0, 0, 0);
  sqlite3_value_free(
      QUERY("INSERT INTO one SELECT ?1 UNION ALL SELECT NULL UNION ALL SELECT ?1", VALUE_OF(vector)));
  sqlite3_value *a = QUERY("SELECT group_concat(ifnull(hex(whiten_apply(?1, v)), '-')) FROM one", VALUE_OF(model));
  sqlite3_value *b = QUERY("SELECT group_concat(ifnull(hex(vector), '-')) FROM whiten_rows(?1, 'one', 'v')",
                           VALUE_OF(model));
  fuzz_must(fuzz_same(a, b), "whiten_rows and whiten_apply differ");
  sqlite3_value_free(a);
  sqlite3_value_free(b);
}

/* A vector that is in no proportion to anything: 0.5, 1, 1.5 ... */
static sqlite3_value *vector_of(size_t dim) {
  static const char SQL[] = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
                            " SELECT embedding(json_group_array(i * 0.5)) FROM n";
  return QUERY(SQL, INTEGER_OF((int64_t)dim));
}

static void check_model(sqlite3_value *model, const struct model_header *h) {
  sqlite3_value *x = vector_of(h->d), *y = vector_of(h->m);
  uint64_t d = h->d, m = h->m;
  check_size("SELECT whiten_kernel(?1)", model, 4 * d * m);
  check_size("SELECT whiten_bias(?1)", model, 4 * d);
  check_size("SELECT whiten_offset(?1)", model, 4 * m);
  check_same("SELECT whiten_apply(?1, ?2)", "SELECT whiten_apply(whiten_model(?1), ?2)", model, x);
  check_same("SELECT whiten_inverse(?1, ?2)", "SELECT whiten_inverse(whiten_model(?1), ?2)", model, y);
  check_same("SELECT whiten_info(?1), ?2", "SELECT whiten_info(whiten_model(?1)), ?2", model, x);
  check_same("SELECT cumulative FROM whiten_spectrum(?1) WHERE component = 1 AND ?2 IS NOT NULL",
             "SELECT cumulative FROM whiten_spectrum(whiten_model(?1)) WHERE component = 1 AND ?2 IS NOT NULL",
             model, x);
  sqlite3_value *valid = QUERY("SELECT json_valid(whiten_info(?1))", VALUE_OF(model));
  fuzz_must(fuzz_number(valid) == 1, "whiten_info is not JSON");
  sqlite3_value_free(valid);
  check_rows(model, x);
  sqlite3_value_free(
      QUERY("SELECT whiten_import(whiten_kernel(?1), whiten_bias(?1), whiten_offset(?1))", VALUE_OF(model)));
  sqlite3_value_free(QUERY("SELECT whiten_inverse(?1, whiten_apply(?1, ?2))", VALUE_OF(model), VALUE_OF(x)));
  sqlite3_value_free(x);
  sqlite3_value_free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  unsigned repairs = fuzz_take(&input);
  struct blob blob = blob_model(repairs, &input);
  struct model_header header;
  struct model_arrays arrays;
  sqlite3_value *model = QUERY("SELECT ?1", BLOB_OF(blob.bytes, blob.size));
  sqlite3_value *info = QUERY("SELECT whiten_info(?1)", VALUE_OF(model));
  sqlite3_value *sound = QUERY("SELECT whiten_check(?1)", VALUE_OF(model));
  fuzz_must(fuzz_number(sound) == (info != NULL), "whiten_check and whiten_info do not agree");
  sqlite3_value_free(sound);
  if (info != NULL) {
    fuzz_must(model_read(blob.bytes, blob.size, &header, &arrays) == 0, "the core does not accept it");
    check_model(model, &header);
  } else {
    fuzz_must(QUERY("SELECT whiten_model(?1)", VALUE_OF(model)) == NULL, "a handle on a model that is refused");
    fuzz_must(QUERY("SELECT whiten_apply(?1, '[1]')", VALUE_OF(model)) == NULL,
              "a model that is refused is applied");
    fuzz_must(QUERY("SELECT * FROM whiten_spectrum(?1)", VALUE_OF(model)) == NULL, "its spectrum is shown");
  }
  sqlite3_value_free(info);
  sqlite3_value_free(model);
  blob_free(&blob);
  return 0;
}
