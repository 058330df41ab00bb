-- Fit, register, apply: one pass over the rows gathers the moments, and each recipe solves a model from them.
--
-- Leaves whitening(name, model), the register of models, and space(position, name, id, vector), the raw
-- vectors (position 0) and every item through every model.

CREATE TABLE moments AS SELECT whiten_stats(vector) AS stats FROM item;

-- Recipes: centred only (power 0), every direction with variance, the three largest powers of two below that
-- (256 to 2: with k = 1 every cosine is 1 or -1), and the ways to whiten with care.
CREATE TABLE recipe(position INTEGER PRIMARY KEY, name TEXT, k INTEGER, options TEXT);
INSERT INTO recipe
  WITH RECURSIVE
    every(k) AS (SELECT json_extract(whiten_info(whiten_solve(stats)), '$.k') FROM moments),
    halving(k) AS (SELECT 256 UNION ALL SELECT k / 2 FROM halving WHERE k > 2),
    smaller(k) AS (SELECT halving.k FROM halving, every WHERE halving.k < every.k ORDER BY 1 DESC LIMIT 3)
  SELECT 1, 'centred', NULL, '{"power":0}'
  UNION ALL SELECT 2, 'k = ' || k, NULL, '{}' FROM every
  UNION ALL SELECT 2 + row_number() OVER (ORDER BY k DESC), 'k = ' || k, k, '{}' FROM smaller
  UNION ALL SELECT 6, 'ridge 1', NULL, '{"ridge":1}'
  UNION ALL SELECT 7, 'k = ' || min(k) || ', ridge 1', min(k), '{"ridge":1}' FROM smaller HAVING count(*) > 0
  UNION ALL SELECT 8, 'power 0.5', NULL, '{"power":0.5}';

CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);
CREATE TABLE space(position INTEGER, name TEXT, id INTEGER, vector BLOB);
INSERT INTO space SELECT 0, 'raw', id, vector FROM item ORDER BY id;

-- A model that is registered is applied at once. Inside the trigger it is a constant, parsed once.
CREATE TRIGGER apply AFTER INSERT ON whitening BEGIN
  INSERT INTO space
    SELECT (SELECT position FROM recipe WHERE name = NEW.name), NEW.name, id,
      whiten_apply((SELECT whiten_model(NEW.model)), vector)
    FROM item ORDER BY id;
END;

INSERT INTO whitening
  WITH fitted AS MATERIALIZED (
    SELECT position, name, whiten_solve(stats, k, options) AS model FROM recipe, moments)
  SELECT name, model FROM fitted ORDER BY position;

CREATE INDEX space_item ON space(position, id);

SELECT '
' || headline FROM subject;
