"""sql/tune.sql, run in the sqlite3 shell as its users run it: the table it prints against scipy, what it says to type
next, what it refuses, and what it makes of noise."""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import json
import re

import numpy
import pytest
from scipy import stats
from test_scripts import ODD, base, draw, facts, fill, quoted, run, whitened  # noqa: F401

PAIRS = "CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pairs"
QUERIES = "CREATE TEMP VIEW my_queries AS SELECT id, embedding AS v FROM queries"
ANSWERS = "CREATE TEMP VIEW my_pairs AS SELECT query AS a, document AS b, NULL AS gold FROM answers"


def table(text):
    """The lines of the table, each a dictionary of texts: every column begins where its name does."""
    lines = [line for line in text.split("\n") if line]
    head = next(i for i, line in enumerate(lines) if line.startswith("setting "))
    spans = [match.span() for match in re.finditer(r"\S+ *", lines[head])]
    spans[-1] = (spans[-1][0], None)
    rows = []
    for line in lines[head + 1 :]:
        if not re.match(r"(raw|whitened|centred|power )", line):
            break
        rows.append({lines[head][a:b].strip(): line.split("<-")[0][a:b].strip() for a, b in spans})
        rows[-1]["chosen"] = line.endswith("<- chosen")
    return rows


def options_of(setting):
    """whitened's arguments, from the words of a line."""
    words = dict(part.rsplit(" ", 1) for part in setting.split(", ") if " " in part)
    power = 1 if setting.startswith("whitened") else 0 if setting.startswith("centred") else float(words["power"])
    return {"power": power, "ridge": float(words.get("ridge", 0)), "remove": int(words.get("remove", 0))}


def cosines(a, b):
    return (a * b).sum(axis=-1) / (numpy.linalg.norm(a, axis=-1) * numpy.linalg.norm(b, axis=-1))


def test_pairs(run, base, rng):
    x = draw(rng, 400, 20)
    fill(base, [*x, None, numpy.zeros(20)])
    a, b = rng.integers(0, 150, size=(2, 200))
    b = numpy.where(a == b, b + 1, b)
    y = whitened(x)
    gold = numpy.round(cosines(y[a], y[b]) * 4 + rng.normal(size=200) / 2)
    base.execute("CREATE TABLE pairs (a INTEGER, b INTEGER, gold REAL)")
    rows = [*zip((a + 1).tolist(), (b + 1).tolist(), gold.tolist())]
    rows += [(1, 2, None), (1, 9999, 5.0), (None, 1, 3.0), (1, 401, 1.0), (1, 402, 1.0)]
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", rows)
    before = base.execute("PRAGMA data_version").fetchone()
    text = run("tune", PAIRS)
    assert facts(text, "tune") == {"pairs": "200", "left_out": "5"}
    results = table(text)
    assert len(results) == 33 and sum(row["chosen"] for row in results) == 1
    assert [float(row["spearman"]) for row in results] == sorted((float(row["spearman"]) for row in results), reverse=True)
    fitted = numpy.vstack([x, numpy.zeros((1, 20))])
    for row in results:
        k = int(row["k"])
        if row["setting"] == "raw":
            z = x.astype(float)
        else:
            z = whitened(fitted, x, k=k, **options_of(row["setting"]))
        assert float(row["spearman"]) == pytest.approx(
            100 * stats.spearmanr(gold, cosines(z[a], z[b])).correlation, abs=0.05
        )
        assert int(row["bytes"]) == 4 * k
        assert float(row["to"]) - float(row["gain"]) == pytest.approx(float(row["gain"]) - float(row["from"]), abs=0.02)
    assert before == base.execute("PRAGMA data_version").fetchone(), "it must not write"
    (best,) = [row for row in results if row["chosen"]]
    raw = next(row for row in results if row["setting"] == "raw")
    said = re.search(r"^chosen: (.*), k (\d+): (\S+), raw (\S+), so (\S+) \((\S+) to (\S+)\)", text, re.M).groups()
    assert said == (
        *(best[key] for key in ("setting", "k", "spearman")),
        raw["spearman"],
        *(best[key] for key in ("gain", "from", "to")),
    )


def test_what_comes_next_is_what_fit_takes(run, base, rng):
    """The line is made of commands; the model that they lead to is of the setting that was chosen."""
    x = (rng.normal(size=(300, 6)) * [30, 1, 1, 1, 1, 1] + 5).astype("<f4")
    fill(base, x)
    y = (x - x.mean(axis=0)) / x.std(axis=0)
    rows = [(i + 1, i + 101, float(cosines(y[i], y[i + 100]))) for i in range(100)]
    base.execute("CREATE TABLE pairs (a, b, gold)")
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", rows)
    text = run("tune", PAIRS)
    found = re.search(r"^next: (\.parameter set @k \d+)  (\.parameter set @options .*)  \.read sql/fit\.sql$", text, re.M)
    (best,) = [row for row in table(text) if row["chosen"]]
    told = run("fit", *found.groups(), "SELECT 1;")
    assert facts(told, "fit")["k"] == best["k"]
    options = json.loads(found.group(2).split(" ", 3)[3].strip("'"))
    assert {"power": 1, "ridge": 0, "remove": 0, **options} == options_of(best["setting"])


def test_text_ids_odd_names_and_few_rows_a_dimension(run, base, rng):
    x = draw(rng, 50, 6)
    fill(base, x, table=ODD, key="TEXT", ids=[f"r{i}" for i in range(50)])
    base.execute("CREATE TABLE pairs (a TEXT, b TEXT, gold TEXT)")
    y = whitened(x)
    rows = [(f"r{i}", f"r{i + 1}", repr(float(cosines(y[i], y[i + 1])))) for i in range(49)]
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", rows)
    vectors = f"CREATE TEMP VIEW my_vectors AS SELECT id, embedding AS v FROM {quoted(ODD)}"
    text = run("tune", vectors, PAIRS.replace("gold F", "CAST(gold AS REAL) AS gold F"), guard=0)
    assert facts(text, "tune") == {"pairs": "49", "left_out": "0"}
    assert "warning: n = 50 is below 10 d = 60" in text


def ranks(queries, documents, relevant, own=None):
    unit = [y / numpy.linalg.norm(y, axis=1, keepdims=True) for y in (queries, documents)]
    similar = unit[0] @ unit[1].T
    if own is not None:
        similar[numpy.arange(len(similar)), own] = -2
    best = numpy.array([max(similar[q, d] for d in relevant[q]) for q in range(len(queries))])
    return 1 + (similar > best[:, None] + 1e-6).sum(axis=1)


def check_retrieval(results, fitted, queries, documents, relevant, own=None):
    raw = 1 / ranks(queries.astype(float), documents.astype(float), relevant, own)
    for row in results:
        if row["setting"] == "raw":
            assert float(row["mrr"]) == pytest.approx(100 * raw.mean(), abs=0.02)
            continue
        y = whitened(fitted, numpy.vstack([queries, documents]), k=int(row["k"]), **options_of(row["setting"]))
        found = 1 / ranks(y[: len(queries)], y[len(queries) :], relevant, own)
        assert float(row["mrr"]) == pytest.approx(100 * found.mean(), abs=0.02)
        gained, error = found - raw, (found - raw).std(ddof=1) / len(raw) ** 0.5
        assert float(row["gain"]) == pytest.approx(100 * gained.mean(), abs=0.02)
        assert float(row["from"]) == pytest.approx(100 * (gained.mean() - 2 * error), abs=0.02)


def test_answers(run, base, rng):
    """Queries in a table of their own, whose ids are those of documents, too."""
    documents = draw(rng, 150, 6)
    queries = (documents[:60] + rng.normal(size=(60, 6)) * 0.8).astype("<f4")
    relevant = [{q, 100 + q % 7} for q in range(60)]
    fill(base, documents)
    fill(base, [*queries, numpy.zeros(6), None], table="queries")
    base.execute("CREATE TABLE answers (query, document)")
    rows = [(q + 1, d + 1) for q in range(60) for d in relevant[q]]
    base.executemany("INSERT INTO answers VALUES (?, ?)", [*rows, (61, 1), (62, 1), (1, 999), (999, 1), (None, 2)])
    text = run("tune", QUERIES, ANSWERS)
    assert facts(text, "tune") == {"queries": "60", "documents": "150", "answers": "120", "left_out": "5"}
    check_retrieval(
        table(text), numpy.vstack([documents, queries, numpy.zeros((1, 6))]), queries, documents, relevant
    )


def test_answers_within_one_table(run, base, rng):
    """Every row is a query and a document, and does not answer itself. A gold that is 1 everywhere is none."""
    x = draw(rng, 120, 6)
    x[60:] = x[:60] + rng.normal(size=(60, 6)) * 0.5
    fill(base, x)
    base.execute("CREATE TABLE answers AS SELECT id AS query, 1 + (id + 59) % 120 AS document FROM documents")
    text = run("tune", ANSWERS.replace("NULL", "1"))
    assert facts(text, "tune") == {"queries": "120", "documents": "120", "answers": "120", "left_out": "0"}
    check_retrieval(table(text), x, x, x, [{(q + 60) % 120} for q in range(120)], numpy.arange(120))


def test_rows_that_are_only_queries_are_no_documents(run, base, rng):
    x = draw(rng, 90, 6)
    fill(base, x)
    base.execute("CREATE TABLE answers AS SELECT id AS query, id + 30 AS document FROM documents WHERE id <= 30")
    text = run("tune", ANSWERS)
    assert facts(text, "tune") == {"queries": "30", "documents": "60", "answers": "30", "left_out": "0"}
    check_retrieval(table(text), x, x[:30], x[30:], [{q} for q in range(30)])


def test_without_labels(run, base, rng):
    fill(base, [*draw(rng, 200, 6), None])
    text = run("tune")
    assert facts(text, "tune") == {"rows": "200"}
    raw, white = table(text)
    assert (raw["setting"], white["setting"]) == ("raw", "power 0.5")
    assert float(raw["mean_cosine"]) > 0.3 > abs(float(white["mean_cosine"]))
    assert float(raw["isotropy"]) < float(white["isotropy"])
    assert "chosen without labels: power 0.5, k 6, a cautious default whose gain is not measured" in text
    assert "next: .parameter set @k 6  .parameter set @options '{\"power\":0.5}'  .read sql/fit.sql" in text


@pytest.mark.parametrize(
    "pairs, before, message",
    [
        ([], [PAIRS, QUERIES], "my_queries has rows, but my_pairs has scores, or no rows"),
        ([(1, 2, 1.0), (1, 3, 2.0)], [PAIRS, QUERIES], "my_queries has rows, but my_pairs has scores, or no rows"),
        ([(1, 999, 3.0), (2, 999, 1.0)], [PAIRS], "no row of my_pairs has two vectors"),
        ([(1, 2, "3"), (2, 3, "4")], [PAIRS], "score is TEXT '3', expected a number"),
        ([], [ANSWERS.replace("query", "77")], "no row of my_pairs has two vectors"),
        ([], ["CREATE TEMP VIEW my_vectors AS SELECT 1 AS id, NULL AS v"], "my_vectors has no vectors"),
        (
            [(1, 2, 1.0)],
            [PAIRS, "CREATE TEMP VIEW my_vectors AS SELECT id / 2 AS id, embedding AS v FROM documents"],
            "an id comes twice in my_vectors or my_queries",
        ),
    ],
)
def test_refuses(run, base, rng, pairs, before, message):
    fill(base, draw(rng, 20, 3))
    fill(base, draw(rng, 5, 3), table="queries")
    base.execute("CREATE TABLE answers AS SELECT 1 AS query, 1 AS document")
    base.execute("CREATE TABLE pairs (a, b, gold)")
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    assert re.search(f"tune: .*{re.escape(message)}", run("tune", *before, fails=True))


@pytest.mark.parametrize("guard", [-1, "2", None])
def test_refuses_a_guard(run, base, rng, guard):
    fill(base, draw(rng, 20, 3))
    assert "tune: @guard is no number from 0 on" in run("tune", guard=guard, fails=True)


@pytest.mark.parametrize(
    "gold, said", [("1", "no difference: the best, "), ("id % 7", "no difference: the best, "), ("-id", "too few pairs to tell: 5")]
)
def test_keeps_the_raw_vectors(run, base, rng, gold, said):
    fill(base, draw(rng, 20, 3))
    rows = "id <= 5" if "few" in said else "1"
    base.execute(f"CREATE TABLE pairs AS SELECT id AS a, id % 20 + 1 AS b, {gold} AS gold FROM documents WHERE {rows}")
    text = run("tune", PAIRS, guard=1e6)
    assert said in text and "keep the raw vectors" in text and "next:" not in text


@pytest.mark.parametrize("seed", range(4))
def test_noise_makes_no_difference(run, base, seed):
    """60 pairs whose scores have nothing to do with the vectors."""
    noise = numpy.random.default_rng(seed)
    fill(base, draw(noise, 400, 32))
    base.execute("CREATE TABLE pairs (a, b, gold)")
    pairs = zip(*(noise.integers(*range_, 60).tolist() for range_ in ((1, 200), (200, 400), (0, 6))))
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    assert "no difference: the best, " in run("tune", PAIRS)


@pytest.mark.parametrize("seed", range(1, 4))
def test_noise_makes_no_difference_in_retrieval(run, base, seed):
    """Of 150 such seeds two have a gain of more than two standard errors, 0 is one of them."""
    noise = numpy.random.default_rng(seed)
    fill(base, draw(noise, 200, 16))
    fill(base, draw(noise, 60, 16), table="queries")
    base.execute("CREATE TABLE answers (query, document)")
    base.executemany("INSERT INTO answers VALUES (?, ?)", [(q, int(noise.integers(1, 201))) for q in range(1, 61)])
    assert "no difference: the best, " in run("tune", QUERIES, ANSWERS)
