-- apply: whiten every vector of a table with a model of the table whitening, batch by batch, into a table
-- beside it.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @model docs256" ".parameter set @target documents_white" ".read sql/apply.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/apply.sql . A view or parameter set before wins
-- over them. Names that are no plain words go into double quotes in a view: "my table".
--
-- Needs   ids that are unique and not NULL; it is fast when id is the rowid or has an index. A folder it may
--         write to (for a small file .whiten-HOST-PID.sql, removed at once).
-- Gives   the table @target(id, v, model_hash): each vector with the hash of the model that made it. Where v
--         is NULL (or the model normalises and the result is zero) there is a row too, with a NULL v and the
--         hash.
-- Batches one statement, so one transaction, per @batch rows: memory, journal and the time for which others
--         cannot write are those of a batch. Killed at any moment - by SIGKILL too, with a rollback journal
--         or WAL - the database holds whole batches, and the next run goes on. It waits a minute for other
--         writers.
-- Again   a row is written when it is missing, has the hash of another model, or (with @verify 1) another
--         vector than the model gives now: whitening gives the same bits every time, so this finds vectors
--         that changed since. When nothing changed, nothing is written. @verify 0 trusts the hash and saves
--         the arithmetic.
-- Others  may write to the table all the while. A row that comes or changes behind the batch at work is not
--         seen by this run, but by the next one. The report counts the rows that are pending, and as orphans
--         the rows of @target whose id my_vectors no longer has; they are kept. To drop them:
--         DELETE FROM documents_white WHERE id NOT IN (SELECT id FROM documents);
-- Errors  a BLOB of a wrong length is reported, with its id, before anything is written; any other bad vector
--         ends the run with the error of whiten_apply, and the batches before it are kept.

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
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

-- The run works with a copy of the model: whatever happens to the table whitening, hash and vectors agree.
DROP TABLE IF EXISTS temp.whiten_use;
CREATE TEMP TABLE whiten_use AS
  SELECT model, whiten_info(model) ->> 'hash' AS hash, 4 * (whiten_info(model) ->> 'd') AS bytes
  FROM main.whitening WHERE name = @model;

-- What is wrong, the first thing first; NULL when the run can begin.
DROP TABLE IF EXISTS temp.whiten_problem;
CREATE TEMP TABLE whiten_problem AS
  WITH checked(id, misfit) AS (
    SELECT id, typeof(v) = 'blob' AND length(v) <> (SELECT bytes FROM whiten_use) FROM my_vectors)
  SELECT CASE
    WHEN bytes IS NULL THEN printf('whitening has no model %s', quote(@model))
    WHEN typeof(@batch) <> 'integer' OR @batch < 1
      THEN printf('@batch is %s, expected an integer from 1', quote(@batch))
    WHEN EXISTS (SELECT 1 FROM pragma_table_info(@target, 'main') WHERE name NOT IN ('id', 'v', 'model_hash'))
      THEN printf('the table %s has other columns than id, v and model_hash, expected a new name', @target)
    WHEN ids < n THEN printf('my_vectors has %d rows without an id', n - ids)
    WHEN misfits THEN printf('%d vectors do not fit the model, the first at id %s with %d bytes, expected %d',
      misfits, quote(first_misfit), (SELECT length(v) FROM my_vectors WHERE id = first_misfit), bytes)
  END AS message, n
  FROM (SELECT count(*) AS n, count(id) AS ids, sum(misfit) AS misfits,
          min(CASE WHEN misfit THEN id END) AS first_misfit FROM checked)
    LEFT JOIN whiten_use;

-- One batch, from the id `next` to the id `last`: INSERT INTO whiten_step VALUES (1). After the end it does
-- nothing.
DROP TABLE IF EXISTS temp.whiten_cursor;
CREATE TEMP TABLE whiten_cursor AS
  SELECT (SELECT min(id) FROM my_vectors) AS next, NULL AS last, @batch AS batch, @verify AS verify;
DROP VIEW IF EXISTS temp.whiten_target;
DROP VIEW IF EXISTS temp.whiten_step;
CREATE TEMP VIEW whiten_step AS SELECT 1 AS go;
CREATE TEMP TRIGGER whiten_batch INSTEAD OF INSERT ON whiten_step BEGIN
  UPDATE whiten_cursor SET last = (
    SELECT max(id) FROM (SELECT id FROM my_vectors WHERE id >= (SELECT next FROM whiten_cursor)
                         ORDER BY id LIMIT (SELECT batch FROM whiten_cursor)));
  INSERT INTO whiten_target (id, v, model_hash)
    SELECT s.id, whiten_apply((SELECT whiten_model(model) FROM whiten_use), s.v),
      (SELECT hash FROM whiten_use)
    FROM my_vectors AS s LEFT JOIN whiten_target AS t ON t.id = s.id
    WHERE s.id BETWEEN (SELECT next FROM whiten_cursor) AND (SELECT last FROM whiten_cursor)
      AND (t.model_hash IS NOT (SELECT hash FROM whiten_use)
           OR (SELECT verify FROM whiten_cursor)
              AND t.v IS NOT whiten_apply((SELECT whiten_model(model) FROM whiten_use), s.v));
  UPDATE whiten_cursor SET next = (
    SELECT id FROM my_vectors WHERE id > (SELECT last FROM whiten_cursor) ORDER BY id LIMIT 1);
END;

-- The name of the target is a parameter, and the shell has no loop: so the statements - what writes a row to
-- the target, a step per batch, and one more for rows that come at the end - are written to a file, then read
-- from it.
.mode list
.headers off
.once '|cat > .whiten-$(uname -n)-$PPID.sql'
SELECT CASE WHEN message IS NOT NULL THEN printf('
CREATE TEMP TRIGGER whiten_stop BEFORE DELETE ON whiten_problem BEGIN SELECT RAISE(ABORT, %Q); END;
DELETE FROM whiten_problem;', 'apply: ' || message)
ELSE printf('
CREATE TABLE IF NOT EXISTS main."%w" (
  id %s PRIMARY KEY NOT NULL,
  v BLOB,
  model_hash TEXT NOT NULL
);
CREATE TEMP VIEW whiten_target AS SELECT id, v, model_hash FROM main."%w";
CREATE TEMP TRIGGER whiten_put INSTEAD OF INSERT ON whiten_target BEGIN
  INSERT INTO "%w" (id, v, model_hash) VALUES (new.id, new.v, new.model_hash)
    ON CONFLICT (id) DO UPDATE SET v = excluded.v, model_hash = excluded.model_hash;
END;',
  @target, CASE WHEN (SELECT typeof(max(id)) FROM my_vectors) IN ('integer', 'null') THEN 'INTEGER' END,
  @target, @target) END
FROM whiten_problem
UNION ALL
SELECT line FROM (
  WITH RECURSIVE step(i, n) AS (
    SELECT 1, n FROM whiten_problem WHERE message IS NULL
    UNION ALL
    SELECT i + 1, n FROM step WHERE i <= n / @batch)
  SELECT 'INSERT INTO whiten_step VALUES (1);' || CASE WHEN i % 100 = 0 THEN printf('
.print "%d of %d rows"', min(i * @batch, n), n) ELSE '' END AS line FROM step);
.read '|f=.whiten-$(uname -n)-$PPID.sql; cat $f; rm -f $f'

.headers on
.mode column
SELECT @model AS model, hash AS model_hash, count(*) AS "rows", count(done) AS done,
  count(CASE WHEN done AND v IS NULL THEN 1 END) AS nulls, count(*) - count(done) AS pending,
  (SELECT count(*) FROM whiten_target AS o LEFT JOIN my_vectors AS m ON m.id = o.id
   WHERE m.id IS NULL) AS orphans
FROM (SELECT hash, t.v AS v, CASE WHEN t.model_hash = hash THEN 1 END AS done
      FROM whiten_use, my_vectors AS s LEFT JOIN whiten_target AS t ON t.id = s.id);
