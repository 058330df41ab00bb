/* See query.h. */
#include "index/query.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/vector.h"
#include "index/run.h"

/* Rows whitened together of those that were fetched one by one. */
enum { FETCHED_ROWS = 16 };

/*
** So few rows are compared sooner than codes are scanned: reading and whitening a row takes some 3 us, a search by
** codes some 100, and 1 more for 1000 rows.
*/
enum { FEW = 32, ROWS_OF_A_SCAN = 3000 };

/* Beyond the k best, and beyond those that joined them once, no more than so many rows are fetched, or rows by the
** thousand that are alike would all be. */
enum { MISSES = 256, MISSES_OF_K = 4 };

/* A score is a similarity but for rounding: of the score, less than 8 units of |u| |x| / norm in the last place; of the
** whitened vector, less than this. */
static const double ROUNDING = 1e-5;

/* ---- the query ---- */

static int make_room(struct run *run) {
  size_t m = run->whitener->header.m, d = run->whitener->header.d;
  size_t padded = (m + 15) / 16 * 16;
  run->memory = memory_array(&sqlite_memory, m + padded + d, sizeof(float));
  if (run->memory == NULL) return fail_nomem(run->call), run->call->failed;
  run->direction = run->memory;
  run->query = run->direction + padded;
  run->pull = run->query + m;
  memset(run->direction, 0, padded * sizeof(float));
  return 0;
}

void run_end(struct run *run) {
  compare_clear(run);
  sqlite3_free(run->memory);
}

/* Whitens it; 0 if it has no direction, or after an error. */
static int read_query(struct run *run, const struct vector *query) {
  const struct whitener *w = run->whitener;
  size_t index, m = w->header.m;
  enum status rc = whitener_apply(w, query->data, run->pull, run->query, &index);
  if (rc == STATUS_OVERFLOW && !fail_not_finite(run->call, "query", query->dim, query->data))
    fail_overflow(run->call, "the whitened query", index);
  if (rc != STATUS_OK) return 0;
  run->square = vector_square(m, run->query);
  if (run->square == 0) return 0;
  vector_divide(m, run->query, sqrt(run->square), run->direction);
  return 1;
}

int run_begin(struct run *run, const struct vector *query) {
  return make_room(run) == 0 && read_query(run, query);
}

/* ---- candidates ---- */

/* How scores are computed: (pull . x - offset) / norm. What the model adds may be more than what is left of it. */
static void prepare_scores(struct run *run) {
  const struct whitener *w = run->whitener;
  size_t d = w->header.d;
  whitener_pull(w, run->direction, run->pull);
  run->offset = 0;
  for (size_t i = 0; i < d; i++) run->offset += run->pull[i] * w->mean[i];
  run->pull_norm = vector_norm(d, run->pull);
  run->added_norm = 0;
  for (size_t j = 0; w->offset != NULL && j < w->header.m; j++) {
    run->offset -= run->direction[j] * w->offset[j];
    run->added_norm += w->offset[j] * w->offset[j];
  }
  run->added_norm = sqrt(run->added_norm);
}

/* What a row's similarity is between; 0 if only comparing tells. */
static int score(const struct run *run, const void *x, double norm, double *low, double *high) {
  size_t d = run->whitener->header.d;
  double dot = vector_dot(d, run->pull, x), length = vector_norm(d, x);
  double similarity = (dot - run->offset) / norm;
  double error = ROUNDING * (1 + run->added_norm / norm) + 8 * FLT_EPSILON * run->pull_norm * length / norm;
  *low = similarity - error;
  *high = similarity + error;
  return norm >= 0x1p-100 && norm <= 0x1p100 && isfinite(*low) && isfinite(*high);
}

/* The hunt through candidates, the best estimate first. Owned: scores. */
struct hunt {
  struct topk scores; /* the k best lower bounds of similarities */
  size_t misses, most_misses;
  size_t stale; /* codes of rows that the content does not have */
};

static double wanted(const struct run *run, const struct hunt *hunt) {
  double kth = topk_threshold(&hunt->scores), least = run->search->least;
  return kth > least ? kth : least;
}

/* Compares a fetched row if it may be a hit. */
static int meet(struct run *run, struct hunt *hunt, const struct candidate *candidate, const void *x) {
  double low, high;
  if (!score(run, x, candidate->norm, &low, &high)) return compare_add(run, candidate->rowid, x);
  double least = wanted(run, hunt);
  if (low <= topk_threshold(&hunt->scores)) hunt->misses++;
  if (high < least) return 0;
  if (hunt->scores.k < SIZE_MAX) {
    if (topk_reserve(&hunt->scores, hunt->scores.count + 1, &sqlite_memory) != STATUS_OK)
      return fail_nomem(run->call), run->call->failed;
    topk_add(&hunt->scores, low, candidate->rowid);
  }
  return compare_add(run, candidate->rowid, x);
}

static int fetch_best(struct run *run, struct candidates *candidates, struct hunt *hunt) {
  struct candidate candidate;
  candidates_order(candidates);
  while (hunt->misses <= hunt->most_misses && candidates_take(candidates, &candidate)) {
    struct vector v;
    if (candidate.estimate + candidates->margin < wanted(run, hunt)) break;
    if (index_fetch(run->call, run->index, candidate.rowid, &v)) break;
    run->counts->fetched++;
    if (v.data == NULL)
      hunt->stale++;
    else
      meet(run, hunt, &candidate, v.data);
    index_fetch_done(run->index, &v);
    if (run->call->failed) break;
  }
  return run->call->failed ? run->call->failed : compare_flush(run);
}

/* Whether rows that were left out because of stale codes may be better than what was found. */
static int has_missed(const struct candidates *candidates, const struct hunt *hunt) {
  return hunt->stale > 0 && topk_threshold(&hunt->scores) < topk_threshold(&candidates->best);
}

/* One search by codes, from the candidates that there are, or from its own if they are zeroed; *width is how many
** estimates are taken for better than a hit's, and becomes more if that was too few, else 0. */
static int search_once(struct run *run, const struct rowids *rowids, size_t rows, size_t *width,
                       struct candidates *found) {
  struct candidates candidates = *found;
  *found = (struct candidates){0};
  struct hunt hunt = {.most_misses = SIZE_MAX};
  size_t k = run->search->k;
  topk_init(&hunt.scores, k);
  if (k < rows) hunt.most_misses = MISSES_OF_K * k + MISSES;
  run->topk->count = 0;
  if (candidates.best.k > 0 || scan_find(run, rowids, *width, &candidates) == 0) {
    if (candidates.count > rows / 2 && k > rows / 8)
      compare_scan(run, rowids);
    else
      fetch_best(run, &candidates, &hunt);
  }
  int again = !run->call->failed && has_missed(&candidates, &hunt);
  *width = again ? 2 * (*width + hunt.stale) : 0;
  topk_clear(&hunt.scores, &sqlite_memory);
  candidates_clear(&candidates);
  return run->call->failed;
}

static int search_codes(struct run *run, const struct rowids *rowids, size_t rows, struct candidates *found) {
  size_t width = run->search->k;
  prepare_scores(run);
  if (compare_begin(run, FETCHED_ROWS)) return run->call->failed;
  while (width > 0)
    if (search_once(run, rowids, rows, &width, found)) break;
  return run->call->failed;
}

/* ---- the way ---- */

/* How many coded rows are asked for, at most. */
static size_t count_rows(const struct dir *dir, const struct rowids *rowids) {
  if (dir->count == 0 || rowids_are_none(rowids)) return 0;
  int64_t rows = 0;
  for (size_t i = dir_place(dir, rowids->first); i <= dir_place(dir, rowids->last); i++)
    rows += dir->chunks[i].count;
  uint64_t range = (uint64_t)rowids->last - (uint64_t)rowids->first;
  if (range < (uint64_t)rows) rows = (int64_t)range + 1;
  return rowids->is_listed && rowids->count < (size_t)rows ? rowids->count : (size_t)rows;
}

static int is_scanned_sooner(const struct run *run, size_t rows) {
  const struct search *search = run->search;
  if (search->error_factor <= 0) return 1;
  if (rows <= FEW + (size_t)dir_rows(&run->generation->dir) / ROWS_OF_A_SCAN) return 1;
  return search->least < -1 && search->k >= rows / 8;
}

int run_scans(const struct run *run, struct rowids *coded) {
  *coded = rowids_part(run->search->rowids, INT64_MIN, run->generation->stored.built);
  return !is_scanned_sooner(run, count_rows(&run->generation->dir, coded));
}

/* What is not coded yet is always compared. */
void run_search(struct run *run, struct candidates *found) {
  const struct rowids *asked = run->search->rowids;
  int64_t built = run->generation->stored.built;
  struct rowids coded;
  if (!run_scans(run, &coded)) {
    compare_scan(run, asked);
    return;
  }
  if (search_codes(run, &coded, count_rows(&run->generation->dir, &coded), found) == 0 && built < asked->last) {
    struct rowids rest = rowids_part(asked, built + 1, INT64_MAX);
    if (!rowids_are_none(&rest)) compare_scan(run, &rest);
  }
}

int search_run(struct call *call, struct index *index, const struct vector *query, const struct search *search,
               struct topk *topk, struct search_counts *counts) {
  const struct generation *generation = &index->generations[0];
  struct run run = {.call = call,
                    .index = index,
                    .generation = generation,
                    .whitener = &generation->model->whitener,
                    .search = search,
                    .counts = counts,
                    .topk = topk};
  size_t d = run.whitener->header.d;
  topk_init(topk, search->k);
  *counts = (struct search_counts){0};
  if (query->data == NULL || search->k == 0 || rowids_are_none(search->rowids)) return 0;
  if (query->dim != d) return fail_dim(call, "query", query->dim, d, ", what the model takes"), call->failed;
  struct candidates none = {0};
  if (run_begin(&run, query)) run_search(&run, &none);
  topk_sort(topk);
  run_end(&run);
  return call->failed;
}
