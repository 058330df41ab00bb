"""The peers that are Python: numpy's recipe, scikit-learn, faiss; and how far a whitening is from what it
claims."""

import sqlite3

import client
from sides import Output, clock, explain, value

COMPONENTS = 256
MODEL = f"SELECT whiten_fit(v, {COMPONENTS}) FROM (SELECT v FROM t LIMIT 20000)"


def _import(name):
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise client.Missing(f"{name} is not installed") from None


def _fetch(np, connection, dim, sql="SELECT v FROM t"):
    rows = connection.execute(sql).fetchall()
    return np.frombuffer(b"".join(row[0] for row in rows), dtype=np.float32).reshape(-1, dim)


def matrix(database, dim, sql="SELECT v FROM t"):
    connection = sqlite3.connect(database)
    x = _fetch(_import("numpy"), connection, dim, sql)
    connection.close()
    return x


def numpy_fit(database, dim, k):
    """The recipe of BERT-whitening (Su et al. 2021) from the table."""
    np = _import("numpy")
    connection = sqlite3.connect(database)

    def measure():
        start = clock()
        x = _fetch(np, connection, dim)
        mu = x.mean(axis=0, keepdims=True)
        u, s, _ = np.linalg.svd(np.cov(x.T))
        kernel, bias = (u @ np.diag(1 / np.sqrt(s)))[:, :k], -mu
        assert kernel.shape == (dim, k) and bias.shape == (1, dim)
        return clock() - start

    return measure


def sklearn_fit(database, dim, k):
    """scikit-learn's PCA on a matrix in memory, with the solver that it takes by itself."""
    decomposition = _import("sklearn.decomposition")
    x = matrix(database, dim)

    def measure():
        start = clock()
        decomposition.PCA(n_components=k, whiten=True, random_state=0).fit(x)
        return clock() - start

    return measure


def _faiss_pca(faiss, x, dim, k):
    pca = faiss.PCAMatrix(dim, k, -0.5, False)
    pca.train(x)
    return pca


def faiss_fit(database, dim, k, threads):
    """faiss's PCAMatrix on a matrix in memory."""
    faiss = _import("faiss")
    faiss.omp_set_num_threads(threads)
    x = matrix(database, dim)

    def measure():
        start = clock()
        _faiss_pca(faiss, x, dim, k)
        return clock() - start

    return measure


def _distance(np, kernel, cov):
    """The covariance of the whitened rows, made to be 1 on average: how far it is from the identity."""
    white = kernel.T.astype(np.float64) @ cov @ kernel.astype(np.float64)
    white /= np.trace(white) / len(white)
    return float(np.abs(white - np.eye(len(white))).max())


def fit_errors(database, dim, k, options):
    """How far from whitened the rows are, by the float64 covariance of numpy, after a fit with these options
    (by name), and after faiss's."""
    np, faiss = _import("numpy"), _import("faiss")

    def measure():
        x = matrix(database, dim)
        cov = np.cov(x.T)
        errors = {}
        for name, text in options.items():
            try:
                blob = value(database, f"SELECT whiten_kernel(whiten_fit(v, {k}, '{text}')) FROM t")
            except sqlite3.OperationalError as error:
                explain(error)
            errors[name] = _distance(np, np.frombuffer(blob, dtype=np.float32).reshape(dim, k), cov)
        pca = _faiss_pca(faiss, x, dim, k)
        errors["faiss"] = _distance(np, faiss.vector_to_array(pca.A).reshape(k, dim).T, cov)
        return errors

    return measure


def numpy_rows(database, dim, model, output):
    """A table through a whitening: fetched, multiplied, written back."""
    np = _import("numpy")
    kernel, bias = (
        np.frombuffer(value(database, f"SELECT {what}(({model}))"), dtype=np.float32)
        for what in ("whiten_kernel", "whiten_bias")
    )
    kernel = kernel.reshape(dim, -1)
    connection = sqlite3.connect(database, isolation_level=None)
    target = Output(connection, output)

    def measure():
        target.clear()
        start = clock()
        connection.execute("BEGIN")
        rows = connection.execute("SELECT id, v FROM t").fetchall()
        x = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float32).reshape(-1, dim)
        y = (x + bias) @ kernel
        connection.executemany(
            "INSERT INTO out.w VALUES (?, ?)", ((row[0], z.tobytes()) for row, z in zip(rows, y))
        )
        connection.execute("COMMIT")
        seconds = clock() - start
        target.remove()
        return seconds

    return measure


def numpy_join(database, dim, k):
    """The k most similar rows for every query, with everything in memory and normalized beforehand."""
    np = _import("numpy")

    def normalized(sql):
        x = matrix(database, dim, sql)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    q, m = normalized("SELECT v FROM q"), normalized("SELECT v FROM t")

    def measure():
        start = clock()
        scores = q @ m.T
        best = np.argpartition(scores, len(m) - k, axis=1)[:, -k:]
        assert best.shape == (len(q), k)
        return clock() - start

    return measure
