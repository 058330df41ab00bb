/*
** A parsed model, and vectors through it: y = (x - mean) @ kernel, plus the offset where there is one, and back.
**
** The mean is subtracted in float64 and the difference rounded once: x @ W - mean @ W in float32 loses up to three
** digits. Products are chains in the order of core/simd/simd.h, so the bits are the same everywhere. An offset is
** added to the rounded product in float64, and the sum rounded.
*/
#ifndef WHITEN_CORE_WHITENER_H
#define WHITEN_CORE_WHITENER_H

#include "core/base.h"
#include "core/model.h"

/* A model made ready for use: the kernel in panels, 64-byte aligned. Zeroed = empty. */
struct whitener {
  const struct memory *mem;
  struct model_header header;
  unsigned char stored_header[MODEL_HEADER];                      /* as in the BLOB */
  double *mean, *eigenvalues, *row_scale, *column_scale, *offset; /* NULL where the model has none */
  float *kernel, *inverse;     /* panels; inverse is made by whitener_prepare_inverse */
  float *stored_inverse;       /* m x d as in the BLOB, or NULL */
  void *block, *inverse_block; /* what is owned */
};

/* Validates the BLOB in full and parses it. Errors as for model_check. */
enum status whitener_init(struct whitener *w, const void *blob, size_t bytes, const struct memory *mem);
void whitener_clear(struct whitener *w);

/* Whether this is the BLOB that w was made of, byte for byte: faster than its hash, and no two BLOBs share it. */
int whitener_is_of(const struct whitener *w, const void *blob, size_t bytes);

/* y = offset + (x - mean) @ kernel, normalized if the model says so: x has d unaligned elements, `shifted` is a workspace
** of d, y receives m. STATUS_OVERFLOW: *index of y is not finite, because x is not or the product is beyond float32;
** STATUS_NO_VARIANCE: y is zero and was to be normalized. */
enum status whitener_apply(const struct whitener *w, const void *x, float *shifted, float *y, size_t *index);

/*
** The same for `rows` vectors, to the bit, in two steps. shifted = x - mean, x of d unaligned elements, or `shifted` itself; then y (rows x m)
** from all of them (rows x d). Rows that are not finite are left so, and rows that are zero stay zero when the model
** normalizes: the caller looks. Runs on any thread.
*/
void whitener_shift(const struct whitener *w, const void *x, float *shifted);
void whitener_apply_rows(const struct whitener *w, size_t rows, const float *shifted, float *y);

/*
** out (d) = kernel @ direction, of m elements and zeros up to a multiple of 16: (x - mean) @ kernel . direction = (x - mean) . out, so that many rows can
** be compared with one whitened vector by a product over d each. In float32. An offset adds offset . direction.
*/
void whitener_pull(const struct whitener *w, const float *direction, float *out);

/* Must succeed before whitener_invert. STATUS_NO_INVERSE, STATUS_NOMEM. */
enum status whitener_prepare_inverse(struct whitener *w);
/* x = mean + (y - offset) @ inverse: y has m unaligned elements; `aligned` is a workspace of m; x receives d.
** STATUS_OVERFLOW. */
enum status whitener_invert(const struct whitener *w, const void *y, float *aligned, float *x, size_t *index);

/* kernel as d x m row-major; bias = -mean as float32; the offset as float32, m zeros where there is none. */
void whitener_copy_kernel(const struct whitener *w, float *out);
void whitener_copy_bias(const struct whitener *w, float *out);
void whitener_copy_offset(const struct whitener *w, float *out);

/* Share of the variance in the kept components, of all that `remove` left; largest / smallest kept eigenvalue, shrinkage
** and ridge included. NaN for a model without eigenvalues. */
double whitener_explained(const struct whitener *w);
double whitener_condition(const struct whitener *w);

/*
** How many times as much rows that were not fitted may vary along the last kept component as its eigenvalue, shrinkage and
** ridge included, says. The smallest of p eigenvalues of n rows is (1 - sqrt(p / n))^2 of what it should be
** (Marchenko & Pastur 1967), and of fewer rows than dimensions the middle one some (1 + d / n) / 2 times; twice the mean
** eigenvalue is taken as the most that there can be. On Gaussian rows of four spectra and on four sets of real embeddings,
** n = 30 .. 4000, that is within a factor of 2 of what was measured wherever it is between 1 and 5. NaN for a model
** without eigenvalues.
*/
double whitener_unseen(const struct whitener *w);

#endif
