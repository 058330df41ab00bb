/* core/json, writing: the shortest text that reads back to the same bits, against a search for anything shorter. */
#include "core/json.h"

#include "unit.h"

static size_t significant_digits(const char *text) {
  size_t digits = 0, zeros = 0;
  for (const char *p = text; *p && *p != 'e'; p++) {
    if (*p < '0' || *p > '9' || (*p == '0' && digits == 0)) continue;
    digits++;
    zeros = *p == '0' ? zeros + 1 : 0;
  }
  return digits - zeros;
}

/* Whether one of the two decimals of `digits` digits around x reads back to x. */
static int reads_back(float x, size_t digits) {
  char text[32];
  snprintf(text, sizeof text, "%.*e", (int)digits - 1, (double)x);
  double near = strtod(text, NULL), unit = pow(10, atoi(strchr(text, 'e') + 1) - (int)digits + 1);
  if ((float)near == x) return 1;
  snprintf(text, sizeof text, "%.*e", (int)digits - 1, near < x ? near + unit : near - unit);
  return (float)strtod(text, NULL) == x;
}

static void check_written(uint32_t bits) {
  float x = float_of(bits), back;
  char text[JSON_NUMBER_MAX + 3] = {'['};
  size_t count, n = json_write_number(x, text + 1);
  struct json_fault fault;
  assert_in_range(n, 1, JSON_NUMBER_MAX);
  text[n + 1] = 0;
  if (bits_of((float)strtod(text + 1, NULL)) != bits) fail_msg("%s does not read back to %08x", text + 1, bits);
  size_t digits = significant_digits(text + 1);
  if (digits > 1 && reads_back(x, digits - 1)) fail_msg("%s (%08x) is not the shortest", text + 1, bits);
  text[n + 1] = ']';
  text[n + 2] = 0;
  if (json_read(text, n + 2, 1, &back, &count, &fault) != STATUS_OK || bits_of(back) != bits)
    fail_msg("%s is not read back to %08x", text, bits);
}

TEST(json_writes_powers_of_two) {
  for (uint32_t exponent = 0; exponent < 255; exponent++)
    for (uint32_t sign = 0; sign < 2; sign++)
      for (uint32_t step = 0; step < 3; step++)
        check_written((sign << 31 | exponent << 23) + (exponent ? step - 1 : step));
}

TEST(json_writes_random_bits) {
  struct random r = {random_seed() + 2};
  for (int i = 0; i < repeats(50000); i++) {
    uint32_t bits = (uint32_t)random_bits(&r);
    if (i % 8 == 0) bits &= 0x807fffffu; /* denormals */
    if ((bits & 0x7f800000u) != 0x7f800000u) check_written(bits);
  }
}

/* Plain from 1e-5 to 1e16, scientific outside, as JavaScript writes numbers but for the + of an exponent. */
static const char *const TEXTS[] = {"0",
                                    "-0",
                                    "1",
                                    "-1",
                                    "9",
                                    "10",
                                    "100",
                                    "-20",
                                    "1024",
                                    "0.1",
                                    "0.3",
                                    "1.5",
                                    "-0.25",
                                    "10.5",
                                    "123456.79",
                                    "16777216",
                                    "33554432",
                                    "10000000000",
                                    "1000000000000000",
                                    "9999999000000000",
                                    "1e16",
                                    "-1.2e17",
                                    "1e38",
                                    "3.4028235e38",
                                    "0.01",
                                    "0.0001",
                                    "0.00012",
                                    "0.00001",
                                    "-0.000012345",
                                    "1e-6",
                                    "2.5e-7",
                                    "1.1754944e-38",
                                    "1e-45",
                                    "-1e-45",
                                    "1.2621775e-29"};

TEST(json_writes_layout) {
  for (size_t i = 0; i < COUNT(TEXTS); i++) {
    char text[JSON_NUMBER_MAX + 1] = {0};
    assert_in_range(json_write_number((float)strtod(TEXTS[i], NULL), text), 1, JSON_NUMBER_MAX);
    assert_string_equal(text, TEXTS[i]);
  }
}

UNIT_MAIN(cmocka_unit_test(json_writes_powers_of_two), cmocka_unit_test(json_writes_random_bits),
          cmocka_unit_test(json_writes_layout))
