"""The ready scripts of sql/, run in the sqlite3 shell as a user runs them, against numpy.

What they leave in the database is read back by Python without the extension. `run` gives them their settings
the way their headers say: parameters and views that exist before the script. Kills and races are at the end.
"""

import hashlib
import io
import itertools
import json
import re
import signal
import sqlite3
import subprocess
import threading
import time

import numpy
import pytest
from conftest import ENTRY, ROOT, SHELL, WHITEN_SO, unvec, vec
from numpy.lib import format as npy_format
from scipy import stats

ODD = 'an "odd" na`me, isn\'t [it]; --'


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def literal(text):
    return "'" + str(text).replace("'", "''") + "'"


def parameter(name, value):
    """A command that sets a parameter to exactly this value, whatever is in it."""
    value = literal(value) if isinstance(value, str) else "NULL" if value is None else repr(value)
    return f"INSERT OR REPLACE INTO temp.sqlite_parameters (key, value) VALUES ('@{name}', {value})"


def command(script, database, *before, **parameters):
    settings = [parameter(name, value) for name, value in parameters.items()]
    load = f".load '{WHITEN_SO}' {ENTRY}"
    read = f".read '{ROOT}/sql/{script}.sql'"
    begin = [".timeout 60000", load, ".parameter init"]
    return [SHELL, "-batch", "-init", "/dev/null", str(database), *begin, *before, *settings, read]


@pytest.fixture
def run(tmp_path):
    """run(script, *commands before, **parameters) runs it on one database; gives its output, or its error."""

    def start(script, *before, fails=False, database=tmp_path / "my.db", cwd=tmp_path, **parameters):
        done = subprocess.run(
            command(script, database, *before, **parameters),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=120,
            cwd=cwd,
        )
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stderr
        assert (done.returncode, done.stderr) == (0, "")
        assert not list(tmp_path.glob(".whiten-*")), "a file is left behind"
        return done.stdout

    return start


@pytest.fixture
def base(tmp_path):
    """The same database for Python, without the extension."""
    connection = sqlite3.connect(tmp_path / "my.db", isolation_level=None, timeout=60)
    yield connection
    connection.close()


def tables(text):
    """The tables in the output of .mode column: lists of rows, each a dictionary of texts."""
    found, lines = [], text.split("\n")
    for i, line in enumerate(lines):
        if not re.fullmatch(r"(-+ *)+", line) or i == 0:
            continue
        spans = [match.span() for match in re.finditer(r"-+ *", line)]
        names = [lines[i - 1][a:b].strip() for a, b in spans]
        rows = []
        for row, after in zip(lines[i + 1 :], lines[i + 2 :]):
            ends = row.startswith(("best: ", "warning: ")) or re.fullmatch(r"(-+ *)+", after)
            if ends or len(row) < spans[-1][0]:
                break
            rows.append(dict(zip(names, (row[a:b].strip() for a, b in spans))))
        found.append(rows)
    return found


def fill(base, x, table="documents", key="INTEGER PRIMARY KEY", ids=None):
    base.execute(f"CREATE TABLE {quoted(table)} (id {key}, embedding)")
    ids = range(1, len(x) + 1) if ids is None else ids
    base.execute("BEGIN")
    rows = ((i, None if v is None else vec(v)) for i, v in zip(ids, x))
    base.executemany(f"INSERT INTO {quoted(table)} VALUES (?, ?)", rows)
    base.execute("COMMIT")


def matrix(base, table, order="id"):
    return numpy.array([unvec(v) for (v,) in base.execute(f"SELECT v FROM {quoted(table)} ORDER BY {order}")])


def missing(base, table):
    return not base.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchall()


def draw(rng, n, d):
    """Rows with a mean and with directions of different spread, as embeddings have."""
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / d**0.5 + 0.7).astype("<f4")


def whitened(x, y=None, k=None, ridge=0.0, power=1.0, remove=0):
    """The recipe in float64: fitted on x, applied to y."""
    x = x.astype(float)
    mean = x.mean(axis=0)
    values, vectors = numpy.linalg.eigh(numpy.cov(x.T))
    values, vectors = values[::-1], vectors[:, ::-1]
    scale = (values + ridge * values.mean()) ** (-power / 2)
    kernel = (vectors * scale)[:, remove:]
    return ((x if y is None else y.astype(float)) - mean) @ (kernel if k is None else kernel[:, :k])


# Import


@pytest.mark.parametrize("encoding", ["f32", "f64", "f16", "bf16", "i8"])
def test_import_raw(run, base, rng, tmp_path, encoding):
    x = rng.integers(-128, 128, size=(37, 5)) if encoding == "i8" else rng.normal(size=(37, 5))
    if encoding == "bf16":
        bits = x.astype("<f4").view("<u4") >> 16
        data, want = bits.astype("<u2"), (bits << 16).view("<f4")
    else:
        data = x.astype({"f32": "<f4", "f64": "<f8", "f16": "<f2", "i8": "i1"}[encoding])
        want = data.astype("<f4")
    data.tofile(tmp_path / "x.bin")
    (report,) = tables(run("import_raw", file="x.bin", dim=5, encoding=encoding, table=ODD))
    assert report == [{"table": ODD, "imported": "37", "rows": "37", "dim": "5"}]
    assert [i for (i,) in base.execute(f"SELECT id FROM {quoted(ODD)} ORDER BY id")] == list(range(37))
    assert matrix(base, ODD).tobytes() == want.tobytes()


def test_import_raw_appends(run, base, rng, tmp_path):
    x = rng.normal(size=(9, 4)).astype("<f4")
    x[:5].tofile(tmp_path / "a")
    x[5:].tofile(tmp_path / "b")
    run("import_raw", file="a", dim=4)
    refused = run("import_raw", fails=True, file="b", dim=4)
    assert "import_raw: the table imported exists, expected a new name, or @append 1" in refused
    run("import_raw", file="b", dim=4, append=1)
    assert [i for (i,) in base.execute("SELECT id FROM imported ORDER BY id")] == list(range(9))
    assert matrix(base, "imported").tobytes() == x.tobytes()
    assert "v has 4 elements" in run("import_raw", fails=True, file="b", dim=2, append=1)
    assert len(matrix(base, "imported")) == 9


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "@file is missing, expected the name of a file"),
        ({"file": "none.f32", "dim": 4}, "none.f32 cannot be read"),
        ({"file": "x.f32"}, "@dim is NULL, expected an integer from 1 to 16384"),
        ({"file": "x.f32", "dim": 0}, "@dim is 0, expected an integer from 1 to 16384"),
        ({"file": "x.f32", "dim": 16385}, "@dim is 16385, expected"),
        ({"file": "x.f32", "dim": "four"}, "@dim is 'four', expected"),
        ({"file": "x.f32", "dim": 4, "encoding": "f8"}, "@encoding is 'f8', expected 'f32', 'f64', 'f16'"),
        ({"file": "empty", "dim": 4}, "empty is empty"),
        ({"file": "x.f32", "dim": 5}, "x.f32 has 48 bytes, expected a multiple of 20 (5 numbers of 4 bytes)"),
        ({"file": "nan.f32", "dim": 4}, "embedding: x[1] is NaN, expected a finite number"),
        ({"file": "big.f64", "dim": 4, "encoding": "f64"}, "embedding: x[2] is beyond float32"),
    ],
)
def test_import_raw_refuses(run, base, tmp_path, settings, message):
    x = numpy.arange(12.0).reshape(3, 4)
    x.astype("<f4").tofile(tmp_path / "x.f32")
    (tmp_path / "empty").write_bytes(b"")
    numpy.where(x == 9, numpy.nan, x).astype("<f4").tofile(tmp_path / "nan.f32")
    numpy.where(x == 10, 1e39, x).astype("<f8").tofile(tmp_path / "big.f64")
    assert message in run("import_raw", fails=True, **settings)
    assert missing(base, "imported")


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
def test_import_npy(run, base, rng, tmp_path, version, dtype):
    x = rng.normal(size=(300, 7)).astype(dtype)
    with open(tmp_path / "it's x.npy", "wb") as file:
        npy_format.write_array(file, x, version=version)
    (report,) = tables(run("import_npy", file="it's x.npy", table=ODD))
    assert report == [{"table": ODD, "imported": "300", "rows": "300", "dim": "7"}]
    assert matrix(base, ODD).tobytes() == x.astype("<f4").tobytes()
    run("import_npy", file="it's x.npy", table=ODD, append=1)
    assert [i for (i,) in base.execute(f"SELECT id FROM {quoted(ODD)} ORDER BY id")] == list(range(600))


def npy(array, **change):
    """The bytes of a .npy file; `change` replaces texts of its header by others of the same length."""
    file = io.BytesIO()
    npy_format.write_array(file, array, version=(1, 0))
    data = file.getvalue()
    for old, new in change.values():
        assert old in data and len(old) == len(new)
        data = data.replace(old, new)
    return data


X = numpy.arange(12, dtype="<f4").reshape(3, 4)
HEADER = b"{'descr':'<f4','fortran_order':False,'shape':(3,4)}"


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "x.npy does not begin with \\x93NUMPY, expected a .npy file"),
        (X.tobytes(), "x.npy does not begin with \\x93NUMPY, expected a .npy file"),
        (b"\x93NUMPY\x04\x00" + npy(X)[8:], "x.npy has version 0400, expected 0100, 0200 or 0300"),
        (npy(X)[:8], "x.npy has a header that cannot be read"),
        (npy(X)[:40], "x.npy has a header that cannot be read"),
        (npy(X, a=(b"'shape'", b"'shape ")), "x.npy has a header that cannot be read"),
        (npy(X.astype(">f4")), "x.npy has dtype >f4, expected <f4, <f8 or <f2"),
        (npy(X.astype("<i4")), "x.npy has dtype <i4, expected <f4, <f8 or <f2"),
        (npy(X.astype("<f4, <i2")), 'x.npy has dtype [["f0","<f4"],["f1","<i2"]], expected <f4, <f8 or <f2'),
        (npy(X, a=(b"'descr'", b"'descR'")), "x.npy has dtype none, expected <f4, <f8 or <f2"),
        (npy(numpy.asfortranarray(X)), "x.npy is in Fortran order, expected C order"),
        (npy(X[0]), "x.npy has shape [4], expected [n, d]"),
        (npy(X[0, 0]), "x.npy has shape [], expected [n, d]"),
        (npy(X.reshape(3, 2, 2)), "x.npy has shape [3,2,2], expected [n, d]"),
        (npy(X[:0]), "x.npy has shape [0,4], expected [n, d]"),
        (npy(X[:, :0]), "x.npy has shape [3,0], expected [n, d]"),
        (npy(numpy.zeros((1, 16385), "<f4")), "has shape [1,16385], expected [n, d] with d from 1 to 16384"),
        (npy(X)[:-1], "x.npy has 47 bytes of numbers, expected 48 for dtype <f4 and shape [3,4]"),
        (npy(X) + b"\0", "x.npy has 49 bytes of numbers, expected 48 for dtype <f4 and shape [3,4]"),
        (npy(X + numpy.float32("nan")), "embedding: x[0] is NaN, expected a finite number"),
    ],
    ids=itertools.count(),
)
def test_import_npy_refuses(run, base, tmp_path, data, message):
    (tmp_path / "x.npy").write_bytes(data)
    assert message in run("import_npy", fails=True, file="x.npy")
    assert missing(base, "imported")


def test_import_npy_reads_other_writers(run, base, tmp_path):
    """A header without spaces, without padding, as numpy also reads it."""
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + bytes([len(HEADER), 0]) + HEADER + X.tobytes())
    assert numpy.array_equal(numpy.load(tmp_path / "x.npy"), X)
    run("import_npy", file="x.npy")
    assert numpy.array_equal(matrix(base, "imported"), X)


def test_import_npy_wants_utf8(run, base, tmp_path):
    base.execute("PRAGMA encoding = 'UTF-16le'")
    base.execute("CREATE TABLE t (x)")
    numpy.save(tmp_path / "x.npy", X)
    assert "the database is UTF-16le, expected UTF-8" in run("import_npy", fails=True, file="x.npy")


@pytest.mark.parametrize("encoding", ["json", "f16", "f64", "bf16", "i8"])
def test_import_column(run, base, rng, encoding):
    x = rng.integers(-128, 128, size=(20, 6)) if encoding == "i8" else rng.normal(size=(20, 6))
    bits = x.astype("<f4").view("<u4") >> 16
    write = {
        "json": lambda row: json.dumps(row.tolist()),
        "f16": lambda row: row.astype("<f2").tobytes(),
        "f64": lambda row: row.astype("<f8").tobytes(),
        "i8": lambda row: row.astype("i1").tobytes(),
    }
    if encoding == "bf16":
        rows, want = [row.astype("<u2").tobytes() for row in bits], (bits << 16).view("<f4")
    else:
        rows, want = [write[encoding](row) for row in x], x.astype("<f2" if encoding == "f16" else "<f8")
    scale = 0.25 if encoding == "i8" else 1
    base.execute(f"CREATE TABLE {quoted(ODD)} (id INTEGER PRIMARY KEY, {quoted(ODD + 'x')})")
    base.executemany(f"INSERT INTO {quoted(ODD)} VALUES (?, ?)", [*enumerate(rows, 5), (3, None)])
    view = f"CREATE TEMP VIEW my_column AS SELECT id, {quoted(ODD + 'x')} AS x FROM {quoted(ODD)}"
    (report,) = tables(run("import_column", view, encoding=encoding, scale=scale, table="new" + ODD))
    assert report == [{"table": "new" + ODD, "rows": "21", "nulls": "1", "dim": "6"}]
    got = base.execute(f"SELECT id, v FROM {quoted('new' + ODD)} ORDER BY id").fetchall()
    assert got[0] == (3, None) and [i for i, _ in got[1:]] == list(range(5, 25))
    assert b"".join(v for _, v in got[1:]) == (want * scale).astype("<f4").tobytes()


def test_import_column_keeps_text_ids(run, base):
    base.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, embedding TEXT)")
    base.executemany("INSERT INTO documents VALUES (?, ?)", [("b", "[1, 2]"), ("7", "[3, 4]"), ("a", None)])
    run("import_column")
    assert base.execute("SELECT * FROM imported ORDER BY id").fetchall() == [
        ("7", vec([3, 4])),
        ("a", None),
        ("b", vec([1, 2])),
    ]


@pytest.mark.parametrize(
    "rows, settings, message",
    [
        ([(1, "[1, 2]"), (2, "[1, 2")], {}, "embedding: x is not a JSON array of numbers"),
        ([(1, "[1, 2]"), (2, "[1, 2, 3]")], {}, "CHECK constraint failed: v has 2 elements"),
        ([(1, "[1, 2]"), (2, 5.0)], {}, "embedding: x is REAL"),
        ([(1, "[1, 2]"), (1, "[3, 4]")], {}, "UNIQUE constraint failed: imported.id"),
        ([(1, "[1, 2]"), (None, "[3, 4]")], {}, "my_column has an id that is NULL"),
        ([(1, None)], {}, "my_column has no vectors"),
        ([(1, "[1, 2]")], {"encoding": "f8"}, "embedding: encoding is 'f8', expected"),
        ([(1, "[1, 2]")], {"scale": "x"}, "embedding_scale: factor"),
        ([(1, "[1, 2]")], {"table": "DOCUMENTS"}, "the table DOCUMENTS exists, expected a new name"),
        ([(1, b"\1\2\3")], {"encoding": "f16"}, "x is a BLOB of 3 bytes, expected a multiple of 2"),
    ],
)
def test_import_column_refuses(run, base, rows, settings, message):
    base.execute("CREATE TABLE documents (id, embedding)")
    base.executemany("INSERT INTO documents VALUES (?, ?)", rows)
    assert message in run("import_column", fails=True, **settings)
    assert missing(base, "imported")


# Fit, apply, export


def test_fit_registers(run, base, rng):
    x = draw(rng, 500, 8)
    fill(base, [*x, None])
    (fitted,) = tables(run("fit", model="m", k=3))
    name, n, d, k, created = base.execute("SELECT name, n, d, k, created FROM whitening").fetchone()
    assert (name, n, d, k) == ("m", 500, 8, 3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", created)
    values = numpy.linalg.eigvalsh(numpy.cov(x.astype(float).T))[::-1]
    assert fitted[0]["explained"] == f"{values[:3].sum() / values.sum():.4f}"
    assert float(fitted[0]["condition"]) == pytest.approx(values[0] / values[2], rel=1e-3)


def test_fit_refuses_a_taken_name(run, base, rng):
    fill(base, draw(rng, 100, 4))
    run("fit", model="m", k=2)
    before = base.execute("SELECT * FROM whitening").fetchall()
    assert "whitening has a model of the name in @model" in run("fit", fails=True, model="m", k=3)
    assert base.execute("SELECT * FROM whitening").fetchall() == before
    run("fit", model="m", k=3, replace=1)
    run("fit", model="other", k=0.5, options='{"ridge": 1}')
    assert base.execute("SELECT name, k FROM whitening ORDER BY name").fetchall()[0] == ("m", 3)
    assert "k is 9, expected 1 to 4" in run("fit", fails=True, model="m", k=9, replace=1)
    assert base.execute("SELECT name, k FROM whitening ORDER BY name").fetchall()[0] == ("m", 3)


def test_fit_warns_and_refuses_nothing(run, base, rng):
    fill(base, draw(rng, 30, 4))
    assert "warning: n = 30 is below 10 d = 40" in run("fit")
    assert "warning" not in run("fit", model="ridged", options='{"ridge": 1}')
    assert "my_vectors has no vectors" in run(
        "fit", "CREATE TEMP VIEW my_vectors AS SELECT id, NULL AS v FROM documents", fails=True, model="none"
    )


@pytest.fixture
def model(run, base, rng):
    """A table `documents`, 250 x 6 with a NULL at id 100, and the model `default`, k = 3; gives the rows."""
    x = draw(rng, 250, 6)
    fill(base, [None if i == 99 else row for i, row in enumerate(x)])
    run("fit", k=3)
    return x


def done(base, table="whitened"):
    return base.execute(f"SELECT id, v, model_hash FROM {quoted(table)} ORDER BY id").fetchall()


def close_to(rows, y):
    """Against the reference, up to the sign of each component."""
    got = numpy.array([unvec(v) for v in rows])
    signs = numpy.sign((got * y).sum(axis=0))
    return numpy.allclose(got, y * signs, rtol=0, atol=2e-5 * abs(y).max())


def test_apply(run, base, model):
    (report,) = tables(run("apply", batch=32))
    rows = done(base)
    assert [i for i, _, _ in rows] == list(range(1, 251))
    assert rows[99][1] is None
    known = numpy.delete(numpy.arange(250), 99)
    assert close_to([rows[i][1] for i in known], whitened(model[known], k=3))
    assert {h for _, _, h in rows} == {report[0]["model_hash"]}
    del report[0]["model_hash"]
    counts = {"rows": "250", "done": "250", "nulls": "1", "pending": "0", "orphans": "0"}
    assert report == [{"model": "default", **counts}]


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_apply_again_writes_nothing(run, base, model, tmp_path, journal):
    base.execute(f"PRAGMA journal_mode = {journal}")
    run("apply", batch=32)

    def state():
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return hashlib.sha256((tmp_path / "my.db").read_bytes()).hexdigest()

    before = state()
    run("apply", batch=17)
    run("apply", batch=1000, verify=0)
    assert state() == before


def test_apply_redoes_what_changed(run, base, model):
    run("apply", batch=40)
    first = done(base)
    base.execute("UPDATE documents SET embedding = ? WHERE id = 7", (vec(-model[6]),))
    base.execute("UPDATE documents SET embedding = ? WHERE id = 100", (vec(model[99]),))
    base.execute("UPDATE documents SET embedding = NULL WHERE id = 8")
    base.execute("DELETE FROM documents WHERE id = 9")
    base.execute("INSERT INTO documents VALUES (-3, ?), (900, ?)", (vec(model[0]), vec(model[1])))
    (report,) = tables(run("apply", batch=40, verify=0))
    assert (report[0]["rows"], report[0]["nulls"], report[0]["orphans"]) == ("251", "1", "1")
    trusting = done(base)
    assert trusting[1:-1] == first and trusting[0][1:] == first[0][1:] and trusting[-1][1:] == first[1][1:]
    (report,) = tables(run("apply", batch=40))
    assert (report[0]["rows"], report[0]["nulls"], report[0]["orphans"]) == ("251", "1", "1")
    after = {i: v for i, v, _ in done(base)}
    assert {i for i, v, _ in trusting if v != after[i]} == {7, 8, 100}
    assert after[8] is None and after[9] == first[8][1]
    fresh = tables(run("apply", target="fresh"))[0]
    assert fresh[0]["done"] == "251"
    assert {i: v for i, v in after.items() if i != 9} == {i: v for i, v, _ in done(base, "fresh")}


def test_apply_with_another_model(run, base, model):
    run("apply")
    old = done(base)
    run("fit", model="second", k=5, options='{"ridge": 1}')
    base.execute("UPDATE documents SET embedding = embedding WHERE id = 1")
    (report,) = tables(run("apply", model="second", batch=100, verify=0))
    assert (report[0]["done"], report[0]["pending"]) == ("250", "0")
    new = done(base)
    assert {h for _, _, h in new}.isdisjoint({h for _, _, h in old})
    known = numpy.delete(numpy.arange(250), 99)
    assert close_to([new[i][1] for i in known], whitened(model[known], k=5, ridge=1.0))
    run("apply", batch=7)
    assert done(base) == old


def test_apply_odd_names_and_text_ids(run, base, rng):
    x = draw(rng, 60, 4)
    ids = [f"{ODD}{i}" if i % 2 else f"{i}" for i in range(60)]
    fill(base, x, table=ODD, key="TEXT PRIMARY KEY", ids=ids)
    view = f"CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM {quoted(ODD)}"
    run("fit", view, model=ODD)
    for _ in range(2):
        (report,) = tables(run("apply", view, model=ODD, target=ODD + "2", batch=7))
        assert (report[0]["rows"], report[0]["done"], report[0]["orphans"]) == ("60", "60", "0")
    got = {i: v for i, v, _ in done(base, ODD + "2")}
    assert set(got) == set(ids)
    assert close_to([got[i] for i in ids], whitened(x))


def test_apply_takes_json_and_normalises(run, base, rng):
    x = draw(rng, 80, 3)
    base.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding TEXT)")
    rows = ((json.dumps(row.tolist()),) for row in x)
    base.executemany("INSERT INTO documents (embedding) VALUES (?)", rows)
    run("fit", options='{"normalize": true}')
    run("apply")
    y = whitened(x)
    assert close_to([v for _, v, _ in done(base)], y / numpy.linalg.norm(y, axis=1, keepdims=True))


@pytest.mark.parametrize(
    "change, settings, message",
    [
        (None, {"model": "it's"}, "apply: whitening has no model 'it''s'"),
        (None, {"batch": 0}, "apply: @batch is 0, expected an integer from 1"),
        (None, {"batch": "all"}, "apply: @batch is 'all', expected an integer from 1"),
        (None, {"target": "documents"}, "the table documents has other columns than id, v and model_hash"),
        (
            "UPDATE documents SET embedding = x'00000000' WHERE id IN (40, 50)",
            {},
            "apply: 2 vectors do not fit the model, the first at id 40 with 4 bytes, expected 24",
        ),
        ("UPDATE documents SET embedding = x'' WHERE id = 1", {}, "first at id 1 with 0 bytes, expected 24"),
    ],
)
def test_apply_refuses(run, base, model, change, settings, message):
    if change:
        base.execute(change)
    assert message in run("apply", fails=True, **settings)
    assert missing(base, "whitened")


def test_apply_refuses_rows_without_an_id(run, base, model):
    view = "CREATE TEMP VIEW my_vectors AS SELECT nullif(id, 3) AS id, embedding AS v FROM documents"
    assert "apply: my_vectors has 1 rows without an id" in run("apply", view, fails=True)


def test_apply_keeps_the_batches_before_a_bad_row(run, base, model):
    good = base.execute("SELECT embedding FROM documents WHERE id = 95").fetchone()
    base.execute("UPDATE documents SET embedding = '[1, 2]' WHERE id = 95")
    assert "whiten_apply: v has 2 elements, expected 6" in run("apply", fails=True, batch=20)
    assert [i for i, _, _ in done(base)] == list(range(1, 81))
    base.execute("UPDATE documents SET embedding = ? WHERE id = 95", good)
    (report,) = tables(run("apply", batch=20))
    assert (report[0]["done"], report[0]["pending"]) == ("250", "0")


def test_apply_to_nothing(run, base, model):
    base.execute("DELETE FROM documents")
    (report,) = tables(run("apply"))
    assert (report[0]["rows"], report[0]["done"], report[0]["pending"]) == ("0", "0", "0")


def test_export_npy(run, base, model, tmp_path):
    run("apply")
    before = (tmp_path / "my.db").read_bytes()
    kernel_file, bias_file = tables(run("export_npy", kernel="it's k.npy"))[0]
    assert (kernel_file["shape"], bias_file["shape"]) == ("(6, 3)", "(6,)")
    kernel, bias = numpy.load(tmp_path / "it's k.npy"), numpy.load(tmp_path / "bias.npy")
    assert (kernel.dtype, kernel.shape, kernel.flags.c_contiguous) == (numpy.dtype("<f4"), (6, 3), True)
    assert (bias.dtype, bias.shape) == (numpy.dtype("<f4"), (6,))
    assert kernel_file["normalize"] == "0"
    known = numpy.delete(numpy.arange(250), 99)
    rows = done(base)
    y = (model[known].astype(float) + bias) @ kernel
    assert numpy.abs(y - [unvec(rows[i][1]) for i in known]).max() < 1e-5
    assert numpy.allclose(-bias, model[known].astype(float).mean(axis=0), rtol=0, atol=1e-6)
    assert (tmp_path / "my.db").read_bytes() == before


def test_export_npy_of_the_widest_model(run, base, tmp_path):
    """The header has one length for every shape: 16384 x 1."""
    kernel, bias = numpy.arange(16384, dtype="<f4"), numpy.ones(16384, "<f4")
    base.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB, n, d, k, created)")
    base.execute("CREATE TABLE a (kernel, bias)")
    base.execute("INSERT INTO a VALUES (?, ?)", (vec(kernel), vec(bias)))
    values = "'default', whiten_import(kernel, bias), NULL, 16384, 1, ''"
    run("export_npy", f"INSERT INTO whitening SELECT {values} FROM a")
    assert numpy.array_equal(numpy.load(tmp_path / "kernel.npy"), kernel[:, None])
    assert numpy.array_equal(numpy.load(tmp_path / "bias.npy"), bias)


def test_export_npy_refuses(run, base, model, tmp_path):
    assert "whitening has no model of the name in @model" in run("export_npy", fails=True, model="none")
    assert not (tmp_path / "kernel.npy").exists()
    (tmp_path / "folder").mkdir()
    assert "the file in @kernel cannot be written" in run("export_npy", fails=True, kernel="folder")
    assert "the file in @bias cannot be written" in run("export_npy", fails=True, bias="folder")


def test_export_npy_wants_utf8(run, base, rng):
    base.execute("PRAGMA encoding = 'UTF-16be'")
    fill(base, draw(rng, 50, 3))
    run("fit")
    assert "export_npy: the database is UTF-16, expected UTF-8" in run("export_npy", fails=True)


# Evaluate


GRID = [
    ("centred", None, {"power": 0}),
    ("whitened", None, {}),
    ("whitened", 4, {}),
    ("ridge", None, {"ridge": 1}),
    ("ridge", 3, {"ridge": 0.5, "power": 0.5}),
    ("removed", None, {"power": 0, "remove": 2}),
]
GRID_VIEW = "CREATE TEMP VIEW my_grid (variant, k, options) AS VALUES " + ", ".join(
    f"('{name}', {'NULL' if k is None else k}, '{json.dumps(options)}')" for name, k, options in GRID
)


def cosines(a, b):
    return (a * b).sum(axis=-1) / (numpy.linalg.norm(a, axis=-1) * numpy.linalg.norm(b, axis=-1))


def variants(x, y):
    """Raw and the grid, fitted on x, applied to y."""
    yield "raw", "", y.astype(float)
    for name, k, options in GRID:
        full = x.shape[1] - options.get("remove", 0)
        yield name, str(k or full), whitened(x, y, k=k, **options)


def mean_cosine(y):
    unit = y / numpy.linalg.norm(y, axis=1, keepdims=True)
    return ((unit.sum(axis=0) ** 2).sum() - len(y)) / (len(y) * (len(y) - 1))


def isotropy(y):
    """IsoScore of Rudman et al. 2022 from the eigenvalues of the covariance."""
    values, d = numpy.linalg.eigvalsh(numpy.cov(y.T)), y.shape[1]
    defect = numpy.linalg.norm(d**0.5 * values / numpy.linalg.norm(values) - 1) / (2 * (d - d**0.5)) ** 0.5
    used = (d - defect**2 * (d - d**0.5)) ** 2 / d**2
    return (d * used - 1) / (d - 1)


def test_evaluate(run, base, rng):
    x = draw(rng, 400, 6)
    fill(base, x)
    a, b = rng.integers(0, 150, size=(2, 200))
    b = numpy.where(a == b, b + 1, b)
    gold = numpy.round(cosines(whitened(x)[a], whitened(x)[b]) * 2 + rng.normal(size=200))
    base.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, gold REAL)")
    rows = [*zip((a + 1).tolist(), (b + 1).tolist(), gold.tolist())]
    rows += [(1, 2, None), (1, 9999, 5.0), (None, 1, 3.0)]
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", rows)
    before = base.execute("PRAGMA data_version").fetchone()
    text = run("evaluate", GRID_VIEW)
    count, results = tables(text)
    assert count == [{"pairs": "200", "left_out": "3", "n": "400", "d": "6"}]
    used = numpy.union1d([0, 1], numpy.union1d(a, b))
    assert len(results) == 1 + len(GRID)
    scores = []
    for row, (name, k, y) in zip(results, variants(x, x)):
        assert (row["variant"], row["k"]) == (name, k)
        scores.append(100 * stats.spearmanr(gold, cosines(y[a], y[b])).correlation)
        assert float(row["spearman"]) == pytest.approx(scores[-1], abs=0.02)
        assert float(row["gain"]) == pytest.approx(scores[-1] - scores[0], abs=0.02)
        assert float(row["mean_cosine"]) == pytest.approx(mean_cosine(y[used]), abs=1e-4)
        assert float(row["isotropy"]) == pytest.approx(isotropy(y[used]), abs=1e-3)
    best = results[int(numpy.argmax(scores))]
    assert f"best: {best['variant']}, in fit.sql  .parameter set @k {best['k']} " in text
    assert before == base.execute("PRAGMA data_version").fetchone(), "it must not write"


def test_evaluate_leaves_out_what_has_no_direction(run, base, rng):
    """Zero and NULL vectors take their pairs with them in every variant; text ids and odd names work."""
    x = draw(rng, 40, 3)
    fill(base, [*x, None, numpy.zeros(3)], table=ODD, key="TEXT", ids=[f"r{i}" for i in range(42)])
    base.execute("CREATE TABLE pairs (a TEXT, b TEXT, gold TEXT)")
    gold = rng.normal(size=39)
    rows = [(f"r{i}", f"r{i + 1}", repr(g)) for i, g in enumerate(gold)]
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", [*rows, ("r3", "r40", "1"), ("r41", "r4", "1")])
    views = (
        f"CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM {quoted(ODD)}",
        "CREATE TEMP VIEW my_pairs AS SELECT a, b, CAST(gold AS REAL) AS gold FROM pairs",
    )
    count, results = tables(run("evaluate", *views))
    assert count == [{"pairs": "39", "left_out": "2", "n": "41", "d": "3"}]
    y = whitened(numpy.vstack([x, numpy.zeros(3)]))
    want = 100 * stats.spearmanr(gold, cosines(y[:39], y[1:40])).correlation
    (got,) = [row for row in results if (row["variant"], row["options"]) == ("whitened", "{}")]
    assert float(got["spearman"]) == pytest.approx(want, abs=0.02)
    assert all(int(row["k"] or 3) <= 3 for row in results)
    assert "first 3 removed" not in {row["variant"] for row in results}


@pytest.mark.parametrize(
    "pairs, message",
    [
        ([], "evaluate: no row of my_pairs has a score and two vectors of my_vectors"),
        ([(1, 999, 3.0)], "evaluate: no row of my_pairs has a score and two vectors of my_vectors"),
        ([(1, 2, "3"), (2, 3, "4")], "evaluate: gold is not a number everywhere"),
        ([(1, 2, 1.0), (2, 3, 1.0)], "evaluate: gold is the same for all pairs"),
    ],
)
def test_evaluate_refuses(run, base, rng, pairs, message):
    fill(base, draw(rng, 20, 3))
    base.execute("CREATE TABLE pairs (a, b, gold)")
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    assert message in run("evaluate", fails=True)


def test_evaluate_warns_below_ten_rows_per_dimension(run, base, rng):
    fill(base, draw(rng, 50, 6))
    base.execute("CREATE TABLE pairs AS SELECT id AS a, id % 50 + 1 AS b, id % 7 AS gold FROM documents")
    assert "warning: n = 50 is below 10 d = 60" in run("evaluate")
    base.execute("INSERT INTO documents (embedding) SELECT embedding FROM documents")
    assert "warning" not in run("evaluate")


def ranks(queries, documents, relevant, exclude=False):
    unit = [y / numpy.linalg.norm(y, axis=1, keepdims=True) for y in (queries, documents)]
    similar = unit[0] @ unit[1].T
    if exclude:
        similar[numpy.arange(len(similar)), numpy.arange(len(similar))] = -2
    best = numpy.array([max(similar[q, d] for d in relevant[q]) for q in range(len(queries))])
    return 1 + (similar > best[:, None] + 1e-9).sum(axis=1)


def check_retrieval(row, rank):
    assert float(row["R@1"]) == pytest.approx(100 * (rank <= 1).mean(), abs=0.06)
    assert float(row["R@10"]) == pytest.approx(100 * (rank <= 10).mean(), abs=0.06)
    assert float(row["MRR"]) == pytest.approx(100 * (1 / rank).mean(), abs=0.06)


def test_evaluate_retrieval(run, base, rng):
    documents = draw(rng, 150, 6)
    queries = (documents[:60] + rng.normal(size=(60, 6)) * 0.8).astype("<f4")
    relevant = [{q, 100 + q % 7} for q in range(60)]
    fill(base, documents)
    fill(base, [*queries, numpy.zeros(6), None], table="queries")
    base.execute("CREATE TABLE answers (query, document)")
    rows = [(q + 1, d + 1) for q in range(60) for d in relevant[q]]
    base.executemany("INSERT INTO answers VALUES (?, ?)", [*rows, (61, 1), (62, 1), (1, 999), (999, 1)])
    count, results = tables(run("evaluate_retrieval", GRID_VIEW))
    assert count == [{"queries": "60", "left_out": "2", "documents": "150", "n": "211", "d": "6"}]
    fitted_on = numpy.vstack([documents, queries, numpy.zeros((1, 6))])
    both = numpy.vstack([documents, queries])
    assert len(results) == 1 + len(GRID)
    for row, (name, k, y) in zip(results, variants(fitted_on, both)):
        assert (row["variant"], row["k"]) == (name, k)
        check_retrieval(row, ranks(y[150:], y[:150], relevant))
        assert float(row["mean_cosine"]) == pytest.approx(mean_cosine(y[:150]), abs=1e-4)


def test_evaluate_retrieval_within_one_table(run, base, rng):
    x = draw(rng, 120, 6)
    x[60:] = x[:60] + rng.normal(size=(60, 6)) * 0.5
    fill(base, x)
    views = (
        "CREATE TEMP VIEW my_queries AS SELECT id, embedding AS v FROM documents",
        "CREATE TEMP VIEW my_relevant AS SELECT id AS query, 1 + (id + 59) % 120 AS document FROM documents",
    )
    count, results = tables(run("evaluate_retrieval", GRID_VIEW, *views, same=1))
    assert count[0]["n"] == "120"
    relevant = [{(q + 60) % 120} for q in range(120)]
    for row, (_, _, y) in zip(results, variants(x, x)):
        check_retrieval(row, ranks(y, y, relevant, exclude=True))


def test_evaluate_retrieval_refuses(run, base, rng):
    fill(base, draw(rng, 20, 3))
    fill(base, draw(rng, 5, 3), table="queries")
    base.execute("CREATE TABLE answers AS SELECT 77 AS query, 1 AS document")
    message = "evaluate_retrieval: no row of my_relevant has vectors in my_queries and my_documents"
    assert message in run("evaluate_retrieval", fails=True)


def test_evaluate_on_real_pairs(run, base, data_set):
    """The reference figures of the set, Spearman x 100 (numpy, float64)."""
    stsb = data_set("sts_w2v300_stsb")
    fill(base, stsb.x, ids=range(len(stsb.x)))
    base.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, gold REAL)")
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", stsb.pairs)
    count, results = tables(run("evaluate"))
    assert count == [{"pairs": "1379", "left_out": "0", "n": "2551", "d": "300"}]
    got = {(row["k"], row["options"]): float(row["spearman"]) for row in results}
    want = {
        ("", ""): 46.06,
        ("300", '{"power": 0}'): 50.18,
        ("300", "{}"): 63.36,
        ("256", "{}"): 63.32,
        ("128", "{}"): 61.21,
        ("64", "{}"): 56.96,
        ("300", '{"ridge": 1}'): 62.70,
        ("300", '{"power": 0.5}'): 61.43,
        ("299", '{"power": 0, "remove": 1}'): 54.48,
        ("297", '{"power": 0, "remove": 3}'): 60.65,
    }
    assert {key: got[key] for key in want} == pytest.approx(want, abs=0.0201)
    spread = {
        (row["k"], row["options"]): (float(row["mean_cosine"]), float(row["isotropy"])) for row in results
    }
    assert spread["", ""] == pytest.approx((0.4026, 0.0960), abs=5e-4)
    assert spread["300", "{}"] == pytest.approx((-0.0001, 1.0), abs=5e-4)
    assert spread["300", '{"ridge": 1}'][1] == pytest.approx(0.7076, abs=5e-4)
    assert spread["300", '{"power": 0.5}'][1] == pytest.approx(0.6106, abs=5e-4)


def test_evaluate_retrieval_on_real_pairs(run, base, data_set):
    """The reference figures of the set: R@1, R@10, MRR in per cent; only these variants, to be quick."""
    alice = data_set("bgem3_alice_1024")
    fill(base, alice.x, ids=range(len(alice.x)))
    base.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, gold)")
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", alice.pairs)
    views = (
        "CREATE TEMP VIEW my_documents AS SELECT id, embedding AS v FROM documents WHERE id >= 500",
        "CREATE TEMP VIEW my_queries AS SELECT id, embedding AS v FROM documents WHERE id < 500",
        "CREATE TEMP VIEW my_relevant AS SELECT a AS query, b AS document FROM pairs",
        "CREATE TEMP VIEW my_grid (variant, k, options) AS"
        " VALUES ('k', 256, '{}'), ('k', 128, '{}'), ('ridge', NULL, '{\"ridge\": 1}')",
    )
    text = run("evaluate_retrieval", *views)
    assert "warning: n = 1000 is below 10 d = 10240" in text
    got = [(row["k"], float(row["R@1"]), float(row["R@10"]), float(row["MRR"])) for row in tables(text)[1]]
    want = [
        ("", 74.0, 88.8, 79.1),
        ("256", 81.0, 92.0, 84.8),
        ("128", 76.6, 90.8, 81.7),
        ("1024", 81.8, 93.4, 86.0),
    ]
    assert [row[0] for row in got] == [row[0] for row in want]
    assert numpy.abs(numpy.array([row[1:] for row in got]) - [row[1:] for row in want]).max() <= 0.3


# How they are run


def test_scripts_load_the_extension_themselves(base, rng, tmp_path):
    """`sqlite3 my.db < sql/NAME.sql`, with the extension in the current folder and nothing set before."""
    fill(base, draw(rng, 90, 4))
    (tmp_path / "whiten.so").symlink_to(WHITEN_SO)
    base.execute("CREATE TABLE pairs AS SELECT id AS a, id % 90 + 1 AS b, id % 7 AS gold FROM documents")
    fill(base, draw(rng, 9, 4), table="queries")
    base.execute("CREATE TABLE answers AS SELECT id AS query, id AS document FROM queries")
    for script in ("fit", "apply", "export_npy", "evaluate", "evaluate_retrieval"):
        with open(ROOT / "sql" / f"{script}.sql", encoding="utf-8") as text:
            ran = subprocess.run(
                [SHELL, "-batch", "-init", "/dev/null", "my.db"],
                stdin=text,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=tmp_path,
                timeout=60,
            )
        assert (ran.returncode, ran.stderr) == (0, b""), script
    assert len(done(base)) == 90


def test_scripts_follow_each_other_in_one_session(run, base, rng, tmp_path):
    numpy.save(tmp_path / "x.npy", draw(rng, 70, 4))
    base.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, gold REAL)")
    base.execute("INSERT INTO pairs VALUES (1, 2, 1), (3, 4, 2), (5, 6, 3)")
    read = f".read '{ROOT}/sql/%s.sql'"
    run(
        "export_npy",
        parameter("file", "x.npy"),
        read % "import_npy",
        "CREATE TEMP VIEW my_vectors AS SELECT id, v FROM imported",
        *(read % script for script in ("evaluate", "evaluate", "fit", "apply", "apply")),
        parameter("file", "kernel.npy"),
        parameter("table", "kernel"),
        read % "export_npy",
        read % "import_npy",
    )
    assert len(done(base)) == 70
    assert numpy.array_equal(matrix(base, "kernel"), numpy.load(tmp_path / "kernel.npy"))


@pytest.mark.parametrize("script", ["import_npy", "apply"])
def test_a_folder_that_cannot_be_written_is_an_error(run, base, model, tmp_path, script):
    numpy.save(tmp_path / "x.npy", X)
    run(script, fails=True, cwd="/proc", database=tmp_path / "my.db", file=str(tmp_path / "x.npy"))
    assert missing(base, "imported") and missing(base, "whitened")


# Killed and raced


def count_done(base, table="whitened"):
    try:
        return base.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        return 0


def reached(database, goal):
    """Whether so many rows are done; never waits for the writer, who would be through meanwhile."""
    connection = sqlite3.connect(database, timeout=0)
    try:
        return count_done(connection) >= goal
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_apply_survives_sigkill(run, base, chance, rng, tmp_path, journal):
    n, batch = 3000, 20
    x = draw(rng, n, 8)
    base.execute(f"PRAGMA journal_mode = {journal}")
    fill(base, x)
    run("fit", k=4)
    interrupted = 0
    for _ in range(8):
        before = count_done(base)
        goal = before + chance.randrange(0, n // 6)
        shell = subprocess.Popen(
            command("apply", tmp_path / "my.db", batch=batch, verify=0),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        while shell.poll() is None and not reached(tmp_path / "my.db", goal):
            time.sleep(0.0005)
        time.sleep(chance.random() * 0.005)
        shell.kill()
        interrupted += shell.wait() == -signal.SIGKILL
        shell.stderr.close()
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        at = count_done(base)
        assert at >= before and at % batch == 0
        assert at == 0 or base.execute("SELECT max(id) FROM whitened").fetchone() == (at,)
    assert interrupted >= 2, "the shell was too quick to be killed"
    for left in tmp_path.glob(".whiten-*"):
        left.unlink()
    text = run("apply", batch=batch)
    assert "2000 of 3000 rows" in text
    assert [(row["done"], row["pending"]) for row in tables(text)[0]] == [(str(n), "0")]
    run("apply", target="at_once", batch=n)
    assert done(base) == done(base, "at_once")
    assert close_to([v for _, v, _ in done(base)], whitened(x, k=4))


@pytest.mark.parametrize("script", ["import_npy", "fit"])
def test_a_killed_import_or_fit_leaves_nothing_or_all(run, base, chance, rng, tmp_path, script):
    x = draw(rng, 6000, 32)
    numpy.save(tmp_path / "x.npy", x)
    if script == "fit":
        fill(base, x)
    for _ in range(8):
        shell = subprocess.Popen(
            command(script, tmp_path / "my.db", file="x.npy"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        time.sleep(chance.random() * 0.15)
        shell.kill()
        shell.wait()
        assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        if script == "import_npy":
            assert count_done(base, "imported") in (0, 6000)
            base.execute("DROP TABLE IF EXISTS imported")
        else:
            assert count_done(base, "whitening") in (0, 1)
            base.execute("DROP TABLE IF EXISTS whitening")
    for left in tmp_path.glob(".whiten-*"):
        left.unlink()
    run(script, file="x.npy")


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_apply_while_others_write(run, base, chance, rng, tmp_path, journal):
    """Rows that come, change and go while it runs are all right after the next run; nobody sees an error."""
    n = 2000
    x = draw(rng, n, 8)
    base.execute(f"PRAGMA journal_mode = {journal}")
    fill(base, x)
    run("fit", k=4)
    stop, errors = threading.Event(), []

    def write():
        writer = sqlite3.connect(tmp_path / "my.db", isolation_level=None, timeout=60)
        try:
            while not stop.is_set():
                v, i = vec(x[chance.randrange(n)]), chance.randrange(1, n)
                writer.execute("INSERT INTO documents (embedding) VALUES (?)", (v,))
                writer.execute("UPDATE documents SET embedding = ? WHERE id = ?", (v, i))
                writer.execute("DELETE FROM documents WHERE id = ?", (chance.randrange(1, n),))
                time.sleep(0.002)
        except sqlite3.Error as error:
            errors.append(error)
        finally:
            writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        run("apply", batch=10)
    finally:
        stop.set()
        thread.join()
    assert not errors
    (report,) = tables(run("apply", batch=100))
    assert report[0]["pending"] == "0" and report[0]["rows"] == report[0]["done"]
    run("apply", target="at_once")
    at_once = done(base, "at_once")
    ids = {i for i, _, _ in at_once}
    assert [row for row in done(base) if row[0] in ids] == at_once
    assert int(report[0]["orphans"]) == len(done(base)) - len(at_once)


def test_two_applies_at_once(run, base, rng, tmp_path):
    fill(base, draw(rng, 1500, 8))
    run("fit", k=4)
    both = [
        subprocess.Popen(
            command("apply", tmp_path / "my.db", batch=10),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        )
        for _ in range(2)
    ]
    for shell in both:
        assert shell.communicate(timeout=120)[1] == b"" and shell.returncode == 0
    run("apply", target="at_once")
    assert done(base) == done(base, "at_once")
