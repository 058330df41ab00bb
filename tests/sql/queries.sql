-- GROUP BY, ORDER BY, HAVING, LIMIT, DISTINCT, compound selects, correlated sub-queries, CASE, UPDATE ...
-- FROM, UPSERT
CREATE TABLE item(id INTEGER PRIMARY KEY, kind TEXT, v BLOB);
INSERT INTO item(kind, v) SELECT 'k' || (key % 3), embedding(value)
  FROM json_each('[[1,0],[0,1],[1,1],[2,0],[0,3],[-1,1],[4,1],[1,4],[-2,-2]]');
.print == centroids by kind, and their members' mean similarity
SELECT kind, (SELECT group_concat(round(value, 4)) FROM json_each(embedding_as(c, 'json'))),
  (SELECT round(avg(cosine_sim(v, c)), 4) FROM item WHERE item.kind = g.kind)
  FROM (SELECT kind, pool_mean(v) AS c FROM item GROUP BY kind) AS g ORDER BY kind;
.print == the best of each kind for a query
SELECT kind, id, max(round(cosine_sim(v, '[1,0.1]'), 4)) FROM item GROUP BY kind ORDER BY kind;
.print == HAVING on an aggregate
SELECT kind FROM item GROUP BY kind HAVING mean_cosine(v) > 0.5 ORDER BY kind;
.print == top three, and the next three
SELECT group_concat(id) FROM (SELECT id FROM item ORDER BY round(cosine_sim(v, '[1,1]'), 6) DESC, id LIMIT 3);
SELECT group_concat(id) FROM (SELECT id FROM item ORDER BY round(cosine_sim(v, '[1,1]'), 6) DESC,
  id LIMIT 3 OFFSET 3);
.print == distinct directions
SELECT count(DISTINCT embedding_normalize(v)) FROM item WHERE id IN (1, 2, 4, 5);
.print == rank with a window over a similarity
SELECT id, rank() OVER (ORDER BY round(dot_product(v, '[1,1]'), 6) DESC) FROM item ORDER BY 2, 1 LIMIT 4;
.print == compound selects
SELECT embedding_as(v, 'json') FROM (SELECT v FROM item WHERE id = 1 UNION SELECT embedding('[1,0]') UNION
  SELECT embedding('[9,9]'))
  ORDER BY embedding_norm(v);
.print == the nearest other item of each
SELECT id, near FROM (SELECT a.id, b.id AS near, row_number() OVER (PARTITION BY a.id
  ORDER BY l2_distance(a.v, b.v), b.id) AS place
  FROM item AS a JOIN item AS b ON a.id <> b.id WHERE a.id < 5) WHERE place = 1;
.print == update in place, twice the same
UPDATE item SET v = embedding_normalize(v);
SELECT count(*) FROM item WHERE abs(embedding_norm(v) - 1) < 1e-6;
UPDATE item SET v = embedding_scale(v, 2) WHERE kind = 'k0';
SELECT kind, round(avg(embedding_norm(v)), 5) FROM item GROUP BY kind ORDER BY kind;
.print == models by group
SELECT kind, whiten_info(whiten_fit(v, 1)) ->> 'n' FROM (SELECT kind, v FROM item) GROUP BY kind
  ORDER BY kind;
.print == upsert of a named model
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('w', whiten_import('[1]', '[0]'));
INSERT INTO whitening VALUES ('w', whiten_import('[1,0,0,1]',
  '[0,0]')) ON CONFLICT(name) DO UPDATE SET model = excluded.model;
SELECT count(*), whiten_info(model) ->> 'k' FROM whitening;
