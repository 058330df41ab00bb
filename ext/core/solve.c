/*
** See solve.h. Components are numbered from the largest eigenvalue down; LAPACK's order is the reverse.
**
** Signs: the element of largest magnitude in each eigenvector is positive. Rank: eigenvalues at or below
** max(d * DBL_EPSILON * largest, 4 * FLT_EPSILON^2 * mean|x|^2 / d) are zero - the first term is what the solver leaves,
** the second what rounding the input to float32 does - and the rank is at most n - 1.
*/
#include "core/solve.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/linalg.h"

const struct solve_options SOLVE_DEFAULTS = {.method = MODEL_PCA, .k_kind = SOLVE_K_ALL, .power = 1};

/* Everything between the moments and the model. */
struct solution {
  const struct memory *mem;
  size_t d, rank, first, k; /* the kept components are first .. first + k - 1 */
  double *cov;              /* d x d, upper triangle: covariance, or correlation */
  double *vectors;          /* those of the `count` largest eigenvalues, d elements each: LAPACK's order */
  size_t count;
  double *w;           /* d: LAPACK's order */
  double *eigenvalues; /* d, descending, >= 0 */
  double *sd;          /* d: standard deviations, 0 for a column without variance; NULL unless a -cor method */
  double *scale;       /* k: effective eigenvalue ^ (-power / 2) */
  double *row_scale, *column_scale;
  double *product; /* d x d */
  float *kernel, *inverse;
  double square; /* mean |x|^2, in the units of the eigenvalues */
  double rho, ridge_added;
};

static void solution_clear(struct solution *s) {
  void *owned[] = {s->cov,       s->vectors,      s->w,       s->eigenvalues, s->sd,     s->scale,
                   s->row_scale, s->column_scale, s->product, s->kernel,      s->inverse};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) s->mem->release(owned[i]);
}

static int is_correlation(enum model_method method) {
  return method == MODEL_PCA_COR || method == MODEL_ZCA_COR;
}

static const double *component(const struct solution *s, size_t j) {
  return s->vectors + (s->count - 1 - j) * s->d;
}

static double effective(const struct solution *s, size_t j) {
  return (1 - s->rho) * s->eigenvalues[j] + s->ridge_added;
}

/* Below this the products of SCATTER_SINGLE come near the least normal float32, and lose their last bits. */
#define SINGLE_VARIANCE 1e-30

static enum status covariance(struct solution *s, const struct moments *m) {
  size_t d = s->d;
  double divisor = m->weight - 1, share = divisor / m->weight;
  s->cov = memory_array(s->mem, d * d, sizeof *s->cov);
  if (s->cov == NULL) return STATUS_NOMEM;
  double finite = 0; /* stays 0 unless an element is not: LAPACK would not return */
  for (size_t i = 0; i < d * d; i++) {
    s->cov[i] = m->cross[i] / divisor;
    finite += s->cov[i] * 0;
  }
  if (!(finite == 0)) return STATUS_OVERFLOW;
  double largest = 0;
  for (size_t i = 0; i < d; i++) largest = fmax(largest, s->cov[i * d + i]);
  if (m->precision == SCATTER_SINGLE && largest > 0 && largest < SINGLE_VARIANCE) return STATUS_OVERFLOW;
  for (size_t i = 0; i < d; i++) s->square += s->cov[i * d + i] * share + m->mean[i] * m->mean[i];
  return STATUS_OK;
}

/* Covariance to correlation. A column without variance gets the eigenvalue -1, so that it comes last, alone. */
static enum status correlation(struct solution *s, const struct moments *m) {
  size_t d = s->d;
  double share = (m->weight - 1) / m->weight;
  s->sd = memory_array(s->mem, d, sizeof *s->sd);
  if (s->sd == NULL) return STATUS_NOMEM;
  s->square = 0;
  for (size_t i = 0; i < d; i++) {
    double variance = s->cov[i * d + i], square = variance * share + m->mean[i] * m->mean[i];
    int varies = variance > 4.0 * FLT_EPSILON * FLT_EPSILON * square;
    s->sd[i] = varies ? sqrt(variance) : 0;
    if (varies) s->square += square / variance;
  }
  for (size_t i = 0; i < d; i++) {
    for (size_t j = i; j < d; j++) {
      double scale = s->sd[i] * s->sd[j];
      s->cov[i * d + j] = scale > 0 ? s->cov[i * d + j] / scale : 0;
    }
    s->cov[i * d + i] = s->sd[i] > 0 ? 1 : -1;
  }
  return STATUS_OK;
}

static void fix_sign(size_t d, double *vector) {
  size_t largest = 0;
  for (size_t i = 1; i < d; i++)
    if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
  if (vector[largest] < 0)
    for (size_t i = 0; i < d; i++) vector[i] = -vector[i];
}

/* How many eigenvectors to ask for: all, unless few are needed and that is faster. */
static size_t vectors_needed(size_t d, const struct solve_options *o) {
  if (o->k_kind != SOLVE_K_COUNT || o->method == MODEL_CHOLESKY) return d;
  size_t needed = (size_t)(o->remove + o->k);
  return linalg_prefers_top(d, needed) ? needed : d;
}

static enum status eigenvectors(struct solution *s, size_t count) {
  s->mem->release(s->vectors);
  s->count = count;
  s->vectors = memory_array(s->mem, s->d * count, sizeof *s->vectors);
  return s->vectors != NULL ? linalg_eigen(s->d, count, s->cov, s->vectors, s->w, s->mem) : STATUS_NOMEM;
}

static enum status eigenvalues(struct solution *s, const struct moments *m, const struct solve_options *o) {
  size_t d = s->d, needed = vectors_needed(d, o);
  s->w = memory_array(s->mem, d, sizeof *s->w);
  s->eigenvalues = memory_array(s->mem, d, sizeof *s->eigenvalues);
  if (s->w == NULL || s->eigenvalues == NULL) return STATUS_NOMEM;
  enum status rc = eigenvectors(s, needed);
  if (rc == STATUS_SOLVER && needed < d) rc = eigenvectors(s, d);
  if (rc) return rc;
  double largest = s->w[d - 1] > 0 ? s->w[d - 1] : 0;
  double solver = (double)d * DBL_EPSILON * largest;
  double input = 4.0 * FLT_EPSILON * FLT_EPSILON * s->square / (double)d;
  double threshold = solver > input ? solver : input;
  for (size_t j = 0; j < d; j++) {
    double value = s->w[d - 1 - j];
    s->eigenvalues[j] = value > 0 ? value : 0;
    s->rank += value > threshold;
  }
  for (size_t j = 0; j < s->count; j++) fix_sign(d, s->vectors + j * d);
  if ((int64_t)s->rank > m->rows - 1) s->rank = (size_t)(m->rows - 1);
  return s->rank > 0 ? STATUS_OK : STATUS_NO_VARIANCE;
}

/* Chen et al. 2010, eq. (23), from the eigenvalues; it does not depend on their scale. */
static double oas_rho(const struct solution *s, double n, double sum) {
  double p = (double)s->d, squares = 0;
  for (size_t j = 0; j < s->d; j++) squares += s->eigenvalues[j] * s->eigenvalues[j];
  double numerator = (1 - 2 / p) * squares + sum * sum;
  double denominator = (n + 1 - 2 / p) * (squares - sum * sum / p);
  double rho = denominator > 0 ? numerator / denominator : 1;
  return rho < 1 ? rho : 1;
}

static void choose_ridge(struct solution *s, const struct moments *m, const struct solve_options *o) {
  double sum = 0;
  for (size_t j = 0; j < s->d; j++) sum += s->eigenvalues[j];
  double mean = sum / (double)s->d;
  if (o->oas) s->rho = oas_rho(s, m->weight, sum);
  s->ridge_added = o->oas ? s->rho * mean : o->ridge * mean;
}

/* Components there are to choose from, the removed ones included. */
static size_t available(const struct solution *s) {
  size_t constant = 0;
  if (!(s->ridge_added > 0)) return s->rank;
  for (size_t i = 0; s->sd != NULL && i < s->d; i++) constant += s->sd[i] == 0;
  return s->d - constant;
}

static enum status choose_components(struct solution *s, const struct solve_options *o, size_t *rank) {
  size_t usable = available(s), first = (size_t)o->remove;
  *rank = usable > first ? usable - first : 0;
  if (o->method == MODEL_CHOLESKY) {
    if (o->k_kind != SOLVE_K_ALL || o->remove != 0 || o->power != 1) return STATUS_K_CHOLESKY;
    s->k = s->d;
    return usable == s->d ? STATUS_OK : STATUS_RANK;
  }
  s->first = first;
  s->k = o->k_kind == SOLVE_K_COUNT ? (size_t)o->k : *rank;
  if (*rank == 0 || s->k > *rank) return STATUS_RANK;
  if (o->k_kind == SOLVE_K_SHARE) {
    double total = 0, kept = 0;
    for (size_t j = first; j < s->d; j++) total += s->eigenvalues[j];
    for (s->k = 0; s->k < *rank && !(kept >= o->share * total && s->k > 0); s->k++)
      kept += s->eigenvalues[first + s->k];
  }
  return STATUS_OK;
}

static enum status scales(struct solution *s, const struct solve_options *o) {
  s->scale = memory_array(s->mem, s->k, sizeof *s->scale);
  if (s->scale == NULL) return STATUS_NOMEM;
  for (size_t j = 0; j < s->k; j++) {
    double value = effective(s, s->first + j);
    s->scale[j] = o->power == 1 ? 1 / sqrt(value) : o->power == 0 ? 1 : pow(value, -o->power / 2);
    if (s->scale[j] < FLT_MIN * sqrt((double)s->d))
      return STATUS_OVERFLOW; /* float32 keeps none or few of its bits */
  }
  return STATUS_OK;
}

/* kernel_ij = u_ij scale_j, or g_ij scale_j / sd_i; the inverse follows by row and column scales. */
static enum status pca_kernel(struct solution *s) {
  size_t d = s->d, k = s->k;
  s->kernel = memory_array(s->mem, d * k, sizeof *s->kernel);
  s->row_scale = memory_array(s->mem, d, sizeof *s->row_scale);
  s->column_scale = memory_array(s->mem, k, sizeof *s->column_scale);
  if (s->kernel == NULL || s->row_scale == NULL || s->column_scale == NULL) return STATUS_NOMEM;
  for (size_t j = 0; j < k; j++) {
    const double *u = component(s, s->first + j);
    s->column_scale[j] = 1 / (s->scale[j] * s->scale[j]);
    for (size_t i = 0; i < d; i++) {
      double value = u[i] * s->scale[j];
      if (s->sd != NULL) value = s->sd[i] > 0 ? value / s->sd[i] : 0;
      s->kernel[i * k + j] = (float)value;
    }
  }
  for (size_t i = 0; i < d; i++) s->row_scale[i] = s->sd != NULL ? s->sd[i] * s->sd[i] : 1;
  return STATUS_OK;
}

/* product = U_k diag(scale) U_k^T, or with the inverse of the scales; U_k in `scaled` is overwritten. */
static void zca_product(struct solution *s, double *scaled, int inverted) {
  size_t d = s->d;
  const double *u = component(s, s->first + s->k - 1); /* the k components lie together, the last one first */
  for (size_t c = 0; c < s->k; c++) {
    double scale = s->scale[s->k - 1 - c];
    if (inverted) scale = 1 / scale;
    for (size_t i = 0; i < d; i++) scaled[c * d + i] = u[c * d + i] * scale;
  }
  linalg_multiply_transposed(d, s->k, scaled, u, s->product);
}

static enum status zca_kernel(struct solution *s) {
  size_t d = s->d;
  double *scaled = memory_array(s->mem, d * s->k, sizeof *scaled);
  s->product = memory_array(s->mem, d * d, sizeof *s->product);
  s->kernel = memory_array(s->mem, d * d, sizeof *s->kernel);
  s->inverse = memory_array(s->mem, d * d, sizeof *s->inverse);
  enum status rc = STATUS_NOMEM;
  if (scaled == NULL || s->product == NULL || s->kernel == NULL || s->inverse == NULL) goto end;
  zca_product(s, scaled, 0);
  for (size_t i = 0; i < d; i++) {
    double scale = s->sd == NULL ? 1 : s->sd[i] > 0 ? 1 / s->sd[i] : 0;
    for (size_t j = 0; j < d; j++) s->kernel[i * d + j] = (float)(s->product[j * d + i] * scale);
  }
  zca_product(s, scaled, 1);
  for (size_t j = 0; j < d; j++)
    for (size_t i = 0; i < d; i++)
      s->inverse[j * d + i] = (float)(s->product[i * d + j] * (s->sd == NULL ? 1 : s->sd[i]));
  rc = STATUS_OK;
end:
  s->mem->release(scaled);
  return rc;
}

/*
** kernel = L, where L L^T is the inverse covariance (Kessy et al., eq. 13). With the order of the dimensions reversed,
** P cov P = C C^T; then U = P C P is upper triangular, cov = U U^T, L = U^-T and L^-1 = U^T: no inverse of cov is made.
*/
static enum status cholesky_kernel(struct solution *s) {
  size_t d = s->d, last = d * d - 1;
  s->product = memory_array(s->mem, d * d, sizeof *s->product);
  s->kernel = memory_array(s->mem, d * d, sizeof *s->kernel);
  s->inverse = memory_array(s->mem, d * d, sizeof *s->inverse);
  if (s->product == NULL || s->kernel == NULL || s->inverse == NULL) return STATUS_NOMEM;
  double *c = s->product; /* column-major; the lower triangle of the reversed matrix is the upper one of cov */
  for (size_t i = 0; i < d; i++)
    for (size_t j = i; j < d; j++) {
      double value = (1 - s->rho) * s->cov[i * d + j] + (i == j ? s->ridge_added : 0);
      c[last - (i * d + j)] = c[last - (j * d + i)] = value;
    }
  enum status rc = linalg_cholesky(d, c);
  /* inverse_ij = U_ji = C[d-1-j][d-1-i], which column-major stores at (d-1-i) * d + d-1-j */
  for (size_t i = 0; rc == STATUS_OK && i < d; i++)
    for (size_t j = 0; j < d; j++) s->inverse[i * d + j] = (float)c[last - (i * d + j)];
  if (rc == STATUS_OK) rc = linalg_invert_lower(d, c);
  /* kernel_ij = (U^-1)_ji = (C^-1)[d-1-j][d-1-i] */
  for (size_t i = 0; rc == STATUS_OK && i < d; i++)
    for (size_t j = 0; j < d; j++) s->kernel[i * d + j] = (float)c[last - (i * d + j)];
  return rc;
}

static enum status write_model(const struct solution *s, const struct moments *m, const struct solve_options *o,
                               void **blob, uint64_t *size) {
  int scaled = o->method == MODEL_PCA || o->method == MODEL_PCA_COR;
  struct model model = {
      .header = {.d = (uint32_t)s->d,
                 .k = (uint32_t)s->k,
                 .m = (uint32_t)(scaled ? s->k : s->d),
                 .rank = (uint32_t)s->rank,
                 .n = m->rows,
                 .weight = m->weight,
                 .method = o->method,
                 .remove = (uint32_t)o->remove,
                 .ridge = o->oas ? 0 : o->ridge,
                 .rho = s->rho,
                 .ridge_added = s->ridge_added,
                 .power = o->power,
                 .flags = (o->normalize ? (uint32_t)MODEL_NORMALIZE : 0) | (o->oas ? (uint32_t)MODEL_OAS : 0) |
                          (m->precision == SCATTER_SINGLE ? (uint32_t)MODEL_SINGLE : 0) |
                          (uint32_t)(scaled ? MODEL_SCALES : MODEL_INVERSE)},
      .mean = m->mean,
      .eigenvalues = s->eigenvalues,
      .row_scale = s->row_scale,
      .column_scale = s->column_scale,
      .kernel = s->kernel,
      .inverse = s->inverse};
  struct model_header header;
  struct model_arrays arrays;
  *size = model_size(&model.header);
  *blob = s->mem->alloc(*size);
  if (*blob == NULL) return STATUS_NOMEM;
  model_write(&model, *blob);
  enum status rc = model_read(*blob, *size, &header, &arrays);
  if (rc == STATUS_OK && model_check_finite(&header, &arrays) != STATUS_OK) rc = STATUS_OVERFLOW;
  if (rc == STATUS_OK) return rc;
  s->mem->release(*blob);
  *blob = NULL;
  return rc;
}

static enum status solve(struct solution *s, const struct moments *m, const struct solve_options *o,
                         size_t *rank) {
  if (m->rows < 2) return STATUS_NO_VARIANCE;
  if (!(m->weight > 1) || isinf(m->weight)) return STATUS_WEIGHT;
  enum status rc = covariance(s, m);
  if (rc == STATUS_OK && is_correlation(o->method)) rc = correlation(s, m);
  if (rc == STATUS_OK) rc = eigenvalues(s, m, o);
  if (rc) return rc;
  choose_ridge(s, m, o);
  if (isinf(s->ridge_added)) return STATUS_OVERFLOW;
  rc = choose_components(s, o, rank);
  if (rc == STATUS_OK) rc = scales(s, o);
  if (rc) return rc;
  if (o->method == MODEL_CHOLESKY) return cholesky_kernel(s);
  return o->method == MODEL_PCA || o->method == MODEL_PCA_COR ? pca_kernel(s) : zca_kernel(s);
}

enum status solve_moments(const struct moments *moments, const struct solve_options *options, void **blob,
                          uint64_t *size, size_t *rank) {
  struct solution s = {.mem = moments->mem, .d = moments->dim};
  *rank = 0;
  enum status rc = solve(&s, moments, options, rank);
  if (rc == STATUS_OK) rc = write_model(&s, moments, options, blob, size);
  solution_clear(&s);
  return rc;
}

enum status solve_import(size_t d, size_t k, const void *kernel, const void *bias, const struct memory *mem,
                         void **blob, uint64_t *size) {
  struct model model = {.header = {.d = (uint32_t)d,
                                   .k = (uint32_t)k,
                                   .m = (uint32_t)k,
                                   .power = 1,
                                   .rank = (uint32_t)(k < d ? k : d),
                                   .flags = MODEL_IMPORTED}};
  double *mean = memory_array(mem, d, sizeof *mean), *wide = memory_array(mem, d * k, sizeof *wide);
  double *wide_inverse = memory_array(mem, d * k, sizeof *wide_inverse);
  float *narrow = memory_array(mem, d * k, sizeof *narrow), *inverse = memory_array(mem, d * k, sizeof *inverse);
  enum status rc = STATUS_NOMEM;
  if (mean == NULL || wide == NULL || wide_inverse == NULL || narrow == NULL || inverse == NULL) goto end;
  memcpy(narrow, kernel, d * k * sizeof *narrow);
  for (size_t i = 0; i < d; i++) {
    float value;
    memcpy(&value, (const char *)bias + 4 * i, sizeof value);
    mean[i] = -(double)value;
  }
  for (size_t i = 0; i < d * k; i++) wide[i] = narrow[i];
  rc = linalg_pseudo_inverse(d, k, wide, wide_inverse, mem);
  if (rc == STATUS_NOMEM) goto end;
  if (rc == STATUS_OK) {
    model.header.flags |= MODEL_INVERSE;
    for (size_t i = 0; i < d * k; i++) {
      inverse[i] = (float)wide_inverse[i];
      if (!isfinite(inverse[i])) model.header.flags &= ~(uint32_t)MODEL_INVERSE;
    }
  }
  model.mean = mean;
  model.kernel = narrow;
  model.inverse = inverse;
  *size = model_size(&model.header);
  *blob = mem->alloc(*size);
  rc = *blob ? STATUS_OK : STATUS_NOMEM;
  if (rc == STATUS_OK) model_write(&model, *blob);
end:
  mem->release(mean);
  mem->release(wide);
  mem->release(wide_inverse);
  mem->release(narrow);
  mem->release(inverse);
  return rc;
}
