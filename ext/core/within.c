/* See within.h. */
#include "core/within.h"

#include <float.h>
#include <math.h>

#include "core/linalg.h"

/* Of the vectors' own variance: below that, rounding in float64 would pass for directions. */
#define LEAST_DIFFERENCE 0x1p-40

const char *within_order_name(uint32_t order) {
  static const char *const NAMES[WITHIN_ORDERS] = {"ratio", "variance"};
  return order < WITHIN_ORDERS ? NAMES[order] : NULL;
}

enum status within_matrix(const struct moments *pairs, double *within) {
  size_t d = pairs->dim_a, width = pairs->dim;
  const double *cross = pairs->cross, *mean = pairs->mean;
  double difference = 0, size = 0;
  if (width != 2 * d) return STATUS_DIM;
  for (size_t i = 0; i < d; i++)
    for (size_t j = i; j < d; j++) {
      double own = cross[i * width + j] + cross[(d + i) * width + d + j];
      double mutual = cross[i * width + d + j] + cross[j * width + d + i];
      double drift = (mean[i] - mean[d + i]) * (mean[j] - mean[d + j]);
      within[i * d + j] = within[j * d + i] = ((own - mutual) / pairs->weight + drift) / 2;
      if (i != j) continue;
      difference += within[i * d + i];
      size += own / pairs->weight;
    }
  return difference > LEAST_DIFFERENCE * size ? STATUS_OK : STATUS_SAME_PAIRS;
}

static double trace_of(const double *matrix, size_t d) {
  double trace = 0;
  for (size_t i = 0; i < d; i++) trace += matrix[i * d + i];
  return trace;
}

enum status within_mix(const struct within_problem *p, double *mix) {
  size_t d = p->d;
  double total = trace_of(p->total, d), within = trace_of(p->within, d), finite = 0;
  if (!(total > 0)) return STATUS_NO_VARIANCE;
  if (!(within > 0)) return STATUS_SAME_PAIRS;
  double scale = p->share * (total / within), ridge = p->ridge * (total / (double)d);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) {
      double value = (1 - p->share) * p->total[i * d + j] + scale * p->within[i * d + j] + (i == j ? ridge : 0);
      mix[i * d + j] = value;
      finite += value * 0;
    }
  return finite == 0 ? STATUS_OK : STATUS_OVERFLOW;
}

/* What a kernel is made of, each d x d: column-major, and symmetric or transposed where it says so. */
struct work {
  size_t d;
  const struct memory *mem;
  double *matrix, *root, *transposed, *product, *w;
};

static void transpose(size_t d, const double *from, double *to) {
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) to[j * d + i] = from[i * d + j];
}

/* root = U diag(m^-1/2), the columns of the nulls zero, from M in `matrix`; its columns are in LAPACK's order. */
static enum status make_root(struct work *k, size_t nulls) {
  size_t d = k->d;
  enum status rc = linalg_eigen(d, d, k->matrix, k->root, k->w, k->mem);
  if (rc) return rc;
  if (!(k->w[nulls] > (double)d * DBL_EPSILON * k->w[d - 1])) return STATUS_FEW_PAIRS;
  for (size_t j = 0; j < d; j++) {
    double scale = j < nulls ? 0 : 1 / sqrt(k->w[j]);
    for (size_t i = 0; i < d; i++) k->root[j * d + i] *= scale;
  }
  return STATUS_OK;
}

/*
** M^(-1/2) S_T M^(-1/2) = U P U^T with P = root^T S_T root, so M^(-1/2) Q = root Q_P: the symmetric root is not made. A
** product by linalg is a b^T, and row-major is the transposed of column-major.
*/
static enum status turn_by_ratio(struct work *k, const double *total, double *kernel, double *values) {
  size_t d = k->d;
  double finite = 0;
  transpose(d, k->root, k->transposed);
  linalg_multiply_transposed(d, d, k->transposed, total, k->product);
  linalg_multiply_transposed(d, d, k->transposed, k->product, k->matrix);
  for (size_t i = 0; i < d * d; i++) finite += k->matrix[i] * 0;
  if (finite != 0) return STATUS_OVERFLOW;
  enum status rc = linalg_eigen(d, d, k->matrix, k->product, k->w, k->mem);
  if (rc) return rc;
  for (size_t j = 0; j < d; j++) {
    values[j] = fmax(k->w[d - 1 - j], 0);
    for (size_t l = 0; l < d; l++) k->transposed[l * d + j] = k->product[(d - 1 - j) * d + l];
  }
  linalg_multiply_transposed(d, d, k->transposed, k->root, kernel);
  return STATUS_OK;
}

static void order_by_variance(const struct work *k, size_t nulls, double *kernel, double *values) {
  size_t d = k->d;
  for (size_t j = 0; j < d; j++) {
    size_t column = d - 1 - j;
    values[j] = column < nulls ? 0 : k->w[column];
    for (size_t i = 0; i < d; i++) kernel[i * d + j] = k->root[column * d + i];
  }
}

enum status within_kernel(const struct within_problem *p, double *kernel, double *values,
                          const struct memory *mem) {
  size_t d = p->d;
  struct work k = {.d = d, .mem = mem};
  double **arrays[] = {&k.matrix, &k.root, &k.transposed, &k.product, &k.w};
  enum { ARRAYS = sizeof arrays / sizeof *arrays };
  enum status rc = STATUS_OK;
  for (size_t i = 0; i < ARRAYS; i++) {
    *arrays[i] = memory_array(mem, i == ARRAYS - 1 ? d : d * d, sizeof **arrays[i]);
    if (*arrays[i] == NULL) rc = STATUS_NOMEM;
  }
  if (rc == STATUS_OK) rc = within_mix(p, k.matrix);
  if (rc == STATUS_OK) rc = make_root(&k, p->nulls);
  if (rc == STATUS_OK && p->order == WITHIN_BY_VARIANCE)
    order_by_variance(&k, p->nulls, kernel, values);
  else if (rc == STATUS_OK)
    rc = turn_by_ratio(&k, p->total, kernel, values);
  for (size_t i = 0; i < ARRAYS; i++) mem->release(*arrays[i]);
  return rc;
}

void within_clear(struct within *w) {
  if (w->mem == NULL) return;
  w->mem->release(w->kernel);
  w->mem->release(w->inverse);
  w->mem->release(w->values);
  *w = (struct within){0};
}

/*
** The matrices of `pairs` and of the rows in the basis of the eigenvectors V, where S_T is diagonal: there the
** directions without variance are the first ones, by LAPACK's order, and can be left out to the bit. `turned`
** receives V^T, then V^T S_w.
*/
static void turn(const struct spectrum *s, size_t nulls, double *total, double *within, double *turned) {
  size_t d = s->d;
  transpose(d, s->vectors, total);
  linalg_multiply_transposed(d, d, total, within, turned);
  linalg_multiply_transposed(d, d, turned, total, within);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++) {
      total[i * d + j] = i == j ? s->eigenvalues[d - 1 - i] : 0;
      if (i < nulls || j < nulls) within[i * d + j] = 0;
    }
}

static void orient(struct within *w) {
  size_t d = w->d;
  for (size_t j = 0; j < d; j++) {
    double largest = 0;
    for (size_t i = 0; i < d; i++)
      if (fabs(w->kernel[i * d + j]) > fabs(largest)) largest = w->kernel[i * d + j];
    for (size_t i = 0; largest < 0 && i < d; i++) {
      w->kernel[i * d + j] = -w->kernel[i * d + j];
      w->inverse[j * d + i] = -w->inverse[j * d + i];
    }
  }
}

/* Back from the basis of V: V K, and (V M K)^T, since K^T M K = 1. */
static void turn_back(struct within *w, const double *vectors, const double *mix, double *kernel) {
  size_t d = w->d;
  linalg_multiply_transposed(d, d, kernel, vectors, w->kernel);
  linalg_multiply_transposed(d, d, kernel, mix, w->inverse);
  for (size_t i = 0; i < d * d; i++) kernel[i] = w->inverse[i];
  linalg_multiply_transposed(d, d, vectors, kernel, w->inverse);
  orient(w);
}

enum status within_init(struct within *w, const struct spectrum *s, const struct within_choice *choice) {
  size_t d = s->d;
  *w = (struct within){.mem = s->mem, .d = d};
  double *total = memory_array(w->mem, d * d, sizeof *total),
         *within = memory_array(w->mem, d * d, sizeof *within);
  w->kernel = memory_array(w->mem, d * d, sizeof *w->kernel);
  w->inverse = memory_array(w->mem, d * d, sizeof *w->inverse);
  w->values = memory_array(w->mem, d, sizeof *w->values);
  struct within_problem problem = {.d = d,
                                   .nulls = choice->ridge > 0 ? 0 : d - s->rank,
                                   .total = total,
                                   .within = within,
                                   .share = choice->share,
                                   .ridge = choice->ridge,
                                   .order = choice->order};
  enum status rc = STATUS_NOMEM;
  if (total == NULL || within == NULL || w->kernel == NULL || w->inverse == NULL || w->values == NULL) goto end;
  rc = choice->pairs->dim_a == d ? within_matrix(choice->pairs, within) : STATUS_DIM;
  if (rc) goto end;
  turn(s, problem.nulls, total, within, w->kernel);
  rc = within_kernel(&problem, w->inverse, w->values, w->mem);
  if (rc == STATUS_OK) rc = within_mix(&problem, within);
  for (size_t i = 0; rc == STATUS_OK && i < d * d; i++) total[i] = w->inverse[i];
  if (rc == STATUS_OK) turn_back(w, s->vectors, within, total);
end:
  w->mem->release(total);
  w->mem->release(within);
  return rc;
}

enum status within_take(const struct within *w, size_t k, struct kernel *kernel) {
  size_t d = w->d;
  *kernel = (struct kernel){.mem = w->mem};
  kernel->matrix = memory_array(w->mem, d * k, sizeof *kernel->matrix);
  kernel->inverse = memory_array(w->mem, k * d, sizeof *kernel->inverse);
  if (kernel->matrix == NULL || kernel->inverse == NULL) return STATUS_NOMEM;
  for (size_t j = 0; j < k; j++) {
    double square = 0;
    for (size_t i = 0; i < d; i++) {
      square += w->kernel[i * d + j] * w->kernel[i * d + j];
      kernel->matrix[i * k + j] = (float)w->kernel[i * d + j];
      kernel->inverse[j * d + i] = (float)w->inverse[j * d + i];
    }
    if (sqrt(square) < FLT_MIN * sqrt((double)d)) return STATUS_OVERFLOW;
  }
  return STATUS_OK;
}
