"""examples/app: a folder of texts in a file, searched by Node with its encoder and by Python without one, against numpy.

The query is always a text that is stored, whose vector is therefore known here. The encoder and a Node with a driver come
with `make clients-deps`; without them the tests are skipped.
"""

import functools
import json
import re
import shutil
import sqlite3
import subprocess
import sys

import numpy
import pytest
from conftest import PATIENCE, ROOT, WHITEN_SO, connect, unvec
from test_examples import corpus, cosines, whiten

APP = ROOT / "examples" / "app"
FETCHED = ROOT / "build" / "clients"
K, PAGE = 128, 5  # as the program has them
LATER = "The kettle sings when the water boils.\n\nA pot of tea stands on the stove."


def works(*command, cwd=None):
    try:
        return subprocess.run(command, capture_output=True, timeout=PATIENCE, cwd=cwd, check=False).returncode == 0
    except OSError:
        return False


@functools.lru_cache(maxsize=None)
def modules():
    """The folder that has the encoder."""
    for folder in (ROOT / "node_modules", FETCHED / "node_modules"):
        if (folder / "@energetic-ai" / "model-embeddings-en").is_dir():
            return folder
    return None


@functools.lru_cache(maxsize=None)
def node_for(driver):
    """A Node that has the driver, as search.mjs looks for it."""
    for node in (FETCHED / "node_modules" / ".bin" / "node", shutil.which("node")):
        if not (node and works(node, "--version")):
            continue
        builtin = works(node, "-e", "require('node:sqlite')")
        if driver == "node:sqlite" and builtin:
            return node
        there = f"new (require({json.dumps(str(modules() / 'better-sqlite3'))}))(':memory:')"
        if driver == "better-sqlite3" and not builtin and works(node, "-e", there):
            return node
    return None


def copied(folder, with_modules=True):
    """The program where the modules are found: Node looks for them from the file upwards."""
    shutil.copy(APP / "search.mjs", folder)
    if with_modules:
        (folder / "node_modules").symlink_to(modules())
    return folder / "search.mjs"


class Session:
    """The program at work on a folder of the demo's corpus, a file a topic, as examples/README.md makes it."""

    def __init__(self, node, folder):
        self.folder, self.file, self.texts = folder, folder / "my.db", folder / "texts"
        self.texts.mkdir()
        for _, _, topic, text in corpus()[1]:
            with open(self.texts / f"{topic}.txt", "a", encoding="utf-8") as file:
                file.write(f"{text}\n\n")
        for name in ("ignored.bin", ".hidden/a.txt", "node_modules/a.txt"):
            (self.texts / name).parent.mkdir(exist_ok=True)
            (self.texts / name).write_bytes(b"\xff")
        self.process = subprocess.Popen(
            [str(node), "--no-warnings", copied(folder), self.file, self.texts, WHITEN_SO],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        )  # fmt: skip
        self.seen = []
        self.ask("\n--in nothing waiting for the first look")
        self.first = self.stored()
        x = numpy.array([v for _, _, v in self.first.values()], dtype=float)
        self.white = lambda v: whiten(x, K, ridge=1.0, of=numpy.atleast_2d(v).astype(float))

    def ask(self, line):
        """What the program answers: [(score, id, path, text)]."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        found = []
        for answer in self.process.stdout:
            self.seen.append(answer)
            hit = re.match(r"(-?\d\.\d{4})  (\d+)  (\S+)  (.*)", answer)
            if hit:
                found.append((float(hit[1]), int(hit[2]), hit[3], hit[4]))
            if answer.startswith("search.mjs: "):
                return answer
            if re.fullmatch(r"\d+ found\n", answer):
                assert int(answer.split()[0]) == len(found)
                return found
        raise AssertionError("".join(self.seen))

    def stored(self):
        db = sqlite3.connect(self.file)
        rows = db.execute("SELECT id, path, text, embedding FROM texts ORDER BY id").fetchall()
        db.close()
        return {i: (path, text, unvec(v)) for i, path, text, v in rows}

    def order(self, query, within="", least=-1.0):
        """[(similarity, id)] by numpy, best first."""
        rows = {i: v for i, (path, _, v) in self.stored().items() if path.startswith(within)}
        similar = cosines(self.white(query), self.white(numpy.array(list(rows.values()))))[0]
        return sorted(((s, i) for s, i in zip(similar, rows) if s >= least), reverse=True)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture(scope="module", params=["node:sqlite", "better-sqlite3"])
def session(request, tmp_path_factory):
    if modules() is None:
        pytest.skip("the encoder is not there (make clients-deps)")
    node = node_for(request.param)
    if node is None:
        pytest.skip(f"no Node with {request.param} is there (make clients-deps)")
    running = Session(node, tmp_path_factory.mktemp("app"))
    yield running
    assert running.close() == 0


@pytest.fixture
def asked(session):
    """A stored text of one line, its id and its vector."""
    i, (_, text, v) = next(item for item in session.first.items() if item[1][0] == "animals.txt")
    return i, text, v


def close_to(found, wanted):
    """The same scores; the same ids but where two scores are nearer than what is printed."""
    assert [score for score, *_ in found] == pytest.approx([score for score, _ in wanted], abs=2e-3)
    scores = {i: score for score, i in wanted}
    assert sum(hit[1] in scores for hit in found) >= len(wanted) - 1


def test_stores_every_paragraph(session):
    assert len(session.first) == len(corpus()[1]) and {v.size for _, _, v in session.first.values()} == {512}
    assert {text for _, text, _ in session.first.values()} == {row[3] for row in corpus()[1]}


def test_nearest_and_pages(session, asked):
    i, text, v = asked
    pages = [session.ask(f"{text} --page {page}") for page in (1, 2, 3)]
    close_to(sum(pages, []), session.order(v)[: 3 * PAGE])
    assert pages[0][0][1] == i and pages[0][0][0] == pytest.approx(1, abs=1e-3)
    assert len({hit[1] for page in pages for hit in page}) == 3 * PAGE


def test_filter(session, asked):
    _, text, v = asked
    found = session.ask(f"{text} --in 'b*'")
    assert {hit[2] for hit in found} <= {"books.txt", "bread.txt"}
    close_to(found, session.order(v, within="b")[:PAGE])


def test_threshold(session, asked):
    _, text, v = asked
    least = round(float(session.order(v)[2][0]) - 0.02, 2)
    found = session.ask(f"{text} --least {least}")
    wanted = session.order(v, least=least)
    assert 0 < len(wanted) <= PAGE or len(found) == PAGE
    close_to(found, wanted[:PAGE])


def test_hybrid(session, asked):
    """Reciprocal rank fusion of numpy's order and of FTS5's."""
    _, text, v = asked
    places = {i: 1 / (60 + place) for place, (_, i) in enumerate(session.order(v)[:100], 1)}
    db = sqlite3.connect(session.file)
    words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", text))
    said = db.execute("SELECT rowid FROM texts_words WHERE texts_words MATCH ? ORDER BY rank LIMIT 100", (words,)).fetchall()
    db.close()
    for place, (i,) in enumerate(said, 1):
        places[i] = places.get(i, 0) + 1 / (60 + place)
    wanted = sorted(((score, i) for i, score in places.items()), reverse=True)[:PAGE]
    found = session.ask(f"{text} --hybrid")
    assert [score for score, *_ in found] == pytest.approx([score for score, _ in wanted], abs=6e-4)
    assert found[0][1] == wanted[0][1]


def test_wrong_options_end_nothing(session, asked):
    assert "--nonsense" in session.ask("a query --nonsense")
    assert len(session.ask(asked[1])) == PAGE


def test_what_comes_and_goes_is_seen(session):
    """Without being started again: files of the folder."""
    query = LATER.split("\n")[0]
    assert session.ask(query)[0][3] != query
    path = session.texts / "new" / "later.txt"
    path.parent.mkdir()
    path.write_text(LATER, encoding="utf-8")
    found = session.ask(query)
    assert found[0][2:] == ("new/later.txt", query) and found[0][0] == pytest.approx(1, abs=1e-3)
    assert session.ask(f"{query} --hybrid")[0][3] == query
    v = next(v for _, text, v in session.stored().values() if text == query)
    close_to(found, session.order(v)[:PAGE])
    path.unlink()
    assert session.ask(query)[0][3] != query


def test_rows_of_another_process_are_seen(session, asked):
    i, text, _ = asked
    other = connect(session.file)
    other.execute("INSERT INTO texts (path, text, embedding) SELECT 'other', 'of Python', embedding FROM texts WHERE id = ?", (i,))
    assert {hit[2] for hit in session.ask(text)[:2]} == {"animals.txt", "other"}
    assert "other" in {hit[2] for hit in session.ask("Python --hybrid")}
    other.execute("DELETE FROM texts WHERE path = 'other'")
    other.close()
    assert "other" not in {hit[2] for hit in session.ask(text)}


def python(session, *arguments):
    command = [sys.executable, APP / "search.py", session.file, *arguments, "--extension", WHITEN_SO]
    done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    hits = [re.fullmatch(r"(-?\d\.\d{4})  (\d+)  (\S+)  (.*)", line) for line in done.stdout.splitlines()]
    return [(float(hit[1]), int(hit[2]), hit[3], hit[4]) for hit in hits]


def test_python_searches_the_same_file(session, asked):
    i, text, v = asked
    assert python(session, i) == session.ask(text)
    close_to(python(session, i, "--page", 2, "--in", "b*"), session.order(v, within="b")[PAGE : 2 * PAGE])
    assert python(session, i, "--least", 1.5) == []


def test_the_session_of_the_readme(session):
    """What examples/README.md shows: the same texts, the same scores but for their last digits."""
    (shown,) = re.findall(r"```console\n(> .*?)```", (ROOT / "examples" / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for part in shown.split("> ")[1:]:
        query, *lines = part.strip().split("\n")
        hits = [re.fullmatch(r"(-?\d\.\d{4})  (\d+)  (\S+)  (.*)", line).groups() for line in lines[:-1]]
        found = session.ask(query)
        assert [(int(i), path, text) for _, i, path, text in hits] == [hit[1:] for hit in found]
        assert [float(score) for score, *_ in hits] == pytest.approx([score for score, *_ in found], abs=2e-3)
        assert lines[-1] == f"{len(hits)} found"


def test_says_what_is_missing(tmp_path):
    """Without the encoder: one line, and nothing is made."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    (tmp_path / "texts").mkdir()
    program = copied(tmp_path, with_modules=False)
    command = ["node", "--no-warnings", program, tmp_path / "my.db", tmp_path / "texts", WHITEN_SO]
    done = subprocess.run(list(map(str, command)), capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False)
    assert done.returncode == 3 and not (tmp_path / "my.db").exists()
    assert done.stderr.startswith("search.mjs: the encoder is not there: npm install ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name, most", [("search.mjs", 150), ("search.py", 50)])
def test_the_programs_are_short(name, most):
    lines = (APP / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= most and max(map(len, lines)) <= 125
