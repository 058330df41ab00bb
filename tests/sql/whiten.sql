-- whiten_fit, whiten_apply, whiten_inverse, whiten_info, whiten_kernel, whiten_bias, whiten_spectrum,
-- whiten_import on rows
-- whose answer is known: mean (1, 2), covariance 25 * 4 along (0.6, 0.8) and 25 along (0.8, -0.6)
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO t(v) SELECT embedding(value) FROM json_each('[[3,13],[11,7],[-1,-9],[-9,-3],[1,2]]');
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening SELECT 'pca', whiten_fit(v) FROM t;
INSERT INTO whitening SELECT 'first', whiten_fit(v, 1) FROM t;
INSERT INTO whitening SELECT 'share', whiten_fit(v, 0.79) FROM t;
INSERT INTO whitening SELECT 'zca', whiten_fit(v, NULL, '{"method":"zca"}') FROM t;
INSERT INTO whitening SELECT 'rotate', whiten_fit(v, NULL, '{"power":0}') FROM t;
INSERT INTO whitening SELECT 'half', whiten_fit(v, NULL, '{"power":0.5}') FROM t;
INSERT INTO whitening SELECT 'second', whiten_fit(v, NULL, '{"remove":1}') FROM t;
INSERT INTO whitening SELECT 'unit', whiten_fit(v, NULL, '{"normalize":true}') FROM t;
INSERT INTO whitening SELECT 'ridge', whiten_fit(v, 1, '{"ridge":0.7}') FROM t;
INSERT INTO whitening SELECT 'cholesky', whiten_fit(v, NULL, '{"method":"cholesky"}') FROM t;
.print == what each model is
SELECT name, i ->> 'method', i ->> 'n', i ->> 'd', i ->> 'k', i ->> 'rank', round(i ->> 'explained', 6),
  round(i ->> 'condition', 6),
  0.0 + (i ->> 'power'), i ->> 'remove', i ->> 'normalize'
    FROM (SELECT name, whiten_info(model) AS i FROM whitening) ORDER BY name;
.print == the bias is minus the mean, in all of them
SELECT count(*), min(embedding_as(whiten_bias(model), 'json')), max(embedding_as(whiten_bias(model), 'json'))
  FROM whitening;
.print == kernels: u1 / 10, u2 / 5; half: u1 / sqrt(10), u2 / sqrt(5); ridge: u1 / sqrt(100 + 0.7 * 62.5)
SELECT name, (SELECT group_concat(printf('%.5f', value), ' ')
  FROM json_each(embedding_as(whiten_kernel(model), 'json')))
  FROM whitening ORDER BY name;
.print == whitened rows
SELECT name, (SELECT group_concat(embedding_as(embedding(embedding_as(embedding_scale(whiten_apply(model, v),
  10), 'i8'), 'i8'), 'json'), ' ')
  FROM t) FROM whitening WHERE name IN ('pca', 'first', 'rotate', 'second') ORDER BY name;
.print == unit: the centre has no direction
SELECT id, printf('%.5f', embedding_norm(whiten_apply(model, v))) FROM t, whitening WHERE name = 'unit'
  AND id < 5;
SELECT whiten_apply(model, v) FROM t, whitening WHERE name = 'unit' AND id = 5;
.print == the way back: exact with all components, the nearest point on the line with one
SELECT name, (SELECT group_concat(embedding_as(embedding(embedding_as(whiten_inverse(model,
  whiten_apply(model, v)), 'i8'), 'i8'), 'json'), ' ')
  FROM t) FROM whitening WHERE name IN ('pca', 'zca', 'rotate', 'cholesky', 'ridge') ORDER BY name;
.print == the spectrum is that of all components, whatever was kept
SELECT name, component, round(eigenvalue, 6), round(ratio, 6), round(cumulative, 6)
  FROM whitening, whiten_spectrum(model) WHERE name IN ('pca', 'first', 'ridge') ORDER BY name, component;
.print == of the correlation matrix: 1 + r and 1 - r, r = 36 / sqrt(52 * 73)
SELECT component, round(eigenvalue, 6) FROM whiten_spectrum((SELECT whiten_fit(v, NULL,
  '{"method":"pca-cor"}') FROM t));
.print == zca-cor and cholesky whiten: covariance of the whitened rows (var, cov, var; mean 0)
WITH m(name, model) AS MATERIALIZED (SELECT 'zca-cor', whiten_fit(v, NULL, '{"method":"zca-cor"}') FROM t
  UNION ALL SELECT 'cholesky', whiten_fit(v, NULL, '{"method":"cholesky"}') FROM t
  UNION ALL SELECT 'pca-cor', whiten_fit(v, NULL, '{"method":"pca-cor"}') FROM t),
  y(name, y) AS MATERIALIZED (SELECT name, embedding_as(whiten_apply(model, v), 'json') FROM m, t)
SELECT name, round(sum((y ->> 0) * (y ->> 0)) / 4, 5), abs(round(sum((y ->> 0) * (y ->> 1)) / 4, 5)),
  round(sum((y ->> 1) * (y ->> 1)) / 4, 5)
  FROM y GROUP BY name ORDER BY name;
.print == an imported recipe is the same model to the user
SELECT embedding_as(whiten_apply(whiten_import(whiten_kernel(model), whiten_bias(model)), '[11,7]'), 'json') =
  embedding_as(whiten_apply(model, '[11,7]'), 'json') FROM whitening WHERE name = 'pca';
SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(whiten_import('[1,0,0,1,1,1]',
  '[0,0,0]')) AS i);
.print == a column without variance is left out
SELECT i ->> 'rank', i ->> 'k' FROM (SELECT whiten_info(whiten_fit(value)) AS i
  FROM json_each('[[1,5,2],[2,5,0],[4,5,1],[0,5,1]]'));
