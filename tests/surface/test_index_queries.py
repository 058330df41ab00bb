"""Every form of a query on an index, against the exhaustive answer that the scalars give; and what EXPLAIN QUERY PLAN says
of it."""

import sqlite3

import pytest
from conftest import connect, fill, one, vec

ROWS, DIM, QUERIES = 2500, 24, 8
VERSION = sqlite3.sqlite_version_info
BEST = "ORDER BY similarity DESC, rowid"
EXACT = "(SELECT rid AS rowid, s AS similarity FROM e WHERE qid = 3)"


@pytest.fixture(scope="module", params=["exact", "safe"])
def asked(request):
    """d(id, v, lang), its index t, queries q(id, v), their similarities e(qid, rid, s); and the parameters."""
    import numpy
    from conftest import SEED

    rng = numpy.random.default_rng(SEED)
    db = connect()
    rows = rng.standard_normal((ROWS, DIM))
    rows[100:140], rows[7] = rows[100], 0
    fill(db, rows, "d")
    db.execute("ALTER TABLE d ADD COLUMN lang")
    db.execute("UPDATE d SET lang = CASE id % 3 WHEN 0 THEN 'en' WHEN 1 THEN 'de' END")
    db.execute("CREATE INDEX d_lang ON d(lang)")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = 16, recall = {request.param})")
    fill(db, rows[:QUERIES] + 0.1 * rng.standard_normal((QUERIES, DIM)), "q")
    db.execute("INSERT INTO q VALUES (9, NULL)")
    db.execute("CREATE TEMP TABLE m AS SELECT model FROM t_config WHERE id > 0")
    similarity = "cosine_sim(whiten_apply(model, d.v), whiten_apply(model, q.v))"
    db.execute(f"CREATE TABLE e AS SELECT * FROM (SELECT q.id AS qid, d.id AS rid, {similarity} AS s FROM q, d, m) WHERE s NOT NULL")
    db.execute("CREATE INDEX e_best ON e(qid, s DESC, rid)")
    db.execute("CREATE VIEW vt AS SELECT rowid AS r, similarity AS s, query, k FROM t")
    db.execute("CREATE VIEW vq AS SELECT q.id, s.rowid AS r, s.similarity AS s FROM q JOIN t(q.v, 2) AS s")
    nth = f"SELECT similarity FROM {EXACT} {BEST} LIMIT 1 OFFSET"
    given = {"q": one(db, "SELECT v FROM q WHERE id = 3"), "k": 5, "real": 7.0, "minus": -1, "zero": 0,
             "low": one(db, f"{nth} 12"), "high": one(db, f"{nth} 4")}  # fmt: skip
    yield db, given
    db.close()


def answer(asked, sql):
    db, given = asked
    return db.execute(sql, given).fetchall()


def plan(asked, sql):
    return "; ".join(row[3] for row in answer(asked, f"EXPLAIN QUERY PLAN {sql}"))


def same(asked, sql, exact, ordered=True):
    found, want = answer(asked, sql), answer(asked, exact)
    assert found == want if ordered else sorted(found, key=repr) == sorted(want, key=repr)


# ---- the query, k, LIMIT ----


@pytest.mark.parametrize(
    "form, limit",
    [
        ("t(:q) LIMIT 10", 10), ("t(:q, 5)", 5), ("t(:q, :real)", 7), ("t(:q)", -1), ("t(:q, NULL)", -1), ("t(:q, 100000)", -1),
        ("t WHERE query = :q AND k = 5", 5), ("t WHERE query = :q LIMIT 5", 5), ("t WHERE t MATCH :q AND k = :k", 5),
        ("t WHERE query MATCH :q LIMIT 5", 5), ("t WHERE t MATCH :q ORDER BY similarity DESC LIMIT 5", 5),
        ("t(embedding_as(:q, 'json'), 5)", 5), ("t WHERE query = :q AND query = :q AND k = 5", 5),
    ],
)  # fmt: skip
def test_forms(asked, form, limit):
    same(asked, f"SELECT rowid, similarity FROM {form}", f"SELECT * FROM {EXACT} {BEST} LIMIT {limit}")


@pytest.mark.parametrize("order", [BEST, "", "ORDER BY similarity DESC"])
@pytest.mark.parametrize("limit", ["10", ":k", ":minus", ":zero", "1", "100000"])
@pytest.mark.parametrize("offset", ["", "OFFSET 20", "OFFSET :k", "OFFSET :minus", "OFFSET 2490", "OFFSET 100000"])
def test_limit_and_offset(asked, order, limit, offset):
    same(asked, f"SELECT rowid, similarity FROM t(:q) {order} LIMIT {limit} {offset}",
         f"SELECT * FROM {EXACT} {BEST} LIMIT {limit} {offset}")  # fmt: skip


@pytest.mark.parametrize(
    "order",
    ["similarity DESC", "similarity, rowid", "rowid", "rowid DESC", "similarity DESC, rowid DESC", "2 DESC, 1", "similarity + 0 DESC, rowid"],
)  # fmt: skip
def test_orders(asked, order):
    rest = "" if "rowid" in order or "1" in order else ", rowid"
    same(asked, f"SELECT rowid, similarity FROM t(:q) ORDER BY {order} LIMIT 10", f"SELECT * FROM {EXACT} ORDER BY {order}{rest} LIMIT 10")
    best = f"(SELECT * FROM {EXACT} {BEST} LIMIT 6)"
    same(asked, f"SELECT rowid, similarity FROM t(:q, 6) ORDER BY {order}", f"SELECT * FROM {best} ORDER BY {order}{rest}")


@pytest.mark.parametrize("order", ["rank", "rank, similarity DESC", "similarity DESC, rank", "query, rank DESC, k"])
def test_order_by_what_is_hidden(asked, order):
    """As users of FTS5 write it: rows come best first, unsorted by SQLite, so that LIMIT is passed on."""
    sql = f"SELECT rowid, similarity FROM t WHERE t MATCH :q ORDER BY {order} LIMIT 10"
    same(asked, sql, f"SELECT * FROM {EXACT} {BEST} LIMIT 10")
    assert "ORDER BY" not in plan(asked, sql)
    same(asked, f"SELECT q.id, s.rowid FROM q, t(q.v, 3) AS s ORDER BY s.{order}", f"SELECT qid, rid FROM {best_of_each(3)}", ordered=False)


# ---- conditions ----


@pytest.mark.parametrize(
    "condition",
    ["> :low", ">= :low", "< :low", "<= :low", "= :low", "<> :low", "IS :low", "BETWEEN :low AND :high", "NOT BETWEEN :low AND :high",
     "IN (:low, :high)", "> NULL", "NOT NULL", "> 2", "< -2", "> -2", "> :low AND similarity < :high", ">= 0.5 AND similarity > 0.6",
     "+ 0 > 0.5"],
)  # fmt: skip
@pytest.mark.parametrize("order, limit", [(BEST, ""), (BEST, "LIMIT 3"), ("", "LIMIT 3"), (BEST, "LIMIT 3 OFFSET 2")])
def test_thresholds(asked, condition, order, limit):
    where = f"WHERE similarity {condition}"
    same(asked, f"SELECT rowid, similarity FROM t(:q) {where} {order} {limit}", f"SELECT * FROM {EXACT} {where} {BEST} {limit}")


SELECTED = "rowid IN (SELECT id FROM d WHERE lang = 'en')"
BEFORE_THE_BEST = [
    "rowid IN (3, 5, 7, 9, 8, 1001, 5000, NULL)", SELECTED, "rowid > 100", "rowid >= 100 AND rowid < 2000", "rowid BETWEEN 100 AND 110",
    f"{SELECTED} AND rowid < 500", "rowid IN (1, 2, 3, 4, 5, 6, 8) AND rowid IN (2, 3, 4, 100)", "rowid IN ('17', 18.0)",
    "rowid IN (SELECT rid FROM e WHERE qid = 3 AND s > 0.5)", "rowid IN (SELECT -1)", "rowid > 99.5", "rowid > '100'", "rowid < 'x'",
    "rowid > 9223372036854775807", "rowid >= -9223372036854775808", "rowid IN (SELECT rowid FROM t((SELECT v FROM q WHERE id = 4), 50))",
    f"{SELECTED} AND similarity > 0.3",
]  # fmt: skip
AMONG_THE_BEST = [
    "rowid = 17", "rowid = '17'", "rowid = 17.5", "rowid = NULL", "rowid IS 3", "rowid IS NULL", "rowid <> 3", "rowid NOT IN (3, 4, 5)",
    f"{SELECTED} AND NOT rowid = 3", f"{SELECTED} AND rowid NOT IN (SELECT id FROM d WHERE id % 2)", "rowid % 2 = 1", "+rowid = 17",
    "(rowid = 17 OR similarity > 0.5)", "(rowid > 100 OR rowid < 20)", "(rowid IN (5, 6, 7) OR rowid IN (8, 9, 10))", "NOT (rowid > 20)",
    "(rowid BETWEEN 1 AND 10 OR rowid BETWEEN 20 AND 30)", "+rowid IN (3, 5, 7)",
    "EXISTS (SELECT 1 FROM d WHERE d.id = x.rowid AND lang = 'de')",
]  # fmt: skip


@pytest.mark.parametrize("condition", BEFORE_THE_BEST + AMONG_THE_BEST)
def test_rowids(asked, condition):
    exact = f"SELECT * FROM {EXACT} AS x WHERE {condition} {BEST} LIMIT"
    same(asked, f"SELECT rowid, similarity FROM t(:q) AS x WHERE {condition} {BEST} LIMIT 10", f"{exact} 10")
    same(asked, f"SELECT rowid, similarity FROM t(:q) AS x WHERE {condition} LIMIT 10 OFFSET 5", f"{exact} 10 OFFSET 5")
    same(asked, f"SELECT count(*), max(similarity), min(rowid) FROM t AS x WHERE query = :q AND {condition}",
         f"SELECT count(*), max(similarity), min(rowid) FROM {EXACT} AS x WHERE {condition}")  # fmt: skip


@pytest.mark.parametrize("condition", BEFORE_THE_BEST)
def test_k_rows_that_pass(asked, condition):
    """What is known before the search is taken into account by it, so that there are k."""
    same(asked, f"SELECT rowid, similarity FROM t(:q, 4) WHERE {condition} {BEST}", f"SELECT * FROM {EXACT} WHERE {condition} {BEST} LIMIT 4")


@pytest.mark.parametrize("condition", [c for c in AMONG_THE_BEST if not c.startswith(SELECTED)])
def test_among_k_rows(asked, condition):
    """Of the rest SQLite asks each of the k rows: also where another version makes a search of each term of an OR."""
    best = f"(SELECT * FROM {EXACT} {BEST} LIMIT 4)"
    same(asked, f"SELECT rowid, similarity FROM t(:q, 4) AS x WHERE {condition}", f"SELECT * FROM {best} AS x WHERE {condition} {BEST}")


# ---- around it ----


@pytest.mark.parametrize(
    "sql, exact",
    [
        ("SELECT DISTINCT similarity FROM t(:q) LIMIT 5", f"SELECT DISTINCT similarity FROM {EXACT} ORDER BY 1 DESC LIMIT 5"),
        ("SELECT round(similarity, 1) AS s, count(*) FROM t(:q) GROUP BY 1 ORDER BY 1",
         f"SELECT round(similarity, 1) AS s, count(*) FROM {EXACT} GROUP BY 1 ORDER BY 1"),
        ("SELECT rowid, max(similarity) FROM t(:q)", f"SELECT rowid, max(similarity) FROM {EXACT}"),
        ("SELECT group_concat(rowid), avg(similarity) FROM t(:q, 7)", f"SELECT group_concat(rowid), avg(similarity) FROM (SELECT * FROM {EXACT} {BEST} LIMIT 7)"),
        ("SELECT rowid, rank() OVER (ORDER BY similarity DESC) FROM t(:q, 7)",
         f"SELECT rowid, rank() OVER (ORDER BY similarity DESC) FROM (SELECT * FROM {EXACT} {BEST} LIMIT 7)"),
        ("SELECT rowid FROM t(:q, 5) UNION ALL SELECT rowid FROM t(:q, 2)",
         f"SELECT rowid FROM (SELECT * FROM {EXACT} {BEST} LIMIT 5) UNION ALL SELECT rowid FROM (SELECT * FROM {EXACT} {BEST} LIMIT 2)"),
        ("WITH x AS (SELECT rowid AS r, similarity AS s FROM t(:q) LIMIT 5) SELECT r, s FROM x", f"SELECT * FROM {EXACT} {BEST} LIMIT 5"),
        ("SELECT r, s FROM vt WHERE query = :q AND k = 5", f"SELECT * FROM {EXACT} {BEST} LIMIT 5"),
        ("SELECT r, s FROM vt WHERE query = :q LIMIT 5", f"SELECT * FROM {EXACT} {BEST} LIMIT 5"),
        ("SELECT r, s FROM vq WHERE id = 3", f"SELECT * FROM {EXACT} {BEST} LIMIT 2"),
        ("SELECT id FROM d WHERE id IN (SELECT rowid FROM t(:q, 5))", f"SELECT rowid FROM (SELECT * FROM {EXACT} {BEST} LIMIT 5) ORDER BY 1"),
        ("SELECT rowid, query = :q, k, t, rank, vector FROM t(:q, 2)", f"SELECT rowid, 1, 2, NULL, NULL, NULL FROM {EXACT} {BEST} LIMIT 2"),
        ("SELECT rowid, query = :q, k FROM t WHERE t MATCH :q LIMIT 2", f"SELECT rowid, 1, NULL FROM {EXACT} {BEST} LIMIT 2"),
        ("SELECT id, (SELECT rowid FROM t(q.v) LIMIT 1), EXISTS (SELECT 1 FROM t(q.v) WHERE similarity > 0.99) FROM q",
         "SELECT id, (SELECT rid FROM e WHERE qid = q.id ORDER BY s DESC, rid LIMIT 1), EXISTS (SELECT 1 FROM e WHERE qid = q.id AND s > 0.99) FROM q"),
    ],
)  # fmt: skip
def test_around_it(asked, sql, exact):
    same(asked, sql, exact)


def best_of_each(k, condition="1"):
    rank = "row_number() OVER (PARTITION BY qid ORDER BY s DESC, rid)"
    return f"(SELECT * FROM (SELECT qid, rid, s, {rank} AS n FROM e WHERE {condition}) WHERE n <= {k})"


@pytest.mark.parametrize(
    "sql, exact",
    [
        ("q JOIN t AS s ON s.query = q.v AND s.k = 10", f"{best_of_each(10)}"),
        ("q, t(q.v, 10) AS s", f"{best_of_each(10)}"),
        ("t AS s, q WHERE s.query = q.v AND s.k = 10", f"{best_of_each(10)}"),
        ("q JOIN t AS s ON s.query = q.v AND s.k = q.id", f"{best_of_each('qid')}"),
        ("q, t(q.v) AS s WHERE s.similarity >= 0.4", "e WHERE s >= 0.4"),
        ("q, t(q.v) AS s WHERE s.similarity > q.id * 0.1", "e WHERE s > qid * 0.1"),
        (f"q, t(q.v, 10) AS s WHERE s.{SELECTED}", best_of_each(10, "rid % 3 = 0")),
        ("q, t(q.v, 2) AS s WHERE s.rowid IN (SELECT id FROM d WHERE d.id % 9 = q.id)", best_of_each(2, "rid % 9 = qid")),
        ("q, t(q.v, 5) AS s WHERE s.rowid > q.id + 100", best_of_each(5, "rid > qid + 100")),
        ("q, t(q.v, 5) AS s WHERE s.rowid IN (q.id, q.id + 1)", best_of_each(5, "rid IN (qid, qid + 1)")),
        ("q, t(q.v, 10) AS s, d WHERE d.id = s.rowid AND d.lang = 'en'", f"{best_of_each(10)} WHERE rid % 3 = 0"),
        ("q, d, t(q.v, 10) AS s WHERE d.id = s.rowid AND d.lang = 'en'", f"{best_of_each(10)} WHERE rid % 3 = 0"),
    ],
)  # fmt: skip
def test_joins(asked, sql, exact):
    same(asked, f"SELECT q.id, s.rowid, s.similarity FROM {sql}", f"SELECT qid, rid, s FROM {exact}", ordered=False)


@pytest.mark.parametrize(
    "sql, exact",
    [
        ("SELECT q.id, s.rowid FROM q LEFT JOIN t AS s ON s.query = q.v AND s.k = 3",
         f"SELECT q.id, rid FROM q LEFT JOIN {best_of_each(3)} ON qid = q.id"),
        ("SELECT q.id, s.rowid FROM q LEFT JOIN t AS s ON s.query = q.v AND s.k = 3 AND s.similarity > 0.9",
         f"SELECT q.id, rid FROM q LEFT JOIN {best_of_each(3)} ON qid = q.id AND s > 0.9"),
        ("SELECT d.id, s.similarity FROM d LEFT JOIN t(:q, 5) AS s ON s.rowid = d.id WHERE d.id < 200",
         f"SELECT d.id, s FROM d LEFT JOIN {best_of_each(5)} ON qid = 3 AND rid = d.id WHERE d.id < 200"),
        ("SELECT d.lang, s.similarity FROM t(:q, 5) AS s LEFT JOIN d ON d.id = s.rowid AND d.lang = 'en'",
         f"SELECT d.lang, s FROM {best_of_each(5)} LEFT JOIN d ON d.id = rid AND d.lang = 'en' WHERE qid = 3"),
        ("SELECT a.rowid FROM t(:q, 50) AS a JOIN t((SELECT v FROM q WHERE id = 4), 50) AS b ON a.rowid = b.rowid",
         f"SELECT a.rid FROM {best_of_each(50)} AS a JOIN {best_of_each(50)} AS b ON a.qid = 3 AND b.qid = 4 AND a.rid = b.rid"),
        ("SELECT a.rowid, b.rowid FROM t(:q, 5) AS a, t(:q, 5) AS b WHERE +a.rowid < +b.rowid",
         f"SELECT a.rid, b.rid FROM {best_of_each(5)} AS a, {best_of_each(5)} AS b WHERE a.qid = 3 AND b.qid = 3 AND a.rid < b.rid"),
        ("SELECT s.rowid, d.id FROM t(:q, 5) AS s, d WHERE d.id BETWEEN s.rowid - 1 AND s.rowid + 1",
         f"SELECT rid, d.id FROM {best_of_each(5)}, d WHERE qid = 3 AND d.id BETWEEN rid - 1 AND rid + 1"),
        ("SELECT d.lang, s.similarity FROM d JOIN t(:q) AS s ON s.rowid = d.id WHERE d.lang = 'en' ORDER BY s.similarity DESC LIMIT 5",
         "SELECT 'en', s FROM e WHERE qid = 3 AND rid % 3 = 0 ORDER BY s DESC LIMIT 5"),
    ],
)  # fmt: skip
def test_outer_joins_and_two_indexes(asked, sql, exact):
    same(asked, sql, exact, ordered=False)


def test_right_join(asked):
    """On its right side SQLite hands no arguments over; the index on the left is asked for every row."""
    if VERSION >= (3, 39):
        with pytest.raises(sqlite3.OperationalError, match="^t: query is missing"):
            answer(asked, "SELECT * FROM q RIGHT JOIN t AS s ON s.query = q.v")
        same(asked, "SELECT q.id, s.rowid FROM t(:q, 5) AS s RIGHT JOIN q ON q.id = s.rowid",
             f"SELECT q.id, rid FROM q LEFT JOIN {best_of_each(5)} ON qid = 3 AND rid = q.id", ordered=False)  # fmt: skip


def test_in_a_trigger(asked):
    db, given = asked
    db.execute("CREATE TEMP TABLE asking(v)")
    db.execute("CREATE TEMP TABLE found(r)")
    db.execute("CREATE TEMP TRIGGER ask AFTER INSERT ON asking BEGIN INSERT INTO found SELECT rowid FROM t(new.v, 3); END")
    db.execute("INSERT INTO asking VALUES (:q)", given)
    assert answer(asked, "SELECT r FROM found") == answer(asked, f"SELECT rowid FROM {EXACT} {BEST} LIMIT 3")
    for name in ("asking", "found"):
        db.execute(f"DROP TABLE temp.{name}")


@pytest.mark.parametrize("query", ["NULL", "(SELECT v FROM q WHERE id = 9)"])
def test_no_query_finds_nothing(asked, query):
    assert answer(asked, f"SELECT * FROM t({query})") == answer(asked, f"SELECT * FROM t({query}, 5)") == []
    assert answer(asked, f"SELECT count(*) FROM t WHERE t MATCH {query}") == [(0,)]


def test_a_query_without_direction_finds_nothing(asked):
    """As cosine_sim has no answer for it: the whitened query is zero at the mean."""
    db = connect()
    fill(db, [[1, 0], [-1, 0], [0, 1], [0, -1]], "d")
    db.execute("CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v)")
    assert one(db, "SELECT count(*) FROM t('[0, 0]')") == 0
    assert one(db, "SELECT count(*) FROM t('[0, 1]')") == 4


# ---- what the planner is told ----


@pytest.mark.parametrize(
    "sql, said",
    [
        ("t(:q)", "query"), ("t(:q) LIMIT 5", "query, LIMIT"), ("t(:q) LIMIT 5 OFFSET 5", "query, LIMIT, OFFSET"), ("t(:q, 5)", "query, k"),
        ("t WHERE t MATCH :q AND k = 5", "query, k"), (f"t(:q) {BEST} LIMIT 5", "query, LIMIT"),
        ("t(:q) ORDER BY similarity DESC LIMIT 5", "query, LIMIT"), ("t(:q) WHERE similarity > 0.5 LIMIT 5", "query, similarity >, LIMIT"),
        (f"t(:q, 5) WHERE {SELECTED} AND similarity >= 0.5", "query, k, rowid IN, similarity >="),
        ("t(:q) WHERE rowid BETWEEN 3 AND 5 LIMIT 5", "query, rowid >=, rowid <=, LIMIT"), ("t(:q) WHERE rowid = 3", "query, rowid ="),
    ],
)  # fmt: skip
def test_plans(asked, sql, said):
    """Nothing is sorted again where the order is the index's; LIMIT is passed on by SQLite from the version that says so."""
    text = plan(asked, f"SELECT rowid FROM {sql}")
    if "BETWEEN" in sql and VERSION < (3, 41):
        said = said.replace(", LIMIT", "")
    if f"{said};" not in f"{text};" and VERSION < (3, 41):
        said = said.replace(", LIMIT", "").replace(", OFFSET", "")
    assert f":{said};" in f"{text};" and "ORDER BY" not in text


@pytest.mark.parametrize(
    "sql",
    ["d JOIN t AS s ON s.rowid = d.id WHERE s.query = :q AND d.lang = 'en' LIMIT 5", "d, t(:q, 5) AS s WHERE d.id = s.rowid",
     "d, t(:q) AS s WHERE d.id = s.rowid ORDER BY s.similarity DESC LIMIT 5"],
)  # fmt: skip
def test_the_index_is_outermost(asked, sql):
    text = plan(asked, f"SELECT d.id FROM {sql}")
    assert text.startswith("SCAN s VIRTUAL TABLE INDEX") and "SEARCH d USING INTEGER PRIMARY KEY (rowid=?)" in text


def test_or_is_no_search_for_each_term(asked):
    for condition in AMONG_THE_BEST:
        assert "MULTI-INDEX OR" not in plan(asked, f"SELECT rowid FROM t(:q, 4) AS x WHERE {condition}")


def test_both_wait_for_each_other(asked):
    """A range of rowids is taken before the best are; of two searches neither is first."""
    for table in ("t(:q, 5)", "cosine_topk('d', 'v', :q, 5)"):
        with pytest.raises(sqlite3.OperationalError, match="rowid is compared with what must wait for these rows, expected [+]rowid there"):
            answer(asked, f"SELECT * FROM {table} AS a, {table} AS b WHERE a.rowid < b.rowid")


def test_kept_until_a_row_changes(asked):
    """In the inner loop of a join a search is not made again; a change in between is seen."""
    db, given = asked
    cursor = db.execute("SELECT s.rowid FROM q CROSS JOIN t(:q, 1) AS s WHERE q.id < 3", given)
    first = cursor.fetchone()
    db.execute("SAVEPOINT a")
    cursor.close()
    db.execute("DELETE FROM d WHERE id = ?", first)
    assert answer(asked, "SELECT rowid FROM t(:q, 1)") != [first]
    db.execute("ROLLBACK TO a")
    db.execute("RELEASE a")
    assert answer(asked, "SELECT rowid FROM t(:q, 1)") == [first]


@pytest.mark.parametrize("relation", ["t(:q, 3)", "cosine_topk('d', 'v', :q, 3)"])
@pytest.mark.parametrize("condition", ["s.rowid >= b.x * 500", "s.rowid < b.x * 500", "s.similarity >= b.x * 0.25"])
def test_another_condition_is_asked_anew(asked, relation, condition):
    """In the inner loop, where all else is as it was for the row before: what each row has when it is asked alone."""
    bounds = "(SELECT value AS x FROM json_each('[1, 4, 2]'))"
    inner = f"SELECT b.x, s.rowid FROM {bounds} AS b CROSS JOIN {relation} AS s ON {condition}"
    found = answer(asked, inner)
    alone = [(x, r) for x in (1, 4, 2)
             for (r,) in answer(asked, f"SELECT s.rowid FROM {relation} AS s WHERE {condition.replace('b.x', str(x))}")]  # fmt: skip
    assert sorted(found) == sorted(alone)
    assert len({tuple(r for y, r in found if y == x) for x in (1, 4, 2)}) > 1
