"""sql/export_pgvector.sql: the file against numpy's numbers, to the bit; read by a PostgreSQL that runs for the test alone, on a
socket in its folder. Where that has no pgvector the column is text and cast to real[], which reads numbers as vector does.
"""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy
import pytest
from conftest import PATIENCE
from test_scripts import base, draw, fill, run  # noqa: F401

TARGET = '"a ""b"""'  # a "b", as both quote it
BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))


@pytest.fixture
def exported(run, base, rng, tmp_path):
    """250 rows, one NULL, with two ids that are no small numbers; the whitened vectors of apply.sql to compare with."""
    fill(base, draw(rng, 250, 6) * 10.0 ** rng.integers(-9, 9))
    base.execute("UPDATE documents SET embedding = NULL WHERE id = 100")
    base.execute("UPDATE documents SET id = CASE id WHEN 1 THEN -5 ELSE 9007199254740993 END WHERE id IN (1, 2)")
    run("fit", k=3)
    run("apply")
    printed = run("export_pgvector", target='a "b"', file="it's v.sql")
    text = (tmp_path / "it's v.sql").read_text(encoding="utf-8")
    assert printed == f"export_pgvector: it's v.sql, rows 250, vector(3), {len(text)} bytes\n"
    return text, {row[0]: row[1] for row in base.execute("SELECT id, v FROM whitened")}


def same(rows, wanted):
    assert len(rows) == 250 and set(rows) == set(wanted)
    for rowid, numbers in rows.items():
        assert numbers is wanted[rowid] is None or numpy.array(numbers, "<f4").tobytes() == wanted[rowid], rowid


def test_the_text(exported):
    text, wanted = exported
    head, copy, *lines, end = text.splitlines()
    assert head == f"CREATE TABLE IF NOT EXISTS {TARGET} (id bigint PRIMARY KEY, v vector(3));"
    assert (copy, end) == (f"COPY {TARGET} (id, v) FROM stdin;", "\\.")
    rows = [line.split("\t") for line in lines]
    assert [int(rowid) for rowid, _ in rows] == sorted(wanted)
    same({int(rowid): None if v == "\\N" else [float(x) for x in v.strip("[]").split(",")] for rowid, v in rows}, wanted)


def test_the_dimension_is_that_of_the_result(run, base, rng, tmp_path):
    """zca gives d numbers whatever k is; and no rows are no lines."""
    fill(base, draw(rng, 100, 5))
    run("fit", k=2, options='{"method":"zca"}')
    run("export_pgvector")
    assert "v vector(5)" in (tmp_path / "vectors.sql").read_text(encoding="utf-8")
    base.execute("DELETE FROM documents")
    assert "rows 0, vector(5)" in run("export_pgvector")
    assert (tmp_path / "vectors.sql").read_text(encoding="utf-8").endswith("FROM stdin;\n\\.\n")


def test_what_is_refused(run, base, rng, tmp_path):
    fill(base, draw(rng, 50, 3))
    run("fit")
    assert "whitening has no model of the name in @model" in run("export_pgvector", fails=True, model="none")
    wrong = "an id of my_vectors is no integer, or is there twice"
    for ids in ("id || ''", "id / 2", "nullif(id, 7)"):
        view = f"CREATE TEMP VIEW my_vectors AS SELECT {ids} AS id, embedding AS v FROM documents"
        assert wrong in run("export_pgvector", view, fails=True), ids
    assert not (tmp_path / "vectors.sql").exists()
    (tmp_path / "folder").mkdir()
    assert "the file in @file cannot be written" in run("export_pgvector", fails=True, file="folder")


@pytest.fixture
def psql():
    """psql(SQL) on a server of its own."""
    if not BIN or not (BIN[-1] / "initdb").exists():
        pytest.skip("PostgreSQL is not there (make guides-deps)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pg"))  # a short path: a socket's has 107 letters
    user = []
    if os.geteuid() == 0:  # the server does not run as root
        shutil.chown(folder, "postgres", "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def execute(*command, text=""):
        finished = subprocess.run(
            [*user, *map(str, command)], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", timeout=PATIENCE,
            cwd=folder, check=False,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stderr
        return finished.stdout

    execute(BIN[-1] / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")
    options = f"-c listen_addresses= -k {folder}"
    execute(BIN[-1] / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield lambda text: execute("psql", "-h", folder, "-U", "postgres", "-v", "ON_ERROR_STOP=1", "-qAtX", text=text)
    finally:
        execute(BIN[-1] / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder)


def test_postgresql_reads_it(exported, psql):
    text, wanted = exported
    pgvector = psql("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == "1\n"
    if pgvector:
        psql("CREATE EXTENSION vector")
    else:
        print("no pgvector here: the column is text")
        text = text.replace("vector(3)", "text", 1)
    psql(text)
    found = psql(f"SELECT id, translate(v::text, '[]', '{{}}')::real[] FROM {TARGET}")
    rows = dict(line.split("|") for line in found.splitlines())
    same({int(i): [float(x) for x in v.strip("{}").split(",")] if v else None for i, v in rows.items()}, wanted)
