-- Whitening judged by queries that no model has seen, for two kinds of embeddings of the same texts.
--
-- The models are fitted on the texts alone. A query is of one group; the four texts of the group are its right answers.
--   nearest    the share of queries whose nearest text is right
--   MRR        the mean of 1 / rank of the first right answer
--   threshold  of as many pairs of query and text as are right, those with the highest cosines of all, the share that
--              is right: 100 if one threshold, the same for every query, parts right from wrong
--
-- Leaves contest(kind, position, name, numbers, nearest, mrr, threshold) and, for the embeddings that the demo goes
-- through, result(position, name, score, line), as retrieval.sql does.

CREATE TEMP TABLE trial(kind TEXT, position INTEGER, name TEXT, model BLOB);
CREATE TEMP TABLE tried(kind TEXT, position INTEGER, id INTEGER, vector BLOB, PRIMARY KEY(kind, position, id));
INSERT INTO tried SELECT kind, 0, id, vector FROM embedded;

-- As in fit.sql: a model that comes is applied at once, and is a constant inside the trigger.
CREATE TEMP TRIGGER try AFTER INSERT ON trial BEGIN
  INSERT INTO tried
    SELECT kind, NEW.position, id, whiten_apply((SELECT whiten_model(NEW.model)), vector)
    FROM embedded WHERE kind = NEW.kind;
END;

INSERT INTO trial
  WITH stats AS MATERIALIZED (
    SELECT kind, embedding_dim(vector) AS d, whiten_stats(vector) AS stats
    FROM embedded WHERE id IN (SELECT id FROM text) GROUP BY kind),
  solved AS MATERIALIZED (
    SELECT kind, position, iif(position = 2, 'k = all', name) AS name, whiten_solve(stats, k, options) AS model
    FROM stats JOIN recipe ON recipe.k IS NULL OR recipe.k < d)
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

-- What to make of it: of each kind the model that is best by the threshold, the smaller one of equals.
SELECT printf('
  %s: %s moves the nearest by %+.1f points, the threshold by %+.1f,
    with %d numbers instead of %d.', iif(kind = 'words', 'Means of word vectors', 'A trained encoder'), best.name,
  100 * (best.nearest - raw.nearest), 100 * (best.threshold - raw.threshold), best.numbers, raw.numbers)
FROM contest AS raw JOIN (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY threshold DESC, numbers, position) AS place
    FROM contest WHERE position > 0) AS best USING (kind)
WHERE raw.position = 0 AND place = 1
ORDER BY kind DESC;
