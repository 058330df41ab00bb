-- The demo on the user's own file, step by step: see demo.sql for the tables that own_data.sql has filled.
.mode list
.headers off
PRAGMA synchronous = OFF;
PRAGMA cache_size = -200000;  -- 200 MB
PRAGMA temp.cache_size = -200000;

.read examples/demo/fit.sql
.read examples/demo/retrieval.sql
.read examples/demo/correlation.sql
.read examples/demo/best.sql
.read examples/demo/nearest.sql
.read examples/demo/index.sql
.read examples/demo/models.sql
.read examples/demo/space.sql
.read examples/demo/spectrum.sql
.read examples/demo/size.sql
