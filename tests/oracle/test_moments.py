"""whiten_stats, whiten_merge, whiten_solve: splits, weights, and whiten_fit to the bit."""

import numpy
import pytest
from conftest import fill, one, vec
from reference import Model, conditioned, fit, gaussian, options


def solve(db, stats, k=None, opts="{}"):
    return Model(db, one(db, "SELECT whiten_solve(?, ?, ?)", stats, k, opts))


def merged(db, parts):
    """The merge of stats BLOBs, in that order."""
    db.execute("CREATE TEMP TABLE IF NOT EXISTS part(id INTEGER PRIMARY KEY, s)")
    db.execute("DELETE FROM part")
    db.executemany("INSERT INTO part(s) VALUES (?)", ((part,) for part in parts))
    return one(db, "SELECT whiten_merge(s) FROM (SELECT s FROM part ORDER BY id)")


def stats_of(db, ids):
    """The stats of some rows of t, NULL when there are none."""
    listed = ",".join(str(int(i) + 1) for i in ids)
    return one(db, f"SELECT whiten_stats(v) FROM t WHERE id IN ({listed})")


@pytest.mark.parametrize("opts", [
    (None, "{}"), (3, "{}"), (0.9, options(ridge=0.5)), (None, options("zca", "oas", 0.5)),
    (4, options("pca-cor", remove=1)), (None, options("cholesky", normalize=True)),
    (None, options("zca-cor")),
], ids=str)  # fmt: skip
@pytest.mark.parametrize("n, d", [(2000, 6), (40, 17), (300, 6)])
def test_fit_is_solve_of_stats_to_the_bit(db, rng, n, d, opts):
    fill(db, conditioned(rng, n, d, 50, mean=4))
    a = one(db, "SELECT whiten_fit(v, ?, ?) FROM t", *opts)
    assert a == one(db, "SELECT whiten_solve(whiten_stats(v), ?, ?) FROM t", *opts)


def test_fewer_arguments_mean_the_defaults(db, rng):
    fill(db, gaussian(rng, 50, 4))
    rows = db.execute(
        "SELECT whiten_fit(v), whiten_fit(v, NULL), whiten_fit(v, NULL, NULL), whiten_fit(v, NULL, '{}'),"
        " whiten_solve(whiten_stats(v)), whiten_solve(whiten_stats(v), NULL), whiten_solve(whiten_stats(v),"
        " NULL, NULL),"
        ' whiten_fit(v, 4, \'{"method":"pca","ridge":0,"power":1,"remove":0,"normalize":false}\') FROM t'
    ).fetchall()
    assert len(set(rows[0])) == 1


SPLITS = ["halves", "single rows", "uneven", "empty", "one of many", "nested", "shuffled"]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("mean", [0, 10])
def test_any_split_gives_the_same_eigenvalues(db, rng, split, mean):
    n = 900
    fill(db, conditioned(rng, n, 12, 1e4, mean))
    whole = solve(db, one(db, "SELECT whiten_stats(v) FROM t")).eigenvalues
    ids = numpy.arange(n)
    if split == "halves":
        parts = numpy.array_split(ids, 2)
    elif split == "single rows":
        parts = numpy.array_split(ids, n)
    elif split == "uneven":
        parts = numpy.split(ids, numpy.sort(rng.integers(0, n, 9)))
    elif split == "empty":
        parts = [[], ids[:1], [], ids[1:], []]
    elif split == "one of many":
        parts = [ids]
    else:
        parts = numpy.array_split(rng.permutation(n), 7)
    blobs = [stats_of(db, part) for part in parts]
    if split == "nested":
        blobs = [merged(db, blobs[:3]), merged(db, blobs[3:])]
    stats = merged(db, blobs)
    got = solve(db, stats)
    assert numpy.abs(got.eigenvalues - whole).max() <= 1e-12 * whole[0]
    assert got.info["n"] == n


def test_merge_of_one_is_that_one(db, rng):
    fill(db, gaussian(rng, 30, 4))
    stats = one(db, "SELECT whiten_stats(v) FROM t")
    assert merged(db, [None, stats, None]) == stats


def test_shards_with_unlike_means(db, rng):
    """Each shard at its own place, 1000 spreads apart: the merge must see the distance between them."""
    x = numpy.concatenate([gaussian(rng, 100, 5) + 1000 * gaussian(rng, 1, 5) for _ in range(6)])
    fill(db, x)
    stats = merged(db, [stats_of(db, part) for part in numpy.array_split(numpy.arange(600), 6)])
    got, want = solve(db, stats), fit(x)
    assert numpy.abs(got.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]


def test_weight_two_is_the_row_twice(db, rng):
    x = conditioned(rng, 300, 8, 100, mean=5)
    weights = rng.integers(0, 4, 300)
    fill(db, numpy.repeat(x, weights.astype(numpy.intp), axis=0))
    want = solve(db, one(db, "SELECT whiten_stats(v) FROM t"))
    fill(db, x, "u")
    db.execute("CREATE TEMP TABLE w(id INTEGER PRIMARY KEY, w)")
    db.executemany("INSERT INTO w(w) VALUES (?)", ((int(w),) for w in weights))
    got = solve(db, one(db, "SELECT whiten_stats(v, w) FROM u JOIN w USING (id)"))
    assert numpy.abs(got.eigenvalues - want.eigenvalues).max() <= 1e-12 * want.eigenvalues[0]
    assert numpy.abs(got.bias - want.bias).max() <= 1e-6 * numpy.abs(want.bias).max()
    assert numpy.abs(got.kernel - want.kernel).max() <= 1e-5 * numpy.abs(want.kernel).max()


def test_real_weights(db, rng):
    """Frequencies need not be integers: divisor sum - 1."""
    x = conditioned(rng, 400, 6, 20, mean=2)
    weights = rng.random(400) * 3
    fill(db, x)
    db.execute("CREATE TEMP TABLE w(id INTEGER PRIMARY KEY, w)")
    db.executemany("INSERT INTO w(w) VALUES (?)", ((w,) for w in weights))
    got = solve(db, one(db, "SELECT whiten_stats(v, w) FROM t JOIN w USING (id)"))
    want = fit(x, weights=weights)
    assert numpy.abs(got.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    assert numpy.abs(got.bias + want.mean).max() <= 1e-6
    assert numpy.abs(got.kernel - want.kernel).max() <= 1e-5 * numpy.abs(want.kernel).max()


@pytest.mark.parametrize("method", ["pca-cor", "zca-cor"])
def test_constant_column_under_real_weights(db, rng, method):
    """Rounding of the weighted mean is no variance: the column gets a zero row in the kernel, not 1 / rounding."""
    x = conditioned(rng, 400, 6, 20, mean=2)
    x[:, 3] = 0.1
    fill(db, x)
    db.execute("CREATE TEMP TABLE w(id INTEGER PRIMARY KEY, w)")
    db.executemany("INSERT INTO w(w) VALUES (?)", ((w,) for w in rng.random(400) + 0.01))
    stats = one(db, "SELECT whiten_stats(v, w) FROM t JOIN w USING (id)")
    model = solve(db, stats, None, options(method))
    assert model.info["rank"] == 5
    assert not model.kernel[3].any()
    assert numpy.abs(model.kernel).max() < 100


def test_row_with_weight_zero_is_skipped(db, rng):
    """Not even its dimension counts against the mean: a huge row with weight 0 changes nothing."""
    x = gaussian(rng, 20, 3)
    fill(db, x)
    want = one(db, "SELECT whiten_stats(v) FROM t")
    db.execute("INSERT INTO t(id, v) VALUES (0, ?)", (vec([1e30, 1e30, 1e30]),))
    assert one(db, "SELECT whiten_stats(v, id > 0) FROM (SELECT * FROM t ORDER BY id)") == want


def test_stats_of_one_row_and_of_none(db):
    assert one(db, "SELECT typeof(whiten_stats('[1,2]'))") == "blob"
    assert one(db, "SELECT whiten_stats(v) FROM (SELECT '[1]' AS v) WHERE 0") is None
    assert one(db, "SELECT whiten_merge(v) FROM (SELECT '[1]' AS v) WHERE 0") is None


def test_group_by_day(db, rng):
    """Fit day by day: stats per group stored in a table, merged later."""
    x = gaussian(rng, 120, 4) + 2
    fill(db, x)
    db.execute("CREATE TABLE day AS SELECT id % 7 AS day, whiten_stats(v) AS s FROM t GROUP BY 1")
    got = solve(db, one(db, "SELECT whiten_merge(s) FROM day"))
    want = fit(x)
    assert numpy.abs(got.eigenvalues - want.eigenvalues).max() <= 1e-12 * want.eigenvalues[0]
