/*
** core/json, reading: against constants of numpy (numpy.float32(json.loads(text))) and against strtod of glibc,
** which rounds correctly; refusals with their offset. json_write.c has the writing, json_locale.c the locales.
*/
#include "core/json.h"

#include "unit.h"

static enum status read_text(const char *text, size_t cap, float *out, size_t *count, struct json_fault *fault) {
  return json_read(text, strlen(text), cap, out, count, fault);
}

static float read_one(const char *number) {
  char text[2048];
  float x = NAN;
  size_t count;
  struct json_fault fault;
  assert_true(snprintf(text, sizeof text, "[%s]", number) < (int)sizeof text);
  if (read_text(text, 1, &x, &count, &fault) != STATUS_OK || count != 1) fail_msg("%s is not read", text);
  return x;
}

static const struct {
  const char *text;
  uint32_t bits;
} NUMBERS[] = {
    {"0", 0x00000000},
    {"-0", 0x80000000},
    {"0.0", 0x00000000},
    {"-0.0e5", 0x80000000},
    {"1", 0x3f800000},
    {"-1", 0xbf800000},
    {"0.1", 0x3dcccccd},
    {"1e0", 0x3f800000},
    {"1E0", 0x3f800000},
    {"1e+0", 0x3f800000},
    {"1e-0", 0x3f800000},
    {"3.25", 0x40500000},
    {"123456789", 0x4ceb79a3},
    {"0.3", 0x3e99999a},
    {"1e10", 0x501502f9},
    {"1e22", 0x64078678},
    {"1e23", 0x65a96816},
    {"-2.5e-3", 0xbb23d70a},
    {"16777217", 0x4b800000},
    {"16777219", 0x4b800002},
    {"16777217.0000000001", 0x4b800000},
    {"16777216.9999999999", 0x4b800000},
    {"1.000000059604644775390625", 0x3f800000},
    {"1.000000059604645775390625", 0x3f800001},
    {"1.000000059604643775390625", 0x3f800000},
    {"1.000000059604644775390625000001", 0x3f800000},
    {"1.000000059604644775390624999999", 0x3f800000},
    {"1.000000178813934326171875", 0x3f800002},
    {"1.000000178813934326171875000001", 0x3f800002},
    {"1.000000178813934326171874999999", 0x3f800002},
    {"0.50000002980232238769531250", 0x3f000000},
    {"33554434e0", 0x4c000000},
    {"33554435", 0x4c000001},
    {"8388608.5", 0x4b000000},
    {"8388609.5", 0x4b000002},
    {"12345678901234567", 0x5a2f7151},
    {"123456789012345678", 0x5bdb4da6},
    {"1234567890123456789", 0x5d891088},
    {"12345678901234567890", 0x5f2b54aa},
    {"9007199254740993", 0x5a000000},
    {"9223372036854775808", 0x5f000000},
    {"18446744073709551615", 0x5f800000},
    {"18446744073709551616", 0x5f800000},
    {"0.12345678901234567890", 0x3dfcd6ea},
    {"9999999999999999999", 0x5f0ac723},
    {"99999999999999999999999999", 0x6aa56fa6},
    {"1000000000000000000000000000", 0x6c4ecb8f},
    {"0.1000000000000000055511151231257827021181583404541015625", 0x3dcccccd},
    {"3.14159265358979323846264338327950288419716939937510", 0x40490fdb},
    {"1.00000000000000000000000000000000000000000000000001", 0x3f800000},
    {"0.0000000000000000000000000000000000000000000000000000000000001e60", 0x3dcccccd},
    {"1000000000000000000000000000000000000000000000000000000000000e-60", 0x3f800000},
    {"123456789000000000000000000000000000000e-35", 0x449a522c},
    {"0.000000000000000000000000000000123456789e25", 0x35a5b36e},
    {"1e-45", 0x00000001},
    {"1.4e-45", 0x00000001},
    {"1.40129846432481707092372958328991613128026194187651577175706828388979108268586060148663818836212158"
     "203125E-45",
     0x00000001},
    {"7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791"
     "015625E-46",
     0x00000000},
    {"7.00649232162409535461864791644958065640130970938257885878534141944895541342930300743319094181060791"
     "015625E-46",
     0x00000001},
    {"7.00649232162407535461864791644958065640130970938257885878534141944895541342930300743319094181060791"
     "015625E-46",
     0x00000000},
    {"2.10194769648722560638559437493487419692039291281477365763560242583468662402879090222995728254318237"
     "3046875E-45",
     0x00000002},
    {"3.50324616081204267730932395822479032820065485469128942939267070972447770671465150371659547090530395"
     "5078125E-45",
     0x00000002},
    {"1.1754943e-38", 0x00800000},
    {"1.17549435e-38", 0x00800000},
    {"1.1754942e-38", 0x007fffff},
    {"5.877471754111438e-39", 0x00400000},
    {"1e-40", 0x000116c2},
    {"-1e-42", 0x800002ca},
    {"1e-46", 0x00000000},
    {"1e-400", 0x00000000},
    {"-1e-99999999999999999999", 0x80000000},
    {"0e99999999999999999999", 0x00000000},
    {"0.0000e-99999999999999999999", 0x00000000},
    {"3.4028234663852886e38", 0x7f7fffff},
    {"3.4028235e38", 0x7f7fffff},
    {"3.4028235677973362e38", 0x7f7fffff},
    {"340282346638528859811704183484516925440", 0x7f7fffff},
    {"-3.4028235e+38", 0xff7fffff},
    {"0.00000000034028235e48", 0x7f7fffff},
    {"1e38", 0x7e967699},
};

TEST(json_reads_nearest) {
  for (size_t i = 0; i < COUNT(NUMBERS); i++) {
    uint32_t bits = bits_of(read_one(NUMBERS[i].text));
    if (bits != NUMBERS[i].bits)
      fail_msg("%s is read as %08x, expected %08x", NUMBERS[i].text, bits, NUMBERS[i].bits);
  }
}

/* `digit` a thousand times between a beginning and an end. */
static float read_long(const char *begin, char digit, const char *end) {
  char text[1100], middle[1001];
  memset(middle, digit, 1000);
  middle[1000] = 0;
  snprintf(text, sizeof text, "%s%s%s", begin, middle, end);
  return read_one(text);
}

/* The value is 1, or 10^36, as near as makes no difference. */
TEST(json_reads_long_numbers) {
  assert_same_float(read_long("0.", '0', "1e1001"), 1);
  assert_same_float(read_long("1", '0', "e-1000"), 1);
  assert_same_float(read_long("", '9', "e-1000"), 1);
  assert_same_float(read_long("", '9', "e-964"), 1e36f);
  assert_same_float(read_long("0.", '9', "e36"), 1e36f);
}

TEST(json_overflow) {
  static const char *const TEXTS[] = {"[1,3.4028235677973366e38]",
                                      "[1,3.4028236e38]",
                                      "[1,-3.5e38]",
                                      "[1, 1e39]",
                                      "[1,1e308]",
                                      "[1,1e309]",
                                      "[1,1e400]",
                                      "[1,-1e99999999999999999999]",
                                      "[1,1000000000000000000000000000000000000000,2]",
                                      "[1,9e38,x"};
  float out[3];
  size_t count;
  struct json_fault fault;
  for (size_t i = 0; i < COUNT(TEXTS); i++) {
    assert_int_equal(read_text(TEXTS[i], 3, out, &count, &fault), STATUS_OVERFLOW);
    assert_int_equal(fault.index, 1);
  }
}

/* What stops the reader, at which byte and element, and what it asks for there. */
static const struct {
  const char *text;
  size_t offset, index;
  const char *expected;
} MALFORMED[] = {
    {"", 0, 0, "'['"},
    {" \t", 2, 0, "'['"},
    {"1", 0, 0, "'['"},
    {"{}", 0, 0, "'['"},
    {"{\"a\":[1]}", 0, 0, "'['"},
    {"null", 0, 0, "'['"},
    {"\"[1]\"", 0, 0, "'['"},
    {"\xc2\xa0[1]", 0, 0, "'['"},
    {"\xef\xbb\xbf[1]", 0, 0, "'['"},
    {"\v[1]", 0, 0, "'['"},
    {"\f[1]", 0, 0, "'['"},
    {"]", 0, 0, "'['"},
    {"(1)", 0, 0, "'['"},
    {"[", 1, 0, "a number"},
    {"[ ", 2, 0, "a number"},
    {"[,", 1, 0, "a number"},
    {"[,1]", 1, 0, "a number"},
    {"[1,]", 3, 1, "a number"},
    {"[1, ]", 4, 1, "a number"},
    {"[1,", 3, 1, "a number"},
    {"[1,,2]", 3, 1, "a number"},
    {"[-]", 2, 0, "a number"},
    {"[--1]", 2, 0, "a number"},
    {"[- 1]", 2, 0, "a number"},
    {"[+1]", 1, 0, "a number"},
    {"[.5]", 1, 0, "a number"},
    {"[-.5]", 2, 0, "a number"},
    {"[NaN]", 1, 0, "a number"},
    {"[nan]", 1, 0, "a number"},
    {"[Infinity]", 1, 0, "a number"},
    {"[-Infinity]", 2, 0, "a number"},
    {"[inf]", 1, 0, "a number"},
    {"[null]", 1, 0, "a number"},
    {"[true]", 1, 0, "a number"},
    {"[\"1\"]", 1, 0, "a number"},
    {"[[1]]", 1, 0, "a number"},
    {"[{}]", 1, 0, "a number"},
    {"[e5]", 1, 0, "a number"},
    {"[\xd9\xa1]", 1, 0, "a number"},
    {"[\v1]", 1, 0, "a number"},
    {"[01]", 2, 0, "no digit behind a leading zero"},
    {"[-01]", 3, 0, "no digit behind a leading zero"},
    {"[1,00]", 4, 1, "no digit behind a leading zero"},
    {"[00.5]", 2, 0, "no digit behind a leading zero"},
    {"[1.]", 3, 0, "a digit behind the decimal point"},
    {"[1.e5]", 3, 0, "a digit behind the decimal point"},
    {"[0.-5]", 3, 0, "a digit behind the decimal point"},
    {"[1.", 3, 0, "a digit behind the decimal point"},
    {"[1e]", 3, 0, "a digit in the exponent"},
    {"[1e+]", 4, 0, "a digit in the exponent"},
    {"[1E-", 4, 0, "a digit in the exponent"},
    {"[1e.5]", 3, 0, "a digit in the exponent"},
    {"[1e 5]", 3, 0, "a digit in the exponent"},
    {"[1e+-5]", 4, 0, "a digit in the exponent"},
    {"[1", 2, 1, "',' or ']'"},
    {"[1 ", 3, 1, "',' or ']'"},
    {"[1 2]", 3, 1, "',' or ']'"},
    {"[1;2]", 2, 1, "',' or ']'"},
    {"[1,2}", 4, 2, "',' or ']'"},
    {"[1.2.3]", 4, 1, "',' or ']'"},
    {"[1e5.5]", 4, 1, "',' or ']'"},
    {"[0x10]", 2, 1, "',' or ']'"},
    {"[1f]", 2, 1, "',' or ']'"},
    {"[1e5e5]", 4, 1, "',' or ']'"},
    {"[1-2]", 2, 1, "',' or ']'"},
    {"[1_000]", 2, 1, "',' or ']'"},
    {"[1\xc2\xa0]", 2, 1, "',' or ']'"},
    {"[1 /* one */]", 3, 1, "',' or ']'"},
    {"[]x", 2, 0, "the end of the text"},
    {"[] []", 3, 0, "the end of the text"},
    {"[1]]", 3, 1, "the end of the text"},
    {"[1],", 3, 1, "the end of the text"},
    {"[1] 2", 4, 1, "the end of the text"},
    {"[1]\v", 3, 1, "the end of the text"},
};

TEST(json_malformed) {
  for (size_t i = 0; i < COUNT(MALFORMED); i++) {
    float out[4];
    size_t count;
    struct json_fault fault;
    enum status rc = read_text(MALFORMED[i].text, COUNT(out), out, &count, &fault);
    if (rc != STATUS_FOREIGN || fault.offset != MALFORMED[i].offset || fault.index != MALFORMED[i].index ||
        strcmp(fault.expected, MALFORMED[i].expected) != 0)
      fail_msg("'%s': status %d, %s at byte %zu of element %zu", MALFORMED[i].text, (int)rc, fault.expected,
               fault.offset, fault.index);
  }
}

/* Every beginning of a good text is refused where it ends; and a zero byte does not end one. */
TEST(json_truncated) {
  static const char TEXT[] = " [ -12.5e-1 , 0.25,3E+2 ]";
  float out[3];
  size_t count;
  struct json_fault fault;
  for (size_t n = 0; n < sizeof TEXT - 1; n++) {
    char text[sizeof TEXT] = {0};
    memcpy(text, TEXT, n);
    assert_int_equal(json_read(text, n, 3, out, &count, &fault), STATUS_FOREIGN);
    assert_int_equal(fault.offset, n);
  }
  assert_int_equal(json_read(TEXT, sizeof TEXT - 1, 3, out, &count, &fault), STATUS_OK);
  assert_int_equal(json_read("[1\0]", 4, 3, out, &count, &fault), STATUS_FOREIGN);
  assert_int_equal(fault.offset, 2);
  assert_int_equal(json_read("[1]\0", 4, 3, out, &count, &fault), STATUS_FOREIGN);
  assert_int_equal(fault.offset, 3);
}

TEST(json_arrays) {
  float out[4] = {7, 7, 7, 7};
  size_t count;
  struct json_fault fault;
  assert_int_equal(read_text("[]", 4, out, &count, &fault), STATUS_OK);
  assert_int_equal(count, 0);
  assert_int_equal(read_text("\r\n[ \t]\n", 0, out, &count, &fault), STATUS_OK);
  assert_int_equal(count, 0);
  assert_int_equal(read_text("\t[\n1\r,2 ,\t-3.5 , 4e0 ] \r\n", 4, out, &count, &fault), STATUS_OK);
  assert_int_equal(count, 4);
  assert_memory_equal(out, ((float[]){1, 2, -3.5f, 4}), sizeof out);
  assert_int_equal(read_text("[5,6,8]", 2, out, &count, &fault), STATUS_DIM);
  assert_int_equal(read_text("[5]", 0, out, &count, &fault), STATUS_DIM);
  assert_int_equal(json_count("[1,2,3]", 7), 3);
  assert_int_equal(json_count("[]", 2), 1);
  assert_int_equal(json_count("", 0), 1);
}

/* glibc's strtod in the C locale rounds correctly: an independent reader for whatever the random text is. */
static void compare_with_strtod(const char *number) {
  float expected = (float)strtod(number, NULL);
  if (!isfinite(expected)) return;
  if (bits_of(read_one(number)) != bits_of(expected)) fail_msg("%s is not read as %.9g", number, (double)expected);
}

TEST(json_reads_random_digits) {
  struct random r = {random_seed()};
  for (int i = 0; i < repeats(20000); i++) {
    char text[64];
    size_t digits = 1 + random_below(&r, 24), point = random_below(&r, digits + 1), n = 0;
    if (random_below(&r, 2)) text[n++] = '-';
    if (point == 0) text[n++] = '0';
    for (size_t d = 0; d < digits; d++) {
      if (d == point) text[n++] = '.';
      text[n++] = (char)('0' + (d == 0 ? 1 + random_below(&r, 9) : random_below(&r, 10)));
    }
    int exponent = (int)random_below(&r, 100) - 55;
    snprintf(text + n, sizeof text - n, "e%d", exponent);
    if (random_below(&r, 3) == 0) text[n] = 0;
    compare_with_strtod(text);
  }
}

/* The middle between two neighbouring float32, written exactly or cut after 15 to 20 digits. */
TEST(json_reads_near_halfway) {
  struct random r = {random_seed() + 1};
  for (int i = 0; i < repeats(20000); i++) {
    char text[80];
    uint32_t bits = (uint32_t)random_below(&r, 0x7f7fffff);
    if (i % 2) bits = bits_of((float)exp(30 * (random_uniform(&r) - 0.5)));
    double middle = ((double)float_of(bits) + (double)float_of(bits + 1)) / 2;
    int digits = random_below(&r, 2) ? 50 : 15 + (int)random_below(&r, 6);
    snprintf(text, sizeof text, "%.*e", digits - 1, middle);
    compare_with_strtod(text);
  }
}

UNIT_MAIN(cmocka_unit_test(json_reads_nearest), cmocka_unit_test(json_reads_long_numbers),
          cmocka_unit_test(json_overflow), cmocka_unit_test(json_malformed), cmocka_unit_test(json_truncated),
          cmocka_unit_test(json_arrays), cmocka_unit_test(json_reads_random_digits),
          cmocka_unit_test(json_reads_near_halfway))
