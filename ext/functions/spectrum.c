/* whiten_spectrum(model): a table-valued function with a row per component. */
#include "host/connection.h"
#include "host/table.h"

enum { COMPONENT, EIGENVALUE, RATIO, CUMULATIVE, MODEL };

struct cursor {
  sqlite3_vtab_cursor base;
  struct shared_model *model;
  size_t row;
  double total, cumulative; /* of the eigenvalues; up to this row */
};

static const char *const ARGUMENTS[] = {"model", NULL};

static int close_cursor(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  model_release(cursor->model);
  sqlite3_free(cursor);
  return SQLITE_OK;
}

static double eigenvalue(const struct cursor *cursor) {
  return cursor->model->whitener.eigenvalues[cursor->row];
}

static int is_at_end(sqlite3_vtab_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->model->whitener.header.d;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *text, int argc, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  struct call call = table_call(base->pVtab);
  (void)number, (void)text, (void)argc;
  model_release(cursor->model);
  cursor->row = 0;
  cursor->total = 0;
  cursor->model = model_argument(&call, argv[0]);
  if (cursor->model == NULL) return call.failed;
  const struct whitener *w = &cursor->model->whitener;
  if (w->eigenvalues == NULL) {
    fail(&call, "model is imported and has no eigenvalues, expected one from whiten_fit or whiten_solve");
    return call.failed;
  }
  for (size_t i = 0; i < w->header.d; i++) cursor->total += w->eigenvalues[i];
  cursor->cumulative = eigenvalue(cursor);
  return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base) {
  struct cursor *cursor = (struct cursor *)base;
  cursor->row++;
  if (!is_at_end(base)) cursor->cumulative += eigenvalue(cursor);
  return SQLITE_OK;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index) {
  const struct cursor *cursor = (const struct cursor *)base;
  switch (index) {
    case COMPONENT: sqlite3_result_int64(context, (sqlite3_int64)cursor->row + 1); break;
    case EIGENVALUE: sqlite3_result_double(context, eigenvalue(cursor)); break;
    case RATIO: sqlite3_result_double(context, eigenvalue(cursor) / cursor->total); break;
    case CUMULATIVE: sqlite3_result_double(context, cursor->cumulative / cursor->total); break;
    default: break;
  }
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id) {
  *id = (sqlite3_int64)((const struct cursor *)base)->row + 1;
  return SQLITE_OK;
}

static const sqlite3_module METHODS = {TABLE_METHODS,     .xClose = close_cursor, .xFilter = filter, .xNext = next,
                                       .xEof = is_at_end, .xColumn = column,      .xRowid = rowid};

const struct table_shape whiten_spectrum_table = {
    .name = "whiten_spectrum",
    .methods = &METHODS,
    .cursor_bytes = sizeof(struct cursor),
    .declaration =
        "CREATE TABLE x(component INTEGER, eigenvalue REAL, ratio REAL, cumulative REAL, arg_model HIDDEN)",
    .innocuous = 1,
    .first_argument = MODEL,
    .order_column = COMPONENT,
    .arguments = ARGUMENTS};
