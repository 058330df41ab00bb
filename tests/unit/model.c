/*
** core/model: the format as specified, byte by byte; round trips; and what must be refused: every flipped bit, every
** other length, and headers that lie under a right hash.
*/
#include "core/model.h"

#include "blobs.h"

/* d = 3, k = 2 */
static const double MEAN[] = {1, -2.5, 1e-300}, EIGENVALUES[] = {4, 1, 0.25}, ROWS[] = {1, 2, 3},
                    COLUMNS[] = {0.5, 7};
static const float KERNEL[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, INVERSE[] = {-1, -2, -3, -4, -5, -6, -7, -8, -9};

static struct model sample(enum model_method method, uint32_t flags) {
  int keeps_d = method != MODEL_PCA && method != MODEL_PCA_COR, imported = (flags & MODEL_IMPORTED) != 0;
  struct model m = {.header = {.d = 3,
                               .k = 2,
                               .m = keeps_d ? 3 : 2,
                               .rank = 3,
                               .n = 100,
                               .weight = 123.5,
                               .method = method,
                               .flags = flags,
                               .remove = 1,
                               .ridge = 0.125,
                               .rho = 0.5,
                               .ridge_added = 2,
                               .power = 0.75},
                    .mean = MEAN,
                    .kernel = KERNEL};
  if (imported) m.header.remove = 0;
  if (!imported) m.eigenvalues = EIGENVALUES;
  if (flags & MODEL_SCALES) m.row_scale = ROWS, m.column_scale = COLUMNS;
  if (flags & MODEL_INVERSE) m.inverse = INVERSE;
  return m;
}

/* A block of exactly that size, so that a sanitizer sees the first byte behind it. */
static unsigned char *write_sample(enum model_method method, uint32_t flags, size_t *bytes) {
  struct model m = sample(method, flags);
  *bytes = model_size(&m.header);
  unsigned char *blob = malloc(*bytes);
  memset(blob, 0xee, *bytes);
  model_write(&m, blob);
  return blob;
}

TEST(model_layout) {
  size_t bytes;
  unsigned char *blob = write_sample(MODEL_PCA_COR, MODEL_SCALES | MODEL_NORMALIZE, &bytes);
  assert_int_equal(bytes, 128 + 3 * 8 + 3 * 8 + 3 * 8 + 2 * 8 + 6 * 4);
  assert_memory_equal(blob, "whitenM\0\1\0\0\0\4\3\2\1", 16);
  assert_int_equal(number_at(blob, 16, 8), bytes);
  assert_int_equal(number_at(blob, 24, 8), hash_xxh64(blob + 32, bytes - 32, hash_xxh64(blob, 24, 0)));
  static const uint32_t INTEGERS[] = {3, 2, 2, 3};
  for (size_t i = 0; i < COUNT(INTEGERS); i++) assert_int_equal(number_at(blob, 32 + 4 * i, 4), INTEGERS[i]);
  assert_int_equal(number_at(blob, 48, 8), 100);
  assert_same_double(double_at(blob, 56), 123.5);
  assert_int_equal(number_at(blob, 64, 4), 2);
  assert_int_equal(number_at(blob, 68, 4), 9);
  assert_int_equal(number_at(blob, 72, 4), 1);
  assert_int_equal(number_at(blob, 76, 4), 0);
  assert_same_double(double_at(blob, 80), 0.125);
  assert_same_double(double_at(blob, 88), 0.5);
  assert_same_double(double_at(blob, 96), 2);
  assert_same_double(double_at(blob, 104), 0.75);
  for (size_t i = 112; i < 128; i++) assert_int_equal(blob[i], 0);
  for (size_t i = 0; i < 3; i++) {
    assert_same_double(double_at(blob, 128 + 8 * i), MEAN[i]);
    assert_same_double(double_at(blob, 152 + 8 * i), EIGENVALUES[i]);
    assert_same_double(double_at(blob, 176 + 8 * i), ROWS[i]);
    if (i < 2) assert_same_double(double_at(blob, 200 + 8 * i), COLUMNS[i]);
  }
  for (size_t i = 0; i < 6; i++) assert_int_equal(number_at(blob, 216 + 4 * i, 4), bits_of(KERNEL[i]));
  free(blob);
}

static const struct {
  enum model_method method;
  uint32_t flags;
} KINDS[] = {{MODEL_PCA, MODEL_SCALES},
             {MODEL_PCA_COR, MODEL_SCALES | MODEL_NORMALIZE},
             {MODEL_ZCA, MODEL_INVERSE | MODEL_OAS},
             {MODEL_ZCA_COR, MODEL_INVERSE},
             {MODEL_CHOLESKY, MODEL_INVERSE},
             {MODEL_PCA, MODEL_IMPORTED},
             {MODEL_PCA, MODEL_IMPORTED | MODEL_INVERSE},
             {MODEL_PCA, MODEL_SCALES | MODEL_SINGLE}};

static void check_array(const void *found, const void *expected, size_t bytes) {
  if (expected == NULL)
    assert_null(found);
  else
    assert_memory_equal(found, expected, bytes);
}

TEST(model_round_trip) {
  for (size_t i = 0; i < COUNT(KINDS); i++) {
    size_t bytes;
    unsigned char *blob = write_sample(KINDS[i].method, KINDS[i].flags, &bytes);
    struct model m = sample(KINDS[i].method, KINDS[i].flags);
    struct model_header h;
    struct model_arrays arrays;
    assert_int_equal(model_read(blob, bytes, &h, &arrays), STATUS_OK);
    assert_int_equal(blob_check_hash(blob, bytes), STATUS_OK);
    assert_int_equal(model_check_finite(&h, &arrays), STATUS_OK);
    assert_int_equal(h.size, bytes);
    assert_int_equal(h.hash, blob_get64(blob, BLOB_HASH));
    assert_true(h.d == 3 && h.k == 2 && h.m == m.header.m && h.rank == 3 && h.n == 100 && h.weight == 123.5);
    assert_true(h.method == KINDS[i].method && h.flags == KINDS[i].flags && h.remove == m.header.remove);
    assert_true(h.ridge == 0.125 && h.rho == 0.5 && h.ridge_added == 2 && h.power == 0.75);
    check_array(arrays.mean, m.mean, sizeof MEAN);
    check_array(arrays.eigenvalues, m.eigenvalues, sizeof EIGENVALUES);
    check_array(arrays.row_scale, m.row_scale, sizeof ROWS);
    check_array(arrays.column_scale, m.column_scale, sizeof COLUMNS);
    check_array(arrays.kernel, m.kernel, 12 * (size_t)h.m);
    check_array(arrays.inverse, m.inverse, 12 * (size_t)h.m);
    assert_true(model_is_model(blob, bytes) && !moments_are_in(blob, bytes));
    assert_int_equal(read_stats(blob, bytes), STATUS_FOREIGN);
    free(blob);
  }
}

TEST(model_every_flipped_bit) {
  for (size_t i = 0; i < COUNT(KINDS); i++) {
    size_t bytes;
    unsigned char *blob = write_sample(KINDS[i].method, KINDS[i].flags, &bytes);
    check_flipped_bits(blob, bytes, read_in_full);
    free(blob);
  }
}

TEST(model_every_other_length) {
  for (size_t i = 0; i < COUNT(KINDS); i++) {
    size_t bytes;
    unsigned char *blob = write_sample(KINDS[i].method, KINDS[i].flags, &bytes);
    check_lengths(blob, bytes, 128, read_in_full);
    struct model_header h;
    struct model_arrays arrays;
    assert_int_equal(model_read(blob, 128, &h, &arrays), STATUS_TRUNCATED);
    assert_int_equal(h.size, bytes); /* for the message */
    assert_int_equal(model_read(blob, 127, &h, &arrays), STATUS_TRUNCATED);
    assert_int_equal(h.size, 128);
    free(blob);
  }
}

/* Of a pca-cor sample. */
static const struct forged FORGED[] = {
    {0, 1, 'W', STATUS_FOREIGN},
    {6, 1, 'S', STATUS_FOREIGN},
    {7, 1, 1, STATUS_FOREIGN},
    {8, 4, 0, STATUS_VERSION},
    {8, 4, 3, STATUS_VERSION},
    {8, 4, 2, STATUS_HEADER}, /* nothing in it needs version 2 */
    {12, 4, 0x04030201, STATUS_BYTE_ORDER},
    {12, 4, 0x02010403, STATUS_HEADER},
    {16, 8, 0, STATUS_TRUNCATED},
    {16, 8, UINT64_MAX, STATUS_TRUNCATED},
    {32, 4, 0, STATUS_HEADER}, /* d */
    {32, 4, 4, STATUS_HEADER},
    {32, 4, 16384, STATUS_HEADER},
    {32, 4, 16385, STATUS_HEADER},
    {32, 4, 0x80000003, STATUS_HEADER},
    {32, 4, UINT32_MAX, STATUS_HEADER},
    {36, 4, 0, STATUS_HEADER}, /* k */
    {36, 4, 3, STATUS_HEADER},
    {36, 4, 4, STATUS_HEADER},
    {36, 4, UINT32_MAX, STATUS_HEADER},
    {40, 4, 0, STATUS_HEADER}, /* m */
    {40, 4, 3, STATUS_HEADER},
    {40, 4, 16385, STATUS_HEADER},
    {40, 4, 0x40000002, STATUS_HEADER},
    {40, 4, UINT32_MAX, STATUS_HEADER},
    {44, 4, 4, STATUS_HEADER}, /* rank */
    {44, 4, UINT32_MAX, STATUS_HEADER},
    {48, 8, UINT64_MAX, STATUS_HEADER}, /* n = -1 */
    {48, 8, (uint64_t)1 << 63, STATUS_HEADER},
    {56, 8, 0xbff0000000000000, STATUS_HEADER}, /* weight -1, infinite, NaN */
    {56, 8, 0x7ff0000000000000, STATUS_HEADER},
    {56, 8, 0x7ff8000000000000, STATUS_HEADER},
    {64, 4, 5, STATUS_HEADER}, /* method */
    {64, 4, 1, STATUS_HEADER},
    {64, 4, UINT32_MAX, STATUS_HEADER},
    {68, 4, 8 + 64, STATUS_HEADER}, /* flags */
    {68, 4, 8 + 128, STATUS_HEADER},
    {68, 4, 8 + 256, STATUS_HEADER},
    {68, 4, 0, STATUS_HEADER},
    {68, 4, 8 + 16, STATUS_HEADER},
    {68, 4, 8 + 4, STATUS_HEADER},
    {68, 4, 0x80000008, STATUS_HEADER},
    {72, 4, 2, STATUS_HEADER}, /* remove + k > d */
    {72, 4, 3, STATUS_HEADER},
    {72, 4, UINT32_MAX, STATUS_HEADER},
    {76, 4, 1, STATUS_HEADER}, /* side */
    {112, 8, 1, STATUS_HEADER},
    {120, 8, (uint64_t)1 << 63, STATUS_HEADER},
    {80, 8, 0xbff0000000000000, STATUS_HEADER}, /* ridge */
    {80, 8, 0x7ff0000000000000, STATUS_HEADER},
    {80, 8, 0x7ff8000000000000, STATUS_HEADER},
    {88, 8, 0xbfb0000000000000, STATUS_HEADER}, /* rho */
    {88, 8, 0x3ff0000000000001, STATUS_HEADER},
    {88, 8, 0x7ff8000000000000, STATUS_HEADER},
    {96, 8, 0xbff0000000000000, STATUS_HEADER}, /* ridge added */
    {96, 8, 0x7ff0000000000000, STATUS_HEADER},
    {96, 8, 0xfff8000000000000, STATUS_HEADER},
    {104, 8, 0xbfb0000000000000, STATUS_HEADER}, /* power */
    {104, 8, 0x3ff0000000000001, STATUS_HEADER},
    {104, 8, 0x7ff8000000000000, STATUS_HEADER},
    {128, 8, 0x7ff8000000000000, STATUS_NOT_FINITE}, /* mean, eigenvalues, scales, kernel */
    {144, 8, 0xfff0000000000000, STATUS_NOT_FINITE},
    {168, 8, 0x7ff0000000000000, STATUS_NOT_FINITE},
    {192, 8, 0x7ff0000000000001, STATUS_NOT_FINITE},
    {208, 8, 0x7ff0000000000000, STATUS_NOT_FINITE},
    {216, 4, 0x7f800000, STATUS_NOT_FINITE},
    {236, 4, 0xffc00000, STATUS_NOT_FINITE},
};

TEST(model_forged_fields) {
  for (size_t i = 0; i < COUNT(FORGED); i++) {
    size_t bytes;
    unsigned char *blob = write_sample(MODEL_PCA_COR, MODEL_SCALES, &bytes);
    check_forged(blob, bytes, &FORGED[i], read_in_full);
    free(blob);
  }
  size_t bytes;
  unsigned char *blob = write_sample(MODEL_ZCA, MODEL_INVERSE, &bytes);
  put_number(blob, bytes - 4, 4, 0x7f800000); /* the last element of the inverse */
  rehash(blob, bytes);
  assert_int_equal(read_in_full(blob, bytes), STATUS_NOT_FINITE);
  free(blob);
}

/* Sizes whose product is beyond 2^32 or 2^64, or just right for a few bytes, in d, k and m at once. */
TEST(model_forged_sizes) {
  static const uint32_t SIZES[] = {0,          1,          2,          3,          5,          16383,
                                   16384,      16385,      65536,      0x20000000, 0x3fffffff, 0x40000000,
                                   0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
  static const uint32_t FLAGS[] = {MODEL_SCALES, MODEL_INVERSE, MODEL_IMPORTED, MODEL_IMPORTED | MODEL_INVERSE};
  size_t bytes;
  unsigned char *blob = write_sample(MODEL_PCA, MODEL_SCALES, &bytes);
  for (size_t d = 0; d < COUNT(SIZES); d++)
    for (size_t k = 0; k < COUNT(SIZES); k++)
      for (size_t m = 0; m < COUNT(SIZES); m++)
        for (size_t f = 0; f < COUNT(FLAGS); f++)
          for (uint32_t method = 0; method < 2; method++) {
            struct model_header h = {.d = SIZES[d], .k = SIZES[k], .m = SIZES[m], .flags = FLAGS[f]};
            put_number(blob, 32, 4, h.d);
            put_number(blob, 36, 4, h.k);
            put_number(blob, 40, 4, h.m);
            put_number(blob, 64, 4, method);
            put_number(blob, 68, 4, h.flags);
            put_number(blob, 72, 4, 0);
            rehash(blob, bytes);
            int is_sample = h.d == 3 && h.k == 2 && h.m == 2 && h.flags == MODEL_SCALES && method == 0;
            assert_int_equal(read_in_full(blob, bytes), is_sample ? STATUS_OK : STATUS_HEADER);
          }
  free(blob);
}

/* Models of every size that are consistent in themselves: d up to 16384, k up to d. */
TEST(model_limits) {
  static const struct {
    uint32_t d, k;
    enum status status;
  } SIZES[] = {{16384, 1, STATUS_OK},     {16385, 1, STATUS_HEADER}, {1, 1, STATUS_OK},
               {3, 4, STATUS_HEADER},     {1, 2, STATUS_HEADER},     {1, 16385, STATUS_HEADER},
               {1, 16384, STATUS_HEADER}, {20000, 3, STATUS_HEADER}};
  double *zeros = calloc(20000, sizeof *zeros);
  float *kernel_zeros = calloc(60000, sizeof *kernel_zeros);
  for (size_t i = 0; i < COUNT(SIZES); i++) {
    struct model m = {.header = {.d = SIZES[i].d, .k = SIZES[i].k, .m = SIZES[i].k, .flags = MODEL_IMPORTED},
                      .mean = zeros,
                      .kernel = kernel_zeros};
    size_t bytes = model_size(&m.header);
    unsigned char *blob = malloc(bytes);
    model_write(&m, blob);
    assert_int_equal(read_in_full(blob, bytes), SIZES[i].status);
    free(blob);
  }
  free(zeros);
  free(kernel_zeros);
}

TEST(model_foreign) {
  static const char *const TEXTS[] = {"", "w", "whiten", "whitenX", "SQLite format 3", "{\"k\":1}", "whitenM"};
  for (size_t i = 0; i < COUNT(TEXTS); i++) {
    size_t n = strlen(TEXTS[i]);
    assert_int_equal(read_in_full(TEXTS[i], n), STATUS_FOREIGN);
    assert_int_equal(read_stats(TEXTS[i], n), STATUS_FOREIGN);
    assert_false(model_is_model(TEXTS[i], n) || moments_are_in(TEXTS[i], n));
  }
  struct model_header h;
  struct model_arrays arrays;
  assert_int_equal(model_read(NULL, 0, &h, &arrays), STATUS_FOREIGN);
  assert_int_equal(read_stats(NULL, 0), STATUS_FOREIGN);
  assert_int_equal(read_in_full("whitenM", 8), STATUS_TRUNCATED);
}

TEST(model_unaligned) {
  size_t bytes;
  unsigned char *blob = write_sample(MODEL_ZCA, MODEL_INVERSE, &bytes), *moved = malloc(bytes + 1);
  memcpy(moved + 1, blob, bytes);
  assert_int_equal(read_in_full(moved + 1, bytes), STATUS_OK);
  free(blob);
  free(moved);
}

/* Refused or not, nothing may be read outside. */
TEST(model_random_bytes) {
  struct random r = {random_seed()};
  for (int i = 0; i < 10000; i++) {
    size_t bytes;
    unsigned char *blob = write_sample(MODEL_PCA, MODEL_SCALES, &bytes);
    change_at_random(&r, blob, bytes);
    (void)read_in_full(blob, bytes);
    free(blob);
  }
}

TEST(model_names) {
  static const char *const NAMES[] = {"pca", "zca", "pca-cor", "zca-cor", "cholesky"};
  for (uint32_t i = 0; i < MODEL_METHODS; i++) assert_string_equal(model_method_name(i), NAMES[i]);
  assert_null(model_method_name(MODEL_METHODS));
  assert_null(model_method_name(UINT32_MAX));
}

UNIT_MAIN(cmocka_unit_test(model_layout), cmocka_unit_test(model_round_trip),
          cmocka_unit_test(model_every_flipped_bit), cmocka_unit_test(model_every_other_length),
          cmocka_unit_test(model_forged_fields), cmocka_unit_test(model_forged_sizes),
          cmocka_unit_test(model_limits), cmocka_unit_test(model_foreign), cmocka_unit_test(model_unaligned),
          cmocka_unit_test(model_random_bytes), cmocka_unit_test(model_names))
