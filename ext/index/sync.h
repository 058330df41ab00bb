/*
** Keeping codes in step with the content: changes of single rows, which triggers report, gathered for a transaction and
** written chunk by chunk.
*/
#ifndef WHITEN_INDEX_SYNC_H
#define WHITEN_INDEX_SYNC_H

#include "index/index.h"

/* The content's row has changed: reads what it is now; it has this vector, NULL data if none; it is gone. In every
** generation that has coded rows up to there. 0 on success. */
int sync_look(struct call *call, struct index *index, int64_t rowid);
int sync_put(struct call *call, struct index *index, int64_t rowid, const struct vector *v);
int sync_remove(struct call *call, struct index *index, int64_t rowid);

/* Writes what is pending, in all that are open of the same index. 0 on success. */
int sync_flush(struct call *call, struct index *index);
/* The same, then index_look; and an error that says how to build if there is no generation. 0 on success. */
int sync_refresh(struct call *call, struct index *index);
int sync_ready(struct call *call, struct index *index);

/* Rows of one generation, in ascending order of rowid and each rowid once, into its chunks and its dir; a row without a
** code goes. 0 on success. */
struct sync_row {
  int64_t rowid;
  const struct code *code;
};
struct sync_rows {
  size_t count;
  struct sync_row *list;
  int are_behind; /* behind all rows of all chunks: a last chunk that is full is not looked at */
};
int sync_apply(struct call *call, struct index *index, struct generation *g, const struct sync_rows *rows);

/* Joins neighbouring chunks that fit into one. The index is up to date. 0 on success. */
int sync_optimize(struct call *call, struct index *index);

#endif
