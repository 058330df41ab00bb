/* What test_codes.py calls of core/codes: rows are coded into blocks, a query scans them and estimates cosines. */
#include "core/codes.h"

#include <stdlib.h>
#include <string.h>

#include "core/simd/simd.h"

static void *take(uint64_t bytes) {
  return malloc(bytes);
}

static void *resize(void *block, uint64_t bytes) {
  return realloc(block, bytes);
}

static const struct memory HEAP = {take, resize, free};

int start(const char *variant);
int code(size_t k, size_t n, const float *x, unsigned char *signs, unsigned char *rest, double errors[2]);
int ask(size_t k, size_t n, const float *query, unsigned char *signs, unsigned char *rest, float least,
        uint64_t *found, float *estimates);

int start(const char *variant) {
  return simd_choose(variant);
}

static struct code_block block_of(const struct codes *c, unsigned char *signs, unsigned char *rest, size_t row) {
  return (struct code_block){signs + row / CODES_BLOCK * c->signs_bytes, rest + row / CODES_BLOCK * c->rest_bytes};
}

/* n rows of k elements; signs and rest have room for ceil(n / 64) blocks. */
int code(size_t k, size_t n, const float *x, unsigned char *signs, unsigned char *rest, double errors[2]) {
  struct codes c;
  int rc = codes_init(&c, k, &HEAP);
  float *y = malloc(k * sizeof *y);
  struct code *row = malloc(codes_row_bytes(&c));
  errors[0] = c.error_signs;
  errors[1] = c.error;
  for (size_t i = 0; i < n && rc == STATUS_OK; i++) {
    struct code_block block = block_of(&c, signs, rest, i);
    memcpy(y, x + i * k, k * sizeof *y);
    rc = codes_encode(&c, y, row);
    row->rowid = (int64_t)i;
    codes_put(&c, &block, i % CODES_BLOCK, row);
  }
  free(row);
  free(y);
  codes_clear(&c);
  return rc;
}

/* A mask for each block, an estimate for each row. */
int ask(size_t k, size_t n, const float *query, unsigned char *signs, unsigned char *rest, float least,
        uint64_t *found, float *estimates) {
  struct codes c;
  struct codes_query q = {0};
  int rc = codes_init(&c, k, &HEAP);
  if (rc == STATUS_OK) rc = codes_query_init(&q, &c, query);
  for (size_t i = 0; i < n && rc == STATUS_OK; i++) {
    struct code_block block = block_of(&c, signs, rest, i);
    if (i % CODES_BLOCK == 0) found[i / CODES_BLOCK] = codes_scan(&q, block.signs, least);
    estimates[i] = codes_estimate(&q, &block, i % CODES_BLOCK);
  }
  codes_query_clear(&q);
  codes_clear(&c);
  return rc;
}
