-- The demo, step by step. demo.sh has loaded the extension and filled four tables, either from the shipped
-- corpus (corpus.sql) or from the user's files (own_data.sql):
--
--   item(id, text, vector)    one row a text: its label and its raw embedding
--   pair(a, b, gold)          b answers a (gold constant), or a and b are similar by so much (gold varies)
--   query(id, text, vector)   the one text to search for; id is NULL when it is none of the items
--   subject(headline, right_answer, hit_1, hit_10)   words for the report
--
-- Each step below is a file of its own that can be read, and copied from, alone.
.mode list
.headers off
PRAGMA synchronous = OFF;
PRAGMA cache_size = -200000;  -- 200 MB

.read examples/demo/fit.sql
.read examples/demo/space.sql
.read examples/demo/retrieval.sql
.read examples/demo/correlation.sql
.read examples/demo/best.sql
.read examples/demo/spectrum.sql
.read examples/demo/nearest.sql
.read examples/demo/size.sql
