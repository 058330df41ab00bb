/* See call.h. */
#include "host/call.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "core/model.h"
#include "core/moments.h"
#include "core/vector.h"

struct call call_of(sqlite3_context *context) {
  const struct binding *binding = sqlite3_user_data(context);
  return (struct call){.function = binding->function->name, .context = context, .connection = binding->connection};
}

struct call call_of_table(const char *function, struct connection *connection, char **message) {
  return (struct call){.function = function, .connection = connection, .message = message};
}

void *group_of(struct call *call, size_t bytes) {
  struct group *group = sqlite3_aggregate_context(call->context, (int)bytes);
  if (group == NULL)
    fail_nomem(call);
  else
    call->row = ++group->rows;
  call->group = group;
  return group;
}

void *group_ended(const struct call *call) {
  return sqlite3_aggregate_context(call->context, 0);
}

int call_variant(const struct call *call) {
  return ((const struct binding *)sqlite3_user_data(call->context))->function->variant;
}

void fail_nomem(struct call *call) {
  if (call->failed) return;
  call->failed = SQLITE_NOMEM;
  if (call->context != NULL) sqlite3_result_error_nomem(call->context);
}

/* Bytes of the UTF-8 sequence at p, 0 if it is none. */
static int utf8_length(const unsigned char *p) {
  int length = *p < 0x80                 ? 1
               : *p >= 0xc2 && *p < 0xe0 ? 2
               : *p >= 0xe0 && *p < 0xf0 ? 3
               : *p >= 0xf0 && *p < 0xf5 ? 4
                                         : 0;
  for (int i = 1; i < length; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) || (*p == 0xf0 && p[1] < 0x90) ||
      (*p == 0xf4 && p[1] > 0x8f))
    return 0;
  return length;
}

/* Messages quote what users wrote, which may be long, or not text at all: what cannot be shown becomes '?'. */
static void make_readable(char *text) {
  enum { LONGEST = 1000 };
  unsigned char *p = (unsigned char *)text;
  while (*p != 0 && (const char *)p - text < LONGEST) {
    int length = utf8_length(p);
    if (length == 0 || *p < 0x20 || *p == 0x7f) *p = '?', length = 1;
    p += length;
  }
  *p = 0;
}

void fail(struct call *call, const char *format, ...) {
  va_list arguments;
  if (call->failed) return;
  va_start(arguments, format);
  char *text = sqlite3_vmprintf(format, arguments);
  va_end(arguments);
  char *whole = NULL;
  if (text != NULL && call->row > 0)
    whole = sqlite3_mprintf("%s: row %lld of the group: %s", call->function, (long long)call->row, text);
  else if (text != NULL && call->rowid != NULL)
    whole = sqlite3_mprintf("%s: rowid %lld: %s", call->function, (long long)*call->rowid, text);
  else if (text != NULL)
    whole = sqlite3_mprintf("%s: %s", call->function, text);
  sqlite3_free(text);
  if (whole == NULL) {
    fail_nomem(call);
    return;
  }
  make_readable(whole);
  call->failed = SQLITE_ERROR;
  if (call->context != NULL) {
    sqlite3_result_error(call->context, whole, -1);
    sqlite3_free(whole);
  } else {
    sqlite3_free(*call->message);
    *call->message = whole;
  }
}

void fail_sqlite(struct call *call, int rc, sqlite3 *db) {
  if (rc == SQLITE_NOMEM) {
    fail_nomem(call);
    return;
  }
  fail(call, "%s", sqlite3_errmsg(db));
  if (call->failed == SQLITE_ERROR) call->failed = rc;
  if (call->context != NULL) sqlite3_result_error_code(call->context, rc);
}

static const char *type_name(int type) {
  switch (type) {
    case SQLITE_INTEGER: return "INTEGER";
    case SQLITE_FLOAT: return "REAL";
    case SQLITE_TEXT: return "TEXT";
    case SQLITE_BLOB: return "a BLOB";
    default: return "NULL";
  }
}

void fail_type(struct call *call, const char *argument, int type, const char *expected) {
  fail(call, "%s is %s, expected %s", argument, type_name(type), expected);
}

static const char *name_not_finite(float x) {
  return isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";
}

void fail_element(struct call *call, const char *argument, size_t index, float element) {
  fail(call, "%s[%lld] is %s, expected a finite number", argument, (long long)index, name_not_finite(element));
}

int group_looked(struct call *call, const struct group *group, const char *argument, size_t dim) {
  if (!halves_are_float64(&group->halves)) return 0;
  call->row = 0;
  fail(call, "%s looks like %lld float64 read as %lld float32, expected float32: write embedding(%s, 'f64')",
       argument, (long long)dim / 2, (long long)dim, argument);
  return 1;
}

int group_look(struct call *call, struct group *group, const char *argument, size_t dim, const void *vector) {
  return halves_sample(&group->halves, dim, vector) && group_looked(call, group, argument, dim);
}

int fail_not_finite(struct call *call, const char *argument, size_t dim, const void *vector) {
  float x;
  size_t index = vector_find_not_finite(dim, vector);
  if (index == dim) return 0;
  memcpy(&x, (const char *)vector + 4 * index, sizeof x);
  struct halves halves = {0};
  if (call->group != NULL) halves = call->group->halves;
  halves_look(&halves, dim, vector);
  char *hint = NULL;
  if (halves_may_be_float64(&halves))
    hint = sqlite3_mprintf(" (it looks like %lld float64: see embedding(%s, 'f64'))", (long long)dim / 2,
                           argument);
  fail(call, "%s[%lld] is %s, expected a finite number%z", argument, (long long)index, name_not_finite(x), hint);
  return 1;
}

void fail_dim(struct call *call, const char *argument, size_t found, size_t expected, const char *why) {
  fail(call, "%s has %lld element%s, expected %lld%s", argument, (long long)found, found == 1 ? "" : "s",
       (long long)expected, why);
}

void fail_dim_of_moments(struct call *call, size_t found) {
  fail(call, "v has %lld elements, expected 1 to %d: SQLite allocates no larger covariance", (long long)found,
       MOMENTS_DIM_MAX);
}

void fail_overflow(struct call *call, const char *what, size_t index) {
  fail(call, "%s[%lld] is beyond float32, expected a magnitude below 3.4e38", what, (long long)index);
}

void fail_blob(struct call *call, const char *argument, enum status status, const void *blob, size_t bytes,
               uint64_t claimed) {
  const char *other = model_is_model(blob, bytes)   ? " (it is a model BLOB)"
                      : moments_are_in(blob, bytes) ? " (it is a stats BLOB: whiten_solve makes a model of it)"
                      : moments_of_pairs_are_in(blob, bytes) ? " (it is a pair stats BLOB)"
                                                             : "";
  const char *makers = strcmp(argument, "stats") == 0 ? "whiten_stats or whiten_merge"
                       : strcmp(argument, "pair_stats") == 0
                           ? "whiten_pair_stats or whiten_merge"
                           : "whiten_fit, whiten_solve, whiten_align or whiten_import";
  switch (status) {
    case STATUS_FOREIGN:
      fail(call, "%s is a foreign BLOB of %lld bytes%s, expected one made by %s", argument, (long long)bytes,
           other, makers);
      break;
    case STATUS_VERSION:
      fail(call, "%s has a format version that this build does not know, expected %s", argument,
           strcmp(argument, "model") == 0 ? "1 or 2" : "1");
      break;
    case STATUS_BYTE_ORDER: fail(call, "%s is in big-endian byte order, expected little-endian", argument); break;
    case STATUS_TRUNCATED:
      fail(call, "%s is %s: it has %lld bytes, expected %llu", argument, bytes < claimed ? "truncated" : "damaged",
           (long long)bytes, (unsigned long long)claimed);
      break;
    case STATUS_HASH:
      fail(call, "%s is damaged: its content does not match its hash, expected an unaltered BLOB", argument);
      break;
    case STATUS_NOT_FINITE:
      fail(call, "%s is damaged: it holds NaN or Infinity, expected finite numbers", argument);
      break;
    case STATUS_HEADER:
      fail(call, "%s is damaged: its header has a field out of range, expected an unaltered BLOB", argument);
      break;
    default: fail_status(call, status);
  }
}

void fail_status(struct call *call, enum status status) {
  if (status == STATUS_NOMEM)
    fail_nomem(call);
  else
    fail(call, "LAPACK did not find the eigenvalues (status %d), expected a well-scaled covariance", (int)status);
}
