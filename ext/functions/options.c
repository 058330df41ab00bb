/* See options.h. */
#include "functions/options.h"

#include <string.h>

#include "host/member.h"
#include "host/value.h"

static int read_k(struct call *call, sqlite3_value *value, size_t d, struct solve_options *o) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_NULL) return 0;
  if (integer_of(value, &o->k)) {
    o->k_kind = SOLVE_K_COUNT;
    if (o->k < 1 || o->k > (int64_t)d)
      fail(call, "k is %lld, expected 1 to %lld (the dimensions), or a share of the variance between 0 and 1",
           (long long)o->k, (long long)d);
  } else if (type == SQLITE_FLOAT) {
    o->k_kind = SOLVE_K_SHARE;
    o->share = sqlite3_value_double(value);
    if (!(o->share > 0 && o->share < 1))
      fail(call, "k is %!.15g, expected an INTEGER 1 to %lld, or a share of the variance between 0 and 1",
           o->share, (long long)d);
  } else {
    fail_number(call, "k", value, "an INTEGER, a REAL between 0 and 1, or NULL");
  }
  return call->failed;
}

/* What the readers of members are given. */
struct reading {
  int64_t d;
  struct solve_options *options;
  int has_order;
};

static struct solve_options *options_of(void *out) {
  return ((struct reading *)out)->options;
}

static void read_method(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  for (uint32_t i = 0; model_method_name(i) != NULL; i++) {
    if (!member_is_text(m, model_method_name(i))) continue;
    o->method = (enum model_method)i;
    return;
  }
  fail_member(call, m, "\"pca\", \"zca\", \"pca-cor\", \"zca-cor\" or \"cholesky\"");
}

static void read_ridge(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  o->oas = member_is_text(m, "oas");
  if (o->oas) return;
  o->ridge = m->number;
  if (!member_is_from_0(m)) fail_member(call, m, "a number >= 0 or \"oas\"");
}

static void read_power(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  o->power = m->number;
  if (!m->is_number || !(o->power >= 0 && o->power <= 1)) fail_member(call, m, "a number from 0 to 1");
}

static void read_remove(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  int64_t d = ((struct reading *)out)->d;
  o->remove = m->integer;
  if (!m->is_integer || o->remove < 0 || o->remove >= d)
    fail_member(call, m, "an integer from 0 to the dimensions less one");
}

static void read_normalize(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  o->normalize = member_boolean(call, m);
}

static void read_precision(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  o->precision = member_is_text(m, "single") ? SCATTER_SINGLE : SCATTER_DOUBLE;
  if (!member_is_text(m, "single") && !member_is_text(m, "double"))
    fail_member(call, m, "\"double\" or \"single\"");
}

static void read_within(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  o->within.share = m->number;
  if (!m->is_number || !(m->number > 0 && m->number <= 1)) fail_member(call, m, "a number above 0, up to 1");
}

static void read_order(struct call *call, const struct member *m, void *out) {
  struct solve_options *o = options_of(out);
  ((struct reading *)out)->has_order = 1;
  for (uint32_t i = 0; within_order_name(i) != NULL; i++) {
    if (!member_is_text(m, within_order_name(i))) continue;
    o->within.order = (enum within_order)i;
    return;
  }
  fail_member(call, m, "\"ratio\" or \"variance\"");
}

static const struct member_reader OPTIONS[] = {
    {"method", read_method},       {"ridge", read_ridge},         {"power", read_power}, {"remove", read_remove},
    {"normalize", read_normalize}, {"precision", read_precision}, {NULL, NULL}};

int options_read(struct call *call, sqlite3_value *k, sqlite3_value *options, size_t d,
                 struct solve_options *out) {
  *out = SOLVE_DEFAULTS;
  if (k != NULL && read_k(call, k, d, out)) return call->failed;
  if (options != NULL && members_read(call, options, OPTIONS, &(struct reading){.d = (int64_t)d, .options = out}))
    return call->failed;
  return 0;
}

static const struct member_reader OPTIONS_WITHIN[] = {
    {"method", read_method}, {"ridge", read_ridge},         {"power", read_power},
    {"remove", read_remove}, {"normalize", read_normalize}, {"precision", read_precision},
    {"within", read_within}, {"order", read_order},         {NULL, NULL}};

/* Pairs have a kernel of their own: what shapes that of the rows has no place in it. */
static void check_within(struct call *call, const struct solve_options *o, int has_order) {
  double share = o->within.share;
  if (!(share > 0) && has_order)
    fail(call, "options has order without within, expected within besides, and pair_stats");
  else if (!(share > 0) && o->within.pairs != NULL)
    fail(call, "options is without within, expected the share of pair_stats, a number above 0, up to 1");
  else if (share > 0 && o->within.pairs == NULL)
    fail(call,
         "pair_stats is missing or NULL and options.within is %!.15g, expected a pair stats BLOB from "
         "whiten_pair_stats or whiten_merge",
         share);
  else if (share > 0 && o->method != MODEL_PCA)
    fail(call, "options.method is \"%s\" with within, expected \"pca\"", model_method_name(o->method));
  else if (share > 0 && o->oas)
    fail(call, "options.ridge is \"oas\" with within, expected a number >= 0");
  else if (share > 0 && (o->power != 1 || o->remove != 0))
    fail(call, "options has power or remove with within, expected neither: a ridge or a smaller share softens it");
}

int options_read_within(struct call *call, sqlite3_value *const *k_and_options, size_t d,
                        const struct moments *pairs, struct solve_options *out) {
  struct reading reading = {.d = (int64_t)d, .options = out};
  *out = SOLVE_DEFAULTS;
  out->within.pairs = pairs;
  sqlite3_value *k = k_and_options[0], *options = k_and_options[1];
  if (k != NULL && read_k(call, k, d, out)) return call->failed;
  if (options != NULL && members_read(call, options, OPTIONS_WITHIN, &reading)) return call->failed;
  check_within(call, out, reading.has_order);
  return call->failed;
}

/* Why there are no more components: what stands before and behind the number of rows, and what helps besides. */
static const struct {
  const char *before, *behind, *remedy;
} LIMITS[] = {[SPECTRUM_ROWS] = {"the rows", " have variance in no more directions", ""},
              [SPECTRUM_SINGLE] = {"precision single cannot tell more directions of the rows", " from rounding",
                                   ", or precision double"},
              [SPECTRUM_FLOAT64] = {"float64 cannot tell more directions of the rows", " from rounding", ""},
              [SPECTRUM_SCALE] = {"float64 cannot tell more directions of the rows", " from rounding",
                                  ", or method pca-cor, which brings the columns to one scale"}};

static void fail_rank(struct call *call, const struct moments *m, const struct solve_options *o,
                      const struct solve_limit *limit) {
  const char *before = LIMITS[limit->reason].before, *behind = LIMITS[limit->reason].behind;
  const char *remedy = LIMITS[limit->reason].remedy;
  long long n = m->rows, most = (long long)limit->components;
  if (o->method == MODEL_CHOLESKY)
    fail(call, "method is cholesky and the rank %lld, expected rank %lld or a ridge: %s (n = %lld)%s", most,
         (long long)m->dim, before, n, behind);
  else
    fail(call, "k is %lld, expected at most %lld: %s (n = %lld)%s%s; use a smaller k or a ridge%s",
         (long long)(o->k_kind == SOLVE_K_COUNT ? o->k : 1), most, before, n, behind,
         o->remove > 0 ? " after remove" : "", remedy);
}

void fail_kernel_overflow(struct call *call) {
  fail(call, "the kernel is beyond float32: the variance, with the ridge, is too small or too large to scale, "
             "expected ordinary numbers (see embedding_scale)");
}

/* limit is what solve_moments reported. */
static void fail_solve(struct call *call, enum status status, const struct moments *m,
                       const struct solve_options *o, const struct solve_limit *limit) {
  call->row = 0;
  switch (status) {
    case STATUS_NO_VARIANCE:
      fail(call, "the rows have no variance (n = %lld), expected at least two different ones", (long long)m->rows);
      break;
    case STATUS_WEIGHT:
      fail(
          call,
          "weight sums to %!.15g, expected a finite sum above 1: weights are frequencies, so multiply probabilities by "
          "the number of observations",
          m->weight);
      break;
    case STATUS_K_CHOLESKY:
      fail(call, "method is cholesky with k, power or remove, expected none of them: it takes the whole space");
      break;
    case STATUS_SAME_PAIRS:
      fail(call, "pair_stats has no differences (n = %lld), expected related pairs of different vectors",
           (long long)o->within.pairs->rows);
      break;
    case STATUS_FEW_PAIRS:
      fail(
          call,
          "pair_stats has differences in fewer directions (n = %lld) than the rows have variance in, expected more "
          "pairs, a ridge, or within below %!.15g",
          (long long)o->within.pairs->rows, o->within.share);
      break;
    case STATUS_RANK: fail_rank(call, m, o, limit); break;
    case STATUS_OVERFLOW: fail_kernel_overflow(call); break;
    default: fail_status(call, status);
  }
}

void result_solved(struct call *call, struct moments *moments, const struct solve_options *options) {
  void *blob = NULL;
  uint64_t size;
  struct solve_limit limit = {0};
  enum status rc = moments_flush(moments);
  if (rc == STATUS_OK) rc = solve_moments(moments, options, &blob, &size, &limit);
  if (rc == STATUS_OK)
    sqlite3_result_blob64(call->context, blob, size, sqlite3_free);
  else
    fail_solve(call, rc, moments, options, &limit);
}
