"""What happens to an index when the schema around it changes: ALTER TABLE and DROP of either table, VACUUM, copies, attached
and temp schemas, and the forms a database can have. Afterwards rows are found, and writes followed, as before.
"""

import sqlite3

import numpy
import pytest
from conftest import connect, fill, load_into, one, vec

ROWS, DIM = 1500, 8
ODD = """it's a "b.c" [ü] %s"""


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def make(db, rng, content="d", index="t", more="", schema="main", rows=ROWS):
    fill(db, rng.standard_normal((rows, DIM)), f"{schema}.{quoted(content)}")
    db.execute(
        f"CREATE VIRTUAL TABLE {schema}.{quoted(index)} USING whiten_index(content = {quoted(content)}, column = v, k = 6{more})"
    )
    return db


@pytest.fixture
def db(tmp_path, rng):
    connection = make(connect(tmp_path / "my.db"), rng)
    yield connection
    connection.close()


def check(db, rng, content="d", index="t", column="v", schema="main", key="id"):
    """The index's answer is the exhaustive one, before and after changes."""
    table, name, query = f"{schema}.{quoted(content)}", f"{schema}.{quoted(index)}", vec(rng.standard_normal(DIM))
    model = one(db, f"SELECT model FROM {schema}.{quoted(index + '_config')} WHERE id > 0")
    exact = f"""SELECT {key}, s FROM (SELECT {key}, cosine_sim(whiten_apply(?, "{column}"), whiten_apply(?, ?)) AS s FROM {table})
      WHERE s IS NOT NULL ORDER BY s DESC, {key} LIMIT 5"""
    for changes in (
        (),
        (f"INSERT INTO {table}({quoted(column)}) VALUES ('{list(rng.standard_normal(DIM))}')",
         f"UPDATE {table} SET {quoted(column)} = (SELECT {quoted(column)} FROM {table} ORDER BY {key} DESC LIMIT 1) WHERE {key} % 9 = 1",
         f"DELETE FROM {table} WHERE {key} % 9 = 2"),
    ):  # fmt: skip
        for change in changes:
            db.execute(change)
        db.execute(f"INSERT INTO {name}({quoted(index)}) VALUES ('integrity-check')")
        want = db.execute(exact, (model, model, query)).fetchall()
        assert db.execute(f"SELECT rowid, similarity FROM {name}(?) LIMIT 5", (query,)).fetchall() == want
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def entries(db, schema="main"):
    return {name for (name,) in db.execute(f"SELECT name FROM {schema}.sqlite_schema")}


def run(db, *statements):
    for statement in statements:
        db.execute(statement)


# ---- ALTER TABLE ----


@pytest.mark.parametrize("name", ["u", ODD, "t_config2"])
@pytest.mark.parametrize("legacy", [0, 1])
def test_rename_index(db, rng, name, legacy):
    run(db, f"PRAGMA legacy_alter_table = {legacy}", f"ALTER TABLE t RENAME TO {quoted(name)}")
    check(db, rng, index=name)
    parts = ("_config", "_dir", "_signs", "_rest", "_insert", "_update", "_delete")
    assert entries(db) == {"d", name, *(name + part for part in parts)}
    make(db, rng, "e", "t")  # the old name is free
    check(db, rng, "e")
    run(db, "DROP TABLE t", "DROP TABLE e", f"DROP TABLE {quoted(name)}")
    assert entries(db) == {"d"}


def test_rename_index_rolled_back(db, rng):
    run(db, "BEGIN", "DELETE FROM d WHERE id < 50", "ALTER TABLE t RENAME TO u", "DELETE FROM d WHERE id < 90", "ROLLBACK")
    check(db, rng)
    run(db, "BEGIN", "DELETE FROM d WHERE id < 50", "ALTER TABLE t RENAME TO u", "DELETE FROM d WHERE id < 90", "COMMIT")
    check(db, rng, index="u")


def test_rename_index_without_its_triggers(db, rng):
    run(db, "DROP TRIGGER t_insert", "DROP TRIGGER t_update", "DROP TRIGGER t_delete", "ALTER TABLE t RENAME TO u")
    assert not entries(db) & {"u_insert", "t_insert"}


def test_rename_to_a_name_that_is_taken(db, rng):
    run(db, "CREATE TRIGGER u_update AFTER INSERT ON d BEGIN SELECT 1; END")
    with pytest.raises(sqlite3.OperationalError, match="^t: there is already a 'u_update', expected"):
        run(db, "ALTER TABLE t RENAME TO u")
    check(db, rng)
    run(db, "BEGIN", "DELETE FROM d WHERE id < 50")
    with pytest.raises(sqlite3.OperationalError, match="^t: there is already a 'u_update', expected"):
        run(db, "ALTER TABLE t RENAME TO u")
    check(db, rng)
    run(db, "ROLLBACK")
    check(db, rng)


def test_after_a_rename_that_failed(rng):
    """What had the content open keeps nothing of the names from before."""
    db = make(connect(), rng, more=", triggers = 0", rows=20)
    query = "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]', 20)"
    assert one(db, query) == 20
    run(db, "CREATE TABLE u_rest(a)", "UPDATE d SET v = 'abc' WHERE id = 4")
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="^t: there is already a 'u_rest', expected"):
            run(db, "ALTER TABLE t RENAME TO u")
        with pytest.raises(sqlite3.OperationalError, match="^t: rowid 4: v is not a JSON array"):
            db.execute(query)


@pytest.mark.parametrize("name", ["e", ODD])
@pytest.mark.parametrize("legacy", [0, 1])
def test_rename_content(db, rng, tmp_path, name, legacy):
    run(db, f"PRAGMA legacy_alter_table = {legacy}", f"ALTER TABLE d RENAME TO {quoted(name)}")
    check(db, rng, content=name)
    again = connect(tmp_path / "my.db")
    check(again, rng, content=name)
    again.close()


@pytest.mark.parametrize("name", ["w", ODD, "new.x"])
def test_rename_column(db, rng, tmp_path, name):
    run(db, f"ALTER TABLE d RENAME COLUMN v TO {quoted(name)}", "ALTER TABLE d RENAME COLUMN id TO key")
    if '"' not in name:
        check(db, rng, column=name, key="key")
    again = connect(tmp_path / "my.db")
    run(again, "INSERT INTO t(t) VALUES ('rebuild')", "INSERT INTO t(t) VALUES ('sync')", "DELETE FROM d WHERE key = 7")
    run(again, "INSERT INTO t(t) VALUES ('integrity-check')")
    assert one(again, "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]')") == one(again, "SELECT count(*) FROM d")
    again.close()


def test_renamed_by_another_connection(db, rng, tmp_path):
    other = connect(tmp_path / "my.db")
    check(other, rng)
    run(db, "ALTER TABLE d RENAME TO e", "ALTER TABLE e RENAME COLUMN v TO w", "ALTER TABLE t RENAME TO u")
    check(other, rng, "e", "u", "w")
    check(db, rng, "e", "u", "w")
    other.close()


def test_rename_column_without_triggers(rng):
    """Nothing follows the name, and the old one is not taken for a string."""
    db = make(connect(), rng, more=", triggers = 0")
    run(db, "ALTER TABLE d RENAME COLUMN v TO w")
    for sql in ("SELECT * FROM t('[1,2,3,4,5,6,7,8]') LIMIT 3", "INSERT INTO t(t) VALUES ('sync')", "INSERT INTO t(t) VALUES ('rebuild')"):
        with pytest.raises(sqlite3.OperationalError, match="^t: (no such column: t.v|column is 'v', expected a column of d)$"):
            db.execute(sql)


def test_other_columns(db, rng):
    run(db, "ALTER TABLE d ADD COLUMN lang DEFAULT 'en'")
    check(db, rng)
    run(db, "ALTER TABLE d DROP COLUMN lang")
    check(db, rng)
    with pytest.raises(sqlite3.OperationalError, match="error in trigger t_update after drop column: no such column: old.v"):
        run(db, "ALTER TABLE d DROP COLUMN v")
    run(db, "ALTER TABLE d ADD COLUMN w", "DROP TABLE t", "ALTER TABLE d DROP COLUMN v")


def test_messages_name_what_there_is_now(rng):
    db = make(connect(), rng, more=", build = 0")
    run(db, "ALTER TABLE d RENAME TO e", "ALTER TABLE t RENAME TO u")
    with pytest.raises(sqlite3.OperationalError, match=r"^u: the index is not built, expected rows in 'e' and INSERT INTO u\(u\)"):
        db.execute("SELECT * FROM u('[1]')")
    run(db, "INSERT INTO u(u) VALUES ('build')")
    with pytest.raises(sqlite3.OperationalError, match="^u: the rows of an index are those of its content, expected changes of 'e'$"):
        db.execute("DELETE FROM u WHERE query = '[1,2,3,4,5,6,7,8]'")


def test_two_indexes_on_one_table(db, rng):
    run(db, "CREATE VIRTUAL TABLE u USING whiten_index(content = d, column = v, k = 3)")
    check(db, rng)
    check(db, rng, index="u")
    run(db, "DROP TABLE t")
    check(db, rng, index="u")


# ---- DROP TABLE ----


def test_drop_content_first(db):
    run(db, "DROP TABLE d")
    for sql, message in (
        ("SELECT * FROM t('[1,2,3,4,5,6,7,8]') LIMIT 3", "no such table: main.d"),
        ("INSERT INTO t(t) VALUES ('integrity-check')", "no such table: main.d"),
        ("INSERT INTO t(t) VALUES ('sync')", "no such table: main.d|content is 'd', expected the name of a table"),
        ("INSERT INTO t(t) VALUES ('rebuild')", "no such table: main.d"),
    ):
        with pytest.raises(sqlite3.OperationalError, match=f"^t: ({message})$"):
            db.execute(sql)
    run(db, "DROP TABLE t")
    assert entries(db) == set()


def test_content_made_anew(db, rng):
    """Its triggers went with the old one: the codes are those of rows that are no more, which 'sync' mends."""
    fill(db, rng.standard_normal((50, DIM)), "d")
    with pytest.raises(sqlite3.OperationalError, match="^t: rowid 1: v is not coded as it is"):
        db.execute("INSERT INTO t(t) VALUES ('integrity-check')")
    run(db, "INSERT INTO t(t) VALUES ('sync')", "INSERT INTO t(t) VALUES ('integrity-check')")
    assert one(db, "SELECT count(*) FROM t('[1,2,3,4,5,6,7,8]')") == 50


def test_create_that_fails_leaves_nothing(db):
    before = entries(db)
    run(db, "CREATE TABLE z_rest(a)", "CREATE TRIGGER y_update AFTER INSERT ON d BEGIN SELECT 1; END")
    for index in "zy":
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            db.execute(f"CREATE VIRTUAL TABLE {index} USING whiten_index(content = d, column = v)")
    assert entries(db) == before | {"z_rest", "y_update"}


# ---- copies ----


def test_vacuum(db, rng, tmp_path):
    run(db, "DELETE FROM d WHERE id % 3 = 0", "VACUUM")
    check(db, rng)
    run(db, f"VACUUM INTO '{tmp_path}/copy.db'")
    copy = connect(tmp_path / "copy.db")
    check(copy, rng)
    copy.close()


def test_vacuum_renumbers_rows_without_a_key(rng):
    """As SQLite's manual says of tables without INTEGER PRIMARY KEY."""
    db = connect()
    run(db, "CREATE TABLE d(v)")
    db.executemany("INSERT INTO d(rowid, v) VALUES (?, ?)", ((3 * i, vec(rng.standard_normal(DIM))) for i in range(1, 90)))
    run(db, "CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = 6)")
    check(db, rng, key="rowid")
    run(db, "VACUUM", "INSERT INTO t(t) VALUES ('sync')")
    check(db, rng, key="rowid")


def test_backup(db, rng):
    copy = connect()
    db.backup(copy)
    check(copy, rng)
    copy.close()


def test_dump_and_restore(db, rng, shell, tmp_path):
    """The virtual table comes as a row of sqlite_schema, its shadow tables as any table."""
    run(db, "DELETE FROM d WHERE id < 9")
    dump = shell(".dump", database=tmp_path / "my.db").stdout
    copy = connect(tmp_path / "copy.db")
    copy.executescript(dump)
    copy.close()
    copy = connect(tmp_path / "copy.db")
    check(copy, rng)
    copy.close()


# ---- schemas, encodings, pages ----


@pytest.mark.parametrize("alias", ["other", "my.db", ODD])
def test_attached(rng, alias):
    db = connect()
    db.execute(f"ATTACH ':memory:' AS {quoted(alias)}")
    make(db, rng)
    make(db, rng, schema=quoted(alias), rows=200)
    check(db, rng, schema=quoted(alias))
    check(db, rng)
    run(db, f"ALTER TABLE {quoted(alias)}.t RENAME TO u")
    check(db, rng, index="u", schema=quoted(alias))
    run(db, f"DROP TABLE {quoted(alias)}.u")
    assert entries(db, quoted(alias)) == {"d"}


def test_model_of_the_same_schema(rng):
    db = connect()
    run(db, "ATTACH ':memory:' AS other")
    for schema, dim in (("main", 3), ("other", DIM)):
        ones = ",".join("1" if i % (dim + 1) == 0 else "0" for i in range(dim * dim))
        run(db, f"CREATE TABLE {schema}.whitening(name TEXT PRIMARY KEY, model BLOB)",
            f"INSERT INTO {schema}.whitening VALUES ('m', whiten_import('[{ones}]', '[{','.join('0' * dim)}]'))")  # fmt: skip
    fill(db, rng.standard_normal((20, DIM)), "other.d")
    run(db, "CREATE VIRTUAL TABLE other.t USING whiten_index(content = d, column = v, model = m)")
    check(db, rng, schema="other")


def test_temp_index_on_a_table_of_main(rng):
    db = connect()
    fill(db, rng.standard_normal((ROWS, DIM)), "d")
    run(db, "CREATE VIRTUAL TABLE temp.t USING whiten_index(content = d, column = v, k = 6)")
    query, model = vec(numpy.ones(DIM)), one(db, "SELECT model FROM temp.t_config WHERE id > 0")
    for change in ("SELECT 1", "DELETE FROM d WHERE id % 2", "UPDATE d SET v = (SELECT v FROM d WHERE id = 2) WHERE id = 4"):
        db.execute(change)
        run(db, "INSERT INTO t(t) VALUES ('integrity-check')")
        best = one(db, "SELECT max(cosine_sim(whiten_apply(?, v), whiten_apply(?, ?))) FROM d", model, model, query)
        assert one(db, "SELECT similarity FROM t(?, 1)", query) == best
    run(db, "DROP TABLE t")
    assert entries(db, "temp") == set() and entries(db) == {"d"}


@pytest.mark.parametrize(
    "pragma",
    ["encoding = 'UTF-16le'", "encoding = 'UTF-16be'", "page_size = 512", "page_size = 65536", "auto_vacuum = full",
     "auto_vacuum = incremental", "journal_mode = wal", "journal_mode = off", "secure_delete = on", "recursive_triggers = on", "foreign_keys = on",
     "reverse_unordered_selects = on", "full_column_names = on", "count_changes = on", "trusted_schema = off"],
)  # fmt: skip
def test_forms_of_databases(rng, tmp_path, pragma):
    db = connect(tmp_path / "my.db")
    run(db, f"PRAGMA {pragma}")
    make(db, rng, ODD, ODD + "i")
    check(db, rng, ODD, ODD + "i")
    run(db, f"DELETE FROM {quoted(ODD)} WHERE id > 100", "PRAGMA incremental_vacuum")
    db.close()
    db = connect(tmp_path / "my.db")
    check(db, rng, ODD, ODD + "i")
    db.close()


@pytest.mark.parametrize("name", ["select", "table", "a b", 'a"b', "a'b", "a.b", "main.d", "ü", "%w%s%d", "_rowid_", "1", "a]b", "`"])
def test_names(rng, name):
    """Tables, columns and indexes of any name."""
    db = connect()
    q = quoted(name)
    run(db, f"CREATE TABLE {q}({q})", f"CREATE TABLE d({q})")
    for table in (q, "d"):
        rows = ((vec(rng.standard_normal(DIM)),) for _ in range(50))
        db.executemany(f"INSERT INTO {table} VALUES (?)", rows)
    run(db, f"CREATE VIRTUAL TABLE {quoted(name + name)} USING whiten_index(content = {q}, column = {q}, k = 3)",
        "CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = " + q + ", k = 3)")  # fmt: skip
    for table, index in ((q, name + name), ("d", "t")):
        query = one(db, f"SELECT {q} FROM {table} WHERE rowid = 7")
        run(db, f"DELETE FROM {table} WHERE rowid > 40", f"UPDATE {table} SET {q} = NULL WHERE rowid = 3",
            f"INSERT INTO {quoted(index)}({quoted(index)}) VALUES ('integrity-check')")  # fmt: skip
        assert one(db, f"SELECT rowid FROM {quoted(index)} WHERE {quoted(index)} MATCH ? LIMIT 1", query) == 7


def test_judged_while_another_connection_changes_the_schema(db, rng, tmp_path):
    """SQLite closes an index when a statement finds a new schema, unless one is there that names it: no matter whose statement
    that is, the functions go on with what they have, or with the index that is opened in its place."""
    other = sqlite3.connect(tmp_path / "my.db", isolation_level=None, cached_statements=0)
    load_into(other)
    check(other, rng)
    for i in range(5):
        rows = one(db, "SELECT count(*) FROM d")
        run(db, f"CREATE TABLE x{i}(a)")
        assert one(other, "SELECT whiten_index_info('t') ->> 'rows'") == rows
        run(db, f"CREATE TABLE y{i}(a)")
        assert one(other, "SELECT queries FROM whiten_index_recall('main.t', 3, 5)") == 3
    run(other, "BEGIN", "DELETE FROM d WHERE id % 9 = 3", "ALTER TABLE x0 RENAME TO v0")
    assert one(other, "SELECT whiten_index_info('t') ->> 'rows'") == one(other, "SELECT count(*) FROM d")
    other.close()
