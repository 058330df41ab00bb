"""What the functions should give, in numpy float64: written from the papers, sharing nothing with the
extension.

Su et al. 2021 (whitening of sentence embeddings), Kessy et al. 2018 (zca, pca-cor, zca-cor, cholesky), Chen
et al. 2010 (OAS, eq. 23), Rudman et al. 2022 (IsoScore, algorithm 1), Mu & Viswanath 2018 (removed
components).
"""

import dataclasses
import json
import sqlite3

import numpy

EPS32 = float(numpy.finfo(numpy.float32).eps)
EPS64 = float(numpy.finfo(numpy.float64).eps)


def moments(x, weights=None):
    """(sum of the weights, mean, covariance with divisor sum - 1): two passes, float64."""
    x = numpy.asarray(x, dtype=numpy.float64)
    w = numpy.ones(len(x)) if weights is None else numpy.asarray(weights, dtype=numpy.float64)
    n = w.sum()
    mean = w @ x / n
    centred = x - mean
    # a second pass takes away what the mean has lost to rounding
    mean = mean + w @ centred / n
    centred = x - mean
    return n, mean, (centred * w[:, None]).T @ centred / (n - 1)


def eigen(sym):
    """Eigenvalues, largest first, and eigenvectors as columns, the element of largest magnitude positive."""
    values, vectors = numpy.linalg.eigh(sym)
    values, vectors = values[::-1].copy(), vectors[:, ::-1].copy()
    largest = vectors[numpy.abs(vectors).argmax(axis=0), numpy.arange(len(values))]
    return values, vectors * numpy.where(largest < 0, -1.0, 1.0)


def rank_of(cov, squares, n):
    """Positive eigenvalues of the covariance less what rounding the elements to float32 makes of it, counted with the
    columns at unit variance; of what float64 cannot tell from 0, none."""
    variance = numpy.diag(cov)
    alive = variance > 4 * EPS32**2 * squares
    variance, squares = variance[alive], squares[alive]
    scaled = cov[numpy.ix_(alive, alive)] / numpy.sqrt(numpy.outer(variance, variance))
    noise = EPS32**2 * max(4, (1 + numpy.sqrt(len(cov) / n)) ** 2) * squares / variance
    values = numpy.linalg.eigvalsh(scaled - numpy.diag(noise))
    return int((values > len(cov) * EPS64 * values.max(initial=0)).sum())


@dataclasses.dataclass
class Fit:
    mean: numpy.ndarray
    eigenvalues: numpy.ndarray  # all d, before the ridge, what is below the threshold set to 0
    vectors: numpy.ndarray
    rank: int
    rho: float
    ridged: numpy.ndarray  # all d, after the ridge
    kernel: numpy.ndarray
    first: int  # the components used are first .. last - 1
    last: int

    @property
    def k(self):
        return self.last - self.first


def fit(x, k=None, method="pca", ridge=0.0, power=1.0, remove=0, weights=None):
    n, mean, cov = moments(x, weights)
    x = numpy.asarray(x, dtype=numpy.float64)
    d = x.shape[1]
    w = numpy.ones(len(x)) if weights is None else numpy.asarray(weights, dtype=numpy.float64)
    squares = w @ x**2 / n
    scale, alive = numpy.ones(d), numpy.ones(d, dtype=bool)
    if method.endswith("-cor"):
        # to the correlation: columns divided by their deviation, those without variance set to zero
        variance = numpy.diag(cov)
        alive = variance > 4 * EPS32**2 * squares
        scale = numpy.where(alive, 1 / numpy.sqrt(numpy.where(alive, variance, 1.0)), 0.0)
    values, vectors = eigen(cov * numpy.outer(scale, scale))
    rows = int((w > 0).sum())
    rank = min(rank_of(cov, squares, rows), max(rows - 1, 0))
    values[rank:] = 0.0

    rho = 0.0
    if ridge == "oas":
        rho = oas(values, n)
        ridged = (1 - rho) * values + rho * values.mean()
    else:
        ridged = values + ridge * values.mean()

    usable = int(alive.sum()) if ridge == "oas" or ridge > 0 else rank
    first, last = remove, usable
    if isinstance(k, float):
        share = numpy.cumsum(values[first:]) / values[first:].sum()
        last = first + int(numpy.searchsorted(share, k * (1 - 1e-12))) + 1
    elif k is not None:
        last = first + k
    if method == "cholesky":
        # numpy.linalg.cholesky is lower triangular: L with L L' = inverse of the covariance
        shrunk = (1 - rho) * cov + rho * values.mean() * numpy.eye(d) if ridge == "oas" else cov
        shrunk = shrunk + (0 if ridge == "oas" else ridge) * values.mean() * numpy.eye(d)
        return Fit(
            mean, values, vectors, rank, rho, ridged, numpy.linalg.cholesky(numpy.linalg.inv(shrunk)), 0, d
        )
    u = vectors[:, first:last]
    kernel = u * ridged[first:last] ** (-power / 2)
    if method.startswith("zca"):
        kernel = kernel @ u.T
    return Fit(mean, values, vectors, rank, rho, ridged, scale[:, None] * kernel, first, last)


def oas(eigenvalues, n):
    """Chen et al. 2010, eq. (23)."""
    p = len(eigenvalues)
    square, trace = (eigenvalues**2).sum(), eigenvalues.sum()
    rest = square - trace**2 / p
    if rest <= 0:
        return 1.0
    return min(1.0, ((1 - 2 / p) * square + trace**2) / ((n + 1 - 2 / p) * rest))


def isoscore(x):
    """Rudman et al. 2022, algorithm 1, step by step."""
    x = numpy.asarray(x, dtype=numpy.float64)
    n = x.shape[1]
    # 2: reorient with PCA; 3: the diagonal of the covariance of the reoriented points
    _, vectors = numpy.linalg.eigh(numpy.cov(x.T))
    diagonal = numpy.diag(numpy.cov((x @ vectors).T))
    # 4: normalise to the length of the vector of ones; 5: the isotropy defect
    normalised = numpy.sqrt(n) * diagonal / numpy.linalg.norm(diagonal)
    defect = numpy.linalg.norm(normalised - 1) / numpy.sqrt(2 * (n - numpy.sqrt(n)))
    # 6: the share of dimensions used isotropically; 7: to [0, 1]
    phi = (n - defect**2 * (n - numpy.sqrt(n))) ** 2 / n**2
    return (n * phi - 1) / (n - 1)


def mean_cosine(x):
    """Brute force over the distinct pairs of rows that are not zero."""
    x = numpy.asarray(x, dtype=numpy.float64)
    norm = numpy.linalg.norm(x, axis=1)
    unit = x[norm > 0] / norm[norm > 0, None]
    cosine = unit @ unit.T
    return cosine[numpy.triu_indices(len(unit), 1)].mean()


# ---- the extension's answers, through SQL


def options(method="pca", ridge=0.0, power=1.0, remove=0, normalize=False):
    return json.dumps(
        {"method": method, "ridge": ridge, "power": power, "remove": remove, "normalize": normalize}
    )


class Model:
    """A model BLOB and what SQL says of it."""

    def __init__(self, db: sqlite3.Connection, blob):
        self.db, self.blob = db, blob
        self.info = json.loads(self._one("SELECT whiten_info(?)"))
        self.d = self.info["d"]
        self.bias = numpy.frombuffer(self._one("SELECT whiten_bias(?)"), dtype="<f4")
        self.kernel = numpy.frombuffer(self._one("SELECT whiten_kernel(?)"), dtype="<f4").reshape(self.d, -1)

    def _one(self, sql):
        return self.db.execute(sql, (self.blob,)).fetchone()[0]

    @property
    def eigenvalues(self):
        rows = self.db.execute(
            "SELECT component, eigenvalue FROM whiten_spectrum(?)", (self.blob,)
        ).fetchall()
        assert [row[0] for row in rows] == list(range(1, self.d + 1))
        return numpy.array([row[1] for row in rows])

    def apply(self, table="t"):
        """The whitened rows of a table; None for a NULL."""
        rows = self.db.execute(f"SELECT whiten_apply(?, v) FROM {table} ORDER BY id", (self.blob,))
        return [
            None if y is None else numpy.frombuffer(y, dtype="<f4").astype(numpy.float64) for (y,) in rows
        ]


def fit_sql(db, k=None, opts=None, table="t"):
    sql = f"SELECT whiten_fit(v, ?, ?) FROM (SELECT v FROM {table} ORDER BY id)"
    return Model(db, db.execute(sql, (k, opts or "{}")).fetchone()[0])


# ---- kinds of rows


def gaussian(rng, n, d):
    return rng.standard_normal((n, d)).astype("f4")


def conditioned(rng, n, d, condition, mean=0.0):
    """Rows whose covariance has eigenvalues of about 1 down to 1 / condition; mean in spreads."""
    q, _ = numpy.linalg.qr(rng.standard_normal((d, d)))
    spread = numpy.logspace(0, -0.5 * numpy.log10(condition), d)
    centre = mean * rng.choice([-1.0, 1.0], size=d)
    return ((rng.standard_normal((n, d)) * spread) @ q.T + centre).astype("f4")
