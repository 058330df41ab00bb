-- The user's own data: a file of raw float32 vectors, and tab-separated files of pairs and labels.
--
-- Parameters: :data, :pairs and :labels are paths (the last two may be empty), :dim the length of a vector,
-- :query a row number or a piece of a label (may be empty). Fills item, pair, query, subject, complaint.

CREATE TABLE item(id INTEGER PRIMARY KEY, text TEXT, vector BLOB);
INSERT INTO item(id, vector) SELECT position - 1, vector FROM embedding_rows(readfile(:data), 'f32', :dim);

-- Tab-separated text becomes one JSON array of arrays: unlike .import, this takes any number of columns and
-- reads quotation marks as themselves.
CREATE TEMP TABLE file(name TEXT PRIMARY KEY, content TEXT);
INSERT INTO file
  SELECT 'PAIRS', CAST(readfile(:pairs) AS TEXT) WHERE :pairs <> ''
  UNION ALL SELECT 'LABELS', CAST(readfile(:labels) AS TEXT) WHERE :labels <> '';
CREATE TEMP VIEW line AS
  SELECT name, key + 1 AS number, value AS fields
  FROM file, json_each('[["' || replace(replace(replace(replace(replace(content,
    '\', '\\'), '"', '\"'), char(13), ''), char(9), '","'), char(10), '"],["') || '"]]')
  WHERE key > 0 AND value <> '[""]';

CREATE TABLE pair(a INTEGER, b INTEGER, gold NUMERIC, line INTEGER);
INSERT INTO pair
  SELECT json_extract(fields, '$[0]'), json_extract(fields, '$[1]'), json_extract(fields, '$[2]'), number
  FROM line WHERE name = 'PAIRS';

CREATE TEMP TABLE label(id INTEGER, text TEXT, line INTEGER);
INSERT INTO label
  SELECT json_extract(fields, '$[0]'), json_extract(fields, '$[#-1]'), number
  FROM line WHERE name = 'LABELS';
CREATE INDEX temp.label_id ON label(id);
UPDATE item SET text = coalesce((SELECT text FROM label WHERE label.id = item.id), 'row ' || id);

-- The query: the row of that number, or the first row whose label holds the text, or the first row of PAIRS.
CREATE TABLE query(id INTEGER, text TEXT, vector BLOB);
INSERT INTO query
  SELECT id, text, vector FROM item
  WHERE CASE
    WHEN :query = '' THEN id = coalesce((SELECT a FROM pair ORDER BY line LIMIT 1), 0)
    WHEN :query NOT GLOB '*[^0-9]*' THEN id = CAST(:query AS INTEGER)
    ELSE instr(lower(text), lower(:query)) > 0 END
  ORDER BY id LIMIT 1;

CREATE TABLE subject(headline TEXT, right_answer TEXT, hit_1 TEXT, hit_10 TEXT, embeddings TEXT);
INSERT INTO subject
  SELECT printf('%d vectors of %d numbers from %s, %d pairs.', count(*), :dim, :data,
      (SELECT count(*) FROM pair)),
    'its row_b in PAIRS', 'R@1', 'R@10', NULL
  FROM item;

CREATE TABLE complaint(message TEXT);
INSERT INTO complaint
  WITH cell(file, line, field, value) AS (
    SELECT 'PAIRS', line, 'row_a', a FROM pair
    UNION ALL SELECT 'PAIRS', line, 'row_b', b FROM pair
    UNION ALL SELECT 'LABELS', line, 'row', id FROM label)
  SELECT printf('%s line %d: %s is %s, expected a row number from 0 to %d', file, line, field,
    iif(coalesce(value, '') = '', 'missing', value), (SELECT count(*) - 1 FROM item))
  FROM cell WHERE coalesce(value, '') NOT IN (SELECT id FROM item)
  ORDER BY file DESC, line;
INSERT INTO complaint
  SELECT printf('PAIRS line %d: gold is %s, expected a number', line,
    iif(coalesce(gold, '') = '', 'missing', gold))
  FROM pair WHERE typeof(gold) NOT IN ('integer', 'real')
  ORDER BY line;
INSERT INTO complaint
  SELECT 'PAIRS has no pair, expected a header line and at least one line of row_a, row_b, gold'
  WHERE :pairs <> '' AND NOT EXISTS (SELECT * FROM pair);
INSERT INTO complaint
  SELECT printf('QUERY is %s, expected a row number from 0 to %d or a piece of a label', :query,
    (SELECT count(*) - 1 FROM item))
  WHERE NOT EXISTS (SELECT * FROM query);
