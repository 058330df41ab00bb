"""Limits and malice: sizes at the edge, lowered limits, memory that stays bounded, hostile names, schemas that are not
trusted, authorizers, read-only databases, and calls that must stop when they are told to.

Expected numbers come from numpy or from the limit itself. WHITEN_LONG=1 runs the long forms too.
"""

import ctypes
import ctypes.util
import os
import sqlite3
import struct
import threading

import numpy
import pytest
from conftest import connect, fill, load_into, one, run_shell, unvec, vec

DIM_MAX = 16384
LONG = bool(os.environ.get("WHITEN_LONG"))


def fails(db, sql, *args, match, error=sqlite3.Error):
    with pytest.raises(error, match=match):
        db.execute(sql, args).fetchall()
    assert db.execute("SELECT embedding_dim('[1,2,3]')").fetchone() == (3,)  # still in use


@pytest.fixture
def white(db, rng):
    """A table t(id, v) of 200 rows in 6 dimensions, and its model with k = 2."""
    db.x = rng.normal(size=(200, 6)).astype("<f4")
    fill(db, db.x)
    db.model = one(db, "SELECT whiten_fit(v, 2) FROM t")
    return db


class Connection(sqlite3.Connection):
    """One that takes attributes."""


@pytest.fixture
def db():
    connection = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    load_into(connection)
    yield connection
    connection.close()


def rows_of(db, name, column="v"):
    return db.execute("SELECT rowid, vector FROM whiten_rows(?, ?, ?)", (db.model, name, column)).fetchall()


# ---- sizes ----


@pytest.mark.parametrize("offset", [32, 36, 40])
@pytest.mark.parametrize("value", [1 << 31, (1 << 32) - 1, 0, DIM_MAX + 1])
def test_model_of_absurd_dimensions(white, offset, value):
    """d, k or m of the header: refused before anything is computed from it, let alone allocated."""
    forged = bytearray(white.model)
    forged[offset : offset + 4] = struct.pack("<I", value)
    for sql in [
        "SELECT whiten_apply(?1, '[1]')", "SELECT whiten_inverse(?1, '[1]')", "SELECT whiten_info(?1)",
        "SELECT whiten_kernel(?1)", "SELECT * FROM whiten_spectrum(?1)", "SELECT * FROM whiten_rows(?1, 't', 'v')",
    ]:  # fmt: skip
        fails(white, sql, bytes(forged), match="model is (damaged|truncated)")


@pytest.mark.parametrize("claimed", [0, 1, 1 << 31, 1 << 62, (1 << 64) - 1])
def test_model_of_absurd_size(white, claimed):
    forged = white.model[:16] + struct.pack("<Q", claimed) + white.model[24:]
    fails(white, "SELECT whiten_info(?)", forged, match="model is (damaged|truncated): it has")


def test_stats_of_absurd_dimensions(white):
    stats = bytearray(one(white, "SELECT whiten_stats(v) FROM t"))
    for value in [1 << 31, (1 << 32) - 1, 0, 7]:
        stats[32:36] = struct.pack("<I", value)
        fails(white, "SELECT whiten_solve(?)", bytes(stats), match="stats is (damaged|truncated)")
        fails(white, "SELECT whiten_merge(?)", bytes(stats), match="stats is (damaged|truncated)")


def test_largest_vectors(db, rng):
    x = rng.normal(size=(3, DIM_MAX)).astype("<f4")
    fill(db, x)
    wide = x.astype(float)
    mean = unvec(one(db, "SELECT pool_mean(v) FROM t"))
    assert numpy.allclose(mean, wide.mean(0), rtol=1e-6, atol=1e-7)
    cosine = wide[0] @ wide[1] / numpy.linalg.norm(wide[0]) / numpy.linalg.norm(wide[1])
    assert one(db, "SELECT cosine_sim(a.v, b.v) FROM t AS a, t AS b WHERE a.id = 1 AND b.id = 2") == pytest.approx(
        cosine, abs=1e-6
    )
    assert one(db, "SELECT embedding(embedding_as(v, 'json')) = v FROM t WHERE id = 1") == 1
    assert one(db, "SELECT embedding_dim(v) FROM t LIMIT 1") == DIM_MAX
    assert db.execute("SELECT rowid FROM cosine_topk('t', 'v', ?, 1)", (vec(x[2]),)).fetchall() == [(3,)]
    assert len(db.execute("SELECT * FROM cosine_join('t', 'v', 't', 'v', 3)").fetchall()) == 9
    tokens = one(db, "SELECT pool_tokens(?, ?, 'max')", vec(x), DIM_MAX)
    assert numpy.array_equal(unvec(tokens), x.max(0))
    for sql in ["SELECT pool_mean(?1)", "SELECT embedding(?1)", "SELECT cosine_sim(?1, ?1)", "SELECT whiten_fit(?1)"]:
        fails(db, sql, vec(numpy.ones(DIM_MAX + 1)), match=f"has {DIM_MAX + 1} elements, expected 1 to {DIM_MAX}")
    fails(db, "SELECT embedding(?)", "[" + "1," * DIM_MAX + "1]", match="more than 16384 elements")


def test_wide_model(db, rng):
    """d = 16384, k = 3, from arrays: apply, inverse, rows."""
    kernel = rng.normal(size=(DIM_MAX, 3)).astype("<f4")
    bias = rng.normal(size=DIM_MAX).astype("<f4")
    x = rng.normal(size=(5, DIM_MAX)).astype("<f4")
    db.model = one(db, "SELECT whiten_import(?, ?)", vec(kernel), vec(bias))
    fill(db, x)
    expected = (x.astype(float) + bias) @ kernel.astype(float)
    found = [unvec(v) for _, v in rows_of(db, "t")]
    assert numpy.allclose(found, expected, atol=1e-2)
    assert len(one(db, "SELECT whiten_inverse(?, '[1,2,3]')", db.model)) == 4 * DIM_MAX


def test_fit_of_the_widest():
    """SQLite allocates no block of 2 GB, which 16384 dimensions would take: an error that says so. Below it, the heap
    limit decides: 8000 dimensions take 512 MB, under 200 MB that is out of memory; and the shell goes on."""
    sql = (
        "PRAGMA hard_heap_limit = 200000000;\n.bail off\n"
        "CREATE TABLE t AS SELECT zeroblob(4 * 16384) AS v UNION ALL SELECT zeroblob(4 * 16384);\n"
        "SELECT whiten_fit(v) FROM t;\n"
        "SELECT whiten_fit(embedding_truncate(v, 8000)) FROM t;\n"
        "SELECT embedding_dim(pool_mean(v)) FROM t;\n"
    )
    done = run_shell(sql)
    assert done.stdout.split() == ["200000000", str(DIM_MAX)]
    assert "v has 16384 elements, expected 1 to 16383" in done.stderr
    assert "out of memory" in done.stderr


def test_all_components(db, rng):
    """k = d, and the kernel's last column is there."""
    x = rng.normal(size=(300, 48)).astype("<f4")
    fill(db, x)
    model = one(db, "SELECT whiten_fit(v, 48) FROM t")
    y = numpy.array([unvec(v) for (v,) in db.execute("SELECT whiten_apply(?, v) FROM t", (model,))], dtype=float)
    assert numpy.allclose(numpy.cov(y.T), numpy.eye(48), atol=1e-4)
    fails(db, "SELECT whiten_fit(v, 49) FROM t", match="k is 49, expected 1 to 48")


# ---- lowered limits ----


def test_length_limit(white):
    """SQLITE_LIMIT_LENGTH: what is longer is an error of SQLite's, and the next statement works."""
    white.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
    for sql in [
        "SELECT embedding_as(embedding('[" + "1.5," * 200 + "1]'), 'f64')",
        "SELECT length(whiten_fit(v)) FROM (SELECT embedding('[" + "1," * 99 + "' || id || ']') AS v FROM t)",
    ]:
        fails(white, sql, match="too big", error=(sqlite3.DataError, sqlite3.OperationalError))
    assert len(rows_of(white, "t")) == 200
    white.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000_000)


@pytest.mark.parametrize("limit", [3_000_000, 1_200_000, 900_000])
def test_hard_heap_limit(limit):
    """Below what is needed: out of memory, or the answer; the connection goes on. The limit is the process's: a shell."""
    sql = (
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);\n"
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)\n"
        "INSERT INTO t SELECT i, embedding('[' || substr(replace(hex(zeroblob(200)), '00', ',' || i), 2) || ']') FROM n;\n"
        f"PRAGMA hard_heap_limit = {limit};\n"
        ".bail off\n"
        "SELECT length(whiten_fit(v)) FROM t;\n"
        "SELECT count(*) FROM whiten_rows((SELECT whiten_fit(v, 1) FROM t), 't', 'v');\n"
        "SELECT count(*) FROM cosine_join('t', 'v', 't', 'v', 9);\n"
        "SELECT 'end', embedding_dim('[1,2,3]');\n"
    )
    done = run_shell(sql)
    assert done.stdout.rstrip().endswith("end|3"), done.stderr
    assert "memory" in done.stderr or done.stderr == ""
    if limit < 1_000_000:
        assert "out of memory" in done.stderr


class Memory:
    """SQLite's own count of its memory: Python's sqlite3 uses the same library."""

    def __init__(self):
        self.library = ctypes.CDLL(ctypes.util.find_library("sqlite3") or "libsqlite3.so.0")
        self.library.sqlite3_memory_highwater.restype = ctypes.c_int64
        self.library.sqlite3_memory_used.restype = ctypes.c_int64

    def growth(self, run):
        before = self.library.sqlite3_memory_used()
        self.library.sqlite3_memory_highwater(1)
        run()
        return self.library.sqlite3_memory_highwater(0) - before


@pytest.mark.parametrize(
    "call, limit",
    [("pool_mean(v)", 20_000), ("pool_max(v)", 20_000), ("mean_cosine(v)", 20_000),
     ("whiten_stats(v)", 1_000_000),
     ("whiten_pair_stats(v, v)", 1_000_000), ("whiten_fit(v, 2)", 1_000_000), ("isotropy(v)", 1_000_000)],
)  # fmt: skip
def test_bounded_memory(db, call, limit):
    """One group of many rows takes no more memory than one of few: a block of rows and d^2 numbers."""
    memory = Memory()
    if memory.library.sqlite3_memory_used() == 0:
        pytest.skip("SQLite does not count its memory, or Python's is another one")
    rows = 1_000_000 if LONG else 50_000
    sql = (
        f"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT {call} FROM "
        "(SELECT CASE i % 3 WHEN 0 THEN ?1 WHEN 1 THEN ?2 ELSE ?3 END AS v FROM n)"
    )
    vectors = [vec(numpy.roll(numpy.arange(16.0) ** 2, i)) for i in (0, 3, 7)]
    growth = memory.growth(lambda: db.execute(sql, vectors).fetchone())
    assert 0 < growth < limit + 200_000  # SQLite's own


def test_pairs_take_what_they_hold(db):
    """spearman keeps its pairs, 16 bytes each, doubling: no more than 3 times that."""
    memory = Memory()
    if memory.library.sqlite3_memory_used() == 0:
        pytest.skip("SQLite does not count its memory, or Python's is another one")
    sql = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT spearman(i, -i) FROM n"
    growth = memory.growth(lambda: db.execute(sql).fetchone())
    assert 1_600_000 < growth < 4_800_000 + 200_000


# ---- names ----

NAMES = [
    "plain", "with space", "with.point", "main.t2", "it's", 'double "quotes"', "semi; DROP TABLE victim; --", "ünïcödé 表 🙂",
    "[bracket]", "`tick`", "select", "123", '"; DELETE FROM victim; --', "' OR '1'='1", "%s %n %w", "a\nb", " ", "t'); --",
]  # fmt: skip


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schema", ["main", "temp", "att.ached"])
def test_names(white, schema, name):
    """Any name of a table or column, in any schema: found, quoted, and nothing else is done."""
    white.execute("ATTACH ':memory:' AS \"att.ached\"")
    white.execute("CREATE TABLE victim(v)")
    white.execute("INSERT INTO victim VALUES (1)")
    white.execute(f"CREATE TABLE {quoted(schema)}.{quoted(name)}(id INTEGER PRIMARY KEY, {quoted(name)} BLOB)")
    white.execute(f"INSERT INTO {quoted(schema)}.{quoted(name)} SELECT id, v FROM t WHERE id <= 3")
    expected = rows_of(white, "t")[:3]
    names = [name]
    if schema != "att.ached":  # a point in the schema's own name: only the bare name finds it
        names.append(f"{schema}.{name}")
    for found in names:
        assert rows_of(white, found, name) == expected
        query = vec(white.x[1])
        best = white.execute("SELECT rowid FROM cosine_topk(?, ?, ?, 1)", (found, name, query)).fetchall()
        assert best == [(2,)]
        pairs = white.execute("SELECT query_rowid, rowid FROM cosine_join(?1, ?2, 't', 'v', 1)", (found, name)).fetchall()
        assert pairs[:3] == [(1, 1), (2, 2), (3, 3)]
    assert one(white, "SELECT count(*) FROM victim") == 1


def test_names_that_are_not_there(white):
    for table, column in [
        ("nowhere", "v"), ("t", "nowhere"), ("t.v", "v"), ("", "v"), ("t", ""), ("main.", "v"), (".t", "v"),
        ("t; SELECT 1", "v"), ("t", "v FROM t; --"), ("t", 'v", "id'), ('t"', "v"), ("nope.t", "v"), ("t AS u", "v"),
        ("(SELECT 1)", "v"), ("t", "max(v)"), ("t", "*"),
    ]:  # fmt: skip
        fails(white, "SELECT * FROM whiten_rows(?, ?, ?)", white.model, table, column, match="whiten_rows: ")
        fails(white, "SELECT * FROM cosine_topk(?, ?, '[1,2,3,4,5,6]', 3)", table, column, match="cosine_topk: ")
        fails(white, "SELECT * FROM cosine_join('t', 'v', ?, ?, 3)", table, column, match="cosine_join: ")


def test_temp_shadows_main(white):
    white.execute("CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    white.execute("INSERT INTO temp.t SELECT id, v FROM main.t WHERE id = 7")
    assert [rowid for rowid, _ in rows_of(white, "t")] == [7]
    assert len(rows_of(white, "main.t")) == 200


def test_kinds_of_tables(white):
    expected = rows_of(white, "t")
    white.execute("CREATE VIEW seen AS SELECT * FROM t")
    white.execute("CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID")
    white.execute("CREATE TABLE taken(rowid, _rowid_, oid, v)")
    white.execute("INSERT INTO taken SELECT NULL, id, id, v FROM t")
    white.execute("CREATE TABLE own(rowid, v)")
    white.execute("INSERT INTO own SELECT 'x' || id, v FROM t")
    white.execute("CREATE VIRTUAL TABLE words USING fts5(v)")
    white.execute("INSERT INTO words(rowid, v) SELECT id, embedding_as(v, 'json') FROM t WHERE id < 4")
    white.execute("CREATE TABLE made(id INTEGER PRIMARY KEY, u, v AS (embedding_normalize(u)))")
    white.execute("INSERT INTO made(id, u) SELECT id, v FROM t WHERE id < 4")
    for name, match in [("seen", "view"), ("keyed", "WITHOUT ROWID"), ("own", "is TEXT"), ("taken", "is NULL")]:
        fails(white, "SELECT * FROM whiten_rows(?, ?, 'v')", white.model, name, match=match)
        fails(white, "SELECT * FROM cosine_topk(?, 'v', '[1,2,3,4,5,6]', 2)", name, match=match)
        fails(white, "SELECT * FROM cosine_join('t', 'v', ?, 'v', 2)", name, match=match)
    assert rows_of(white, "words") == expected[:3]
    normal = white.x[:3] / numpy.linalg.norm(white.x[:3].astype(float), axis=1, keepdims=True)
    white.execute("CREATE TABLE n(v)")
    white.executemany("INSERT INTO n VALUES (?)", [(vec(row),) for row in normal])
    made = numpy.array([unvec(v) for _, v in rows_of(white, "made")])
    assert numpy.allclose(made, [unvec(v) for _, v in rows_of(white, "n")], atol=1e-5)


@pytest.mark.parametrize("call", ["whiten_rows(?1, 't', 'v')", "whiten_rows(?1, 'main.t', 'v')"])
def test_insert_into_the_table_that_is_read(white, call):
    """Every row that was there comes once; what is inserted at the end is not read."""
    expected = [v for _, v in rows_of(white, "t")]
    white.execute(f"INSERT INTO t(v) SELECT vector FROM {call}", (white.model,))
    added = [v for (v,) in white.execute("SELECT v FROM t WHERE id > 200 ORDER BY id")]
    assert added == expected


def test_insert_between_the_rows_that_are_read(white):
    """Rows squeezed in before the largest rowid: the statement ends, and the rows that were there come once each."""
    white.execute("CREATE TABLE gaps(id INTEGER PRIMARY KEY, v BLOB, source)")
    white.execute("INSERT INTO gaps SELECT id * 10, v, NULL FROM t")
    identity = one(white, "SELECT whiten_import(?, ?)", vec(numpy.eye(6)), vec(numpy.zeros(6)))
    white.execute(
        "INSERT OR IGNORE INTO gaps SELECT rowid + 1, vector, rowid FROM whiten_rows(?, 'gaps', 'v')", (identity,)
    )
    added = [s for (s,) in white.execute("SELECT source FROM gaps WHERE source % 10 = 0 ORDER BY source")]
    assert added == [10 * i for i in range(1, 201)]


def test_update_of_the_table_that_is_read(white):
    expected = rows_of(white, "t")
    white.execute("REPLACE INTO t SELECT rowid, vector FROM whiten_rows(?, 't', 'v')", (white.model,))
    assert white.execute("SELECT id, v FROM t ORDER BY id").fetchall() == expected


# ---- schemas that are not trusted ----


def test_untrusted_schema(tmp_path, rng):
    """Scalars and aggregates are innocuous: index, generated column, CHECK, view, trigger work with trusted_schema off."""
    path = tmp_path / "w.db"
    db = connect(path)
    db.execute("PRAGMA trusted_schema = OFF")
    db.execute(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB CHECK (embedding_dim(v) = 3), norm AS (embedding_norm(v)),"
        " unit AS (embedding_normalize(v)) STORED)"
    )
    db.execute("CREATE INDEX by_norm ON t(embedding_norm(v))")
    db.execute("CREATE INDEX by_cosine ON t(cosine_sim(v, x'0000803f0000803f0000803f'))")
    db.execute("CREATE VIEW pooled AS SELECT pool_mean(v) AS v, mean_cosine(v) AS c, whiten_fit(v, 1) AS m FROM t")
    db.execute("CREATE TABLE log(dim, model)")
    db.execute(
        "CREATE TRIGGER note AFTER INSERT ON t BEGIN INSERT INTO log VALUES (embedding_dim(NEW.v),"
        " (SELECT embedding_dim(whiten_bias(m)) FROM pooled WHERE NEW.id > 2)); END"
    )
    x = rng.normal(size=(5, 3)).astype("<f4")
    db.executemany("INSERT INTO t(v) VALUES (?)", [(vec(row),) for row in x])
    norms = [n for (n,) in db.execute("SELECT norm FROM t ORDER BY id")]
    assert numpy.allclose(norms, numpy.linalg.norm(x.astype(float), axis=1))
    assert db.execute("SELECT dim, model FROM log").fetchall() == [(3, None)] * 2 + [(3, 3)] * 3
    assert numpy.allclose(unvec(one(db, "SELECT v FROM pooled")), x.mean(0), atol=1e-6)
    with pytest.raises(sqlite3.IntegrityError):
        db.execute("INSERT INTO t(v) VALUES ('[1,2]')")
    assert one(db, "PRAGMA integrity_check") == "ok"
    db.close()


@pytest.mark.parametrize("trusted", ["ON", "OFF"])
@pytest.mark.parametrize(
    "call", ["whiten_rows((SELECT whiten_fit(v) FROM t), 't', 'v')", "cosine_topk('t', 'v', '[1,2,3,4,5,6]', 2)",
             "cosine_join('t', 'v', 't', 'v', 2)"],
)  # fmt: skip
def test_tables_by_name_stay_out_of_schemas(white, call, trusted):
    """What reads a table by its name is for top-level SQL alone: a hostile database cannot make it read."""
    white.execute(f"PRAGMA trusted_schema = {trusted}")
    white.execute("CREATE TABLE log(n)")
    white.execute(f"CREATE VIEW spy AS SELECT * FROM {call}")
    white.execute(f"CREATE TRIGGER peek AFTER INSERT ON log BEGIN SELECT count(*) FROM {call}; END")
    fails(white, "SELECT * FROM spy", match="unsafe use")
    fails(white, "INSERT INTO log VALUES (1)", match="unsafe use")
    white.execute("DROP VIEW spy")
    assert one(white, f"SELECT count(*) FROM {call}") > 0


def test_defensive():
    sql = (
        ".dbconfig defensive on\n.dbconfig trusted_schema off\n"
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v);\n"
        "INSERT INTO t(v) SELECT embedding(value) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1]]');\n"
        "SELECT count(*) FROM whiten_rows((SELECT whiten_fit(v) FROM t), 't', 'v');\n"
        "SELECT count(*) FROM cosine_join('t', 'v', 't', 'v', 1);\n"
        "SELECT rowid FROM cosine_topk('t', 'v', '[-1,3]', 1);\n"
    )
    done = run_shell(sql)
    assert done.returncode == 0 and done.stdout.split()[-3:] == ["4", "4", "3"], done.stderr


# ---- authorizers and read-only databases ----


def test_authorizer_that_denies(white):
    """A denied table or column stays unread through the functions that take its name."""
    calls = [
        ("SELECT * FROM whiten_rows(?1, 't', 'v')", "whiten_rows: "),
        ("SELECT * FROM whiten_rows(?1, 'main.t', 'v')", "whiten_rows: "),
        ("SELECT * FROM cosine_topk('t', 'v', '[1,2,3,4,5,6]', 2), (SELECT ?1)", "cosine_topk: "),
        ("SELECT * FROM cosine_join('t', 'v', 't', 'v', 2), (SELECT ?1)", "cosine_join: "),
    ]  # fmt: skip
    white.set_authorizer(
        lambda action, a, b, schema, trigger: sqlite3.SQLITE_DENY
        if action == sqlite3.SQLITE_READ and a == "t"
        else sqlite3.SQLITE_OK
    )
    for sql, name in calls:
        fails(white, sql, white.model, match=name + "(access to|not authorized)", error=sqlite3.DatabaseError)
    white.set_authorizer(None)
    assert len(rows_of(white, "t")) == 200


def test_authorizer_that_ignores(white):
    """SQLITE_IGNORE makes a column NULL: its rows come without a vector, and no similarity is seen."""
    white.set_authorizer(
        lambda action, a, b, schema, trigger: sqlite3.SQLITE_IGNORE
        if action == sqlite3.SQLITE_READ and (a, b) == ("t", "v")
        else sqlite3.SQLITE_OK
    )
    assert rows_of(white, "t") == [(i, None) for i in range(1, 201)]
    assert white.execute("SELECT * FROM cosine_topk('t', 'v', '[1,2,3,4,5,6]', 2)").fetchall() == []
    assert white.execute("SELECT * FROM cosine_join('t', 'v', 't', 'v', 2)").fetchall() == []
    white.set_authorizer(None)


def test_read_only_database(tmp_path, rng):
    path = tmp_path / "w.db"
    db = connect(path)
    x = rng.normal(size=(50, 4)).astype("<f4")
    fill(db, x)
    db.close()
    before = path.read_bytes()
    for uri in [f"file:{path}?mode=ro", f"file:{path}?immutable=1"]:
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
        load_into(db)
        model = one(db, "SELECT whiten_fit(v, 2) FROM t")
        assert len(db.execute("SELECT * FROM whiten_rows(?, 't', 'v')", (model,)).fetchall()) == 50
        assert len(db.execute("SELECT * FROM cosine_topk('t', 'v', '[1,2,3,4]', 5)").fetchall()) == 5
        assert len(db.execute("SELECT * FROM cosine_join('t', 'v', 't', 'v', 1)").fetchall()) == 50
        fails(db, "UPDATE t SET v = whiten_apply(?, v)", model, match="readonly")
        db.close()
    assert path.read_bytes() == before


# ---- stopping ----

ENDLESS = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, ?1 AS v, i % 7 AS w FROM n)"
CALLS = [
    *(f"SELECT {call} FROM {ENDLESS}" for call in [
        "whiten_fit(v)", "whiten_stats(v, w)", "whiten_pair_stats(v, v, w)", "pool_mean(v)", "pool_position_mean(v, i)", "pool_max(v)",
        "pool_mean_sqrt_len(v)", "pool_cls(v, i)", "pool_last(v, i)", "mean_cosine(v)", "isotropy(v)", "spearman(i, w)",
        "pearson(i, w)", "max(cosine_sim(v, v))", "max(embedding_as(v, 'json'))", "max(embedding(embedding_as(v, 'f16'), 'f16'))",
    ]),
    f"SELECT max(x) FROM (SELECT pool_mean(v) OVER (ORDER BY i ROWS 5 PRECEDING) AS x FROM {ENDLESS})",
    f"SELECT whiten_merge(s) FROM (SELECT whiten_stats(?1) AS s), {ENDLESS}",
    f"SELECT count(vector) FROM {ENDLESS}, whiten_rows((SELECT whiten_fit(v, 2) FROM t), 't', 'v')",
    f"SELECT max(similarity) FROM {ENDLESS} AS e, cosine_topk('t', 'v', e.v, 3)",
    f"SELECT max(similarity) FROM {ENDLESS} AS e, cosine_join('t', 'v', 't', 'v', 1 + e.i % 3)",
    f"SELECT max(cumulative) FROM {ENDLESS}, whiten_spectrum((SELECT whiten_fit(v, 2) FROM t))",
]  # fmt: skip


@pytest.mark.parametrize("sql", CALLS, ids=lambda sql: sql.split("FROM")[0].split("SELECT ")[-1][:30].strip())
def test_interrupt(white, sql):
    """sqlite3_interrupt from another thread ends what would never end. It is asked for again and again: a call before
    the statement runs has no effect."""
    ended = threading.Event()

    def stop():
        while not ended.wait(0.05):
            white.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            white.execute(sql, (vec(white.x[0]),)).fetchall()
    finally:
        ended.set()
        thread.join()
    assert one(white, "SELECT count(*) FROM t") == 200


@pytest.mark.parametrize(
    "sql", ["SELECT count(vector) FROM whiten_rows(?1, 'long', 'v')", "SELECT count(*) FROM cosine_topk('long', 'v', ?2, 3)",
            "SELECT count(*) FROM cosine_join('long', 'v', 't', 'v', 3)", "SELECT count(*) FROM cosine_join('t', 'v', 'long', 'v', 3)",
            "SELECT length(whiten_fit(v)) FROM long"],
)  # fmt: skip
def test_progress_handler(white, sql):
    """A progress handler that says stop is asked no more: inside of one call that reads a table, too."""
    white.execute("CREATE TABLE long AS SELECT a.v FROM t AS a, t AS b WHERE b.id <= 20")
    arguments = (white.model, vec(white.x[0])) if "?2" in sql else (white.model,) if "?1" in sql else ()
    if "?2" in sql:
        sql = sql.replace("?2", "?1")
        arguments = arguments[1:]
    calls = []
    white.set_progress_handler(lambda: calls.append(1) and 0, 100)
    white.execute(sql, arguments).fetchall()
    undisturbed = len(calls)
    assert undisturbed > 50
    calls.clear()
    white.set_progress_handler(lambda: calls.append(1) or len(calls) >= 10, 100)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        white.execute(sql, arguments).fetchall()
    white.set_progress_handler(None, 0)
    assert 10 <= len(calls) <= 12  # SQLite asks once more when it leaves a statement
    assert one(white, "SELECT count(*) FROM long") == 4000
