/*
** The shadow tables of an index: the only file that reads and writes them.
**
**   NAME_config(id INTEGER PRIMARY KEY, stamp INTEGER, model BLOB, built INTEGER, text TEXT, hash INTEGER)
**      id 0: the root. stamp: drawn anew by every transaction that changes anything; built: the format's version, 1;
**      hash: of what the generations and their chunks are, as index.c computes it, so that a lie or a gap is noticed;
**      text: what the names of the triggers begin with, NULL without triggers.
**      id > 0: a generation of codes, the current one and, while the index is being rebuilt, the next; stamp: drawn
**      when it was made; model: the whitening model; built: the largest rowid of the content up to which rows are
**      coded, NULL for all.
**   NAME_dir(chunk INTEGER PRIMARY KEY, generation INTEGER, first INTEGER, count INTEGER, stamp INTEGER)
**      a chunk's rowids are >= first and below the next chunk's first; stamp: drawn by every write of the chunk.
**   NAME_signs(chunk INTEGER PRIMARY KEY, data BLOB), NAME_rest(chunk INTEGER PRIMARY KEY, data BLOB)
**      the parts of its blocks, as core/chunk.h specifies.
**
** A stamp is 63 random bits, so what was read under a stamp stays true for it, in whatever snapshot of whatever
** connection. All functions return 0 on success, else call->failed; a damaged table is an error that names the chunk.
*/
#ifndef WHITEN_INDEX_STORE_H
#define WHITEN_INDEX_STORE_H

#include "core/chunk.h"
#include "host/call.h"

/* A row of NAME_dir; and those of a generation, by first. */
struct dir_chunk {
  int64_t number, first, count, stamp;
};
struct dir {
  size_t count, capacity;
  struct dir_chunk *chunks; /* owned */
};

void dir_clear(struct dir *dir);
/* The place of the chunk that a rowid belongs to: the last whose first is not above it, or the first of all. The dir is
** not empty. */
size_t dir_place(const struct dir *dir, int64_t rowid);
/* Rows of all chunks. */
int64_t dir_rows(const struct dir *dir);
int dir_insert(struct call *call, struct dir *dir, size_t place, const struct dir_chunk *chunk);
void dir_remove(struct dir *dir, size_t place);

enum { STORE_STATEMENTS = 26, STORE_GATHERED = 64 };

/* Rests of new chunks that are not written yet. Owned: each data. */
struct store_gathered {
  int is_on;
  size_t count, bytes;
  struct store_rest {
    int64_t number;
    size_t bytes;
    unsigned char *data;
  } list[STORE_GATHERED];
};

struct store {
  sqlite3 *db;
  char *schema, *name; /* owned */
  sqlite3_stmt *statements[STORE_STATEMENTS];
  int64_t writes; /* to the tables, so far */
  struct store_gathered gathered;
};

/* What a row of NAME_config says of a generation. */
struct store_generation {
  int64_t id, stamp, built; /* built: INT64_MAX when all rows are */
};

int store_open(struct call *call, struct store *store, sqlite3 *db, const char *schema, const char *name);
void store_close(struct store *store);
int store_create(struct call *call, struct store *store);
int store_destroy(struct call *call, struct store *store);
/* The tables alone: SQLite opens the index anew by its new name. */
int store_rename(struct call *call, struct store *store, const char *name);
/* The number of a chunk that is in one of the tables alone, or of no generation; 0 if there is none. Removes such. */
int store_orphan(struct call *call, struct store *store, int64_t *number);
int store_sweep(struct call *call, struct store *store);
/* Empties them, whatever they hold, but for what the triggers are called. */
int store_empty(struct call *call, struct store *store);

/* From here to store_let_go all reading is of one snapshot, as it is within a query on the index: what is not one
** itself calls these. */
int store_hold(struct call *call, struct store *store);
void store_let_go(struct store *store);

/* The root's stamp, which is never 0, and hash; draws a new stamp, and writes the hash; the root's text (from
** sqlite3_malloc, empty if NULL), and writes it. */
int store_root(struct call *call, struct store *store, int64_t *stamp, int64_t *hash);
int store_touch(struct call *call, struct store *store, int64_t hash, int64_t *stamp);
int store_text(struct call *call, struct store *store, char **text);
int store_set_text(struct call *call, struct store *store, const char *text);

/* Up to two generations, the current one first; the model of one: a block from sqlite3_malloc64. */
int store_generations(struct call *call, struct store *store, struct store_generation generations[2], int *count);
int store_model(struct call *call, struct store *store, int64_t generation, void **model, size_t *bytes);
/* Makes one, whose id and stamp are drawn here: g->built is what the caller says. */
int store_add_generation(struct call *call, struct store *store, const void *model, size_t bytes,
                         struct store_generation *g);
int store_set_built(struct call *call, struct store *store, int64_t generation, int64_t built);
/* With all its chunks. */
int store_remove_generation(struct call *call, struct store *store, int64_t generation);

/* How many rows fill a chunk when they come in order: less than CHUNK_ROWS where that leaves less of the database's
** pages unused. */
size_t store_full_rows(const struct store *store, const struct codes *codes);

int store_dir(struct call *call, struct store *store, int64_t generation, struct dir *dir);
/* Both parts of a chunk, ready to be changed. */
int store_chunk(struct call *call, struct store *store, const struct codes *codes, const struct dir_chunk *of,
                struct chunk *chunk);
/* Writes what is dirty of a chunk, and its row of NAME_dir with a new stamp, which is returned in *of: the rest of *of
** is the caller's. An empty chunk goes. */
int store_save(struct call *call, struct store *store, int64_t generation, struct chunk *chunk,
               struct dir_chunk *of);
/* Between these two the rest of a new chunk is written behind the signs of those that follow it, so that in the file the
** signs of many lie side by side: every query that is not warm reads them all. The second writes what is left; after an
** error it forgets it. */
void store_gather_begin(struct store *store);
int store_gather_end(struct call *call, struct store *store);

/*
** What reads blocks of one part of chunk after chunk, straight to where they shall be: a statement would make a copy of
** the whole BLOB first, in memory that the system has to find anew each time. Made with store and codes, and rest or
** not; owned: blob, stored. Holds the snapshot until it is closed, and must not outlive a write.
*/
struct store_reader {
  struct store *store;
  const struct codes *codes;
  int rest;
  sqlite3_blob *blob;
  int64_t number;        /* the chunk whose part is open */
  unsigned char *stored; /* a block on its way */
};
/* `blocks` blocks, the first one number `first`, without hashes, to memory aligned to 64 bytes. */
int store_read(struct call *call, struct store_reader *reader, int64_t number, size_t first, size_t blocks,
               unsigned char *out);
void store_reader_close(struct store_reader *reader);

#endif
