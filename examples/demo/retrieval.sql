-- Does the nearest row answer the query? For pairs whose gold is constant: b is a right answer to a.
--
-- The rank of a query is 1 + the number of candidates with a higher cosine than its best right answer.
-- Candidates are the rows that answer something or ask nothing; a row is no candidate for itself.
--
-- Leaves result(position, name, score, line): score orders the models, line is what is printed.

CREATE TABLE result(position INTEGER PRIMARY KEY, name TEXT, score REAL, line TEXT);
CREATE VIEW task AS
  SELECT CASE
    WHEN count(*) = 0 THEN 'none'
    WHEN min(gold) = max(gold) THEN 'retrieval'
    ELSE 'correlation' END AS kind
  FROM pair;

CREATE TEMP TABLE asked AS
  SELECT DISTINCT a AS id FROM pair WHERE (SELECT kind FROM task) = 'retrieval';
CREATE TEMP TABLE candidate AS
  SELECT id FROM item WHERE id IN (SELECT b FROM pair) OR id NOT IN (SELECT id FROM asked);

CREATE INDEX pair_ab ON pair(a, b);
CREATE TEMP TABLE scored(position INTEGER, a INTEGER, similarity REAL, is_right INTEGER);
INSERT INTO scored
  SELECT q.position, q.id, cosine_sim(q.vector, c.vector),
    EXISTS (SELECT * FROM pair WHERE a = q.id AND b = c.id)
  FROM space AS q CROSS JOIN candidate CROSS JOIN space AS c
  WHERE q.id IN (SELECT id FROM asked) AND c.position = q.position AND c.id = candidate.id
    AND c.id <> q.id;

CREATE TEMP TABLE goal(position INTEGER, a INTEGER, similarity REAL, PRIMARY KEY(position, a));
INSERT INTO goal
  SELECT position, a, coalesce(max(similarity) FILTER (WHERE is_right), -2) FROM scored GROUP BY position, a;

INSERT INTO result
  WITH ranked AS (
    SELECT position, 1 + sum(scored.similarity > goal.similarity) AS rank
    FROM scored JOIN goal USING (position, a) GROUP BY position, a)
  SELECT position, (SELECT name FROM space WHERE space.position = ranked.position), avg(rank = 1),
    printf('%8.1f %8.1f %8.1f', 100 * avg(rank = 1), 100 * avg(rank <= 10), 100 * avg(1.0 / rank))
  FROM ranked GROUP BY position;

SELECT printf('
RETRIEVAL  %d queries, %d candidates, in per cent. %s: the nearest is a right answer.
           %s: one of the nearest ten is. MRR: mean of 1 / rank of the first right answer.
           A right answer to a query is %s.

  %-16s %8s %8s %8s',
    (SELECT count(*) FROM asked), (SELECT count(*) FROM candidate), hit_1, hit_10, right_answer,
    'model', hit_1, hit_10, 'MRR')
FROM subject, task WHERE kind = 'retrieval';
SELECT printf('  %-16s %s  %s', name, line,
  replace(hex(zeroblob(CAST(round(30 * score) AS INTEGER))), '00', '█'))
FROM result, task WHERE kind = 'retrieval' ORDER BY position;
