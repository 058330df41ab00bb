"""Power cuts while whiten_index is built in steps, kept in step by its triggers, rebuilt and optimized: killed with SIGKILL
instead of one of the calls that change a file (kill.c), in WAL and rollback mode. Afterwards the database is sound, its rows
are those of a whole number of statements, the index has their codes and answers as the exhaustive query does; and what was
begun is gone on with.

WHITEN_KILLS kills in all (20, or 200 with `make power`), dealt out to the two modes.
"""

import os
import signal
import sqlite3
import subprocess

import pytest
from conftest import PATIENCE, SHELL, WHITEN_SO, connect, one, vec
from test_power import kill_library

KILLS = int(os.environ.get("WHITEN_KILLS") or 20)
ROWS, DIM = 2000, 12
STATEMENTS = [
    "CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 8, build = 0)",
    *["INSERT INTO s(s, rank) VALUES ('build', 700)"] * 2,
    "INSERT INTO docs SELECT id + 5000, embedding_scale(v, -1) FROM docs WHERE id < 300",
    "DELETE FROM docs WHERE id BETWEEN 100 AND 200",
    "INSERT INTO s(s) VALUES ('build')",
    *[f"INSERT INTO docs SELECT {9000 + i}, v FROM docs WHERE id = {i}" for i in range(1, 9)],
    "UPDATE docs SET v = embedding_scale(v, -0.5), id = id + 20000 WHERE id % 3 = 0",
    "INSERT INTO s(s, rank) VALUES ('rebuild', 800)",
    "DELETE FROM docs WHERE id % 4 = 1",
    "INSERT INTO s(s, rank) VALUES ('rebuild', 800)",
    "INSERT INTO docs SELECT id + 50000, v FROM docs WHERE id < 900",
    "INSERT INTO s(s) VALUES ('rebuild')",
    "DELETE FROM docs WHERE id % 3 > 0 AND id < 25000",
    "INSERT INTO s(s) VALUES ('optimize')",
    "BEGIN; DELETE FROM docs WHERE id < 2000; SELECT count(*) FROM s('[1,2,3,4,5,6,7,8,9,1,2,3]', 10);"
    " SAVEPOINT a; INSERT INTO docs SELECT id + 70000, v FROM docs; ROLLBACK TO a; COMMIT",
]  # fmt: skip
MODEL = "(SELECT model FROM s_config WHERE id = (SELECT min(id) FROM s_config WHERE id > 0))"


def rows(db):
    return db.execute("SELECT id, v FROM docs ORDER BY id").fetchall()


class Run:
    """The statements in a shell of their own, on a copy of a database."""

    def __init__(self, journal, folder, rng):
        self.folder, self.path = folder, folder / "my.db"
        db = sqlite3.connect(self.path, isolation_level=None)
        db.execute(f"PRAGMA journal_mode = {journal}")
        db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB)")
        db.execute("BEGIN")
        db.executemany("INSERT INTO docs(v) VALUES (?)", ((vec(row),) for row in rng.normal(size=(ROWS, DIM))))
        db.execute("COMMIT")
        db.close()
        self.before = self.path.read_bytes()
        self.states = [self.rows()]
        for statement in STATEMENTS:
            self.shell(statement)
            self.states.append(self.rows())
        self.restore()
        self.shell(*STATEMENTS, KILL_COUNT=folder / "calls")
        self.calls = int((folder / "calls").read_text())
        assert self.rows() == self.states[-1]

    def rows(self):
        db = connect(self.path)
        try:
            return rows(db)
        finally:
            db.close()

    def shell(self, *statements, **environment):
        preload = [str(kill_library()), *os.environ.get("LD_PRELOAD", "").split()] if environment else []
        done = subprocess.run(
            [SHELL, "-batch", "-bail", str(self.path)],
            input=";\n".join((f".load '{WHITEN_SO}' sqlite3_whiten_init\nPRAGMA cache_size = 10; PRAGMA synchronous = off", *statements, "")),
            env={**os.environ, **({"LD_PRELOAD": " ".join(preload)} if preload else {}), **{k: str(v) for k, v in environment.items()}},
            capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == (-signal.SIGKILL if "KILL_AT" in environment else 0), done.stderr
        assert done.stderr == ""

    def restore(self):
        for path in self.folder.glob("my.db*"):
            path.unlink()
        self.path.write_bytes(self.before)

    def check(self):
        """What holds whenever it was killed; then all that was begun is ended."""
        db = connect(self.path)
        assert one(db, "PRAGMA integrity_check") == "ok"
        assert rows(db) in self.states, "a part of a statement"
        if db.execute("SELECT 1 FROM sqlite_schema WHERE name = 's'").fetchall():
            if one(db, "SELECT count(*) FROM s_config WHERE id > 0") > 0:
                self.check_index(db)
            db.execute("INSERT INTO s(s, rank) VALUES ('build', 700)")
            db.execute("INSERT INTO s(s) VALUES ('build')")
            assert db.execute("SELECT built FROM s_config WHERE id > 0").fetchall() == [(None,)]
            self.check_index(db)
        db.close()

    def check_index(self, db):
        db.execute("INSERT INTO s(s) VALUES ('integrity-check')")
        db.execute("INSERT INTO s(s, rank) VALUES ('recall', 'safe')")
        exact = f"SELECT id, cosine_sim(whiten_apply({MODEL}, v), whiten_apply({MODEL}, ?)) AS c FROM docs"
        for i, v in db.execute("SELECT id, v FROM docs ORDER BY id % 101, id LIMIT 3").fetchall():
            truth = db.execute(f"{exact} ORDER BY c DESC, id LIMIT 20", (v,)).fetchall()
            found = db.execute("SELECT rowid, similarity FROM s(?, 20)", (v,)).fetchall()
            assert found[0] == truth[0] and len(set(found) & set(truth)) >= 19, i


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_killed(journal, chance, rng, tmp_path):
    run = Run(journal, tmp_path, rng)
    for call in [1, run.calls, *(chance.randint(1, run.calls) for _ in range(KILLS // 2 - 2))]:
        run.restore()
        run.shell(*STATEMENTS, KILL_AT=call)
        run.check()
