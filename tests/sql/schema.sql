-- the functions in the schema: generated columns, indexes on expressions, CHECK, views, triggers, partial
-- indexes
PRAGMA trusted_schema = OFF;
CREATE TABLE doc(
  id INTEGER PRIMARY KEY, json TEXT NOT NULL,
  v BLOB AS (embedding(json)) STORED,
  norm REAL AS (embedding_norm(embedding(json))) VIRTUAL,
  dim INTEGER AS (embedding_dim(v)));
.print == generated columns
INSERT INTO doc(json) VALUES ('[3,4]'), ('[0,2]'), ('[-6,8]'), ('[0,0]');
SELECT id, hex(v), norm, dim FROM doc;
.print == an index on an expression, and its use
CREATE INDEX doc_norm ON doc(embedding_norm(v));
SELECT group_concat(id) FROM (SELECT id FROM doc WHERE embedding_norm(v) BETWEEN 1 AND 5
  ORDER BY embedding_norm(v));
CREATE INDEX doc_similar ON doc(cosine_sim(v, x'0000803f00000000')) WHERE embedding_norm(v) > 0;
SELECT id, round(cosine_sim(v, x'0000803f00000000'), 6) AS s FROM doc WHERE embedding_norm(v) > 0
  ORDER BY s DESC, id;
PRAGMA integrity_check;
.print == CHECK keeps other dimensions and zero vectors out
CREATE TABLE checked(id INTEGER PRIMARY KEY, v BLOB CHECK (embedding_dim(v) = 2 AND embedding_norm(v) > 0));
INSERT OR IGNORE INTO checked(v) VALUES (embedding('[1,2]')), (embedding('[1,2,3]')), (embedding('[0,0]')),
  (NULL);
SELECT id, embedding_as(v, 'json') FROM checked;
.print == a view
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('w', whiten_import('[0.5,0,0,1]', '[-1,-2]'));
CREATE VIEW white AS SELECT id, whiten_apply((SELECT model FROM whitening WHERE name = 'w'), v) AS y FROM doc;
SELECT id, embedding_as(y, 'json') FROM white;
CREATE VIEW pooled AS SELECT embedding_as(pool_mean(v), 'json') AS centre, round(mean_cosine(v), 6) AS cosine
  FROM doc;
SELECT * FROM pooled;
.print == a trigger whitens what is inserted
CREATE TABLE vector(id INTEGER PRIMARY KEY, y BLOB);
CREATE TRIGGER doc_insert AFTER INSERT ON doc BEGIN
  INSERT INTO vector SELECT new.id, whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = 'w'),
    new.v);
END;
INSERT INTO doc(id, json) VALUES (10, '[5,5]'), (11, '[1,2]');
SELECT id, embedding_as(y, 'json') FROM vector;
.print == a model in a table with a CHECK, and its spectrum in a view
CREATE TABLE good(model BLOB CHECK (embedding_dim(whiten_bias(model)) = 2));
INSERT INTO good SELECT whiten_fit(value) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
CREATE VIEW spectrum AS SELECT component, round(eigenvalue, 6) AS eigenvalue FROM good,
  whiten_spectrum(good.model);
SELECT * FROM spectrum;
.print == a default value
CREATE TABLE d(v BLOB DEFAULT (embedding('[1,1]')), n INTEGER);
INSERT INTO d(n) VALUES (1);
SELECT embedding_as(v, 'json') FROM d;
.print == the file still reads as one
PRAGMA integrity_check;
