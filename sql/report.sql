-- report: write a page about a table of embeddings: what it holds, what whitening does to it, with which settings and how
-- sure that is. One HTML file with its figures in it; no script, nothing is fetched.
--
--   sqlite3 my.db ".timeout 60000" \
--     "CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM documents" \
--     ".parameter set @file \"'report.html'\"" ".read sql/report.sql"
--
-- or edit the views and settings below and run  sqlite3 my.db < sql/report.sql . What was created or set before wins over
-- them. Better with texts, best with pairs, each of them a view that is created before in the same way:
--
--   CREATE TEMP VIEW my_texts AS SELECT id, title AS text FROM documents;
--   CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pairs;     -- the more alike the higher; NULL: b answers a
--   CREATE TEMP VIEW my_model AS SELECT model FROM whitening WHERE name = 'docs256';       -- whose effect is to be shown
--
-- Needs   my_vectors(id, v), whose ids are not NULL and each there once; two vectors that differ.
-- Gives   @file, which is overwritten, and lines that say so. whiten_tune chooses the settings as tune.sql does, by the pairs if
--         there are any, unless @k or @options or a model are given.
-- Cost    of more than @rows rows so many are looked at, by a fixed rule: the same ones each time. Rows, NULLs and bytes are
--         of all. One pass over all rows, and one that reads the vectors looked at; these are kept in temporary tables.
-- Safe    the database is only read. Texts are written as texts, whatever is in them.

.bail on
.timeout 60000
CREATE TEMP VIEW IF NOT EXISTS my_vectors AS
  SELECT id, embedding AS v FROM documents;
CREATE TEMP VIEW IF NOT EXISTS my_texts AS
  SELECT NULL AS id, NULL AS text WHERE 0;
CREATE TEMP VIEW IF NOT EXISTS my_pairs AS
  SELECT NULL AS a, NULL AS b, NULL AS gold WHERE 0;
CREATE TEMP VIEW IF NOT EXISTS my_model AS
  SELECT NULL AS model WHERE 0;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) VALUES
  ('@file', 'report.html'),  -- the page
  ('@title', NULL),          -- its heading; NULL: where the vectors come from
  ('@picture', NULL),        -- a file for the histograms before and after alone, as SVG
  ('@rows', 20000),          -- how many rows are looked at
  ('@k', NULL),              -- components to keep, and options of whiten_fit: NULL and NULL ask whiten_tune
  ('@options', NULL),
  ('@guard', 2);             -- standard errors that a gain must exceed

-- The extension, unless it is loaded: the installed one, else the one in this folder. A shell of its own tries
-- which of them loads, since a failure here would end the script.
.read "|s=/proc/$PPID/exe; [ -x $s ] || s=sqlite3; for w in whiten ./whiten; do $s -bail -init /dev/null :memory: \".load $w\" </dev/null >/dev/null 2>&1 && echo \"SELECT 1 WHERE CASE WHEN NOT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_tune') THEN load_extension('$w') END;\" && break; done"

-- What is wrong, the first thing first. A parameter that no script has is a misspelt one.
DROP VIEW IF EXISTS temp.whiten_unknown;
CREATE TEMP VIEW whiten_unknown AS
  WITH known(key) AS (VALUES ('@model'), ('@k'), ('@options'), ('@replace'), ('@target'), ('@batch'),
    ('@verify'), ('@kernel'), ('@bias'), ('@guard'), ('@content'), ('@column'), ('@index'), ('@file'), ('@title'),
    ('@picture'), ('@rows'), ('@least'))
  SELECT key FROM temp.sqlite_parameters
  WHERE key NOT IN known AND (key LIKE '@%' OR '@' || ltrim(key, ':$') IN known);
SELECT printf('report: %s is no parameter of the scripts, expected one that stands in them', key)
  AS report FROM whiten_unknown;
DROP VIEW IF EXISTS temp.whiten_check;
CREATE TEMP VIEW whiten_check AS
  SELECT NULL AS loaded, NULL AS unknown, NULL AS text, NULL AS options, NULL AS rows, NULL AS guard,
    NULL AS encoding, NULL AS ids, NULL AS vectors, NULL AS differ, NULL AS pairs, NULL AS written;
CREATE TEMP TRIGGER whiten_checked INSTEAD OF INSERT ON whiten_check BEGIN
  SELECT RAISE(ABORT, 'report: the extension whiten is neither installed nor in this folder')
    WHERE NOT new.loaded;
  SELECT RAISE(ABORT, 'report: a parameter is unknown, nothing was done') WHERE new.unknown;
  SELECT RAISE(ABORT, 'report: @file, @picture or @title is not text, expected such as: .parameter set @file "''report.html''"')
    WHERE NOT new.text;
  SELECT RAISE(ABORT, 'report: @options is not a JSON object, expected such as ''{"ridge": 1}''') WHERE NOT new.options;
  SELECT RAISE(ABORT, 'report: @rows is not an integer above 1') WHERE NOT new.rows;
  SELECT RAISE(ABORT, 'report: @guard is no number from 0 on, expected standard errors that a gain must exceed')
    WHERE NOT new.guard;
  SELECT RAISE(ABORT, 'report: the database is UTF-16, expected UTF-8') WHERE new.encoding <> 'UTF-8';
  SELECT RAISE(ABORT, 'report: an id of my_vectors is NULL or there twice, expected each row to have its own') WHERE NOT new.ids;
  SELECT RAISE(ABORT, 'report: my_vectors has no vectors') WHERE NOT new.vectors;
  SELECT RAISE(ABORT, 'report: the vectors are all alike, expected two that differ') WHERE NOT new.differ;
  SELECT RAISE(ABORT, 'report: no row of my_pairs has two ids of my_vectors, expected pairs or no row at all')
    WHERE NOT new.pairs;
  SELECT RAISE(ABORT, 'report: the file in @file or @picture cannot be written') WHERE NOT new.written;
END;
INSERT INTO whiten_check (loaded, unknown)
  SELECT EXISTS (SELECT 1 FROM pragma_function_list WHERE name = 'whiten_tune'),
    EXISTS (SELECT 1 FROM whiten_unknown);
INSERT INTO whiten_check (text, options, rows, guard, encoding)
  SELECT typeof(@file) = 'text' AND typeof(@picture) IN ('text', 'null') AND typeof(@title) IN ('text', 'null'),
    CASE WHEN @options IS NULL THEN 1 WHEN json_valid(@options) THEN json_type(@options) = 'object' ELSE 0 END,
    CASE WHEN typeof(@rows) = 'integer' THEN @rows > 1 ELSE 0 END,
    typeof(@guard) IN ('integer', 'real') AND @guard BETWEEN 0 AND 1e9, (SELECT encoding FROM pragma_encoding);

-- ---- What is looked at

DROP TABLE IF EXISTS temp.whiten_clock;
CREATE TEMP TABLE whiten_clock (name TEXT PRIMARY KEY, at REAL);
INSERT INTO whiten_clock VALUES ('start', julianday('now'));

-- One pass over all rows, which reads no vector: how many, how long, and their places in the order of the ids.
DROP TABLE IF EXISTS temp.whiten_place;
CREATE TEMP TABLE whiten_place AS SELECT id, typeof(v) AS type, length(v) AS bytes FROM my_vectors ORDER BY v IS NULL, id;
DROP TABLE IF EXISTS temp.whiten_kind;
CREATE TEMP TABLE whiten_kind AS SELECT type, count(*) AS rows, total(bytes) AS bytes FROM whiten_place GROUP BY 1;
DELETE FROM whiten_place WHERE type = 'null';
CREATE INDEX temp.whiten_place_id ON whiten_place (id);
INSERT INTO whiten_check (vectors) SELECT count(*) > 0 FROM whiten_place;
INSERT INTO whiten_check (ids) SELECT count(id) = count(*) AND count(DISTINCT id) = count(*) FROM whiten_place;

-- The rule: a place, times the golden section of 2^32, modulo 2^32, is spread evenly whatever the rows' order; the lowest
-- are taken. No more than fill 200 MB.
DROP TABLE IF EXISTS temp.whiten_chosen;
CREATE TEMP TABLE whiten_chosen AS
  SELECT id FROM whiten_place,
    (SELECT count(*) AS n FROM whiten_place),
    (SELECT max(2, min(@rows, 2e8 / max(4, max(bytes / rows)))) AS most FROM whiten_kind WHERE type <> 'null')
  WHERE whiten_place.rowid * 2654435769 % 4294967296 < 4294967296.0 * most / n;
CREATE INDEX temp.whiten_chosen_id ON whiten_chosen (id);
SELECT printf('report: reads %d of %d vectors ...', (SELECT count(*) FROM whiten_chosen), (SELECT count(*) FROM whiten_place)) AS report;
DROP TABLE IF EXISTS temp.whiten_seen;
CREATE TEMP TABLE whiten_seen AS
  SELECT id, CASE WHEN embedding_valid(v) THEN embedding(v) END AS v FROM my_vectors
  WHERE id IN (SELECT id FROM whiten_chosen) AND v IS NOT NULL ORDER BY id;
INSERT INTO whiten_check (vectors) SELECT count(v) > 0 FROM whiten_seen;
-- Rows of the dimension that most have.
DROP TABLE IF EXISTS temp.whiten_row;
CREATE TEMP TABLE whiten_row AS
  SELECT id, v FROM whiten_seen
  WHERE length(v) = (SELECT length(v) FROM whiten_seen WHERE v IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1)
  ORDER BY rowid;
CREATE INDEX temp.whiten_row_id ON whiten_row (id);
DROP TABLE IF EXISTS temp.whiten_held;
CREATE TEMP TABLE whiten_held AS
  SELECT (SELECT count(*) FROM whiten_seen) AS seen, (SELECT count(*) FROM whiten_seen WHERE v IS NULL) AS invalid,
    count(*) AS m, length(v) / 4 AS d, count(*) - count(DISTINCT v) AS duplicates, total(norm = 0) AS zeros,
    min(norm) AS least, avg(norm) AS mean, max(norm) AS most
  FROM (SELECT v, embedding_norm(v) AS norm FROM whiten_row);
DROP TABLE whiten_seen;
INSERT INTO whiten_check (differ) SELECT m - duplicates > 1 FROM whiten_held;

-- Pairs: up to 20,000 by the same rule, whose vectors need not be among the rows looked at.
DROP TABLE IF EXISTS temp.whiten_known;
CREATE TEMP TABLE whiten_known AS
  SELECT x.id AS a, y.id AS b, p.gold AS gold
  FROM (SELECT a, b, gold, row_number() OVER (ORDER BY a, b) AS place, count(*) OVER () AS n FROM my_pairs) AS p
    JOIN whiten_place AS x ON x.id = p.a JOIN whiten_place AS y ON y.id = p.b
  WHERE p.place * 2654435769 % 4294967296 < 4294967296.0 * 20000 / p.n;
-- Scores that are all the same are none: then b answers a.
UPDATE whiten_known SET gold = NULL WHERE (SELECT min(gold) IS max(gold) FROM whiten_known);
INSERT INTO whiten_check (pairs)
  SELECT EXISTS (SELECT 1 FROM whiten_known) OR NOT EXISTS (SELECT 1 FROM my_pairs);
DROP TABLE IF EXISTS temp.whiten_paired;
CREATE TEMP TABLE whiten_paired AS
  SELECT id, embedding(v) AS v FROM my_vectors
  WHERE (id IN (SELECT a FROM whiten_known) OR id IN (SELECT b FROM whiten_known))
    AND embedding_valid(v, (SELECT d FROM whiten_held));
CREATE INDEX temp.whiten_paired_id ON whiten_paired (id);

-- ---- The settings, the model, the whitened vectors

DROP TABLE IF EXISTS temp.whiten_moments;
CREATE TEMP TABLE whiten_moments AS SELECT whiten_stats(v) AS stats FROM whiten_row;
-- What tune.sql asks: scored pairs, or queries, their answers and the documents beside them; nothing learned from the pairs.
DROP VIEW IF EXISTS temp.whiten_asked;
CREATE TEMP VIEW whiten_asked AS
  SELECT x.v AS a, y.v AS b, gold
  FROM whiten_known JOIN whiten_paired AS x ON x.id = whiten_known.a JOIN whiten_paired AS y ON y.id = whiten_known.b
  UNION ALL
  SELECT NULL, v, NULL FROM (SELECT id, v FROM whiten_row UNION SELECT id, v FROM whiten_paired)
  WHERE (SELECT count(*) > 0 AND max(gold) IS NULL FROM whiten_known)
    AND (id IN (SELECT b FROM whiten_known) OR id NOT IN (SELECT a FROM whiten_known));
SELECT CASE WHEN count(*) = 0 THEN 'report: no pairs are given, looks at the vectors alone ...'
    WHEN max(gold) IS NULL THEN printf('report: measures settings on %d answers to queries ...', count(*))
    ELSE printf('report: measures settings on %d pairs with scores ...', count(*)) END AS report
FROM whiten_known;
DROP TABLE IF EXISTS temp.whiten_tuned;
CREATE TEMP TABLE whiten_tuned AS
  SELECT CASE WHEN EXISTS (SELECT 1 FROM whiten_known) THEN
      (SELECT whiten_tune((SELECT stats FROM whiten_moments), a, b, gold, json_object('guard', @guard, 'within', json('false')))
       FROM whiten_asked)
    ELSE (SELECT whiten_tune((SELECT stats FROM whiten_moments), v) FROM whiten_row) END AS result;
DROP TABLE IF EXISTS temp.whiten_setting;
CREATE TEMP TABLE whiten_setting AS
  SELECT key AS place, value ->> 'k' AS k, value -> 'options' AS options, value ->> 'score' AS score, value ->> 'gain' AS gain,
    value ->> 'se' AS se, value ->> 'k' IS result ->> '$.chosen.k' AND value -> 'options' IS result -> '$.chosen.options' AS chosen
  FROM whiten_tuned, json_each(result, '$.settings') WHERE value ->> 'options' IS NOT NULL;
-- Where no setting beats the raw vectors the best of those that whiten is shown, and said to be that.
DROP TABLE IF EXISTS temp.whiten_plan;
CREATE TEMP TABLE whiten_plan AS
  SELECT CASE WHEN EXISTS (SELECT 1 FROM my_model) THEN 'model' WHEN @k IS NOT NULL OR @options IS NOT NULL THEN 'given'
      WHEN NOT result ->> 'labels' THEN 'unlabelled' WHEN result ->> 'chosen' IS NULL THEN 'raw' ELSE 'pairs' END AS source,
    CASE WHEN @k IS NOT NULL OR @options IS NOT NULL THEN @k WHEN result ->> 'chosen' IS NOT NULL THEN result ->> '$.chosen.k'
      ELSE (SELECT k FROM whiten_setting ORDER BY score DESC, place LIMIT 1) END AS k,
    CASE WHEN @k IS NOT NULL OR @options IS NOT NULL THEN ifnull(@options, '{}')
      WHEN result ->> 'chosen' IS NOT NULL THEN result -> '$.chosen.options'
      ELSE ifnull((SELECT options FROM whiten_setting ORDER BY score DESC, place LIMIT 1), '{"power":0.5}') END AS options
  FROM whiten_tuned;
-- For the option within: pairs that are related, all those without scores, of others the top quarter.
DROP TABLE IF EXISTS temp.whiten_related;
CREATE TEMP TABLE whiten_related AS
  SELECT whiten_pair_stats(x.v, y.v) AS stats
  FROM whiten_known JOIN whiten_paired AS x ON x.id = a JOIN whiten_paired AS y ON y.id = b
  WHERE (SELECT options ->> 'within' FROM whiten_plan) IS NOT NULL AND (gold IS NULL OR gold >= (
    SELECT min(gold) FROM (SELECT gold, ntile(4) OVER (ORDER BY gold DESC) AS quarter FROM whiten_known) WHERE quarter = 1));
INSERT INTO whiten_clock VALUES ('fit', julianday('now'));
DROP TABLE IF EXISTS temp.whiten_fitted;
CREATE TEMP TABLE whiten_fitted AS
  SELECT CASE WHEN source = 'model' THEN (SELECT model FROM my_model)
    WHEN options ->> 'within' IS NULL THEN whiten_solve(stats, k, options)
    ELSE whiten_solve(stats, k, options, (SELECT stats FROM whiten_related)) END AS model
  FROM whiten_plan, whiten_moments;
INSERT INTO whiten_clock VALUES ('fitted', julianday('now'));
-- Every direction, for the spectrum.
ALTER TABLE whiten_fitted ADD COLUMN every BLOB;
UPDATE whiten_fitted SET every = (SELECT whiten_solve(stats) FROM whiten_moments);
INSERT INTO whiten_clock VALUES ('apply', julianday('now'));
DROP TABLE IF EXISTS temp.whiten_white;
CREATE TEMP TABLE whiten_white AS
  SELECT whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), v) AS v FROM whiten_row ORDER BY rowid;
INSERT INTO whiten_clock VALUES ('applied', julianday('now'));

SELECT 'report: compares and draws ...' AS report;

-- ---- Words, escaped in one place: html is what stands in the page. A text ends at NUL.

DROP TABLE IF EXISTS temp.whiten_word;
CREATE TEMP TABLE whiten_word (name PRIMARY KEY, text TEXT, html TEXT AS (replace(replace(replace(replace(
  printf('%s', text), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;')) STORED) WITHOUT ROWID;
INSERT INTO whiten_word
  SELECT 'source', trim(substr(line, instr(upper(line), ' AS ') + 4))
  FROM (SELECT replace(sql, char(10), ' ') AS line FROM temp.sqlite_schema WHERE name = 'my_vectors');
INSERT INTO whiten_word SELECT 'title', ifnull(@title, 'Embeddings');
INSERT INTO whiten_word
  SELECT 'setting', CASE source WHEN 'model' THEN 'the model of my_model' ELSE
      ifnull((SELECT group_concat(key || ' ' || CASE type WHEN 'real' THEN printf('%g', atom) ELSE atom END, ', ') FROM json_each(options)), 'whitened in full') END
    || ', k = ' || (whiten_info(model) ->> 'k')
  FROM whiten_plan, whiten_fitted;
INSERT INTO whiten_word SELECT 'reason', result ->> 'reason' FROM whiten_tuned;
INSERT INTO whiten_word
  SELECT 'measure', CASE result ->> 'measure' WHEN 'mrr' THEN 'mean reciprocal rank of the right answers' WHEN 'spearman'
    THEN 'Spearman''s correlation of cosine and gold' ELSE result ->> 'measure' END FROM whiten_tuned;
INSERT INTO whiten_word
  SELECT 'warning ' || key, value FROM whiten_fitted, json_each(whiten_info(model), '$.warnings');
INSERT INTO whiten_word
  SELECT 'warning of rows', printf('%,d of the rows looked at hold no vector (no BLOB of float32 and no JSON, or something in it is no number): left out.', invalid)
  FROM whiten_held WHERE invalid > 0;
INSERT INTO whiten_word
  SELECT 'warning of sizes', printf('%,d of the rows looked at have another dimension than %d: left out.', seen - invalid - m, d)
  FROM whiten_held WHERE seen - invalid > m;

-- Five rows whose neighbours are shown, evenly spread; up to 2,000 for the map.
DROP TABLE IF EXISTS temp.whiten_query;
CREATE TEMP TABLE whiten_query AS
  SELECT row_number() OVER (ORDER BY a) AS number, a FROM (
    SELECT min(r.rowid) AS a FROM whiten_row AS r, whiten_held
    WHERE embedding_norm(v) > 0 GROUP BY (r.rowid - 1) * 5 / m);
DROP TABLE IF EXISTS temp.whiten_near;
CREATE TEMP TABLE whiten_near AS
  SELECT * FROM (
    SELECT side, number, a, b, cosine, row_number() OVER (PARTITION BY side, number ORDER BY cosine DESC, b) AS rank FROM (
      SELECT 'raw' AS side, number, a, y.rowid AS b, cosine_sim(x.v, y.v) AS cosine
      FROM whiten_query JOIN whiten_row AS x ON x.rowid = a JOIN whiten_row AS y ON y.rowid <> a
      UNION ALL
      SELECT 'whitened', number, a, y.rowid, cosine_sim(x.v, y.v)
      FROM whiten_query JOIN whiten_white AS x ON x.rowid = a JOIN whiten_white AS y ON y.rowid <> a)
    WHERE cosine IS NOT NULL)
  WHERE rank <= 5;
DROP TABLE IF EXISTS temp.whiten_dot;
CREATE TEMP TABLE whiten_dot AS
  SELECT r.rowid AS a, embedding_as(whiten_apply((SELECT whiten_model(whiten_solve(stats,
    min(2, (SELECT whiten_info(every) ->> 'k' FROM whiten_fitted)))) FROM whiten_moments), v), 'json') AS y
  FROM whiten_row AS r, whiten_held
  WHERE r.rowid * 2654435769 % 4294967296 < 4294967296.0 * 1990 / m OR r.rowid IN (SELECT a FROM whiten_query);
INSERT INTO whiten_word
  SELECT r.rowid, CASE WHEN length(t.text) > 160 THEN substr(t.text, 1, 159) || '…' ELSE ifnull(t.text, 'row ' || r.id) END
  FROM whiten_row AS r LEFT JOIN (
    SELECT id, min(CAST(text AS TEXT)) AS text FROM my_texts
    WHERE id IN (SELECT id FROM whiten_row WHERE rowid IN (SELECT a FROM whiten_dot UNION SELECT b FROM whiten_near))
    GROUP BY id) AS t ON t.id = r.id
  WHERE r.rowid IN (SELECT a FROM whiten_dot UNION SELECT b FROM whiten_near);

-- ---- Figures: panels with two scales, points that make paths, and one view that draws them, 340 x 215

DROP TABLE IF EXISTS temp.whiten_panel;
CREATE TEMP TABLE whiten_panel (panel TEXT PRIMARY KEY, title TEXT, alt TEXT, inside TEXT DEFAULT '');
DROP TABLE IF EXISTS temp.whiten_scale;
CREATE TEMP TABLE whiten_scale (panel TEXT, axis TEXT, lo REAL, hi REAL, step REAL, title TEXT, PRIMARY KEY (panel, axis));
DROP TABLE IF EXISTS temp.whiten_point;
CREATE TEMP TABLE whiten_point (panel TEXT, class TEXT, place INTEGER, x REAL, y REAL);
DROP VIEW IF EXISTS temp.whiten_step;
CREATE TEMP VIEW whiten_step AS
  WITH RECURSIVE power(p) AS (SELECT 0.01 UNION ALL SELECT p * 10 FROM power WHERE p < 1e5)
  SELECT p * n AS step FROM power, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 5);
DROP VIEW IF EXISTS temp.whiten_pixel;
CREATE TEMP VIEW whiten_pixel AS
  SELECT p.panel, class, place, 44 + 286 * (p.x - h.lo) / (h.hi - h.lo) AS x, 172 - 146 * (p.y - v.lo) / (v.hi - v.lo) AS y
  FROM whiten_point AS p JOIN whiten_scale AS h ON h.panel = p.panel AND h.axis = 'x'
    JOIN whiten_scale AS v ON v.panel = p.panel AND v.axis = 'y';
DROP VIEW IF EXISTS temp.whiten_tick;
CREATE TEMP VIEW whiten_tick AS
  WITH RECURSIVE tick(panel, axis, at) AS (
    SELECT panel, axis, step * (CAST(lo / step AS INTEGER) + (lo > step * CAST(lo / step AS INTEGER))) FROM whiten_scale
    UNION ALL
    SELECT panel, axis, at + step FROM tick JOIN whiten_scale USING (panel, axis) WHERE at + step <= hi + step / 1000)
  SELECT panel, axis, (at - lo) / (hi - lo) AS at, CASE WHEN panel = 'variance' AND axis = 'y'
    THEN printf('10<tspan dy="-4" font-size="8">%d</tspan>', at) ELSE printf('%g', round(at, 6)) END AS label
  FROM tick JOIN whiten_scale USING (panel, axis);
DROP VIEW IF EXISTS temp.whiten_svg;
CREATE TEMP VIEW whiten_svg AS
  SELECT panel, printf('<svg viewBox="0 0 340 215" role="img" aria-label="%s"><text class="title" x="44" y="14">%s</text>', alt, title)
    || (SELECT group_concat(CASE axis
        WHEN 'x' THEN printf('<path class="grid" d="M%.1f 172V176"/><text x="%.1f" y="189" text-anchor="middle">%s</text>',
          44 + 286 * at, 44 + 286 * at, label)
        ELSE printf('<path class="grid" d="M44 %.1fH330"/><text x="39" y="%.1f" text-anchor="end">%s</text>',
          172 - 146 * at, 176 - 146 * at, label) END, '') FROM whiten_tick AS t WHERE t.panel = p.panel)
    || ifnull((SELECT group_concat(printf('<path class="%s" d="M%s"/>', class, path), '') FROM (
        SELECT class, group_concat(printf('%.1f %.1f', x, y), 'L') AS path
        FROM (SELECT * FROM whiten_pixel AS x WHERE x.panel = p.panel ORDER BY class, place) GROUP BY class ORDER BY class)), '')
    || '<path class="axis" d="M44 172.5H330"/>' || inside
    || (SELECT group_concat(CASE axis
        WHEN 'x' THEN printf('<text x="187" y="208" text-anchor="middle">%s</text>', s.title)
        ELSE printf('<text transform="translate(10 99) rotate(-90)" text-anchor="middle">%s</text>', s.title) END, '')
        FROM whiten_scale AS s WHERE s.panel = p.panel) || '</svg>' AS svg
  FROM whiten_panel AS p;

-- Cosines of random pairs: all of them, or 60,000 by the Lehmer generator x <- 48271 x mod (2^31 - 1); and of the known
-- pairs: of those with scores the top quarter.
DROP TABLE IF EXISTS temp.whiten_pick;
CREATE TEMP TABLE whiten_pick AS
  SELECT x.rowid AS a, y.rowid AS b FROM whiten_row AS x JOIN whiten_row AS y ON y.rowid < x.rowid
  WHERE (SELECT m FROM whiten_held) <= 346;
INSERT INTO whiten_pick
  WITH RECURSIVE draw(n, x) AS (
    SELECT 1, 48271 UNION ALL SELECT n + 1, x * 48271 % 2147483647 FROM draw WHERE n < 60000)
  SELECT 1 + x % m, 1 + (x * 48271 % 2147483647) % m FROM draw, whiten_held
  WHERE m > 346 AND x % m <> (x * 48271 % 2147483647) % m;
DROP TABLE IF EXISTS temp.whiten_cosine;
CREATE TEMP TABLE whiten_cosine (panel TEXT, class TEXT, cosine REAL);
INSERT INTO whiten_cosine
  SELECT 'before', 'fill', cosine_sim(x.v, y.v)
  FROM whiten_pick JOIN whiten_row AS x ON x.rowid = a JOIN whiten_row AS y ON y.rowid = b;
INSERT INTO whiten_cosine
  SELECT 'after', 'fill', cosine_sim(x.v, y.v)
  FROM whiten_pick JOIN whiten_white AS x ON x.rowid = a JOIN whiten_white AS y ON y.rowid = b;
INSERT INTO whiten_cosine
  WITH close AS (
    SELECT x.v AS x, y.v AS y, ntile(4) OVER (ORDER BY gold DESC) = 1 OR min(gold) OVER () IS max(gold) OVER () AS top
    FROM whiten_known JOIN whiten_paired AS x ON x.id = a JOIN whiten_paired AS y ON y.id = b)
  SELECT 'before', 'line', cosine_sim(x, y) FROM close WHERE top
  UNION ALL
  SELECT 'after', 'line', cosine_sim(whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), x),
    whiten_apply((SELECT whiten_model(model) FROM whiten_fitted), y)) FROM close WHERE top;
DELETE FROM whiten_cosine WHERE cosine IS NULL;
DROP TABLE IF EXISTS temp.whiten_bar;
CREATE TEMP TABLE whiten_bar AS
  WITH RECURSIVE bin(bin) AS (SELECT 0 UNION ALL SELECT bin + 1 FROM bin WHERE bin < 49)
  SELECT panel, class, bin, 100.0 * ifnull(n, 0) / sum(n) OVER (PARTITION BY panel, class) AS share
  FROM (SELECT DISTINCT panel, class FROM whiten_cosine) JOIN bin LEFT JOIN (
    SELECT panel, class, min(49, CAST((cosine + 1) * 25 AS INTEGER)) AS bin, count(*) AS n FROM whiten_cosine GROUP BY 1, 2, 3)
    USING (panel, class, bin);
INSERT INTO whiten_panel (panel, title, alt)
  SELECT panel, CASE panel WHEN 'before' THEN 'Before: raw vectors' ELSE 'After: whitened' END,
    printf('Histogram of cosines of random pairs of rows, %s whitening: mean %.2f, nine of ten between %.2f and %.2f',
      panel, round(avg(cosine), 2) + 0.0, max(cosine) FILTER (WHERE twentieth = 1), min(cosine) FILTER (WHERE twentieth = 20))
  FROM (SELECT panel, cosine, ntile(20) OVER (PARTITION BY panel ORDER BY cosine) AS twentieth FROM whiten_cosine WHERE class = 'fill')
  GROUP BY 1;
INSERT INTO whiten_scale
  SELECT panel, 'x', -1, 1, 0.5, 'cosine' FROM whiten_panel
  UNION ALL
  SELECT panel, 'y', 0, step * (1 + CAST(most * 0.999 / step AS INTEGER)), step, 'share of its kind, %' FROM (
    SELECT panel, most, (SELECT min(step) FROM whiten_step WHERE most <= 4 * step) AS step
    FROM (SELECT panel, max(share) AS most FROM whiten_bar GROUP BY 1));
INSERT INTO whiten_point
  SELECT panel, class, -1, -1, 0 FROM whiten_bar WHERE bin = 0
  UNION ALL SELECT panel, class, 2 * bin, bin / 25.0 - 1, share FROM whiten_bar
  UNION ALL SELECT panel, class, 2 * bin + 1, (bin + 1) / 25.0 - 1, share FROM whiten_bar
  UNION ALL SELECT panel, class, 100, 1, 0 FROM whiten_bar WHERE bin = 0;

-- The spectrum; what lies beyond the rank is rounding. SQLite may have no log10: the exponent of %e, and the series of
-- artanh for the rest.
DROP TABLE IF EXISTS temp.whiten_component;
CREATE TEMP TABLE whiten_component AS
  SELECT component, ratio, cumulative, (SELECT whiten_info(every) ->> 'k' FROM whiten_fitted) AS rank, exponent + 0.5 + 0.868588964 * (z + z * z * z * (1.0 / 3 + z * z * (0.2 + z * z / 7))) AS power
  FROM (SELECT *, (mantissa - 3.16227766) / (mantissa + 3.16227766) AS z FROM (
    SELECT *, CAST(substr(shown, 1, 11) AS REAL) AS mantissa, CAST(substr(shown, 13) AS INTEGER) AS exponent FROM (
      SELECT component, ratio, cumulative, printf('%.9e', ratio * count(*) OVER ()) AS shown
      FROM whiten_spectrum((SELECT every FROM whiten_fitted)))));
INSERT INTO whiten_panel (panel, title, alt)
  SELECT 'share', 'Cumulative share of the variance', printf('Cumulative share of the variance: %.0f %% in the first component, 90 %% in the first %d of %d',
    100 * max(ratio), min(component) FILTER (WHERE cumulative >= 0.9), count(*)) FROM whiten_component
  UNION ALL
  SELECT 'variance', 'Variance of each component', printf('Variance of each component, times the mean: from %.2g to %.2g',
    max(ratio) * count(*), min(ratio) FILTER (WHERE component <= rank) * count(*)) FROM whiten_component;
INSERT INTO whiten_scale
  SELECT panel, 'x', 0, n, (SELECT min(step) FROM whiten_step WHERE n <= 5 * step AND step >= 1), 'component'
  FROM whiten_panel, (SELECT count(*) AS n FROM whiten_component) WHERE panel IN ('share', 'variance')
  UNION ALL SELECT 'share', 'y', 0, 100, 25, 'sum so far, %'
  UNION ALL
  SELECT 'variance', 'y', lo, hi, 1 + (hi - lo) / 6, 'times the mean' FROM (
    SELECT CAST(min(power) - 1 AS INTEGER) AS lo, CAST(max(power) + 1 AS INTEGER) AS hi FROM whiten_component WHERE component <= rank);
INSERT INTO whiten_point
  SELECT panel, 'line', component, component, CASE panel WHEN 'share' THEN 100 * cumulative ELSE power END
  FROM whiten_component, (SELECT count(*) AS n FROM whiten_component), (SELECT 'share' AS panel UNION SELECT 'variance')
  WHERE (component <= 100 OR component = n OR component % (1 + n / 300) = 0) AND (panel = 'share' OR component <= rank)
  UNION ALL SELECT 'share', 'line', 0, 0, 0
  UNION ALL SELECT 'share', 'mark', place, place * min(component), 90 FROM whiten_component, (SELECT 0 AS place UNION SELECT 1)
  WHERE cumulative >= 0.9 GROUP BY place
  UNION ALL SELECT 'share', 'mark', 2, min(component), 0 FROM whiten_component WHERE cumulative >= 0.9;

-- The map: places in units of their own spread.
INSERT INTO whiten_scale
  SELECT 'map', axis, lo, hi, (SELECT min(step) FROM whiten_step WHERE hi - lo <= 6 * step),
    CASE axis WHEN 'x' THEN 'first' ELSE 'second' END || ' component (sd)'
  FROM (SELECT axis, min(at) - 0.3 AS lo, max(at) + 0.3 AS hi FROM (
    SELECT 'x' AS axis, y ->> 0 AS at FROM whiten_dot UNION ALL SELECT 'y', ifnull(y ->> 1, 0) FROM whiten_dot) GROUP BY 1);
INSERT INTO whiten_point SELECT 'map', 'dot', a, y ->> 0, ifnull(y ->> 1, 0) FROM whiten_dot;
INSERT INTO whiten_panel (panel, title, alt, inside)
  SELECT 'map', '', printf('Map of %d rows in the first two whitened components', (SELECT count(*) FROM whiten_dot)),
    (SELECT group_concat(printf('<circle class="dot" cx="%.1f" cy="%.1f" r="1.6"><title>', x, y) || html || '</title></circle>', '')
     FROM (SELECT * FROM whiten_pixel WHERE panel = 'map' ORDER BY place) JOIN whiten_word ON name = place)
    || (SELECT group_concat(printf('<g class="five"><circle cx="%.1f" cy="%.1f" r="4"/><text x="%.1f" y="%.1f">%d</text></g>',
        x, y, x + 6, y + 4, number), '')
     FROM whiten_query JOIN whiten_pixel ON panel = 'map' AND place = a);
DELETE FROM whiten_point WHERE panel = 'map';

DROP VIEW IF EXISTS temp.whiten_style;
CREATE TEMP VIEW whiten_style AS SELECT
  ':root { --paper: #fff; --ink: #1c2127; --soft: #59636e; --rule: #dce0e5; --fill: #b9c1ca; --mark: #1558b0 }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e4e7ea; --soft: #a0a9b3; --rule: #343a41; --fill: #59626c; --mark: #8ab4f8 } }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink) } svg .title { font-weight: 600 }
.fill { fill: var(--fill) } .line { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linejoin: round }
.mark { fill: none; stroke: var(--soft); stroke-dasharray: 4 3 } .grid { stroke: var(--rule) } .axis { stroke: var(--soft) }
.dot { fill: var(--mark); fill-opacity: .55 } .five circle { fill: none; stroke: var(--ink); stroke-width: 1.5 }
.five text { font-weight: 700; paint-order: stroke; stroke: var(--paper); stroke-width: 3 }' AS style;

-- ---- Size and speed: five searches over the rows looked at, in memory

INSERT INTO whiten_clock VALUES ('raw', julianday('now'));
DROP TABLE IF EXISTS temp.whiten_scan;
CREATE TEMP TABLE whiten_scan AS
  SELECT count(cosine_sim(x.v, y.v)) AS n FROM whiten_query JOIN whiten_row AS x ON x.rowid = a CROSS JOIN whiten_row AS y;
INSERT INTO whiten_clock VALUES ('white', julianday('now'));
INSERT INTO whiten_scan
  SELECT count(cosine_sim(x.v, y.v)) FROM whiten_query JOIN whiten_white AS x ON x.rowid = a CROSS JOIN whiten_white AS y;
INSERT INTO whiten_clock VALUES ('end', julianday('now'));
DROP TABLE IF EXISTS temp.whiten_facts;
CREATE TEMP TABLE whiten_facts AS
  SELECT held.*, rows, nulls, bytes, encodings, k, measure, pairs, guard, raw, labels, source,
    86400 * ((SELECT at FROM whiten_clock WHERE name = 'white') - (SELECT at FROM whiten_clock WHERE name = 'raw')) AS raw_s,
    86400 * ((SELECT at FROM whiten_clock WHERE name = 'end') - (SELECT at FROM whiten_clock WHERE name = 'white')) AS white_s,
    86400 * ((SELECT at FROM whiten_clock WHERE name = 'fitted') - (SELECT at FROM whiten_clock WHERE name = 'fit')) AS fit_s,
    86400 * ((SELECT at FROM whiten_clock WHERE name = 'applied') - (SELECT at FROM whiten_clock WHERE name = 'apply')) AS apply_s,
    mean_before, mean_after, isotropy_before, isotropy_after
  FROM whiten_held AS held, (SELECT source FROM whiten_plan),
    (SELECT total(rows) AS rows, total(rows) FILTER (WHERE type = 'null') AS nulls, total(bytes) AS bytes,
      group_concat(CASE type WHEN 'blob' THEN 'float32 in a BLOB' WHEN 'text' THEN 'JSON in TEXT' ELSE type END, ', ')
        FILTER (WHERE type <> 'null') AS encodings FROM whiten_kind),
    (SELECT whiten_info(model) ->> 'k' AS k FROM whiten_fitted),
    (SELECT result ->> 'measure' AS measure, result ->> 'pairs' AS pairs, result ->> 'guard' AS guard, result ->> 'raw' AS raw,
      result ->> 'labels' AS labels FROM whiten_tuned),
    (SELECT mean_cosine(v) AS mean_before, isotropy(v) AS isotropy_before FROM whiten_row),
    (SELECT mean_cosine(v) AS mean_after, isotropy(v) AS isotropy_after FROM whiten_white);
DROP TABLE IF EXISTS temp.whiten_size;
CREATE TEMP TABLE whiten_size (name TEXT PRIMARY KEY, bytes REAL, shown TEXT AS (CASE WHEN bytes >= 1e9 THEN printf('%.2f GB', bytes / 1e9)
  WHEN bytes >= 1e6 THEN printf('%.1f MB', bytes / 1e6) WHEN bytes >= 1e4 THEN printf('%.0f KB', bytes / 1e3) ELSE printf('%,d B', bytes) END));
INSERT INTO whiten_size (name, bytes)
  SELECT 'all', bytes FROM whiten_facts
  UNION ALL SELECT 'one', bytes / (rows - nulls) FROM whiten_facts
  UNION ALL SELECT 'all white', 4.0 * k * (rows - nulls) FROM whiten_facts
  UNION ALL SELECT 'one white', 4.0 * k FROM whiten_facts
  UNION ALL SELECT 'all codes', (5.0 * k / 8 + 21) * (rows - nulls) FROM whiten_facts
  UNION ALL SELECT 'one code', 5.0 * k / 8 + 21 FROM whiten_facts;

-- ---- The page, part by part

DROP TABLE IF EXISTS temp.whiten_page;
CREATE TEMP TABLE whiten_page (part INTEGER PRIMARY KEY, html TEXT);
INSERT INTO whiten_page (html)
  SELECT '<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''"/>
<title>' || html || '</title><style>
' || style || '
:root { color-scheme: light dark } @media print { :root { color-scheme: light } }
body { max-width: 1040px; margin: 0 auto; padding: 24px 16px 48px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; -webkit-text-size-adjust: 100% }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 4px } h2 { font-size: 20px; margin: 40px 0 8px } h3 { font-size: 16px; margin: 24px 0 4px }
h4 { font-size: 13px; font-weight: 600; color: var(--soft); margin: 8px 0 2px } p { max-width: 70ch; margin: 8px 0 } .soft { color: var(--soft) }
code { font: 13px ui-monospace, monospace } bdi, code { overflow-wrap: anywhere }
svg { display: block; width: 100%; height: auto } .two svg { max-width: 440px }
.two { display: grid; gap: 12px 32px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)) }
figure { margin: 12px 0; break-inside: avoid } .map svg { max-width: 760px }
@media (max-width: 500px) { th, td { padding-right: 8px; font-size: 14px } .sizes td, .sizes th { font-size: 12px; white-space: normal }
  .settings td:first-child { width: 38% } .settings td:last-child { width: 34% } }
@media (min-width: 700px) { .map svg text { font-size: 6.5px } .map .dot { r: 1.2px } .map .five circle { r: 2.5px; stroke-width: 1 } }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } th, td { text-align: left; vertical-align: top; padding: 4px 16px 4px 0;
  border-bottom: 1px solid var(--rule) } th { font-weight: 400; color: var(--soft) } .number { text-align: right }
.number { white-space: nowrap } .number span { display: block } .settings .number span { font-size: 13px; color: var(--soft) }
@media (min-width: 700px), print { .settings .number span { display: inline-block; min-width: 6.5em; margin-left: 10px } }
.settings { width: 100%; max-width: 820px } .settings td { vertical-align: middle } .settings td:last-child { width: 45%; padding: 0 }
.settings tr { break-inside: avoid }
.settings svg { height: 26px } .settings .zero { stroke: var(--soft); stroke-dasharray: 3 3 } .settings path { vector-effect: non-scaling-stroke }
.settings .best td { font-weight: 700 } ol { list-style: none; margin: 0; padding: 0 } article { break-inside: avoid }
li { display: grid; grid-template-columns: 3.2em 1fr; padding: 3px 0; border-bottom: 1px solid var(--rule); font-size: 14px; line-height: 1.4 }
li span { font-variant-numeric: tabular-nums; color: var(--soft) } em { font-style: normal; font-size: 12px; border: 1px solid var(--soft);
  border-radius: 3px; padding: 0 4px; color: var(--soft); white-space: nowrap } .warning { border-left: 4px solid var(--ink); padding-left: 12px }
@media print { body { max-width: none; padding: 0; font-size: 11pt } h2, h3 { break-after: avoid } }
</style></head><body>
<h1><bdi>' || html || '</bdi></h1>
<p class="soft"><code>' || (SELECT html FROM whiten_word WHERE name = 'source') || '</code><br/>'
    || printf('%s, sqlite-whiten %s', strftime('%Y-%m-%d'), whiten_version()) || '</p>'
  FROM whiten_word, whiten_style WHERE name = 'title';

-- In short, and what to beware of.
INSERT INTO whiten_page (html)
  SELECT printf('<p>Two random rows have a cosine of %.2f on average; whitened, of %.2f. ', round(mean_before, 2) + 0.0, round(mean_after, 2) + 0.0) || CASE source
    WHEN 'pairs' THEN printf('The setting that whiten_tune chose by %,d pairs: ', pairs)
    WHEN 'raw' THEN '<strong>Leave the vectors as they are</strong>, whiten_tune says: ' || (SELECT html FROM whiten_word WHERE name = 'reason')
      || printf(' (%,d pairs). What is called whitened below is ', pairs) || CASE WHEN EXISTS (SELECT 1 FROM whiten_setting) THEN 'the best of the others: '
      ELSE 'there for comparison: ' END
    WHEN 'unlabelled' THEN 'The setting is a guess, chosen without pairs that say what belongs together: '
    WHEN 'model' THEN 'Whitened with ' ELSE 'Whitened as asked for: ' END
    || '<strong>' || (SELECT html FROM whiten_word WHERE name = 'setting') || '</strong>.'
    || ifnull((SELECT printf(' It scores %.1f against %.1f of the raw vectors, a gain of %.1f ± %.1f.', 100 * score, 100 * raw, 100 * gain, 196 * se)
      FROM whiten_setting WHERE chosen AND source = 'pairs'), '')
    || CASE WHEN labels THEN '' ELSE ' Nothing on this page says whether a search gets better by it: some fifty pairs would (my_pairs).' END || '</p>'
  FROM whiten_facts;
INSERT INTO whiten_page (html) SELECT '<p class="warning"><strong>Warning.</strong> ' || html || '</p>'
  FROM whiten_word WHERE name LIKE 'warning%' ORDER BY name;

INSERT INTO whiten_page (html)
  SELECT '<h2>What it holds</h2><table>'
    || printf('<tr><th>Rows</th><td>%,d', rows) || CASE WHEN m < rows - nulls THEN printf(', of which %,d were looked at, by a fixed rule', m) ELSE '' END
    || printf('</td></tr><tr><th>Numbers a vector</th><td>%,d, %s</td></tr>', d, encodings)
    || '<tr><th>Size</th><td>' || (SELECT shown FROM whiten_size WHERE name = 'all') || ', '
    || (SELECT shown FROM whiten_size WHERE name = 'one') || ' a vector</td></tr>'
    || printf('<tr><th>NULL</th><td>%,d</td></tr><tr><th>Zero vectors</th><td>%,d</td></tr>', nulls, zeros)
    || printf('<tr><th>Duplicates</th><td>%,d of %,d have the bytes of another row</td></tr>', duplicates, m)
    || printf('<tr><th>Lengths (norms)</th><td>%.3g to %.3g, %.3g on average</td></tr>', least, most, mean)
    || printf('<tr><th>Isotropy</th><td>%s; whitened %s', ifnull(printf('%.2f', isotropy_before + 0), '-'), ifnull(printf('%.2f', isotropy_after + 0), '-'))
    || ' <span class="soft">(IsoScore: 1 where every direction has the same variance)</span></td></tr></table>'
  FROM whiten_facts;

INSERT INTO whiten_page (html)
  SELECT '<h2>Cosines of random pairs</h2><figure><div class="two">'
    || (SELECT group_concat(svg, '') FROM (SELECT svg FROM whiten_svg WHERE panel IN ('before', 'after') ORDER BY panel DESC))
    || '</div><figcaption><p>Filled: any two rows, most of which have nothing to do with each other: the nearer to 0 the better.'
    || CASE WHEN EXISTS (SELECT 1 FROM whiten_known) THEN ' Line: pairs that belong together'
      || (SELECT CASE WHEN min(gold) IS max(gold) THEN '' ELSE ' (the top quarter by score)' END FROM whiten_known)
      || '; a cosine tells them from the others as far as line and hill do not overlap.' ELSE '' END || '</p></figcaption></figure>';

INSERT INTO whiten_page (html)
  SELECT '<h2>Spectrum</h2><figure><div class="two">' || (SELECT group_concat(svg, '') FROM (
      SELECT svg FROM whiten_svg WHERE panel IN ('share', 'variance') ORDER BY panel))
    || '</div><figcaption><p>How the variance of the raw vectors is spread over their principal directions: the steeper the curves, the narrower
      the cone they lie in. What lies far to the right is mostly noise, and whitening lifts it to the same height as the rest.</p></figcaption></figure>'
    || '<table class="sizes"><tr><th>Share of the variance</th>' || group_concat(printf('<td class="number">%d&#160;%%</td>', share), '') || '</tr><tr><th>Components</th>'
    || group_concat(printf('<td class="number">%,d</td>', k), '') || '</tr></table>'
  FROM (SELECT share, min(component) AS k FROM (SELECT 50 AS share UNION SELECT 80 UNION SELECT 90 UNION SELECT 95 UNION SELECT 99)
    JOIN whiten_component ON 100 * cumulative >= share - 1e-9 GROUP BY 1 ORDER BY 1);

-- Settings: a line each, its 95 % interval around the gain over raw.
INSERT INTO whiten_page (html)
  WITH edge AS (
    SELECT max(least, -1.5 * most) AS lo, most AS hi FROM (
      SELECT min(0, min(gain - 1.96 * se)) AS least, max(0.005, max(gain + 1.96 * se)) AS most FROM whiten_setting)),
  place AS (
    SELECT s.*, 10 + 280 * (gain - lo) / (hi - lo) AS x, 10 + 280 * (0 - lo) / (hi - lo) AS zero, 280 * 1.96 * se / (hi - lo) AS half
    FROM whiten_setting AS s, edge WHERE gain IS NOT NULL)
  SELECT '<h2>Settings</h2><p>Score (' || (SELECT html FROM whiten_word WHERE name = 'measure') || printf(', times 100) of each setting on %,d pairs; raw: %.1f.
      The line is the interval in which the gain over raw lies in 95 of 100 samples of pairs such as these; where it crosses the dashed line of raw,
      the pairs do not tell.', pairs, 100 * raw) || ' An arrow stands for a loss that is too large for the figure.
      Of so many settings the best looks a little better than it is.</p>
      <table class="settings"><tr><th>Setting</th><th class="number">Score</th><th>Gain over raw</th></tr>'
    || (SELECT group_concat(printf('<tr%s><td>%s%s, k %s%s</td><td class="number">%.1f<span>%+.1f ± %.1f</span></td><td><svg viewBox="0 0 300 26"
        preserveAspectRatio="none" role="img" aria-label="gain %+.1f, plus or minus %.1f"><path class="zero" d="M%.1f 0V26"/><path class="line" d="%s"/></svg></td></tr>',
        CASE WHEN chosen THEN ' class="best"' ELSE '' END, CASE WHEN chosen THEN '➜ ' ELSE '' END,
        ifnull((SELECT group_concat(key || ' ' || CASE type WHEN 'real' THEN printf('%g', atom) ELSE atom END, ', ') FROM json_each(options)), 'whitened in full'), ifnull(k, '= all'),
        CASE WHEN chosen THEN ' (chosen)' ELSE '' END, 100 * score, round(100 * gain, 1) + 0.0, 196 * se, round(100 * gain, 1) + 0.0, 196 * se, zero,
        CASE WHEN x < 4 THEN 'M14 6L3 13L14 20' ELSE printf('M%.1f 13H%.1fM%.1f 6V20', max(0, x - half), x + half, x) END), '')
      FROM (SELECT * FROM place ORDER BY place))
    || '</table>'
  FROM whiten_facts WHERE labels AND EXISTS (SELECT 1 FROM place);

INSERT INTO whiten_page (html) SELECT '<h2>Neighbours</h2><p>The nearest of the rows looked at, for five of them.
      It shows what changes, not that it gets better: read and judge.
  <em>new</em> is not among the five by raw cosine'
      || CASE WHEN EXISTS (SELECT 1 FROM whiten_known) THEN ', <em>pair</em> is one of the pairs that are known' ELSE '' END || '.</p>';
INSERT INTO whiten_page (html)
  SELECT printf('<article><h3>%d. ', number) || '<bdi>' || html || '</bdi></h3><div class="two">' || (
    SELECT group_concat(printf('<div><h4>%s</h4><ol>', side) || lines || '</ol></div>', '') FROM (
      SELECT side, group_concat(printf('<li><span>%.3f</span><div><bdi>', cosine) || html || '</bdi>' || mark || '</div></li>', '') AS lines FROM (
        SELECT side, cosine, w.html, CASE WHEN side = 'whitened' AND NOT EXISTS (SELECT 1 FROM whiten_near AS r
            WHERE r.side = 'raw' AND r.a = n.a AND r.b = n.b) THEN ' <em>new</em>' ELSE '' END
          || CASE WHEN EXISTS (SELECT 1 FROM whiten_known AS p JOIN whiten_row AS x ON x.rowid = n.a JOIN whiten_row AS y ON y.rowid = n.b
            WHERE (p.a = x.id AND p.b = y.id) OR (p.a = y.id AND p.b = x.id)) THEN ' <em>pair</em>' ELSE '' END AS mark
        FROM whiten_near AS n JOIN whiten_word AS w ON w.name = n.b WHERE n.number = q.number ORDER BY side, rank)
      GROUP BY side ORDER BY side)) || '</div></article>'
  FROM whiten_query AS q JOIN whiten_word AS w ON w.name = q.a ORDER BY number;

INSERT INTO whiten_page (html)
  SELECT '<h2>Map</h2><figure class="map">' || svg || printf('<figcaption><p>%,d rows in the first two whitened components, which hold %.0f %% of the variance:
    near here is not always near in the whole space. Rows 1 to %d are those above; a text shows when you point at a dot.</p></figcaption></figure>',
    (SELECT count(*) FROM whiten_dot), 100 * (SELECT max(cumulative) FROM whiten_component WHERE component <= 2), (SELECT count(*) FROM whiten_query))
  FROM whiten_svg WHERE panel = 'map';

INSERT INTO whiten_page (html)
  SELECT '<h2>Size and speed</h2><table class="sizes"><tr><th></th><th class="number">numbers</th><th class="number">a vector</th>
      <th class="number">all rows</th><th class="number">a search</th></tr>'
    || group_concat('<tr><th>' || label || '</th>' || printf('<td class="number">%,d</td>', numbers) || '<td class="number">' || (SELECT shown FROM whiten_size WHERE name = one)
      || '</td><td class="number">' || (SELECT shown FROM whiten_size WHERE name = every) || '</td><td class="number">' || search || '</td></tr>', '')
    || printf('</table><p class="soft">A search compares a vector with every row: measured in memory on the %,d rows
      looked at, times the number of rows; reading from a file comes
      on top. Fitting took %.2f s, whitening %.3g ms a row. The codes are those of whiten_index,
      which finds candidates with them and reads the raw vectors of few rows.</p>',
      m, fit_s, 1000 * apply_s / m)
  FROM (
    SELECT 1 AS line, 'raw' AS label, d AS numbers, 'one' AS one, 'all' AS every, m, fit_s, apply_s,
      CASE WHEN raw_s < 0.004 THEN 'below 1 ms' ELSE printf('%.3g ms', 1000 * raw_s / 5 / m * (rows - nulls)) END AS search FROM whiten_facts
    UNION ALL
    SELECT 2, 'whitened', k, 'one white', 'all white', m, fit_s, apply_s,
      CASE WHEN white_s < 0.004 THEN 'below 1 ms' ELSE printf('%.3g ms', 1000 * white_s / 5 / m * (rows - nulls)) END FROM whiten_facts
    UNION ALL SELECT 3, 'codes', k, 'one code', 'all codes', m, fit_s, apply_s, '' FROM whiten_facts ORDER BY line);
INSERT INTO whiten_page (html) VALUES ('<h2>What whitening does not do</h2><p>It adds nothing that the vectors do not hold: it weighs their directions anew.
      A mean cosine of 0 and
  an even spectrum follow from the arithmetic on any data, noise included, so they are no proof that a search got better;
      only pairs that you know are. On vectors of models
  that were trained by contrast it often changes little, and in full it can hurt.</p></body></html>
');

-- ---- Written

DROP TABLE IF EXISTS temp.whiten_file;
CREATE TEMP TABLE whiten_file AS
  SELECT @file AS name, (SELECT group_concat(html, char(10)) FROM (SELECT html FROM whiten_page ORDER BY part)) AS content
  UNION ALL
  SELECT @picture, '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 240" role="img">
<title>Cosines of random pairs before and after whitening</title><style>
' || style || '
</style>' || (SELECT group_concat(replace(replace(svg, '<svg ', printf('<svg x="%d" width="340" height="215" ', CASE panel WHEN 'before' THEN 0 ELSE 370 END)), '><', '>
<'), '') FROM (SELECT * FROM whiten_svg WHERE panel IN ('before', 'after') ORDER BY panel DESC)) || '
<text x="44" y="233">Filled: any two rows.' || CASE WHEN EXISTS (SELECT 1 FROM whiten_known) THEN ' Line: pairs that belong together.' ELSE '' END || '</text></svg>
' FROM whiten_style WHERE @picture IS NOT NULL;
INSERT INTO whiten_check (written) SELECT min(writefile(name, content) IS length(CAST(content AS BLOB))) FROM whiten_file;
SELECT printf('report: file %s, bytes %d, rows %d, looked_at %d, pairs %d, setting %s', quote(@file),
  (SELECT length(CAST(content AS BLOB)) FROM whiten_file WHERE name = @file), rows, m, (SELECT count(*) FROM whiten_known),
  (SELECT quote(text) FROM whiten_word WHERE name = 'setting')) AS report
FROM whiten_facts;
DROP TABLE whiten_row;
DROP TABLE whiten_white;
DROP TABLE whiten_paired;
