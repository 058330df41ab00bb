"""The poolings against numpy, to the bit where the order of summation is given: float64, element by element,
row order."""

import numpy
import pytest
from conftest import fill, one, unvec, vec

MODES = ["mean", "position_mean", "max", "mean_sqrt_len", "cls", "last"]


def pool(mode, x, weight):
    """float64 in row order, rounded to float32 once; None when no row counts."""
    if not (weight > 0).any():
        return None
    on = numpy.flatnonzero(weight > 0)
    if mode == "cls":
        return x[on[0]]
    if mode == "last":
        return x[on[-1]]
    if mode == "max":
        return x[on].max(axis=0)
    if mode == "position_mean":
        weight = weight * numpy.arange(1, len(x) + 1)
    total, count = numpy.zeros(x.shape[1]), 0.0
    for row, w in zip(x, weight):
        total = total + w * row.astype("f8")
        count += w
    return (total / (numpy.sqrt(count) if mode == "mean_sqrt_len" else count)).astype("f4")


def aggregate(db, mode, masked):
    """The SQL of one pooling over t(id, v, m)."""
    extra = {"position_mean": ", id", "cls": ", id", "last": ", id"}.get(mode, "")
    mask = ", m" if masked else ""
    return one(db, f"SELECT pool_{mode}(v{extra}{mask}) FROM (SELECT * FROM t ORDER BY id)")


def table(db, x, mask):
    fill(db, x)
    db.execute("ALTER TABLE t ADD COLUMN m")
    db.executemany("UPDATE t SET m = ? WHERE id = ?", ((w, i) for i, w in enumerate(mask, 1)))


MASKS = {
    "ones": lambda rng, n: numpy.ones(n, dtype=int),
    "zeros and ones": lambda rng, n: rng.integers(0, 2, n),
    "zeros": lambda rng, n: numpy.zeros(n, dtype=int),
    "padding": lambda rng, n: (numpy.arange(n) < (n + 1) // 2).astype(int),
    "left padding": lambda rng, n: (numpy.arange(n) >= n // 2).astype(int),
}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("mode", MODES)
def test_pool(db, rng, mode, kind):
    for n, d in [(1, 1), (2, 5), (37, 384), (128, 33)]:
        x = (rng.standard_normal((n, d)) * 3 + 1).astype("f4")
        mask = MASKS[kind](rng, n)
        table(db, x, mask.tolist())
        want = pool(mode, x, mask.astype("f8"))
        want = None if want is None else vec(want)
        assert aggregate(db, mode, masked=True) == want
        if kind == "ones":
            assert aggregate(db, mode, masked=False) == want
        for coded in (str(mask.tolist()), mask.astype("u1").tobytes(), mask.astype("<i8").tobytes()):
            if n == 1 and isinstance(coded, bytes) and len(coded) == 8 and d > 1:
                continue
            assert one(db, "SELECT pool_tokens(?, ?, ?, ?)", vec(x), d, mode, coded) == want
        if kind == "ones":
            assert one(db, "SELECT pool_tokens(?, ?, ?)", vec(x), d, mode) == want


@pytest.mark.parametrize("mode", ["mean", "mean_sqrt_len", "position_mean", "max"])
def test_real_weights(db, rng, mode):
    """Weights are any numbers >= 0: idf, say."""
    x = rng.standard_normal((40, 7)).astype("f4")
    weight = rng.random(40) * rng.integers(0, 2, 40)
    table(db, x, weight.tolist())
    want = vec(pool(mode, x, weight))
    assert aggregate(db, mode, masked=True) == want
    text = "[" + ",".join(map(repr, weight.astype("f4").astype("f8").tolist())) + "]"
    want = vec(pool(mode, x, weight.astype("f4").astype("f8")))
    assert one(db, "SELECT pool_tokens(?, 7, ?, ?)", vec(x), mode, text) == want


def test_groups(db, rng):
    """Many texts at once: each group is its own."""
    lengths = rng.integers(1, 12, 200)
    texts = [rng.standard_normal((n, 6)).astype("f4") for n in lengths]
    db.execute("CREATE TABLE token(doc, pos, v)")
    rows = [(doc, pos + 1, vec(v)) for doc, x in enumerate(texts) for pos, v in enumerate(x)]
    db.executemany("INSERT INTO token VALUES (?, ?, ?)", (rows[i] for i in rng.permutation(len(rows))))
    got = db.execute(
        "SELECT doc, pool_mean(v), pool_position_mean(v, pos), pool_max(v), pool_mean_sqrt_len(v),"
        " pool_cls(v, pos),"
        " pool_last(v, pos) FROM (SELECT * FROM token ORDER BY doc, pos) GROUP BY doc ORDER BY doc"
    ).fetchall()
    for doc, *pooled in got:
        x = texts[doc]
        for mode, blob in zip(["mean", "position_mean", "max", "mean_sqrt_len", "cls", "last"], pooled):
            assert blob == vec(pool(mode, x, numpy.ones(len(x)))), (doc, mode)


def test_cls_and_last_do_not_depend_on_the_order_of_rows(db, rng):
    x = rng.standard_normal((50, 4)).astype("f4")
    table(db, x, [1] * 50)
    for order in ("id", "-id", "random()"):
        row = db.execute(
            f"SELECT pool_cls(v, id), pool_last(v, id) FROM (SELECT * FROM t ORDER BY {order})"
        ).fetchone()
        assert row == (vec(x[0]), vec(x[-1]))


def test_only_the_extreme_position_must_be_single(db):
    """Rows that share a position in the middle are no tie, whenever the extreme one comes."""
    sql = "SELECT pool_cls(v, p), pool_last(v, -p) FROM (SELECT column1 AS v, column2 AS p FROM (VALUES %s))"
    for rows in ("('[1]', 5), ('[2]', 5), ('[3]', 3)", "('[3]', 3), ('[1]', 5), ('[2]', 5)"):
        assert db.execute(sql % rows).fetchone() == (vec([3]), vec([3]))


def test_positions_of_any_size(db, rng):
    x = rng.standard_normal((3, 4)).astype("f4")
    fill(db, x)
    low, high = -(2**63), 2**63 - 1
    sql = (
        "SELECT pool_cls(v, CASE id WHEN 1 THEN ?1 WHEN 2 THEN ?2 ELSE 0 END), pool_last(v, CASE id WHEN 1"
        " THEN ?1 WHEN 2 THEN ?2 ELSE 0 END) FROM t"
    )
    assert db.execute(sql, (high, low)).fetchone() == (vec(x[1]), vec(x[0]))


def test_mean_of_a_huge_and_a_small_row(db):
    """float64 sums: 1e30 and 1 give what float64 gives."""
    fill(db, [[1e30, 1], [1, 1], [-1e30, 1]])
    got = unvec(one(db, "SELECT pool_mean(v) FROM (SELECT v FROM t ORDER BY id)"))
    total = (float(numpy.float32(1e30)) + 1.0) - float(numpy.float32(1e30))
    assert got.tolist() == [numpy.float32(total / 3), 1.0]


FRAMES = [
    (2, 0), (0, 0), (5, 3), (0, 4), (1000, 0), (1000, 1000), (None, 2),
]  # fmt: skip


@pytest.mark.parametrize("before, after", FRAMES)
@pytest.mark.parametrize("weighted", [False, True])
def test_window(db, rng, before, after, weighted):
    """Moving averages against numpy's mean of each frame."""
    n = 60
    x = (rng.standard_normal((n, 5)) + 2).astype("f4")
    weight = rng.integers(0, 3, n) if weighted else numpy.ones(n, dtype=int)
    table(db, x, weight.tolist())
    start = "UNBOUNDED" if before is None else before
    rows = db.execute(
        f"SELECT pool_mean(v{', m' if weighted else ''}) OVER"
        f" (ORDER BY id ROWS BETWEEN {start} PRECEDING AND {after} FOLLOWING) FROM t ORDER BY id"
    ).fetchall()
    for i, (blob,) in enumerate(rows):
        first = 0 if before is None else max(0, i - before)
        want = pool("mean", x[first : i + after + 1], weight[first : i + after + 1].astype("f8"))
        if want is None:
            assert blob is None
        else:
            assert numpy.abs(unvec(blob) - want).max() <= 2e-7 * numpy.abs(want).max()


def test_window_with_nulls_and_partitions(db, rng):
    x = rng.standard_normal((40, 3)).astype("f4")
    fill(db, x)
    db.execute("UPDATE t SET v = NULL WHERE id % 5 < 3")
    rows = db.execute(
        "SELECT id, pool_mean(v) OVER (PARTITION BY id % 2 ORDER BY id ROWS 1 PRECEDING),"
        " (SELECT pool_mean(u.v) FROM t AS u WHERE u.id IN (t.id, t.id - 2)) FROM t"
    ).fetchall()
    assert any(window is None for _, window, _ in rows)
    for _, window, joined in rows:
        assert window == joined


def test_huge_row_leaves_no_trace_in_a_window(db):
    """What a row brought it takes away: the frames after 1e30 are those of a fresh sum."""
    fill(db, [[1e30], [1], [2], [-1e30], [3], [5], [1e-7], [1e-7], [1e-7]])
    rows = db.execute("SELECT pool_mean(v) OVER (ORDER BY id ROWS 1 PRECEDING) FROM t ORDER BY id").fetchall()
    got = [float(unvec(blob)[0]) for (blob,) in rows]
    assert got[2] == 1.5
    assert got[5] == 4.0
    assert got[7] == got[8] == float(numpy.float32(1e-7))


def test_huge_weight_leaves_no_trace_in_a_window(db):
    fill(db, [[1], [2], [4], [6]])
    sql = (
        "SELECT pool_mean(v, CASE id WHEN 1 THEN 1e20 ELSE 1 END) OVER (ORDER BY id ROWS 1 PRECEDING) FROM t"
    )
    assert [float(unvec(blob)[0]) for (blob,) in db.execute(sql)][2:] == [3.0, 5.0]


def test_window_over_many_rows_does_not_drift(db, rng):
    x = rng.standard_normal((3000, 2)).astype("f4") * numpy.float32(1e4)
    x[1500:] *= numpy.float32(1e-8)
    fill(db, x)
    rows = db.execute("SELECT pool_mean(v) OVER (ORDER BY id ROWS 9 PRECEDING) FROM t ORDER BY id").fetchall()
    for i in (1600, 2999):
        want = x[i - 9 : i + 1].astype("f8").mean(axis=0)
        assert numpy.abs(unvec(rows[i][0]) - want).max() <= 1e-6 * numpy.abs(want).max()
