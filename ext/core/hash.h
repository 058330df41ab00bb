/* XXH64, the 64-bit xxHash by Yann Collet, written from its specification (doc/xxhash_spec.md, version 0.2.0). */
#ifndef WHITEN_CORE_HASH_H
#define WHITEN_CORE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash of n bytes with the given seed. Reads little-endian on every machine. */
uint64_t hash_xxh64(const void *bytes, size_t n, uint64_t seed);

#endif
