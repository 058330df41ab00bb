/*
** pool_mean (also over windows), pool_position_mean, pool_max, pool_mean_sqrt_len, pool_cls, pool_last: aggregates over
** one row per token; pool_tokens: the same over one BLOB per text.
*/
#include "core/pool.h"

#include <string.h>

#include "core/vector.h"
#include "host/value.h"

static const char *const MODE_NAMES[POOL_MODE_COUNT] = {"mean",          "position_mean", "max",
                                                        "mean_sqrt_len", "cls",           "last"};

/* One group, or one window. */
struct pool_group {
  struct group group;
  struct pool pool;
};

/* The arguments of one row. */
struct row {
  struct vector v;
  double weight;
  int64_t position;
};

static int takes_position(enum pool_mode mode) {
  return mode == POOL_POSITION_MEAN || mode == POOL_CLS || mode == POOL_LAST;
}

/* (v [, position] [, weight or mask]); 0 on success. Nothing is to be freed after a failure. */
static int read_row(struct call *call, enum pool_mode mode, int argc, sqlite3_value **argv, struct row *row) {
  int next = 1;
  *row = (struct row){.weight = 1};
  if (takes_position(mode)) {
    int64_t minimum = mode == POOL_POSITION_MEAN ? 1 : INT64_MIN;
    if (integer_read(call, argv[next++], "position", minimum, &row->position)) return call->failed;
  }
  if (next < argc && number_read(call, argv[next], mode == POOL_MEAN ? "weight" : "mask", 0, &row->weight))
    return call->failed;
  if (mode == POOL_POSITION_MEAN) row->weight *= (double)row->position;
  return vector_read(call, argv[0], "v", &row->v);
}

/* SQLite does not say whether a row of pool_mean may leave again: that shows at the first xValue or xInverse. */
static enum status begin(struct pool *pool, enum pool_mode mode, size_t dim) {
  return mode == POOL_MEAN ? pool_init_window(pool, dim, &sqlite_memory)
                           : pool_init(pool, mode, dim, &sqlite_memory);
}

static void step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  enum pool_mode mode = (enum pool_mode)call_variant(&call);
  struct row row;
  struct pool_group *group = group_of(&call, sizeof *group);
  if (group == NULL || any_null(argc, argv) || read_row(&call, mode, argc, argv, &row)) return;
  enum status rc = group->pool.mem != NULL ? STATUS_OK : begin(&group->pool, mode, row.v.dim);
  if (rc == STATUS_OK && group->pool.dim != row.v.dim)
    fail_dim(&call, "v", row.v.dim, group->pool.dim, " as in the rows before");
  else if (rc == STATUS_OK)
    rc = pool_add(&group->pool, row.v.data, row.weight, row.position);
  if (rc == STATUS_NOMEM)
    fail_nomem(&call);
  else if (rc == STATUS_NOT_FINITE)
    fail_not_finite(&call, "v", row.v.dim, row.v.data);
  vector_free(&row.v);
}

static void inverse(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct row row;
  struct pool_group *group = sqlite3_aggregate_context(context, sizeof *group);
  if (group == NULL || any_null(argc, argv)) return;
  if (read_row(&call, POOL_MEAN, argc, argv, &row)) return;
  if (pool_remove(&group->pool, row.v.data, row.weight) != STATUS_OK) fail_nomem(&call);
  vector_free(&row.v);
}

static void return_pooled(struct call *call, const struct pool *pool) {
  size_t index;
  if (pool->mem == NULL || pool_is_empty(pool)) return;
  float *buffer = result_buffer(call, pool->dim);
  if (buffer == NULL) return;
  enum status rc = pool_value(pool, buffer, &index);
  if (rc == STATUS_DUPLICATE)
    fail(call, "position is %lld in two rows of the group, expected one row to come %s", (long long)pool->position,
         pool->mode == POOL_CLS ? "first" : "last");
  else if (rc == STATUS_OVERFLOW)
    fail_overflow(call, "the result", index);
  else if (rc == STATUS_WEIGHT)
    fail(call, "the weighted sums are beyond float64, expected smaller weights");
  if (call->failed)
    sqlite3_free(buffer);
  else
    result_vector(call, buffer, pool->dim);
}

/* The current window. */
static void value(sqlite3_context *context) {
  struct call call = call_of(context);
  struct pool_group *group = sqlite3_aggregate_context(context, sizeof *group);
  if (group == NULL || group->pool.mem == NULL) return;
  pool_slide(&group->pool);
  return_pooled(&call, &group->pool);
}

static void final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct pool_group *group = group_ended(&call);
  if (group == NULL) return;
  return_pooled(&call, &group->pool);
  pool_clear(&group->pool);
}

/* ---- pool_tokens(states, dim, mode [, mask]) ---- */

/* The mask of a text of `length` tokens: JSON, or bytes, or int64. */
struct mask {
  const unsigned char *bytes;
  size_t width; /* of one number in `bytes`: 1 or 8 */
  struct vector json;
};

static int read_mode(struct call *call, sqlite3_value *value, enum pool_mode *mode) {
  static const char EXPECTED[] = "'mean', 'position_mean', 'max', 'mean_sqrt_len', 'cls' or 'last'";
  const char *name = sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  for (int i = 0; name != NULL && i < POOL_MODE_COUNT; i++) {
    if (sqlite3_stricmp(name, MODE_NAMES[i]) != 0) continue;
    *mode = (enum pool_mode)i;
    return 0;
  }
  if (name == NULL)
    fail_type(call, "mode", sqlite3_value_type(value), EXPECTED);
  else
    fail(call, "mode is '%s', expected %s", name, EXPECTED);
  return call->failed;
}

static int read_mask(struct call *call, sqlite3_value *value, size_t length, struct mask *mask) {
  *mask = (struct mask){.width = 1};
  if (sqlite3_value_type(value) == SQLITE_TEXT) {
    float *numbers;
    size_t found;
    if (vector_parse(call, value, "mask", &numbers, &found)) return call->failed;
    mask->json.parsed = numbers;
    mask->json.data = numbers;
    if (found != length) fail_dim(call, "mask", found, length, ", the number of tokens");
  } else if (sqlite3_value_type(value) == SQLITE_BLOB) {
    mask->bytes = sqlite3_value_blob(value);
    size_t bytes = (size_t)sqlite3_value_bytes(value);
    if (bytes == 8 * length)
      mask->width = 8;
    else if (bytes != length)
      fail(call, "mask is a BLOB of %lld bytes, expected %lld (a byte per token) or %lld (an int64 per token)",
           (long long)bytes, (long long)length, (long long)(8 * length));
  } else {
    fail_type(call, "mask", sqlite3_value_type(value),
              "a JSON array, or a BLOB with a byte or an int64 per token");
  }
  if (call->failed) vector_free(&mask->json);
  return call->failed;
}

/* The weight of token i; 0 on success. */
static int mask_weight(struct call *call, const struct mask *mask, size_t i, double *weight) {
  *weight = 1;
  if (mask->json.data != NULL) {
    *weight = ((const float *)mask->json.data)[i];
  } else if (mask->bytes != NULL && mask->width == 8) {
    int64_t number;
    memcpy(&number, mask->bytes + 8 * i, sizeof number);
    *weight = (double)number;
  } else if (mask->bytes != NULL) {
    *weight = mask->bytes[i];
  }
  if (!(*weight >= 0)) fail(call, "mask[%lld] is %!.15g, expected a number >= 0", (long long)i, *weight);
  return call->failed;
}

static void pool_states(struct call *call, const char *states, size_t length, size_t dim, enum pool_mode mode,
                        const struct mask *mask) {
  struct pool pool = {0};
  double weight;
  if (pool_init(&pool, mode, dim, &sqlite_memory) != STATUS_OK) fail_nomem(call);
  for (size_t i = 0; i < length && !call->failed; i++) {
    const char *token = states + 4 * dim * i;
    if (mask_weight(call, mask, i, &weight)) break;
    if (mode == POOL_POSITION_MEAN) weight *= (double)(i + 1);
    if (pool_add(&pool, token, weight, (int64_t)i) != STATUS_OK)
      fail_not_finite(call, "states", length * dim, states);
  }
  if (!call->failed) return_pooled(call, &pool);
  pool_clear(&pool);
}

static void pool_tokens(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  enum pool_mode mode = POOL_MEAN;
  int64_t dim;
  struct mask mask = {0};
  if (any_null(argc, argv)) return;
  if (integer_read(&call, argv[1], "dim", 1, &dim) || read_mode(&call, argv[2], &mode)) return;
  if (dim > DIM_MAX) {
    fail(&call, "dim is %lld, expected 1 to %d", (long long)dim, DIM_MAX);
    return;
  }
  if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
    fail_type(&call, "states", sqlite3_value_type(argv[0]), "a BLOB of tokens x dim float32");
    return;
  }
  const void *states = sqlite3_value_blob(argv[0]);
  size_t bytes = (size_t)sqlite3_value_bytes(argv[0]), token = 4 * (size_t)dim;
  if (bytes == 0 || bytes % token != 0) {
    fail(&call, "states is a BLOB of %lld bytes, expected a positive multiple of %lld (4 * dim)", (long long)bytes,
         (long long)token);
    return;
  }
  if (argc > 3 && read_mask(&call, argv[3], bytes / token, &mask)) return;
  if (states == NULL)
    fail_nomem(&call);
  else
    pool_states(&call, states, bytes / token, (size_t)dim, mode, &mask);
  vector_free(&mask.json);
}

#define AGGREGATE(NAME, MIN, MAX, MODE) \
  { \
    .name = NAME, .min_args = MIN, .max_args = MAX, .flags = FUNCTION_PURE, .variant = MODE, .step = step, \
    .final = final \
  }

const struct function pool_functions[] = {
    {.name = "pool_mean",
     .min_args = 1,
     .max_args = 2,
     .flags = FUNCTION_PURE,
     .variant = POOL_MEAN,
     .step = step,
     .final = final,
     .value = value,
     .inverse = inverse},
    AGGREGATE("pool_position_mean", 2, 3, POOL_POSITION_MEAN),
    AGGREGATE("pool_max", 1, 2, POOL_MAX),
    AGGREGATE("pool_mean_sqrt_len", 1, 2, POOL_MEAN_SQRT_LEN),
    AGGREGATE("pool_cls", 2, 3, POOL_CLS),
    AGGREGATE("pool_last", 2, 3, POOL_LAST),
    {.name = "pool_tokens", .min_args = 3, .max_args = 4, .flags = FUNCTION_PURE, .call = pool_tokens},
    {.name = NULL}};
