-- Numbers from fits: REALs that are within 1e-9 of each other, whoever computes them.
SELECT s.eigenvalue, s.ratio FROM whiten_spectrum((SELECT whiten_fit(v, 10) FROM documents)) AS s;
SELECT s.eigenvalue FROM whiten_spectrum((SELECT whiten_fit(v, NULL, '{"method":"pca-cor","ridge":0.1}')
  FROM documents WHERE embedding_norm(v) > 0)) AS s;
SELECT s.eigenvalue FROM whiten_spectrum((SELECT whiten_fit(v, 100, '{"ridge":"oas"}') FROM long)) AS s
  WHERE s.component < 100;
SELECT whiten_info(whiten_fit(v, NULL, '{"method":"zca"}')) ->> 'condition',
  whiten_info(whiten_fit(v, NULL, '{"method":"cholesky"}')) ->> 'explained' FROM documents;
SELECT round(cosine_sim(whiten_apply(whiten_align(s, 'a'), v), whiten_apply(whiten_align(s, 'b'), embedding_truncate(v, 9))), 1)
  FROM (SELECT whiten_pair_stats(v, embedding_truncate(v, 9)) AS s FROM documents), (SELECT v FROM documents WHERE id < 4);
SELECT isotropy(v), isotropy(embedding_truncate(v, 9)) FROM documents;
SELECT whiten_info(whiten_solve(whiten_merge(s), 7)) ->> 'explained'
  FROM (SELECT whiten_stats(v, 1 + id % 3) AS s FROM documents GROUP BY id % 5);
SELECT cosine_sim(whiten_inverse(m, whiten_apply(m, q.v)), q.v)
  FROM (SELECT whiten_import(whiten_kernel(model), whiten_bias(model)) AS m FROM models WHERE name = 'zca 24')
    JOIN queries AS q WHERE q.v IS NOT NULL AND embedding_norm(q.v) > 0 LIMIT 5;
SELECT s.eigenvalue FROM (SELECT whiten_solve(whiten_stats(v), NULL, '{"within":0.5,"ridge":0.1}',
    whiten_pair_stats(v, embedding_scale(v, 0.5))) AS model FROM documents) AS m, whiten_spectrum(m.model) AS s;
