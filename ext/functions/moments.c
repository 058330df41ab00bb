/* whiten_stats, whiten_pair_stats, whiten_merge: aggregates that gather moments and join them; whiten_solve: the model
** from them. */
#include "functions/moments.h"

#include <math.h>
#include <string.h>

#include "functions/options.h"
#include "host/connection.h"

void moments_add_row(struct call *call, struct gathering *gathering, enum scatter_precision precision,
                     const struct vector *v, double weight) {
  enum status rc = STATUS_OK;
  struct moments *moments = &gathering->moments;
  if (moments->mem == NULL) rc = moments_init(moments, v->dim, precision, call->connection->cores, &sqlite_memory);
  if (rc == STATUS_DIM) {
    fail_dim_of_moments(call, v->dim);
    return;
  }
  if (rc == STATUS_OK && moments->dim != v->dim)
    fail_dim(call, "v", v->dim, moments->dim, " as in the rows before");
  else if (rc == STATUS_OK && weight > 0)
    rc = moments_add(moments, v->data, weight);
  if (rc == STATUS_NOT_FINITE || (rc == STATUS_OK && !(weight > 0)))
    fail_not_finite(call, "v", v->dim, v->data);
  else if (rc)
    fail_status(call, rc);
  else if (v->parsed == NULL)
    group_look(call, &gathering->group, "v", v->dim, v->data);
}

int moments_are_gathered(struct call *call, const struct gathering *gathering) {
  if (gathering->moments.rows == 0 || gathering->group.failed || is_interrupted(call->context)) return 0;
  return !group_looked(call, &gathering->group, "v", gathering->moments.dim);
}

/* whiten_stats(v [, weight]) */
static void step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  double weight = 1;
  struct gathering *stats = group_of(&call, sizeof *stats);
  if (stats == NULL || any_null(argc, argv)) return;
  if ((argc < 2 || number_read(&call, argv[1], "weight", 0, &weight) == 0) &&
      vector_read(&call, argv[0], "v", &v) == 0) {
    moments_add_row(&call, stats, SCATTER_DOUBLE, &v, weight);
    vector_free(&v);
  }
  stats->group.failed = call.failed;
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
  uint64_t size = moments_size(moments->dim);
  void *blob = rc ? NULL : sqlite3_malloc64(size);
  if (blob == NULL) {
    fail_nomem(call);
    return;
  }
  moments_write(moments, blob);
  sqlite3_result_blob64(call->context, blob, size, sqlite3_free);
}

static void final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct gathering *stats = group_ended(&call);
  if (stats == NULL) return;
  if (moments_are_gathered(&call, stats)) return_stats(&call, &stats->moments);
  moments_clear(&stats->moments);
}

/* Rows that are two vectors: their moments are those of the two, one behind the other. */
struct pairing {
  struct gathering rows; /* its group has looked at a, */
  struct group b;        /* this one at b */
  float *joined;         /* the row */
};

/* Zeroed moments are made by the first pair, whose dimensions the others must have. 0 on success. */
static int check_pair(struct call *call, struct pairing *pairing, const struct vector *a, const struct vector *b) {
  struct moments *moments = &pairing->rows.moments;
  size_t dim = a->dim + b->dim;
  if (moments->mem != NULL) {
    size_t dim_a = moments->dim_a, dim_b = moments->dim - dim_a;
    if (a->dim != dim_a) fail_dim(call, "a", a->dim, dim_a, " as in the rows before");
    if (b->dim != dim_b) fail_dim(call, "b", b->dim, dim_b, " as in the rows before");
    return call->failed;
  }
  enum status rc = moments_init(moments, dim, SCATTER_DOUBLE, call->connection->cores, &sqlite_memory);
  if (rc == STATUS_DIM) {
    fail(call, "a and b have %lld elements together, expected 2 to %d: SQLite allocates no larger covariance",
         (long long)dim, MOMENTS_DIM_MAX);
    return call->failed;
  }
  moments->dim_a = a->dim;
  pairing->joined = memory_array(&sqlite_memory, dim, sizeof *pairing->joined);
  if (rc || pairing->joined == NULL) fail_nomem(call);
  return call->failed;
}

/* The error names the vector, and judges it by its own column. */
static void fail_pair_not_finite(struct call *call, const struct pairing *pairing, const struct vector *a,
                                 const struct vector *b) {
  if (fail_not_finite(call, "a", a->dim, a->data)) return;
  call->group = &pairing->b;
  fail_not_finite(call, "b", b->dim, b->data);
}

static void add_pair(struct call *call, struct pairing *pairing, const struct vector *a, const struct vector *b,
                     double weight) {
  if (check_pair(call, pairing, a, b)) return;
  memcpy(pairing->joined, a->data, a->dim * sizeof(float));
  memcpy(pairing->joined + a->dim, b->data, b->dim * sizeof(float));
  enum status rc = weight > 0 ? moments_add(&pairing->rows.moments, pairing->joined, weight) : STATUS_NOT_FINITE;
  if (rc == STATUS_NOT_FINITE)
    fail_pair_not_finite(call, pairing, a, b);
  else if (rc)
    fail_status(call, rc);
  if (call->failed || !(weight > 0)) return;
  if (a->parsed == NULL) group_look(call, &pairing->rows.group, "a", a->dim, a->data);
  if (b->parsed == NULL) group_look(call, &pairing->b, "b", b->dim, b->data);
}

/* whiten_pair_stats(a, b [, weight]) */
static void pair_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector a, b;
  double weight = 1;
  struct pairing *pairing = group_of(&call, sizeof *pairing);
  if (pairing == NULL || any_null(argc, argv)) return;
  if ((argc < 3 || number_read(&call, argv[2], "weight", 0, &weight) == 0) &&
      vector_read(&call, argv[0], "a", &a) == 0) {
    if (vector_read(&call, argv[1], "b", &b) == 0) {
      add_pair(&call, pairing, &a, &b, weight);
      vector_free(&b);
    }
    vector_free(&a);
  }
  pairing->rows.group.failed = call.failed;
}

static void pair_final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct pairing *pairing = group_ended(&call);
  if (pairing == NULL) return;
  struct moments *moments = &pairing->rows.moments;
  int is_wanted = moments->rows > 0 && !pairing->rows.group.failed && !is_interrupted(context);
  if (is_wanted && !group_looked(&call, &pairing->rows.group, "a", moments->dim_a) &&
      !group_looked(&call, &pairing->b, "b", moments->dim - moments->dim_a))
    return_stats(&call, moments);
  moments_clear(moments);
  sqlite3_free(pairing->joined);
}

/* What a BLOB may be. */
enum { ROWS = 1, PAIRS = 2 };

/* Validates the BLOB of an argument; 0 on success. */
static int read_header(struct call *call, sqlite3_value *value, const char *argument, unsigned kinds,
                       struct moments_header *header) {
  *header = (struct moments_header){0};
  if (sqlite3_value_type(value) != SQLITE_BLOB) {
    fail_type(call, argument, sqlite3_value_type(value),
              kinds & ROWS ? "a stats BLOB from whiten_stats or whiten_merge"
                           : "a pair stats BLOB from whiten_pair_stats or whiten_merge");
    return call->failed;
  }
  const void *blob = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value);
  enum status rc = blob == NULL && bytes > 0 ? STATUS_NOMEM : moments_read(blob, bytes, header);
  if (rc == STATUS_OK && header->d > MOMENTS_DIM_MAX) rc = STATUS_HEADER;
  if (rc == STATUS_OK && !(kinds & (header->dim_a > 0 ? (unsigned)PAIRS : (unsigned)ROWS))) rc = STATUS_FOREIGN;
  if (rc) fail_blob(call, argument, rc, blob, bytes, header->size);
  return call->failed;
}

/* 0 if the moments are of what those in the rows before were of. */
static int check_kind(struct call *call, const struct moments_header *header, const struct moments *moments) {
  size_t d = header->d, dim_a = header->dim_a;
  if ((moments->dim_a > 0) != (dim_a > 0))
    fail(call, "stats is of %s, expected one of %s as in the rows before", dim_a > 0 ? "pairs" : "single vectors",
         dim_a > 0 ? "single vectors" : "pairs");
  else if (dim_a > 0 && (moments->dim != d || moments->dim_a != dim_a))
    fail(call, "stats is of pairs of %lld and %lld dimensions, expected %lld and %lld as in the rows before",
         (long long)dim_a, (long long)(d - dim_a), (long long)moments->dim_a,
         (long long)(moments->dim - moments->dim_a));
  else if (moments->dim != d)
    fail(call, "stats is of %lld dimensions, expected %lld as in the rows before", (long long)d,
         (long long)moments->dim);
  return call->failed;
}

/* Joins a BLOB to moments, which are made if they are zeroed. 0 on success. */
static int join_blob(struct call *call, sqlite3_value *value, const char *argument, unsigned kinds,
                     struct moments *moments) {
  struct moments_header header;
  enum status rc = STATUS_OK;
  if (read_header(call, value, argument, kinds, &header)) return call->failed;
  size_t d = header.d;
  if (moments->mem == NULL) {
    rc = moments_init(moments, d, SCATTER_DOUBLE, 1, &sqlite_memory);
    moments->dim_a = header.dim_a;
  }
  if (rc == STATUS_OK && check_kind(call, &header, moments)) return call->failed;
  double *mean = memory_array(&sqlite_memory, d * (d + 1), sizeof *mean);
  if (mean == NULL) rc = STATUS_NOMEM;
  if (rc == STATUS_OK) {
    moments_unpack(sqlite3_value_blob(value), &header, mean, mean + d);
    rc = moments_merge(moments, header.n, header.weight, mean, mean + d);
  }
  sqlite3_free(mean);
  if (rc) fail_status(call, rc);
  return call->failed;
}

int stats_read(struct call *call, sqlite3_value *value, const char *argument, struct moments *moments) {
  return join_blob(call, value, argument, ROWS, moments);
}

int pair_stats_read(struct call *call, sqlite3_value *value, const char *argument, struct moments *pairs) {
  return join_blob(call, value, argument, PAIRS, pairs);
}

/* whiten_merge(stats) */
static void merge_step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct gathering *stats = group_of(&call, sizeof *stats);
  if (stats != NULL && !any_null(argc, argv))
    stats->group.failed = join_blob(&call, argv[0], "stats", ROWS | PAIRS, &stats->moments);
}

/* Pairs of vectors like the rows'; 0 on success. */
static int read_pairs(struct call *call, sqlite3_value *value, size_t dim, struct moments *pairs) {
  if (pair_stats_read(call, value, "pair_stats", pairs)) return call->failed;
  size_t dim_a = pairs->dim_a, dim_b = pairs->dim - dim_a;
  if (dim_a != dim || dim_b != dim)
    fail(call, "pair_stats is of pairs of %lld and %lld dimensions, expected %lld and %lld as in stats",
         (long long)dim_a, (long long)dim_b, (long long)dim, (long long)dim);
  return call->failed;
}

/* whiten_solve(stats [, k [, options [, pair_stats]]]) */
static void whiten_solve(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct moments moments = {0}, pairs = {0};
  struct solve_options options;
  sqlite3_value *k_and_options[] = {argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL};
  int has_pairs = argc > 3 && sqlite3_value_type(argv[3]) != SQLITE_NULL;
  if (any_null(1, argv)) return;
  if (stats_read(&call, argv[0], "stats", &moments) == 0 &&
      (!has_pairs || read_pairs(&call, argv[3], moments.dim, &pairs) == 0) &&
      options_read_within(&call, k_and_options, moments.dim, has_pairs ? &pairs : NULL, &options) == 0) {
    if (options.precision != SCATTER_DOUBLE)
      fail(&call, "options.precision is single, expected double: the moments are summed already");
    else
      result_solved(&call, &moments, &options);
  }
  moments_clear(&moments);
  moments_clear(&pairs);
}

const struct function moments_functions[] = {
    {.name = "whiten_stats", .min_args = 1, .max_args = 2, .flags = FUNCTION_PURE, .step = step, .final = final},
    {.name = "whiten_pair_stats",
     .min_args = 2,
     .max_args = 3,
     .flags = FUNCTION_PURE,
     .step = pair_step,
     .final = pair_final},
    {.name = "whiten_merge",
     .min_args = 1,
     .max_args = 1,
     .flags = FUNCTION_PURE,
     .step = merge_step,
     .final = final},
    {.name = "whiten_solve", .min_args = 1, .max_args = 4, .flags = FUNCTION_PURE, .call = whiten_solve},
    {.name = NULL}};
