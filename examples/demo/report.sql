-- The page: everything above, and more, as one HTML file to look at, written by sql/report.sql as it would be for any table.
--
--   VECTORS=words DB=demo.db make demo && sqlite3 demo.db ".load ./whiten" ".parameter init" ".parameter set @file \"'page.html'\"" \
--     ".parameter set @picture \"'before_after.svg'\"" ".read examples/demo/report.sql"
--
-- writes it again, and besides it the picture of before and after that stands in the README.

CREATE TEMP VIEW my_vectors AS SELECT id, vector AS v FROM item;
CREATE TEMP VIEW my_texts AS SELECT id, text FROM item;
CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pair;
.parameter init
INSERT OR IGNORE INTO temp.sqlite_parameters (key, value) SELECT '@title', rtrim(replace(headline, char(10), ' '), '.') FROM subject;
.read sql/report.sql
