/*
** Whitening: from moments to a model.
**
** Sources: Su et al. 2021, "Whitening Sentence Representations for Better Semantics and Faster Retrieval"
** (arXiv:2103.15316), for the recipe; Kessy, Lewin & Strimmer 2018, "Optimal Whitening and Decorrelation", for the
** five methods; Mu & Viswanath 2018, "All-but-the-Top", for `remove`; Chen, Wiesel, Eldar & Hero 2010, "Shrinkage
** Algorithms for MMSE Covariance Estimation", eq. (23), for the OAS ridge.
*/
#ifndef WHITEN_CORE_SOLVE_H
#define WHITEN_CORE_SOLVE_H

#include "core/base.h"
#include "core/model.h"
#include "core/moments.h"
#include "core/spectrum.h"
#include "core/within.h"

enum solve_k { SOLVE_K_ALL, SOLVE_K_COUNT, SOLVE_K_SHARE };

struct solve_options {
  enum model_method method;
  enum solve_k k_kind;
  int64_t k;                        /* SOLVE_K_COUNT: components to keep, 1..d */
  double share;                     /* SOLVE_K_SHARE: share of the variance that `remove` leaves, in (0, 1) */
  double ridge;                     /* >= 0, in units of the mean eigenvalue */
  int oas;                          /* the ridge by OAS instead */
  double power;                     /* in [0, 1]: components are scaled by eigenvalue^(-power/2) */
  int64_t remove;                   /* leading components to drop */
  int normalize;                    /* whiten_apply divides by the norm */
  enum scatter_precision precision; /* of the moments: for who gathers them */
  struct within_choice within;      /* pca alone, without remove and oas, power 1; its ridge is the one above */
};
/* pca, every component, no ridge, power 1. */
extern const struct solve_options SOLVE_DEFAULTS;

/* How many components there were to choose from - the rank, less `remove` - and why no more. */
struct solve_limit {
  size_t components;
  enum spectrum_limit reason;
};

/*
** The model from flushed moments. On success *blob is the model BLOB, *size its bytes, allocated from moments->mem and
** owned by the caller. Needs 4 d^2 float64 beside the moments, 6 where the rank is in doubt (see spectrum.h).
** STATUS_WEIGHT, STATUS_NO_VARIANCE, STATUS_RANK (*limit says more), STATUS_K_CHOLESKY, STATUS_SOLVER, STATUS_OVERFLOW
** (a scale beyond float32), STATUS_NOMEM; with pairs as for within_init besides.
*/
enum status solve_moments(const struct moments *moments, const struct solve_options *options, void **blob,
                          uint64_t *size, struct solve_limit *limit);

/* A kernel (d x k row-major) and a bias (d) fitted elsewhere, both unaligned float32: the mean is -bias. */
struct solve_arrays {
  size_t d, m;
  const void *kernel, *bias;
  const void *offset; /* m float32; without one, NULL, there are no more columns than rows */
};

/* The model of them; zeros in the place of an offset are none, where that can be. Its inverse is the kernel's pseudo-inverse; the model has none when the columns are dependent.
** STATUS_NOMEM. */
enum status solve_import(const struct solve_arrays *arrays, const struct memory *mem, void **blob, uint64_t *size);

#endif
