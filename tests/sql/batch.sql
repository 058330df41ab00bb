-- embedding_rows: a file; whiten_batch, whiten_pending: a table through a model in steps, again after changes.
CREATE TABLE doc (id INTEGER PRIMARY KEY, v BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
INSERT INTO doc SELECT 10 * i, embedding(json_array(i, i * i % 7, 1.0 / i)) FROM n;
CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening SELECT 'm', whiten_fit(v, 2) FROM doc;
.parameter init
INSERT INTO temp.sqlite_parameters SELECT '$m', model FROM whitening;

.print == a file of four rows
SELECT position, embedding_as(vector, 'json') FROM embedding_rows(x'0102030405060708', 'i8', 2) ORDER BY position;

.print == batches of four
WITH RECURSIVE batch(i, last) AS (
  SELECT 1, whiten_batch($m, 'doc', 'white', NULL, 4)
  UNION ALL
  SELECT i + 1, whiten_batch($m, 'doc', 'white', last, 4) FROM batch WHERE last IS NOT NULL)
SELECT i, last FROM batch;
SELECT count(*), count(DISTINCT model_hash), min(embedding_dim(w.v)), sum(w.v IS whiten_apply($m, d.v))
  FROM white AS w JOIN doc AS d USING (id);

.print == what changed since
UPDATE doc SET v = NULL WHERE id = 20;
UPDATE doc SET v = embedding('[1,2,3]') WHERE id = 30;
DELETE FROM doc WHERE id = 40;
INSERT INTO doc VALUES (5, embedding('[3,2,1]'));
SELECT whiten_pending($m, 'doc', 'white'), whiten_pending($m, 'doc', 'white', 0);
SELECT whiten_batch($m, 'doc', 'white', NULL, 100), changes();
SELECT whiten_pending($m, 'doc', 'white');

.print == in a transaction of the caller it is part of that
BEGIN;
DELETE FROM white;
SELECT whiten_batch($m, 'doc', 'white', NULL, 5.0), (SELECT count(*) FROM white);
ROLLBACK;
SELECT count(*) FROM white;

.print == a view with text ids, and a target in main whatever temp has
CREATE TEMP VIEW named AS SELECT 'id ' || id AS id, v FROM doc;
CREATE TEMP TABLE texts (id, v, model_hash);
SELECT whiten_batch($m, 'named', 'texts', NULL, 3);
SELECT (SELECT count(*) FROM temp.texts), (SELECT count(*) FROM main.texts);
SELECT whiten_pending($m, 'named', 'texts');
