/*
** Other number formats of embeddings <-> float32. All arrays are little-endian bytes, unaligned.
**
** f16: IEEE 754 binary16. bf16: the upper half of a float32. f64: IEEE 754 binary64. i8: two's complement, the plain
** number -128..127 (numpy's astype). Narrowing rounds to nearest, ties to even.
*/
#ifndef WHITEN_CORE_ENCODING_H
#define WHITEN_CORE_ENCODING_H

#include "core/base.h"

enum encoding { ENCODING_F32, ENCODING_F64, ENCODING_F16, ENCODING_BF16, ENCODING_I8, ENCODING_COUNT };

/* What is known of each: its name, the bytes of one element, and what fits, where that is less than float32. */
struct encoding_facts {
  const char *name;
  size_t size;
  const char *range;
};
extern const struct encoding_facts encodings[ENCODING_COUNT];

/*
** n elements from `in` to float32. The values are not checked for NaN and infinity, which pass through, but
** STATUS_OVERFLOW: element *index is finite and beyond float32 (only from f64).
*/
enum status encoding_decode(enum encoding encoding, size_t n, const void *in, float *out, size_t *index);

/*
** n float32 (unaligned) to `out`. STATUS_OVERFLOW: element *index is beyond the encoding's range.
*/
enum status encoding_encode(enum encoding encoding, size_t n, const void *in, void *out, size_t *index);

#endif
