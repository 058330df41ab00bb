"""Growth: the time of a fit and of whiten_rows must lie on a straight line as the table grows."""

import statistics

import data
from harness import Side, compare, within
from peers import COMPONENTS, MODEL

DIM = 768
STEPS = (4, 2, 1, 0.5)


def _line(points):
    """a, b of seconds = a + b * rows by least squares of the relative errors, a >= 0: a fixed cost cannot be
    less than nothing, so what grows faster than the table shows."""
    w = [1 / y**2 for _, y in points]
    sw, sx, sy = (
        sum(w),
        sum(v * x for v, (x, _) in zip(w, points)),
        sum(v * y for v, (_, y) in zip(w, points)),
    )
    sxx = sum(v * x * x for v, (x, _) in zip(w, points))
    sxy = sum(v * x * y for v, (x, y) in zip(w, points))
    b = (sw * sxy - sx * sy) / (sw * sxx - sx * sx)
    a = (sy - b * sx) / sw
    return (a, b) if a >= 0 else (0, sxy / sxx)


def _growth(options, table, name, sql, bind=(), cores=None):
    sizes = [int(options.rows / step) for step in STEPS]
    sides = {
        str(size): Side("sides:query", cores, database=data.vectors(size, DIM), sql=sql, bind=bind)
        for size in sizes
    }
    r = compare(options, **sides)
    if r.missing:
        reason = next(iter(r.missing.values()))
        table.row(f"{name}, growth", reason, "straight line", reason, within(0.15))
        return
    a, b = _line([(size, statistics.median(r.of(str(size)))) for size in sizes])
    for size in sizes:
        ours = r.of(str(size))
        peak = f"peak memory {statistics.median(r.peak(str(size))):.0f} MB"
        table.row(
            f"{name}, {size:,} rows", ours, "straight line", [a + b * size] * len(ours), within(0.15), peak
        )


def fit(options, table):
    _growth(options, table, "whiten_fit", f"SELECT whiten_fit(v, {COMPONENTS}) FROM t", cores=1)


def rows(options, table):
    _growth(options, table, "whiten_rows", "SELECT rowid, vector FROM whiten_rows(?, 't', 'v')", [MODEL])


CASES = {"growth_fit": fit, "growth_rows": rows}
