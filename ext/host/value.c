/* See value.h. */
#include "host/value.h"

#include <math.h>
#include <string.h>

#include "core/json.h"
#include "core/vector.h"

enum { JSON_SUBTYPE = 74 }; /* what SQLite's JSON functions mark their results with */

static const char A_VECTOR[] = "a vector (BLOB of float32 or JSON array)";

int vector_check_dim(struct call *call, const char *argument, size_t dim) {
  if (dim == 0)
    fail(call, "%s is empty, expected 1 to %d elements", argument, DIM_MAX);
  else if (dim > DIM_MAX)
    fail(call, "%s has %lld elements, expected 1 to %d", argument, (long long)dim, DIM_MAX);
  return call->failed;
}

static void fail_json(struct call *call, const char *argument, const char *text, size_t bytes,
                      const struct json_fault *fault) {
  long long at = (long long)fault->offset;
  unsigned char found = fault->offset < bytes ? (unsigned char)text[fault->offset] : 0;
  if (fault->offset >= bytes)
    fail(call, "%s is not a JSON array of numbers: expected %s at byte %lld, found the end", argument,
         fault->expected, at);
  else if (found >= 0x20 && found < 0x7f)
    fail(call, "%s is not a JSON array of numbers: expected %s at byte %lld, found '%c'", argument,
         fault->expected, at, found);
  else
    fail(call, "%s is not a JSON array of numbers: expected %s at byte %lld, found byte 0x%02x", argument,
         fault->expected, at, (unsigned)found);
}

/* A value as SQLite hands it out: text is terminated UTF-8. */
struct cell {
  int type;
  const void *data;
  size_t bytes;
};

static struct cell cell_of_value(sqlite3_value *value) {
  struct cell cell = {.type = sqlite3_value_type(value)};
  if (cell.type == SQLITE_TEXT) cell.data = sqlite3_value_text(value);
  if (cell.type == SQLITE_BLOB) cell.data = sqlite3_value_blob(value);
  cell.bytes = (size_t)sqlite3_value_bytes(value);
  return cell;
}

static int parse_text(struct call *call, const char *text, size_t bytes, const char *argument, float **out,
                      size_t *dim) {
  struct json_fault fault;
  *out = NULL;
  if (text == NULL) return fail_nomem(call), call->failed;
  size_t cap = json_count(text, bytes);
  if (cap > DIM_MAX) cap = DIM_MAX;
  float *buffer = memory_array(&sqlite_memory, cap, sizeof *buffer);
  if (buffer == NULL) return fail_nomem(call), call->failed;
  enum status rc = json_read(text, bytes, cap, buffer, dim, &fault);
  if (rc == STATUS_OK)
    vector_check_dim(call, argument, *dim);
  else if (rc == STATUS_FOREIGN)
    fail_json(call, argument, text, bytes, &fault);
  else if (rc == STATUS_DIM)
    fail(call, "%s has more than %d elements, expected 1 to %d", argument, DIM_MAX, DIM_MAX);
  else if (rc == STATUS_OVERFLOW)
    fail_overflow(call, argument, fault.index);
  else
    fail_status(call, rc);
  if (call->failed) {
    sqlite3_free(buffer);
    return call->failed;
  }
  *out = buffer;
  return 0;
}

int vector_parse(struct call *call, sqlite3_value *value, const char *argument, float **out, size_t *dim) {
  struct cell cell = cell_of_value(value);
  return parse_text(call, cell.data, cell.bytes, argument, out, dim);
}

static int read_blob(struct call *call, const struct cell *cell, const char *argument, struct vector *v) {
  v->data = cell->data;
  v->dim = cell->bytes / 4;
  if (v->data == NULL && cell->bytes > 0) return fail_nomem(call), call->failed;
  if (cell->bytes % 4 != 0) {
    fail(call, "%s is a BLOB of %lld bytes, expected a multiple of 4", argument, (long long)cell->bytes);
    return call->failed;
  }
  return vector_check_dim(call, argument, v->dim);
}

static int read_cell(struct call *call, const struct cell *cell, const char *argument, struct vector *v) {
  *v = (struct vector){0};
  if (cell->type == SQLITE_BLOB) return read_blob(call, cell, argument, v);
  if (cell->type == SQLITE_TEXT) {
    float *buffer;
    if (parse_text(call, cell->data, cell->bytes, argument, &buffer, &v->dim)) return call->failed;
    v->data = v->parsed = buffer;
    return 0;
  }
  fail_type(call, argument, cell->type, A_VECTOR);
  return call->failed;
}

int vector_read(struct call *call, sqlite3_value *value, const char *argument, struct vector *v) {
  struct cell cell = cell_of_value(value);
  return read_cell(call, &cell, argument, v);
}

void vector_free(struct vector *v) {
  sqlite3_free(v->parsed);
  v->parsed = NULL;
}

const struct constant *vector_constant(sqlite3_context *context, int index) {
  return sqlite3_get_auxdata(context, index);
}

/* SQLite keeps it if the argument is constant, and frees it at once if not: nothing is done with it from here on. Without
** memory the next row is as slow as this one. */
void vector_remember(struct call *call, int index, const struct vector *v) {
  size_t bytes = v->dim * sizeof(float);
  struct constant *constant = sqlite3_malloc64(sizeof *constant + 63 + bytes);
  if (constant == NULL) return;
  float *data = memory_align64(constant + 1);
  memcpy(data, v->data, bytes);
  *constant = (struct constant){v->dim, data, vector_square(v->dim, data)};
  sqlite3_set_auxdata(call->context, index, constant, sqlite3_free);
}

int vector_argument(struct call *call, sqlite3_value **argv, int index, const char *argument, struct vector *v) {
  const struct constant *constant = vector_constant(call->context, index);
  if (constant == NULL) return vector_read(call, argv[index], argument, v);
  *v = (struct vector){.data = constant->data, .dim = constant->dim};
  return 0;
}

void vector_done(struct call *call, int index, struct vector *v) {
  if (v->parsed == NULL) return;
  vector_remember(call, index, v);
  vector_free(v);
}

float *result_buffer(struct call *call, size_t count) {
  float *buffer = memory_array(&sqlite_memory, count, sizeof *buffer);
  if (buffer == NULL) fail_nomem(call);
  return buffer;
}

void result_vector(struct call *call, float *buffer, size_t count) {
  sqlite3_result_blob64(call->context, buffer, count * sizeof *buffer, sqlite3_free);
}

void result_double(struct call *call, double value) {
  if (isnan(value))
    sqlite3_result_null(call->context);
  else
    sqlite3_result_double(call->context, value);
}

void result_json(struct call *call, char *text, size_t bytes) {
  sqlite3_result_text64(call->context, text, bytes, sqlite3_free, SQLITE_UTF8);
  sqlite3_result_subtype(call->context, JSON_SUBTYPE);
}

/* Of a copy of a value sqlite3_value_numeric_type must not be asked: newer versions crash. And libc's strtod follows the
** locale. */
int number_type(const char *text) {
  static const char SPACES[] = " \t\n\v\f\r", DIGITS[] = "0123456789";
  const char *at = text + strspn(text, SPACES);
  double whole = 0;
  if (*at == '+' || *at == '-') at++;
  size_t digits = strspn(at, DIGITS), fraction = 0, exponent = 1;
  for (const char *end = at + digits; at < end; at++) whole = 10 * whole + (*at - '0');
  int is_integer = whole < 0x1p63 && *at != '.' && *at != 'e' && *at != 'E';
  if (*at == '.') {
    fraction = strspn(++at, DIGITS);
    at += fraction;
  }
  if (*at == 'e' || *at == 'E') {
    if (*++at == '+' || *at == '-') at++;
    exponent = strspn(at, DIGITS);
    at += exponent;
  }
  if (digits + fraction == 0 || exponent == 0 || at[strspn(at, SPACES)] != 0) return SQLITE_TEXT;
  return is_integer ? SQLITE_INTEGER : SQLITE_FLOAT;
}

/* A client that does not know its columns' types binds numbers as TEXT, where "k is TEXT" would puzzle: the message shows
** the text and the way out. */
void fail_number(struct call *call, const char *argument, sqlite3_value *value, const char *expected) {
  int type = sqlite3_value_type(value);
  char *text = type == SQLITE_TEXT ? sqlite3_mprintf("%s", sqlite3_value_text(value)) : NULL;
  int numeric = text != NULL ? number_type(text) : SQLITE_NULL;
  if (type == SQLITE_TEXT && text == NULL)
    fail_nomem(call);
  else if (numeric == SQLITE_INTEGER || numeric == SQLITE_FLOAT)
    fail(call, "%s is TEXT '%s', expected %s: bind it as a number, or write CAST(? AS %s)", argument, text,
         expected, numeric == SQLITE_INTEGER ? "INTEGER" : "REAL");
  else if (type == SQLITE_FLOAT)
    fail(call, "%s is %!.15g, expected %s", argument, sqlite3_value_double(value), expected);
  else
    fail_type(call, argument, type, expected);
  sqlite3_free(text);
}

int number_read(struct call *call, sqlite3_value *value, const char *argument, double minimum, double *number) {
  int type = sqlite3_value_type(value), is_bounded = minimum > -INFINITY;
  *number = 0;
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
    fail_number(call, argument, value, is_bounded ? "a number >= 0" : "a number");
    return call->failed;
  }
  *number = sqlite3_value_double(value);
  if (!(*number >= minimum) || isinf(*number))
    fail(call, "%s is %!.15g, expected a finite number%s", argument, *number, is_bounded ? " >= 0" : "");
  return call->failed;
}

int integer_of_real(double real, int64_t *number) {
  if (!(real >= -9223372036854775808.0 && real < 9223372036854775808.0) || (double)(int64_t)real != real) return 0;
  *number = (int64_t)real;
  return 1;
}

int integer_of(sqlite3_value *value, int64_t *number) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_INTEGER) return *number = sqlite3_value_int64(value), 1;
  return type == SQLITE_FLOAT && integer_of_real(sqlite3_value_double(value), number);
}

int integer_read(struct call *call, sqlite3_value *value, const char *argument, int64_t minimum, int64_t *number) {
  if (!integer_of(value, number))
    fail_number(call, argument, value, "an INTEGER");
  else if (*number < minimum)
    fail(call, "%s is %lld, expected at least %lld", argument, (long long)*number, (long long)minimum);
  return call->failed;
}

int is_interrupted(sqlite3_context *context) {
#if SQLITE_VERSION_NUMBER >= 3041000
  return sqlite3_libversion_number() >= 3041000 && sqlite3_is_interrupted(sqlite3_context_db_handle(context));
#else
  (void)context;
  return 0;
#endif
}

int any_null(int argc, sqlite3_value **argv) {
  for (int i = 0; i < argc; i++)
    if (sqlite3_value_type(argv[i]) == SQLITE_NULL) return 1;
  return 0;
}
