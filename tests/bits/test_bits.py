"""The same bits: every function but those that go through LAPACK or BLAS returns what tests/bits/bits.expected says,
under every kernel variant and number of threads, and a database whose indexes were built under one variant is
sound under the others. `make bits` adds builds by gcc and clang, at -O0 and -O3.

Each run is a process of its own, since the variant is chosen once. bits.expected is what one build returned: it
says that a bit has moved, not which one is right. Who moves one on purpose makes the indexes of databases out
there wrong, and writes the new hashes with
  tests/bits/bits.py inputs.db && tests/bits/bits.py inputs.db whiten.so
"""

import functools
import os
import pathlib
import platform
import sqlite3
import subprocess
import sys

import bits
import pytest
from conftest import ENTRY, PATIENCE, ROOT, WHITEN_SO, registered_names

BUILDS = [WHITEN_SO, *map(pathlib.Path, filter(None, os.environ.get("WHITEN_BUILDS", "").split(":")))]
KERNELS = ["portable", *(["avx2", "avx512"] if platform.machine() == "x86_64" else ["neon"])]
EXPECTED = ROOT / "tests" / "bits" / "bits.expected"
# What solves an eigenproblem or a linear system; and what says something else by intent.
NOT_PROMISED = {"whiten_fit", "whiten_solve", "whiten_align", "whiten_tune", "whiten_import", "whiten_config"}
# What writes, or reads what was written: test_a_table_whitened_elsewhere_is_finished, test_a_search_index_made_elsewhere.
WRITES = {"whiten_batch", "whiten_pending", "whiten_index", "whiten_index_info", "whiten_index_recall", "whiten_index_join"}
# Variants that do not fuse multiply and add: for them the "unfused scatter ..." of bits.expected.
NOT_FUSED = {"portable"} if platform.machine() == "x86_64" else set()

CHECKED = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.enable_load_extension(True)
db.execute("SELECT load_extension(?, 'sqlite3_whiten_init')", (sys.argv[2],))
db.executescript(sys.argv[3])
for table in ("sims", "norms"):
    print(db.execute("SELECT count(*) FROM " + table).fetchone()[0])
print(*(row[0] for row in db.execute("PRAGMA integrity_check")), sep="\\n")
"""
INDEXED = """
CREATE TABLE sims(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO sims SELECT id, a FROM pairs WHERE length(a) = 400;
INSERT INTO sims (v) SELECT v FROM tokens WHERE length(v) = 268;
CREATE INDEX sims_by_cosine ON sims(cosine_sim(v, {query})) WHERE length(v) = 268;
CREATE TABLE norms(
  id INTEGER PRIMARY KEY, v BLOB, norm REAL GENERATED ALWAYS AS (embedding_norm(v)) VIRTUAL, CHECK (norm >= 0)
);
INSERT INTO norms SELECT id, a FROM pairs;
CREATE INDEX norms_by_norm ON norms(norm);
CREATE INDEX norms_by_distance ON norms(l2_distance(v, embedding_normalize(v)));
"""


@functools.lru_cache(maxsize=None)
def runs(so, kernel):
    """Whether this build has the variant and this machine runs it."""
    done = child(
        "-c", CHECKED, ":memory:", so, "CREATE TABLE sims(x); CREATE TABLE norms(x)", WHITEN_KERNEL=kernel
    )
    if done.returncode != 0:
        assert "WHITEN_KERNEL is" in done.stderr, done.stderr
    return done.returncode == 0


def child(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    path = tmp_path_factory.mktemp("bits") / "inputs.db"
    bits.write_database(path)
    return path


def expected():
    """name -> (hash, the hash without fused multiply-add or "")"""
    lines = EXPECTED.read_text(encoding="ascii").split("\n")
    hashes = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    names = [name for name in hashes if not name.startswith("unfused ")]
    return {name: (hashes[name], hashes.get(f"unfused {name}", "")) for name in names}


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("so", BUILDS, ids=lambda so: so.parent.name)
def test_same_bits(inputs, so, kernel, threads):
    if not runs(so, kernel):
        pytest.skip(f"no {kernel} here")
    done = child(ROOT / "tests" / "bits" / "bits.py", inputs, so, WHITEN_KERNEL=kernel, WHITEN_THREADS=threads)
    assert done.returncode == 0, done.stderr
    found = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    wanted = expected()
    wanted = {name: unfused if kernel in NOT_FUSED and unfused else hash for name, (hash, unfused) in wanted.items()}
    assert set(found) == set(wanted)
    assert {name: hash for name, hash in found.items() if wanted[name] != hash} == {}


def test_the_inputs_are_the_same(inputs, tmp_path):
    bits.write_database(tmp_path / "again.db")
    dumps = [list(sqlite3.connect(path).iterdump()) for path in (inputs, tmp_path / "again.db")]
    assert dumps[0] == dumps[1]


def test_every_function_has_its_statement():
    text = " ".join(sql for _, sql in bits.statements())
    assert {name for name in registered_names() if f"{name}(" not in text} == NOT_PROMISED | WRITES


WHITENED = """
CREATE TABLE sims(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO sims SELECT id, v FROM documents WHERE id % 3 > 0;
CREATE TABLE norms(id INTEGER PRIMARY KEY, v BLOB, model_hash TEXT);
CREATE TABLE last AS SELECT whiten_batch(model, 'sims', 'norms', NULL, 5000) AS id FROM models WHERE name = 'pca 24';
"""
FINISHED = """
CREATE TEMP TABLE checked AS SELECT whiten_pending(model, 'sims', 'norms') AS state FROM models WHERE name = 'pca 24';
CREATE TEMP TABLE wrong(n CHECK (n = 0));
INSERT INTO wrong SELECT state ->> 'pending' FROM checked;
"""


def made_and_seen(inputs, so, builder, path, scripts):
    """What the first script leaves in a copy of the inputs under one variant, which the second sees under all."""
    if not runs(so, builder):
        pytest.skip(f"no {builder} here")
    path.write_bytes(inputs.read_bytes())
    made = child("-c", CHECKED, path, so, scripts[0], WHITEN_KERNEL=builder)
    assert made.returncode == 0, made.stderr
    rows = made.stdout.split()
    for other in BUILDS:
        for kernel in KERNELS:
            if runs(other, kernel):
                seen = child("-c", CHECKED, path, other, scripts[1], WHITEN_KERNEL=kernel)
                assert seen.stdout.split() == rows, seen.stderr
    return rows


@pytest.mark.parametrize("builder", KERNELS)
@pytest.mark.parametrize("so", BUILDS, ids=lambda so: so.parent.name)
def test_a_table_whitened_elsewhere_is_finished(inputs, so, builder, tmp_path):
    """What whiten_batch wrote under one variant is, to the bit, what whiten_pending expects under the others."""
    rows = made_and_seen(inputs, so, builder, tmp_path / "whitened.db", (WHITENED, FINISHED))
    assert rows == ["1000", "1000", "ok"]


SEARCH = """
CREATE TABLE whitening AS SELECT name, model FROM models;
CREATE VIRTUAL TABLE search USING whiten_index(content = documents, column = v, model = 'pca 24');
CREATE TABLE sims AS SELECT q.id, s.rowid AS found, s.similarity FROM queries AS q, search(q.v, 9) AS s;
CREATE TABLE norms AS SELECT data FROM search_signs UNION ALL SELECT data FROM search_rest;
"""
SEARCHED = """
INSERT INTO search(search) VALUES ('integrity-check');
CREATE TEMP TABLE answers AS SELECT q.id, s.rowid AS found, s.similarity FROM queries AS q, search(q.v, 9) AS s;
CREATE TEMP TABLE wrong(n CHECK (n = 0));
INSERT INTO wrong SELECT count(*) FROM (SELECT * FROM answers EXCEPT SELECT * FROM sims);
INSERT INTO wrong SELECT count(*) FROM (SELECT * FROM sims EXCEPT SELECT * FROM answers);
"""


@pytest.mark.parametrize("builder", KERNELS)
@pytest.mark.parametrize("so", BUILDS, ids=lambda so: so.parent.name)
def test_a_search_index_made_elsewhere(inputs, so, builder, tmp_path):
    """Its codes are, to the bit, what 'integrity-check' expects under the other variants, and its answers theirs."""
    rows = made_and_seen(inputs, so, builder, tmp_path / "search.db", (SEARCH, SEARCHED))
    assert rows[2:] == ["ok"] and int(rows[0]) > 100 and int(rows[1]) >= 2


@pytest.mark.parametrize("builder", KERNELS)
@pytest.mark.parametrize("so", BUILDS, ids=lambda so: so.parent.name)
def test_an_index_made_elsewhere_is_sound(inputs, so, builder, tmp_path):
    query = sqlite3.connect(inputs).execute("SELECT quote(v) FROM tokens WHERE length(v) = 268").fetchone()[0]
    rows = made_and_seen(inputs, so, builder, tmp_path / "indexed.db", (INDEXED.format(query=query), ""))
    assert rows[2:] == ["ok"] and int(rows[0]) > 20 and int(rows[1]) > 400
