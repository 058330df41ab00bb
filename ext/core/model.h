/*
** Model BLOBs: their format is specified, written, validated and read here only. Offsets in bytes; the first 36 are as
** blob.h says, the magic is "whitenM".
**
** Model, version 1:
**   36  u32    k: components kept
**   40  u32    m: elements of the result (k; d for zca and zca-cor)
**   44  u32    rank: directions with variance
**   48  i64    n: rows it was fitted on; 0 when imported
**   56  f64    sum of the weights
**   64  u32    method: enum model_method
**   68  u32    flags: enum model_flag
**   72  u32    remove: leading components dropped
**   76  u32    zero
**   80  f64    ridge as asked for (0 with MODEL_OAS)
**   88  f64    rho: shrinkage of the eigenvalues, s -> (1 - rho) s + ridge_added; 0 unless MODEL_OAS
**   96  f64    ridge_added: what was added to every eigenvalue
**  104  f64    power
**  112  u8[16] zeros
**  128  f64[d] mean
**       f64[d] eigenvalues, descending, as found (before shrinkage and ridge): absent with MODEL_IMPORTED
**       f64[d] row scale, f64[k] column scale: inverse_ji = kernel_ij * row_i * column_j; with MODEL_SCALES
**       f32[d x m] kernel, row-major: y = (x - mean) @ kernel
**       f32[m x d] inverse, row-major: x = mean + y @ inverse; with MODEL_INVERSE
**
** Version 2 is written where one of its fields is needed, and refused where none is: a model has one BLOB.
**   40  u32    m: elements of the result; with an offset any number from k on, and k is the lesser of d and m where it was imported
**   44  u32    rank: with a side the components that both sides share
**   48  i64    n: with a side, pairs
**   76  u32    side: enum model_side
**  112  f64    within: the share of S_w in M, in (0, 1] (within.h); with MODEL_WITHIN, else zero, as the next two
**  120  u32    order: enum within_order, which says what the eigenvalues are
**  124  u32    pairs: how many related ones there were, UINT32_MAX for more
**   80  f64    ridge, 96 ridge_added: with a side, of the space that is taken
**  104  f64    power: with a side the exponent of the correlations
**  128  f64[d] mean
**              no eigenvalues with a side; then scales as above
**       f64[m] offset: y = offset + (x - mean) @ kernel, and x = mean + (y - offset) @ inverse; with MODEL_OFFSET
**              kernel and inverse as above
*/
#ifndef WHITEN_CORE_MODEL_H
#define WHITEN_CORE_MODEL_H

#include "core/base.h"

enum { MODEL_HEADER = 128 }; /* bytes before the arrays */

enum model_method { MODEL_PCA, MODEL_ZCA, MODEL_PCA_COR, MODEL_ZCA_COR, MODEL_CHOLESKY, MODEL_METHODS };

enum model_flag {
  MODEL_NORMALIZE = 1, /* results are divided by their norm */
  MODEL_OAS = 2,       /* the ridge was chosen by OAS */
  MODEL_IMPORTED = 4,  /* kernel and bias came from elsewhere: no eigenvalues */
  MODEL_SCALES = 8,    /* the inverse follows from the kernel by scaling */
  MODEL_INVERSE = 16,  /* the inverse is stored */
  MODEL_SINGLE = 32,   /* the moments were summed with SCATTER_SINGLE */
  MODEL_WITHIN = 64,   /* the difference of related pairs was whitened: pca without remove, the inverse stored */
  MODEL_OFFSET = 128,  /* something is added to the result */
  MODEL_FLAGS_1 = 63,  /* those of version 1, */
  MODEL_FLAGS_KNOWN = MODEL_FLAGS_1 | MODEL_WITHIN | MODEL_OFFSET
};

/* What a model of align.h takes: vectors of a or b; and where they go: into the space that both share, or the other's. */
enum model_side { MODEL_SIDE_NONE, MODEL_SIDE_A, MODEL_SIDE_B, MODEL_SIDE_A_TO_B, MODEL_SIDE_B_TO_A, MODEL_SIDES };

/* What a model is, without its arrays. */
struct model_header {
  uint64_t size, hash;
  uint32_t d, k, m, rank;
  int64_t n;
  double weight;
  uint32_t method, flags, remove, side, order, pairs;
  double ridge, rho, ridge_added, power, within;
};

/* Pointers into a model BLOB: unaligned, NULL where absent. */
struct model_arrays {
  const void *mean, *eigenvalues, *row_scale, *column_scale, *offset, *kernel, *inverse;
};

/* Header plus arrays: what `model_write` takes; f64 arrays as double, kernel and inverse as float. */
struct model {
  struct model_header header;
  const double *mean, *eigenvalues, *row_scale, *column_scale, *offset;
  const float *kernel, *inverse;
};

/* The version of the format that it takes: the oldest one that has its fields. */
uint32_t model_version(const struct model_header *header);

/* Whether it has eigenvalues: an imported or aligned one has not. */
int model_has_eigenvalues(const struct model_header *header);

/* Size of the BLOB for d, k, m and flags of the header. */
uint64_t model_size(const struct model_header *header);

/* Whether the BLOB of a model would be read again: STATUS_HEADER, STATUS_NOT_FINITE. To be asked before model_write. */
enum status model_check_parts(const struct model *model);

/* Writes the BLOB, size and hash included, to out[model_size()]. */
void model_write(const struct model *model, void *out);

/*
** Validates everything but the content hash, and finds the arrays. STATUS_FOREIGN, STATUS_VERSION, STATUS_BYTE_ORDER,
** STATUS_TRUNCATED (header->size is what it should be), STATUS_HEADER. Moments are foreign.
*/
enum status model_read(const void *blob, size_t bytes, struct model_header *header, struct model_arrays *arrays);

/* STATUS_NOT_FINITE unless every number of the arrays is finite. */
enum status model_check_finite(const struct model_header *header, const struct model_arrays *arrays);

/* All of it, the content hash included. Errors as for model_read, blob_check_hash and model_check_finite. */
enum status model_check(const void *blob, size_t bytes, struct model_header *header, struct model_arrays *arrays);

/* "pca", "zca" ... or NULL past the last one; "", "a", "b", "a->b", "b->a" or NULL. */
const char *model_method_name(uint32_t method);
const char *model_side_name(uint32_t side);

/* Whether a BLOB begins like a model: to word the error. */
int model_is_model(const void *blob, size_t bytes);

#endif
