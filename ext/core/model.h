/*
** Model and stats BLOBs: their format is specified, written, validated and read here only.
**
** All numbers little-endian; integers unsigned unless said; f64, f32 are IEEE 754. Offsets in bytes.
**
** Header of both:
**    0  u8[8]  magic: "whitenM" or "whitenS" and a zero byte
**    8  u32    format version: 1
**   12  u32    byte order: 0x01020304, so that a file of the wrong order is told from a damaged one
**   16  u64    size of the whole BLOB
**   24  u64    content hash: XXH64 of the bytes from 32 on, seeded with XXH64 (seed 0) of bytes 0..23
**   32  u32    d: elements of the vectors that the model takes
** Model, version 1:
**   36  u32    k: components kept
**   40  u32    m: elements of the result (k; d for zca and zca-cor)
**   44  u32    rank: directions with variance
**   48  i64    n: rows it was fitted on; 0 when imported
**   56  f64    sum of the weights
**   64  u32    method: enum whiten_method
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
** Stats, version 1:
**   36  u32    zero
**   40  i64    n: rows, 1 .. 2^53
**   48  f64    sum of the weights
**   56  f64[d] mean
**       f64[d (d + 1) / 2] upper triangle, row by row, of the sum of w (x - mean)(x - mean)^T
*/
#ifndef WHITEN_CORE_MODEL_H
#define WHITEN_CORE_MODEL_H

#include "base.h"
#include "moments.h"

enum whiten_method { WHITEN_PCA, WHITEN_ZCA, WHITEN_PCA_COR, WHITEN_ZCA_COR, WHITEN_CHOLESKY, WHITEN_METHOD_COUNT };

enum model_flag {
  MODEL_NORMALIZE = 1,  /* results are divided by their norm */
  MODEL_OAS = 2,        /* the ridge was chosen by OAS */
  MODEL_IMPORTED = 4,   /* kernel and bias came from elsewhere: no eigenvalues */
  MODEL_SCALES = 8,     /* the inverse follows from the kernel by scaling */
  MODEL_INVERSE = 16,   /* the inverse is stored */
  MODEL_SINGLE = 32,    /* the moments were summed with SCATTER_SINGLE */
  MODEL_FLAGS_KNOWN = 63
};

/* What a model is, without its arrays. */
struct model_header {
  uint64_t size, hash;
  uint32_t d, k, m, rank;
  int64_t n;
  double weight;
  uint32_t method, flags, remove;
  double ridge, rho, ridge_added, power;
};

/* Pointers into a model BLOB: unaligned, NULL where absent. */
struct model_arrays {
  const void *mean, *eigenvalues, *row_scale, *column_scale, *kernel, *inverse;
};

/* Header plus arrays: what `model_write` takes; f64 arrays as double, kernel and inverse as float. */
struct model {
  struct model_header header;
  const double *mean, *eigenvalues, *row_scale, *column_scale;
  const float *kernel, *inverse;
};

/* Size of the BLOB for d, k, m and flags of the header. */
uint64_t model_size(const struct model_header *header);

/* Writes the BLOB, size and hash included, to out[model_size()]. */
void model_write(const struct model *model, void *out);

/*
** Validates everything but the content hash, and finds the arrays. STATUS_FOREIGN, STATUS_VERSION, STATUS_BYTE_ORDER,
** STATUS_TRUNCATED (header->size is what it should be), STATUS_HEADER. A stats BLOB is foreign.
*/
enum status model_read(const void *blob, size_t bytes, struct model_header *header, struct model_arrays *arrays);

/* STATUS_HASH unless the content of a BLOB that model_read accepted matches its hash. */
enum status model_check_hash(const void *blob, size_t bytes);

/* STATUS_NOT_FINITE unless every number of the arrays is finite. */
enum status model_check_finite(const struct model_header *header, const struct model_arrays *arrays);

/* The content hash of a BLOB of at least 32 bytes, as it stands in the header. */
uint64_t model_stored_hash(const void *blob);

/* "pca", "zca" ... or NULL past the last one. */
const char *model_method_name(uint32_t method);

/* Whether a BLOB begins like a model, or like stats: to word the error. */
int model_is_model(const void *blob, size_t bytes);
int model_is_stats(const void *blob, size_t bytes);

/* The same for stats: the moments must be flushed. */
uint64_t stats_size(size_t d);
void stats_write(const struct moments *moments, void *out);

struct stats_header {
  uint64_t size;
  uint32_t d;
  int64_t n;
  double weight;
};

/* Validates the BLOB, hash and numbers included; errors as for model_read. */
enum status stats_read(const void *blob, size_t bytes, struct stats_header *header);

/* Unpacks what stats_read accepted: mean (d), cross (d x d, upper triangle; the lower is set to zero). */
void stats_unpack(const void *blob, const struct stats_header *header, double *mean, double *cross);

#endif
