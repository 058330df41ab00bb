-- Do the cosines follow the gold scores? For pairs whose gold varies: Spearman's rank correlation, the score
-- that STS papers report.
--
-- Adds to result(position, name, score, line), see retrieval.sql.

INSERT INTO result
  SELECT x.position, x.name, spearman(gold, cosine_sim(x.vector, y.vector)), NULL
  FROM task, pair CROSS JOIN space AS x CROSS JOIN space AS y
  WHERE kind = 'correlation' AND x.id = a AND y.id = b AND y.position = x.position
  GROUP BY x.position;
UPDATE result SET line = printf('%10.2f', 100 * score) WHERE line IS NULL;

SELECT printf('
CORRELATION  Spearman x 100 between the gold score of a pair and the cosine of its vectors, %d pairs.
             100: the cosines rank the pairs as the gold does. 0: they know nothing of it.

  %-16s %10s', count(*), 'model', 'Spearman')
FROM pair HAVING (SELECT kind FROM task) = 'correlation';
SELECT printf('  %-16s %s  %s', name, line,
  replace(hex(zeroblob(max(0, CAST(round(30 * score) AS INTEGER)))), '00', '█'))
FROM result, task WHERE kind = 'correlation' ORDER BY position;
