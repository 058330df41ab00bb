-- migrate_model: from a table of vectors by one embedding model, and a sample embedded by that and by another one, to a
-- table in a space that both share: vectors of the new model, queries among them, then find those of the old one, and
-- nothing but the sample had to be embedded again.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     "CREATE TEMP VIEW my_pairs AS SELECT d.embedding AS old, s.embedding AS new FROM sample AS s JOIN documents AS d ON d.id = s.id" \
--     ".parameter set @model \"'shared'\"" ".parameter set @target \"'documents_shared'\"" ".read sql/migrate_model.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/migrate_model.sql . A view or parameter set before wins over
-- them. A text goes into quotes within quotes, as above: the shell would take 2024-11-20 for a sum.
--
-- Needs   a sample of some 1,000 texts of the kind that is searched for, as many as the larger of the dimensions at least;
--         ids that are unique and not NULL. The sample is copied to a temporary table.
-- Gives   first, how well it will do: every fifth pair is held out of the fit, and looked for among the held-out ones of
--         the other model: R@1 and R@10, both directions. Where either R@10 is below @least, nothing is written: with
--         @least 2 it only looks. Then two models in the table whitening, whose names are @model with _old and _new behind
--         it, and the table @target(id, v, model_hash), as sql/apply.sql makes it.
-- Batches as in sql/apply.sql: whole ones, whenever it is killed, and others may write all the while. The next run
--         finds the two models and goes on with them, without fitting or judging again; @replace 1 fits anew, and then
--         every row is written anew.
-- For     ranking. Similarities across are lower than those within a model, so thresholds of before do not hold. New
--         documents are embedded by the new model and whitened with the _new one, and may replace those of the old.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
CREATE TEMP VIEW IF NOT EXISTS my_pairs AS
  SELECT d.embedding AS old, s.embedding AS new FROM sample AS s JOIN documents AS d ON d.id = s.id;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'shared'),      -- what the names of the two models begin with
  ('@target', 'migrated'),   -- the table for the vectors in the shared space
  ('@options', '{}'),        -- of whiten_align, such as '{"k": 128}'
  ('@least', 0.5),           -- R@10 on held-out pairs below which nothing is written
  ('@batch', 1000),          -- rows in a transaction
  ('@verify', 1),            -- 0: a row that has the hash of the model is taken as done
  ('@replace', 0);           -- 1: models of these names are replaced

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_align') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@guard'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('migrate_model: %s is no parameter of the scripts, expected one that stands in them', key)
  AS migrate_model FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS
  SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS least, NULL AS fits, NULL AS pairs, NULL AS held_out,
    NULL AS models, NULL AS good;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'migrate_model: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'migrate_model: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'migrate_model: @model or @target is not text, expected a name: .parameter set @model "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'migrate_model: @least is not a number, expected a share such as 0.5') WHERE NOT new.least;
  SELECT RAISE(ABORT, 'migrate_model: whitening is not (name TEXT PRIMARY KEY, model BLOB), what else must be given: DROP COLUMN')
    WHERE NOT new.fits;
  SELECT RAISE(ABORT, 'migrate_model: whitening has one of the two models of @model, expected both or none, or @replace 1')
    WHERE new.models = 1;
  SELECT RAISE(ABORT, 'migrate_model: my_pairs has fewer than 20 pairs of vectors, expected some 1,000')
    WHERE new.pairs < 20;
  SELECT RAISE(ABORT, 'migrate_model: R@10 on held-out pairs is below @least, nothing was written')
    WHERE NOT new.good;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_align'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, least, fits)
  SELECT typeof(@model) = 'text' AND typeof(@target) = 'text', typeof(@least) IN ('integer', 'real'),
    (SELECT CASE ifnull(max(type), 'none') WHEN 'none' THEN 1 WHEN 'table' THEN
         (SELECT count(*) FILTER (WHERE lower(name) IN ('name', 'model')) = 2
            AND count(*) FILTER (WHERE lower(name) NOT IN ('name', 'model') AND "notnull" AND dflt_value IS NULL) = 0
          FROM pragma_table_info('whitening', 'main')) ELSE 0 END
     FROM main.sqlite_schema WHERE name = 'whitening' COLLATE NOCASE);

-- The models of a run before. Where there is no table whitening yet, its name is that of an empty one.
ATTACH ':memory:' AS whiten_none;
CREATE TABLE whiten_none.whitening (name, model);
DROP TABLE IF EXISTS temp.whiten_side;
CREATE TEMP TABLE whiten_side AS SELECT name, model, 0 AS is_new FROM whitening
  WHERE name IN (@model || '_old', @model || '_new') AND NOT @replace
    AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = 'whitening' COLLATE NOCASE);
DETACH whiten_none;
INSERT INTO whiten_check (models) SELECT count(*) FROM whiten_side;

-- Else they are fitted, on four pairs of five. What is read once stays as it is: the sample may be a random one.
DROP TABLE IF EXISTS temp.whiten_pair;
CREATE TEMP TABLE whiten_pair AS SELECT row_number() OVER () AS id, old, new FROM my_pairs
  WHERE old IS NOT NULL AND new IS NOT NULL AND NOT EXISTS (SELECT 1 FROM whiten_side);
INSERT INTO whiten_check (pairs)
  SELECT (SELECT count(*) FROM whiten_pair) WHERE NOT EXISTS (SELECT 1 FROM whiten_side);
WITH moments(s) AS MATERIALIZED (SELECT whiten_pair_stats(old, new) FROM whiten_pair WHERE id % 5 > 0)
INSERT INTO whiten_side (name, model, is_new)
  SELECT @model || suffix, whiten_align(s, side, @options), 1
  FROM moments, (SELECT '_old' AS suffix, 'a' AS side UNION ALL SELECT '_new', 'b') WHERE s IS NOT NULL;

-- Each fifth pair of up to 10,000 is looked for by its other half among all of these.
DROP TABLE IF EXISTS temp.whiten_held_old;
DROP TABLE IF EXISTS temp.whiten_held_new;
CREATE TEMP TABLE whiten_held_old (id INTEGER PRIMARY KEY, v BLOB);
CREATE TEMP TABLE whiten_held_new (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO whiten_held_old SELECT id, whiten_apply((SELECT whiten_model(model) FROM whiten_side WHERE name = @model || '_old'), old)
  FROM whiten_pair WHERE id % 5 = 0 AND id <= 10000;
INSERT INTO whiten_held_new SELECT id, whiten_apply((SELECT whiten_model(model) FROM whiten_side WHERE name = @model || '_new'), new)
  FROM whiten_pair WHERE id % 5 = 0 AND id <= 10000;
DROP TABLE IF EXISTS temp.whiten_found;
CREATE TEMP TABLE whiten_found AS
  SELECT direction, avg(place = 1) AS best, avg(place > 0) AS ten, count(*) AS pairs FROM (
    SELECT 'old finds new' AS direction, h.id, ifnull(f.place, 0) AS place FROM whiten_held_old AS h LEFT JOIN (
      SELECT query_rowid, rowid AS found, row_number() OVER (PARTITION BY query_rowid ORDER BY similarity DESC, rowid) AS place
      FROM cosine_join('temp.whiten_held_new', 'v', 'temp.whiten_held_old', 'v', 10)) AS f
      ON f.query_rowid = h.id AND f.found = h.id
    UNION ALL
    SELECT 'new finds old', h.id, ifnull(f.place, 0) FROM whiten_held_new AS h LEFT JOIN (
      SELECT query_rowid, rowid AS found, row_number() OVER (PARTITION BY query_rowid ORDER BY similarity DESC, rowid) AS place
      FROM cosine_join('temp.whiten_held_old', 'v', 'temp.whiten_held_new', 'v', 10)) AS f
      ON f.query_rowid = h.id AND f.found = h.id)
  GROUP BY direction ORDER BY direction DESC;
SELECT printf('held out: %s, R@1 %.4f, R@10 %.4f, of %d pairs; fitted on %d others', direction, best, ten, pairs,
  (SELECT whiten_info(model) ->> 'n' FROM whiten_side LIMIT 1)) AS migrate_model FROM whiten_found;
SELECT printf('going on: with the models %s and %s, fitted on %d pairs; @replace 1 fits and judges anew',
  quote(@model || '_old'), quote(@model || '_new'), whiten_info(model) ->> 'n') AS migrate_model
  FROM whiten_side WHERE NOT is_new LIMIT 1;
SELECT DISTINCT 'warning: ' || value AS migrate_model FROM whiten_side, json_each(whiten_info(model), '$.warnings');
INSERT INTO whiten_check (good) SELECT min(ten) >= @least FROM whiten_found HAVING count(*) > 0;

-- The models first: what a killed run has written goes on with the same.
CREATE TABLE IF NOT EXISTS main.whitening (name TEXT PRIMARY KEY, model BLOB);
INSERT INTO main.whitening (name, model) SELECT name, model FROM whiten_side WHERE is_new AND NOT @replace;
INSERT INTO main.whitening (name, model) SELECT name, model FROM whiten_side WHERE is_new AND @replace
  ON CONFLICT (name) DO UPDATE SET model = excluded.model;

-- What the statement below takes as values, so that it reads no table: each of its batches is then a
-- transaction of its own.
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES
  ('$whiten_model', (SELECT model FROM whiten_side WHERE name = @model || '_old')),
  ('$whiten_rows', (SELECT count(*) FROM my_vectors)),
  ('$whiten_version', (SELECT data_version FROM pragma_data_version));
DROP TABLE temp.whiten_pair;
DROP TABLE temp.whiten_held_old;
DROP TABLE temp.whiten_held_new;

WITH RECURSIVE batch(i, last) AS (
  SELECT 1, whiten_batch($whiten_model, 'my_vectors', @target, NULL, @batch, @verify)
  UNION ALL
  SELECT i + 1, whiten_batch($whiten_model, 'my_vectors', @target, last, @batch, @verify)
  FROM batch WHERE last IS NOT NULL)
SELECT printf('%d of %d rows', min(i * @batch, $whiten_rows), $whiten_rows) AS migrate_model
FROM batch WHERE i % 100 = 0 AND last IS NOT NULL;

-- Did anyone else write meanwhile? (Of attached databases that is not known.)
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES
  ('$whiten_changed', (SELECT data_version <> $whiten_version FROM pragma_data_version)
     OR EXISTS (SELECT 1 FROM pragma_database_list WHERE name NOT IN ('main', 'temp')));
SELECT printf('migrate_model: model %s, hash %s, rows %d, done %d, nulls %d, pending %d, orphans %d',
  quote(@model || '_old'), whiten_info($whiten_model) ->> 'hash', state ->> 'rows', state ->> 'done', state ->> 'nulls',
  state ->> 'pending', state ->> 'orphans') AS migrate_model
FROM (SELECT whiten_pending($whiten_model, 'my_vectors', @target, @verify AND $whiten_changed) AS state);
SELECT printf('query: SELECT rowid, similarity FROM cosine_topk(%s, ''v'', '
  || 'whiten_apply((SELECT model FROM whitening WHERE name = %s), :query), 10);', quote(@target), quote(@model || '_new'))
  AS migrate_model;
DELETE FROM temp.sqlite_parameters
WHERE key IN ('$whiten_model', '$whiten_rows', '$whiten_version', '$whiten_changed');
