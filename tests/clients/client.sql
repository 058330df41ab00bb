-- The sqlite3 shell, with the extension loaded and @model set: what every client here does, see test_clients.py.
CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB);
INSERT INTO t(v)
  WITH RECURSIVE random(i, x) AS (
    SELECT 1, 48271 UNION ALL SELECT i + 1, x * 48271 % 2147483647 FROM random WHERE i < 400)
  SELECT embedding(json_group_array((x % 2001 - 1000) / 256.0))
  FROM (SELECT * FROM random ORDER BY i) GROUP BY (i - 1) / 8;
.parameter set @k 4
SELECT 'fit ' || (i ->> 'n') || ' ' || (i ->> 'd') || ' ' || (i ->> 'k')
  FROM (SELECT whiten_info(whiten_fit(v, @k)) AS i FROM t);
UPDATE t SET white = whiten_apply(readfile(@model), v);
SELECT 'apply ' || id || ' ' || lower(hex(white)) FROM t ORDER BY id;
CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4);
SELECT 'search ' || id || ' ' || quote(s)
  FROM (SELECT id, cosine_sim(white, (SELECT white FROM t WHERE id = 7)) AS s FROM t ORDER BY s DESC, id LIMIT 5);
SELECT 'topk ' || rowid || ' ' || quote(similarity)
  FROM cosine_topk('t', 'white', (SELECT white FROM t WHERE id = 7), 5);
SELECT 'index ' || rowid || ' ' || quote(similarity) FROM s((SELECT v FROM t WHERE id = 7)) LIMIT 5;
SELECT '# SQLite ' || sqlite_version();
.parameter set @k 9
SELECT whiten_fit(v, @k) FROM t;
