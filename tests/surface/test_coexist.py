"""Loaded together with sqlite-vec, in both orders: both work, and both read the same BLOBs.

vec0.so comes from the npm package sqlite-vec-linux-x64 (or its sister for another machine): WHITEN_VEC names
the file or a folder, else node_modules of the repository is searched.
"""

import os
import pathlib
import sqlite3

import numpy
import pytest
from conftest import ENTRY, ROOT, WHITEN_SO, load_into, vec


def find_vec():
    named = os.environ.get("WHITEN_VEC")
    places = [pathlib.Path(named)] if named else [ROOT / "build" / "peers"]
    for place in places:
        if place.is_file():
            return place
        for found in sorted(place.rglob("vec0.so")) if place.is_dir() else []:
            return found
    return None


@pytest.fixture(params=["whiten first", "vec first"])
def both(request):
    path = find_vec()
    if path is None:
        pytest.skip("no vec0.so (WHITEN_VEC names it)")
    connection = sqlite3.connect(":memory:", isolation_level=None)
    libraries = [(WHITEN_SO, ENTRY), (path, "sqlite3_vec_init")]
    for library, entry in libraries if request.param == "whiten first" else reversed(libraries):
        load_into(connection, library, entry)
    yield connection
    connection.close()


def test_same_cosines_of_the_same_blobs(both, rng):
    pairs = []
    for _ in range(1000):
        d = int(rng.integers(1, 400))
        a, b = rng.standard_normal((2, d)).astype("f4") * numpy.float32(10.0 ** rng.integers(-2, 3))
        pairs.append((vec(a), vec(a + b if rng.random() < 0.5 else b)))
    for pair in pairs:
        ours, theirs = both.execute(
            "SELECT cosine_sim(?1, ?2), 1 - vec_distance_cosine(?1, ?2)", pair
        ).fetchone()
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_same_distances_and_json(both, rng):
    for _ in range(100):
        a, b = (vec(v) for v in rng.standard_normal((2, 37)))
        row = both.execute(
            "SELECT l2_distance(?1, ?2), vec_distance_L2(?1, ?2), vec_length(?1), embedding_dim(?1)", (a, b)
        ).fetchone()
        assert row[0] == pytest.approx(row[1], rel=1e-6)
        assert row[2:] == (37, 37)
    assert both.execute("SELECT embedding('[1, 2.5, -3]') = vec_f32('[1, 2.5, -3]')").fetchone() == (1,)


def test_each_feeds_the_other(both, rng):
    """Whitened vectors in a vec0 table; vectors out of it through whiten_fit."""
    x = rng.standard_normal((300, 8)).astype("f4") + 2
    both.execute("CREATE VIRTUAL TABLE raw USING vec0(v float[8])")
    both.executemany("INSERT INTO raw(rowid, v) VALUES (?, ?)", ((i, vec(row)) for i, row in enumerate(x, 1)))
    both.execute("CREATE TABLE m AS SELECT whiten_fit(v, 4) AS model FROM raw")
    both.execute("CREATE VIRTUAL TABLE white USING vec0(v float[4] distance_metric=cosine)")
    both.execute("INSERT INTO white(rowid, v) SELECT rowid, whiten_apply((SELECT model FROM m), v) FROM raw")
    found = both.execute(
        "SELECT rowid, distance FROM white WHERE v MATCH (SELECT v FROM white WHERE rowid = 5) AND k = 5"
        " ORDER BY distance"
    ).fetchall()
    ours = both.execute(
        "SELECT rowid, 1 - cosine_sim(v, (SELECT v FROM white WHERE rowid = 5)) AS distance FROM white"
        " ORDER BY distance LIMIT 5"
    ).fetchall()
    assert [row[0] for row in found] == [row[0] for row in ours]
    assert [row[1] for row in found] == pytest.approx([row[1] for row in ours], abs=1e-6)
