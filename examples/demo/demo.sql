-- The demo on the shipped corpus, step by step; own_demo.sql is the one on files of the user. demo.sh has loaded the
-- extension, and corpus.sql (there own_data.sql) has filled four tables:
--
--   item(id, text, vector)    one row a text: its label and its raw embedding
--   pair(a, b, gold)          b answers a (gold constant), or a and b are similar by so much (gold varies)
--   query(id, text, vector)   the one text to search for; id is NULL when it is none of the items
--   subject(headline, right_answer, hit_1, hit_10, embeddings)   words for the report, which vectors of the corpus
--
-- Each step below is a file of its own that can be read, and copied from, alone.
.mode list
.headers off
PRAGMA synchronous = OFF;
PRAGMA cache_size = -200000;  -- 200 MB
PRAGMA temp.cache_size = -200000;

.read examples/demo/fit.sql
.read examples/demo/compare.sql
.read examples/demo/best.sql
.read examples/demo/nearest.sql
.read examples/demo/index.sql
.read examples/demo/models.sql
.read examples/demo/space.sql
.read examples/demo/spectrum.sql
.read examples/demo/size.sql
.read examples/demo/pooled.sql
