-- vectors in and out: embedding, embedding_as, embedding_dim, embedding_norm, embedding_normalize,
-- embedding_truncate,
-- embedding_scale
.print == a column of JSON becomes BLOBs, and comes back
CREATE TABLE doc(id INTEGER PRIMARY KEY, json TEXT, v BLOB);
INSERT INTO doc(json) VALUES ('[1,2,2]'), ('[ 6, -0.8e1, 0 ]'), ('[0,0,0]'), (NULL);
UPDATE doc SET v = embedding(json);
SELECT id, hex(v), embedding_dim(v), round(embedding_norm(v), 4), embedding_as(v, 'json') FROM doc;
.print == each encoding takes its bytes for an element and comes back
SELECT column1, length(embedding_as('[1,-2,0.5,100]', column1)),
  embedding_as(embedding(embedding_as('[1,-2,0.5,100]', column1), column1), 'json')
  FROM (VALUES ('json'), ('f32'), ('f64'), ('f16'), ('bf16'), ('i8'));
.print == halves: 0.1 in f16 is 0x2e66, in bf16 0x3dcd
SELECT hex(embedding_as('[0.1]', 'f16')), hex(embedding_as('[0.1]', 'bf16')),
  hex(embedding_as('[0.1]', 'f64'));
.print == unit vectors; a zero vector has none
SELECT id, embedding_as(embedding_normalize(v), 'json') FROM doc;
.print == the first elements
SELECT embedding_as(embedding_truncate(v, 2), 'json') FROM doc WHERE id < 3;
.print == int8: scaled so that the largest element is 127, and back
SELECT hex(embedding_as(embedding_scale('[0.5,-1,0.25]', 127), 'i8')),
  embedding_as(embedding_scale(embedding(x'4081', 'i8'), 1 / 128.0), 'json');
.print == types: what is stored is a BLOB
SELECT typeof(embedding('[1]')), typeof(embedding_as('[1]', 'json')), typeof(embedding_as('[1]', 'i8')),
  typeof(embedding_dim('[1]')), typeof(embedding_norm('[1]'));
.print == JSON made by SQLite goes in, and what comes out is JSON to SQLite
SELECT embedding_as(embedding(json_group_array(value * 2)), 'json') FROM json_each('[1,2,3]');
SELECT sum(value), count(*) FROM json_each(embedding_as(x'0000803f00000040', 'json'));
SELECT json_object('id', 1, 'v', json(embedding_as('[1,0.5]', 'json')));
.print == the rows that are no vectors of three elements
SELECT group_concat(key) FROM json_each('["[1,2,3]","[1,2]","word",5,null,"[1,2,1e50]"]')
  WHERE NOT embedding_valid(value, 3);
