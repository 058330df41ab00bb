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

/* Rows of k elements; signs and rest have room for ceil(n / 64) blocks. */
struct rows {
  size_t k, n;
  unsigned char *signs, *rest;
};

int start(const char *variant);
int code(const struct rows *rows, const float *x, double errors[2]);
int ask(const struct rows *rows, const float *query, float least, uint64_t *found, float *estimates);

int start(const char *variant) {
  return simd_choose(variant);
}

static struct code_block block_of(const struct rows *rows, const struct codes *c, size_t row) {
  size_t block = row / CODES_BLOCK;
  return (struct code_block){rows->signs + block * c->signs_bytes, rows->rest + block * c->rest_bytes};
}

int code(const struct rows *rows, const float *x, double errors[2]) {
  struct codes c;
  int rc = codes_init(&c, rows->k, &HEAP);
  float *y = malloc(rows->k * sizeof *y);
  struct code *row = malloc(codes_row_bytes(&c));
  errors[0] = c.error_signs;
  errors[1] = c.error;
  for (size_t i = 0; i < rows->n && rc == STATUS_OK; i++) {
    struct code_block block = block_of(rows, &c, i);
    memcpy(y, x + i * rows->k, rows->k * sizeof *y);
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
int ask(const struct rows *rows, const float *query, float least, uint64_t *found, float *estimates) {
  struct codes c;
  struct codes_query q = {0};
  int32_t sums[CODES_BLOCK];
  int rc = codes_init(&c, rows->k, &HEAP);
  if (rc == STATUS_OK) rc = codes_query_init(&q, &c, query);
  for (size_t i = 0; i < rows->n && rc == STATUS_OK; i++) {
    struct code_block block = block_of(rows, &c, i);
    if (i % CODES_BLOCK == 0) found[i / CODES_BLOCK] = codes_scan(&q, block.signs, least, sums);
    estimates[i] = codes_estimate(&q, block.rest, i % CODES_BLOCK, sums[i % CODES_BLOCK]);
  }
  codes_query_clear(&q);
  codes_clear(&c);
  return rc;
}
