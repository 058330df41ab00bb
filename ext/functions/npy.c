/*
** embedding_rows(data [, encoding [, dim]]): a table-valued function with a row for each vector in a file's content: raw
** numbers, row after row, or what numpy.save writes. Rows are decoded one by one, as they are asked for.
*/
#include "core/npy.h"

#include "core/vector.h"
#include "host/table.h"
#include "host/value.h"

enum { POSITION, VECTOR, DATA };
enum { ARGUMENT_DATA, ARGUMENT_ENCODING, ARGUMENT_DIM };

struct cursor {
  struct table_cursor base;
  const char *data; /* of the copy of the argument that the cursor has */
  enum encoding encoding;
  size_t dim, rows, row;
};

static const char *const ARGUMENTS[] = {"data", "encoding", "dim", NULL};

static int is_given(sqlite3_value *value) {
  return value != NULL && sqlite3_value_type(value) != SQLITE_NULL;
}

/* The encoding that the argument names; ENCODING_COUNT after an error. */
static enum encoding read_encoding(struct call *call, sqlite3_value *value) {
  static const char EXPECTED[] = "'f32', 'f64', 'f16', 'bf16' or 'i8'";
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, "encoding", sqlite3_value_type(value), EXPECTED);
    return ENCODING_COUNT;
  }
  const char *name = (const char *)sqlite3_value_text(value);
  if (name == NULL) return fail_nomem(call), ENCODING_COUNT;
  for (int i = 0; i < ENCODING_COUNT; i++)
    if (sqlite3_stricmp(name, encodings[i].name) == 0) return (enum encoding)i;
  fail(call, "encoding is '%s', expected %s", name, EXPECTED);
  return ENCODING_COUNT;
}

static void fail_npy(struct call *call, enum npy_fault fault, const struct npy *npy) {
  switch (fault) {
    case NPY_VERSION: fail(call, "data is .npy of an unknown version, expected 1.0, 2.0 or 3.0"); break;
    case NPY_DTYPE:
      fail(call, "data has dtype %s, expected <f4, <f8, <f2 or |i1 (numpy: astype)", npy->dtype);
      break;
    case NPY_FORTRAN: fail(call, "data is in Fortran order, expected C order (numpy.ascontiguousarray)"); break;
    case NPY_SHAPE: fail(call, "data has another shape, expected (n, dim) or (n,)"); break;
    default: fail(call, "data has a .npy header that cannot be read, expected one of numpy.save");
  }
}

/* What the header says, if there is one, against what the arguments say; returns the offset of the numbers. */
static size_t read_header(struct call *call, struct cursor *cursor, size_t bytes, int with_encoding,
                          int64_t *dim) {
  struct npy npy;
  enum npy_fault fault = npy_read(cursor->data, bytes, &npy);
  if (fault != NPY_OK)
    fail_npy(call, fault, &npy);
  else if (with_encoding && cursor->encoding != npy.encoding)
    fail(call, "encoding is '%s', expected '%s' as in data, or NULL", encodings[cursor->encoding].name,
         encodings[npy.encoding].name);
  else if (npy.axes == 2 && *dim != 0 && (uint64_t)*dim != npy.dim)
    fail(call, "dim is %lld, expected %llu as in data, or NULL", (long long)*dim, (unsigned long long)npy.dim);
  else if (npy.axes == 2 && (npy.dim < 1 || npy.dim > DIM_MAX))
    fail(call, "data has rows of %llu numbers, expected 1 to %d", (unsigned long long)npy.dim, DIM_MAX);
  else if ((bytes - npy.data) / encodings[npy.encoding].size / npy.dim != npy.n ||
           (bytes - npy.data) % (encodings[npy.encoding].size * npy.dim) != 0)
    fail(call, "data has %llu bytes of numbers, expected those of %llu x %llu %s",
         (unsigned long long)(bytes - npy.data), (unsigned long long)npy.n, (unsigned long long)npy.dim,
         npy.dtype);
  cursor->encoding = npy.encoding;
  if (npy.axes == 2) *dim = (int64_t)npy.dim;
  return npy.data;
}

static void filter(struct call *call, struct table_cursor *base, sqlite3_value **argv) {
  struct cursor *cursor = (struct cursor *)base;
  sqlite3_value *data = base->arguments[ARGUMENT_DATA];
  int with_encoding = is_given(argv[ARGUMENT_ENCODING]);
  int64_t dim = 0;
  table_clear(base);
  if (sqlite3_value_type(data) != SQLITE_BLOB) {
    fail_type(call, "data", sqlite3_value_type(data),
              "a BLOB, the content of a file (readfile gives NULL if it cannot)");
    return;
  }
  cursor->encoding = with_encoding ? read_encoding(call, argv[ARGUMENT_ENCODING]) : ENCODING_F32;
  if (call->failed || (is_given(argv[ARGUMENT_DIM]) && integer_read(call, argv[ARGUMENT_DIM], "dim", 1, &dim)))
    return;
  size_t bytes = (size_t)sqlite3_value_bytes(data);
  cursor->data = sqlite3_value_blob(data);
  if (npy_is_npy(cursor->data, bytes)) {
    size_t header = read_header(call, cursor, bytes, with_encoding, &dim);
    cursor->data += header;
    bytes -= header;
  }
  if (call->failed) return;
  if (dim < 1 || dim > DIM_MAX) {
    if (dim == 0)
      fail(call, "dim is missing, expected how many numbers a row has");
    else
      fail(call, "dim is %lld, expected 1 to %d", (long long)dim, DIM_MAX);
    return;
  }
  size_t row_bytes = (size_t)dim * encodings[cursor->encoding].size;
  if (bytes % row_bytes != 0)
    fail(call, "data has %lld bytes of numbers, expected a multiple of %lld (%lld %s)", (long long)bytes,
         (long long)row_bytes, (long long)dim, encodings[cursor->encoding].name);
  cursor->dim = (size_t)dim;
  cursor->rows = bytes / row_bytes;
}

static void next(struct call *call, struct table_cursor *base) {
  (void)call;
  ((struct cursor *)base)->row++;
}

static int is_at_end(const struct table_cursor *base) {
  const struct cursor *cursor = (const struct cursor *)base;
  return cursor->row >= cursor->rows;
}

static sqlite3_int64 rowid(const struct table_cursor *base) {
  return (sqlite3_int64)((const struct cursor *)base)->row + 1;
}

static void column(struct call *call, struct table_cursor *base, sqlite3_context *context, int index) {
  const struct cursor *cursor = (const struct cursor *)base;
  int64_t position = rowid(base);
  if (index == POSITION) sqlite3_result_int64(context, position);
  if (index != VECTOR) return;
  size_t element, row_bytes = cursor->dim * encodings[cursor->encoding].size;
  float *v = sqlite3_malloc64(cursor->dim * sizeof *v);
  if (v == NULL) {
    fail_nomem(call);
    return;
  }
  call->rowid = &position;
  if (encoding_decode(cursor->encoding, cursor->dim, cursor->data + cursor->row * row_bytes, v, &element) !=
      STATUS_OK)
    fail_overflow(call, "data", element);
  else
    fail_not_finite(call, "data", cursor->dim, v);
  call->rowid = NULL;
  if (call->failed)
    sqlite3_free(v);
  else
    sqlite3_result_blob64(context, v, cursor->dim * sizeof *v, sqlite3_free);
}

const struct table_function embedding_rows_table = {.name = "embedding_rows",
                                                    .columns = "position INTEGER, vector BLOB",
                                                    .column_count = DATA,
                                                    .arguments = ARGUMENTS,
                                                    .optional = 2,
                                                    .innocuous = 1,
                                                    .order_count = 1,
                                                    .order = {{POSITION, 0}},
                                                    .cursor_bytes = sizeof(struct cursor),
                                                    .filter = filter,
                                                    .next = next,
                                                    .is_at_end = is_at_end,
                                                    .column = column,
                                                    .rowid = rowid};
