/* See kernel.h. */
#include "core/kernel.h"

#include <float.h>
#include <math.h>

#include "core/linalg.h"

void kernel_clear(struct kernel *kernel) {
  if (kernel->mem == NULL) return;
  void *owned[] = {kernel->matrix, kernel->inverse, kernel->row_scale, kernel->column_scale};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) kernel->mem->release(owned[i]);
  *kernel = (struct kernel){0};
}

/* scale[k]: what the components are multiplied by. */
static enum status scales(const struct spectrum *s, const struct kernel_choice *choice, double *scale) {
  for (size_t j = 0; j < choice->k; j++) {
    double value = (1 - choice->rho) * s->eigenvalues[choice->first + j] + choice->ridge_added;
    scale[j] = choice->power == 1 ? 1 / sqrt(value) : choice->power == 0 ? 1 : pow(value, -choice->power / 2);
    if (scale[j] < FLT_MIN * sqrt((double)s->d)) return STATUS_OVERFLOW;
  }
  return STATUS_OK;
}

/* kernel_ij = u_ij scale_j, or g_ij scale_j / sd_i; the inverse follows by row and column scales. */
static enum status pca(struct kernel *kernel, const struct spectrum *s, const struct kernel_choice *choice,
                       const double *scale) {
  size_t d = s->d, k = choice->k;
  kernel->matrix = memory_array(kernel->mem, d * k, sizeof *kernel->matrix);
  kernel->row_scale = memory_array(kernel->mem, d, sizeof *kernel->row_scale);
  kernel->column_scale = memory_array(kernel->mem, k, sizeof *kernel->column_scale);
  if (kernel->matrix == NULL || kernel->row_scale == NULL || kernel->column_scale == NULL) return STATUS_NOMEM;
  for (size_t j = 0; j < k; j++) {
    const double *u = spectrum_vector(s, choice->first + j);
    kernel->column_scale[j] = 1 / (scale[j] * scale[j]);
    for (size_t i = 0; i < d; i++) {
      double value = u[i] * scale[j];
      if (s->is_correlation) value = s->sd[i] > 0 ? value / s->sd[i] : 0;
      kernel->matrix[i * k + j] = (float)value;
    }
  }
  for (size_t i = 0; i < d; i++) kernel->row_scale[i] = s->is_correlation ? s->sd[i] * s->sd[i] : 1;
  return STATUS_OK;
}

/* product = U_k diag(scale) U_k^T, or with the inverse of the scales; `scaled` is a workspace of d x k. */
static void zca_product(const struct spectrum *s, const struct kernel_choice *choice, const double *scale,
                        int inverted, double *scaled, double *product) {
  size_t d = s->d, k = choice->k;
  const double *u = spectrum_vector(s,
                                    choice->first + k - 1); /* the k components lie together, the last one first */
  for (size_t c = 0; c < k; c++) {
    double factor = inverted ? 1 / scale[k - 1 - c] : scale[k - 1 - c];
    for (size_t i = 0; i < d; i++) scaled[c * d + i] = u[c * d + i] * factor;
  }
  linalg_multiply_transposed(d, k, scaled, u, product);
}

static enum status zca(struct kernel *kernel, const struct spectrum *s, const struct kernel_choice *choice,
                       const double *scale) {
  size_t d = s->d;
  double *scaled = memory_array(kernel->mem, d * choice->k, sizeof *scaled);
  double *product = memory_array(kernel->mem, d * d, sizeof *product);
  kernel->matrix = memory_array(kernel->mem, d * d, sizeof *kernel->matrix);
  kernel->inverse = memory_array(kernel->mem, d * d, sizeof *kernel->inverse);
  enum status rc = STATUS_NOMEM;
  if (scaled == NULL || product == NULL || kernel->matrix == NULL || kernel->inverse == NULL) goto end;
  zca_product(s, choice, scale, 0, scaled, product);
  for (size_t i = 0; i < d; i++) {
    double by = !s->is_correlation ? 1 : s->sd[i] > 0 ? 1 / s->sd[i] : 0;
    for (size_t j = 0; j < d; j++) kernel->matrix[i * d + j] = (float)(product[j * d + i] * by);
  }
  zca_product(s, choice, scale, 1, scaled, product);
  for (size_t j = 0; j < d; j++)
    for (size_t i = 0; i < d; i++)
      kernel->inverse[j * d + i] = (float)(product[i * d + j] * (s->is_correlation ? s->sd[i] : 1));
  rc = STATUS_OK;
end:
  kernel->mem->release(scaled);
  kernel->mem->release(product);
  return rc;
}

/*
** kernel = L, where L L^T is the inverse covariance (Kessy et al., eq. 13). With the order of the dimensions reversed,
** P cov P = C C^T; then U = P C P is upper triangular, cov = U U^T, L = U^-T and L^-1 = U^T: no inverse of cov is made.
*/
static enum status cholesky(struct kernel *kernel, const struct spectrum *s, const struct kernel_choice *choice) {
  size_t d = s->d, last = d * d - 1;
  /* column-major; the lower triangle of the reversed matrix is the upper one of cov */
  double *c = memory_array(kernel->mem, d * d, sizeof *c);
  kernel->matrix = memory_array(kernel->mem, d * d, sizeof *kernel->matrix);
  kernel->inverse = memory_array(kernel->mem, d * d, sizeof *kernel->inverse);
  enum status rc = STATUS_NOMEM;
  if (c == NULL || kernel->matrix == NULL || kernel->inverse == NULL) goto end;
  for (size_t i = 0; i < d; i++)
    for (size_t j = i; j < d; j++) {
      double value = (1 - choice->rho) * s->cov[i * d + j] + (i == j ? choice->ridge_added : 0);
      c[last - (i * d + j)] = c[last - (j * d + i)] = value;
    }
  rc = linalg_cholesky(d, c);
  /* inverse_ij = U_ji = C[d-1-j][d-1-i], which column-major stores at (d-1-i) * d + d-1-j */
  for (size_t i = 0; rc == STATUS_OK && i < d; i++)
    for (size_t j = 0; j < d; j++) kernel->inverse[i * d + j] = (float)c[last - (i * d + j)];
  if (rc == STATUS_OK) rc = linalg_invert_lower(d, c);
  /* kernel_ij = (U^-1)_ji = (C^-1)[d-1-j][d-1-i] */
  for (size_t i = 0; rc == STATUS_OK && i < d; i++)
    for (size_t j = 0; j < d; j++) kernel->matrix[i * d + j] = (float)c[last - (i * d + j)];
end:
  kernel->mem->release(c);
  return rc;
}

enum status kernel_init(struct kernel *kernel, const struct spectrum *s, const struct kernel_choice *choice) {
  *kernel = (struct kernel){.mem = s->mem};
  double *scale = memory_array(s->mem, choice->k, sizeof *scale);
  if (scale == NULL) return STATUS_NOMEM;
  enum status rc = scales(s, choice, scale);
  if (rc == STATUS_OK && choice->method == MODEL_CHOLESKY)
    rc = cholesky(kernel, s, choice);
  else if (rc == STATUS_OK && (choice->method == MODEL_PCA || choice->method == MODEL_PCA_COR))
    rc = pca(kernel, s, choice, scale);
  else if (rc == STATUS_OK)
    rc = zca(kernel, s, choice, scale);
  s->mem->release(scale);
  return rc;
}
