"""whiten_fit, whiten_apply, whiten_inverse, whiten_spectrum, whiten_info against numpy: every method, every
option."""

import ctypes
import ctypes.util
import itertools
import json

import arithmetic
import numpy
import pytest
from conftest import SEED, connect, fill, one, unvec, vec
from reference import conditioned, fit, fit_sql, gaussian, options

D = 20


def make(kind):
    rng = numpy.random.default_rng([SEED, sum(kind.encode())])
    if kind == "random":
        return gaussian(rng, 300, D)
    if kind == "anisotropic":
        return conditioned(rng, 400, D, 100, mean=10)
    if kind == "ill-conditioned":
        return conditioned(rng, 400, D, 1e8)
    if kind == "rank-deficient":
        return (rng.standard_normal((300, 9)) @ rng.standard_normal((9, D)) + 1).astype("f4")
    if kind == "rank-deficient, far away":
        # what rounding to float32 adds is far above what the solver leaves: it is not variance
        return (rng.standard_normal((300, 9)) @ rng.standard_normal((9, D)) + 1000).astype("f4")
    if kind == "n < d":
        return gaussian(rng, 12, D) + 3
    if kind == "constant column":
        x = gaussian(rng, 300, D)
        x[:, 4] = 0.1  # no exact mean
        return x
    if kind == "equal eigenvalues":
        # the cross-polytope, two sizes: 10 eigenvalues of one value, 10 of another
        half = numpy.repeat([3.0, 1.0], D // 2)
        return numpy.concatenate([numpy.diag(half), -numpy.diag(half)]).astype("f4") + 1
    if kind == "two rows":
        return gaussian(rng, 2, D)
    if kind == "d = 1":
        return gaussian(rng, 50, 1) + 5
    raise ValueError(kind)


KINDS = [
    "random", "anisotropic", "ill-conditioned", "rank-deficient", "rank-deficient, far away", "n < d",
    "constant column", "equal eigenvalues", "two rows", "d = 1",
]  # fmt: skip
METHODS = ["pca", "zca", "pca-cor", "zca-cor", "cholesky"]
RIDGES = [0.0, 0.3, "oas"]


def groups(values):
    """Ranges of eigenvalues that are as good as equal: only the space they span is determined."""
    start = 0
    for i in range(1, len(values) + 1):
        if i == len(values) or values[i - 1] - values[i] > 1e-9 * values[0]:
            yield start, i
            start = i


def relative(got, want):
    return numpy.linalg.norm(got - want) / numpy.linalg.norm(want)


def same_kernel(model, want, method):
    """Columns within 1e-5 of the reference, relative; of equal eigenvalues the subspace, K K', instead."""
    if not method.startswith("pca"):
        assert relative(model.kernel, want.kernel) < 1e-5
        return
    values = want.eigenvalues
    for start, end in groups(values):
        start, end = max(start, want.first) - want.first, min(end, want.last) - want.first
        if end <= start:
            continue
        got, expected = model.kernel[:, start:end].astype("f8"), want.kernel[:, start:end]
        if end - start == 1:
            largest = numpy.sort(numpy.abs(want.vectors[:, want.first + start]))
            if len(largest) > 1 and largest[-1] - largest[-2] < 1e-6 and got[:, 0] @ expected[:, 0] < 0:
                got = -got
            assert relative(got, expected) < 1e-5, f"column {start}"
        elif whole(values, want, start, end):
            assert relative(got @ got.T, expected @ expected.T) < 1e-5, f"columns {start} to {end}"


def whole(values, want, start, end):
    """Whether columns start..end are all of their group: a part of one spans an arbitrary space."""
    first, last = start + want.first, end + want.first
    return any((first, last) == group for group in groups(values))


def cut(values, first, last):
    """Whether the components first..last split a group of equal eigenvalues."""
    return any(start < edge < end for start, end in groups(values) for edge in (first, last))


def combinations(method, x):
    """(k, power, remove, normalize) that make sense for a method on these rows."""
    if method == "cholesky":
        return [(None, 1.0, 0, False), (None, 1.0, 0, True)]
    ks = [None, 1, 5, 0.6, 0.999]
    return list(itertools.product(ks, [1.0, 0.5, 0.0], [0, 2], [False, True]))


@pytest.mark.parametrize("ridge", RIDGES, ids=lambda r: f"ridge-{r}")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_fit(db, kind, method, ridge):
    x = make(kind)
    n, d = x.shape
    fill(db, x)
    tried = 0
    for k, power, remove, normalize in combinations(method, x):
        base = fit(x, None, method if method != "cholesky" else "pca", ridge, 1.0, remove)
        usable = base.last - base.first
        if usable < 1 or (isinstance(k, int) and k > usable):
            continue
        if method == "cholesky" and ridge == 0 and base.rank < d:
            continue
        if base.eigenvalues[remove:].sum() == 0:
            continue
        want = fit(x, k, method, ridge, power, remove)
        model = fit_sql(db, k, options(method, ridge, power, remove, normalize))
        tried += 1
        info = model.info
        assert (info["method"], info["n"], info["d"], info["k"]) == (method, n, d, want.k)
        assert info["rank"] == want.rank
        assert (info["power"], info["remove"], bool(info["normalize"])) == (power, remove, normalize)
        assert info["ridge"] == ridge
        assert "oas" != ridge or info["rho"] == pytest.approx(want.rho, rel=1e-9)
        kept = want.ridged[want.first : want.last]
        assert info["condition"] == pytest.approx(kept[0] / kept[-1], rel=1e-6)
        share = want.eigenvalues[want.first : want.last].sum() / want.eigenvalues[want.first :].sum()
        assert info["explained"] == pytest.approx(share, rel=1e-9)
        assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
        assert numpy.abs(model.bias + want.mean).max() <= 1e-7 * numpy.abs(want.mean).max()
        if method == "cholesky" or not cut(want.eigenvalues, want.first, want.last):
            same_kernel(model, want, method)
        same_rows(model, x, normalize)
    assert tried or ridge == 0 or kind == "d = 1"


def same_rows(model, x, normalize):
    """whiten_apply gives (x + bias) @ kernel of the model's own arrays, each product rounded in a float32
    chain."""
    centred = x[:20].astype("f8") + model.bias
    want = centred @ model.kernel.astype("f8")
    # mean rounded to float32 for the bias, the difference to float32, then d fused multiply-adds
    error = (
        (numpy.abs(centred) + 2 * numpy.abs(x[:20])) @ numpy.abs(model.kernel) * 2.0**-24 * (model.d + 4)
    )
    got = model.db.execute(
        "SELECT whiten_apply(?, v) FROM t WHERE id <= 20 ORDER BY id", (model.blob,)
    ).fetchall()
    for (y,), row, bound in zip(got, want, error):
        norm = numpy.linalg.norm(row)
        if not normalize:
            assert (numpy.abs(unvec(y) - row) <= bound + 1e-30).all()
        elif y is None:
            assert norm <= numpy.linalg.norm(bound)
        elif norm > 1000 * numpy.linalg.norm(bound):
            slack = 2 * numpy.linalg.norm(bound) / norm + 1e-6
            assert numpy.abs(unvec(y) - row / norm).max() <= slack


@pytest.mark.parametrize(
    "d, k", [(1, 1), (3, 2), (16, 16), (33, 17), (48, 48), (49, 47), (97, 50), (300, 64)]
)
@pytest.mark.parametrize("method", ["pca", "zca"])
def test_apply_to_the_bit(db, rng, method, d, k):
    """One chain of fused multiply-adds per component, over the input elements, in order; the mean taken off
    in float64 (it stands in the BLOB behind 128 bytes, see ext/core/model.h) and rounded once."""
    x = conditioned(rng, 4 * d + 3, d, 100, mean=3)
    fill(db, x)
    model = fit_sql(db, k, options(method))
    mean = numpy.frombuffer(model.blob, "<f8", d, 128)
    want = arithmetic.transform(x[:50], mean, model.kernel)
    got = db.execute("SELECT whiten_apply(?, v) FROM t WHERE id <= 50 ORDER BY id", (model.blob,)).fetchall()
    assert [y for (y,) in got] == [vec(row) for row in want]


def test_normalized_to_the_bit(db, rng):
    """normalize divides by the norm of the result, as embedding_normalize does."""
    fill(db, conditioned(rng, 100, 40, 100, mean=3))
    plain, unit = fit_sql(db, 10), fit_sql(db, 10, options(normalize=True))
    sql = "SELECT embedding_normalize(whiten_apply(?, v)) = whiten_apply(?, v) FROM t"
    assert set(db.execute(sql, (plain.blob, unit.blob))) == {(1,)}


@pytest.mark.parametrize("mean", [0, 10])
@pytest.mark.parametrize("condition", [1, 1e2, 1e4, 1e6])
@pytest.mark.parametrize("method", METHODS)
def test_whitened_rows_have_unit_covariance(db, rng, method, condition, mean):
    x = conditioned(rng, 1500, 32, condition, mean)
    fill(db, x)
    y = numpy.array(fit_sql(db, None, options(method)).apply())
    assert numpy.abs(numpy.cov(y.T) - numpy.eye(32)).max() < 1e-4
    assert numpy.abs(y.mean(axis=0)).max() < 1e-4


@pytest.mark.parametrize("method", METHODS)
def test_whitened_rows_of_full_size(db, rng, method):
    x = conditioned(rng, 2000, 256, 1e6, mean=10)
    fill(db, x)
    y = numpy.array(fit_sql(db, None, options(method)).apply())
    assert numpy.abs(numpy.cov(y.T) - numpy.eye(256)).max() < 1e-4


def test_few_components_of_many_dimensions(db, rng):
    """From 1536 dimensions on another solver may find the first few components."""
    x = conditioned(rng, 500, 1536, 1e4, mean=3)
    fill(db, x)
    model, want = fit_sql(db, 12, options()), fit(x, 12)
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    assert model.info["rank"] == want.rank == 499
    same_kernel(model, want, "pca")


def test_oas_covariance(db, rng):
    """The kernel with oas whitens (1 - rho) S + rho tr(S)/d I."""
    x = conditioned(rng, 60, 30, 50)
    fill(db, x)
    model = fit_sql(db, None, options(ridge="oas"))
    want = fit(x, ridge="oas")
    shrunk = (1 - want.rho) * numpy.cov(x.astype("f8").T) + want.rho * want.eigenvalues.mean() * numpy.eye(30)
    assert 0.05 < want.rho < 0.9
    assert numpy.abs(model.kernel.T @ shrunk @ model.kernel - numpy.eye(30)).max() < 1e-5


@pytest.mark.parametrize("n", [30, 1000])
def test_oas_of_many_rows(db, rng, n):
    """rho goes to 0 as n grows, and is 1 at most."""
    x = conditioned(rng, n, 10, 20)
    fill(db, x)
    assert fit_sql(db, None, options(ridge="oas")).info["rho"] == pytest.approx(
        fit(x, ridge="oas").rho, rel=1e-10
    )


def test_rows_with_a_huge_mean(db, rng):
    """A mean 1000 times the spread: float32 moments would give NaN."""
    x = conditioned(rng, 800, 16, 100, mean=1000)
    fill(db, x)
    model, want = fit_sql(db), fit(x)
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    same_kernel(model, want, "pca")


def test_rank_of_exact_rows_with_one_large_direction(db, rng):
    """Whole numbers of rank 3, one direction 1e6 times the others: what the solver leaves is not variance
    either."""
    factors = rng.integers(-3, 4, (400, 3)) * [1000, 1, 1]
    fill(db, factors @ rng.integers(-3, 4, (3, 300)))
    assert fit_sql(db).info["rank"] == 3


def test_order_of_rows_does_not_matter(db, rng):
    x = conditioned(rng, 1000, 12, 1e4, mean=10)
    fill(db, x)
    fill(db, x[rng.permutation(len(x))], "u")
    a, b = fit_sql(db).eigenvalues, fit_sql(db, table="u").eigenvalues
    assert numpy.abs(a - b).max() <= 1e-12 * a[0]


def test_first_rows_unlike_the_rest(db, rng):
    """The shift comes from the first rows: it may be far off."""
    x = numpy.concatenate([conditioned(rng, 300, 10, 10, mean=100), conditioned(rng, 700, 10, 10)])
    fill(db, x)
    model, want = fit_sql(db), fit(x)
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]


@pytest.mark.parametrize("n", [2, 3, 255, 256, 257, 511, 512, 513, 1025])
def test_edges_of_blocks(db, rng, n):
    x = conditioned(rng, n, 6, 10, mean=3)
    fill(db, x)
    model, want = fit_sql(db), fit(x)
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    assert model.info["rank"] == min(6, n - 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("opts", [{}, {"ridge": 0.5}, {"ridge": "oas", "power": 0.5}], ids=str)
def test_inverse(db, rng, method, opts):
    """With k = d the way back is exact up to rounding."""
    if method == "cholesky":
        opts = {key: value for key, value in opts.items() if key != "power"}
    x = conditioned(rng, 200, 16, 100, mean=2)
    fill(db, x)
    model = fit_sql(db, None, options(method, **opts)).blob
    rows = db.execute(
        "SELECT whiten_inverse(?1, whiten_apply(?1, v)) FROM t ORDER BY id", (model,)
    ).fetchall()
    back = numpy.array([unvec(row[0]) for row in rows])
    assert numpy.abs(back - x).max() < 1e-4


@pytest.mark.parametrize("method", ["pca", "zca", "pca-cor", "zca-cor"])
@pytest.mark.parametrize("opts", [{}, {"ridge": 0.5}, {"remove": 2}, {"power": 0.5}, {"power": 0.0}], ids=str)
def test_inverse_of_fewer_components(db, rng, method, opts):
    """The least-squares way back: mean + y @ pinv(kernel), in the metric the method whitens (columns scaled
    for -cor)."""
    x = conditioned(rng, 200, 16, 100, mean=2)
    fill(db, x)
    model = fit_sql(db, 5, options(method, **opts))
    want = fit(x, 5, method, **opts)
    scale = numpy.sqrt(numpy.diag(numpy.cov(x.astype("f8").T))) if method.endswith("cor") else numpy.ones(16)
    u = want.vectors[:, want.first : want.last]
    centred = (x[:30].astype("f8") - want.mean) / scale
    expected = want.mean + centred @ u @ u.T * scale
    rows = db.execute(
        "SELECT whiten_inverse(?1, whiten_apply(?1, v)) FROM t WHERE id <= 30 ORDER BY id", (model.blob,)
    )
    back = numpy.array([unvec(row[0]) for row in rows])
    assert numpy.abs(back - expected).max() < 1e-4


def test_inverse_of_normalized_keeps_the_direction(db, rng):
    x = conditioned(rng, 200, 8, 10, mean=2)
    fill(db, x)
    model = fit_sql(db, None, options(normalize=True))
    row = one(db, "SELECT whiten_inverse(?1, whiten_apply(?1, v)) FROM t LIMIT 1", model.blob)
    centred, back = x[0] + model.bias, unvec(row) + model.bias
    assert back @ centred / numpy.linalg.norm(back) / numpy.linalg.norm(centred) > 0.99999


def test_import(db, rng):
    """A kernel and a bias from numpy, as in the reference recipe, give numpy's rows."""
    x = conditioned(rng, 300, 12, 100, mean=4)
    fill(db, x)
    mean = x.astype("f8").mean(axis=0)
    u, s, _ = numpy.linalg.svd(numpy.cov(x.astype("f8").T))
    kernel = (u @ numpy.diag(s**-0.5))[:, :7].astype("f4")
    bias = (-mean).astype("f4")
    blob = one(db, "SELECT whiten_import(?, ?)", vec(kernel), vec(bias))
    assert one(db, "SELECT whiten_kernel(?)", blob) == vec(kernel)
    assert one(db, "SELECT whiten_bias(?)", blob) == vec(bias)
    want = (x.astype("f8") + bias) @ kernel.astype("f8")
    got = numpy.array(
        [unvec(y) for (y,) in db.execute("SELECT whiten_apply(?, v) FROM t ORDER BY id", (blob,))]
    )
    assert numpy.abs(got - want).max() < 1e-5 * numpy.abs(want).max()


def test_export_and_import_give_the_same_rows(db, rng):
    """The exported arrays are all of the model but the mean's last digits: same rows up to one rounding of
    the mean."""
    x = gaussian(rng, 100, 9)
    fill(db, x)
    fitted = fit_sql(db)
    blob = one(db, "SELECT whiten_import(whiten_kernel(?1), whiten_bias(?1))", fitted.blob)
    sql = "SELECT whiten_apply(?, v) FROM t ORDER BY id"
    a = numpy.array([unvec(y) for (y,) in db.execute(sql, (fitted.blob,))])
    b = numpy.array([unvec(y) for (y,) in db.execute(sql, (blob,))])
    assert numpy.abs(a - b).max() < 1e-5


def test_fit_of_json_and_blobs_is_the_same(db, rng):
    x = gaussian(rng, 40, 5)
    fill(db, x)
    a = one(db, "SELECT whiten_fit(v) FROM t")
    assert a == one(db, "SELECT whiten_fit(embedding_as(v, 'json')) FROM t")


def test_fit_twice_gives_the_same_bits(db, rng):
    """On one machine: the BLOB carries no time and no address."""
    fill(db, gaussian(rng, 700, 40))
    first = one(db, "SELECT whiten_fit(v) FROM t")
    other = connect()
    rows = db.execute("SELECT v FROM t ORDER BY id").fetchall()
    fill(other, [unvec(v) for (v,) in rows])
    assert first == one(other, "SELECT whiten_fit(v) FROM t")
    other.close()


def test_warning_below_ten_rows_per_dimension(db, rng):
    fill(db, gaussian(rng, 99, 10))
    assert len(fit_sql(db).info["warnings"]) == 1
    assert fit_sql(db, None, options(ridge=0.1)).info["warnings"] == []
    fill(db, gaussian(rng, 100, 10))
    assert fit_sql(db).info["warnings"] == []


def test_memory_does_not_grow_with_rows(db, rng):
    """20 times the rows, the same memory: moments stream."""
    library = ctypes.CDLL(ctypes.util.find_library("sqlite3"))
    library.sqlite3_memory_highwater.restype = ctypes.c_int64
    fill(db, gaussian(rng, 1000, 64))
    peaks = []
    for times in (1, 20):
        library.sqlite3_memory_highwater(1)
        copies = json.dumps([0] * times)
        assert one(db, "SELECT length(whiten_fit(v)) > 0 FROM t, json_each(?)", copies) == 1
        peaks.append(library.sqlite3_memory_highwater(0))
    if peaks[0] < 64 * 64 * 8:
        pytest.skip("the sqlite3 module does not use the SQLite library of the system")
    assert peaks[1] < peaks[0] + 100_000
