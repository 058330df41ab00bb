/*
** What the machine can do, measured beside the extension: memory, and BLAS on the shapes that the extension
** works on. Each function returns seconds (or fills in several), or -1 when there is no memory. The number of
** threads is what OPENBLAS_NUM_THREADS says to the process.
*/
#define _GNU_SOURCE
#include <cblas.h>
#include <lapacke.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/simd/simd.h"

double limit_memory(size_t bytes);
double limit_syrk_f64(size_t rows, size_t d, size_t block);
double limit_syrk_f32(size_t rows, size_t d, size_t block);
double limit_convert(size_t rows, size_t d, size_t block);
double limit_eigen(size_t d);
double limit_gemm(size_t rows, size_t d, size_t m, size_t block);
double limit_apply(sqlite3_stmt *statement, size_t d, size_t m, const void *model_kernel);
int limit_transform(size_t rows, size_t d, size_t m, size_t block, double seconds[3]);

static double now(void) {
  struct timespec t;
  clock_gettime(getenv("BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static volatile uint64_t sink;

static void *aligned(size_t count, size_t size) {
  return aligned_alloc(64, (count * size + 63) / 64 * 64);
}

/* Deterministic, in [-1, 1). */
static double next_random(uint64_t *state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(int32_t)(*state >> 32) / 2147483648.0;
}

static float *random_f32(size_t count) {
  uint64_t state = 1;
  float *x = aligned(count, sizeof *x);
  for (size_t i = 0; x != NULL && i < count; i++) x[i] = (float)next_random(&state);
  return x;
}

static double *random_f64(size_t count) {
  uint64_t state = 1;
  double *x = aligned(count, sizeof *x);
  for (size_t i = 0; x != NULL && i < count; i++) x[i] = next_random(&state);
  return x;
}

/* Reads `bytes` of memory, once through. */
double limit_memory(size_t bytes) {
  size_t words = bytes / sizeof(uint64_t);
  uint64_t *x = aligned(words, sizeof *x), sum = 0;
  if (x == NULL) return -1;
  memset(x, 1, words * sizeof *x);
  double start = now();
  for (size_t i = 0; i < words; i++) sum += x[i];
  double seconds = now() - start;
  sink = sum;
  free(x);
  return seconds;
}

/* The covariance of rows x d, `block` rows at a time: dsyrk alone. */
double limit_syrk_f64(size_t rows, size_t d, size_t block) {
  double *x = random_f64(block * d), *c = random_f64(d * d), seconds = -1;
  if (x != NULL && c != NULL) {
    double start = now();
    for (size_t r = 0; r < rows; r += block)
      cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)(rows - r < block ? rows - r : block), 1, x,
                  (int)d, 1, c, (int)d);
    seconds = now() - start;
  }
  free(x);
  free(c);
  return seconds;
}

/* The same in float32. */
double limit_syrk_f32(size_t rows, size_t d, size_t block) {
  float *x = random_f32(block * d), *c = random_f32(d * d);
  double seconds = -1;
  if (x != NULL && c != NULL) {
    double start = now();
    for (size_t r = 0; r < rows; r += block)
      cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)(rows - r < block ? rows - r : block), 1, x,
                  (int)d, 1, c, (int)d);
    seconds = now() - start;
  }
  free(x);
  free(c);
  return seconds;
}

/* float32 to float64, less a mean, `block` rows at a time. */
double limit_convert(size_t rows, size_t d, size_t block) {
  float *x = random_f32(block * d);
  double *mean = random_f64(d), *y = aligned(block * d, sizeof *y), seconds = -1;
  if (x != NULL && mean != NULL && y != NULL) {
    double start = now();
    for (size_t r = 0; r < rows; r++) {
      const float *from = x + r % block * d;
      double *to = y + r % block * d;
      for (size_t i = 0; i < d; i++) to[i] = from[i] - mean[i];
    }
    seconds = now() - start;
    sink = (uint64_t)y[0];
  }
  free(x);
  free(mean);
  free(y);
  return seconds;
}

/* Eigenvectors and eigenvalues of a d x d covariance of random rows: dsyevd alone. */
double limit_eigen(size_t d) {
  size_t rows = 2 * d;
  double *x = random_f64(rows * d), *c = random_f64(d * d), *w = random_f64(d), seconds = -1;
  if (x != NULL && c != NULL && w != NULL) {
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)rows, 1, x, (int)d, 0, c, (int)d);
    double start = now();
    lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)d, c, (lapack_int)d, w);
    seconds = info == 0 ? now() - start : -1;
  }
  free(x);
  free(c);
  free(w);
  return seconds;
}

/* rows x d times d x m, `block` rows at a time: sgemm alone. */
double limit_gemm(size_t rows, size_t d, size_t m, size_t block) {
  float *x = random_f32(block * d), *w = random_f32(d * m), *y = random_f32(block * m);
  double seconds = -1;
  if (x != NULL && w != NULL && y != NULL) {
    double start = now();
    for (size_t r = 0; r < rows; r += block)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(rows - r < block ? rows - r : block), (int)m,
                  (int)d, 1, x, (int)d, w, (int)m, 0, y, (int)m);
    seconds = now() - start;
  }
  free(x);
  free(w);
  free(y);
  return seconds;
}

/*
** Column 0 of every row of the statement through sgemm, one row at a time: what whiten_apply is held against.
*/
double limit_apply(sqlite3_stmt *statement, size_t d, size_t m, const void *model_kernel) {
  float *x = aligned(d, sizeof *x), *w = aligned(d * m, sizeof *w), *y = aligned(m, sizeof *y);
  double seconds = -1, sum = 0;
  int rc = SQLITE_NOMEM;
  if (x != NULL && w != NULL && y != NULL) {
    memcpy(w, model_kernel, d * m * sizeof *w);
    double start = now();
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
      const void *blob = sqlite3_column_blob(statement, 0);
      if ((size_t)sqlite3_column_bytes(statement, 0) != d * sizeof *x) break;
      memcpy(x, blob, d * sizeof *x);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, 1, (int)m, (int)d, 1, x, (int)d, w, (int)m, 0, y,
                  (int)m);
      for (size_t j = 0; j < m; j++) sum += y[j];
    }
    seconds = now() - start;
  }
  sqlite3_reset(statement);
  sink = (uint64_t)(int64_t)sum;
  free(x);
  free(w);
  free(y);
  return rc == SQLITE_DONE ? seconds : -1;
}

/*
** rows x d times d x m: seconds[0] by sgemm in one call, [1] by the blocked kernel, `block` rows at a time,
** which have the mean subtracted first, [2] what that took of it. 1 = the results
** differ by more than rounding, -1 = no memory.
*/
int limit_transform(size_t rows, size_t d, size_t m, size_t block, double seconds[3]) {
  float *x = random_f32(rows * d), *w = random_f32(d * m);
  float *theirs = random_f32(rows * m), *ours = random_f32(rows * m);
  float *panels = aligned(simd_panel_elements(d, m), sizeof *panels);
  float *shifted = aligned(block * d, sizeof *shifted);
  double *mean = calloc(d, sizeof *mean);
  int rc = -1;
  if (!x || !w || !theirs || !ours || !panels || !shifted || !mean) goto end;
  rc = 0;
  simd_choose(getenv("WHITEN_KERNEL"));
  simd_pack(d, m, w, panels);
  seconds[2] = 0;
  double start = now();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)m, (int)d, 1, x, (int)d, w, (int)m, 0,
              theirs, (int)m);
  seconds[0] = now() - start;
  start = now();
  for (size_t first = 0; first < rows; first += block) {
    size_t count = rows - first < block ? rows - first : block;
    double before = now();
    for (size_t r = 0; r < count; r++) simd->shift(d, x + (first + r) * d, mean, shifted + r * d);
    seconds[2] += now() - before;
    simd->transform_block(count, d, m, shifted, panels, ours + first * m, m);
  }
  seconds[1] = now() - start;
  for (size_t i = 0; i < rows * m; i++)
    if (!(ours[i] - theirs[i] < 1e-3f && theirs[i] - ours[i] < 1e-3f)) rc = 1;
end:
  free(x);
  free(w);
  free(theirs);
  free(ours);
  free(panels);
  free(shifted);
  free(mean);
  return rc;
}
