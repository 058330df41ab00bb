"""pool_mean over windows: every kind of frame, and magnitudes that outrun float64, against math.fsum of each frame's own
rows.

Frames are worked out here from the SQL standard's words. What a frame gives may not depend on what passed through the
window before, so the tolerance is float32's rounding of the result alone. Frames with EXCLUDE, be it NO OTHERS, are the
exception: SQLite sums each of them anew, like a group, in row order in float64, and the textbook bound of that sum
comes on top.
"""

import math

import numpy
import pytest
from conftest import fill, unvec, vec

UNBOUNDED = math.inf
EXCLUDES = ["NO OTHERS", "CURRENT ROW", "GROUP", "TIES"]


def words(offset):
    if offset == 0:
        return "CURRENT ROW"
    amount = "UNBOUNDED" if math.isinf(offset) else str(abs(offset))
    return f"{amount} {'PRECEDING' if offset < 0 else 'FOLLOWING'}"


def frame_of(kind, keys, i, start, end, exclude):
    """The rows of row i's frame; keys ascend, and equal keys are peers."""
    place = {"ROWS": range(len(keys)), "RANGE": keys, "GROUPS": numpy.searchsorted(sorted(set(keys)), keys)}[kind]
    rows = [j for j in range(len(keys)) if place[i] + start <= place[j] <= place[i] + end]
    peers = [j for j in range(len(keys)) if (j == i if kind == "ROWS" else keys[j] == keys[i])]
    out = {None: [], "NO OTHERS": [], "CURRENT ROW": [i], "GROUP": peers, "TIES": [j for j in peers if j != i]}[exclude]
    return [j for j in rows if j not in out]


def magnitudes(rng, low, high, n):
    return rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(low, high, n)


def eras(rng, low, high, n, dim):
    """Magnitudes that stay about the same for a while, then leap: where a small frame follows a large one."""
    level = numpy.repeat(rng.choice([low, 0.5 * low, 0, high], n), rng.integers(1, 9, n).astype(numpy.intp))[:n]
    power = numpy.clip(level[:, None] + rng.uniform(-2, 2, (n, dim)), low, high)
    return rng.choice([-1.0, 1.0], (n, dim)) * 10.0**power


def weights_of(rng, kind, n):
    if kind is None:
        return numpy.ones(n)
    weights = rng.choice([0.0, 1.0, 0.5], n) if kind == "mask" else numpy.abs(magnitudes(rng, -kind, kind, n))
    weights[rng.random(n) < 0.2] = 0
    return weights


def check(got, x, weights, exclude):
    """got: the BLOB of a frame whose rows that count are x (rows x dim), weights."""
    if len(x) == 0 or not weights.any():
        assert got is None
        return
    total = math.fsum(weights)
    for element, column in zip(unvec(got).astype("f8"), x.T):
        products = (weights * column).tolist()
        want = math.fsum(products) / total
        slack = 0 if exclude is None else len(x) * 2.0**-53 * math.fsum(map(abs, products)) / total
        assert abs(element - want) <= 2.0**-24 * (1 + 1e-6) * abs(want) + 2.0**-150 + slack


def choose_frame(rng):
    offsets = [-UNBOUNDED, *range(-4, 5), UNBOUNDED]
    while True:
        start, end = (offsets[i] for i in rng.integers(0, len(offsets), 2))
        if start < UNBOUNDED and end > -UNBOUNDED and numpy.sign(start) <= numpy.sign(end):
            return start, end


@pytest.mark.parametrize("weighting", [None, "mask", 30, 200], ids=["alone", "mask", "weights", "huge weights"])
@pytest.mark.parametrize("spread", [30, 44, 3], ids=["1e30", "float32's ends", "embeddings"])
@pytest.mark.parametrize("kind", ["ROWS", "RANGE", "GROUPS"])
def test_random_frames(db, rng, kind, spread, weighting):
    n = 60
    db.execute("CREATE TABLE w(id INTEGER PRIMARY KEY, k, v, w)")
    for _ in range(20):
        keys = sorted(rng.integers(0, 25, n).tolist())
        x = eras(rng, -spread, min(spread, 38), n, 3).astype("f4")
        weights = weights_of(rng, weighting, n)
        null = rng.random(n) < 0.1
        db.execute("DELETE FROM w")
        db.executemany(
            "INSERT INTO w VALUES (?, ?, ?, ?)",
            ((i, keys[i], None if null[i] else vec(x[i]), weights[i]) for i in range(n)),
        )
        start, end = choose_frame(rng)
        exclude = EXCLUDES[rng.integers(0, 4)] if rng.random() < 0.4 else None
        frame = f"{kind} BETWEEN {words(start)} AND {words(end)}" + (f" EXCLUDE {exclude}" if exclude else "")
        print(frame)
        order = "id" if kind == "ROWS" else "k"
        argument = "v" if weighting is None else "v, w"
        got = db.execute(f"SELECT id, pool_mean({argument}) OVER (ORDER BY {order} {frame}) FROM w").fetchall()
        assert len(got) == n
        for i, blob in got:
            rows = [j for j in frame_of(kind, keys, i, start, end, exclude) if not null[j]]
            check(blob, x[rows].astype("f8"), weights[rows], exclude)


def test_what_was_summed_before_the_first_result(db):
    """Rows that SQLite adds before it asks for anything: of frames that look ahead."""
    fill(db, [[2.0**50], *[[0.3]] * 6])
    rows = db.execute("SELECT pool_mean(v) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 3 FOLLOWING) FROM t").fetchall()
    assert [float(unvec(blob)[0]) for (blob,) in rows][1:] == [float(numpy.float32(0.3))] * 6
    fill(db, [[1e30], [-1e-30], [1], [1e-30], [1e-30]])
    rows = db.execute(
        "SELECT pool_mean(v) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM t"
    ).fetchall()
    assert [float(unvec(blob)[0]) for (blob,) in rows][3:] == [float(numpy.float32(1e-30))] * 2


def test_a_frame_knows_its_own_rows_alone(db, rng):
    """The same rows give the same bits, whatever passed before, in whichever order they came."""
    same = magnitudes(rng, -30, 30, 8 * 4).reshape(8, 4)
    seen = set()
    for _ in range(20):
        passed = magnitudes(rng, -30, 38, 4 * rng.integers(0, 30)).reshape(-1, 4)
        fill(db, [*passed, *same[rng.permutation(8)]])
        rows = db.execute("SELECT pool_mean(v) OVER (ORDER BY id ROWS 7 PRECEDING) FROM t").fetchall()
        seen.add(rows[-1])
    assert len(seen) == 1


def test_a_window_of_one_text_does_not_see_the_other(db, rng):
    x = magnitudes(rng, -30, 30, 40).reshape(40, 1)
    fill(db, x)
    rows = db.execute(
        "SELECT id, pool_mean(v) OVER (PARTITION BY id > 20 ORDER BY id ROWS BETWEEN 2 FOLLOWING AND 4 FOLLOWING)"
        " FROM t"
    ).fetchall()
    for i, blob in rows:
        end = 20 if i <= 20 else 40
        frame = x[min(i + 1, end) : min(i + 4, end)].astype("f4").astype("f8")
        check(blob, frame, numpy.ones(len(frame)), None)


def test_sums_beyond_float64(db):
    """Said, not returned as 0 or NaN."""
    for rows in ("('[1]', 1.7e308), ('[1]', 1.7e308)", "('[1e30]', 1e300)"):
        for over in ("", " OVER ()"):
            with pytest.raises(Exception, match="^pool_mean: the weighted sums are beyond float64, expected smaller"):
                db.execute(f"SELECT pool_mean(column1, column2){over} FROM (VALUES {rows})").fetchall()
