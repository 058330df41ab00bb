/* XXH64: four lanes of 8 bytes, a merge, the tail, the avalanche. See hash.h for the source. */
#include "core/hash.h"

#include <string.h>

static const uint64_t P1 = 0x9E3779B185EBCA87u;
static const uint64_t P2 = 0xC2B2AE3D27D4EB4Fu;
static const uint64_t P3 = 0x165667B19E3779F9u;
static const uint64_t P4 = 0x85EBCA77C2B2AE63u;
static const uint64_t P5 = 0x27D4EB2F165667C5u;

static uint64_t read_le(const unsigned char *p, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++) value |= (uint64_t)p[i] << (8 * i);
  return value;
}

static uint64_t read64(const unsigned char *p) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  uint64_t value;
  memcpy(&value, p, sizeof value);
  return value;
#else
  return read_le(p, 8);
#endif
}

static uint64_t rotate(uint64_t x, int r) {
  return (x << r) | (x >> (64 - r));
}

static uint64_t round64(uint64_t acc, uint64_t lane) {
  return rotate(acc + lane * P2, 31) * P1;
}

static uint64_t merge(uint64_t acc, uint64_t lane_acc) {
  return (acc ^ round64(0, lane_acc)) * P1 + P4;
}

static uint64_t finish(uint64_t acc, const unsigned char *p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) acc = rotate(acc ^ round64(0, read64(p)), 27) * P1 + P4;
  if (n >= 4) {
    acc = rotate(acc ^ (read_le(p, 4) * P1), 23) * P2 + P3;
    p += 4, n -= 4;
  }
  for (; n > 0; p++, n--) acc = rotate(acc ^ (*p * P5), 11) * P1;
  acc = (acc ^ (acc >> 33)) * P2;
  acc = (acc ^ (acc >> 29)) * P3;
  return acc ^ (acc >> 32);
}

uint64_t hash_xxh64(const void *bytes, size_t n, uint64_t seed) {
  const unsigned char *p = bytes;
  size_t total = n;
  uint64_t acc = seed + P5;
  if (n >= 32) {
    uint64_t a = seed + P1 + P2, b = seed + P2, c = seed, d = seed - P1;
    for (; n >= 32; p += 32, n -= 32) {
      a = round64(a, read64(p));
      b = round64(b, read64(p + 8));
      c = round64(c, read64(p + 16));
      d = round64(d, read64(p + 24));
    }
    acc = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    acc = merge(merge(merge(merge(acc, a), b), c), d);
  }
  return finish(acc + total, p, n);
}
