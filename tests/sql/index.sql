-- whiten_index: a small index from creation to the end, by hand: the model does nothing, so that a similarity is a cosine
CREATE TABLE "my docs"(id INTEGER PRIMARY KEY, title TEXT, "the vector" BLOB, lang TEXT);
INSERT INTO "my docs" VALUES (1, 'east', embedding('[1,0]'), 'en'), (2, 'north', '[0,2]', 'de'), (3, 'north-east', embedding('[3,3]'), 'en'),
  (4, 'west', '[-5,0]', 'de'), (5, 'nowhere', '[0,0]', 'en'), (6, 'unknown', NULL, 'en'), (7, 'east again', '[2,0]', 'de');
CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('same', whiten_import('[1,0,0,1]', '[0,0]'));
CREATE VIRTUAL TABLE "by meaning" USING whiten_index(content = "my docs", column = [the vector], model = 'same');
.print == best first
SELECT rowid, round(similarity, 6) FROM "by meaning"('[1,0]');
SELECT title FROM "by meaning"('[0,1]') AS s JOIN "my docs" AS d ON d.id = s.rowid LIMIT 2;
.print == filters, thresholds, pages
SELECT rowid FROM "by meaning"('[1,0]', 2) WHERE rowid IN (SELECT id FROM "my docs" WHERE lang = 'de');
SELECT rowid FROM "by meaning"('[1,0]') WHERE similarity > 0 AND rowid > 1;
SELECT rowid FROM "by meaning"('[1,0]') LIMIT 2 OFFSET 2;
SELECT group_concat(rowid) FROM "by meaning" WHERE "by meaning" MATCH '[1,0]' AND k = 3;
.print == many queries
SELECT q.id, s.rowid FROM "my docs" AS q JOIN "by meaning" AS s ON s.query = q."the vector" AND s.k = 2 WHERE q.id < 4 OR q.id > 4;
.print == changes, as they come
INSERT INTO "my docs" VALUES (8, 'south', '[0,-1]', 'fr') RETURNING title;
SELECT rowid FROM "by meaning"('[0,-1]', 1);
INSERT INTO "my docs"(id, "the vector") VALUES (8, '[1,-1]'), (9, '[0,-1]') ON CONFLICT(id) DO UPDATE SET "the vector" = excluded."the vector";
SELECT rowid FROM "by meaning"('[0,-1]', 2);
UPDATE "my docs" SET id = 20 WHERE id = 9;
SELECT rowid FROM "by meaning"('[0,-1]', 2);
BEGIN;
DELETE FROM "my docs" WHERE id = 20;
SELECT rowid FROM "by meaning"('[0,-1]', 2);
ROLLBACK;
SELECT rowid FROM "by meaning"('[0,-1]', 2);
DELETE FROM "my docs" WHERE id > 8;
INSERT INTO "by meaning"("by meaning") VALUES ('integrity-check'), ('optimize'), ('rebuild'), ('sync'), ('integrity-check');
SELECT rowid FROM "by meaning"('[0,-1]', 2);
.print == what it is
SELECT i ->> 'rows', i ->> 'pending', i ->> 'd', i ->> 'k', i ->> 'recall', i ->> 'chunks' FROM (SELECT whiten_index_info('by meaning') AS i);
SELECT recall, queries FROM whiten_index_recall('by meaning', 100, 2);
SELECT query_rowid, rowid, round(similarity, 3) FROM whiten_index_join('by meaning', 'my docs', 'the vector', 2) WHERE query_rowid < 3;
SELECT name FROM sqlite_schema WHERE name LIKE 'by meaning%' ORDER BY name;
.print == plans
EXPLAIN QUERY PLAN SELECT rowid FROM "by meaning"('[1,0]', 2) WHERE rowid IN (1, 2) AND similarity >= 0.5;
.print == generated vectors, cascades, a fitted model
PRAGMA foreign_keys = ON;
CREATE TABLE folder(id INTEGER PRIMARY KEY);
CREATE TABLE doc(id INTEGER PRIMARY KEY, folder REFERENCES folder(id) ON DELETE CASCADE ON UPDATE CASCADE, x REAL, y REAL,
  v AS (embedding_normalize(json_array(x, y))) STORED);
INSERT INTO folder VALUES (1), (2);
INSERT INTO doc(folder, x, y) VALUES (1, 1, 0), (1, 0, 1), (2, -1, 0), (2, 0, -1), (2, -3, 1), (2, 1, 4);
CREATE VIRTUAL TABLE doc_search USING whiten_index(content = doc, column = v, k = 2, ridge = 1);
SELECT rowid FROM doc_search('[-1,0.4]', 2);
UPDATE doc SET x = 9 WHERE id = 3;
SELECT rowid FROM doc_search('[-1,0.4]', 2);
DELETE FROM folder WHERE id = 2;
SELECT group_concat(rowid) FROM doc_search('[-1,0.4]');
INSERT INTO doc_search(doc_search) VALUES ('integrity-check');
DROP TABLE doc_search;
SELECT count(*) FROM sqlite_schema WHERE name LIKE 'doc\_search%' ESCAPE '\';
