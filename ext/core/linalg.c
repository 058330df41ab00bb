/* See linalg.h. LAPACKE's _work entry points take our workspace and do not scan for NaN; every info is checked. */
#include "core/linalg.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <pthread.h>
#include <string.h>

#include "core/system.h"

/*
** One call at a time, and none while the process forks: OpenBLAS's own handler of fork() ends its threads, and does so in
** the middle of their work if there is some (so the child could not do without waiting, whatever it did to a lock).
** fork() therefore waits for the call that runs; but those that wait let it pass, so that it waits for no other.
*/
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static int is_busy, forks; /* under the mutex: whether a call runs; how many threads are forking or want to */

static void before_fork(void) {
  pthread_mutex_lock(&mutex);
  forks++;
  while (is_busy) pthread_cond_wait(&idle, &mutex);
}

static void after_fork_parent(void) {
  forks--;
  pthread_cond_broadcast(&idle);
  pthread_mutex_unlock(&mutex);
}

/* Whether this is a forked child whose BLAS has lost its threads: those of OpenMP do not survive fork(), and a call that
** waits for them never returns. OpenBLAS's own threads are made anew by OpenBLAS. */
static int is_orphan, threads_before;

/* The child has one thread, which holds the mutex: it starts with a new one. */
static void after_fork_child(void) {
  pthread_mutex_init(&mutex, NULL);
  pthread_cond_init(&idle, NULL);
  forks = 0;
  is_orphan = openblas_get_parallel() == OPENBLAS_OPENMP;
}

static void install_fork_handlers(void) {
  system_at_fork(before_fork, after_fork_parent, after_fork_child);
}

static void lock(void) {
  pthread_once(&fork_once, install_fork_handlers);
  pthread_mutex_lock(&mutex);
  while (is_busy || forks > 0) pthread_cond_wait(&idle, &mutex);
  is_busy = 1;
  pthread_mutex_unlock(&mutex);
  if (!is_orphan) return;
  threads_before = openblas_get_num_threads();
  openblas_set_num_threads(1);
}

static void unlock(void) {
  if (is_orphan) openblas_set_num_threads(threads_before);
  pthread_mutex_lock(&mutex);
  is_busy = 0;
  pthread_cond_broadcast(&idle);
  pthread_mutex_unlock(&mutex);
}

int linalg_threads(void) {
  return openblas_get_num_threads();
}

const char *linalg_config(void) {
  return openblas_get_config();
}

/* dsyevd; info receives LAPACK's verdict. */
static enum status eigen_divide_and_conquer(size_t d, double *a, double *w, lapack_int *info,
                                            const struct memory *mem) {
  lapack_int n = (lapack_int)d, iwork_size = 3 + 5 * n;
  uint64_t work_size = 1 + 6 * (uint64_t)d + 2 * (uint64_t)d * d;
  double *work = memory_array(mem, work_size, sizeof *work);
  lapack_int *iwork = memory_array(mem, (uint64_t)iwork_size, sizeof *iwork);
  enum status rc = STATUS_NOMEM;
  if (work == NULL || iwork == NULL) goto end;
  lock();
  *info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', n, a, n, w, work, (lapack_int)work_size, iwork,
                              iwork_size);
  unlock();
  rc = STATUS_OK;
end:
  mem->release(work);
  mem->release(iwork);
  return rc;
}

static enum status eigen_relatively_robust(size_t d, const double *cov, double *a, double *w,
                                           const struct memory *mem) {
  lapack_int n = (lapack_int)d, found = 0, info = -1;
  double *copy = memory_array(mem, d * d, sizeof *copy), *work = memory_array(mem, 26 * (uint64_t)d, sizeof *work);
  lapack_int *iwork = memory_array(mem, 12 * (uint64_t)d, sizeof *iwork);
  enum status rc = STATUS_NOMEM;
  if (copy == NULL || work == NULL || iwork == NULL) goto end;
  memcpy(copy, cov, d * d * sizeof *copy);
  lock();
  info = LAPACKE_dsyevr_work(LAPACK_COL_MAJOR, 'V', 'A', 'L', n, copy, n, 0, 0, 0, 0, 0, &found, w, a, n,
                             iwork + 10 * d, work, 26 * n, iwork, 10 * n);
  unlock();
  rc = info == 0 && found == n ? STATUS_OK : STATUS_SOLVER;
end:
  mem->release(copy);
  mem->release(work);
  mem->release(iwork);
  return rc;
}

int linalg_prefers_top(size_t d, size_t count) {
  enum { LARGEST_FOR_DSYEVD = 11583 }; /* beyond, its workspace is more than 2 GB */
  return (d >= 1536 && count <= d / 4) || d > LARGEST_FOR_DSYEVD;
}

/* Workspace of eigen_top. */
struct top {
  double *a, *diagonal, *off, *off_copy, *tau, *found, *work;
  lapack_int *iwork, *support;
};

/* info of the first step that fails, or 0. */
static lapack_int eigen_top_steps(lapack_int n, lapack_int count, const struct top *t, double *vectors,
                                  double *w) {
  lapack_int m = 0, info, work_size = 64 * n;
  lapack_logical try_relative_accuracy = 1;
  info = LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, 'L', n, t->a, n, t->diagonal, t->off, t->tau, t->work, work_size);
  if (info != 0) return info;
  memcpy(w, t->diagonal, (size_t)n * sizeof *w);
  memcpy(t->off_copy, t->off, (size_t)(n - 1) * sizeof *w);
  info = LAPACKE_dsterf_work(n, w, t->off_copy);
  if (info != 0) return info;
  memcpy(t->off_copy, t->off, (size_t)(n - 1) * sizeof *w);
  info = LAPACKE_dstemr_work(LAPACK_COL_MAJOR, 'V', 'I', n, t->diagonal, t->off_copy, 0, 0, n - count + 1, n, &m,
                             t->found, vectors, n, count, t->support, &try_relative_accuracy, t->work, work_size,
                             t->iwork, 10 * n);
  if (info != 0 || m != count) return info != 0 ? info : 1;
  return LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', 'L', 'N', n, count, t->a, n, t->tau, vectors, n, t->work,
                             work_size);
}

static enum status eigen_top(size_t d, size_t count, const double *cov, double *vectors, double *w,
                             const struct memory *mem) {
  lapack_int info = -1;
  double *a = memory_array(mem, d * d, sizeof *a), *rest = memory_array(mem, d * (5 + 64), sizeof *rest);
  lapack_int *integers = memory_array(mem, 10 * d + 2 * count, sizeof *integers);
  enum status rc = STATUS_NOMEM;
  if (a == NULL || rest == NULL || integers == NULL) goto end;
  struct top t = {.a = a,
                  .diagonal = rest,
                  .off = rest + d,
                  .off_copy = rest + 2 * d,
                  .tau = rest + 3 * d,
                  .found = rest + 4 * d,
                  .work = rest + 5 * d,
                  .iwork = integers,
                  .support = integers + 10 * d};
  memcpy(t.a, cov, d * d * sizeof *cov);
  lock();
  info = eigen_top_steps((lapack_int)d, (lapack_int)count, &t, vectors, w);
  unlock();
  rc = info == 0 ? STATUS_OK : STATUS_SOLVER;
end:
  mem->release(a);
  mem->release(rest);
  mem->release(integers);
  return rc;
}

enum status linalg_eigen(size_t d, size_t count, const double *cov, double *vectors, double *w,
                         const struct memory *mem) {
  lapack_int info = 0;
  if (linalg_prefers_top(d, count)) return eigen_top(d, count, cov, vectors, w, mem);
  memcpy(vectors, cov, d * d * sizeof *vectors);
  enum status rc = eigen_divide_and_conquer(d, vectors, w, &info, mem);
  if (rc == STATUS_OK && info != 0) rc = eigen_relatively_robust(d, cov, vectors, w, mem);
  return rc;
}

/* Columns and values from descending to ascending order, the singular values, which LAPACK scales, to their squares. */
static void reverse(size_t d, double scale, double *vectors, double *w) {
  for (size_t j = 0; j < d; j++) w[j] = scale * w[j] * (scale * w[j]);
  for (size_t j = 0, k = d - 1; j < k; j++, k--) {
    double value = w[j];
    w[j] = w[k];
    w[k] = value;
    for (size_t i = 0; i < d; i++) {
      double element = vectors[j * d + i];
      vectors[j * d + i] = vectors[k * d + i];
      vectors[k * d + i] = element;
    }
  }
}

enum status linalg_eigen_of_factor(size_t d, double *a, double *vectors, double *w, const struct memory *mem) {
  lapack_int n = (lapack_int)d, work_size = 68 * n, info;
  double *work = memory_array(mem, (uint64_t)work_size, sizeof *work);
  lapack_int *iwork = memory_array(mem, 4 * (uint64_t)d, sizeof *iwork);
  enum status rc = STATUS_NOMEM;
  if (work == NULL || iwork == NULL) goto end;
  lock();
  info = LAPACKE_dgejsv_work(LAPACK_COL_MAJOR, 'F', 'N', 'V', 'N', 'N', 'N', n, n, a, n, w, NULL, n, vectors, n,
                             work, work_size, iwork);
  unlock();
  rc = info == 0 ? STATUS_OK : STATUS_SOLVER;
  if (rc == STATUS_OK) reverse(d, work[0] / work[1], vectors, w);
end:
  mem->release(work);
  mem->release(iwork);
  return rc;
}

enum status linalg_cholesky(size_t d, double *a) {
  lock();
  lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (lapack_int)d, a, (lapack_int)d);
  unlock();
  for (size_t column = 1; column < d; column++) memset(a + column * d, 0, column * sizeof *a);
  return info == 0 ? STATUS_OK : STATUS_SOLVER;
}

enum status linalg_invert_lower(size_t d, double *a) {
  lock();
  lapack_int info = LAPACKE_dtrtri_work(LAPACK_COL_MAJOR, 'L', 'N', (lapack_int)d, a, (lapack_int)d);
  unlock();
  return info == 0 ? STATUS_OK : STATUS_SOLVER;
}

void linalg_multiply_transposed(size_t n, size_t k, const double *a, const double *b, double *c) {
  lock();
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)n, (int)n, (int)k, 1.0, a, (int)n, b, (int)n, 0.0, c,
              (int)n);
  unlock();
}

void linalg_multiply(const struct linalg_matrix *a, const struct linalg_matrix *b, double *c) {
  lock();
  cblas_dgemm(CblasColMajor, a->is_transposed ? CblasTrans : CblasNoTrans,
              b->is_transposed ? CblasTrans : CblasNoTrans, (int)a->rows, (int)b->columns, (int)a->columns, 1.0,
              a->at, (int)a->leading, b->at, (int)b->leading, 0.0, c, (int)a->rows);
  unlock();
}

/* dgesdd with work_size elements of workspace; with -1, only how many are best is written to *work. */
static lapack_int svd_call(const struct linalg_svd *s, double *work, lapack_int work_size, lapack_int *iwork) {
  lapack_int rows = (lapack_int)s->rows, columns = (lapack_int)s->columns;
  lock();
  lapack_int info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', rows, columns, s->a, rows, s->singular, s->u, rows,
                                        s->vt, rows < columns ? rows : columns, work, work_size, iwork);
  unlock();
  return info;
}

enum status linalg_svd(const struct linalg_svd *svd, const struct memory *mem) {
  size_t least = svd->rows < svd->columns ? svd->rows : svd->columns;
  double best = 0, *work = NULL;
  lapack_int *iwork = memory_array(mem, 8 * (uint64_t)least, sizeof *iwork);
  enum status rc = STATUS_NOMEM;
  if (iwork == NULL) goto end;
  rc = STATUS_SOLVER;
  if (svd_call(svd, &best, -1, iwork) != 0 || !(best >= 1 && best <= INT32_MAX)) goto end;
  rc = STATUS_NOMEM;
  work = memory_array(mem, (uint64_t)best, sizeof *work);
  if (work == NULL) goto end;
  rc = svd_call(svd, work, (lapack_int)best, iwork) == 0 ? STATUS_OK : STATUS_SOLVER;
end:
  mem->release(work);
  mem->release(iwork);
  return rc;
}

void linalg_multiply_single(size_t n, size_t k, size_t m, const float *a, const float *b, float *c) {
  lock();
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)m, (int)k, 1.0F, a, (int)k, b, (int)k, 0.0F, c,
              (int)m);
  unlock();
}

/* After dpotrf: L_jj^2 is the squared distance of column j from the span of those before it. At float32's resolution,
** in which kernels are kept, that is nothing if it is no more than rounding leaves of the column's own square. */
static int columns_are_dependent(size_t k, const double *factor, const double *squares) {
  double resolution = 4.0 * (double)k * FLT_EPSILON * FLT_EPSILON;
  for (size_t j = 0; j < k; j++)
    if (factor[j * k + j] * factor[j * k + j] <= resolution * squares[j]) return 1;
  return 0;
}

/* rhs (k x d, column-major) becomes the solution of gram * x = rhs. */
static enum status solve_gram(size_t d, size_t k, double *gram, double *rhs, const struct memory *mem) {
  lapack_int order = (lapack_int)k, info;
  double *squares = memory_array(mem, k, sizeof *squares);
  if (squares == NULL) return STATUS_NOMEM;
  for (size_t j = 0; j < k; j++) squares[j] = gram[j * k + j];
  lock();
  info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', order, gram, order);
  if (info == 0 && columns_are_dependent(k, gram, squares)) info = 1;
  if (info == 0) info = LAPACKE_dpotrs_work(LAPACK_COL_MAJOR, 'L', order, (lapack_int)d, gram, order, rhs, order);
  unlock();
  mem->release(squares);
  return info == 0 ? STATUS_OK : STATUS_SOLVER;
}

enum status linalg_pseudo_inverse(size_t d, size_t k, const double *kernel, double *inverse,
                                  const struct memory *mem) {
  double *gram = memory_array(mem, k * k, sizeof *gram), *rhs = memory_array(mem, d * k, sizeof *rhs);
  enum status rc = STATUS_NOMEM;
  if (gram == NULL || rhs == NULL) goto end;
  lock();
  cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)k, (int)d, 1.0, kernel, (int)k, 0.0, gram, (int)k);
  unlock();
  /* Row-major d x k is column-major k x d: the right-hand sides K^T, which the solution replaces. */
  memcpy(rhs, kernel, d * k * sizeof *rhs);
  rc = solve_gram(d, k, gram, rhs, mem);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < k; j++) inverse[j * d + i] = rhs[i * k + j];
end:
  mem->release(gram);
  mem->release(rhs);
  return rc;
}
