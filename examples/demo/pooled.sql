-- What pooling.sql made: how many token vectors, and whether the pooled vectors find paraphrases, before and after.

CREATE TEMP TABLE pooled_nearest AS
  WITH model(model) AS MATERIALIZED (SELECT whiten_fit(vector) FROM pooled),
  side(side, id, vector) AS MATERIALIZED (
    SELECT 'raw', id, vector FROM pooled
    UNION ALL SELECT 'whitened', id, whiten_apply(model, vector) FROM model, pooled)
  SELECT a.side, a.id, max(cosine_sim(a.vector, b.vector)), x.grp = y.grp AS is_right
  FROM side AS a JOIN side AS b ON b.side = a.side AND b.id <> a.id JOIN text AS x ON x.id = a.id JOIN text AS y ON y.id = b.id
  GROUP BY a.side, a.id;

SELECT printf('
POOLING  Where a model gives a vector for each token: SELECT pool_mean(vector) FROM token GROUP BY text_id;
         %d token vectors of %d numbers, made of trigrams and neighbours by a method that was chosen on
         these texts: it shows how it is done, not how much it helps. The nearest text is right:
         raw %.1f %%, whitened %.1f %%',
  (SELECT count(*) FROM token), (SELECT embedding_dim(vector) FROM pooled LIMIT 1),
  100 * avg(is_right) FILTER (WHERE side = 'raw'), 100 * avg(is_right) FILTER (WHERE side = 'whitened'))
FROM pooled_nearest WHERE EXISTS (SELECT * FROM pooled);
