-- the ways a model reaches a function: literal, bound, sub-query, handle, join, CTE; and how often it is read
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO t(v) SELECT embedding(value) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2],[7,-6]]');
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('plain', whiten_import('[0.5,0,0,1]', '[-1,-2]')),
  ('other', whiten_import('[1,1]', '[0,0]'));
.param init
.param set :name "'plain'"
INSERT INTO sqlite_parameters SELECT ':model', model FROM whitening WHERE name = 'plain';
.print == a bound model
SELECT id, embedding_as(whiten_apply(:model, v), 'json') FROM t;
.print == a sub-query with a bound name, and a handle
SELECT group_concat(embedding_as(whiten_apply((SELECT model FROM whitening WHERE name = :name), v), 'json'),
  ' ') FROM t;
SELECT group_concat(embedding_as(whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = :name),
  v), 'json'), ' ') FROM t;
.print == all give the same bits
SELECT count(DISTINCT y), count(*) FROM (
  SELECT whiten_apply(:model, '[0.1,0.2]') AS y UNION ALL
  SELECT whiten_apply((SELECT model FROM whitening WHERE name = :name), '[0.1,0.2]') UNION ALL
  SELECT whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = :name), '[0.1,0.2]') UNION ALL
  SELECT whiten_apply(whiten_model(:model), '[0.1,0.2]') UNION ALL
  SELECT whiten_apply(model, '[0.1,0.2]') FROM whitening WHERE name = :name UNION ALL
  SELECT whiten_apply(m.model, '[0.1,0.2]') FROM (SELECT model FROM whitening
    WHERE name = :name LIMIT 1) AS m);
.print == read once by this connection, then cached
SELECT whiten_config() -> 'models' ->> 'parsed';
SELECT length(whiten_apply(model, v)) AS bytes, count(*) FROM t, whitening GROUP BY bytes ORDER BY bytes;
SELECT whiten_config() ->> '$.models.parsed', whiten_config() ->> '$.models.cached';
.print == a handle serves every function that takes a model
SELECT embedding_as(whiten_kernel(whiten_model(model)), 'json'),
  embedding_as(whiten_bias(whiten_model(model)), 'json'),
  whiten_info(whiten_model(model)) ->> 'k', embedding_as(whiten_inverse(whiten_model(model), '[1,1]'), 'json')
  FROM whitening WHERE name = :name;
.print == a handle is nothing to anyone else
SELECT typeof(whiten_model(model)), whiten_model(model) IS NULL, length(whiten_model(model)) FROM whitening
  WHERE name = :name;
.print == one that has rotted: found by whiten_check, whatever stands before it
CREATE TABLE backup AS SELECT name, model FROM whitening;
INSERT INTO backup SELECT name || ' rotten', CAST(substr(model, 1, 136) || x'01' || substr(model, 138) AS BLOB)
  FROM whitening;
SELECT name, whiten_check(model) FROM backup ORDER BY name;
SELECT count(*), sum(whiten_check(whiten_model(model))) FROM backup WHERE whiten_check(model);
.print == replaced by another model of the same name, the next query sees it
UPDATE whitening SET model = whiten_import('[2,0,0,2]', '[0,0]') WHERE name = :name;
SELECT embedding_as(whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = :name), v), 'json')
  FROM t WHERE id = 6;
.print == each row its own model
SELECT t.id, embedding_as(whiten_apply((SELECT model FROM whitening
  WHERE name = CASE t.id % 2 WHEN 0 THEN 'plain' ELSE 'other' END), v), 'json')
  FROM t WHERE t.id < 5;
