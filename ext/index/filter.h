/*
** Which rows of a chunk are in a list of rowids: known before their codes are looked at, it keeps rows that nobody asks
** for from being estimated.
*/
#ifndef WHITEN_INDEX_FILTER_H
#define WHITEN_INDEX_FILTER_H

#include "core/chunk.h"
#include "host/rowids.h"

/* wanted[b] = bit r for row r of block b. `rest` has the chunk's blocks; the list is what is asked for of its range. */
void filter_mark(const struct rowids *list, const struct codes *codes, const unsigned char *rest, size_t rows,
                 uint64_t wanted[CHUNK_BLOCKS]);

#endif
