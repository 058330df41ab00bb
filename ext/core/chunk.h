/*
** A chunk of coded rows in memory, as it is changed: up to CHUNK_ROWS rows in no order, in blocks as codes.h has them,
** without gaps: a row that goes is replaced by the last one. Places behind the last row are zero bytes.
**
** Stored, a chunk is two BLOBs, signs and rest: for each block, 8 bytes of hash, then the part of the block. A block's
** hash is XXH64 of the part, seeded with XXH64 (seed 0) of the chunk's number (i64), the block's (u32) and 0 for signs,
** 1 for rest (u32), so that neither a flipped bit nor a block in another's place goes unnoticed.
*/
#ifndef WHITEN_CORE_CHUNK_H
#define WHITEN_CORE_CHUNK_H

#include "core/codes.h"

enum { CHUNK_ROWS = 1024, CHUNK_BLOCKS = CHUNK_ROWS / CODES_BLOCK };

/* Blocks that so many rows fill. */
static inline size_t chunk_blocks(size_t rows) {
  return (rows + CODES_BLOCK - 1) / CODES_BLOCK;
}

/* Zeroed = empty; owned: memory. Who loads one fills signs and rest, and sets count and stored_blocks. */
struct chunk {
  const struct codes *codes;
  int64_t number;
  size_t count;                /* rows: they fill ceil(count / CODES_BLOCK) blocks */
  unsigned char *signs, *rest; /* CHUNK_BLOCKS parts each, 64-byte aligned, without hashes */
  uint32_t dirty;              /* bit b: block b was changed since this was 0; no bit of a block that is no more */
  size_t stored_blocks;        /* what is stored has so many; 0 for a new chunk */
  struct code *spare;          /* a row on its way from one place to another */
  void *memory;
};

/* An empty one. STATUS_NOMEM. */
enum status chunk_init(struct chunk *c, const struct codes *codes, int64_t number);
void chunk_clear(struct chunk *c);
struct code_block chunk_block(const struct chunk *c, size_t block);

/* Where the rowid is, SIZE_MAX if nowhere; the smallest and the largest rowid of a chunk that is not empty. */
size_t chunk_find(const struct chunk *c, int64_t rowid);
void chunk_range(const struct chunk *c, int64_t *first, int64_t *last);
/* Puts a row in the place of the one of its rowid, or at the end: there must be room. */
void chunk_put(struct chunk *c, const struct code *row);
/* 0 if there was none. */
int chunk_remove(struct chunk *c, int64_t rowid);
/* Moves the upper half, by rowid, to `upper`, which is initialised, empty and of the same codes. */
void chunk_split(struct chunk *c, struct chunk *upper);

/* Bytes of the stored form of so many blocks; in it, block b's part lies 8 bytes behind b times that of one. */
size_t chunk_stored_bytes(const struct codes *codes, int rest, size_t blocks);
/* Writes block b, hash and part, to `out` (chunk_stored_bytes(codes, rest, 1)). */
void chunk_write_block(const struct chunk *c, int rest, size_t block, unsigned char *out);

/* One of the two parts of a stored chunk. */
struct chunk_part {
  const struct codes *codes;
  int64_t number; /* of the chunk */
  int rest;       /* not the signs */
};

/* Copies `blocks` blocks of a stored part, of which the first is number `first` of the chunk, to memory aligned to 64
** bytes, without the hashes, which are checked: STATUS_HASH. */
enum status chunk_read_blocks(const struct chunk_part *part, size_t first, size_t blocks, const void *stored,
                              unsigned char *out);

#endif
