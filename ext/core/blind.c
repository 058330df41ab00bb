/* See blind.h. */
#include "core/blind.h"

#include <math.h>

#include "core/vector.h"

static void choose(struct blind *b, const struct moments *m, size_t rank) {
  struct grid_setting *s = &b->setting;
  s->power = b->before.neighbours.mean_cosine > BLIND_CONE ? .5 : .25;
  s->ridge = m->weight <= BLIND_ROWS_A_DIMENSION * (double)m->dim ? BLIND_RIDGE : 0;
  s->k = s->ridge > 0 ? m->dim : rank;
  b->is_chosen = 1;
}

static enum status look_after(struct blind *b, const struct spectrum *s, const struct eigenbasis_rows *rows,
                              double *weights, double *squares) {
  struct eigenbasis_pairs each = {.count = rows->count};
  grid_weigh(rows->d, s->w, &b->setting, weights);
  b->before.isoscore = neighbours_isoscore(rows->d, s->w, NULL);
  b->after.isoscore = neighbours_isoscore(rows->d, s->w, weights);
  enum status rc = eigenbasis_products(rows, &each, 1, weights, squares);
  return rc ? rc : neighbours_measure(rows, weights, squares, &b->after.neighbours);
}

static enum status run(struct blind *b, const struct moments *m, const struct eigenbasis_rows *rows,
                       double *squares) {
  struct spectrum s = {0};
  double *weights = memory_array(m->mem, rows->d, sizeof *weights);
  enum status rc = weights != NULL ? STATUS_OK : STATUS_NOMEM;
  for (size_t i = 0; i < rows->count; i++) squares[i] = vector_square_f64(rows->d, rows->rows + i * rows->d);
  if (rc == STATUS_OK) rc = neighbours_measure(rows, NULL, squares, &b->before.neighbours);
  if (rc == STATUS_OK) rc = spectrum_init(&s, m, 0, m->dim);
  if (rc == STATUS_OK) {
    choose(b, m, s.rank);
    rc = eigenbasis_rotate(rows, &s, m->mean);
  }
  if (rc == STATUS_OK) rc = look_after(b, &s, rows, weights, squares);
  spectrum_clear(&s);
  m->mem->release(weights);
  return rc;
}

enum status blind_run(struct blind *b, const struct moments *m, struct labels *labels, const struct watch *watch) {
  struct eigenbasis_rows rows = {m->mem, watch, m->dim, labels->rows.count, labels->rows.rows};
  *b = (struct blind){0};
  if (m->rows < 2) return STATUS_NO_VARIANCE;
  if (!(m->weight > 1) || isinf(m->weight)) return STATUS_WEIGHT;
  if (rows.count < BLIND_LEAST_ROWS) return STATUS_OK;
  double *squares = memory_array(m->mem, rows.count, sizeof *squares);
  enum status rc = squares != NULL ? run(b, m, &rows, squares) : STATUS_NOMEM;
  m->mem->release(squares);
  return rc;
}
