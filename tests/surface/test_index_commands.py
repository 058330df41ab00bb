"""The commands of an index: what each does, that queries go on meanwhile, and that each kind of difference is found. Space
that rows leave is given back; rows of any rowid, in any order, are found.
"""

import json
import re
import sqlite3

import numpy
import pytest
from conftest import connect, fill, one, vec

ROWS, DIM, CHUNK = 3000, 8, 1024
MODEL = "(SELECT model FROM t_config WHERE id = (SELECT min(id) FROM t_config WHERE id > 0))"


def make(rng, path=":memory:", more="", rows=ROWS):
    db = connect(path)
    fill(db, rng.standard_normal((rows, DIM)), "d")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = 6{more})")
    return db


@pytest.fixture
def db(rng):
    connection = make(rng)
    yield connection
    connection.close()


def command(db, name, value=None):
    db.execute("INSERT INTO t(t, rank) VALUES (?, ?)", (name, value))


def info(db):
    return json.loads(one(db, "SELECT whiten_index_info('t')"))


def check(db, rng, k=7):
    """The index's answer is the exhaustive one."""
    command(db, "integrity-check")
    query = vec(rng.standard_normal(DIM))
    exact = f"SELECT rowid, cosine_sim(whiten_apply({MODEL}, v), whiten_apply({MODEL}, ?)) AS s FROM d WHERE v IS NOT NULL"
    want = db.execute(f"{exact} ORDER BY s DESC, rowid LIMIT {k}", (query,)).fetchall()
    assert db.execute(f"SELECT rowid, similarity FROM t(?) LIMIT {k}", (query,)).fetchall() == want


# ---- build, rebuild ----


def test_build_in_steps(rng):
    """Rows that are not coded yet are found all the same."""
    db = make(rng, more=", build = 0")
    with pytest.raises(sqlite3.OperationalError, match=r"^t: the index is not built, expected rows in 'd' and INSERT INTO t\(t\)"):
        db.execute("SELECT * FROM t('[1,2,3,4,5,6,7,8]')")
    for done in (1, 701, 1401, 2101, 2801, 3000, 3000):
        command(db, "build", 1 if done == 1 else 700.0)
        assert (info(db)["rows"], info(db)["pending"]) == (done, ROWS - done)
        check(db, rng)
        db.execute("UPDATE d SET v = (SELECT v FROM d WHERE id = 5) WHERE id IN (?, ?)", (done, ROWS - done // 2))
        check(db, rng)


def test_build_all(rng):
    db = make(rng, more=", build = 0")
    command(db, "build", 10)
    command(db, "build")
    assert info(db)["pending"] == 0
    check(db, rng)


def test_build_when_rows_come(rng):
    """Without rows there is nothing to fit; from the first 'build' on rows are coded as they come."""
    db = make(rng, rows=0)
    command(db, "build")
    db.executemany("INSERT INTO d(v) VALUES (?)", ((vec(row),) for row in rng.standard_normal((30, DIM))))
    command(db, "build")
    db.execute("INSERT INTO d(v) SELECT v FROM d WHERE id < 5")
    check(db, rng)
    assert info(db)["rows"] == 34


def test_a_model_needs_no_rows(rng):
    db = connect()
    fill(db, rng.standard_normal((50, DIM)), "sample")
    db.execute("CREATE TABLE whitening AS SELECT 'm' AS name, whiten_fit(v, 6) AS model FROM sample")
    db.execute("CREATE TABLE d(id INTEGER PRIMARY KEY, v)")
    db.execute("CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, model = m)")
    assert one(db, "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]')") == 0
    db.execute("INSERT INTO d SELECT * FROM sample")
    check(db, rng)


def test_rebuild(rng, tmp_path):
    """After drift: the model is fitted again, and until all rows are coded the old codes answer, to everybody."""
    db = make(rng, tmp_path / "my.db")
    other = connect(tmp_path / "my.db")
    db.execute("BEGIN")
    db.executemany("INSERT INTO d(v) VALUES (?)", ((vec(row),) for row in 5 + rng.standard_normal((ROWS, DIM))))
    db.execute("COMMIT")
    drift, old = info(db)["drift"], one(db, f"SELECT {MODEL}")
    for done in (2000, 4000, 6000):
        command(db, "rebuild", 2000)
        db.execute("DELETE FROM d WHERE id % 500 = ?", (done // 2000,))
        assert info(other)["rebuilt"] == (None if done == 6000 else pytest.approx(done, abs=50))
        for connection in (other, db):
            check(connection, rng)
            assert (one(connection, f"SELECT {MODEL}") == old) == (done < 6000)
    assert drift > 0.5 and info(db)["drift"] < 0.05
    command(db, "rebuild", 10)
    command(db, "rebuild")
    assert one(db, "SELECT count(*) FROM t_config") == 2 and info(other)["rebuilt"] is None
    check(other, rng)
    other.close()


# ---- sync, integrity-check ----

CHANGES = {
    "inserted": "INSERT INTO d(v) SELECT v FROM d WHERE id < 100",
    "before the first": "INSERT INTO d(id, v) SELECT -id, v FROM d WHERE id < 100",
    "deleted": "DELETE FROM d WHERE id % 7 = 0",
    "a chunk deleted": "DELETE FROM d WHERE id BETWEEN 1000 AND 2200",
    "all deleted": "DELETE FROM d",
    "changed": "UPDATE d SET v = (SELECT v FROM d WHERE id = 1) WHERE id % 50 = 0",
    "now NULL": "UPDATE d SET v = NULL WHERE id % 50 = 0",
    "other rowids": "UPDATE d SET id = id + 5000 WHERE id % 3 = 0",
    "negative rowids": "UPDATE d SET id = -id",
}


@pytest.mark.parametrize("change", CHANGES)
def test_sync(rng, change):
    db = make(rng, more=", triggers = 0")
    command(db, "integrity-check")
    db.execute(CHANGES[change])
    with pytest.raises(sqlite3.OperationalError, match="^t: rowid -?[0-9]+: v is (not coded as it is|coded), expected"):
        command(db, "integrity-check")
    command(db, "sync")
    check(db, rng)
    command(db, "sync")
    check(db, rng)


def test_sync_of_a_replaced_row(rng):
    """INSERT OR REPLACE that meets another UNIQUE removes a row without a trigger, unless recursive_triggers is on."""
    db = make(rng)
    db.execute("ALTER TABLE d ADD COLUMN u")
    db.execute("UPDATE d SET u = id")
    db.execute("CREATE UNIQUE INDEX du ON d(u)")
    db.execute("INSERT OR REPLACE INTO d(id, v, u) SELECT 9000, v, 17 FROM d WHERE id = 5")
    with pytest.raises(sqlite3.OperationalError, match="^t: rowid 17: v is coded, expected no code"):
        command(db, "integrity-check")
    assert one(db, "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]') WHERE rowid = 17") == 0
    command(db, "sync")
    check(db, rng)
    db.execute("PRAGMA recursive_triggers = on")
    db.execute("INSERT OR REPLACE INTO d(id, v, u) SELECT 9001, v, 18 FROM d WHERE id = 5")
    check(db, rng)


DAMAGES = {
    "UPDATE t_signs SET data = zeroblob(length(data)) WHERE chunk = 2": r"chunk 2 of 't' is damaged in t_signs",
    "UPDATE t_rest SET data = zeroblob(length(data)) WHERE chunk = 2": r"chunk 2 of 't' is damaged in t_rest",
    "UPDATE t_rest SET data = substr(data, 1, 100) WHERE chunk = 2": r"chunk 2 of 't' is damaged in t_rest",
    "DELETE FROM t_signs WHERE chunk = 2": r"chunk 2 of 't' is damaged in t_signs",
    "DELETE FROM t_dir WHERE chunk = 2": "t_dir or t_config is damaged",
    "UPDATE t_dir SET count = 0 WHERE chunk = 2": "chunk 2 of 't' has 0 rows, expected 1 to 1024",
    "UPDATE t_dir SET first = first + 1 WHERE chunk = 2": "t_dir or t_config is damaged",
    "UPDATE t_dir SET first = -9223372036854775807 - 1": "chunk [2-9] of 't' begins where another does: t_dir is damaged",
    "UPDATE t_dir SET first = CASE chunk WHEN 2 THEN NULL ELSE first - 1e4 END": "chunk [13] of 't' begins where another does: t_dir is damaged",
    "DELETE FROM t_config WHERE id = 0": "t_config has no row 0",
    "UPDATE t_config SET model = x'00' WHERE id > 0": "model is a foreign BLOB of 1 bytes",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found(rng, tmp_path, damage):
    db = make(rng, tmp_path / "my.db")
    db.execute(damage)
    db.close()
    db = connect(tmp_path / "my.db")
    with pytest.raises(sqlite3.OperationalError, match=f"^t: .*{DAMAGES[damage]}"):
        command(db, "integrity-check")
    if sqlite3.sqlite_version_info >= (3, 44):
        ((found,),) = db.execute("PRAGMA integrity_check").fetchall()
        assert re.search(DAMAGES[damage], found)
    if "model" not in damage:
        command(db, "rebuild")
        check(db, rng)
    db.close()


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 44), reason="PRAGMA integrity_check asks virtual tables from SQLite 3.44 on")
def test_pragma_integrity_check(rng, tmp_path):
    """Out of step is a finding where triggers should keep it in step; a quick check reads no chunk."""
    for more, found in (("", "t: rowid 7: v is coded"), (", triggers = 0", "ok")):
        db = make(rng, more=more)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.execute("BEGIN")
        db.execute("DELETE FROM d WHERE id < 7")
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        db.execute("DROP TRIGGER IF EXISTS t_delete")
        db.execute("DELETE FROM d WHERE id < 9")
        assert one(db, "PRAGMA integrity_check").startswith(found)
        assert one(db, "PRAGMA quick_check") == "ok"
        db.execute("ROLLBACK")
        assert one(db, "PRAGMA integrity_check") == "ok"


# ---- optimize, cache, recall ----


def chunks(db):
    return db.execute("SELECT first, count FROM t_dir ORDER BY first").fetchall()


def test_optimize(db, rng):
    db.execute("DELETE FROM d WHERE id % 4")
    assert len(chunks(db)) == 3
    command(db, "optimize")
    assert [count for _, count in chunks(db)] == [ROWS // 4]
    assert one(db, "SELECT count(*) FROM t_signs") == one(db, "SELECT count(*) FROM t_rest") == 1
    check(db, rng)
    before = chunks(db)
    command(db, "optimize")
    assert chunks(db) == before
    check(db, rng)


def test_emptied_chunks_go(rng, tmp_path):
    """Deleting half the rows gives back about half the pages."""
    db = make(rng, tmp_path / "my.db", rows=20 * CHUNK)
    sizes = "SELECT (SELECT sum(length(data)) FROM t_signs) + (SELECT sum(length(data)) FROM t_rest)"
    full, free, page = one(db, sizes), one(db, "PRAGMA freelist_count"), one(db, "PRAGMA page_size")
    db.execute("CREATE TEMP TABLE gone AS SELECT id FROM d WHERE id <= ?", (10 * CHUNK,))
    db.execute("UPDATE d SET v = NULL WHERE id IN gone")
    freed = (one(db, "PRAGMA freelist_count") - free) * page
    assert len(chunks(db)) == 10 and one(db, sizes) == full / 2
    assert freed >= 0.45 * full
    db.execute("DELETE FROM d")
    assert chunks(db) == [] and one(db, sizes) is None
    assert (one(db, "PRAGMA freelist_count") - free) * page >= 0.95 * full
    db.execute("INSERT INTO d(v) VALUES ('[1,2,3,4,5,6,7,8]')")
    check(db, rng)
    db.close()


def test_cache(db, rng):
    """Its limit is the process's; answers do not depend on it."""
    was = info(db)["cache"]["limit"]
    try:
        for limit in (0, 5000, 10**9):
            command(db, "cache", limit)
            assert info(db)["cache"]["limit"] == limit
            check(db, rng)
            assert info(db)["cache"]["bytes"] <= limit
    finally:
        command(db, "cache", was)


def test_recall(db, rng, tmp_path):
    """For the connection; the argument of CREATE is where every connection begins."""
    assert info(db)["recall"] == "default"
    for name in ("fast", "safe", "exact", "default"):
        command(db, "recall", name)
        assert info(db)["recall"] == name
        check(db, rng)
    first = make(rng, tmp_path / "my.db", ", recall = 'exact'")
    command(first, "recall", "fast")
    again = connect(tmp_path / "my.db")
    assert (info(first)["recall"], info(again)["recall"]) == ("fast", "exact")
    for db in (again, first):  # SQLite opens it anew with a new schema
        db.execute(f"CREATE TABLE anew{db is first}(a)")
        db.execute(f"ALTER TABLE anew{db is first} RENAME TO newer{db is first}")
        assert (info(first)["recall"], info(again)["recall"]) == ("fast", "exact")
    first.executescript("DROP TABLE t; CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, recall = 'safe')")
    assert (info(first)["recall"], info(again)["recall"]) == ("safe", "safe")
    again.close()


# ---- rowids ----

LAST = 2**63 - 1


@pytest.mark.parametrize("order", ["ascending", "descending", "random", "outwards"])
@pytest.mark.parametrize("commit", [True, False])
def test_order_of_inserts(rng, order, commit):
    """Chunks are split as they fill; none is more than full, and each row is in one."""
    rows = rng.standard_normal((ROWS, DIM))
    ids = numpy.arange(1, ROWS + 1)
    if order == "outwards":
        ids = numpy.where(ids % 2, ids, -ids)
    ids = {"descending": ids[::-1], "random": rng.permutation(ids)}.get(order, ids)
    db = make(rng, rows=20)
    db.execute("DELETE FROM d")
    if not commit:
        db.execute("BEGIN")
    for at in range(0, ROWS, 100):
        pairs = [(int(i), vec(row)) for i, row in zip(ids[at : at + 100], rows[at : at + 100])]
        db.executemany("INSERT INTO d(id, v) VALUES (?, ?)", pairs)
    if not commit:
        db.execute("COMMIT")
    check(db, rng)
    counts = [count for _, count in chunks(db)]
    assert sum(counts) == ROWS and max(counts) <= CHUNK
    assert len(counts) <= (3 if order == "ascending" else 7)
    command(db, "optimize")
    check(db, rng)


def test_extreme_rowids(db, rng):
    ids = [-LAST - 1, -LAST, -1, 0, LAST - 1, LAST]
    for i in ids:
        db.execute("INSERT INTO d(id, v) VALUES (?, ?)", (i, vec(rng.standard_normal(DIM))))
    check(db, rng)
    for i in ids:
        query = one(db, "SELECT v FROM d WHERE id = ?", i)
        for sql in ("t(?) LIMIT 1", f"t(?) WHERE rowid = {i}", f"t(?) WHERE rowid BETWEEN {i} AND {i}", f"t(?) WHERE rowid IN ({i})"):
            assert db.execute(f"SELECT rowid FROM {sql}".replace(str(-LAST - 1), f"(-{LAST} - 1)"), (query,)).fetchall() == [(i,)]
    command(db, "rebuild")
    check(db, rng)
    db.execute("UPDATE d SET v = NULL WHERE id IN (?, ?)", (ids[0], ids[-1]))
    check(db, rng)
    db.execute("DELETE FROM d WHERE id <= 0 OR id > ?", (ROWS,))
    check(db, rng)
    assert one(db, "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]')") == ROWS
