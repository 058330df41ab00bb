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
