-- pool_mean as a window function: moving averages, against the same by a self-join
CREATE TABLE day(id INTEGER PRIMARY KEY, shop TEXT, v BLOB);
INSERT INTO day(shop, v) VALUES ('a', embedding('[1,10]')), ('a', embedding('[3,30]')),
  ('b', embedding('[100,0]')),
  ('a', NULL), ('a', embedding('[8,-10]')), ('b', embedding('[200,0]')), ('a', embedding('[0,1]')),
    ('b', embedding('[0,4]'));
.print == the last two rows of each shop
SELECT id, shop, embedding_as(pool_mean(v) OVER w, 'json') FROM day
  WINDOW w AS (PARTITION BY shop ORDER BY id ROWS 1 PRECEDING) ORDER BY id;
.print == running mean
SELECT id, embedding_as(pool_mean(v) OVER (ORDER BY id), 'json') FROM day WHERE shop = 'a';
.print == centred, with the current row left out
SELECT id, embedding_as(pool_mean(v) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING
  AND 1 FOLLOWING EXCLUDE CURRENT ROW), 'json')
  FROM day WHERE shop = 'b';
.print == an empty frame has no mean
SELECT id, embedding_as(pool_mean(v) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING), 'json')
  FROM day WHERE shop = 'b';
.print == weighted, and all weights 0
SELECT id, embedding_as(pool_mean(v, id % 2) OVER (ORDER BY id ROWS 1 PRECEDING), 'json') FROM day
  WHERE shop = 'b';
SELECT id, pool_mean(v, 0) OVER (ORDER BY id ROWS 1 PRECEDING) FROM day WHERE shop = 'b';
.print == groups of peers: RANGE over a value
SELECT id, embedding_as(pool_mean(v) OVER (ORDER BY id / 4 RANGE BETWEEN 1 PRECEDING AND CURRENT ROW), 'json')
  FROM day
  WHERE shop = 'b' ORDER BY id;
.print == every frame equals the self-join to the bit
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300),
  x(i, v) AS MATERIALIZED (SELECT i, embedding(json_array(i * i % 101 - 50, i * 7 % 13, 0.5 * i)) FROM n),
  w(i, m) AS MATERIALIZED (SELECT i, pool_mean(v) OVER (ORDER BY i ROWS 6 PRECEDING) FROM x)
SELECT count(*), sum(m = (SELECT pool_mean(v) FROM x WHERE x.i BETWEEN w.i - 6 AND w.i)) FROM w;
