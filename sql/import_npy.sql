-- import_npy: a matrix saved by numpy (np.save) becomes a table of vectors.
--
--   sqlite3 my.db ".parameter set @file vectors.npy" ".read sql/import_npy.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/import_npy.sql . A parameter set before wins over
-- them.
--
-- Takes   .npy of version 1.0, 2.0 and 3.0 with shape (n, d), C order, dtype <f4, <f8 or <f2; anything else
--         is an error that says what was found.
-- Needs   a folder it may write to (for a small file .whiten-HOST-PID.sql, removed at once) and memory for
--         twice the file, which must be below 1 GB: save a larger matrix in slices, x[:100000] and so on, and
--         add them with @append 1.
-- Gives   the table @table(id, v): id is the row of the matrix, counted from 0; v its vector as float32.
-- Safe    one transaction: a file that is not there, of another kind, cut short or with a number that is not
--         finite leaves nothing behind. A table that exists is refused unless @append is 1. (After an error
--         at the prompt: ROLLBACK;)

.bail on
.timeout 60000
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@file', NULL),           -- the file
  ('@table', 'imported'),    -- the table to make
  ('@append', 0);            -- 1: add to the table, ids going on after its last
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

-- The file: \x93NUMPY, the version in two bytes, the length of the header in two (1.0) or four bytes, lowest
-- first, the header, the numbers. The header is a Python dictionary, which a few replacements turn into JSON.
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES ('@data', readfile(@file));
DROP TABLE IF EXISTS temp.whiten_npy;
CREATE TEMP TABLE whiten_npy AS
  WITH
    size(first, digits) AS (  -- the first byte of the header, its length in hexadecimal
      SELECT 11, hex(substr(@data, 9, 2)) WHERE hex(substr(@data, 7, 2)) = '0100'
      UNION ALL
      SELECT 13, hex(substr(@data, 9, 4)) WHERE hex(substr(@data, 7, 2)) IN ('0200', '0300')),
    part(first, bytes) AS (
      SELECT first, (SELECT sum(instr('123456789ABCDEF', substr(digits, column1, 1)) << column2)
                     FROM (VALUES (2, 0), (1, 4), (4, 8), (3, 12), (6, 16), (5, 20), (8, 24), (7, 28))
                     WHERE column1 <= length(digits))
      FROM size),
    python(header, data) AS (
      SELECT trim(CAST(substr(@data, first, bytes) AS TEXT), ' ' || char(9, 10)), first + bytes FROM part),
    json(header, data) AS (
      SELECT rtrim(rtrim(
          replace(replace(replace(replace(replace(replace(header, '''', '"'), '(', '['), ')', ']'),
                                  ',]', ']'), 'False', 'false'), 'True', 'true'), '}'), ' ,') || '}', data
      FROM python)
  SELECT data,  -- the first byte of the numbers
    header ->> '$.descr' AS dtype, json_type(header, '$.fortran_order') AS fortran_order,
    header ->> '$.shape' AS shape, json_array_length(header, '$.shape') AS axes,
    header ->> '$.shape[0]' AS n, header ->> '$.shape[1]' AS dim
  FROM json WHERE json_valid(header);
INSERT OR REPLACE INTO temp.sqlite_parameters (key, value)
  SELECT '@encoding', CASE dtype WHEN '<f4' THEN 'f32' WHEN '<f8' THEN 'f64' WHEN '<f2' THEN 'f16' END
  FROM whiten_npy
  UNION ALL
  SELECT '@step', dim * CASE dtype WHEN '<f4' THEN 4 WHEN '<f8' THEN 8 WHEN '<f2' THEN 2 END FROM whiten_npy;

-- What is wrong, the first thing first; NULL when the file can be imported.
DROP TABLE IF EXISTS temp.whiten_problem;
CREATE TEMP TABLE whiten_problem AS
  SELECT CASE
    WHEN @file IS NULL THEN '@file is missing, expected the name of a file'
    WHEN @data IS NULL THEN printf('%s cannot be read', @file)
    WHEN encoding <> 'UTF-8' THEN printf('the database is %s, expected UTF-8', encoding)
    WHEN substr(@data, 1, 6) IS NOT x'934e554d5059'
      THEN printf('%s does not begin with \x93NUMPY, expected a .npy file', @file)
    WHEN hex(substr(@data, 7, 2)) NOT IN ('0100', '0200', '0300')
      THEN printf('%s has version %s, expected 0100, 0200 or 0300', @file, hex(substr(@data, 7, 2)))
    WHEN data IS NULL THEN printf('%s has a header that cannot be read', @file)
    WHEN @encoding IS NULL
      THEN printf('%s has dtype %s, expected <f4, <f8 or <f2', @file, ifnull(dtype, 'none'))
    WHEN fortran_order IS NOT 'false'
      THEN printf('%s is in Fortran order, expected C order (numpy.ascontiguousarray)', @file)
    WHEN axes IS NOT 2 OR typeof(n) <> 'integer' OR typeof(dim) <> 'integer' OR n < 1
        OR dim NOT BETWEEN 1 AND 16384
      THEN printf('%s has shape %s, expected [n, d] with d from 1 to 16384', @file, ifnull(shape, 'none'))
    WHEN length(@data) - data + 1 <> n * @step
      THEN printf('%s has %d bytes of numbers, expected %d for dtype %s and shape %s',
                  @file, length(@data) - data + 1, n * @step, dtype, shape)
    WHEN NOT @append AND EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = @table COLLATE NOCASE)
      THEN printf('the table %s exists, expected a new name, or @append 1', @table)
  END AS message
  FROM pragma_encoding LEFT JOIN whiten_npy;

-- The name of the table is a parameter: so the statements are written to a file, then read from it.
DROP VIEW IF EXISTS temp.whiten_report;
.mode list
.headers off
.once '|cat > .whiten-$(uname -n)-$PPID.sql'
SELECT CASE WHEN message IS NOT NULL THEN printf('
CREATE TEMP TRIGGER whiten_stop BEFORE DELETE ON whiten_problem BEGIN SELECT RAISE(ABORT, %Q); END;
DELETE FROM whiten_problem;', 'import_npy: ' || message)
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
    SELECT i + 1, id + 1 FROM line WHERE i + 1 < %d)
  SELECT id, embedding(substr(@data, i * @step + %d, @step), @encoding) FROM line;
COMMIT;
CREATE TEMP VIEW whiten_report AS
  SELECT %Q AS "table", %d AS imported, count(*) AS "rows", %d AS dim FROM main."%w";',
  @table, dim, 4 * dim, @table, @table, n, data, @table, n, dim, @table)
END FROM whiten_problem LEFT JOIN whiten_npy;
.read '|f=.whiten-$(uname -n)-$PPID.sql; cat $f; rm -f $f'

.headers on
.mode column
SELECT * FROM whiten_report;
DELETE FROM temp.sqlite_parameters WHERE key IN ('@data', '@encoding', '@step');
