/* See model.h for the format. */
#include "core/model.h"

#include <math.h>
#include <string.h>

#include "core/blob.h"
#include "core/within.h"

enum { NEWEST = 2 };
enum {
  AT_K = 36,
  AT_M = 40,
  AT_RANK = 44,
  AT_N = 48,
  AT_WEIGHT = 56,
  AT_METHOD = 64,
  AT_FLAGS = 68,
  AT_REMOVE = 72,
  AT_SIDE = 76,
  AT_RIDGE = 80,
  AT_RHO = 88,
  AT_RIDGE_ADDED = 96,
  AT_POWER = 104,
  AT_WITHIN = 112,
  AT_ORDER = 120,
  AT_PAIRS = 124
};

static const char MAGIC[8] = "whitenM";
static const char *const METHOD_NAMES[MODEL_METHODS] = {"pca", "zca", "pca-cor", "zca-cor", "cholesky"};
static const char *const SIDE_NAMES[MODEL_SIDES] = {"", "a", "b", "a->b", "b->a"};

const char *model_method_name(uint32_t method) {
  return method < MODEL_METHODS ? METHOD_NAMES[method] : NULL;
}

const char *model_side_name(uint32_t side) {
  return side < MODEL_SIDES ? SIDE_NAMES[side] : NULL;
}

uint32_t model_version(const struct model_header *h) {
  return (h->flags & ~(uint32_t)MODEL_FLAGS_1) || h->side != MODEL_SIDE_NONE ? 2 : 1;
}

int model_has_eigenvalues(const struct model_header *h) {
  return !(h->flags & MODEL_IMPORTED) && h->side == MODEL_SIDE_NONE;
}

uint64_t model_size(const struct model_header *h) {
  uint64_t d = h->d, k = h->k, matrix = d * h->m * 4, size = MODEL_HEADER + 8 * d + matrix;
  if (model_has_eigenvalues(h)) size += 8 * d;
  if (h->flags & MODEL_SCALES) size += 8 * (d + k);
  if (h->flags & MODEL_OFFSET) size += 8 * (uint64_t)h->m;
  if (h->flags & MODEL_INVERSE) size += matrix;
  return size;
}

void model_write(const struct model *model, void *out) {
  const struct model_header *h = &model->header;
  uint64_t d = h->d, matrix = d * h->m * 4, size = model_size(h);
  memset(out, 0, MODEL_HEADER);
  blob_begin(out, MAGIC, model_version(h), size, h->d);
  blob_put32(out, AT_K, h->k);
  blob_put32(out, AT_M, h->m);
  blob_put32(out, AT_RANK, h->rank);
  blob_put64(out, AT_N, (uint64_t)h->n);
  blob_put_f64(out, AT_WEIGHT, h->weight);
  blob_put32(out, AT_METHOD, h->method);
  blob_put32(out, AT_FLAGS, h->flags);
  blob_put32(out, AT_REMOVE, h->remove);
  blob_put32(out, AT_SIDE, h->side);
  blob_put_f64(out, AT_RIDGE, h->ridge);
  blob_put_f64(out, AT_RHO, h->rho);
  blob_put_f64(out, AT_RIDGE_ADDED, h->ridge_added);
  blob_put_f64(out, AT_POWER, h->power);
  blob_put_f64(out, AT_WITHIN, h->within);
  blob_put32(out, AT_ORDER, h->order);
  blob_put32(out, AT_PAIRS, h->pairs);
  char *at = blob_append((char *)out + MODEL_HEADER, model->mean, 8 * d);
  if (model_has_eigenvalues(h)) at = blob_append(at, model->eigenvalues, 8 * d);
  if (h->flags & MODEL_SCALES)
    at = blob_append(blob_append(at, model->row_scale, 8 * d), model->column_scale, 8 * (uint64_t)h->k);
  if (h->flags & MODEL_OFFSET) at = blob_append(at, model->offset, 8 * (uint64_t)h->m);
  at = blob_append(at, model->kernel, matrix);
  if (h->flags & MODEL_INVERSE) blob_append(at, model->inverse, matrix);
  blob_seal(out, size);
}

static int in_unit_interval(double x) {
  return x >= 0 && x <= 1;
}

static int was_fitted_soundly(const struct model_header *h) {
  return h->n >= 0 && isfinite(h->weight) && h->weight >= 0 && in_unit_interval(h->power) &&
         in_unit_interval(h->rho) && isfinite(h->ridge) && h->ridge >= 0 && isfinite(h->ridge_added) &&
         h->ridge_added >= 0;
}

/* One that was aligned has an inverse, and an offset if it leads into the other's space. */
static int is_aligned_soundly(const struct model_header *h) {
  int leads_across = h->side == MODEL_SIDE_A_TO_B || h->side == MODEL_SIDE_B_TO_A;
  uint32_t expected = MODEL_INVERSE | (leads_across ? (uint32_t)MODEL_OFFSET : 0);
  return h->side < MODEL_SIDES && (h->flags & ~(uint32_t)MODEL_NORMALIZE) == expected && h->method == MODEL_PCA &&
         h->remove == 0 && h->rho == 0 && h->k <= h->rank && h->rank <= h->d && h->k <= h->d &&
         (leads_across ? h->rank <= h->m : h->m == h->k) && was_fitted_soundly(h);
}

/* One that whitens the difference of pairs. */
static int is_within_soundly(const struct model_header *h) {
  return (h->flags & ~(uint32_t)MODEL_NORMALIZE) == (MODEL_WITHIN | MODEL_INVERSE) && h->method == MODEL_PCA &&
         h->remove == 0 && h->rho == 0 && h->power == 1 && h->k <= h->d && h->m == h->k && h->rank <= h->d &&
         h->within > 0 && h->within <= 1 && h->order < WITHIN_ORDERS && h->pairs > 0 && was_fitted_soundly(h);
}

/* One whose arrays came from elsewhere; with an offset it has as many columns as that, which may be more than d. */
static int is_imported_soundly(const struct model_header *h) {
  uint32_t inverse = h->flags & (MODEL_SCALES | MODEL_INVERSE);
  if (h->method != MODEL_PCA || inverse == MODEL_SCALES || inverse > MODEL_INVERSE || h->rank > h->d) return 0;
  if (h->flags & MODEL_OFFSET) return h->k == (h->m < h->d ? h->m : h->d) && h->remove == 0;
  return h->k <= h->d && h->m == h->k && h->remove <= h->d - h->k;
}

static int header_is_sound(const struct model_header *h) {
  int keeps_d = h->method == MODEL_ZCA || h->method == MODEL_ZCA_COR || h->method == MODEL_CHOLESKY;
  if (h->d < 1 || h->d > DIM_MAX || h->m < 1 || h->m > DIM_MAX || h->k < 1 || h->k > DIM_MAX) return 0;
  if (h->method >= MODEL_METHODS || (h->flags & ~(uint32_t)MODEL_FLAGS_KNOWN)) return 0;
  if (h->side != MODEL_SIDE_NONE) return is_aligned_soundly(h);
  if (h->flags & MODEL_WITHIN) return is_within_soundly(h);
  if (h->flags & MODEL_IMPORTED) return is_imported_soundly(h);
  if (h->flags & MODEL_OFFSET) return 0;
  if (h->k > h->d || h->rank > h->d || h->remove > h->d - h->k || h->m != (keeps_d ? h->d : h->k)) return 0;
  uint32_t inverse = h->flags & (MODEL_SCALES | MODEL_INVERSE);
  if (inverse != (uint32_t)(keeps_d ? MODEL_INVERSE : MODEL_SCALES)) return 0;
  return was_fitted_soundly(h);
}

static void find_arrays(const void *blob, const struct model_header *h, struct model_arrays *arrays) {
  const char *at = (const char *)blob + MODEL_HEADER;
  uint64_t d = h->d, matrix = d * h->m * 4;
  arrays->mean = blob_take(&at, 8 * d);
  if (model_has_eigenvalues(h)) arrays->eigenvalues = blob_take(&at, 8 * d);
  if (h->flags & MODEL_SCALES) {
    arrays->row_scale = blob_take(&at, 8 * d);
    arrays->column_scale = blob_take(&at, 8 * (uint64_t)h->k);
  }
  if (h->flags & MODEL_OFFSET) arrays->offset = blob_take(&at, 8 * (uint64_t)h->m);
  arrays->kernel = blob_take(&at, matrix);
  if (h->flags & MODEL_INVERSE) arrays->inverse = blob_take(&at, matrix);
}

enum status model_read(const void *blob, size_t bytes, struct model_header *h, struct model_arrays *arrays) {
  *h = (struct model_header){0};
  *arrays = (struct model_arrays){0};
  enum status rc = blob_check(blob, bytes, MAGIC, NEWEST, MODEL_HEADER);
  if (rc) {
    h->size = MODEL_HEADER;
    return rc;
  }
  *h = (struct model_header){.size = blob_get64(blob, BLOB_SIZE),
                             .hash = blob_get64(blob, BLOB_HASH),
                             .d = blob_get32(blob, BLOB_D),
                             .k = blob_get32(blob, AT_K),
                             .m = blob_get32(blob, AT_M),
                             .rank = blob_get32(blob, AT_RANK),
                             .n = (int64_t)blob_get64(blob, AT_N),
                             .weight = blob_get_f64(blob, AT_WEIGHT),
                             .method = blob_get32(blob, AT_METHOD),
                             .flags = blob_get32(blob, AT_FLAGS),
                             .remove = blob_get32(blob, AT_REMOVE),
                             .side = blob_get32(blob, AT_SIDE),
                             .ridge = blob_get_f64(blob, AT_RIDGE),
                             .rho = blob_get_f64(blob, AT_RHO),
                             .ridge_added = blob_get_f64(blob, AT_RIDGE_ADDED),
                             .power = blob_get_f64(blob, AT_POWER),
                             .within = blob_get_f64(blob, AT_WITHIN),
                             .order = blob_get32(blob, AT_ORDER),
                             .pairs = blob_get32(blob, AT_PAIRS)};
  if (h->size != bytes) return STATUS_TRUNCATED;
  if (!header_is_sound(h) || model_size(h) != bytes) return STATUS_HEADER;
  if (model_version(h) != blob_get32(blob, BLOB_VERSION)) return STATUS_HEADER;
  if (!(h->flags & MODEL_WITHIN) && !blob_is_zero(blob, AT_WITHIN, MODEL_HEADER)) return STATUS_HEADER;
  find_arrays(blob, h, arrays);
  return STATUS_OK;
}

enum status model_check_finite(const struct model_header *h, const struct model_arrays *arrays) {
  uint64_t d = h->d, matrix = d * h->m;
  int finite = blob_is_finite_f64(arrays->mean, d) && blob_is_finite_f64(arrays->eigenvalues, d) &&
               blob_is_finite_f64(arrays->row_scale, d) && blob_is_finite_f64(arrays->column_scale, h->k) &&
               blob_is_finite_f64(arrays->offset, h->m) && blob_is_finite_f32(arrays->kernel, matrix) &&
               blob_is_finite_f32(arrays->inverse, matrix);
  return finite ? STATUS_OK : STATUS_NOT_FINITE;
}

enum status model_check(const void *blob, size_t bytes, struct model_header *h, struct model_arrays *arrays) {
  enum status rc = model_read(blob, bytes, h, arrays);
  if (rc == STATUS_OK) rc = blob_check_hash(blob, bytes);
  return rc == STATUS_OK ? model_check_finite(h, arrays) : rc;
}

enum status model_check_parts(const struct model *model) {
  struct model_arrays arrays = {.mean = model->mean,
                                .eigenvalues = model->eigenvalues,
                                .row_scale = model->row_scale,
                                .column_scale = model->column_scale,
                                .offset = model->offset,
                                .kernel = model->kernel,
                                .inverse = model->inverse};
  return header_is_sound(&model->header) ? model_check_finite(&model->header, &arrays) : STATUS_HEADER;
}

int model_is_model(const void *blob, size_t bytes) {
  return blob_has_magic(blob, bytes, MAGIC);
}
