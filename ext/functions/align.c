/* whiten_align: from moments of pairs to a model of one side of them. */
#include "core/align.h"

#include <string.h>

#include "functions/moments.h"
#include "functions/options.h"
#include "host/member.h"

/* What the readers of options are given. */
struct reading {
  size_t most; /* components that there may be: the smaller of the dimensions */
  struct align_options options;
};

static void read_k(struct call *call, const struct member *m, void *out) {
  struct reading *reading = out;
  char expected[60];
  reading->options.k = m->integer;
  sqlite3_snprintf(sizeof expected, expected, "an integer from 1 to %lld, the smaller of the dimensions",
                   (long long)reading->most);
  if (!m->is_integer || m->integer < 1 || m->integer > (int64_t)reading->most) fail_member(call, m, expected);
}

static void read_ridge(struct call *call, const struct member *m, void *out) {
  struct reading *reading = out;
  reading->options.ridge = m->number;
  if (!member_is_from_0(m)) fail_member(call, m, "a number >= 0");
}

static void read_exponent(struct call *call, const struct member *m, void *out) {
  struct reading *reading = out;
  reading->options.exponent = m->number;
  if (!m->is_number || !(m->number >= 0 && m->number <= 1)) fail_member(call, m, "a number from 0 to 1");
}

static void read_normalize(struct call *call, const struct member *m, void *out) {
  struct reading *reading = out;
  reading->options.normalize = member_boolean(call, m);
}

static const struct member_reader OPTIONS[] = {{"k", read_k},
                                               {"ridge", read_ridge},
                                               {"exponent", read_exponent},
                                               {"normalize", read_normalize},
                                               {NULL, NULL}};

/* MODEL_SIDE_NONE after an error. */
static enum model_side read_side(struct call *call, sqlite3_value *value) {
  static const char EXPECTED[] = "'a', 'b', 'a->b' or 'b->a'";
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, "side", sqlite3_value_type(value), EXPECTED);
    return MODEL_SIDE_NONE;
  }
  const char *text = (const char *)sqlite3_value_text(value);
  if (text == NULL) return fail_nomem(call), MODEL_SIDE_NONE;
  for (uint32_t side = MODEL_SIDE_A; side < MODEL_SIDES; side++)
    if (strcmp(text, model_side_name(side)) == 0) return (enum model_side)side;
  fail(call, "side is '%s', expected %s", text, EXPECTED);
  return MODEL_SIDE_NONE;
}

static void fail_rank(struct call *call, const struct moments *pairs, const struct align_options *o,
                      const struct align_limit *limit) {
  long long n = pairs->rows,
            d = (long long)(limit->side == MODEL_SIDE_A ? pairs->dim_a : pairs->dim - pairs->dim_a);
  if (limit->side != MODEL_SIDE_NONE)
    fail(call,
         "options.ridge is 0, expected one above: the %lld pairs have variance in %lld of %s's %lld dimensions", n,
         (long long)limit->rank, model_side_name(limit->side), d);
  else if (limit->components == 0)
    fail(call, "a and b have nothing in common (n = %lld), expected vectors of the same texts", n);
  else
    fail(call, "options.k is %lld, expected at most %lld: a and b share no more directions (n = %lld)",
         (long long)o->k, (long long)limit->components, n);
}

static void fail_align(struct call *call, enum status status, const struct moments *pairs,
                       const struct align_options *o, const struct align_limit *limit) {
  switch (status) {
    case STATUS_NO_VARIANCE:
      fail(call, "%s have no variance (n = %lld), expected at least two different ones",
           limit->side == MODEL_SIDE_NONE ? "the pairs"
           : limit->side == MODEL_SIDE_A  ? "the a"
                                          : "the b",
           (long long)pairs->rows);
      break;
    case STATUS_WEIGHT: fail(call, "weight sums to %!.15g, expected a finite sum above 1", pairs->weight); break;
    case STATUS_RANK: fail_rank(call, pairs, o, limit); break;
    case STATUS_OVERFLOW: fail_kernel_overflow(call); break;
    default: fail_status(call, status);
  }
}

/* whiten_align(pair_stats, side [, options]) */
static void whiten_align(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct moments pairs = {0};
  struct reading reading = {.options = ALIGN_DEFAULTS};
  if (any_null(1, argv)) return;
  enum model_side side = read_side(&call, argv[1]);
  if (side != MODEL_SIDE_NONE && pair_stats_read(&call, argv[0], "pair_stats", &pairs) == 0) {
    size_t dim_b = pairs.dim - pairs.dim_a;
    reading.most = pairs.dim_a < dim_b ? pairs.dim_a : dim_b;
    if (argc < 3 || members_read(&call, argv[2], OPTIONS, &reading) == 0) {
      struct align_limit limit;
      void *blob = NULL;
      uint64_t size = 0;
      enum status rc = align_solve(&pairs, side, &reading.options, &blob, &size, &limit);
      if (rc == STATUS_OK)
        sqlite3_result_blob64(context, blob, size, sqlite3_free);
      else
        fail_align(&call, rc, &pairs, &reading.options, &limit);
    }
  }
  moments_clear(&pairs);
}

const struct function align_functions[] = {
    {.name = "whiten_align", .min_args = 2, .max_args = 3, .flags = FUNCTION_PURE, .call = whiten_align},
    {.name = NULL}};
