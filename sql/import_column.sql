-- import_column: a column of vectors kept as JSON text, or as BLOBs of float64, float16, bfloat16 or int8,
-- becomes a table of vectors.
--
--   sqlite3 my.db "CREATE TEMP VIEW my_column AS SELECT id, embedding AS x FROM documents" \
--     ".parameter set @encoding json" ".read sql/import_column.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/import_column.sql . A view or parameter set before
-- wins over them. Names that are no plain words go into double quotes in a view: "my table".
--
-- Needs   a folder it may write to (for a small file .whiten-HOST-PID.sql, removed at once).
-- Gives   the table @table(id, v) with the ids of my_column, each v as float32; NULL where x is NULL.
-- Safe    one transaction: an x that cannot be read, an id that is NULL or comes twice, vectors of different
--         dimensions are errors that leave nothing behind. A table that exists is refused. (After an error at
--         the prompt: ROLLBACK;)
-- To find the row an error speaks of - it is the one after the id that this prints:
--         .once '|tail -n 1'
--         SELECT id FROM my_column WHERE embedding(x, 'json') IS NOT 0 ORDER BY id;
-- To put the vectors into the table they came from, afterwards:
--         UPDATE documents SET embedding = (SELECT v FROM imported WHERE imported.id = documents.id);

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_column AS
  SELECT id, embedding AS x FROM documents;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@encoding', 'json'),     -- 'json', 'f32', 'f64', 'f16', 'bf16' or 'i8'
  ('@scale', 1),             -- each number is multiplied by this; for 'i8' the step of its quantiser
  ('@table', 'imported');    -- the table to make
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

-- What is wrong, the first thing first; NULL when the column can be imported.
DROP TABLE IF EXISTS temp.whiten_problem;
CREATE TEMP TABLE whiten_problem AS
  SELECT CASE
    WHEN dim IS NULL THEN 'my_column has no vectors'
    WHEN EXISTS (SELECT 1 FROM my_column WHERE id IS NULL) THEN 'my_column has an id that is NULL'
    WHEN EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = @table COLLATE NOCASE)
      THEN printf('the table %s exists, expected a new name', @table)
  END AS message, dim
  FROM (SELECT (SELECT embedding_dim(embedding(x, @encoding))
                FROM my_column WHERE x IS NOT NULL LIMIT 1) AS dim);

-- The name of the table is a parameter: so the statements are written to a file, then read from it.
DROP VIEW IF EXISTS temp.whiten_report;
.mode list
.headers off
.once '|cat > .whiten-$(uname -n)-$PPID.sql'
SELECT CASE WHEN message IS NOT NULL THEN printf('
CREATE TEMP TRIGGER whiten_stop BEFORE DELETE ON whiten_problem BEGIN SELECT RAISE(ABORT, %Q); END;
DELETE FROM whiten_problem;', 'import_column: ' || message)
ELSE printf('
BEGIN IMMEDIATE;
CREATE TABLE main."%w" (
  id %s PRIMARY KEY,
  v BLOB CONSTRAINT "v has %d elements" CHECK (length(v) = %d)
);
INSERT INTO main."%w" (id, v) SELECT id, embedding_scale(embedding(x, @encoding), @scale) FROM my_column;
COMMIT;
CREATE TEMP VIEW whiten_report AS
  SELECT %Q AS "table", count(*) AS "rows", count(*) - count(v) AS nulls, %d AS dim FROM main."%w";',
  @table, CASE (SELECT typeof(max(id)) FROM my_column) WHEN 'integer' THEN 'INTEGER' END,
  dim, 4 * dim, @table, @table, dim, @table)
END FROM whiten_problem;
.read '|f=.whiten-$(uname -n)-$PPID.sql; cat $f; rm -f $f'

.headers on
.mode column
SELECT * FROM whiten_report;
