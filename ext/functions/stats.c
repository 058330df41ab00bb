/* mean_cosine, isotropy: aggregates over vectors; spearman, pearson: aggregates over pairs of numbers. */
#include "../core/stats.h"

#include <math.h>

#include "models.h"
#include "value.h"

enum { MEAN_COSINE, ISOTROPY };
enum { SPEARMAN, PEARSON };

/* One group of vectors: one of the two states is in use. */
struct space {
  struct mean_cosine cosine;
  struct moments moments;
  int64_t rows;
};

static void add_vector(struct call *call, struct space *space, const struct vector *v) {
  enum status rc = STATUS_OK;
  size_t dim;
  if (call_variant(call) == ISOTROPY) {
    if (space->moments.mem == NULL)
      rc = moments_init(&space->moments, v->dim, SCATTER_DOUBLE, call->connection->cores, &sqlite_memory);
    dim = space->moments.dim;
    if (rc == STATUS_OK && dim == v->dim) rc = moments_add(&space->moments, v->data, 1);
  } else {
    if (space->cosine.mem == NULL) rc = mean_cosine_init(&space->cosine, v->dim, &sqlite_memory);
    dim = space->cosine.dim;
    if (rc == STATUS_OK && dim == v->dim) rc = mean_cosine_add(&space->cosine, v->data);
  }
  if (rc == STATUS_NOT_FINITE)
    fail_not_finite(call, "v", v->dim, v->data);
  else if (rc == STATUS_DIM)
    fail_dim_of_moments(call, v->dim);
  else if (rc)
    fail_status(call, rc);
  else if (dim != v->dim)
    fail_dim(call, "v", v->dim, dim, " as in the rows before");
}

static void space_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  struct space *space = sqlite3_aggregate_context(context, sizeof *space);
  if (space == NULL) {
    fail_nomem(&call);
    return;
  }
  call.row = ++space->rows;
  if (any_null(argc, argv) || vector_read(&call, argv[0], "v", &v)) return;
  add_vector(&call, space, &v);
  vector_free(&v);
}

static void space_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct space *space = sqlite3_aggregate_context(context, 0);
  if (space == NULL) return;
  if (call_variant(&call) == MEAN_COSINE)
    result_double(&call, mean_cosine_value(&space->cosine));
  else if (space->moments.rows > 0 && moments_flush(&space->moments) != STATUS_OK)
    fail_nomem(&call);
  else
    result_double(&call, space->moments.rows > 0 ? stats_isoscore(&space->moments) : NAN);
  mean_cosine_clear(&space->cosine);
  moments_clear(&space->moments);
}

/* One group of pairs. */
struct correlation {
  struct pairs pairs;
  int64_t rows;
};

static int read_number(struct call *call, sqlite3_value *value, const char *argument, double *number) {
  int type = sqlite3_value_type(value);
  *number = sqlite3_value_double(value);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
    fail_type(call, argument, sqlite3_value_type(value), "a number");
  else if (isinf(*number))
    fail(call, "%s is %!.15g, expected a finite number", argument, *number);
  return call->failed;
}

static void correlation_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  double x, y;
  struct correlation *correlation = sqlite3_aggregate_context(context, sizeof *correlation);
  if (correlation == NULL) {
    fail_nomem(&call);
    return;
  }
  call.row = ++correlation->rows;
  if (any_null(argc, argv) || read_number(&call, argv[0], "x", &x) || read_number(&call, argv[1], "y", &y)) return;
  if (pairs_add(&correlation->pairs, x, y, &sqlite_memory) != STATUS_OK) fail_nomem(&call);
}

static void correlation_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct correlation *correlation = sqlite3_aggregate_context(context, 0);
  if (correlation == NULL) return;
  struct pairs *pairs = &correlation->pairs;
  if (!is_interrupted(context))
    result_double(&call, call_variant(&call) == SPEARMAN ? pairs_spearman(pairs) : pairs_pearson(pairs));
  pairs_clear(pairs);
}

#define AGGREGATE(NAME, ARGS, VARIANT, STEP, FINAL) \
  { .name = NAME, .min_args = ARGS, .max_args = ARGS, .flags = FUNCTION_PURE, .variant = VARIANT, .step = STEP, .final = FINAL }

const struct function stats_functions[] = {
    AGGREGATE("mean_cosine", 1, MEAN_COSINE, space_step, space_final),
    AGGREGATE("isotropy", 1, ISOTROPY, space_step, space_final),
    AGGREGATE("spearman", 2, SPEARMAN, correlation_step, correlation_final),
    AGGREGATE("pearson", 2, PEARSON, correlation_step, correlation_final),
    {.name = NULL}};
