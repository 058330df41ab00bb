/* core/correlation: closed forms, faults, and rank correlations that do not depend on how qsort leaves equal elements:
** this file brings a qsort of its own, which shuffles first. */
#include "core/correlation.h"

#include <math.h>
#include <stdlib.h>

#include "faulty_memory.h"

enum { ROWS = 300 };

static struct random shuffler;

static void swap_bytes(unsigned char *a, unsigned char *b, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

void qsort(void *base, size_t nmemb, size_t size, int (*compar)(const void *, const void *)) {
  unsigned char *p = base;
  for (size_t i = nmemb; i > 1; i--) swap_bytes(p + (i - 1) * size, p + random_below(&shuffler, i) * size, size);
  for (size_t i = 1; i < nmemb; i++)
    for (size_t j = i; j > 0 && compar(p + (j - 1) * size, p + j * size) > 0; j--)
      swap_bytes(p + (j - 1) * size, p + j * size, size);
}

static struct correlation correlation_of(size_t n, const double *x, const double *y) {
  struct correlation p = {0};
  for (size_t i = 0; i < n; i++) assert_int_equal(correlation_add(&p, x[i], y[i], &faulty_memory), STATUS_OK);
  return p;
}

TEST(correlation_closed_forms) {
  struct correlation p = correlation_of(4, (double[]){1, 2, 2, 5}, (double[]){1, 2, 3, 4});
  assert_near(correlation_pearson(&p), 6 / sqrt(9 * 5), 1e-15);      /* sums of squares 9, 5, of products 6 */
  assert_near(correlation_spearman(&p), 4.5 / sqrt(4.5 * 5), 1e-15); /* ranks 1, 2.5, 2.5, 4 */
  correlation_clear(&p);
  correlation_clear(&p);
  p = correlation_of(2, (double[]){1, 2}, (double[]){3, 3});
  assert_true(isnan(correlation_spearman(&p)));
  assert_true(isnan(correlation_pearson(&p)));
  correlation_clear(&p);
}

TEST(correlation_of_ranks_with_any_qsort) {
  struct random r = {random_seed()};
  double x[ROWS], y[ROWS], first = 0;
  for (size_t i = 0; i < ROWS; i++) {
    x[i] = (double)random_below(&r, 7);
    y[i] = (double)random_below(&r, 5) + (x[i] > 3);
  }
  for (uint64_t seed = 0; seed < 50; seed++) {
    struct correlation p = correlation_of(ROWS, x, y);
    shuffler = (struct random){seed};
    double spearman = correlation_spearman(&p);
    if (seed == 0) first = spearman;
    assert_memory_equal(&spearman, &first, sizeof first);
    correlation_clear(&p);
  }
}

static enum status add_once(void) {
  struct correlation p = {0};
  enum status rc = STATUS_OK;
  for (int i = 0; i < 100 && rc == STATUS_OK; i++) rc = correlation_add(&p, i, -i, &faulty_memory);
  correlation_clear(&p);
  return rc;
}

TEST(correlation_out_of_memory) {
  assert_int_equal(faulty_exhaust(add_once), 2);
}

UNIT_MAIN(faulty_test(correlation_closed_forms), faulty_test(correlation_of_ranks_with_any_qsort),
          faulty_test(correlation_out_of_memory))
