/*
** core/encoding: every pattern of f16, bf16 and i8 against its definition, and rounding at every middle between
** two neighbours, where ties go to the even pattern.
*/
#include "core/encoding.h"

#include <float.h>

#include "unit.h"

static float decode_one(enum encoding encoding, const void *in) {
  float out = 7;
  size_t index = 99;
  assert_int_equal(encoding_decode(encoding, 1, in, &out, &index), STATUS_OK);
  return out;
}

/* The pattern of x, or -1 when x is beyond the encoding. */
static int encode_one(enum encoding encoding, float x) {
  unsigned char out[8] = {0};
  size_t index = 99;
  if (encoding_encode(encoding, 1, &x, out, &index) == STATUS_OVERFLOW) {
    assert_int_equal(index, 0);
    return -1;
  }
  return encodings[encoding].size == 1 ? out[0] : out[0] | out[1] << 8;
}

TEST(encoding_sizes) {
  static const size_t SIZES[] = {4, 8, 2, 2, 1};
  for (int i = 0; i < ENCODING_COUNT; i++) assert_int_equal(encodings[i].size, SIZES[i]);
}

/* IEEE 754: (-1)^s 2^(e-15) (1 + f/1024), and (-1)^s 2^-14 f/1024 for e = 0. */
static float f16_value(uint32_t h) {
  int exponent = (int)(h >> 10 & 31), fraction = (int)(h & 1023);
  double magnitude = exponent ? ldexp(1 + fraction / 1024.0, exponent - 15) : ldexp(fraction / 1024.0, -14);
  return (float)(h & 0x8000 ? -magnitude : magnitude);
}

TEST(encoding_f16_every_pattern) {
  for (uint32_t h = 0; h < 65536; h++) {
    unsigned char in[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
    float x = decode_one(ENCODING_F16, in);
    if ((h & 0x7c00) != 0x7c00) {
      assert_same_float(x, f16_value(h));
      assert_int_equal(encode_one(ENCODING_F16, x), h);
    } else if (h & 0x3ff) {
      assert_true(isnan(x));
    } else {
      assert_same_float(x, h & 0x8000 ? -INFINITY : INFINITY);
    }
  }
}

/* Round to nearest, ties to even, between the patterns low and low + 1 of non-negative values. */
static void check_rounding(enum encoding encoding, uint32_t low, float below, float above, uint32_t sign_bit) {
  float middle = (float)(((double)below + above) / 2); /* exact: float32 has more digits than either */
  int even = (int)(low + (low & 1)), high = (int)low + 1, sign = (int)sign_bit;
  assert_int_equal(encode_one(encoding, middle), even);
  assert_int_equal(encode_one(encoding, nextafterf(middle, 0)), low);
  assert_int_equal(encode_one(encoding, nextafterf(middle, INFINITY)), high);
  assert_int_equal(encode_one(encoding, nextafterf(above, 0)), high);
  assert_int_equal(encode_one(encoding, -middle), even | sign);
  assert_int_equal(encode_one(encoding, -nextafterf(middle, 0)), (int)low | sign);
  assert_int_equal(encode_one(encoding, -nextafterf(middle, INFINITY)), high | sign);
}

TEST(encoding_f16_rounds_to_even) {
  for (uint32_t h = 0; h < 0x7bff; h++) check_rounding(ENCODING_F16, h, f16_value(h), f16_value(h + 1), 0x8000);
  assert_int_equal(encode_one(ENCODING_F16, FLT_TRUE_MIN), 0);
  assert_int_equal(encode_one(ENCODING_F16, -FLT_TRUE_MIN), 0x8000);
}

TEST(encoding_f16_overflow) {
  assert_int_equal(encode_one(ENCODING_F16, 65504), 0x7bff);
  assert_int_equal(encode_one(ENCODING_F16, nextafterf(65520, 0)), 0x7bff);
  assert_int_equal(encode_one(ENCODING_F16, -nextafterf(65520, 0)), 0xfbff);
  assert_int_equal(encode_one(ENCODING_F16, 65520), -1); /* the middle to 2^16, which is even */
  assert_int_equal(encode_one(ENCODING_F16, -65520), -1);
  assert_int_equal(encode_one(ENCODING_F16, 131072), -1);
  assert_int_equal(encode_one(ENCODING_F16, FLT_MAX), -1);
  assert_int_equal(encode_one(ENCODING_F16, -FLT_MAX), -1);
}

TEST(encoding_bf16_every_pattern) {
  for (uint32_t h = 0; h < 65536; h++) {
    unsigned char in[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
    float x = decode_one(ENCODING_BF16, in);
    assert_int_equal(bits_of(x), h << 16);
    if ((h & 0x7f80) != 0x7f80) assert_int_equal(encode_one(ENCODING_BF16, x), h);
  }
}

TEST(encoding_bf16_rounds_to_even) {
  for (uint32_t h = 0; h < 0x7f7f; h++)
    check_rounding(ENCODING_BF16, h, float_of(h << 16), float_of((h + 1) << 16), 0x8000);
  assert_int_equal(encode_one(ENCODING_BF16, float_of(0x7f7f7fff)), 0x7f7f);
  assert_int_equal(encode_one(ENCODING_BF16, float_of(0x7f7f8000)), -1);
  assert_int_equal(encode_one(ENCODING_BF16, float_of(0xff7f8000)), -1);
  assert_int_equal(encode_one(ENCODING_BF16, FLT_MAX), -1);
}

TEST(encoding_i8) {
  for (int i = -128; i <= 127; i++) {
    unsigned char in = (unsigned char)i;
    assert_same_float(decode_one(ENCODING_I8, &in), (float)i);
    assert_int_equal(encode_one(ENCODING_I8, (float)i), in);
    int even = i % 2 ? i + 1 : i;
    if (i < 127) {
      assert_int_equal(encode_one(ENCODING_I8, (float)i + 0.5f), (unsigned char)even);
      assert_int_equal(encode_one(ENCODING_I8, (float)i + 0.499f), (unsigned char)i);
      assert_int_equal(encode_one(ENCODING_I8, (float)i + 0.501f), (unsigned char)(i + 1));
    }
  }
  assert_int_equal(encode_one(ENCODING_I8, -0.0f), 0);
  assert_int_equal(encode_one(ENCODING_I8, FLT_TRUE_MIN), 0);
  assert_int_equal(encode_one(ENCODING_I8, nextafterf(127.5f, 0)), 127);
  assert_int_equal(encode_one(ENCODING_I8, -128.5f), 0x80);
  static const float BEYOND[] = {127.5f, 128, 256, -129, -256, 1e9f, -1e9f, 12582912, FLT_MAX, -FLT_MAX};
  for (size_t i = 0; i < COUNT(BEYOND); i++) assert_int_equal(encode_one(ENCODING_I8, BEYOND[i]), -1);
  assert_int_equal(encode_one(ENCODING_I8, nextafterf(-128.5f, -INFINITY)), -1);
}

static float narrow(double x) {
  float out;
  size_t index;
  return encoding_decode(ENCODING_F64, 1, &x, &out, &index) == STATUS_OK ? out : NAN;
}

TEST(encoding_f64) {
  struct random r = {random_seed()};
  for (int i = 0; i < 20000; i++) {
    uint64_t bits = random_bits(&r);
    float x = float_of((uint32_t)bits);
    double wide, back;
    if (isnan(x)) continue;
    size_t index;
    assert_int_equal(encoding_encode(ENCODING_F64, 1, &x, &back, &index), STATUS_OK);
    assert_same_double(back, x);
    assert_same_float(narrow(back), x);
    memcpy(&wide, &bits, sizeof wide);
    if (fabs(wide) < FLT_MAX) assert_same_float(narrow(wide), (float)wide); /* the CPU rounds to nearest even */
  }
  assert_same_float(narrow(1 + 0x1p-24), 1);
  assert_same_float(narrow(1 + 0x1p-24 + 0x1p-52), float_of(0x3f800001));
  assert_same_float(narrow(0x1p-150), 0);
  assert_same_float(narrow(0x1.8p-149), float_of(2));
  assert_same_float(narrow(0x1.fffffefffffffp127), FLT_MAX);
  assert_true(isnan(narrow(0x1.ffffffp127))); /* refused */
}

/* The element that is beyond the range is named; NaN and infinity go through when decoding. */
TEST(encoding_index) {
  double wide[4] = {1, INFINITY, NAN, 1e39};
  float out[4], in[4] = {1, -2, 1e30f, 7};
  size_t index = 99;
  unsigned char bytes[32];
  assert_int_equal(encoding_decode(ENCODING_F64, 3, wide, out, &index), STATUS_OK);
  assert_true(out[0] == 1 && out[1] == INFINITY && isnan(out[2]));
  assert_int_equal(encoding_decode(ENCODING_F64, 4, wide, out, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 3);
  assert_int_equal(encoding_encode(ENCODING_F16, 4, in, bytes, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 2);
  in[3] = -FLT_MAX;
  assert_int_equal(encoding_encode(ENCODING_BF16, 4, in, bytes, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 3);
  in[1] = 128;
  assert_int_equal(encoding_encode(ENCODING_I8, 4, in, bytes, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 1);
}

/* Whole arrays at an odd address, and little-endian: 1, -2, 0.5 in each encoding. */
TEST(encoding_arrays_are_unaligned_little_endian) {
  static const unsigned char BYTES[ENCODING_COUNT][24] = {
      {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f},
      {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f},
      {0, 0x3c, 0, 0xc0, 0, 0x38},
      {0x80, 0x3f, 0, 0xc0, 0, 0x3f},
      {1, 0xfe, 0}};
  static const float VALUES[3] = {1, -2, 0.5f};
  for (int e = 0; e < ENCODING_COUNT; e++) {
    enum encoding encoding = (enum encoding)e;
    size_t index, bytes = 3 * encodings[encoding].size;
    _Alignas(8) unsigned char in[1 + sizeof VALUES], out[1 + 24], back[1 + 24];
    float values[3];
    memcpy(in + 1, VALUES, sizeof VALUES);
    assert_int_equal(encoding_encode(encoding, 3, in + 1, out + 1, &index), STATUS_OK);
    assert_memory_equal(out + 1, BYTES[e], bytes);
    memcpy(back + 1, BYTES[e], bytes);
    assert_int_equal(encoding_decode(encoding, 3, back + 1, values, &index), STATUS_OK);
    assert_same_float(values[0], 1);
    assert_same_float(values[1], -2);
    assert_same_float(values[2], encoding == ENCODING_I8 ? 0 : 0.5f);
  }
}

UNIT_MAIN(cmocka_unit_test(encoding_sizes), cmocka_unit_test(encoding_f16_every_pattern),
          cmocka_unit_test(encoding_f16_rounds_to_even), cmocka_unit_test(encoding_f16_overflow),
          cmocka_unit_test(encoding_bf16_every_pattern), cmocka_unit_test(encoding_bf16_rounds_to_even),
          cmocka_unit_test(encoding_i8), cmocka_unit_test(encoding_f64), cmocka_unit_test(encoding_index),
          cmocka_unit_test(encoding_arrays_are_unaligned_little_endian))
