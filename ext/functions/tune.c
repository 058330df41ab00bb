/*
** whiten_tune(stats, a, b [, score [, options]]), whiten_tune(stats, v): which settings are good for the user's own data,
** as JSON. Pairs with a score are correlated with it; pairs without are a query and a relevant document; rows alone get a
** cautious default. See core/tune.h and core/blind.h.
*/
#include <math.h>
#include <string.h>

#include "core/blind.h"
#include "core/tune.h"
#include "core/vector.h"
#include "functions/moments.h"
#include "host/member.h"

enum { STATS_HEAD = 32 }; /* bytes that tell stats BLOBs apart: size and hash are among them */

/* A group. */
struct tuning {
  struct group group;
  struct moments moments;
  unsigned char head[STATS_HEAD];
  struct labels labels;
  struct tune_options options;
};

static const struct tune_options DEFAULTS = {.guard = 1, .may_learn = 1};

static void read_guard(struct call *call, const struct member *m, void *options) {
  ((struct tune_options *)options)->guard = m->number;
  if (!member_is_from_0(m)) fail_member(call, m, "a number >= 0: standard errors that a gain must exceed");
}

static void read_within(struct call *call, const struct member *m, void *options) {
  ((struct tune_options *)options)->may_learn = member_boolean(call, m);
}

static const struct member_reader OPTIONS[] = {{"guard", read_guard}, {"within", read_within}, {NULL, NULL}};

/* The first row of a group, from its arguments. */
static void begin(struct call *call, struct tuning *t, int argc, sqlite3_value **argv) {
  if (stats_read(call, argv[0], "stats", &t->moments)) return;
  memcpy(t->head, sqlite3_value_blob(argv[0]), STATS_HEAD);
  t->options = DEFAULTS;
  if (argc > 4 && members_read(call, argv[4], OPTIONS, &t->options)) return;
  labels_init(&t->labels, argc == 2 ? LABELS_NONE : LABELS_RELEVANT, t->moments.dim, &sqlite_memory);
}

/* The hash in the header stands for all of a BLOB: it was checked in the first row. */
static void check_stats(struct call *call, const struct tuning *t, sqlite3_value *value) {
  if (sqlite3_value_type(value) != SQLITE_BLOB || sqlite3_value_bytes(value) < STATS_HEAD ||
      memcmp(sqlite3_value_blob(value), t->head, STATS_HEAD) != 0)
    fail(call, "stats is another one than in the rows before, expected the same in all rows of a group");
}

/* Whether the vector counts: of the right dimension, finite, and not zero, which has no cosine. */
static int is_usable(struct call *call, struct tuning *t, const struct vector *v, const char *name) {
  if (v->dim != t->moments.dim) {
    fail_dim(call, name, v->dim, t->moments.dim, " as in stats");
    return 0;
  }
  double square = vector_square_f64(v->dim, v->data);
  if (!isfinite(square) && fail_not_finite(call, name, v->dim, v->data)) return 0;
  if (v->parsed == NULL && group_look(call, &t->group, name, v->dim, v->data)) return 0;
  return square > 0;
}

/* Pairs without a score count only while none has one. */
static int takes_score(struct call *call, struct tuning *t, sqlite3_value *value, double *score) {
  *score = 0;
  if (value == NULL || sqlite3_value_type(value) == SQLITE_NULL) return t->labels.kind == LABELS_RELEVANT;
  if (number_read(call, value, "score", -INFINITY, score)) return 0;
  if (t->labels.kind != LABELS_SCORED) {
    labels_clear(&t->labels);
    labels_init(&t->labels, LABELS_SCORED, t->moments.dim, &sqlite_memory);
  }
  return 1;
}

/* A document that is relevant to no query, or a row without labels. */
static void add_row(struct call *call, struct tuning *t, sqlite3_value *value, const char *name) {
  struct vector v = {0};
  if (vector_read(call, value, name, &v)) return;
  if (is_usable(call, t, &v, name)) {
    enum status rc = t->labels.kind == LABELS_NONE ? labels_add(&t->labels, NULL, v.data, 0)
                                                   : labels_add_document(&t->labels, v.data);
    if (rc) fail_status(call, rc);
  }
  vector_free(&v);
}

static void add_pair(struct call *call, struct tuning *t, sqlite3_value **argv, double score) {
  struct vector a = {0}, b = {0};
  if (vector_read(call, argv[1], "a", &a)) return;
  if (vector_read(call, argv[2], "b", &b) == 0) {
    int usable = is_usable(call, t, &a, "a");
    if (!call->failed && is_usable(call, t, &b, "b") && usable) {
      enum status rc = labels_add(&t->labels, a.data, b.data, score);
      if (rc) fail_status(call, rc);
    }
    vector_free(&b);
  }
  vector_free(&a);
}

static void step(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct tuning *t = group_of(&call, sizeof *t);
  double score;
  if (t == NULL || any_null(1, argv) || any_null(1, &argv[argc > 2 ? 2 : 1])) return;
  if (t->labels.mem == NULL)
    begin(&call, t, argc, argv);
  else
    check_stats(&call, t, argv[0]);
  if (!call.failed && argc == 2) {
    add_row(&call, t, argv[1], "v");
  } else if (!call.failed && takes_score(&call, t, argc > 3 ? argv[3] : NULL, &score)) {
    if (!any_null(1, &argv[1]))
      add_pair(&call, t, argv, score);
    else if (t->labels.kind == LABELS_RELEVANT)
      add_row(&call, t, argv[2], "b");
  }
  t->group.failed = call.failed;
}

/* "name":number, or null where it is not defined, with what stands before it */
static void append_number(sqlite3_str *json, const char *before, const char *name, double value) {
  if (isfinite(value))
    sqlite3_str_appendf(json, "%s\"%s\":%!.7g", before, name, value);
  else
    sqlite3_str_appendf(json, "%s\"%s\":null", before, name);
}

/* "k":.., "options":{..} as whiten_solve takes them */
static void append_how(sqlite3_str *json, const struct grid_setting *how) {
  const char *comma = "";
  sqlite3_str_appendf(json, "\"k\":%lld,\"options\":{", (long long)how->k);
  if (how->power < 1) sqlite3_str_appendf(json, "\"power\":%.15g", how->power), comma = ",";
  if (how->ridge > 0) sqlite3_str_appendf(json, "%s\"ridge\":%.15g", comma, how->ridge), comma = ",";
  if (how->remove > 0) sqlite3_str_appendf(json, "%s\"remove\":%lld", comma, (long long)how->remove);
  if (how->within > 0) sqlite3_str_appendf(json, ",\"within\":%.15g", how->within);
  sqlite3_str_appendchar(json, 1, '}');
}

static void append_chosen(sqlite3_str *json, const struct grid_setting *how) {
  sqlite3_str_appendall(json, "{\"chosen\":");
  if (how == NULL) {
    sqlite3_str_appendall(json, "null");
    return;
  }
  sqlite3_str_appendchar(json, 1, '{');
  append_how(json, how);
  sqlite3_str_appendchar(json, 1, '}');
}

static void append_reason(sqlite3_str *json, const struct tune *t, int is_retrieval) {
  const char *unit = is_retrieval ? "queries" : "pairs";
  sqlite3_str_appendall(json, ",\"reason\":\"");
  switch (t->reason) {
    case TUNE_FOUND:
      sqlite3_str_appendf(json, "it gains more than %.15g standard errors over raw", t->options.guard);
      break;
    case TUNE_NO_GAIN:
      sqlite3_str_appendf(json, "no difference: no setting gains more than %.15g standard errors over raw",
                          t->options.guard);
      break;
    case TUNE_TOO_FEW:
      sqlite3_str_appendf(json, "too few %s to tell: %lld, expected %d or more", unit, (long long)t->units,
                          TUNE_LEAST_UNITS);
      break;
    case TUNE_CONSTANT: sqlite3_str_appendall(json, "all scores are equal: they tell nothing"); break;
    case TUNE_PERFECT: sqlite3_str_appendall(json, "raw finds all there is to find"); break;
  }
  sqlite3_str_appendchar(json, 1, '"');
}

static void append_setting(sqlite3_str *json, const struct tune_setting *s, int is_retrieval) {
  sqlite3_str_appendchar(json, 1, '{');
  append_how(json, &s->how);
  append_number(json, ",", "score", s->measured.score);
  append_number(json, ",", "gain", s->gain);
  append_number(json, ",", "se", s->error);
  if (is_retrieval) {
    append_number(json, ",", "recall_1", s->measured.recall1);
    append_number(json, ",", "recall_10", s->measured.recall10);
  }
  sqlite3_str_appendchar(json, 1, '}');
}

static void append_tune(sqlite3_str *json, const struct tune *t, const struct labels *l) {
  int is_retrieval = l->kind == LABELS_RELEVANT, is_measured = t->count > 0;
  append_chosen(json, t->chosen != TUNE_RAW ? &t->settings[t->chosen].how : NULL);
  append_reason(json, t, is_retrieval);
  sqlite3_str_appendf(json, ",\"labels\":true,\"measure\":\"%s\",\"given\":%lld,\"pairs\":%lld",
                      is_retrieval ? "mrr" : "spearman", (long long)l->given, (long long)l->count);
  if (is_retrieval)
    sqlite3_str_appendf(json, ",\"queries\":%lld,\"documents\":%lld", (long long)t->units,
                        (long long)t->documents);
  append_number(json, ",", "raw", is_measured ? t->raw.score : NAN);
  if (is_retrieval) {
    append_number(json, ",", "raw_recall_1", is_measured ? t->raw.recall1 : NAN);
    append_number(json, ",", "raw_recall_10", is_measured ? t->raw.recall10 : NAN);
  }
  append_number(json, ",", "guard", t->options.guard);
  if (is_measured && t->settings[t->count - 1].how.within > 0)
    append_number(json, ",", "within_score", t->threshold);
  sqlite3_str_appendall(json, ",\"settings\":[");
  for (size_t i = 0; i < t->count; i++) {
    if (i > 0) sqlite3_str_appendchar(json, 1, ',');
    append_setting(json, &t->settings[i], is_retrieval);
  }
  sqlite3_str_appendall(json, "]}");
}

static void append_view(sqlite3_str *json, const char *name, const struct blind_view *view) {
  sqlite3_str_appendf(json, ",\"%s\":{", name);
  append_number(json, "", "mean_cosine", view->neighbours.mean_cosine);
  append_number(json, ",", "isotropy", view->isoscore);
  append_number(json, ",", "contrast", view->neighbours.contrast);
  sqlite3_str_appendchar(json, 1, '}');
}

static void append_blind(sqlite3_str *json, const struct blind *b, const struct labels *l) {
  append_chosen(json, b->is_chosen ? &b->setting : NULL);
  if (b->is_chosen)
    sqlite3_str_appendall(json,
                          ",\"reason\":\"chosen without labels: a cautious default, whose gain is not measured\"");
  else
    sqlite3_str_appendf(json, ",\"reason\":\"too few rows to tell: %lld, expected %d or more\"",
                        (long long)l->rows.count, BLIND_LEAST_ROWS);
  sqlite3_str_appendf(json,
                      ",\"labels\":false,\"measure\":null,\"given\":%lld,\"pairs\":0,\"rows\":%lld,\"raw\":null",
                      (long long)l->given, (long long)l->rows.count);
  if (b->is_chosen) append_view(json, "before", &b->before);
  if (b->is_chosen) append_view(json, "after", &b->after);
  sqlite3_str_appendall(json, ",\"settings\":[]}");
}

static void fail_tune(struct call *call, enum status status, const struct moments *m) {
  call->row = 0;
  if (status == STATUS_STOPPED)
    fail(call, "interrupted");
  else if (status == STATUS_NO_VARIANCE)
    fail(call, "the rows of stats have no variance (n = %lld), expected at least two different ones",
         (long long)m->rows);
  else if (status == STATUS_WEIGHT)
    fail(call, "the weights of stats sum to %.15g, expected a finite sum above 1", m->weight);
  else
    fail_status(call, status);
}

static int is_stopped(void *context) {
  return is_interrupted(context);
}

static void return_choice(struct call *call, struct tuning *t) {
  struct watch watch = {is_stopped, call->context};
  struct tune tune = {0};
  struct blind blind = {0};
  enum status rc = labels_finish(&t->labels);
  if (rc == STATUS_OK) rc = moments_flush(&t->moments);
  if (rc == STATUS_OK && t->labels.kind == LABELS_NONE) rc = blind_run(&blind, &t->moments, &t->labels, &watch);
  if (rc == STATUS_OK && t->labels.kind != LABELS_NONE)
    rc = tune_run(&tune, &t->moments, &t->labels, &t->options, &watch);
  if (rc == STATUS_OK) {
    sqlite3_str *json = sqlite3_str_new(NULL); /* of no connection: its length limit is for the result */
    if (t->labels.kind == LABELS_NONE)
      append_blind(json, &blind, &t->labels);
    else
      append_tune(json, &tune, &t->labels);
    size_t bytes = (size_t)sqlite3_str_length(json);
    char *text = sqlite3_str_finish(json);
    if (text == NULL)
      fail_nomem(call);
    else
      result_json(call, text, bytes);
  } else {
    fail_tune(call, rc, &t->moments);
  }
  tune_clear(&tune);
}

static void final(sqlite3_context *context) {
  struct call call = call_of(context);
  struct tuning *t = group_ended(&call);
  if (t == NULL) return;
  if (t->labels.mem != NULL && !t->group.failed && !is_interrupted(context) &&
      !group_looked(&call, &t->group, t->labels.kind == LABELS_NONE ? "v" : "a", t->moments.dim))
    return_choice(&call, t);
  labels_clear(&t->labels);
  moments_clear(&t->moments);
}

const struct function tune_functions[] = {{.name = "whiten_tune",
                                           .min_args = 2,
                                           .max_args = 5,
                                           .flags = FUNCTION_PURE | SQLITE_RESULT_SUBTYPE,
                                           .step = step,
                                           .final = final},
                                          {.name = NULL}};
