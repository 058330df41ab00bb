"""The sides of case_index that are SQLite: searches through a prepared statement, each query timed by itself; the first
query of a process; builds and inserts.

`space` names the database that has the true answers (index_data.py). Where a statement has {n}, that is the number of
candidates that a peer re-scores: the smallest of a ladder whose recall reaches the target, or the largest.
"""

import ctypes
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys

import client
from index_data import QUERIES, Truth
from sides import clock, connect, explain

LADDER = (10, 20, 40, 80, 160, 320, 640, 1280)
TUNING = 50  # queries


def readings(times, **more):
    return {"seconds": statistics.median(times), "p95": statistics.quantiles(times, n=20)[-1], **more}


def _python(database, extension, setup):
    connection = sqlite3.connect(database, isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(str(client.extension(extension)))
    for sql in setup:
        connection.execute(sql).fetchall()
    return connection


def tuned(search, truth, k, target, ladder, count=TUNING):
    """The first number of the ladder that reaches the target, or the last: search(n, i) gives the ids for query i."""
    for n in ladder:
        found = [truth.recall(i, search(n, i), k) for i in range(count)]
        if sum(found) / len(found) >= target:
            break
    return n


def in_child(work):
    """What work() gives, in a process of its own: nothing of it stays in this one's memory."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = {"result": work()}
        except Exception as error:
            answer = {"error": str(error)}
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as text:
        answer = json.loads(text.read())
    os.waitpid(pid, 0)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]


def _judge(database, sql, values, truth, form):
    """The mean recall of the queries, and n."""
    python = _python(database, form["extension"], form["setup"])

    def ids(n, i):
        return [row[0] for row in python.execute(sql.format(n=n), values[i])]

    n, count = 0, min(TUNING, len(values))
    if "{n}" in sql:
        n = tuned(ids, truth, form["k"], form["target"], LADDER, count)
    found = [truth.recall(i, ids(n, i), form["k"]) for i in range(len(values))]
    return sum(found) / len(found), n


def searches(database, sql, space, **more):
    """The statement for each of `count` queries: median and 95th percentile of their seconds, recall at k."""
    form = {"queries": space, "bind": "SELECT v FROM q ORDER BY id", "count": QUERIES, "share": 1, "k": 10}
    form |= {"extension": "whiten", "setup": (), "target": 0.99, **more}
    client.extension(form["extension"])
    source = sqlite3.connect(form["queries"])
    values = source.execute(form["bind"]).fetchall()[: form["count"]]
    source.close()
    truth = Truth(space, form["share"])
    try:
        recall, n = in_child(lambda: _judge(database, sql, values, truth, form))
        connection = client.Connection(database, [form["extension"]], form["setup"])
        statement = connection.prepare(sql.format(n=n), values[0])
    except RuntimeError as error:
        explain(error)

    def measure():
        times = []
        for value in values:
            connection.bind(statement, value)
            times.append(connection.run(statement)[0])
        return readings(times, recall=recall, n=n)

    return measure


def first(database, sql, space, setup=()):
    """The first query of a process that was started for it: from the statement's text to its last row."""
    values = sqlite3.connect(space).execute("SELECT v FROM q ORDER BY id").fetchall()

    def measure():
        values.append(values.pop(0))
        asked = {"database": str(database), "sql": sql, "setup": list(setup), "value": bytes(values[0][0]).hex()}
        command = [sys.executable, "-c", "import index_sides; index_sides.first_alone()"]
        done = subprocess.run(command, input=json.dumps(asked), stdout=subprocess.PIPE, text=True, check=True,
                              cwd=pathlib.Path(__file__).parent)
        return float(done.stdout)

    return measure


def first_alone():
    """What `first` starts: no page of it is shared with another process, whose writing would take a copy each."""
    asked = json.load(sys.stdin)
    connection = client.Connection(asked["database"], ["whiten"], asked["setup"])
    start = clock()
    connection.run(connection.prepare(asked["sql"], (bytes.fromhex(asked["value"]),)))
    print(clock() - start)


def _copy(database, name):
    """A connection to a copy that has no index."""
    path = client.BUILD / f"out_{name}.db"
    shutil.copyfile(database, path)
    connection = connect(path)
    connection.execute("PRAGMA synchronous = OFF")
    sql = "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE % USING whiten_index%'"
    for (table,) in connection.execute(sql).fetchall():
        connection.execute(f"DROP TABLE {table}")
    return connection


def _create(connection, model):
    try:
        connection.execute(f"CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, model = '{model}')")
    except sqlite3.OperationalError as error:
        explain(error)


def index(database, model):
    """Makes the index of a set anew, by the build under test; its name."""
    connection = connect(database)
    name = f"s_{model}"
    connection.execute(f"DROP TABLE IF EXISTS {name}")
    try:
        connection.execute(
            f"CREATE VIRTUAL TABLE {name} USING whiten_index(content = t, column = v, model = '{model}')"
        )
    except sqlite3.OperationalError as error:
        explain(error)
    connection.close()
    return name


def build(database, model, name):
    """CREATE VIRTUAL TABLE with a model given: seconds, rows a second, bytes a row in the file."""
    connection = _copy(database, name)
    ((rows,),) = connection.execute("SELECT count(*) FROM t")
    pages = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1 AND name IN ({})"

    def measure():
        connection.execute("DROP TABLE IF EXISTS s")
        start = clock()
        _create(connection, model)
        seconds = clock() - start
        ((codes,),) = connection.execute(pages.format("'s_dir', 's_signs', 's_rest'"))
        return {"seconds": seconds, "rate": rows / seconds, "bytes": codes / rows}

    return measure


def inserts(database, model, name, count=1000):
    """Single inserts in one transaction, with an index on the table or, where model is None, without."""
    connection = _copy(database, name)
    if model:
        _create(connection, model)
    values = connection.execute("SELECT v FROM q").fetchall()
    values = (values * (count // len(values) + 1))[:count]
    ((last,),) = connection.execute("SELECT max(id) FROM t")

    def measure():
        start = clock()
        connection.execute("BEGIN")
        for value in values:
            connection.execute("INSERT INTO t(v) VALUES (?)", value)
        connection.execute("COMMIT")
        seconds = clock() - start
        connection.execute("DELETE FROM t WHERE id > ?", (last,))
        return {"seconds": seconds / count}

    return measure


def joins(name, k=10):
    """A set's queries through its index: together; and one after the other, in the same order."""
    return {
        "together": f"SELECT query_rowid, rowid, similarity FROM whiten_index_join('{name}', 'q', 'v', {k})",
        "each": f"SELECT q.id, s.rowid, s.similarity FROM q CROSS JOIN {name} AS s ON s.query = q.v AND s.k = {k}",
    }


def joined(database, sql):
    """All of the statement's rows: seconds for each of the set's queries."""
    source = sqlite3.connect(database)
    ((queries,),) = source.execute("SELECT count(*) FROM q")
    source.close()
    try:
        connection = client.Connection(database, ["whiten"])
        statement = connection.prepare(sql)
    except RuntimeError as error:
        explain(error)
    return lambda: {"seconds": connection.run(statement)[0] / queries}


def codes(rows, k, count=50, factor=2.25):
    """Queries of codes in memory (codes.c): median and 95th percentile, candidates, the nearest among them, bytes."""
    library = client.codes()
    made = library.codes_bench_make(rows, k, count)
    if not made:
        raise MemoryError("codes")

    def measure():
        times, candidates, found = [], [], 0
        for i in range(count):
            result = (ctypes.c_double * 4)()
            if library.codes_bench_ask(made, i, factor, result):
                raise MemoryError("codes")
            times.append(result[0])
            candidates.append(result[2])
            found += result[3]
        more = {"n": statistics.median(candidates), "bytes": library.codes_bench_bytes(made)}
        return readings(times, recall=found / (10 * count), **more)

    return measure
