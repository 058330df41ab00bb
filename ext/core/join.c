/* See join.h. */
#include "core/join.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

enum { CHUNK_PANELS = 5 }; /* 240 queries: their panel and the products of a block lie in the second-level cache */

void join_init(struct join *j, size_t dim, size_t k, const struct memory *mem) {
  *j = (struct join){.mem = mem, .dim = dim, .k = k};
}

void join_clear(struct join *j) {
  if (j->mem == NULL) return;
  workers_clear(&j->workers);
  for (size_t q = 0; q < j->count; q++) topk_clear(&j->queries[q].topk, j->mem);
  void *owned[] = {j->queries, j->vectors, j->panels_block, j->products, j->blocks[0].rows, j->blocks[1].rows};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) j->mem->release(owned[i]);
  *j = (struct join){0};
}

static enum status grow(struct join *j) {
  size_t capacity = j->capacity ? 2 * j->capacity : 16;
  struct join_query *queries = j->mem->resize(j->queries, capacity * sizeof *queries);
  if (queries == NULL) return STATUS_NOMEM;
  j->queries = queries;
  float *vectors = j->mem->resize(j->vectors, capacity * j->dim * sizeof *vectors);
  if (vectors == NULL) return STATUS_NOMEM;
  j->vectors = vectors;
  j->capacity = capacity;
  return STATUS_OK;
}

enum status join_add_query(struct join *j, int64_t rowid, const void *v, double square) {
  if (j->count == j->capacity && grow(j) != STATUS_OK) return STATUS_NOMEM;
  struct join_query *query = &j->queries[j->count];
  *query = (struct join_query){.rowid = rowid, .square = square};
  topk_init(&query->topk, j->k);
  memcpy(j->vectors + j->count++ * j->dim, v, j->dim * sizeof(float));
  return STATUS_OK;
}

static size_t chunk_size(const struct join *j, size_t chunk) {
  size_t left = j->count - chunk * j->chunk;
  return left < j->chunk ? left : j->chunk;
}

/* Panels of a chunk: column q is query q divided by its norm. */
static void pack_chunk(struct join *j, size_t chunk, float *unit) {
  size_t first = chunk * j->chunk, count = chunk_size(j, chunk), dim = j->dim;
  float *panels = j->panels + first * dim;
  memset(panels, 0, simd_panel_elements(dim, count) * sizeof *panels);
  for (size_t q = 0; q < count; q++) {
    vector_divide(dim, j->vectors + (first + q) * dim, sqrt(j->queries[first + q].square), unit);
    for (size_t i = 0; i < dim; i++) panels[simd_panel_index(dim, count, i, q)] = unit[i];
  }
}

/* As many queries to a chunk as fit the cache, fewer if some workers would be idle; and the rows of a block. */
static void choose_sizes(struct join *j, int cores) {
  size_t panels = (j->count + PANEL_WIDTH - 1) / PANEL_WIDTH, share = (panels + (size_t)cores - 1) / (size_t)cores;
  j->chunk = (share < CHUNK_PANELS ? share : CHUNK_PANELS) * PANEL_WIDTH;
  j->chunks = (j->count + j->chunk - 1) / j->chunk;
  j->block_rows = JOIN_ROWS;
  while (j->block_rows > GROUP_ROWS && (double)j->block_rows * (double)j->count * (double)j->dim > JOIN_WORK)
    j->block_rows /= 2;
}

enum status join_start(struct join *j, int cores) {
  const struct memory *mem = j->mem;
  size_t dim = j->dim;
  if (j->count == 0) return STATUS_OK;
  choose_sizes(j, cores);
  size_t columns = simd_panel_elements(1, j->count);
  float *unit = memory_array(mem, dim, sizeof *unit);
  j->panels_block = memory_array(mem, dim * columns + 16, sizeof *j->panels);
  j->products = memory_array(mem, JOIN_ROWS * j->chunk * j->chunks, sizeof *j->products);
  for (int b = 0; b < 2; b++) j->blocks[b].rows = memory_array(mem, JOIN_ROWS * dim, sizeof(float));
  enum status rc = STATUS_NOMEM;
  if (unit == NULL || j->panels_block == NULL || j->products == NULL) goto end;
  if (j->blocks[0].rows == NULL || j->blocks[1].rows == NULL) goto end;
  j->panels = memory_align64(j->panels_block);
  for (size_t c = 0; c < j->chunks; c++) pack_chunk(j, c, unit);
  workers_init(&j->workers, cores);
  rc = STATUS_OK;
end:
  mem->release(unit);
  return rc;
}

/*
** What a product may be off, in units of the two norms: the chain of dim roundings (Higham 2002, (3.5)), those of
** cosine itself and of dividing by the norm. With u = 2^-24: dim u + (dim / 32 + 8) u + 8 u, and some more.
*/
static float error_bound(size_t dim) {
  return (float)(dim + dim / 32 + 64) * 0x1p-24f;
}

static void compare(struct join *j, size_t q, const struct join_block *block, size_t row) {
  struct join_query *query = &j->queries[q];
  double cosine = vector_cosine(j->dim, j->vectors + q * j->dim, query->square, block->rows + row * j->dim);
  topk_add(&query->topk, cosine, block->rowid[row]);
}

/* Runs on a worker: the block under way against one chunk of queries. */
static void compare_chunk(void *argument, size_t chunk) {
  struct join *j = argument;
  const struct join_block *block = &j->blocks[!j->filling];
  size_t first = chunk * j->chunk, count = chunk_size(j, chunk), dim = j->dim;
  float *products = j->products + chunk * JOIN_ROWS * j->chunk, bound = error_bound(dim);
  float threshold[CHUNK_PANELS * PANEL_WIDTH];
  simd->transform_block(block->count, dim, count, block->rows, j->panels + first * dim, products, count);
  for (size_t q = 0; q < count; q++) threshold[q] = (float)topk_threshold(&j->queries[first + q].topk) - bound;
  for (size_t row = 0; row < block->count; row++) {
    const float *product = products + row * count;
    float norm = block->norm[row];
    for (size_t q = 0; q < count; q++) {
      if (norm > 0 && product[q] < threshold[q] * norm) continue;
      compare(j, first + q, block, row);
      threshold[q] = (float)topk_threshold(&j->queries[first + q].topk) - bound;
    }
  }
}

/* Hands the block to the workers when the one before it is done. */
static enum status turn(struct join *j) {
  const struct join_block *block = &j->blocks[j->filling];
  workers_wait(&j->workers);
  for (size_t q = 0; q < j->count; q++) {
    struct topk *topk = &j->queries[q].topk;
    if (topk_reserve(topk, topk->count + block->count, j->mem) != STATUS_OK) return STATUS_NOMEM;
  }
  j->filling = !j->filling;
  j->blocks[j->filling].count = 0;
  workers_submit(&j->workers, compare_chunk, j, j->chunks);
  return STATUS_OK;
}

enum status join_add(struct join *j, int64_t rowid, const void *v) {
  double square = vector_square(j->dim, v);
  if (isnan(square)) return STATUS_NOT_FINITE;
  if (square == 0 || j->count == 0) return STATUS_OK;
  struct join_block *block = &j->blocks[j->filling];
  size_t row = block->count++;
  block->rowid[row] = rowid;
  block->norm[row] = vector_square_is_safe(square) ? (float)sqrt(square) : 0;
  memcpy(block->rows + row * j->dim, v, j->dim * sizeof(float));
  return block->count == j->block_rows ? turn(j) : STATUS_OK;
}

enum status join_finish(struct join *j) {
  if (j->count == 0) return STATUS_OK;
  enum status rc = turn(j);
  workers_wait(&j->workers);
  for (size_t q = 0; q < j->count; q++) topk_sort(&j->queries[q].topk);
  return rc;
}
