-- whiten_rows, cosine_topk, cosine_join: against the scalars, row by row
CREATE TABLE doc(id INTEGER PRIMARY KEY, title TEXT, v BLOB, white BLOB);
INSERT INTO doc(title, v) VALUES ('east', embedding('[1,0]')), ('north', '[0,2]'),
  ('north-east', embedding('[3,3]')),
  ('west', '[-5,0]'), ('nowhere', '[0,0]'), ('unknown', NULL), ('east again', '[2,0]');
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('w', whiten_import('[0.5,0,0,1]', '[-1,-2]'));
.print == the best, ties by rowid; zero and NULL are not among them
SELECT title, round(similarity, 6) FROM cosine_topk('doc', 'v', '[1,0.5]', 10) AS found
  JOIN doc ON doc.id = found.rowid;
SELECT rowid FROM cosine_topk('doc', 'v', '[1,0]', 2);
.print == the same as ORDER BY cosine_sim
SELECT group_concat(rowid) = (SELECT group_concat(id)
  FROM (SELECT id FROM doc WHERE cosine_sim(v, '[2,3]') NOT NULL
  ORDER BY cosine_sim(v, '[2,3]') DESC, id LIMIT 4)) FROM cosine_topk('doc', 'v', '[2,3]', 4);
SELECT count(*) FROM cosine_topk('doc', 'v', '[2,3]', 10) AS found JOIN doc ON id = found.rowid
  WHERE similarity = cosine_sim(v, '[2,3]');
.print == no query finds nothing
SELECT count(*) FROM cosine_topk('doc', 'v', NULL, 3);
SELECT count(*) FROM cosine_topk('doc', 'v', '[0,0]', 3);
.print == a query from a table, by lateral join
SELECT q.title, found.rowid, round(found.similarity, 6) FROM doc AS q,
  cosine_topk('doc', 'v', q.v, 2) AS found WHERE q.id < 3;
.print == a whole column through a model: NULL stays NULL
SELECT rowid, embedding_as(vector, 'json') FROM whiten_rows((SELECT model FROM whitening), 'doc', 'v');
.print == the bits of whiten_apply
SELECT count(*), sum(vector IS whiten_apply(model, v)) FROM whitening, whiten_rows(model, 'doc', 'v') AS w
  JOIN doc ON id = w.rowid;
.print == into a column
UPDATE doc SET white = w.vector FROM (SELECT rowid AS id, vector FROM whiten_rows((SELECT model
  FROM whitening), 'doc', 'v')) AS w
  WHERE w.id = doc.id;
SELECT sum(white IS whiten_apply((SELECT model FROM whitening), v)) FROM doc;
.print == the k best for every query
CREATE TABLE query(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO query VALUES (10, '[1,0.5]'), (20, NULL), (30, '[0,0]'), (40, '[-1,2]');
SELECT query_rowid, rowid, round(similarity, 6) FROM cosine_join('doc', 'v', 'query', 'v', 2);
SELECT count(*), sum(similarity = cosine_sim(doc.v, query.v))
  FROM cosine_join('doc', 'v', 'query', 'v', 3) AS j
  JOIN doc ON doc.id = j.rowid JOIN query ON query.id = query_rowid;
.print == near-duplicates
SELECT query_rowid, rowid FROM cosine_join('doc', 'v', 'doc', 'v', 2) WHERE rowid <> query_rowid
  AND similarity > 0.99;
.print == pairs, against a self-join
SELECT rowid_a, rowid_b, round(similarity, 6) FROM cosine_pairs('doc', 'v', 0.99) ORDER BY 1, 2;
SELECT (SELECT count(*) FROM cosine_pairs('doc', 'v', -0.5)) = count(*),
  (SELECT sum(p.similarity = cosine_sim(a.v, b.v)) FROM cosine_pairs('doc', 'v', -0.5) AS p JOIN doc AS a ON a.id = rowid_a
    JOIN doc AS b ON b.id = rowid_b) = count(*)
  FROM doc AS a JOIN doc AS b ON a.id < b.id WHERE cosine_sim(a.v, b.v) >= -0.5;
.print == rowids by another name
SELECT sum(_rowid_ = rowid), count(*) FROM whiten_rows((SELECT model FROM whitening), 'doc', 'v');
SELECT sum(_rowid_ = rowid), count(*) FROM cosine_topk('doc', 'v', '[1,0.5]', 10);
SELECT count(DISTINCT _rowid_), count(*) FROM cosine_join('doc', 'v', 'query', 'v', 2);
SELECT sum(_rowid_ = component), count(*)
  FROM whiten_spectrum((SELECT whiten_fit(v) FROM doc));
.print == a row at the mean has no direction: NULL, as from whiten_apply
CREATE TABLE line(id INTEGER PRIMARY KEY, v);
INSERT INTO line(v) VALUES ('[1]'), ('[2]'), ('[3]');
CREATE TABLE unit AS SELECT whiten_fit(v, 1, '{"normalize":true}') AS model FROM line;
SELECT rowid, embedding_as(vector, 'json'), vector IS whiten_apply(model, v)
  FROM unit, whiten_rows(model, 'line', 'v') AS w JOIN line ON id = w.rowid;
.print == rowids, thresholds and a limit before the k best, so that there are k of them
SELECT title, rowid FROM doc, cosine_topk('doc', 'v', '[1,0]', 2) AS found WHERE id = found.rowid
  AND found.rowid IN (SELECT id FROM doc WHERE title LIKE 'nor%') ORDER BY similarity DESC, found.rowid;
SELECT rowid FROM cosine_topk('doc', 'v', '[1,0]', 2) WHERE rowid IN (4, 5, 6, 7, 99, NULL) ORDER BY similarity DESC, rowid;
SELECT rowid FROM cosine_topk('doc', 'v', '[1,0]', 2) WHERE rowid > 1 AND rowid <= 4 ORDER BY similarity DESC, rowid;
SELECT rowid, round(similarity, 6) FROM cosine_topk('doc', 'v', '[1,0]', 10) WHERE similarity >= 0.7
  ORDER BY similarity DESC, rowid;
SELECT count(*) FROM cosine_topk('doc', 'v', '[1,0]', 10) WHERE similarity > 1;
SELECT rowid FROM cosine_topk('doc', 'v', '[1,0]', 10) ORDER BY similarity DESC, rowid LIMIT 2 OFFSET 1;
-- rowid = 3 OR rowid = 4 would be rowid IN (3, 4) to SQLite
.print == rowid = and OR pick among the k best
SELECT count(*) FROM cosine_topk('doc', 'v', '[1,0]', 2) WHERE rowid = 3;
SELECT rowid FROM cosine_topk('doc', 'v', '[1,0]', 3) WHERE rowid = 3 OR similarity < 0;
.print == rows of a table, those that are asked for
SELECT rowid, embedding_as(vector, 'json') FROM whiten_rows((SELECT model FROM whitening), 'doc', 'v')
  WHERE rowid IN (7, 3, 99) OR rowid IS NULL;
SELECT rowid FROM whiten_rows((SELECT model FROM whitening), 'doc', 'v') WHERE rowid >= 5 ORDER BY rowid LIMIT 2;
.print == hidden columns are the arguments, and say them too
SELECT rowid, arg_table, arg_column, arg_k FROM cosine_topk('doc', 'v', '[1,0]', 1);
SELECT rowid FROM cosine_topk WHERE arg_table = 'doc' AND arg_column = 'v' AND arg_query = '[0,1]' AND arg_k = 1;
SELECT count(*) FROM cosine_topk('doc', 'v', '[1,0]', 2) WHERE arg_k = 3;
SELECT DISTINCT arg_table, arg_threshold FROM cosine_pairs('doc', 'v', 0.5);
.print == a view is a table, its column rowid the key
CREATE VIEW northern AS SELECT 100 + id AS rowid, v FROM doc WHERE title LIKE 'nor%';
SELECT rowid, round(similarity, 6) FROM cosine_topk('northern', 'v', '[1,0]', 5) ORDER BY similarity DESC, rowid;
SELECT rowid, embedding_as(vector, 'json') FROM whiten_rows((SELECT model FROM whitening), 'northern', 'v');
SELECT query_rowid, rowid FROM cosine_join('northern', 'v', 'doc', 'v', 1) ORDER BY query_rowid;
SELECT rowid_a, rowid_b, round(similarity, 6) FROM cosine_pairs('northern', 'v', 0.5);
.print == pairs: all of five equal rows, each once, the smaller rowid first; a threshold is reached by what equals it
CREATE TABLE same(id INTEGER PRIMARY KEY, v);
INSERT INTO same SELECT key * 10, '[1,2]' FROM json_each('[0,0,0,0,0]');
INSERT INTO same VALUES (7, NULL), (8, '[0,0]');
SELECT count(*), count(DISTINCT rowid_a || ' ' || rowid_b), sum(rowid_a < rowid_b), min(similarity) FROM cosine_pairs('same', 'v', 1);
SELECT count(*) FROM cosine_pairs('same', 'v', 1) WHERE rowid_a = 20 OR rowid_b = 20;
SELECT rowid_a, rowid_b FROM cosine_pairs('same', 'v', 0.9) ORDER BY rowid_a DESC, rowid_b LIMIT 2;
