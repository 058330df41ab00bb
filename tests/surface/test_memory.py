"""What a search holds in memory: the peak of a process of its own, above what it took after a small one.

The vectors are 37 windows of one literal, in a column that is computed, so that no table has to be written first.
"""

import os
import subprocess
import sys
import textwrap

import pytest
from conftest import PATIENCE, WHITEN_SO

CHILD = textwrap.dedent(
    """
    import random, sqlite3, struct, sys
    so, dim, t, q, small, large = sys.argv[1:]
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?, 'sqlite3_whiten_init')", (so,))
    dim, source = int(dim), random.Random(1)
    text = struct.pack(f"<{dim + 37}f", *(source.gauss(0, 1) for _ in range(dim + 37))).hex()
    for name, rows in (("t", t), ("q", q), ("few", 100)):
        v = f"substr(x'{text}', 1 + 4 * (id % 37), {4 * dim})"
        db.execute(f"CREATE TABLE {name}(id INTEGER PRIMARY KEY, v BLOB AS ({v}))")
        db.execute(f"INSERT INTO {name} WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT i FROM n")

    def peak():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024

    print(sum(1 for row in db.execute(small)))
    before = peak()
    count, wrong = 0, 0
    for row in db.execute(large):
        count += 1
        wrong += (row[0] - row[1]) % 37 != 0 or row[2] < 0.999999
    print(count, wrong, peak() - before)
    """
)


def growth(dim, rows, queries, small, large):
    """Rows of the large statement, how many of them are no pair of equal vectors, and the bytes above the small one."""
    if not os.path.exists("/proc/self/status"):
        pytest.skip("the peak of a process is read from /proc")
    if any(name in os.environ.get("LD_PRELOAD", "") for name in ("asan", "tsan")):
        pytest.skip("sanitizers have memory of their own")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(WHITEN_SO), *map(str, (dim, rows, queries, small, large))],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()[1:]]


MB = 1 << 20


@pytest.mark.parametrize("dim, queries", [(1024, 30_000), (4096, 100_000), (16384, 2_000)])
def test_join_of_many_queries(dim, queries):
    """Two copies of a batch of queries are 64 MB, two blocks of rows 2 MB per 1,024 dimensions; and the hits."""
    small = "SELECT * FROM cosine_join('few', 'v', 'few', 'v', 1)"
    large = "SELECT * FROM cosine_join('t', 'v', 'q', 'v', 1)"
    count, wrong, bytes_more = growth(dim, 37, queries, small, large)
    assert (count, wrong) == (queries, 0)
    assert bytes_more < (64 + dim / 512) * MB + 100 * queries + 10 * MB


@pytest.mark.parametrize("dim, rows", [(1024, 12_000), (16384, 1_000)])
def test_pairs_are_not_held(dim, rows):
    """Of 2 million pairs none is kept, and of the rows a batch."""
    small = "SELECT * FROM cosine_pairs('few', 'v', 1)"
    large = "SELECT * FROM cosine_pairs('q', 'v', 0.999999)"
    count, wrong, bytes_more = growth(dim, 1, rows, small, large)
    full, rest = divmod(rows, 37)
    assert (count, wrong) == (rest * full * (full + 1) // 2 + (37 - rest) * full * (full - 1) // 2, 0)
    assert bytes_more < (64 + dim / 512) * MB + 15 * MB
