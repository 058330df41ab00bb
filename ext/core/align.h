/*
** Two embedding models' spaces made one: from the moments of pairs of vectors (a, b) of the same texts to a model of
** one side of them.
**
** With Sa, Sb, Sab the covariances, ta, tb the mean variances of a column, and r the ridge: Wa = (Sa + r ta
** I)^(-1/2), Wb alike, and the singular value decomposition Wa Sab Wb = U S V^T. The first k columns of U and V make
**   'a':    y = (x - mean_a) Wa U S^e              'b':    y = (x - mean_b) Wb V S^e: both into the shared space
**   'a->b': y = mean_b + (x - mean_a) Wa U S^e V^T Wb^-1, 'b->a' alike.
** S are canonical correlations (Hotelling 1936, "Relations between Two Sets of Variates"), regularised (Vinod 1976).
** e = 1 is ridge regression; e = 0 orthogonal Procrustes of whitened vectors. Between them lies what retrieval wants:
** directions count by how far the two sides agree on them.
**
** The inverse of 'a' is S^-e U^T Wa^-1 and of 'a->b' Wb V S^-e U^T Wa^-1: the vector of the other space that fits
** best when a's covariance is Sa + r ta I; so whiten_apply gives back what whiten_inverse was given by 'a' and 'b'.
**
** Signs: of each pair of directions, that of a has its element of largest magnitude positive, whichever side is asked
** for. Both sides' models belong together when they are made of the same moments with the same options.
**
** Rejected: orthogonal Procrustes of vectors filled up with zeros, which knows nothing of how unequal directions are
** (a third of the retrieval on real pairs); ridge regression (a half), which shrinks what it cannot predict, and so
** ranks by the few directions that it can.
*/
#ifndef WHITEN_CORE_ALIGN_H
#define WHITEN_CORE_ALIGN_H

#include "core/model.h"
#include "core/moments.h"

struct align_options {
  int64_t k;       /* components to keep, or 0 for all that the sides share */
  double ridge;    /* >= 0, in units of each side's mean variance of a column */
  double exponent; /* e, in [0, 1] */
  int normalize;   /* whiten_apply divides by the norm */
};
/* All components, ridge 0.3, exponent 0.5. */
extern const struct align_options ALIGN_DEFAULTS;

/* Why there is no model: components that the sides share, or the side whose covariance has no inverse, and its rank. */
struct align_limit {
  size_t components;
  enum model_side side;
  size_t rank;
};

/*
** The model of a side from the flushed moments of pairs (dim_a is not 0). On success *blob is the model BLOB, *size its bytes, allocated from pairs->mem and owned by the
** caller. Needs, beside the moments, up to 6 times the float64 of the larger side's covariance, and 4 times of the
** smaller's. STATUS_WEIGHT, STATUS_NO_VARIANCE and STATUS_RANK (*limit says more), STATUS_SOLVER, STATUS_OVERFLOW (a
** kernel beyond float32), STATUS_NOMEM.
*/
enum status align_solve(const struct moments *pairs, enum model_side side, const struct align_options *options,
                        void **blob, uint64_t *size, struct align_limit *limit);

#endif
