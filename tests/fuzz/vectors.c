/*
** Vectors, as JSON and in every encoding: the first byte says which, the rest is the text or BLOB.
**
** What is accepted is as the independent reading says (strtod, in float64, then float32), survives every encoding that
** holds it, and has the norms, products and distances that follow.
*/
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

enum { ENCODINGS = 6, JSON = 5 };
static const char *const NAMES[ENCODINGS] = {"f32", "f64", "f16", "bf16", "i8", "json"};

static struct argument name_of(int encoding) {
  return TEXT_OF(NAMES[encoding], strlen(NAMES[encoding]));
}

static float element(const void *blob, size_t i) {
  float x;
  memcpy(&x, (const char *)blob + 4 * i, sizeof x);
  return x;
}

/* An accepted JSON text is valid for SQLite too, and strtod reads the same numbers. */
static void check_json(const uint8_t *data, size_t size, sqlite3_value *vector) {
  const void *blob = sqlite3_value_blob(vector);
  size_t dim = (size_t)sqlite3_value_bytes(vector) / 4, found = 0;
  char *text = malloc(size + 1), *at = text;
  fuzz_must(text != NULL, "memory");
  if (size > 0) memcpy(text, data, size);
  text[size] = 0;
  fuzz_must(strlen(text) == size, "a zero byte was taken for JSON");
  sqlite3_value *valid = QUERY("SELECT json_valid(?1)", TEXT_OF(text, size));
  fuzz_must(fuzz_number(valid) == 1, "SQLite does not take it for JSON");
  sqlite3_value_free(valid);
  for (at = strchr(text, '['); at != NULL && *at != ']'; found++) {
    double x = strtod(at + 1, &at);
    fuzz_must(found < dim && element(blob, found) == (float)x, "strtod reads another number");
    at += strspn(at, " \t\r\n");
  }
  fuzz_must(found == dim, "another count of elements");
  free(text);
}

/* vector -> encoding -> vector gives the same; where the encoding cannot hold it, there is an error. */
static void check_round_trip(sqlite3_value *vector, int encoding, int must_hold) {
  sqlite3_value *encoded = QUERY("SELECT embedding_as(?1, ?2)", VALUE_OF(vector), name_of(encoding));
  fuzz_must(encoded != NULL || !must_hold, "it cannot be encoded");
  if (encoded == NULL) return;
  sqlite3_value *decoded = QUERY("SELECT embedding(?1, ?2)", VALUE_OF(encoded), name_of(encoding));
  sqlite3_value *again = QUERY("SELECT embedding_as(?1, ?2)", VALUE_OF(decoded), name_of(encoding));
  fuzz_must(decoded != NULL && fuzz_same(encoded, again), "encoding again gives something else");
  fuzz_must(!must_hold || fuzz_same(vector, decoded), "the round trip changes it");
  sqlite3_value_free(encoded);
  sqlite3_value_free(decoded);
  sqlite3_value_free(again);
}

static double number(const char *sql, sqlite3_value *vector) {
  sqlite3_value *value = QUERY(sql, VALUE_OF(vector));
  double x = value && sqlite3_value_type(value) == SQLITE_NULL ? NAN : fuzz_number(value);
  sqlite3_value_free(value);
  return x;
}

static void check_numbers(sqlite3_value *vector) {
  size_t dim = (size_t)sqlite3_value_bytes(vector) / 4;
  double square = 0, norm = number("SELECT embedding_norm(?1)", vector);
  for (size_t i = 0; i < dim; i++) {
    double x = element(sqlite3_value_blob(vector), i);
    square += x * x;
  }
  fuzz_must(fabs(norm - sqrt(square)) <= 1e-5 * sqrt(square), "another norm");
  fuzz_must(number("SELECT embedding_dim(?1)", vector) == (double)dim, "another dimension");
  fuzz_must(fabs(number("SELECT dot_product(?1, ?1)", vector) - square) <= 1e-5 * square, "another product");
  fuzz_must(number("SELECT l2_distance(?1, ?1)", vector) == 0, "not at its own place");
  fuzz_must(number("SELECT l1_distance(?1, ?1)", vector) == 0, "not at its own place, by the sum");
  double cosine = number("SELECT cosine_sim(?1, ?1)", vector);
  double unit = number("SELECT embedding_norm(embedding_normalize(?1))", vector);
  fuzz_must(norm == 0 ? isnan(cosine) && isnan(unit) : fabs(cosine - 1) < 1e-5 && fabs(unit - 1) < 1e-5,
            "not similar to itself");
  cosine = number("SELECT cosine_sim(?1, embedding_scale(?1, -0.5))", vector);
  fuzz_must(isnan(cosine) || (cosine >= -1 && cosine <= 1), "a cosine beyond 1");
  double pooled = number("SELECT l2_distance(pool_mean(v), ?1) FROM (SELECT ?1 AS v UNION ALL SELECT ?1)", vector);
  fuzz_must(pooled == 0, "the mean of two equal vectors is another");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  int encoding = (int)(fuzz_take(&input) % ENCODINGS);
  struct argument x = encoding == JSON ? TEXT_OF(input.data, input.size) : BLOB_OF(input.data, input.size);
  sqlite3_value *vector = QUERY("SELECT embedding(?1, ?2)", x, name_of(encoding));
  if (vector == NULL) return 0;
  fuzz_must(sqlite3_value_type(vector) == SQLITE_BLOB && sqlite3_value_bytes(vector) > 0, "not a vector");
  if (encoding == JSON) check_json(input.data, input.size, vector);
  for (int e = 0; e < ENCODINGS; e++)
    check_round_trip(vector, e,
                     e == encoding || e == JSON || strcmp(NAMES[e], "f32") == 0 || strcmp(NAMES[e], "f64") == 0);
  check_numbers(vector);
  sqlite3_value_free(vector);
  return 0;
}
