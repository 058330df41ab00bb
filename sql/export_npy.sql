-- export_npy: write a model's kernel and bias as .npy files, which numpy.load reads: y = (x + bias) @ kernel.
--
--   sqlite3 my.db ".parameter set @model docs256" ".read sql/export_npy.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/export_npy.sql . A parameter set before wins over
-- them.
--
-- Gives   @kernel of shape (d, k) and @bias of shape (d,), float32, C order; files of these names are
--         overwritten. A model with "normalize" also divides y by its norm, which kernel and bias do not
--         tell: the report does.
-- Safe    the database is only read. A model that is not there and a file that cannot be written are errors.

.bail on
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'default'),     -- the name of the model in the table whitening
  ('@kernel', 'kernel.npy'), -- the file for the kernel
  ('@bias', 'bias.npy');     -- the file for the bias
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS models, NULL AS encoding, NULL AS kernel, NULL AS bias;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'export_npy: whitening has no model of the name in @model') WHERE new.models = 0;
  SELECT RAISE(ABORT, 'export_npy: the database is UTF-16, expected UTF-8') WHERE new.encoding <> 'UTF-8';
  SELECT RAISE(ABORT, 'export_npy: the file in @kernel cannot be written') WHERE NOT new.kernel;
  SELECT RAISE(ABORT, 'export_npy: the file in @bias cannot be written') WHERE NOT new.bias;
END;
INSERT INTO whiten_check (models, encoding)
  SELECT (SELECT count(*) FROM main.whitening WHERE name = @model), encoding FROM pragma_encoding;

-- A .npy file of version 1.0: \x93NUMPY, 1, 0, the length of the header in two bytes (118, so that the
-- numbers begin at byte 128), the header padded with spaces up to its newline, the numbers.
DROP TABLE IF EXISTS temp.whiten_file;
CREATE TEMP TABLE whiten_file AS
  WITH file(name, shape, numbers) AS (
    SELECT @kernel, printf('(%d, %d)', d, k), whiten_kernel(model) FROM main.whitening WHERE name = @model
    UNION ALL
    SELECT @bias, printf('(%d,)', d), whiten_bias(model) FROM main.whitening WHERE name = @model)
  SELECT name AS file, shape, 128 + length(numbers) AS bytes, writefile(name, CAST(
    x'934e554d505901007600'
    || printf('%-117s', '{''descr'': ''<f4'', ''fortran_order'': False, ''shape'': ' || shape || ', }')
    || char(10) || numbers AS BLOB)) AS written
  FROM file;
INSERT INTO whiten_check (kernel, bias)
  SELECT k.written IS k.bytes, b.written IS b.bytes FROM whiten_file AS k JOIN whiten_file AS b
  WHERE k.rowid = 1 AND b.rowid = 2;

.headers on
.mode column
SELECT file, shape, bytes, info ->> 'hash' AS model_hash, info ->> 'normalize' AS normalize
FROM whiten_file, (SELECT whiten_info(model) AS info FROM main.whitening WHERE name = @model);
