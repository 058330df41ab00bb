"""cosine_sim, dot_product, l2_distance, embedding_norm: to the bit, and against float64 with a bound derived
from float32."""

import ctypes
import math

import arithmetic
import numpy
import pytest
from conftest import one, unvec, vec

DIMS = list(range(1, 69)) + [95, 96, 97, 255, 256, 257, 300, 384, 768, 1024, 1536, 4096, 16384]
U = 2.0**-24


def pair(rng, d):
    return rng.standard_normal((2, d)).astype("f4") * numpy.float32(10.0 ** rng.integers(-3, 4))


def gamma(d):
    """Relative error of a dot-like sum: ceil(d / 32) fused steps in float32, then a fold in float64."""
    steps = -(-d // 32)
    return steps * U / (1 - steps * U) + 1e-15


@pytest.mark.parametrize("d", DIMS)
def test_same_bits_as_the_order_of_summation_says(db, rng, d):
    for _ in range(5):
        a, b = pair(rng, d)
        row = db.execute(
            "SELECT dot_product(?1, ?2), cosine_sim(?1, ?2), l2_distance(?1, ?2), embedding_norm(?1)",
            (vec(a), vec(b)),
        ).fetchone()
        assert row == (arithmetic.dot(a, b), arithmetic.cosine(a, b), arithmetic.l2(a, b), arithmetic.norm(a))


@pytest.mark.parametrize("d", DIMS)
def test_within_the_bound_of_float32(db, rng, d):
    a, b = pair(rng, d)
    x, y = a.astype("f8"), b.astype("f8")
    g = gamma(d)
    assert abs(one(db, "SELECT dot_product(?, ?)", vec(a), vec(b)) - x @ y) <= g * (abs(x) @ abs(y))
    # a difference is rounded before it is squared: 2 U more in the square; a square root halves relative
    # errors
    assert one(db, "SELECT l2_distance(?, ?)", vec(a), vec(b)) == pytest.approx(
        numpy.linalg.norm(x - y), rel=(g + 2.1 * U) / 2 + 1e-15, abs=0
    )
    # each difference is rounded, then the sum of positive numbers in a chain of d / 32
    assert one(db, "SELECT l1_distance(?, ?)", vec(a), vec(b)) == pytest.approx(
        math.fsum(abs(x - y)), rel=g + U + 1e-15, abs=0
    )
    assert one(db, "SELECT embedding_norm(?)", vec(a)) == pytest.approx(
        numpy.linalg.norm(x), rel=g / 2 + 1e-15, abs=0
    )
    true = x @ y / numpy.linalg.norm(x) / numpy.linalg.norm(y)
    bound = g * (abs(x) @ abs(y)) / numpy.linalg.norm(x) / numpy.linalg.norm(y) + 1.1 * g + 1e-15
    assert abs(one(db, "SELECT cosine_sim(?, ?)", vec(a), vec(b)) - true) <= bound


@pytest.mark.parametrize("d", [1, 3, 31, 32, 33, 768])
@pytest.mark.parametrize("scale", [1e-45, 1e-42, 1e-38, 1e-30, 1e-20, 1e-12, 1.0, 1e12, 1e19, 1e30, 3e37])
def test_any_magnitude(db, rng, d, scale):
    """Powers of ten from denormal to the largest float32: the cosine of a vector with itself is 1, with its
    opposite -1."""
    a = (rng.uniform(1, 3, d) * rng.choice([-1, 1], d) * scale).astype("f4")
    b = (rng.uniform(1, 3, d) * scale).astype("f4")
    x, y = a.astype("f8"), b.astype("f8")
    row = db.execute(
        "SELECT cosine_sim(?1, ?1), cosine_sim(?1, ?3), cosine_sim(?1, ?2), dot_product(?1, ?2),"
        " l2_distance(?1, ?2),"
        " embedding_norm(?1), l1_distance(?1, ?2)",
        (vec(a), vec(b), vec(-a)),
    ).fetchone()
    assert row[:2] == (1.0, -1.0)
    g = gamma(d) + 4 * U
    size = numpy.linalg.norm(x) * numpy.linalg.norm(y)
    assert abs(row[2] - x @ y / size) <= 3 * g
    assert abs(row[3] - x @ y) <= g * (abs(x) @ abs(y))
    assert row[4] == pytest.approx(numpy.linalg.norm(x - y), rel=g, abs=0)
    assert row[5] == pytest.approx(numpy.linalg.norm(x), rel=g, abs=0)
    assert row[6] == pytest.approx(math.fsum(abs(x - y)), rel=g, abs=0)


@pytest.mark.parametrize("d", [2, 33, 300])
def test_unlike_magnitudes(db, rng, d):
    """One vector huge, the other tiny."""
    a = (rng.standard_normal(d) * 1e30).astype("f4")
    b = (rng.standard_normal(d) * 1e-30).astype("f4")
    x, y = a.astype("f8"), b.astype("f8")
    row = db.execute(
        "SELECT cosine_sim(?1, ?2), dot_product(?1, ?2), l2_distance(?1, ?2), l1_distance(?1, ?2)", (vec(a), vec(b))
    ).fetchone()
    assert row[0] == pytest.approx(x @ y / numpy.linalg.norm(x) / numpy.linalg.norm(y), abs=1e-6)
    assert abs(row[1] - x @ y) <= 1e-6 * (abs(x) @ abs(y))
    assert row[2] == pytest.approx(numpy.linalg.norm(x), rel=1e-6, abs=0)
    assert row[3] == pytest.approx(math.fsum(abs(x)), rel=1e-6, abs=0)


def test_tiny_difference_of_large_vectors(db):
    """Neighbours in float32, and a difference far below the vectors themselves."""
    a = numpy.array([1, 1e-25, 0], dtype="f4")
    b = numpy.array([1, 3e-25, 0], dtype="f4")
    assert one(db, "SELECT l2_distance(?, ?)", vec(a), vec(b)) == pytest.approx(2e-25, rel=1e-6, abs=0)
    a = numpy.array([1e20, 1e20], dtype="f4")
    b = numpy.array([1e20, numpy.nextafter(numpy.float32(1e20), numpy.float32(0))], dtype="f4")
    assert one(db, "SELECT l2_distance(?, ?)", vec(a), vec(b)) == float(a[1]) - float(b[1])


def test_largest_values(db):
    top = float(numpy.finfo("f4").max)
    row = db.execute(
        "SELECT embedding_norm(?1), dot_product(?1, ?1), l2_distance(?1, ?2), l1_distance(?1, ?2)", (vec([top]), vec([-top]))
    ).fetchone()
    assert row == pytest.approx((top, top * top, 2 * top, 2 * top), rel=U)


def test_symmetric_and_clamped(db, rng):
    for d in (2, 3, 50, 384):
        for _ in range(200):
            a, b = pair(rng, d)
            b = a * numpy.float32(rng.uniform(0.1, 9)) if rng.random() < 0.5 else b
            forth, back = db.execute(
                "SELECT cosine_sim(?1, ?2), cosine_sim(?2, ?1)", (vec(a), vec(b))
            ).fetchone()
            assert forth == back
            assert -1 <= forth <= 1


def test_constant_query_and_column(db, rng):
    """A query that is a literal, bound, JSON or BLOB, on the left or on the right: the same bits in every
    row."""
    x = rng.standard_normal((200, 40)).astype("f4")
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
    db.executemany("INSERT INTO t(v) VALUES (?)", ((vec(row),) for row in x))
    query = rng.standard_normal(40).astype("f4")
    text = one(db, "SELECT embedding_as(?, 'json')", vec(query))
    want = [arithmetic.cosine(query, row) for row in x]
    for sql, args in [
        ("cosine_sim(?, v)", (vec(query),)),
        ("cosine_sim(v, ?)", (vec(query),)),
        ("cosine_sim(?, v)", (text,)),
        ("cosine_sim(v, ?)", (text,)),
        (f"cosine_sim(x'{vec(query).hex()}', v)", ()),
        (f"cosine_sim(v, '{text}')", ()),
        ("cosine_sim((SELECT ?), v)", (text,)),
        ("cosine_sim(v, q)", ()),
    ]:
        source = f"t, (SELECT x'{vec(query).hex()}' AS q)" if ", q)" in sql else "t"
        assert [s for (s,) in db.execute(f"SELECT {sql} FROM {source} ORDER BY id", args)] == want, sql


SECOND = {
    "after a call on two columns": ("cosine_sim(v, w), ", ["CASE WHEN id > 30 THEN {0}(v, {1}) END"]),
    "after another constant": ("", ["{0}({1}, v)", "CASE WHEN id > 30 THEN {0}(v, {1}) END"]),
    "many at once": ("", ["{0}(v, {1})"] * 9),
    "many later": ("cosine_sim(v, w), ", ["CASE WHEN id > 30 THEN {0}(v, {1}) END"] * 90),
}


@pytest.mark.parametrize("function", ["cosine_sim", "dot_product", "l2_distance", "l1_distance"])
@pytest.mark.parametrize("case", SECOND)
def test_every_constant_of_a_statement_is_kept(db, rng, case, function):
    """What is kept of a constant is memory of SQLite's while the statement runs: 64 KB each, at these lengths."""
    try:
        used = ctypes.CDLL("libsqlite3.so.0").sqlite3_memory_used
    except (OSError, AttributeError):
        pytest.skip("no libsqlite3.so.0 to ask")
    used.restype = ctypes.c_int64
    before = used()
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v, w)")
    if used() == before:
        pytest.skip("this SQLite does not count, or Python has another")
    x = rng.standard_normal(16384).astype("f4")
    db.execute(
        "INSERT INTO t(v, w) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
        " SELECT embedding_scale(?1, i), embedding_scale(?1, -i) FROM n",
        (vec(x),),
    )
    db.create_function("used", 1, lambda _: used())
    db.create_function("idle", 2, lambda a, b: None)
    first, calls = SECOND[case]
    values = [vec(x * (i + 2)) for i in range(len(calls))]

    def run(name):
        listed = ", ".join(call.format(name, f"?{i}") for i, call in enumerate(calls, 1))
        rows = db.execute(f"SELECT used(id), {first}{listed} FROM t", values).fetchall()
        return rows[-1], rows[-1][0] - rows[0][0]

    last, grown = run(function)
    grown -= run("idle")[1]  # what the same statement takes with a function that keeps nothing
    assert len(calls) * 65536 <= grown <= len(calls) * 66000 + 10_000
    for call, value, got in zip(calls, values, last[-len(calls) :]):
        assert got == one(db, f"SELECT {call.format(function, '?')} FROM t WHERE id = 40", value)


def test_both_constant_and_changing_parameters(db, rng):
    """A statement that is run again with other parameters forgets the first ones."""
    sql = "SELECT dot_product(?, ?), cosine_sim(?1, ?2)"
    for _ in range(20):
        a, b = pair(rng, 5)
        assert db.execute(sql, (vec(a), vec(b))).fetchone() == (arithmetic.dot(a, b), arithmetic.cosine(a, b))


@pytest.mark.parametrize("d", [1, 2, 31, 33, 768, 16384])
def test_normalize(db, rng, d):
    """Each quotient in float64, rounded once: within half a unit of the last place of v / norm."""
    for scale in (1e-40, 1e-30, 1, 1e30):
        a = (rng.standard_normal(d) * scale).astype("f4")
        a[0] = scale
        got = unvec(one(db, "SELECT embedding_normalize(?)", vec(a)))
        x = a.astype("f8")
        assert numpy.abs(got - x / numpy.linalg.norm(x)).max() <= gamma(d) + U
        assert numpy.linalg.norm(got.astype("f8")) == pytest.approx(1, abs=gamma(d) + 4 * U)
