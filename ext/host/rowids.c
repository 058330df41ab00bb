/* See rowids.h. */
#include "host/rowids.h"

#include <stdlib.h>
#include <string.h>

static const sqlite3_int64 LEAST = INT64_MIN, LARGEST = INT64_MAX;

enum { SPARSE = 8 }; /* a seek costs about as much as stepping over so many rows */

struct rowids rowids_all(void) {
  return (struct rowids){.first = LEAST, .last = LARGEST};
}

void rowids_clear(struct rowids *r) {
  sqlite3_free(r->list);
  *r = (struct rowids){0};
}

int rowids_are_all(const struct rowids *r) {
  return r->first == LEAST && r->last == LARGEST && !r->is_listed;
}

int rowids_are_same(const struct rowids *a, const struct rowids *b) {
  return a->first == b->first && a->last == b->last && a->is_listed == b->is_listed && a->count == b->count &&
         (a->count == 0 || memcmp(a->list, b->list, a->count * sizeof *a->list) == 0);
}

int rowids_are_sparse(const struct rowids *r) {
  if (!r->is_listed || r->count == 0) return 0;
  uint64_t span = (uint64_t)r->list[r->count - 1] - (uint64_t)r->list[0];
  return span / SPARSE >= r->count;
}

/* How many of a list are below id. */
static size_t count_below(const struct rowids *r, sqlite3_int64 id) {
  size_t low = 0, high = r->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (r->list[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct rowids rowids_part(const struct rowids *r, sqlite3_int64 first, sqlite3_int64 last) {
  struct rowids part = *r;
  if (first > part.first) part.first = first;
  if (last < part.last) part.last = last;
  if (r->is_listed && r->count > 0) {
    size_t from = count_below(r, part.first);
    size_t to = part.last < LARGEST ? count_below(r, part.last + 1) : r->count;
    part.list = r->list + from;
    part.count = to > from ? to - from : 0;
  }
  return part;
}

int rowids_have(const struct rowids *r, sqlite3_int64 id) {
  if (id < r->first || id > r->last) return 0;
  if (!r->is_listed) return 1;
  size_t place = count_below(r, id);
  return place < r->count && r->list[place] == id;
}

int rowids_are_none(const struct rowids *r) {
  return r->first > r->last || (r->is_listed && r->count == 0);
}

/* Drops what lies outside the range. */
static void trim(struct rowids *r) {
  size_t from = 0, to = r->count;
  while (from < to && r->list[from] < r->first) from++;
  while (to > from && r->list[to - 1] > r->last) to--;
  if (from > 0) memmove(r->list, r->list + from, (to - from) * sizeof *r->list);
  r->count = to - from;
}

static void none(struct rowids *r) {
  r->first = LARGEST;
  r->last = LEAST;
}

static void at_least(struct rowids *r, sqlite3_int64 id) {
  if (id > r->first) r->first = id;
}

static void at_most(struct rowids *r, sqlite3_int64 id) {
  if (id < r->last) r->last = id;
}

static int is_below(int op) {
  return op == SQLITE_INDEX_CONSTRAINT_LT || op == SQLITE_INDEX_CONSTRAINT_LE;
}

static void compare_integer(struct rowids *r, int op, sqlite3_int64 id) {
  switch (op) {
    case SQLITE_INDEX_CONSTRAINT_GT: id == LARGEST ? none(r) : at_least(r, id + 1); break;
    case SQLITE_INDEX_CONSTRAINT_GE: at_least(r, id); break;
    case SQLITE_INDEX_CONSTRAINT_LT: id == LEAST ? none(r) : at_most(r, id - 1); break;
    case SQLITE_INDEX_CONSTRAINT_LE: at_most(r, id); break;
    default:
      at_least(r, id);
      at_most(r, id);
      break;
  }
}

/* The integer below or at x, which lies within int64. */
static sqlite3_int64 floor_of(double x) {
  sqlite3_int64 id = (sqlite3_int64)x;
  return (double)id > x ? id - 1 : id;
}

static void compare_real(struct rowids *r, int op, double x) {
  if (x >= 0x1p63) {
    if (!is_below(op)) none(r);
  } else if (x < -0x1p63) {
    if (is_below(op) || op == SQLITE_INDEX_CONSTRAINT_EQ) none(r);
  } else if ((double)floor_of(x) == x) {
    compare_integer(r, op, floor_of(x));
  } else if (op == SQLITE_INDEX_CONSTRAINT_EQ) {
    none(r);
  } else {
    compare_integer(r, is_below(op) ? SQLITE_INDEX_CONSTRAINT_LE : SQLITE_INDEX_CONSTRAINT_GT, floor_of(x));
  }
}

void rowids_compare(struct rowids *r, int op, sqlite3_value *value) {
  switch (sqlite3_value_numeric_type(value)) {
    case SQLITE_INTEGER: compare_integer(r, op, sqlite3_value_int64(value)); break;
    case SQLITE_FLOAT: compare_real(r, op, sqlite3_value_double(value)); break;
    case SQLITE_NULL: none(r); break;
    default:
      if (!is_below(op)) none(r);
      break;
  }
  trim(r);
}

static int by_value(const void *a, const void *b) {
  const sqlite3_int64 *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* Appends a value of a list, if an integer can be equal to it. */
static int append(struct call *call, struct rowids *list, size_t *capacity, sqlite3_value *value) {
  struct rowids one = rowids_all();
  rowids_compare(&one, SQLITE_INDEX_CONSTRAINT_EQ, value);
  if (one.first != one.last) return 0;
  if (list->count == *capacity) {
    size_t larger = *capacity ? *capacity * 2 : 64;
    sqlite3_int64 *grown = sqlite3_realloc64(list->list, larger * sizeof *grown);
    if (grown == NULL) return fail_nomem(call), call->failed;
    list->list = grown;
    *capacity = larger;
  }
  list->list[list->count++] = one.first;
  return 0;
}

static void sort_unique(struct rowids *list) {
  size_t kept = 0;
  if (list->count > 1) qsort(list->list, list->count, sizeof *list->list, by_value);
  for (size_t i = 0; i < list->count; i++)
    if (i == 0 || list->list[i] != list->list[kept - 1]) list->list[kept++] = list->list[i];
  list->count = kept;
}

/* The list becomes what both have; it takes the place of r's. */
static void intersect(struct rowids *r, struct rowids *list) {
  size_t kept = 0;
  for (size_t i = 0, j = 0; r->is_listed && i < list->count; i++) {
    while (j < r->count && r->list[j] < list->list[i]) j++;
    if (j < r->count && r->list[j] == list->list[i]) list->list[kept++] = list->list[i];
  }
  if (r->is_listed) list->count = kept;
  sqlite3_free(r->list);
  r->list = list->list;
  r->count = list->count;
  r->is_listed = 1;
  trim(r);
}

int rowids_in(struct call *call, struct rowids *r, sqlite3_value *values) {
  struct rowids list = {0};
  size_t capacity = 0;
  sqlite3_value *value = NULL;
  int rc = sqlite3_vtab_in_first(values, &value);
  for (; rc == SQLITE_OK && value != NULL; rc = sqlite3_vtab_in_next(values, &value))
    if (append(call, &list, &capacity, value)) break;
  if (!call->failed && rc == SQLITE_NOMEM) fail_nomem(call);
  if (!call->failed && rc != SQLITE_OK && rc != SQLITE_DONE) call->failed = rc;
  if (call->failed) {
    rowids_clear(&list);
    return call->failed;
  }
  sort_unique(&list);
  intersect(r, &list);
  return 0;
}
