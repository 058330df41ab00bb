"""examples/cluster: the job in one file, in a cluster of dqlite whose leader is killed or cut off, and over shards.

The program compares what each node has with one file, to the bit, and says "exact"; here it is run. `make cluster RUNS=20` runs more of it.
"""

import os
import pathlib
import re
import shutil
import sqlite3
import subprocess

import numpy
import pytest
from conftest import PATIENCE, ROOT, WHITEN_SO, connect, load_into, one, vec

HERE = ROOT / "examples" / "cluster"
SHARDS = HERE / "shards.sh"
GO = pathlib.Path("/usr/share/gocode/src/github.com/canonical/go-dqlite")
pytestmark = pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="Go does not start under a sanitizer that is preloaded")


def run(*command, cwd=ROOT, **environment):
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env={**os.environ, "MAKEFLAGS": "", **environment}, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )


# ---- the cluster


@pytest.fixture(scope="module")
def cluster():
    """The program, with an extension that is linked in."""
    if shutil.which("go") is None or not GO.is_dir():
        pytest.skip("Go or dqlite is not there (make cluster-deps)")
    if WHITEN_SO != ROOT / "whiten.so":
        pytest.skip("another build of the extension is tested")
    done = run("make", "-s", "build/cluster/cluster")
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "build" / "cluster" / "cluster"


def test_answers_that_are_lost(cluster):
    """Where every third answer is taken for lost, each batch is written once all the same."""
    sound, lossy = run(cluster, "single", "-seed", "1"), run(cluster, "single", "-seed", "1", "-lose", "0.3")
    assert (sound.returncode, lossy.returncode) == (0, 0), sound.stderr + lossy.stderr
    assert sound.stdout.startswith("one file: 4000 rows, ") and lossy.stdout == sound.stdout


def test_a_leader_that_is_killed(cluster):
    done = run(cluster, "run", "-seed", "11")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^seed 11: leader killed in batch \d+ of 40, .*; all 3 nodes exact$", done.stdout, re.M)


def test_a_leader_that_is_cut_off(cluster):
    done = run(HERE / "namespaces.sh", cluster, "run", "-seed", "11", "-cut")
    assert done.returncode == 0, done.stdout + done.stderr
    if "skipped" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert re.search(r"^seed 11: leader cut off in batch \d+ of 40, .*; all 3 nodes exact$", done.stdout, re.M)


@pytest.mark.parametrize("arguments", [[], ["start"], ["node", "1"], ["run", "-sead", "1"], ["node", "one", "a", "b"]])
def test_a_wrong_command(cluster, arguments):
    done = run(cluster, *arguments)
    assert done.returncode == 1 and done.stderr


# ---- shards

N, DIM, K = 900, 12, 5
OPTIONS = '{"ridge": 0.5}'


@pytest.fixture
def rows(rng):
    return (rng.standard_normal((N, DIM)) * numpy.linspace(0.2, 3, DIM) + 2).astype("<f4")


@pytest.fixture
def shards(tmp_path, rows):
    """Three files of different size, under names that a shell must quote."""
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    files = [folder / f"shard {i}.db" for i in range(3)]
    for file, (first, end) in zip(files, [(0, 500), (500, 880), (880, N)]):
        db = sqlite3.connect(file)
        db.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB)")
        db.executemany("INSERT INTO documents VALUES (?, ?)", [(i + 1, vec(rows[i])) for i in range(first, end)])
        db.commit()
        db.close()
    return files


def shell(*arguments):
    return run(SHARDS, *arguments, WHITEN=str(WHITEN_SO.with_suffix("")))


def open_shard(file):
    db = sqlite3.connect(file)
    load_into(db)
    return db


def test_one_model_for_all(shards, rows):
    """That of all rows in one file, but for the order of the sums; the same in each."""
    done = shell("fit", K, OPTIONS, *shards)
    assert done.returncode == 0, done.stderr
    models = {one(open_shard(file), "SELECT model FROM whitening WHERE name = 'shards'") for file in shards}
    (model,) = models
    whole = connect()
    whole.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB)")
    whole.executemany("INSERT INTO documents (embedding) VALUES (?)", [(vec(row),) for row in rows])
    expected = one(whole, "SELECT whiten_fit(embedding, ?, ?) FROM documents", K, OPTIONS)
    assert done.stdout == f"900 rows, model {one(whole, 'SELECT whiten_info(?) ->> ?', model, 'hash')}\n"
    values = "SELECT eigenvalue FROM whiten_spectrum(?)"
    found, wanted = (numpy.array(whole.execute(values, (m,)).fetchall()) for m in (model, expected))
    assert numpy.allclose(found, wanted, rtol=1e-12)
    similarity = "SELECT min(cosine_sim(whiten_apply(?, embedding), whiten_apply(?, embedding))) FROM documents"
    assert one(whole, similarity, model, expected) > 1 - 1e-6
    values = numpy.linalg.eigvalsh(numpy.cov(rows.astype(float), rowvar=False))[::-1]
    assert numpy.allclose(found[:, 0], values[: len(found)], rtol=1e-6)


def test_the_nearest_of_all(shards, rows, tmp_path):
    """Against numpy; the best of every file in one order, whatever the workers' order was."""
    assert shell("fit", K, OPTIONS, *shards).returncode == 0
    (tmp_path / "query").write_bytes(vec(rows[600]))
    done = shell("search", tmp_path / "query", 7, *shards)
    assert done.returncode == 0, done.stderr
    lines = [line.split("\t") for line in done.stdout.split("\n")[:-1]]
    x = rows.astype(float)
    values, vectors = numpy.linalg.eigh(numpy.cov(x, rowvar=False))
    values, vectors = values[::-1][:K], vectors[:, ::-1][:, :K]
    white = (x - x.mean(axis=0)) @ vectors / numpy.sqrt(values + 0.5 * numpy.trace(numpy.cov(x, rowvar=False)) / DIM)
    cosines = white @ white[600] / numpy.linalg.norm(white, axis=1) / numpy.linalg.norm(white[600])
    assert [int(line[1]) for line in lines] == [int(i) + 1 for i in numpy.argsort(-cosines)[:7]]
    assert numpy.allclose([float(line[2]) for line in lines], numpy.sort(cosines)[::-1][:7], atol=1e-5)
    assert {line[0] for line in lines} <= {str(file) for file in shards} and lines[0][:2] == [str(shards[1]), "601"]
    assert run(SHARDS, "search", tmp_path / "query", 7, *shards, WHITEN=str(WHITEN_SO.with_suffix("")), WORKERS="1").stdout == done.stdout


def test_again_with_another_model(shards):
    """A second fit takes the place of the first; one that fails leaves it."""
    assert shell("fit", K, OPTIONS, *shards).returncode == 0
    assert shell("fit", 3, "{}", *shards).returncode == 0
    for file in shards:
        assert one(open_shard(file), "SELECT whiten_index_info('documents_search') ->> 'k'") == 3
    done = shell("fit", 4, '{"ridg": 1}', *shards)
    assert done.returncode != 0 and "options has the key 'ridg'" in done.stderr
    assert one(open_shard(shards[0]), "SELECT whiten_index_info('documents_search') ->> 'k'") == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((), "shards: 0 arguments, expected fit K OPTIONS FILE... or search QUERY N FILE..."),
        (("fit", "x", "{}", SHARDS), "shards: K is 'x', expected a number of components"),
        (("fit", 2, "{}", "/nowhere.db"), "shards: there is no file /nowhere.db"),
        (("fit", 2, "{}", SHARDS, HERE / "." / "shards.sh"), f"shards: {SHARDS} is the file {SHARDS}, expected each once"),
        (("search", "/nowhere", 2, SHARDS), "shards: there is no file /nowhere"),
        (("search", SHARDS, "", SHARDS), "shards: N is '', expected a number of rows"),
        (("find", "a", "b", SHARDS), "shards: the command is 'find', expected fit or search"),
    ],
)
def test_shards_refuse(arguments, message):
    done = shell(*arguments)
    assert done.returncode != 0 and done.stderr == message + "\n"


def test_an_empty_shard(shards, rows, tmp_path):
    """It has no moments, and an index that finds nothing until rows come."""
    db = sqlite3.connect(shards[2])
    db.execute("DELETE FROM documents")
    db.commit()
    db.close()
    done = shell("fit", K, OPTIONS, *shards)
    assert done.returncode == 0 and done.stdout.startswith("880 rows, "), done.stderr
    (tmp_path / "query").write_bytes(vec(rows[600]))
    done = shell("search", tmp_path / "query", 3, *shards)
    assert (done.returncode, done.stderr) == (0, "") and len(done.stdout.split("\n")) == 4


def test_a_shard_of_another_dimension(shards):
    db = sqlite3.connect(shards[1])
    db.execute("UPDATE documents SET embedding = zeroblob(8)")
    db.commit()
    done = shell("fit", 2, "{}", *shards)
    assert done.returncode != 0 and "whiten_merge" in done.stderr and "dimension" in done.stderr
