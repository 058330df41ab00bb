"""The sets of real embeddings, through SQL alone: the published figures of numpy, and the arrays against
numpy here."""

import numpy
import pytest
from conftest import fill, one, vec
from reference import fit, fit_sql, options

STSB = {
    "centred": (None, options(power=0), 50.18),
    "k=300": (300, options(), 63.36),
    "k=256": (256, options(), 63.32),
    "k=128": (128, options(), 61.21),
    "k=64": (64, options(), 56.96),
    "ridge 1": (300, options(ridge=1), 62.70),
    "power 0.5": (300, options(power=0.5), 61.43),
    "remove 1": (None, options(power=0, remove=1), 54.48),
    "remove 3": (None, options(power=0, remove=3), 60.65),
}


@pytest.fixture
def stsb(db, data_set):
    data = data_set("sts_w2v300_stsb")
    fill(db, data.x)
    db.execute("CREATE TABLE pair(a INTEGER, b INTEGER, gold REAL)")
    db.executemany(
        "INSERT INTO pair VALUES (?, ?, ?)", ((int(a) + 1, int(b) + 1, float(g)) for a, b, g in data.pairs)
    )
    assert one(db, "SELECT count(*) FROM pair") == 1379
    return db


def spearman(db, vectors):
    return one(
        db,
        f"WITH y AS MATERIALIZED (SELECT id, {vectors} AS y FROM t)"
        " SELECT 100 * spearman(gold, cosine_sim(a.y, b.y)) FROM pair JOIN y AS a ON a.id = pair.a JOIN y"
        " AS b ON b.id = pair.b",
    )


def test_stsb_raw(stsb):
    assert spearman(stsb, "v") == pytest.approx(46.06, abs=0.02)


@pytest.mark.parametrize("name", STSB)
def test_stsb(stsb, name):
    k, opts, want = STSB[name]
    stsb.execute("CREATE TABLE m AS SELECT whiten_fit(v, ?, ?) AS model FROM t", (k, opts))
    assert spearman(stsb, "whiten_apply((SELECT whiten_model(model) FROM m), v)") == pytest.approx(
        want, abs=0.02
    )


ISOTROPY = {
    "raw": (None, None, 0.0960, 0.4026),
    "k=300": (300, options(), 1.0, -0.0001),
    "ridge 1": (300, options(ridge=1), 0.7076, None),
    "power 0.5": (300, options(power=0.5), 0.6106, None),
}


@pytest.mark.parametrize("name", ISOTROPY)
def test_stsb_isotropy(stsb, name):
    k, opts, isotropy, mean_cosine = ISOTROPY[name]
    vectors = "v"
    if opts:
        stsb.execute("CREATE TABLE m AS SELECT whiten_fit(v, ?, ?) AS model FROM t", (k, opts))
        vectors = "whiten_apply((SELECT whiten_model(model) FROM m), v)"
    row = stsb.execute(f"SELECT isotropy(y), mean_cosine(y) FROM (SELECT {vectors} AS y FROM t)").fetchone()
    assert row[0] == pytest.approx(isotropy, abs=0.0005)
    if mean_cosine is not None:
        assert row[1] == pytest.approx(mean_cosine, abs=0.0005)


ALICE = {
    "raw": (None, None, 74.0, 88.8, 79.1),
    "k=256": (256, options(), 81.0, 92.0, 84.8),
    "k=128": (128, options(), 76.6, 90.8, 81.7),
    "ridge 1": (1024, options(ridge=1), 81.8, 93.4, 86.0),
}


@pytest.mark.parametrize("name", ALICE)
def test_alice_retrieval(db, data_set, name):
    """Rank = 1 + number of paragraphs with a higher cosine than the relevant one."""
    data = data_set("bgem3_alice_1024")
    k, opts, r1, r10, mrr = ALICE[name]
    fill(db, data.x)
    db.execute("CREATE TABLE gold(q INTEGER PRIMARY KEY, p INTEGER)")
    db.executemany("INSERT INTO gold VALUES (?, ?)", ((int(q) + 1, int(p) + 1) for q, p, *_ in data.pairs))
    vectors = "v"
    if opts:
        db.execute("CREATE TABLE m AS SELECT whiten_fit(v, ?, ?) AS model FROM t", (k, opts))
        vectors = "whiten_apply((SELECT whiten_model(model) FROM m), v)"
    db.execute(f"CREATE TABLE y AS SELECT id, {vectors} AS y FROM t")
    db.execute("CREATE UNIQUE INDEX y_id ON y(id)")
    db.execute(
        "CREATE TABLE s AS SELECT q.id AS q, p.id AS p, cosine_sim(q.y, p.y) AS s FROM y AS q, y AS p WHERE"
        " q.id <= 500 AND p.id > 500"
    )
    row = db.execute(
        "WITH r AS (SELECT s.q, 1 + sum(s.s > best.s) AS rank FROM s JOIN gold USING (q)"
        " JOIN s AS best ON best.q = gold.q AND best.p = gold.p GROUP BY s.q)"
        " SELECT count(*), 100 * avg(rank = 1), 100 * avg(rank <= 10), 100 * avg(1.0 / rank) FROM r"
    ).fetchone()
    assert row[0] == 500
    assert row[1:] == (pytest.approx(r1, abs=0.3), pytest.approx(r10, abs=0.3), pytest.approx(mrr, abs=0.3))


def test_tokens(db, data_set):
    """Poolings of the seven tokens against another implementation's."""
    data = data_set("tokens_minilm_384")
    fill(db, data.x)
    cls, mean = db.execute("SELECT pool_cls(v, id), pool_mean(v) FROM t WHERE id <= 7").fetchone()
    assert cls == vec(data.x[7])
    assert numpy.abs(numpy.frombuffer(mean, "<f4") - data.x[8]).max() <= 1e-6
    states = vec(data.x[:7])
    assert one(db, "SELECT pool_tokens(?, 384, 'cls')", states) == cls
    assert one(db, "SELECT pool_tokens(?, 384, 'mean')", states) == mean
    masked = one(db, "SELECT pool_tokens(?, 384, 'mean', ?)", vec(data.x[:9]), "[1,1,1,1,1,1,1,0,0]")
    assert masked == mean


@pytest.mark.parametrize(
    "k, opts",
    [
        (None, {}),
        (64, {}),
        (None, {"ridge": 1}),
        (100, {"ridge": "oas", "method": "zca"}),
        (None, {"method": "pca-cor"}),
        (None, {"method": "cholesky"}),
    ],
    ids=str,
)
def test_stsb_arrays(stsb, data_set, k, opts):
    x = data_set("sts_w2v300_stsb").x
    model, want = fit_sql(stsb, k, options(**opts)), fit(x, k, **opts)
    assert model.info["rank"] == 300
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    difference = numpy.linalg.norm(model.kernel - want.kernel, axis=0) / numpy.linalg.norm(
        want.kernel, axis=0
    )
    assert difference.max() < 1e-5
    if not opts.get("ridge"):
        y = numpy.array(model.apply())
        assert numpy.abs(numpy.cov(y.T) - numpy.eye(y.shape[1])).max() < 1e-4


@pytest.mark.parametrize("k, opts", [(256, {}), (1024, {"ridge": 1})], ids=str)
def test_alice_arrays(db, data_set, k, opts):
    x = data_set("bgem3_alice_1024").x
    fill(db, x)
    model, want = fit_sql(db, k, options(**opts)), fit(x, k, **opts)
    assert model.info["rank"] == want.rank == 925
    assert numpy.abs(model.eigenvalues - want.eigenvalues).max() <= 1e-10 * want.eigenvalues[0]
    got, expected = model.kernel[:, :256], want.kernel[:, :256]
    difference = numpy.linalg.norm(got - expected, axis=0) / numpy.linalg.norm(expected, axis=0)
    assert difference.max() < 1e-5
    assert model.info["condition"] == pytest.approx(want.ridged[0] / want.ridged[k - 1], rel=1e-6)
