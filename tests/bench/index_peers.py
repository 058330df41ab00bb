"""The peers of case_index. Each searches the vectors that whiten_index finds by itself: whitened, normalised, in a
table of their own (or in memory). Where a peer compares rounded vectors, its best are compared again by their true
ones, so that its recall can be that of ours."""

import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

import client
from data import numpy_module
from index_data import QUERIES, Truth
from index_sides import readings, searches, tuned
from peers import _import, matrix
from sides import clock

SPREAD = 4  # standard deviations of an element that 8 bits span
NEIGHBOURS, CONSTRUCTION = 32, 128
EFFORTS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024)
RESCORED = "SELECT c.rowid FROM ({}) AS c JOIN t ON t.id = c.rowid ORDER BY vec_distance_cosine(t.v, ?1) LIMIT 10"
VEC_FORMS = {
    "float": ("v float[{k}] distance_metric=cosine", "?", "SELECT rowid FROM vec_float WHERE v MATCH ?1 AND k = 10"),
    "int8": (
        "v int8[{k}] distance_metric=cosine",
        "vec_int8(?)",
        RESCORED.format("SELECT rowid FROM vec_int8 WHERE v MATCH vec_int8(?2) AND k = {n}"),
    ),
    "bit": (
        "v bit[{bits}]",
        "vec_bit(?)",
        RESCORED.format("SELECT rowid FROM vec_bit WHERE v MATCH vec_bit(?2) AND k = {n}"),
    ),
}


def _rounded(np, y, form):
    """Rows as the form takes them: BLOBs."""
    if form == "int8":
        scaled = np.round(y * (np.sqrt(y.shape[1]) * 127 / SPREAD))
        return [row.tobytes() for row in np.clip(scaled, -127, 127).astype(np.int8)]
    if form == "bit":
        return [row.tobytes() for row in np.packbits(y > 0, axis=1, bitorder="little")]
    return [row.tobytes() for row in y]


def vec(white, space, form, **more):
    """sqlite-vec: vec0 of float, of int8 or of bits, the latter two re-scored. The table is made the first time."""
    np = numpy_module()
    connection = sqlite3.connect(white, isolation_level=None)
    connection.enable_load_extension(True)
    connection.load_extension(str(client.extension("sqlite-vec")))
    dim = len(connection.execute("SELECT v FROM t LIMIT 1").fetchone()[0]) // 4
    column, value, sql = VEC_FORMS[form]
    name = f"vec_{form}"
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (f"q_{form}",)).fetchall():
        q = matrix(white, dim, "SELECT v FROM q ORDER BY id")
        connection.execute("BEGIN")
        connection.execute(f"CREATE VIRTUAL TABLE {name} USING vec0({column.format(k=dim, bits=(dim + 7) // 8 * 8)})")
        cursor = connection.execute("SELECT id, v FROM t ORDER BY id")
        while rows := cursor.fetchmany(10_000):
            y = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(-1, dim)
            values = ((row[0], blob) for row, blob in zip(rows, _rounded(np, y, form)))
            connection.executemany(f"INSERT INTO {name}(rowid, v) VALUES (?, {value})", values)
        connection.execute(f"CREATE TABLE q_{form}(id INTEGER PRIMARY KEY, v BLOB)")
        connection.executemany(f"INSERT INTO q_{form}(v) VALUES (?)", ((b,) for b in _rounded(np, q, form)))
        connection.execute("COMMIT")
    connection.close()
    bind = "SELECT q.v FROM q ORDER BY id"
    if form != "float":
        bind = f"SELECT q.v, r.v FROM q JOIN q_{form} AS r USING (id) ORDER BY id"
    return searches(white, sql, space, queries=white, bind=bind, extension="sqlite-vec", **more)


def vector(white, space, form, **more):
    """sqlite-vector: quantised (UINT8, 1BIT, TURBO4), preloaded, re-scored by cosine_sim's peer in SQL."""
    connection = sqlite3.connect(white)
    dim = len(connection.execute("SELECT v FROM t LIMIT 1").fetchone()[0]) // 4
    connection.close()
    client.extension("sqlite-vec")  # whose vec_distance_cosine re-scores
    setup = [
        f"SELECT load_extension('{client.extension('sqlite-vec')}')",
        f"SELECT vector_init('t', 'v', 'type=FLOAT32,dimension={dim},distance=COSINE')",
        f"SELECT vector_quantize('t', 'v', 'qtype={form}')",
        "SELECT vector_quantize_preload('t', 'v')",
    ]
    sql = RESCORED.format("SELECT rowid FROM vector_quantize_scan('t', 'v', ?1, {n})")
    return searches(white, sql, space, queries=white, extension="sqlite-vector", setup=setup, **more)


def _searcher(search, truth, k, count, **more):
    """Each query by search(i), which gives ids, timed by itself."""
    found = [truth.recall(i, search(i), k) for i in range(count)]
    recall = sum(found) / count

    def measure():
        times = []
        for i in range(count):
            start = clock()
            search(i)
            times.append(clock() - start)
        return readings(times, recall=recall, **more)

    return measure


def _graph(faiss, white, x):
    """faiss's graph of the rows, made the first time: that and the seconds it took."""
    path = client.BUILD / f"hnsw_{pathlib.Path(white).stem}.faiss"
    noted = path.with_suffix(".json")
    if not noted.exists():
        index = faiss.IndexHNSWFlat(x.shape[1], NEIGHBOURS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = CONSTRUCTION
        faiss.omp_set_num_threads(os.cpu_count())
        start = clock()
        index.add(x)
        seconds = clock() - start
        faiss.write_index(index, str(path))
        noted.write_text(json.dumps(seconds), encoding="ascii")
    return faiss.read_index(str(path)), json.loads(noted.read_text(encoding="ascii"))


def hnsw(white, space, dim, target=0.99):
    """faiss's HNSW in memory, built on all cores, searched on one, with the least effort that reaches the target."""
    faiss = _import("faiss")
    x, q = matrix(white, dim, "SELECT v FROM t ORDER BY id"), matrix(white, dim, "SELECT v FROM q ORDER BY id")
    index, seconds = _graph(faiss, white, x)
    faiss.omp_set_num_threads(1)
    truth = Truth(space)

    def search(effort, i):
        index.hnsw.efSearch = effort
        return (1 + index.search(q[i : i + 1], 10)[1][0]).tolist()  # ids count from 1

    effort = tuned(search, truth, 10, target, EFFORTS)
    return _searcher(lambda i: search(effort, i), truth, 10, len(q), n=effort, build=seconds)


def brute(white, space, dim, count=QUERIES):
    """numpy: the matrix in memory, normalised before."""
    np = numpy_module()
    x, q = matrix(white, dim, "SELECT v FROM t ORDER BY id"), matrix(white, dim, "SELECT v FROM q ORDER BY id")

    def search(i):
        scores = x @ q[i]
        best = np.argpartition(scores, len(x) - 10)[-10:]
        return (1 + best[np.argsort(-scores[best])]).tolist()

    return _searcher(search, Truth(space), 10, count)


def _files(white, dim):
    """The rows and the queries of a set as files of float32."""
    for table in ("t", "q"):
        path = client.BUILD / f"{pathlib.Path(white).stem}_{table}.f32"
        if not path.exists():
            matrix(white, dim, f"SELECT v FROM {table} ORDER BY id").tofile(path.with_suffix(".partial"))
            path.with_suffix(".partial").rename(path)
        yield str(path)


def node(white, space, dim, kind, count=QUERIES, target=0.99):
    """A library that npm has, in a process of node's (peer.mjs), whose own clock times each search: usearch's HNSW in
    memory, libSQL's DiskANN. With the least effort that reaches the target."""
    if shutil.which("node") is None or not (client.PEERS / "node_modules" / kind).exists():
        raise client.Missing(f"{kind} is not installed")
    rows, queries = _files(white, dim)
    spec = {"kind": kind, "rows": rows, "queries": queries, "dim": dim, "peers": str(client.PEERS.resolve())}
    spec["index"] = str(client.BUILD / f"{kind}_{pathlib.Path(white).stem}")
    script = str(pathlib.Path(__file__).with_name("peer.mjs"))
    process = subprocess.Popen(
        ["node", script, json.dumps(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    seconds = json.loads(process.stdout.readline())["build"]
    truth = Truth(space)

    def ask(effort, i):
        process.stdin.write(json.dumps({"n": effort, "i": i}) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    effort = tuned(lambda n, i: ask(n, i)["ids"], truth, 10, target, EFFORTS, count)
    found = [truth.recall(i, ask(effort, i)["ids"], 10) for i in range(count)]
    recall = sum(found) / count

    def measure():
        return readings([ask(effort, i)["seconds"] for i in range(count)], recall=recall, n=effort, build=seconds)

    return measure
