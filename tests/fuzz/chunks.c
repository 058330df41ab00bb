/*
** Stored parts of the chunks of whiten_index. The first bytes say whether the hashes are repaired, how many components
** there are, the chunk's number, its first block and how many there are; the stored signs and the stored rest follow,
** filled up with zeros.
**
** A part is accepted exactly if all its hashes are right, which is computed here; one that is accepted is written as it
** was read. Whatever it says - rowids that are there twice, factors that are NaN - queries and changes go on with it.
*/
#include <stdlib.h>
#include <string.h>

#include "core/chunk.h"
#include "core/hash.h"
#include "fuzz.h"

static void *allocate(uint64_t bytes) {
  return malloc(bytes);
}

static void *resize(void *block, uint64_t bytes) {
  return realloc(block, bytes);
}

static const struct memory memory = {allocate, resize, free};

enum { DIM = 24, BLOCKS = 3 };

/* What the first bytes say. */
struct setting {
  int repairs;
  size_t k, first, blocks;
  int64_t number;
};

static uint64_t hash_of(const struct setting *s, const unsigned char *part, size_t bytes, size_t block, int rest) {
  unsigned char place[16] = {0};
  memcpy(place, &s->number, sizeof s->number);
  place[8] = (unsigned char)(s->first + block);
  place[12] = (unsigned char)rest;
  return hash_xxh64(part, bytes, hash_xxh64(place, sizeof place, 0));
}

/* The stored form of a part from the input; *is_sound receives whether its hashes are right. */
static unsigned char *stored_part(const struct setting *s, const struct codes *codes, int rest,
                                  struct input *input, int *is_sound) {
  size_t size = chunk_stored_bytes(codes, rest, 1), bytes = s->blocks * size;
  unsigned char *stored = calloc(bytes, 1);
  fuzz_must(stored != NULL, "memory");
  size_t given = input->size < bytes ? input->size : bytes;
  if (given > 0) memcpy(stored, input->data, given);
  input->data += given;
  input->size -= given;
  *is_sound = 1;
  for (size_t b = 0; b < s->blocks; b++) {
    unsigned char *block = stored + b * size;
    uint64_t hash = hash_of(s, block + 8, size - 8, b, rest);
    if (s->repairs) memcpy(block, &hash, sizeof hash);
    *is_sound &= memcmp(block, &hash, sizeof hash) == 0;
  }
  return stored;
}

/* Reads a part into its place in the chunk, and writes it again. */
static int read_part(const struct setting *s, struct chunk *c, int rest, struct input *input) {
  const struct chunk_part part = {c->codes, s->number, rest};
  size_t size = chunk_stored_bytes(c->codes, rest, 1);
  int is_sound;
  unsigned char *stored = stored_part(s, c->codes, rest, input, &is_sound), *again = malloc(size);
  fuzz_must(again != NULL, "memory");
  enum status rc = chunk_read_blocks(&part, s->first, s->blocks, stored,
                                     (rest ? c->rest : c->signs) + s->first * (size - 8));
  fuzz_must(rc == (is_sound ? STATUS_OK : STATUS_HASH), "what is read is not what the hashes say");
  for (size_t b = 0; b < s->blocks && is_sound; b++) {
    chunk_write_block(c, rest, s->first + b, again);
    fuzz_must(memcmp(again, stored + b * size, size) == 0, "what is written is not what was read");
  }
  free(stored);
  free(again);
  return is_sound;
}

static void search(const struct chunk *c) {
  float direction[DIM];
  struct codes_query query;
  uint64_t found = 0;
  int32_t sums[CODES_BLOCK];
  volatile float estimate = 0;
  for (size_t i = 0; i < DIM; i++) direction[i] = (float)i - 3.5f;
  fuzz_must(codes_query_init(&query, c->codes, direction) == STATUS_OK, "memory");
  for (size_t place = 0; place < c->count; place++) {
    struct code_block block = chunk_block(c, place / CODES_BLOCK);
    if (place % CODES_BLOCK == 0) found |= codes_scan(&query, block.signs, 0.1f, sums);
    estimate = estimate + codes_estimate(&query, block.rest, place % CODES_BLOCK, sums[place % CODES_BLOCK]);
  }
  fuzz_must(c->count > 0 || found == 0, "rows of nothing");
  codes_query_clear(&query);
}

/* Every row is found; one goes, one comes, and both halves have room. */
static void change(struct chunk *c) {
  struct chunk upper;
  int64_t first, last;
  size_t count = c->count;
  chunk_range(c, &first, &last);
  fuzz_must(first <= last && chunk_find(c, first) < count && chunk_find(c, last) < count, "a rowid is not found");
  fuzz_must(chunk_remove(c, last) && c->count == count - 1, "a row does not go");
  struct code *row = calloc(1, codes_row_bytes(c->codes));
  fuzz_must(row != NULL && chunk_init(&upper, c->codes, 0) == STATUS_OK, "memory");
  row->rowid = last;
  chunk_put(c, row);
  fuzz_must(chunk_find(c, last) < c->count && c->count <= count, "a row does not come");
  count = c->count;
  chunk_split(c, &upper);
  fuzz_must(c->count == (count + 1) / 2 && c->count + upper.count == count, "rows are lost");
  chunk_clear(&upper);
  free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  struct setting s = {.repairs = fuzz_take(&input) & 1, .k = 1 + fuzz_take(&input) % DIM};
  struct codes codes;
  struct chunk chunk;
  s.number = (int64_t)fuzz_take(&input) - 128;
  s.first = fuzz_take(&input) % (CHUNK_BLOCKS - BLOCKS + 1);
  s.blocks = 1 + fuzz_take(&input) % BLOCKS;
  fuzz_must(codes_init(&codes, s.k, &memory) == STATUS_OK, "memory");
  fuzz_must(chunk_init(&chunk, &codes, s.number) == STATUS_OK, "memory");
  int has_signs = read_part(&s, &chunk, 0, &input), has_rest = read_part(&s, &chunk, 1, &input);
  if (has_signs && has_rest) {
    chunk.count = (s.first + s.blocks) * CODES_BLOCK;
    search(&chunk);
    change(&chunk);
  }
  chunk_clear(&chunk);
  codes_clear(&codes);
  return 0;
}
