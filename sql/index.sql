-- index: make a search index over a column of vectors (whiten_index), step by step; then tell its recall and its
-- latency on your own rows, and how to query it.
--
--   sqlite3 my.db ".timeout 60000" \
--     ".parameter set @content \"'documents'\"" ".parameter set @column \"'embedding'\"" \
--     ".parameter set @index \"'documents_search'\"" ".parameter set @k 256" ".read sql/index.sql"
--
-- or edit the settings below and run  sqlite3 my.db < sql/index.sql . A parameter set before wins over them. A text
-- goes into quotes within quotes, as above: the shell would take 2024-11-20 for a sum. Which @k and @options are
-- good for your data, sql/tune.sql tells.
--
-- Needs   an ordinary table in main with rowids, a column of vectors in it, and a folder for temporary files (TMPDIR
--         or /tmp): names of tables are no parameters in SQL, so the statements are written first, into a folder of
--         their own that is gone when they run.
-- Gives   the virtual table @index, and triggers that keep it in step with the table; a line for each step; recall:
--         what share of the true ten nearest it finds for 200 of your rows, and what that takes; a query to copy.
-- Batches the first step fits the model, which reads every vector once. Each step is a transaction that codes @batch
--         rows. Killed at any moment, the next run goes on; it waits a minute for other writers.
-- Again   when the index is there with the same settings nothing is done but what is left to do, and the report. With
--         other settings it is refused, unless @replace is 1: then it is dropped and made anew. An index without a
--         coded row, as an error in the settings leaves it, is replaced in any case.

.bail on
.timeout 60000
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@content', 'documents'),        -- the table
  ('@column', 'embedding'),         -- its column of vectors
  ('@index', 'documents_search'),   -- the name of the index
  ('@k', NULL),                     -- components to keep: 256, or 0.95 of the variance, or NULL for all that vary
  ('@options', '{}'),               -- such as '{"ridge": 1}'
  ('@batch', 10000),                -- rows in a transaction
  ('@replace', 0);                  -- 1: an index of this name is dropped first
-- @model, which is not set here, is the name of a model in the table whitening, as sql/fit.sql leaves it: then it is
-- taken, and @k and @options are its own. Without it one is fitted.

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_index_info') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@guard'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('index: %s is no parameter of the scripts, expected one that stands in them', key)
  AS "index" FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS
  SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS options, NULL AS batch, NULL AS encoding, NULL AS found,
    NULL AS free, NULL AS same, NULL AS made;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'index: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'index: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'index: @content, @column, @index or @model is not text, expected a name: .parameter set @index "''name''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'index: @options is not a JSON object, expected such as ''{"ridge": 1}''') WHERE NOT new.options;
  SELECT RAISE(ABORT, 'index: @batch is not an integer above 0') WHERE NOT new.batch;
  SELECT RAISE(ABORT, 'index: the database is UTF-16, expected UTF-8; CREATE VIRTUAL TABLE works in any')
    WHERE new.encoding <> 'UTF-8';
  SELECT RAISE(ABORT, 'index: there is no table of the name in @content with the column in @column') WHERE NOT new.found;
  SELECT RAISE(ABORT, 'index: the name in @index is taken by something else than an index') WHERE NOT new.free;
  SELECT RAISE(ABORT, 'index: the index is there with other settings, expected the same, a new name, or @replace 1')
    WHERE NOT new.same;
  SELECT RAISE(ABORT, 'index: no temporary file could be written, expected a folder in TMPDIR or /tmp')
    WHERE NOT new.made;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_index_info'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, options, batch, encoding, found)
  SELECT typeof(@content) = 'text' AND typeof(@column) = 'text' AND typeof(@index) = 'text'
      AND typeof(@model) IN ('text', 'null'),
    CASE WHEN json_valid(@options) THEN json_type(@options) = 'object' ELSE 0 END,
    CASE WHEN typeof(@batch) = 'integer' THEN @batch > 0 ELSE 0 END,
    (SELECT encoding FROM pragma_encoding),
    EXISTS (SELECT 1 FROM main.sqlite_schema AS s JOIN pragma_table_info(@content, 'main') AS c
      WHERE s.type = 'table' AND s.name = @content COLLATE NOCASE AND c.name = @column COLLATE NOCASE);

-- What the index is to be, as it stands in the schema behind its name; and what there is.
DROP TABLE IF EXISTS temp.whiten_wanted;
CREATE TEMP TABLE whiten_wanted AS
  SELECT printf('USING whiten_index(content = "%w", column = "%w"%s%s%s, build = 0)', @content, @column,
    CASE WHEN @model IS NULL THEN '' ELSE ', model = ' || quote(@model) END,
    CASE WHEN @k IS NULL OR @model IS NOT NULL THEN '' ELSE ', k = ' || @k END,
    ifnull((SELECT group_concat(printf(', %s = %s', key, CASE type WHEN 'text' THEN quote(atom) WHEN 'true' THEN 'true'
      WHEN 'false' THEN 'false' ELSE quote(atom) END), '') FROM json_each(@options) WHERE @model IS NULL), '')) AS arguments;
DROP TABLE IF EXISTS temp.whiten_there;
CREATE TEMP TABLE whiten_there AS
  SELECT type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE % USING whiten_index(%' AS is_index,
    substr(sql, -length(arguments)) = arguments AS same, 0 AS coded
  FROM main.sqlite_schema, whiten_wanted WHERE name = @index COLLATE NOCASE;
UPDATE whiten_there SET coded = whiten_index_info(@index) ->> 'rows' WHERE is_index AND NOT same;
INSERT INTO whiten_check (free, same) SELECT is_index, same OR @replace OR NOT coded FROM whiten_there;

-- Statements with names in them: each line of temp.whiten_run is written to a file whose first line removes it, and
-- which the shell then reads.
DROP TABLE IF EXISTS temp.whiten_run;
CREATE TEMP TABLE whiten_run (line TEXT);
INSERT INTO whiten_run
  SELECT printf('DROP TABLE main."%w";', @index) FROM whiten_there WHERE @replace OR NOT same;
INSERT INTO whiten_run
  SELECT printf('CREATE VIRTUAL TABLE main."%w" %s;', @index, arguments) FROM whiten_wanted
  WHERE EXISTS (SELECT 1 FROM whiten_run) OR NOT EXISTS (SELECT 1 FROM whiten_there);
.read "|d=$(mktemp -d \"${TMPDIR:-/tmp}/whiten.XXXXXX\") && printf \"SELECT 1 WHERE writefile('%s/run', (SELECT '.shell rm -r ''%s''' || char(10) || ifnull(group_concat(line, char(10)), '') FROM temp.whiten_run)) IS NULL;\\n.read '%s/run'\\n\" \"$d\" \"$d\" \"$d\""
INSERT INTO whiten_check (made) SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE name = @index COLLATE NOCASE);

DELETE FROM whiten_run;
WITH RECURSIVE step(i, rows) AS (
  SELECT 1, whiten_index_info(@index) ->> 'pending'
  UNION ALL
  SELECT i + 1, rows - @batch FROM step WHERE rows > @batch)
INSERT INTO whiten_run
  SELECT printf('INSERT INTO main."%w"("%w", rank) VALUES (''build'', %d);', @index, @index, @batch)
    || 'SELECT printf(''%d of %d rows'', info ->> ''rows'', (info ->> ''rows'') + (info ->> ''pending'')) AS "index"
    FROM (SELECT whiten_index_info(@index) AS info);'
  FROM step WHERE rows > 0;
-- What others wrote meanwhile.
INSERT INTO whiten_run SELECT printf('INSERT INTO main."%w"("%w") VALUES (''build'');', @index, @index);
.read "|d=$(mktemp -d \"${TMPDIR:-/tmp}/whiten.XXXXXX\") && printf \"SELECT 1 WHERE writefile('%s/run', (SELECT '.shell rm -r ''%s''' || char(10) || group_concat(line, char(10)) FROM temp.whiten_run)) IS NULL;\\n.read '%s/run'\\n\" \"$d\" \"$d\" \"$d\""

SELECT printf('index: name %s, rows %d, pending %d, bytes %d', quote(@index), info ->> 'rows', info ->> 'pending',
  info ->> 'bytes') AS "index"
FROM (SELECT whiten_index_info(@index) AS info);
SELECT printf('recall: %.4f of the 10 nearest of %d rows, in %d us each; one pass over all rows for all of these takes %d us each',
  recall, queries, microseconds, exact_microseconds) AS "index"
FROM whiten_index_recall(@index, 200, 10);
SELECT printf('query: SELECT rowid, similarity FROM "%w"(:query) LIMIT 10;', @index) AS "index";
