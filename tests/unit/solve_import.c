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
  assert_int_equal(solve_import(&(struct solve_arrays){3, 2, bytes + 1, BIAS}, &faulty_memory, &blob, &size),
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
    assert_int_equal(solve_import(&(struct solve_arrays){3, 2, KERNELS[i], BIAS}, &faulty_memory, &blob, &size),
                     STATUS_OK);
    assert_int_equal(model_read(blob, size, &h, &arrays), STATUS_OK);
    assert_int_equal(h.flags, MODEL_IMPORTED);
    assert_null(arrays.inverse);
    assert_memory_equal(arrays.kernel, KERNELS[i], sizeof TWICE);
    faulty_release(blob);
  }
  assert_int_equal(faulty.live, 0);
}

static enum status import_once(void) {
  static const float KERNEL[] = {3, 0, 4, 0, 0, 2}, BIAS[] = {-1, 2.5f, 0};
  void *blob = NULL;
  uint64_t size;
  enum status rc = solve_import(&(struct solve_arrays){3, 2, KERNEL, BIAS}, &faulty_memory, &blob, &size);
  if (rc != STATUS_OK) assert_null(blob);
  faulty_release(blob);
  return rc;
}

TEST(solve_import_out_of_memory) {
  assert_in_range(faulty_exhaust(import_once), 6, 12);
}

UNIT_MAIN(faulty_test(solve_import_keeps_what_it_gets), faulty_test(solve_import_without_inverse),
          faulty_test(solve_import_out_of_memory))
