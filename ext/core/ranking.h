/*
** How well the relevant documents of queries are found: reciprocal rank, and whether they are among the first 1 and 10.
** The rank is 1 + the number of documents, the query itself aside, with a higher cosine than its best relevant one. Rows are those of
** labels, rotated or not; products are float32, in blocks of queries against every row.
*/
#ifndef WHITEN_CORE_RANKING_H
#define WHITEN_CORE_RANKING_H

#include "core/eigenbasis.h"
#include "core/labels.h"

/* How many different queries finished labels have. */
size_t ranking_queries(const struct labels *l);

/* Zeroed but for what stands first. `reciprocal` has room for a number a query. */
struct ranking {
  const struct eigenbasis_rows *rows;
  const struct labels *labels;
  double *reciprocal;
  double mean, recall1, recall10; /* of all queries */
};

/* By the weights (d) of components, NULL for 1 each; squares: of each row by these weights. STATUS_NOMEM, STATUS_STOPPED. */
enum status ranking_measure(struct ranking *r, const double *weights, const double *squares);

#endif
