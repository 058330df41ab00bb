-- the poolings as aggregates and over token BLOBs
CREATE TABLE token(doc INTEGER, pos INTEGER, mask INTEGER, v BLOB);
INSERT INTO token VALUES
  (1, 1, 1, embedding('[1,0]')), (1, 2, 1, embedding('[2,-4]')), (1, 3, 1, embedding('[6,1]')),
    (1, 4, 0, embedding('[90,90]')),
  (2, 2, 1, embedding('[5,5]')), (2, 1, 0, embedding('[7,7]')),
  (3, 1, 0, embedding('[8,8]')), (4, 1, 1, NULL), (5, 1, NULL, embedding('[1,1]'));
.print == by document, masked
SELECT doc, embedding_as(pool_mean(v, mask), 'json'), embedding_as(pool_max(v, mask), 'json'),
  embedding_as(pool_cls(v, pos, mask), 'json'), embedding_as(pool_last(v, pos, mask), 'json') FROM token
    GROUP BY doc;
.print == position-weighted: (1*1 + 2*2 + 6*3) / 6, (0 - 8 + 3) / 6
SELECT doc, (SELECT group_concat(round(value, 6)) FROM json_each(embedding_as(p, 'json')))
  FROM (SELECT doc, pool_position_mean(v, pos, mask) AS p FROM token GROUP BY doc);
.print == sum / sqrt(3): 9 / sqrt(3), -3 / sqrt(3)
SELECT (SELECT group_concat(round(value, 6)) FROM json_each(embedding_as(p, 'json')))
  FROM (SELECT pool_mean_sqrt_len(v, mask) AS p FROM token WHERE doc = 1);
.print == without a mask every row counts
SELECT doc, embedding_as(pool_mean(v), 'json'), embedding_as(pool_max(v), 'json') FROM token GROUP BY doc;
.print == weights are any numbers: (1 * 0.5 + 2 * 1.5) / 2
SELECT embedding_as(pool_mean(v, pos - 0.5), 'json') FROM token WHERE doc = 1 AND pos < 3;
.print == no rows, no vector
SELECT pool_mean(v), pool_max(v), pool_cls(v, pos), pool_last(v, pos), pool_mean_sqrt_len(v),
  pool_position_mean(v, pos)
  FROM token WHERE doc > 9;
.print == FILTER and DISTINCT work as for any aggregate
SELECT embedding_as(pool_mean(v) FILTER (WHERE mask = 1), 'json'), embedding_as(pool_mean(DISTINCT v), 'json')
  FROM (
  SELECT v, mask FROM token WHERE doc = 1 AND pos < 3 UNION ALL SELECT v, 0 FROM token WHERE doc = 1
    AND pos = 1);
.print == one BLOB of states, six poolings
SELECT column1, embedding_as(pool_tokens(embedding('[1,0, 2,-4, 6,1, 90,90]'), 2, column1, '[1,1,1,0]'),
  'json')
  FROM (VALUES ('mean'), ('max'), ('cls'), ('last'));
.print == masks: JSON, bytes, int64
SELECT embedding_as(pool_tokens(embedding('[2,4,8]'), 1, 'mean', '[0,1,1]'), 'json'),
  embedding_as(pool_tokens(embedding('[2,4,8]'), 1, 'mean', x'000101'), 'json'),
  embedding_as(pool_tokens(embedding('[2,4,8]'), 1, 'mean',
    x'000000000000000001000000000000000100000000000000'), 'json');
.print == aggregate and BLOB give the same bits
WITH states(s) AS (SELECT embedding('[0.1,0.2, 0.3,0.4, 0.5,0.6]')),
  rows(pos, v) AS (VALUES (1, embedding('[0.1,0.2]')), (2, embedding('[0.3,0.4]')),
    (3, embedding('[0.5,0.6]')))
SELECT pool_mean(v) = pool_tokens(s, 2, 'mean'),
  pool_position_mean(v, pos) = pool_tokens(s, 2, 'position_mean'),
  pool_max(v) = pool_tokens(s, 2, 'max'), pool_mean_sqrt_len(v) = pool_tokens(s, 2, 'mean_sqrt_len'),
  pool_cls(v, pos) = pool_tokens(s, 2, 'cls'), pool_last(v, pos) = pool_tokens(s, 2, 'last') FROM rows,
    states;
