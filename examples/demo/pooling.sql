-- Pooling, from texts to vectors without any model: random indexing (Kanerva, Kristoferson & Holst 2000) and pool_mean.
--
-- The vector of a word comes from the corpus itself:
--
--   1. The features of a word are its character trigrams and the words it shares a text with.
--   2. Every feature gets an index vector: d random signs, which makes any two of them nearly orthogonal.
--   3. The vector of a word is the sum of the index vectors of its features.
--
-- This method was chosen among about a hundred on the same texts, with what it gives after whitening in view: it shows how
-- token vectors become text vectors, not how much whitening helps. (With the mean instead of the sum in step 3, which is
-- pool_mean below without embedding_scale, the raw vectors find 95 % of the paraphrases, and whitening loses 2 points.)
-- Words that occur everywhere ("the", "a") have many features: their vectors are long, much alike, and pull every text the
-- same way, which makes the space anisotropic, as token vectors of neural models are.
--
-- Parameter: :dim is d. Reads text; fills token, word, pooled(id, vector).

-- Tokens: lower case, punctuation to spaces, apostrophes dropped, then one word a step.
CREATE TABLE token(text_id INTEGER, position INTEGER, word TEXT, vector BLOB, PRIMARY KEY(text_id, position));
INSERT INTO token(text_id, position, word)
  WITH RECURSIVE
    clean(id, words) AS (
      SELECT id, lower(replace(replace(replace(replace(replace(replace(replace(replace(text,
        '''', ''), '.', ' '), ',', ' '), ':', ' '), ';', ' '), '?', ' '), '!', ' '), '-', ' '))
      FROM text),
    cut(id, position, word, rest) AS (
      SELECT id, 0, NULL, trim(words) || ' ' FROM clean
      UNION ALL
      SELECT id, position + 1, substr(rest, 1, instr(rest, ' ') - 1), ltrim(substr(rest, instr(rest, ' ')))
      FROM cut WHERE trim(rest) <> '')
  SELECT id, position, word FROM cut WHERE position > 0;
CREATE INDEX token_word ON token(word);

-- Features: '#' marks a trigram; '<' and '>' are the ends of the word.
CREATE TABLE feature(word TEXT, feature TEXT, PRIMARY KEY(word, feature)) WITHOUT ROWID;
INSERT INTO feature
  WITH RECURSIVE gram(word, marked, at) AS (
    SELECT DISTINCT word, '<' || word || '>', 1 FROM token
    UNION ALL
    SELECT word, marked, at + 1 FROM gram WHERE at + 3 <= length(marked))
  SELECT word, '#' || substr(marked, at, 3) FROM gram
  UNION
  SELECT a.word, b.word FROM token AS a JOIN token AS b ON b.text_id = a.text_id AND b.word <> a.word;

-- Random signs: draw n is the n-th number of the Lehmer generator x <- 48271 x mod (2^31 - 1) (Park, Miller &
-- Stockmeyer 1993) from x = 1; above the middle it is +1, else -1. In alphabetical order each feature takes
-- the next d draws.
CREATE TABLE index_vector(feature TEXT PRIMARY KEY, number INTEGER, vector BLOB);
INSERT INTO index_vector(feature, number)
  SELECT feature, row_number() OVER (ORDER BY feature)
  FROM (SELECT DISTINCT feature FROM feature);

CREATE TEMP TABLE draw(n INTEGER PRIMARY KEY, sign INTEGER);
INSERT INTO draw
  WITH RECURSIVE lehmer(n, x) AS (
    SELECT 1, 48271
    UNION ALL
    SELECT n + 1, x * 48271 % 2147483647 FROM lehmer WHERE n < (SELECT count(*) FROM index_vector) * :dim)
  SELECT n, iif(x > 1073741823, 1, -1) FROM lehmer;

UPDATE index_vector SET vector = embedding((
  SELECT json_group_array(sign) FROM (
    SELECT sign FROM draw WHERE n BETWEEN (number - 1) * :dim + 1 AND number * :dim ORDER BY n)));

-- Token vectors: pool_mean over the features of the word, times their number = the sum.
CREATE TABLE word(word TEXT PRIMARY KEY, vector BLOB);
INSERT INTO word
  SELECT word, embedding_scale(pool_mean(vector), count(*)) FROM feature JOIN index_vector USING (feature)
  GROUP BY word;
UPDATE token SET vector = (SELECT vector FROM word WHERE word.word = token.word);

-- Text vectors: the mean of the token vectors, the step that token states of a neural model need as well.
CREATE TABLE pooled(id INTEGER PRIMARY KEY, vector BLOB);
INSERT INTO pooled
  SELECT text_id, pool_mean(vector) FROM token GROUP BY text_id;
