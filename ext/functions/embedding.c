/*
** embedding, embedding_as, embedding_dim, embedding_valid, embedding_norm, embedding_normalize, embedding_truncate, embedding_scale:
** one vector in, the vector or a number out.
*/
#include <math.h>
#include <string.h>

#include "core/encoding.h"
#include "core/json.h"
#include "core/vector.h"
#include "host/value.h"

enum { ENCODING_JSON = ENCODING_COUNT };

static const char *encoding_name(int encoding) {
  return encoding == ENCODING_JSON ? "json" : encodings[encoding].name;
}

static void fail_encoding(struct call *call, int type, const char *name) {
  char expected[64];
  size_t used = 0;
  for (int i = 0; i <= ENCODING_JSON; i++) {
    const char *before = i == 0 ? "" : i == ENCODING_JSON ? " or " : ", ";
    sqlite3_snprintf((int)(sizeof expected - used), expected + used, "%s'%s'", before, encoding_name(i));
    used += strlen(expected + used);
  }
  if (type != SQLITE_TEXT)
    fail_type(call, "encoding", type, expected);
  else
    fail(call, "encoding is '%s', expected %s", name, expected);
}

/* The encoding that the argument names, or -1 after an error. */
static int read_encoding(struct call *call, sqlite3_value *value) {
  int type = sqlite3_value_type(value);
  const char *name = type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  if (type == SQLITE_TEXT && name == NULL) return fail_nomem(call), -1;
  for (int i = 0; name != NULL && i <= ENCODING_JSON; i++)
    if (sqlite3_stricmp(name, encoding_name(i)) == 0) return i;
  fail_encoding(call, type, name);
  return -1;
}

static void return_checked(struct call *call, float *buffer, size_t dim) {
  if (fail_not_finite(call, "x", dim, buffer))
    sqlite3_free(buffer);
  else
    result_vector(call, buffer, dim);
}

static void decode_blob(struct call *call, sqlite3_value *value, enum encoding encoding) {
  size_t index, size = encodings[encoding].size;
  const void *blob = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value), dim = bytes / size;
  if (bytes % size != 0)
    fail(call, "x is a BLOB of %lld bytes, expected a multiple of %d", (long long)bytes, (int)size);
  else if (vector_check_dim(call, "x", dim))
    return;
  else if (blob == NULL)
    fail_nomem(call);
  if (call->failed) return;
  float *buffer = result_buffer(call, dim);
  if (buffer == NULL) return;
  if (encoding_decode(encoding, dim, blob, buffer, &index) == STATUS_OK) {
    return_checked(call, buffer, dim);
  } else {
    sqlite3_free(buffer);
    fail_overflow(call, "x", index);
  }
}

/* embedding(x [, encoding]) */
static void embedding(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  float *buffer;
  size_t dim;
  if (any_null(argc, argv)) return;
  int type = sqlite3_value_type(argv[0]), is_text = type == SQLITE_TEXT;
  int encoding = argc > 1 ? read_encoding(&call, argv[1]) : is_text ? (int)ENCODING_JSON : (int)ENCODING_F32;
  if (encoding < 0) return;
  if (encoding == ENCODING_JSON && is_text) {
    if (vector_parse(&call, argv[0], "x", &buffer, &dim) == 0) result_vector(&call, buffer, dim);
  } else if (encoding != ENCODING_JSON && type == SQLITE_BLOB) {
    decode_blob(&call, argv[0], (enum encoding)encoding);
  } else {
    fail_type(&call, "x", sqlite3_value_type(argv[0]),
              argc == 1                   ? "a vector (BLOB of float32 or JSON array)"
              : encoding == ENCODING_JSON ? "TEXT, a JSON array of numbers"
                                          : "a BLOB in this encoding");
  }
}

static void return_json(struct call *call, const struct vector *v) {
  char *text = sqlite3_malloc64(v->dim * (JSON_NUMBER_MAX + 1) + 2), *at = text;
  if (text == NULL) {
    fail_nomem(call);
    return;
  }
  *at++ = '[';
  for (size_t i = 0; i < v->dim; i++) {
    float x;
    memcpy(&x, (const char *)v->data + 4 * i, sizeof x);
    if (i > 0) *at++ = ',';
    at += json_write_number(x, at);
  }
  *at++ = ']';
  result_json(call, text, (size_t)(at - text));
}

static int is_all_zero(const unsigned char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (bytes[i] != 0) return 0;
  return 1;
}

static void return_encoded(struct call *call, const struct vector *v, enum encoding encoding) {
  size_t index, bytes = v->dim * encodings[encoding].size;
  unsigned char *out = sqlite3_malloc64(bytes);
  if (out == NULL) {
    fail_nomem(call);
    return;
  }
  if (encoding_encode(encoding, v->dim, v->data, out, &index) != STATUS_OK)
    fail(call, "v[%lld] is beyond %s, expected %s%s", (long long)index, encodings[encoding].name,
         encodings[encoding].range, encoding == ENCODING_I8 ? ": see embedding_scale" : "");
  else if (encoding == ENCODING_I8 && is_all_zero(out, bytes) && vector_norm(v->dim, v->data) > 0)
    fail(call, "v has no element that rounds to anything but 0 in i8, expected magnitudes up to 127: see "
               "embedding_scale");
  if (call->failed)
    sqlite3_free(out);
  else
    sqlite3_result_blob64(call->context, out, bytes, sqlite3_free);
}

/* embedding_as(v, encoding) */
static void embedding_as(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  if (any_null(argc, argv)) return;
  int encoding = read_encoding(&call, argv[1]);
  if (encoding < 0 || vector_argument(&call, argv, 0, "v", &v)) return;
  if (!fail_not_finite(&call, "v", v.dim, v.data)) {
    if (encoding == ENCODING_JSON)
      return_json(&call, &v);
    else
      return_encoded(&call, &v, (enum encoding)encoding);
  }
  vector_done(&call, 0, &v);
}

/* embedding_dim(v) */
static void embedding_dim(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  if (any_null(argc, argv) || vector_argument(&call, argv, 0, "v", &v)) return;
  if (!fail_not_finite(&call, "v", v.dim, v.data)) sqlite3_result_int64(context, (sqlite3_int64)v.dim);
  vector_done(&call, 0, &v);
}

/* Whether x is a vector, whatever it is: what would be an error elsewhere goes into a message that nobody reads. */
static int is_vector(struct call *call, sqlite3_value *x, size_t *dim) {
  char *message = NULL;
  struct call quiet = call_of_table(call->function, call->connection, &message);
  struct vector v;
  int valid = vector_read(&quiet, x, "x", &v) == 0;
  if (valid) {
    *dim = v.dim;
    valid = vector_find_not_finite(v.dim, v.data) == v.dim;
    vector_free(&v);
  }
  if (quiet.failed == SQLITE_NOMEM) fail_nomem(call);
  sqlite3_free(message);
  return valid;
}

/* embedding_valid(x [, dim]) */
static void embedding_valid(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  int64_t expected;
  size_t dim = 0;
  if (any_null(argc, argv)) return;
  int valid = is_vector(&call, argv[0], &dim);
  if (valid && argc > 1) valid = integer_of(argv[1], &expected) && expected == (int64_t)dim;
  if (!call.failed) sqlite3_result_int(context, valid);
}

/* embedding_norm(v) */
static void embedding_norm(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  if (any_null(argc, argv) || vector_argument(&call, argv, 0, "v", &v)) return;
  double norm = vector_norm(v.dim, v.data);
  if (isnan(norm))
    fail_not_finite(&call, "v", v.dim, v.data);
  else
    sqlite3_result_double(context, norm);
  vector_done(&call, 0, &v);
}

/* embedding_normalize(v) */
static void embedding_normalize(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  float *buffer;
  if (any_null(argc, argv) || vector_argument(&call, argv, 0, "v", &v)) return;
  double norm = vector_norm(v.dim, v.data);
  if (isnan(norm)) {
    fail_not_finite(&call, "v", v.dim, v.data);
  } else if (norm > 0 && (buffer = result_buffer(&call, v.dim)) != NULL) {
    vector_divide(v.dim, v.data, norm, buffer);
    result_vector(&call, buffer, v.dim);
  }
  vector_done(&call, 0, &v);
}

/* embedding_truncate(v, k) */
static void embedding_truncate(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  int64_t k;
  if (any_null(argc, argv) || integer_read(&call, argv[1], "k", 1, &k) || vector_argument(&call, argv, 0, "v", &v))
    return;
  if (k > (int64_t)v.dim)
    fail(&call, "k is %lld, expected 1 to %lld, the elements of v", (long long)k, (long long)v.dim);
  else if (!fail_not_finite(&call, "v", v.dim, v.data))
    sqlite3_result_blob64(context, v.data, (sqlite3_uint64)k * 4, SQLITE_TRANSIENT);
  vector_done(&call, 0, &v);
}

/* embedding_scale(v, factor) */
static void embedding_scale(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  float *buffer;
  size_t index;
  double factor;
  if (any_null(argc, argv) || number_read(&call, argv[1], "factor", -INFINITY, &factor)) return;
  if (vector_argument(&call, argv, 0, "v", &v)) return;
  if (!fail_not_finite(&call, "v", v.dim, v.data) && (buffer = result_buffer(&call, v.dim)) != NULL) {
    vector_scale(v.dim, v.data, factor, buffer);
    index = vector_find_not_finite(v.dim, buffer);
    if (index < v.dim) {
      sqlite3_free(buffer);
      fail_overflow(&call, "the result", index);
    } else {
      result_vector(&call, buffer, v.dim);
    }
  }
  vector_done(&call, 0, &v);
}

const struct function embedding_functions[] = {
    {.name = "embedding", .min_args = 1, .max_args = 2, .flags = FUNCTION_PURE, .call = embedding},
    {.name = "embedding_as",
     .min_args = 2,
     .max_args = 2,
     .flags = FUNCTION_PURE | SQLITE_RESULT_SUBTYPE,
     .call = embedding_as},
    {.name = "embedding_dim", .min_args = 1, .max_args = 1, .flags = FUNCTION_PURE, .call = embedding_dim},
    {.name = "embedding_valid", .min_args = 1, .max_args = 2, .flags = FUNCTION_PURE, .call = embedding_valid},
    {.name = "embedding_norm", .min_args = 1, .max_args = 1, .flags = FUNCTION_PURE, .call = embedding_norm},
    {.name = "embedding_normalize",
     .min_args = 1,
     .max_args = 1,
     .flags = FUNCTION_PURE,
     .call = embedding_normalize},
    {.name = "embedding_truncate",
     .min_args = 2,
     .max_args = 2,
     .flags = FUNCTION_PURE,
     .call = embedding_truncate},
    {.name = "embedding_scale", .min_args = 2, .max_args = 2, .flags = FUNCTION_PURE, .call = embedding_scale},
    {.name = NULL}};
