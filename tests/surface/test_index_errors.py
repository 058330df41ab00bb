"""What whiten_index refuses, and in which words: arguments of CREATE VIRTUAL TABLE, contents, queries, commands, rows. A CREATE
that fails leaves nothing behind.
"""

import sqlite3

import numpy
import pytest
from conftest import connect, fill, one, vec

DIM = 6
C = "content = d, column = v"
OPTION = r"an option of whiten_fit: method, ridge, power, remove, normalize, precision$"
K = "expected a positive integer, or a share of the variance between 0 and 1$"

CREATES = [
    ("", "^t: content is missing, expected content = the table, column = its column of vectors$"),
    ("content = d", "^t: column is missing, expected content"),
    ("column = v", "^t: content is missing, expected content"),
    (f"{C}, colour = red", f"^t: there is no argument 'colour', expected content, column, model, k, triggers, build, recall, or {OPTION}"),
    (f"{C}, options = '{{}}'", "^t: there is no argument 'options'"),
    (f"{C}, inverse = 1", "^t: there is no argument 'inverse'"),
    (f"{C}, k", f"^t: an argument is 'k', expected name = value: content, .*{OPTION}"),
    ("content = d column = v", "^t: column is missing"),
    (f"{C}, k = 3, k = 4", "^t: k is given twice, expected it once$"),
    (f"{C}, K = 3, k = 4", "^t: k is given twice"),
    (f"{C}, 'k' = 3, [k] = 4", "^t: k is given twice"),
    (f'{C}, "RIDGE" = 3, `ridge`= 4', "^t: ridge is given twice"),
    (f"{C}, content = d", "^t: content is given twice"),
    *[(f"{C}, k = {k}", f"^t: k is '{text}', {K}") for k, text in (
        ("0", "0"), ("-1", "-1"), ("'abc'", "abc"), ("", ""), ("NULL", "NULL"), ("nan", "nan"), ("inf", "inf"), ("0x2", "0x2"), ("3 4", "3 4"),
        ("= 3", "= 3"), ("(3)", r"\(3\)"), ("1+1", r"1\+1"), ("1; DROP TABLE d", "1; DROP TABLE d"))],
    (f"{C}, k = 7", r"^t: whiten_fit: .*k is 7, expected 1 to 6 \(the dimensions\)"),
    (f"{C}, k = 1.5", r"^t: whiten_fit: .*k is 1.5, expected an INTEGER 1 to 6, or a share"),
    (f"{C}, model = m, k = 3", "^t: model is 'm' and k is given, expected one or the other: a model has its own$"),
    (f"{C}, model = m, ridge = 1", "^t: model is 'm' and an option of whiten_fit is given, expected one or the other"),
    (f"{C}, model = nobody", "^t: model is 'nobody', expected the name of a row of the table whitening$"),
    (f"{C}, model = text", "^t: model 'text' is not a BLOB, expected a model of whiten_fit$"),
    (f"{C}, model = none", "^t: model 'none' is not a BLOB"),
    (f"{C}, model = foreign", "^t: model is a foreign BLOB of 2 bytes, expected one made by whiten_fit, whiten_solve, whiten_align or whiten_import$"),
    (f"{C}, model = small", "^t: rowid 1: v has 6 elements, expected 2$"),
    (f"{C}, triggers = 2", "^t: triggers is '2', expected 0 or 1$"),
    (f"{C}, build = no", "^t: build is 'no', expected 0 or 1$"),
    (f"{C}, recall = slow", "^t: recall is 'slow', expected 'fast', 'default', 'safe' or 'exact'$"),
    (f"{C}, ridge = -1", "^t: whiten_fit: .*options.ridge is -1, expected a number >= 0"),
    (f"{C}, ridge = much", '^t: whiten_fit: .*options.ridge is "much", expected a number >= 0'),
    (f"{C}, ridge = 'a;b'", "^t: ridge is 'a;b', expected what whiten_fit takes for it$"),
    (f"{C}, method = ica", '^t: whiten_fit: .*options.method is "ica", expected "pca"'),
    (f"{C}, method = cholesky, k = 3", "^t: whiten_fit: .*method is cholesky with k, power or remove, expected none of them"),
    (f"{C}, normalize = 2", "^t: whiten_fit: .*options.normalize is 2, expected true or false$"),
    ("content = nothing, column = v", "^t: content is 'nothing', expected a table of the schema main$"),
    ("content = main.d, column = v", "^t: content is 'main.d', expected a table of the schema main$"),
    ("content = '', column = v", "^t: content is '', expected a table of the schema main$"),
    ("content = sqlite_schema, column = name", "^t: content is 'sqlite_schema', expected a table of the schema main$"),
    ("content = seen, column = v", "^t: content is 'seen', a view, expected an ordinary table$"),
    ("content = words, column = v", "^t: content is 'words', a virtual table, expected an ordinary table$"),
    ("content = words_content, column = c0", "^t: content is 'words_content', a shadow table, expected an ordinary table$"),
    ("content = t, column = similarity", "^t: content is 't', a virtual table, expected an ordinary table$"),
    ("content = keyed, column = v", "^t: content is 'keyed', a WITHOUT ROWID table, expected one with rowids$"),
    ("content = keyed_by_rowid, column = v", "^t: content is 'keyed_by_rowid', a WITHOUT ROWID table, expected one with rowids$"),
    ("content = named, column = v", "^t: content 'named' has a column named rowid that is not its INTEGER PRIMARY KEY, expected none$"),
    ("content = d, column = w", "^t: column is 'w', expected a column of d$"),
]  # fmt: skip


@pytest.fixture
def db(rng):
    db = connect()
    fill(db, rng.standard_normal((40, DIM)), "d")
    db.executescript("""
        CREATE VIEW seen AS SELECT id AS rowid, v FROM d;
        CREATE VIRTUAL TABLE words USING fts5(v);
        CREATE TABLE keyed(a PRIMARY KEY, v) WITHOUT ROWID;
        CREATE TABLE keyed_by_rowid(rowid INTEGER PRIMARY KEY, v) WITHOUT ROWID;
        CREATE TABLE named(rowid TEXT, v);
        CREATE TABLE whitening(name TEXT PRIMARY KEY, model);
        INSERT INTO whitening SELECT 'm', whiten_fit(v, 3) FROM d;
        INSERT INTO whitening VALUES ('text', 'abc'), ('foreign', x'0011'), ('none', NULL), ('small', whiten_import('[1,0,0,1]', '[0,0]'));
    """)
    yield db
    db.close()


def create(db, arguments, index="t"):
    db.execute(f"CREATE VIRTUAL TABLE {index} USING whiten_index({arguments})")


@pytest.mark.parametrize("arguments, message", CREATES, ids=[arguments for arguments, _ in CREATES])
@pytest.mark.parametrize("begin", [False, True])
def test_create(db, arguments, message, begin):
    if begin:
        db.execute("BEGIN")
    before = db.execute("SELECT * FROM sqlite_schema").fetchall()
    with pytest.raises(sqlite3.OperationalError, match=message):
        create(db, arguments)
    assert db.execute("SELECT * FROM sqlite_schema").fetchall() == before
    create(db, C)
    assert one(db, "SELECT count(*) FROM t((SELECT v FROM d))") == 40


@pytest.mark.parametrize(
    "arguments",
    ["k = 6", "k = 3.0", "k = '3'", "k = 2e0", "k = .9", "k = 0.5", "ridge = .5", "ridge = 1e-3", "ridge = oas", "ridge = 'oas', k = 3", "power = 0",
     "method = 'pca-cor'", "method = zca", "normalize = 1", "normalize = true", "normalize = 0", "precision = single", "remove = 1", "model = m",
     "model = 'm', recall = exact", "[k]=3", '"k" = 3', "`K`\t=\n3 ", "triggers = 0", "build = '1'"],
)  # fmt: skip
def test_what_is_taken(db, arguments):
    create(db, f"{C}, {arguments}")
    assert one(db, "SELECT count(*) FROM t((SELECT v FROM d))") == 40


@pytest.mark.parametrize("content", ["d", "'d'", '"d"', "[d]", "`d`", "D"])
def test_quotes(db, content):
    create(db, f"column = {content.replace('d', 'v').replace('D', 'V')}, content = {content}")
    db.execute("DELETE FROM d WHERE id > 30")
    assert one(db, "SELECT count(*) FROM t((SELECT v FROM d))") == 30


@pytest.mark.parametrize("name", ["query", "Similarity", "k", "rowid", "RANK", "vector"])
def test_names_of_its_columns(db, name):
    with pytest.raises(sqlite3.OperationalError, match=f"^{name}: the name is that of a column of every index, expected another$"):
        create(db, C, name)


# ---- rows ----

NO_VECTORS = [
    (vec([1, 2]), "v has 2 elements, expected 6"),
    (vec([1, 2, 3, 4, 5, float("nan")]), r"v\[5\] is NaN, expected a finite number"),
    (vec([float("inf")] * DIM), r"v\[0\] is Infinity, expected a finite number"),
    (b"12345", "v is a BLOB of 5 bytes, expected a multiple of 4"),
    (b"", "v is empty, expected 1 to 16384 elements"),
    ("abc", r"v is not a JSON array of numbers: expected '\[' at byte 0, found 'a'"),
    ("[1,2,3,4,5,1e39]", r"v\[5\] is beyond float32, expected a magnitude below 3.4e38"),
    (5, r"v is INTEGER, expected a vector \(BLOB of float32 or JSON array\)"),
    (2.5, r"v is REAL, expected a vector \(BLOB of float32 or JSON array\)"),
]


@pytest.mark.parametrize("value, message", NO_VECTORS, ids=range(len(NO_VECTORS)))
def test_rows_that_are_no_vectors(db, value, message):
    """Where CREATE or 'build' meets them, and where they are written."""
    db.execute("INSERT INTO d VALUES (99, ?)", (value,))
    with pytest.raises(sqlite3.OperationalError, match=f"^t: whiten_fit: row 41 of the group: {message}"):
        create(db, C)
    with pytest.raises(sqlite3.OperationalError, match=f"^t: rowid 99: {message}"):
        create(db, f"{C}, model = m")
    db.execute("DELETE FROM d WHERE id = 99")
    create(db, C)
    for sql in ("INSERT INTO d VALUES (99, ?)", "INSERT OR REPLACE INTO d VALUES (99, ?)", "INSERT OR IGNORE INTO d VALUES (99, ?)"):
        with pytest.raises(sqlite3.OperationalError, match=f"^t: rowid 99: {message}"):
            db.execute(sql, (value,))
    with pytest.raises(sqlite3.OperationalError, match=f"^t: rowid 7: {message}"):
        db.execute("UPDATE d SET v = ? WHERE id = 7", (value,))
    assert one(db, "SELECT count(*) FROM d") == one(db, "SELECT count(*) FROM t((SELECT v FROM d))") == 40
    db.execute("INSERT INTO t(t) VALUES ('integrity-check')")


def test_float64(rng):
    db = connect()
    db.execute("CREATE TABLE d(id INTEGER PRIMARY KEY, v BLOB)")
    rows = ((rng.standard_normal(300).astype("<f8").tobytes(),) for _ in range(60))
    db.executemany("INSERT INTO d(v) VALUES (?)", rows)
    with pytest.raises(sqlite3.OperationalError, match=r"looks like 300 float64: see embedding\(v, 'f64'\)"):
        create(db, C)


@pytest.mark.parametrize("rows", [1, 9])
def test_rows_without_variance(rows):
    db = connect()
    fill(db, numpy.ones((rows, DIM)), "d")
    with pytest.raises(sqlite3.OperationalError, match=rf"^t: whiten_fit: the rows have no variance \(n = {rows}\), expected at least two"):
        create(db, C)


@pytest.mark.parametrize("rows", [0, 5])
def test_no_vectors_at_all(rows):
    """Empty, or all NULL: there is nothing to fit a model to, yet."""
    db = connect()
    db.execute("CREATE TABLE d(id INTEGER PRIMARY KEY, v BLOB)")
    db.executemany("INSERT INTO d(v) VALUES (?)", [(None,)] * rows)
    create(db, C)
    for command in ("integrity-check", "build", "rebuild", "optimize", "sync", "integrity-check"):
        db.execute("INSERT INTO t(t) VALUES (?)", (command,))
    with pytest.raises(sqlite3.OperationalError, match="^t: the index is not built, expected rows in 'd' and INSERT INTO"):
        db.execute("SELECT * FROM t('[1]')")


# ---- queries, commands ----

MISSING = r"query is missing, expected t\(query \[, k\]\) or WHERE query = ..."
MORE = r"there are more arguments, or = where MATCH belongs, expected t\(query \[, k\]\) or t MATCH query"

STATEMENTS = [
    *[(f"SELECT * FROM t{rest}", MISSING) for rest in (
        "", " LIMIT 1", " WHERE k = 5", " WHERE rowid = 3", " WHERE similarity > 0.5", " WHERE query LIKE 'x'", " WHERE rank MATCH '[1]'",
        " WHERE query = '[1,2,3,4,5,6]' OR rowid = 5")],
    ("SELECT count(*) FROM t", MISSING),
    ("DELETE FROM t", MISSING),
    ("SELECT * FROM t('[1,2,3,4,5,6]', 5, 6)", MORE),
    ("SELECT * FROM t WHERE t = '[1,2,3,4,5,6]'", MORE),
    ("SELECT * FROM t('[1,2,3,4,5,6]') WHERE vector = 1", MORE),
    ("SELECT * FROM t('[1,2,3,4,5,6]', 0)", "k is 0, expected at least 1"),
    ("SELECT * FROM t('[1,2,3,4,5,6]', -1)", "k is -1, expected at least 1"),
    ("SELECT * FROM t('[1,2,3,4,5,6]', 1.5)", "k is 1.5, expected an INTEGER"),
    ("SELECT * FROM t('[1,2,3,4,5,6]', 'x')", "k is TEXT, expected an INTEGER"),
    ("SELECT * FROM t('[1,2,3,4,5,6]', '5')", r"k is TEXT '5', expected an INTEGER: bind it as a number, or write CAST\(\? AS INTEGER\)"),
    ("SELECT * FROM t('[1,2,3,4,5,6]', ' 5.5 ')", r"k is TEXT ' 5.5 ', expected an INTEGER: bind it as a number, or write CAST\(\? AS REAL\)"),
    ("SELECT * FROM t('[1,2]')", "query has 2 elements, expected 6, what the model takes"),
    ("SELECT * FROM t((SELECT whiten_apply(model, v) FROM d, whitening WHERE name = 'm'))", "query has 3 elements, expected 6, what the model takes"),
    ("SELECT * FROM t('abc')", r"query is not a JSON array of numbers: expected '\[' at byte 0, found 'a'"),
    ("SELECT * FROM t(5)", r"query is INTEGER, expected a vector \(BLOB of float32 or JSON array\)"),
    ("SELECT * FROM t(x'0000c07f000000000000000000000000000000000000c07f')", r"query\[0\] is NaN, expected a finite number"),
    ("INSERT INTO t(t) VALUES ('BUILD')",
     "there is no command 'BUILD', expected 'build', 'rebuild', 'optimize', 'integrity-check', 'sync', 'cache' or 'recall'"),
    ("INSERT INTO t(t) VALUES ('')", "there is no command ''"),
    ("INSERT INTO t(t) VALUES (5)", "there is no command '5'"),
    ("INSERT INTO t(t, rank) VALUES ('build', 0)", "rank is 0, expected at least 1"),
    ("INSERT INTO t(t, rank) VALUES ('rebuild', 1.5)", "rank is 1.5, expected an INTEGER"),
    ("INSERT INTO t(t, rank) VALUES ('build', 'all')", "rank is TEXT, expected an INTEGER"),
    ("INSERT INTO t(t, rank) VALUES ('cache', -1)", "rank is -1, expected at least 0"),
    ("INSERT INTO t(t) VALUES ('cache')", "rank is NULL, expected an INTEGER"),
    ("INSERT INTO t(t, rank) VALUES ('recall', 'best')", "rank is 'best', expected 'fast', 'default', 'safe' or 'exact'"),
    ("INSERT INTO t(t) VALUES ('recall')", "rank is 'NULL', expected 'fast', 'default', 'safe' or 'exact'"),
    ("INSERT INTO t(t) VALUES ('delete')", "rowid is NULL, expected an INTEGER"),
    ("INSERT INTO t(vector) VALUES ('[1,2,3,4,5,6]')", "rowid is NULL, expected an INTEGER"),
    ("INSERT INTO t(rowid, vector) VALUES ('x', '[1,2,3,4,5,6]')", "rowid is TEXT, expected an INTEGER"),
    ("INSERT INTO t(rowid, vector) VALUES (1, '[1,2]')", "rowid 1: v has 2 elements, expected 6, what the model takes"),
    ("INSERT INTO t VALUES (1, 0.5)", "there is a value for a column of answers, expected rowid and vector, or a command"),
    ("INSERT INTO t DEFAULT VALUES", "rowid is NULL, expected an INTEGER"),
    ("UPDATE t SET similarity = 1 WHERE query = '[1,2,3,4,5,6]'", "the rows of an index are those of its content, expected changes of 'd'"),
    ("DELETE FROM t WHERE query = '[1,2,3,4,5,6]'", "the rows of an index are those of its content, expected changes of 'd'"),
]  # fmt: skip


@pytest.mark.parametrize("sql, message", STATEMENTS, ids=[sql for sql, _ in STATEMENTS])
def test_statements(db, sql, message):
    create(db, C)
    with pytest.raises(sqlite3.OperationalError, match=f"^t: {message}"):
        db.execute(sql).fetchall()
    assert one(db, "SELECT count(*) FROM t((SELECT v FROM d))") == 40
    db.execute("INSERT INTO t(t) VALUES ('integrity-check')")


JOINS = [
    ("NULL, 'd', 'v', 1", "index is NULL, expected TEXT, the name of a whiten_index table"),
    ("'d', 'd', 'v', 1", "index is 'd', expected the name of a whiten_index table"),
    ("'t', 'x', 'v', 1", "queries_table is 'x', expected the name of a table"),
    ("'t', NULL, 'v', 1", "queries_table is NULL, expected TEXT"),
    ("'t', 'd', 'x', 1", "queries_column is 'x', "),
    ("'t', 'd', 'v', 0", "k is 0, expected at least 1"),
    ("'t', 'd', 'v', NULL", "k is NULL, expected an INTEGER"),
    ("'t', 'd', 'v', 1.5", "k is 1.5, expected an INTEGER"),
    ("'t', 'd', 'v'", r"k is missing, expected whiten_index_join\(index, queries_table, queries_column, k\)"),
    ("'t', 'bad', 'short', 1", "rowid 2: queries_column has 2 elements, expected 6"),
    ("'t', 'bad', 'text', 1", "rowid 2: queries_column is not a JSON array of numbers"),
    ("'t', 'bad', 'nan', 1", r"rowid 2: query\[0\] is NaN, expected a finite number"),
]


@pytest.mark.parametrize("arguments, message", JOINS, ids=[arguments for arguments, _ in JOINS])
def test_joins(db, arguments, message):
    create(db, C)
    db.execute("CREATE TABLE bad(short, text, nan)")
    db.execute("INSERT INTO bad SELECT v, v, v FROM d WHERE id < 3")
    db.execute("UPDATE bad SET short = '[1,2]', text = 'abc', nan = x'0000c07f' || zeroblob(20) WHERE rowid = 2")
    db.execute("UPDATE bad SET nan = CAST(nan AS BLOB)")
    with pytest.raises(sqlite3.OperationalError, match=f"^whiten_index_join: {message}"):
        db.execute(f"SELECT * FROM whiten_index_join({arguments})").fetchall()
