-- Whitening judged by queries that no model has seen, for two kinds of embeddings of the same texts.
--
-- The models are fitted on the texts alone. A query is of one group; the four texts of the group are its right answers.
--   nearest    the share of queries whose nearest text is right
--   MRR        the mean of 1 / rank of the first right answer
--   threshold  of as many pairs of query and text as are right, those with the highest cosines of all, the share that
--              is right: 100 if one threshold, the same for every query, parts right from wrong
--
-- The last line is what whiten_tune chooses from the paraphrases among the texts, and from nothing else.
--
-- Leaves contest(kind, position, name, numbers, nearest, mrr, threshold) and, for the embeddings that the demo goes
-- through, result(position, name, score, line), as retrieval.sql does.

CREATE TEMP TABLE trial(kind TEXT, position INTEGER, name TEXT, model BLOB);
CREATE TEMP TABLE tried(kind TEXT, position INTEGER, id INTEGER, vector BLOB, PRIMARY KEY(kind, position, id));
INSERT INTO tried SELECT kind, 0, id, vector FROM embedded;

-- As in fit.sql: a model that comes is applied at once, and is a constant inside the trigger. No model: raw is best.
CREATE TEMP TRIGGER try AFTER INSERT ON trial BEGIN
  INSERT INTO tried
    SELECT kind, NEW.position, id, iif(NEW.model IS NULL, vector, whiten_apply((SELECT whiten_model(NEW.model)), vector))
    FROM embedded WHERE kind = NEW.kind;
END;

CREATE TEMP TABLE known(kind TEXT PRIMARY KEY, d INTEGER, stats BLOB);
INSERT INTO known
  SELECT kind, embedding_dim(vector), whiten_stats(vector)
  FROM embedded WHERE id IN (SELECT id FROM text) GROUP BY kind;

INSERT INTO trial
  WITH solved AS MATERIALIZED (
    SELECT kind, position, iif(position = 2, 'k = all', name) AS name, whiten_solve(stats, k, options) AS model
    FROM known JOIN recipe ON recipe.k IS NULL OR recipe.k < d)
  SELECT * FROM solved;

CREATE TEMP TABLE tuned(kind TEXT PRIMARY KEY, k INTEGER, options TEXT);
INSERT INTO tuned
  WITH choice(kind, chosen) AS MATERIALIZED (
    SELECT 'words', whiten_tune((SELECT stats FROM known WHERE kind = 'words'), a.vector, b.vector, NULL, '{"guard": 2}') -> '$.chosen'
    FROM pair JOIN embedded AS a ON a.id = pair.a AND a.kind = 'words' JOIN embedded AS b ON b.id = pair.b AND b.kind = 'words'
    UNION ALL
    SELECT 'encoder', whiten_tune((SELECT stats FROM known WHERE kind = 'encoder'), a.vector, b.vector, NULL, '{"guard": 2}') -> '$.chosen'
    FROM pair JOIN embedded AS a ON a.id = pair.a AND a.kind = 'encoder' JOIN embedded AS b ON b.id = pair.b AND b.kind = 'encoder')
  SELECT kind, chosen ->> '$.k', chosen -> '$.options' FROM choice;
INSERT INTO trial
  WITH solved AS MATERIALIZED (
    SELECT kind, 9, 'tuned', iif(k IS NULL, NULL, whiten_solve(stats, k, options)) FROM tuned JOIN known USING (kind))
  SELECT * FROM solved;

CREATE TEMP TABLE judged(kind TEXT, position INTEGER, question INTEGER, similarity REAL, is_right INTEGER);
INSERT INTO judged
  SELECT q.kind, q.position, q.id, cosine_sim(q.vector, t.vector), question.grp = text.grp
  FROM question JOIN tried AS q USING (id) CROSS JOIN text
    JOIN tried AS t ON t.kind = q.kind AND t.position = q.position AND t.id = text.id
  WHERE question.grp IS NOT NULL;

-- How like its query the best right answer is; then the share of right ones among the highest cosines.
CREATE TEMP TABLE goal(kind TEXT, position INTEGER, question INTEGER, similarity REAL, PRIMARY KEY(kind, position, question));
INSERT INTO goal
  SELECT kind, position, question, max(similarity) FROM judged WHERE is_right GROUP BY kind, position, question;

CREATE TEMP TABLE parted(kind TEXT, position INTEGER, threshold REAL, PRIMARY KEY(kind, position));
INSERT INTO parted
  SELECT kind, position, avg(is_right)
  FROM (SELECT *, row_number() OVER (PARTITION BY kind, position ORDER BY similarity DESC) AS place FROM judged)
  WHERE place <= (SELECT sum(is_right) FROM judged WHERE kind = 'words' AND position = 0)
  GROUP BY kind, position;

CREATE TABLE contest(kind TEXT, position INTEGER, name TEXT, numbers INTEGER, nearest REAL, mrr REAL, threshold REAL);
INSERT INTO contest
  WITH ranked AS MATERIALIZED (
    SELECT kind, position, 1 + sum(judged.similarity > goal.similarity) AS rank
    FROM judged CROSS JOIN goal USING (kind, position, question) GROUP BY kind, position, question)
  SELECT kind, position, coalesce((SELECT name FROM trial AS t WHERE t.kind = ranked.kind AND t.position = ranked.position), 'raw'),
    (SELECT embedding_dim(vector) FROM tried AS t WHERE t.kind = ranked.kind AND t.position = ranked.position LIMIT 1),
    avg(rank = 1), avg(1.0 / rank),
    (SELECT threshold FROM parted AS p WHERE p.kind = ranked.kind AND p.position = ranked.position)
  FROM ranked GROUP BY kind, position;

CREATE TABLE result(position INTEGER PRIMARY KEY, name TEXT, score REAL, line TEXT);
INSERT INTO result
  SELECT position, coalesce(recipe.name, 'raw'), threshold, NULL
  FROM contest LEFT JOIN recipe USING (position)
  WHERE kind = (SELECT embeddings FROM subject);

-- The table: a line a setting, the two kinds side by side; a setting that keeps more numbers than there are is left out.
SELECT printf('
COMPARE  The models are fitted on the texts; the %d queries are new to them. In per cent:
         nearest: of the queries, whose nearest text says the same. MRR: mean of 1 / rank of the first such.
         threshold: the %d highest cosines of all queries with all texts, as many as are right: so many are.
         100 if one threshold, the same for every query, parts right from wrong.

                        means of word vectors                  a trained encoder
  %-16s numbers  nearest   MRR  threshold    numbers  nearest   MRR  threshold',
  count(DISTINCT question), sum(is_right), 'model')
FROM judged WHERE kind = 'words' AND position = 0;
SELECT printf('  %-16s %s   %s', name, coalesce(max(line) FILTER (WHERE kind = 'words'), printf('%7s %8s %5s %10s', '-', '-', '-', '-')),
  coalesce(max(line) FILTER (WHERE kind = 'encoder'), printf('%7s %8s %5s %10s', '-', '-', '-', '-')))
FROM (SELECT *, printf('%7d %8.1f %5.1f %10.1f', numbers, 100 * nearest, 100 * mrr, 100 * threshold) AS line FROM contest)
GROUP BY position ORDER BY position;
SELECT printf('
  tuned: what whiten_tune chose from %d pairs of paraphrases among the texts: for means of word vectors
    %s, for the trained encoder %s.', (SELECT count(*) FROM pair WHERE a < b),
  max(words), max(encoder))
FROM (
  SELECT iif(kind = 'words', choice, NULL) AS words, iif(kind = 'encoder', choice, NULL) AS encoder
  FROM (SELECT kind, iif(k IS NULL, 'no setting that is surely better than raw', printf('k = %d and %s', k, options)) AS choice FROM tuned));

-- What to make of it: of each kind the model that is best by the threshold, the smaller one of equals.
SELECT printf('
  %s: %s moves the nearest by %+.1f points, the threshold by %+.1f,
    with %d numbers instead of %d.', iif(kind = 'words', 'Means of word vectors', 'A trained encoder'), best.name,
  100 * (best.nearest - raw.nearest), 100 * (best.threshold - raw.threshold), best.numbers, raw.numbers)
FROM contest AS raw JOIN (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY threshold DESC, numbers, position) AS place
    FROM contest WHERE name NOT IN ('raw', 'tuned')) AS best USING (kind)
WHERE raw.position = 0 AND place = 1
ORDER BY kind DESC;
