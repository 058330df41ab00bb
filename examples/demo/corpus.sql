-- The shipped corpus: 320 texts, 80 groups of 4 that say the same in other words, and 80 queries, one for each group.
--
-- Their vectors were made by embed.mjs and are in two files of float16: encoder.f16 by a trained encoder (Universal
-- Sentence Encoder lite, 512 numbers), words.f16 as means of word vectors (GloVe's, 100 numbers).
--
-- Parameters: :vectors is encoder or words, which of them the demo goes through step by step; :query a piece of a query
-- or of a text, may be empty; :dim goes to pooling.sql. Fills text, question, embedded, item, pair, query, subject,
-- complaint, and what pooling.sql fills.

CREATE TABLE text(id INTEGER PRIMARY KEY, grp INTEGER, topic TEXT, text TEXT);
CREATE TABLE question(id INTEGER PRIMARY KEY, grp INTEGER, topic TEXT, text TEXT);
.mode tabs
.import --skip 1 examples/demo/corpus.tsv text
.import --skip 1 examples/demo/queries.tsv question
.mode list

-- The rows of the files are the texts, then the queries: of these the numbers go on.
UPDATE question SET id = id + 1000;
UPDATE question SET id = id - 1000 + (SELECT count(*) FROM text), grp = nullif(grp, '');

CREATE TABLE embedded(kind TEXT, id INTEGER, vector BLOB, PRIMARY KEY(kind, id));
INSERT INTO embedded
  SELECT 'words', position, vector FROM embedding_rows(readfile('examples/demo/words.f16'), 'f16', 100)
  UNION ALL
  SELECT 'encoder', position, vector FROM embedding_rows(readfile('examples/demo/encoder.f16'), 'f16', 512);

CREATE TABLE item(id INTEGER PRIMARY KEY, text TEXT, vector BLOB);
INSERT INTO item
  SELECT id, text, vector FROM text JOIN embedded USING (id) WHERE kind = :vectors;

-- The query: the first query or text that holds the words; unless given, the last of the queries, which is of no group.
CREATE TABLE query(id INTEGER, text TEXT, vector BLOB);
INSERT INTO query
  WITH every AS (SELECT id, text, NULL AS item FROM question UNION ALL SELECT id, text, id FROM text)
  SELECT item, text, vector FROM every JOIN embedded USING (id)
  WHERE kind = :vectors AND iif(:query = '', id = (SELECT max(id) FROM question), instr(lower(text), lower(:query)) > 0)
  ORDER BY item IS NOT NULL, id LIMIT 1;

CREATE TABLE pair(a INTEGER, b INTEGER, gold NUMERIC);
INSERT INTO pair
  SELECT a.id, b.id, 1 FROM text AS a JOIN text AS b ON b.grp = a.grp AND b.id <> a.id;

CREATE TABLE subject(headline TEXT, right_answer TEXT, hit_1 TEXT, hit_10 TEXT, embeddings TEXT);
INSERT INTO subject
  SELECT printf('%d texts in %d groups of paraphrases, %d queries, each embedded twice: as the mean of its word vectors,
and by a trained encoder.', count(*), count(DISTINCT grp), (SELECT count(grp) FROM question)),
    NULL, NULL, NULL, :vectors
  FROM text;

CREATE TABLE complaint(message TEXT);
INSERT INTO complaint
  SELECT printf('QUERY is %s, expected a piece of a text in examples/demo/queries.tsv or corpus.tsv: a new text needs an encoder, as examples/app has it',
    :query) WHERE NOT EXISTS (SELECT * FROM query);

.read examples/demo/pooling.sql
