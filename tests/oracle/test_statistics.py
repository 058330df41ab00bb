"""spearman and pearson against scipy, mean_cosine by brute force, isotropy by the paper's algorithm."""

import numpy
import pytest
import scipy.stats
from conftest import fill, one
from reference import conditioned, gaussian, isoscore, mean_cosine


def pairs(db, x, y):
    db.execute("CREATE TEMP TABLE IF NOT EXISTS p(x, y)")
    db.execute("DELETE FROM p")
    db.executemany("INSERT INTO p VALUES (?, ?)", zip(x, y))
    return db.execute("SELECT spearman(x, y), pearson(x, y) FROM p").fetchone()


KINDS = {
    "continuous": lambda rng, n: rng.standard_normal((2, n)),
    "ties": lambda rng, n: rng.integers(0, 5, (2, n)).astype("f8"),
    "two values": lambda rng, n: rng.permuted(numpy.tile([0.0, 1.0], (2, n // 2)), axis=1),
    "far from zero": lambda rng, n: 1e8 + rng.standard_normal((2, n)),
    "huge": lambda rng, n: rng.standard_normal((2, n)) * 1e300,
    "tiny": lambda rng, n: rng.standard_normal((2, n)) * 1e-300,
    "unlike scales": lambda rng, n: rng.standard_normal((2, n)) * [[1e200], [1e-200]],
    "related": lambda rng, n: numpy.cumsum(rng.standard_normal((2, n)), axis=0),
    "heavy tails": lambda rng, n: rng.standard_cauchy((2, n)),
}


@pytest.mark.parametrize("n", [2, 10, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_correlations(db, rng, kind, n):
    x, y = KINDS[kind](rng, n)
    spearman, pearson = pairs(db, x.tolist(), y.tolist())
    if numpy.ptp(x) == 0 or numpy.ptp(y) == 0:
        assert spearman is None and pearson is None
        return
    assert spearman == pytest.approx(scipy.stats.spearmanr(x, y)[0], abs=1e-12)
    # the correlation does not change with the scale, and float64 sums of squares would overflow
    x, y = x / numpy.abs(x).max(), y / numpy.abs(y).max()
    assert pearson == pytest.approx(
        numpy.corrcoef(x, y)[0, 1], abs=1e-12 if kind != "far from zero" else 1e-6
    )


def test_exact_ends(db, rng):
    """Monotone gives exactly +-1 or within rounding, never beyond."""
    for _ in range(50):
        x = rng.standard_normal(30)
        for y, want in ((x**3, 1), (-x, -1)):
            spearman, pearson = pairs(db, x.tolist(), y.tolist())
            assert spearman == pytest.approx(want, abs=1e-14) and abs(spearman) <= 1
            assert abs(pearson) <= 1


@pytest.mark.parametrize("kind", ["ties", "two values", "continuous"])
def test_spearman_does_not_depend_on_the_order_of_rows(db, rng, kind):
    """To the bit: nor, then, on how libc's qsort leaves ties."""
    x, y = KINDS[kind](rng, 400)
    seen = set()
    for _ in range(60):
        order = rng.permutation(len(x))
        seen.add(pairs(db, x[order].tolist(), y[order].tolist())[0])
    assert len(seen) == 1


def test_nulls_and_constants(db):
    assert pairs(db, [1, None, 2, 3], [3, 5, None, 1]) == pytest.approx((-1, -1), abs=1e-14)
    assert pairs(db, [], []) == (None, None)
    assert pairs(db, [1], [2]) == (None, None)
    assert pairs(db, [1, 2, 3], [7, 7, 7]) == (None, None)
    assert pairs(db, [0.1, 0.1, 0.1], [1, 2, 3]) == (None, None)
    assert pairs(db, [1e300 / 3] * 7, range(7)) == (None, None)


def test_order_of_rows_does_not_matter_for_ranks(db, rng):
    x, y = rng.integers(0, 20, (2, 500)).astype("f8")
    order = rng.permutation(500)
    assert pairs(db, x.tolist(), y.tolist())[0] == pairs(db, x[order].tolist(), y[order].tolist())[0]


def test_groups(db, rng):
    groups, (x, y) = rng.integers(0, 10, 500), rng.standard_normal((2, 500))
    db.execute("CREATE TABLE p(g, x, y)")
    db.executemany("INSERT INTO p VALUES (?, ?, ?)", zip(groups.tolist(), x, y))
    for g, spearman, pearson in db.execute("SELECT g, spearman(x, y), pearson(x, y) FROM p GROUP BY g"):
        on = groups == g
        assert spearman == pytest.approx(scipy.stats.spearmanr(x[on], y[on])[0], abs=1e-12)
        assert pearson == pytest.approx(scipy.stats.pearsonr(x[on], y[on])[0], abs=1e-12)


ROWS = {
    "random": lambda rng: gaussian(rng, 200, 30),
    "anisotropic": lambda rng: conditioned(rng, 200, 30, 100, mean=10),
    "ill-conditioned": lambda rng: conditioned(rng, 200, 30, 1e8),
    "two dimensions": lambda rng: conditioned(rng, 100, 2, 30, mean=1),
    "n < d": lambda rng: gaussian(rng, 5, 40),
    "two rows": lambda rng: gaussian(rng, 2, 6),
    "huge": lambda rng: gaussian(rng, 50, 6) * numpy.float32(1e30),
    "tiny": lambda rng: gaussian(rng, 50, 6) * numpy.float32(1e-30),
    "constant column": lambda rng: gaussian(rng, 50, 6) * numpy.array([1, 1, 0, 1, 1, 1], dtype="f4"),
    "one direction": lambda rng: numpy.outer(numpy.arange(1, 9), [1, 2, 2, 4]).astype("f4"),
}


@pytest.mark.parametrize("kind", ROWS)
def test_isotropy(db, rng, kind):
    x = ROWS[kind](rng)
    fill(db, x)
    scaled = x.astype("f8") / numpy.abs(x).max()
    assert one(db, "SELECT isotropy(v) FROM t") == pytest.approx(isoscore(scaled), abs=1e-8)


@pytest.mark.parametrize("kind", ROWS)
def test_mean_cosine(db, rng, kind):
    x = ROWS[kind](rng)
    fill(db, x)
    scaled = x.astype("f8") / numpy.abs(x).max()
    assert one(db, "SELECT mean_cosine(v) FROM t") == pytest.approx(mean_cosine(scaled), abs=1e-9)


def test_mean_cosine_skips_zero_vectors(db, rng):
    x = gaussian(rng, 40, 5)
    x[::4] = 0
    fill(db, x)
    assert one(db, "SELECT mean_cosine(v) FROM t") == pytest.approx(mean_cosine(x), abs=1e-9)
    fill(db, [[0, 0], [0, 0], [1, 1]])
    assert one(db, "SELECT mean_cosine(v) FROM t") is None


def test_mean_cosine_of_opposite_rows(db):
    """+-e_1 .. +-e_d: the pairs (e, -e) alone count: -1 / (2 d - 1)."""
    d = 8
    fill(db, numpy.concatenate([numpy.eye(d), -numpy.eye(d)]))
    assert one(db, "SELECT mean_cosine(v) FROM t") == pytest.approx(-1 / (2 * d - 1), abs=1e-12)


def test_isotropy_where_it_is_not_defined(db):
    for rows in ([[1], [2], [3]], [[1, 2]], [[1, 2], [1, 2], [1, 2]]):
        fill(db, rows)
        assert one(db, "SELECT isotropy(v) FROM t") is None


def test_isotropy_in_one_direction_and_in_all(db):
    fill(db, [[float(i), 0, 0] for i in range(10)])
    assert one(db, "SELECT isotropy(v) FROM t") == pytest.approx(0, abs=1e-12)
    fill(db, numpy.concatenate([numpy.eye(5), -numpy.eye(5)]))
    assert one(db, "SELECT isotropy(v) FROM t") == pytest.approx(1, abs=1e-12)


def test_whitening_makes_isotropic(db, rng):
    fill(db, conditioned(rng, 500, 20, 1000, mean=5))
    row = db.execute(
        "WITH m AS MATERIALIZED (SELECT whiten_fit(v) AS model FROM t), y AS MATERIALIZED (SELECT"
        " whiten_apply(model, v) AS y FROM t, m)"
        " SELECT isotropy(y), mean_cosine(y) FROM y"
    ).fetchone()
    assert row[0] == pytest.approx(1, abs=1e-6)
    assert abs(row[1]) < 0.01
