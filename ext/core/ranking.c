/* See ranking.h. */
#include "core/ranking.h"

#include <math.h>

#include "core/linalg.h"

enum { BLOCK_QUERIES = 64 };
/* Cosines that differ by less are equal: rounding of float32 must not rank. */
static const float EQUAL = 0x1p-21F;

size_t ranking_queries(const struct labels *l) {
  size_t queries = 0;
  for (size_t i = 0; i < l->count; i++) queries += i == 0 || l->pairs[i].a != l->pairs[i - 1].a;
  return queries;
}

/* Queries of a block: where their pairs begin, and one more for where the last one's end. */
struct block {
  size_t count, first_pair[BLOCK_QUERIES + 1];
  float *queries;  /* count x d, weighted, of norm 1 as weighted */
  float *products; /* count x rows */
  float *inverse;  /* of the rows' norms; 0 for the zero vector, whose cosine is 0 */
};

/* The next queries, from a pair on; false when there are no more. */
static int next_block(const struct labels *l, struct block *b, size_t pair) {
  b->count = 0;
  while (pair < l->count && b->count < BLOCK_QUERIES) {
    b->first_pair[b->count++] = pair;
    for (uint32_t query = l->pairs[pair].a; pair < l->count && l->pairs[pair].a == query;) pair++;
  }
  b->first_pair[b->count] = pair;
  return b->count > 0;
}

static void weigh_queries(const struct ranking *r, const double *weights, struct block *b) {
  size_t d = r->rows->d;
  for (size_t i = 0; i < b->count; i++) {
    uint32_t place = r->labels->pairs[b->first_pair[i]].a;
    const float *query = r->rows->rows + place * d;
    for (size_t j = 0; j < d; j++)
      b->queries[i * d + j] = (float)((double)query[j] * (double)b->inverse[place] * (weights ? weights[j] : 1));
  }
}

static size_t rank_of(const struct ranking *r, const struct block *b, size_t query) {
  const struct labels *l = r->labels;
  const float *products = b->products + query * r->rows->count;
  float best = -INFINITY;
  size_t rank = 1;
  for (size_t i = b->first_pair[query]; i < b->first_pair[query + 1]; i++) {
    float cosine = products[l->pairs[i].b] * b->inverse[l->pairs[i].b];
    if (cosine > best) best = cosine;
  }
  uint32_t own = l->pairs[b->first_pair[query]].a;
  for (size_t i = 0; i < r->rows->count; i++)
    rank += l->is_document[i] && i != own && products[i] * b->inverse[i] > best + EQUAL;
  return rank;
}

static enum status measure_blocks(struct ranking *r, const double *weights, struct block *b) {
  size_t queries = 0, at_1 = 0, at_10 = 0;
  double sum = 0;
  enum status rc = STATUS_OK;
  for (size_t pair = 0; rc == STATUS_OK && next_block(r->labels, b, pair); pair = b->first_pair[b->count]) {
    weigh_queries(r, weights, b);
    linalg_multiply_single(b->count, r->rows->d, r->rows->count, b->queries, r->rows->rows, b->products);
    for (size_t i = 0; i < b->count; i++) {
      size_t rank = rank_of(r, b, i);
      at_1 += rank == 1;
      at_10 += rank <= 10;
      r->reciprocal[queries] = 1 / (double)rank;
      sum += r->reciprocal[queries++];
    }
    rc = watch_look(r->rows->watch);
  }
  r->mean = sum / (double)queries;
  r->recall1 = (double)at_1 / (double)queries;
  r->recall10 = (double)at_10 / (double)queries;
  return rc;
}

enum status ranking_measure(struct ranking *r, const double *weights, const double *squares) {
  const struct memory *mem = r->rows->mem;
  size_t d = r->rows->d, rows = r->rows->count;
  struct block b = {.queries = memory_array(mem, BLOCK_QUERIES * d, sizeof *b.queries),
                    .products = memory_array(mem, BLOCK_QUERIES * rows, sizeof *b.products),
                    .inverse = memory_array(mem, rows, sizeof *b.inverse)};
  enum status rc = STATUS_NOMEM;
  if (b.queries != NULL && b.products != NULL && b.inverse != NULL) {
    for (size_t i = 0; i < rows; i++) {
      float inverse = (float)(1 / sqrt(squares[i]));
      b.inverse[i] = isfinite(inverse) ? inverse : 0;
    }
    rc = measure_blocks(r, weights, &b);
  }
  mem->release(b.queries);
  mem->release(b.products);
  mem->release(b.inverse);
  return rc;
}
