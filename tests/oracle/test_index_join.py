"""whiten_index_join against the join that asks for one query after the other, to the bit and in order; against all rows;
and what happens between two of its rows."""

import sqlite3

import numpy
import pytest
from conftest import connect, fill, one, vec

DIM = 12
JOIN = "SELECT query_rowid, rowid, similarity FROM whiten_index_join('s', 'q', 'v', {})"
EACH = "SELECT q.id, s.rowid, s.similarity FROM q JOIN s ON s.query = q.v AND s.k = {} ORDER BY 1, 3 DESC, 2"


def rows_of(rng, count):
    centres = rng.standard_normal((20, DIM))
    return centres[rng.integers(20, size=count)] + 0.4 * rng.standard_normal((count, DIM))


@pytest.fixture
def db(rng):
    """Ten chunks of codes, which are more than a round; queries for three batches."""
    db = connect()
    fill(db, rows_of(rng, 9000), "d")
    fill(db, rows_of(rng, 75), "q")
    db.execute("UPDATE q SET v = NULL WHERE id IN (1, 40)")
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = d, column = v, k = 10)")
    yield db
    db.close()


def agree(db, k=10):
    found = db.execute(JOIN.format(k)).fetchall()
    assert found == db.execute(EACH.format(k)).fetchall()
    return found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("k", [1, 10, 3000, 100_000])
def test_the_same_as_one_by_one(db, k, threads):
    db.execute("SELECT whiten_config('threads', ?)", (threads,))
    if k > 10:
        db.execute("DELETE FROM q WHERE id > 8")
    queries = one(db, "SELECT count(v) FROM q")
    for cache in (1 << 28, 0, 100_000):
        db.execute("INSERT INTO s(s, rank) VALUES ('cache', ?)", (cache,))
        assert len(agree(db, k)) == min(k, 9000) * queries
    db.execute("INSERT INTO s(s, rank) VALUES ('cache', 1 << 28)")


@pytest.mark.parametrize("recall", ["fast", "default", "exact"])
def test_against_all_rows(db, recall):
    db.execute("INSERT INTO s(s, rank) VALUES ('recall', ?)", (recall,))
    ids = [i for (i,) in db.execute("SELECT id FROM q WHERE v NOT NULL")]
    model = "(SELECT whiten_model(model) FROM s_config WHERE id > 0)"
    x, q = (
        numpy.array([numpy.frombuffer(v, "<f4") for (v,) in db.execute(f"SELECT vector FROM whiten_rows({model}, '{t}', 'v') WHERE vector NOT NULL")], "f8")
        for t in ("d", "q")
    )
    cosines = (q @ x.T) / numpy.linalg.norm(q, axis=1)[:, None] / numpy.linalg.norm(x, axis=1)
    found, hits = agree(db), 0
    assert [i for i, _, _ in found] == numpy.repeat(ids, 10).tolist()
    for n, (_, rowid, similarity) in enumerate(found):
        assert abs(cosines[n // 10, rowid - 1] - similarity) < 1e-6
        hits += similarity > numpy.sort(cosines[n // 10])[-10] - 1e-6
    assert hits >= {"fast": 0.9, "default": 0.98, "exact": 1}[recall] * len(found)


def test_no_queries(db):
    db.execute("UPDATE q SET v = NULL")
    assert agree(db) == []
    db.execute("UPDATE q SET v = ? WHERE id = 7", (vec([0.0] * DIM),))
    assert len(agree(db)) == 10  # zero is a vector like any other before the mean is taken from it
    db.execute("DELETE FROM q")
    assert agree(db) == []


def test_a_query_that_is_the_mean_has_no_rows(db):
    db.execute("CREATE TABLE whitening(name TEXT PRIMARY KEY, model)")
    db.execute("INSERT INTO whitening SELECT 'm', whiten_import(whiten_kernel(model), ?) FROM s_config WHERE id > 0", (vec([0.0] * DIM),))
    db.execute("DROP TABLE s")
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = d, column = v, model = m)")
    db.execute("UPDATE q SET v = ? WHERE id = 7", (vec([0.0] * DIM),))
    assert {i for i, _, _ in agree(db)} == set(range(2, 76)) - {7, 40}


def test_rows_that_are_not_coded_yet(db, rng):
    db.execute("DROP TABLE s")
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = d, column = v, k = 10, build = 0)")
    db.execute("INSERT INTO s(s, rank) VALUES ('build', 6000)")
    assert max(rowid for _, rowid, _ in agree(db)) > 6000


def test_changes_of_the_transaction(db, rng):
    before = agree(db)
    db.execute("BEGIN")
    db.execute("DELETE FROM d WHERE id IN (SELECT rowid FROM whiten_index_join('s', 'q', 'v', 1))")
    db.execute("SAVEPOINT a")
    db.execute("INSERT INTO d(id, v) SELECT 20000 + id, v FROM q WHERE id > 60")
    assert {(i, rowid) for i, rowid, s in agree(db) if s > 0.999999} >= {(i, 20000 + i) for i in range(61, 76)}
    db.execute("ROLLBACK TO a")
    assert max(rowid for _, rowid, _ in agree(db)) <= 9000
    db.execute("ROLLBACK")
    assert agree(db) == before


def test_thousands_that_are_alike(db, rng):
    """More wait for a query than a batch keeps: it is asked alone."""
    db.execute("DELETE FROM q WHERE id > 5")
    db.execute("INSERT INTO d(v) SELECT (SELECT v FROM q WHERE id = 3) FROM d, (VALUES (1), (2), (3))")
    found = agree(db)
    assert sum(s > 0.999999 for i, _, s in found if i == 3) == 10


def test_a_row_that_goes_between_two_rows(db):
    each = db.execute(EACH.format(10)).fetchall()
    cursor = db.execute(JOIN.format(10))
    found = [cursor.fetchone() for _ in range(25)]
    gone = next(rowid for i, rowid, _ in each if i == 30)
    db.execute("DELETE FROM d WHERE id = ?", (gone,))
    found += cursor.fetchall()
    late = db.execute(EACH.format(10)).fetchall()
    assert found == each[:30] + late[30:]
    assert gone not in {rowid for _, rowid, _ in found[30:]}


def test_a_rebuild_between_two_rows(db, rng):
    cursor = db.execute(JOIN.format(10))
    found = [cursor.fetchone() for _ in range(25)]
    db.execute("UPDATE d SET v = embedding_scale(v, 2) WHERE id < 4000")
    db.execute("INSERT INTO s(s) VALUES ('rebuild')")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        db.execute("DROP TABLE s")
    found += cursor.fetchall()
    assert found[30:] == db.execute(EACH.format(10)).fetchall()[30:]
    db.execute("DROP TABLE s")


def test_what_its_statement_appends(db):
    db.execute("INSERT INTO q(v) SELECT v FROM d JOIN whiten_index_join('s', 'q', 'v', 1) AS j ON d.id = j.rowid LIMIT 1000")
    assert one(db, "SELECT count(*) FROM q") == 75 + 73


def test_two_at_once_and_a_limit(db):
    rows = agree(db)
    assert db.execute(JOIN.format(10) + " LIMIT 3 OFFSET 7").fetchall() == rows[7:10]
    one_by_one, other = db.execute(JOIN.format(10)), db.execute(JOIN.format(10))
    assert [row for pair in zip(one_by_one, other) for row in pair] == [row for row in rows for _ in range(2)]
    assert "SCAN" in db.execute("EXPLAIN QUERY PLAN " + JOIN.format(10) + " ORDER BY query_rowid, similarity DESC, rowid").fetchone()[3]


def test_an_interrupt(db):
    db.execute("INSERT INTO q(v) SELECT a.v FROM q AS a, q AS b WHERE b.id < 20")
    calls = iter(range(10**9))
    db.set_progress_handler(lambda: next(calls) > 40, 20)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        db.execute(JOIN.format(10)).fetchall()
    db.set_progress_handler(None, 0)
    assert len(agree(db, 1)) > 75
