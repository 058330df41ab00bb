/* The k best of many: a bounded heap whose root is the worst one kept. Ties in similarity go to the lower rowid, so the
** result does not depend on the order in which candidates come. */
#ifndef WHITEN_CORE_TOPK_H
#define WHITEN_CORE_TOPK_H

#include "core/base.h"

struct hit {
  double similarity;
  int64_t rowid;
};

/* Zeroed = empty. The array grows as it fills; owned: hits. */
struct topk {
  size_t k, count, capacity;
  struct hit *hits;
};

void topk_init(struct topk *t, size_t k);
void topk_clear(struct topk *t, const struct memory *mem);

/* Makes room for `count` hits, or for k if that is fewer. STATUS_NOMEM. */
enum status topk_reserve(struct topk *t, size_t count, const struct memory *mem);
/* Keeps it if it is among the k best so far; there must be room for one more hit. */
void topk_add(struct topk *t, double similarity, int64_t rowid);
/* The similarity that a candidate must reach; -infinity while there is room. */
double topk_threshold(const struct topk *t);
/* Sorts the hits, the best first; nothing may be added then. */
void topk_sort(struct topk *t);

#endif
