"""The table functions in plans: filters before the k best, joins, orders, limits, and how often a table is read."""

import sqlite3

import numpy
import pytest
from conftest import fill, one, vec
from reference import gaussian

IDENTITY = "whiten_import('[1,0,0,1]', '[0,0]')"
OLD = sqlite3.sqlite_version_info


@pytest.fixture
def table(db, rng):
    """t of 60 rows, and count(), the rows that were read of it through the view seen since the last time."""
    fill(db, gaussian(rng, 60, 2))
    db.execute("ALTER TABLE t ADD COLUMN lang")
    db.execute("UPDATE t SET lang = CASE WHEN id % 12 = 0 THEN 'en' ELSE 'de' END")
    db.execute("CREATE INDEX by_lang ON t(lang)")
    reads = []
    db.create_function("tick", 1, lambda v: reads.append(1) or v)
    db.execute("CREATE TEMP VIEW seen AS SELECT id AS rowid, tick(v) AS v FROM t")

    def count():
        n = len(reads)
        reads.clear()
        return n

    return db, count


def ranked(db, where="1"):
    sql = f"SELECT id, cosine_sim(v, '[1,2]') AS s FROM t WHERE {where} ORDER BY s DESC, id"
    return db.execute(sql).fetchall()


def plan(db, sql):
    return " / ".join(row[3] for row in db.execute("EXPLAIN QUERY PLAN " + sql))


TOP = "cosine_topk('t', 'v', '[1,2]', {k})"


@pytest.mark.parametrize("where, same", [
    ("rowid IN (SELECT id FROM t WHERE lang = 'en')", "lang = 'en'"),
    ("rowid IN (SELECT id FROM t WHERE lang = 'none')", "0"),
    ("rowid IN (3, 5, 5, NULL, '7', 9.0, 9.5, 'x', x'00', 1000)", "id IN (3, 5, 7, 9)"),
    ("rowid IN (SELECT id FROM t UNION ALL SELECT id + 7 FROM t)", "1"),
    ("rowid IN (1, 2, 3) AND rowid IN (2, 3, 4) AND rowid > 2", "id = 3"),
    ("rowid > 50", "id > 50"), ("rowid >= 50.5", "id > 50"), ("rowid < '7'", "id < 7"), ("rowid <= 6.9", "id < 7"),
    ("rowid BETWEEN 10 AND 20", "id BETWEEN 10 AND 20"), ("rowid > NULL", "0"), ("rowid < 'x'", "1"), ("rowid > 'x'", "0"),
    ("rowid > 1e300", "0"), ("rowid < 1e300", "1"), ("rowid < -1e300", "0"),
    ("rowid > 9223372036854775807", "0"), ("rowid < -9223372036854775808", "0"), ("rowid >= -9223372036854775808", "1"),
    ("_rowid_ > 50", "id > 50"),
    ("similarity > 0.5", "s > 0.5"), ("similarity >= 2", "0"), ("similarity > 'x'", "0"), ("similarity >= -1", "1"),
    ("similarity >= 0.2 AND similarity > 0.2 AND rowid > 9", "s > 0.2 AND id > 9"),
])  # fmt: skip
@pytest.mark.parametrize("k", [1, 3, 100])
def test_filters_come_before_the_k_best(table, where, same, k):
    db, _ = table
    expected = [row for row in ranked(db, same)][:k]
    assert db.execute(f"SELECT * FROM {TOP.format(k=k)} WHERE {where}").fetchall() == expected
    rows = f"SELECT rowid FROM whiten_rows({IDENTITY}, 't', 'v') WHERE {where}"
    if "similarity" not in where:
        assert db.execute(rows).fetchall() == [(i,) for (i,) in db.execute(f"SELECT id FROM t WHERE {same} ORDER BY id")]


def test_random_lists(table, chance):
    db, _ = table
    for _ in range(60):
        ids = [chance.randint(-3, 70) for _ in range(chance.randint(2, 40))]
        text, k = ",".join(map(str, ids)), chance.randint(1, 12)
        got = db.execute(f"SELECT * FROM {TOP.format(k=k)} WHERE rowid IN ({text}, 1000)").fetchall()
        assert got == ranked(db, f"id IN ({text})")[:k]


def test_a_long_list(db, rng):
    """Sought one by one where the rowids are sparse, met in a scan where they are dense."""
    fill(db, gaussian(rng, 5000, 2))
    db.execute("UPDATE t SET id = id * 1000000 WHERE id > 2500")
    for step in (1, 7, 600):
        sub = f"SELECT id FROM t WHERE id % {step} = 0"
        got = db.execute(f"SELECT * FROM {TOP.format(k=9)} WHERE rowid IN ({sub})").fetchall()
        assert got == ranked(db, f"id IN ({sub})")[:9]


def test_equality_picks_among_the_k_best(table):
    """A join by rowid gives the same rows whichever side is further out; so does a comparison with a value."""
    db, _ = table
    best = ranked(db)[:3]
    top, last = TOP.format(k=3), ranked(db)[-1][0]
    for join in ("t JOIN {0} AS f ON f.rowid = t.id", "t CROSS JOIN {0} AS f ON f.rowid = t.id",
                 "{0} AS f CROSS JOIN t ON f.rowid = t.id"):  # fmt: skip
        got = db.execute(f"SELECT f.rowid, similarity FROM {join.format(top)} ORDER BY similarity DESC").fetchall()
        assert got == best
    left = db.execute(f"SELECT t.id, f.similarity FROM t LEFT JOIN {top} AS f ON f.rowid = t.id").fetchall()
    assert {row for row in left if row[1] is not None} == set(best) and len(left) == 60
    for given in (last, str(last), float(last), None, 1.5):
        assert db.execute(f"SELECT * FROM {top} WHERE rowid = ?", (given,)).fetchall() == []
    assert db.execute(f"SELECT * FROM {top} WHERE rowid = ?", (best[1][0],)).fetchall() == best[1:2]
    assert db.execute(f"SELECT * FROM {top} WHERE rowid = ? LIMIT 1", (best[1][0],)).fetchall() == best[1:2]


def test_a_filter_with_an_index_does_not_multiply_the_scans(table):
    db, count = table
    top = "cosine_topk('seen', 'v', '[1,2]', 10)"
    for where in ("1", "d.lang = 'en'", "d.lang = 'en' AND d.id > 3", "d.id IN (12, 24)"):
        for join in ("t AS d JOIN {0} AS f ON d.id = f.rowid", "t AS d CROSS JOIN {0} AS f ON d.id = f.rowid",
                     "t AS d LEFT JOIN {0} AS f ON d.id = f.rowid"):  # fmt: skip
            db.execute(f"SELECT * FROM {join.format(top)} WHERE {where}").fetchall()
            assert count() == 60, (where, join)
    assert plan(db, f"SELECT * FROM t AS d JOIN {top} AS f ON d.id = f.rowid WHERE d.lang = 'en'").startswith("SCAN f")


def test_the_same_arguments_are_answered_once(table):
    db, count = table
    ten = "(SELECT value FROM json_each('[1,2,3,4,5,6,7,8,9,10]'))"
    rows = db.execute(f"SELECT count(*) FROM {ten} CROSS JOIN cosine_join('seen', 'v', 't', 'v', 2)").fetchone()
    assert rows == (1200,) and count() == 60
    assert one(db, f"SELECT count(*) FROM {ten} CROSS JOIN whiten_rows({IDENTITY}, 'seen', 'v')") == 600
    assert count() == 60
    assert one(db, f"SELECT count(*) FROM {ten} AS e CROSS JOIN cosine_topk('seen', 'v', '[1,2]', e.value)") == 55
    assert count() == 600  # k is another each time
    found = db.execute(
        f"SELECT s.component FROM {ten} CROSS JOIN whiten_spectrum((SELECT whiten_fit(v) FROM t)) AS s"
    ).fetchall()
    assert found == [(1,), (2,)] * 10


def test_a_change_by_another_statement_is_seen(db):
    fill(db, [[1, 0]])
    db.execute("CREATE TABLE q AS SELECT 1 AS i UNION ALL SELECT 2 UNION ALL SELECT 3")
    cursor = db.execute("SELECT i, f.rowid FROM q CROSS JOIN cosine_topk('t', 'v', '[1,0]', 1) AS f")
    assert cursor.fetchone() == (1, 1)
    db.execute("UPDATE t SET id = 7")
    assert cursor.fetchall()[-1] == (3, 7)  # a client may have fetched the second row before


def test_limit_is_passed_on(table):
    db, count = table
    rows = f"SELECT rowid FROM whiten_rows({IDENTITY}, 'seen', 'v')"
    assert db.execute(rows + " LIMIT 3 OFFSET 2").fetchall() == [(3,), (4,), (5,)]
    assert count() <= 5 + 2  # one for the largest rowid
    assert db.execute(rows + " LIMIT 0").fetchall() == []
    assert len(db.execute(rows + " LIMIT -1").fetchall()) == 60
    assert len(db.execute(rows + " LIMIT -1 OFFSET 58").fetchall()) == 2
    assert db.execute(rows + " WHERE rowid % 2 = 0 LIMIT 3").fetchall() == [(2,), (4,), (6,)]
    assert db.execute(rows + " ORDER BY rowid DESC LIMIT 2").fetchall() == [(60,), (59,)]
    assert db.execute(rows + f" WHERE rowid > 58 UNION ALL {rows} LIMIT 3 OFFSET 1").fetchall() == [(60,), (1,), (2,)]
    best, top = ranked(db)[:5], TOP.format(k=5)
    assert db.execute(f"SELECT * FROM {top} LIMIT 2 OFFSET 1").fetchall() == best[1:3]
    assert db.execute(f"SELECT * FROM {top} ORDER BY similarity LIMIT 1").fetchall() == best[-1:]
    assert db.execute(f"SELECT * FROM {top} ORDER BY rowid LIMIT 1").fetchall() == [min(best)]
    assert db.execute(f"SELECT * FROM {top} WHERE similarity < ? LIMIT 2", (best[2][1],)).fetchall() == best[3:]


def test_a_rowid_is_sought(table):
    db, count = table
    for where in ("rowid = 30", "rowid IN (30, 31)", "rowid BETWEEN 30 AND 31"):
        db.execute(f"SELECT * FROM whiten_rows({IDENTITY}, 'seen', 'v') WHERE {where}").fetchall()
        assert count() <= 3
    db.execute("SELECT * FROM cosine_topk('seen', 'v', '[1,2]', 5) WHERE rowid IN (1, 60)").fetchall()
    assert count() == 2


def test_orders(table):
    db, _ = table
    top, rows, join = TOP.format(k=5), f"whiten_rows({IDENTITY}, 't', 'v')", "cosine_join('t', 'v', 't', 'v', 3)"
    for call, order, is_free in [
        (top, "similarity DESC", 1), (top, "similarity DESC, rowid", 1), (top, "similarity", 0), (top, "rowid", 0),
        (top, "similarity DESC, rowid DESC", 0), (rows, "rowid", 1), (rows, "rowid, vector", 1), (rows, "rowid DESC", 0),
        (join, "query_rowid, similarity DESC, rowid", 1), (join, "query_rowid, rowid", 0), (join, "similarity DESC", 0),
    ]:  # fmt: skip
        sql = f"SELECT * FROM {call} ORDER BY {order}"
        assert ("TEMP B-TREE" in plan(db, sql)) == (not is_free), sql
        sorted_by_hand = db.execute(f"SELECT * FROM (SELECT * FROM {call} LIMIT -1) ORDER BY {order}").fetchall()
        assert db.execute(sql).fetchall() == sorted_by_hand


def test_plans_say_what_is_done(table):
    db, _ = table
    text = plan(db, f"SELECT * FROM {TOP.format(k=3)} WHERE rowid IN (1, 2) AND rowid > 0 AND similarity >= 0.1 LIMIT 2")
    assert "table, column, query, k, rowid IN, rowid >, similarity >=, LIMIT" in text
    assert "model, table, column, rowid =" in plan(db, f"SELECT * FROM whiten_rows({IDENTITY}, 't', 'v') WHERE rowid = 3")


def test_any_condition(table):
    """OR, outer joins, an argument given twice."""
    db, _ = table
    best, top = ranked(db)[:3], TOP.format(k=3)
    first = best[0][0]
    assert db.execute(f"SELECT * FROM {top} WHERE rowid = {first} OR similarity < -2").fetchall() == best[:1]
    assert db.execute(f"SELECT * FROM {top} WHERE arg_k = 3").fetchall() == best
    assert db.execute(f"SELECT * FROM {top} WHERE arg_k = 4").fetchall() == []
    assert db.execute(f"SELECT rowid FROM {top}, (SELECT 3 AS k) WHERE arg_k = k").fetchall() == [(i,) for i, _ in best]
    assert db.execute(f"SELECT arg_table, arg_column, arg_query, arg_k FROM {top}").fetchall() == [("t", "v", "[1,2]", 3)] * 3
    for call in ("whiten_spectrum((SELECT whiten_fit(v) FROM t))", f"whiten_rows({IDENTITY}, 't', 'v')", top,
                 "cosine_join('t', 'v', 't', 'v', 2)"):  # fmt: skip
        n = one(db, f"SELECT count(*) FROM {call}")
        column = "component" if "spectrum" in call else "f.rowid"
        assert one(db, f"SELECT count(*) FROM {call} AS f WHERE {column} > -1 OR {column} = -2") == n
        assert one(db, f"SELECT count(*) FROM (SELECT 1) LEFT JOIN {call} AS f") == n
        assert one(db, f"SELECT count(*) FROM (SELECT 1) LEFT JOIN {call} AS f ON {column} = -5") == 1


@pytest.mark.skipif(OLD < (3, 39), reason="SQLite has RIGHT JOIN from 3.39 on")
def test_right_and_full_join(table):
    db, _ = table
    best, top = [i for i, _ in ranked(db)[:3]], TOP.format(k=3)
    for join in (f"{top} AS f RIGHT JOIN t ON t.id = f.rowid", f"{top} AS f FULL JOIN t ON t.id = f.rowid",
                 f"t FULL JOIN {top} AS f ON t.id = f.rowid"):  # fmt: skip
        rows = db.execute(f"SELECT t.id, f.rowid FROM {join}").fetchall()
        assert len(rows) == 60 and {i for i, f in rows if f == i} == set(best), join
    wrapped = f"SELECT f.rowid FROM t RIGHT JOIN (SELECT * FROM {top}) AS f ON t.id = f.rowid + 1000"
    assert [i for (i,) in db.execute(wrapped)] == best
    sql = f"SELECT f.rowid FROM t RIGHT JOIN {top} AS f ON t.id = f.rowid"
    if OLD < (3, 42):
        with pytest.raises(sqlite3.OperationalError, match=r"(?s)cosine_topk: table is missing.*RIGHT JOIN"):
            db.execute(sql).fetchall()
    else:
        assert {i for (i,) in db.execute(sql)} == set(best)


def test_a_column_named_rowid(table):
    """CREATE TABLE AS makes one: it is what SQL calls rowid, so it is the key."""
    db, _ = table
    db.execute("DELETE FROM t WHERE id % 3 = 1")
    db.execute(f"CREATE TABLE white AS SELECT rowid, vector FROM whiten_rows({IDENTITY}, 't', 'v')")
    expected = ranked(db)[:5]
    top = "SELECT * FROM cosine_topk('white', 'vector', '[1,2]', 5)"
    assert db.execute(top).fetchall() == expected
    assert db.execute(top + " WHERE rowid IN (SELECT id FROM t WHERE id > 9)").fetchall() == ranked(db, "id > 9")[:5]
    assert db.execute(f"SELECT rowid FROM whiten_rows({IDENTITY}, 'white', 'vector')").fetchall() == db.execute(
        "SELECT id FROM t ORDER BY id"
    ).fetchall()
    for change, match in [
        ("UPDATE white SET rowid = 5 WHERE rowid = 6", "is 5 twice"), ("UPDATE white SET rowid = NULL WHERE _rowid_ = 1", "is NULL"),
        ("UPDATE white SET rowid = 'x' WHERE _rowid_ = 1", "is TEXT"), ("UPDATE white SET rowid = 1.5 WHERE _rowid_ = 1", "is REAL"),
    ]:  # fmt: skip
        db.execute("SAVEPOINT s")
        db.execute(change)
        for sql in (top, f"SELECT * FROM whiten_rows({IDENTITY}, 'white', 'vector')"):
            with pytest.raises(sqlite3.OperationalError, match=f"rowid of 'white' {match}"):
                db.execute(sql).fetchall()
        db.execute("ROLLBACK TO s")


def test_views_and_keys(table):
    db, _ = table
    db.execute("CREATE VIEW en AS SELECT id AS rowid, v FROM t WHERE lang = 'en'")
    db.execute("CREATE TABLE keyed(rowid INTEGER PRIMARY KEY, v) WITHOUT ROWID")
    db.execute("INSERT INTO keyed SELECT id, v FROM t WHERE lang = 'en'")
    db.execute("CREATE VIEW plain AS SELECT id, v FROM t")
    db.execute("CREATE TABLE named(name TEXT PRIMARY KEY, v) WITHOUT ROWID")
    for name in ("en", "keyed", "main.en", "main.keyed"):
        found = db.execute("SELECT * FROM cosine_topk(?, 'v', '[1,2]', 3)", (name,)).fetchall()
        assert found == ranked(db, "lang = 'en'")[:3]
        assert len(db.execute("SELECT * FROM cosine_join(?, 'v', 't', 'v', 2)", (name,)).fetchall()) == 120
    for name in ("plain", "named"):
        with pytest.raises(sqlite3.OperationalError, match="INSERT INTO target.*whiten_apply"):
            db.execute("SELECT * FROM cosine_topk(?, 'v', '[1,2]', 3)", (name,)).fetchall()


def test_a_view_that_reads_itself(db):
    db.execute(f"CREATE TEMP VIEW loop AS SELECT rowid, vector AS v FROM whiten_rows({IDENTITY}, 'loop', 'v')")
    with pytest.raises(sqlite3.OperationalError, match="read each other"):
        db.execute("SELECT * FROM cosine_topk('loop', 'v', '[1,2]', 3)").fetchall()


def test_views_and_triggers_that_are_kept(table):
    """In TEMP ones alone."""
    db, _ = table
    db.execute(f"CREATE VIEW kept AS SELECT * FROM {TOP.format(k=3)}")
    db.execute(f"CREATE TEMP VIEW mine AS SELECT * FROM {TOP.format(k=3)}")
    assert db.execute("SELECT * FROM mine").fetchall() == ranked(db)[:3]
    db.execute("CREATE TABLE log(i)")
    body = f"AFTER INSERT ON log BEGIN UPDATE log SET i = (SELECT max(rowid) FROM {TOP.format(k=3)}); END"
    with pytest.raises(sqlite3.OperationalError, match="unsafe use of virtual table"):
        db.execute("SELECT * FROM kept")
    db.execute("CREATE TRIGGER kept_too " + body)
    with pytest.raises(sqlite3.OperationalError, match="unsafe use of virtual table"):
        db.execute("INSERT INTO log VALUES (0)")
    db.execute("DROP TRIGGER kept_too")
    db.execute("CREATE TEMP TRIGGER own " + body)
    db.execute("INSERT INTO log VALUES (0)")
    assert one(db, "SELECT i FROM log") == max(i for i, _ in ranked(db)[:3])


def test_names_that_the_look_up_could_meet(table):
    """Tables named like SQLite's own pragmas are tables."""
    db, _ = table
    expected = ranked(db)[:3]
    for name in ("pragma_table_list", "pragma_table_xinfo", "pragma_database_list", "pragma_table_info"):
        for schema in ("main", "temp"):
            db.execute(f"CREATE TABLE {schema}.{name}(schema, name, type, wr, seq, v)")
            db.execute(f"INSERT INTO {schema}.{name} VALUES ('main', 't', 'view', 1, 1, NULL)")
    assert db.execute(f"SELECT * FROM {TOP.format(k=3)}").fetchall() == expected


def test_the_schema_changes_between_executions(table):
    db, _ = table
    sql = f"SELECT count(*) FROM {TOP.format(k=1000)}"
    assert one(db, sql) == 60
    db.execute("CREATE TEMP TABLE t(id INTEGER PRIMARY KEY, v)")
    assert one(db, sql) == 0
    db.execute("DROP TABLE temp.t")
    assert one(db, sql) == 60
    db.execute("ALTER TABLE t RENAME TO u")
    with pytest.raises(sqlite3.OperationalError, match="expected the name of a table"):
        db.execute(sql).fetchall()


def test_a_name_is_looked_up_once(table):
    """In a lateral join, by what the authorizer is asked about the table."""
    db, _ = table
    asked = []
    db.set_authorizer(lambda action, a, b, *rest: asked.append(a) or 0)
    db.execute("SELECT count(*) FROM t AS q, cosine_topk('main.t', 'v', q.v, 2)").fetchall()
    db.set_authorizer(None)
    assert asked.count("t") < 30


def test_rows_added_while_a_view_is_read(table):
    """The statement ends: what it appends is not read."""
    db, _ = table
    db.execute("CREATE VIEW all_of_t AS SELECT id AS rowid, v FROM t")
    db.execute(f"INSERT INTO t(v) SELECT vector FROM whiten_rows({IDENTITY}, 'all_of_t', 'v')")
    assert one(db, "SELECT count(*) FROM t") == 120
    x = numpy.frombuffer(one(db, "SELECT v FROM t WHERE id = 61"), "<f4")
    assert vec(x) == one(db, "SELECT v FROM t WHERE id = 1")


def test_analyze_tells_the_planner_how_many_rows_there_are(db):
    """Then the few rows are scanned first, whichever of the two stands first in FROM."""
    for name, rows in (("few", 2), ("many", 30_000)):
        db.execute(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY, v)")
        db.execute(f"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "
                   f"INSERT INTO {name} SELECT i, '[1,2]' FROM n")  # fmt: skip
    few, many = (f"cosine_topk('{name}', 'v', '[1,2]', 100000) AS {name}" for name in ("few", "many"))
    orders = [f"SELECT * FROM {few}, {many}", f"SELECT * FROM {many}, {few}"]
    assert plan(db, orders[0]) != plan(db, orders[1])
    db.execute("ANALYZE")
    assert plan(db, orders[1]) == plan(db, orders[0])
    assert plan(db, orders[0]).startswith("SCAN few ")
