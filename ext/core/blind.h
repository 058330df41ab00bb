/*
** A whitening without labels: power 0.5 where rows lie in a narrow cone, else 0.25, with a ridge where they are few. No
** criterion without labels was found that picks settings well on all sets (isotropy, hubness, stability of neighbours,
** rules on the spectrum), so this is a cautious default: what it does to the rows is reported, and no gain promised.
*/
#ifndef WHITEN_CORE_BLIND_H
#define WHITEN_CORE_BLIND_H

#include "core/grid.h"
#include "core/labels.h"
#include "core/moments.h"
#include "core/neighbours.h"

#define BLIND_CONE 0.3 /* mean cosine above which the cone is narrow */
#define BLIND_RIDGE 0.1
enum { BLIND_LEAST_ROWS = 10, BLIND_ROWS_A_DIMENSION = 10 };

struct blind_view {
  struct neighbours neighbours;
  double isoscore;
};

struct blind {
  struct grid_setting setting;
  int is_chosen; /* 0: fewer than BLIND_LEAST_ROWS */
  struct blind_view before, after;
};

/* From flushed moments and finished labels of kind LABELS_NONE, whose rows it overwrites; none is zero. Errors as
** tune_run's. */
enum status blind_run(struct blind *b, const struct moments *m, struct labels *labels, const struct watch *watch);

#endif
