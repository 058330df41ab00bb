-- tune: which settings are good for your data, and how sure is that? Measures some 35 settings of whitening, and the
-- raw vectors, by what you know: pairs with scores of how alike they are, or queries with the documents that answer
-- them; or, when you know neither, says a cautious default that was chosen without. sql/fit.sql then takes what is found.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     "CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pairs" ".read sql/tune.sql"
--
-- or edit the views below and run  sqlite3 my.db < sql/tune.sql . A view or parameter set before wins over them. Names
-- that are no plain words go into double quotes: "my table".
--
-- Needs   my_vectors(id, v): what a model will be fitted on; and, where there are labels,
--         my_pairs(a, b, gold): two ids and a number, the more similar the higher (a column of TEXT, as .import makes it:
--         CAST(gold AS REAL) AS gold). Settings are measured by Spearman's correlation of gold and cosine, x 100. Where gold
--         is NULL, or the same, in all rows, a is a query and b a document that answers it: the measure is MRR, the mean of
--         1 / (rank of the query's best document), x 100. Queries are rows of my_queries(id, v), with which the model is
--         fitted, too, or, where that is empty, of my_vectors. Documents are all of my_vectors but those that are only
--         queries; no query finds itself.
--         (whiten_tune itself also tries what can be learned from scored pairs, "within": sql/README.md.)
-- Gives   a line per setting, the best first: k, bytes of a vector, score, gain over raw and the interval of two
--         standard errors around it; what is chosen, or that there is no difference; and what to type next.
-- Cost    one pass over my_vectors (some 10 seconds for 100,000 rows of 768), then seconds. Memory is bounded: of more
--         than 20,000 pairs, 1,000 queries or 10,000 documents a sample is measured. Of many millions of rows let
--         my_vectors take a sample: ... FROM documents WHERE id % 100 = 0. Writes nothing but temporary tables.
-- The settings never see your scores, but the best of so many lies above raw by chance, too: of pure noise by one
-- standard error in one case of three, by two in one of sixteen, by three in one of two hundred. @guard says by how many
-- it must. An id that has no vector, a vector that is NULL or zero and, beside others, a gold that is NULL leave their
-- pair out; the report counts them.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
CREATE TEMP VIEW IF NOT EXISTS my_pairs AS      -- SELECT a, b, gold FROM pairs
  SELECT NULL AS a, NULL AS b, NULL AS gold WHERE 0;
CREATE TEMP VIEW IF NOT EXISTS my_queries AS    -- SELECT id, embedding AS v FROM queries
  SELECT NULL AS id, NULL AS v WHERE 0;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@guard', 2);             -- standard errors that a gain must exceed

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
SELECT printf('tune: %s is no parameter of the scripts, expected one that stands in them', key)
  AS tune FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS
  SELECT NULL AS loaded, NULL AS unknown, NULL AS guard, NULL AS vectors, NULL AS queries, NULL AS unique_ids, NULL AS pairs;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'tune: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'tune: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'tune: @guard is no number from 0 on, expected standard errors that a gain must exceed')
    WHERE NOT new.guard;
  SELECT RAISE(ABORT, 'tune: my_vectors has no vectors') WHERE NOT new.vectors;
  SELECT RAISE(ABORT, 'tune: my_queries has rows, but my_pairs has scores, or no rows: expected documents that answer them')
    WHERE new.queries;
  SELECT RAISE(ABORT, 'tune: an id comes twice in my_vectors or my_queries, expected each once') WHERE NOT new.unique_ids;
  SELECT RAISE(ABORT, 'tune: no row of my_pairs has two vectors: its ids are not those of my_vectors (or my_queries)')
    WHERE new.pairs = 0;
END;
INSERT INTO whiten_check (loaded, unknown, guard)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_fit'),
    EXISTS (SELECT 1 FROM whiten_unknown), typeof(@guard) IN ('integer', 'real') AND @guard BETWEEN 0 AND 1e9;

-- What is known: nothing, scores, or answers; and whether queries are in a view of their own.
DROP TABLE IF EXISTS temp.whiten_known;
CREATE TEMP TABLE whiten_known AS
  SELECT CASE WHEN count(*) = 0 THEN 'nothing' WHEN count(DISTINCT gold) > 1 THEN 'scores' ELSE 'answers' END AS labels,
    EXISTS (SELECT 1 FROM my_queries) AS apart, count(*) AS pairs
  FROM my_pairs;
INSERT INTO whiten_check (vectors, queries, unique_ids)
  SELECT EXISTS (SELECT 1 FROM my_vectors WHERE v IS NOT NULL), apart AND labels <> 'answers',
    NOT EXISTS (SELECT 1 FROM my_vectors WHERE labels <> 'nothing' AND id IS NOT NULL GROUP BY id HAVING count(*) > 1)
      AND NOT EXISTS (SELECT 1 FROM my_queries WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1)
  FROM whiten_known;
DROP VIEW IF EXISTS temp.whiten_query;
CREATE TEMP VIEW whiten_query AS
  SELECT id, v FROM my_queries
  UNION ALL SELECT id, v FROM my_vectors, whiten_known WHERE NOT apart;
DROP VIEW IF EXISTS temp.whiten_answer;
CREATE TEMP VIEW whiten_answer AS
  SELECT q.v AS query, d.v AS document
  FROM my_pairs AS p JOIN whiten_query AS q ON q.id = p.a JOIN my_vectors AS d ON d.id = p.b
  UNION ALL
  SELECT NULL, v FROM my_vectors, whiten_known
  WHERE apart OR id IN (SELECT b FROM my_pairs) OR id NOT IN (SELECT a FROM my_pairs WHERE a IS NOT NULL);

SELECT printf('tune: fits to %d vectors of %d numbers ...',
  (SELECT count(v) FROM my_vectors) + (SELECT count(v) FROM my_queries),
  (SELECT embedding_dim(v) FROM my_vectors WHERE v IS NOT NULL LIMIT 1)) AS tune;
DROP TABLE IF EXISTS temp.whiten_moments;
CREATE TEMP TABLE whiten_moments AS
  SELECT whiten_stats(v) AS stats FROM (SELECT v FROM my_vectors UNION ALL SELECT v FROM my_queries);

SELECT CASE labels WHEN 'scores' THEN printf('tune: measures settings on %d pairs with scores ...', pairs)
    WHEN 'answers' THEN printf('tune: measures settings on %d answers to queries ...', pairs)
    ELSE 'tune: no pairs are given, looks at the vectors alone ...' END AS tune
FROM whiten_known;
DROP TABLE IF EXISTS temp.whiten_found;
CREATE TEMP TABLE whiten_found AS
  SELECT CASE labels
      WHEN 'scores' THEN
        (SELECT whiten_tune((SELECT stats FROM whiten_moments), x.v, y.v, p.gold, json_object('guard', @guard, 'within', json('false')))
         FROM my_pairs AS p JOIN my_vectors AS x ON x.id = p.a JOIN my_vectors AS y ON y.id = p.b)
      WHEN 'answers' THEN
        (SELECT whiten_tune((SELECT stats FROM whiten_moments), query, document, NULL, json_object('guard', @guard, 'within', json('false')))
         FROM whiten_answer)
      ELSE (SELECT whiten_tune((SELECT stats FROM whiten_moments), v) FROM my_vectors) END AS found
  FROM whiten_known;
INSERT INTO whiten_check (pairs) SELECT ifnull(found ->> 'pairs', 0) FROM whiten_found, whiten_known WHERE labels <> 'nothing';

-- Settings in words, the raw vectors among them.
DROP TABLE IF EXISTS temp.whiten_setting;
CREATE TEMP TABLE whiten_setting AS
  WITH setting(k, options, score, gain, se) AS (
    SELECT d, NULL, found ->> 'raw', 0, NULL
    FROM whiten_found, (SELECT embedding_dim(v) AS d FROM my_vectors WHERE v IS NOT NULL LIMIT 1)
    UNION ALL
    SELECT value ->> 'k', value -> 'options', value ->> 'score', value ->> 'gain', value ->> 'se'
    FROM whiten_found, json_each(found, '$.settings')
    UNION ALL
    SELECT found ->> '$.chosen.k', found -> '$.chosen.options', NULL, NULL, NULL
    FROM whiten_found WHERE NOT found ->> 'labels')
  SELECT k, options, score, gain, se,
    CASE WHEN options IS NULL THEN 'raw' ELSE
      CASE ifnull(options ->> 'power', 1) WHEN 1 THEN 'whitened' WHEN 0 THEN 'centred'
        ELSE printf('power %g', options ->> 'power') END
      || CASE WHEN options ->> 'ridge' THEN printf(', ridge %g', options ->> 'ridge') ELSE '' END
      || ifnull(', remove ' || (options ->> 'remove'), '') END AS name,
    k IS found ->> '$.chosen.k' AND options IS found -> '$.chosen.options'
      OR options IS NULL AND found ->> 'chosen' IS NULL AS chosen
  FROM setting, whiten_found;

SELECT CASE found ->> 'measure'
    WHEN 'spearman' THEN printf('tune: pairs %d, left_out %d', found ->> 'pairs', pairs - (found ->> 'pairs'))
    WHEN 'mrr' THEN printf('tune: queries %d, documents %d, answers %d, left_out %d', found ->> 'queries',
      found ->> 'documents', found ->> 'pairs', pairs - (found ->> 'pairs'))
    ELSE printf('tune: rows %d', found ->> 'rows') END AS tune
FROM whiten_found, whiten_known;
-- Laid out here, and not by .mode column, so that the modes of the shell stay as they were.
WITH
  cell(place, name, k, bytes, score, gain, low, high, mark) AS (
    SELECT -1, 'setting', 'k', 'bytes', CASE found ->> 'measure' WHEN 'mrr' THEN 'mrr' ELSE 'spearman' END, 'gain', 'from',
      'to', ''
    FROM whiten_found
    UNION ALL
    SELECT row_number() OVER (ORDER BY score DESC, options IS NULL, rowid), name, k, 4 * k, printf('%.2f', 100 * score),
      printf('%+.2f', 100 * gain), ifnull(printf('%+.2f', 100 * (gain - 2 * se)), ''),
      ifnull(printf('%+.2f', 100 * (gain + 2 * se)), ''), CASE WHEN chosen THEN '<- chosen' ELSE '' END
    FROM whiten_setting),
  width(name) AS (SELECT max(length(name)) FROM cell)
SELECT rtrim(printf('%-!*s  %-5s  %-5s  %-8s  %-6s  %-6s  %-6s  %s', width.name, cell.name, k, bytes, score, gain, low,
  high, mark)) AS tune
FROM cell, width, whiten_found WHERE json_array_length(found, '$.settings') ORDER BY place;
-- Without labels: how the vectors lie before and after.
WITH
  cell(name, mean_cosine, isotropy, contrast) AS (
    SELECT 'setting', 'mean_cosine', 'isotropy', 'contrast'
    UNION ALL
    SELECT name, printf('%.4f', view ->> 'mean_cosine'), printf('%.4f', view ->> 'isotropy'),
      printf('%.2f', view ->> 'contrast')
    FROM (SELECT name, found -> CASE WHEN options IS NULL THEN '$.before' ELSE '$.after' END AS view
          FROM whiten_setting, whiten_found)),
  width(name) AS (SELECT max(length(name)) FROM cell)
SELECT printf('%-!*s  %-11s  %-8s  %s', width.name, cell.name, mean_cosine, isotropy, contrast) AS tune
FROM cell, width, whiten_found WHERE found ->> 'before' IS NOT NULL;

-- What it comes to.
SELECT CASE
    WHEN found ->> 'chosen' IS NOT NULL AND found ->> 'labels' THEN
      printf('chosen: %s, k %d: %.2f, raw %.2f, so %+.2f (%+.2f to %+.2f); %d bytes a vector, raw %d', c.name, c.k,
        100 * c.score, 100 * r.score, 100 * c.gain, 100 * (c.gain - 2 * c.se), 100 * (c.gain + 2 * c.se), 4 * c.k, 4 * r.k)
    WHEN found ->> 'chosen' IS NOT NULL THEN
      printf('chosen without labels: %s, k %d, a cautious default whose gain is not measured; my_pairs would tell',
        c.name, c.k)
    WHEN b.k IS NULL THEN 'no difference can be told: ' || (found ->> 'reason') || '; keep the raw vectors'
    ELSE printf('no difference: the best, %s, k %d, gains %+.2f (%+.2f to %+.2f), no more than %g standard errors; keep the raw vectors',
      b.name, b.k, 100 * b.gain, 100 * (b.gain - 2 * b.se), 100 * (b.gain + 2 * b.se), found ->> 'guard') END AS tune
FROM whiten_found JOIN whiten_setting AS r ON r.options IS NULL
  LEFT JOIN whiten_setting AS c ON c.chosen AND c.options IS NOT NULL
  LEFT JOIN (SELECT * FROM whiten_setting WHERE options IS NOT NULL AND score IS NOT NULL
             ORDER BY score DESC LIMIT 1) AS b;
SELECT printf('next: .parameter set @k %d  .parameter set @options %s  .read sql/fit.sql', k, quote(options)) AS tune
FROM whiten_setting WHERE chosen AND options IS NOT NULL;
SELECT 'warning: ' || value AS tune
FROM json_each((SELECT whiten_info(whiten_solve(stats, k, options)) -> 'warnings' FROM whiten_setting, whiten_moments
                WHERE chosen AND options IS NOT NULL));
