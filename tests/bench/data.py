"""The data of the benchmarks: made once, the same on every machine but for the last bits, kept under
build/bench.

Rows are what sentence embeddings look like to whitening: float32, normal, of standard deviations (i + 1)^-0.7
along hidden axes (so the eigenvalues of the covariance span four decades at d = 768), around a mean 1.2 times
as long as the root mean square distance from it.
"""

import json
import sqlite3

from client import BUILD

CHUNK = 12_500
QUERIES = 1_000
TOKENS_PER_TEXT = 20


def numpy_module():
    try:
        import numpy
    except ImportError:
        raise SystemExit("bench: numpy is needed to make the data (Debian: python3-numpy)") from None
    return numpy


class Source:
    """Chunks of rows of one distribution, in sequence."""

    def __init__(self, dim):
        np = self.np = numpy_module()
        self.rng = np.random.default_rng([20210329, dim])
        sd = np.arange(1, dim + 1) ** -0.7
        axes = np.linalg.qr(self.rng.standard_normal((dim, dim)))[0]
        direction = self.rng.standard_normal(dim)
        self.mix = (sd[:, None] * axes.T).astype(np.float32)
        self.mean = (1.2 * np.sqrt((sd**2).sum()) * direction / np.linalg.norm(direction)).astype(
            np.float32
        )

    def draw(self, rows):
        """Independent elements of variance 1."""
        return self.rng.standard_normal((rows, len(self.mean)), dtype=self.np.float32)

    def take(self, rows):
        return self.draw(rows) @ self.mix + self.mean

    def chunks(self, rows):
        for first in range(0, rows, CHUNK):
            yield first, self.take(min(CHUNK, rows - first))


def database(name, fill, page_size=4096):
    """The path of a database, which fill(connection) makes if it is not there."""
    path = BUILD / f"{name}.db"
    if path.exists():
        return str(path)
    BUILD.mkdir(parents=True, exist_ok=True)
    print(f"making {path.name} ...", flush=True)
    temporary = path.with_suffix(".partial")
    temporary.unlink(missing_ok=True)
    connection = sqlite3.connect(temporary, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("BEGIN")
    fill(connection)
    connection.execute("COMMIT")
    connection.execute("ANALYZE")
    connection.close()
    temporary.rename(path)
    return str(path)


def vectors(rows, dim):
    """t(id, v) of `rows` rows and q(id, v) of 1,000 more of the same distribution."""

    def fill(connection):
        source = Source(dim)
        queries = source.take(QUERIES)
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
        for first, x in source.chunks(rows):
            pairs = ((first + i + 1, row.tobytes()) for i, row in enumerate(x))
            connection.executemany("INSERT INTO t VALUES (?, ?)", pairs)
        connection.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, v BLOB)")
        connection.executemany("INSERT INTO q(v) VALUES (?)", ((row.tobytes(),) for row in queries))

    return database(f"vectors_{rows}x{dim}", fill)


def tokens(rows, dim):
    """tokens(text, position, v): `rows` rows, 20 to a text, as a script that embeds one text after the other
    leaves them."""

    def fill(connection):
        connection.execute(
            "CREATE TABLE tokens(text INTEGER, position INTEGER, v BLOB, PRIMARY KEY (text, position))"
        )
        for first, x in Source(dim).chunks(rows):
            numbered = ((divmod(first + i, TOKENS_PER_TEXT), row.tobytes()) for i, row in enumerate(x))
            values = ((text + 1, position + 1, blob) for (text, position), blob in numbered)
            connection.executemany("INSERT INTO tokens VALUES (?, ?, ?)", values)

    return database(f"tokens_{rows}x{dim}", fill)


def texts(rows, dim):
    """t(id, long, short): vectors as JSON, `long` with the 17 digits that json.dumps(x.tolist()) writes,
    `short` with the 9 that float32 needs."""

    def fill(connection):
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, long TEXT, short TEXT)")
        for _, x in Source(dim).chunks(rows):
            values = ((json.dumps(row), "[" + ",".join(f"{e:.9g}" for e in row) + "]") for row in x.tolist())
            connection.executemany("INSERT INTO t(long, short) VALUES (?, ?)", values)

    return database(f"texts_{rows}x{dim}", fill)
