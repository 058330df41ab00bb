"""whiten_solve with pair stats: the formula in numpy, what it promises - K' M K = 1, K' S_T K diagonal - and its ends: ranks, few
pairs, equal pairs, scales, splits; and two real sets, judged on pairs that share no row with those that were fitted."""

import json
import sqlite3

import numpy
import pytest
from conftest import fill, one, vec
from reference import Model, conditioned


def pairs_of(rng, x, n, spread=0.3):
    a = x[rng.integers(0, len(x), n)]
    return a, (a + spread * rng.standard_normal(a.shape) * numpy.linspace(1, 0.1, x.shape[1])).astype("f4")


def store(db, a, b, w=None):
    db.execute("DROP TABLE IF EXISTS pair")
    db.execute("CREATE TABLE pair(id INTEGER PRIMARY KEY, a BLOB, b BLOB, w REAL)")
    w = numpy.ones(len(a)) if w is None else w
    db.executemany("INSERT INTO pair(a, b, w) VALUES (?, ?, ?)", ((vec(x), vec(y), float(z)) for x, y, z in zip(a, b, w)))


PAIR_STATS = "(SELECT whiten_pair_stats(a, b, w) FROM pair)"


def solve(db, k=None, pairs=PAIR_STATS, **options):
    sql = f"SELECT whiten_solve((SELECT whiten_stats(v) FROM t), ?, ?, {pairs})"
    return Model(db, one(db, sql, k, json.dumps(options)))


def matrices(x, a, b, share, ridge, w=None):
    """S_T and M, from the definitions."""
    total = numpy.cov(x.astype("f8").T)
    difference = a.astype("f8") - b
    w = numpy.ones(len(a)) if w is None else w
    within = (difference * w[:, None]).T @ difference / w.sum() / 2
    scaled = share * within * numpy.trace(total) / numpy.trace(within)
    return total, (1 - share) * total + scaled + ridge * numpy.trace(total) / len(total) * numpy.eye(len(total))


def kernel_of(total, mix, order):
    """M^(-1/2) Q and the values; the element of largest magnitude of a column is positive."""
    m, u = numpy.linalg.eigh(mix)
    root = u / numpy.sqrt(m) @ u.T
    values, q = (m, u) if order == "variance" else numpy.linalg.eigh(root @ total @ root)
    kernel = (root @ q)[:, ::-1]
    return kernel * numpy.sign(kernel[numpy.abs(kernel).argmax(axis=0), range(len(m))]), values[::-1]


@pytest.mark.parametrize("order", ["ratio", "variance"])
@pytest.mark.parametrize("share, ridge", [(0.5, 0), (0.25, 0.1), (1, 0), (1, 3), (1e-3, 0.5)])
@pytest.mark.parametrize("n, d, k", [(500, 9, None), (800, 40, 17), (300, 2, 1)])
def test_formula(db, rng, n, d, k, share, ridge, order):
    x = conditioned(rng, n, d, 50, mean=4)
    a, b = pairs_of(rng, x, 3 * d + 50)
    w = rng.integers(1, 4, len(a))
    fill(db, x)
    store(db, a, b, w)
    got = solve(db, k, within=share, ridge=ridge, order=order)
    total, mix = matrices(x, a, b, share, ridge, w)
    kernel, values = kernel_of(total, mix, order)
    k = k or d
    assert got.kernel.shape == (d, k) and (got.info["k"], got.info["rank"], got.info["version"]) == (k, d, 2)
    assert {key: got.info[key] for key in ("method", "within", "order", "pairs", "ridge")} == {
        "method": "pca", "within": share, "order": order, "pairs": len(a), "ridge": ridge}  # fmt: skip
    assert numpy.abs(got.eigenvalues - values).max() <= 1e-9 * values[0]
    # columns whose values are far enough apart to be told, which is nearly all
    apart = numpy.abs(numpy.diff(values, prepend=numpy.inf, append=-numpy.inf))
    told = numpy.minimum(apart[:-1], apart[1:])[:k] > 1e-3 * values[0]
    assert told.any()
    scale = numpy.abs(kernel).max(axis=0)
    assert (numpy.abs(got.kernel - kernel[:, :k]) / scale[:k])[:, told].max() <= 1e-5
    found = got.kernel.astype("f8")
    assert numpy.abs(found.T @ mix @ found - numpy.eye(k)).max() <= 1e-5
    if order == "ratio":
        spread = found.T @ total @ found
        assert numpy.abs(spread - numpy.diag(values[:k])).max() <= 1e-5 * values[0]
    assert numpy.abs(got.bias + x.astype("f8").mean(axis=0)).max() <= 1e-5


@pytest.mark.parametrize("k", [3, 12])
def test_inverse_is_the_regression_on_the_components(db, rng, k):
    x = conditioned(rng, 400, 12, 30, mean=2)
    fill(db, x)
    store(db, *pairs_of(rng, x, 90))
    model = solve(db, k, within=0.5, ridge=0.1)
    back = db.execute("SELECT whiten_inverse(?1, whiten_apply(?1, v)) FROM t ORDER BY id", (model.blob,)).fetchall()
    back = numpy.array([numpy.frombuffer(y, "<f4") for (y,) in back])
    wide, kernel = x.astype("f8"), model.kernel.astype("f8")
    total, mean = numpy.cov(wide.T), wide.mean(axis=0)
    y = (wide - mean) @ kernel
    want = mean + y @ numpy.linalg.solve(kernel.T @ total @ kernel, kernel.T @ total)
    assert numpy.abs(back - want).max() <= 1e-4 * numpy.abs(want).max()


@pytest.mark.parametrize("split", [1, 2, 9, 80])
def test_any_split_gives_the_same_model(db, rng, split):
    x = conditioned(rng, 300, 8, 100, mean=20)
    fill(db, x)
    store(db, *pairs_of(rng, x, 80))
    whole = solve(db, within=0.7, ridge=0.05)
    parts = f"(SELECT whiten_merge(s) FROM (SELECT whiten_pair_stats(a, b, w) AS s FROM pair GROUP BY id % {split}))"
    merged = solve(db, pairs=parts, within=0.7, ridge=0.05)
    assert numpy.abs(merged.eigenvalues - whole.eigenvalues).max() <= 1e-10 * whole.eigenvalues[0]
    assert numpy.abs(merged.kernel - whole.kernel).max() <= 1e-6 * numpy.abs(whole.kernel).max()


def test_the_order_within_a_pair_does_not_matter(db, rng):
    """Nor does it when b is a with something added that is the same for all: the mean of the differences counts."""
    x = conditioned(rng, 300, 6, 20)
    a, b = pairs_of(rng, x, 70)
    b = b + numpy.float32(2)
    fill(db, x)
    store(db, a, b)
    there = solve(db, within=0.5)
    swapped = rng.random(70) < 0.5
    store(db, numpy.where(swapped[:, None], b, a), numpy.where(swapped[:, None], a, b))
    back = solve(db, within=0.5)
    assert numpy.abs(there.eigenvalues - back.eigenvalues).max() <= 1e-10 * there.eigenvalues[0]
    assert numpy.abs(there.kernel - kernel_of(*matrices(x, a, b, 0.5, 0), "ratio")[0]).max() <= 1e-5


@pytest.mark.parametrize("order", ["ratio", "variance"])
@pytest.mark.parametrize("share", [0.5, 1])
def test_fewer_rows_than_dimensions(db, rng, share, order):
    """Without a ridge, components in the rows' span alone, whatever the pairs do outside of it; with one, all."""
    n, d = 9, 20
    x = conditioned(rng, n, d, 5)
    a, b = pairs_of(rng, x, 60)
    fill(db, x)
    store(db, a, b)
    got = solve(db, within=share, order=order)
    assert (got.info["k"], got.info["rank"]) == (n - 1, n - 1)
    total, _ = matrices(x, a, b, share, 0)
    span = numpy.linalg.eigh(total)[1][:, -(n - 1) :]
    inside = [y.astype("f8") @ span for y in (x, a, b)]
    kernel, values = kernel_of(*matrices(*inside, share, 0), order)
    kernel = span @ kernel
    kernel *= numpy.sign(kernel[numpy.abs(kernel).argmax(axis=0), range(n - 1)])
    assert numpy.abs(got.eigenvalues[: n - 1] - values).max() <= 1e-6 * values[0]
    assert numpy.abs(got.eigenvalues[n - 1 :]).max() <= 1e-9 * values[0]
    assert numpy.abs(got.kernel - kernel).max() <= 1e-4 * numpy.abs(kernel).max()
    full = solve(db, within=share, ridge=0.2, order=order)
    want, values = kernel_of(*matrices(x, a, b, share, 0.2), order)
    assert full.info["k"] == d
    assert numpy.abs(full.eigenvalues - values).max() <= 1e-6 * values[0]
    assert numpy.abs(full.kernel[:, : n - 1] - want[:, : n - 1]).max() <= 1e-4 * numpy.abs(want).max()


def test_a_constant_column(db, rng):
    x = conditioned(rng, 200, 5, 10)
    x[:, 2] = 7
    a, b = pairs_of(rng, x, 60)
    a[:, 2] = b[:, 2] = 7
    fill(db, x)
    store(db, a, b)
    got = solve(db, within=0.5)
    assert got.info["k"] == 4 and numpy.abs(got.kernel[2]).max() <= 1e-12
    rest = [0, 1, 3, 4]
    assert numpy.abs(got.kernel[rest] - kernel_of(*matrices(x[:, rest], a[:, rest], b[:, rest], 0.5, 0), "ratio")[0]).max() <= 1e-5


def test_few_pairs(db, rng):
    """Alone they leave directions without a difference; what remains of the total, or a ridge, fills those."""
    x = conditioned(rng, 200, 10, 10)
    a, b = pairs_of(rng, x, 6)
    fill(db, x)
    store(db, a, b)
    with pytest.raises(sqlite3.OperationalError, match=r"pair_stats has differences in fewer directions \(n = 6\) .* a ridge"):
        solve(db, within=1)
    for share, ridge in [(1, 0.1), (0.9, 0)]:
        want = kernel_of(*matrices(x, a, b, share, ridge), "ratio")[1]
        assert numpy.abs(solve(db, within=share, ridge=ridge).eigenvalues - want).max() <= 1e-8 * want[0]
    warnings = solve(db, within=0.9).info["warnings"]
    assert [text[:9] for text in warnings] == ["pairs = 6"] and not solve(db, within=0.9, ridge=0.1).info["warnings"]


def test_pairs_of_equal_vectors(db, rng):
    x = conditioned(rng, 200, 6, 10, mean=1000)
    fill(db, x)
    store(db, x, x)
    for options in ({}, {"ridge": 1}):
        with pytest.raises(sqlite3.OperationalError, match=r"pair_stats has no differences \(n = 200\), expected"):
            solve(db, within=0.5, **options)


@pytest.mark.parametrize("scale", [1e-12, 1e10])
def test_scale(db, rng, scale):
    """Vectors in other units: the same ratios, and a kernel in the other units."""
    x = conditioned(rng, 200, 6, 10)
    a, b = pairs_of(rng, x, 60)
    fill(db, x)
    store(db, a, b)
    plain = solve(db, within=0.5, ridge=0.1)
    fill(db, x * numpy.float32(scale))
    store(db, a * numpy.float32(scale), b * numpy.float32(scale))
    scaled = solve(db, within=0.5, ridge=0.1)
    assert numpy.abs(scaled.eigenvalues - plain.eigenvalues).max() <= 1e-6 * plain.eigenvalues[0]
    assert numpy.abs(scaled.kernel * scale - plain.kernel).max() <= 1e-5 * numpy.abs(plain.kernel).max()


def test_share_of_variance_and_normalize(db, rng):
    """k as a share counts the values: the fewest components that hold it."""
    x = conditioned(rng, 300, 12, 40)
    fill(db, x)
    store(db, *pairs_of(rng, x, 100))
    whole = solve(db, within=0.5).eigenvalues
    held = numpy.cumsum(whole) / whole.sum()
    got = solve(db, 0.8, within=0.5, normalize=True)
    assert got.info["k"] == int((held < 0.8).sum()) + 1
    assert got.info["explained"] == pytest.approx(held[got.info["k"] - 1], abs=1e-12)
    assert got.info["condition"] == pytest.approx(whole[0] / whole[got.info["k"] - 1], rel=1e-9)
    assert got.info["normalize"] and {round(float(numpy.linalg.norm(y)), 6) for y in got.apply()} == {1.0}


def components(pairs):
    """For each pair the least row that it hangs together with."""
    root = {}

    def find(i):
        while root.setdefault(i, i) != i:
            i = root[i]
        return i

    for a, b in pairs:
        low, high = sorted((find(a), find(b)))
        root[high] = low
    return numpy.array([find(a) for a, _ in pairs])


@pytest.mark.parametrize("name", ["sts_w2v300_stsb", "sts_use512_stsb"])
def test_real_pairs(db, data_set, name):
    """Fitted on the top quarter of the pairs whose component is even, judged on the others: as numpy has it."""
    data = data_set(name)
    fill(db, data.x)
    rows = [(int(a), int(b)) for a, b, _ in data.pairs]
    gold = numpy.array([float(g) for _, _, g in data.pairs])
    fitted = components(rows) // 2 % 2 == 0
    top = fitted & (gold >= numpy.quantile(gold[fitted], 0.75))
    first, second = (data.x[[pair[i] for pair in rows]].astype("f8") for i in (0, 1))
    store(db, first[top], second[top])
    model = solve(db, within=0.5, ridge=0.3)
    kernel, _ = kernel_of(*matrices(data.x, first[top], second[top], 0.5, 0.3), "ratio")
    mean = data.x.astype("f8").mean(axis=0)
    y, z = (first - mean) @ kernel, (second - mean) @ kernel
    want = (y * z).sum(axis=1) / numpy.sqrt((y**2).sum(axis=1) * (z**2).sum(axis=1))
    db.execute("CREATE TABLE judged(a BLOB, b BLOB, gold REAL)")
    db.executemany("INSERT INTO judged VALUES (?, ?, ?)", ((vec(a), vec(b), float(g)) for a, b, g in zip(
        first[~fitted], second[~fitted], gold[~fitted])))  # fmt: skip
    got = db.execute("SELECT cosine_sim(whiten_apply(?1, a), whiten_apply(?1, b)) FROM judged", (model.blob,)).fetchall()
    assert numpy.abs(numpy.array(got)[:, 0] - want[~fitted]).max() <= 1e-5
