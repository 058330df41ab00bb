/* cosine_sim, dot_product, l2_distance: two vectors in, a REAL out. */
#include <math.h>

#include "../core/vector.h"
#include "value.h"

enum { COSINE, DOT, L2 };

/* How often to ask SQLite which argument is constant; with two columns neither ever is. The count belongs to the
** statement, as all auxiliary data with a negative index do. */
enum { STATEMENT_ATTEMPTS = -2083166, ATTEMPTS = 4 };

static int may_attempt(sqlite3_context *context) {
  int *attempts = sqlite3_get_auxdata(context, STATEMENT_ATTEMPTS);
  if (attempts != NULL) return ++*attempts < ATTEMPTS;
  attempts = sqlite3_malloc64(sizeof *attempts);
  if (attempts == NULL) return 0;
  *attempts = 0;
  sqlite3_set_auxdata(context, STATEMENT_ATTEMPTS, attempts, sqlite3_free);
  return 1;
}

/* The norm of a constant argument is taken once. */
static double cosine(struct call *call, struct vector *a, struct vector *b) {
  if (a->constant != NULL) return vector_cosine(a->dim, a->data, constant_square(a), b->data);
  if (b->constant != NULL) return vector_cosine(b->dim, b->data, constant_square(b), a->data);
  if (may_attempt(call->context)) {
    vector_remember(call, 0, a);
    vector_remember(call, 1, b);
  }
  return vector_cosine(a->dim, a->data, vector_square(a->dim, a->data), b->data);
}

static double compare(struct call *call, int variant, struct vector *a, struct vector *b) {
  switch (variant) {
    case COSINE: return cosine(call, a, b);
    case DOT: return vector_dot(a->dim, a->data, b->data);
    default: return vector_l2(a->dim, a->data, b->data);
  }
}

static void similarity(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector a, b;
  int variant = call_variant(&call);
  if (any_null(argc, argv) || vector_argument(&call, argv, 0, "a", &a)) return;
  if (vector_argument(&call, argv, 1, "b", &b) == 0) {
    double result = NAN;
    if (a.dim != b.dim)
      fail_dim(&call, "b", b.dim, a.dim, " as in a");
    else
      result = compare(&call, variant, &a, &b);
    if (isnan(result) && !call.failed && !fail_not_finite(&call, "a", a.dim, a.data))
      fail_not_finite(&call, "b", b.dim, b.data);
    if (!call.failed && !(variant == COSINE && result == COSINE_UNDEFINED)) sqlite3_result_double(context, result);
    vector_done(&call, 1, &b);
  }
  vector_done(&call, 0, &a);
}

const struct function similarity_functions[] = {
    {.name = "cosine_sim", .min_args = 2, .max_args = 2, .flags = FUNCTION_PURE, .variant = COSINE, .call = similarity},
    {.name = "dot_product", .min_args = 2, .max_args = 2, .flags = FUNCTION_PURE, .variant = DOT, .call = similarity},
    {.name = "l2_distance", .min_args = 2, .max_args = 2, .flags = FUNCTION_PURE, .variant = L2, .call = similarity},
    {.name = NULL}};
