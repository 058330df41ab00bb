/* whiten_fit, whiten_stats, whiten_merge: aggregates that gather moments; whiten_solve: the model from them. */
#include <math.h>
#include <string.h>

#include "../core/whiten.h"
#include "models.h"
#include "options.h"
#include "value.h"

enum { FIT, STATS };

/* One group. For whiten_fit, k and options are those of its first row, and kept to see that they stay the same. */
struct group {
  struct moments moments;
  struct whiten_options options;
  int64_t rows;
  int failed; /* a row did: SQLite finalizes the group all the same */
  sqlite3_value *arguments[2];
};

static struct group *group_of(struct call *call) {
  struct group *group = sqlite3_aggregate_context(call->context, sizeof *group);
  if (group == NULL)
    fail_nomem(call);
  else
    call->row = ++group->rows;
  return group;
}

static void group_clear(struct group *group) {
  moments_clear(&group->moments);
  for (int i = 0; i < 2; i++) sqlite3_value_free(group->arguments[i]);
}

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
static int check_constant(struct call *call, struct group *group, int argc, sqlite3_value **argv, size_t d) {
  static const char *const NAMES[] = {"k", "options"};
  int is_first = group->moments.mem == NULL;
  for (int i = 1; i < argc && i <= 2; i++) {
    if (is_first) {
      group->arguments[i - 1] = sqlite3_value_dup(argv[i]);
      if (group->arguments[i - 1] == NULL) fail_nomem(call);
    } else if (!is_same(call, group->arguments[i - 1], argv[i])) {
      fail(call, "%s differs from the row before, expected the same in every row of the group", NAMES[i - 1]);
    }
  }
  if (is_first && !call->failed)
    options_read(call, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, d, &group->options);
  return call->failed;
}

static void add_row(struct call *call, struct group *group, const struct vector *v, double weight) {
  enum status rc = STATUS_OK;
  if (group->moments.mem == NULL)
    rc = moments_init(&group->moments, v->dim, group->options.precision, call->connection->cores, &sqlite_memory);
  if (rc == STATUS_DIM) {
    fail_dim_of_moments(call, v->dim);
    return;
  }
  if (rc == STATUS_OK && group->moments.dim != v->dim)
    fail_dim(call, "v", v->dim, group->moments.dim, " as in the rows before");
  else if (rc == STATUS_OK && weight > 0)
    rc = moments_add(&group->moments, v->data, weight);
  if (rc == STATUS_NOT_FINITE || (rc == STATUS_OK && !(weight > 0)))
    fail_not_finite(call, "v", v->dim, v->data);
  else if (rc)
    fail_status(call, rc);
}

/* whiten_fit(v [, k [, options]]), whiten_stats(v [, weight]) */
static void step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  double weight = 1;
  struct group *group = group_of(&call);
  int is_stats = call_variant(&call) == STATS;
  if (group == NULL || any_null(is_stats ? argc : 1, argv)) return;
  if ((!is_stats || argc < 2 || number_read(&call, argv[1], "weight", &weight) == 0) &&
      vector_read(&call, argv[0], "v", &v) == 0) {
    if (is_stats || check_constant(&call, group, argc, argv, v.dim) == 0) add_row(&call, group, &v, weight);
    vector_free(&v);
  }
  group->failed = call.failed;
}

static void return_model(struct call *call, struct moments *moments, const struct whiten_options *options) {
  void *blob = NULL;
  uint64_t size;
  size_t rank = 0;
  enum status rc = moments_flush(moments);
  if (rc == STATUS_OK) rc = whiten_solve(moments, options, &blob, &size, &rank);
  if (rc == STATUS_OK)
    sqlite3_result_blob64(call->context, blob, size, sqlite3_free);
  else
    fail_solve(call, rc, moments, options, rank);
}

/* A weight may take a sum out of range; what is not finite shows on the diagonal, or in the mean. */
static int moments_are_finite(const struct moments *m) {
  double finite = 0;
  for (size_t i = 0; i < m->dim; i++) finite += m->mean[i] * 0 + m->cross[i * m->dim + i] * 0;
  return finite == 0;
}

static void return_stats(struct call *call, struct moments *moments) {
  enum status rc = moments_flush(moments);
  if (rc == STATUS_OK && isinf(moments->weight)) {
    fail(call, "weight sums to %!.15g, expected a finite sum", moments->weight);
    return;
  }
  if (rc == STATUS_OK && !moments_are_finite(moments)) {
    fail(call, "the weighted sums are beyond float64, expected smaller weights");
    return;
  }
  uint64_t size = stats_size(moments->dim);
  void *blob = rc ? NULL : sqlite3_malloc64(size);
  if (blob == NULL) {
    fail_nomem(call);
    return;
  }
  stats_write(moments, blob);
  sqlite3_result_blob64(call->context, blob, size, sqlite3_free);
}

static void final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct group *group = sqlite3_aggregate_context(context, 0);
  if (group == NULL) return;
  if (group->moments.rows > 0 && !group->failed && !is_interrupted(context)) {
    if (call_variant(&call) == STATS)
      return_stats(&call, &group->moments);
    else
      return_model(&call, &group->moments, &group->options);
  }
  group_clear(group);
}

/* Joins a stats BLOB to moments, which are made if they are zeroed. 0 on success. */
static int merge_blob(struct call *call, sqlite3_value *value, struct moments *moments) {
  struct stats_header header = {0};
  if (sqlite3_value_type(value) != SQLITE_BLOB) {
    fail_type(call, "stats", sqlite3_value_type(value), "a stats BLOB from whiten_stats or whiten_merge");
    return call->failed;
  }
  const void *blob = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value), d;
  enum status rc = blob == NULL && bytes > 0 ? STATUS_NOMEM : stats_read(blob, bytes, &header);
  if (rc) {
    fail_blob(call, "stats", rc, blob, bytes, header.size);
    return call->failed;
  }
  d = header.d;
  if (moments->mem == NULL) rc = moments_init(moments, d, SCATTER_DOUBLE, 1, &sqlite_memory);
  if (rc == STATUS_DIM) return fail_blob(call, "stats", STATUS_HEADER, blob, bytes, header.size), call->failed;
  if (rc == STATUS_OK && moments->dim != d) {
    fail(call, "stats is of %lld dimensions, expected %lld as in the rows before", (long long)d,
         (long long)moments->dim);
    return call->failed;
  }
  double *mean = memory_array(&sqlite_memory, d * (d + 1), sizeof *mean);
  if (mean == NULL) rc = STATUS_NOMEM;
  if (rc == STATUS_OK) {
    stats_unpack(blob, &header, mean, mean + d);
    rc = moments_merge(moments, header.n, header.weight, mean, mean + d);
  }
  sqlite3_free(mean);
  if (rc) fail_status(call, rc);
  return call->failed;
}

/* whiten_merge(stats) */
static void merge_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct group *group = group_of(&call);
  if (group != NULL && !any_null(argc, argv)) group->failed = merge_blob(&call, argv[0], &group->moments);
}

/* whiten_solve(stats [, k [, options]]) */
static void whiten_solve_call(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct moments moments = {0};
  struct whiten_options options;
  if (any_null(1, argv)) return;
  if (merge_blob(&call, argv[0], &moments) == 0 &&
      options_read(&call, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL, moments.dim, &options) == 0) {
    if (options.precision != SCATTER_DOUBLE)
      fail(&call, "options.precision is single, expected double: the moments are summed already");
    else
      return_model(&call, &moments, &options);
  }
  moments_clear(&moments);
}

const struct function fit_functions[] = {
    {.name = "whiten_fit", .min_args = 1, .max_args = 3, .flags = FUNCTION_PURE, .variant = FIT,
     .step = step, .final = final},
    {.name = "whiten_stats", .min_args = 1, .max_args = 2, .flags = FUNCTION_PURE, .variant = STATS,
     .step = step, .final = final},
    {.name = "whiten_merge", .min_args = 1, .max_args = 1, .flags = FUNCTION_PURE, .variant = STATS,
     .step = merge_step, .final = final},
    {.name = "whiten_solve", .min_args = 1, .max_args = 3, .flags = FUNCTION_PURE, .call = whiten_solve_call},
    {.name = NULL}};
