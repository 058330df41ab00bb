-- fit: fit a whitening model over a column of vectors and keep it, under a name, in the table whitening.
--
--   sqlite3 my.db "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @model docs256" ".parameter set @k 256" ".read sql/fit.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/fit.sql . A view or parameter set before wins over
-- them. Names that are no plain words go into double quotes in a view: "my table". Which @k and @options are
-- good for your data, sql/evaluate.sql or sql/evaluate_retrieval.sql tells.
--
-- Gives   a row in the table whitening (name, model, n, d, k, created), which is made when it is missing, and
--         a report with the model's warnings. Rows whose v is NULL are skipped. Memory does not grow with the
--         number of rows; to sample a very large table: ... FROM documents ORDER BY random() LIMIT 100000.
-- Safe    the model is computed first, while others may write, then stored in one transaction. A name that is
--         taken is refused: give @replace 1, or DELETE FROM whitening WHERE name = ... before. Vectors that
--         the replaced model whitened carry its hash: sql/apply.sql finds and redoes them.

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
SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit')
                    THEN load_extension('./whiten') END;

CREATE TABLE IF NOT EXISTS main.whitening (
  name TEXT PRIMARY KEY NOT NULL,
  model BLOB NOT NULL,
  n INTEGER NOT NULL,        -- vectors it was fitted on
  d INTEGER NOT NULL,        -- elements it takes
  k INTEGER NOT NULL,        -- elements it gives
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS taken, NULL AS vectors;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'fit: whitening has a model of the name in @model, expected a new name, or @replace 1')
    WHERE new.taken;
  SELECT RAISE(ABORT, 'fit: my_vectors has no vectors') WHERE NOT new.vectors;
END;
INSERT INTO whiten_check
  SELECT EXISTS (SELECT 1 FROM main.whitening WHERE name = @model AND NOT @replace),
    EXISTS (SELECT 1 FROM my_vectors WHERE v IS NOT NULL);

DROP TABLE IF EXISTS temp.whiten_new;
CREATE TEMP TABLE whiten_new AS SELECT whiten_fit(v, @k, @options) AS model FROM my_vectors;

BEGIN IMMEDIATE;
DELETE FROM main.whitening WHERE name = @model AND @replace;
INSERT INTO main.whitening (name, model, n, d, k)
  SELECT @model, model, info ->> 'n', info ->> 'd', info ->> 'k'
  FROM whiten_new, (SELECT whiten_info(model) AS info FROM whiten_new);
COMMIT;

.headers on
.mode column
SELECT name, n, d, k, printf('%.4f', info ->> 'explained') AS explained,
  printf('%.4g', info ->> 'condition') AS condition, info ->> 'hash' AS model_hash
FROM main.whitening, (SELECT whiten_info(model) AS info FROM whiten_new) WHERE name = @model;
.headers off
.mode list
SELECT 'warning: ' || value FROM whiten_new, json_each(whiten_info(model), '$.warnings');
