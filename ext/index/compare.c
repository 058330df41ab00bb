/*
** Rows compared for good: whitened in blocks, to the bit as whiten_apply does it, then cosine_sim's arithmetic. See
** run.h.
*/
#include "core/vector.h"
#include "index/run.h"

int compare_begin(struct run *run, size_t capacity) {
  struct waiting *block = &run->waiting;
  size_t d = run->whitener->header.d, m = run->whitener->header.m;
  if (block->capacity >= capacity) return 0;
  compare_clear(run);
  block->memory = memory_array(&sqlite_memory, capacity * (d + m) + 16, sizeof(float));
  if (block->memory == NULL) return fail_nomem(run->call), run->call->failed;
  block->shifted = memory_align64(block->memory);
  block->y = block->shifted + capacity * d;
  block->capacity = capacity;
  return 0;
}

void compare_clear(struct run *run) {
  sqlite3_free(run->waiting.memory);
  run->waiting = (struct waiting){0};
}

int compare_add(struct run *run, int64_t rowid, const void *x) {
  struct waiting *block = &run->waiting;
  size_t d = run->whitener->header.d;
  block->rowids[block->count] = rowid;
  block->bad[block->count] = vector_find_not_finite(d, x);
  whitener_shift(run->whitener, x, block->shifted + block->count * d);
  return ++block->count == block->capacity ? compare_flush(run) : 0;
}

static void add_hit(struct run *run, double similarity, int64_t rowid) {
  struct topk *topk = run->topk;
  if (!(similarity > run->search->least || (similarity == run->search->least && !run->search->above))) return;
  if (topk_reserve(topk, topk->count + 1, &sqlite_memory) == STATUS_OK)
    topk_add(topk, similarity, rowid);
  else
    fail_nomem(run->call);
}

/* Errors are those of whiten_apply; a row without a direction has no similarity. */
static void judge(struct run *run, size_t row) {
  const struct waiting *block = &run->waiting;
  size_t d = run->whitener->header.d, m = run->whitener->header.m, bad = block->bad[row];
  const float *y = block->y + row * m;
  run->call->rowid = &block->rowids[row];
  if (bad < d) {
    fail_element(run->call, run->index->arguments.column, bad, block->shifted[row * d + bad]);
  } else if ((bad = vector_find_not_finite(m, y)) < m) {
    fail_overflow(run->call, "the whitened vector", bad);
  } else {
    double cosine = vector_cosine(m, run->query, run->square, y);
    if (cosine != COSINE_UNDEFINED) add_hit(run, cosine, block->rowids[row]);
  }
  run->call->rowid = NULL;
}

int compare_flush(struct run *run) {
  struct waiting *block = &run->waiting;
  if (block->count > 0) whitener_apply_rows(run->whitener, block->count, block->shifted, block->y);
  for (size_t row = 0; row < block->count && !run->call->failed; row++) judge(run, row);
  block->count = 0;
  return run->call->failed;
}

int compare_scan(struct run *run, const struct rowids *rowids) {
  struct source *content = &run->index->content;
  struct call *call = run->call;
  size_t d = run->whitener->header.d;
  struct vector v;
  if (compare_begin(run, COMPARE_ROWS) || index_open_content(call, run->index)) return call->failed;
  if (source_start(call, content, rowids)) return call->failed;
  while (source_next(call, content, &d, &v)) {
    if (v.data == NULL) continue;
    run->counts->fetched++;
    compare_add(run, content->rowid, v.data);
    vector_free(&v);
    if (call->failed) break;
  }
  if (call->failed) source_close(content); /* else its statement would go on reading */
  return call->failed ? call->failed : compare_flush(run);
}
