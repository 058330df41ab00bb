/*
** Codes by the million, in memory, without SQLite: what scanning and estimating cost where there are more rows than a
** database of the bench has. Rows are drawn as whitened ones of clusters; for each query the true nearest ten are kept
** while its rows are drawn, and a query is answered with how many of them are among its candidates. A scan goes as
** ext/index/scan.c goes: by chunks, what is surely among the best at once, the others at the end.
*/
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/codes.h"
#include "core/simd/simd.h"
#include "core/topk.h"
#include "core/vector.h"

enum { CLUSTERS = 2000, TEN = 10, CHUNK = 16, WAITING = 1 << 22 };

struct codes_bench;
struct codes_bench *codes_bench_make(size_t rows, size_t k, size_t queries);
uint64_t codes_bench_bytes(const struct codes_bench *b);
/* Of one query: seconds, estimates, candidates, and how many of the true ten are among these. -1 without memory. */
int codes_bench_ask(struct codes_bench *b, size_t query, double factor, double result[4]);

static void *get(uint64_t bytes) {
  return malloc(bytes);
}
static void *resize(void *block, uint64_t bytes) {
  return realloc(block, bytes);
}
static const struct memory heap = {get, resize, free};

struct waiting {
  float first;
  int32_t sum;
  uint32_t block, place;
};

struct codes_bench {
  struct codes codes;
  size_t rows, blocks, queries;
  unsigned char *signs, *rest;
  float *centres, *query;
  struct topk *best; /* of each query, by the vectors */
  struct waiting *waiting;
  uint64_t state;
};

static double now(void) {
  struct timespec t;
  clock_gettime(getenv("BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Nearly normal: four uniform numbers of 16 bits. */
static float draw(struct codes_bench *b) {
  uint64_t x = b->state ^= b->state << 13;
  x = b->state ^= x >> 7;
  x = b->state ^= x << 17;
  uint32_t sum = (uint32_t)(x & 0xffff) + (uint32_t)(x >> 16 & 0xffff) + (uint32_t)(x >> 32 & 0xffff) +
                 (uint32_t)(x >> 48);
  return ((float)sum - 131070.0f) * (1.7320508f / 65536.0f);
}

/* A vector of a cluster, of norm 1. */
static void draw_row(struct codes_bench *b, float *y) {
  const size_t k = b->codes.k;
  const float *centre = b->centres + (b->state >> 20) % CLUSTERS * k;
  for (size_t i = 0; i < k; i++) y[i] = centre[i] + draw(b);
  vector_scale(k, y, 1 / vector_norm(k, y), y);
}

static int fill(struct codes_bench *b) {
  const size_t k = b->codes.k;
  float *y = aligned_alloc(64, (k * sizeof *y + 63) / 64 * 64);
  struct code *code = malloc(codes_row_bytes(&b->codes));
  int rc = y == NULL || code == NULL ? -1 : 0;
  for (size_t i = 0; rc == 0 && i < b->rows; i++) {
    struct code_block block = {b->signs + i / CODES_BLOCK * b->codes.signs_bytes,
                               b->rest + i / CODES_BLOCK * b->codes.rest_bytes};
    draw_row(b, y);
    for (size_t q = 0; q < b->queries; q++) topk_add(&b->best[q], vector_dot(k, y, b->query + q * k), (int64_t)i);
    code->rowid = (int64_t)i;
    rc = codes_encode(&b->codes, y, code) == STATUS_OK ? 0 : -1;
    codes_put(&b->codes, &block, i % CODES_BLOCK, code);
  }
  free(y);
  free(code);
  return rc;
}

struct codes_bench *codes_bench_make(size_t rows, size_t k, size_t queries) {
  struct codes_bench *b = calloc(1, sizeof *b);
  simd_choose(getenv("WHITEN_KERNEL"));
  if (b == NULL || codes_init(&b->codes, k, &heap) != STATUS_OK) return NULL;
  b->rows = rows;
  b->blocks = (rows + CODES_BLOCK - 1) / CODES_BLOCK;
  b->queries = queries;
  b->state = 20210329;
  b->signs = aligned_alloc(64, b->blocks * b->codes.signs_bytes);
  b->rest = aligned_alloc(64, b->blocks * b->codes.rest_bytes);
  b->centres = malloc(CLUSTERS * k * sizeof(float));
  b->query = malloc(queries * k * sizeof(float));
  b->best = calloc(queries, sizeof *b->best);
  b->waiting = malloc(WAITING * sizeof *b->waiting);
  if (!b->signs || !b->rest || !b->centres || !b->query || !b->best || !b->waiting) return NULL;
  memset(b->signs, 0, b->blocks * b->codes.signs_bytes);
  memset(b->rest, 0, b->blocks * b->codes.rest_bytes);
  for (size_t i = 0; i < CLUSTERS * k; i++) b->centres[i] = draw(b);
  for (size_t q = 0; q < queries; q++) {
    draw_row(b, b->query + q * k);
    topk_init(&b->best[q], TEN);
    if (topk_reserve(&b->best[q], TEN, &heap) != STATUS_OK) return NULL;
  }
  return fill(b) == 0 ? b : NULL;
}

uint64_t codes_bench_bytes(const struct codes_bench *b) {
  return b->blocks * (uint64_t)(b->codes.signs_bytes + b->codes.rest_bytes);
}

/* A query while it runs. */
struct ask {
  struct codes_bench *b;
  struct codes_query query;
  struct topk best; /* of estimates, with the row as rowid */
  double margin, margin_signs;
  size_t waiting, estimated;
  float least, least_signs, kth;
  size_t count, capacity; /* candidates: estimates and rows */
  struct hit *found;
};

static void raise_least(struct ask *a) {
  double kth = topk_threshold(&a->best);
  a->kth = (float)kth;
  a->least = (float)(kth - a->margin);
  a->least_signs = (float)(kth - a->margin - a->margin_signs);
}

static int estimate(struct ask *a, const struct waiting *row) {
  const unsigned char *rest = a->b->rest + row->block * a->b->codes.rest_bytes;
  float cosine = codes_estimate(&a->query, rest, row->place, row->sum);
  a->estimated++;
  if (cosine < a->least) return 0;
  if (a->count == a->capacity) {
    size_t capacity = 2 * a->capacity + 256;
    struct hit *found = realloc(a->found, capacity * sizeof *found);
    if (found == NULL) return -1;
    a->found = found;
    a->capacity = capacity;
  }
  a->found[a->count++] = (struct hit){cosine, codes_rowid(rest, row->place)};
  topk_add(&a->best, cosine, codes_rowid(rest, row->place));
  raise_least(a);
  return 0;
}

/* Of those that wait from `from` on, what reaches the bound is estimated, and what still passes goes on waiting. */
static int estimate_waiting(struct ask *a, size_t from, const float *bound) {
  size_t kept = from;
  for (size_t n = from; n < a->waiting; n++) {
    struct waiting row = a->b->waiting[n];
    if (n + 8 < a->waiting && a->b->waiting[n + 8].first >= *bound)
      codes_prefetch(&a->query, a->b->rest + a->b->waiting[n + 8].block * a->b->codes.rest_bytes,
                     a->b->waiting[n + 8].place);
    if (row.first >= *bound) {
      if (estimate(a, &row)) return -1;
    } else if (row.first >= a->least_signs) {
      a->b->waiting[kept++] = row;
    }
  }
  a->waiting = kept;
  return 0;
}

static int scan(struct ask *a) {
  struct codes_bench *b = a->b;
  int32_t sums[CODES_BLOCK];
  for (size_t first = 0; first < b->blocks; first += CHUNK) {
    size_t from = a->waiting;
    for (size_t i = first; i < first + CHUNK && i < b->blocks; i++) {
      const unsigned char *signs = b->signs + i * b->codes.signs_bytes;
      for (uint64_t mask = codes_scan(&a->query, signs, a->least_signs, sums); mask != 0; mask &= mask - 1) {
        uint32_t place = (uint32_t)__builtin_ctzll(mask);
        if (a->waiting == WAITING) return -1;
        b->waiting[a->waiting++] = (struct waiting){codes_estimate_signs(&a->query, signs, place, sums[place]),
                                                    sums[place], (uint32_t)i, place};
      }
    }
    if (estimate_waiting(a, from, &a->kth)) return -1;
  }
  return estimate_waiting(a, 0, &a->least_signs);
}

static size_t count_true(const struct ask *a, const struct topk *truth, size_t *candidates) {
  size_t count = 0;
  *candidates = 0;
  for (size_t i = 0; i < a->count; i++) {
    if (a->found[i].similarity < a->least) continue;
    ++*candidates;
    for (size_t n = 0; n < truth->count; n++) count += truth->hits[n].rowid == a->found[i].rowid;
  }
  return count;
}

int codes_bench_ask(struct codes_bench *b, size_t query, double factor, double result[4]) {
  struct ask a = {.b = b, .margin = factor * b->codes.error, .margin_signs = factor * b->codes.error_signs};
  size_t candidates;
  topk_init(&a.best, TEN);
  if (topk_reserve(&a.best, TEN, &heap) != STATUS_OK) return -1;
  raise_least(&a);
  double start = now();
  int rc = codes_query_init(&a.query, &b->codes, b->query + query * b->codes.k) == STATUS_OK ? scan(&a) : -1;
  result[0] = now() - start;
  result[1] = (double)a.estimated;
  result[3] = (double)count_true(&a, &b->best[query], &candidates);
  result[2] = (double)candidates;
  codes_query_clear(&a.query);
  topk_clear(&a.best, &heap);
  free(a.found);
  return rc;
}
