-- Search: the five nearest items for the query, raw beside whitened. The query goes through the same model as
-- the items.

CREATE TEMP TABLE nearest AS
  WITH similar(side, id, similarity) AS (
    SELECT 'raw', item.id, cosine_sim(item.vector, query.vector)
    FROM item, query WHERE item.id IS NOT query.id
    UNION ALL
    SELECT 'whitened', space.id, cosine_sim(space.vector, (
      SELECT whiten_apply(model, query.vector) FROM query, whitening JOIN best USING (name)))
    FROM space JOIN best USING (name), query WHERE space.id IS NOT query.id)
  SELECT side, similarity, iif(length(text) > 44, substr(text, 1, 43) || '…', text) AS text,
    row_number() OVER (PARTITION BY side ORDER BY similarity DESC, id) AS rank
  FROM similar JOIN item USING (id);

SELECT printf('
SEARCH  The five nearest, each with its cosine. The query is:
        %s

    %-52s  %s', iif(length(query.text) > 100, substr(query.text, 1, 99) || '…', query.text), 'raw', best.name)
FROM query, best;
SELECT printf('  %d %6.3f  %!-44s %6.3f  %s', rank, raw.similarity, raw.text, w.similarity, w.text)
FROM nearest AS raw JOIN nearest AS w USING (rank)
WHERE raw.side = 'raw' AND w.side = 'whitened' AND rank <= 5
ORDER BY rank;
