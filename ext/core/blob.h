/*
** What the BLOBs of every format share: a header that begins alike, a content hash, numbers by offset.
**
** All numbers little-endian; integers unsigned unless said; f64, f32 are IEEE 754. Offsets in bytes.
**
**    0  u8[8]  magic: seven letters that name the format, and a zero byte
**    8  u32    format version: each format counts its own
**   12  u32    byte order: 0x01020304, so that a file of the wrong order is told from a damaged one
**   16  u64    size of the whole BLOB
**   24  u64    content hash: XXH64 of the bytes from 32 on, seeded with XXH64 (seed 0) of bytes 0..23
**   32  u32    d: elements of the vectors that it is about
**
** Fields are read and written byte by byte, so that alignment never matters; arrays are copied as they are, which is
** right on little-endian machines, the only ones supported.
*/
#ifndef WHITEN_CORE_BLOB_H
#define WHITEN_CORE_BLOB_H

#include "core/base.h"

/* Where the shared fields lie, and what their first 36 bytes are followed by is each format's own. */
enum {
  BLOB_MAGIC = 0,
  BLOB_VERSION = 8,
  BLOB_ORDER = 12,
  BLOB_SIZE = 16,
  BLOB_HASH = 24,
  BLOB_D = 32,
  BLOB_OWN = 36
};

uint32_t blob_get32(const void *blob, size_t at);
uint64_t blob_get64(const void *blob, size_t at);
double blob_get_f64(const void *blob, size_t at);
void blob_put32(void *blob, size_t at, uint32_t value);
void blob_put64(void *blob, size_t at, uint64_t value);
void blob_put_f64(void *blob, size_t at, double value);

/* Copies an array to `at`, or passes over one; both return what comes behind it. */
char *blob_append(char *at, const void *array, uint64_t bytes);
const void *blob_take(const char **at, uint64_t bytes);

/* Writes the header but for the hash; blob_seal, when all else is written, that. */
void blob_begin(void *blob, const char magic[8], uint32_t version, uint64_t size, uint32_t d);
void blob_seal(void *blob, uint64_t size);

/* Whether a BLOB begins with this magic. */
int blob_has_magic(const void *blob, size_t bytes, const char magic[8]);
/*
** Magic, length of the header, byte order and version, of which `newest` is the last one that this build reads; not size
** and hash. STATUS_FOREIGN, STATUS_TRUNCATED, STATUS_BYTE_ORDER, STATUS_VERSION, STATUS_HEADER.
*/
enum status blob_check(const void *blob, size_t bytes, const char magic[8], uint32_t newest, size_t header_bytes);
/* STATUS_HASH unless the content of a BLOB that has a header matches its hash. */
enum status blob_check_hash(const void *blob, size_t bytes);

/* Whether the bytes from .. to - 1 are zero, and whether every number of an array (NULL: none) is finite. */
int blob_is_zero(const void *blob, size_t from, size_t to);
int blob_is_finite_f64(const void *array, uint64_t count);
int blob_is_finite_f32(const void *array, uint64_t count);

#endif
