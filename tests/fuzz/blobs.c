/* See blobs.h. */
#include "blobs.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

enum { REPAIR_HASH = 1, REPAIR_SIZE = 2, REPAIR_MAGIC = 4, OF_PAIRS = 8 };
enum { HEADER = 128, STATS_HEADER = 56, LARGEST = 1 << 14 };

static uint32_t get32(const struct blob *blob, size_t at) {
  uint32_t value = 0;
  if (blob->size >= at + 4) memcpy(&value, blob->bytes + at, sizeof value);
  return value;
}

/* What the header says, for BLOBs of models that are not too large; else the size that it has. */
static size_t size_of_model(const struct blob *blob) {
  struct model_header h = {
      .d = get32(blob, 32), .k = get32(blob, 36), .m = get32(blob, 40), .flags = get32(blob, 68)};
  if (h.d > LARGEST || h.k > LARGEST || h.m > LARGEST) return blob->size;
  uint64_t size = model_size(&h);
  return size <= LARGEST ? (size_t)size : blob->size;
}

static size_t size_of_stats(const struct blob *blob) {
  uint32_t d = get32(blob, 32);
  return d <= 64 ? (size_t)moments_size(d) : blob->size;
}

static struct blob copy(const struct input *input, size_t at_least) {
  struct blob blob = {.size = input->size > at_least ? input->size : at_least};
  blob.bytes = calloc(blob.size + 1, 1);
  fuzz_must(blob.bytes != NULL, "memory");
  if (input->size > 0) memcpy(blob.bytes, input->data, input->size);
  return blob;
}

static void resize(struct blob *blob, size_t size) {
  uint8_t *bytes = calloc(size + 1, 1);
  fuzz_must(bytes != NULL, "memory");
  memcpy(bytes, blob->bytes, size < blob->size ? size : blob->size);
  free(blob->bytes);
  *blob = (struct blob){bytes, size};
}

static struct blob repair(unsigned repairs, const struct input *input, const char magic[8], size_t header,
                          size_t (*size_of)(const struct blob *)) {
  struct blob blob = copy(input, repairs ? header : 0);
  uint32_t version = 1, order = 0x01020304;
  if (repairs & REPAIR_SIZE) {
    resize(&blob, size_of(&blob));
    uint64_t size = blob.size;
    memcpy(blob.bytes + 16, &size, sizeof size);
  }
  if (repairs & REPAIR_MAGIC) {
    memcpy(blob.bytes, magic, 8);
    memcpy(blob.bytes + 8, &version, sizeof version);
    memcpy(blob.bytes + 12, &order, sizeof order);
  }
  if (repairs & REPAIR_HASH) {
    uint64_t hash = hash_xxh64(blob.bytes + 32, blob.size - 32, hash_xxh64(blob.bytes, 24, 0));
    memcpy(blob.bytes + 24, &hash, sizeof hash);
  }
  return blob;
}

struct blob blob_model(unsigned repairs, const struct input *input) {
  return repair(repairs, input, "whitenM", HEADER, size_of_model);
}

struct blob blob_stats(unsigned repairs, const struct input *input) {
  return repair(repairs, input, repairs & OF_PAIRS ? "whitenP" : "whitenS", STATS_HEADER, size_of_stats);
}

void blob_free(struct blob *blob) {
  free(blob->bytes);
}
