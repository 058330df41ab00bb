-- whiten_stats, whiten_merge, whiten_solve: shards, days, weights; the rows of mean (1, 2) and covariance
-- diag(4, 1)
CREATE TABLE t(id INTEGER PRIMARY KEY, day INTEGER, v BLOB);
INSERT INTO t(day, v) SELECT key % 3, embedding(value) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
CREATE TABLE stats(day INTEGER PRIMARY KEY, s BLOB);
.print == one row of stats a day
INSERT INTO stats SELECT day, whiten_stats(v) FROM t GROUP BY day;
SELECT day, typeof(s) FROM stats;
.print == merged and solved: n, kernel, bias, spectrum
CREATE TABLE m AS SELECT whiten_solve(whiten_merge(s)) AS model FROM stats;
SELECT whiten_info(model) ->> 'n', embedding_as(whiten_kernel(model), 'json'),
  embedding_as(whiten_bias(model), 'json') FROM m;
SELECT component, round(eigenvalue, 9), round(ratio, 9), round(cumulative, 9) FROM m,
  whiten_spectrum(m.model);
.print == one pass is the same to the bit
SELECT whiten_fit(v) = whiten_solve(whiten_stats(v)),
  whiten_fit(v, 1, '{"ridge":1}') = whiten_solve(whiten_stats(v), 1, '{"ridge":1}') FROM t;
.print == the same in steps: merges of merges, and of nothing
SELECT embedding_as(whiten_kernel(whiten_solve(whiten_merge(s))), 'json') FROM (
  SELECT whiten_merge(s) AS s FROM stats GROUP BY day = 0 UNION ALL SELECT NULL UNION ALL
    SELECT whiten_merge(s) FROM stats WHERE 0);
.print == a new day is added without touching the old rows
INSERT INTO stats VALUES (9, (SELECT whiten_stats(value) FROM json_each('[[1,2],[1,2],[1,2],[1,2]]')));
SELECT whiten_info(whiten_solve(whiten_merge(s))) ->> 'n',
  (SELECT group_concat(round(eigenvalue, 9))
    FROM whiten_spectrum((SELECT whiten_solve(whiten_merge(s)) FROM stats))) FROM stats;
.print == frequency weights: weight 2 is the row twice (divisor 10 - 1)
SELECT (SELECT group_concat(round(eigenvalue, 9))
  FROM whiten_spectrum((SELECT whiten_solve(whiten_stats(v, 2)) FROM t))),
  (SELECT group_concat(round(eigenvalue, 9))
    FROM whiten_spectrum((SELECT whiten_fit(v) FROM (SELECT v FROM t UNION ALL SELECT v FROM t))));
.print == a row with weight 0 is not there
SELECT whiten_stats(v, 1) = (SELECT whiten_stats(v, id < 6)
  FROM (SELECT * FROM t UNION ALL SELECT 6, 0, embedding('[99,99]'))) FROM t;
.print == one row is stats, but not yet a model
SELECT typeof(whiten_stats(v)), embedding_as(whiten_bias(whiten_solve(whiten_merge(s))), 'json') FROM (
  SELECT v, whiten_stats(v) AS s FROM t GROUP BY id);
.print == pairs: the moments of a, then b, in shards as well
CREATE TABLE pair(a, b);
INSERT INTO pair VALUES ('[3,3]', '[1]'), ('[3,1]', '[2]'), ('[-1,3]', '[3]'), ('[-1,1]', '[6]');
SELECT length(s), s = (SELECT whiten_merge(s) FROM (SELECT whiten_pair_stats(a, b) AS s FROM pair GROUP BY b > 2))
  FROM (SELECT whiten_pair_stats(a, b) AS s FROM pair);
.print == pairs of two spaces: into a shared one, and from one into the other
SELECT whiten_info(m) ->> 'side', length(whiten_apply(m, '[1,2]')), embedding_as(whiten_offset(m), 'json')
  FROM (SELECT whiten_align(whiten_pair_stats(a, b), side) AS m FROM pair, (SELECT 'a' AS side UNION ALL SELECT 'a->b') GROUP BY side);
.print == related pairs: S_T = diag(4, 1), S_w = diag(0.25, 1), M = diag(1, 4)
CREATE TABLE related AS SELECT whiten_solve(whiten_merge(s), NULL, '{"within":1}',
    (SELECT whiten_pair_stats(column1, column2) FROM (VALUES ('[1,1]', '[2,1]'), ('[0,2]', '[0,0]')))) AS model
  FROM stats WHERE day < 9;
SELECT embedding_as(whiten_kernel(model), 'json'), whiten_info(model) ->> 'within', whiten_info(model) ->> 'order',
  whiten_info(model) ->> 'pairs' FROM related;
SELECT component, round(eigenvalue, 9) FROM related, whiten_spectrum(model);
