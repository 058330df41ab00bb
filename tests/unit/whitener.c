/*
** core/whitener: what a model makes of vectors, to the bit, against chains of fma written out here; models are
** written by hand, with numbers that no fit would give.
*/
#include "core/whitener.h"

#include <float.h>

#include "core/simd/simd.h"
#include "faulty_memory.h"

#define MAX 101

static double mean[MAX], eigenvalues[MAX], rows[MAX], columns[MAX];
static float matrix[MAX * MAX], back[MAX * MAX];

static const enum model_method METHODS[] = {MODEL_PCA, MODEL_PCA_COR, MODEL_ZCA, MODEL_ZCA_COR, MODEL_CHOLESKY};

static int keeps_d(enum model_method method) {
  return method == MODEL_ZCA || method == MODEL_ZCA_COR || method == MODEL_CHOLESKY;
}

static void fill(struct random *r) {
  for (size_t i = 0; i < MAX; i++) {
    mean[i] = 10 * random_normal(r);
    eigenvalues[i] = 100 / (double)(i + 1);
    rows[i] = 0.5 + random_uniform(r);
    columns[i] = 0.5 + random_uniform(r);
  }
  for (size_t i = 0; i < MAX * MAX; i++) {
    matrix[i] = (float)random_normal(r);
    back[i] = (float)random_normal(r);
  }
}

/* The BLOB of a model of the arrays above; the caller frees it. */
static unsigned char *write_model(enum model_method method, uint32_t d, uint32_t k, uint32_t flags,
                                  size_t *bytes) {
  uint32_t how = flags & MODEL_IMPORTED ? 0 : keeps_d(method) ? MODEL_INVERSE : MODEL_SCALES;
  struct model m = {.header = {.d = d,
                               .k = k,
                               .m = keeps_d(method) ? d : k,
                               .rank = d,
                               .n = 7,
                               .weight = 7,
                               .power = 1,
                               .method = method,
                               .flags = flags | how},
                    .mean = mean,
                    .kernel = matrix,
                    .inverse = back};
  if (!(flags & MODEL_IMPORTED)) m.eigenvalues = eigenvalues;
  if (how == MODEL_SCALES) m.row_scale = rows, m.column_scale = columns;
  *bytes = model_size(&m.header);
  unsigned char *blob = malloc(*bytes);
  model_write(&m, blob);
  return blob;
}

static void begin(struct whitener *w, enum model_method method, uint32_t d, uint32_t k, uint32_t flags) {
  size_t bytes;
  unsigned char *blob = write_model(method, d, k, flags, &bytes);
  assert_int_equal(whitener_init(w, blob, bytes, &faulty_memory), STATUS_OK);
  memset(blob, 0xa5, bytes); /* nothing may point into it */
  free(blob);
}

static void end(struct whitener *w) {
  whitener_clear(w);
  whitener_clear(w); /* harmless twice */
  assert_int_equal(faulty.live, 0);
}

/* y_j = chain of fma over i of (float)(x_i - mean_i) * kernel_ij, from 0. */
static void apply_reference(size_t d, size_t m, const float *x, float *y) {
  for (size_t j = 0; j < m; j++) {
    float acc = 0;
    for (size_t i = 0; i < d; i++) acc = fmaf((float)((double)x[i] - mean[i]), matrix[i * m + j], acc);
    y[j] = acc;
  }
}

TEST(whitener_apply_to_the_bit) {
  static const uint32_t DIMS[] = {1, 2, 15, 16, 17, 47, 48, 49, 65, 96, 101};
  struct random r = {random_seed()};
  float x[MAX] = {0}, shifted[MAX], y[MAX + 1], expected[MAX];
  _Alignas(8) char bytes[sizeof x + 1];
  size_t index;
  for (size_t a = 0; a < COUNT(DIMS); a++)
    for (size_t b = is_quick() ? a : 0; b <= a; b++) {
      struct whitener w;
      fill(&r);
      begin(&w, MODEL_PCA, DIMS[a], DIMS[b], 0);
      for (size_t i = 0; i < DIMS[a]; i++) x[i] = (float)(mean[i] + random_normal(&r));
      memcpy(bytes + 1, x, sizeof x);
      y[DIMS[b]] = 77;
      assert_int_equal(whitener_apply(&w, bytes + 1, shifted, y, &index), STATUS_OK);
      apply_reference(DIMS[a], DIMS[b], x, expected);
      for (size_t j = 0; j < DIMS[b]; j++) assert_same_float(y[j], expected[j]);
      assert_same_float(y[DIMS[b]], 77); /* nothing behind the result */
      end(&w);
    }
}

/* Rows together give what each gives alone. */
TEST(whitener_apply_rows_to_the_bit) {
  static const uint32_t DIMS[][2] = {{1, 1}, {7, 3}, {50, 17}, {101, 101}, {64, 49}};
  struct random r = {random_seed() + 1};
  static float x[20 * MAX], all[20 * MAX], y[20 * MAX + 1], one[MAX], shifted[MAX];
  for (size_t c = 0; c < COUNT(DIMS); c++)
    for (uint32_t flags = 0; flags <= MODEL_NORMALIZE; flags++)
      for (size_t count = 1; count <= 20; count += is_quick() ? 6 : 1) {
        size_t d = DIMS[c][0], m = DIMS[c][1], index;
        struct whitener w;
        fill(&r);
        begin(&w, MODEL_PCA, DIMS[c][0], DIMS[c][1], flags);
        for (size_t i = 0; i < count * d; i++) x[i] = (float)random_normal(&r);
        y[count * m] = 77;
        for (size_t i = 0; i < count; i++) whitener_shift(&w, x + i * d, all + i * d);
        whitener_apply_rows(&w, count, all, y);
        for (size_t i = 0; i < count; i++) {
          assert_int_equal(whitener_apply(&w, x + i * d, shifted, one, &index), STATUS_OK);
          assert_memory_equal(y + i * m, one, m * sizeof *one);
        }
        assert_same_float(y[count * m], 77);
        end(&w);
      }
}

/* The mean is taken away in float64: in float32 nothing of the difference would be left. */
TEST(whitener_subtracts_in_float64) {
  struct whitener w;
  float y[1], shifted[1];
  size_t index;
  mean[0] = 16777216.25;
  matrix[0] = 1;
  begin(&w, MODEL_PCA, 1, 1, 0);
  assert_int_equal(whitener_apply(&w, (float[]){16777216}, shifted, y, &index), STATUS_OK);
  assert_same_float(y[0], -0.25);
  end(&w);
}

TEST(whitener_normalize) {
  struct random r = {random_seed() + 2};
  struct whitener w;
  float x[20], y[20], raw[20], shifted[20];
  size_t index;
  fill(&r);
  begin(&w, MODEL_ZCA, 20, 12, MODEL_NORMALIZE);
  for (int repeat = 0; repeat < 100; repeat++) {
    double norm = 0, square = 0;
    for (size_t i = 0; i < 20; i++) x[i] = (float)random_normal(&r);
    assert_int_equal(whitener_apply(&w, x, shifted, y, &index), STATUS_OK);
    apply_reference(20, 20, x, raw);
    for (size_t j = 0; j < 20; j++) norm += (double)raw[j] * raw[j];
    for (size_t j = 0; j < 20; j++) {
      assert_near(y[j], raw[j] / sqrt(norm), 3e-7 * fabs((double)y[j]));
      square += (double)y[j] * y[j];
    }
    assert_near(square, 1, 1e-6);
  }
  for (size_t i = 0; i < 20; i++) mean[i] = (float)mean[i];
  end(&w);
  begin(&w, MODEL_ZCA, 20, 12, MODEL_NORMALIZE);
  for (size_t i = 0; i < 20; i++) x[i] = (float)mean[i]; /* becomes zero, which has no direction */
  assert_int_equal(whitener_apply(&w, x, shifted, y, &index), STATUS_NO_VARIANCE);
  end(&w);
  begin(&w, MODEL_ZCA, 20, 12, 0);
  assert_int_equal(whitener_apply(&w, x, shifted, y, &index), STATUS_OK);
  for (size_t j = 0; j < 20; j++) assert_near(y[j], 0, 0);
  end(&w);
}

TEST(whitener_not_finite) {
  static const uint32_t BAD[] = {0x7f800000, 0xff800000, 0x7fc00000};
  struct random r = {random_seed() + 3};
  struct whitener w;
  float x[20] = {0}, y[20], shifted[20];
  size_t index = 99;
  fill(&r);
  for (uint32_t flags = 0; flags <= MODEL_NORMALIZE; flags++) {
    begin(&w, MODEL_PCA, 20, 17, flags);
    for (size_t at = 0; at < 20; at++)
      for (size_t b = 0; b < COUNT(BAD); b++) {
        x[at] = float_of(BAD[b]);
        assert_int_equal(whitener_apply(&w, x, shifted, y, &index), STATUS_OVERFLOW);
        assert_int_equal(index, 0);
        x[at] = 0;
      }
    end(&w);
  }
  memset(matrix, 0, sizeof matrix);
  matrix[2] = 10; /* y_2 = 10 x_0 */
  begin(&w, MODEL_PCA, 3, 3, 0);
  assert_int_equal(whitener_apply(&w, (float[]){FLT_MAX, 0, 0}, shifted, y, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 2);
  end(&w);
}

/* x_i = mean_i + chain of fma over j of y_j * inverse_ji; the inverse stored, or by scales. */
TEST(whitener_invert_to_the_bit) {
  static const uint32_t DIMS[][2] = {{1, 1}, {3, 2}, {48, 17}, {49, 49}, {101, 47}};
  struct random r = {random_seed() + 4};
  float y[MAX], aligned[MAX], x[MAX + 1];
  _Alignas(8) char bytes[sizeof y + 1];
  size_t index;
  for (size_t c = 0; c < COUNT(DIMS); c++)
    for (size_t e = 0; e < COUNT(METHODS); e++) {
      size_t d = DIMS[c][0], k = DIMS[c][1], m = keeps_d(METHODS[e]) ? d : k;
      struct whitener w;
      fill(&r);
      begin(&w, METHODS[e], DIMS[c][0], DIMS[c][1], MODEL_NORMALIZE);
      for (size_t j = 0; j < m; j++) y[j] = (float)random_normal(&r);
      memcpy(bytes + 1, y, sizeof y);
      x[d] = 77;
      assert_int_equal(whitener_prepare_inverse(&w), STATUS_OK);
      assert_int_equal(whitener_prepare_inverse(&w), STATUS_OK);
      assert_int_equal(whitener_invert(&w, bytes + 1, aligned, x, &index), STATUS_OK);
      for (size_t i = 0; i < d; i++) {
        float acc = 0;
        for (size_t j = 0; j < m; j++) {
          float inverse = keeps_d(METHODS[e]) ? back[j * d + i]
                                              : (float)(matrix[i * m + j] * rows[i] * columns[j]);
          acc = fmaf(y[j], inverse, acc);
        }
        assert_same_float(x[i], (float)(acc + mean[i]));
      }
      assert_same_float(x[d], 77);
      end(&w);
    }
}

TEST(whitener_invert_refuses) {
  struct random r = {random_seed() + 5};
  struct whitener w;
  float x[3], aligned[3];
  size_t index = 99;
  fill(&r);
  begin(&w, MODEL_PCA, 3, 2, MODEL_IMPORTED);
  assert_int_equal(whitener_prepare_inverse(&w), STATUS_NO_INVERSE);
  end(&w);
  begin(&w, MODEL_PCA, 3, 2, MODEL_IMPORTED | MODEL_INVERSE);
  assert_int_equal(whitener_prepare_inverse(&w), STATUS_OK);
  assert_int_equal(whitener_invert(&w, (float[]){NAN, 0}, aligned, x, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 0);
  mean[1] = FLT_MAX;
  end(&w);
  memset(back, 0, sizeof back);
  back[1] = 1; /* x_1 = mean_1 + y_0 */
  begin(&w, MODEL_PCA, 3, 2, MODEL_IMPORTED | MODEL_INVERSE);
  assert_int_equal(whitener_prepare_inverse(&w), STATUS_OK);
  assert_int_equal(whitener_invert(&w, (float[]){FLT_MAX, 0}, aligned, x, &index), STATUS_OVERFLOW);
  assert_int_equal(index, 1);
  end(&w);
}

TEST(whitener_copies) {
  struct random r = {random_seed() + 6};
  for (size_t e = 0; e < COUNT(METHODS); e++) {
    static float kernel_out[MAX * MAX];
    float bias[MAX];
    struct whitener w;
    size_t d = 53, m = keeps_d(METHODS[e]) ? d : 50;
    fill(&r);
    begin(&w, METHODS[e], 53, 50, 0);
    whitener_copy_kernel(&w, kernel_out);
    whitener_copy_bias(&w, bias);
    assert_memory_equal(kernel_out, matrix, d * m * sizeof *matrix);
    for (size_t i = 0; i < d; i++) assert_same_float(bias[i], (float)-mean[i]);
    end(&w);
  }
}

/* Eigenvalues 8, 4, 2, 1, 1: of the components behind the first. */
TEST(whitener_explained_and_condition) {
  static const double VALUES[] = {8, 4, 2, 1, 1};
  struct model m = {
      .header =
          {.d = 5, .k = 2, .m = 2, .rank = 5, .n = 9, .weight = 9, .power = 1, .flags = MODEL_SCALES, .remove = 1},
      .mean = mean,
      .eigenvalues = VALUES,
      .row_scale = rows,
      .column_scale = columns,
      .kernel = matrix};
  unsigned char blob[1000];
  struct whitener w;
  assert_true(model_size(&m.header) <= sizeof blob);
  model_write(&m, blob);
  assert_int_equal(whitener_init(&w, blob, model_size(&m.header), &faulty_memory), STATUS_OK);
  assert_near(whitener_explained(&w), 6 / 8.0, 1e-16);
  assert_near(whitener_condition(&w), 2, 1e-16);
  end(&w);
  m.header.rho = 0.5;
  m.header.ridge_added = 3;
  model_write(&m, blob);
  assert_int_equal(whitener_init(&w, blob, model_size(&m.header), &faulty_memory), STATUS_OK);
  assert_near(whitener_condition(&w), 5 / 4.0, 1e-16);
  end(&w);
  begin(&w, MODEL_PCA, 5, 3, MODEL_IMPORTED);
  assert_true(isnan(whitener_explained(&w)) && isnan(whitener_condition(&w)));
  end(&w);
}

TEST(whitener_refuses_damage) {
  size_t bytes;
  struct random r = {random_seed() + 7};
  fill(&r);
  unsigned char *blob = write_model(MODEL_ZCA, 3, 2, 0, &bytes);
  for (size_t i = 0; i < bytes; i++) {
    struct whitener w;
    blob[i] ^= 0x10;
    assert_int_not_equal(whitener_init(&w, blob, bytes, &faulty_memory), STATUS_OK);
    end(&w);
    assert_int_not_equal(whitener_init(&w, blob, i, &faulty_memory), STATUS_OK);
    end(&w);
    blob[i] ^= 0x10;
  }
  free(blob);
  matrix[1] = NAN; /* under a right hash */
  blob = write_model(MODEL_PCA, 3, 2, 0, &bytes);
  struct whitener w;
  assert_int_equal(whitener_init(&w, blob, bytes, &faulty_memory), STATUS_NOT_FINITE);
  end(&w);
  free(blob);
}

/* A BLOB is that of the model only if no bit of it, and none of its length, is another. */
TEST(whitener_knows_its_blob) {
  static const uint32_t FLAGS[] = {0, MODEL_NORMALIZE, MODEL_IMPORTED};
  size_t bytes;
  struct random r = {random_seed() + 9};
  fill(&r);
  for (size_t e = 0; e < COUNT(METHODS); e++)
    for (size_t f = 0; f < COUNT(FLAGS); f++) {
      if (FLAGS[f] == MODEL_IMPORTED && METHODS[e] != MODEL_PCA) continue;
      unsigned char *blob = write_model(METHODS[e], 7, 5, FLAGS[f], &bytes);
      struct whitener w;
      assert_int_equal(whitener_init(&w, blob, bytes, &faulty_memory), STATUS_OK);
      assert_true(whitener_is_of(&w, blob, bytes));
      for (size_t i = 0; i < 8 * bytes; i++) {
        blob[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_false(whitener_is_of(&w, blob, bytes));
        blob[i / 8] ^= (unsigned char)(1 << i % 8);
      }
      for (size_t i = 0; i < bytes; i++) assert_false(whitener_is_of(&w, blob, i));
      assert_false(whitener_is_of(&w, NULL, 0));
      assert_true(whitener_is_of(&w, blob, bytes));
      end(&w);
      free(blob);
    }
}

static enum model_method faulty_method;

static enum status whitener_once(void) {
  struct whitener w;
  size_t bytes;
  unsigned char *blob = write_model(faulty_method, 20, 9, 0, &bytes);
  enum status rc = whitener_init(&w, blob, bytes, &faulty_memory);
  if (rc == STATUS_OK) rc = whitener_prepare_inverse(&w);
  if (rc == STATUS_NOMEM && w.block != NULL) assert_null(w.inverse);
  whitener_clear(&w);
  free(blob);
  return rc;
}

TEST(whitener_out_of_memory) {
  struct random r = {random_seed() + 8};
  fill(&r);
  for (size_t e = 0; e < COUNT(METHODS); e++) {
    faulty_method = METHODS[e];
    assert_in_range(faulty_exhaust(whitener_once), 2, 3);
  }
  struct whitener zeroed = {0};
  whitener_clear(&zeroed);
}

UNIT_MAIN(faulty_test(whitener_apply_to_the_bit), faulty_test(whitener_apply_rows_to_the_bit),
          faulty_test(whitener_subtracts_in_float64), faulty_test(whitener_normalize),
          faulty_test(whitener_not_finite), faulty_test(whitener_invert_to_the_bit),
          faulty_test(whitener_invert_refuses), faulty_test(whitener_copies),
          faulty_test(whitener_explained_and_condition), faulty_test(whitener_refuses_damage),
          faulty_test(whitener_knows_its_blob), faulty_test(whitener_out_of_memory))
