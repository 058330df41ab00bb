/* whiten_fit: an aggregate that gathers moments and solves for the model at its end. */
#include <string.h>

#include "functions/moments.h"
#include "functions/options.h"

/* k and options are those of the group's first row, and kept to see that they stay the same. */
struct fit {
  struct gathering rows;
  struct solve_options options;
  sqlite3_value *arguments[2];
};

/* 1 if the values are the same; 0 if not, or after an error. */
static int is_same(struct call *call, sqlite3_value *a, sqlite3_value *b) {
  int type = sqlite3_value_type(a);
  if (type != sqlite3_value_type(b)) return 0;
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(a) == sqlite3_value_int64(b);
  if (type == SQLITE_FLOAT) return sqlite3_value_double(a) == sqlite3_value_double(b);
  if (type == SQLITE_NULL) return 1;
  const void *text_a = sqlite3_value_text(a), *text_b = sqlite3_value_text(b);
  if (text_a == NULL || text_b == NULL) return fail_nomem(call), 0;
  int bytes = sqlite3_value_bytes(a);
  return bytes == sqlite3_value_bytes(b) && memcmp(text_a, text_b, (size_t)bytes) == 0;
}

/* Reads k and options on the first row, and sees that they are the same on the others. */
static int check_constant(struct call *call, struct fit *fit, int argc, sqlite3_value **argv, size_t d) {
  static const char *const NAMES[] = {"k", "options"};
  int is_first = fit->rows.moments.mem == NULL;
  for (int i = 1; i < argc && i <= 2; i++) {
    if (is_first) {
      fit->arguments[i - 1] = sqlite3_value_dup(argv[i]);
      if (fit->arguments[i - 1] == NULL) fail_nomem(call);
    } else if (!is_same(call, fit->arguments[i - 1], argv[i])) {
      fail(call, "%s differs from the row before, expected the same in every row of the group", NAMES[i - 1]);
    }
  }
  if (is_first && !call->failed)
    options_read(call, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, d, &fit->options);
  return call->failed;
}

/* whiten_fit(v [, k [, options]]) */
static void step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  struct fit *fit = group_of(&call, sizeof *fit);
  if (fit == NULL || any_null(1, argv)) return;
  if (vector_read(&call, argv[0], "v", &v) == 0) {
    if (check_constant(&call, fit, argc, argv, v.dim) == 0)
      moments_add_row(&call, &fit->rows, fit->options.precision, &v, 1);
    vector_free(&v);
  }
  fit->rows.group.failed = call.failed;
}

static void final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct fit *fit = group_ended(&call);
  if (fit == NULL) return;
  if (moments_are_gathered(&call, &fit->rows)) result_solved(&call, &fit->rows.moments, &fit->options);
  moments_clear(&fit->rows.moments);
  for (int i = 0; i < 2; i++) sqlite3_value_free(fit->arguments[i]);
}

const struct function fit_functions[] = {
    {.name = "whiten_fit", .min_args = 1, .max_args = 3, .flags = FUNCTION_PURE, .step = step, .final = final},
    {.name = NULL}};
