"""What all tests share: where things are, a connection with the extension, the shell, vectors, real data, the
counts.

WHITEN_SO names another build of the extension (default: whiten.so in the root), WHITEN_DATA the folder with
the sets of real embeddings; WHITEN_SHELL another sqlite3 shell; WHITEN_SEED another seed for the random
tests, which every failing test shows. This file is the one place where the data folder is looked for.
"""

import functools
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys

import numpy
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
WHITEN_SO = pathlib.Path(os.environ.get("WHITEN_SO") or ROOT / "whiten.so").resolve()
DATA = pathlib.Path(os.environ.get("WHITEN_DATA") or ROOT.parent / "shared" / "data")
SHELL = os.environ.get("WHITEN_SHELL") or "sqlite3"
SEED = int(os.environ.get("WHITEN_SEED") or 20210329)
ENTRY = "sqlite3_whiten_init"
sys.path.insert(0, str(ROOT / "tests" / "bits"))  # its statements serve other tests, too
PATIENCE = 1800  # seconds until something counts as hung: on no machine is it how long something takes


def load_into(connection, path=WHITEN_SO, entry=ENTRY):
    """Load an extension by path and entry point (Connection.load_extension has none before 3.12)."""
    connection.enable_load_extension(True)
    try:
        connection.execute("SELECT load_extension(?, ?)", (str(path), entry))
    finally:
        connection.enable_load_extension(False)


def connect(database=":memory:"):
    connection = sqlite3.connect(database, isolation_level=None)
    load_into(connection)
    return connection


def registered_names():
    """The functions and table-valued functions that loading adds."""
    db = sqlite3.connect(":memory:")
    names = "SELECT name FROM pragma_function_list UNION SELECT name FROM pragma_module_list"
    before = set(db.execute(names))
    load_into(db)
    added = set(db.execute(names)) - before  # before a module is used: then those without rowid columns appear
    db.close()
    return {name for (name,) in added}


def vec(values):
    """The BLOB of a vector, of a matrix (row-major) or of anything numpy takes."""
    return numpy.ascontiguousarray(values, dtype="<f4").tobytes()


def unvec(blob):
    return numpy.frombuffer(blob, dtype="<f4")


def one(connection, sql, *args):
    """The single value of a statement that gives one row of one column."""
    ((value,),) = connection.execute(sql, args).fetchall()
    return value


def fill(connection, rows, table="t"):
    """A table of vectors: id from 1, v."""
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, v BLOB)")
    connection.execute("BEGIN")
    connection.executemany(f"INSERT INTO {table}(v) VALUES (?)", ((vec(row),) for row in rows))
    connection.execute("COMMIT")


class DataSet:
    """A set of real embeddings: x (n x d, float32), meta, labels and pairs (rows of text columns, header
    apart)."""

    def __init__(self, name):
        self.name = name
        self.meta = json.loads((DATA / f"{name}.meta.json").read_text(encoding="utf-8"))
        flat = numpy.fromfile(DATA / f"{name}.f32", dtype="<f4")
        self.x = flat.reshape(self.meta["n"], self.meta["d"])
        self.labels = self._tsv("labels")
        self.pairs = self._tsv("pairs")

    def _tsv(self, kind):
        path = DATA / f"{self.name}.{kind}.tsv"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        return [line.split("\t") for line in lines[1:]]


@functools.lru_cache(maxsize=None)
def read_set(name):
    return DataSet(name)


@pytest.fixture
def data_set():
    def get(name):
        if not (DATA / f"{name}.f32").exists():
            pytest.skip(f"the set {name} is not in the data folder (WHITEN_DATA)")
        return read_set(name)

    return get


@pytest.fixture
def db():
    connection = connect()
    yield connection
    connection.close()


def run_shell(sql, database=":memory:"):
    """Run SQL in the sqlite3 shell; the first error ends it. Returns the finished process, output as text."""
    script = f".nullvalue NULL\n.load '{WHITEN_SO}' {ENTRY}\n{sql}"
    return subprocess.run(
        [SHELL, "-batch", "-bail", str(database)],
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
        cwd=ROOT,
    )


@pytest.fixture
def shell():
    return run_shell


@pytest.fixture
def rng():
    """A seeded numpy generator; the seed is printed, so that a failure shows it."""
    print(f"WHITEN_SEED={SEED}")
    return numpy.random.default_rng(SEED)


@pytest.fixture
def chance():
    """The same for the random module, for text."""
    print(f"WHITEN_SEED={SEED}")
    return random.Random(SEED)


def pytest_collection_modifyitems(items):
    """Under tests/checks/foreign: what is not run there is skipped, with its reason."""
    arch = os.environ.get("WHITEN_FOREIGN")
    if arch:
        lines = (ROOT / "tests" / "checks" / "foreign.skip").read_text(encoding="utf-8").splitlines()
        for where, name, reason in (line.split(" | ") for line in lines if not line.startswith("#")):
            for item in items:
                if where in (arch, "both") and name in item.nodeid:
                    item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """Hand the counts to the driver (tests/run)."""
    path = os.environ.get("WHITEN_COUNTS")
    if path:
        stats = terminalreporter.stats
        passed = len(stats.get("passed", [])) + len(stats.get("xfailed", []))
        failed = sum(len(stats.get(kind, [])) for kind in ("failed", "error", "xpassed"))
        pathlib.Path(path).write_text(
            f"{passed} {failed} {len(stats.get('skipped', []))}\n", encoding="ascii"
        )
