/*
** What the fuzz targets share: a connection with the extension, SQL in one line, and an assertion that is always on.
**
** A target is a .c file with LLVMFuzzerTestOneInput: built by clang with libFuzzer, ASan and UBSan it searches, built by
** any compiler with replay.c it replays files. It returns 0 or ends the process.
*/
#ifndef FUZZ_H
#define FUZZ_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, with a message that libFuzzer takes for a finding. */
void fuzz_must(int ok, const char *what);

/* The connection: one for all inputs, made at the first call, small limits. */
sqlite3 *fuzz_connection(void);

/* The input from its front: 0 once it is used up. */
struct input {
  const uint8_t *data;
  size_t size;
};
unsigned fuzz_take(struct input *input);

/* An argument of a statement: a value; or text or a BLOB of `bytes` bytes; or an integer. */
struct argument {
  enum { ARGUMENT_VALUE, ARGUMENT_TEXT, ARGUMENT_BLOB, ARGUMENT_INTEGER } kind;
  const void *data;
  size_t bytes;
  int64_t integer;
};
#define TEXT_OF(DATA, BYTES) ((struct argument){.kind = ARGUMENT_TEXT, .data = (DATA), .bytes = (BYTES)})
#define BLOB_OF(DATA, BYTES) ((struct argument){.kind = ARGUMENT_BLOB, .data = (DATA), .bytes = (BYTES)})
#define VALUE_OF(VALUE) ((struct argument){.kind = ARGUMENT_VALUE, .data = (VALUE)})
#define INTEGER_OF(INTEGER) ((struct argument){.kind = ARGUMENT_INTEGER, .integer = (INTEGER)})
#define WORD(LITERAL) TEXT_OF(LITERAL, sizeof LITERAL - 1)

/* The first column of the first row of a statement; NULL after an error, which must be one with a message of ours.
** To be freed with sqlite3_value_free. */
sqlite3_value *fuzz_query(const char *sql, int count, const struct argument *arguments);
#define QUERY(SQL, ...) \
  fuzz_query(SQL, (int)(sizeof(struct argument[]){__VA_ARGS__} / sizeof(struct argument)), \
             (struct argument[]){__VA_ARGS__})

/* Whether both are errors, or the same value, to the bit. */
int fuzz_same(sqlite3_value *a, sqlite3_value *b);

/* A REAL or INTEGER result; not called for an error or NULL. */
double fuzz_number(sqlite3_value *value);

#endif
