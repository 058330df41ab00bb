/* whiten_spectrum(model): a table-valued function with a row per component. */
#include "host/connection.h"
#include "host/table.h"

enum { COMPONENT, EIGENVALUE, RATIO, CUMULATIVE, MODEL };

struct cursor {
  struct table_cursor base;
  struct shared_model *model;
  size_t row;
  double total, cumulative; /* of the eigenvalues; up to this row */
};

static const char *const ARGUMENTS[] = {"model", NULL};

static void clear(struct table_cursor *base) {
  model_release(((struct cursor *)base)->model);
}

static double eigenvalue(const struct cursor *cursor) {
  return cursor->model->whitener.eigenvalues[cursor->row];
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->model->whitener.header.d;
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  table_clear(base);
  cursor->model = model_argument(call, argv[0]);
  if (cursor->model == NULL) return;
  const struct whitener *w = &cursor->model->whitener;
  if (w->eigenvalues == NULL) {
    fail(call, "model is %s and has no eigenvalues, expected one from whiten_fit or whiten_solve",
         w->header.side == MODEL_SIDE_NONE ? "imported" : "aligned");
    return;
  }
  for (size_t i = 0; i < w->header.d; i++) cursor->total += w->eigenvalues[i];
  cursor->cumulative = eigenvalue(cursor);
}

static int rewind_rows(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->row = 0;
  cursor->cumulative = eigenvalue(cursor);
  return 1;
}

static void next(struct call *call, struct table_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  (void)call;
  cursor->row++;
  if (!is_at_end(base)) cursor->cumulative += eigenvalue(cursor);
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  (void)call;
  const struct cursor *cursor = (const struct cursor *)base;
  switch (index) {
    case COMPONENT: sqlite3_result_int64(context, (sqlite3_int64)cursor->row + 1); break;
    case EIGENVALUE: sqlite3_result_double(context, eigenvalue(cursor)); break;
    case RATIO: sqlite3_result_double(context, eigenvalue(cursor) / cursor->total); break;
    case CUMULATIVE: sqlite3_result_double(context, cursor->cumulative / cursor->total); break;
    default: break;
  }
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  return (sqlite3_int64)((const struct cursor *)base)->row + 1;
}

const struct table_function whiten_spectrum_table = {
    .name = "whiten_spectrum",
    .columns = "component INTEGER, eigenvalue REAL, ratio REAL, cumulative REAL",
    .column_count = MODEL,
    .arguments = ARGUMENTS,
    .innocuous = 1,
    .order_count = 1,
    .order = {{COMPONENT, 0}},
    .cursor_bytes = sizeof(struct cursor),
    .filter = filter,
    .rewind = rewind_rows,
    .next = next,
    .is_at_end = is_at_end,
    .column = column,
    .rowid = rowid,
    .clear = clear};
