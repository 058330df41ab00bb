-- fit: fit a whitening model over a column of vectors and keep it, under a name, in the table whitening.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @model \"'docs256'\"" ".parameter set @k 256" ".read sql/fit.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/fit.sql . A view or parameter set before wins over
-- them. Names that are no plain words go into double quotes in a view: "my table". A text goes into quotes
-- within quotes, as above: the shell would take 2024-11-20 for a sum. Which @k and @options are good for your
-- data, sql/tune.sql tells.
--
-- Gives   a row in the table whitening (name, model), which is made when it is missing, and a report with the
--         model's warnings; whiten_info(model) tells the rest. Rows whose v is NULL are skipped. Memory does
--         not grow with the number of rows; to sample a very large table: ... FROM documents ORDER BY
--         random() LIMIT 100000.
-- Safe    the model is computed first, while others may write, then stored by one statement: an error leaves
--         nothing, and no open transaction. A name that is taken is refused: give @replace 1, or DELETE FROM
--         whitening WHERE name = ... before. Vectors that the replaced model whitened carry its hash:
--         sql/apply.sql finds and redoes them. A table of 0.1.0 has columns that are no longer filled:
--         ALTER TABLE whitening DROP COLUMN n; and so for d, k and created.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'default'),     -- the name of the new model
  ('@k', NULL),              -- components to keep: 256, or 0.95 of the variance, or NULL for all that vary
  ('@options', '{}'),        -- such as '{"ridge": 1}'
  ('@replace', 0);           -- 1: a model of this name is replaced

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
SELECT printf('fit: %s is no parameter of the scripts, expected one that stands in them', key)
  AS fit FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS fits, NULL AS vectors;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'fit: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'fit: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'fit: @model is not text, expected a name: .parameter set @model "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'fit: whitening is not (name TEXT PRIMARY KEY, model BLOB), what else must be given: DROP COLUMN')
    WHERE NOT new.fits;
  SELECT RAISE(ABORT, 'fit: my_vectors has no vectors') WHERE NOT new.vectors;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, fits, vectors)
  SELECT typeof(@model) = 'text',
    (SELECT CASE ifnull(max(type), 'none') WHEN 'none' THEN 1 WHEN 'table' THEN
         (SELECT count(*) FILTER (WHERE lower(name) IN ('name', 'model')) = 2
            AND count(*) FILTER (WHERE lower(name) NOT IN ('name', 'model') AND "notnull" AND dflt_value IS NULL) = 0
          FROM pragma_table_info('whitening', 'main')) ELSE 0 END
     FROM main.sqlite_schema WHERE name = 'whitening' COLLATE NOCASE),
    EXISTS (SELECT 1 FROM my_vectors WHERE v IS NOT NULL);

-- Is the name free? Asked of a table that is there in any case; nothing of it stays, and when it was there
-- before nothing is locked.
DROP VIEW IF EXISTS temp.whiten_name;
CREATE TEMP VIEW whiten_name AS SELECT NULL AS taken;
CREATE TEMP TRIGGER whiten_named INSTEAD OF INSERT ON whiten_name WHEN new.taken BEGIN
  SELECT RAISE(ROLLBACK, 'fit: whitening has a model of the name in @model, expected a new name, or @replace 1');
END;
BEGIN;
CREATE TABLE IF NOT EXISTS main.whitening (name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whiten_name SELECT EXISTS (SELECT 1 FROM main.whitening WHERE name = @model AND NOT @replace);
ROLLBACK;

DROP TABLE IF EXISTS temp.whiten_new;
CREATE TEMP TABLE whiten_new AS SELECT whiten_fit(v, @k, @options) AS model FROM my_vectors;

CREATE TABLE IF NOT EXISTS main.whitening (name TEXT PRIMARY KEY, model BLOB);
INSERT INTO main.whitening (name, model) SELECT @model, model FROM whiten_new WHERE NOT @replace;
INSERT INTO main.whitening (name, model) SELECT @model, model FROM whiten_new WHERE @replace
  ON CONFLICT (name) DO UPDATE SET model = excluded.model;

SELECT printf('fit: model %s, n %d, d %d, k %d, explained %.4f, condition %.4g, hash %s', quote(@model),
  info ->> 'n', info ->> 'd', info ->> 'k', info ->> 'explained', info ->> 'condition', info ->> 'hash') AS fit
FROM (SELECT whiten_info(model) AS info FROM whiten_new);
SELECT 'warning: ' || value AS fit FROM whiten_new, json_each(whiten_info(model), '$.warnings');
