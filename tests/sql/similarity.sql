-- cosine_sim, dot_product, l2_distance, l1_distance: ordering, NULL, thresholds
CREATE TABLE word(id INTEGER PRIMARY KEY, name TEXT, v BLOB);
INSERT INTO word(name, v) VALUES
  ('east', embedding('[1,0]')), ('north', embedding('[0,2]')), ('north-east', embedding('[3,3]')),
  ('west', embedding('[-5,0]')), ('nowhere', embedding('[0,0]')), ('unknown', NULL);
.print == all pairs of a matrix: 3-4-5 triangles
SELECT round(cosine_sim('[3,4]', '[4,3]'), 6), dot_product('[3,4]', '[4,3]'),
  round(l2_distance('[3,4]', '[4,3]'), 6),
  l2_distance('[0,0]', '[3,4]'), l1_distance('[0,0]', '[3,4]');
.print == best first: what has no direction or no vector comes last
SELECT name, round(cosine_sim(v, '[1,0.5]'), 6) AS s FROM word ORDER BY s DESC, id;
.print == the nearest by distance, a zero vector has one
SELECT name, round(l2_distance(v, '[1,0.5]'), 6) AS d FROM word WHERE d NOT NULL ORDER BY d, id LIMIT 3;
.print == a threshold
SELECT group_concat(name) FROM (SELECT name FROM word WHERE cosine_sim(v, '[1,1]') > 0.7 ORDER BY id);
.print == near-duplicates by a self-join
SELECT a.name, b.name, round(cosine_sim(a.v, b.v), 6) FROM word AS a JOIN word AS b ON a.id < b.id
  WHERE cosine_sim(a.v, b.v) > 0.5 ORDER BY a.id, b.id;
.print == the sign, and the ends of the scale
SELECT cosine_sim('[1,2,3]', '[2,4,6]') = 1, cosine_sim('[1,2,3]', '[-2,-4,-6]') = -1,
  cosine_sim('[1e-30]', '[1e30]'),
  cosine_sim('[1e-45]', '[-1e-45]');
.print == unit vectors: the dot product is the cosine
SELECT round(dot_product(embedding_normalize('[3,4]'), embedding_normalize('[4,3]')), 6);
