/*
** From SQLite's values to vectors and numbers, and results back.
*/
#ifndef WHITEN_HOST_VALUE_H
#define WHITEN_HOST_VALUE_H

#include "host/call.h"

/*
** A vector argument: dim float32 at data, unaligned. Elements of a BLOB are not checked: who computes with them looks
** at the result (fail_not_finite finds the culprit). Elements read from JSON are finite.
*/
struct vector {
  const void *data;
  size_t dim;
  void *parsed; /* what was read from JSON in this call */
};

/*
** Reads a vector; 0 on success. A BLOB must have a multiple of 4 bytes, TEXT must be a JSON array of numbers, and
** there must be 1 to DIM_MAX elements. NULL is for the caller to handle first. The data live until vector_free or
** until the value changes.
*/
int vector_read(struct call *call, sqlite3_value *value, const char *argument, struct vector *v);
void vector_free(struct vector *v);

/* The same for argument `index` of a scalar function: JSON that is constant in the statement is parsed once. Every
** success must be followed by vector_done with the same index. */
int vector_argument(struct call *call, sqlite3_value **argv, int index, const char *argument, struct vector *v);
void vector_done(struct call *call, int index, struct vector *v);

/* What is kept of an argument that is constant in the statement. */
struct constant {
  size_t dim;
  const float *data; /* 64-byte aligned */
  double square;     /* the sum of their squares */
};

/* The constant in argument `index`, if an earlier row found one there: JSON that vector_argument read, or what
** vector_remember was given. NULL if not. */
const struct constant *vector_constant(sqlite3_context *context, int index);
/* Has SQLite keep argument `index`, should it be constant. */
void vector_remember(struct call *call, int index, const struct vector *v);

/* 0 when dim is 1 to DIM_MAX, else an error. */
int vector_check_dim(struct call *call, const char *argument, size_t dim);

/* Reads JSON into a fresh block from sqlite3_malloc64. 0 on success. */
int vector_parse(struct call *call, sqlite3_value *value, const char *argument, float **out, size_t *dim);

/* A buffer for a result of `count` float32, or NULL after fail_nomem; and the result itself, which takes it over. */
float *result_buffer(struct call *call, size_t count);
void result_vector(struct call *call, float *buffer, size_t count);
void result_double(struct call *call, double value);
/* JSON text, which SQLite's own JSON functions take as such; `text` from sqlite3_malloc is taken over. */
void result_json(struct call *call, char *text, size_t bytes);

/* A finite number of at least `minimum`, which is 0 (a mask, a weight) or -INFINITY. 0 on success. */
int number_read(struct call *call, sqlite3_value *value, const char *argument, double minimum, double *number);
/*
** Whether the value is an integer, and which: an INTEGER, or a REAL without a fraction, since JavaScript, R and others
** bind every number as REAL.
*/
int integer_of(sqlite3_value *value, int64_t *number);
int integer_of_real(double real, int64_t *number);
/* What number a text is, whatever the locale: SQLITE_INTEGER, SQLITE_FLOAT, or SQLITE_TEXT for none. */
int number_type(const char *text);
/* "argument is TEXT '5', expected ...: bind it as a number": the value is no number, or not one of those expected. */
void fail_number(struct call *call, const char *argument, sqlite3_value *value, const char *expected);
/* Such an integer of at least `minimum`. 0 on success. */
int integer_read(struct call *call, sqlite3_value *value, const char *argument, int64_t minimum, int64_t *number);

/* Whether the statement is being stopped: SQLite finalizes aggregates then as well, and nobody wants their result. Known
** from SQLite 3.41 on, when it was built with its header. */
int is_interrupted(sqlite3_context *context);

/* Whether any of the arguments is NULL. */
int any_null(int argc, sqlite3_value **argv);

#endif
