/*
** core/moments, as a blob: the format as specified, byte by byte; a round trip; and what must be refused, as model.c
** does it with models.
*/
#include "core/moments.h"

#include "blobs.h"

static struct moments sample_moments(void) {
  static double mean[] = {1, -2, 3}, cross[] = {8, 20, -3, 0, 200, 5, 0, 0, 1e-9};
  return (struct moments){.dim = 3, .rows = 17, .weight = 20.5, .mean = mean, .cross = cross};
}

static unsigned char *write_sample(size_t *bytes) {
  struct moments m = sample_moments();
  *bytes = moments_size(3);
  unsigned char *blob = malloc(*bytes);
  memset(blob, 0xee, *bytes);
  moments_write(&m, blob);
  return blob;
}

TEST(stats_layout) {
  static const double UPPER[] = {8, 20, -3, 200, 5, 1e-9};
  size_t bytes;
  unsigned char *blob = write_sample(&bytes);
  assert_int_equal(bytes, 56 + 3 * 8 + 6 * 8);
  assert_memory_equal(blob, "whitenS\0\1\0\0\0\4\3\2\1", 16);
  assert_int_equal(number_at(blob, 16, 8), bytes);
  assert_int_equal(number_at(blob, 24, 8), hash_xxh64(blob + 32, bytes - 32, hash_xxh64(blob, 24, 0)));
  assert_int_equal(number_at(blob, 32, 4), 3);
  assert_int_equal(number_at(blob, 36, 4), 0);
  assert_int_equal(number_at(blob, 40, 8), 17);
  assert_same_double(double_at(blob, 48), 20.5);
  for (size_t i = 0; i < 3; i++) assert_same_double(double_at(blob, 56 + 8 * i), sample_moments().mean[i]);
  for (size_t i = 0; i < 6; i++) assert_same_double(double_at(blob, 80 + 8 * i), UPPER[i]);
  assert_true(moments_are_in(blob, bytes) && !model_is_model(blob, bytes));
  assert_int_equal(read_in_full(blob, bytes), STATUS_FOREIGN);
  assert_int_equal(moments_size(1), 56 + 16);
  assert_int_equal(moments_size(16384), 56 + 8 * 16384 + 8 * (uint64_t)16384 * 16385 / 2);
  free(blob);
}

TEST(stats_round_trip) {
  size_t bytes;
  unsigned char *blob = write_sample(&bytes);
  struct moments m = sample_moments();
  struct moments_header h;
  double mean[3], cross[9];
  memset(cross, 0x7f, sizeof cross);
  assert_int_equal(moments_read(blob, bytes, &h), STATUS_OK);
  assert_true(h.size == bytes && h.d == 3 && h.n == 17 && h.weight == 20.5);
  moments_unpack(blob, &h, mean, cross);
  assert_memory_equal(mean, m.mean, sizeof mean);
  assert_memory_equal(cross, m.cross, sizeof cross);
  free(blob);
}

TEST(stats_every_flipped_bit) {
  size_t bytes;
  unsigned char *blob = write_sample(&bytes);
  check_flipped_bits(blob, bytes, read_stats);
  free(blob);
}

TEST(stats_every_other_length) {
  size_t bytes;
  unsigned char *blob = write_sample(&bytes);
  check_lengths(blob, bytes, 56, read_stats);
  free(blob);
}

TEST(stats_forged_fields) {
  static const struct forged CASES[] = {
      {8, 4, 2, STATUS_VERSION},
      {12, 4, 0x04030201, STATUS_BYTE_ORDER},
      {16, 8, 1, STATUS_TRUNCATED},
      {32, 4, 0, STATUS_HEADER},
      {32, 4, 2, STATUS_HEADER},
      {32, 4, 16385, STATUS_HEADER},
      {32, 4, UINT32_MAX, STATUS_HEADER},
      {36, 4, 1, STATUS_HEADER},
      {40, 8, 0, STATUS_HEADER},
      {40, 8, UINT64_MAX, STATUS_HEADER},
      {40, 8, ((uint64_t)1 << 53) + 1, STATUS_HEADER},
      {48, 8, 0, STATUS_HEADER},
      {48, 8, 0xbff0000000000000, STATUS_HEADER},
      {48, 8, 0x7ff0000000000000, STATUS_HEADER},
      {48, 8, 0x7ff8000000000000, STATUS_HEADER},
      {56, 8, 0x7ff0000000000000, STATUS_NOT_FINITE},
      {72, 8, 0x7ff8000000000000, STATUS_NOT_FINITE},
      {80, 8, 0x7ff8000000000000, STATUS_NOT_FINITE},
      {120, 8, 0xfff8000000000000, STATUS_NOT_FINITE},
      {80, 8, 0xbff0000000000000, STATUS_HEADER}, /* variances below zero */
      {104, 8, 0xbff0000000000000, STATUS_HEADER},
      {120, 8, 0xbff0000000000000, STATUS_HEADER},
      {112, 8, 0xbff0000000000000, STATUS_OK}, /* a covariance may be */
  };
  for (size_t i = 0; i < COUNT(CASES); i++) {
    size_t bytes;
    unsigned char *blob = write_sample(&bytes);
    check_forged(blob, bytes, &CASES[i], read_stats);
    free(blob);
  }
}

TEST(stats_unaligned) {
  size_t bytes;
  unsigned char *blob = write_sample(&bytes), *moved = malloc(bytes + 1);
  memcpy(moved + 1, blob, bytes);
  assert_int_equal(read_stats(moved + 1, bytes), STATUS_OK);
  free(blob);
  free(moved);
}

/* The same rows as pairs: another magic, and where a ends. */
static unsigned char *write_pairs(size_t *bytes) {
  struct moments m = sample_moments();
  m.dim_a = 2;
  *bytes = moments_size(3);
  unsigned char *blob = malloc(*bytes);
  memset(blob, 0xee, *bytes);
  moments_write(&m, blob);
  return blob;
}

TEST(stats_of_pairs) {
  size_t bytes;
  struct moments_header h;
  unsigned char *rows = write_sample(&bytes), *pairs = write_pairs(&bytes);
  assert_memory_equal(pairs, "whitenP\0\1\0\0\0\4\3\2\1", 16);
  assert_int_equal(number_at(pairs, 32, 4), 3);
  assert_int_equal(number_at(pairs, 36, 4), 2);
  assert_memory_equal(pairs + 40, rows + 40, bytes - 40);
  assert_true(moments_of_pairs_are_in(pairs, bytes) && !moments_are_in(pairs, bytes));
  assert_true(moments_are_in(rows, bytes) && !moments_of_pairs_are_in(rows, bytes));
  assert_int_equal(moments_read(pairs, bytes, &h), STATUS_OK);
  assert_true(h.d == 3 && h.dim_a == 2 && h.n == 17 && h.weight == 20.5);
  assert_int_equal(moments_read(rows, bytes, &h), STATUS_OK);
  assert_int_equal(h.dim_a, 0);
  check_flipped_bits(pairs, bytes, read_stats);
  free(rows);
  free(pairs);
}

TEST(stats_of_pairs_forged) {
  static const struct forged CASES[] = {
      {8, 4, 2, STATUS_VERSION},          {36, 4, 0, STATUS_HEADER}, {36, 4, 3, STATUS_HEADER},
      {36, 4, UINT32_MAX, STATUS_HEADER}, {36, 4, 1, STATUS_OK},     {32, 4, 2, STATUS_HEADER},
      {16, 8, 1, STATUS_TRUNCATED},       {40, 8, 0, STATUS_HEADER}, {80, 8, 0xbff0000000000000, STATUS_HEADER},
  };
  for (size_t i = 0; i < COUNT(CASES); i++) {
    size_t bytes;
    unsigned char *blob = write_pairs(&bytes);
    check_forged(blob, bytes, &CASES[i], read_stats);
    free(blob);
  }
}

/* Refused or not, nothing may be read outside. */
TEST(stats_random_bytes) {
  struct random r = {random_seed()};
  for (int i = 0; i < 10000; i++) {
    size_t bytes;
    unsigned char *blob = write_sample(&bytes);
    change_at_random(&r, blob, bytes);
    (void)read_stats(blob, bytes);
    free(blob);
  }
}

UNIT_MAIN(cmocka_unit_test(stats_layout), cmocka_unit_test(stats_round_trip),
          cmocka_unit_test(stats_every_flipped_bit), cmocka_unit_test(stats_every_other_length),
          cmocka_unit_test(stats_forged_fields), cmocka_unit_test(stats_unaligned),
          cmocka_unit_test(stats_of_pairs), cmocka_unit_test(stats_of_pairs_forged),
          cmocka_unit_test(stats_random_bytes))
