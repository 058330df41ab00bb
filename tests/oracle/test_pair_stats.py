"""whiten_pair_stats, whiten_merge of them: the moments of rows that are a, then b, unpacked as ext/README.md has the format."""

import struct

import numpy
import pytest
from conftest import one, vec


def unpack(blob):
    """d_a, n, sum of the weights, mean, and the whole matrix of the sums of w (x - mean)(x - mean)^T."""
    assert blob[:8] == b"whitenP\0" and struct.unpack_from("<II", blob, 8) == (1, 0x01020304)
    size, _, d, dim_a, n, weight = struct.unpack_from("<QQIIqd", blob, 16)
    assert size == len(blob) == 56 + 8 * d + 4 * d * (d + 1)
    numbers = numpy.frombuffer(blob, dtype="<f8", offset=56)
    cross = numpy.zeros((d, d))
    cross[numpy.triu_indices(d)] = numbers[d:]
    return dim_a, n, weight, numbers[:d], cross + numpy.triu(cross, 1).T


def store(db, a, b, w=None):
    db.execute("CREATE TABLE pair(id INTEGER PRIMARY KEY, a BLOB, b BLOB, w REAL)")
    w = numpy.ones(len(a)) if w is None else w
    db.executemany("INSERT INTO pair(a, b, w) VALUES (?, ?, ?)", ((vec(x), vec(y), float(z)) for x, y, z in zip(a, b, w)))


def sample(rng, n, d_a, d_b, mean=3):
    """Float32 pairs that have much in common, with spreads of three orders."""
    x = rng.standard_normal((n, max(d_a, d_b))) * numpy.logspace(0, -3, max(d_a, d_b)) + mean
    noise = rng.standard_normal((n, d_b))
    return x[:, :d_a].astype("f4"), (x[:, :d_b] + 0.1 * noise).astype("f4")


def check(blob, a, b, w, tolerance):
    rows = numpy.concatenate([a, b], axis=1).astype("f8")
    mean = w @ rows / w.sum()
    centred = rows - mean
    want = (centred * w[:, None]).T @ centred
    dim_a, n, weight, got_mean, got = unpack(blob)
    assert (dim_a, n) == (a.shape[1], int((w > 0).sum()))
    assert weight == pytest.approx(w.sum(), rel=1e-14)
    assert numpy.abs(got_mean - mean).max() <= 1e-13 * numpy.abs(mean).max()
    sd = numpy.sqrt(numpy.diag(want))
    assert (numpy.abs(got - want) / numpy.outer(sd, sd)).max() <= tolerance


@pytest.mark.parametrize("n, d_a, d_b", [(1, 2, 3), (40, 5, 5), (700, 7, 3), (1500, 1, 20), (1100, 64, 70)])
def test_moments(db, rng, n, d_a, d_b):
    a, b = sample(rng, n, d_a, d_b)
    w = rng.integers(0, 4, n) * 0.5 + (n == 1)
    store(db, a, b, w)
    # one row has no spread to measure by: what must be zero is
    if n == 1:
        assert not unpack(one(db, "SELECT whiten_pair_stats(a, b, w) FROM pair"))[4].any()
        return
    check(one(db, "SELECT whiten_pair_stats(a, b, w) FROM pair"), a, b, w, 1e-11)
    json = "SELECT whiten_pair_stats(embedding_as(a, 'json'), b, w) FROM pair"
    assert one(db, json) == one(db, "SELECT whiten_pair_stats(a, b, w) FROM pair")


@pytest.mark.parametrize("parts", [1, 2, 7, 300])
def test_any_split_merges_to_the_same(db, rng, parts):
    a, b = sample(rng, 300, 6, 4, mean=50)
    w = 1.0 + rng.integers(0, 3, 300)
    store(db, a, b, w)
    merged = one(db, "SELECT whiten_merge(s) FROM (SELECT whiten_pair_stats(a, b, w) AS s FROM pair GROUP BY id % ?)", parts)
    check(merged, a, b, w, 1e-11)
    nested = one(db, "SELECT whiten_merge(m) FROM (SELECT whiten_merge(s) AS m FROM (SELECT whiten_pair_stats(a, b, w) AS s,"
                 " id % 2 AS g FROM pair GROUP BY id % ?) GROUP BY g)", 2 * parts)  # fmt: skip
    check(nested, a, b, w, 1e-11)


def test_each_group_by_itself(db, rng):
    a, b = sample(rng, 60, 3, 2)
    store(db, a, b)
    rows = db.execute("SELECT id % 3, whiten_pair_stats(a, b) FROM pair GROUP BY 1").fetchall()
    for group, blob in rows:
        at = numpy.arange(1, 61) % 3 == group
        check(blob, a[at], b[at], numpy.ones(20), 1e-11)


def test_null_in_either_is_no_pair(db, rng):
    a, b = sample(rng, 30, 3, 2)
    store(db, a, b)
    db.execute("INSERT INTO pair(a) VALUES ('[9,9,9]')")
    db.execute("INSERT INTO pair(b) VALUES ('[9,9]')")
    check(one(db, "SELECT whiten_pair_stats(a, b) FROM pair"), a, b, numpy.ones(30), 1e-11)
    assert one(db, "SELECT whiten_pair_stats(a, b) FROM pair WHERE 0") is None
