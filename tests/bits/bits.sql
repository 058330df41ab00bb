-- What is promised to give the same bits everywhere, over the tables that bits.py writes. A comment of one line names
-- the statement behind it; its hash is in bits.expected. What goes through LAPACK or BLAS is not here: whiten_fit,
-- whiten_solve, whiten_align, whiten_import. What writes has a test of its own. The statements whose names begin with "scatter" need a CPU that fuses multiply and add.

-- embedding json
SELECT id, embedding(json) FROM texts ORDER BY id;

-- embedding encoded
SELECT id, embedding(x, encoding) FROM encoded ORDER BY id;

-- embedding_rows
SELECT e.id, r.position, r.vector FROM encoded AS e, embedding_rows(e.x, e.encoding, 64) AS r ORDER BY e.id, r.position;

-- embedding_as json
SELECT id, embedding_as(a, 'json') FROM pairs WHERE id < 700 ORDER BY id;

-- embedding_as f16
SELECT id, embedding_as(a, 'f16'), embedding_as(b, 'bf16') FROM pairs WHERE kind IN ('ordinary', 'sparse', 'near')
  ORDER BY id;

-- embedding_as f64
SELECT id, embedding_as(a, 'f64'), embedding_as(a, 'f32') FROM pairs WHERE id < 700 ORDER BY id;

-- embedding_as i8
SELECT id, embedding_as(embedding_scale(embedding_normalize(a), 127), 'i8') FROM pairs WHERE kind = 'ordinary'
  ORDER BY id;

-- embedding_dim
SELECT id, embedding_dim(a), embedding_dim(embedding_truncate(a, (embedding_dim(a) + 1) / 2)) FROM pairs ORDER BY id;

-- embedding_norm
SELECT id, embedding_norm(a), embedding_norm(b) FROM pairs ORDER BY id;

-- embedding_normalize
SELECT id, embedding_normalize(a), embedding_normalize(b) FROM pairs ORDER BY id;

-- embedding_truncate
SELECT id, embedding_truncate(a, (embedding_dim(a) + 1) / 2) FROM pairs ORDER BY id;

-- embedding_scale
SELECT id, embedding_scale(a, 0.703125), embedding_scale(b, -1.0 / 1000) FROM pairs WHERE kind <> 'large' ORDER BY id;

-- cosine_sim
SELECT id, cosine_sim(a, b), cosine_sim(a, a), cosine_sim(b, a) FROM pairs ORDER BY id;

-- dot_product
SELECT id, dot_product(a, b) FROM pairs ORDER BY id;

-- l2_distance
SELECT id, l2_distance(a, b), l2_distance(a, a) FROM pairs ORDER BY id;
-- embedding_valid
SELECT id, embedding_valid(a), embedding_valid(b, 3) FROM pairs ORDER BY id;
-- l1_distance
SELECT id, l1_distance(a, b), l1_distance(a, a) FROM pairs ORDER BY id;

-- pool_mean
SELECT text_id, pool_mean(v), pool_mean(v, mask), pool_mean(v, weight) FROM tokens GROUP BY text_id;

-- pool_mean window
SELECT id, pool_mean(v, weight) OVER (PARTITION BY text_id ORDER BY position ROWS 4 PRECEDING) FROM tokens ORDER BY id;

-- pool_position_mean
SELECT text_id, pool_position_mean(v, position), pool_position_mean(v, position, mask) FROM tokens GROUP BY text_id;

-- pool_max
SELECT text_id, pool_max(v), pool_max(v, mask) FROM tokens GROUP BY text_id;

-- pool_mean_sqrt_len
SELECT text_id, pool_mean_sqrt_len(v), pool_mean_sqrt_len(v, mask) FROM tokens GROUP BY text_id;

-- pool_cls and pool_last
SELECT text_id, pool_cls(v, position), pool_cls(v, position, mask), pool_last(v, position), pool_last(v, position, mask)
  FROM tokens GROUP BY text_id;

-- pool_tokens
SELECT id, mode.column1, pool_tokens(x, d, mode.column1), pool_tokens(x, d, mode.column1, mask)
  FROM states, (VALUES ('mean'), ('position_mean'), ('max'), ('mean_sqrt_len'), ('cls'), ('last')) AS mode
  ORDER BY id, mode.column1;

-- whiten_apply
SELECT m.name, i.id, whiten_apply(m.model, i.v) FROM models AS m JOIN inputs AS i ON i.d = m.d ORDER BY m.id, i.id;

-- whiten_inverse
SELECT m.name, i.id, whiten_inverse(m.model, whiten_apply(m.model, i.v)) FROM models AS m JOIN inputs AS i ON i.d = m.d
  WHERE m.name NOT LIKE '%without inverse%' ORDER BY m.id, i.id;

-- whiten_model
SELECT d.id, whiten_apply((SELECT whiten_model(model) FROM models WHERE name = 'pca 24'), d.v) FROM documents AS d
  ORDER BY d.id;

-- whiten_kernel and whiten_bias
SELECT id, whiten_kernel(model), whiten_bias(model) FROM models ORDER BY id;

-- whiten_offset and what it is added to
SELECT m.id, d.id, whiten_apply(m.model, d.v), whiten_inverse(m.model, whiten_apply(m.model, d.v)), whiten_offset(m.model)
  FROM aligned_models AS m, documents AS d WHERE d.id % 25 = 1 ORDER BY m.id, d.id;

-- whiten_rows with an offset
SELECT m.id, r.rowid, r.vector FROM aligned_models AS m, whiten_rows(m.model, 'documents', 'v') AS r ORDER BY m.id, r.rowid;

-- whiten_info
SELECT id, i -> 'explained', i -> 'condition', i -> 'rank', i -> 'hash'
  FROM (SELECT id, whiten_info(model) AS i FROM models) ORDER BY id;

-- whiten_check
SELECT id, whiten_check(model), whiten_check(substr(model, 2)) FROM models ORDER BY id;

-- whiten_spectrum
SELECT m.id, s.component, s.eigenvalue, s.ratio, s.cumulative FROM models AS m, whiten_spectrum(m.model) AS s
  WHERE m.name NOT LIKE 'imported%' ORDER BY m.id, s.component;

-- whiten_rows
SELECT m.name, r.rowid, r.vector FROM models AS m, whiten_rows(m.model, 'documents', 'v') AS r WHERE m.d = 24
  ORDER BY m.id, r.rowid;

-- whiten_rows long
SELECT r.rowid, r.vector FROM whiten_rows((SELECT model FROM models WHERE name = 'pca 300'), 'long', 'v') AS r;

-- whiten_merge
SELECT d, whiten_merge(stats) FROM shards GROUP BY d;

-- cosine_topk
SELECT q.id, t.rowid, t.similarity FROM queries AS q, cosine_topk('documents', 'v', q.v, 12) AS t
  WHERE q.v IS NOT NULL AND embedding_norm(q.v) > 0 ORDER BY q.id, t.similarity DESC, t.rowid;

-- cosine_join
SELECT query_rowid, rowid, similarity FROM cosine_join('documents', 'v', 'queries', 'v', 9);

-- cosine_join long
SELECT query_rowid, rowid, similarity FROM cosine_join('long', 'v', 'long', 'v', 3);

-- cosine_pairs
SELECT rowid_a, rowid_b, similarity FROM cosine_pairs('documents', 'v', 0.2);

-- cosine_pairs long
SELECT rowid_a, rowid_b, similarity FROM cosine_pairs('long', 'v', -0.1);

-- mean_cosine
SELECT (SELECT mean_cosine(v) FROM documents), (SELECT mean_cosine(v) FROM long);

-- spearman and pearson
SELECT spearman(x, y), pearson(x, y) FROM scores;

-- whiten_version
SELECT typeof(whiten_version());

-- scatter small groups
SELECT d, whiten_stats(v), isotropy(v) FROM inputs GROUP BY d ORDER BY d;

-- scatter of several blocks
SELECT (SELECT whiten_stats(v) FROM documents), (SELECT isotropy(v) FROM documents),
  (SELECT whiten_stats(v, 1 + id % 5) FROM documents);

-- scatter of pairs
SELECT (SELECT whiten_pair_stats(a, b) FROM pairs WHERE kind = 'ordinary' AND embedding_dim(a) = 67),
  (SELECT whiten_pair_stats(v, embedding_truncate(v, 7), 1 + id % 3) FROM documents);

-- scatter of several threads
SELECT whiten_stats(v), isotropy(v) FROM (SELECT l.v FROM json_each('[1,2,3,4,5,6,7,8,9]') CROSS JOIN long AS l);
