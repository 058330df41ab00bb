/*
** See align.h. All matrices of float64 are column-major, and of each side in the coordinates of its own principal
** directions until the end: Wa = Qa diag(1 / scale_a) Qa^T, and Qa^T U is what the decomposition gives.
*/
#include "core/align.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/linalg.h"
#include "core/spectrum.h"

const struct align_options ALIGN_DEFAULTS = {.ridge = 0.3, .exponent = 0.5};

/* One of the two. Owned: spectrum, scale, directions. */
struct half {
  enum model_side side;
  size_t dim;
  const double *mean; /* in the moments of the pairs */
  struct spectrum spectrum;
  double ridge_added;
  double *scale;      /* dim: square roots of the ridged eigenvalues, ascending as the eigenvectors lie */
  double *directions; /* dim x r: singular vectors, in the coordinates of the eigenvectors */
};

struct alignment {
  const struct moments *pairs;
  const struct memory *mem;
  const struct align_options *options;
  struct half a, b;
  double *product, *singular; /* dim_a x dim_b; r = min(dim_a, dim_b) */
  size_t shared, k;           /* components there are, and those kept */
};

static void clear_half(const struct memory *mem, struct half *half) {
  spectrum_clear(&half->spectrum);
  mem->release(half->scale);
  mem->release(half->directions);
}

/* ---- a side alone ---- */

/* The directions of one side, whose elements begin at `first` among those of the pairs. */
static enum status find_spectrum(const struct moments *pairs, size_t first, struct half *half) {
  size_t dim = half->dim, stride = pairs->dim;
  struct moments alone = *pairs;
  alone.dim = dim;
  alone.mean = pairs->mean + first;
  alone.cross = memory_array(pairs->mem, dim * dim, sizeof *alone.cross);
  if (alone.cross == NULL) return STATUS_NOMEM;
  for (size_t i = 0; i < dim; i++)
    memcpy(alone.cross + i * dim, pairs->cross + (first + i) * stride + first, dim * sizeof *alone.cross);
  enum status rc = spectrum_init(&half->spectrum, &alone, 0, dim);
  pairs->mem->release(alone.cross);
  return rc;
}

static enum status prepare_half(const struct alignment *s, size_t first, struct half *half,
                                struct align_limit *limit) {
  half->mean = s->pairs->mean + first;
  half->scale = memory_array(s->mem, half->dim, sizeof *half->scale);
  enum status rc = half->scale != NULL ? find_spectrum(s->pairs, first, half) : STATUS_NOMEM;
  if (rc == STATUS_NO_VARIANCE) limit->side = half->side;
  if (rc) return rc;
  double sum = 0;
  for (size_t j = 0; j < half->dim; j++) sum += half->spectrum.eigenvalues[j];
  half->ridge_added = s->options->ridge * (sum / (double)half->dim);
  if (isinf(half->ridge_added)) return STATUS_OVERFLOW;
  if (half->ridge_added == 0 && half->spectrum.rank < half->dim) {
    *limit = (struct align_limit){.side = half->side, .rank = half->spectrum.rank};
    return STATUS_RANK;
  }
  for (size_t j = 0; j < half->dim; j++)
    half->scale[j] = sqrt(half->spectrum.eigenvalues[half->dim - 1 - j] + half->ridge_added);
  return STATUS_OK;
}

/* ---- both together ---- */

static struct linalg_matrix eigenvectors(const struct half *half) {
  return (struct linalg_matrix){half->spectrum.vectors, half->dim, half->dim, half->dim, 0};
}

/* product = diag(1 / scale_a) Qa^T Sab Qb diag(1 / scale_b). STATUS_OVERFLOW: it is not finite. */
static enum status correlate(struct alignment *s) {
  size_t rows = s->a.dim, columns = s->b.dim;
  double divisor = s->pairs->weight - 1, finite = 0;
  double *half_way = memory_array(s->mem, rows * columns, sizeof *half_way);
  if (half_way == NULL) return STATUS_NOMEM;
  struct linalg_matrix turned = eigenvectors(&s->a),
                       cross = {s->pairs->cross + rows, rows, columns, s->pairs->dim, 1};
  turned.is_transposed = 1;
  linalg_multiply(&turned, &cross, half_way);
  struct linalg_matrix left = {half_way, rows, columns, rows, 0}, right = eigenvectors(&s->b);
  linalg_multiply(&left, &right, s->product);
  s->mem->release(half_way);
  for (size_t j = 0; j < columns; j++)
    for (size_t i = 0; i < rows; i++) {
      double *element = s->product + j * rows + i;
      *element = *element / divisor / s->a.scale[i] / s->b.scale[j];
      finite += *element * 0;
    }
  return finite == 0 ? STATUS_OK : STATUS_OVERFLOW;
}

/*
** Components that are more than rounding leaves of the sums: those are off by some DBL_EPSILON of the product of the
** standard deviations, which whitening divides by the smallest scales.
*/
static size_t count_shared(const struct alignment *s, size_t least) {
  double square = 0, other = 0;
  for (size_t j = 0; j < s->a.dim; j++) square += s->a.spectrum.eigenvalues[j];
  for (size_t j = 0; j < s->b.dim; j++) other += s->b.spectrum.eigenvalues[j];
  double threshold = 16 * DBL_EPSILON * (sqrt(square) / s->a.scale[0]) * (sqrt(other) / s->b.scale[0]);
  size_t most = (uint64_t)(s->pairs->rows - 1) < least ? (size_t)(s->pairs->rows - 1) : least, count = 0;
  while (count < most && s->singular[count] > threshold) count++;
  return count;
}

/* Decomposes the product; the columns of both sides' directions, in descending order of the singular values. */
static enum status decompose(struct alignment *s, struct align_limit *limit) {
  size_t rows = s->a.dim, columns = s->b.dim, least = rows < columns ? rows : columns;
  double *transposed = memory_array(s->mem, least * columns, sizeof *transposed);
  s->product = memory_array(s->mem, rows * columns, sizeof *s->product);
  s->singular = memory_array(s->mem, least, sizeof *s->singular);
  s->a.directions = memory_array(s->mem, rows * least, sizeof *s->product);
  s->b.directions = memory_array(s->mem, columns * least, sizeof *s->product);
  int is_out = !transposed || !s->product || !s->singular || !s->a.directions || !s->b.directions;
  enum status rc = is_out ? STATUS_NOMEM : correlate(s);
  struct linalg_svd svd = {rows, columns, s->product, s->singular, s->a.directions, transposed};
  if (rc == STATUS_OK) rc = linalg_svd(&svd, s->mem);
  if (rc == STATUS_OK) {
    for (size_t c = 0; c < least; c++)
      for (size_t i = 0; i < columns; i++) s->b.directions[c * columns + i] = transposed[i * least + c];
    s->shared = limit->components = count_shared(s, least);
    s->k = s->options->k > 0 ? (size_t)s->options->k : s->shared;
    if (s->shared == 0 || s->k > s->shared) rc = STATUS_RANK;
  }
  s->mem->release(transposed);
  return rc;
}

/* ---- to the model ---- */

/* out (dim x k) = Q diag(scale^by_scale) directions diag(S^exponent), by_scale being 1 or -1. */
static enum status spread(const struct alignment *s, const struct half *half, int by_scale, double exponent,
                          double *out) {
  size_t dim = half->dim;
  double *scaled = memory_array(s->mem, dim * s->k, sizeof *scaled);
  if (scaled == NULL) return STATUS_NOMEM;
  for (size_t c = 0; c < s->k; c++) {
    double factor = exponent == 0 ? 1 : pow(s->singular[c], exponent);
    for (size_t i = 0; i < dim; i++) {
      double value = half->directions[c * dim + i] * factor;
      scaled[c * dim + i] = by_scale > 0 ? value * half->scale[i] : value / half->scale[i];
    }
  }
  struct linalg_matrix q = eigenvectors(half), right = {scaled, dim, s->k, dim, 0};
  linalg_multiply(&q, &right, out);
  s->mem->release(scaled);
  return STATUS_OK;
}

static void turn(size_t dim, double *column) {
  for (size_t i = 0; i < dim; i++) column[i] = -column[i];
}

/* Of each component the direction of a, as its kernel has it, gets its largest element positive. */
static enum status fix_signs(struct alignment *s) {
  size_t dim = s->a.dim;
  double *columns = memory_array(s->mem, dim * s->k, sizeof *columns);
  enum status rc = columns != NULL ? spread(s, &s->a, -1, 0, columns) : STATUS_NOMEM;
  for (size_t c = 0; rc == STATUS_OK && c < s->k; c++) {
    const double *column = columns + c * dim;
    size_t largest = 0;
    for (size_t i = 1; i < dim; i++)
      if (fabs(column[i]) > fabs(column[largest])) largest = i;
    if (column[largest] >= 0) continue;
    turn(dim, s->a.directions + c * dim);
    turn(s->b.dim, s->b.directions + c * s->b.dim);
  }
  s->mem->release(columns);
  return rc;
}

/* ---- what a model is made of ---- */

/* Kernel and inverse as float32; `wide` is what they are rounded from. Zeroed = empty; owned: every pointer. */
struct parts {
  size_t d, m;
  float *kernel, *inverse;
  double *wide;
};

static void clear_parts(const struct memory *mem, struct parts *parts) {
  mem->release(parts->kernel);
  mem->release(parts->inverse);
  mem->release(parts->wide);
}

static enum status begin_parts(const struct alignment *s, size_t d, size_t m, struct parts *parts) {
  *parts = (struct parts){.d = d, .m = m};
  parts->kernel = memory_array(s->mem, d * m, sizeof *parts->kernel);
  parts->inverse = memory_array(s->mem, d * m, sizeof *parts->inverse);
  parts->wide = memory_array(s->mem, d * m, sizeof *parts->wide);
  return parts->kernel && parts->inverse && parts->wide ? STATUS_OK : STATUS_NOMEM;
}

/* Into the shared space: kernel Wa U S^e, inverse S^-e U^T Wa^-1. */
static enum status share(const struct alignment *s, const struct half *from, struct parts *parts) {
  size_t d = from->dim, k = s->k;
  double e = s->options->exponent;
  enum status rc = begin_parts(s, d, k, parts);
  if (rc == STATUS_OK) rc = spread(s, from, -1, e, parts->wide);
  for (size_t i = 0; rc == STATUS_OK && i < d; i++)
    for (size_t j = 0; j < k; j++) parts->kernel[i * k + j] = (float)parts->wide[j * d + i];
  if (rc == STATUS_OK) rc = spread(s, from, 1, -e, parts->wide);
  for (size_t i = 0; rc == STATUS_OK && i < d * k; i++) parts->inverse[i] = (float)parts->wide[i];
  return rc;
}

/* out (row-major rows x columns) = left (rows x k) right^T (columns x k), one spread from each half. */
static enum status join(const struct alignment *s, const struct half *rows, const struct half *columns, int sign,
                        struct parts *parts, float *out) {
  double *left = memory_array(s->mem, rows->dim * s->k, sizeof *left);
  double *right = memory_array(s->mem, columns->dim * s->k, sizeof *right);
  enum status rc = left != NULL && right != NULL ? STATUS_OK : STATUS_NOMEM;
  if (rc == STATUS_OK) rc = spread(s, rows, -1, sign > 0 ? s->options->exponent : -s->options->exponent, left);
  if (rc == STATUS_OK) rc = spread(s, columns, 1, 0, right);
  if (rc == STATUS_OK) {
    struct linalg_matrix a = {right, columns->dim, s->k, columns->dim, 0},
                         b = {left, s->k, rows->dim, rows->dim, 1};
    linalg_multiply(&a, &b, parts->wide);
    for (size_t i = 0; i < rows->dim * columns->dim; i++) out[i] = (float)parts->wide[i];
  }
  s->mem->release(left);
  s->mem->release(right);
  return rc;
}

/* Into the other's space: kernel Wa U S^e V^T Wb^-1, inverse Wb V S^-e U^T Wa^-1. */
static enum status lead_across(const struct alignment *s, const struct half *from, const struct half *to,
                               struct parts *parts) {
  enum status rc = begin_parts(s, from->dim, to->dim, parts);
  if (rc == STATUS_OK) rc = join(s, from, to, 1, parts, parts->kernel);
  return rc ? rc : join(s, to, from, -1, parts, parts->inverse);
}

/* Whether the kernel is so small that float32 keeps none or few of its bits. */
static int is_too_small(const struct parts *parts) {
  double square = 0;
  for (size_t i = 0; i < parts->d * parts->m; i++) square += (double)parts->kernel[i] * parts->kernel[i];
  return sqrt(square) < FLT_MIN * (double)parts->d;
}

static enum status write_parts(const struct alignment *s, enum model_side side, const struct parts *parts,
                               void **blob, uint64_t *size) {
  int is_of_b = side == MODEL_SIDE_B || side == MODEL_SIDE_B_TO_A;
  int leads_across = side == MODEL_SIDE_A_TO_B || side == MODEL_SIDE_B_TO_A;
  const struct half *from = is_of_b ? &s->b : &s->a, *to = is_of_b ? &s->a : &s->b;
  uint32_t flags = MODEL_INVERSE | (s->options->normalize ? (uint32_t)MODEL_NORMALIZE : 0) |
                   (leads_across ? (uint32_t)MODEL_OFFSET : 0);
  struct model model = {.header = {.d = (uint32_t)parts->d,
                                   .k = (uint32_t)s->k,
                                   .m = (uint32_t)parts->m,
                                   .rank = (uint32_t)s->shared,
                                   .n = s->pairs->rows,
                                   .weight = s->pairs->weight,
                                   .flags = flags,
                                   .side = side,
                                   .ridge = s->options->ridge,
                                   .ridge_added = from->ridge_added,
                                   .power = s->options->exponent},
                        .mean = from->mean,
                        .offset = leads_across ? to->mean : NULL,
                        .kernel = parts->kernel,
                        .inverse = parts->inverse};
  enum status rc = is_too_small(parts) ? STATUS_OVERFLOW : model_check_parts(&model);
  if (rc) return rc == STATUS_NOT_FINITE ? STATUS_OVERFLOW : rc;
  *size = model_size(&model.header);
  *blob = s->mem->alloc(*size);
  if (*blob == NULL) return STATUS_NOMEM;
  model_write(&model, *blob);
  return STATUS_OK;
}

static enum status make_parts(const struct alignment *s, enum model_side side, struct parts *parts) {
  switch (side) {
    case MODEL_SIDE_A: return share(s, &s->a, parts);
    case MODEL_SIDE_B: return share(s, &s->b, parts);
    case MODEL_SIDE_A_TO_B: return lead_across(s, &s->a, &s->b, parts);
    default: return lead_across(s, &s->b, &s->a, parts);
  }
}

enum status align_solve(const struct moments *pairs, enum model_side side, const struct align_options *options,
                        void **blob, uint64_t *size, struct align_limit *limit) {
  struct alignment s = {.pairs = pairs,
                        .mem = pairs->mem,
                        .options = options,
                        .a = {.side = MODEL_SIDE_A, .dim = pairs->dim_a},
                        .b = {.side = MODEL_SIDE_B, .dim = pairs->dim - pairs->dim_a}};
  struct parts parts = {0};
  *limit = (struct align_limit){0};
  if (pairs->rows < 2) return STATUS_NO_VARIANCE;
  if (!(pairs->weight > 1) || isinf(pairs->weight)) return STATUS_WEIGHT;
  enum status rc = prepare_half(&s, 0, &s.a, limit);
  if (rc == STATUS_OK) rc = prepare_half(&s, pairs->dim_a, &s.b, limit);
  if (rc == STATUS_OK) rc = decompose(&s, limit);
  if (rc == STATUS_OK) rc = fix_signs(&s);
  if (rc == STATUS_OK) rc = make_parts(&s, side, &parts);
  if (rc == STATUS_OK) rc = write_parts(&s, side, &parts, blob, size);
  clear_half(s.mem, &s.a);
  clear_half(s.mem, &s.b);
  s.mem->release(s.product);
  s.mem->release(s.singular);
  clear_parts(s.mem, &parts);
  return rc;
}
