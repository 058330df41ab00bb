-- export_npy: write a model's kernel and bias as .npy files, which numpy.load reads: y = (x + bias) @ kernel.
--
--   sqlite3 my.db ".timeout 60000" ".parameter set @model \"'docs256'\"" ".read sql/export_npy.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/export_npy.sql . A parameter set before wins over
-- them. A text goes into quotes within quotes, as above: the shell would take 2024-11-20 for a sum.
--
-- Gives   @kernel of shape (d, k) and @bias of shape (d,), float32, C order; files of these names are
--         overwritten. A model with "normalize" also divides y by its norm, which kernel and bias do not
--         tell: the report does.
-- Safe    the database is only read. A model that is not there and a file that cannot be written are errors.

.bail on
.timeout 60000
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'default'),     -- the name of the model in the table whitening
  ('@kernel', 'kernel.npy'), -- the file for the kernel
  ('@bias', 'bias.npy');     -- the file for the bias

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@guard'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('export_npy: %s is no parameter of the scripts, expected one that stands in them', key)
  AS export_npy FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS found, NULL AS encoding, NULL AS offset;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'export_npy: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'export_npy: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'export_npy: @model, @kernel or @bias is not text, expected: .parameter set @model "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'export_npy: whitening has no model of the name in @model') WHERE NOT new.found;
  SELECT RAISE(ABORT, 'export_npy: the database is UTF-16, expected UTF-8') WHERE new.encoding <> 'UTF-8';
  SELECT RAISE(ABORT, 'export_npy: the model adds to its results what kernel and bias do not hold: whiten_offset(model)')
    WHERE new.offset;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, found, encoding)
  SELECT typeof(@model) = 'text' AND typeof(@kernel) = 'text' AND typeof(@bias) = 'text',
    EXISTS (SELECT 1 FROM main.whitening WHERE name = @model), (SELECT encoding FROM pragma_encoding);
INSERT INTO whiten_check (offset)
  SELECT whiten_offset(model) <> zeroblob(length(whiten_offset(model))) FROM main.whitening WHERE name = @model;

-- A .npy file of version 1.0: \NUMPY, 1, 0, the length of the header in two bytes (118, so that the
-- numbers begin at byte 128), the header padded with spaces up to its newline, the numbers.
DROP TABLE IF EXISTS temp.whiten_exported;
CREATE TEMP TABLE whiten_exported AS
  SELECT model, length(whiten_bias(model)) / 4 AS d, length(whiten_kernel(model)) / length(whiten_bias(model)) AS k
  FROM main.whitening WHERE name = @model;
DROP TABLE IF EXISTS temp.whiten_file;
CREATE TEMP TABLE whiten_file AS
  WITH file(name, shape, numbers) AS (
    SELECT @kernel, printf('(%d, %d)', d, k), whiten_kernel(model) FROM whiten_exported
    UNION ALL
    SELECT @bias, printf('(%d,)', d), whiten_bias(model) FROM whiten_exported)
  SELECT name, shape, 128 + length(numbers) AS bytes, writefile(name, CAST(
    x'934e554d505901007600'
    || printf('%-117s', '{''descr'': ''<f4'', ''fortran_order'': False, ''shape'': ' || shape || ', }')
    || char(10) || numbers AS BLOB)) AS written
  FROM file;

DROP VIEW IF EXISTS temp.whiten_writing;
CREATE TEMP VIEW whiten_writing AS SELECT NULL AS kernel, NULL AS bias;
CREATE TEMP TRIGGER whiten_written INSTEAD OF INSERT ON whiten_writing BEGIN
  SELECT RAISE(ABORT, 'export_npy: the file in @kernel cannot be written') WHERE NOT new.kernel;
  SELECT RAISE(ABORT, 'export_npy: the file in @bias cannot be written') WHERE NOT new.bias;
END;
INSERT INTO whiten_writing
  SELECT k.written IS k.bytes, b.written IS b.bytes FROM whiten_file AS k JOIN whiten_file AS b
  WHERE k.rowid = 1 AND b.rowid = 2;

SELECT printf('export_npy: %s, shape %s, %d bytes', name, shape, bytes) AS export_npy FROM whiten_file;
SELECT printf('export_npy: model %s, hash %s, normalize %s', quote(@model), info ->> 'hash',
  iif(info ->> 'normalize', 'yes: y is also divided by its norm', 'no')) AS export_npy
FROM (SELECT whiten_info(model) AS info FROM whiten_exported);
