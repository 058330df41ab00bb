"""What sql/README.md says of whiten_index and its surroundings: a connection without the extension, hosts that are cautious,
INSERT OR REPLACE, other triggers."""

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import connect, fill, one, run_shell, vec

ROWS, DIM = 200, 8


@pytest.fixture
def path(tmp_path, rng):
    """A file with the table t(id, v) and the index s."""
    db = connect(tmp_path / "my.db")
    fill(db, rng.standard_normal((ROWS, DIM)))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
    db.close()
    return tmp_path / "my.db"


@pytest.fixture
def db(path):
    connection = connect(path)
    yield connection
    connection.close()


def nearest(db, query, k=1):
    return [i for (i,) in db.execute(f"SELECT rowid FROM s(?) LIMIT {k}", (vec(query),))]


def is_in_step(db):
    db.execute("INSERT INTO s(s) VALUES ('integrity-check')")
    return True


def test_without_the_extension(path, db):
    """It reads the content, and writes nothing to it; what it drops is gone."""
    other = sqlite3.connect(path, isolation_level=None)
    assert other.execute("SELECT count(*) FROM t").fetchall() == [(ROWS,)]
    for sql in ("INSERT INTO t(v) VALUES (x'')", "DELETE FROM t WHERE id = 1", "UPDATE t SET v = NULL", "SELECT * FROM s"):
        with pytest.raises(sqlite3.OperationalError, match="^no such module: whiten_index$"):
            other.execute(sql)
    other.close()
    assert is_in_step(db)


def test_other_columns_without_the_extension(path, db):
    """Which column is set decides, not what comes of it: a client that knows no vectors may set the others."""
    db.execute("ALTER TABLE t ADD COLUMN lang TEXT")
    other = sqlite3.connect(path, isolation_level=None)
    assert other.execute("UPDATE t SET lang = 'en' WHERE id < 10").rowcount == 9
    for column in ("v", "id", "rowid", "oid", "_rowid_"):
        with pytest.raises(sqlite3.OperationalError, match="^no such module: whiten_index$"):
            other.execute(f"UPDATE t SET lang = 'de', {column} = {column}")
    other.close()
    assert is_in_step(db)


@pytest.mark.parametrize("name", ["id", "rowid", "oid", "_rowid_", "ROWID"])
@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id"])
def test_a_row_that_moves(rng, key, name):
    """By each of its names; a column named id that is no rowid moves nothing."""
    db, x = connect(), rng.standard_normal((ROWS, DIM))
    db.execute(f"CREATE TABLE t({key}, v BLOB)")
    db.executemany("INSERT INTO t VALUES (?, ?)", enumerate(map(vec, x), 1))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
    db.execute(f"UPDATE t SET {name} = 1000 WHERE id = 7")
    moved = [i for (i,) in db.execute("SELECT rowid FROM t WHERE v = ?", (vec(x[6]),))]
    assert moved == [7 if "PRIMARY" not in key and name == "id" else 1000]
    assert nearest(db, x[6]) == moved and is_in_step(db)
    db.execute("ALTER TABLE t RENAME COLUMN id TO number")
    db.execute("ALTER TABLE t RENAME COLUMN v TO vector")
    db.execute("UPDATE t SET number = 1001, vector = ? WHERE rowid = ?", (vec(-x[5]), moved[0]))
    moved = [i for (i,) in db.execute("SELECT rowid FROM t WHERE vector = ?", (vec(-x[5]),))]
    assert nearest(db, -x[5]) == moved and is_in_step(db)


@pytest.mark.parametrize("kind", ["VIRTUAL", "STORED"])
def test_a_generated_column(rng, kind):
    """It changes though no statement sets it."""
    db, x = connect(), rng.standard_normal((ROWS, DIM))
    db.execute(f"CREATE TABLE t(id INTEGER PRIMARY KEY, raw BLOB, lang, v BLOB AS (embedding(raw)) {kind})")
    db.executemany("INSERT INTO t(id, raw) VALUES (?, ?)", enumerate(map(vec, x), 1))
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = V, k = 4)")
    db.execute("UPDATE t SET raw = ? WHERE id = 9", (vec(-x[0]),))
    assert nearest(db, -x[0]) == [9] and is_in_step(db)


def test_without_triggers(path, db, rng):
    """Others write as they like; 'sync' finds what changed."""
    db.execute("DROP TABLE s")
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4, triggers = 0)")
    other, x = sqlite3.connect(path, isolation_level=None), rng.standard_normal((2, DIM))
    other.execute("DELETE FROM t WHERE id = 7")
    other.execute("UPDATE t SET v = ? WHERE id = 8", (vec(x[0]),))
    other.execute("INSERT INTO t VALUES (1000, ?)", (vec(x[1]),))
    other.close()
    with pytest.raises(sqlite3.OperationalError, match="'sync' codes what has changed"):
        is_in_step(db)
    db.execute("INSERT INTO s(s) VALUES ('sync')")
    assert is_in_step(db) and nearest(db, x[0]) == [8] and nearest(db, x[1]) == [1000]
    assert one(db, "SELECT whiten_index_info('s') ->> 'rows'") == ROWS


@pytest.mark.parametrize("row", ["(rowid, vector) VALUES (new.id, new.v)", "(rowid) VALUES (new.id)"])
def test_triggers_of_ones_own(db, rng, row):
    db.execute("DROP TABLE s")
    db.executescript(
        "CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4, triggers = 0);"
        f"CREATE TRIGGER comes AFTER INSERT ON t BEGIN INSERT INTO s{row}; END;"
        "CREATE TRIGGER goes AFTER DELETE ON t BEGIN INSERT INTO s(s, rowid) VALUES ('delete', old.id); END;"
    )
    x = rng.standard_normal(DIM)
    db.execute("INSERT INTO t VALUES (1000, ?)", (vec(x),))
    assert nearest(db, x) == [1000] and is_in_step(db)
    db.execute("DELETE FROM t WHERE id IN (5, 1000)")
    assert nearest(db, x) != [1000] and is_in_step(db)


def test_a_schema_that_is_not_trusted(db, rng):
    db.execute("PRAGMA trusted_schema = OFF")
    x = rng.standard_normal(DIM)
    db.execute("INSERT INTO t VALUES (1000, ?)", (vec(x),))
    db.execute("DELETE FROM t WHERE id = 3")
    assert nearest(db, x) == [1000] and is_in_step(db)


def test_defensive_mode(path):
    """The index writes its tables; nobody else does."""
    change = "INSERT INTO t VALUES (1000, (SELECT v FROM t WHERE id = 4)); DELETE FROM t WHERE id = 4;"
    query = "SELECT rowid FROM s((SELECT v FROM t WHERE id = 1000)) LIMIT 1; INSERT INTO s(s) VALUES ('integrity-check');"
    done = run_shell(f".dbconfig defensive on\n{change}\n{query}", path)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.endswith("\n1000\n")
    done = run_shell(".dbconfig defensive on\nDELETE FROM s_dir;", path)
    assert done.returncode != 0 and "table s_dir may not be modified" in done.stderr


def test_an_authorizer(db, rng):
    """What a write and a query do, besides what the statement says, is with the index's own tables and its content."""
    asked = set()

    def authorize(action, first, second, schema, source):
        if action in (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE, sqlite3.SQLITE_READ):
            asked.add(first)
        return sqlite3.SQLITE_OK

    db.set_authorizer(authorize)
    x = rng.standard_normal(DIM)
    db.execute("INSERT INTO t VALUES (1000, ?)", (vec(x),))
    assert nearest(db, x) == [1000]
    assert asked - {"sqlite_master"} <= {"t", "s", "s_config", "s_dir", "s_signs", "s_rest"}
    db.set_authorizer(lambda action, first, *_: sqlite3.SQLITE_DENY if first == "s_rest" else sqlite3.SQLITE_OK)
    with pytest.raises(sqlite3.DatabaseError, match="prohibited|not authorized"):
        db.execute("INSERT INTO t VALUES (1001, ?)", (vec(x),))
        nearest(db, x)


def test_insert_or_replace(db, rng):
    """SQLite tells no trigger of the row that goes, unless it is asked to."""
    x = rng.standard_normal((3, DIM))
    db.execute("INSERT OR REPLACE INTO t VALUES (5, ?)", (vec(x[0]),))
    assert nearest(db, x[0]) == [5] and is_in_step(db)
    db.execute("CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT UNIQUE, v BLOB)")
    db.execute("INSERT INTO u SELECT id, 'n' || id, v FROM t")
    db.execute("DROP TABLE s")
    db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = u, column = v, k = 4)")
    db.execute("INSERT OR REPLACE INTO u VALUES (1000, 'n6', ?)", (vec(x[1]),))
    assert 6 not in nearest(db, x[1], ROWS + 1) and len(nearest(db, x[1], ROWS + 1)) == ROWS
    db.execute("INSERT INTO s(s) VALUES ('sync')")
    assert is_in_step(db)
    db.execute("PRAGMA recursive_triggers = ON")
    db.execute("INSERT OR REPLACE INTO u VALUES (1001, 'n7', ?)", (vec(x[2]),))
    assert nearest(db, x[2]) == [1001] and is_in_step(db)


@pytest.mark.parametrize("recursive", ["OFF", "ON"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_beside_triggers_that_change_the_row(rng, when, recursive):
    """SQLite calls triggers of one event in no order that it promises: those that write vectors may come before the index's,
    whose `new` is then of the past."""
    index = "CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4);"
    triggers = """CREATE TRIGGER comes AFTER INSERT ON t WHEN new.v IS NULL BEGIN
        UPDATE t SET v = (SELECT v FROM made WHERE made.id = new.id) WHERE id = new.id; END;
      CREATE TRIGGER changes AFTER UPDATE OF id ON t BEGIN
        UPDATE t SET v = (SELECT v FROM made WHERE made.id = new.id) WHERE id = new.id; END;
      CREATE TRIGGER goes AFTER DELETE ON t WHEN old.id = 8 BEGIN
        INSERT INTO t SELECT 8, v FROM made WHERE id = 1000; END;"""
    db = connect()
    fill(db, rng.standard_normal((ROWS, DIM)))
    x = rng.standard_normal((2, DIM))
    db.execute("CREATE TABLE made(id INTEGER PRIMARY KEY, v)")
    db.executemany("INSERT INTO made VALUES (?, ?)", [(1000, vec(x[0])), (1001, vec(x[1]))])
    db.execute(f"PRAGMA recursive_triggers = {recursive}")
    db.executescript(index + triggers if when == "after" else triggers + index)
    db.execute("INSERT INTO t(id) VALUES (1000)")
    assert is_in_step(db) and nearest(db, x[0]) == [1000]
    db.execute("UPDATE t SET id = 1001, v = NULL WHERE id = 7")
    assert is_in_step(db) and nearest(db, x[1]) == [1001]
    db.execute("DELETE FROM t WHERE id IN (8, 1000)")
    assert is_in_step(db) and nearest(db, x[0]) == [8]


@pytest.mark.parametrize("call", ["SELECT whiten_index_info('s')", "SELECT whiten_index_info('main.s')", "SELECT * FROM whiten_index_recall('s', 10, 10)"])
def test_a_database_that_is_locked(path, db, call):
    """A host that tries again when a database is locked is told that it is, not that there is no index."""
    db.execute("BEGIN EXCLUSIVE")
    other = connect(path)
    other.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(sqlite3.OperationalError, match="^(whiten_index_info: |whiten_index_recall: )?database is locked$"):
        other.execute(call)
    db.execute("COMMIT")
    assert len(other.execute(call).fetchall()) == 1
    other.close()


def test_a_locale_with_a_decimal_comma(tmp_path):
    """Hosts call setlocale; what is a number in SQL stays one. No such locale need be installed: localedef makes it."""
    (tmp_path / "characters").write_text("<code_set_name> UTF-8\n<escape_char> /\nCHARMAP\n<U0000>..<U007F> /x00 ASCII\nEND CHARMAP\n")
    (tmp_path / "source").write_text('LC_NUMERIC\ndecimal_point "<U002C>"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n')
    if shutil.which("localedef") is None:
        pytest.skip("no localedef")
    command = ["localedef", "--no-archive", "-c", "-f", "./characters", "-i", "./source", "./comma"]
    subprocess.run(command, cwd=tmp_path, capture_output=True)
    code = """import locale, sys
sys.path.insert(0, sys.argv[1])
from conftest import connect, fill
import numpy
locale.setlocale(locale.LC_NUMERIC, "comma")
assert locale.localeconv()["decimal_point"] == ","
db = connect()
fill(db, numpy.random.default_rng(1).standard_normal((200, 8)))
db.execute("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 0.5, ridge = .5)")
try:
    db.execute("SELECT whiten_fit(v, '2.5') FROM t")
except Exception as error:
    print(error)"""
    done = subprocess.run([sys.executable, "-c", code, Path(__file__).parents[1]], env={**os.environ, "LOCPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.stderr == "" and "k is TEXT '2.5', expected" in done.stdout and "CAST(? AS REAL)" in done.stdout
