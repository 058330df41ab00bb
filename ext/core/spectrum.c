/* See spectrum.h. Components are numbered from the largest eigenvalue down; LAPACK's order is the reverse. */
#include "core/spectrum.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/linalg.h"

/* Below this the products of SCATTER_SINGLE come near the least normal float32, and lose their last bits. */
#define SINGLE_VARIANCE 1e-30

/* Eigenvalues within this times what dsyevd may be off have lost digits that the scaled matrix may have. */
#define DOUBT 1024

void spectrum_clear(struct spectrum *s) {
  if (s->mem == NULL) return;
  void *owned[] = {s->cov, s->sd, s->noise, s->eigenvalues, s->vectors, s->w};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) s->mem->release(owned[i]);
  *s = (struct spectrum){0};
}

const double *spectrum_vector(const struct spectrum *s, size_t j) {
  return s->vectors + (s->count - 1 - j) * s->d;
}

size_t spectrum_varying(const struct spectrum *s) {
  size_t varying = 0;
  for (size_t i = 0; i < s->d; i++) varying += s->sd[i] > 0;
  return varying;
}

static enum status allocate(struct spectrum *s) {
  size_t d = s->d;
  s->cov = memory_array(s->mem, d * d, sizeof *s->cov);
  s->sd = memory_array(s->mem, d, sizeof *s->sd);
  s->noise = memory_array(s->mem, d, sizeof *s->noise);
  s->eigenvalues = memory_array(s->mem, d, sizeof *s->eigenvalues);
  s->w = memory_array(s->mem, d, sizeof *s->w);
  return s->cov && s->sd && s->noise && s->eigenvalues && s->w ? STATUS_OK : STATUS_NOMEM;
}

static enum status covariance(struct spectrum *s, const struct moments *m) {
  size_t d = s->d;
  double divisor = m->weight - 1, finite = 0; /* stays 0 unless an element is not: LAPACK would not return */
  for (size_t i = 0; i < d * d; i++) {
    s->cov[i] = m->cross[i] / divisor;
    finite += s->cov[i] * 0;
  }
  if (!(finite == 0)) return STATUS_OVERFLOW;
  double largest = 0;
  for (size_t i = 0; i < d; i++) largest = fmax(largest, s->cov[i * d + i]);
  if (m->precision == SCATTER_SINGLE && largest > 0 && largest < SINGLE_VARIANCE) return STATUS_OVERFLOW;
  return STATUS_OK;
}

/* N, the error of sums in float32, and the standard deviations of the columns that vary. */
static void find_noise(struct spectrum *s, const struct moments *m) {
  size_t d = s->d;
  int is_single = m->precision == SCATTER_SINGLE;
  double n = (double)m->rows, share = (m->weight - 1) / m->weight, rounding = FLT_EPSILON * FLT_EPSILON;
  double edge = 1 + sqrt((double)d / n);
  if (is_single) s->sum_error = 4 * FLT_EPSILON * sqrt(fmin(n, (double)m->block_limit));
  for (size_t i = 0; i < d; i++) {
    double variance = s->cov[i * d + i], square = variance * share + m->mean[i] * m->mean[i];
    int varies = variance > 4 * rounding * square && (!is_single || variance >= SINGLE_VARIANCE);
    s->sd[i] = varies ? sqrt(variance) : 0;
    s->noise[i] = rounding * fmax(4, edge * edge) * square;
  }
}

/* The columns brought to unit variance; one without variance gets the eigenvalue -1, so that it comes last, alone. out may
** be s->cov. */
static void equilibrate(const struct spectrum *s, double *out) {
  size_t d = s->d;
  for (size_t i = 0; i < d; i++) {
    for (size_t j = i; j < d; j++) {
      double scale = s->sd[i] * s->sd[j];
      out[i * d + j] = scale > 0 ? s->cov[i * d + j] / scale : 0;
    }
    out[i * d + i] = s->sd[i] > 0 ? 1 : -1;
  }
}

/* N in the units of the equilibrated matrix. */
static double scaled_noise(const struct spectrum *s, size_t i) {
  if (!(s->sd[i] > 0)) return 0;
  return s->is_correlation ? s->noise[i] : s->noise[i] / (s->sd[i] * s->sd[i]);
}

static enum status eigenvectors(struct spectrum *s, size_t count) {
  s->mem->release(s->vectors);
  s->count = count;
  s->vectors = memory_array(s->mem, s->d * count, sizeof *s->vectors);
  return s->vectors != NULL ? linalg_eigen(s->d, count, s->cov, s->vectors, s->w, s->mem) : STATUS_NOMEM;
}

/* What dsyevd may be off. */
static double reach(const struct spectrum *s, const double *w) {
  return w[s->d - 1] > 0 ? (double)s->d * DBL_EPSILON * w[s->d - 1] : 0;
}

/* sum of u_i sd_i v_i */
static double scaled_dot(const struct spectrum *s, const double *u, const double *v) {
  double sum = 0;
  for (size_t i = 0; i < s->d; i++) sum += u[i] * s->sd[i] * v[i];
  return sum;
}

/*
** Eigenvectors again, now with the digits of the small ones: cov = A^T A for A = diag(sqrt(h_j)) U^T diag(sd), where h_j
** and u_j are the equilibrated matrix's for the `rank` directions that have variance. `h` and `vectors` are those of the
** equilibrated matrix less N, to which u_j^T N u_j gives back what is missing in h_j.
*/
static enum status resolve(struct spectrum *s, double *h, const double *vectors, double *factor) {
  size_t d = s->d;
  for (size_t j = 0; j < d; j++) {
    const double *u = vectors + j * d;
    for (size_t i = 0; i < d; i++) h[j] += u[i] * u[i] * scaled_noise(s, i);
    double scale = j >= d - s->rank ? sqrt(h[j]) : 0;
    for (size_t i = 0; i < d; i++) factor[i * d + j] = scale * u[i] * s->sd[i];
  }
  return linalg_eigen_of_factor(d, factor, s->vectors, s->w, s->mem);
}

/* Whether what was left out of cov does not add to the variance along an eigenvector that resolve found: the rounding of
** large columns may be larger than small columns are. */
static int is_clean(const struct spectrum *s, const double *h, const double *vectors) {
  static const double TOLERANCE = 1e-3;
  size_t d = s->d;
  for (size_t c = d - s->rank; c < d; c++) {
    double added = 0;
    for (size_t j = 0; j < d - s->rank; j++) {
      double dot = h[j] > 0 ? scaled_dot(s, s->vectors + c * d, vectors + j * d) : 0;
      added += h[j] * dot * dot;
    }
    if (added > TOLERANCE * s->w[c]) return 0;
  }
  return 1;
}

/* Directions with variance, at most `most`, from the eigenvalues of the equilibrated matrix less N. */
static size_t count_directions(const struct spectrum *s, const double *values, size_t most) {
  size_t varying = spectrum_varying(s), j = 0;
  while (j < most && values[s->d - 1 - j] > reach(s, values) + s->sum_error * sqrt((double)(varying - j))) j++;
  return j;
}

/* How many directions there may be; how many dsyevd's eigenvalues show; and how many of these with all their digits. */
struct verdict {
  size_t most, shown, sure;
};

static enum status resolve_or_keep(struct spectrum *s, const struct verdict *v, double *h, const double *vectors,
                                   double *factor) {
  enum status rc = resolve(s, h, vectors, factor);
  if (rc || is_clean(s, h, vectors)) return rc;
  s->rank = v->shown;
  s->limit = SPECTRUM_SCALE;
  return eigenvectors(s, s->d);
}

/* The rank where some of it is in doubt. */
static enum status judge_equilibrated(struct spectrum *s, const struct verdict *v) {
  size_t d = s->d;
  double *scaled = memory_array(s->mem, d * d, sizeof *scaled), *values = memory_array(s->mem, d, sizeof *values);
  double *vectors = memory_array(s->mem, d * d, sizeof *vectors);
  enum status rc = STATUS_NOMEM;
  if (scaled == NULL || vectors == NULL || values == NULL) goto end;
  if (s->is_correlation)
    memcpy(scaled, s->cov, d * d * sizeof *scaled);
  else
    equilibrate(s, scaled);
  for (size_t i = 0; i < d; i++) scaled[i * d + i] -= scaled_noise(s, i);
  rc = linalg_eigen(d, d, scaled, vectors, values, s->mem);
  if (rc) goto end;
  size_t counted = count_directions(s, values, v->most);
  s->rank = counted > v->sure ? counted : v->sure;
  if (s->rank < v->most) {
    int is_noise = values[d - 1 - s->rank] < -reach(s, values);
    s->limit = s->sum_error > 0 ? SPECTRUM_SINGLE : is_noise ? SPECTRUM_ROWS : SPECTRUM_FLOAT64;
  }
  if (counted > v->sure && s->needed > v->sure && !s->is_correlation)
    rc = resolve_or_keep(s, v, values, vectors, scaled);
end:
  s->mem->release(scaled);
  s->mem->release(vectors);
  s->mem->release(values);
  return rc;
}

static size_t count_above(const struct spectrum *s, double threshold, size_t most) {
  size_t count = 0;
  for (size_t j = 0; j < s->d; j++) count += s->w[j] > threshold;
  return count < most ? count : most;
}

static enum status judge(struct spectrum *s, const struct moments *m) {
  size_t d = s->d, varying = spectrum_varying(s);
  int64_t directions = (int64_t)varying < m->rows - 1 ? (int64_t)varying : m->rows - 1;
  int is_large = d > SPECTRUM_JACOBI_MAX;
  double solver = reach(s, s->w), noise = 0;
  for (size_t i = 0; i < d; i++)
    noise = fmax(noise, s->noise[i] + s->sum_error * sqrt((double)varying) * s->cov[i * d + i]);
  struct verdict v = {.most = (size_t)directions};
  v.shown = count_above(s, fmax(solver, noise), v.most);
  v.sure = s->is_correlation || is_large ? v.shown : count_above(s, fmax(DOUBT * solver, noise), v.most);
  s->rank = v.sure;
  if (s->rank == v.most) return STATUS_OK;
  if (!is_large) return judge_equilibrated(s, &v);
  s->limit = s->sum_error > 0 ? SPECTRUM_SINGLE : s->is_correlation ? SPECTRUM_FLOAT64 : SPECTRUM_SCALE;
  return STATUS_OK;
}

static void fix_sign(size_t d, double *vector) {
  size_t largest = 0;
  for (size_t i = 1; i < d; i++)
    if (fabs(vector[i]) > fabs(vector[largest])) largest = i;
  if (vector[largest] < 0)
    for (size_t i = 0; i < d; i++) vector[i] = -vector[i];
}

static enum status decompose(struct spectrum *s, const struct moments *m, size_t needed) {
  size_t d = s->d;
  enum status rc = eigenvectors(s, needed);
  if (rc == STATUS_SOLVER && needed < d) rc = eigenvectors(s, d);
  if (rc == STATUS_OK) rc = judge(s, m);
  if (rc) return rc;
  for (size_t j = 0; j < d; j++) s->eigenvalues[j] = s->w[d - 1 - j] > 0 ? s->w[d - 1 - j] : 0;
  for (size_t j = 0; j < s->count; j++) fix_sign(d, s->vectors + j * d);
  return s->rank > 0 ? STATUS_OK : STATUS_NO_VARIANCE;
}

enum status spectrum_init(struct spectrum *s, const struct moments *m, int is_correlation, size_t needed) {
  *s = (struct spectrum){.mem = m->mem, .d = m->dim, .needed = needed};
  enum status rc = allocate(s);
  if (rc == STATUS_OK) rc = covariance(s, m);
  if (rc) return rc;
  find_noise(s, m);
  if (is_correlation) {
    equilibrate(s, s->cov);
    for (size_t i = 0; i < s->d; i++) s->noise[i] = scaled_noise(s, i);
    s->is_correlation = 1;
  }
  return decompose(s, m, linalg_prefers_top(s->d, needed) ? needed : s->d);
}
