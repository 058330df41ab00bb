"""whiten_tune: scores, standard errors and ranks against numpy, each setting by the model that whiten_solve makes of it; the
choice by the documented rule; what is learned from pairs against whiten_pair_stats and numpy."""

import json

import numpy
import pytest
from conftest import SEED, connect, one, vec

N, DIM, GRID = 150, 20, 32


def ranks(x):
    """Ties share their mean rank; standardised."""
    values, place, counts = numpy.unique(x, return_inverse=True, return_counts=True)
    last = numpy.cumsum(counts)
    r = ((last - counts + 1 + last) / 2)[place]
    return (r - r.mean()) / r.std()


def influence(x, y):
    x, y = ranks(x), ranks(y)
    rho = (x * y).mean()
    return rho, x * y - rho * (x**2 + y**2) / 2


def error(a, b):
    return (a - b).std(ddof=1) / numpy.sqrt(len(a))


def cosines(x, y):
    return (x * y).sum(1) / numpy.linalg.norm(x, axis=1) / numpy.linalg.norm(y, axis=1)


class Set:
    """Rows in a narrow cone, with few strong directions that say nothing, and pairs scored by what the others say."""

    def __init__(self, pairs, rows=N, seed=SEED):
        random = numpy.random.default_rng(seed)
        latent = random.normal(size=(rows, DIM))
        latent[1::2] = latent[: rows - 1 : 2] + random.normal(size=(rows // 2, DIM)) * random.uniform(0.2, 2, (rows // 2, 1))
        spread = numpy.linspace(4, 0.5, DIM)
        turn = numpy.linalg.qr(random.normal(size=(DIM, DIM)))[0]
        self.rows = ((latent * spread + 3) @ turn).astype("<f4")
        apart = numpy.arange(pairs) // (rows // 2) * 2 + 1  # no pair twice, in whichever order
        self.a = numpy.arange(pairs) * 2 % rows
        self.b = (self.a + apart) % rows
        self.score = numpy.round(cosines(latent[self.a], latent[self.b]) * 5 + random.normal(size=pairs)) / 2
        self.db = connect()
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
        self.db.executemany("INSERT INTO t VALUES (?, ?)", enumerate(map(vec, self.rows)))
        self.db.execute("CREATE TABLE p(a, b, score)")
        columns = [self.a.tolist(), self.b.tolist(), self.score.tolist()]
        self.db.executemany("INSERT INTO p VALUES (?, ?, ?)", zip(*columns))
        self.db.execute("CREATE TABLE s AS SELECT whiten_stats(v) AS stats FROM t")

    def tune(self, score="score", options="{}"):
        sql = f"""SELECT whiten_tune(stats, x.v, y.v, {score}, ?) FROM s, p JOIN t AS x ON x.id = p.a
                  JOIN t AS y ON y.id = p.b"""
        return json.loads(one(self.db, sql, options))

    def whitened(self, setting):
        sql = "SELECT whiten_apply((SELECT whiten_solve(stats, ?, ?) FROM s), v) FROM t ORDER BY id"
        found = self.db.execute(sql, (setting["k"], json.dumps(setting["options"]))).fetchall()
        return numpy.array([numpy.frombuffer(v, "<f4") for (v,) in found], dtype=float)


@pytest.fixture(scope="module")
def scored():
    return Set(190)


def test_scores_and_errors(scored):
    tuned = scored.tune()
    rows = scored.rows.astype(float)
    raw, raw_influence = influence(cosines(rows[scored.a], rows[scored.b]), scored.score)
    assert tuned["raw"] == pytest.approx(raw, abs=1e-6)
    assert len(tuned["settings"]) == GRID and tuned["pairs"] == 190 and tuned["measure"] == "spearman"
    for setting in tuned["settings"]:
        whitened = scored.whitened(setting)
        score, own = influence(cosines(whitened[scored.a], whitened[scored.b]), scored.score)
        assert setting["score"] == pytest.approx(score, abs=2e-5), setting
        assert setting["gain"] == pytest.approx(score - raw, abs=2e-5), setting
        assert setting["se"] == pytest.approx(error(own, raw_influence), abs=2e-5), setting
    best = max(tuned["settings"], key=lambda s: s["score"])
    assert tuned["chosen"] == {"k": best["k"], "options": best["options"]}
    assert best["gain"] > best["se"]


def test_the_guard(scored):
    tuned = scored.tune()
    best = max(tuned["settings"], key=lambda s: s["score"])
    edge = best["gain"] / best["se"]
    assert scored.tune(options=json.dumps({"guard": edge * 0.999}))["chosen"] == tuned["chosen"]
    strict = scored.tune(options=json.dumps({"guard": edge * 1.001}))
    assert strict["chosen"] is None and strict["reason"].startswith("no difference")


def test_ranks():
    """Queries are every second row, relevant the next one; documents those, and a quarter of the rows besides."""
    data = Set(N // 2)
    data.db.execute("INSERT INTO p SELECT NULL, id, NULL FROM t WHERE id % 4 = 0")
    tuned = json.loads(one(data.db, """SELECT whiten_tune(stats, x.v, y.v) FROM s, p LEFT JOIN t AS x ON x.id = p.a
                                       JOIN t AS y ON y.id = p.b"""))
    documents = sorted({*range(1, N, 2), *range(0, N, 4)})
    assert (tuned["queries"], tuned["documents"], tuned["measure"]) == (N // 2, len(documents), "mrr")

    def reciprocal(rows):
        unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
        similar = unit[0:N:2] @ unit[documents].T
        found = []
        for i, row in enumerate(similar):
            relevant = row[documents.index(2 * i + 1)]
            others = [s for s, d in zip(row, documents) if d != 2 * i]
            found.append(1 / (1 + sum(s > relevant for s in others)))
        return numpy.array(found)

    raw = reciprocal(data.rows.astype(float))
    assert tuned["raw"] == pytest.approx(raw.mean(), abs=1e-6)
    assert tuned["raw_recall_10"] == pytest.approx((raw >= 0.1).mean(), abs=1e-6)
    for setting in tuned["settings"]:
        own = reciprocal(data.whitened(setting))
        assert setting["score"] == pytest.approx(own.mean(), abs=1e-6), setting
        assert setting["recall_1"] == pytest.approx((own == 1).mean(), abs=1e-6), setting
        assert setting["se"] == pytest.approx(error(own, raw), abs=1e-6), setting


def test_without_labels(scored):
    tuned = json.loads(one(scored.db, "SELECT whiten_tune(stats, v) FROM s, t"))
    assert tuned["labels"] is False and tuned["rows"] == N
    for name, rows in (("before", scored.rows.astype(float)), ("after", scored.whitened(tuned["chosen"]))):
        unit = rows / numpy.linalg.norm(rows, axis=1, keepdims=True)
        similar = (unit @ unit.T)[~numpy.eye(N, dtype=bool)].reshape(N, N - 1)
        contrast = ((similar.max(1) - similar.mean(1)) / similar.std(1)).mean()
        assert tuned[name]["mean_cosine"] == pytest.approx(similar.mean(), abs=1e-5)
        assert tuned[name]["contrast"] == pytest.approx(contrast, abs=1e-3)
        values = numpy.linalg.eigvalsh(numpy.cov(rows.T))
        isotropy = (values.sum() ** 2 / (values**2).sum() - 1) / (DIM - 1)
        assert tuned[name]["isotropy"] == pytest.approx(isotropy, abs=1e-5)
    power = 0.5 if tuned["before"]["mean_cosine"] > 0.3 else 0.25
    assert tuned["chosen"] == {"k": DIM, "options": {"power": power, "ridge": 0.1}}


def test_learned_from_pairs():
    """400 rows in 200 pairs that share none: 4 folds of 50, whichever they are, so the cross-validated score lies near that of
    random ones; and whiten_solve makes the model of what it says."""
    data = Set(200, rows=400)
    tuned = data.tune()
    learned = tuned["settings"][-1]
    assert learned["options"] == {"ridge": 0.1, "within": 0.5} and learned["k"] == DIM
    assert all("within" not in s["options"] for s in tuned["settings"][:-1])
    assert all("within" not in s["options"] for s in data.tune(options='{"within":false}')["settings"])
    threshold = tuned["within_score"]
    assert threshold == numpy.sort(data.score)[-50]
    rows = data.rows.astype(float)
    total = numpy.cov(rows.T)

    def metric(pairs):
        apart = rows[data.a[pairs]] - rows[data.b[pairs]]
        within = apart.T @ apart / len(apart) / 2
        mix = total / 2 + within / 2 * numpy.trace(total) / numpy.trace(within) + 0.1 * numpy.trace(total) / DIM * numpy.eye(DIM)
        return numpy.linalg.cholesky(numpy.linalg.inv(mix))

    scores, random = [], numpy.random.default_rng(SEED)
    for _ in range(20):
        folds, found = random.permutation(200) % 4, numpy.empty(200)
        for fold in range(4):
            turned = (rows - rows.mean(0)) @ metric((folds != fold) & (data.score >= threshold))
            own = folds == fold
            found[own] = cosines(turned[data.a[own]], turned[data.b[own]])
        scores.append(influence(found, data.score)[0])
    assert learned["score"] == pytest.approx(numpy.mean(scores), abs=5 * numpy.std(scores) + 1e-3)
    sql = """SELECT whiten_apply((SELECT whiten_solve(stats, ?1, ?2, (SELECT whiten_pair_stats(x.v, y.v) FROM p
             JOIN t AS x ON x.id = p.a JOIN t AS y ON y.id = p.b WHERE score >= ?3)) FROM s), v) FROM t ORDER BY id"""
    model = data.db.execute(sql, (learned["k"], json.dumps(learned["options"]), threshold)).fetchall()
    whitened = numpy.array([numpy.frombuffer(v, "<f4") for (v,) in model], dtype=float)
    turned = (rows - rows.mean(0)) @ metric(data.score >= threshold)
    expected = cosines(turned[data.a], turned[data.b])
    assert cosines(whitened[data.a], whitened[data.b]) == pytest.approx(expected, abs=1e-5)
