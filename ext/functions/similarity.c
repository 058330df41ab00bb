/*
** cosine_sim, dot_product, l2_distance, l1_distance: two vectors in, a REAL out.
**
** A scan - ORDER BY cosine_sim(v, ?) - calls them once per row, with one argument that is constant: that one is read,
** aligned and its norm taken in the first row.
*/
#include <math.h>

#include "core/vector.h"
#include "host/value.h"

enum { COSINE, DOT, L2, L1 };

/*
** Which argument is constant only SQLite knows, and it tells by keeping what is remembered of it. Each call in a statement
** asks once; with two columns neither ever is, and asking again would cost a copy a row. A call is known by its context,
** which SQLite makes with the statement; were it made for each row, asking would be all that is lost. What has been asked
** belongs to the statement, as all auxiliary data with a negative index do.
*/
enum { STATEMENT_CALLS = -2083166, CALLS = 64 };
struct asked {
  const sqlite3_context *call[CALLS];
  unsigned next; /* place of the next one: of more calls than CALLS the oldest ask again */
};

static int may_ask(sqlite3_context *context) {
  struct asked *asked = sqlite3_get_auxdata(context, STATEMENT_CALLS), *fresh = NULL;
  for (unsigned i = 0; asked != NULL && i < CALLS; i++)
    if (asked->call[i] == context) return 0;
  if (asked == NULL) {
    asked = fresh = sqlite3_malloc64(sizeof *fresh);
    if (fresh == NULL) return 0;
    *fresh = (struct asked){.next = 0};
  }
  asked->call[asked->next] = context;
  asked->next = (asked->next + 1) % CALLS;
  if (fresh != NULL) sqlite3_set_auxdata(context, STATEMENT_CALLS, fresh, sqlite3_free);
  return 1;
}

/* None of the four depends on the order of a and b, to the bit. */
static double compare(int variant, size_t dim, const void *a, double square, const void *b) {
  switch (variant) {
    case COSINE: return vector_cosine(dim, a, square, b);
    case DOT: return vector_dot(dim, a, b);
    case L1: return vector_l1(dim, a, b);
    default: return vector_l2(dim, a, b);
  }
}

static void return_result(sqlite3_context *context, int variant, double result) {
  if (!(variant == COSINE && result == COSINE_UNDEFINED)) sqlite3_result_double(context, result);
}

/* The row of a scan: a constant and a BLOB. 0 if it is none, or if something is wrong with it: the long way finds out
** what. */
static int compare_with_constant(sqlite3_context *context, int variant, sqlite3_value **argv) {
  int index = 1;
  const struct constant *constant = vector_constant(context, index);
  if (constant == NULL) constant = vector_constant(context, index = 0);
  if (constant == NULL || sqlite3_value_type(argv[!index]) != SQLITE_BLOB) return 0;
  const void *blob = sqlite3_value_blob(argv[!index]);
  if ((size_t)sqlite3_value_bytes(argv[!index]) != constant->dim * sizeof(float) || blob == NULL) return 0;
  double result = compare(variant, constant->dim, constant->data, constant->square, blob);
  if (isnan(result)) return 0;
  return_result(context, variant, result);
  return 1;
}

static void compare_vectors(struct call *call, int variant, const struct vector *a, const struct vector *b) {
  if (a->dim != b->dim) {
    fail_dim(call, "b", b->dim, a->dim, " as in a");
    return;
  }
  double result = compare(variant, a->dim, a->data, vector_square(a->dim, a->data), b->data);
  if (!isnan(result))
    return_result(call->context, variant, result);
  else if (!fail_not_finite(call, "a", a->dim, a->data))
    fail_not_finite(call, "b", b->dim, b->data);
}

static void similarity(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector a, b;
  int variant = call_variant(&call);
  if (compare_with_constant(context, variant, argv) || any_null(argc, argv)) return;
  if (vector_argument(&call, argv, 0, "a", &a)) return;
  if (vector_argument(&call, argv, 1, "b", &b) == 0) {
    compare_vectors(&call, variant, &a, &b);
    if (may_ask(context)) {
      if (a.parsed == NULL) vector_remember(&call, 0, &a);
      if (b.parsed == NULL) vector_remember(&call, 1, &b);
    }
    vector_done(&call, 1, &b);
  }
  vector_done(&call, 0, &a);
}

const struct function similarity_functions[] = {{.name = "cosine_sim",
                                                 .min_args = 2,
                                                 .max_args = 2,
                                                 .flags = FUNCTION_PURE,
                                                 .variant = COSINE,
                                                 .call = similarity},
                                                {.name = "dot_product",
                                                 .min_args = 2,
                                                 .max_args = 2,
                                                 .flags = FUNCTION_PURE,
                                                 .variant = DOT,
                                                 .call = similarity},
                                                {.name = "l2_distance",
                                                 .min_args = 2,
                                                 .max_args = 2,
                                                 .flags = FUNCTION_PURE,
                                                 .variant = L2,
                                                 .call = similarity},
                                                {.name = "l1_distance",
                                                 .min_args = 2,
                                                 .max_args = 2,
                                                 .flags = FUNCTION_PURE,
                                                 .variant = L1,
                                                 .call = similarity},
                                                {.name = NULL}};
