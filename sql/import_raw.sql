-- import_raw: a file of raw numbers, row after row without a header (numpy's tofile), becomes a table of
-- vectors.
--
--   sqlite3 my.db ".parameter set @file vectors.f32" ".parameter set @dim 768" ".read sql/import_raw.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/import_raw.sql . A parameter set before wins over
-- them.
--
-- Needs   a folder it may write to (for a small file .whiten-HOST-PID.sql, removed at once) and memory for
--         twice the file, which must be below 1 GB: cut a larger one at whole rows (split -b) and add the
--         parts with @append 1.
-- Gives   the table @table(id, v): id is the row of the file, counted from 0; v its vector as float32.
-- Safe    one transaction: a file that is not there, of a wrong length or with a number that is not finite
--         leaves nothing behind. A table that exists is refused unless @append is 1. (After an error at the
--         prompt: ROLLBACK;)

.bail on
.timeout 60000
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@file', NULL),           -- the file
  ('@dim', NULL),            -- how many numbers a row has
  ('@encoding', 'f32'),      -- 'f32', 'f64', 'f16', 'bf16' or 'i8', little-endian
  ('@table', 'imported'),    -- the table to make
  ('@append', 0);            -- 1: add to the table, ids going on after its last
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES
  ('@data', readfile(@file)),
  ('@width', CASE @encoding WHEN 'f32' THEN 4 WHEN 'f64' THEN 8 WHEN 'f16' THEN 2 WHEN 'bf16' THEN 2
                            WHEN 'i8' THEN 1 END);
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES ('@step', @dim * @width);

-- What is wrong, the first thing first; NULL when the file can be imported.
DROP TABLE IF EXISTS temp.whiten_problem;
CREATE TEMP TABLE whiten_problem AS
  SELECT CASE
    WHEN @file IS NULL THEN '@file is missing, expected the name of a file'
    WHEN @data IS NULL THEN printf('%s cannot be read', @file)
    WHEN typeof(@dim) <> 'integer' OR @dim NOT BETWEEN 1 AND 16384
      THEN printf('@dim is %s, expected an integer from 1 to 16384', quote(@dim))
    WHEN @width IS NULL
      THEN printf('@encoding is %s, expected ''f32'', ''f64'', ''f16'', ''bf16'' or ''i8''', quote(@encoding))
    WHEN length(@data) = 0 THEN printf('%s is empty', @file)
    WHEN length(@data) % @step <> 0
      THEN printf('%s has %d bytes, expected a multiple of %d (%d numbers of %d bytes)',
                  @file, length(@data), @step, @dim, @width)
    WHEN NOT @append AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = @table COLLATE NOCASE)
      THEN printf('the table %s exists, expected a new name, or @append 1', @table)
  END AS message;

-- The name of the table is a parameter: so the statements are written to a file, then read from it.
DROP VIEW IF EXISTS temp.whiten_report;
.mode list
.headers off
.once '|cat > .whiten-$(uname -n)-$PPID.sql'
SELECT CASE WHEN message IS NOT NULL THEN printf('
CREATE TEMP TRIGGER whiten_stop BEFORE DELETE ON whiten_problem BEGIN SELECT RAISE(ABORT, %Q); END;
DELETE FROM whiten_problem;', 'import_raw: ' || message)
ELSE printf('
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS main."%w" (
  id INTEGER PRIMARY KEY,
  v BLOB NOT NULL CONSTRAINT "v has %d elements" CHECK (length(v) = %d)
);
INSERT INTO main."%w" (id, v)
  WITH RECURSIVE line(i, id) AS (
    SELECT 0, ifnull((SELECT max(id) + 1 FROM main."%w"), 0)
    UNION ALL
    SELECT i + 1, id + 1 FROM line WHERE (i + 1) * @step < length(@data))
  SELECT id, embedding(substr(@data, i * @step + 1, @step), @encoding) FROM line;
COMMIT;
CREATE TEMP VIEW whiten_report AS
  SELECT %Q AS "table", %d AS imported, count(*) AS "rows", %d AS dim FROM main."%w";',
  @table, @dim, 4 * @dim, @table, @table, @table, length(@data) / @step, @dim, @table)
END FROM whiten_problem;
.read '|f=.whiten-$(uname -n)-$PPID.sql; cat $f; rm -f $f'

.headers on
.mode column
SELECT * FROM whiten_report;
DELETE FROM temp.sqlite_parameters WHERE key IN ('@data', '@width', '@step');
