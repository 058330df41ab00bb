"""whiten_index under load: two processes with two connections each change one WAL database, its rows and its index, in
random order, and query it in whatever snapshot they have. Each answer against that snapshot's exhaustive one, which is
cosine_sim over whiten_apply with the index's model: the same similarities to the bit, as many rows as there are, sorted,
planted near-duplicates first; other rows may be missed, and are counted.

WHITEN_STEPS steps a process (400); WHITEN_SEED another order. This file is also what the processes run.
"""

import collections
import json
import os
import pathlib
import random
import sqlite3
import subprocess
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from conftest import PATIENCE, SEED, load_into, vec  # noqa: E402

STEPS = int(os.environ.get("WHITEN_STEPS") or 400)
DIM, K, ROWS, IDS = 24, 16, 1400, 2600
MODEL = "SELECT model FROM s_config WHERE id = (SELECT min(id) FROM s_config WHERE id > 0)"
CACHES = [0, 1, 3000, 30000, 1 << 20, 256 << 20]


def open_database(path):
    db = sqlite3.connect(path, isolation_level=None, timeout=600)
    load_into(db)
    db.execute("PRAGMA recursive_triggers = on")
    db.execute("PRAGMA synchronous = off")
    return db


def make(path, rng):
    db = open_database(path)
    db.execute("PRAGMA journal_mode = wal")
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, u UNIQUE, v BLOB)")
    db.execute("CREATE TABLE other(a)")
    db.executemany("INSERT INTO docs VALUES (?1, ?1, ?2)", ((i, vec(rng.normal(size=DIM))) for i in range(ROWS)))
    db.execute(f"CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = {K})")
    return db


class Connection:
    """One of a process: what it does next depends on the transaction that it is in."""

    def __init__(self, path, chance, rng, counts):
        self.db, self.chance, self.rng, self.counts = open_database(path), chance, rng, counts
        self.mode, self.savepoints = None, []
        self.do("INSERT INTO s(s, rank) VALUES ('recall', 'safe')")

    def do(self, sql, *values):
        self.counts[" ".join(sql.split()[:2])] += 1
        return self.db.execute(sql, values).fetchall()

    # ---- queries

    def query_vector(self):
        """Near a row that there is, mostly; which one, or None."""
        rows = self.do("SELECT id, v FROM docs WHERE id >= ? AND v IS NOT NULL LIMIT 1", self.chance.randrange(IDS))
        if not rows or self.chance.random() < 0.2:
            return self.rng.normal(size=DIM), None
        return numpy.frombuffer(rows[0][1], "<f4") + self.rng.normal(size=DIM) * 1e-4, rows[0][0]

    def query(self):
        """In one snapshot: the transaction's, or one that is opened for it."""
        if not self.db.in_transaction:
            self.do("BEGIN")
            self.compare()
            self.do("COMMIT")
        else:
            self.compare()

    def compare(self):
        v, planted = self.query_vector()
        query, k = vec(v), self.chance.choice([1, 3, 10, 10, 100, 5000])
        first, last = sorted(self.chance.choices(range(-1, IDS), k=2)) if self.chance.random() < 0.4 else (-1, IDS)
        exact = f"""WITH m AS MATERIALIZED ({MODEL}), q AS MATERIALIZED (SELECT whiten_apply((SELECT model FROM m), ?) AS v)
            SELECT d.id, cosine_sim(whiten_apply((SELECT model FROM m), d.v), (SELECT v FROM q)) AS c FROM docs AS d
            WHERE d.id BETWEEN ? AND ? AND c IS NOT NULL ORDER BY c DESC, d.id"""
        truth = self.do(exact, query, first, last)
        where = "WHERE rowid BETWEEN ? AND ?"
        if self.chance.random() < 0.5:
            found = self.do(f"SELECT rowid, similarity FROM s(?, ?) {where}", query, k, first, last)
        else:  # beyond a hundred rows, those that were missed come late
            found = self.do(f"SELECT rowid, similarity FROM s(?) {where} LIMIT ?", query, first, last, k)
            found = found if k <= 100 else sorted(found, key=lambda row: (-row[1], row[0]))
        similarity = dict(truth)
        wrong = [(i, c, similarity.get(i)) for i, c in found if c != similarity.get(i)]
        assert not wrong, f"other similarities: {wrong[:5]}"
        assert len(found) == min(k, len(truth)) == len(set(found)), f"{len(found)} rows, expected {min(k, len(truth))}"
        assert found == sorted(found, key=lambda row: (-row[1], row[0])), "not sorted"
        missed = {i for i, _ in truth[:k]} - {i for i, _ in found}
        # Of a crowd of rows that are alike no more than some hundreds are fetched.
        crowd = [i for i, c in truth if planted in similarity and c >= similarity[planted] - 1e-3]
        if planted in crowd[:1] and len(crowd) < 50:
            self.counts["planted"] += 1
            assert found[0][0] == planted, (
                f"row {planted} is not found by its own vector: {found[:3]} of {k}, expected {truth[:3]}"
            )
        self.counts["expected"] += min(k, len(truth))
        self.counts["missed"] += len(missed)

    # ---- changes

    def vector(self):
        kind = self.chance.random()
        if kind < 0.03:
            return None
        if kind < 0.1:
            return vec(numpy.ones(DIM))
        return vec(self.rng.normal(size=DIM) * (kind < 0.9 or 0.01))

    def change(self):
        try:
            self.change_some()
        except sqlite3.IntegrityError:  # u is another row's
            self.counts["failed"] += 1

    def change_some(self):
        i, j = self.chance.randrange(IDS), self.chance.randrange(IDS)
        many = i + self.chance.choice([0, 5, 60, 400])
        kind = self.chance.randrange(9)
        if kind == 0:
            self.do("INSERT OR IGNORE INTO docs VALUES (?1, ?1, ?2)", i, self.vector())
        elif kind == 1:
            self.do("INSERT INTO docs VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET v = ?3", i, i, self.vector())
        elif kind == 2:
            self.do("REPLACE INTO docs VALUES (?, ?, ?)", i, j, self.vector())
        elif kind == 3:
            self.do("DELETE FROM docs WHERE id BETWEEN ? AND ?", i, i + self.chance.choice([0, 5, 60]))
        elif kind == 4:
            self.do("UPDATE docs SET v = embedding_scale(v, ?) WHERE id BETWEEN ? AND ?", self.chance.choice([-1, 2]), i, many)
        elif kind == 5:
            self.do("UPDATE docs SET v = ?, u = -id WHERE id = ?", self.vector(), i)
        elif kind == 6:
            self.do("UPDATE OR IGNORE docs SET id = ? WHERE id = ?", i, j)
        elif kind == 7:
            ids = json.dumps([*range(i, min(many, IDS))])
            self.do("INSERT OR IGNORE INTO docs SELECT value, value, ? FROM json_each(?)", self.vector(), ids)
        else:
            values = [(n, n, self.vector()) for n in range(i, min(i + 40, IDS))]
            self.counts["many"] += 1
            self.db.executemany("INSERT OR IGNORE INTO docs VALUES (?, ?, ?)", values)

    def fail(self):
        """A statement that ends halfway: what it did is undone, or, with OR FAIL, stays."""
        conflict = self.chance.choice(["", "OR FAIL", "OR ABORT"])
        try:
            self.do(f"INSERT {conflict} INTO docs SELECT value, value, ? FROM json_each(?)", self.vector(),
                    json.dumps(self.chance.sample(range(IDS), 30)))  # fmt: skip
        except sqlite3.IntegrityError:
            self.counts["failed"] += 1

    def command(self):
        command, rank = self.chance.choice([("rebuild", None), ("rebuild", 300), ("rebuild", 700), ("build", 100),
                                            ("optimize", None), ("sync", None), ("integrity-check", None)])  # fmt: skip
        self.do("INSERT INTO s(s, rank) VALUES (?, ?)", command, rank)

    def cache(self):
        self.do("INSERT INTO s(s, rank) VALUES ('cache', ?)", self.chance.choice(CACHES))

    def schema(self):
        name = f"x{self.chance.randrange(3)}"
        self.do(f"CREATE TABLE IF NOT EXISTS {name}(a)" if self.chance.random() < 0.5 else f"DROP TABLE IF EXISTS {name}")

    # ---- transactions

    def savepoint(self):
        name = f"p{len(self.savepoints)}"
        self.savepoints.append(name)
        self.do(f"SAVEPOINT {name}")

    def end_savepoint(self):
        if not self.savepoints:
            return
        place = self.chance.randrange(len(self.savepoints))
        if self.chance.random() < 0.5:
            self.do(f"RELEASE {self.savepoints[place]}")
            del self.savepoints[place:]
        else:
            self.do(f"ROLLBACK TO {self.savepoints[place]}")
            del self.savepoints[place + 1 :]

    def begin(self, mode):
        self.do("BEGIN IMMEDIATE" if mode == "write" else "BEGIN")
        self.mode = mode
        if mode == "read":
            self.query()

    def end(self, commit):
        if commit and self.mode == "write" and self.chance.random() < 0.3:
            self.do("INSERT INTO s(s) VALUES ('integrity-check')")
        self.do("COMMIT" if commit else "ROLLBACK")
        self.mode, self.savepoints = None, []

    def upgrade(self):
        """A snapshot that is no longer the last one cannot be written to; one that is becomes a transaction that writes."""
        self.db.execute("PRAGMA busy_timeout = 0")
        try:
            self.change()
            self.mode = "write"
        except sqlite3.OperationalError as error:
            assert "locked" in str(error), error
            self.counts["locked"] += 1
        self.db.execute("PRAGMA busy_timeout = 600000")

    def step(self, may_write):
        if self.mode == "write":
            steps = {self.change: 40, self.query: 25, self.savepoint: 7, self.end_savepoint: 8, self.command: 4, self.fail: 4,
                     self.schema: 1, self.cache: 2, lambda: self.end(True): 8, lambda: self.end(False): 3}  # fmt: skip
        elif self.mode == "read":
            steps = {self.query: 80, lambda: self.end(True): 17, self.upgrade: 3 * may_write}
        else:
            steps = {self.query: 40, lambda: self.begin("read"): 15}
            if may_write:
                steps |= {lambda: self.begin("write"): 30, self.change: 12, self.fail: 2, self.command: 2, self.cache: 2}
        self.chance.choices([*steps], [*steps.values()])[0]()


def work(path, seed, steps):
    """What a process does; its counts in JSON on stdout."""
    chance, rng, counts = random.Random(seed), numpy.random.default_rng(seed), collections.Counter()
    connections = [Connection(path, chance, rng, counts) for _ in range(2)]
    for _ in range(steps):
        at = chance.randrange(2)
        connections[at].step(may_write=connections[1 - at].mode != "write")
    for connection in connections:
        if connection.mode is not None:
            connection.end(True)
        connection.db.close()
    print(json.dumps(counts))


def test_transactions(tmp_path, rng):
    path = tmp_path / "my.db"
    db = make(path, rng)
    processes = [
        subprocess.Popen([sys.executable, __file__, str(path), str(SEED + i), str(STEPS)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
        for i in range(2)
    ]
    counts = collections.Counter()
    for process in processes:
        output, errors = process.communicate(timeout=PATIENCE + 10 * STEPS)
        assert process.returncode == 0, errors
        counts.update(json.loads(output))
    print(dict(counts))
    db.execute("INSERT INTO s(s) VALUES ('integrity-check')")
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert counts["missed"] <= 0.005 * counts["expected"], counts
    assert min(counts[what] for what in ("planted", "COMMIT", "ROLLBACK", "ROLLBACK TO", "RELEASE p0", "failed")) > 0, counts


if __name__ == "__main__":
    work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
