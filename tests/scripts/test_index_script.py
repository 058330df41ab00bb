"""sql/index.sql: it makes an index on the user's table in steps, goes on where it was stopped, refuses what it cannot do,
and tells recall and latency. What the index finds is compared with numpy.
"""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import os
import re
import signal
import subprocess

import numpy
import pytest
from conftest import PATIENCE, connect, vec
from test_power import kill_library
from test_scripts import ODD, base, command, draw, fill, quoted, run, whitened  # noqa: F401

N, DIM, K = 250, 6, 3


@pytest.fixture
def rows(base, rng):
    """The table documents: 250 x 6, NULL at id 100; gives the rows."""
    x = draw(rng, N, DIM)
    fill(base, [None if i == 99 else row for i, row in enumerate(x)])
    return x


@pytest.fixture
def loaded(base, tmp_path):
    """The same database for Python, with the extension."""
    connection = connect(tmp_path / "my.db")
    yield connection
    connection.close()


def found(loaded, x, query, name="documents_search"):
    sql = f"SELECT rowid FROM {quoted(name)} WHERE query = ? ORDER BY similarity DESC LIMIT 10"
    return [i for (i,) in loaded.execute(sql, (vec(x[query]),))]


def check_nearest(loaded, x, query, k=K):
    """The ten nearest by numpy, the first of them the row itself: one may be missed."""
    known = numpy.delete(numpy.arange(N), 99)
    y = whitened(x[known], k=k)
    y /= numpy.linalg.norm(y, axis=1, keepdims=True)
    wanted = 1 + known[numpy.argsort(-(y @ y[list(known).index(query)]))[:10]]
    hits = found(loaded, x, query)
    assert hits[0] == query + 1 and len(hits) == 10 and len(set(hits) & set(wanted.tolist())) >= 9


def steps(text):
    return re.findall(r"^(\d+) of (\d+) rows$", text, re.MULTILINE)


def arguments(base, name="documents_search"):
    ((sql,),) = base.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (name,)).fetchall()
    return sql.split("USING ")[1]


def test_makes_an_index(run, base, loaded, rows):
    text = run("index", k=K)
    assert steps(text) == [("249", "249")]
    assert "index: name 'documents_search', rows 249, pending 0, bytes " in text
    for query in (0, 7, 249):
        check_nearest(loaded, rows, query)


def test_tells_recall_and_latency(run, rows):
    report = re.search(
        r"^recall: (\d\.\d{4}) of the 10 nearest of 200 rows, in (\d+) us each; one pass over all rows for all of these takes (\d+) us each$",
        run("index", k=K), re.MULTILINE,
    )  # fmt: skip
    assert 0.9 <= float(report[1]) <= 1


@pytest.mark.parametrize("name", ["documents_search", ODD])
def test_the_query_that_it_prints(run, loaded, rows, name):
    (query,) = re.findall(r"^query: (SELECT .*;)$", run("index", k=K, index=name), re.MULTILINE)
    hits = loaded.execute(query, {"query": vec(rows[3])}).fetchall()
    assert len(hits) == 10 and hits[0] == (4, pytest.approx(1, abs=1e-6))


def test_steps(run, loaded, rows):
    counts = [int(done) for done, _ in steps(run("index", k=K, batch=40))]
    assert len(counts) == 7 and counts == sorted(set(counts)) and counts[0] == 40
    check_nearest(loaded, rows, 5)


def test_odd_names(run, base, loaded, rng):
    x = draw(rng, N, DIM)
    base.execute(f"CREATE TABLE {quoted(ODD)} (id INTEGER PRIMARY KEY, {quoted('my ' + ODD)})")
    base.execute("BEGIN")
    base.executemany(f"INSERT INTO {quoted(ODD)} VALUES (?, ?)", [(i + 1, vec(row)) for i, row in enumerate(x)])
    base.execute("COMMIT")
    run("index", content=ODD, column="my " + ODD, index="its " + ODD, k=K)
    assert found(loaded, x, 8, "its " + ODD)[0] == 9


@pytest.mark.parametrize(
    "settings, wanted",
    [
        ({"k": K}, "k = 3"),
        ({"k": 0.9, "options": '{"ridge": 1, "power": 0.5}'}, "k = 0.9, ridge = 1, power = 0.5"),
        ({"options": '{"ridge": "oas", "normalize": true}'}, "ridge = 'oas', normalize = true"),
        ({"model": "it's"}, "model = 'it''s'"),
        ({"model": "it's", "k": 9, "options": '{"ridge": 1}'}, "model = 'it''s'"),
    ],
    ids=str,
)
def test_settings(run, base, rows, settings, wanted):
    """They stand in the schema as CREATE VIRTUAL TABLE takes them."""
    run("fit", model="it's", k=2)
    run("index", **settings)
    assert arguments(base) == f'whiten_index(content = "documents", column = "embedding", {wanted}, build = 0)'


def test_settings_count(run, loaded, rows):
    """The model of the name is the one that is used: its two directions decide."""
    run("fit", model="two", k=2)
    run("index", model="two")
    check_nearest(loaded, rows, 12, k=2)


def test_again_does_nothing(run, loaded, rows):
    run("index", k=K)
    before = loaded.execute("SELECT * FROM documents_search_dir").fetchall()
    text = run("index", k=K)
    assert steps(text) == [] and "recall: " in text
    assert loaded.execute("SELECT * FROM documents_search_dir").fetchall() == before


def test_other_settings_want_replace(run, base, rows):
    run("index", k=K)
    before = arguments(base)
    assert "the index is there with other settings" in run("index", fails=True, k=2)
    assert arguments(base) == before
    run("index", k=2, replace=1)
    assert "k = 2" in arguments(base)


def test_an_error_in_the_settings_is_not_kept(run, base, loaded, rows):
    """Once they are right the index is made, without @replace."""
    assert "expected 1 to 6" in run("index", fails=True, k=9)
    run("index", k=K)
    assert found(loaded, rows, 0)[0] == 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"content": "nothing"}, "there is no table of the name in @content with the column in @column"),
        ({"column": "nothing"}, "there is no table of the name in @content with the column in @column"),
        ({"index": "documents"}, "the name in @index is taken by something else than an index"),
        ({"index": "id_of"}, "the name in @index is taken by something else than an index"),
        ({"index": 7}, "is not text, expected a name"),
        ({"model": 7}, "is not text, expected a name"),
        ({"options": "ridge"}, "@options is not a JSON object"),
        ({"options": "[1]"}, "@options is not a JSON object"),
        ({"options": '{"rigde": 1}'}, "rigde"),
        ({"batch": 0}, "@batch is not an integer above 0"),
        ({"batch": "many"}, "@batch is not an integer above 0"),
        ({"model": "none"}, "model is 'none', expected the name of a row of the table whitening"),
    ],
    ids=str,
)
def test_refuses(run, base, rows, settings, message):
    base.execute("CREATE INDEX id_of ON documents (id)")
    base.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB)")
    before = base.execute("SELECT name FROM sqlite_schema").fetchall()
    assert message in run("index", fails=True, **settings)
    if "@" in message:
        assert base.execute("SELECT name FROM sqlite_schema").fetchall() == before


def test_wants_utf8(run, base, rng):
    base.execute("PRAGMA encoding = 'UTF-16'")
    fill(base, draw(rng, 90, 4))
    assert "index: the database is UTF-16, expected UTF-8" in run("index", fails=True)


def test_leaves_nothing_in_the_temporary_folder(run, rows, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    run("index", k=K, batch=100)
    assert "expected 1 to 6" in run("index", fails=True, k=9, replace=1)
    assert list(folder.iterdir()) == []


def test_says_that_no_file_can_be_made(run, base, rows, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere")
    done = subprocess.run(
        command("index", base.execute("PRAGMA database_list").fetchone()[2]),
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode != 0 and "index: no temporary file could be written" in done.stderr


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_killed_and_run_again(run, base, loaded, rows, chance, tmp_path, journal):
    """At any of the calls that change a file: the next run goes on, and the index is whole."""
    base.execute(f"PRAGMA journal_mode = {journal}")
    base.close()
    loaded.close()
    before = (tmp_path / "my.db").read_bytes()
    arguments = command("index", tmp_path / "my.db", k=K, batch=60)

    def start(**environment):
        preload = [str(kill_library()), *os.environ.get("LD_PRELOAD", "").split()]
        environment = {**os.environ, "LD_PRELOAD": " ".join(preload), **environment}
        return subprocess.run(
            arguments, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PATIENCE,
            cwd=tmp_path, check=False,
        )  # fmt: skip

    counted = tmp_path / "calls"
    assert start(KILL_COUNT=str(counted)).returncode == 0
    calls = int(counted.read_text(encoding="ascii"))
    for call in [1, calls, *(chance.randint(1, calls) for _ in range(4))]:
        for path in tmp_path.glob("my.db*"):
            path.unlink()
        (tmp_path / "my.db").write_bytes(before)
        assert start(KILL_AT=str(call)).returncode == -signal.SIGKILL
        assert "pending 0" in run("index", k=K, batch=60)
        again = connect(tmp_path / "my.db")
        again.execute("INSERT INTO documents_search(documents_search) VALUES ('integrity-check')")
        assert again.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        check_nearest(again, rows, 5)
        again.close()


def test_a_build_that_was_begun_goes_on(run, loaded, rows):
    """By hand, in steps of one's own."""
    loaded.execute(
        'CREATE VIRTUAL TABLE documents_search USING whiten_index(content = "documents", column = "embedding", k = 3, build = 0)'
    )
    loaded.execute("INSERT INTO documents_search(documents_search, rank) VALUES ('build', 100)")
    counts = [int(done) for done, _ in steps(run("index", k=K, batch=100))]
    assert counts == [199, 249]  # one of the first 200 is NULL
    check_nearest(loaded, rows, 5)
