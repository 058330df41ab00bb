/*
** How many rows a chunk is filled with when they come in order, so that its parts leave little of the database's pages
** unused. A row that is too long for a page keeps its remainder in the leaf ("The SQLite database file format", 1.6,
** b-tree pages): one of just over half a page would leave the other half empty, in every leaf.
*/
#include "index/store.h"

enum { LEAST_BLOCKS = CHUNK_BLOCKS / 2, HEADER = 6, CELL = 11, POINTER = 4 };

/* What a part of so many bytes takes of pages of U bytes: the names are those of the format's description. */
static double pages_of(size_t payload, size_t U) {
  size_t P = payload + HEADER, X = U - 35, M = (U - 12) * 32 / 255 - 23, K = P > X ? M + (P - M) % (U - 4) : P;
  size_t local = K <= X ? K : M, overflow = (P - local + U - 5) / (U - 4);
  size_t cells = (U - 8) / (local + CELL + (overflow > 0 ? POINTER : 0));
  return (double)overflow + 1.0 / (double)(cells > 0 ? cells : 1);
}

/* Of the database; 0 if it cannot be asked. */
static size_t page_size(const struct store *store) {
  sqlite3_stmt *statement = NULL;
  size_t size = 0;
  char *sql = sqlite3_mprintf("PRAGMA \"%w\".page_size", store->schema);
  if (sql != NULL && sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW)
    size = (size_t)sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_free(sql);
  return size;
}

size_t store_full_rows(const struct store *store, const struct codes *codes) {
  size_t best = CHUNK_BLOCKS, U = page_size(store);
  double least = 0;
  if (U < 512) return CHUNK_ROWS;
  for (size_t blocks = CHUNK_BLOCKS; blocks >= LEAST_BLOCKS; blocks--) {
    double pages = pages_of(chunk_stored_bytes(codes, 0, blocks), U) +
                   pages_of(chunk_stored_bytes(codes, 1, blocks), U);
    double each = pages / (double)blocks;
    if (blocks < CHUNK_BLOCKS && each > 0.99 * least) continue;
    least = each;
    best = blocks;
  }
  return best * CODES_BLOCK;
}
