-- The models: what each keeps of the vectors, and what it warns of.

SELECT printf('
FIT  One pass over the vectors gathers the moments, and every recipe solves a model from them. A whitened
     vector has k numbers, which keep the share of the variance under "explained".

  %-16s %6s %6s %6s %11s', 'model', 'n', 'd', 'k', 'explained');
SELECT printf('  %-16s %6d %6d %6d %9.1f %%', name, info ->> 'n', info ->> 'd', info ->> 'k',
  100 * (info ->> 'explained'))
FROM (SELECT position, name, whiten_info(model) AS info FROM whitening JOIN recipe USING (name))
ORDER BY position;
SELECT printf('  Note on %s:
    %s', name, json_each.value)
FROM whitening JOIN recipe USING (name), json_each(whiten_info(model), '$.warnings')
WHERE recipe.position = 2;
