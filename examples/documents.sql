-- documents: what the guides of this folder search. From an empty folder beside the clone:
--
--   sqlite3 my.db < ../sqlite-whiten/examples/documents.sql
--
-- makes documents(id, topic, text, embedding), the demo's 320 texts with the vectors of a trained encoder (512 numbers),
-- questions(id, text, embedding), its 80 queries, and answers(question, document), the four texts that answer each.

.bail on
.load ../sqlite-whiten/whiten
CREATE TEMP TABLE text (id INTEGER PRIMARY KEY, grp INTEGER, topic TEXT, text TEXT);
CREATE TEMP TABLE question (id INTEGER PRIMARY KEY, grp INTEGER, topic TEXT, text TEXT);
.mode tabs
.import --schema temp --skip 1 ../sqlite-whiten/examples/demo/corpus.tsv text
.import --schema temp --skip 1 ../sqlite-whiten/examples/demo/queries.tsv question
CREATE TEMP TABLE vectors AS
  SELECT position AS id, vector FROM embedding_rows(readfile('../sqlite-whiten/examples/demo/encoder.f16'), 'f16', 512);

CREATE TABLE documents (id INTEGER PRIMARY KEY, topic TEXT, text TEXT, embedding BLOB);
INSERT INTO documents SELECT text.id, topic, text, vector FROM text JOIN vectors USING (id);
CREATE TABLE questions (id INTEGER PRIMARY KEY, text TEXT, embedding BLOB);
INSERT INTO questions
  SELECT q.id, q.text, vector FROM question AS q JOIN vectors AS v ON v.id = q.id + (SELECT count(*) FROM text)
  WHERE q.grp <> '';
CREATE TABLE answers (question INTEGER, document INTEGER);
INSERT INTO answers SELECT q.id, t.id FROM question AS q JOIN text AS t ON t.grp = q.grp WHERE q.grp <> '';
