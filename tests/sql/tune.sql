-- whiten_tune: scored pairs, queries and documents, rows alone; what it makes of little, and of odd rows
CREATE TABLE point(id INTEGER PRIMARY KEY, x, y, v BLOB);
INSERT INTO point(x, y, v) SELECT a.value, b.value, embedding(json_array(a.value + 20, b.value))
  FROM json_each('[-5,-4,-3,0,3,4,5]') AS a, json_each('[-5,-4,-3,0,3,4,5]') AS b
  WHERE a.value * a.value + b.value * b.value = 25;
CREATE TABLE stats AS SELECT whiten_stats(v) AS s FROM point;
CREATE TABLE pair AS SELECT a.v AS a, b.v AS b, a.x * b.x + a.y * b.y AS score
  FROM point AS a, point AS b GROUP BY score;
.print == every setting of a circle finds the order of its angles; with one axis gone it does not
SELECT e.value ->> 'score' > 0.999999, count(*), min(e.value ->> 'k') FROM json_each((SELECT
  whiten_tune(s, a, b, score) FROM pair, stats), '$.settings') AS e GROUP BY 1;
.print == the JSON counts as JSON
SELECT json_type(json_object('t', whiten_tune(s, a, b, score)), '$.t.settings') FROM pair, stats;
.print == whatever the order of the rows, and their number of copies
SELECT count(DISTINCT t) FROM (SELECT whiten_tune(s, a, b, score) AS t FROM
  (SELECT * FROM pair ORDER BY score), stats UNION ALL SELECT whiten_tune(s, a, b, score) FROM
  (SELECT * FROM pair ORDER BY score DESC), stats);
.print == each point's document is the one a little further out: the same direction from the centre
SELECT t ->> 'measure', t ->> 'queries', t ->> 'documents', t ->> '$.settings[0].score', t ->> '$.settings[0].recall_1',
  t ->> 'raw' < 1 FROM (SELECT whiten_tune(s, v, json_array(x * 1.5 + 20, y * 1.5)) AS t FROM point, stats);
.print == a document without a query is one more to be told from: here each stands in the way of one
SELECT t ->> 'queries', t ->> 'documents', t ->> '$.settings[0].score' FROM (SELECT whiten_tune(s, a, b) AS t FROM stats, (
  SELECT v AS a, json_array(x - y * 0.1 + 20, y + x * 0.1) AS b FROM point
  UNION ALL SELECT NULL, json_array(x * 1.25 + 20, y * 1.25) FROM point UNION ALL SELECT NULL, NULL));
.print == a score in any row: those without one are skipped, and so are NULL and zero vectors
SELECT t ->> 'measure', t ->> 'pairs', t ->> 'given' FROM (SELECT whiten_tune(s, a, b, score) AS t FROM stats, (
  SELECT a, b, NULL AS score FROM pair UNION ALL SELECT * FROM pair UNION ALL SELECT a, NULL, 1 FROM pair
  UNION ALL SELECT a, '[0,0]', 1 FROM pair UNION ALL SELECT b, a, NULL FROM pair));
.print == nothing to tell from
SELECT t -> 'chosen', t -> 'raw', t ->> 'reason', json_array_length(t, '$.settings') FROM (
  SELECT whiten_tune(s, a, b, score) AS t FROM stats, pair WHERE score > 0
  UNION ALL SELECT whiten_tune(s, a, b, 2.5) FROM stats, pair
  UNION ALL SELECT whiten_tune(s, v) FROM stats, point WHERE id < 5);
SELECT whiten_tune(s, a, b, score) FROM stats, pair WHERE 0;
.print == raw is right already
SELECT t -> 'chosen', t ->> 'raw', t ->> 'reason' FROM (SELECT whiten_tune((SELECT whiten_stats(v) FROM
  (SELECT json_array(x, y) AS v FROM point)), a, b, score) AS t FROM (SELECT json_array(a.x, a.y) AS a,
  json_array(b.x, b.y) AS b, a.x * b.x + a.y * b.y AS score FROM point AS a, point AS b GROUP BY score));
.print == without labels
SELECT t ->> 'labels', t -> 'chosen', t ->> 'rows', round(t ->> '$.before.mean_cosine', 4),
  round(t ->> '$.after.mean_cosine', 4) FROM (SELECT whiten_tune(s, v) AS t FROM stats, point);
SELECT round(mean_cosine(v), 4) FROM point;
