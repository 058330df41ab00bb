/*
** Version 2 of core/model's format - models of one side of pairs, and an offset - and what core/whitener makes of them, to
** the bit, against chains of fma written out here.
*/
#include "core/whitener.h"

#include "blobs.h"
#include "core/simd/simd.h"
#include "faulty_memory.h"

static const double MEAN[] = {1, -2.5, 1e-300}, OFFSET[] = {-1, 0.1, 16777216.25, 3, 4};
static const float KERNEL[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
                   INVERSE[] = {-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11, -12, -13, -14, -15};

/* Version 2: from three elements into a shared space of two, or into the other's space of five. */
static struct model aligned(enum model_side side, uint32_t flags) {
  int leads_across = side == MODEL_SIDE_A_TO_B || side == MODEL_SIDE_B_TO_A;
  return (struct model){.header = {.d = 3,
                                   .k = 2,
                                   .m = leads_across ? 5 : 2,
                                   .rank = 3,
                                   .n = 100,
                                   .weight = 123.5,
                                   .flags = flags | MODEL_INVERSE | (leads_across ? (uint32_t)MODEL_OFFSET : 0),
                                   .side = side,
                                   .ridge = 0.125,
                                   .ridge_added = 2,
                                   .power = 0.75},
                        .mean = MEAN,
                        .offset = leads_across ? OFFSET : NULL,
                        .kernel = KERNEL,
                        .inverse = INVERSE};
}

/* A block of exactly that size, so that a sanitizer sees the first byte behind it. */
static unsigned char *write_block(const struct model *m, size_t *bytes) {
  *bytes = model_size(&m->header);
  unsigned char *blob = malloc(*bytes);
  memset(blob, 0xee, *bytes);
  model_write(m, blob);
  return blob;
}

/* What version 2 has in other places than version 1, and at its number. */
TEST(model_layout_with_an_offset) {
  struct model m = aligned(MODEL_SIDE_A_TO_B, MODEL_NORMALIZE);
  size_t bytes;
  unsigned char *blob = write_block(&m, &bytes);
  assert_int_equal(bytes, 128 + 3 * 8 + 5 * 8 + 15 * 4 + 15 * 4);
  assert_memory_equal(blob, "whitenM\0\2\0\0\0\4\3\2\1", 16);
  assert_int_equal(number_at(blob, 40, 4), 5);
  assert_int_equal(number_at(blob, 68, 4), 128 + 16 + 1);
  assert_int_equal(number_at(blob, 76, 4), 3);
  for (size_t i = 0; i < 3; i++) assert_same_double(double_at(blob, 128 + 8 * i), MEAN[i]);
  for (size_t i = 0; i < 5; i++) assert_same_double(double_at(blob, 152 + 8 * i), OFFSET[i]);
  for (size_t i = 0; i < 15; i++) assert_int_equal(number_at(blob, 192 + 4 * i, 4), bits_of(KERNEL[i]));
  for (size_t i = 0; i < 15; i++) assert_int_equal(number_at(blob, 252 + 4 * i, 4), bits_of(INVERSE[i]));
  free(blob);
}

TEST(model_round_trip_of_the_sides) {
  for (enum model_side side = MODEL_SIDE_A; side < MODEL_SIDES; side++) {
    struct model m = aligned(side, 0);
    struct model_header h;
    struct model_arrays arrays;
    size_t bytes;
    unsigned char *blob = write_block(&m, &bytes);
    assert_int_equal(model_check_parts(&m), STATUS_OK);
    assert_int_equal(model_check(blob, bytes, &h, &arrays), STATUS_OK);
    assert_true(h.side == side && h.m == m.header.m && h.power == 0.75 && h.ridge == 0.125);
    assert_true(h.flags == m.header.flags && model_version(&h) == 2);
    assert_memory_equal(arrays.mean, MEAN, sizeof MEAN);
    assert_true(arrays.eigenvalues == NULL && arrays.row_scale == NULL && arrays.column_scale == NULL);
    assert_true((arrays.offset != NULL) == (m.offset != NULL));
    if (arrays.offset != NULL) assert_memory_equal(arrays.offset, OFFSET, sizeof OFFSET);
    assert_memory_equal(arrays.kernel, KERNEL, 12 * (size_t)h.m);
    assert_memory_equal(arrays.inverse, INVERSE, 12 * (size_t)h.m);
    check_flipped_bits(blob, bytes, read_in_full);
    check_lengths(blob, bytes, 128, read_in_full);
    free(blob);
  }
}

/* Of a sample that leads across: 'a->b'. */
static const struct forged FORGED_ACROSS[] = {
    {8, 4, 0, STATUS_VERSION},
    {8, 4, 1, STATUS_HEADER}, /* it needs version 2 */
    {8, 4, 3, STATUS_VERSION},
    {36, 4, 4, STATUS_HEADER}, /* k: more than d, or than the rank */
    {36, 4, 0, STATUS_HEADER},
    {40, 4, 2, STATUS_HEADER}, /* m: below the rank, and not what the size says */
    {40, 4, 6, STATUS_HEADER},
    {40, 4, UINT32_MAX, STATUS_HEADER},
    {44, 4, 1, STATUS_HEADER}, /* rank: below k, above d */
    {44, 4, 4, STATUS_HEADER},
    {48, 8, UINT64_MAX, STATUS_HEADER},
    {56, 8, 0x7ff8000000000000, STATUS_HEADER},
    {64, 4, 1, STATUS_HEADER},  /* method */
    {68, 4, 16, STATUS_HEADER}, /* flags */
    {68, 4, 128, STATUS_HEADER},
    {68, 4, 128 + 16 + 2, STATUS_HEADER},
    {68, 4, 128 + 16 + 4, STATUS_HEADER},
    {68, 4, 128 + 16 + 8, STATUS_HEADER},
    {68, 4, 128 + 16 + 32, STATUS_HEADER},
    {68, 4, 128 + 16 + 64, STATUS_HEADER},
    {68, 4, 128 + 16 + 256, STATUS_HEADER},
    {72, 4, 1, STATUS_HEADER}, /* remove */
    {76, 4, 0, STATUS_HEADER}, /* side */
    {76, 4, 1, STATUS_HEADER},
    {76, 4, 2, STATUS_HEADER},
    {76, 4, 5, STATUS_HEADER},
    {76, 4, UINT32_MAX, STATUS_HEADER},
    {80, 8, 0xbff0000000000000, STATUS_HEADER},  /* ridge */
    {88, 8, 0x3fe0000000000000, STATUS_HEADER},  /* rho */
    {96, 8, 0x7ff8000000000000, STATUS_HEADER},  /* ridge added */
    {104, 8, 0x3ff0000000000001, STATUS_HEADER}, /* exponent */
    {112, 8, 1, STATUS_HEADER},
    {120, 8, (uint64_t)1 << 63, STATUS_HEADER},
    {128, 8, 0x7ff8000000000000, STATUS_NOT_FINITE}, /* mean, offset, kernel, inverse */
    {184, 8, 0x7ff0000000000000, STATUS_NOT_FINITE},
    {192, 4, 0x7f800000, STATUS_NOT_FINITE},
    {308, 4, 0x7f800001, STATUS_NOT_FINITE},
};

TEST(model_forged_fields_with_an_offset) {
  for (size_t i = 0; i < COUNT(FORGED_ACROSS); i++) {
    struct model m = aligned(MODEL_SIDE_A_TO_B, 0);
    size_t bytes;
    unsigned char *blob = write_block(&m, &bytes);
    check_forged(blob, bytes, &FORGED_ACROSS[i], read_in_full);
    free(blob);
  }
}

/* ---- at work ---- */

static void begin(struct whitener *w, enum model_side side, uint32_t flags) {
  struct model m = aligned(side, flags);
  size_t bytes;
  unsigned char *blob = write_block(&m, &bytes);
  assert_int_equal(whitener_init(w, blob, bytes, &faulty_memory), STATUS_OK);
  memset(blob, 0xa5, bytes); /* nothing may point into it */
  free(blob);
}

/* The offset is added in float64 to what float32 has of the product: -1 to 16777217 is not lost in it. */
TEST(whitener_offset_to_the_bit) {
  static const float X[] = {1.5F, -3, 0.125F};
  for (enum model_side side = MODEL_SIDE_A; side < MODEL_SIDES; side++)
    for (uint32_t flags = 0; flags <= MODEL_NORMALIZE; flags++) {
      struct whitener w;
      float shifted[3], y[6], rows[12], expected[5];
      size_t index, m = side >= MODEL_SIDE_A_TO_B ? 5 : 2;
      double square = 0;
      begin(&w, side, flags);
      for (size_t j = 0; j < m; j++) {
        float acc = 0;
        for (size_t i = 0; i < 3; i++) acc = fmaf((float)(X[i] - MEAN[i]), KERNEL[i * m + j], acc);
        expected[j] = m == 5 ? (float)(acc + OFFSET[j]) : acc;
        square += (double)expected[j] * expected[j];
      }
      y[m] = 77;
      assert_int_equal(whitener_apply(&w, X, shifted, y, &index), STATUS_OK);
      for (size_t j = 0; j < m; j++) {
        if (flags)
          assert_near(y[j], expected[j] / sqrt(square), 1e-7);
        else
          assert_same_float(y[j], expected[j]);
      }
      assert_same_float(y[m], 77);
      float twice[6];
      for (size_t r = 0; r < 2; r++) whitener_shift(&w, X, twice + 3 * r);
      whitener_apply_rows(&w, 2, twice, rows);
      assert_memory_equal(rows, y, m * sizeof *y);
      assert_memory_equal(rows + m, y, m * sizeof *y);
      whitener_clear(&w);
      assert_int_equal(faulty.live, 0);
    }
}

TEST(whitener_offset_inverse_to_the_bit) {
  static const float Y[] = {0.5F, -2, 16777218, 1, 3};
  struct whitener w;
  float away[5], x[4];
  _Alignas(8) char bytes[sizeof Y + 1];
  size_t index;
  memcpy(bytes + 1, Y, sizeof Y);
  begin(&w, MODEL_SIDE_B_TO_A, 0);
  x[3] = 77;
  assert_int_equal(whitener_prepare_inverse(&w), STATUS_OK);
  assert_int_equal(whitener_invert(&w, bytes + 1, away, x, &index), STATUS_OK);
  for (size_t i = 0; i < 3; i++) {
    float acc = 0;
    for (size_t j = 0; j < 5; j++) acc = fmaf((float)(Y[j] - OFFSET[j]), INVERSE[3 * j + i], acc);
    assert_same_float(x[i], (float)(acc + MEAN[i]));
  }
  assert_same_float(x[3], 77);
  whitener_clear(&w);
}

TEST(whitener_offset_beyond_float32) {
  struct model m = aligned(MODEL_SIDE_A_TO_B, 0);
  static const double FAR[] = {0, 0, 0, 1e300, 0};
  struct whitener w;
  float shifted[3], y[5];
  size_t bytes, index = 99;
  m.offset = FAR;
  unsigned char *blob = write_block(&m, &bytes);
  assert_int_equal(whitener_init(&w, blob, bytes, &faulty_memory), STATUS_OK);
  assert_int_equal(whitener_apply(&w, (float[]){1, 2, 3}, shifted, y, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 3);
  whitener_clear(&w);
  free(blob);
}

/* Bit by bit, the offset included; and zeros for a model that has none. */
TEST(whitener_offset_is_known_and_copied) {
  for (enum model_side side = MODEL_SIDE_B; side <= MODEL_SIDE_A_TO_B; side++) {
    struct model m = aligned(side, 0);
    struct whitener w;
    float offset[5];
    size_t bytes;
    unsigned char *blob = write_block(&m, &bytes);
    assert_int_equal(whitener_init(&w, blob, bytes, &faulty_memory), STATUS_OK);
    assert_true(whitener_is_of(&w, blob, bytes));
    for (size_t i = 0; i < 8 * bytes; i++) {
      blob[i / 8] ^= (unsigned char)(1 << i % 8);
      assert_false(whitener_is_of(&w, blob, bytes));
      blob[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    whitener_copy_offset(&w, offset);
    for (size_t j = 0; j < m.header.m; j++) assert_same_float(offset[j], m.offset ? (float)OFFSET[j] : 0);
    assert_true(isnan(whitener_explained(&w)) && isnan(whitener_condition(&w)) && isnan(whitener_unseen(&w)));
    whitener_clear(&w);
    free(blob);
  }
}

UNIT_MAIN(faulty_test(model_layout_with_an_offset), faulty_test(model_round_trip_of_the_sides),
          faulty_test(model_forged_fields_with_an_offset), faulty_test(whitener_offset_to_the_bit),
          faulty_test(whitener_offset_inverse_to_the_bit), faulty_test(whitener_offset_beyond_float32),
          faulty_test(whitener_offset_is_known_and_copied))
