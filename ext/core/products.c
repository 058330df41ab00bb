/* See products.h. */
#include "core/products.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

enum {
  CHUNK_PANELS = 5, /* 240 vectors: their panels lie in the second-level cache */
  TILE_ROWS = 32,   /* the products of a chunk with so many rows lie on the stack, and in the first-level cache */
  FIRST_CAPACITY = 16
};

/* Less work than this, in multiplications, takes 30 us: not worth a thread. */
static const double LEAST_WORK = 1 << 21;

void products_init(struct products *p, size_t dim, int cores, const struct memory *mem) {
  *p = (struct products){.mem = mem, .dim = dim};
  workers_init(&p->workers, cores);
}

void products_clear(struct products *p) {
  if (p->mem == NULL) return;
  workers_clear(&p->workers);
  void *owned[] = {p->batch, p->vectors, p->panels_block, p->blocks[0].rows, p->blocks[1].rows};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) p->mem->release(owned[i]);
  *p = (struct products){0};
}

size_t products_limit(const struct products *p) {
  size_t vectors = PRODUCTS_ELEMENTS / p->dim;
  return vectors < PRODUCTS_VECTORS ? vectors : PRODUCTS_VECTORS;
}

static enum status grow(struct products *p) {
  size_t capacity = p->capacity ? 2 * p->capacity : FIRST_CAPACITY;
  if (capacity > products_limit(p)) capacity = products_limit(p);
  struct products_vector *batch = p->mem->resize(p->batch, capacity * sizeof *batch);
  if (batch == NULL) return STATUS_NOMEM;
  p->batch = batch;
  float *vectors = p->mem->resize(p->vectors, capacity * p->dim * sizeof *vectors);
  if (vectors == NULL) return STATUS_NOMEM;
  p->vectors = vectors;
  p->capacity = capacity;
  return STATUS_OK;
}

enum status products_add_vector(struct products *p, int64_t rowid, const void *v) {
  double square = vector_square(p->dim, v);
  if (isnan(square)) return STATUS_NOT_FINITE;
  if (square == 0) return STATUS_OK;
  if (p->count == p->capacity && grow(p) != STATUS_OK) return STATUS_NOMEM;
  p->batch[p->count] = (struct products_vector){rowid, square};
  memcpy(p->vectors + p->count++ * p->dim, v, p->dim * sizeof(float));
  return STATUS_OK;
}

static size_t chunk_size(const struct products *p, size_t chunk) {
  size_t left = p->count - chunk * p->chunk;
  return left < p->chunk ? left : p->chunk;
}

/* Panels of a chunk: column v is vector v divided by its norm. Runs on a worker. */
static void pack_chunk(void *argument, size_t chunk) {
  struct products *p = argument;
  size_t first = chunk * p->chunk, count = chunk_size(p, chunk), dim = p->dim;
  float *panels = p->panels + first * dim;
  memset(panels, 0, simd_panel_elements(dim, count) * sizeof *panels);
  for (size_t v = 0; v < count; v++) {
    float part[PANEL_WIDTH];
    const float *vector = p->vectors + (first + v) * dim;
    double norm = sqrt(p->batch[first + v].square);
    for (size_t i = 0; i < dim; i += PANEL_WIDTH) {
      size_t n = dim - i < PANEL_WIDTH ? dim - i : PANEL_WIDTH;
      vector_divide(n, vector + i, norm, part);
      for (size_t e = 0; e < n; e++) panels[simd_panel_index(dim, count, i + e, v)] = part[e];
    }
  }
}

/* Hands out a job for each chunk, or does it here and now where there is too little work for threads. */
static void run(struct products *p, workers_job job, double work) {
  if (work >= LEAST_WORK || p->workers.threads > 0)
    workers_submit(&p->workers, job, p, p->chunks);
  else
    for (size_t c = 0; c < p->chunks; c++) job(p, c);
}

enum status products_start(struct products *p) {
  const struct memory *mem = p->mem;
  size_t panels = (p->count + PANEL_WIDTH - 1) / PANEL_WIDTH, columns = simd_panel_elements(1, p->count);
  size_t cores = (size_t)p->workers.cores, share = (panels + cores - 1) / cores;
  p->chunk = (share < CHUNK_PANELS ? share : CHUNK_PANELS) * PANEL_WIDTH; /* fewer, if some would be idle */
  p->chunks = (p->count + p->chunk - 1) / p->chunk;
  for (int b = 0; b < 2; b++) {
    if (p->blocks[b].rows == NULL) p->blocks[b].rows = memory_array(mem, PRODUCTS_ROWS * p->dim, sizeof(float));
    if (p->blocks[b].rows == NULL) return STATUS_NOMEM;
  }
  if (columns > p->panels_columns) {
    mem->release(p->panels_block);
    p->panels_columns = 0;
    p->panels_block = memory_array(mem, p->dim * columns + 16, sizeof *p->panels);
    if (p->panels_block == NULL) return STATUS_NOMEM;
    p->panels_columns = columns;
    p->panels = memory_align64(p->panels_block);
  }
  run(p, pack_chunk, (double)p->count * (double)p->dim);
  workers_wait(&p->workers);
  return STATUS_OK;
}

void products_restart(struct products *p) {
  workers_wait(&p->workers);
  p->count = p->filled = p->blocks[0].count = p->blocks[1].count = 0;
}

enum status products_add_row(struct products *p, int64_t rowid, const void *v) {
  double square = vector_square(p->dim, v);
  if (isnan(square)) return STATUS_NOT_FINITE;
  if (square == 0) return STATUS_OK;
  struct products_block *block = &p->blocks[p->filling];
  block->rowid[p->filled] = rowid;
  block->norm[p->filled] = vector_square_is_safe(square) ? (float)sqrt(square) : 0;
  memcpy(block->rows + p->filled++ * p->dim, v, p->dim * sizeof(float));
  return STATUS_OK;
}

int products_has_block(const struct products *p) {
  return p->filled == PRODUCTS_ROWS;
}

/* Runs on a worker: the block under way against one chunk of the batch. */
static void multiply_chunk(void *argument, size_t chunk) {
  const struct products *p = argument;
  const struct products_block *block = &p->blocks[!p->filling];
  float products[TILE_ROWS * CHUNK_PANELS * PANEL_WIDTH];
  struct products_tile tile = {block, 0, 0, chunk * p->chunk, chunk_size(p, chunk), products};
  if (p->later_only && block->rowid[block->count - 1] <= p->batch[tile.vector].rowid) return;
  for (; tile.row < block->count; tile.row += tile.rows) {
    tile.rows = block->count - tile.row < TILE_ROWS ? block->count - tile.row : TILE_ROWS;
    simd->transform_block(tile.rows, p->dim, tile.vectors, block->rows + tile.row * p->dim,
                          p->panels + tile.vector * p->dim, products, tile.vectors);
    p->visit(p->owner, &tile);
  }
}

void products_wait(struct products *p) {
  workers_wait(&p->workers);
}

const struct products_block *products_submit(struct products *p) {
  struct products_block *block = &p->blocks[p->filling];
  block->count = p->filled;
  p->filling = !p->filling;
  p->filled = 0;
  if (block->count > 0) run(p, multiply_chunk, (double)block->count * (double)p->count * (double)p->dim);
  return &p->blocks[p->filling];
}

/*
** What a product may be off, in units of the two norms: the chain of dim roundings (Higham 2002, (3.5)), those of
** cosine itself and of dividing by the norm. With u = 2^-24: dim u + (dim / 32 + 8) u + 8 u, and some more.
*/
static float error_bound(size_t dim) {
  return (float)(dim + dim / 32 + 64) * 0x1p-24f;
}

float products_least(const struct products *p, double threshold) {
  return (float)threshold - error_bound(p->dim);
}

int products_reach(size_t count, const float *products, const float *least, float norm) {
  int reached = 0;
  if (norm == 0) return 1;
  for (size_t i = 0; i < count; i++) reached |= products[i] >= least[i] * norm;
  return reached;
}

double products_cosine(const struct products *p, const struct products_block *block, size_t row, size_t vector) {
  return vector_cosine(p->dim, p->vectors + vector * p->dim, p->batch[vector].square, block->rows + row * p->dim);
}
