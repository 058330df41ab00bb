/* The statements in which every allocation is made to fail, function by function. */
#ifndef OOM_STATEMENTS_H
#define OOM_STATEMENTS_H

/*
** The SQL reads t(id, g, v, w, m, j, p): 12 rows in 3 groups, vectors of 4 elements, weights, masks, the vectors as
** JSON, positions; wide(id, v): 150 rows, several blocks; models(name, model), and `whitening` the same; shards(stats); texts(id, u, v): 1,024 rows, as many as a
** chunk of its whiten_index `search` takes. Parameters, where a
** statement has them: :model, :zca, :stats, :v, :json.
*/
struct statement {
  const char *function,
      *sql; /* function: NULL continues the one before; sql: several, which leave all as it was if they COMMIT */
};

/* Ended by a row without SQL. */
extern const struct statement statements[];

#endif
