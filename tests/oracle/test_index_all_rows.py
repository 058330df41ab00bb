"""whiten_index asked for rows one after the other, without k, LIMIT or threshold, as from within a join: each row once, also
those that a first, small search missed; sorted where SQLite was promised so."""

import pytest
from conftest import connect, fill, vec

ROWS, DIM = 1500, 24
MODEL = "(SELECT model FROM s_config WHERE id > 0)"


@pytest.fixture
def db(rng):
    """Few components, candidates within 1.5 standard errors: of a hundred rows, some are missed."""
    db = connect()
    fill(db, rng.normal(size=(ROWS, DIM)))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 16, recall = fast)")
    yield db
    db.close()


def test_each_row_once(db, rng):
    exact = f"SELECT id, cosine_sim(whiten_apply({MODEL}, v), whiten_apply({MODEL}, ?)) AS c FROM t ORDER BY c DESC, id"
    missed = 0
    for _ in range(10):
        query = vec(rng.normal(size=DIM))
        truth = db.execute(exact, (query,)).fetchall()
        few = db.execute("SELECT rowid, similarity FROM s(?, 100)", (query,)).fetchall()
        missed += len(set(truth[:100]) - set(few))
        for where in ("", "WHERE rowid BETWEEN 0 AND 2000", "WHERE rowid + 0 < 2000"):
            found = db.execute(f"SELECT rowid, similarity FROM s(?) {where}", (query,)).fetchall()
            assert len(found) == ROWS and sorted(found) == sorted(truth), where
        found = db.execute("SELECT rowid, similarity FROM s(?) WHERE rowid + 0 < 2000 ORDER BY similarity DESC", (query,))
        found = found.fetchall()
        assert set(found) <= set(truth) and found == sorted(found, key=lambda row: (-row[1], row[0]))
        assert len(found) == len(set(found)) > ROWS - 100
    assert missed > 0


def test_a_row_that_is_picked(db, rng):
    query = vec(rng.normal(size=DIM))
    for i in range(1, ROWS + 1):
        assert db.execute("SELECT rowid FROM s(?) WHERE rowid = ?", (query, i)).fetchall() == [(i,)]
    joined = "SELECT count(*), count(DISTINCT s.rowid) FROM t CROSS JOIN s ON s.rowid = t.id WHERE s.query = ?"
    assert db.execute(joined, (query,)).fetchall() == [(ROWS, ROWS)]
    assert db.execute(joined + " AND s.k = 7", (query,)).fetchall() == [(7, 7)]
