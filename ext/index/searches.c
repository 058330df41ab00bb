/* See searches.h. */
#include "index/searches.h"

#include <math.h>
#include <string.h>

#include "index/sync.h"

/* Candidates of so many hits are kept for a batch. */
enum { MOST_HITS = 1 << 16 };

static void end_batch(struct searches *s) {
  for (size_t i = 0; i < s->count; i++) {
    run_end(&s->runs[i]);
    candidates_clear(&s->candidates[i]);
  }
  sqlite3_free(s->vectors);
  s->vectors = NULL;
  s->count = 0;
}

void searches_clear(struct searches *s) {
  end_batch(s);
  scans_free(s->scans);
  s->scans = NULL;
}

int searches_begin(struct call *call, struct searches *s, struct index *index, size_t k) {
  end_batch(s);
  if (sync_ready(call, index)) return call->failed;
  size_t capacity = MOST_HITS / k;
  s->capacity = capacity > SCANS_MAX ? SCANS_MAX : capacity + (capacity == 0);
  s->index = index;
  s->all = rowids_all();
  s->search = (struct search){.k = k, .least = -INFINITY, .rowids = &s->all, .error_factor = index->error_factor};
  s->dim = index->generations[0].model->whitener.header.d;
  s->vectors = memory_array(&sqlite_memory, s->capacity * s->dim, sizeof *s->vectors);
  if (s->vectors == NULL) fail_nomem(call);
  return call->failed;
}

int searches_are_full(const struct searches *s) {
  return s->count == s->capacity;
}

int searches_add(struct call *call, struct searches *s, int64_t rowid, const struct vector *query) {
  const struct generation *g = &s->index->generations[0];
  struct run *run = &s->runs[s->count];
  s->candidates[s->count] = (struct candidates){0};
  s->counts[s->count] = (struct search_counts){0};
  *run = (struct run){.call = call,
                      .index = s->index,
                      .generation = g,
                      .whitener = &g->model->whitener,
                      .search = &s->search,
                      .counts = &s->counts[s->count]};
  if (!run_begin(run, query)) {
    run_end(run);
    return call->failed;
  }
  memcpy(s->vectors + s->count * s->dim, query->data, s->dim * sizeof *s->vectors);
  s->rowids[s->count++] = rowid;
  return 0;
}

int searches_scan(struct call *call, struct searches *s) {
  struct run *runs[SCANS_MAX];
  struct rowids coded;
  s->root = s->index->root;
  for (size_t i = 0; i < s->count; i++) {
    runs[i] = &s->runs[i];
    runs[i]->call = call;
  }
  if (s->count > 1 && run_scans(runs[0], &coded)) scan_find_all(&s->scans, runs, s->count, &coded, s->candidates);
  return call->failed;
}

int searches_hits(struct call *call, struct searches *s, size_t i, struct topk *topk) {
  struct run *run = &s->runs[i];
  if (sync_ready(call, s->index)) return call->failed;
  if (s->index->root != s->root) {
    struct vector query = {.data = s->vectors + i * s->dim, .dim = s->dim};
    return search_run(call, s->index, &query, &s->search, topk, &s->counts[i]);
  }
  topk_init(topk, s->search.k);
  run->call = call;
  run->topk = topk;
  run_search(run, &s->candidates[i]);
  run_end(run);
  run->memory = NULL;
  topk_sort(topk);
  return call->failed;
}
