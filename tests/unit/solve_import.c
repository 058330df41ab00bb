/* core/solve, imports: what is kept as it was given, the inverse that is found or not, and faults. */
#include "core/blob.h"
#include "core/solve.h"

#include "faulty_memory.h"

TEST(solve_import_keeps_what_it_gets) {
  static const float KERNEL[] = {3, 0, 4, 0, 0, 2}, BIAS[] = {-1, 2.5f, 0}; /* 3 x 2 */
  static const float INVERSE[] = {0.12f, 0.16f, 0, 0, 0, 0.5f};
  _Alignas(8) char bytes[1 + sizeof KERNEL];
  void *blob = NULL;
  uint64_t size;
  struct model_header h;
  struct model_arrays arrays;
  memcpy(bytes + 1, KERNEL, sizeof KERNEL);
  assert_int_equal(solve_import(&(struct solve_arrays){3, 2, bytes + 1, BIAS, NULL}, &faulty_memory, &blob, &size),
                   STATUS_OK);
  assert_int_equal(model_read(blob, size, &h, &arrays), STATUS_OK);
  assert_int_equal(blob_check_hash(blob, size), STATUS_OK);
  assert_true(h.d == 3 && h.k == 2 && h.m == 2 && h.n == 0);
  assert_int_equal(h.flags, MODEL_IMPORTED | MODEL_INVERSE);
  assert_null(arrays.eigenvalues);
  assert_memory_equal(arrays.kernel, KERNEL, sizeof KERNEL);
  for (size_t i = 0; i < 3; i++) {
    double mean;
    memcpy(&mean, (const char *)arrays.mean + 8 * i, 8);
    assert_near(mean, -(double)BIAS[i], 0);
  }
  for (size_t i = 0; i < 6; i++) {
    float x;
    memcpy(&x, (const char *)arrays.inverse + 4 * i, 4);
    assert_near(x, INVERSE[i], 1e-8);
  }
  faulty_release(blob);
  assert_int_equal(faulty.live, 0);
}

TEST(solve_import_without_inverse) {
  static const float TWICE[] = {1, 2, 2, 4, 3, 6}, ZERO[6] = {0}, TINY[] = {1e-40f, 0, 0, 1, 0, 0}, BIAS[3] = {0};
  static const float *const KERNELS[] = {TWICE, ZERO, TINY};
  for (size_t i = 0; i < COUNT(KERNELS); i++) {
    void *blob = NULL;
    uint64_t size;
    struct model_header h;
    struct model_arrays arrays;
    assert_int_equal(
        solve_import(&(struct solve_arrays){3, 2, KERNELS[i], BIAS, NULL}, &faulty_memory, &blob, &size),
        STATUS_OK);
    assert_int_equal(model_read(blob, size, &h, &arrays), STATUS_OK);
    assert_int_equal(h.flags, MODEL_IMPORTED);
    assert_null(arrays.inverse);
    assert_memory_equal(arrays.kernel, KERNELS[i], sizeof TWICE);
    faulty_release(blob);
  }
  assert_int_equal(faulty.live, 0);
}

/* With more columns than rows, which only an offset allows: the pseudo-inverse of (1 0 1; 0 2 0) is (.5 0; 0 .5; .5 0). */
TEST(solve_import_with_offset) {
  static const float KERNEL[] = {1, 0, 1, 0, 2, 0}, BIAS[] = {3, 4}, OFFSET[] = {0, 0, 7};
  static const float INVERSE[] = {0.5f, 0, 0, 0.5f, 0.5f, 0};
  void *blob = NULL;
  uint64_t size;
  struct model_header h;
  struct model_arrays arrays;
  double offset[3];
  assert_int_equal(solve_import(&(struct solve_arrays){2, 3, KERNEL, BIAS, OFFSET}, &faulty_memory, &blob, &size),
                   STATUS_OK);
  assert_int_equal(model_check(blob, size, &h, &arrays), STATUS_OK);
  assert_true(h.d == 2 && h.k == 2 && h.m == 3 && blob_get32(blob, BLOB_VERSION) == 2);
  assert_int_equal(h.flags, MODEL_IMPORTED | MODEL_INVERSE | MODEL_OFFSET);
  memcpy(offset, arrays.offset, sizeof offset);
  for (size_t i = 0; i < 3; i++) assert_near(offset[i], (double)OFFSET[i], 0);
  for (size_t i = 0; i < 6; i++) {
    float x;
    memcpy(&x, (const char *)arrays.inverse + 4 * i, 4);
    assert_near(x, INVERSE[i], 1e-7);
  }
  faulty_release(blob);
}

/* Zeros are no offset, so that a model has one BLOB. */
TEST(solve_import_with_zeros) {
  static const float KERNEL[] = {1, 0, 1, 0, 2, 0}, BIAS[] = {3, 4, 5}, OFFSET[] = {0, 0};
  void *blob[2] = {NULL, NULL};
  uint64_t size[2];
  for (size_t i = 0; i < 2; i++)
    assert_int_equal(solve_import(&(struct solve_arrays){3, 2, KERNEL, BIAS, i ? OFFSET : NULL}, &faulty_memory,
                                  &blob[i], &size[i]),
                     STATUS_OK);
  assert_int_equal(size[0], size[1]);
  assert_memory_equal(blob[0], blob[1], size[0]);
  faulty_release(blob[0]);
  faulty_release(blob[1]);
}

static enum status import_once(void) {
  static const float KERNEL[] = {3, 0, 4, 0, 0, 2}, BIAS[] = {-1, 2.5f, 0};
  void *blob = NULL;
  uint64_t size;
  enum status rc = solve_import(&(struct solve_arrays){3, 2, KERNEL, BIAS, NULL}, &faulty_memory, &blob, &size);
  if (rc != STATUS_OK) assert_null(blob);
  faulty_release(blob);
  return rc;
}

TEST(solve_import_out_of_memory) {
  assert_in_range(faulty_exhaust(import_once), 6, 12);
}

UNIT_MAIN(faulty_test(solve_import_keeps_what_it_gets), faulty_test(solve_import_without_inverse),
          faulty_test(solve_import_with_offset), faulty_test(solve_import_with_zeros),
          faulty_test(solve_import_out_of_memory))
