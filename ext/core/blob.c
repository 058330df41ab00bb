/* See blob.h. */
#include "core/blob.h"

#include <math.h>
#include <string.h>

#include "core/hash.h"

enum { BYTE_ORDER_MARK = 0x01020304, FOREIGN_ORDER_MARK = 0x04030201, MAGIC_BYTES = 8 };

uint32_t blob_get32(const void *blob, size_t at) {
  uint32_t value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

uint64_t blob_get64(const void *blob, size_t at) {
  uint64_t value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

double blob_get_f64(const void *blob, size_t at) {
  double value;
  memcpy(&value, (const char *)blob + at, sizeof value);
  return value;
}

static void put(void *blob, size_t at, const void *value, size_t bytes) {
  memcpy((char *)blob + at, value, bytes);
}

void blob_put32(void *blob, size_t at, uint32_t value) {
  put(blob, at, &value, sizeof value);
}

void blob_put64(void *blob, size_t at, uint64_t value) {
  put(blob, at, &value, sizeof value);
}

void blob_put_f64(void *blob, size_t at, double value) {
  put(blob, at, &value, sizeof value);
}

char *blob_append(char *at, const void *array, uint64_t bytes) {
  if (bytes > 0) memcpy(at, array, bytes);
  return at + bytes;
}

const void *blob_take(const char **at, uint64_t bytes) {
  const void *array = *at;
  *at += bytes;
  return array;
}

void blob_begin(void *blob, const char magic[8], uint32_t version, uint64_t size, uint32_t d) {
  put(blob, BLOB_MAGIC, magic, MAGIC_BYTES);
  blob_put32(blob, BLOB_VERSION, version);
  blob_put32(blob, BLOB_ORDER, BYTE_ORDER_MARK);
  blob_put64(blob, BLOB_SIZE, size);
  blob_put32(blob, BLOB_D, d);
}

static uint64_t content_hash(const void *blob, size_t bytes) {
  uint64_t head = hash_xxh64(blob, BLOB_HASH, 0);
  return hash_xxh64((const char *)blob + BLOB_HASH + 8, bytes - BLOB_HASH - 8, head);
}

void blob_seal(void *blob, uint64_t size) {
  blob_put64(blob, BLOB_HASH, content_hash(blob, size));
}

int blob_has_magic(const void *blob, size_t bytes, const char magic[8]) {
  return bytes >= MAGIC_BYTES && memcmp(blob, magic, MAGIC_BYTES) == 0;
}

enum status blob_check(const void *blob, size_t bytes, const char magic[8], uint32_t newest, size_t header_bytes) {
  if (!blob_has_magic(blob, bytes, magic)) return STATUS_FOREIGN;
  if (bytes < header_bytes) return STATUS_TRUNCATED;
  uint32_t order = blob_get32(blob, BLOB_ORDER), version = blob_get32(blob, BLOB_VERSION);
  if (order == FOREIGN_ORDER_MARK) return STATUS_BYTE_ORDER;
  if (version < 1 || version > newest) return STATUS_VERSION;
  return order == BYTE_ORDER_MARK ? STATUS_OK : STATUS_HEADER;
}

enum status blob_check_hash(const void *blob, size_t bytes) {
  return content_hash(blob, bytes) == blob_get64(blob, BLOB_HASH) ? STATUS_OK : STATUS_HASH;
}

int blob_is_zero(const void *blob, size_t from, size_t to) {
  const unsigned char *p = blob;
  for (size_t i = from; i < to; i++)
    if (p[i] != 0) return 0;
  return 1;
}

int blob_is_finite_f64(const void *array, uint64_t count) {
  for (uint64_t i = 0; array != NULL && i < count; i++)
    if (!isfinite(blob_get_f64(array, 8 * i))) return 0;
  return 1;
}

int blob_is_finite_f32(const void *array, uint64_t count) {
  for (uint64_t i = 0; array != NULL && i < count; i++)
    if ((blob_get32(array, 4 * i) & 0x7f800000u) == 0x7f800000u) return 0;
  return 1;
}
