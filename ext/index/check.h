/*
** Whether an index is what it should be: every chunk whole, every rowid in its place and once, every row of the content
** that has a direction coded as it would be coded now, and no other.
*/
#ifndef WHITEN_INDEX_CHECK_H
#define WHITEN_INDEX_CHECK_H

#include "index/index.h"

/* Of the chunks alone; compared with the content; the same, and mended where it is not in step. */
enum check_what { CHECK_CHUNKS, CHECK_ROWS, CHECK_MEND };

/* Reads everything, tables and, unless the chunks are enough, content. What is not in step is an error, or mended; a
** damaged chunk is an error in any case. 0 on success. The index is up to date. */
int check_index(struct call *call, struct index *index, enum check_what what);

#endif
