"""What whiten_tune says against numpy, written from sql/contract.sql: every setting's score, gain and standard error, and
which is chosen; with rows many and few for their dimension, queries among all documents, and real vectors where they are
there. Its parts are in test_tune.py."""

import json

import numpy
import pytest
from conftest import fill, one, vec
from reference import eigen, isoscore, moments, rank_of
from scipy import stats

SHAPES = [(1, 1), (1, 0.1), (0.5, 0), (0.75, 0), (0.25, 0), (1, 10), (0, 0), (1, 0)]  # power, ridge


class Space:
    """Rows in the basis of their principal axes, and what settings make of them."""

    def __init__(self, x):
        self.n, self.mean, cov = moments(x)
        self.values, self.vectors = eigen(cov)
        self.d = len(cov)
        self.rank = min(rank_of(cov, (numpy.asarray(x, float) ** 2).mean(axis=0), len(x)), len(x) - 1)
        self.values[self.rank :] = 0

    def settings(self):
        """k, power, ridge, remove."""
        is_full = self.rank == self.d and self.n > 2 * self.d
        for remove in range(4):
            for power, ridge in SHAPES:
                usable = self.d if ridge else self.rank
                if usable > remove and ((power, ridge) != (1, 0) or is_full):
                    yield usable - remove, power, ridge, remove

    def shorter(self, setting):
        k = self.d // 2
        while k >= 16:
            if k < setting[0]:
                yield (k, *setting[1:])
            k //= 2

    def apply(self, setting, x):
        k, power, ridge, remove = setting
        scale = (self.values + ridge * self.values.mean())[remove : remove + k] ** (-power / 2)
        return (numpy.asarray(x, float) - self.mean) @ self.vectors[:, remove : remove + k] * scale


def cosines(a, b):
    """In float32's digits: what differs beyond them is rounding."""
    cosine = (a * b).sum(axis=1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)
    return cosine.astype("f4").astype(float)


def influence(scores, gold):
    z, g = ((r - r.mean()) / r.std() for r in (stats.rankdata(scores), stats.rankdata(gold)))
    rho = (z * g).mean()
    return rho, z * g - rho * (z**2 + g**2) / 2


def of_pairs(a, b, gold):
    return lambda apply: influence(cosines(apply(a), apply(b)), gold)


def of_answers(queries, documents, relevant):
    """relevant: for each query the places of its documents."""

    def measure(apply):
        q, d = (y / numpy.linalg.norm(y, axis=1, keepdims=True) for y in (apply(queries), apply(documents)))
        cosine = q @ d.T
        best = numpy.array([row[list(places)].max() for row, places in zip(cosine, relevant)])
        reciprocal = 1 / (1 + (cosine > best[:, None] + 1e-9).sum(axis=1))
        return reciprocal.mean(), reciprocal

    return measure


def error(a, b):
    return (a - b).std(ddof=1) / len(a) ** 0.5


def tuned(x, measure, guard=1):
    """raw, {setting: (score, gain, se)} in order, the chosen setting or None."""
    space, found = Space(x), {}
    raw, at_raw = measure(lambda rows: numpy.asarray(rows, float))

    def add(setting):
        score, parts = measure(lambda rows: space.apply(setting, rows))
        found[setting] = (score, parts, score - raw, error(parts, at_raw))

    for setting in space.settings():
        add(setting)
    best = max(found, key=lambda setting: found[setting][0])
    chosen, candidates = None, [best, *space.shorter(best)]
    for setting in candidates[1:]:
        add(setting)
    for setting in candidates:
        score, parts, gain, se = found[setting]
        doubt = max(error(found[best][1], parts), 1 / (2 * len(parts)))
        if setting == best or found[best][0] - score + doubt <= 0.0025:
            chosen = setting if gain > 0 and gain > guard * se else chosen
    return raw, {s: (score, gain, se) for s, (score, _, gain, se) in found.items()}, chosen


def key(k, options):
    return k, options.get("power", 1), options.get("ridge", 0), options.get("remove", 0)


def compare(answer, want, tolerance):
    raw, settings, chosen = want
    assert answer["raw"] == pytest.approx(raw, abs=tolerance)
    got = {key(s["k"], s["options"]): (s["score"], s["gain"], s["se"]) for s in answer["settings"]}
    assert list(got) == list(settings)
    for setting, figures in settings.items():
        assert got[setting] == pytest.approx(figures, abs=tolerance), setting
    one = answer["chosen"]
    assert (one and key(one["k"], one["options"])) == chosen


def ask(db, rows, guard=1):
    """whiten_tune of rows a, b, score with the moments of t."""
    db.execute("CREATE TEMP TABLE p(a, b, score)")
    db.executemany("INSERT INTO p VALUES (?, ?, ?)", rows)
    options = json.dumps({"guard": guard, "within": False})
    return json.loads(one(db, "SELECT whiten_tune((SELECT whiten_stats(v) FROM t), a, b, score, ?) FROM p", options))


def draw(rng, n, d):
    """A cone: a mean, and axes of different spread."""
    axes, _ = numpy.linalg.qr(rng.standard_normal((d, d)))
    return (rng.standard_normal((n, d)) * numpy.linspace(2, 0.2, d) @ axes + 1.5).astype("f4")


@pytest.mark.parametrize("guard", [0, 1, 3])
@pytest.mark.parametrize("n, d, pairs", [(500, 40, 150), (60, 40, 90), (30, 40, 60), (200, 3, 12)])
def test_scored_pairs(db, rng, n, d, pairs, guard):
    """Rows many and few for their dimension, and fewer; ties, a zero vector, pairs without a score or a vector."""
    x = draw(rng, n, d)
    fill(db, x)
    a, b = x[rng.integers(0, n, pairs)], x[rng.integers(0, n, pairs)]
    a[0] = b[0]
    gold = numpy.round(cosines(a - x.mean(axis=0), b - x.mean(axis=0)) * 4 + rng.standard_normal(pairs))
    rows = [(vec(i), vec(j), g) for i, j, g in zip(a, b, gold.tolist())]
    odd = [(vec(a[1]), vec(b[2]), None), (None, vec(b[1]), 1.0), (vec(numpy.zeros(d)), vec(b[1]), 5.0)]
    answer = ask(db, rows + odd, guard)
    assert (answer["measure"], answer["pairs"]) == ("spearman", pairs)
    compare(answer, tuned(x, of_pairs(a, b, gold), guard), 2e-6)


@pytest.mark.parametrize("n, d", [(300, 40), (50, 40)])
def test_answers(db, rng, n, d):
    """Queries near their documents, two of each; among documents that answer none."""
    documents, count = draw(rng, n, d), min(n // 2, 60)
    queries = (documents[:count] + rng.standard_normal((count, d)) * 1.5).astype("f4")
    fill(db, numpy.vstack([documents, queries]))
    relevant = [(i, (i * 7 + 3) % n) for i in range(count)]
    rows = [(vec(q), vec(documents[j]), None) for q, places in zip(queries, relevant) for j in places]
    rows += [(None, vec(row), None) for row in documents]
    answer = ask(db, rows)
    assert (answer["measure"], answer["queries"], answer["documents"]) == ("mrr", count, n)
    x = numpy.vstack([documents, queries])
    compare(answer, tuned(x, of_answers(queries, documents, relevant)), 2e-6)


@pytest.mark.parametrize("mean, power", [(1.5, 0.5), (0.0, 0.25)])
@pytest.mark.parametrize("n, ridge", [(60, 0.1), (130, 0)])
def test_without_labels(db, rng, mean, power, n, ridge):
    """The default, and what the rows look like before and after."""
    x = (draw(rng, n, 12) - 1.5 + mean).astype("f4")
    fill(db, x)
    answer = json.loads(one(db, "SELECT whiten_tune((SELECT whiten_stats(v) FROM t), v) FROM t"))
    assert key(answer["chosen"]["k"], answer["chosen"]["options"]) == (12, power, ridge, 0)
    assert answer["labels"] is False and answer["settings"] == []
    for name, y in (("before", x), ("after", Space(x).apply((12, power, ridge, 0), x))):
        unit = y / numpy.linalg.norm(y, axis=1, keepdims=True)
        others = (unit @ unit.T)[~numpy.eye(n, dtype=bool)].reshape(n, n - 1)
        contrast = ((others.max(axis=1) - others.mean(axis=1)) / others.std(axis=1)).mean()
        want = {"mean_cosine": others.mean(), "isotropy": isoscore(y), "contrast": contrast}
        assert answer[name] == pytest.approx(want, abs=2e-5), name


def real_pairs(db, data):
    fill(db, data.x)
    a, b = (data.x[[int(pair[i]) for pair in data.pairs]] for i in (0, 1))
    return a, b


@pytest.mark.parametrize("name", ["sts_w2v300_stsb", "sts_use512_stsb"])
def test_real_pairs(db, data_set, name):
    data = data_set(name)
    a, b = real_pairs(db, data)
    gold = numpy.array([float(pair[2]) for pair in data.pairs])
    answer = ask(db, [(vec(i), vec(j), g) for i, j, g in zip(a, b, gold.tolist())])
    compare(answer, tuned(data.x, of_pairs(a, b, gold)), 2e-5)


def test_cosines_are_those_of_whiten_apply(db, data_set):
    """The same scores from models: whiten_solve, whiten_apply, cosine_sim."""
    data = data_set("sts_w2v300_stsb")
    a, b = real_pairs(db, data)
    answer = ask(db, [(vec(i), vec(j), float(pair[2])) for i, j, pair in zip(a, b, data.pairs)])
    for setting in answer["settings"][::7]:
        db.execute("DROP TABLE IF EXISTS m")
        db.execute(
            "CREATE TEMP TABLE m AS SELECT whiten_solve(whiten_stats(v), ?, ?) AS model FROM t",
            (setting["k"], json.dumps(setting["options"])),
        )
        apply = "whiten_apply((SELECT whiten_model(model) FROM m), {})"
        sql = f"SELECT spearman(score, cosine_sim({apply.format('a')}, {apply.format('b')})) FROM p"
        assert one(db, sql) == pytest.approx(setting["score"], abs=5e-5)


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30, 1e37, 3e37])
def test_every_setting_can_be_solved(db, rng, scale):
    """At the ends of float32, too: what whiten_solve refuses is not offered."""
    x = (rng.uniform(-1, 1, (120, 6)) * numpy.linspace(1, 3, 6) * scale).astype("<f4")
    fill(db, x)
    db.execute("CREATE TABLE p AS SELECT id AS a, id % 120 + 1 AS b, id * 7 % 11 AS gold FROM t")
    found = json.loads(one(db, "SELECT whiten_tune((SELECT whiten_stats(v) FROM t), x.v, y.v, p.gold, '{\"within\": false}')"
                               " FROM p JOIN t AS x ON x.id = a JOIN t AS y ON y.id = b"))  # fmt: skip
    settings = [(s["k"], json.dumps(s["options"])) for s in found["settings"] if s["options"] is not None]
    assert len(settings) >= 16
    for k, options in settings:
        one(db, "SELECT whiten_solve((SELECT whiten_stats(v) FROM t), ?, ?)", k, options)
