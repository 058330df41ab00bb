/* See solve.h. */
#include "core/solve.h"

#include <math.h>
#include <string.h>

#include "core/kernel.h"
#include "core/linalg.h"

const struct solve_options SOLVE_DEFAULTS = {.method = MODEL_PCA, .k_kind = SOLVE_K_ALL, .power = 1};

/* Chen et al. 2010, eq. (23), from the eigenvalues; it does not depend on their scale. */
static double oas_rho(const struct spectrum *s, double n, double sum) {
  double p = (double)s->d, squares = 0;
  for (size_t j = 0; j < s->d; j++) squares += s->eigenvalues[j] * s->eigenvalues[j];
  double numerator = (1 - 2 / p) * squares + sum * sum;
  double denominator = (n + 1 - 2 / p) * (squares - sum * sum / p);
  double rho = denominator > 0 ? numerator / denominator : 1;
  return rho < 1 ? rho : 1;
}

static void choose_ridge(const struct spectrum *s, double n, const struct solve_options *o,
                         struct kernel_choice *choice) {
  double sum = 0;
  for (size_t j = 0; j < s->d; j++) sum += s->eigenvalues[j];
  double mean = sum / (double)s->d;
  if (o->oas) choice->rho = oas_rho(s, n, sum);
  choice->ridge_added = o->oas ? choice->rho * mean : o->ridge * mean;
}

/* The fewest components from `first` on that hold the share of the variance in all of those. */
static size_t components_of_share(const struct spectrum *s, size_t first, size_t most, double share) {
  double total = 0, kept = 0;
  size_t k = 0;
  for (size_t j = first; j < s->d; j++) total += s->eigenvalues[j];
  for (; k < most && !(kept >= share * total && k > 0); k++) kept += s->eigenvalues[first + k];
  return k;
}

static enum status choose_components(const struct spectrum *s, const struct solve_options *o,
                                     struct kernel_choice *choice, struct solve_limit *limit) {
  /* a ridge gives every direction variance, but a constant column has no correlation */
  int is_ridged = choice->ridge_added > 0;
  size_t usable = !is_ridged ? s->rank : s->is_correlation ? spectrum_varying(s) : s->d;
  size_t first = (size_t)o->remove, most = usable > first ? usable - first : 0;
  *limit = (struct solve_limit){most, is_ridged ? SPECTRUM_ROWS : s->limit};
  choice->first = first;
  choice->k = o->k_kind == SOLVE_K_COUNT ? (size_t)o->k : most;
  if (o->method == MODEL_CHOLESKY) {
    if (o->k_kind != SOLVE_K_ALL || o->remove != 0 || o->power != 1) return STATUS_K_CHOLESKY;
    return usable == s->d ? STATUS_OK : STATUS_RANK;
  }
  if (most == 0 || choice->k > most) return STATUS_RANK;
  if (o->k_kind == SOLVE_K_SHARE) choice->k = components_of_share(s, first, most, o->share);
  return STATUS_OK;
}

static enum status write_model(const struct model *model, const struct memory *mem, void **blob, uint64_t *size) {
  *size = model_size(&model->header);
  *blob = mem->alloc(*size);
  if (*blob == NULL) return STATUS_NOMEM;
  model_write(model, *blob);
  return STATUS_OK;
}

/* Everything between the moments and the model. */
struct solution {
  const struct moments *moments;
  const struct solve_options *options;
  struct spectrum spectrum;
  struct kernel_choice choice;
  struct kernel kernel;
  struct within within;
};

/* As many as the model's header can say. */
static uint32_t pairs_of(const struct solve_options *o) {
  if (!(o->within.share > 0)) return 0;
  return o->within.pairs->rows < UINT32_MAX ? (uint32_t)o->within.pairs->rows : UINT32_MAX;
}

/* STATUS_OVERFLOW: a number is out of range. */
static enum status write_solution(const struct solution *s, void **blob, uint64_t *size) {
  const struct moments *m = s->moments;
  const struct solve_options *o = s->options;
  int is_scaled = s->kernel.inverse == NULL, keeps_k = is_scaled || o->within.share > 0;
  struct model model = {
      .header = {.d = (uint32_t)m->dim,
                 .k = (uint32_t)s->choice.k,
                 .m = (uint32_t)(keeps_k ? s->choice.k : m->dim),
                 .rank = (uint32_t)s->spectrum.rank,
                 .n = m->rows,
                 .weight = m->weight,
                 .method = o->method,
                 .remove = (uint32_t)o->remove,
                 .ridge = o->oas ? 0 : o->ridge,
                 .rho = s->choice.rho,
                 .ridge_added = s->choice.ridge_added,
                 .power = o->power,
                 .within = o->within.share,
                 .order = o->within.order,
                 .pairs = pairs_of(o),
                 .flags = (o->normalize ? (uint32_t)MODEL_NORMALIZE : 0) | (o->oas ? (uint32_t)MODEL_OAS : 0) |
                          (m->precision == SCATTER_SINGLE ? (uint32_t)MODEL_SINGLE : 0) |
                          (o->within.share > 0 ? (uint32_t)MODEL_WITHIN : 0) |
                          (uint32_t)(is_scaled ? MODEL_SCALES : MODEL_INVERSE)},
      .mean = m->mean,
      .eigenvalues = s->spectrum.eigenvalues,
      .row_scale = s->kernel.row_scale,
      .column_scale = s->kernel.column_scale,
      .kernel = s->kernel.matrix,
      .inverse = s->kernel.inverse};
  enum status rc = model_check_parts(&model);
  if (rc == STATUS_NOT_FINITE) rc = STATUS_OVERFLOW;
  return rc ? rc : write_model(&model, m->mem, blob, size);
}

/* How many eigenvectors there must be. */
static size_t vectors_needed(size_t d, const struct solve_options *o) {
  if (o->within.share > 0) return d;
  return o->k_kind == SOLVE_K_COUNT && o->method != MODEL_CHOLESKY ? (size_t)(o->remove + o->k) : d;
}

/* The components become those of the pairs, and their values stand for the eigenvalues. */
static enum status turn_within(struct solution *s) {
  struct within_choice choice = s->options->within;
  choice.ridge = s->options->ridge;
  enum status rc = within_init(&s->within, &s->spectrum, &choice);
  for (size_t j = 0; rc == STATUS_OK && j < s->spectrum.d; j++) s->spectrum.eigenvalues[j] = s->within.values[j];
  return rc;
}

static enum status solve(struct solution *s, struct solve_limit *limit) {
  const struct moments *m = s->moments;
  const struct solve_options *o = s->options;
  int is_correlation = o->method == MODEL_PCA_COR || o->method == MODEL_ZCA_COR;
  if (m->rows < 2) return STATUS_NO_VARIANCE;
  if (!(m->weight > 1) || isinf(m->weight)) return STATUS_WEIGHT;
  enum status rc = spectrum_init(&s->spectrum, m, is_correlation, vectors_needed(m->dim, o));
  if (rc) return rc;
  s->choice = (struct kernel_choice){.method = o->method, .power = o->power};
  choose_ridge(&s->spectrum, m->weight, o, &s->choice);
  if (isinf(s->choice.ridge_added)) return STATUS_OVERFLOW;
  if (o->within.share > 0) rc = turn_within(s);
  if (rc == STATUS_OK) rc = choose_components(&s->spectrum, o, &s->choice, limit);
  if (rc) return rc;
  return o->within.share > 0 ? within_take(&s->within, s->choice.k, &s->kernel)
                             : kernel_init(&s->kernel, &s->spectrum, &s->choice);
}

enum status solve_moments(const struct moments *moments, const struct solve_options *options, void **blob,
                          uint64_t *size, struct solve_limit *limit) {
  struct solution s = {.moments = moments, .options = options};
  *limit = (struct solve_limit){0};
  enum status rc = solve(&s, limit);
  if (rc == STATUS_OK) rc = write_solution(&s, blob, size);
  spectrum_clear(&s.spectrum);
  kernel_clear(&s.kernel);
  within_clear(&s.within);
  return rc;
}

/* to[j * rows + i] = from[i * columns + j], or as it is. */
static void copy_turned(int turned, size_t rows, size_t columns, const double *from, double *to) {
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j++) to[turned ? j * rows + i : i * columns + j] = from[i * columns + j];
}

/* The pseudo-inverse of a d x m kernel as float32, if there is one in range; of one with more columns than rows, that of
** its transpose, transposed. STATUS_SOLVER: there is none. */
static enum status invert(size_t d, size_t m, const float *kernel, float *inverse, const struct memory *mem) {
  size_t count = d * m, longer = d > m ? d : m, shorter = d > m ? m : d;
  double *wide = memory_array(mem, count, sizeof *wide), *other = memory_array(mem, count, sizeof *other);
  enum status rc = wide != NULL && other != NULL ? STATUS_OK : STATUS_NOMEM;
  if (rc != STATUS_OK) goto end;
  for (size_t i = 0; i < count; i++) other[i] = kernel[i];
  copy_turned(m > d, d, m, other, wide);
  rc = linalg_pseudo_inverse(longer, shorter, wide, other, mem);
  if (rc != STATUS_OK) goto end;
  copy_turned(m > d, shorter, longer, other, wide);
  for (size_t i = 0; i < count; i++) {
    inverse[i] = (float)wide[i];
    if (!isfinite(inverse[i])) rc = STATUS_SOLVER;
  }
end:
  mem->release(wide);
  mem->release(other);
  return rc;
}

/* out[i] = sign * the i-th float32 at `bytes`, which need not be aligned. */
static void widen(const void *bytes, size_t count, double sign, double *out) {
  for (size_t i = 0; i < count; i++) {
    float value;
    memcpy(&value, (const char *)bytes + 4 * i, sizeof value);
    out[i] = sign * (double)value;
  }
}

static int has_offset(const struct solve_arrays *arrays) {
  if (arrays->offset == NULL || arrays->m > arrays->d) return arrays->offset != NULL;
  for (size_t i = 0; i < arrays->m; i++) {
    double value;
    widen((const char *)arrays->offset + 4 * i, 1, 1, &value);
    if (value != 0) return 1;
  }
  return 0;
}

enum status solve_import(const struct solve_arrays *arrays, const struct memory *mem, void **blob,
                         uint64_t *size) {
  size_t d = arrays->d, m = arrays->m, k = m < d ? m : d;
  struct model model = {.header = {.d = (uint32_t)d,
                                   .k = (uint32_t)k,
                                   .m = (uint32_t)m,
                                   .power = 1,
                                   .rank = (uint32_t)k,
                                   .flags = MODEL_IMPORTED | (has_offset(arrays) ? MODEL_OFFSET : 0)}};
  double *mean = memory_array(mem, d, sizeof *mean), *offset = memory_array(mem, m, sizeof *offset);
  float *kernel = memory_array(mem, d * m, sizeof *kernel), *inverse = memory_array(mem, d * m, sizeof *inverse);
  enum status rc = STATUS_NOMEM;
  if (mean == NULL || offset == NULL || kernel == NULL || inverse == NULL) goto end;
  memcpy(kernel, arrays->kernel, d * m * sizeof *kernel);
  widen(arrays->bias, d, -1, mean);
  if (arrays->offset != NULL) widen(arrays->offset, m, 1, offset);
  rc = invert(d, m, kernel, inverse, mem);
  if (rc == STATUS_NOMEM) goto end;
  if (rc == STATUS_OK) model.header.flags |= MODEL_INVERSE;
  model.mean = mean;
  model.offset = offset;
  model.kernel = kernel;
  model.inverse = inverse;
  rc = write_model(&model, mem, blob, size);
end:
  mem->release(mean);
  mem->release(offset);
  mem->release(kernel);
  mem->release(inverse);
  return rc;
}
