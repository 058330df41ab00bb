"""whiten_index in transactions: random statements, of which some fail halfway, among savepoints that are released and
rolled back. Now and then the index must have the content's rows, coded as they are ('integrity-check' codes them anew)."""

import random
import sqlite3

import pytest
from conftest import connect, fill, vec

ROWS, IDS, DIM = 150, 300, 6


class Session:
    """A connection with t(id, v), its index s, and the savepoints that are open."""

    def __init__(self, seed, rng):
        self.random, self.rng, self.savepoints = random.Random(seed), rng, []
        self.db = connect()
        fill(self.db, rng.standard_normal((ROWS, DIM)))
        self.db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")

    def id(self):
        return self.random.randrange(IDS)

    def v(self):
        return vec(self.rng.standard_normal(DIM))

    def insert(self):
        self.db.execute("INSERT INTO t VALUES (?, ?)", (self.id(), self.v()))

    def insert_several(self):
        """It may meet an id that is taken after others that were free."""
        self.db.execute("INSERT INTO t SELECT ? + value, ? FROM json_each('[1,2,3,4]')", (self.id(), self.v()))

    def replace(self):
        self.db.execute("INSERT OR REPLACE INTO t VALUES (?, ?), (?, ?)", (self.id(), self.v(), self.id(), self.v()))

    def update(self):
        self.db.execute("UPDATE t SET v = ? WHERE id BETWEEN ? AND ?", (self.v(), first := self.id(), first + 3))

    def move(self):
        """Ids are shifted, until one is taken."""
        first = self.id()
        by = self.random.choice([1, -1, 30])
        self.db.execute("UPDATE t SET id = id + ? WHERE id BETWEEN ? AND ?", (by, first, first + 9))

    def delete(self):
        self.db.execute("DELETE FROM t WHERE id = ?", (self.id(),))

    def savepoint(self):
        """The first may be what begins the transaction."""
        self.savepoints.append(f"p{len(self.savepoints)}")
        self.db.execute(f"SAVEPOINT {self.savepoints[-1]}")

    def release(self):
        if self.savepoints:
            place = self.random.randrange(len(self.savepoints))
            self.db.execute(f"RELEASE {self.savepoints[place]}")
            del self.savepoints[place:]

    def rollback_to(self):
        if self.savepoints:
            place = self.random.randrange(len(self.savepoints))
            self.db.execute(f"ROLLBACK TO {self.savepoints[place]}")
            del self.savepoints[place + 1 :]

    def transaction(self):
        end = self.random.choice(["COMMIT", "ROLLBACK"])
        self.db.execute(end if self.db.in_transaction else "BEGIN")
        self.savepoints.clear()

    def search(self):
        """It writes what is pending, in the middle of whatever is open."""
        found = sorted(self.db.execute("SELECT rowid FROM s(?) LIMIT 1000", (self.v(),)))
        assert found == self.db.execute("SELECT id FROM t ORDER BY id").fetchall()

    def check(self):
        self.db.execute("INSERT INTO s(s) VALUES ('integrity-check')")


STEPS = {
    Session.insert: 35, Session.insert_several: 8, Session.replace: 6, Session.update: 8, Session.move: 5,
    Session.delete: 10, Session.savepoint: 11, Session.release: 5, Session.rollback_to: 8, Session.transaction: 3,
    Session.search: 5, Session.check: 2,
}  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_savepoints(seed, rng):
    session = Session(seed, rng)
    refused = 0
    for step in session.random.choices([*STEPS], [*STEPS.values()], k=1200):
        try:
            step(session)
        except sqlite3.IntegrityError:  # an id is taken: the statement has done nothing
            refused += 1
    if session.db.in_transaction:
        session.db.execute("COMMIT")
    session.search()
    session.check()
    session.db.close()
    assert refused > 50


def test_rollback_to_what_began_the_transaction(db, rng):
    """SQLite numbers that savepoint -1."""
    fill(db, rng.standard_normal((ROWS, DIM)))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
    db.execute("SAVEPOINT first")
    db.execute("DELETE FROM t WHERE id < 50")
    db.execute("ROLLBACK TO first")
    db.execute("DELETE FROM t WHERE id > 100")
    db.execute("RELEASE first")
    query = (vec(rng.standard_normal(DIM)),)
    assert sorted(i for (i,) in db.execute("SELECT rowid FROM s(?) LIMIT 1000", query)) == [*range(1, 101)]
