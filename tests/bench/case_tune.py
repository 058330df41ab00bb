"""whiten_tune: how good is what it chooses, and how long does it take?

Regret: settings are chosen on some pairs of a real set (WHITEN_DATA), and judged on the others of it: by how much is the
best of 206 settings better than the one that was chosen? Means over draws of pairs. The same for queries and their answers,
and for scores that are noise. Everything but ranks and means is asked of SQL.
"""

import functools
import json
import sqlite3

import data
import numpy
from harness import Side, compare, no_less, up_to
from index_data import DATA
from sides import connect

POWERS, RIDGES, KS = (0.25, 0.5, 0.75), (0, 0.01, 0.03, 0.1, 0.3, 1, 3, 10), (1, 2, 4, 8)


def grid(d):
    """206 settings: k and options of whiten_solve; None for the raw vectors."""
    shapes = [(power, 0) for power in (0, *POWERS)] + [(1, ridge) for ridge in RIDGES]
    found = [(d // part - (part == 1) * remove, power, ridge, remove)
             for power, ridge in shapes for remove in range(4) for part in KS]
    found += [(d, power, ridge, 0) for power in POWERS for ridge in (0.1, 1, 3, 10)] + [(d, 0, 1, 0)]
    return [None] + [(k, json.dumps({"power": p, "ridge": r, "remove": m})) for k, p, r, m in found]


class Real:
    """A set of WHITEN_DATA in memory: t(id, v), pair(id, a, b, gold)."""

    def __init__(self, name):
        meta = json.loads((DATA / f"{name}.meta.json").read_text(encoding="utf-8"))
        x = numpy.fromfile(DATA / f"{name}.f32", dtype="<f4").reshape(meta["n"], meta["d"])
        lines = (DATA / f"{name}.pairs.tsv").read_text(encoding="utf-8").split("\n")[1:]
        self.pairs = numpy.array([line.split("\t")[:3] for line in lines if line], dtype=float)
        self.a, self.b, self.gold = self.pairs[:, 0].astype(int), self.pairs[:, 1].astype(int), self.pairs[:, 2]
        self.x, self.d, self.db = x, meta["d"], connect(":memory:")
        self.db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
        self.db.executemany("INSERT INTO t VALUES (?, ?)", ((i, row.tobytes()) for i, row in enumerate(x)))
        self.db.execute("CREATE TABLE pair(id INTEGER PRIMARY KEY, a, b, gold)")
        rows = zip(self.a.tolist(), self.b.tolist(), self.gold.tolist())
        self.db.executemany("INSERT INTO pair(a, b, gold) VALUES (?, ?, ?)", rows)
        self.db.execute("CREATE TABLE moments AS SELECT whiten_stats(v) AS stats FROM t")
        self.scores = functools.lru_cache(maxsize=None)(self._scores)

    def _scores(self, setting, related="NULL"):
        """Cosines of the pairs, or reciprocal ranks, by the setting; None where it has more components than there are.
        `related`: an expression for the pair stats of related pairs."""
        y = self.x.astype(float)
        if setting is not None:
            sql = f"""SELECT whiten_apply((SELECT whiten_model(whiten_solve(stats, ?, ?, {related})) FROM moments), v)
                        FROM t ORDER BY id"""
            try:
                rows = self.db.execute(sql, setting).fetchall()
            except sqlite3.OperationalError:
                return None
            y = numpy.array([numpy.frombuffer(row, "<f4") for (row,) in rows], dtype=float)
        y /= numpy.linalg.norm(y, axis=1, keepdims=True)
        if self.is_retrieval:
            return 1 / self.ranks(y)
        return (y[self.a] * y[self.b]).sum(axis=1)

    def scores_of(self, answer, setting):
        """The same of what was chosen, which may be learned from the pairs of the last call of tune."""
        if setting is None or "within" not in setting[1]:
            return self.scores(setting)
        return self._scores(setting, f"""(SELECT whiten_pair_stats(x.v, y.v) FROM part JOIN t AS x ON x.id = part.a
            JOIN t AS y ON y.id = part.b WHERE gold >= {answer['within_score']!r})""")

    @property
    def is_retrieval(self):
        return len(set(self.gold)) == 1

    def ranks(self, y):
        documents = numpy.unique(self.b)
        cosine = y[self.a] @ y[documents].T
        best = (y[self.a] * y[self.b]).sum(axis=1)
        return 1 + (cosine > best[:, None] + 1e-6).sum(axis=1)

    def judge(self, scores, rest):
        """Spearman or MRR x 100 on these pairs."""
        if scores is None:
            return -numpy.inf
        if self.is_retrieval:
            return 100 * scores[rest].mean()
        return 100 * numpy.corrcoef(ranked(scores[rest]), ranked(self.gold[rest]))[0, 1]

    def tune(self, chosen_on, gold=None):
        """whiten_tune's answer to these pairs."""
        gold = self.gold if gold is None else gold
        self.db.execute("CREATE TEMP TABLE IF NOT EXISTS part(a, b, gold)")
        self.db.execute("DELETE FROM part")
        rows = [(int(self.a[i]), int(self.b[i]), None if self.is_retrieval else float(gold[i])) for i in chosen_on]
        self.db.executemany("INSERT INTO part VALUES (?, ?, ?)", rows)
        others = "UNION ALL SELECT NULL, v, NULL FROM t WHERE id IN (SELECT b FROM pair)" if self.is_retrieval else ""
        ((answer,),) = self.db.execute(
            "SELECT whiten_tune((SELECT stats FROM moments), a, b, gold) FROM (SELECT x.v AS a, y.v AS b, gold"
            f" FROM part JOIN t AS x ON x.id = part.a JOIN t AS y ON y.id = part.b {others})"
        )
        return json.loads(answer)


def ranked(values):
    _, inverse, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]


def chosen(answer, guard):
    """What is chosen at this guard, None for raw."""
    if answer["chosen"] is None:
        return None
    key = (answer["chosen"]["k"], json.dumps(answer["chosen"]["options"]))
    (one,) = [s for s in answer["settings"] if (s["k"], json.dumps(s["options"])) == key]
    return key if one["gain"] > guard * one["se"] else None


def _points(value):
    return f"{value:.2f}"


def _draws(real, size, draws):
    """By guard: regrets and gains over the raw vectors."""
    rng, found = numpy.random.default_rng(size), {1: [], 2: []}
    settings = grid(real.d)
    for _ in range(draws):
        order = rng.permutation(len(real.gold))
        answer, rest = real.tune(order[:size]), order[size:]
        best = max(real.judge(real.scores(setting), rest) for setting in settings)
        raw = real.judge(real.scores(None), rest)
        for guard, rows in found.items():
            one = real.judge(real.scores_of(answer, chosen(answer, guard)), rest)
            rows.append((best - one, one - raw))
    return {guard: numpy.array(rows) for guard, rows in found.items()}


def _regret(options, table, name, bars, gains=None):
    if not (DATA / f"{name}.f32").exists():
        table.figure(f"regret, {name}", f"{name} is not in WHITEN_DATA")
        return
    real, draws = Real(name), 100 if options.rows == 100_000 else 10
    for size, bar in bars.items():
        for guard, rows in _draws(real, size, draws).items():
            said = f"gain {rows[:, 1].mean():.2f}, not below raw in {100 * (rows[:, 1] >= -1e-9).mean():.0f} %"
            what = f"{name}, {size}, guard {guard}"
            if gains is None:
                limit = UpToPoints(bar) if guard == 1 else None
                table.figure(f"regret, {what}", [rows[:, 0].mean()], limit, said, _points)
            else:
                table.figure(f"gain, {what}", [rows[:, 1].mean()], no_less(bar) if guard == 1 else None,
                             f"regret {rows[:, 0].mean():.2f}", _points)


class UpToPoints:
    """A bar: no more than so many points."""

    def __init__(self, value):
        self.value = value

    def __str__(self):
        return f"<= {self.value}"

    def is_reached(self, ours, _):
        return ours <= self.value


def word_vectors(options, table):
    _regret(options, table, "sts_w2v300_stsb", {200: 0.5, 500: 0.25})


def encoder(options, table):
    _regret(options, table, "sts_use512_stsb", {200: 1.0, 500: 0.6})


def retrieval(options, table):
    _regret(options, table, "bgem3_alice_1024", {10: 4, 50: 6}, gains=True)


def noise(options, table):
    """How often scores without meaning make a difference: per cent, by guard."""
    if not (DATA / "sts_w2v300_stsb.f32").exists():
        table.figure("noise", "sts_w2v300_stsb is not in WHITEN_DATA")
        return
    real, rng = Real("sts_w2v300_stsb"), numpy.random.default_rng(1)
    draws = 100 if options.rows == 100_000 else 10
    answers = [
        real.tune(rng.permutation(len(real.gold))[:200], rng.standard_normal(len(real.gold))) for _ in range(draws)
    ]
    for guard in (1, 2, 3):
        found = 100 * numpy.mean([chosen(answer, guard) is not None for answer in answers])
        table.figure(f"noise, 200 pairs, guard {guard}: chosen in %", [found], None, "", _points)


def times(options, table):
    """Pairs of rows that follow each other, with a score."""
    for rows, dim, pairs, bar in ((2551, 300, 1379, 1), (20_000, 768, 20_000, 10)):
        sql = (
            "SELECT whiten_tune((SELECT whiten_stats(v) FROM t), x.v, y.v, (x.id * 7919) % 997)"
            f" FROM t AS x JOIN t AS y ON y.id = (x.id * 31) % {rows} + 1 WHERE x.id <= {pairs}"
        )
        r = compare(options.with_repeat(3), ours=Side("sides:query", 1, database=data.vectors(rows, dim), sql=sql))
        peak = f"peak memory {numpy.median(r.peak('ours')):.0f} MB"
        table.figure(f"whiten_tune, {rows:,} x {dim}, {pairs:,} pairs", r.of("ours"), up_to(bar), peak)


CASES = {
    "tune_times": times,
    "tune_word_vectors": word_vectors,
    "tune_encoder": encoder,
    "tune_retrieval": retrieval,
    "tune_noise": noise,
}
