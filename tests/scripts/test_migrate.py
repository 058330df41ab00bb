"""sql/migrate_model.sql: what it says of held-out pairs, against numpy; what it writes, and when nothing; killed half-way
and run again."""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import json
import os
import re
import signal
import subprocess
import time

import numpy
import pytest
from conftest import PATIENCE, connect, unvec, vec
from test_scripts import base, command, done, facts, fill, literal, matrix, missing, run  # noqa: F401

PAIRS = 300


def inverse_root(cov):
    values, vectors = numpy.linalg.eigh(cov)
    return (vectors / numpy.sqrt(values)) @ vectors.T


def shared(a, b, of_a, of_b, ridge=0.3, exponent=0.5):
    """Two sets through the models of the pairs (a, b), by numpy."""
    x, y = a - a.mean(0), b - b.mean(0)
    roots = []
    for side in (x, y):
        cov = side.T @ side / (len(a) - 1)
        roots.append(inverse_root(cov + ridge * numpy.trace(cov) / len(cov) * numpy.eye(len(cov))))
    u, s, vt = numpy.linalg.svd(roots[0] @ (x.T @ y / (len(a) - 1)) @ roots[1], full_matrices=False)
    scale = s**exponent
    return (of_a - a.mean(0)) @ roots[0] @ u * scale, (of_b - b.mean(0)) @ roots[1] @ vt.T * scale


def share_found(queries, documents, k):
    unit = [x / numpy.linalg.norm(x, axis=1, keepdims=True) for x in (queries, documents)]
    similarity = unit[0] @ unit[1].T
    return ((similarity > numpy.diag(similarity)[:, None]).sum(1) < k).mean()


@pytest.fixture
def spaces(base, rng):
    """Documents of an old model, every second of which a new model has seen, too: noisy enough to be missed at times."""
    causes = rng.standard_normal((2 * PAIRS, 6))
    old = causes @ rng.standard_normal((6, 10)) + 0.8 * rng.standard_normal((2 * PAIRS, 10)) + 1
    new = causes @ rng.standard_normal((6, 14)) + 0.8 * rng.standard_normal((2 * PAIRS, 14)) - 2
    old, new = (x.astype("<f4").astype("f8") for x in (old, new))
    fill(base, old)
    fill(base, new[::2], table="sample", ids=range(1, 2 * PAIRS, 2))
    return old, new


def figures(text):
    found = re.findall(r"^held out: (\w+) finds \w+, R@1 ([\d.]+), R@10 ([\d.]+), of (\d+) pairs; fitted on (\d+) others$", text,
                       re.MULTILINE)  # fmt: skip
    return {by: tuple(map(float, numbers)) for by, *numbers in found}


def test_figures_are_of_pairs_that_were_not_fitted(run, spaces):
    old, new = (x[::2] for x in spaces)
    held = numpy.arange(1, PAIRS + 1) % 5 == 0
    y_old, y_new = shared(old[~held], new[~held], old[held], new[held])
    said = figures(run("migrate_model"))
    for by, pair in (("old", (y_old, y_new)), ("new", (y_new, y_old))):
        want = (share_found(*pair, 1), share_found(*pair, 10), 60, 240)
        assert said[by] == pytest.approx(want, abs=1e-4)
        assert 0.1 < want[0] < 0.95


def test_writes_the_shared_space(run, base, spaces):
    old, new = spaces
    text = run("migrate_model", model="m", target="made", options='{"k": 5, "normalize": true}')
    report = facts(text[: text.index("query: ")], "migrate_model")
    assert (report["rows"], report["done"], report["pending"]) == ("600", "600", "0")
    assert base.execute("SELECT name FROM whitening ORDER BY name").fetchall() == [("m_new",), ("m_old",)]
    loaded = connect()
    models = [base.execute("SELECT model FROM whitening WHERE name = ?", (f"m_{side}",)).fetchone()[0] for side in ("old", "new")]
    infos = [json.loads(loaded.execute("SELECT whiten_info(?)", (m,)).fetchone()[0]) for m in models]
    assert [(i["side"], i["d"], i["k"], i["n"], i["normalize"]) for i in infos] == [("a", 10, 5, 240, True), ("b", 14, 5, 240, True)]
    apply = "SELECT whiten_apply(?, ?)"
    assert [v for _, v, _ in done(base, "made")] == [loaded.execute(apply, (models[0], vec(x))).fetchone()[0] for x in old]
    # the query that it prints, for a new model's vector of a document that it never saw
    query = re.search(r"^query: (.*);$", text, re.MULTILINE).group(1).replace(":query", "?")
    path = base.execute("SELECT file FROM pragma_database_list").fetchone()[0]
    loaded.close()
    loaded = connect(path)
    hits = [[i for i, _ in loaded.execute(query, (vec(new[i]),))] for i in range(1, 600, 20)]
    loaded.close()
    assert all(len(ids) == 10 for ids in hits)
    assert numpy.mean([i + 1 in ids for i, ids in zip(range(1, 600, 20), hits)]) > 0.5
    assert matrix(base, "made").shape == (600, 5)


def test_writes_nothing_where_it_would_do_badly(run, base, spaces, rng):
    text = run("migrate_model", fails=True, least=2)
    assert "R@10 on held-out pairs is below @least, nothing was written" in text
    assert missing(base, "whitening") and missing(base, "migrated")
    base.execute("DELETE FROM sample")  # nothing in common
    base.executemany("INSERT INTO sample VALUES (?, ?)", [(i, vec(rng.standard_normal(14))) for i in range(1, 601)])
    assert "is below @least" in run("migrate_model", fails=True)
    assert missing(base, "whitening") and missing(base, "migrated")


def test_goes_on_with_its_models(run, base, spaces):
    run("migrate_model")
    before = base.execute("SELECT * FROM whitening").fetchall()
    base.execute("DELETE FROM sample WHERE id > 100")  # what is fitted now would be another model
    base.execute("DELETE FROM migrated WHERE id > 300")
    text = run("migrate_model")
    assert "going on: with the models 'shared_old' and 'shared_new', fitted on 240 pairs" in text and "held out" not in text
    assert base.execute("SELECT * FROM whitening").fetchall() == before
    assert len(done(base, "migrated")) == 600
    text = run("migrate_model", replace=1)
    assert figures(text)["old"][2:] == (10, 40)
    assert base.execute("SELECT * FROM whitening").fetchall() != before
    assert len({hash for _, _, hash in done(base, "migrated")}) == 1


REFUSED = [
    (None, {"model": 5}, "@model or @target is not text"),
    (None, {"target": None}, "@model or @target is not text"),
    (None, {"least": "0.5"}, "@least is not a number"),
    (None, {"options": '{"K": 1}'}, "whiten_align: options has the key 'K', expected k, ridge, exponent or normalize"),
    (None, {"options": '{"k": 11}'}, "options.k is 11, expected an integer from 1 to 10"),
    ("DELETE FROM sample WHERE id > 38", {}, "my_pairs has fewer than 20 pairs"),
    ("DELETE FROM sample", {}, "my_pairs has fewer than 20 pairs"),
    ("DROP TABLE sample", {}, "no such table: sample"),
    ("UPDATE sample SET embedding = x'00000000' WHERE id = 5", {}, "row 3 of the group: b has 1 element, expected 14"),
    ("CREATE TABLE whitening (name, k NOT NULL)", {}, "whitening is not (name TEXT PRIMARY KEY, model BLOB)"),
    ("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB); INSERT INTO whitening VALUES ('shared_new', x'00')", {},
     "whitening has one of the two models of @model"),
]  # fmt: skip


@pytest.mark.parametrize("change, settings, message", REFUSED, ids=lambda value: str(value)[:40])
def test_refuses(run, base, spaces, change, settings, message):
    if change:
        base.executescript(change)
    before = base.execute("SELECT name FROM sqlite_schema").fetchall()
    error = run("migrate_model", fails=True, **settings)
    assert message in error
    assert base.execute("SELECT name FROM sqlite_schema").fetchall() == before


def test_refuses_documents_that_are_not_of_the_old_model(run, base, spaces):
    base.execute("UPDATE documents SET embedding = x'0000803f' WHERE id = 7")
    assert "source has 1 vectors that do not fit the model, the first at id 7" in run(
        "migrate_model", "CREATE TEMP VIEW my_pairs AS SELECT d.embedding AS old, s.embedding AS new FROM sample AS s"
        " JOIN documents AS d ON d.id = s.id WHERE d.id <> 7", fails=True)  # fmt: skip
    assert missing(base, "migrated")


def test_what_is_added_is_not_exported_without_a_word(run, base, spaces):
    """Kernel and bias say all of a model of the shared space, and not of one that leads across."""
    run("migrate_model")
    run("export_npy", model="shared_old")
    loaded = connect(base.execute("SELECT file FROM pragma_database_list").fetchone()[0])
    loaded.execute("INSERT INTO whitening SELECT 'across', whiten_align(whiten_pair_stats(d.embedding, s.embedding), 'a->b')"
                   " FROM sample AS s JOIN documents AS d ON d.id = s.id")  # fmt: skip
    loaded.close()
    assert "the model adds to its results what kernel and bias do not hold" in run("export_npy", fails=True, model="across")


def test_survives_sigkill(run, base, spaces, tmp_path):
    """Killed between two batches: a view's row waits for a pipe that nobody opens. Nothing is lost, and nothing twice."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    base.execute("CREATE TABLE migrated (id INTEGER PRIMARY KEY NOT NULL, v BLOB, model_hash TEXT NOT NULL)")
    shut = f"id = 250 AND (SELECT count(*) FROM main.migrated) = 200 AND writefile({literal(gate)}, '') IS NULL"
    view = f"CREATE TEMP VIEW my_vectors AS SELECT CASE WHEN {shut} THEN -1 ELSE id END AS id, embedding AS v FROM documents"
    shell = subprocess.Popen(command("migrate_model", tmp_path / "my.db", view, batch=50), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", cwd=tmp_path)  # fmt: skip
    while base.execute("SELECT count(*) FROM migrated").fetchone() != (200,):
        assert shell.poll() is None, shell.communicate()
        time.sleep(0.001)
    shell.kill()
    shell.communicate(timeout=PATIENCE)
    assert shell.returncode == -signal.SIGKILL
    assert [i for i, _, _ in done(base, "migrated")] == list(range(1, 201))
    before = done(base, "migrated")
    report = run("migrate_model", batch=50)
    assert "going on: " in report and "rows 600, done 600, nulls 0, pending 0, orphans 0" in report
    after = done(base, "migrated")
    assert after[:200] == before and [i for i, _, _ in after] == list(range(1, 601))
    run("migrate_model", target="at_once")
    assert done(base, "at_once") == after
    assert all(numpy.isfinite(unvec(v)).all() for _, v, _ in after)
