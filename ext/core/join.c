/* See join.h. */
#include "core/join.h"

#include "core/simd/simd.h"

/* A tile's products with up to PANEL_WIDTH queries, from `query` of the tile on: what may be among their k best. */
static void look(struct join *j, const struct products_tile *tile, size_t query, size_t count) {
  struct join_query *queries = &j->batches[j->batch_count - 1][tile->vector + query];
  float least[PANEL_WIDTH];
  for (size_t i = 0; i < count; i++) least[i] = products_least(&j->products, topk_threshold(&queries[i].topk));
  for (size_t r = 0; r < tile->rows; r++) {
    const float *products = tile->products + r * tile->vectors + query;
    size_t row = tile->row + r;
    float norm = tile->block->norm[row];
    if (!products_reach(count, products, least, norm)) continue;
    for (size_t i = 0; i < count; i++) {
      struct topk *topk = &queries[i].topk;
      if (!products_reach(1, products + i, least + i, norm)) continue;
      topk_add(topk, products_cosine(&j->products, tile->block, row, tile->vector + query + i),
               tile->block->rowid[row]);
      least[i] = products_least(&j->products, topk_threshold(topk));
    }
  }
}

/* Runs on a worker. */
static void visit(void *owner, const struct products_tile *tile) {
  for (size_t q = 0; q < tile->vectors; q += PANEL_WIDTH)
    look(owner, tile, q, tile->vectors - q < PANEL_WIDTH ? tile->vectors - q : PANEL_WIDTH);
}

void join_init(struct join *j, size_t dim, size_t k, int cores, const struct memory *mem) {
  *j = (struct join){.mem = mem, .k = k};
  products_init(&j->products, dim, cores, mem);
  j->products.visit = visit;
  j->products.owner = j;
  j->limit = products_limit(&j->products);
}

static struct join_query *query_of(const struct join *j, size_t query) {
  return &j->batches[query / j->limit][query % j->limit];
}

void join_clear(struct join *j) {
  if (j->mem == NULL) return;
  products_clear(&j->products);
  for (size_t q = 0; q < j->count; q++) topk_clear(&query_of(j, q)->topk, j->mem);
  for (size_t b = 0; b < j->batch_count; b++) j->mem->release(j->batches[b]);
  j->mem->release(j->batches);
  *j = (struct join){0};
}

enum status join_add_query(struct join *j, int64_t rowid, const void *v) {
  return products_add_vector(&j->products, rowid, v);
}

int join_is_full(const struct join *j) {
  return j->products.count > 0 && j->products.count == j->limit;
}

int join_is_empty(const struct join *j) {
  return j->products.count == 0;
}

enum status join_start(struct join *j) {
  size_t count = j->products.count;
  struct join_query **batches = j->mem->resize(j->batches, (j->batch_count + 1) * sizeof *batches);
  if (batches == NULL) return STATUS_NOMEM;
  j->batches = batches;
  struct join_query *batch = memory_array(j->mem, count, sizeof *batch);
  if (batch == NULL) return STATUS_NOMEM;
  for (size_t q = 0; q < count; q++) {
    batch[q].rowid = j->products.batch[q].rowid;
    topk_init(&batch[q].topk, j->k);
  }
  batches[j->batch_count++] = batch;
  j->count += count;
  return products_start(&j->products);
}

/* Hands the block to the workers when the one before it is done. */
static enum status turn(struct join *j) {
  struct join_query *batch = j->batches[j->batch_count - 1];
  products_wait(&j->products);
  for (size_t q = 0; q < j->products.count; q++) {
    struct topk *topk = &batch[q].topk;
    if (topk_reserve(topk, topk->count + j->products.filled, j->mem) != STATUS_OK) return STATUS_NOMEM;
  }
  products_submit(&j->products);
  return STATUS_OK;
}

enum status join_add(struct join *j, int64_t rowid, const void *v) {
  enum status rc = products_add_row(&j->products, rowid, v);
  return rc == STATUS_OK && products_has_block(&j->products) ? turn(j) : rc;
}

enum status join_finish(struct join *j) {
  struct join_query *batch = j->batches[j->batch_count - 1];
  enum status rc = turn(j);
  products_wait(&j->products);
  for (size_t q = 0; q < j->products.count; q++) topk_sort(&batch[q].topk);
  products_restart(&j->products);
  return rc;
}

void join_end(struct join *j) {
  products_clear(&j->products);
}

size_t join_count(const struct join *j) {
  return j->count;
}

int64_t join_rowid(const struct join *j, size_t query) {
  return query_of(j, query)->rowid;
}

const struct hit *join_hit(const struct join *j, size_t query, size_t place) {
  const struct topk *topk = &query_of(j, query)->topk;
  return place < topk->count ? &topk->hits[place] : NULL;
}
