/* See pairs.h. */
#include "core/pairs.h"

#include <string.h>

#include "core/simd/simd.h"

/* The candidates of a row of a block. */
static uint8_t *bits_of(const struct pairs *p, const struct products_block *block, size_t row) {
  return p->candidates[block == &p->products.blocks[1]] + row * p->stride;
}

/* Runs on a worker. Tiles of different workers meet at no byte: a chunk begins at a multiple of PANEL_WIDTH. */
static void visit(void *owner, const struct products_tile *tile) {
  const struct pairs *p = owner;
  float least[PANEL_WIDTH];
  for (size_t i = 0; i < PANEL_WIDTH; i++) least[i] = products_least(&p->products, p->threshold);
  for (size_t r = 0; r < tile->rows; r++) {
    const float *products = tile->products + r * tile->vectors;
    uint8_t *bits = bits_of(p, tile->block, tile->row + r);
    float norm = tile->block->norm[tile->row + r];
    for (size_t v = 0; v < tile->vectors; v += PANEL_WIDTH) {
      size_t count = tile->vectors - v < PANEL_WIDTH ? tile->vectors - v : PANEL_WIDTH;
      if (!products_reach(count, products + v, least, norm)) continue;
      for (size_t i = v; i < v + count; i++)
        if (products_reach(1, products + i, least, norm))
          bits[(tile->vector + i) / 8] |= (uint8_t)(1 << (tile->vector + i) % 8);
    }
  }
}

void pairs_init(struct pairs *p, size_t dim, double threshold, int cores, const struct memory *mem) {
  *p = (struct pairs){.threshold = threshold};
  products_init(&p->products, dim, cores, mem);
  p->products.later_only = 1;
  p->products.visit = visit;
  p->products.owner = p;
}

void pairs_clear(struct pairs *p) {
  const struct memory *mem = p->products.mem;
  products_clear(&p->products); /* first: workers write to candidates */
  for (int b = 0; b < 2 && mem != NULL; b++) mem->release(p->candidates[b]);
  *p = (struct pairs){0};
}

enum status pairs_add_vector(struct pairs *p, int64_t rowid, const void *v) {
  return products_add_vector(&p->products, rowid, v);
}

int pairs_is_full(const struct pairs *p) {
  return p->products.count > 0 && p->products.count == products_limit(&p->products);
}

int pairs_is_empty(const struct pairs *p) {
  return p->products.count == 0;
}

int64_t pairs_first(const struct pairs *p) {
  return p->products.batch[0].rowid;
}

int64_t pairs_last(const struct pairs *p) {
  return p->products.batch[p->products.count - 1].rowid;
}

enum status pairs_start(struct pairs *p) {
  const struct memory *mem = p->products.mem;
  p->stride = (p->products.count + 7) / 8;
  for (int b = 0; b < 2 && p->stride > p->capacity; b++) {
    uint8_t *bits = mem->resize(p->candidates[b], PRODUCTS_ROWS * p->stride);
    if (bits == NULL) return STATUS_NOMEM;
    p->candidates[b] = bits;
  }
  if (p->stride > p->capacity) p->capacity = p->stride;
  p->block = NULL;
  return products_start(&p->products);
}

void pairs_restart(struct pairs *p) {
  if (p->products.mem != NULL) products_restart(&p->products);
  p->block = NULL;
}

enum status pairs_add(struct pairs *p, int64_t rowid, const void *v) {
  p->block = NULL;
  return products_add_row(&p->products, rowid, v);
}

int pairs_has_block(const struct pairs *p) {
  return products_has_block(&p->products);
}

void pairs_turn(struct pairs *p) {
  struct products *products = &p->products;
  products_wait(products);
  memset(bits_of(p, &products->blocks[products->filling], 0), 0, products->filled * p->stride);
  p->block = products_submit(products);
  p->row = p->vector = 0;
}

/* Whether there is another candidate; p->vector is behind it then. */
static int next_candidate(struct pairs *p) {
  for (; p->row < p->block->count; p->row++, p->vector = 0) {
    const uint8_t *bits = bits_of(p, p->block, p->row);
    while (p->vector < p->products.count) {
      unsigned byte = (unsigned)bits[p->vector / 8] >> p->vector % 8;
      if (byte == 0)
        p->vector = (p->vector / 8 + 1) * 8;
      else if (p->vector++, byte & 1)
        return 1;
    }
  }
  return 0;
}

int pairs_next(struct pairs *p, struct pair *pair) {
  while (p->block != NULL && next_candidate(p)) {
    size_t vector = p->vector - 1;
    *pair = (struct pair){.a = p->products.batch[vector].rowid, .b = p->block->rowid[p->row]};
    if (pair->b <= pair->a) continue;
    pair->similarity = products_cosine(&p->products, p->block, p->row, vector);
    if (pair->similarity >= p->threshold) return 1;
  }
  return 0;
}
