-- The picture of before and after: how alike any two texts of the corpus look, and how alike two of the same group.
--
--   DB=demo.db make demo && sqlite3 demo.db ".load ./whiten" ".read examples/demo/picture.sql" > before_after.svg
--
-- Filled: cosines of all pairs of texts, counted in 50 steps from -1 to 1. Line: the pairs that are paraphrases of each
-- other. Each is drawn to its own height, so the two can be compared. No script, no colour needed, light and dark.
.bail on
.mode list
.headers off

CREATE TEMP TABLE panel AS SELECT 0 AS place, 'Before: raw vectors' AS title, 0 AS position
  UNION ALL SELECT 1, 'After: whitened (' || name || ')', position FROM recipe WHERE position = 2;

CREATE TEMP TABLE count AS
  WITH cosine AS (
    SELECT place, x.id AS a, y.id AS b, cosine_sim(x.vector, y.vector) AS cosine
    FROM panel JOIN space AS x USING (position) JOIN space AS y USING (position) WHERE x.id < y.id)
  SELECT place, min(49, CAST((cosine + 1) * 25 AS INTEGER)) AS step, count(*) AS pairs,
    count(pair.a) AS paraphrases
  FROM cosine LEFT JOIN pair ON pair.a = cosine.a AND pair.b = cosine.b
  GROUP BY 1, 2;

-- Heights in pixels: 110 is the most that there is of a kind.
CREATE TEMP TABLE height AS
  WITH RECURSIVE steps(step) AS (SELECT 0 UNION ALL SELECT step + 1 FROM steps WHERE step < 49)
  SELECT place, step,
    CAST(round(110.0 * ifnull(pairs, 0) / max(pairs) OVER (PARTITION BY place)) AS INTEGER) AS all_pairs,
    CAST(round(110.0 * ifnull(paraphrases, 0) / max(paraphrases) OVER (PARTITION BY place)) AS INTEGER) AS paraphrases
  FROM panel JOIN steps LEFT JOIN count USING (place, step);

SELECT '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 200" font-family="sans-serif" font-size="13" role="img">
<title>Cosines of pairs of texts before and after whitening</title>
<style>
  text { fill: #333 } .all { fill: #bbb } .same { fill: none; stroke: #1558b0; stroke-width: 2 } .axis { stroke: #888 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .all { fill: #555 } .same { stroke: #8ab4f8 } }
</style>';
SELECT printf('<g transform="translate(%d 30)">
<text x="0" y="-12" font-weight="bold">%s</text>
<path class="all" d="M0 120%sV120Z"/>
<path class="same" d="M0 120%sV120"/>
<path class="axis" d="M0 120.5H300"/>
<text x="0" y="138">-1</text><text x="150" y="138" text-anchor="middle">cosine 0</text><text x="300" y="138" text-anchor="end">1</text>
</g>', 20 + 370 * place, title,
  (SELECT group_concat(path, '') FROM (
    SELECT printf('V%dH%d', 120 - all_pairs, 6 * (step + 1)) AS path FROM height AS h WHERE h.place = panel.place ORDER BY step)),
  (SELECT group_concat(path, '') FROM (
    SELECT printf('V%dH%d', 120 - paraphrases, 6 * (step + 1)) AS path FROM height AS h WHERE h.place = panel.place ORDER BY step)))
FROM panel ORDER BY place;
SELECT '<text x="20" y="190">Filled: any two of the texts. Line: two that say the same.</text>
</svg>';
