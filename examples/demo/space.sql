-- How even is the space? Mean cosine over all pairs of rows, and IsoScore (Rudman et al. 2022).

SELECT printf('
SPACE  Mean cosine: of two rows picked at random; near 1 everything looks alike, 0 is the goal.
       Isotropy: 1 when every direction has the same variance, 0 when one direction has it all.

  %-16s %6s %12s %9s', 'model', 'k', 'mean cosine', 'isotropy');
SELECT printf('  %-16s %6d %12.4f %9s  %s', name, k, cosine, iif(iso IS NULL, '-', printf('%.4f', iso)),
  replace(hex(zeroblob(max(0, CAST(round(30 * iso) AS INTEGER)))), '00', '█'))
FROM (
  SELECT name, max(embedding_dim(vector)) AS k, mean_cosine(vector) AS cosine, isotropy(vector) AS iso
  FROM space GROUP BY position);
