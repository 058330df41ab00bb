-- spearman, pearson, mean_cosine, isotropy; whiten_version, whiten_config
CREATE TABLE pair(lang TEXT, gold REAL, sim REAL);
INSERT INTO pair VALUES ('en', 1, 0.1), ('en', 2, 0.4), ('en', 3, 0.3), ('en', 4, 0.9), ('de', 1, 3),
  ('de', 2, 2), ('de', 3, 1),
  ('fr', 5, NULL), ('fr', NULL, 1), ('fr', 1, 1), ('it', 1, 1), ('it', 2, 1);
.print == by language: ranks 1 2 3 4 against 1 3 2 4: 1 - 6 * 2 / (4 * 15)
SELECT lang, round(spearman(gold, sim), 6), round(pearson(gold, sim), 6) FROM pair GROUP BY lang
  ORDER BY lang;
.print == ties share their mean rank: 1.5 1.5 3 4 against 2 1 3 4
SELECT round(spearman(column1, column2), 6) FROM (VALUES (7, 2), (7, 1), (8, 3), (9, 4));
.print == the order of the arguments does not matter, the scale neither
SELECT spearman(gold, sim) = spearman(sim, gold), spearman(gold, sim) = spearman(gold * 100 - 7, sim * 0.001)
  FROM pair WHERE lang = 'en';
.print == integers, reals and booleans
SELECT round(spearman(gold > 2, sim), 6), round(pearson(gold > 2, gold > 2), 6) FROM pair WHERE lang = 'de';
.print == mean cosine over pairs: three directions, 0, 90, 180 degrees
SELECT round(mean_cosine(value), 6) FROM json_each('[[1,0],[0,1],[-1,0]]');
SELECT round(mean_cosine(value), 6) FROM json_each('[[1,1],[2,2],[3,3]]');
.print == brute force agrees
WITH v(i, v) AS (SELECT key, embedding(value)
  FROM json_each('[[1,2,3],[4,5,-6],[7,-8,9],[-1,0,1],[0.5,0.5,2]]'))
SELECT abs((SELECT mean_cosine(v) FROM v) - (SELECT avg(cosine_sim(a.v, b.v)) FROM v AS a, v AS b
  WHERE a.i < b.i)) < 1e-6;
.print == IsoScore: all directions alike 1, one direction 0, variances 4 : 1 give 8 / 17
SELECT round(isotropy(value), 6) FROM json_each('[[1,0],[-1,0],[0,1],[0,-1]]');
SELECT abs(round(isotropy(value), 6)) FROM json_each('[[1,0],[2,0],[3,0],[4,0]]');
SELECT round(isotropy(value), 6) FROM json_each('[[2,1],[2,-1],[-2,1],[-2,-1],[0,0]]');
.print == in three dimensions, variances 1 : 1 : 0 give (3 * 4 / 6 - 1) / 2
SELECT round(isotropy(value), 6) FROM json_each('[[1,0,5],[-1,0,5],[0,1,5],[0,-1,5]]');
.print == where they are not defined
SELECT mean_cosine(v), isotropy(v), spearman(1, 1), pearson(1, 1) FROM (SELECT '[1,2]' AS v);
SELECT isotropy(value) FROM json_each('[[1],[2],[3]]');
.print == what is running
SELECT whiten_version() GLOB '[0-9]*.[0-9]*.[0-9]*', json_valid(whiten_config()),
  whiten_config() ->> 'sqlite' = sqlite_version(),
  (whiten_config() ->> 'threads') > 0;
SELECT whiten_config('threads', 1), whiten_config() ->> 'threads', whiten_config('threads', NULL) >= 1;
