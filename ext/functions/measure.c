/* mean_cosine, isotropy: aggregates over vectors; spearman, pearson: aggregates over pairs of numbers. */
#include <math.h>

#include "core/correlation.h"
#include "core/space.h"
#include "functions/moments.h"

enum { SPEARMAN, PEARSON };

struct mean_cosine_group {
  struct group group;
  struct mean_cosine cosine;
};

/* mean_cosine(v) */
static void mean_cosine_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  enum status rc = STATUS_OK;
  struct mean_cosine_group *state = group_of(&call, sizeof *state);
  if (state == NULL || any_null(argc, argv) || vector_read(&call, argv[0], "v", &v)) return;
  struct mean_cosine *cosine = &state->cosine;
  if (cosine->mem == NULL) rc = mean_cosine_init(cosine, v.dim, &sqlite_memory);
  if (rc == STATUS_OK && cosine->dim != v.dim)
    fail_dim(&call, "v", v.dim, cosine->dim, " as in the rows before");
  else if (rc == STATUS_OK)
    rc = mean_cosine_add(cosine, v.data);
  if (rc == STATUS_NOT_FINITE)
    fail_not_finite(&call, "v", v.dim, v.data);
  else if (rc)
    fail_status(&call, rc);
  else if (v.parsed == NULL)
    group_look(&call, &state->group, "v", v.dim, v.data);
  vector_free(&v);
}

static void mean_cosine_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct mean_cosine_group *state = group_ended(&call);
  if (state == NULL) return;
  if (!group_looked(&call, &state->group, "v", state->cosine.dim))
    result_double(&call, mean_cosine_value(&state->cosine));
  mean_cosine_clear(&state->cosine);
}

/* isotropy(v) */
static void isotropy_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  struct gathering *state = group_of(&call, sizeof *state);
  if (state == NULL || any_null(argc, argv)) return;
  if (vector_read(&call, argv[0], "v", &v) == 0) {
    moments_add_row(&call, state, SCATTER_DOUBLE, &v, 1);
    vector_free(&v);
  }
  state->group.failed = call.failed;
}

static void isotropy_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct gathering *state = group_ended(&call);
  if (state == NULL) return;
  int gathered = moments_are_gathered(&call, state);
  if (gathered && moments_flush(&state->moments) != STATUS_OK)
    fail_nomem(&call);
  else if (gathered)
    result_double(&call, space_isoscore(&state->moments));
  moments_clear(&state->moments);
}

struct correlation_group {
  struct group group;
  struct correlation pairs;
};

/* spearman(x, y), pearson(x, y) */
static void correlation_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  double x, y;
  struct correlation_group *state = group_of(&call, sizeof *state);
  if (state == NULL || any_null(argc, argv)) return;
  if (number_read(&call, argv[0], "x", -INFINITY, &x) || number_read(&call, argv[1], "y", -INFINITY, &y)) return;
  if (correlation_add(&state->pairs, x, y, &sqlite_memory) != STATUS_OK) fail_nomem(&call);
}

static void correlation_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct correlation_group *state = group_ended(&call);
  if (state == NULL) return;
  if (!is_interrupted(context))
    result_double(&call, call_variant(&call) == SPEARMAN ? correlation_spearman(&state->pairs)
                                                         : correlation_pearson(&state->pairs));
  correlation_clear(&state->pairs);
}

#define AGGREGATE(NAME, ARGS, VARIANT, STEP, FINAL) \
  { \
    .name = NAME, .min_args = ARGS, .max_args = ARGS, .flags = FUNCTION_PURE, .variant = VARIANT, .step = STEP, \
    .final = FINAL \
  }

const struct function measure_functions[] = {
    AGGREGATE("mean_cosine", 1, 0, mean_cosine_step, mean_cosine_final),
    AGGREGATE("isotropy", 1, 0, isotropy_step, isotropy_final),
    AGGREGATE("spearman", 2, SPEARMAN, correlation_step, correlation_final),
    AGGREGATE("pearson", 2, PEARSON, correlation_step, correlation_final),
    {.name = NULL}};
