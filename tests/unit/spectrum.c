/* core/spectrum: directions of columns of unequal scale, whose eigenvalues are known; why the rank is no larger; faults. */
#include "core/linalg.h"
#include "core/spectrum.h"

#include "faulty_memory.h"

static struct moments moments;

/* Rows of float32 as moments. */
static void gather(size_t n, size_t d, const float *rows, enum scatter_precision precision) {
  moments_clear(&moments);
  assert_int_equal(moments_init(&moments, d, precision, 1, &faulty_memory), STATUS_OK);
  for (size_t r = 0; r < n; r++) assert_int_equal(moments_add(&moments, rows + r * d, 1), STATUS_OK);
  assert_int_equal(moments_flush(&moments), STATUS_OK);
}

/* 16 rows of four uncorrelated columns of two values each (Hadamard's), of the sizes given. */
static void gather_hadamard(const double *sizes, enum scatter_precision precision) {
  float rows[16 * 4];
  for (size_t r = 0; r < 16; r++)
    for (size_t i = 0; i < 4; i++) rows[r * 4 + i] = (float)(r >> i & 1 ? -sizes[i] : sizes[i]);
  gather(16, 4, rows, precision);
}

static void end(struct spectrum *s) {
  spectrum_clear(s);
  moments_clear(&moments);
  assert_int_equal(faulty.live, 0);
}

/* Variances 16 / 15 of the squared sizes, whatever their sizes: the eigenvectors are the axes. */
TEST(spectrum_of_unequal_columns) {
  static const double SIZES[][4] = {
      {1, 2, 4, 8}, {0x1p20, 0x1p-4, 1, 0x1p-30}, {0x1p-40, 0x1p40, 0x1p-20, 0x1p20}};
  for (int precision = SCATTER_DOUBLE; precision <= SCATTER_SINGLE; precision++)
    for (size_t c = 0; c < COUNT(SIZES); c++) {
      struct spectrum s;
      gather_hadamard(SIZES[c], (enum scatter_precision)precision);
      assert_int_equal(spectrum_init(&s, &moments, 0, 4), STATUS_OK);
      assert_int_equal(s.rank, 4);
      assert_int_equal(s.limit, SPECTRUM_ROWS);
      for (size_t j = 0; j < 4; j++) {
        const double *u = spectrum_vector(&s, j);
        for (size_t i = 0; i < 4; i++)
          if (u[i] == 1) assert_near(s.eigenvalues[j] / (SIZES[c][i] * SIZES[c][i] * 16 / 15), 1, 1e-12);
        assert_true(u[0] + u[1] + u[2] + u[3] == 1);
      }
      end(&s);
    }
}

/* Columns that are one another's multiples: no more in the rows; in single precision nobody can tell. */
TEST(spectrum_says_why) {
  float rows[20 * 3];
  for (size_t r = 0; r < 20; r++) {
    rows[r * 3] = (float)r;
    rows[r * 3 + 1] = 3 * (float)r;
    rows[r * 3 + 2] = (float)(r * r % 7);
  }
  for (int precision = SCATTER_DOUBLE; precision <= SCATTER_SINGLE; precision++)
    for (int is_correlation = 0; is_correlation < 2; is_correlation++) {
      struct spectrum s;
      gather(20, 3, rows, (enum scatter_precision)precision);
      assert_int_equal(spectrum_init(&s, &moments, is_correlation, 3), STATUS_OK);
      assert_int_equal(s.rank, 2);
      assert_int_equal(s.limit, precision == SCATTER_SINGLE ? SPECTRUM_SINGLE : SPECTRUM_ROWS);
      end(&s);
    }
}

/* The squares of singular values 2^-60 .. 2^60 apart, to the last digits. */
TEST(spectrum_of_a_factor) {
  double a[9] = {0x1p-30, 0, 0, 0, 0x1p30, 0, 0, 0, 1}, vectors[9], w[3];
  assert_int_equal(linalg_eigen_of_factor(3, a, vectors, w, &faulty_memory), STATUS_OK);
  assert_near(w[0] / 0x1p-60, 1, 1e-15);
  assert_near(w[1], 1, 1e-15);
  assert_near(w[2] / 0x1p60, 1, 1e-15);
  assert_true(fabs(vectors[0]) == 1 && fabs(vectors[5]) == 1 && fabs(vectors[7]) == 1);
}

static enum status init_once(void) {
  struct spectrum s;
  enum status rc = spectrum_init(&s, &moments, 0, 4);
  spectrum_clear(&s);
  return rc;
}

/* The way of unequal columns, each of its allocations. */
TEST(spectrum_out_of_memory) {
  static const double SIZES[4] = {0x1p20, 0x1p-4, 1, 0x1p-30};
  gather_hadamard(SIZES, SCATTER_DOUBLE);
  uint64_t before = faulty.live;
  faulty.live = 0;
  assert_in_range(faulty_exhaust(init_once), 12, 20);
  faulty.live = before;
  moments_clear(&moments);
}

static int begin(void **state) {
  moments = (struct moments){0};
  return faulty_begin(state);
}

#define spectrum_test(test) cmocka_unit_test_setup(test, begin)

UNIT_MAIN(spectrum_test(spectrum_of_unequal_columns), spectrum_test(spectrum_says_why),
          spectrum_test(spectrum_of_a_factor), spectrum_test(spectrum_out_of_memory))
