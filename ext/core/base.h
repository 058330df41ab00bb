/*
** What every file of the numeric core shares: status codes, limits, and the allocator that is handed in.
**
** The core knows nothing of SQLite. It returns a status and no text; whoever calls it words the error.
** Memory comes from a `struct memory`, so that the host's limits and failure injection see every byte.
*/
#ifndef WHITEN_CORE_BASE_H
#define WHITEN_CORE_BASE_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

/* Same bits everywhere: a sum is rounded to its type, which the x87 of 32-bit x86 does not do. What is big-endian is refused
** anyway, when it loads the extension. */
#if FLT_EVAL_METHOD != 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#error \
    "this compiler evaluates float in a wider type, expected as it is: on 32-bit x86 add -msse2 -mfpmath=sse to CFLAGS"
#endif

/* Longest vector, in elements. */
#define DIM_MAX 16384

enum status {
  STATUS_OK = 0,
  STATUS_NOMEM,       /* an allocation failed */
  STATUS_NOT_FINITE,  /* an input element is NaN or infinite */
  STATUS_OVERFLOW,    /* a result does not fit its type */
  STATUS_DIM,         /* dimensions disagree */
  STATUS_NO_VARIANCE, /* the rows have no direction with variance */
  STATUS_RANK,        /* more components asked for than there are directions with variance */
  STATUS_K_CHOLESKY,  /* cholesky takes no k and no remove */
  STATUS_WEIGHT,      /* the weights sum to 1 or less: no unbiased covariance */
  STATUS_SOLVER,      /* LAPACK did not converge, or the matrix is not positive definite */
  STATUS_NO_INVERSE,  /* the model carries no inverse */
  STATUS_FOREIGN,     /* not a BLOB of ours */
  STATUS_VERSION,     /* a format version this build does not read */
  STATUS_BYTE_ORDER,  /* written on a machine of the other byte order */
  STATUS_TRUNCATED,   /* shorter or longer than its header says */
  STATUS_HASH,        /* the content does not match its hash */
  STATUS_HEADER,      /* a field of the header is out of range */
  STATUS_DUPLICATE,   /* two rows claim the same place */
  STATUS_SAME_PAIRS,  /* the related pairs are pairs of equal vectors */
  STATUS_FEW_PAIRS,   /* related pairs differ in fewer directions than the rows */
  STATUS_STOPPED      /* the watch said so */
};

/* Asked now and then by what takes long: whether to stop. A zeroed one never says so. */
struct watch {
  int (*is_stopped)(void *of);
  void *of;
};

/* The allocator. `resize` and `release` accept NULL; `alloc` and `resize` return NULL when there is no memory.
** Blocks are aligned to 8 bytes at least. */
struct memory {
  void *(*alloc)(uint64_t bytes);
  void *(*resize)(void *block, uint64_t bytes);
  void (*release)(void *block);
};

static inline enum status watch_look(const struct watch *watch) {
  return watch->is_stopped != NULL && watch->is_stopped(watch->of) ? STATUS_STOPPED : STATUS_OK;
}

/* A block of `count` elements of `size` bytes, or NULL when the product overflows or memory is out. */
static inline void *memory_array(const struct memory *mem, uint64_t count, uint64_t size) {
  if (size != 0 && count > UINT64_MAX / 2 / size) return NULL;
  uint64_t bytes = count * size;
  return mem->alloc(bytes ? bytes : 1);
}

/* The first address at or behind p that is a multiple of 64; the block must have 63 bytes to spare. */
static inline void *memory_align64(void *p) {
  return (char *)p + (64 - (uintptr_t)p % 64) % 64;
}

#endif
