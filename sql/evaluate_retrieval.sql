-- evaluate_retrieval: does whitening help your search? Given queries and the documents that answer them,
-- print how often the answer comes first (R@1), among the first ten (R@10), and the mean reciprocal rank
-- (MRR), in per cent: raw, centred, and over a grid of k, ridge and power.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_documents AS SELECT id, embedding AS v FROM documents" \
--     "CREATE TEMP VIEW my_queries AS SELECT id, embedding AS v FROM queries" \
--     "CREATE TEMP VIEW my_relevant AS SELECT query, document FROM answers" \
--     ".read sql/evaluate_retrieval.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/evaluate_retrieval.sql . A view or parameter set
-- before wins over them. Names that are no plain words go into double quotes: "my table".
--
-- Needs   my_documents(id, v) and my_queries(id, v), on which together the models are fitted;
--         my_relevant(query, document): pairs of their ids, one or several per query.
-- Gives   a line per variant. The rank of a query is 1 + the number of documents with a higher cosine than
--         its best relevant one; gain is in MRR, and se its standard error, from the same queries through
--         both. Then the best variant as settings for sql/fit.sql, or, when its gain is no more than chance
--         gives, that there is no difference; and the warnings of the models.
-- Cost    one pass to fit; then, per variant, each vector is whitened once and each query compared with each
--         document: some seconds for a million comparisons. With many, let the views take a sample. Writes
--         nothing but temporary tables.
-- The models never see my_relevant, but they see the vectors they are measured on: with n below 10 d believe
-- the lines with a ridge or a small k. Vectors that are NULL or zero, and queries that have no relevant
-- document with a vector, are left out; the report counts the queries.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_documents AS
  SELECT id, embedding AS v FROM documents;
CREATE TEMP VIEW IF NOT EXISTS my_queries AS
  SELECT id, embedding AS v FROM queries;
CREATE TEMP VIEW IF NOT EXISTS my_relevant AS
  SELECT query, document FROM answers;
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
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@same', 0);              -- 1: queries are documents (same ids), and none answers itself

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
SELECT printf('evaluate_retrieval: %s is no parameter of the scripts, expected one that stands in them', key)
  AS evaluate_retrieval FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS pairs;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'evaluate_retrieval: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'evaluate_retrieval: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'evaluate_retrieval: no row of my_relevant has vectors in my_queries and my_documents')
    WHERE new.pairs = 0;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown);

-- What is measured: documents, queries with a relevant document, which is which, and the moments of all
-- vectors.
DROP TABLE IF EXISTS temp.whiten_document;
CREATE TEMP TABLE whiten_document AS SELECT id, v FROM my_documents WHERE embedding_norm(v) > 0;
CREATE UNIQUE INDEX temp.whiten_document_id ON whiten_document (id);
DROP TABLE IF EXISTS temp.whiten_query;
CREATE TEMP TABLE whiten_query AS SELECT id, v FROM my_queries WHERE embedding_norm(v) > 0;
CREATE UNIQUE INDEX temp.whiten_query_id ON whiten_query (id);
DROP TABLE IF EXISTS temp.whiten_relevant;
CREATE TEMP TABLE whiten_relevant AS
  SELECT q.rowid AS query, d.rowid AS document
  FROM my_relevant AS r
    JOIN whiten_query AS q ON q.id = r.query JOIN whiten_document AS d ON d.id = r.document
  WHERE NOT @same OR d.id <> q.id;
CREATE INDEX temp.whiten_relevant_query ON whiten_relevant (query);
ALTER TABLE temp.whiten_query ADD COLUMN own INTEGER;
UPDATE whiten_query SET own = (SELECT d.rowid FROM whiten_document AS d WHERE d.id = whiten_query.id)
WHERE @same;
DROP TABLE IF EXISTS temp.whiten_moments;
CREATE TEMP TABLE whiten_moments AS
  SELECT whiten_stats(v) AS stats
  FROM (SELECT v FROM my_documents UNION ALL SELECT v FROM my_queries WHERE NOT @same);
INSERT INTO whiten_check (pairs) SELECT count(*) FROM whiten_relevant;

-- A row inserted into whiten_result is a variant to measure; the trigger fills in the rest. Only one
-- variant's whitened vectors exist at a time, divided by their norms, so that a comparison is no more than a
-- dot product.
DROP TABLE IF EXISTS temp.whiten_fitted;
CREATE TEMP TABLE whiten_fitted (model BLOB);
DROP TABLE IF EXISTS temp.whiten_y;
CREATE TEMP TABLE whiten_y (id INTEGER PRIMARY KEY, y BLOB);       -- the documents
DROP TABLE IF EXISTS temp.whiten_asked;
CREATE TEMP TABLE whiten_asked (id INTEGER PRIMARY KEY, own INTEGER, best REAL, y BLOB);  -- the queries
DROP TABLE IF EXISTS temp.whiten_place;
CREATE TEMP TABLE whiten_place (query INTEGER PRIMARY KEY, rank INTEGER);
DROP TABLE IF EXISTS temp.whiten_raw_place;
CREATE TEMP TABLE whiten_raw_place (query INTEGER PRIMARY KEY, rank INTEGER);  -- the same of the raw vectors
DROP TABLE IF EXISTS temp.whiten_result;
CREATE TEMP TABLE whiten_result (
  variant TEXT, k INTEGER, options TEXT, r1 REAL, r10 REAL, mrr REAL, gain REAL, se REAL, mean_cosine REAL,
  warnings TEXT);
CREATE TEMP TRIGGER whiten_measure AFTER INSERT ON whiten_result BEGIN
  DELETE FROM whiten_fitted;
  INSERT INTO whiten_fitted
    SELECT whiten_solve(stats, new.k, new.options) FROM whiten_moments WHERE new.options IS NOT NULL;
  DELETE FROM whiten_y;
  INSERT INTO whiten_y
    SELECT rowid, embedding_normalize(CASE WHEN new.options IS NULL THEN v ELSE
      whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), v) END) FROM whiten_document;
  DELETE FROM whiten_asked;
  INSERT INTO whiten_asked (id, own, y)
    SELECT rowid, own, embedding_normalize(CASE WHEN new.options IS NULL THEN v ELSE
      whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), v) END)
    FROM whiten_query WHERE rowid IN (SELECT query FROM whiten_relevant);
  UPDATE whiten_asked SET best = (
    SELECT max(dot_product(whiten_asked.y, d.y))
    FROM whiten_relevant AS r JOIN whiten_y AS d ON d.id = r.document WHERE r.query = whiten_asked.id);
  DELETE FROM whiten_place;
  INSERT INTO whiten_place
    SELECT q.id, 1 + count(d.id)
    FROM whiten_asked AS q LEFT JOIN whiten_y AS d ON d.id IS NOT q.own AND dot_product(q.y, d.y) > q.best
    GROUP BY q.id;
  INSERT INTO whiten_raw_place SELECT query, rank FROM whiten_place WHERE new.options IS NULL;
  UPDATE whiten_result SET
    (r1, r10, mrr) = (SELECT 100 * avg(rank <= 1), 100 * avg(rank <= 10), 100 * avg(1.0 / rank) FROM whiten_place),
    (gain, se) = (SELECT 100 * avg(d), 100 * sqrt(max(avg(d * d) - avg(d) * avg(d), 0) / count(*))
                  FROM (SELECT 1.0 / n.rank - 1.0 / r.rank AS d
                        FROM whiten_place AS n JOIN whiten_raw_place AS r USING (query))),
    mean_cosine = (SELECT mean_cosine(y) FROM whiten_y),
    (k, warnings) = (SELECT whiten_info(model) ->> 'k', whiten_info(model) -> 'warnings' FROM whiten_fitted)
  WHERE rowid = new.rowid;
END;

INSERT INTO whiten_result (variant) VALUES ('raw');
INSERT INTO whiten_result (variant, k, options)
  SELECT variant, k, options
  FROM my_grid, (SELECT whiten_info(whiten_solve(stats)) AS info FROM whiten_moments)
  WHERE ifnull(k, 0) + ifnull(options ->> 'remove', 0)
        < CASE WHEN ifnull(options ->> 'ridge', 0) = 0 THEN info ->> 'rank' ELSE info ->> 'd' END;

SELECT printf('evaluate_retrieval: queries %d, left_out %d, documents %d, n %d, d %d', count(DISTINCT query),
  (SELECT count(*) FROM my_queries) - count(DISTINCT query), (SELECT count(*) FROM whiten_document),
  info ->> 'n', info ->> 'd') AS evaluate_retrieval
FROM whiten_relevant, (SELECT whiten_info(whiten_solve(stats)) AS info FROM whiten_moments);
-- Laid out here, and not by .mode column, so that the modes of the shell stay as they were.
WITH
  cell(place, variant, k, options, r1, r10, mrr, gain, se, mean_cosine) AS (
    VALUES (-1, 'variant', 'k', 'options', 'R@1', 'R@10', 'MRR', 'gain', 'se', 'mean_cosine')
    UNION ALL
    SELECT rowid, variant, ifnull(k, ''), ifnull(options, ''), printf('%.1f', r1), printf('%.1f', r10),
      printf('%.1f', mrr), printf('%+.1f', gain), printf('%.1f', se),
      CASE WHEN mean_cosine IS NULL THEN '' ELSE printf('%.4f', mean_cosine) END
    FROM whiten_result),
  width(variant, options) AS (SELECT max(length(variant)), max(length(options)) FROM cell)
SELECT printf('%-!*s  %-5s  %-!*s  %-5s  %-5s  %-5s  %-5s  %-4s  %s', width.variant, cell.variant, k, width.options,
  cell.options, r1, r10, mrr, gain, se, mean_cosine) AS evaluate_retrieval
FROM cell, width ORDER BY place;
-- The best of so many lines lies above raw by chance too: of data that is nothing but noise by two standard
-- errors in one case of eight, by three in one of sixty.
SELECT 'best: ' || CASE
    WHEN options IS NULL THEN 'the raw vectors, whitening does not help here'
    WHEN ifnull(gain <= 3 * se, 1) THEN
      printf('no difference: %s (k %d, options %s) is within three standard errors of raw', variant, k, options)
    ELSE printf('%s, in fit.sql  .parameter set @k %d  .parameter set @options ''%s''', variant, k, options) END
  AS evaluate_retrieval
FROM whiten_result ORDER BY mrr DESC, rowid LIMIT 1;
SELECT DISTINCT 'warning: ' || value AS evaluate_retrieval FROM whiten_result, json_each(warnings);
