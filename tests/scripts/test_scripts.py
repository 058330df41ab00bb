"""The ready scripts of sql/, run in the sqlite3 shell as a user runs them, against numpy.

What they leave in the database is read back by Python without the extension. `run` gives them their settings
the way their headers say: parameters and views that exist before the script. Kills and races are at the end;
how scripts are started, and what they leave of a session, is in test_session.py.
"""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import threading
import time

import numpy
import pytest
from conftest import ENTRY, PATIENCE, ROOT, SHELL, WHITEN_SO, connect, unvec, vec

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
            timeout=PATIENCE,
            cwd=cwd,
        )
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stderr
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return start


@pytest.fixture
def base(tmp_path):
    """The same database for Python, without the extension."""
    connection = sqlite3.connect(tmp_path / "my.db", isolation_level=None, timeout=60)
    yield connection
    connection.close()


def facts(text, script):
    """What the last line of a script's report says, as texts: `fit: model 'm', n 500, ...`."""
    line = [line for line in text.split("\n") if line.startswith(f"{script}: ")][-1]
    return dict(part.split(" ", 1) for part in line[len(script) + 2 :].split(", "))


def fill(base, x, table="documents", key="INTEGER PRIMARY KEY", ids=None):
    base.execute(f"CREATE TABLE {quoted(table)} (id {key}, embedding)")
    ids = range(1, len(x) + 1) if ids is None else ids
    base.execute("BEGIN")
    rows = ((i, None if v is None else vec(v)) for i, v in zip(ids, x))
    base.executemany(f"INSERT INTO {quoted(table)} VALUES (?, ?)", rows)
    base.execute("COMMIT")


def matrix(base, table, column="v"):
    return numpy.array([unvec(v) for (v,) in base.execute(f"SELECT {column} FROM {quoted(table)} ORDER BY id")])


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


# Fit, apply, export


def test_fit_registers(run, base, rng):
    x = draw(rng, 500, 8)
    fill(base, [*x, None])
    report = facts(run("fit", model="m", k=3), "fit")
    assert base.execute("SELECT name FROM whitening").fetchall() == [("m",)]
    assert [report[key] for key in ("model", "n", "d", "k")] == ["'m'", "500", "8", "3"]
    values = numpy.linalg.eigvalsh(numpy.cov(x.astype(float).T))[::-1]
    assert report["explained"] == f"{values[:3].sum() / values.sum():.4f}"
    assert float(report["condition"]) == pytest.approx(values[0] / values[2], rel=1e-3)


def size_of(base, name):
    """d and k of a model in the table whitening."""
    loaded = connect()
    (model,) = base.execute("SELECT model FROM whitening WHERE name = ?", (name,)).fetchone()
    size = loaded.execute("SELECT i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", (model,)).fetchone()
    loaded.close()
    return size


def test_fit_refuses_a_taken_name(run, base, rng):
    fill(base, draw(rng, 100, 4))
    run("fit", model="m", k=2)
    before = base.execute("SELECT * FROM whitening").fetchall()
    assert "whitening has a model of the name in @model" in run("fit", fails=True, model="m", k=3)
    assert base.execute("SELECT * FROM whitening").fetchall() == before
    run("fit", model="m", k=3, replace=1)
    run("fit", model="other", k=0.5, options='{"ridge": 1}')
    assert size_of(base, "m") == (4, 3)
    assert "k is 9, expected 1 to 4" in run("fit", fails=True, model="m", k=9, replace=1)
    assert size_of(base, "m") == (4, 3)


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
    report = facts(run("apply", batch=32), "apply")
    rows = done(base)
    assert [i for i, _, _ in rows] == list(range(1, 251))
    assert rows[99][1] is None
    known = numpy.delete(numpy.arange(250), 99)
    assert close_to([rows[i][1] for i in known], whitened(model[known], k=3))
    assert {h for _, _, h in rows} == {report.pop("hash")}
    counts = {"rows": "250", "done": "250", "nulls": "1", "pending": "0", "orphans": "0"}
    assert report == {"model": "'default'", **counts}


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
    report = facts(run("apply", batch=40, verify=0), "apply")
    assert (report["rows"], report["nulls"], report["orphans"]) == ("251", "1", "1")
    trusting = done(base)
    assert trusting[1:-1] == first and trusting[0][1:] == first[0][1:] and trusting[-1][1:] == first[1][1:]
    report = facts(run("apply", batch=40), "apply")
    assert (report["rows"], report["nulls"], report["orphans"]) == ("251", "1", "1")
    after = {i: v for i, v, _ in done(base)}
    assert {i for i, v, _ in trusting if v != after[i]} == {7, 8, 100}
    assert after[8] is None and after[9] == first[8][1]
    assert facts(run("apply", target="fresh"), "apply")["done"] == "251"
    assert {i: v for i, v in after.items() if i != 9} == {i: v for i, v, _ in done(base, "fresh")}


def test_apply_with_another_model(run, base, model):
    run("apply")
    old = done(base)
    run("fit", model="second", k=5, options='{"ridge": 1}')
    base.execute("UPDATE documents SET embedding = embedding WHERE id = 1")
    report = facts(run("apply", model="second", batch=100, verify=0), "apply")
    assert (report["done"], report["pending"]) == ("250", "0")
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
        report = facts(run("apply", view, model=ODD, target=ODD + "2", batch=7), "apply")
        assert (report["rows"], report["done"], report["orphans"]) == ("60", "60", "0")
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
        (None, {"model": "it's"}, "apply: whitening has no model of the name in @model"),
        (None, {"batch": 0}, "whiten_batch: rows is 0, expected at least 1"),
        (None, {"batch": "all"}, "whiten_batch: rows is TEXT, expected an INTEGER"),
        (None, {"target": "documents"}, "whiten_batch: table main.documents has no column named v"),
        (None, {"target": "my_vectors"}, "whiten_batch: target is 'my_vectors', as source is"),
        (
            "UPDATE documents SET embedding = x'00000000' WHERE id IN (40, 50)",
            {},
            "whiten_batch: source has 2 vectors that do not fit the model, the first at id 40, expected 24 bytes",
        ),
        ("UPDATE documents SET embedding = x'' WHERE id = 1", {}, "the first at id 1, expected 24 bytes"),
    ],
)
def test_apply_refuses(run, base, model, change, settings, message):
    if change:
        base.execute(change)
    assert message in run("apply", fails=True, **settings)
    assert missing(base, "whitened")


def test_apply_refuses_rows_without_an_id(run, base, model):
    view = "CREATE TEMP VIEW my_vectors AS SELECT nullif(id, 3) AS id, embedding AS v FROM documents"
    assert "whiten_batch: source has 1 rows whose id is NULL, expected ids" in run("apply", view, fails=True)


def test_apply_keeps_the_batches_before_a_bad_row(run, base, model):
    good = base.execute("SELECT embedding FROM documents WHERE id = 95").fetchone()
    base.execute("UPDATE documents SET embedding = '[1, 2]' WHERE id = 95")
    assert "whiten_apply: v has 2 elements, expected 6" in run("apply", fails=True, batch=20)
    assert [i for i, _, _ in done(base)] == list(range(1, 81))
    base.execute("UPDATE documents SET embedding = ? WHERE id = 95", good)
    report = facts(run("apply", batch=20), "apply")
    assert (report["done"], report["pending"]) == ("250", "0")


def test_apply_to_nothing(run, base, model):
    base.execute("DELETE FROM documents")
    report = facts(run("apply"), "apply")
    assert (report["rows"], report["done"], report["pending"]) == ("0", "0", "0")


def test_export_npy(run, base, model, tmp_path):
    run("apply")
    before = (tmp_path / "my.db").read_bytes()
    text = run("export_npy", kernel="it's k.npy")
    assert "export_npy: it's k.npy, shape (6, 3), 200 bytes\nexport_npy: bias.npy, shape (6,), 152 bytes\n" in text
    kernel, bias = numpy.load(tmp_path / "it's k.npy"), numpy.load(tmp_path / "bias.npy")
    assert (kernel.dtype, kernel.shape, kernel.flags.c_contiguous) == (numpy.dtype("<f4"), (6, 3), True)
    assert (bias.dtype, bias.shape) == (numpy.dtype("<f4"), (6,))
    assert facts(text, "export_npy")["normalize"] == "no"
    known = numpy.delete(numpy.arange(250), 99)
    rows = done(base)
    y = (model[known].astype(float) + bias) @ kernel
    assert numpy.abs(y - [unvec(rows[i][1]) for i in known]).max() < 1e-5
    assert numpy.allclose(-bias, model[known].astype(float).mean(axis=0), rtol=0, atol=1e-6)
    assert (tmp_path / "my.db").read_bytes() == before


def test_export_npy_of_the_widest_model(run, base, tmp_path):
    """The header has one length for every shape: 16384 x 1."""
    kernel, bias = numpy.arange(16384, dtype="<f4"), numpy.ones(16384, "<f4")
    base.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB)")
    base.execute("CREATE TABLE a (kernel, bias)")
    base.execute("INSERT INTO a VALUES (?, ?)", (vec(kernel), vec(bias)))
    run("export_npy", "INSERT INTO whitening SELECT 'default', whiten_import(kernel, bias) FROM a")
    assert numpy.array_equal(numpy.load(tmp_path / "kernel.npy"), kernel[:, None])
    assert numpy.array_equal(numpy.load(tmp_path / "bias.npy"), bias)


@pytest.mark.parametrize("method", ["zca", "pca-cor", "cholesky"])
def test_export_npy_of_every_method(run, base, rng, tmp_path, method):
    """The kernel of zca is d x d whatever k is."""
    fill(base, draw(rng, 100, 5))
    run("fit", k=None if method == "cholesky" else 2, options=json.dumps({"method": method}))
    run("apply")
    run("export_npy")
    x = matrix(base, "documents", column="embedding").astype(float)
    y = (x + numpy.load(tmp_path / "bias.npy")) @ numpy.load(tmp_path / "kernel.npy")
    assert numpy.abs(y - matrix(base, "whitened")).max() < 1e-5


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


# Killed and raced


def test_apply_tells_its_progress(run, base, rng):
    fill(base, draw(rng, 3000, 4))
    run("fit", k=2)
    lines = run("apply", batch=10).split("\n")
    assert lines[:3] == ["1000 of 3000 rows", "2000 of 3000 rows", "3000 of 3000 rows"]


def renamed(expression):
    """my_vectors with other ids."""
    return f"CREATE TEMP VIEW my_vectors AS SELECT {expression} AS id, embedding AS v FROM documents"


@pytest.fixture
def gate(tmp_path):
    """A view whose row 150 is not to be had, once 100 rows are done, before open() is called: writefile waits for a
    reader of the pipe. So the script stands between two batches, with no lock but a reader's."""
    path, opened = tmp_path / "gate", []
    os.mkfifo(path)
    shut = f"id = 150 AND (SELECT count(*) FROM main.whitened) = 100 AND writefile({literal(path)}, '') IS NULL"
    view = renamed(f"CASE WHEN {shut} THEN -1 ELSE id END")
    target = "CREATE TABLE whitened (id INTEGER PRIMARY KEY NOT NULL, v BLOB, model_hash TEXT NOT NULL)"
    yield target, view, lambda: opened.append(os.open(path, os.O_RDONLY))
    for pipe in opened:
        os.close(pipe)


def start(folder, *before, **settings):
    return subprocess.Popen(
        command("apply", folder / "my.db", *before, **settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        cwd=folder,
    )


def wait_for(base, shell, count):
    """Until so many rows are there."""
    while base.execute("SELECT count(*) FROM whitened").fetchone() != (count,):
        assert shell.poll() is None, shell.communicate()
        time.sleep(0.001)


def test_apply_reports_what_changed_behind_the_batch(run, base, model, gate, tmp_path):
    target, view, open_gate = gate
    base.execute("PRAGMA journal_mode = wal")
    base.execute(target)
    shell = start(tmp_path, view, batch=50)
    wait_for(base, shell, 100)
    base.execute("UPDATE documents SET embedding = ? WHERE id IN (7, 8)", (vec(-model[6]),))
    base.execute("INSERT INTO documents VALUES (-1, ?)", (vec(model[0]),))
    open_gate()
    out, errors = shell.communicate()
    assert (shell.returncode, errors) == (0, "")
    report = facts(out, "apply")
    assert (report["rows"], report["done"], report["pending"]) == ("251", "248", "3")
    assert facts(run("apply"), "apply")["pending"] == "0"


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_apply_survives_sigkill(run, base, model, gate, tmp_path, journal):
    """Killed after two batches, however quick it is; test_power.py kills at every other moment."""
    target, view, _ = gate
    base.execute(f"PRAGMA journal_mode = {journal}")
    base.execute(target)
    shell = start(tmp_path, view, batch=50)
    wait_for(base, shell, 100)
    shell.kill()
    shell.communicate()
    assert shell.returncode == -signal.SIGKILL
    assert base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [i for i, _, _ in done(base)] == list(range(1, 101))
    assert facts(run("apply", batch=50), "apply")["pending"] == "0"
    run("apply", target="at_once")
    assert done(base) == done(base, "at_once")


@pytest.mark.parametrize("settings", [{}, {"verify": 0}], ids=["verify", "trust"])
def test_apply_writes_to_main_alone(run, base, model, settings):
    """A temporary table of the target's name stays as it is."""
    temp = "CREATE TEMP TABLE whitened (id INTEGER PRIMARY KEY NOT NULL, v BLOB, model_hash TEXT NOT NULL)"
    text = run("apply", temp, **settings)
    assert facts(text, "apply")["done"] == "250" and len(done(base)) == 250


@pytest.mark.parametrize("batch", [7, 1000])
def test_apply_refuses_ids_that_come_twice(run, base, rng, batch):
    fill(base, draw(rng, 500, 4))
    run("fit")
    view = renamed("id % 10")
    assert "whiten_batch: source has the id 0 more than once" in run("apply", view, fails=True, batch=batch)
    view = renamed("CASE id WHEN 501 THEN 7 ELSE id END")
    base.execute("INSERT INTO documents SELECT 501, embedding FROM documents WHERE id = 7")
    assert "source has the id 7 more than once" in run("apply", view, fails=True, batch=batch)


@pytest.mark.parametrize("ids", [[1, 2.5, 3], [0.5, 2, "x"], [2.0, 3.0, "7", b"7", 7]], ids=str)
def test_apply_takes_ids_of_every_type(run, base, rng, ids):
    x = draw(rng, 50, 4)
    fill(base, x, key="", ids=[*ids, *range(100, 150 - len(ids))])
    run("fit")
    for _ in range(2):
        report = facts(run("apply", batch=7), "apply")
        assert (report["rows"], report["done"], report["orphans"]) == ("50", "50", "0")
    known = base.execute("SELECT id, typeof(id) FROM documents ORDER BY id").fetchall()
    assert base.execute("SELECT id, typeof(id) FROM whitened ORDER BY id").fetchall() == known


def test_apply_refuses_an_id_that_its_target_cannot_hold(run, base, model):
    run("apply")
    view = renamed("CASE id WHEN 9 THEN 9.5 ELSE id END")
    assert "source has an id that is no integer, and the id of 'whitened' is INTEGER" in run("apply", view, fails=True)


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
    report = facts(run("apply", batch=100), "apply")
    assert report["pending"] == "0" and report["rows"] == report["done"]
    run("apply", target="at_once")
    at_once = done(base, "at_once")
    ids = {i for i, _, _ in at_once}
    assert [row for row in done(base) if row[0] in ids] == at_once
    assert int(report["orphans"]) == len(done(base)) - len(at_once)


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
        assert shell.communicate(timeout=PATIENCE)[1] == b"" and shell.returncode == 0
    run("apply", target="at_once")
    assert done(base) == done(base, "at_once")
