/* Conversion by integer arithmetic on the bits, so that it gives the same on every machine. */
#include "core/encoding.h"

#include <float.h>
#include <math.h>
#include <string.h>

const struct encoding_facts encodings[ENCODING_COUNT] = {[ENCODING_F32] = {"f32", 4, "float32"},
                                                         [ENCODING_F64] = {"f64", 8, "float64"},
                                                         [ENCODING_F16] = {"f16", 2, "magnitudes up to 65504"},
                                                         [ENCODING_BF16] = {"bf16", 2, "float32's range"},
                                                         [ENCODING_I8] = {"i8", 1, "-128 to 127"}};

static uint16_t read16(const unsigned char *p) {
  return (uint16_t)(p[0] | p[1] << 8);
}

static void write16(unsigned char *p, uint16_t value) {
  p[0] = (unsigned char)value;
  p[1] = (unsigned char)(value >> 8);
}

static float from_bits(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static uint32_t to_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static float from_f16(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;
  if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
  if (exponent == 0) {
    float x = (float)fraction * 0x1p-24f; /* exact: a denormal of binary16 is normal here */
    return sign ? -x : x;
  }
  return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

/* Adds half of what is dropped, less one when the result would be even: round to nearest, ties to even. */
static uint32_t shift_to_even(uint32_t value, int shift) {
  uint32_t half = 1u << (shift - 1), kept = value >> shift;
  uint32_t rest = value & ((1u << shift) - 1);
  return kept + (rest > half || (rest == half && (kept & 1)));
}

static int to_f16(float x, uint16_t *h) {
  uint32_t bits = to_bits(x), magnitude = bits & 0x7fffffffu, half;
  if (magnitude >= 0x38800000u) { /* 2^-14: a normal number of binary16 */
    half = shift_to_even(magnitude - 0x38000000u, 13);
  } else if (magnitude >= 0x33000000u) { /* 2^-25: rounds to a denormal */
    int shift = 126 - (int)(magnitude >> 23);
    half = shift_to_even((magnitude & 0x7fffff) | 0x800000, shift);
  } else {
    half = 0;
  }
  *h = (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)half;
  return half < 0x7c00;
}

static int to_bf16(float x, uint16_t *h) {
  uint32_t bits = to_bits(x);
  *h = (uint16_t)shift_to_even(bits, 16);
  return (*h & 0x7f80) != 0x7f80;
}

static int to_i8(float x, unsigned char *byte) {
  float shifted = (x + 12582912.0f) - 12582912.0f; /* 1.5 * 2^23: rounds to an integer, ties to even */
  if (!(fabsf(x) < 1000.0f) || shifted < -128.0f || shifted > 127.0f) return 0;
  *byte = (unsigned char)(signed char)shifted;
  return 1;
}

enum status encoding_decode(enum encoding encoding, size_t n, const void *in, float *out, size_t *index) {
  const unsigned char *p = in;
  size_t size = encodings[encoding].size;
  for (size_t i = 0; i < n; i++, p += size) {
    double wide;
    switch (encoding) {
      case ENCODING_F64:
        memcpy(&wide, p, sizeof wide);
        out[i] = (float)wide;
        if (isinf(out[i]) && !isinf(wide)) return *index = i, STATUS_OVERFLOW;
        break;
      case ENCODING_F16: out[i] = from_f16(read16(p)); break;
      case ENCODING_BF16: out[i] = from_bits((uint32_t)read16(p) << 16); break;
      case ENCODING_I8: out[i] = (float)(signed char)*p; break;
      default: memcpy(&out[i], p, sizeof out[i]); break;
    }
  }
  return STATUS_OK;
}

enum status encoding_encode(enum encoding encoding, size_t n, const void *in, void *out, size_t *index) {
  const unsigned char *p = in;
  unsigned char *q = out;
  size_t size = encodings[encoding].size;
  for (size_t i = 0; i < n; i++, p += 4, q += size) {
    float x;
    double wide;
    uint16_t half = 0;
    int fits = 1;
    memcpy(&x, p, sizeof x);
    switch (encoding) {
      case ENCODING_F64:
        wide = x;
        memcpy(q, &wide, sizeof wide);
        break;
      case ENCODING_F16:
        fits = to_f16(x, &half);
        write16(q, half);
        break;
      case ENCODING_BF16:
        fits = to_bf16(x, &half);
        write16(q, half);
        break;
      case ENCODING_I8: fits = to_i8(x, q); break;
      default: memcpy(q, &x, sizeof x); break;
    }
    if (!fits) return *index = i, STATUS_OVERFLOW;
  }
  return STATUS_OK;
}
