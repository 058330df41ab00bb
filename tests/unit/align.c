/*
** core/align: what defines the models of each side, by plain sums over the covariances of the rows, which are taken in two
** passes; regression by elimination; what is refused; and out of memory.
*/
#include "core/align.h"

#include "core/blob.h"
#include "faulty_memory.h"

enum { DIM_A = 4, DIM_B = 6, DIM = DIM_A + DIM_B, MOST = DIM_B * DIM_B };

static void *plain_alloc(uint64_t bytes) {
  return malloc(bytes);
}

static void *plain_resize(void *block, uint64_t bytes) {
  return realloc(block, bytes);
}

/* Of what outlives a test. */
static const struct memory plain_memory = {plain_alloc, plain_resize, free};

static struct moments pairs;
static double cov[DIM][DIM], mean[DIM];

static void gather(size_t n, const float *rows, double weight) {
  double total = weight * (double)n;
  moments_clear(&pairs);
  assert_int_equal(moments_init(&pairs, DIM, SCATTER_DOUBLE, 1, &plain_memory), STATUS_OK);
  pairs.dim_a = DIM_A;
  for (size_t r = 0; r < n; r++) assert_int_equal(moments_add(&pairs, rows + r * DIM, weight), STATUS_OK);
  assert_int_equal(moments_flush(&pairs), STATUS_OK);
  for (size_t i = 0; i < DIM; i++) {
    mean[i] = 0;
    for (size_t r = 0; r < n; r++) mean[i] += (double)rows[r * DIM + i] / (double)n;
  }
  for (size_t i = 0; i < DIM; i++)
    for (size_t j = 0; j < DIM; j++) {
      cov[i][j] = 0;
      for (size_t r = 0; r < n; r++)
        cov[i][j] += weight * (rows[r * DIM + i] - mean[i]) * (rows[r * DIM + j] - mean[j]) / (total - 1);
    }
}

/* Three hidden causes that both sides see, with means far from zero, and noise of each side's own. */
static void gather_random(uint64_t seed, size_t n, double noise, double weight) {
  static float rows[500 * DIM];
  struct random r = {random_seed() + seed};
  double mix[3][DIM];
  for (size_t c = 0; c < 3; c++)
    for (size_t i = 0; i < DIM; i++) mix[c][i] = random_normal(&r);
  for (size_t row = 0; row < n; row++) {
    double causes[3];
    for (size_t c = 0; c < 3; c++) causes[c] = random_normal(&r) * (double)(c + 1);
    for (size_t i = 0; i < DIM; i++) {
      double x = 5 - (double)i + noise * random_normal(&r);
      for (size_t c = 0; c < 3; c++) x += causes[c] * mix[c][i];
      rows[row * DIM + i] = (float)x;
    }
  }
  gather(n, rows, weight);
}

/* A model, widened. */
struct aligned {
  struct model_header h;
  double mean[DIM], offset[DIM], kernel[MOST], inverse[MOST];
};

static enum status try_align(enum model_side side, struct align_options o, struct aligned *out,
                             struct align_limit *limit) {
  struct model_arrays arrays;
  uint64_t size = 0;
  void *blob = NULL;
  enum status rc = align_solve(&pairs, side, &o, &blob, &size, limit);
  *out = (struct aligned){0};
  if (rc) {
    assert_null(blob);
    return rc;
  }
  assert_int_equal(model_check(blob, size, &out->h, &arrays), STATUS_OK);
  memcpy(out->mean, arrays.mean, 8 * (size_t)out->h.d);
  if (arrays.offset != NULL) memcpy(out->offset, arrays.offset, 8 * (size_t)out->h.m);
  for (size_t i = 0; i < (size_t)out->h.d * out->h.m; i++) {
    out->kernel[i] = float_of(blob_get32(arrays.kernel, 4 * i));
    out->inverse[i] = float_of(blob_get32(arrays.inverse, 4 * i));
  }
  free(blob);
  return rc;
}

static struct aligned align(enum model_side side, int64_t k, double ridge, double exponent) {
  struct aligned out;
  struct align_limit limit;
  struct align_options o = {.k = k, .ridge = ridge, .exponent = exponent};
  assert_int_equal(try_align(side, o, &out, &limit), STATUS_OK);
  return out;
}

/* Covariance of a side, with its ridge. */
static double ridged(size_t first, size_t dim, double ridge, size_t i, size_t j) {
  double trace = 0;
  for (size_t c = 0; c < dim; c++) trace += cov[first + c][first + c];
  return cov[first + i][first + j] + (i == j ? ridge * trace / (double)dim : 0);
}

/* sum of x_ai (row-major, of k columns) S_ij y_bj */
static double form(const struct aligned *x, size_t a, const struct aligned *y, size_t b, double ridge) {
  size_t first_x = x->h.side == MODEL_SIDE_A ? 0 : DIM_A, first_y = y->h.side == MODEL_SIDE_A ? 0 : DIM_A;
  double sum = 0;
  for (size_t i = 0; i < x->h.d; i++)
    for (size_t j = 0; j < y->h.d; j++) {
      double s = first_x == first_y ? ridged(first_x, x->h.d, ridge, i, j) : cov[first_x + i][first_y + j];
      sum += x->kernel[i * x->h.m + a] * s * y->kernel[j * y->h.m + b];
    }
  return sum;
}

/* Whitened on each side, and across nothing but the correlations, which fall; then e scales by them. */
TEST(align_shared_space) {
  static const double RIDGES[] = {0, 0.3, 10};
  for (size_t r = 0; r < COUNT(RIDGES); r++) {
    gather_random(r, 200, 0.5, 1);
    struct aligned a = align(MODEL_SIDE_A, 0, RIDGES[r], 0), b = align(MODEL_SIDE_B, 0, RIDGES[r], 0);
    assert_true(a.h.k == DIM_A && a.h.m == DIM_A && b.h.k == DIM_A && b.h.d == DIM_B && a.h.rank == DIM_A);
    assert_true(a.h.n == 200 && a.h.weight == 200 && a.h.ridge == RIDGES[r] && a.h.power == 0);
    double last = 1;
    for (size_t i = 0; i < DIM_A; i++) {
      for (size_t j = 0; j < DIM_A; j++) {
        assert_near(form(&a, i, &a, j, RIDGES[r]), i == j, 2e-5);
        assert_near(form(&b, i, &b, j, RIDGES[r]), i == j, 2e-5);
        if (i != j) assert_near(form(&a, i, &b, j, 0), 0, 2e-5);
      }
      double s = form(&a, i, &b, i, 0);
      assert_true(s > 0 && s <= last + 1e-6);
      last = s;
      struct aligned scaled = align(MODEL_SIDE_A, 0, RIDGES[r], 0.7),
                     of_b = align(MODEL_SIDE_B, 0, RIDGES[r], 0.7);
      for (size_t d = 0; d < DIM_A; d++)
        assert_near(scaled.kernel[d * DIM_A + i], pow(s, 0.7) * a.kernel[d * DIM_A + i], 2e-5);
      for (size_t d = 0; d < DIM_B; d++)
        assert_near(of_b.kernel[d * DIM_A + i], pow(s, 0.7) * b.kernel[d * DIM_A + i], 2e-5);
    }
    for (size_t i = 0; i < DIM_A; i++) assert_near(a.mean[i], mean[i], 1e-12);
    for (size_t i = 0; i < DIM_B; i++) assert_near(b.mean[i], mean[DIM_A + i], 1e-12);
  }
}

/* (Sa + r ta I) x = Sab, by elimination: what exponent 1 must be. */
TEST(align_is_ridge_regression) {
  double m[DIM_A][DIM];
  gather_random(7, 150, 0.5, 2);
  struct aligned across = align(MODEL_SIDE_A_TO_B, 0, 0.25, 1);
  for (size_t i = 0; i < DIM_A; i++)
    for (size_t j = 0; j < DIM; j++) m[i][j] = j < DIM_A ? ridged(0, DIM_A, 0.25, i, j) : cov[i][j];
  for (size_t p = 0; p < DIM_A; p++)
    for (size_t i = 0; i < DIM_A; i++) {
      double factor = i == p ? 0 : m[i][p] / m[p][p];
      for (size_t j = 0; j < DIM; j++) m[i][j] -= factor * m[p][j];
    }
  assert_true(across.h.m == DIM_B && across.h.d == DIM_A && across.h.side == MODEL_SIDE_A_TO_B);
  for (size_t i = 0; i < DIM_A; i++)
    for (size_t j = 0; j < DIM_B; j++) assert_near(across.kernel[i * DIM_B + j], m[i][DIM_A + j] / m[i][i], 1e-5);
  for (size_t i = 0; i < DIM_A; i++) assert_near(across.mean[i], mean[i], 1e-12);
  for (size_t j = 0; j < DIM_B; j++) assert_near(across.offset[j], mean[DIM_A + j], 1e-12);
}

static double product(const double *a, const double *b, size_t i, size_t j, size_t inner, size_t columns) {
  double sum = 0;
  for (size_t c = 0; c < inner; c++) sum += a[i * inner + c] * b[c * columns + j];
  return sum;
}

/* Across is into the shared space and out of it by the other side's inverse without a scale; and back. */
TEST(align_across_is_both_steps) {
  static const enum model_side FROM[] = {MODEL_SIDE_A, MODEL_SIDE_B}, TO[] = {MODEL_SIDE_B, MODEL_SIDE_A},
                               ACROSS[] = {MODEL_SIDE_A_TO_B, MODEL_SIDE_B_TO_A};
  gather_random(8, 300, 0.5, 1);
  for (size_t way = 0; way < 2; way++)
    for (int64_t k = 1; k <= DIM_A; k++) {
      struct aligned from = align(FROM[way], k, 0.3, 0.5), to = align(TO[way], k, 0.3, 0);
      struct aligned to_scaled = align(TO[way], k, 0.3, -0.0), across = align(ACROSS[way], k, 0.3, 0.5);
      size_t d = across.h.d, m = across.h.m, width = (size_t)k;
      for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < m; j++)
          assert_near(across.kernel[i * m + j], product(from.kernel, to.inverse, i, j, width, m), 2e-5);
      for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < d; j++)
          assert_near(across.inverse[i * d + j], product(to_scaled.kernel, from.inverse, i, j, width, d), 1e-4);
    }
}

/* In the shared space the inverse loses nothing: inverse @ kernel is the identity. */
TEST(align_inverse) {
  gather_random(9, 300, 0.5, 1);
  for (enum model_side side = MODEL_SIDE_A; side <= MODEL_SIDE_B; side++)
    for (size_t k = 1; k <= DIM_A; k++) {
      struct aligned a = align(side, (int64_t)k, 0.3, 0.5);
      assert_int_equal(a.h.m, k);
      for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) assert_near(product(a.inverse, a.kernel, i, j, a.h.d, k), i == j, 2e-5);
    }
}

/* The element of largest magnitude of each of a's directions is positive; b's turn with them. */
TEST(align_signs) {
  for (uint64_t seed = 20; seed < 40; seed++) {
    gather_random(seed, 100, 0.5, 1);
    struct aligned a = align(MODEL_SIDE_A, 0, 0.3, 0.5), b = align(MODEL_SIDE_B, 0, 0.3, 0.5);
    for (size_t j = 0; j < DIM_A; j++) {
      size_t largest = 0;
      for (size_t i = 1; i < DIM_A; i++)
        if (fabs(a.kernel[i * DIM_A + j]) > fabs(a.kernel[largest * DIM_A + j])) largest = i;
      assert_true(a.kernel[largest * DIM_A + j] > 0);
      assert_true(form(&a, j, &b, j, 0) > 0);
    }
  }
}

/* What both sides see of three causes without noise is all that they share. */
TEST(align_counts_what_is_shared) {
  struct aligned out;
  struct align_limit limit;
  gather_random(50, 400, 0, 1);
  out = align(MODEL_SIDE_B, 0, 0.3, 0.5);
  assert_in_range(out.h.rank, 3, 4); /* float32 rounds each side by itself */
  assert_int_equal(out.h.rank, out.h.k);
  gather_random(51, 3, 0.5, 1); /* three rows: two directions */
  out = align(MODEL_SIDE_A, 0, 0.3, 0.5);
  assert_true(out.h.k == 2 && out.h.rank == 2);
  assert_int_equal(try_align(MODEL_SIDE_A, (struct align_options){3, 0.3, 0.5, 0}, &out, &limit), STATUS_RANK);
  assert_true(limit.components == 2 && limit.side == MODEL_SIDE_NONE);
}

TEST(align_normalize) {
  struct aligned out;
  struct align_limit limit;
  gather_random(52, 100, 0.5, 1);
  assert_int_equal(try_align(MODEL_SIDE_A, (struct align_options){0, 0.3, 0.5, 1}, &out, &limit), STATUS_OK);
  assert_int_equal(out.h.flags, MODEL_NORMALIZE | MODEL_INVERSE);
}

TEST(align_refuses) {
  static float rows[40 * DIM];
  struct random r = {random_seed() + 60};
  struct aligned out;
  struct align_limit limit;
  struct align_options plain = ALIGN_DEFAULTS, without = ALIGN_DEFAULTS;
  without.ridge = 0;
  gather_random(61, 1, 1, 5);
  assert_int_equal(try_align(MODEL_SIDE_A, plain, &out, &limit), STATUS_NO_VARIANCE);
  gather_random(61, 30, 1, 1.0 / 64);
  assert_int_equal(try_align(MODEL_SIDE_A, plain, &out, &limit), STATUS_WEIGHT);
  gather_random(61, 5, 1, 1); /* four directions: enough for a, and not for b */
  assert_int_equal(try_align(MODEL_SIDE_A, without, &out, &limit), STATUS_RANK);
  assert_true(limit.side == MODEL_SIDE_B && limit.rank == 4);
  for (size_t i = 0; i < 40 * DIM; i++) rows[i] = i % DIM < DIM_A ? (float)random_normal(&r) : 3;
  gather(40, rows, 1);
  assert_int_equal(try_align(MODEL_SIDE_A, plain, &out, &limit), STATUS_NO_VARIANCE);
  assert_int_equal(limit.side, MODEL_SIDE_B);
  for (size_t i = 0; i < 40 * DIM; i++) rows[i] = (float)random_normal(&r) * (i % DIM < DIM_A ? 1 : 3e-43F);
  gather(40, rows, 1);
  assert_int_equal(try_align(MODEL_SIDE_B, plain, &out, &limit), STATUS_OVERFLOW);
}

static enum model_side faulty_side;

static enum status align_once(void) {
  struct align_limit limit;
  struct align_options o = ALIGN_DEFAULTS;
  struct moments m = pairs;
  uint64_t size;
  void *blob = NULL;
  m.mem = &faulty_memory;
  enum status rc = align_solve(&m, faulty_side, &o, &blob, &size, &limit);
  faulty_release(blob);
  return rc;
}

TEST(align_out_of_memory) {
  gather_random(70, 50, 0.5, 1);
  for (faulty_side = MODEL_SIDE_A; faulty_side < MODEL_SIDES; faulty_side++)
    assert_in_range(faulty_exhaust(align_once), 20, 60);
  moments_clear(&pairs);
}

UNIT_MAIN(cmocka_unit_test(align_shared_space), cmocka_unit_test(align_is_ridge_regression),
          cmocka_unit_test(align_across_is_both_steps), cmocka_unit_test(align_inverse),
          cmocka_unit_test(align_signs), cmocka_unit_test(align_counts_what_is_shared),
          cmocka_unit_test(align_normalize), cmocka_unit_test(align_refuses),
          cmocka_unit_test(align_out_of_memory))
