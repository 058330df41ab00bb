"""whiten_rows, cosine_topk, cosine_join: the bits of whiten_apply and cosine_sim, and what sorting all rows
gives."""

import arithmetic
import numpy
import pytest
from conftest import fill, one, unvec, vec
from reference import conditioned, fit_sql, gaussian, options


def with_gaps(db):
    """Every tenth vector NULL, every tenth as JSON, rowids with gaps, and a zero vector."""
    db.execute("UPDATE t SET v = embedding_as(v, 'json') WHERE id % 10 = 3")
    db.execute("UPDATE t SET v = NULL WHERE id % 10 = 5")
    db.execute("UPDATE t SET v = embedding_scale(v, 0) WHERE id = 7")
    db.execute("CREATE TABLE spread(id INTEGER PRIMARY KEY, v)")
    db.execute("INSERT INTO spread SELECT id * 3 - 1000, v FROM t")
    db.execute("DROP TABLE t")
    db.execute("ALTER TABLE spread RENAME TO t")


@pytest.mark.parametrize(
    "n, d, k", [(1, 3, 2), (63, 20, 20), (64, 20, 7), (65, 48, 48), (1500, 33, 17), (5000, 8, 3)]
)
@pytest.mark.parametrize("opts", [{}, {"normalize": True}, {"method": "zca", "ridge": 0.1}], ids=str)
def test_rows_are_what_apply_gives(db, rng, n, d, k, opts):
    fill(db, conditioned(rng, max(n, 3 * d), d, 100, mean=2))
    model = fit_sql(db, k, options(**opts)).blob
    db.execute("DELETE FROM t WHERE id > ?", (n,))
    with_gaps(db)
    got = db.execute("SELECT rowid, vector FROM whiten_rows(?, 't', 'v')", (model,)).fetchall()
    assert got == db.execute("SELECT id, whiten_apply(?, v) FROM t ORDER BY id", (model,)).fetchall()


def test_rows_with_a_limit_and_twice_at_once(db, rng):
    fill(db, gaussian(rng, 3000, 6))
    model = fit_sql(db).blob
    rows = db.execute("SELECT vector FROM whiten_rows(?, 't', 'v')", (model,)).fetchall()
    assert db.execute("SELECT vector FROM whiten_rows(?, 't', 'v') LIMIT 7", (model,)).fetchall() == rows[:7]
    sql = (
        "SELECT a.vector = b.vector FROM whiten_rows(?1, 't', 'v') AS a, whiten_rows(?1, 't', 'v') AS b"
        " USING (rowid)"
    )
    assert db.execute(sql + " WHERE a.rowid < 3", (model,)).fetchall() == [(1,), (1,)]


def best(x, ids, query, k):
    """Sort all by the cosine that the lanes give; ties by rowid."""
    found = [(-arithmetic.cosine(query, row), i) for i, row in zip(ids, x) if row is not None and row.any()]
    return [(i, -c) for c, i in sorted(found)[:k]]


def rows_of(db):
    rows = db.execute("SELECT id, embedding(v) FROM t ORDER BY id").fetchall()
    return [None if v is None else unvec(v) for _, v in rows], [i for i, _ in rows]


@pytest.mark.parametrize("n, d, k", [(1, 2, 1), (10, 3, 10), (700, 40, 5), (700, 40, 1000), (2500, 16, 25)])
def test_topk(db, rng, n, d, k):
    """With ties: some rows twice."""
    x = gaussian(rng, n, d)
    x[n // 2 :: 7] = x[: len(x[n // 2 :: 7])]
    fill(db, x)
    with_gaps(db)
    query = gaussian(rng, 1, d)[0]
    rows, ids = rows_of(db)
    want = best(rows, ids, query, k)
    text = one(db, "SELECT embedding_as(?, 'json')", vec(query))
    for given in (vec(query), text):
        assert db.execute("SELECT * FROM cosine_topk('t', 'v', ?, ?)", (given, k)).fetchall() == want


@pytest.mark.parametrize("n, d, m, k", [(1, 2, 1, 1), (50, 3, 20, 60), (1200, 24, 90, 4), (3000, 40, 7, 30)])
def test_join_is_topk_of_every_query(db, rng, n, d, m, k):
    x = gaussian(rng, n, d)
    x[n // 2 :: 5] = x[: len(x[n // 2 :: 5])]
    fill(db, gaussian(rng, m, d) * numpy.float32(30), "q")
    db.execute("UPDATE q SET v = NULL WHERE id % 9 = 2")
    fill(db, x)
    with_gaps(db)
    want = []
    for i, v in db.execute("SELECT id, v FROM q ORDER BY id").fetchall():
        found = db.execute("SELECT * FROM cosine_topk('t', 'v', ?, ?)", (v, k)).fetchall()
        want += [(i, *row) for row in found]
    assert db.execute("SELECT * FROM cosine_join('t', 'v', 'q', 'v', ?)", (k,)).fetchall() == want


def test_join_of_nearly_equal_vectors(db, rng):
    """Cosines that differ in the last bit only: a fast pass must not lose the right ones."""
    base = gaussian(rng, 1, 64)
    fill(db, base + gaussian(rng, 400, 64) * numpy.float32(1e-7))
    fill(db, base + gaussian(rng, 5, 64) * numpy.float32(1e-7), "q")
    want = []
    for i, v in db.execute("SELECT id, v FROM q").fetchall():
        want += [
            (i, *row) for row in db.execute("SELECT * FROM cosine_topk('t', 'v', ?, 6)", (v,)).fetchall()
        ]
    assert db.execute("SELECT * FROM cosine_join('t', 'v', 'q', 'v', 6)").fetchall() == want


def pairs_of(db, x, threshold):
    """The pairs, after a look at each similarity: the bits of cosine_sim, whichever row comes first."""
    found = db.execute("SELECT rowid_a, rowid_b, similarity FROM cosine_pairs('t', 'v', ?)", (threshold,)).fetchall()
    for a, b, similarity in found[:: max(1, len(found) // 500)]:
        assert a < b
        for first, second in ((a, b), (b, a)):
            assert one(db, "SELECT cosine_sim(?, ?)", vec(x[first - 1]), vec(x[second - 1])) == similarity
    pairs = [(a, b) for a, b, _ in found]
    assert len(set(pairs)) == len(pairs)
    return set(pairs), found


@pytest.mark.parametrize("threshold", [0.9999, 0.3, -0.5])
@pytest.mark.parametrize("n, d", [(2, 1), (300, 3), (1500, 24), (700, 16384)])
def test_pairs_against_numpy(db, rng, n, d, threshold):
    """Each pair whose cosine is clear of the threshold, and none that is; 700 rows of 16384 make two batches."""
    x = gaussian(rng, n, d)
    x[n // 2 :: 5] = x[: len(x[n // 2 :: 5])] * numpy.float32(3)
    x[n // 3 :: 7] = x[: len(x[n // 3 :: 7])] + gaussian(rng, len(x[n // 3 :: 7]), d) * numpy.float32(0.1)
    fill(db, x)
    unit = x.astype(float) / numpy.linalg.norm(x.astype(float), axis=1)[:, None]
    cosines = numpy.triu(unit @ unit.T, 1) + numpy.tril(numpy.full((n, n), -9.0))
    got, _ = pairs_of(db, x, threshold)
    for sure, side in ((threshold + 1e-5, got.issuperset), (threshold - 1e-5, got.issubset)):
        a, b = numpy.nonzero(cosines >= sure)
        assert side(zip((a + 1).tolist(), (b + 1).tolist()))


def test_pairs_of_duplicates_by_the_thousand(db, rng):
    """Five groups of equal rows, 2 to 1,000 each, among others: all pairs within a group, and no other."""
    groups = rng.permutation(numpy.repeat(numpy.arange(5), [2, 3, 10, 50, 1000]))
    x = gaussian(rng, 5, 20)[groups] * 2.0 ** rng.integers(-3, 3, size=(len(groups), 1)).astype("f4")
    fill(db, numpy.vstack([x, gaussian(rng, 500, 20)]))
    a, b = numpy.nonzero(numpy.triu(groups[:, None] == groups, 1))
    got, found = pairs_of(db, x, 0.9999)
    assert got == set(zip((a + 1).tolist(), (b + 1).tolist()))
    assert min(similarity for _, _, similarity in found) > 1 - 1e-6
    rowids = [rowid for rowid, in db.execute("SELECT rowid FROM cosine_pairs('t', 'v', 0.9999)")]
    assert len(set(rowids)) == len(rowids) == len(found)


def test_pairs_with_gaps_and_text(db, rng):
    """NULL and zero rows are in no pair; a column of JSON gives what BLOBs give; rowids to the ends of their range."""
    x = gaussian(rng, 300, 6)
    fill(db, x)
    want = db.execute("SELECT * FROM cosine_pairs('t', 'v', 0.7)").fetchall()
    db.execute("CREATE TABLE text(id INTEGER PRIMARY KEY, v)")
    db.execute("INSERT INTO text SELECT id, embedding_as(v, 'json') FROM t")
    assert db.execute("SELECT * FROM cosine_pairs('text', 'v', 0.7)").fetchall() == want
    db.execute("UPDATE t SET v = NULL WHERE id % 3 = 0")
    db.execute("UPDATE t SET v = zeroblob(24) WHERE id % 3 = 1")
    kept = [row for row in want if row[0] % 3 == row[1] % 3 == 2]
    assert db.execute("SELECT * FROM cosine_pairs('t', 'v', 0.7)").fetchall() == kept
    db.execute("DELETE FROM t")
    ends = (-(2**63), -1, 2**63 - 1)
    db.executemany("INSERT INTO t VALUES (?, '[1,2]')", [(end,) for end in ends])
    sql = "SELECT rowid_a, rowid_b FROM cosine_pairs('t', 'v', 0.9) ORDER BY 1, 2"
    assert db.execute(sql).fetchall() == [(ends[0], ends[1]), (ends[0], ends[2]), (ends[1], ends[2])]
    db.execute("DELETE FROM t WHERE id < 0")
    assert db.execute(sql).fetchall() == []


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e30, 3e37])
def test_any_magnitude_in_tables(db, rng, scale):
    x = gaussian(rng, 60, 20) * numpy.float32(scale)
    fill(db, x)
    sql = "SELECT id, cosine_sim(v, ?1) AS s FROM t ORDER BY s DESC, id LIMIT 9"
    want = db.execute(sql, (vec(x[3]),)).fetchall()
    assert db.execute("SELECT * FROM cosine_topk('t', 'v', ?, 9)", (vec(x[3]),)).fetchall() == want
    fill(db, x[3:4], "q")
    assert db.execute("SELECT rowid, similarity FROM cosine_join('t', 'v', 'q', 'v', 9)").fetchall() == want


def test_names_that_need_quotes(db):
    db.execute('CREATE TABLE "odd ""table" (id INTEGER PRIMARY KEY, "a column" BLOB)')
    db.execute('INSERT INTO "odd ""table" VALUES (1, \'[1,2]\')')
    assert db.execute("SELECT * FROM cosine_topk('odd \"table', 'a column', '[1,2]', 1)").fetchall() == [
        (1, 1.0)
    ]
    identity = (
        "SELECT vector FROM whiten_rows(whiten_import('[1,0,0,1]', '[0,0]'), 'odd \"table', 'a column')"
    )
    assert one(db, identity) == vec([1, 2])


@pytest.mark.parametrize("mean", [0, 10])
def test_single_precision(db, rng, mean):
    """Float32 blocks after the shift: good to 1e-6 of the largest eigenvalue, whatever the mean is."""
    x = conditioned(rng, 1500, 32, 1e3, mean)
    fill(db, x)
    double = fit_sql(db)
    opts = options()[:-1] + ', "precision": "single"}'
    single = fit_sql(db, None, opts)
    assert numpy.abs(single.eigenvalues - double.eigenvalues).max() <= 1e-6 * double.eigenvalues[0]
    y = numpy.array(single.apply())
    assert numpy.abs(numpy.cov(y.T) - numpy.eye(32)).max() < 1e-3
