/*
** Building: the model, and the codes of all rows, at once or in steps that a script can count and resume. A step is
** part of its statement's transaction, so it is there as a whole or not at all.
*/
#ifndef WHITEN_INDEX_BUILD_H
#define WHITEN_INDEX_BUILD_H

#include "index/index.h"

/* Codes the next `rows` rows (at least one) of what is not coded yet, the first time fitting or taking the model;
** nothing to do is no error. A rebuild that has begun is gone on with. 0 on success. */
int build_step(struct call *call, struct index *index, int64_t rows);
/* The same into a new generation with a new model, which replaces the current one when it is complete. INT64_MAX:
** begins anew and ends. */
int build_again(struct call *call, struct index *index, int64_t rows);
/* A model and an empty generation, so that rows can be added; without rows to fit it nothing. */
int build_begin(struct call *call, struct index *index);

#endif
