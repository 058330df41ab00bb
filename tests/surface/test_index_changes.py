"""whiten_index in transactions: what rolls back, halfway or altogether, what a schema that changes in between does to
changes that wait, and what of SQLite's own bookkeeping must stay as the user's statements leave it.

Whatever happened, the codes are those of the rows that there are, and each row is found by its own vector.
"""

import sqlite3

import pytest
from conftest import connect, one, vec

DIM, ROWS = 16, 300
MODEL = "(SELECT model FROM search_config WHERE id = (SELECT min(id) FROM search_config WHERE id > 0))"


@pytest.fixture
def draw(rng):
    return lambda: vec(rng.normal(size=DIM))


@pytest.fixture
def docs(draw):
    """A table of vectors and its index."""
    db = connect()
    db.execute("CREATE TABLE docs(id INTEGER PRIMARY KEY, u UNIQUE, v BLOB)")
    db.executemany("INSERT INTO docs VALUES (?, ?, ?)", ((i, i, draw()) for i in range(1, ROWS + 1)))
    db.execute("CREATE VIRTUAL TABLE search USING whiten_index(content = docs, column = v, k = 8)")
    db.execute("CREATE TABLE other(a)")
    yield db
    db.close()


def nearest(db, v, k=1):
    return [i for (i,) in db.execute("SELECT rowid FROM search(?) LIMIT ?", (v, k))]


def check(db):
    db.execute("INSERT INTO search(search) VALUES ('integrity-check')")
    for i, v in db.execute("SELECT id, v FROM docs WHERE v IS NOT NULL ORDER BY id % 7, id LIMIT 40").fetchall():
        assert nearest(db, v) == [i]
    some = one(db, "SELECT v FROM docs WHERE v IS NOT NULL LIMIT 1")
    exact = f"SELECT id, cosine_sim(whiten_apply({MODEL}, v), whiten_apply({MODEL}, ?)) AS c FROM docs"
    all_rows = [row for row in db.execute(f"{exact} ORDER BY c DESC, id", (some,)) if row[1] is not None]
    assert db.execute("SELECT rowid, similarity FROM search(?) LIMIT 100000", (some,)).fetchall() == all_rows


def run(db, *statements):
    for statement in statements:
        db.execute(statement)


ADD, REMOVE, MOVE = (
    "INSERT INTO docs VALUES (1000, 1000, (SELECT v FROM docs WHERE id = 1) || x'')",
    "DELETE FROM docs WHERE id IN (5, 6, 7)",
    "UPDATE docs SET id = id + 2000 WHERE id IN (1, 2, 3)",
)
QUERY = "SELECT count(*) FROM search((SELECT v FROM docs WHERE id = 9), 5)"


@pytest.mark.parametrize("begin", ["SAVEPOINT a", "BEGIN", "BEGIN; SAVEPOINT a", "SAVEPOINT b; SAVEPOINT a"])
@pytest.mark.parametrize("query", [False, True])
def test_rolled_back(docs, begin, query):
    """A savepoint that begins the transaction is number -1 to a virtual table."""
    before = docs.execute("SELECT * FROM docs").fetchall()
    run(docs, *begin.split("; "), REMOVE, MOVE, *[QUERY] * query, "DELETE FROM docs WHERE id > 100")
    run(docs, *["ROLLBACK TO a", "RELEASE a"] if "a" in begin else ["ROLLBACK"])
    check(docs)
    if docs.in_transaction:
        run(docs, "COMMIT")
    assert docs.execute("SELECT * FROM docs").fetchall() == before
    check(docs)


SCHEMA_CHANGES = {
    "add a column": ["ALTER TABLE other ADD COLUMN b"],
    "roll back a table": ["SAVEPOINT s", "CREATE TABLE more(x)", REMOVE, "ROLLBACK TO s", "RELEASE s"],
    "rename, rolled back": ["SAVEPOINT s", "ALTER TABLE search RENAME TO found", "ROLLBACK TO s", "RELEASE s"],
    "rename there and back": ["ALTER TABLE search RENAME TO found", "ALTER TABLE found RENAME TO search"],
    "rename the content": ["ALTER TABLE docs RENAME TO texts", "ALTER TABLE texts RENAME TO docs"],
    "another index, rolled back": ["SAVEPOINT s", "CREATE VIRTUAL TABLE x USING whiten_index(content = docs, column = v)", "ROLLBACK TO s"],
}  # fmt: skip


@pytest.mark.parametrize("change", SCHEMA_CHANGES)
@pytest.mark.parametrize("then", ["", QUERY, "INSERT INTO search(search) VALUES ('rebuild')", "INSERT INTO search(search) VALUES ('sync')"])
def test_a_schema_that_changes_between(docs, draw, change, then):
    """SQLite opens the table anew then, and the old one still has changes that are not written."""
    run(docs, "BEGIN", "UPDATE docs SET v = (SELECT v FROM docs WHERE id = 9) WHERE id = 10")
    run(docs, "UPDATE docs SET v = x'" + draw().hex() + "' WHERE id IN (10, 11)", MOVE, *SCHEMA_CHANGES[change])
    run(docs, "DELETE FROM docs WHERE id = 11", *[then] * (then != ""))
    assert nearest(docs, one(docs, "SELECT v FROM docs WHERE id = 10")) == [10]
    run(docs, REMOVE, "COMMIT")
    check(docs)


def test_dropped_with_changes_that_wait(docs):
    run(docs, "BEGIN", REMOVE, "DROP TABLE search", "ROLLBACK")
    check(docs)
    run(docs, "BEGIN", REMOVE, "ALTER TABLE other ADD COLUMN b", MOVE, "DROP TABLE search", "COMMIT")
    assert docs.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'search%'").fetchall() == []


def test_not_dropped_in_a_savepoint_that_would_lose_changes(docs):
    run(docs, "BEGIN", REMOVE, "SAVEPOINT a")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        run(docs, "DROP TABLE search")
    run(docs, "COMMIT")
    check(docs)
    run(docs, "BEGIN", MOVE, QUERY, "SAVEPOINT a", "DROP TABLE search", "ROLLBACK TO a", "COMMIT")
    check(docs)
    run(docs, "SAVEPOINT a", "DELETE FROM docs WHERE id > 250", "DROP TABLE search", "ROLLBACK TO a", "RELEASE a")
    check(docs)


NAN = "x'" + "0000c07f" * DIM + "'"
FAILURES = {
    "UNIQUE": "INSERT INTO docs SELECT id + 10000, CASE id WHEN 200 THEN 1 ELSE id + 10000 END, v FROM docs",
    "UNIQUE in an UPDATE": "UPDATE docs SET u = CASE id WHEN 200 THEN 250 ELSE -id END, v = embedding_scale(v, -1)",
    "another trigger": "INSERT INTO docs SELECT id + 10000, CASE id WHEN 200 THEN 'no' ELSE id + 10000 END, v FROM docs",
    "NaN": f"INSERT INTO docs SELECT id + 10000, id + 10000, CASE id WHEN 200 THEN {NAN} ELSE v END FROM docs",
    "a length": "INSERT INTO docs SELECT id + 10000, id + 10000, CASE id WHEN 200 THEN x'0000803f' ELSE v END FROM docs",
    "the index's own": f"INSERT INTO search(rowid, vector) SELECT id, CASE id WHEN 200 THEN {NAN} ELSE v END FROM docs",
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("conflict", ["", "OR ABORT", "OR FAIL", "OR IGNORE", "OR ROLLBACK"])
def test_a_statement_that_fails_halfway(docs, failure, conflict):
    """Outside of a transaction and in one, before and behind changes that stay: the index has what the content has."""
    run(docs, "CREATE TRIGGER no BEFORE INSERT ON docs WHEN new.u = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END")
    sql = FAILURES[failure].replace("INSERT", f"INSERT {conflict}").replace("UPDATE docs", f"UPDATE {conflict} docs")
    ignores = failure.startswith("UNIQUE") and conflict == "OR IGNORE"
    for begin in ("", "BEGIN", "SAVEPOINT a"):
        if begin:
            run(docs, begin, "DELETE FROM docs WHERE id = 8")
        if ignores:
            run(docs, sql)
        else:
            with pytest.raises(sqlite3.Error):
                run(docs, sql)
        check(docs)
        if docs.in_transaction:
            run(docs, "DELETE FROM docs WHERE id BETWEEN 20 AND 30", "COMMIT")
        check(docs)
        run(docs, "DELETE FROM docs WHERE id > 10000", "UPDATE docs SET u = id WHERE u < 0")


def test_a_commit_that_fails(docs):
    """What is wrong is found when the changes are written: all is rolled back."""
    before = docs.execute("SELECT * FROM docs").fetchall()
    run(docs, "DELETE FROM search_rest")
    for begin in ([], ["BEGIN", "DELETE FROM docs WHERE id = 9"]):
        run(docs, *begin)
        with pytest.raises(sqlite3.OperationalError, match="chunk 1 of 'search' is damaged in search_rest"):
            run(docs, "DELETE FROM docs WHERE id = 10", *["COMMIT"] * (begin != []))
        assert not docs.in_transaction and docs.execute("SELECT * FROM docs").fetchall() == before
    run(docs, "INSERT INTO search(search) VALUES ('rebuild')", REMOVE)
    check(docs)


@pytest.mark.parametrize("command", ["build", "rebuild", "sync"])
def test_a_command_that_fails_halfway(docs, draw, command):
    """Its statement has no savepoint of its own: what it has written is there until the transaction is rolled back, and
    neither read nor committed."""
    if command == "build":
        run(docs, "DROP TABLE search", "CREATE TABLE whitening AS SELECT 'm' AS name, whiten_fit(v, 8) AS model FROM docs")
        run(docs, "CREATE VIRTUAL TABLE search USING whiten_index(content = docs, column = v, model = m, build = 0)")
    run(docs, *(f"DROP TRIGGER IF EXISTS search_{event}" for event in ("insert", "update", "delete")))
    docs.executemany("INSERT INTO docs VALUES (?1, ?1, ?2)", ((i, draw()) for i in range(1000, 5000)))
    run(docs, f"UPDATE docs SET v = {NAN} WHERE id = 4500", "BEGIN", "INSERT INTO other VALUES (1)")
    with pytest.raises(sqlite3.OperationalError, match="is NaN"):
        run(docs, f"INSERT INTO search(search) VALUES ('{command}')")
    for sql in (QUERY, "SAVEPOINT a", "DELETE FROM docs WHERE id = 3", "ROLLBACK TO a", "RELEASE a", QUERY, "COMMIT"):
        if sql in (QUERY, "COMMIT"):
            with pytest.raises(sqlite3.OperationalError, match="failed halfway in this transaction, expected ROLLBACK"):
                run(docs, sql)
        else:
            run(docs, sql)
    assert not docs.in_transaction and one(docs, "SELECT count(*) FROM other") == 0
    run(docs, "DELETE FROM docs WHERE id = 4500", f"INSERT INTO search(search) VALUES ('{command}')")
    check(docs)


@pytest.mark.parametrize("conflict", ["IGNORE", "FAIL"])
def test_a_constraint_of_its_own_tables(docs, conflict):
    """What violates it came after other changes: no conflict clause passes over that."""
    run(docs, "CREATE TRIGGER no BEFORE INSERT ON search_rest BEGIN SELECT RAISE(ABORT, 'no'); END")
    for begin in ((), ("BEGIN",)):
        run(docs, *begin)
        with pytest.raises(sqlite3.IntegrityError, match="^search: no$"):
            run(docs, f"INSERT OR {conflict} INTO search(search) VALUES ('rebuild')")
    run(docs, "ROLLBACK", "DROP TRIGGER no")
    check(docs)


def test_a_savepoint_from_before_mends_it(docs, draw):
    docs.executemany("INSERT INTO docs VALUES (?1, ?1, ?2)", ((i, draw()) for i in range(3000, 5000)))
    run(docs, "BEGIN", REMOVE, "SAVEPOINT a", "DROP TRIGGER search_update")
    run(docs, f"UPDATE docs SET v = {NAN} WHERE id = 4900", "DROP TRIGGER search_delete", "DELETE FROM docs WHERE id = 4000")
    with pytest.raises(sqlite3.OperationalError, match="is NaN"):
        run(docs, "INSERT INTO search(search) VALUES ('sync')")
    with pytest.raises(sqlite3.OperationalError, match="expected ROLLBACK"):
        run(docs, QUERY)
    run(docs, "ROLLBACK TO a", QUERY, MOVE, "COMMIT")
    check(docs)


def test_what_the_user_counts(docs, draw):
    """The index's own statements show neither in last_insert_rowid() nor, where SQLite lets them not, in changes()."""
    docs.executemany("INSERT INTO docs VALUES (?1, ?1, ?2)", ((i, draw()) for i in range(1000, 1724)))
    cursor = docs.execute("INSERT INTO docs VALUES (5000, 5000, ?)", (draw(),))
    assert (cursor.lastrowid, cursor.rowcount, one(docs, "SELECT changes()")) == (5000, 1, 1)
    for sql in (
        "INSERT INTO search(search) VALUES ('optimize')",
        "INSERT INTO search(search, rank) VALUES ('rebuild', 100)",
        "INSERT INTO search(search) VALUES ('rebuild')",
        "CREATE VIRTUAL TABLE another USING whiten_index(content = docs, column = v)",
        "DELETE FROM docs WHERE id = 7",
    ):
        run(docs, sql)
        assert one(docs, "SELECT last_insert_rowid()") == 5000, sql
    run(docs, "BEGIN", "INSERT INTO docs VALUES (6000, 6000, NULL)", QUERY, "COMMIT")
    assert one(docs, "SELECT last_insert_rowid()") == 6000


def test_replaced_rows(docs, draw):
    """A row that REPLACE takes out of another column's way is told of where PRAGMA recursive_triggers is on. Where it is
    not, answers stay right, the check says so, and 'sync' takes out the code."""
    v = draw()
    run(docs, "PRAGMA recursive_triggers = on")
    docs.execute("REPLACE INTO docs VALUES (1000, 5, ?)", (v,))
    docs.execute("UPDATE OR REPLACE docs SET u = 6, v = ? WHERE id = 7", (draw(),))
    docs.execute("REPLACE INTO docs VALUES (8, 9, ?)", (draw(),))
    check(docs)
    run(docs, "PRAGMA recursive_triggers = off")
    docs.execute("REPLACE INTO docs VALUES (1000, 1000, ?)", (v,))
    check(docs)
    gone = one(docs, "SELECT v FROM docs WHERE id = 12")
    docs.execute("REPLACE INTO docs VALUES (1001, 12, ?)", (v,))
    assert len(nearest(docs, gone, 5)) == 5 and 12 not in nearest(docs, gone, 300)
    with pytest.raises(sqlite3.OperationalError, match="rowid 12.* is coded, expected.*'sync' codes"):
        run(docs, "INSERT INTO search(search) VALUES ('integrity-check')")
    run(docs, "INSERT INTO search(search) VALUES ('sync')", "INSERT INTO search(search) VALUES ('integrity-check')")


@pytest.mark.parametrize("how", ["FAIL, 'no'", "IGNORE"])
def test_a_trigger_that_keeps_the_row_and_ends_the_rest(docs, draw, how):
    """One that was made later runs first: the index's does not run, the check says so, and 'sync' codes the row."""
    run(docs, f"CREATE TRIGGER no AFTER INSERT ON docs WHEN new.u = 'no' BEGIN SELECT RAISE({how}); END")
    v = draw()
    try:
        docs.execute("INSERT INTO docs VALUES (1000, 1000, ?), (1001, 'no', ?)", (draw(), v))
    except sqlite3.IntegrityError:
        assert "FAIL" in how
    assert one(docs, "SELECT count(*) FROM docs WHERE id >= 1000") == 2 and nearest(docs, v) != [1001]
    with pytest.raises(sqlite3.OperationalError, match="rowid 1001.* not coded .*'sync' codes"):
        run(docs, "INSERT INTO search(search) VALUES ('integrity-check')")
    run(docs, "INSERT INTO search(search) VALUES ('sync')")
    check(docs)


def test_more_changes_than_wait(docs, draw):
    """Some 16,000 are written in the middle of the statement; it fails, or the transaction ends, behind that."""
    rows = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO docs SELECT i + 1000,"
    rows += " CASE i WHEN {} THEN 1 ELSE i + 1000 END, (SELECT v FROM docs AS d WHERE d.id = 1 + n.i % 300) FROM n"
    for begin in ([], ["BEGIN", REMOVE], ["SAVEPOINT a", REMOVE, "SAVEPOINT b"]):
        run(docs, *begin)
        with pytest.raises(sqlite3.IntegrityError):
            run(docs, rows.format(20000, 18000))
        run(docs, "INSERT INTO search(search) VALUES ('integrity-check')")
        if begin:
            run(docs, rows.format(17000, -1), "ROLLBACK" if begin[0] == "BEGIN" else "ROLLBACK TO a")
            run(docs, "INSERT INTO search(search) VALUES ('integrity-check')")
    run(docs, rows.format(17000, -1), "COMMIT", "INSERT INTO search(search) VALUES ('integrity-check')")
    run(docs, "DELETE FROM docs WHERE id >= 1000")
    check(docs)
