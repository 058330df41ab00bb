/* core/linalg, with LAPACK watched: threads, forks, and each routine's refusals and failed allocations. */
#define _GNU_SOURCE
#include "core/linalg.h"

#include <cblas.h>
#include <dlfcn.h>
#include <lapacke.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linalg.h"

/* The linker takes these for the library's, which they call. */

static const char *refused = "";          /* routines that return an error instead */
static atomic_int calls_inside, overlaps; /* calls that run now; those that found another one running */
static int is_openmp;                     /* what OpenBLAS says of itself: its build with OpenMP */

static void *enter(const char *name) {
  if (atomic_fetch_add(&calls_inside, 1) > 0) atomic_fetch_add(&overlaps, 1);
  return dlsym(RTLD_NEXT, name);
}

static lapack_int leave(const char *name, lapack_int info) {
  atomic_fetch_sub(&calls_inside, 1);
  return strstr(refused, name) != NULL ? 1 : info;
}

#define WATCHED(NAME, PARAMETERS, ...) \
  lapack_int NAME PARAMETERS { \
    lapack_int(*real) PARAMETERS = (lapack_int(*) PARAMETERS)enter(#NAME); \
    return leave(#NAME, real(__VA_ARGS__)); \
  }

WATCHED(LAPACKE_dsyevd_work,
        (int layout, char job, char uplo, lapack_int n, double *matrix, lapack_int ld, double *values,
         double *work, lapack_int lwork, lapack_int *iwork, lapack_int liwork),
        layout, job, uplo, n, matrix, ld, values, work, lwork, iwork, liwork)
WATCHED(LAPACKE_dsyevr_work,
        (int layout, char job, char range, char uplo, lapack_int n, double *matrix, lapack_int ld, double vl,
         double vu, lapack_int il, lapack_int iu, double tolerance, lapack_int *m, double *values, double *z,
         lapack_int ldz, lapack_int *support, double *work, lapack_int lwork, lapack_int *iwork,
         lapack_int liwork),
        layout, job, range, uplo, n, matrix, ld, vl, vu, il, iu, tolerance, m, values, z, ldz, support, work,
        lwork, iwork, liwork)
WATCHED(LAPACKE_dsytrd_work,
        (int layout, char uplo, lapack_int n, double *matrix, lapack_int ld, double *d, double *e, double *tau,
         double *work, lapack_int lwork),
        layout, uplo, n, matrix, ld, d, e, tau, work, lwork)
WATCHED(LAPACKE_dsterf_work, (lapack_int n, double *d, double *e), n, d, e)
WATCHED(LAPACKE_dstemr_work,
        (int layout, char job, char range, lapack_int n, double *d, double *e, double vl, double vu, lapack_int il,
         lapack_int iu, lapack_int *m, double *values, double *z, lapack_int ldz, lapack_int nzc,
         lapack_int *support, lapack_logical *accuracy, double *work, lapack_int lwork, lapack_int *iwork,
         lapack_int liwork),
        layout, job, range, n, d, e, vl, vu, il, iu, m, values, z, ldz, nzc, support, accuracy, work, lwork, iwork,
        liwork)
WATCHED(LAPACKE_dormtr_work,
        (int layout, char side, char uplo, char trans, lapack_int m, lapack_int n, const double *matrix,
         lapack_int ld, const double *tau, double *out, lapack_int ldc, double *work, lapack_int lwork),
        layout, side, uplo, trans, m, n, matrix, ld, tau, out, ldc, work, lwork)
WATCHED(LAPACKE_dpotrs_work,
        (int layout, char uplo, lapack_int n, lapack_int nrhs, const double *matrix, lapack_int ld, double *rhs,
         lapack_int ldb),
        layout, uplo, n, nrhs, matrix, ld, rhs, ldb)

int openblas_get_parallel(void) {
  int (*real)(void) = (int (*)(void))dlsym(RTLD_NEXT, "openblas_get_parallel");
  return is_openmp ? OPENBLAS_OPENMP : real();
}

/* A child's end, of which nothing is lost that coverage has counted. */
static _Noreturn void end_child(int status) {
#ifdef WHITEN_COVERAGE
  extern void __gcov_dump(void);
  __gcov_dump();
#endif
  _exit(status);
}

/* Four threads at once: OpenBLAS alone would give wrong answers in some builds. Asserts are for the main
** thread. */
struct job {
  pthread_t thread;
  double matrix[20 * 20], vectors[20 * 20], w[20];
  enum status rc;
};

/* A thread's own memory: a child that is forked while another thread is inside malloc could wait for that forever
** (under ASan it does). */
struct arena {
  uint64_t used, live;
  _Alignas(16) char bytes[1 << 16];
};
static _Thread_local struct arena arena;

static void *arena_alloc(uint64_t bytes) {
  uint64_t rounded = (bytes + 15) / 16 * 16;
  if (rounded > sizeof arena.bytes - arena.used) return NULL;
  arena.live++;
  arena.used += rounded;
  return arena.bytes + arena.used - rounded;
}
static void *arena_resize(void *block, uint64_t bytes) {
  return block == NULL ? arena_alloc(bytes) : NULL;
}
static void arena_release(void *block) {
  if (block != NULL && --arena.live == 0) arena.used = 0;
}
static const struct memory arena_memory = {arena_alloc, arena_resize, arena_release};

static void *solve_often(void *p) {
  struct job *job = p;
  for (int i = 0; i < 50 && job->rc == STATUS_OK; i++)
    job->rc = linalg_eigen(20, 20, job->matrix, job->vectors, job->w, &arena_memory);
  return NULL;
}

TEST(linalg_from_several_threads) {
  static struct job jobs[4];
  struct random r = {random_seed() + 6};
  for (size_t t = 0; t < COUNT(jobs); t++) {
    fill(&r, 400, jobs[t].matrix);
    assert_int_equal(pthread_create(&jobs[t].thread, NULL, solve_often, &jobs[t]), 0);
  }
  for (size_t t = 0; t < COUNT(jobs); t++) pthread_join(jobs[t].thread, NULL);
  for (size_t t = 0; t < COUNT(jobs); t++) {
    assert_int_equal(jobs[t].rc, STATUS_OK);
    for (size_t i = 0; i < 20; i++)
      for (size_t j = 0; j < i; j++) jobs[t].matrix[i * 20 + j] = jobs[t].matrix[j * 20 + i];
    check_eigen(20, jobs[t].matrix);
    for (size_t i = 0; i < 20; i++) assert_near(jobs[t].w[i], w[i], 1e-13);
  }
  assert_int_equal(atomic_load(&overlaps), 0);
}

static enum status eigen_largest_once(void) {
  enum { D = 1536 };
  double *matrix = calloc(D * D, sizeof *matrix), *out = calloc(D * 2, sizeof *out);
  for (size_t i = 0; i < D; i++) matrix[i * D + i] = (double)i;
  enum status rc = linalg_eigen(D, 1, matrix, out, out + D, &faulty_memory);
  free(matrix);
  free(out);
  return rc;
}

/* Where dsyevd does not converge, dsyevr takes its place; where that does not either, it is an error. */
TEST(linalg_eigen_without_dsyevd) {
  struct random r = {random_seed() + 9};
  fill(&r, 100, a);
  for (size_t i = 0; i < 10; i++)
    for (size_t j = 0; j < i; j++) a[i * 10 + j] = a[j * 10 + i];
  refused = "LAPACKE_dsyevd_work";
  check_eigen(10, a);
  refused = "LAPACKE_dsyevd_work LAPACKE_dsyevr_work";
  assert_int_equal(linalg_eigen(10, 10, a, c, w, &faulty_memory), STATUS_SOLVER);
  refused = "";
}

/* Each routine that can fail, one by one. */
TEST(linalg_solvers_that_fail) {
  static const char *const STEPS[] = {"LAPACKE_dsytrd_work", "LAPACKE_dsterf_work", "LAPACKE_dstemr_work",
                                      "LAPACKE_dormtr_work"};
  struct random r = {random_seed() + 10};
  for (size_t i = 0; i < COUNT(STEPS) && !is_quick(); i++) {
    refused = STEPS[i];
    assert_int_equal(eigen_largest_once(), STATUS_SOLVER);
  }
  fill(&r, 10, a);
  refused = "LAPACKE_dpotrs_work";
  assert_int_equal(linalg_pseudo_inverse(5, 2, a, b, &faulty_memory), STATUS_SOLVER);
  refused = "";
  assert_int_equal(linalg_pseudo_inverse(5, 2, a, b, &faulty_memory), STATUS_OK);
}

/* A fork while another thread holds the lock: the child can compute, and so can the parent afterwards. */
TEST(linalg_survives_fork) {
  static struct job job;
  struct random r = {random_seed() + 7};
  fill(&r, 400, job.matrix);
  memcpy(a, job.matrix, sizeof job.matrix);
  linalg_multiply_transposed(20, 20, a, a, b); /* installs the handlers */
  assert_int_equal(pthread_create(&job.thread, NULL, solve_often, &job), 0);
  for (int i = 0; i < 10; i++) {
    int ends[2];
    char answer = 0;
    assert_int_equal(pipe(ends), 0);
    is_openmp = i % 2;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child ==
        0) { /* what it exits with is not for us: valgrind makes it an error that the other thread is gone */
      int threads = linalg_threads();
      alarm(20); /* a deadlock would hang */
      answer = linalg_eigen(20, 20, a, c, w, &arena_memory) == STATUS_OK && linalg_threads() == threads ? 'y'
                                                                                                        : 'n';
      end_child(write(ends[1], &answer, 1) != 1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    close(ends[0]);
    assert_int_equal(waitpid(child, NULL, 0), child);
  }
  is_openmp = 0;
  pthread_join(job.thread, NULL);
  assert_int_equal(job.rc, STATUS_OK);
}

static enum status eigen_once(void) {
  return linalg_eigen(5, 5, a, c, w, &faulty_memory);
}

static enum status pseudo_inverse_once(void) {
  return linalg_pseudo_inverse(5, 2, a, b, &faulty_memory);
}

TEST(linalg_out_of_memory) {
  struct random r = {random_seed() + 8};
  fill(&r, 25, a);
  assert_in_range(faulty_exhaust(eigen_once), 1, 5);
  refused = "LAPACKE_dsyevd_work";
  assert_in_range(faulty_exhaust(eigen_once), 4, 8);
  refused = "";
  assert_in_range(faulty_exhaust(pseudo_inverse_once), 1, 5);
  if (!is_quick()) assert_in_range(faulty_exhaust(eigen_largest_once), 1, 5);
}

UNIT_MAIN(faulty_test(linalg_from_several_threads), faulty_test(linalg_eigen_without_dsyevd),
          faulty_test(linalg_solvers_that_fail), faulty_test(linalg_survives_fork),
          faulty_test(linalg_out_of_memory))
