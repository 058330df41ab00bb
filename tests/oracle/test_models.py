"""The ways a model reaches whiten_apply: same bits, and the model is read in full once per connection."""

import itertools
import json
import sqlite3

import numpy
import pytest
from conftest import WHITEN_SO, connect, fill, one
from reference import conditioned, options

WAYS = {
    "literal": "SELECT whiten_apply(x'{hex}', v) FROM t ORDER BY id",
    "bound": "SELECT whiten_apply(?, v) FROM t ORDER BY id",
    "sub-query": "SELECT whiten_apply((SELECT model FROM whitening WHERE name = 'm'), v) FROM t ORDER BY id",
    "handle": (
        "SELECT whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = 'm'), v) FROM t ORDER"
        " BY id"
    ),
    "handle of a bound": "SELECT whiten_apply(whiten_model(?), v) FROM t ORDER BY id",
    "join": "SELECT whiten_apply(model, v) FROM t, whitening WHERE name = 'm' ORDER BY id",
    "cte": "WITH m AS MATERIALIZED (SELECT model FROM whitening WHERE name = 'm')"
    " SELECT whiten_apply(model, v) FROM t, m ORDER BY t.id",
    "correlated": (
        "SELECT whiten_apply((SELECT model FROM whitening WHERE t.id > 0 AND name = 'm'), v) FROM t ORDER"
        " BY id"
    ),
}


def counts(db):
    return json.loads(one(db, "SELECT whiten_config()"))["models"]


@pytest.fixture
def path(tmp_path, rng):
    """A database file with a model made by another connection: nothing of it is cached here."""
    path = tmp_path / "w.db"
    connection = connect(path)
    fill(connection, conditioned(rng, 300, 24, 100, mean=3))
    connection.execute("CREATE TABLE whitening(name PRIMARY KEY, model BLOB)")
    connection.execute("INSERT INTO whitening SELECT 'm', whiten_fit(v, 10, ?) FROM t", (options(ridge=0.1),))
    connection.execute("INSERT INTO whitening SELECT 'other', whiten_fit(v, 10) FROM t")
    connection.close()
    return path


def run(db, way):
    model = one(db, "SELECT model FROM whitening WHERE name = 'm'")
    sql = WAYS[way].format(hex=model.hex())
    return [y for (y,) in db.execute(sql, (model,) if "?" in sql else ())]


def test_all_ways_give_the_same_bits(path):
    db = connect(path)
    results = {way: run(db, way) for way in WAYS}
    db.close()
    for way, rows in results.items():
        assert len(rows) == 300 and None not in rows
        assert rows == results["bound"], way


@pytest.mark.parametrize("way", WAYS)
def test_model_is_parsed_once(path, way):
    """One full reading, whatever the number of rows and of statements."""
    db = connect(path)
    assert counts(db)["parsed"] == 0
    run(db, way)
    assert counts(db)["parsed"] == 1
    run(db, way)
    run(db, "bound")
    run(db, "sub-query")
    assert counts(db) == {"cached": 1, "parsed": 1}
    db.close()


def test_two_models_in_one_statement(path):
    db = connect(path)
    sql = "SELECT whiten_apply(model, v) FROM t, whitening ORDER BY id, name"
    rows = [y for (y,) in db.execute(sql)]
    assert counts(db)["parsed"] == 2
    a = [
        y
        for (y,) in db.execute(
            "SELECT whiten_apply((SELECT model FROM whitening WHERE name = 'm'), v) FROM t ORDER BY id"
        )
    ]
    assert rows[0::2] == a
    assert counts(db)["parsed"] == 2
    db.close()


def test_other_functions_use_the_same_cache(path):
    db = connect(path)
    for call in (
        "whiten_info(model)",
        "whiten_kernel(model)",
        "whiten_bias(model)",
        "whiten_inverse(model, '[1,1,1,1,1,1,1,1,1,1]')",
    ):
        db.execute(f"SELECT {call} FROM whitening WHERE name = 'm'").fetchall()
    db.execute("SELECT * FROM whiten_spectrum((SELECT model FROM whitening WHERE name = 'm'))").fetchall()
    assert counts(db)["parsed"] == 1
    db.close()


def test_each_connection_reads_for_itself(path):
    first, second = connect(path), connect(path)
    run(first, "bound")
    assert (counts(first)["parsed"], counts(second)["parsed"]) == (1, 0)
    first.close()
    assert run(second, "bound")
    second.close()


def test_many_models(db, rng):
    """More models than a cache holds: still right, and the cache does not grow without end."""
    fill(db, conditioned(rng, 60, 6, 10))
    db.execute("CREATE TABLE m(id INTEGER PRIMARY KEY, model BLOB)")
    for i in range(200):
        db.execute("INSERT INTO m(model) SELECT whiten_fit(v, NULL, ?) FROM t", (options(ridge=i / 100),))
    for _ in range(2):
        rows = db.execute(
            "SELECT m.id, whiten_apply(model, v), whiten_kernel(model) FROM m, t WHERE t.id = 7 ORDER BY m.id"
        ).fetchall()
        assert len({y for _, y, _ in rows}) == 200
    fresh = connect()
    for i, y, _ in rows[::20]:
        model = one(db, "SELECT model FROM m WHERE id = ?", i)
        assert one(fresh, "SELECT whiten_apply(?, ?)", model, one(db, "SELECT v FROM t WHERE id = 7")) == y
    fresh.close()
    assert counts(db)["cached"] < 200


def test_handle_outlives_nothing(path):
    """A handle in one statement; the table of models changes; the next one sees the new model."""
    db = connect(path)
    before = run(db, "handle")
    db.execute(
        "UPDATE whitening SET model = (SELECT model FROM whitening WHERE name = 'other') WHERE name = 'm'"
    )
    after = run(db, "handle")
    assert before != after
    assert after == run(db, "bound")
    db.close()


def test_model_replaced_during_the_query(path):
    """Models alternate from row to row through one sub-query: each row gets its own."""
    db = connect(path)
    sql = (
        "SELECT whiten_apply((SELECT model FROM whitening WHERE name = CASE t.id % 2 WHEN 0 THEN 'm' ELSE"
        " 'other' END), v)"
        " FROM t ORDER BY id"
    )
    rows = [y for (y,) in db.execute(sql)]
    m = run(db, "bound")
    assert rows[1::2] == m[1::2]
    assert not set(rows[0::2]) & set(m[0::2])
    db.close()


def test_one_handle_for_all_functions(path):
    db = connect(path)
    row = db.execute(
        "SELECT whiten_info(whiten_model(model)) = whiten_info(model), whiten_kernel(whiten_model(model)) ="
        " whiten_kernel(model),"
        " whiten_bias(whiten_model(model)) = whiten_bias(model),"
        " whiten_inverse(whiten_model(model), '[1,2,3,4,5,6,7,8,9,0]') = whiten_inverse(model,"
        " '[1,2,3,4,5,6,7,8,9,0]'),"
        " (SELECT count(*) FROM whiten_spectrum(whiten_model(model))),"
        " whiten_apply(whiten_model(whiten_model(model)), zeroblob(96)) = whiten_apply(model, zeroblob(96))"
        " FROM whitening WHERE name = 'm'"
    ).fetchone()
    assert row == (1, 1, 1, 1, 24, 1)
    db.close()


def test_loading_twice_is_harmless(path):
    if WHITEN_SO.stem != "whiten":
        pytest.skip("the entry point cannot be told from the name of the file")
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    db.load_extension(str(WHITEN_SO))
    before = run(db, "bound")
    db.load_extension(str(WHITEN_SO))
    assert run(db, "bound") == before
    assert counts(db)["parsed"] >= 1
    db.close()


def test_batches_of_a_migration(path):
    """Bounded UPDATEs, as a migration runs them: the model is read once for all of them."""
    db = connect(path)
    db.execute("ALTER TABLE t ADD COLUMN w BLOB")
    for start in range(1, 301, 50):
        db.execute(
            "UPDATE t SET w = whiten_apply((SELECT model FROM whitening WHERE name = 'm'), v) WHERE id"
            " BETWEEN ? AND ?",
            (start, start + 49),
        )
    assert counts(db)["parsed"] == 1
    assert one(db, "SELECT count(*) FROM t WHERE length(w) = 40") == 300
    assert [w for (w,) in db.execute("SELECT w FROM t ORDER BY id")] == run(db, "bound")
    db.close()


def test_rows_as_numbers(path):
    """Against numpy, so that the same bits are also the right ones."""
    db = connect(path)
    model = one(db, "SELECT model FROM whitening WHERE name = 'm'")
    kernel = numpy.frombuffer(one(db, "SELECT whiten_kernel(?)", model), "<f4").reshape(24, 10).astype("f8")
    bias = numpy.frombuffer(one(db, "SELECT whiten_bias(?)", model), "<f4")
    x = numpy.array(
        [numpy.frombuffer(v, "<f4") for (v,) in db.execute("SELECT v FROM t ORDER BY id")], dtype="f8"
    )
    y = numpy.array([numpy.frombuffer(v, "<f4") for v in run(db, "handle")])
    assert numpy.abs(y - (x + bias) @ kernel).max() < 1e-4
    db.close()


# ---- models that have rotted: a bit in the middle, the header as it was


def rotted(blob):
    at = len(blob) // 2
    return blob[:at] + bytes([blob[at] ^ 4]) + blob[at + 1 :]


@pytest.fixture(scope="module", params=["4 x 2", "96 x 80", "200 x 200"])
def sound(request):
    """A model of 300 bytes, of 35 KB, of 165 KB: SQLite keeps, moves and copies BLOBs differently by size."""
    d, k = map(int, request.param.split(" x "))
    db = connect()
    fill(db, numpy.random.default_rng(1).standard_normal((3 * d, d)))
    model = one(db, "SELECT whiten_fit(v, ?) FROM t", k)
    db.close()
    return model, numpy.zeros(d, "<f4").tobytes()


ORDERS = [order for n in (2, 3) for order in itertools.product("sr", repeat=n) if len(set(order)) > 1]


def table_of(order, sound):
    """A connection with a table of models, sound and rotted in this order, none of which it has met."""
    model, vector = sound
    db = connect()
    db.execute("CREATE TABLE whitening(id INTEGER PRIMARY KEY, name TEXT, model BLOB)")
    rows = [(kind, model if kind == "s" else rotted(model)) for kind in order]
    db.executemany("INSERT INTO whitening(name, model) VALUES (?, ?)", rows)
    return db, vector


@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_whiten_check_finds_each_rotted_row(order, sound):
    db, _ = table_of(order, sound)
    want = [int(kind == "s") for kind in order]
    for sql in (
        "SELECT whiten_check(model) FROM whitening ORDER BY id",
        "SELECT whiten_check((SELECT model FROM whitening AS w WHERE w.id = o.id)) FROM whitening AS o ORDER BY id",
        "SELECT whiten_check(a.model) FROM whitening AS a, whitening AS b WHERE a.id = b.id ORDER BY a.id",
        "SELECT max(whiten_check(model)) FROM whitening GROUP BY id ORDER BY id",
    ):
        assert [found for (found,) in db.execute(sql)] == want, sql
    names = "SELECT group_concat(id) FROM whitening WHERE NOT whiten_check(model)"
    assert one(db, names) == ",".join(str(i) for i, kind in enumerate(order, 1) if kind == "r")
    db.close()


CALLS = {
    "whiten_info": "whiten_info(model) ->> 'hash'",
    "whiten_kernel": "length(whiten_kernel(model))",
    "whiten_bias": "length(whiten_bias(model))",
    "whiten_apply": "length(whiten_apply(model, $v))",
    "whiten_model": "length(whiten_apply(whiten_model(model), $v))",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("order", ORDERS, ids="".join)
def test_a_scan_stops_at_the_rotted_row(order, call, sound):
    """The issue's own statement: name and hash of every row of a backup, some of which are rotten. Whatever comes before
    a rotted row - sound ones in the same place - it is an error, and never a result."""
    db, vector = table_of(order, sound)
    for source in (
        "whitening ORDER BY id",
        "(SELECT id, (SELECT model FROM whitening AS w WHERE w.id = o.id) AS model FROM whitening AS o ORDER BY id)",
        "(SELECT a.id, a.model FROM whitening AS a, whitening AS b WHERE a.id = b.id ORDER BY a.id)",
        "(SELECT id, CASE name WHEN 's' THEN model ELSE (SELECT w.model FROM whitening AS w WHERE w.id = o.id) END"
        " AS model FROM whitening AS o ORDER BY id)",
    ):
        sql = f"SELECT {CALLS[call]} FROM {source}"
        seen = 0
        with pytest.raises(sqlite3.OperationalError, match=f"^{call}: model is damaged: its content"):
            for _ in db.execute(sql, {"v": vector} if "$v" in sql else {}):
                seen += 1
        assert seen <= order.index("r"), source
    db.close()


@pytest.mark.parametrize("way", ["bound", "literal", "bound again"])
def test_a_constant_that_has_rotted(way, sound):
    """Also when the connection knows the genuine one, and when a statement is run again with another value."""
    model, vector = sound
    db = connect()
    sql = "SELECT whiten_info({0}), whiten_apply({0}, ?2), whiten_check({0})"
    text = "x'" + model.hex() + "'" if way == "literal" else "?1"
    assert db.execute(sql.format(text), (model, vector)).fetchone()[2] == 1
    text = "x'" + rotted(model).hex() + "'" if way == "literal" else "?1"
    with pytest.raises(sqlite3.OperationalError, match="^whiten_(info|apply): model is damaged"):
        db.execute(sql.format(text), (rotted(model), vector))
    assert one(db, "SELECT whiten_check(?)", rotted(model)) == 0
    db.close()


def test_a_trigger_that_meets_a_rotted_model(sound):
    """Inside a trigger new.model is constant, for one row."""
    db, _ = table_of("s", sound)
    db.execute("CREATE TABLE log(hash TEXT)")
    db.execute(
        "CREATE TRIGGER checked AFTER INSERT ON whitening"
        " BEGIN INSERT INTO log SELECT whiten_info(new.model) ->> 'hash' FROM json_each('[1,2]'); END"
    )
    model = sound[0]
    with pytest.raises(sqlite3.OperationalError, match="model is damaged"):
        db.execute("INSERT INTO whitening(model) VALUES (?), (?), (?)", (model, rotted(model), model))
    assert one(db, "SELECT count(*) FROM log") == 0
    db.execute("INSERT INTO whitening(model) VALUES (?), (?)", (model, model))
    assert one(db, "SELECT count(*) FROM log") == 4
    db.close()


def test_whiten_rows_of_a_rotted_model(sound):
    db, vector = table_of("sr", sound)
    db.execute("CREATE TABLE t(v)")
    db.execute("INSERT INTO t VALUES (?)", (vector,))
    assert one(db, "SELECT count(*) FROM whiten_rows((SELECT model FROM whitening WHERE id = 1), 't', 'v')") == 1
    with pytest.raises(sqlite3.OperationalError, match="^whiten_rows: model is damaged"):
        db.execute("SELECT w.id FROM whitening AS w, whiten_rows(w.model, 't', 'v') ORDER BY w.id").fetchall()
    db.close()
