/* whiten_model, whiten_apply, whiten_inverse, whiten_info, whiten_check, whiten_kernel, whiten_bias, whiten_offset,
** whiten_import: what is done with a model. */
#include "core/solve.h"

#include <math.h>
#include <stdarg.h>

#include "host/connection.h"
#include "host/value.h"

/* whiten_model(model) */
static void whiten_model(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  (void)argc;
  struct shared_model *model = model_argument(&call, argv[0]);
  if (model != NULL) result_model(&call, model);
  model_release(model);
}

/* One vector through the model. */
static void apply(struct call *call, const struct whitener *w, const struct vector *v) {
  size_t m = w->header.m, index;
  float *y = result_buffer(call, m), *shifted = y ? result_buffer(call, w->header.d) : NULL;
  enum status rc = shifted ? whitener_apply(w, v->data, shifted, y, &index) : STATUS_NOMEM;
  sqlite3_free(shifted);
  if (rc == STATUS_OVERFLOW && !fail_not_finite(call, "v", v->dim, v->data))
    fail_overflow(call, "the result", index);
  if (rc == STATUS_OK)
    result_vector(call, y, m);
  else
    sqlite3_free(y);
}

static void invert(struct call *call, struct whitener *w, const struct vector *v) {
  enum status rc = whitener_prepare_inverse(w);
  if (rc == STATUS_NO_INVERSE) {
    fail(call, "model is without an inverse, expected one whose kernel has independent columns");
    return;
  }
  size_t d = w->header.d, index;
  float *x = rc ? NULL : result_buffer(call, d), *aligned = x ? result_buffer(call, w->header.m) : NULL;
  rc = aligned ? whitener_invert(w, v->data, aligned, x, &index) : STATUS_NOMEM;
  sqlite3_free(aligned);
  if (rc == STATUS_NOMEM) fail_nomem(call);
  if (rc == STATUS_OVERFLOW && !fail_not_finite(call, "y", v->dim, v->data))
    fail_overflow(call, "the result", index);
  if (rc == STATUS_OK)
    result_vector(call, x, d);
  else
    sqlite3_free(x);
}

enum { APPLY, INVERSE };

/* whiten_apply(model, v), whiten_inverse(model, y) */
static void transform(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector v;
  int inverse = call_variant(&call) == INVERSE;
  const char *argument = inverse ? "y" : "v";
  (void)argc;
  struct shared_model *model = model_argument(&call, argv[0]);
  if (model == NULL) return;
  if (sqlite3_value_type(argv[1]) != SQLITE_NULL && vector_argument(&call, argv, 1, argument, &v) == 0) {
    struct whitener *w = &model->whitener;
    size_t expected = inverse ? w->header.m : w->header.d;
    if (v.dim != expected)
      fail_dim(&call, argument, v.dim, expected, inverse ? ", what the model returns" : ", what the model takes");
    else if (inverse)
      invert(&call, w, &v);
    else
      apply(&call, w, &v);
    vector_done(&call, 1, &v);
  }
  model_release(model);
}

/* A member of the array of warnings. */
static void append_warning(sqlite3_str *json, int *count, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  sqlite3_str_appendall(json, (*count)++ ? ",\"" : "\"");
  sqlite3_str_vappendf(json, format, arguments);
  sqlite3_str_appendchar(json, 1, '"');
  va_end(arguments);
}

/* Below ten rows a dimension the smallest eigenvalues are less than half of what they should be; with a ridge, or with the
** last components left out, that need not matter. */
static void warn_of_few_rows(sqlite3_str *json, int *count, const struct whitener *w) {
  static const double TOO_MUCH = 2.13883399; /* (1 - sqrt(1 / 10))^-2: what n = 10 d comes to without a ridge */
  const struct model_header *h = &w->header;
  long long n = h->n, most = 10 * (long long)h->d;
  double ratio = whitener_unseen(w);
  if (!(h->weight < (double)most)) return;
  if (h->ridge_added == 0)
    append_warning(
        json, count,
        "n = %lld is below 10 d = %lld: the smaller eigenvalues are sampling error; use a smaller k or a ridge", n,
        most);
  else if (pow(ratio, h->power) > TOO_MUCH)
    append_warning(
        json, count,
        "n = %lld is below 10 d = %lld, and the ridge is small against the sampling error: along the last "
        "components other rows vary some %.2g times as much as the model expects; use a larger ridge or a "
        "smaller k",
        n, most, ratio);
}

/* A covariance of few differences is small in most directions by chance, and 1 / sqrt of that is large. */
static void warn_of_few_pairs(sqlite3_str *json, int *count, const struct model_header *h) {
  if (h->ridge_added == 0 && h->pairs / 10 < h->d)
    append_warning(
        json, count,
        "pairs = %u is below 10 d = %u, and there is no ridge: along some directions related rows differ "
        "less than in truth by chance, and those are blown up; use a ridge",
        h->pairs, 10 * h->d);
}

static void append_warnings(sqlite3_str *json, const struct whitener *w) {
  const struct model_header *h = &w->header;
  int count = 0;
  if (model_has_eigenvalues(h)) {
    uint32_t last = h->remove + h->k;
    warn_of_few_rows(json, &count, w);
    if (h->flags & MODEL_WITHIN) warn_of_few_pairs(json, &count, h);
    if (last > h->rank)
      append_warning(
          json, &count,
          "k = %u goes beyond the rank, %u: in the last %u components the rows have no variance, and only the "
          "ridge scales them",
          h->k, h->rank, last - h->rank < h->k ? last - h->rank : h->k);
  } else if (h->side != MODEL_SIDE_NONE) {
    if (h->weight < h->d)
      append_warning(
          json, &count,
          "n = %lld pairs is below d = %u: with more of them the other side's vectors are found more often",
          (long long)h->n, h->d);
  } else if (!(h->flags & MODEL_INVERSE)) {
    append_warning(json, &count, "the columns of the kernel are dependent: whiten_inverse is not defined");
  }
}

/* ,"name":number, or null where it is not defined */
static void append_number(sqlite3_str *json, const char *name, double value) {
  if (isfinite(value))
    sqlite3_str_appendf(json, ",\"%s\":%!.15g", name, value);
  else
    sqlite3_str_appendf(json, ",\"%s\":null", name);
}

static const char *method_of(const struct model_header *h) {
  if (h->side != MODEL_SIDE_NONE) return "align";
  return h->flags & MODEL_IMPORTED ? "import" : model_method_name(h->method);
}

static void append_info(sqlite3_str *json, const struct whitener *w) {
  const struct model_header *h = &w->header;
  int aligned = h->side != MODEL_SIDE_NONE;
  sqlite3_str_appendf(json, "{\"version\":%u,\"method\":\"%s\"", model_version(h), method_of(h));
  if (aligned) sqlite3_str_appendf(json, ",\"side\":\"%s\"", model_side_name(h->side));
  sqlite3_str_appendf(json, ",\"n\":%lld,\"d\":%u,\"k\":%u,\"rank\":%u", (long long)h->n, h->d, h->k, h->rank);
  append_number(json, "explained", whitener_explained(w));
  if (h->flags & MODEL_OAS) {
    sqlite3_str_appendall(json, ",\"ridge\":\"oas\"");
    append_number(json, "rho", h->rho);
  } else {
    append_number(json, "ridge", h->ridge);
  }
  append_number(json, aligned ? "exponent" : "power", h->power);
  if (h->flags & MODEL_WITHIN) {
    append_number(json, "within", h->within);
    sqlite3_str_appendf(json, ",\"order\":\"%s\",\"pairs\":%u", within_order_name(h->order), h->pairs);
  }
  sqlite3_str_appendf(json, ",\"remove\":%u,\"normalize\":%s", h->remove,
                      h->flags & MODEL_NORMALIZE ? "true" : "false");
  sqlite3_str_appendf(json, ",\"precision\":\"%s\"", h->flags & MODEL_SINGLE ? "single" : "double");
  append_number(json, "condition", whitener_condition(w));
  sqlite3_str_appendf(json, ",\"hash\":\"%016llx\",\"warnings\":[", (unsigned long long)h->hash);
  append_warnings(json, w);
  sqlite3_str_appendall(json, "]}");
}

/* whiten_info(model) */
static void whiten_info(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  (void)argc;
  struct shared_model *model = model_argument(&call, argv[0]);
  if (model == NULL) return;
  sqlite3_str *json = sqlite3_str_new(NULL); /* of no connection: its length limit is for the result */
  append_info(json, &model->whitener);
  size_t bytes = (size_t)sqlite3_str_length(json);
  char *text = sqlite3_str_finish(json);
  if (text == NULL)
    fail_nomem(&call);
  else
    result_json(&call, text, bytes);
  model_release(model);
}

/* whiten_check(model): reads all of it every time, and keeps nothing. */
static void whiten_check(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct model_header header;
  struct model_arrays arrays;
  int type = sqlite3_value_type(argv[0]), sound = is_model_handle(argv[0]);
  (void)argc;
  if (type == SQLITE_NULL && !sound) return;
  if (type == SQLITE_BLOB) {
    const void *blob = sqlite3_value_blob(argv[0]);
    size_t bytes = (size_t)sqlite3_value_bytes(argv[0]);
    if (blob == NULL && bytes > 0) {
      fail_nomem(&call);
      return;
    }
    sound = model_check(blob, bytes, &header, &arrays) == STATUS_OK;
  }
  sqlite3_result_int(context, sound);
}

enum { KERNEL, BIAS, OFFSET };

/* whiten_kernel(model), whiten_bias(model), whiten_offset(model) */
static void export(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  (void)argc;
  struct shared_model *model = model_argument(&call, argv[0]);
  if (model == NULL) return;
  const struct whitener *w = &model->whitener;
  size_t d = w->header.d, m = w->header.m;
  const struct {
    size_t count;
    void (*copy)(const struct whitener *w, float *out);
  } parts[] = {[KERNEL] = {d * m, whitener_copy_kernel},
               [BIAS] = {d, whitener_copy_bias},
               [OFFSET] = {m, whitener_copy_offset}};
  size_t count = parts[call_variant(&call)].count;
  float *out = result_buffer(&call, count);
  if (out != NULL) {
    parts[call_variant(&call)].copy(w, out);
    result_vector(&call, out, count);
  }
  model_release(model);
}

/* A BLOB of float32 of any length, or JSON; 0 on success. */
static int read_matrix(struct call *call, sqlite3_value *value, struct vector *v) {
  *v = (struct vector){0};
  if (sqlite3_value_type(value) == SQLITE_TEXT) return vector_read(call, value, "kernel", v);
  if (sqlite3_value_type(value) != SQLITE_BLOB) {
    fail_type(call, "kernel", sqlite3_value_type(value), "a BLOB of d x k float32, row-major");
    return call->failed;
  }
  v->data = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value);
  v->dim = bytes / 4;
  if (bytes == 0 || bytes % 4 != 0)
    fail(call, "kernel is a BLOB of %lld bytes, expected a positive multiple of 4", (long long)bytes);
  else if (v->data == NULL)
    fail_nomem(call);
  return call->failed;
}

/* offset->data is NULL if there is none. */
static void import(struct call *call, const struct vector *kernel, const struct vector *bias,
                   const struct vector *offset) {
  size_t d = bias->dim, m = offset->data != NULL ? offset->dim : kernel->dim / d;
  void *blob = NULL;
  uint64_t size;
  if (offset->data != NULL && kernel->dim != d * m)
    fail(call, "kernel has %lld elements, expected %lld (the elements of bias times those of offset)",
         (long long)kernel->dim, (long long)(d * m));
  else if (offset->data == NULL && (kernel->dim % d != 0 || m < 1 || m > d))
    fail(call, "kernel has %lld elements, expected a multiple of %lld (the elements of bias) up to %lld",
         (long long)kernel->dim, (long long)d, (long long)(d * d));
  if (call->failed || fail_not_finite(call, "kernel", kernel->dim, kernel->data) ||
      fail_not_finite(call, "bias", d, bias->data) || fail_not_finite(call, "offset", offset->dim, offset->data))
    return;
  struct solve_arrays arrays = {
      .d = d, .m = m, .kernel = kernel->data, .bias = bias->data, .offset = offset->data};
  enum status rc = solve_import(&arrays, &sqlite_memory, &blob, &size);
  if (rc == STATUS_OK)
    sqlite3_result_blob64(call->context, blob, size, sqlite3_free);
  else
    fail_status(call, rc);
}

/* whiten_import(kernel, bias [, offset]) */
static void whiten_import_call(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct vector kernel, bias, offset = {0};
  if (any_null(argc, argv) || read_matrix(&call, argv[0], &kernel)) return;
  if (vector_read(&call, argv[1], "bias", &bias) == 0) {
    if (argc < 3 || vector_read(&call, argv[2], "offset", &offset) == 0) {
      import(&call, &kernel, &bias, &offset);
      vector_free(&offset);
    }
    vector_free(&bias);
  }
  vector_free(&kernel);
}

#define SCALAR(NAME, ARGS, VARIANT, CALL) \
  { .name = NAME, .min_args = ARGS, .max_args = ARGS, .flags = FUNCTION_PURE, .variant = VARIANT, .call = CALL }

const struct function model_functions[] = {
    SCALAR("whiten_model", 1, 0, whiten_model),
    SCALAR("whiten_apply", 2, APPLY, transform),
    SCALAR("whiten_inverse", 2, INVERSE, transform),
    {.name = "whiten_info",
     .min_args = 1,
     .max_args = 1,
     .flags = FUNCTION_PURE | SQLITE_RESULT_SUBTYPE,
     .call = whiten_info},
    SCALAR("whiten_check", 1, 0, whiten_check),
    SCALAR("whiten_kernel", 1, KERNEL, export),
    SCALAR("whiten_bias", 1, BIAS, export),
    SCALAR("whiten_offset", 1, OFFSET, export),
    {.name = "whiten_import", .min_args = 2, .max_args = 3, .flags = FUNCTION_PURE, .call = whiten_import_call},
    {.name = NULL}};
