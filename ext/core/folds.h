/*
** Folds for cross-validation of pairs: pairs that share a row, or are joined by others that do, are in one fold, so that
** what is learned from the other folds has not seen a row of this one.
*/
#ifndef WHITEN_CORE_FOLDS_H
#define WHITEN_CORE_FOLDS_H

#include "core/labels.h"

enum { FOLDS = 4 };

/*
** fold[i] of each pair, 0 .. FOLDS - 1: the connected components, the largest first, each into the fold with the fewest
** pairs. *largest receives the number of pairs in the largest fold. STATUS_NOMEM.
*/
enum status folds_assign(const struct labels *l, unsigned char *fold, size_t *largest);

#endif
