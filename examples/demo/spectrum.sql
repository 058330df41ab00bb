-- The spectrum: how much of the variance lies along each principal direction of the raw vectors.
--
-- One bar a component that has variance; above 40 a bar stands for several neighbours: never more than 40 lines.

CREATE TEMP TABLE bar AS
  WITH spectrum AS (
    SELECT component, ratio, cumulative
    FROM whitening JOIN recipe USING (name), whiten_spectrum(whitening.model)
    WHERE position = 2 AND component <= whiten_info(whitening.model) ->> 'rank')
  SELECT min(component) AS first, max(component) AS last, sum(ratio) AS ratio, max(cumulative) AS cumulative
  FROM spectrum GROUP BY (component - 1) / ((SELECT count(*) + 39 FROM spectrum) / 40);

SELECT printf('
SPECTRUM  Variance along the principal directions of the raw vectors. A steep fall is what whitening levels.
%s

  %11s %8s %8s', iif(max(last - first) = 0, '          One line a component.',
    printf('          %d components, %d to a line.', max(last), 1 + max(last - first))),
  'component', 'share %', 'sum %')
FROM bar;
SELECT printf('  %11s %8.2f %8.1f  %s',
  iif(first = last, first, first || '-' || last), 100 * ratio, 100 * cumulative,
  replace(hex(zeroblob(eighths / 8)), '00', '█') || trim(substr(' ▏▎▍▌▋▊▉', 1 + eighths % 8, 1)))
FROM (
  SELECT *, CAST(round(8 * 60 * ratio / (SELECT max(ratio) FROM bar)) AS INTEGER) AS eighths FROM bar)
ORDER BY first;
