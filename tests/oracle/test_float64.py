"""A column of float64, numpy's default, read as float32 of twice the dimension: aggregates over the column refuse it and
say what to write, and so do messages about NaN, which the halves of float64 often are. No float32 is taken for it.
"""

import re
import sqlite3

import numpy
import pytest
from conftest import DATA, unvec

AGGREGATES = ["whiten_fit(v)", "whiten_stats(v)", "mean_cosine(v)", "isotropy(v)"]
REFUSED = r"^{}: v looks like {} float64 read as {} float32, expected float32: write embedding\(v, 'f64'\)$"
SEES_FLOAT64 = r"\(it looks like {} float64: see embedding\({}, 'f64'\)\)$"
PLAIN = re.compile(r"^\w+: (row \d+ of the group: )?\w+\[\d+\] is (NaN|-?Infinity), expected a finite number$")


def store(db, x):
    db.execute("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v BLOB)")
    db.execute("DELETE FROM t")
    db.executemany("INSERT INTO t(v) VALUES (?)", ((row.tobytes(),) for row in x))


def finite_halves(rng, n, d, make):
    """Rows of float64 without NaN and infinity among their halves, which another message is about."""
    rows = []
    while len(rows) < n:
        x = make(rng, (4 * n, d))
        good = numpy.isfinite(x.astype("<f8").view("<f4")).all(axis=1)
        rows.extend(x[good])
    return numpy.array(rows[:n], dtype="<f8")


FLOAT64 = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "uniform": lambda rng, shape: rng.random(shape),
    "far from 0": lambda rng, shape: 100 + rng.standard_normal(shape),
    "tiny": lambda rng, shape: 1e-9 * rng.standard_normal(shape),
    "with zeros": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.3),
    "rounded from float32": lambda rng, shape: rng.standard_normal(shape).astype("f4").astype("f8"),
    "float32, normalized in float32": lambda rng, shape: (lambda x: x / numpy.linalg.norm(x, axis=1, keepdims=True))(
        rng.standard_normal(shape).astype("f4")
    ).astype("f8"),
}


@pytest.mark.parametrize("call", AGGREGATES)
@pytest.mark.parametrize("d", [2, 5, 64])
@pytest.mark.parametrize("kind", FLOAT64)
def test_a_column_of_float64_is_refused(db, rng, kind, d, call):
    store(db, finite_halves(rng, 1000, d, FLOAT64[kind]))
    with pytest.raises(sqlite3.OperationalError, match=REFUSED.format(call[:-3], d, 2 * d)):
        db.execute(f"SELECT {call} FROM t").fetchall()
    db.execute("UPDATE t SET v = embedding(v, 'f64')")
    db.execute(f"SELECT {call} FROM t").fetchall()


@pytest.mark.parametrize("name", ["a", "b"])
def test_pairs_are_judged_one_column_each(db, rng, name):
    """The other column is float32, of another dimension."""
    store(db, finite_halves(rng, 1000, 6, FLOAT64["normal"]))
    call = "whiten_pair_stats(v, '[1,2]')" if name == "a" else "whiten_pair_stats('[1,2]', v)"
    refused = REFUSED.replace(": v ", f": {name} ").replace("(v,", f"({name},").format("whiten_pair_stats", 6, 12)
    with pytest.raises(sqlite3.OperationalError, match=refused):
        db.execute(f"SELECT {call} FROM t").fetchall()
    db.execute("UPDATE t SET v = embedding(v, 'f64')")
    db.execute(f"SELECT {call} FROM t").fetchall()


def test_rows_that_begin_with_zeros(db, rng):
    x = numpy.zeros((3000, 8))
    x[2000:] = finite_halves(rng, 1000, 8, FLOAT64["normal"])
    store(db, x)
    with pytest.raises(sqlite3.OperationalError, match="looks like 8 float64"):
        db.execute("SELECT whiten_stats(v) FROM t").fetchall()


def test_each_group_is_judged_by_itself(db, rng):
    """A small group says nothing; a stats BLOB carries no evidence, so whiten_merge judges nothing."""
    store(db, finite_halves(rng, 40, 6, FLOAT64["normal"]))
    stats = db.execute("SELECT whiten_stats(v) FROM t").fetchone()
    assert db.execute("SELECT whiten_merge(?) IS NOT NULL", stats).fetchone() == (1,)
    store(db, finite_halves(rng, 400, 6, FLOAT64["normal"]))
    assert len(db.execute("SELECT whiten_stats(v) FROM t GROUP BY id % 10").fetchall()) == 10
    with pytest.raises(sqlite3.OperationalError, match="looks like 6 float64"):
        db.execute("SELECT whiten_stats(v) FROM t GROUP BY id > 10").fetchall()


def has_nan(x):
    return ~numpy.isfinite(x.view("<f4")).all(axis=1)


def test_a_message_about_nan_names_the_remedy(db, rng):
    """One long vector is evidence enough, for any function."""
    x = rng.standard_normal((200, 768))
    bad, good = x[has_nan(x)][0].tobytes(), rng.standard_normal(1536).astype("<f4").tobytes()
    for call, argument in [
        ("embedding(?1)", "x"), ("embedding_norm(?1)", "v"), ("cosine_sim(?2, ?1)", "b"), ("pool_mean(?1)", "v"),
        ("whiten_fit(?1)", "v"), ("mean_cosine(?1)", "v"), ("pool_tokens(?1, 768, 'mean')", "states"),
        ("embedding_as(?1, 'json')", "v"), ("l2_distance(?1, ?2)", "a"),
    ]:  # fmt: skip
        match = r"is (NaN|-?Infinity), expected a finite number " + SEES_FLOAT64.format(768, argument)
        with pytest.raises(sqlite3.OperationalError, match=match):
            db.execute(f"SELECT {call} WHERE ?2 IS NOT NULL", (bad, good)).fetchall()


@pytest.mark.parametrize("call", AGGREGATES)
def test_a_message_about_nan_late_in_a_column(db, rng, call):
    """Short vectors: the rows before are the evidence."""
    x = rng.standard_normal((4000, 4))
    nan = has_nan(x)
    x = numpy.concatenate([x[~nan][:100], x[nan][:1]])
    store(db, x)
    with pytest.raises(sqlite3.OperationalError, match="row 101 of the group: .*" + SEES_FLOAT64.format(4, "v")):
        db.execute(f"SELECT {call} FROM (SELECT v FROM t ORDER BY id)").fetchall()


@pytest.mark.parametrize("call", AGGREGATES)
@pytest.mark.parametrize("d", [8, 32, 128])
def test_a_message_about_nan_early_in_a_column(db, rng, call, d):
    """128 pairs are more than enough where there is an error anyway; whether a column of random numbers meets NaN before 256 is
    chance, and it usually does."""
    x = rng.standard_normal((8000, d))
    nan = has_nan(x)
    store(db, numpy.concatenate([x[~nan][: max(1, 128 // d)], x[nan][:1]]))
    with pytest.raises(sqlite3.OperationalError, match=SEES_FLOAT64.format(d, "v")):
        db.execute(f"SELECT {call} FROM (SELECT v FROM t ORDER BY id)").fetchall()


@pytest.mark.parametrize("d", [2, 64, 768])
def test_nan_in_float32_is_just_nan(db, rng, d):
    x = rng.standard_normal((300, d)).astype("<f4")
    x[200, d // 2] = numpy.nan
    store(db, x)
    for call in AGGREGATES:
        with pytest.raises(sqlite3.OperationalError, match=PLAIN):
            db.execute(f"SELECT {call} FROM t").fetchall()


def half(x):
    return x.astype("<f2").astype("<f4")


def bfloat(x):
    return (numpy.ascontiguousarray(x, "<f4").view("<u4") & 0xFFFF0000).view("<f4")


# Columns that are what they say: (rng, n, d) -> float32.
FLOAT32 = {
    "normal": lambda rng, n, d: rng.standard_normal((n, d)),
    "zeros": lambda rng, n, d: numpy.zeros((n, d)),
    "constant": lambda rng, n, d: numpy.full((n, d), 0.1),
    "equal rows": lambda rng, n, d: numpy.tile(rng.standard_normal(d), (n, 1)),
    "integers": lambda rng, n, d: rng.integers(-1000, 1000, (n, d)),
    "int8": lambda rng, n, d: rng.integers(-128, 128, (n, d)),
    "large integers": lambda rng, n, d: rng.integers(-(2**62), 2**62, (n, d)),
    "one-hot": lambda rng, n, d: numpy.eye(d)[rng.integers(0, d, n)],
    "sparse": lambda rng, n, d: rng.standard_normal((n, d)) * (rng.random((n, d)) < 0.02),
    "half": lambda rng, n, d: half(rng.standard_normal((n, d))),
    "bfloat16": lambda rng, n, d: bfloat(rng.standard_normal((n, d))),
    "bits": lambda rng, n, d: rng.integers(0, 2, (n, d)),
    "signs": lambda rng, n, d: rng.choice([-1.0, 1.0], (n, d)),
    "zeros in every second place": lambda rng, n, d: rng.standard_normal((n, d)) * (numpy.arange(d) % 2),
    "unlike scales": lambda rng, n, d: rng.standard_normal((n, d)) * 10.0 ** rng.uniform(-15, 15, d),
    "every magnitude": lambda rng, n, d: rng.choice([-1, 1], (n, d)) * 10.0 ** rng.uniform(-37, 37, (n, d)),
    "large and small in turn": lambda rng, n, d: rng.standard_normal((n, d)) * numpy.where(numpy.arange(d) % 2, 1, 1e18),
    "heavy tails": lambda rng, n, d: rng.standard_cauchy((n, d)) ** 3,
    "denormal": lambda rng, n, d: 1e-40 * rng.standard_normal((n, d)),
}


@pytest.mark.parametrize("d", [1, 2, 3, 64, 512])
@pytest.mark.parametrize("kind", FLOAT32)
def test_no_false_alarm(db, rng, kind, d):
    store(db, FLOAT32[kind](rng, 600, d).astype("<f4"))
    for call in ("whiten_stats(v)", "mean_cosine(v)"):
        db.execute(f"SELECT {call} FROM t").fetchall()
        db.execute(f"SELECT {call} FROM t GROUP BY id % 7").fetchall()


@pytest.mark.parametrize("kind", ["integers", "half", "bits"])
def test_float64_that_could_be_float32_is_let_through(db, rng, kind):
    """Their low halves are zeros, as vectors with a zero in every second place have them."""
    store(db, FLOAT32[kind](rng, 600, 32).astype("<f8"))
    assert db.execute("SELECT whiten_stats(v) IS NOT NULL FROM t").fetchone() == (1,)


def test_a_number_in_json_is_never_float64(db, rng):
    """The same numbers as text: whoever wrote them meant them."""
    store(db, finite_halves(rng, 400, 4, FLOAT64["normal"]))
    assert db.execute("SELECT whiten_stats(embedding_as(v, 'json')) IS NOT NULL FROM t").fetchone() == (1,)


@pytest.mark.parametrize(
    "name", ["sts_w2v300_stsb", "sts_use512_stsb", "bgem3_alice_1024", "tokens_minilm_384", "use512_glosses"]
)
def test_real_sets(db, name):
    """None is taken for float64, in whole or in parts; all of them are, once they are."""
    paths = [DATA / f"{name}.f32", DATA / f"{name}.f16"]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        pytest.skip(f"the set {name} is not in the data folder (WHITEN_DATA)")
    d = int(re.search(r"\d+(?=_stsb|$)", name.replace("w2v", "").replace("use512_glosses", "512"))[0])
    x = numpy.fromfile(path, "<f2" if path.suffix == ".f16" else "<f4").reshape(-1, d).astype("<f4")[:20000]
    store(db, x)
    assert db.execute("SELECT mean_cosine(v), count(*) FROM t").fetchone()[1] == len(x)
    db.execute("SELECT mean_cosine(v) FROM t GROUP BY id / 5").fetchall()
    if path.suffix == ".f16" or len(x) < 100:
        return
    wide = x.astype("<f8") if name != "sts_w2v300_stsb" else x.astype("<f8") * 0.7
    wide = wide[~has_nan(wide)]
    store(db, wide)
    with pytest.raises(sqlite3.OperationalError, match=f"looks like {d} float64"):
        db.execute("SELECT mean_cosine(v) FROM t").fetchall()


def test_the_remedy_gives_the_vectors(db, rng):
    x = rng.standard_normal((20, 7))
    store(db, x)
    got = [unvec(blob) for (blob,) in db.execute("SELECT embedding(v, 'f64') FROM t ORDER BY id")]
    assert numpy.array_equal(got, x.astype("<f4"))
