/*
** Which whitening is best for labelled pairs, and how sure that is.
**
** Each setting of the grid is measured by every pair, or query: Spearman's correlation of score and cosine, or the mean
** reciprocal rank of the relevant documents. The best is taken; of it the smallest k that is shown to lose no more than
** TUNE_LOSS, its standard error included (at 200 pairs the smallest within one standard error loses near a point); and that
** only if its gain over the vectors as they are exceeds `guard` standard errors. Errors are those of differences: both
** settings are measured on the same pairs, so that what these have in common cancels. From 200 scored pairs on, what can
** be learned from them is a candidate besides (supervised.h), which must be better by a standard error, cross-validated.
*/
#ifndef WHITEN_CORE_TUNE_H
#define WHITEN_CORE_TUNE_H

#include "core/grid.h"
#include "core/labels.h"
#include "core/moments.h"

enum { TUNE_SETTINGS = GRID_SETTINGS + GRID_HALVINGS + 1, TUNE_LEAST_UNITS = 10 };
#define TUNE_RAW SIZE_MAX
#define TUNE_LOSS 0.0025

struct tune_options {
  double guard;  /* standard errors that a gain must exceed */
  int may_learn; /* whether the candidate that learns from the pairs is one */
};

struct tune_score {
  double score, recall1, recall10; /* the recalls of retrieval alone */
};

struct tune_setting {
  struct grid_setting how;
  struct tune_score measured;
  double gain, error; /* over raw */
};

/* Why the choice is what it is. */
enum tune_reason {
  TUNE_FOUND,    /* a setting beats raw by more than the guard */
  TUNE_NO_GAIN,  /* none does */
  TUNE_TOO_FEW,  /* fewer pairs or queries than TUNE_LEAST_UNITS */
  TUNE_CONSTANT, /* all scores are equal */
  TUNE_PERFECT   /* raw leaves nothing to gain */
};

/* Zeroed = empty; what tune_run fills in. Owned: influence. */
struct tune {
  const struct memory *mem;
  struct tune_options options;
  size_t units; /* pairs, or queries */
  size_t documents;
  struct tune_score raw;
  struct tune_setting settings[TUNE_SETTINGS];
  size_t count;
  size_t chosen;    /* or TUNE_RAW */
  double threshold; /* the score from which pairs count as related: where a setting has `within` */
  enum tune_reason reason;
  double *influence; /* (1 + TUNE_SETTINGS) x units: what each unit adds to a score; raw first */
};

/*
** From flushed moments and finished labels, whose rows it overwrites, of the same dimension; no row is zero.
** STATUS_NO_VARIANCE, STATUS_WEIGHT, STATUS_SOLVER, STATUS_OVERFLOW, STATUS_NOMEM, STATUS_STOPPED.
*/
enum status tune_run(struct tune *t, const struct moments *m, struct labels *labels,
                     const struct tune_options *options, const struct watch *watch);
void tune_clear(struct tune *t);

#endif
