/*
** What a group of labelled pairs says, kept in bounded memory: pairs of vectors with a score, or of a query and a relevant
** document; or, without labels, rows alone.
**
** What exceeds a limit is sampled by a rule that knows no order: of everything that may be kept, what has the least hash
** is (bottom-k sampling; a hash is as good as a random number). So a group gives the same sample in whatever order its
** rows come. With scores pairs are sampled; of queries and documents, queries with all their pairs, and documents to be
** told from the relevant ones.
*/
#ifndef WHITEN_CORE_LABELS_H
#define WHITEN_CORE_LABELS_H

#include "core/distinct.h"

enum labels_kind { LABELS_NONE, LABELS_RELEVANT, LABELS_SCORED };

/* Limits, where there are few dimensions; and the bytes of rows beyond which there are fewer. */
enum { LABELS_PAIRS = 20000, LABELS_QUERIES = 1000, LABELS_DOCUMENTS = 10000, LABELS_ROWS = 4096 };
#define LABELS_BYTES 0x1p27
/* Most multiplications for the products of all queries with all documents, and of all rows with each other. */
#define LABELS_PRODUCTS 3.5e9
#define LABELS_SQUARES 2e10

struct label {
  uint64_t order, second; /* the hash it is sampled by, and what it is sorted by among equal ones */
  uint32_t a, b;          /* places of its rows */
  double score;
};

/* Zeroed = empty; owned: rows, is_document, pairs. */
struct labels {
  const struct memory *mem;
  enum labels_kind kind;
  int64_t given; /* pairs, or rows */
  struct distinct rows;
  unsigned char *is_document; /* of each row: b of a pair that was given, or a row without labels */
  size_t documents_capacity;
  struct label *pairs;
  size_t count, capacity;
  size_t pair_limit, query_limit, document_limit;
  uint64_t pair_bound, document_bound; /* what has a larger hash is not in the sample */
  size_t pair_trigger, row_trigger;    /* how many there may be before what is too much goes */
};

void labels_init(struct labels *l, enum labels_kind kind, size_t dim, const struct memory *mem);
void labels_clear(struct labels *l);
/* Rows of dim finite float32, unaligned; without labels b is the row, and a is not looked at. STATUS_NOMEM. */
enum status labels_add(struct labels *l, const void *a, const void *b, double score);
/* One more document, relevant to no query. STATUS_NOMEM. */
enum status labels_add_document(struct labels *l, const void *b);
/* When all are in: no more than the limits, rows in the order of their hashes, pairs in that of theirs, of RELEVANT by
** query. STATUS_NOMEM. */
enum status labels_finish(struct labels *l);

#endif
