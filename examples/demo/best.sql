-- The verdict: which model did best on the pairs? Without pairs the ridge, which does no harm on any data.
--
-- Leaves best(name, k), the model that the rest of the demo shows.

CREATE TABLE best AS
  SELECT name, whiten_info(model) ->> 'k' AS k
  FROM recipe JOIN whitening USING (name) LEFT JOIN result USING (name)
  ORDER BY result.score DESC, recipe.name = 'ridge 1' DESC, recipe.position LIMIT 1;

SELECT printf('
  %s', CASE
    WHEN gain > 0 THEN printf('Best: %s, %.1f points above raw.', name, gain)
    ELSE printf('No model beats raw on these pairs (best: %s, %.1f points): leave the vectors as they are.',
      name, gain) END)
FROM (
  SELECT name, 100 * (score - (SELECT score FROM result WHERE name = 'raw')) AS gain
  FROM result JOIN best USING (name))
WHERE (SELECT embeddings FROM subject) IS NULL;  -- compare.sql has its own
