-- apply: whiten every vector of a table with a model of the table whitening, batch by batch, into a table
-- beside it.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @model \"'docs256'\"" ".parameter set @target \"'documents_white'\"" \
--     ".read sql/apply.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/apply.sql . A view or parameter set before wins
-- over them. Names that are no plain words go into double quotes in a view: "my table". A text goes into
-- quotes within quotes, as above: the shell would take 2024-11-20 for a sum.
--
-- Needs   ids that are unique and not NULL; it is fast when id is the rowid or has an index.
-- Gives   the table @target(id, v, model_hash): each vector with the hash of the model that made it. Where v
--         is NULL (or the model normalises and the result is zero) there is a row too, with a NULL v and the
--         hash.
-- Batches one statement, so one transaction, per @batch rows: memory, journal and the time for which others
--         cannot write are those of a batch. Killed at any moment - by SIGKILL too, with a rollback journal
--         or WAL - the database holds whole batches, and the next run goes on. It waits a minute for other
--         writers. (Not inside a transaction of yours: then all of it is in that one.)
-- Again   a row is written when it is missing, has the hash of another model, or (with @verify 1) another
--         vector than the model gives now: whitening gives the same bits every time, so this finds vectors
--         that changed since. When nothing changed, nothing is written. @verify 0 trusts the hash and saves
--         the arithmetic.
-- Others  may write to the table all the while. A row that comes or changes behind the batch at work is not
--         seen by this run, but by the next one. The report counts the rows that are pending - when others
--         wrote, and with @verify 1, after a second look at all vectors - and as orphans the rows of @target
--         whose id my_vectors no longer has; they are kept. To drop them:
--         DELETE FROM documents_white WHERE id NOT IN (SELECT id FROM documents);
-- Errors  an id that is NULL and a BLOB of a wrong length are reported before anything is written; an id that
--         comes twice and any other bad vector end the run, and the batches before it are kept.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'default'),     -- the name of the model
  ('@target', 'whitened'),   -- the table for the whitened vectors
  ('@batch', 1000),          -- rows in a transaction
  ('@verify', 1);            -- 0: a row that has the hash of the model is taken as done

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_batch') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@guard'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('apply: %s is no parameter of the scripts, expected one that stands in them', key)
  AS apply FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS found;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'apply: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'apply: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'apply: @model or @target is not text, expected a name: .parameter set @model "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'apply: whitening has no model of the name in @model') WHERE NOT new.found;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_batch'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, found)
  SELECT typeof(@model) = 'text' AND typeof(@target) = 'text',
    EXISTS (SELECT 1 FROM main.whitening WHERE name = @model);

-- What the statement below takes as values, so that it reads no table: each of its batches is then a
-- transaction of its own. A copy of the model: whatever happens to whitening, hash and vectors agree.
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES
  ('$whiten_model', (SELECT model FROM main.whitening WHERE name = @model)),
  ('$whiten_rows', (SELECT count(*) FROM my_vectors)),
  ('$whiten_version', (SELECT data_version FROM pragma_data_version));

WITH RECURSIVE batch(i, last) AS (
  SELECT 1, whiten_batch($whiten_model, 'my_vectors', @target, NULL, @batch, @verify)
  UNION ALL
  SELECT i + 1, whiten_batch($whiten_model, 'my_vectors', @target, last, @batch, @verify)
  FROM batch WHERE last IS NOT NULL)
SELECT printf('%d of %d rows', min(i * @batch, $whiten_rows), $whiten_rows) AS apply
FROM batch WHERE i % 100 = 0 AND last IS NOT NULL;

-- Did anyone else write meanwhile? (Of attached databases that is not known.)
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES
  ('$whiten_changed', (SELECT data_version <> $whiten_version FROM pragma_data_version)
     OR EXISTS (SELECT 1 FROM pragma_database_list WHERE name NOT IN ('main', 'temp')));
SELECT printf('apply: model %s, hash %s, rows %d, done %d, nulls %d, pending %d, orphans %d', quote(@model),
  whiten_info($whiten_model) ->> 'hash', state ->> 'rows', state ->> 'done', state ->> 'nulls',
  state ->> 'pending', state ->> 'orphans') AS apply
FROM (SELECT whiten_pending($whiten_model, 'my_vectors', @target, @verify AND $whiten_changed) AS state);
DELETE FROM temp.sqlite_parameters
WHERE key IN ('$whiten_model', '$whiten_rows', '$whiten_version', '$whiten_changed');
