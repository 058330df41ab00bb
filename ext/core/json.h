/*
** Vectors as JSON text (RFC 8259): a flat array of numbers, and nothing else.
**
** SQLite's own JSON walks an array one row per element, a hundred times slower than a migration can bear, and
** libc's strtod follows the locale; so numbers are read and written here, independent of both.
*/
#ifndef WHITEN_CORE_JSON_H
#define WHITEN_CORE_JSON_H

#include "core/base.h"

/* Where reading stopped, for the message. */
struct json_fault {
  size_t offset;        /* byte at which the text stops being an array of numbers */
  size_t index;         /* element that was being read */
  const char *expected; /* what the grammar asks for there */
};

/* Upper bound of the number of elements in the text: its commas + 1. */
size_t json_count(const char *text, size_t bytes);

/*
** Reads an array of at most `cap` numbers into out. text[bytes] must be 0; *count receives how many there were.
** Each number is the float32 nearest to the float64 nearest to its decimal digits, ties to even: what
** numpy.float32(json.loads(text)) gives.
** STATUS_FOREIGN: not an array of numbers (fault says where and why); STATUS_OVERFLOW: element fault->index is
** beyond float32; STATUS_DIM: more than cap elements; STATUS_NOMEM.
*/
enum status json_read(const char *text, size_t bytes, size_t cap, float *out, size_t *count,
                      struct json_fault *fault);

/* Longest number that json_write_number writes, without a terminator. */
#define JSON_NUMBER_MAX 24

/* Writes the shortest decimal digits that read back to x, which must be finite; returns their length. */
size_t json_write_number(float x, char *out);

#endif
