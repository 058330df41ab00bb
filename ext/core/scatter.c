/* See scatter.h. */
#include "core/scatter.h"

#include <string.h>

#include "core/simd/simd.h"

enum { JOB_PANELS = 8 }; /* a job is one panel of columns against so many of rows: 0.1 ms in a block of 512 */

static size_t panels_of(const struct scatter *s) {
  return (s->dim + s->width - 1) / s->width;
}

static size_t element_size(const struct scatter *s) {
  return s->precision == SCATTER_SINGLE ? sizeof(float) : sizeof(double);
}

enum status scatter_reserve(struct scatter *s, size_t dim, enum scatter_precision precision, size_t capacity,
                            const struct memory *mem) {
  s->mem = mem;
  s->dim = dim;
  s->precision = precision;
  s->width = precision == SCATTER_SINGLE ? SCATTER_WIDTH_SINGLE : SCATTER_WIDTH;
  size_t padded = panels_of(s) * s->width;
  if (s->delta == NULL) {
    s->delta = memory_array(mem, padded, sizeof *s->delta);
    if (s->delta == NULL) return STATUS_NOMEM;
    memset(s->delta, 0, padded * sizeof *s->delta);
  }
  if (capacity <= s->capacity) return STATUS_OK;
  void *panels = memory_array(mem, capacity * padded + 64 / element_size(s), element_size(s));
  if (panels == NULL) return STATUS_NOMEM;
  mem->release(s->panels_block);
  s->panels_block = panels;
  s->panels = memory_align64(panels);
  s->capacity = capacity;
  return STATUS_OK;
}

void scatter_clear(struct scatter *s) {
  if (s->mem == NULL) return;
  workers_clear(&s->workers);
  s->mem->release(s->panels_block);
  s->mem->release(s->delta);
  *s = (struct scatter){0};
}

static char *panel(const struct scatter *s, size_t index) {
  return (char *)s->panels + index * s->block.rows * s->width * element_size(s);
}

enum { PACK_ROWS = 32 };

/* Runs on a worker: some rows of the block, centred. */
static void pack(void *argument, size_t index) {
  const struct scatter *s = argument;
  const struct scatter_block *b = &s->block;
  size_t first = index * PACK_ROWS, end = first + PACK_ROWS < b->rows ? first + PACK_ROWS : b->rows;
  size_t size = element_size(s), bytes = s->width * size;
  for (size_t r = first; r < end; r++)
    for (size_t column = 0, p = 0; column < s->dim; column += s->width, p++) {
      size_t columns = s->dim - column < s->width ? s->dim - column : s->width;
      const float *x = b->x + r * s->dim + column;
      char *out = panel(s, p) + r * bytes;
      if (s->precision == SCATTER_SINGLE)
        simd->shift(columns, x, b->mean + column, (float *)(void *)out);
      else
        simd->widen(columns, x, b->mean + column, b->scales[r], (double *)(void *)out);
      memset(out + columns * size, 0, bytes - columns * size);
    }
}

/* The products of GROUP_ROWS columns, from `row` on, with the panel whose columns begin at `column`, into sums. */
static void add_tile(const struct scatter *s, size_t row, size_t column, double *sums, size_t stride) {
  const char *a = panel(s, row / s->width) + row % s->width * element_size(s), *b = panel(s, column / s->width);
  if (s->precision == SCATTER_SINGLE)
    simd->scatter_single(s->block.rows, (const float *)(const void *)a, (const float *)(const void *)b,
                         s->delta + row, s->delta + column, sums, stride);
  else
    simd->scatter(s->block.rows, (const double *)(const void *)a, (const double *)(const void *)b, s->delta + row,
                  s->delta + column, sums, stride);
}

/* A tile that reaches over the edge of the matrix, or below its diagonal. */
static void add_part_of_tile(const struct scatter *s, size_t row, size_t column) {
  double tile[GROUP_ROWS * SCATTER_WIDTH_SINGLE] = {0};
  size_t rows = s->dim - row < GROUP_ROWS ? s->dim - row : GROUP_ROWS;
  size_t columns = s->dim - column < s->width ? s->dim - column : s->width;
  double *sums = s->sums + row * s->dim + column;
  for (size_t r = 0; r < rows; r++) memcpy(tile + r * s->width, sums + r * s->dim, columns * sizeof *tile);
  add_tile(s, row, column, tile, s->width);
  for (size_t r = 0; r < rows; r++) {
    size_t first = row + r > column ? row + r - column : 0;
    if (first < columns)
      memcpy(sums + r * s->dim + first, tile + r * s->width + first, (columns - first) * sizeof *tile);
  }
}

/* Jobs of the panel that counts `index` of them, the largest first: the last panel of columns meets all panels of rows. */
static size_t jobs_of(size_t index) {
  return index / JOB_PANELS + 1;
}

/* Runs on a worker: a panel of columns against up to JOB_PANELS panels of rows, none below the diagonal. */
static void add_tiles(void *argument, size_t index) {
  const struct scatter *s = argument;
  size_t q = panels_of(s) - 1;
  for (; index >= jobs_of(q); q--) index -= jobs_of(q);
  size_t first = index * JOB_PANELS, end = first + JOB_PANELS <= q + 1 ? first + JOB_PANELS : q + 1;
  size_t column = q * s->width, limit = end * s->width < s->dim ? end * s->width : s->dim;
  for (size_t row = first * s->width; row < limit; row += GROUP_ROWS)
    if (row + GROUP_ROWS <= column + 1 && column + s->width <= s->dim)
      add_tile(s, row, column, s->sums + row * s->dim + column, s->dim);
    else
      add_part_of_tile(s, row, column);
}

static size_t jobs(const struct scatter *s) {
  size_t count = 0;
  for (size_t q = 0; q < panels_of(s); q++) count += jobs_of(q);
  return count;
}

void scatter_start_threads(struct scatter *s, int cores) {
  if (!s->workers.initialized) workers_init(&s->workers, (size_t)cores < jobs(s) ? cores : (int)jobs(s));
}

void scatter_add(struct scatter *s, const struct scatter_block *block, double *sums) {
  size_t packs = (block->rows + PACK_ROWS - 1) / PACK_ROWS;
  s->block = *block;
  memcpy(s->delta, block->delta, s->dim * sizeof *s->delta);
  s->sums = sums;
  if (s->workers.initialized) {
    workers_submit(&s->workers, pack, s, packs);
    workers_wait(&s->workers);
    workers_submit(&s->workers, add_tiles, s, jobs(s));
  } else {
    for (size_t i = 0; i < packs; i++) pack(s, i);
    for (size_t i = 0; i < jobs(s); i++) add_tiles(s, i);
  }
}

void scatter_wait(struct scatter *s) {
  if (s->workers.initialized) workers_wait(&s->workers);
}
