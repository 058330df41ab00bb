"""whiten_index where SQLite itself says no: a disk that is full, a database that is read-only or locked by another connection, a
statement that is interrupted. Clear errors, nothing lost, and all goes on afterwards."""

import sqlite3

import pytest
from conftest import connect, load_into, one, vec

DIM, ROWS = 8, 3000


def check(db):
    db.execute("INSERT INTO s(s) VALUES ('integrity-check')")
    assert one(db, "PRAGMA integrity_check") == "ok"
    for i, v in db.execute("SELECT id, v FROM docs ORDER BY id % 101, id LIMIT 5").fetchall():
        assert db.execute("SELECT rowid FROM s(?, 1)", (v,)).fetchall() == [(i,)]


def contents(db):
    return db.execute("SELECT * FROM docs ORDER BY id").fetchall()


@pytest.fixture(params=["delete", "wal"])
def path(request, rng, tmp_path):
    """A database with docs(id, v) and its index s."""
    path = tmp_path / "my.db"
    db = connect(path)
    db.execute(f"PRAGMA journal_mode = {request.param}")
    db.execute("PRAGMA synchronous = off")
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB)")
    db.execute("BEGIN")
    db.executemany("INSERT INTO docs(v) VALUES (?)", ((vec(row),) for row in rng.normal(size=(ROWS, DIM))))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 6)")
    db.execute("COMMIT")
    db.close()
    return path


def open_at(path):
    db = connect(path)
    db.execute("PRAGMA busy_timeout = 0")
    return db


WRITES = {
    "insert": "INSERT INTO docs SELECT id + 10000, embedding_scale(v, -1) FROM docs",
    "update": "UPDATE docs SET v = embedding_scale(v, -1), id = id + 10000 WHERE id % 2",
    "rebuild": "INSERT INTO s(s) VALUES ('rebuild')",
    "rebuild in steps": "INSERT INTO s(s, rank) VALUES ('rebuild', 2500)",
    "create": "CREATE VIRTUAL TABLE another USING whiten_index(content = docs, column = v, k = 5)",
    "in a transaction": "BEGIN; INSERT INTO docs SELECT id + 10000, embedding_scale(v, -1) FROM docs;"
    " SELECT count(*) FROM s((SELECT v FROM docs WHERE id = 9), 5);"
    " SAVEPOINT a; DELETE FROM docs WHERE id % 2; RELEASE a; COMMIT",
    "sync": "DROP TRIGGER IF EXISTS s_insert; REPLACE INTO docs SELECT id + 10000, v FROM docs WHERE id < 9000; INSERT INTO s(s) VALUES ('sync')",
    "optimize": "DELETE FROM docs WHERE id % 3 > 0; INSERT INTO s(s) VALUES ('optimize')",
}  # fmt: skip


def write(db, sql):
    """0 if it succeeds; else the message. A transaction that stays is left as it is."""
    try:
        for statement in sql.split(";"):
            db.execute(statement).fetchall()
    except sqlite3.OperationalError as error:
        return str(error)
    return 0


def go_on(db):
    """After a failure: the index of a transaction that is still open is whole, or says that it is not."""
    if db.in_transaction:
        message = write(db, "INSERT INTO s(s) VALUES ('integrity-check')")
        assert message == 0 or "expected ROLLBACK" in message, message
        db.execute("ROLLBACK")


@pytest.mark.parametrize("what", WRITES)
def test_a_full_disk(path, what):
    db = open_at(path)
    before, pages, failures = contents(db), one(db, "PRAGMA page_count"), 0
    for more in (0, 1, 2, 5, 10, 20, 40, 80, 160, 1000):
        db.execute(f"PRAGMA max_page_count = {pages + more}")
        message = write(db, WRITES[what])
        if message == 0:
            break
        assert message.endswith("database or disk is full"), message
        failures += 1
        go_on(db)
        db.execute(f"PRAGMA max_page_count = {pages + 100000}")
        if what in ("sync", "optimize"):
            db.execute("INSERT INTO s(s) VALUES ('sync')")
        else:
            assert contents(db) == before
        check(db)
    assert message == 0 and (failures > 0 or what in ("optimize", "rebuild in steps"))
    check(db)
    db.close()


@pytest.mark.parametrize("how", ["mode=ro", "mode=ro&immutable=1"])
def test_read_only(path, how, rng):
    query = vec(rng.normal(size=DIM))
    db = open_at(path)
    wanted = db.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall()
    db.execute("PRAGMA wal_checkpoint(truncate)")
    keeps_open = [] if "immutable" in how else [db]  # a WAL that is read needs its shared memory
    if not keeps_open:
        db.close()
    read_only = sqlite3.connect(f"file:{path}?{how}", uri=True, isolation_level=None)
    load_into(read_only)
    assert read_only.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall() == wanted
    assert one(read_only, "SELECT whiten_index_info('s') ->> 'rows'") == ROWS
    for sql in (*WRITES.values(), "INSERT INTO s(s, rank) VALUES ('build', 3)", "DROP TABLE s"):
        message = write(read_only, sql)
        assert message != 0 and "readonly" in message, (sql, message)
        if read_only.in_transaction:
            read_only.execute("ROLLBACK")
    assert read_only.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall() == wanted
    read_only.close()
    for db in keeps_open:
        db.close()


def test_locked_by_another(path, rng):
    query = vec(rng.normal(size=DIM))
    db, other = open_at(path), open_at(path)
    wanted = db.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall()
    is_wal = one(db, "PRAGMA journal_mode") == "wal"
    for begin in ("BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"):
        other.execute(begin)
        other.execute("UPDATE docs SET v = embedding_scale(v, -1)")
        if is_wal or begin == "BEGIN IMMEDIATE":
            assert db.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall() == wanted
        else:
            assert "locked" in write(db, "SELECT rowid FROM s('[1,2,3,4,5,6,7,8]', 10)")
        for what in ("insert", "rebuild", "create"):
            assert "locked" in write(db, WRITES[what])
        other.execute("ROLLBACK")
        assert db.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall() == wanted
    if not is_wal:  # a reader keeps the one who writes from committing, who can try again
        db.execute("BEGIN")
        db.execute("SELECT rowid FROM s(?, 10)", (query,)).fetchall()
        other.execute("BEGIN")
        other.execute("DELETE FROM docs WHERE id < 500")
        for _ in range(2):
            assert "locked" in write(other, "COMMIT") and other.in_transaction
        db.execute("COMMIT")
        other.execute("COMMIT")
    else:  # what has read before another's commit may not write
        db.execute("BEGIN")
        db.execute("SELECT rowid FROM s(?, 10)", (query,)).fetchall()
        other.execute("DELETE FROM docs WHERE id < 500")
        assert "locked" in write(db, WRITES["insert"])
        assert db.execute("SELECT rowid, similarity FROM s(?, 10)", (query,)).fetchall() == wanted
        db.execute("COMMIT")
    check(db)
    check(other)
    assert one(db, "SELECT count(*) FROM docs") == ROWS - 499
    db.close()
    other.close()


@pytest.mark.parametrize("what", [*WRITES, "query"])
def test_interrupted(path, what, chance):
    """At moments all over the statement, from its beginning to its end."""
    sql = WRITES.get(what, "SELECT rowid FROM s('[1,2,3,4,5,6,7,8]', 200)")
    db = open_at(path)
    before, calls, at = contents(db), 0, 0

    def handler():
        nonlocal calls
        calls += 1
        return calls == at

    db.set_progress_handler(handler, 500)
    db.execute("SAVEPOINT a")
    assert write(db, sql.replace("BEGIN", "SAVEPOINT b").replace("COMMIT", "RELEASE b")) == 0
    db.execute("ROLLBACK TO a")
    db.execute("RELEASE a")
    total, failures = calls, 0
    for at in sorted([1, 2, 3, *(chance.randint(1, max(total, 3)) for _ in range(9)), total - 1, total]):
        calls = 0
        message = write(db, sql)
        failures += message != 0
        at = -1
        if message == 0:  # the moment has not come, or is behind its end
            check(db)
            break
        assert message.endswith("interrupted"), message
        go_on(db)
        if what in ("sync", "optimize"):
            db.execute("INSERT INTO s(s) VALUES ('sync')")
        else:
            assert contents(db) == before
        check(db)
    assert failures > 0 or total < 3
    db.close()


def test_a_warm_query_is_interrupted(db, rng):
    """A scan of chunks that are in memory reads no table, and still asks SQLite whether to go on: its handler of progress
    is called within it, once 64 chunks have been scanned, and ends the query."""
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, v BLOB)")
    rows = rng.normal(size=(66000, 16)).astype("f4")
    db.executemany("INSERT INTO docs(v) VALUES (?)", ((row.tobytes(),) for row in rows))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 16)")
    calls, at = 0, 0

    def handler():
        nonlocal calls
        calls += 1
        return calls == at

    def count(last):
        """How often it is called by a query that finds nothing, so that no row is fetched."""
        nonlocal calls
        calls = 0
        sql = "SELECT count(*) FROM s WHERE query = ? AND similarity >= 9 AND rowid <= ?"
        assert db.execute(sql, (rows[0].tobytes(), last)).fetchone() == (0,)
        return calls

    for _ in range(12):  # until all is in memory
        db.execute("SELECT rowid FROM s(?, 10)", (rows[0].tobytes(),)).fetchall()
    db.set_progress_handler(handler, 1)
    (behind,) = db.execute("SELECT first FROM s_dir ORDER BY first LIMIT 1 OFFSET 63").fetchone()
    few, all_rows = count(behind - 1), count(66000)
    assert few < all_rows
    for at in range(1, all_rows + 1):
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            count(66000)
    at = 0
    assert count(66000) == all_rows
    db.set_progress_handler(None, 0)
