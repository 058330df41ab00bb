/*
** What the tests of the formats of models and of stats share: numbers read and put byte by byte, and what a reader must
** refuse of any format: every flipped bit, every other length, and headers that lie under a right hash.
*/
#ifndef WHITEN_TESTS_BLOBS_H
#define WHITEN_TESTS_BLOBS_H

#include "core/blob.h"
#include "core/hash.h"
#include "core/model.h"
#include "core/moments.h"
#include "unit.h"

typedef enum status reader(const void *blob, size_t bytes);

/* Everything that is done before a model is used. */
static inline enum status read_in_full(const void *blob, size_t bytes) {
  struct model_header header;
  struct model_arrays arrays;
  enum status rc = model_read(blob, bytes, &header, &arrays);
  if (rc == STATUS_OK) rc = blob_check_hash(blob, bytes);
  if (rc == STATUS_OK) rc = model_check_finite(&header, &arrays);
  return rc;
}

static inline enum status read_stats(const void *blob, size_t bytes) {
  struct moments_header header;
  return moments_read(blob, bytes, &header);
}

/* The hash as model.h specifies it. */
static inline void rehash(unsigned char *blob, size_t bytes) {
  uint64_t hash = hash_xxh64(blob + 32, bytes - 32, hash_xxh64(blob, 24, 0));
  for (int i = 0; i < 8; i++) blob[24 + i] = (unsigned char)(hash >> (8 * i));
}

/* The number at an offset, put together byte by byte. */
static inline uint64_t number_at(const unsigned char *blob, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)blob[at + i] << (8 * i);
  return value;
}

static inline double double_at(const unsigned char *blob, size_t at) {
  uint64_t bits = number_at(blob, at, 8);
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline void put_number(unsigned char *blob, size_t at, size_t bytes, uint64_t value) {
  for (size_t i = 0; i < bytes; i++) blob[at + i] = (unsigned char)(value >> (8 * i));
}

/* Every bit counts. */
static inline void check_flipped_bits(unsigned char *blob, size_t bytes, reader *read) {
  for (size_t bit = 0; bit < 8 * bytes; bit++) {
    blob[bit / 8] ^= (unsigned char)(1 << bit % 8);
    if (read(blob, bytes) == STATUS_OK) fail_msg("bit %zu of byte %zu may be flipped", bit % 8, bit / 8);
    blob[bit / 8] ^= (unsigned char)(1 << bit % 8);
  }
  assert_int_equal(read(blob, bytes), STATUS_OK);
}

/* Cut anywhere, or with something behind it, in blocks of exactly that size. */
static inline void check_lengths(const unsigned char *blob, size_t bytes, size_t header, reader *read) {
  for (size_t n = 0; n < bytes + 40; n++) {
    unsigned char *cut = calloc(n + (n == 0), 1);
    memcpy(cut, blob, n < bytes ? n : bytes);
    enum status expected = n == bytes ? STATUS_OK : n < 8 ? STATUS_FOREIGN : STATUS_TRUNCATED;
    if (read(cut, n) != expected) fail_msg("%zu of %zu bytes: status %d", n, bytes, (int)read(cut, n));
    if (n >= header && n != bytes) { /* nor with the size and the hash made right */
      put_number(cut, 16, 8, n);
      rehash(cut, n);
      assert_int_equal(read(cut, n), STATUS_HEADER);
    }
    free(cut);
  }
}

/* One field changed, the hash made right: what the reader says. */
struct forged {
  size_t at, bytes;
  uint64_t value;
  enum status status;
};

static inline void check_forged(unsigned char *blob, size_t bytes, const struct forged *f, reader *read) {
  put_number(blob, f->at, f->bytes, f->value);
  rehash(blob, bytes);
  enum status rc = read(blob, bytes);
  if (rc != f->status)
    fail_msg("%llx at %zu: status %d, expected %d", (unsigned long long)f->value, f->at, (int)rc, (int)f->status);
}

/* A few bytes behind a good beginning become random ones, mostly under a right hash. */
static inline void change_at_random(struct random *r, unsigned char *blob, size_t bytes) {
  for (size_t change = 1 + random_below(r, 4); change > 0; change--)
    blob[32 + random_below(r, bytes - 32)] = (unsigned char)random_bits(r);
  if (random_below(r, 8)) rehash(blob, bytes);
}

#endif
