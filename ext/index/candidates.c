/*
** Rows that may be among the best, by their estimates: as many as reach a bound that rises while they come. See run.h.
*/
#include "index/run.h"

enum { FIRST_CAPACITY = 256 };

void candidates_clear(struct candidates *candidates) {
  sqlite3_free(candidates->list);
  topk_clear(&candidates->best, &sqlite_memory);
  *candidates = (struct candidates){0};
}

static int is_better(const struct candidate *a, const struct candidate *b) {
  return a->estimate > b->estimate || (a->estimate == b->estimate && a->rowid < b->rowid);
}

/* Moves the candidate at i down to where no child is better. */
static void sift_down(struct candidates *c, size_t i) {
  struct candidate moving = c->list[i];
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= c->count) break;
    if (child + 1 < c->count && is_better(&c->list[child + 1], &c->list[child])) child++;
    if (!is_better(&c->list[child], &moving)) break;
    c->list[i] = c->list[child];
    i = child;
  }
  c->list[i] = moving;
}

void candidates_order(struct candidates *candidates) {
  for (size_t i = candidates->count / 2; i-- > 0;) sift_down(candidates, i);
}

int candidates_take(struct candidates *candidates, struct candidate *best) {
  if (candidates->count == 0) return 0;
  *best = candidates->list[0];
  candidates->list[0] = candidates->list[--candidates->count];
  if (candidates->count > 0) sift_down(candidates, 0);
  return 1;
}

void candidates_compact(struct candidates *c, float least) {
  size_t kept = 0;
  for (size_t i = 0; i < c->count; i++)
    if (c->list[i].estimate >= least) c->list[kept++] = c->list[i];
  c->count = kept;
}

static int grow(struct call *call, struct candidates *c, size_t capacity) {
  struct candidate *list = sqlite3_realloc64(c->list, capacity * sizeof *list);
  if (list == NULL) return fail_nomem(call), call->failed;
  c->list = list;
  c->capacity = capacity;
  return 0;
}

/* Room for one more. */
static int make_room(struct call *call, struct candidates *c, float least) {
  candidates_compact(c, least);
  if (c->list != NULL && c->count <= c->capacity / 2) return 0;
  return grow(call, c, c->list ? 2 * c->capacity : FIRST_CAPACITY);
}

int candidates_reserve(struct call *call, struct candidates *c, size_t count) {
  if (count > c->capacity && grow(call, c, count)) return call->failed;
  if (c->best.k < SIZE_MAX && topk_reserve(&c->best, count, &sqlite_memory) != STATUS_OK) fail_nomem(call);
  return call->failed;
}

int candidates_add(struct call *call, struct candidates *c, float least, const struct candidate *candidate) {
  if (c->count == c->capacity && make_room(call, c, least)) return call->failed;
  c->list[c->count++] = *candidate;
  if (c->best.k == SIZE_MAX) return 0;
  if (topk_reserve(&c->best, c->best.count + 1, &sqlite_memory) != STATUS_OK)
    return fail_nomem(call), call->failed;
  topk_add(&c->best, candidate->estimate, candidate->rowid);
  return 0;
}
