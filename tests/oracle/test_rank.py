"""The rank, and what is done with directions of little variance: rows whose rank is known by construction, in both
precisions; columns of unequal scale, against a Jacobi method in numpy that keeps the digits of small eigenvalues;
and what whiten_info warns of, against what rows that were not fitted really do."""

import json

import numpy
import pytest
from conftest import SEED, fill, one, unvec
from reference import EPS32, conditioned, fit_sql, gaussian, moments, options

SINGLE = '{"precision": "single"}'


def cov_of(model):
    return numpy.atleast_2d(numpy.cov(numpy.array(model.apply()).T))


def off(model):
    """How far the whitened rows are from unit covariance."""
    cov = cov_of(model)
    return numpy.abs(cov - numpy.eye(len(cov))).max()


def correlations(x):
    """Eigenvalues of the correlation matrix of the columns that vary, float64, and what rounding may make in them."""
    _, mean, cov = moments(x)
    variance = numpy.diag(cov)
    square = variance + mean**2
    alive = variance > 4 * EPS32**2 * square
    sd = numpy.sqrt(variance[alive])
    noise = 1e-10 + EPS32**2 * (square[alive] / variance[alive]).max()
    return numpy.linalg.eigvalsh(cov[numpy.ix_(alive, alive)] / numpy.outer(sd, sd)), noise


# ---- rows of a known rank


def whole_numbers(rng, n, rank, d):
    return rng.integers(-9, 10, (n, rank)) @ rng.integers(-3, 4, (rank, d))


def low(rng, n, rank, d, mean=0):
    return rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + mean


SHAPES = [
    (1000, 64, 32), (200, 256, 40), (5000, 30, 7), (600, 100, 1), (60, 512, 10), (520, 48, 24), (100, 100, 50), (40, 3, 2),
]  # fmt: skip
LOW_RANK = {
    "whole": whole_numbers,
    "real": low,
    "far away": lambda rng, n, rank, d: low(rng, n, rank, d, 1000),
    "a cone": lambda rng, n, rank, d: low(rng, n, rank, d) + 30,
    "sparse": lambda rng, n, rank, d: (rng.random((n, rank)) < 0.02) @ rng.integers(-3, 4, (rank, d)),
    "two values": lambda rng, n, rank, d: (rng.random((n, rank)) < 0.5) @ rng.integers(-3, 4, (rank, d)) * 0.125,
    "repeated": lambda rng, n, rank, d: numpy.repeat(whole_numbers(rng, n // 20, rank, d), 20, axis=0),
    "heavy tails": lambda rng, n, rank, d: rng.standard_t(2, (n, rank)) @ rng.standard_normal((rank, d)),
}


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", LOW_RANK)
def test_no_dimension_is_invented(db, kind, shape, precision):
    """single said 48 for 32 (1000 x 64), 152 for 40 (200 x 256), and covariances were off by 1."""
    n, d, rank = shape
    rng = numpy.random.default_rng([SEED, n, d, sum(kind.encode())])
    x = LOW_RANK[kind](rng, n, rank, d).astype("f4")
    values, noise = correlations(x)
    expected = int((values > noise).sum())
    assert 0 < expected <= rank
    fill(db, x)
    model = fit_sql(db, None, json.dumps({"precision": precision}))
    if precision == "double":
        assert model.info["rank"] == expected
    else:
        assert model.info["rank"] <= expected
        # what counts has more variance than the bound, so most of its digits are right
        assert expected - model.info["rank"] <= ((values > noise) & (values < 3e-4)).sum()
    assert off(model) < (0.1 if precision == "single" else 1e-4)


@pytest.mark.parametrize("n, d", [(300, 4), (1000, 10), (3000, 40)])
def test_one_hot_rows_in_single_precision(db, rng, n, d):
    """They sum to 1, so the rank is one less, exactly, and every value of a column repeats."""
    fill(db, numpy.eye(d)[rng.integers(0, d, n)] * numpy.float32(0.1))
    assert fit_sql(db, None, SINGLE).info["rank"] == d - 1


@pytest.mark.parametrize("d", [3, 20, 100])
def test_rows_that_repeat_in_single_precision(db, rng, d):
    """Half of the rows are one vector, half its negative: rounding errors of one sign, the worst case."""
    sign = numpy.repeat([1.0, -1.0], 256)
    fill(db, sign[:, None] * rng.uniform(1, 2, d).astype("f4"))
    assert fit_sql(db, None, SINGLE).info["rank"] == 1


@pytest.mark.parametrize("n, d", [(2000, 16), (600, 64), (5000, 128)])
def test_a_small_direction_is_kept_in_single_precision(db, rng, n, d):
    """One direction with 3e-5 of the variance, well above what the sums are off by: it is not lost, whatever d."""
    q, _ = numpy.linalg.qr(rng.standard_normal((d, d)))
    spread = numpy.ones(d)
    spread[-1] = numpy.sqrt(3e-5)
    x = (rng.standard_normal((n, d)) * spread @ q.T).astype("f4")
    fill(db, x)
    model = fit_sql(db, None, SINGLE)
    assert model.info["rank"] == d
    assert off(model) < 0.02


def test_message_names_the_precision(db, rng):
    fill(db, low(rng, 500, 5, 12))
    with pytest.raises(Exception, match="expected at most 5: precision single cannot tell more .* precision double"):
        fit_sql(db, 6, SINGLE)


# ---- columns of unequal scale


def jacobi(matrix):
    """Eigenvalues, largest first, and eigenvectors of a positive definite matrix, each eigenvalue to relative accuracy
    (two-sided Jacobi with a stop relative to the diagonal: Demmel & Veselic 1992, algorithm 3.1)."""
    a, d = matrix.copy(), len(matrix)
    v = numpy.eye(d)
    for _ in range(60):
        largest = 0.0
        for p in range(d - 1):
            for q in range(p + 1, d):
                size = abs(a[p, q]) / numpy.sqrt(a[p, p] * a[q, q])
                largest = max(largest, size)
                if size < 1e-16:
                    continue
                theta = (a[q, q] - a[p, p]) / (2 * a[p, q])
                t = 1 / (abs(theta) + numpy.hypot(1, theta)) * (1 if theta >= 0 else -1)
                c = 1 / numpy.hypot(1, t)
                turn = numpy.array([[c, t * c], [-t * c, c]])
                a[:, [p, q]] = a[:, [p, q]] @ turn
                a[[p, q]] = turn.T @ a[[p, q]]
                v[:, [p, q]] = v[:, [p, q]] @ turn
        if largest < 1e-15:
            break
    order = numpy.argsort(-numpy.diag(a))
    return numpy.diag(a)[order], v[:, order]


def unequal(rng, n, spread, rank=None):
    """Correlated columns of the standard deviations `spread`."""
    d = len(spread)
    mix = numpy.eye(d) + 0.3 * rng.standard_normal((d, d))
    if rank is not None:
        mix = rng.standard_normal((rank, d))
    x = rng.standard_normal((n, len(mix))) @ mix
    return (x / x.std(axis=0) * spread).astype("f4")


SPREADS = {
    "1e6 and 0.05": [1e6, 0.05],
    "0.05 and 1e6": [0.05, 1e6],
    "1 to 1e-9": 10.0 ** -numpy.arange(10),
    "1e-9 to 1": 10.0 ** numpy.arange(-9, 1),
    "mixed": 10.0 ** numpy.array([3, -7, 9, 0, -2, 5, -9, 8, 1, -4, -5, 7]),
    "two sizes": numpy.repeat([1e8, 1e-3], 6),
}


@pytest.mark.parametrize("spread", SPREADS)
def test_columns_of_unequal_scale(db, rng, spread):
    """Every eigenvalue to 1e-9, however small; the whitened rows have unit covariance, by every method."""
    spread = numpy.array(SPREADS[spread])
    x = unequal(rng, 400, spread)
    fill(db, x)
    values, vectors = jacobi(moments(x)[2])
    model = fit_sql(db)
    assert model.info["rank"] == len(spread)
    assert numpy.abs(model.eigenvalues / values - 1).max() < 1e-9
    kernel = vectors * numpy.where(vectors[numpy.abs(vectors).argmax(axis=0), range(len(values))] < 0, -1, 1)
    kernel = kernel / numpy.sqrt(values)
    # in units of the columns: what a row's element times its kernel element comes to
    assert numpy.abs((model.kernel - kernel) * spread[:, None]).max() < 1e-5
    for method in ["pca", "zca", "pca-cor", "zca-cor", "cholesky"]:
        assert off(fit_sql(db, None, options(method))) < 1e-4, method
    single = fit_sql(db, None, SINGLE)
    assert single.info["rank"] == len(spread)
    assert off(single) < 1e-2


@pytest.mark.parametrize("n, rank", [(400, 4), (400, 9), (6, None), (11, None)])
def test_unequal_scale_and_too_few_directions(db, rng, n, rank):
    spread = 10.0 ** rng.permutation(numpy.linspace(-6, 6, 12))
    x = unequal(rng, n, spread, rank)
    fill(db, x)
    for method in ["pca", "zca", "pca-cor"]:
        model = fit_sql(db, None, options(method))
        assert model.info["rank"] == (rank or n - 1), method
        assert model.info["k"] == (rank or n - 1)
    model = fit_sql(db)
    assert off(model) < 1e-4
    assert (model.eigenvalues[model.info["rank"] :] <= 1e-13 * model.eigenvalues[0]).all()
    with pytest.raises(Exception, match=f"expected at most {model.info['rank']}"):
        fit_sql(db, model.info["rank"] + 1)


def test_a_ridge_on_columns_of_unequal_scale(db, rng):
    """Components beyond the rank are there with a ridge, and the kernel is orthogonal all the same."""
    spread = 10.0 ** numpy.linspace(5, -5, 10)
    fill(db, unequal(rng, 300, spread, 6))
    model = fit_sql(db, None, options(ridge=1e-3))
    assert (model.info["rank"], model.info["k"]) == (6, 10)
    k = model.kernel.astype("f8")
    unit = k / numpy.linalg.norm(k, axis=0)
    assert numpy.abs(unit.T @ unit - numpy.eye(10)).max() < 1e-6


@pytest.mark.parametrize("method", ["pca", "pca-cor"])
def test_units_do_not_change_the_rank(db, rng, method):
    """Columns times powers of two, which float32 and float64 take without rounding: the same rank."""
    for n, rank, d in [(200, 5, 9), (8, 9, 9), (100, 9, 9), (300, 1, 6)]:
        x = low(rng, n, rank, d, 10).astype("f4")
        fill(db, x)
        fill(db, x * 2.0 ** rng.integers(-30, 31, d), "u")
        a, b = fit_sql(db, None, options(method)), fit_sql(db, None, options(method), "u")
        assert a.info["rank"] == b.info["rank"] == min(rank, n - 1)


def test_rounding_of_a_large_column_is_no_variance(db, rng):
    """A copy of a column of 1e6, rounded: what is left has more variance than the small columns have, and is none.
    Eigenvectors of the covariance cannot keep the two apart, those of the correlation can."""
    x = rng.standard_normal((300, 6)) * [1, 1, 1e-3, 1e-3, 1e-3, 1e-3]
    x[:, 0] += 1e6
    x[:, 1] = x[:, 0] / 3
    fill(db, x)
    model = fit_sql(db)
    assert model.info["rank"] == 1
    assert off(model) < 1e-4
    with pytest.raises(Exception, match="expected at most 1: .* or method pca-cor"):
        fit_sql(db, 2)
    model = fit_sql(db, None, options("pca-cor"))
    assert model.info["rank"] == 5
    assert off(model) < 1e-3


def test_what_float64_cannot_tell(db, rng):
    """Whole numbers of rank 3, exact; but nobody can tell from float64 sums that there is not more."""
    fill(db, rng.integers(-3, 4, (400, 3)) @ rng.integers(-3, 4, (3, 300)))
    message = "expected at most 3: float64 cannot tell more directions of the rows .n = 400. from rounding; use a"
    for method in ["pca", "pca-cor"]:
        with pytest.raises(Exception, match=message):
            fit_sql(db, 4, options(method))
    with pytest.raises(Exception, match="rank 3, expected rank 300 or a ridge: float64 cannot tell"):
        fit_sql(db, None, options("cholesky"))


def test_the_way_out_of_many_columns_of_unequal_scale(db, rng):
    """In so many dimensions no second solver is tried; the message names the method that needs none."""
    x = gaussian(rng, 30, 1600)
    x[:, :20] *= 1e10
    fill(db, x)
    with pytest.raises(Exception, match="float64 cannot tell more .*; use a smaller k or a ridge, or method pca-cor"):
        fit_sql(db, 29)
    assert fit_sql(db, 29, options("pca-cor")).info["rank"] == 29


# ---- warnings


def test_warning_of_components_beyond_the_rank(db, rng):
    """200 rows, 256 dimensions, a ridge of 1e-9: held-out rows have a variance of 1e9, and nobody said so."""
    fill(db, gaussian(rng, 200, 256))
    fill(db, gaussian(rng, 200, 256), "u")
    model = fit_sql(db, None, options(ridge=1e-9))
    few, beyond = model.info["warnings"]
    held_out = numpy.array(model.apply("u"))[:, 199:].var()
    assert held_out > 1e8
    said = float(few.split(" some ")[1].split(" times")[0])
    assert held_out / 3 < said < held_out * 3
    assert few.startswith("n = 200 is below 10 d = 2560, and the ridge is small")
    assert beyond.startswith("k = 256 goes beyond the rank, 199: in the last 57 components")
    assert len(fit_sql(db, 199, options(ridge=1e-9)).info["warnings"]) == 1
    (beyond,) = fit_sql(db, None, options(ridge=1)).info["warnings"]
    assert beyond.startswith("k = 256 goes")
    assert fit_sql(db, 150, options(ridge=1)).info["warnings"] == []
    removed = fit_sql(db, 100, options(ridge=1, remove=150)).info["warnings"]
    assert removed[-1].startswith("k = 100 goes beyond the rank, 199: in the last 51 components")


SPECTRA = {
    "flat": lambda d: numpy.ones(d),
    "1 / j": lambda d: 1 / numpy.arange(1, d + 1),
    "1 / j^2": lambda d: 1 / numpy.arange(1, d + 1) ** 2,
}


@pytest.mark.parametrize("n, d", [(30, 20), (100, 64), (64, 100), (300, 64), (40, 200)])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_warning_of_a_small_ridge(db, rng, spectrum, n, d):
    """It comes where rows that were not fitted vary much more than the model expects, and not where they do not."""
    spread = numpy.sqrt(SPECTRA[spectrum](d))
    fill(db, gaussian(rng, n, d) * spread)
    fill(db, gaussian(rng, 2000, d) * spread, "u")
    seen = set()
    for ridge in [1e-9, 1e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, "oas"]:
        model = fit_sql(db, None, options(ridge=ridge))
        y = numpy.array(model.apply("u"))
        warned = any("the ridge is small" in text for text in model.info["warnings"])
        tail = (y[:, -max(3, d // 20) :] ** 2).mean()
        if tail > 2 * 2.14:
            assert warned, (ridge, tail)
        if (y**2).mean(axis=0).max() < 2.14 / 2:
            assert not warned, ridge
        seen.add(warned)
    assert seen == {True, False}


def test_no_ridge_is_too_small_to_warn(db, rng):
    """However small, a ridge does not silence what no ridge says; ten rows a dimension do."""
    fill(db, gaussian(rng, 99, 10))
    for ridge in [0, 1e-300, 1e-12, 1e-6]:
        assert len(fit_sql(db, None, options(ridge=ridge)).info["warnings"]) == 1
    assert fit_sql(db, None, options(ridge=0.3)).info["warnings"] == []
    assert fit_sql(db, None, options(ridge=1e-9, power=0)).info["warnings"] == []
    fill(db, gaussian(rng, 100, 10))
    assert fit_sql(db, None, options(ridge=1e-9)).info["warnings"] == []


# ---- one share


def test_explained_is_the_share_that_k_asks_for(db, rng):
    fill(db, conditioned(rng, 400, 20, 1e4))
    for remove in [0, 1, 5, 15]:
        for share in [0.3, 0.5, 0.9, 0.99]:
            model = fit_sql(db, share, options(remove=remove))
            values, k = model.eigenvalues[remove:], model.info["k"]
            assert model.info["explained"] == pytest.approx(values[:k].sum() / values.sum(), rel=1e-12)
            assert model.info["explained"] >= share > (values[: k - 1].sum() / values.sum())


def test_small_numbers_are_small_variance(db):
    """Rank 1, and a column that does not vary but by what rounding did to a constant sum."""
    x = numpy.stack([numpy.arange(50.0), numpy.full(50, 0.1)], axis=1)
    fill(db, x)
    assert fit_sql(db).info["rank"] == 1
    assert unvec(one(db, "SELECT whiten_kernel(whiten_fit(v)) FROM t"))[1] == 0
