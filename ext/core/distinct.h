/*
** Distinct vectors: each is kept once, and known by its bytes. So the text that stands in many pairs is one row, whatever
** its number of copies.
*/
#ifndef WHITEN_CORE_DISTINCT_H
#define WHITEN_CORE_DISTINCT_H

#include "core/base.h"

#define DISTINCT_NONE UINT32_MAX

/* Zeroed but for mem and dim = empty. Owned: rows, hashes, slots. */
struct distinct {
  const struct memory *mem;
  size_t dim, count, capacity;
  float *rows;      /* count x dim */
  uint64_t *hashes; /* of their bytes: as good as a random number that each row has drawn */
  uint32_t *slots;  /* open addressing by hash; a power of two of them, at most half taken */
  size_t slot_count;
};

void distinct_clear(struct distinct *d);
/* The hash of a row, unaligned. */
uint64_t distinct_hash(const struct distinct *d, const void *v);
/* The place of a row of dim elements with that hash, which is added if it is new. STATUS_NOMEM. */
enum status distinct_add(struct distinct *d, const void *v, uint64_t hash, uint32_t *place);
const float *distinct_row(const struct distinct *d, size_t place);

/*
** Keeps the rows with keep[i] != 0, and brings them into the order of their hashes, so that places no longer tell in which
** order they came; moved[i] receives the new place of row i, or DISTINCT_NONE. STATUS_NOMEM.
*/
enum status distinct_keep(struct distinct *d, const unsigned char *keep, uint32_t *moved);

#endif
