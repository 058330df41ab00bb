/*
** BLAS and LAPACK, and the only file that knows them. Matrices are square float64, column-major unless said.
**
** The libraries are shared with the host: every call runs under one process-wide mutex (OpenBLAS built without
** threads of its own gives wrong answers to callers in parallel, and with them it thrashes), which survives fork(): that
** waits for the call that runs, and goes before those that wait.
** The number of BLAS threads is never changed, but for the length of a call in a forked child of a process that uses
** OpenBLAS's OpenMP build. Workspace comes from the caller's allocator.
*/
#ifndef WHITEN_CORE_LINALG_H
#define WHITEN_CORE_LINALG_H

#include "core/base.h"

/* Threads that BLAS uses, and its description of itself. */
int linalg_threads(void);
const char *linalg_config(void);

/*
** Eigen-decomposition of a symmetric matrix of finite numbers (with others LAPACK may not return). Of `cov` the upper
** triangle (row-major) is read; `w` (d) receives all eigenvalues, ascending; `vectors` the eigenvectors of the `count`
** largest, in the same order, d elements each. By dsyevd, and dsyevr where that does not converge; but where
** linalg_prefers_top says so by dsytrd, dsterf, dstemr and dormtr, which dsyevr consists of: 1.4 times faster at d = 1536,
** k = 256, and the way for d so large that SQLite gives no block for dsyevd's workspace. Otherwise `vectors` must have room
** for all d, and receives them all. Workspace: 2 d^2 float64, or d^2. STATUS_NOMEM, STATUS_SOLVER.
*/
int linalg_prefers_top(size_t d, size_t count);
enum status linalg_eigen(size_t d, size_t count, const double *cov, double *vectors, double *w,
                         const struct memory *mem);

/*
** The same for a^T a, of which only `a` (d x d, column-major; overwritten) is given: its right singular vectors and the
** squares of its singular values, all d, by one-sided Jacobi rotations (dgejsv). However unequal the columns of a are in
** size, small eigenvalues have their digits. Workspace: 68 d float64.
*/
enum status linalg_eigen_of_factor(size_t d, double *a, double *vectors, double *w, const struct memory *mem);

/*
** Cholesky factor of a positive definite matrix, a = L L^T: only the column-major lower triangle (row-major upper) is
** read; receives L there, zeros elsewhere. STATUS_SOLVER when it is not positive definite.
*/
enum status linalg_cholesky(size_t d, double *a);

/* The inverse of a lower triangular matrix, in place. STATUS_SOLVER when it is singular. */
enum status linalg_invert_lower(size_t d, double *a);

/* c (n x n) = a (n x k) * b^T, b of shape n x k; all column-major. */
void linalg_multiply_transposed(size_t n, size_t k, const double *a, const double *b, double *c);

/* A matrix of column-major elements, `leading` of them from column to column: rows x columns as it is multiplied, so
** columns x rows in memory if it is transposed. */
struct linalg_matrix {
  const double *at;
  size_t rows, columns, leading;
  int is_transposed;
};

/* c (a.rows x b.columns, dense) = a * b; a.columns is b.rows. */
void linalg_multiply(const struct linalg_matrix *a, const struct linalg_matrix *b, double *c);

/*
** Singular values of `a` (rows x columns, dense, column-major; overwritten), descending: r = min(rows, columns) of them.
** u (rows x r) and vt (r x columns) receive the vectors. dgesdd; of finite numbers only. Workspace: some 4 r^2 float64.
** STATUS_SOLVER, STATUS_NOMEM.
*/
struct linalg_svd {
  size_t rows, columns;
  double *a, *singular, *u, *vt;
};
enum status linalg_svd(const struct linalg_svd *svd, const struct memory *mem);

/* The same in float32, all row-major, and b transposed: c (n x m) = a (n x k) * b^T, b of shape m x k. */
void linalg_multiply_single(size_t n, size_t k, size_t m, const float *a, const float *b, float *c);

/*
** The pseudo-inverse (K^T K)^-1 K^T of a d x k matrix of full column rank, by Cholesky: `kernel` is row-major d x k;
** `inverse` receives k x d, row-major. STATUS_SOLVER when the columns are dependent; STATUS_NOMEM.
*/
enum status linalg_pseudo_inverse(size_t d, size_t k, const double *kernel, double *inverse,
                                  const struct memory *mem);

#endif
