"""What whiten_index answers, against all rows: which are found, by cosines of numpy's in float64, and the numbers, which
are those of cosine_sim and whiten_apply to the bit, in their order."""

import json
import math
import sqlite3

import numpy
import pytest
from conftest import DATA, connect, fill, one, vec
from reference import gaussian

MODEL = "(SELECT model FROM search_config WHERE id = (SELECT min(id) FROM search_config WHERE id > 0))"
SIMILARITY = f"cosine_sim(whiten_apply({MODEL}, v), whiten_apply({MODEL}, ?))"


def index(db, arguments="k = 24"):
    db.execute(f"CREATE VIRTUAL TABLE search USING whiten_index(content = t, column = v, {arguments})")


def whitened(db, table="t"):
    """Unit vectors in float64, of the model that the index keeps; and their rowids."""
    sql = f"SELECT rowid, vector FROM whiten_rows((SELECT whiten_model({MODEL})), ?, 'v') WHERE vector IS NOT NULL"
    rows = db.execute(sql, (table,)).fetchall()
    y = numpy.frombuffer(b"".join(v for _, v in rows), "<f4").astype("f8").reshape(len(rows), -1)
    norms = numpy.linalg.norm(y, axis=1)
    kept = norms > 0
    return y[kept] / norms[kept, None], numpy.array([i for i, _ in rows])[kept]


def search(db, query, k=10, more="", *args):
    sql = f"SELECT rowid, similarity FROM search WHERE query = ? {more} ORDER BY similarity DESC LIMIT ?"
    return db.execute(sql, (query, *args, k)).fetchall()


def every_row(db, query, more="", *args):
    """The exhaustive answer, by the scalar functions."""
    rows = db.execute(f"SELECT id, {SIMILARITY} AS c FROM t WHERE c IS NOT NULL {more}", (query, *args))
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def check_numbers(db, query, hits):
    """To the bit, in order."""
    assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
    for rowid, similarity in hits:
        assert similarity == one(db, f"SELECT {SIMILARITY} FROM t WHERE id = ?", query, rowid)


def recall(db, queries, k=10):
    """How many of the k nearest are found; of two queries the numbers are looked at, too."""
    fill(db, queries, "questions")
    y, ids = whitened(db)
    q, _ = whitened(db, "questions")
    found = 0
    for i, row in enumerate(q @ y.T):
        hits = search(db, vec(queries[i]), k)
        assert len(hits) == len({rowid for rowid, _ in hits}) == min(k, len(ids))
        if i % 50 == 0:
            check_numbers(db, vec(queries[i]), hits)
        places = numpy.searchsorted(ids, [rowid for rowid, _ in hits])
        found += (row[places] >= numpy.sort(row)[-len(hits)] - 1e-6).sum()  # rows that are alike are as good
    return found / (min(k, len(ids)) * len(queries))


def read_glosses():
    path = DATA / "use512_glosses.f16"
    if not path.exists():
        pytest.skip("the set use512_glosses is not in the data folder (WHITEN_DATA)")
    meta = json.loads((DATA / "use512_glosses.meta.json").read_text(encoding="utf-8"))
    return numpy.fromfile(path, "<f2").reshape(meta["n"], meta["d"]).astype("<f4")


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("sts_use512_stsb", "k = 128"),
        ("sts_w2v300_stsb", "k = 100, ridge = 1"),
        ("bgem3_alice_1024", "k = 256, ridge = 1"),
        ("use512_glosses", "k = 128, normalize = true"),
    ],
)
def test_recall_on_real_vectors(db, data_set, rng, name, arguments):
    x = read_glosses() if name == "use512_glosses" else data_set(name).x
    order = rng.permutation(len(x))
    fill(db, x[order[200:]])
    index(db, arguments)
    assert recall(db, x[order[:200]]) >= 0.995


def clusters(rng, n, d, centres=200):
    scale = numpy.arange(1, d + 1) ** -0.5
    middle = gaussian(rng, centres, d)
    return ((middle[rng.integers(0, centres, n)] + 0.7 * gaussian(rng, n, d)) * scale + 3).astype("<f4")


@pytest.mark.parametrize("kind, least", [("clusters", 0.995), ("independent", 0.99)])
@pytest.mark.parametrize("k", [33, 128])
def test_recall_on_generated_vectors(db, rng, kind, least, k):
    x = clusters(rng, 20200, 128) if kind == "clusters" else gaussian(rng, 20200, 128)
    fill(db, x[200:])
    index(db, f"k = {k}")
    assert recall(db, x[:200]) >= least


def test_exact_misses_nothing(db, rng):
    x = gaussian(rng, 3000, 32)
    fill(db, x)
    index(db, "k = 16, recall = exact")
    for query in gaussian(rng, 5, 32):
        assert search(db, vec(query), 20) == every_row(db, vec(query))[:20]


@pytest.mark.parametrize("opts", ["normalize = true", "method = zca, ridge = 0.1", "power = 0.5", "method = pca-cor"])
def test_models(db, rng, opts):
    fill(db, clusters(rng, 4000, 20, 50))
    index(db, opts if "zca" in opts else f"k = 12, {opts}")
    for query in clusters(rng, 10, 20, 50):
        check_numbers(db, vec(query), search(db, vec(query)))
    assert recall(db, clusters(rng, 100, 20, 50)) >= 0.99


@pytest.mark.parametrize("k", [1, 2, 99, 400, 1000, 2999, 3000, 3001, 10**6])
def test_any_k(db, rng, k):
    fill(db, gaussian(rng, 3000, 16))
    index(db, "k = 8")
    query = vec(gaussian(rng, 1, 16))
    hits, wanted = search(db, query, k), every_row(db, query)[:k]
    assert len(hits) == len(wanted)
    assert len(set(hits) & set(wanted)) >= 0.99 * len(wanted)
    assert k < 3000 / 8 or hits == wanted


@pytest.mark.parametrize("n", [0, 1, 2, 9, 63, 64, 65, 300])
def test_small_tables(db, rng, n):
    fill(db, gaussian(rng, 400, 12))
    index(db, "k = 6")
    db.execute("DELETE FROM t WHERE id > ?", (n,))
    for query in gaussian(rng, 3, 12):
        assert search(db, vec(query), 10) == every_row(db, vec(query))[:10]


def test_limits_of_nothing(db, rng):
    fill(db, gaussian(rng, 500, 8))
    index(db, "k = 4")
    query = vec(gaussian(rng, 1, 8))
    assert search(db, query, 0) == []
    assert search(db, None) == []
    assert search(db, query, 10, "AND rowid IN (SELECT id FROM t WHERE id < 0)") == []
    assert search(db, query, 10, "AND rowid BETWEEN 20 AND 10") == []
    assert search(db, query, 10, "AND similarity > 2") == []
    assert search(db, one(db, "SELECT vec FROM (SELECT v AS vec FROM t LIMIT 1)"), 1)[0][0] == 1


def centred_model(db, rng, d, k):
    """A model whose mean is zero, so that it leaves zero vectors zero."""
    db.execute("CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB)")
    kernel, mean = vec(gaussian(rng, d, k)), vec(numpy.zeros(d))
    db.execute("INSERT INTO whitening VALUES ('centred', whiten_import(?, ?))", (kernel, mean))


def test_a_query_without_direction_finds_nothing(db, rng):
    fill(db, gaussian(rng, 500, 8))
    centred_model(db, rng, 8, 4)
    index(db, "model = centred")
    assert search(db, vec(numpy.zeros(8))) == []


def test_wrong_queries(db, rng):
    fill(db, gaussian(rng, 500, 8))
    index(db, "k = 4")
    for query, said in [
        (vec([1, 2]), "query has 2 elements, expected 8"),
        (vec([1, 2, math.nan, 4, 5, 6, 7, 8]), r"query\[2\] is NaN"),
        (vec([1, math.inf, 3, 4, 5, 6, 7, 8]), r"query\[1\] is Infinity"),
        (vec(numpy.full(8, 3e38)), "beyond float32"),
        (b"123", "query"),
    ]:
        with pytest.raises(sqlite3.Error, match=said):
            search(db, query)
    assert len(search(db, vec(numpy.ones(8)))) == 10


FILTERS = [
    "AND rowid IN (SELECT id FROM t WHERE id % {0} = 1)",
    "AND rowid BETWEEN 2001 AND 2000 + 8000 / {0}",
    "AND rowid > 8000 - 8000 / {0}",
    "AND rowid IN (SELECT id FROM t WHERE id % {0} < 2) AND rowid < 6000",
    "AND rowid IN (SELECT id FROM t WHERE (id / 100) % 10 = 0) AND rowid <= 8000 / {0} * 10",
]


@pytest.mark.parametrize("more", FILTERS)
@pytest.mark.parametrize("share", [1, 2, 10, 30, 100, 300, 1000, 4000])
def test_filters_come_first(db, rng, more, share):
    """Never fewer than there are, none that is filtered out, and those nearest."""
    fill(db, clusters(rng, 8000, 24, 60))
    index(db, "k = 16")
    text, found, wanted = more.format(share), 0, 0
    for query in clusters(rng, 10, 24, 60):
        rows = every_row(db, vec(query), text.replace("rowid", "t.id"))
        hits = search(db, vec(query), 10, text)
        assert len(hits) == min(10, len(rows))
        assert set(hits) <= set(rows)
        found += len(set(hits) & set(rows[:10]))
        wanted += len(hits)
    assert found >= 0.98 * wanted
    assert share < 4000 or found == wanted


@pytest.mark.parametrize("stride", [1, 7, 2**40 + 1])
@pytest.mark.parametrize("share", [1, 3, 10, 40, 200, 1500])
def test_lists_of_rows_in_any_order(db, rng, stride, share):
    """Rows that came in no order, with gaps and without, and lists that name others besides."""
    x = clusters(rng, 6000, 24, 60)
    fill(db, x[:20])
    index(db, "k = 16, ridge = 1, recall = safe")
    order = [int(i) for i in rng.permutation(6000)]
    db.execute("BEGIN")
    db.executemany("INSERT OR REPLACE INTO t VALUES (?, ?)", ((i * stride - 99, vec(x[i])) for i in order))
    db.execute("COMMIT")
    db.execute("CREATE TEMP TABLE some AS SELECT id FROM t WHERE abs(random()) % ? = 0", (share,))
    db.execute("INSERT INTO some VALUES (-3000), (1234567), (NULL), ('x')")
    more, found, wanted = "AND rowid IN (SELECT id FROM some)", 0, 0
    for query in clusters(rng, 10, 24, 60):
        rows = every_row(db, vec(query), more.replace("rowid", "t.id"))
        hits = search(db, vec(query), 10, more)
        assert len(hits) == min(10, len(rows))
        assert set(hits) <= set(rows)
        found += len(set(hits) & set(rows[:10]))
        wanted += len(hits)
    assert found >= 0.98 * wanted


@pytest.mark.parametrize("op", [">", ">="])
@pytest.mark.parametrize("kept", [1, 10, 100, 1000, 5000])
def test_thresholds(db, rng, op, kept):
    fill(db, clusters(rng, 6000, 24, 60))
    index(db, "k = 16")
    found = wanted = 0
    for query in clusters(rng, 10, 24, 60):
        rows = every_row(db, vec(query))
        least = rows[kept - 1][1]
        hits = db.execute(
            f"SELECT rowid, similarity FROM search WHERE query = ? AND similarity {op} ?", (vec(query), least)
        ).fetchall()
        assert hits == sorted(hits, key=lambda hit: (-hit[1], hit[0]))
        assert set(hits) <= set(rows[: kept if op == ">=" else kept - 1])
        found += len(hits)
        wanted += kept if op == ">=" else kept - 1
        first = search(db, vec(query), 5, f"AND similarity {op} ?", least)
        assert first == hits[:5]
    assert found >= 0.99 * wanted - 1


def test_rows_that_are_alike_by_the_thousand(db, rng):
    """Of equal similarity those of the lowest rowids, and few of them are fetched."""
    x = gaussian(rng, 9000, 16)
    x[500:8500] = x[0]
    fill(db, x)
    index(db, "k = 8")
    hits = search(db, vec(x[0]), 300)
    assert [rowid for rowid, _ in hits] == [1, *range(501, 800)]
    near = x[0] + 0.001 * gaussian(rng, 1, 16)[0]
    assert [rowid for rowid, _ in search(db, vec(near), 3)] == [1, 501, 502]
    assert search(db, vec(x[0]), 5, "AND rowid > 7000") == every_row(db, vec(x[0]), "AND id > 7000")[:5]


def test_zero_and_null_rows(db, rng):
    fill(db, gaussian(rng, 4000, 16))
    centred_model(db, rng, 16, 8)
    index(db, "model = centred")
    db.execute("UPDATE t SET v = NULL WHERE id % 3 = 0")
    db.execute("UPDATE t SET v = ? WHERE id % 3 = 1", (vec(numpy.zeros(16)),))
    query = vec(gaussian(rng, 1, 16))
    rows = every_row(db, query)
    assert {rowid % 3 for rowid, _ in rows} == {2}
    assert search(db, query, 5000) == rows
    assert len(set(search(db, query, 10)) & set(rows[:10])) >= 9


def test_vectors_as_json(db, rng):
    x = gaussian(rng, 2000, 16)
    fill(db, x)
    db.execute("UPDATE t SET v = embedding_as(v, 'json') WHERE id % 2 = 0")
    index(db, "k = 8, recall = safe")
    query = one(db, "SELECT embedding_as(?, 'json')", vec(gaussian(rng, 1, 16)))
    assert search(db, query) == every_row(db, query)[:10]


@pytest.mark.parametrize("built", [0, 1, 64, 1000, 2999, 3000])
def test_rows_that_are_not_coded_yet(db, rng, built):
    """They are found all the same; those that come or go behind, too."""
    fill(db, gaussian(rng, 3000, 16))
    index(db, "k = 8, build = 0, recall = safe")
    db.execute("INSERT INTO search(search, rank) VALUES ('build', 1)")
    if built > 1:
        db.execute("INSERT INTO search(search, rank) VALUES ('build', ?)", (built - 1,))
    db.execute("INSERT INTO t(v) VALUES (?)", (vec(gaussian(rng, 1, 16)),))
    db.execute("DELETE FROM t WHERE id % 50 = 7")
    for query in gaussian(rng, 5, 16):
        for k, more in ((10, ""), (3, "AND rowid > 990"), (3, "AND rowid IN (5, 990, 1010, 2999)")):
            rows = every_row(db, vec(query), more.replace("rowid", "t.id"))
            assert len(set(search(db, vec(query), k, more)) & set(rows[:k])) >= min(k, len(rows)) - 1


@pytest.mark.parametrize("k", [1, 10, 200])
@pytest.mark.parametrize("gone", [5, 50, 1500])
def test_stale_codes_are_no_hits(db, rng, k, gone):
    """The content lost rows of which the index was not told: as many hits as ever, and the right ones."""
    fill(db, clusters(rng, 4000, 16, 40))
    index(db, "k = 8, triggers = 0, recall = safe")
    for query in clusters(rng, 3, 16, 40):
        nearest = [rowid for rowid, _ in every_row(db, vec(query))[:gone]]
        db.execute("SAVEPOINT before")
        lose = "DELETE FROM t WHERE id = ?" if gone % 2 else "UPDATE t SET v = NULL WHERE id = ?"
        db.executemany(lose, [(i,) for i in nearest])
        wanted = every_row(db, vec(query))[:k]
        hits = search(db, vec(query), k)
        assert len(hits) == k
        assert len(set(hits) & set(wanted)) >= 0.98 * k
        db.execute("ROLLBACK TO before")


def test_a_stale_code_of_another_vector_gives_no_wrong_number(db, rng):
    fill(db, gaussian(rng, 3000, 16))
    index(db, "k = 8, triggers = 0")
    db.execute("UPDATE t SET v = (SELECT o.v FROM t AS o WHERE o.id = 3001 - t.id) WHERE id <= 1500")
    for query in gaussian(rng, 5, 16):
        check_numbers(db, vec(query), search(db, vec(query), 50))


def test_a_vector_that_is_not_finite_is_named(db, rng):
    x = gaussian(rng, 3000, 16)
    fill(db, x)
    index(db, "k = 8, triggers = 0")
    broken = x[41].copy()
    broken[3] = math.nan
    db.execute("UPDATE t SET v = ? WHERE id = 42", (vec(broken),))
    with pytest.raises(sqlite3.Error, match=r"rowid 42: v\[3\] is NaN"):
        search(db, vec(x[41]))
    with pytest.raises(sqlite3.Error, match=r"rowid 42: v\[3\] is NaN"):
        search(db, vec(x[41]), 3000)
    db.execute("UPDATE t SET v = ? WHERE id = 42", (vec(numpy.full(16, 3e38)),))
    with pytest.raises(sqlite3.Error, match="rowid 42: .*beyond float32"):
        search(db, vec(x[41]))
    db.execute("UPDATE t SET v = ? WHERE id = 42", (vec([1, 2]),))
    with pytest.raises(sqlite3.Error, match="rowid 42: v has 2 elements, expected 16"):
        search(db, vec(x[41]))


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_any_magnitude(db, rng, scale):
    """And a mean that is far above what the rows differ by."""
    x = ((clusters(rng, 4100, 16, 40) + 100) * scale).astype("<f4")
    fill(db, x[100:])
    index(db, "k = 8")
    assert recall(db, x[:100]) >= 0.98


def test_without_a_cache(rng, tmp_path):
    x = clusters(rng, 20010, 48, 60)
    db = connect(tmp_path / "x.db")
    fill(db, x[10:])
    index(db, "k = 32")
    lists = [f"AND rowid IN (SELECT id FROM t WHERE id % {share} = 1)" for share in (2, 12, 400)]
    before = [search(db, vec(query), 10, more) for query in x[:10] for more in ("", *lists)]
    try:
        for limit in (0, 100000, 2000000):
            db.execute("INSERT INTO search(search, rank) VALUES ('cache', ?)", (limit,))
            assert [search(db, vec(query), 10, more) for query in x[:10] for more in ("", *lists)] == before
    finally:
        db.execute("INSERT INTO search(search, rank) VALUES ('cache', ?)", (256 << 20,))
        db.close()
