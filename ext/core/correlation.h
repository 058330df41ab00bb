/* Correlations of pairs of numbers, which judge a similarity: Pearson and Spearman. */
#ifndef WHITEN_CORE_CORRELATION_H
#define WHITEN_CORE_CORRELATION_H

#include "core/base.h"

/* Pairs (x, y) of a correlation. Zeroed = empty; owned: pairs. */
struct correlation_pair {
  double x, y;
};
struct correlation {
  const struct memory *mem;
  size_t count, capacity;
  struct correlation_pair *pairs;
};
enum status correlation_add(struct correlation *p, double x, double y, const struct memory *mem);
void correlation_clear(struct correlation *p);
/* Linear correlation by the corrected two-pass formula (Chan, Golub & LeVeque 1983, eq. 1.7); NaN when fewer than two
** pairs or one side is constant. */
double correlation_pearson(const struct correlation *p);
/* Correlation of the ranks, ties averaged; overwrites the pairs. The sums run over the pairs sorted by y, then x, so their
** order in and how libc sorts ties do not change a bit. NaN as above. */
double correlation_spearman(struct correlation *p);

#endif
