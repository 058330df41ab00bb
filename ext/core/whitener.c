/* See whitener.h. */
#include "core/whitener.h"

#include <math.h>
#include <string.h>

#include "core/blob.h"
#include "core/simd/simd.h"
#include "core/vector.h"

static double *copy_f64(double **at, const void *array, size_t count) {
  if (array == NULL) return NULL;
  double *copy = *at;
  memcpy(copy, array, count * sizeof *copy);
  *at += count;
  return copy;
}

/* One block: the panels, aligned; then what is float64; then the inverse as stored. */
static enum status copy_arrays(struct whitener *w, const struct model_arrays *arrays) {
  size_t d = w->header.d, k = w->header.k, m = w->header.m, panels = simd_panel_elements(d, m);
  size_t bytes = 63 + panels * sizeof(float) + (3 * d + k + m) * sizeof(double);
  if (arrays->inverse != NULL) bytes += d * m * sizeof(float);
  w->block = w->mem->alloc(bytes);
  if (w->block == NULL) return STATUS_NOMEM;
  w->kernel = memory_align64(w->block);
  simd_pack(d, m, arrays->kernel, w->kernel);
  double *at = (double *)(void *)(w->kernel + panels);
  w->mean = copy_f64(&at, arrays->mean, d);
  w->eigenvalues = copy_f64(&at, arrays->eigenvalues, d);
  w->row_scale = copy_f64(&at, arrays->row_scale, d);
  w->column_scale = copy_f64(&at, arrays->column_scale, k);
  w->offset = copy_f64(&at, arrays->offset, m);
  if (arrays->inverse != NULL) {
    w->stored_inverse = (float *)(void *)at;
    memcpy(w->stored_inverse, arrays->inverse, d * m * sizeof(float));
  }
  return STATUS_OK;
}

enum status whitener_init(struct whitener *w, const void *blob, size_t bytes, const struct memory *mem) {
  struct model_arrays arrays;
  *w = (struct whitener){.mem = mem};
  enum status rc = model_check(blob, bytes, &w->header, &arrays);
  if (rc == STATUS_OK) rc = copy_arrays(w, &arrays);
  if (rc == STATUS_OK) memcpy(w->stored_header, blob, MODEL_HEADER);
  return rc;
}

/* The arrays of float64 stand together, in the block as in the BLOB. */
int whitener_is_of(const struct whitener *w, const void *blob, size_t bytes) {
  size_t d = w->header.d, m = w->header.m, matrix = d * m * sizeof(float);
  size_t doubles = sizeof(double) * d;
  if (w->eigenvalues != NULL) doubles += sizeof(double) * d;
  if (w->row_scale != NULL) doubles += sizeof(double) * (d + w->header.k);
  if (w->offset != NULL) doubles += sizeof(double) * m;
  if (bytes != w->header.size || memcmp(blob, w->stored_header, MODEL_HEADER) != 0) return 0;
  const char *at = (const char *)blob + MODEL_HEADER, *kernel = at + doubles, *inverse = kernel + matrix;
  return memcmp(at, w->mean, doubles) == 0 && simd_is_packed(d, m, kernel, w->kernel) &&
         (w->stored_inverse == NULL || memcmp(inverse, w->stored_inverse, matrix) == 0);
}

void whitener_clear(struct whitener *w) {
  if (w->mem == NULL) return;
  w->mem->release(w->block);
  w->mem->release(w->inverse_block);
  *w = (struct whitener){0};
}

static void add_offset(const struct whitener *w, float *y) {
  for (size_t j = 0; w->offset != NULL && j < w->header.m; j++) y[j] = (float)(y[j] + w->offset[j]);
}

enum status whitener_apply(const struct whitener *w, const void *x, float *shifted, float *y, size_t *index) {
  size_t d = w->header.d, m = w->header.m;
  whitener_shift(w, x, shifted);
  simd->transform(d, m, shifted, w->kernel, y);
  add_offset(w, y);
  *index = vector_find_not_finite(m, y);
  if (*index < m) return STATUS_OVERFLOW;
  if (w->header.flags & MODEL_NORMALIZE) {
    double norm = vector_norm(m, y);
    if (norm == 0) return STATUS_NO_VARIANCE;
    vector_divide(m, y, norm, y);
  }
  return STATUS_OK;
}

void whitener_shift(const struct whitener *w, const void *x, float *shifted) {
  simd->shift(w->header.d, x, w->mean, shifted);
}

void whitener_apply_rows(const struct whitener *w, size_t rows, const float *shifted, float *y) {
  size_t d = w->header.d, m = w->header.m;
  simd->transform_block(rows, d, m, shifted, w->kernel, y, m);
  for (size_t r = 0; r < rows; r++) add_offset(w, y + r * m);
  for (size_t r = 0; (w->header.flags & MODEL_NORMALIZE) && r < rows; r++) {
    double norm = vector_norm(m, y + r * m);
    if (norm > 0 && isfinite(norm)) vector_divide(m, y + r * m, norm, y + r * m);
  }
}

void whitener_pull(const struct whitener *w, const float *direction, float *out) {
  simd->pull(w->header.d, w->header.m, w->kernel, direction, out);
}

enum status whitener_prepare_inverse(struct whitener *w) {
  size_t d = w->header.d, m = w->header.m;
  if (w->inverse != NULL) return STATUS_OK;
  if (w->stored_inverse == NULL && w->row_scale == NULL) return STATUS_NO_INVERSE;
  size_t panels = simd_panel_elements(m, d);
  void *block = w->mem->alloc(63 + panels * sizeof(float));
  if (block == NULL) return STATUS_NOMEM;
  float *inverse = memory_align64(block);
  if (w->stored_inverse != NULL) {
    simd_pack(m, d, w->stored_inverse, inverse);
  } else {
    memset(inverse, 0, panels * sizeof *inverse);
    for (size_t j = 0; j < m; j++)
      for (size_t i = 0; i < d; i++)
        inverse[simd_panel_index(m, d, j, i)] = (float)(w->kernel[simd_panel_index(d, m, i, j)] * w->row_scale[i] *
                                                        w->column_scale[j]);
  }
  w->inverse_block = block;
  w->inverse = inverse;
  return STATUS_OK;
}

enum status whitener_invert(const struct whitener *w, const void *y, float *aligned, float *x, size_t *index) {
  size_t d = w->header.d, m = w->header.m;
  if (w->offset != NULL)
    simd->shift(m, y, w->offset, aligned);
  else
    memcpy(aligned, y, m * sizeof *aligned);
  simd->transform(m, d, aligned, w->inverse, x);
  for (size_t i = 0; i < d; i++) x[i] = (float)(x[i] + w->mean[i]);
  *index = vector_find_not_finite(d, x);
  return *index < d ? STATUS_OVERFLOW : STATUS_OK;
}

void whitener_copy_kernel(const struct whitener *w, float *out) {
  size_t d = w->header.d, m = w->header.m;
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < m; j++) out[i * m + j] = w->kernel[simd_panel_index(d, m, i, j)];
}

void whitener_copy_bias(const struct whitener *w, float *out) {
  for (size_t i = 0; i < w->header.d; i++) out[i] = (float)-w->mean[i];
}

void whitener_copy_offset(const struct whitener *w, float *out) {
  for (size_t j = 0; j < w->header.m; j++) out[j] = w->offset != NULL ? (float)w->offset[j] : 0;
}

double whitener_explained(const struct whitener *w) {
  size_t first = w->header.remove, last = first + w->header.k;
  double total = 0, kept = 0;
  if (w->eigenvalues == NULL) return NAN;
  for (size_t j = first; j < w->header.d; j++) {
    total += w->eigenvalues[j];
    if (j < last) kept += w->eigenvalues[j];
  }
  return kept / total;
}

/* The j-th eigenvalue as the kernel takes it. What pairs gave has the ridge in it. */
static double effective(const struct whitener *w, size_t j) {
  if (w->header.flags & MODEL_WITHIN) return w->eigenvalues[j];
  return (1 - w->header.rho) * w->eigenvalues[j] + w->header.ridge_added;
}

double whitener_condition(const struct whitener *w) {
  const struct model_header *h = &w->header;
  if (w->eigenvalues == NULL) return NAN;
  return effective(w, h->remove) / effective(w, (size_t)h->remove + h->k - 1);
}

double whitener_unseen(const struct whitener *w) {
  const struct model_header *h = &w->header;
  if (w->eigenvalues == NULL || h->rank == 0 || h->flags & MODEL_WITHIN) return NAN;
  double most = 0, n = h->weight, edge = 1 - sqrt(h->rank / n);
  for (size_t j = 0; j < h->d; j++) most += 2 * w->eigenvalues[j] / h->d;
  double variance = n > h->d ? w->eigenvalues[h->rank - 1] / (edge * edge)
                             : w->eigenvalues[h->rank / 2] * 2 / (1 + h->d / n);
  return fmin(variance, most) / effective(w, (size_t)h->remove + h->k - 1);
}
