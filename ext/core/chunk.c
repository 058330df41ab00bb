/* See chunk.h. */
#include "core/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "core/blob.h"
#include "core/hash.h"

enum { HASH_BYTES = 8 };

enum status chunk_init(struct chunk *c, const struct codes *codes, int64_t number) {
  size_t signs = CHUNK_BLOCKS * codes->signs_bytes, rest = CHUNK_BLOCKS * codes->rest_bytes;
  *c = (struct chunk){.codes = codes, .number = number};
  c->memory = memory_array(codes->mem, 1, signs + rest + codes_row_bytes(codes) + 63);
  if (c->memory == NULL) return STATUS_NOMEM;
  c->signs = memory_align64(c->memory);
  c->rest = c->signs + signs;
  c->spare = (void *)(c->rest + rest);
  memset(c->signs, 0, signs + rest);
  return STATUS_OK;
}

void chunk_clear(struct chunk *c) {
  if (c->codes != NULL) c->codes->mem->release(c->memory);
  *c = (struct chunk){0};
}

struct code_block chunk_block(const struct chunk *c, size_t block) {
  return (struct code_block){c->signs + block * c->codes->signs_bytes, c->rest + block * c->codes->rest_bytes};
}

static int64_t rowid_at(const struct chunk *c, size_t place) {
  return codes_rowid(c->rest + place / CODES_BLOCK * c->codes->rest_bytes, place % CODES_BLOCK);
}

size_t chunk_find(const struct chunk *c, int64_t rowid) {
  const unsigned char *rest = c->rest;
  for (size_t first = 0; first < c->count; first += CODES_BLOCK, rest += c->codes->rest_bytes) {
    size_t rows = c->count - first < CODES_BLOCK ? c->count - first : CODES_BLOCK;
    for (size_t i = 0; i < rows; i++)
      if (codes_rowid(rest, i) == rowid) return first + i;
  }
  return SIZE_MAX;
}

void chunk_range(const struct chunk *c, int64_t *first, int64_t *last) {
  *first = *last = rowid_at(c, 0);
  for (size_t place = 1; place < c->count; place++) {
    int64_t rowid = rowid_at(c, place);
    if (rowid < *first) *first = rowid;
    if (rowid > *last) *last = rowid;
  }
}

static void put_at(struct chunk *c, size_t place, const struct code *row) {
  struct code_block block = chunk_block(c, place / CODES_BLOCK);
  codes_put(c->codes, &block, place % CODES_BLOCK, row);
  c->dirty |= UINT32_C(1) << place / CODES_BLOCK;
}

static void get_at(const struct chunk *c, size_t place, struct code *row) {
  struct code_block block = chunk_block(c, place / CODES_BLOCK);
  codes_get(c->codes, &block, place % CODES_BLOCK, row);
}

void chunk_put(struct chunk *c, const struct code *row) {
  size_t place = chunk_find(c, row->rowid);
  put_at(c, place != SIZE_MAX ? place : c->count++, row);
}

static void remove_at(struct chunk *c, size_t place) {
  size_t last = c->count - 1, block = last / CODES_BLOCK;
  struct code_block parts = chunk_block(c, block);
  if (place != last) {
    get_at(c, last, c->spare);
    put_at(c, place, c->spare);
  }
  codes_erase(c->codes, &parts, last % CODES_BLOCK);
  c->dirty |= UINT32_C(1) << block;
  if (last % CODES_BLOCK == 0) c->dirty &= ~(UINT32_C(1) << block); /* the block is no more */
  c->count = last;
}

int chunk_remove(struct chunk *c, int64_t rowid) {
  size_t place = chunk_find(c, rowid);
  if (place == SIZE_MAX) return 0;
  remove_at(c, place);
  return 1;
}

struct ordered {
  int64_t rowid;
  size_t place;
};

static int by_rowid(const void *a, const void *b) {
  const struct ordered *x = a, *y = b;
  return (x->rowid > y->rowid) - (x->rowid < y->rowid);
}

/* Rows are counted, not compared with the one in the middle: rowids that a forged table has twice must not leave a full
** chunk behind. */
void chunk_split(struct chunk *c, struct chunk *upper) {
  struct ordered rows[CHUNK_ROWS];
  unsigned char moves[CHUNK_ROWS] = {0};
  size_t count = c->count;
  for (size_t place = 0; place < count; place++) rows[place] = (struct ordered){rowid_at(c, place), place};
  qsort(rows, count, sizeof *rows, by_rowid);
  for (size_t i = (count + 1) / 2; i < count; i++) moves[rows[i].place] = 1;
  for (size_t place = count; place-- > 0;) { /* what comes to a place that was looked at stays there */
    if (!moves[place]) continue;
    get_at(c, place, upper->spare);
    put_at(upper, upper->count++, upper->spare);
    remove_at(c, place);
  }
}

/* ---- as it is stored ---- */

static size_t part_bytes(const struct codes *codes, int rest) {
  return rest ? codes->rest_bytes : codes->signs_bytes;
}

size_t chunk_stored_bytes(const struct codes *codes, int rest, size_t blocks) {
  return blocks * (HASH_BYTES + part_bytes(codes, rest));
}

static uint64_t hash_of(const struct chunk_part *part, size_t block, const unsigned char *bytes) {
  unsigned char place[16];
  blob_put64(place, 0, (uint64_t)part->number);
  blob_put32(place, 8, (uint32_t)block);
  blob_put32(place, 12, part->rest != 0);
  return hash_xxh64(bytes, part_bytes(part->codes, part->rest), hash_xxh64(place, sizeof place, 0));
}

void chunk_write_block(const struct chunk *c, int rest, size_t block, unsigned char *out) {
  struct chunk_part part = {c->codes, c->number, rest};
  struct code_block parts = chunk_block(c, block);
  unsigned char *bytes = rest ? parts.rest : parts.signs;
  blob_put64(out, 0, hash_of(&part, block, bytes));
  memcpy(out + HASH_BYTES, bytes, part_bytes(c->codes, rest));
}

enum status chunk_read_blocks(const struct chunk_part *part, size_t first, size_t blocks, const void *stored,
                              unsigned char *out) {
  size_t bytes = part_bytes(part->codes, part->rest);
  const unsigned char *in = stored;
  for (size_t i = 0; i < blocks; i++, in += HASH_BYTES + bytes, out += bytes) {
    memcpy(out, in + HASH_BYTES, bytes);
    if (blob_get64(in, 0) != hash_of(part, first + i, out)) return STATUS_HASH;
  }
  return STATUS_OK;
}
