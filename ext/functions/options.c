/* See options.h. The JSON is taken apart by SQLite itself. */
#include "functions/options.h"

#include <math.h>
#include <string.h>

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

/* One member of the object: what json_each says of it. 2.0 is an integer, as everywhere. */
struct member {
  const char *key, *type, *text;
  double number;
  int64_t integer;
  int is_integer, is_number;
};

static void fail_member(struct call *call, const struct member *m, const char *expected) {
  int is_boolean = strcmp(m->type, "true") == 0 || strcmp(m->type, "false") == 0;
  const char *quote = strcmp(m->type, "text") == 0 ? "\"" : "";
  fail(call, "options.%s is %s%s%s, expected %s", m->key, quote, m->text && !is_boolean ? m->text : m->type, quote,
       expected);
}

static int is_text(const struct member *m, const char *text) {
  return strcmp(m->type, "text") == 0 && strcmp(m->text, text) == 0;
}

static void read_method(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  (void)d;
  for (uint32_t i = 0; model_method_name(i) != NULL; i++) {
    if (!is_text(m, model_method_name(i))) continue;
    o->method = (enum model_method)i;
    return;
  }
  fail_member(call, m, "\"pca\", \"zca\", \"pca-cor\", \"zca-cor\" or \"cholesky\"");
}

static void read_ridge(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  (void)d;
  o->oas = is_text(m, "oas");
  if (o->oas) return;
  o->ridge = m->number;
  if (!m->is_number || !(o->ridge >= 0) || isinf(o->ridge)) fail_member(call, m, "a number >= 0 or \"oas\"");
}

static void read_power(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  (void)d;
  o->power = m->number;
  if (!m->is_number || !(o->power >= 0 && o->power <= 1)) fail_member(call, m, "a number from 0 to 1");
}

static void read_remove(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  o->remove = m->integer;
  if (!m->is_integer || o->remove < 0 || o->remove >= (int64_t)d)
    fail_member(call, m, "an integer from 0 to the dimensions less one");
}

static void read_normalize(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  (void)d;
  o->normalize = strcmp(m->type, "true") == 0;
  if (!o->normalize && strcmp(m->type, "false") != 0) fail_member(call, m, "true or false");
}

static void read_precision(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  (void)d;
  o->precision = is_text(m, "single") ? SCATTER_SINGLE : SCATTER_DOUBLE;
  if (!is_text(m, "single") && !is_text(m, "double")) fail_member(call, m, "\"double\" or \"single\"");
}

static const struct {
  const char *key;
  void (*read)(struct call *call, const struct member *m, size_t d, struct solve_options *o);
} OPTIONS[] = {{"method", read_method}, {"ridge", read_ridge},         {"power", read_power},
               {"remove", read_remove}, {"normalize", read_normalize}, {"precision", read_precision}};

/* The option's bit, to see one that comes twice; 0 when it is none. */
static unsigned read_member(struct call *call, const struct member *m, size_t d, struct solve_options *o) {
  for (unsigned i = 0; i < sizeof OPTIONS / sizeof *OPTIONS; i++) {
    if (strcmp(m->key, OPTIONS[i].key) != 0) continue;
    OPTIONS[i].read(call, m, d, o);
    return 1u << i;
  }
  fail(call, "options has the key '%s', expected method, ridge, power, remove, normalize or precision", m->key);
  return 0;
}

/* A column as text: NULL where it is NULL, or after an error. The type is asked first: when memory runs out, reading the
** text leaves a NULL behind. */
static const char *text_of(struct call *call, sqlite3_stmt *statement, int column) {
  int type = sqlite3_column_type(statement, column);
  const char *text = (const char *)sqlite3_column_text(statement, column);
  if (text == NULL && type != SQLITE_NULL) fail_nomem(call);
  return text;
}

static struct member member_of(struct call *call, sqlite3_stmt *statement) {
  struct member m = {.key = text_of(call, statement, 0),
                     .type = text_of(call, statement, 1),
                     .text = text_of(call, statement, 2)};
  m.is_number = m.type != NULL && (strcmp(m.type, "integer") == 0 || strcmp(m.type, "real") == 0);
  m.number = sqlite3_column_double(statement, 2);
  m.integer = sqlite3_column_int64(statement, 2);
  m.is_integer = m.is_number && (m.type[0] == 'i' || integer_of_real(m.number, &m.integer));
  return m;
}

static int read_members(struct call *call, sqlite3_stmt *statement, size_t d, struct solve_options *o) {
  int rc = SQLITE_DONE;
  unsigned seen = 0;
  while (!call->failed && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *whole = text_of(call, statement, 3);
    struct member m = member_of(call, statement);
    if (call->failed) break;
    if (whole != NULL && strcmp(whole, "object") != 0) {
      fail(call, "options is a JSON %s, expected a JSON object", whole);
      break;
    }
    if (m.key == NULL) continue; /* the row that stands for an empty object */
    unsigned option = read_member(call, &m, d, o);
    if (seen & option) fail(call, "options has the key '%s' twice, expected it once", m.key);
    seen |= option;
  }
  if (!call->failed && rc == SQLITE_NOMEM) fail_nomem(call);
  if (!call->failed && rc != SQLITE_DONE)
    fail(call, "options is not JSON (%s), expected a JSON object",
         sqlite3_errmsg(sqlite3_context_db_handle(call->context)));
  return call->failed;
}

static int read_options(struct call *call, sqlite3_value *value, size_t d, struct solve_options *o) {
  static const char SQL[] =
      "SELECT e.key, e.type, e.atom, w.type FROM (SELECT json_type(?1) AS type) AS w LEFT JOIN json_each(?1) AS e";
  sqlite3_stmt *statement = NULL;
  if (sqlite3_value_type(value) == SQLITE_NULL) return 0;
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, "options", sqlite3_value_type(value), "TEXT, a JSON object");
    return call->failed;
  }
  int rc = sqlite3_prepare_v2(sqlite3_context_db_handle(call->context), SQL, -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_value(statement, 1, value);
  if (rc == SQLITE_OK)
    read_members(call, statement, d, o);
  else if (rc == SQLITE_NOMEM)
    fail_nomem(call);
  else
    fail(call, "options cannot be read (%s), expected SQLite's JSON functions",
         sqlite3_errmsg(sqlite3_context_db_handle(call->context)));
  sqlite3_finalize(statement);
  return call->failed;
}

int options_read(struct call *call, sqlite3_value *k, sqlite3_value *options, size_t d,
                 struct solve_options *out) {
  *out = SOLVE_DEFAULTS;
  if (k != NULL && read_k(call, k, d, out)) return call->failed;
  if (options != NULL && read_options(call, options, d, out)) return call->failed;
  return 0;
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
    case STATUS_RANK: fail_rank(call, m, o, limit); break;
    case STATUS_OVERFLOW:
      fail(call, "the kernel is beyond float32: the variance, with the ridge, is too small or too large to scale, "
                 "expected ordinary numbers (see embedding_scale)");
      break;
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
