/*
** core/within, where everything is known: matrices that are diagonal, dimensions without variance, no memory; and the fields
** that version 2 of the model's format has for it.
*/
#include "core/within.h"

#include <math.h>

#include "blobs.h"
#include "faulty_memory.h"

static const double TOTAL[] = {0, 0, 0, 0, 4, 0, 0, 0, 1}, WITHIN[] = {0, 0, 0, 0, 0.25, 0, 0, 0, 1};

static struct within_problem problem(double share, double ridge, enum within_order order) {
  return (struct within_problem){
      .d = 3, .nulls = 1, .total = TOTAL, .within = WITHIN, .share = share, .ridge = ridge, .order = order};
}

/* tr S_T / tr S_w = 4, so M = (0, 1, 4): ratios 4 and 1 / 4. */
TEST(within_of_diagonals) {
  struct within_problem p = problem(1, 0, WITHIN_BY_RATIO);
  double kernel[9], values[3], mix[9];
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_OK);
  assert_near(values[0], 4, 1e-14);
  assert_near(values[1], 0.25, 1e-14);
  assert_near(fabs(kernel[3]), 1, 1e-14);
  assert_near(fabs(kernel[7]), 0.5, 1e-14);
  assert_near(kernel[4], 0, 1e-14);
  assert_int_equal(within_mix(&p, mix), STATUS_OK);
  assert_true(mix[0] == 0 && mix[4] == 1 && mix[8] == 4 && mix[5] == 0);
  p = problem(0.5, 3, WITHIN_BY_VARIANCE); /* M = (5, 2.5 + 5, 2.5 + 5), and nothing left out */
  assert_int_equal(within_mix(&p, mix), STATUS_OK);
  assert_true(mix[0] == 5 && mix[4] == 7.5 && mix[8] == 7.5);
  p = problem(1, 0, WITHIN_BY_VARIANCE);
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_OK);
  assert_true(values[0] == 4 && values[1] == 1 && values[2] == 0);
  assert_near(fabs(kernel[6]), 0.5, 1e-14);
  assert_near(fabs(kernel[4]), 1, 1e-14);
}

TEST(within_refusals) {
  static const double ZERO[9] = {0}, ONE[] = {0, 0, 0, 0, 1, 0, 0, 0, 0},
                      HUGE_TOTAL[] = {1e308, 0, 0, 0, 1e308, 0, 0, 0, 0};
  double kernel[9], values[3];
  struct within_problem p = problem(1, 0, WITHIN_BY_RATIO);
  p.within = ZERO;
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_SAME_PAIRS);
  p.within = ONE;
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_FEW_PAIRS);
  p.total = ZERO;
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_NO_VARIANCE);
  p.total = HUGE_TOTAL;
  assert_int_equal(within_kernel(&p, kernel, values, &faulty_memory), STATUS_OVERFLOW);
  assert_int_equal(faulty.live, 0);
}

static enum status solve_once(void) {
  double kernel[9], values[3];
  struct within_problem p = problem(0.5, 0.1, WITHIN_BY_RATIO);
  return within_kernel(&p, kernel, values, &faulty_memory);
}

TEST(within_out_of_memory) {
  assert_in_range(faulty_exhaust(solve_once), 5, 12);
}

/* Pairs (a, b) = (0, 2), (2, 6): half the mean square of the differences is (4 + 16) / 4. */
TEST(within_matrix_of_pairs) {
  double mean[] = {1, 4}, cross[] = {2, 4, 0, 8}, within;
  struct moments pairs = {.dim = 2, .dim_a = 1, .rows = 2, .weight = 2, .mean = mean, .cross = cross};
  assert_int_equal(within_matrix(&pairs, &within), STATUS_OK);
  assert_same_double(within, 5);
  pairs.dim_a = 2;
  assert_int_equal(within_matrix(&pairs, &within), STATUS_DIM);
  pairs = (struct moments){
      .dim = 2, .dim_a = 1, .rows = 2, .weight = 2, .mean = (double[]){1, 1}, .cross = (double[]){2, 2, 0, 2}};
  assert_int_equal(within_matrix(&pairs, &within), STATUS_SAME_PAIRS);
  pairs.cross[1] = 2 - 1e-13; /* what rounding may leave */
  assert_int_equal(within_matrix(&pairs, &within), STATUS_SAME_PAIRS);
  pairs.cross[1] = 2 - 1e-11;
  assert_int_equal(within_matrix(&pairs, &within), STATUS_OK);
}

/* ---- the format ---- */

static unsigned char *write_model(size_t *bytes) {
  static const double MEAN[] = {1, 2}, VALUES[] = {4, 0.25};
  static const float KERNEL[] = {1, 0.5F}, INVERSE[] = {1, 2};
  struct model m = {.header = {.d = 2,
                               .k = 1,
                               .m = 1,
                               .rank = 2,
                               .n = 5,
                               .weight = 5,
                               .power = 1,
                               .within = 0.75,
                               .order = WITHIN_BY_VARIANCE,
                               .pairs = 9,
                               .ridge = 0.5,
                               .ridge_added = 1.25,
                               .flags = MODEL_WITHIN | MODEL_INVERSE},
                    .mean = MEAN,
                    .eigenvalues = VALUES,
                    .kernel = KERNEL,
                    .inverse = INVERSE};
  *bytes = model_size(&m.header);
  unsigned char *blob = malloc(*bytes);
  memset(blob, 0xee, *bytes);
  assert_int_equal(model_check_parts(&m), STATUS_OK);
  model_write(&m, blob);
  return blob;
}

TEST(within_in_the_format) {
  size_t bytes;
  unsigned char *blob = write_model(&bytes);
  struct model_header h;
  struct model_arrays arrays;
  assert_int_equal(bytes, 128 + 2 * 8 + 2 * 8 + 2 * 4 + 2 * 4);
  assert_memory_equal(blob, "whitenM\0\2\0\0\0\4\3\2\1", 16);
  assert_int_equal(number_at(blob, 68, 4), 64 + 16);
  assert_same_double(double_at(blob, 112), 0.75);
  assert_int_equal(number_at(blob, 120, 4), 1);
  assert_int_equal(number_at(blob, 124, 4), 9);
  assert_int_equal(model_check(blob, bytes, &h, &arrays), STATUS_OK);
  assert_true(h.within == 0.75 && h.order == WITHIN_BY_VARIANCE && h.pairs == 9 && h.ridge_added == 1.25);
  assert_true(arrays.eigenvalues != NULL && arrays.row_scale == NULL && arrays.offset == NULL);
  check_flipped_bits(blob, bytes, read_in_full);
  check_lengths(blob, bytes, 128, read_in_full);
  free(blob);
}

TEST(within_forged) {
  static const struct forged CASES[] = {
      {8, 4, 1, STATUS_HEADER}, /* it needs version 2 */
      {8, 4, 3, STATUS_VERSION},
      {36, 4, 2, STATUS_HEADER},
      {40, 4, 2, STATUS_HEADER}, /* m is k */
      {44, 4, 3, STATUS_HEADER},
      {64, 4, 1, STATUS_HEADER},  /* method */
      {68, 4, 16, STATUS_HEADER}, /* flags */
      {68, 4, 64, STATUS_HEADER},
      {68, 4, 64 + 8, STATUS_HEADER},
      {68, 4, 64 + 16 + 1, STATUS_OK},
      {68, 4, 64 + 16 + 2, STATUS_HEADER},
      {68, 4, 64 + 16 + 4, STATUS_HEADER},
      {68, 4, 64 + 16 + 32, STATUS_HEADER},
      {68, 4, 64 + 16 + 128, STATUS_HEADER},
      {68, 4, 64 + 16 + 256, STATUS_HEADER},
      {72, 4, 1, STATUS_HEADER},                  /* remove */
      {76, 4, 1, STATUS_HEADER},                  /* side */
      {88, 8, 0x3fe0000000000000, STATUS_HEADER}, /* rho */
      {104, 8, 0, STATUS_HEADER},                 /* power */
      {112, 8, 0, STATUS_HEADER},                 /* within */
      {112, 8, 0x3ff0000000000000, STATUS_OK},
      {112, 8, 0x3ff0000000000001, STATUS_HEADER},
      {112, 8, 0x7ff8000000000000, STATUS_HEADER},
      {120, 4, 0, STATUS_OK}, /* order */
      {120, 4, 2, STATUS_HEADER},
      {124, 4, 0, STATUS_HEADER}, /* pairs */
      {124, 4, UINT32_MAX, STATUS_OK},
      {144, 8, 0x7ff0000000000000, STATUS_NOT_FINITE},
  };
  for (size_t i = 0; i < COUNT(CASES); i++) {
    size_t bytes;
    unsigned char *blob = write_model(&bytes);
    check_forged(blob, bytes, &CASES[i], read_in_full);
    free(blob);
  }
}

UNIT_MAIN(cmocka_unit_test(within_of_diagonals), cmocka_unit_test(within_refusals),
          cmocka_unit_test(within_out_of_memory), cmocka_unit_test(within_matrix_of_pairs),
          cmocka_unit_test(within_in_the_format), cmocka_unit_test(within_forged))
