"""The sides that are not a peer of their own kind: a statement through C or through Python, and the machine's
limits.

Each function sets up and returns what is to be measured; `database` is a path, `bind` lists statements whose
single value is bound (evaluated by Python with the extension loaded, so a fitted model or a JSON text can be
one).
"""

import os
import sqlite3
import time

import client

clock = time.process_time if os.environ.get("BENCH_CPU") else time.perf_counter


def connect(database):
    """A connection of Python with the extension."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(str(client.WHITEN_SO))
    return connection


def value(database, sql):
    connection = connect(database)
    ((result,),) = connection.execute(sql).fetchall()
    connection.close()
    return result


def explain(error):
    """Raises the error again; what a build without a function or an option says, as what is missing."""
    missing = ("no such function", "no such table", "no such module", "options has the key")
    if any(text in str(error) for text in missing):
        raise client.Missing(str(error)) from None
    raise error


def query(database, sql, bind=(), extensions=("whiten",), setup=(), rows=None):
    """A statement through the C client. `rows` = how many it must return."""
    connection = client.Connection(database, extensions, setup)
    try:
        statement = connection.prepare(sql, [value(database, one) for one in bind])
    except RuntimeError as error:
        explain(error)

    def measure():
        try:
            seconds, found = connection.run(statement)
        except RuntimeError as error:
            explain(error)
        if rows is not None and found != rows:
            raise RuntimeError(f"{found} rows, expected {rows}: {sql}")
        return seconds

    return measure


def queries(database, sql, bind, extensions, count):
    """The statement once for each of the first `count` vectors of table q: seconds for all of them."""
    connection = client.Connection(database, extensions)
    source = sqlite3.connect(database)
    blobs = [blob for (blob,) in source.execute(bind, (count,))]
    statements = [connection.prepare(sql, [blob]) for blob in blobs]
    return lambda: sum(connection.run(statement)[0] for statement in statements)


class Output:
    """A database of its own for what a side writes, empty before each run. Nothing waits for the disk."""

    def __init__(self, connection, name):
        self.connection, self.path = connection, client.BUILD / f"{name}.db"

    def clear(self):
        if any(row[1] == "out" for row in self.connection.execute("PRAGMA database_list")):
            self.connection.execute("DETACH out")
        self.path.unlink(missing_ok=True)
        self.connection.execute("ATTACH ? AS out", (str(self.path),))
        self.connection.execute("PRAGMA out.synchronous = OFF")
        self.connection.execute("CREATE TABLE out.w(id INTEGER PRIMARY KEY, v BLOB)")

    def remove(self):
        self.path.unlink(missing_ok=True)


def python_query(database, sql, bind=(), output=None):
    """A statement through Python's sqlite3, in one transaction; `output` names the database that it writes,
    as out."""
    values = [value(database, one) for one in bind]
    connection = connect(database)
    target = Output(connection, output) if output else None

    def measure():
        if target:
            target.clear()
        start = clock()
        try:
            connection.execute("BEGIN")
            connection.execute(sql, values).fetchall()
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            explain(error)
        seconds = clock() - start
        if target:
            target.remove()
        return seconds

    return measure


def read_loop(database, sql="SELECT v FROM t", setup=()):
    """Every byte of the rows through sqlite3_column_blob, in C."""
    return query(database, sql, extensions=(), setup=setup)


def fit_parts(database, rows, dim, threads):
    """What a fit consists of: reading, widening to float64, dsyrk, dsyevd; each alone."""
    read, limits = read_loop(database), client.limits()
    block = 256 if threads == 1 else 1024

    def measure():
        parts = {
            "read": read(),
            "convert": limits.limit_convert(rows, dim, 256),
            "syrk": limits.limit_syrk_f64(rows, dim, block),
            "eigen": limits.limit_eigen(dim),
        }
        parts["syrk_f32"] = limits.limit_syrk_f32(rows, dim, block)
        parts["seconds"] = parts["read"] + parts["convert"] + parts["syrk"] + parts["eigen"]
        return parts

    return measure


def read_and_gemm(database, model, dim, k):
    """whiten_apply without the extension: each row read, then sgemm with one row."""
    limits = client.limits()
    connection = client.Connection(database)
    statement = connection.prepare("SELECT v FROM t")
    kernel = value(database, f"SELECT whiten_kernel(({model}))")

    def measure():
        seconds = limits.limit_apply(statement, dim, k, kernel)
        if seconds < 0:
            raise RuntimeError("limit_apply failed")
        return seconds

    return measure


def transform(rows, dim, k, block):
    """The blocked kernel and sgemm on the same shape, in one process."""
    import ctypes

    limits = client.limits()
    times = (ctypes.c_double * 3)()

    def measure():
        if limits.limit_transform(rows, dim, k, block, times):
            raise RuntimeError("the blocked kernel and sgemm differ")
        return {"seconds": times[1], "gemm": times[0], "shift": times[2]}

    return measure


def gemm(rows, dim, k, block):
    """sgemm alone."""
    limits = client.limits()
    return lambda: limits.limit_gemm(rows, dim, k, block)


def machine():
    """Memory in GB/s, dsyrk and sgemm in GFLOP/s."""
    limits = client.limits()
    size, dim = 1 << 29, 768

    def measure():
        return {
            "memory": 1e-9 * size / limits.limit_memory(size),
            "dsyrk": 1e-9 * 8192 * dim * dim / limits.limit_syrk_f64(8192, dim, 1024),
            "sgemm": 2e-9 * 8192 * dim * dim / limits.limit_gemm(8192, dim, dim, 8192),
        }

    return measure


def config():
    """What whiten_config() says."""
    import json

    return lambda: json.loads(value(":memory:", "SELECT whiten_config()"))
