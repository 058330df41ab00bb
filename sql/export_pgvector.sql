-- export_pgvector: write whitened vectors as a file of SQL that psql loads into PostgreSQL with pgvector, by COPY.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @model \"'docs256'\"" ".parameter set @target \"'documents_white'\"" \
--     ".parameter set @file \"'vectors.sql'\"" ".read sql/export_pgvector.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/export_pgvector.sql . A view or parameter set before wins
-- over them. A text goes into quotes within quotes, as above: the shell would take 2024-11-20 for a sum. Then
--
--   psql -v ON_ERROR_STOP=1 -f vectors.sql
--
-- Needs   ids that are integers, each once. In PostgreSQL: CREATE EXTENSION vector;
-- Gives   @file: CREATE TABLE IF NOT EXISTS @target (id bigint PRIMARY KEY, v vector(dim)), and a COPY of a line a row. A number
--         has as many digits as give the same float32 back. NULL is where v is NULL (or the model normalises, and the result is zero).
-- Size    SQLite makes no text above 1 GB, some 300,000 vectors of 256 numbers: more than that goes in parts,
--         each with another @file, and my_vectors ... FROM documents WHERE id BETWEEN 1 AND 200000.
-- Safe    the database is only read; a file of that name is overwritten. What is not as needed is an error, before that.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@model', 'default'),     -- the name of the model in the table whitening
  ('@target', 'whitened'),   -- the table in PostgreSQL
  ('@file', 'vectors.sql');  -- the file

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
SELECT printf('export_pgvector: %s is no parameter of the scripts, expected one that stands in them', key)
  AS export_pgvector FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS found, NULL AS encoding, NULL AS id;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'export_pgvector: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'export_pgvector: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'export_pgvector: @model, @target or @file is not text, expected: .parameter set @model "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'export_pgvector: whitening has no model of the name in @model') WHERE NOT new.found;
  SELECT RAISE(ABORT, 'export_pgvector: the database is UTF-16, expected UTF-8') WHERE new.encoding <> 'UTF-8';
  SELECT RAISE(ABORT, 'export_pgvector: an id of my_vectors is no integer, or is there twice, expected integers, each once') WHERE new.id;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, found, encoding)
  SELECT typeof(@model) = 'text' AND typeof(@target) = 'text' AND typeof(@file) = 'text',
    EXISTS (SELECT 1 FROM main.whitening WHERE name = @model), (SELECT encoding FROM pragma_encoding);
INSERT INTO whiten_check (id)
  SELECT count(*) <> count(DISTINCT id) OR total(typeof(id) <> 'integer') > 0 FROM my_vectors;

-- Names of PostgreSQL are quoted as SQLite's are. In COPY's text a tab parts columns, \N is NULL, \. the end.
DROP TABLE IF EXISTS temp.whiten_exported;
CREATE TEMP TABLE whiten_exported AS
  SELECT count(*) AS rows, group_concat(id || char(9) || coalesce(y, '\N') || char(10), '') AS lines
  FROM (SELECT id, embedding_as(whiten_apply((SELECT whiten_model(model) FROM main.whitening WHERE name = @model), v), 'json') AS y
    FROM my_vectors ORDER BY id);
DROP TABLE IF EXISTS temp.whiten_file;
CREATE TEMP TABLE whiten_file AS
  WITH target(name, dim) AS (
    SELECT '"' || replace(@target, '"', '""') || '"', length(whiten_kernel(model)) / length(whiten_bias(model))
    FROM main.whitening WHERE name = @model)
  SELECT rows, dim, writefile(@file, CAST(
    printf('CREATE TABLE IF NOT EXISTS %s (id bigint PRIMARY KEY, v vector(%d));', name, dim) || char(10)
    || printf('COPY %s (id, v) FROM stdin;', name) || char(10) || coalesce(lines, '') || '\.' || char(10) AS BLOB)) AS written
  FROM target, whiten_exported;

DROP VIEW IF EXISTS temp.whiten_writing;
CREATE TEMP VIEW whiten_writing AS SELECT NULL AS file;
CREATE TEMP TRIGGER whiten_written INSTEAD OF INSERT ON whiten_writing BEGIN
  SELECT RAISE(ABORT, 'export_pgvector: the file in @file cannot be written') WHERE NOT new.file;
END;
INSERT INTO whiten_writing SELECT written IS NOT NULL FROM whiten_file;

SELECT printf('export_pgvector: %s, rows %d, vector(%d), %d bytes', @file, rows, dim, written) AS export_pgvector FROM whiten_file;
