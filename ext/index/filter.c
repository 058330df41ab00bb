/*
** See filter.h. Rowids are sought one after the other, for rows lie in ascending order where a build has put them. Where
** one is not found that way, every row of the chunk is looked up in a table of bits.
*/
#include "index/filter.h"

#include <string.h>

enum { HASH_BITS = 13 };

struct rows {
  const struct codes *codes;
  const unsigned char *rest;
  size_t count;
};

static int64_t rowid_of(const struct rows *rows, size_t row) {
  return codes_rowid(rows->rest + row / CODES_BLOCK * rows->codes->rest_bytes, row % CODES_BLOCK);
}

static void mark(uint64_t wanted[CHUNK_BLOCKS], size_t row) {
  wanted[row / CODES_BLOCK] |= (uint64_t)1 << row % CODES_BLOCK;
}

/* The first row from `low` on whose rowid is not below, if rows are sorted: looked for `behind` low, where it is if no
** rowid is left out, else in steps that double. */
static size_t seek(const struct rows *rows, size_t low, uint64_t behind, int64_t rowid) {
  size_t step = 1, high = rows->count;
  if (behind < high - low && rowid_of(rows, low + behind) == rowid) return low + behind;
  while (low + step < high && rowid_of(rows, low + step) < rowid) {
    low += step;
    step *= 2;
  }
  if (low + step < high) high = low + step;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (rowid_of(rows, middle) < rowid)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* 0 if one is not where it would be if rows were sorted. */
static int seek_all(const struct rowids *list, const struct rows *rows, uint64_t wanted[CHUNK_BLOCKS]) {
  size_t row = 0;
  int64_t before = rowid_of(rows, 0);
  for (size_t i = 0; i < list->count; i++) {
    row = seek(rows, row, (uint64_t)list->list[i] - (uint64_t)before, list->list[i]);
    if (row == rows->count || rowid_of(rows, row) != list->list[i]) return 0;
    mark(wanted, row);
    before = list->list[i];
  }
  return 1;
}

/* A rowid's bit: of neighbours, neighbours apart (Knuth's multiplicative hash). */
static size_t bit_of(int64_t rowid) {
  return (size_t)((uint64_t)rowid * 0x9e3779b97f4a7c15u >> (64 - HASH_BITS));
}

static void look_up_all(const struct rowids *list, const struct rows *rows, uint64_t wanted[CHUNK_BLOCKS]) {
  uint64_t bits[(1 << HASH_BITS) / 64] = {0};
  for (size_t i = 0; i < list->count; i++) {
    size_t bit = bit_of(list->list[i]);
    bits[bit / 64] |= (uint64_t)1 << bit % 64;
  }
  for (size_t row = 0; row < rows->count; row++) {
    int64_t rowid = rowid_of(rows, row);
    size_t bit = bit_of(rowid);
    if (bits[bit / 64] >> bit % 64 & 1 && rowids_have(list, rowid)) mark(wanted, row);
  }
}

void filter_mark(const struct rowids *list, const struct codes *codes, const unsigned char *rest, size_t rows,
                 uint64_t wanted[CHUNK_BLOCKS]) {
  const struct rows all = {codes, rest, rows};
  memset(wanted, 0, CHUNK_BLOCKS * sizeof *wanted);
  if (!seek_all(list, &all, wanted)) look_up_all(list, &all, wanted);
}
