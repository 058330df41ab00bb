"""sql/report.sql: the page about a table, read by a strict parser, its figures against numpy.

The page is XML besides being HTML, so that ElementTree takes it apart; how a browser shows it is in test_report_browser.py.
"""

# ruff: noqa: F811 (fixtures are imported and named as arguments)

import hashlib
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy
import pytest
from scipy import stats
from test_scripts import ODD, base, draw, fill, quoted, run, whitened  # noqa: F401
from test_tune_script import table

N, DIM = 120, 8
TEXTS = "CREATE TEMP VIEW my_texts AS SELECT id, text FROM texts"
PAIRS = "CREATE TEMP VIEW my_pairs AS SELECT a, b, gold FROM pairs"
ATTACKS = [
    '</title><script>top.attacked = 1</script>',
    '"><img src="x" onerror="top.attacked = 1"/>',
    "<!-- & ]]> &lt; &amp;amp; '",
    "עברית \u202e right to left & العربية",
    "👩‍👩‍👧 emoji 🦆 %s %d",
]  # fmt: skip


class Page:
    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8")
        self.root = ElementTree.fromstring(self.text.replace("<!DOCTYPE html>", "", 1))

    def all(self, path):
        return self.root.findall(path)

    def section(self, title):
        """The elements from that heading to the next."""
        found, inside = ElementTree.Element("section"), False
        for element in self.root.find("body"):
            if element.tag == "h2":
                inside = element.text == title
            elif inside:
                found.append(element)
        return found

    def facts(self):
        return {words(row.find("th")): words(row.find("td")) for row in self.section("What it holds").iter("tr")}

    def svg(self, alt):
        (svg,) = [svg for svg in self.root.iter("svg") if svg.get("aria-label", "").startswith(alt)]
        return svg


def page_path(folder):
    return folder / "report.html"


def words(element):
    return " ".join("".join(element.itertext()).split())


def path(svg, name):
    (found,) = [element.get("d") for element in svg.iter("path") if element.get("class") == name]
    return numpy.array([[float(n) for n in point.split()] for point in found[1:].split("L")])


@pytest.fixture
def report(run, tmp_path):
    def make(*before, **parameters):
        text = run("report", *before, **{"file": str(tmp_path / "report.html"), **parameters})
        assert re.search(r"^report: file '.*', bytes \d+, rows \d+, looked_at \d+, pairs \d+, setting '.*'$", text, re.M)
        page = Page(tmp_path / "report.html")
        assert not re.search(r"\bnan\b|\binf\b", re.sub(r"<title>.*?</title>", "", page.text), re.I)
        return page

    return make


@pytest.fixture
def rows(base, rng):
    """documents: 120 x 8; texts of them, the first ones meant to break out; pairs of neighbours, with a score."""
    x = draw(rng, N, DIM)
    fill(base, x)
    base.execute("CREATE TABLE texts (id, text)")
    texts = [(i + 1, ATTACKS[i // 5 % 5] if i % 5 else f"text {i + 1}") for i in range(N)]
    base.executemany("INSERT INTO texts VALUES (?, ?)", texts)
    base.execute("CREATE TABLE pairs AS SELECT id AS a, id + 1 AS b, id * 7 % 11 AS gold FROM documents WHERE id < 80")
    return x


def cosines(x):
    y = x / numpy.linalg.norm(x.astype(float), axis=1, keepdims=True)
    return y @ y.T


def test_what_it_holds(report, base, rows):
    x = rows.astype(float)
    base.execute("UPDATE documents SET embedding = NULL WHERE id = 3")
    base.execute("UPDATE documents SET embedding = (SELECT embedding FROM documents WHERE id = 1) WHERE id IN (7, 9)")
    base.execute("UPDATE documents SET embedding = zeroblob(32) WHERE id = 11")
    base.execute("UPDATE documents SET embedding = zeroblob(16) WHERE id = 13")
    base.execute("UPDATE documents SET embedding = 'no vector' WHERE id = 15")
    facts = report().facts()
    assert facts["Rows"].startswith("120") and facts["NULL"] == "1" and facts["Zero vectors"] == "1"
    assert facts["Duplicates"].startswith("2 of 117 ")
    assert facts["Numbers a vector"].startswith("8, float32 in a BLOB")
    kept = numpy.linalg.norm(numpy.delete(x, [2, 6, 8, 10, 12, 14], axis=0), axis=1)
    assert facts["Lengths (norms)"].startswith("0 to %.3g," % kept.max())


def test_what_is_no_vector_is_a_warning(report, base, rows):
    base.execute("UPDATE documents SET embedding = zeroblob(16) WHERE id IN (13, 14)")
    base.execute("UPDATE documents SET embedding = 'no vector' WHERE id = 15")
    warnings = [words(p) for p in report().all("body/p[@class='warning']")]
    assert any(text.startswith("Warning. 1 of the rows looked at hold no vector") for text in warnings)
    assert any("2 of the rows looked at have another dimension than 8" in text for text in warnings)


def test_histograms(report, rows):
    """Every pair of rows, raw and whitened, in fifty bins: shares in the pixels of the axis."""
    page = report(k=5)
    for name, y in (("before", rows), ("after", whitened(rows, k=5))):
        svg = page.svg(f"Histogram of cosines of random pairs of rows, {name} whitening")
        counts, _ = numpy.histogram(cosines(y)[numpy.triu_indices(N, 1)], bins=50, range=(-1, 1))
        top = max(float(t.text) for t in svg.iter("text") if t.get("text-anchor") == "end" and t.text)
        bars = path(svg, "fill")[1:-1:2, 1]
        wanted = 172 - 146 * counts / counts.sum() * 100 / top
        assert numpy.abs(bars - wanted).max() <= 0.06 + 146 * 100 / top / counts.sum()  # a pair at the edge of a bin


def test_mean_cosine(report, rows):
    text = words(report(k=5).all("body/p")[1])
    off = ~numpy.eye(N, dtype=bool)
    wanted = [cosines(y)[off].mean() for y in (rows, whitened(rows, k=5))]
    found = re.search(r"cosine of (-?\d\.\d\d) on average; whitened, of (-?\d\.\d\d)", text)
    assert [float(number) for number in found.groups()] == pytest.approx(wanted, abs=0.006)


def test_spectrum(report, rows):
    """Shares, and logarithms, which the script takes without log10."""
    page = report()
    values = numpy.linalg.eigvalsh(numpy.cov(rows.astype(float).T))[::-1]
    share = path(page.svg("Cumulative share"), "line")
    assert share[1:, 1] == pytest.approx(172 - 146 * values.cumsum() / values.sum(), abs=0.06)
    svg = page.svg("Variance of each component")
    logs = numpy.log10(values / values.mean())
    low, high = numpy.floor(logs.min()), numpy.floor(logs.max() + 1)
    assert path(svg, "line")[:, 1] == pytest.approx(172 - 146 * (logs - low) / (high - low), abs=0.12)
    shares, components = page.section("Spectrum").iter("tr")
    wanted = [int(numpy.searchsorted(values.cumsum() / values.sum(), s / 100) + 1) for s in (50, 80, 90, 95, 99)]
    assert [int(cell.text) for cell in components.iter("td")] == wanted


def test_a_spectrum_of_many_decades(report, base, rng):
    x = draw(rng, 300, 6) * numpy.array([1e5, 1e3, 10, 1, 0.1, 0.01])
    fill(base, x.astype("<f4"))
    logs = numpy.log10(numpy.linalg.eigvalsh(numpy.cov(x.astype("<f4").astype(float).T))[::-1])
    found = path(report().svg("Variance of each component"), "line")[:, 1]
    assert (found - found[0]) / (found[-1] - found[0]) == pytest.approx((logs - logs[0]) / (logs[-1] - logs[0]), abs=1e-3)


def test_a_spectrum_ends_at_the_rank(report, base, rng):
    """Of 20 rows in 40 dimensions; what rounding leaves beyond is not drawn."""
    fill(base, draw(rng, 20, 40))
    page = report()
    assert len(path(page.svg("Variance of each component"), "line")) == 19
    assert len(path(page.svg("Cumulative share"), "line")) == 41


def test_neighbours(report, rows):
    """The five nearest by raw and by whitened cosine, of five rows."""
    articles = report(k=5).all("body/article")
    assert len(articles) == 5
    for article in articles:
        row = int(words(article.find("h3")).split()[-1]) - 1
        for column, y in zip(article.iter("ol"), (rows, whitened(rows, k=5))):
            similarity = cosines(y)[row]
            similarity[row] = -2
            found = [int(words(item.find("div/bdi")).removeprefix("row ")) - 1 for item in column]
            assert similarity[found] == pytest.approx(numpy.sort(similarity)[::-1][:5], abs=1e-5)
            assert [float(item.find("span").text) for item in column] == pytest.approx(similarity[found], abs=6e-4)


def test_a_zero_vector_has_no_neighbours(report, base, rows):
    base.execute("UPDATE documents SET embedding = zeroblob(32) WHERE id IN (1, 30)")
    headings = [words(article.find("h3")) for article in report().all("body/article")]
    assert headings[:2] == ["1. row 2", "2. row 25"] and len(headings) == 5


def test_map(report, rows):
    circles = [c for c in report().svg("Map of 120 rows").iter("circle") if c.get("class") == "dot"]
    y = whitened(rows, k=2)
    places = numpy.array([[float(c.get("cx")), float(c.get("cy"))] for c in circles])
    assert [c.find("title").text for c in circles] == [f"row {i}" for i in range(1, N + 1)]
    for axis in (0, 1):
        assert abs(numpy.corrcoef(places[:, axis], y[:, axis])[0, 1]) > 0.9999


def test_settings(report, base, rows):
    """A line a setting, as whiten_tune has them, and its choice; scores that are alike are none."""
    page = report(PAIRS)
    lines = page.section("Settings").findall("table/tr")[1:]
    assert len(lines) > 20 and all(line.find("td[3]/svg") is not None for line in lines)
    assert len([line for line in lines if line.get("class") == "best"]) <= 1
    assert "Spearman" in words(page.section("Settings"))
    base.execute("UPDATE pairs SET gold = 1")
    assert "mean reciprocal rank" in words(report(PAIRS).section("Settings"))


def test_real_pairs(report, base, data_set):
    """STS-B: raw as scipy has it, and a choice far above it, whatever options it has."""
    real = data_set("sts_w2v300_stsb")
    fill(base, real.x)
    base.execute("CREATE TABLE pairs (a, b, gold)")
    pairs = [(int(a) + 1, int(b) + 1, float(gold)) for a, b, gold in real.pairs]
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    text = words(report(PAIRS).all("body/p")[1])
    first, second, gold = (numpy.array(column) for column in zip(*pairs))
    similarity = cosines(real.x)[first.astype(int) - 1, second.astype(int) - 1]
    scores = re.search(r"scores (\d+\.\d) against (\d+\.\d) of the raw vectors, a gain of (\d+\.\d)", text)
    assert float(scores[2]) == pytest.approx(100 * stats.spearmanr(similarity, gold)[0], abs=0.06)
    assert float(scores[3]) == pytest.approx(float(scores[1]) - float(scores[2]), abs=0.11) and float(scores[1]) > 60


@pytest.mark.parametrize("gold", ["scores", "noise", "answers"])
def test_it_chooses_what_tune_chooses(report, run, base, rng, gold):
    """On scores that lie in what the pairs share, on scores at random, on answers that must be found among all rows."""
    center = draw(rng, 150, 12)
    shared = numpy.concatenate([center + rng.normal(size=(150, 12)) * numpy.linspace(0.2, 3, 12) for _ in range(4)])
    fill(base, shared)
    a, b = numpy.arange(300), rng.permutation(300) + 300
    b = numpy.where(rng.random(300) < 0.5, a + 300, b)
    score = {"scores": (a % 150 == b % 150) + rng.normal(size=300) / 3, "noise": rng.random(300), "answers": a * 0}[gold]
    if gold == "answers":
        a, b = numpy.arange(40), numpy.arange(40) + 150
    base.execute("CREATE TABLE pairs (a, b, gold)")
    pairs = zip((a + 1).tolist(), (b + 1).tolist(), score.tolist())
    base.executemany("INSERT INTO pairs VALUES (?, ?, ?)", pairs)
    asked = run("tune", PAIRS)
    chosen = re.search(r"^next: \.parameter set @k (\d+)  \.parameter set @options '(.*)'  ", asked, re.M)
    page = report(PAIRS)
    text, lines = words(page.all("body/p")[1]), page.section("Settings").findall("table/tr")[1:]
    if chosen is None:
        assert "keep the raw vectors" in asked and "Leave the vectors as they are" in text
    else:
        options = ", ".join(f"{key} {value:g}" for key, value in json.loads(chosen[2]).items())
        assert f"{options}, k = {chosen[1]}. It scores" in text
    assert len(lines) == sum(line["setting"] != "raw" for line in table(asked))
    assert (chosen is None) == (gold == "noise")


@pytest.mark.parametrize("guard, kept", [(0, False), (1000, True)])
def test_a_guard(report, base, rows, guard, kept):
    assert ("Leave the vectors as they are" in words(report(PAIRS, guard=guard).all("body/p")[1])) == kept


def test_it_says_that_it_lives(run, base, rows, tmp_path):
    text = run("report", PAIRS, file=str(tmp_path / "report.html"))
    assert text.split("\n")[:3] == ["report: reads 120 of 120 vectors ...", "report: measures settings on 79 pairs with scores ...", "report: compares and draws ..."]


def test_noise_keeps_the_raw_vectors(report, base, rows):
    """Scores that have nothing to do with the vectors, most of them alike: whiten_tune chooses none, and the page says so."""
    base.execute("DELETE FROM pairs WHERE a > 5")
    page = report(PAIRS)
    assert "Leave the vectors as they are" in words(page.all("body/p")[1])


def test_without_pairs_it_is_said_to_be_a_guess(report, rows):
    page = report()
    assert "The setting is a guess" in words(page.all("body/p")[1]) and not len(page.section("Settings"))


def test_given_settings_and_models(report, run, rows):
    assert "Whitened as asked for: ridge 1, k = 3" in words(report(k=3, options='{"ridge": 1}').all("body/p")[1])
    within = report(PAIRS, options='{"within": 0.5, "ridge": 1}')
    assert "within 0.5, ridge 1, k = 8" in words(within.all("body/p")[1])
    run("fit", model="m", k=2)
    page = report("CREATE TEMP VIEW my_model AS SELECT model FROM whitening WHERE name = 'm'")
    assert "Whitened with the model of my_model, k = 2" in words(page.all("body/p")[1])


def test_texts_come_out_as_themselves(report, base, rows):
    """In rows, in names of tables and columns, in the title; read by a parser of HTML as by one of XML."""
    base.execute(f"ALTER TABLE documents RENAME TO {quoted(ATTACKS[0])}")
    base.execute(f"ALTER TABLE {quoted(ATTACKS[0])} RENAME COLUMN embedding TO {quoted(ATTACKS[1])}")
    view = f"CREATE TEMP VIEW my_vectors AS SELECT id, {quoted(ATTACKS[1])} AS v FROM {quoted(ATTACKS[0])}"
    page = report(view, TEXTS, title=ATTACKS[0] + ODD)
    assert words(page.root.find("body/h1")) == " ".join((ATTACKS[0] + ODD).split())
    assert ATTACKS[0] in quoted_back(words(page.root.find("body/p/code")))
    titles = {title.text for title in page.root.iter("title")}
    assert titles >= {" ".join(text.split()) for text in ATTACKS}
    seen = []
    parser = HTMLParser(convert_charrefs=True)
    parser.handle_starttag = lambda tag, attributes: seen.append(tag)
    parser.feed(page.text)
    assert {element.tag for element in page.root.iter()} == set(seen) and "script" not in seen and "img" not in seen


def quoted_back(text):
    return text.replace('""', '"')


def test_the_picture(report, tmp_path, rows):
    report(PAIRS, picture=str(tmp_path / "p.svg"))
    root = ElementTree.parse(tmp_path / "p.svg").getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(root.findall("{*}svg")) == 2


def test_samples_by_a_fixed_rule(report, base, rng):
    x = draw(rng, 3000, 4)
    fill(base, x)
    timed = re.compile(r"<h2>Size and speed.*?</p>", re.S)
    first, again = (timed.sub("", report(rows=500).text) for _ in range(2))
    assert first == again
    found = re.search(r"3,000, of which (\d+) were looked at", first)
    assert 495 <= int(found[1]) <= 505


def test_the_database_is_only_read(report, base, tmp_path, rows):
    digest = hashlib.sha256((tmp_path / "my.db").read_bytes()).digest()
    report(PAIRS, TEXTS)
    assert hashlib.sha256((tmp_path / "my.db").read_bytes()).digest() == digest


TABLES = {
    "two rows": "CREATE TABLE documents AS SELECT 1 AS id, '[1,2]' AS embedding UNION SELECT 2, '[2,1]'",
    "one direction": "CREATE TABLE documents AS SELECT id, json_array(id, 2 * id) AS embedding FROM n",
    "one number": "CREATE TABLE documents AS SELECT id, json_array(id) AS embedding FROM n",
    "n < d": "CREATE TABLE documents AS SELECT id, json_array(id, id % 2, id % 3, id % 5, id % 7, 1, id % 2) AS embedding FROM n WHERE id < 6",
    "a zero vector and another": "CREATE TABLE documents AS SELECT 1 AS id, '[0,0]' AS embedding UNION SELECT 2, '[2,1]'",
    "large numbers": "CREATE TABLE documents AS SELECT id, json_array(1e37 * (id % 7), 1e-30 * id, id % 5) AS embedding FROM n",
    "ids of TEXT, without rowid": "CREATE TABLE documents (id TEXT PRIMARY KEY, embedding) WITHOUT ROWID;"
    "INSERT INTO documents SELECT '<' || id, json_array(id, id % 7, id % 5) FROM n",
    "a view": "CREATE VIEW documents AS SELECT -id AS id, json_array(id, id % 7, id % 5) AS embedding FROM n",
    "duplicates": "CREATE TABLE documents AS SELECT id, json_array(id % 2, id % 2, 3) AS embedding FROM n",
}  # fmt: skip
N50 = "CREATE TABLE n AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 50) SELECT id FROM n"


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_a_page(report, base, table):
    base.execute(N50)
    base.executescript(TABLES[table])
    assert report().all("body/h2")


REFUSED = [
    ("DELETE FROM documents", {}, "report: my_vectors has no vectors"),
    ("DELETE FROM documents WHERE id > 1", {}, "report: the vectors are all alike"),
    ("UPDATE documents SET embedding = '[1, 2]'", {}, "report: the vectors are all alike"),
    ("UPDATE documents SET embedding = 'x'", {}, "report: my_vectors has no vectors"),
    ("ALTER TABLE documents RENAME TO d; CREATE VIEW documents AS SELECT 1 AS id, embedding FROM d", {}, "report: an id of my_vectors is NULL or there twice"),
    ("ALTER TABLE documents RENAME TO d; CREATE VIEW documents AS SELECT NULL AS id, embedding FROM d", {}, "report: an id of my_vectors is NULL"),
    ("DROP TABLE documents", {}, "no such table: documents"),
    ("UPDATE pairs SET a = 1000", {}, "report: no row of my_pairs has two ids of my_vectors"),
    ("", {"k": 9}, "k is 9, expected 1 to 8"),
    ("", {"options": "[1]"}, "report: @options is not a JSON object"),
    ("", {"options": '{"rigde": 1}'}, "rigde"),
    ("", {"rows": 1}, "report: @rows is not an integer above 1"),
    ("", {"guard": -1}, "report: @guard is no number from 0 on"),
    ("", {"guard": "2"}, "report: @guard is no number from 0 on"),
    ("", {"file": 7}, "report: @file, @picture or @title is not text"),
    ("", {"file": "/proc/no/report.html"}, "report: the file in @file or @picture cannot be written"),
    ("", {"picture": "/proc/no/report.svg"}, "report: the file in @file or @picture cannot be written"),
]  # fmt: skip


@pytest.mark.parametrize("sql, parameters, message", REFUSED, ids=[f"{s[:40]} {p}" for s, p, _ in REFUSED])
def test_refusals(run, base, rows, tmp_path, sql, parameters, message):
    base.executescript(sql)
    settings = {"file": str(tmp_path / "report.html"), **parameters}
    assert message in run("report", PAIRS, fails=True, **settings)


def test_pairs_of_rows_that_are_not_looked_at(report, base, rng):
    """Their vectors are read for themselves."""
    fill(base, draw(rng, 2000, 4))
    base.execute("CREATE TABLE pairs AS SELECT id AS a, id + 1 AS b, id % 5 AS gold FROM documents WHERE id < 400")
    assert "on 399 pairs" in words(report(PAIRS, rows=50).section("Settings"))


def test_texts_of_other_types(report, base, rows):
    """Numbers, BLOBs and NULL as text; an id twice in my_texts."""
    base.execute("DELETE FROM texts WHERE id > 4")
    base.execute("INSERT INTO texts VALUES (1, 'another'), (2, NULL)")
    for i, value in enumerate((7, b"blob", 1.5, None)):
        base.execute("UPDATE texts SET text = ? WHERE id = ? AND text IS NOT 'another'", (value, i + 1))
    titles = [c.find("title").text for c in report(TEXTS).svg("Map").iter("circle") if c.get("class") == "dot"]
    assert titles[:5] == ["7", "blob", "1.5", "row 4", "row 5"] and len(titles) == N


def test_json_and_blobs_are_the_same_page(report, base, rows):
    blobs = report(k=3).svg("Histogram of cosines of random pairs of rows, after")
    base.executemany("UPDATE documents SET embedding = ? WHERE id = ?",
                     [(str([float(value) for value in row]), i + 1) for i, row in enumerate(rows)])  # fmt: skip
    page = report(k=3)
    assert page.facts()["Numbers a vector"] == "8, JSON in TEXT"
    assert path(page.svg("Histogram of cosines of random pairs of rows, after"), "fill").tolist() == path(blobs, "fill").tolist()
