/* See space.h. */
#include "core/space.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"
#include "core/vector.h"

enum status mean_cosine_init(struct mean_cosine *m, size_t dim, const struct memory *mem) {
  *m = (struct mean_cosine){.mem = mem, .dim = dim};
  m->sum = memory_array(mem, dim, sizeof *m->sum);
  if (m->sum == NULL) return STATUS_NOMEM;
  memset(m->sum, 0, dim * sizeof *m->sum);
  return STATUS_OK;
}

void mean_cosine_clear(struct mean_cosine *m) {
  if (m->mem != NULL) m->mem->release(m->sum);
  *m = (struct mean_cosine){0};
}

enum status mean_cosine_add(struct mean_cosine *m, const void *v) {
  double square = vector_square_f64(m->dim, v);
  if (!isfinite(square)) return STATUS_NOT_FINITE;
  if (square == 0) return STATUS_OK;
  simd->add_weighted(m->dim, m->sum, v, 1 / sqrt(square));
  m->rows++;
  return STATUS_OK;
}

double mean_cosine_value(const struct mean_cosine *m) {
  double square = 0, n = (double)m->rows;
  if (m->rows < 2) return NAN;
  for (size_t i = 0; i < m->dim; i++) square += m->sum[i] * m->sum[i];
  return (square - n) / (n * (n - 1));
}

double space_isoscore(const struct moments *m) {
  double trace, frobenius2, d = (double)m->dim;
  if (m->dim < 2 || m->rows < 2) return NAN;
  moments_norms(m, &trace, &frobenius2);
  if (!(trace > 0)) return NAN;
  /* Steps 5 to 8 of the algorithm reduce to this: |sqrt(d) s / |s| - 1|^2 = 2 d - 2 sqrt(d) sum(s) / |s|. */
  double score = (trace * trace / frobenius2 - 1) / (d - 1);
  return score < 0 ? 0 : score > 1 ? 1 : score;
}
