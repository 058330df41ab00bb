-- evaluate: does whitening help your data? Given pairs with gold scores of similarity, print Spearman's
-- correlation (x 100) between the scores and the cosines of the pairs: raw, centred, and over a grid of k,
-- ridge and power.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     "CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pairs" ".read sql/evaluate.sql"
--
-- or edit the views below and run  sqlite3 my.db < sql/evaluate.sql . A view that was created before wins
-- over them. Names that are no plain words go into double quotes: "my table".
--
-- Needs   my_vectors(id, v): what the models are fitted on; my_pairs(a, b, gold): two ids and a number, the
--         more similar the higher (a column of TEXT, as .import makes it: CAST(gold AS REAL) AS gold).
-- Gives   a line per variant: spearman; gain, that minus raw, and se, the standard error of the gain; mean
--         cosine (nearer to 0 is better spread) and isotropy (0..1, IsoScore) of the vectors that occur in
--         the pairs. Then the best variant as settings for sql/fit.sql, or, when its gain is no more than
--         chance gives, that there is no difference; and the warnings of the models.
-- Cost    one pass over my_vectors; then, per variant, each vector of the pairs is whitened once. Writes
--         nothing but temporary tables.
-- The models never see the scores, but they see the vectors they are measured on: with n below 10 d believe
-- the lines with a ridge or a small k, or let my_vectors hold vectors that are not in the pairs as well. An
-- id that my_vectors does not have, a vector that is NULL or zero and a score that is NULL leave their pair
-- out; the report counts them.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
CREATE TEMP VIEW IF NOT EXISTS my_pairs AS
  SELECT a, b, gold FROM pairs;
-- What sql/fit.sql takes as @k and @options. k NULL is every direction with variance; a line that asks for
-- more components than the data has is left out.
CREATE TEMP VIEW IF NOT EXISTS my_grid (variant, k, options) AS VALUES
  ('centred', NULL, '{"power": 0}'),
  ('first removed', NULL, '{"power": 0, "remove": 1}'),
  ('first 3 removed', NULL, '{"power": 0, "remove": 3}'),
  ('whitened', NULL, '{}'),
  ('whitened', 512, '{}'),
  ('whitened', 256, '{}'),
  ('whitened', 128, '{}'),
  ('whitened', 64, '{}'),
  ('ridge', NULL, '{"ridge": 0.1}'),
  ('ridge', NULL, '{"ridge": 1}'),
  ('ridge', 256, '{"ridge": 1}'),
  ('ridge', 128, '{"ridge": 1}'),
  ('ridge', NULL, '{"ridge": "oas"}'),
  ('half whitened', NULL, '{"power": 0.5}'),
  ('half whitened', 256, '{"power": 0.5}'),
  ('half whitened', 128, '{"power": 0.5}');
.parameter init

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@same'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('evaluate: %s is no parameter of the scripts, expected one that stands in them', key)
  AS evaluate FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS pairs, NULL AS numbers, NULL AS scores;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'evaluate: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'evaluate: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'evaluate: no row of my_pairs has a score and two vectors of my_vectors')
    WHERE new.pairs = 0;
  SELECT RAISE(ABORT, 'evaluate: gold is not a number everywhere; if TEXT: CAST(gold AS REAL) AS gold')
    WHERE new.numbers < new.pairs;
  SELECT RAISE(ABORT, 'evaluate: gold is the same for all pairs, expected scores (or evaluate_retrieval.sql)')
    WHERE new.scores = 1;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown);

-- What is measured: the vectors of the pairs, the pairs as rows of that table, and the moments of all
-- vectors.
DROP TABLE IF EXISTS temp.whiten_vector;
CREATE TEMP TABLE whiten_vector AS
  SELECT id, v FROM my_vectors
  WHERE (id IN (SELECT a FROM my_pairs) OR id IN (SELECT b FROM my_pairs)) AND embedding_norm(v) > 0;
CREATE UNIQUE INDEX temp.whiten_vector_id ON whiten_vector (id);
DROP TABLE IF EXISTS temp.whiten_pair;
CREATE TEMP TABLE whiten_pair AS
  SELECT x.rowid AS a, y.rowid AS b, p.gold AS gold
  FROM my_pairs AS p JOIN whiten_vector AS x ON x.id = p.a JOIN whiten_vector AS y ON y.id = p.b
  WHERE p.gold IS NOT NULL;
DROP TABLE IF EXISTS temp.whiten_moments;
CREATE TEMP TABLE whiten_moments AS SELECT whiten_stats(v) AS stats FROM my_vectors;
INSERT INTO whiten_check (pairs, numbers, scores)
  SELECT count(*), count(CASE WHEN typeof(gold) IN ('integer', 'real') THEN 1 END), count(DISTINCT gold)
  FROM whiten_pair;

-- How much each pair moves the correlation of the variant at work: z_s z_g - rho (z_s^2 + z_g^2) / 2, its
-- influence function, of the ranks, ties at their mean, divided by their spread. The standard error of a gain
-- is the spread of the difference of two of these, over the root of the number of pairs.
DROP TABLE IF EXISTS temp.whiten_cosine;
CREATE TEMP TABLE whiten_cosine (pair INTEGER PRIMARY KEY, gold REAL, cosine REAL);
DROP VIEW IF EXISTS temp.whiten_rank;
CREATE TEMP VIEW whiten_rank AS
  SELECT pair, rank() OVER (ORDER BY cosine) + 0.5 * count(*) OVER (PARTITION BY cosine) AS s,
    rank() OVER (ORDER BY gold) + 0.5 * count(*) OVER (PARTITION BY gold) AS g
  FROM whiten_cosine WHERE cosine IS NOT NULL;
DROP VIEW IF EXISTS temp.whiten_standard;
CREATE TEMP VIEW whiten_standard AS
  SELECT pair, (s - mean_s) / sqrt(square_s - mean_s * mean_s) AS s,
    (g - mean_g) / sqrt(square_g - mean_g * mean_g) AS g
  FROM whiten_rank, (SELECT avg(s) AS mean_s, avg(s * s) AS square_s, avg(g) AS mean_g, avg(g * g) AS square_g
                     FROM whiten_rank);
DROP VIEW IF EXISTS temp.whiten_influence;
CREATE TEMP VIEW whiten_influence AS
  SELECT pair, s * g - rho * (s * s + g * g) / 2 AS influence
  FROM whiten_standard, (SELECT avg(s * g) AS rho FROM whiten_standard);
DROP TABLE IF EXISTS temp.whiten_raw;
CREATE TEMP TABLE whiten_raw (pair INTEGER PRIMARY KEY, influence REAL);

-- A row inserted into whiten_result is a variant to measure; the trigger fills in the rest. Only one
-- variant's whitened vectors exist at a time.
DROP TABLE IF EXISTS temp.whiten_fitted;
CREATE TEMP TABLE whiten_fitted (model BLOB);
DROP TABLE IF EXISTS temp.whiten_y;
CREATE TEMP TABLE whiten_y (id INTEGER PRIMARY KEY, y BLOB);
DROP TABLE IF EXISTS temp.whiten_result;
CREATE TEMP TABLE whiten_result (
  variant TEXT, k INTEGER, options TEXT, spearman REAL, gain REAL, se REAL, mean_cosine REAL, isotropy REAL,
  warnings TEXT);
CREATE TEMP TRIGGER whiten_measure AFTER INSERT ON whiten_result BEGIN
  DELETE FROM whiten_fitted;
  INSERT INTO whiten_fitted
    SELECT whiten_solve(stats, new.k, new.options) FROM whiten_moments WHERE new.options IS NOT NULL;
  DELETE FROM whiten_y;
  INSERT INTO whiten_y
    SELECT rowid, CASE WHEN new.options IS NULL THEN embedding(v) ELSE
      whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), v) END FROM whiten_vector;
  DELETE FROM whiten_cosine;
  INSERT INTO whiten_cosine
    SELECT p.rowid, p.gold, cosine_sim(x.y, z.y)
    FROM whiten_pair AS p JOIN whiten_y AS x ON x.id = p.a JOIN whiten_y AS z ON z.id = p.b;
  INSERT INTO whiten_raw SELECT pair, influence FROM whiten_influence WHERE new.options IS NULL;
  UPDATE whiten_result SET
    spearman = (SELECT 100 * spearman(gold, cosine) FROM whiten_cosine),
    se = (SELECT 100 * sqrt(max(avg(d * d) - avg(d) * avg(d), 0) / count(*))
          FROM (SELECT i.influence - r.influence AS d FROM whiten_influence AS i JOIN whiten_raw AS r USING (pair))),
    (mean_cosine, isotropy) = (SELECT mean_cosine(y), isotropy(y) FROM whiten_y),
    (k, warnings) = (SELECT whiten_info(model) ->> 'k', whiten_info(model) -> 'warnings' FROM whiten_fitted)
  WHERE rowid = new.rowid;
  UPDATE whiten_result SET gain = spearman - (SELECT spearman FROM whiten_result WHERE options IS NULL)
  WHERE rowid = new.rowid;
END;

INSERT INTO whiten_result (variant) VALUES ('raw');
INSERT INTO whiten_result (variant, k, options)
  SELECT variant, k, options
  FROM my_grid, (SELECT whiten_info(whiten_solve(stats)) AS info FROM whiten_moments)
  WHERE ifnull(k, 0) + ifnull(options ->> 'remove', 0)
        < CASE WHEN ifnull(options ->> 'ridge', 0) = 0 THEN info ->> 'rank' ELSE info ->> 'd' END;

SELECT printf('evaluate: pairs %d, left_out %d, n %d, d %d', count(*), (SELECT count(*) FROM my_pairs) - count(*),
  info ->> 'n', info ->> 'd') AS evaluate
FROM whiten_pair, (SELECT whiten_info(whiten_solve(stats)) AS info FROM whiten_moments);
-- Laid out here, and not by .mode column, so that the modes of the shell stay as they were.
WITH
  cell(place, variant, k, options, spearman, gain, se, mean_cosine, isotropy) AS (
    VALUES (-1, 'variant', 'k', 'options', 'spearman', 'gain', 'se', 'mean_cosine', 'isotropy')
    UNION ALL
    SELECT rowid, variant, ifnull(k, ''), ifnull(options, ''), ifnull(printf('%.2f', spearman), ''),
      ifnull(printf('%+.2f', gain), ''), ifnull(printf('%.2f', se), ''), ifnull(printf('%.4f', mean_cosine), ''),
      CASE WHEN isotropy IS NULL THEN '' ELSE printf('%.4f', isotropy) END
    FROM whiten_result),
  width(variant, options) AS (SELECT max(length(variant)), max(length(options)) FROM cell)
SELECT printf('%-!*s  %-5s  %-!*s  %-8s  %-6s  %-5s  %-11s  %s', width.variant, cell.variant, k, width.options,
  cell.options, spearman, gain, se, mean_cosine, isotropy) AS evaluate
FROM cell, width ORDER BY place;
-- The best of so many lines lies above raw by chance too: of data that is nothing but noise by two standard
-- errors in one case of eight, by three in one of sixty.
SELECT 'best: ' || CASE
    WHEN options IS NULL THEN 'the raw vectors, whitening does not help here'
    WHEN ifnull(gain <= 3 * se, 1) THEN
      printf('no difference: %s (k %d, options %s) is within three standard errors of raw', variant, k, options)
    ELSE printf('%s, in fit.sql  .parameter set @k %d  .parameter set @options ''%s''', variant, k, options) END
  AS evaluate
FROM whiten_result ORDER BY spearman DESC, rowid LIMIT 1;
SELECT DISTINCT 'warning: ' || value AS evaluate FROM whiten_result, json_each(warnings);
