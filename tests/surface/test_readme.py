"""The SQL of README.md and sql/README.md, run as it stands there, one block after the other, on one database; the
output that README.md shows; the picture, drawn by the script that writes the page; the links between the Markdown files."""
import fnmatch
import os
import re
import sqlite3
import subprocess

import numpy
import pytest
from conftest import PATIENCE, ROOT, WHITEN_SO, load_into, run_shell

ROWS, DIM = 400, 160
DEMO = "examples/demo/demo.sh"


MARKDOWN = [
    "README.md", *(f"{folder}/README.md" for folder in ("sql", "ext", "tests")),
    *(f"examples/{path.name}" for path in sorted((ROOT / "examples").glob("*.md"))),
]  # fmt: skip


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name, language):
    return re.findall(rf"```{language}\n(.*?)```", read(name), re.DOTALL)


@pytest.fixture(scope="module")
def results():
    """What each SELECT of the README gives: a list of (statement, rows)."""
    rng = numpy.random.default_rng(7)
    embeddings = (rng.standard_normal((ROWS, DIM)) * numpy.linspace(1, 0.1, DIM) + 0.8).astype("<f4")
    embeddings[ROWS - 1] = embeddings[4] * numpy.float32(1.01)  # a near-duplicate
    db = sqlite3.connect(":memory:", isolation_level=None)
    load_into(db)
    db.executescript(
        "CREATE TABLE documents (id INTEGER PRIMARY KEY, text TEXT, day TEXT, embedding BLOB);"
        "CREATE TABLE tokens (text_id INTEGER, v BLOB, mask INTEGER);"
        "CREATE TABLE texts (id INTEGER PRIMARY KEY, last_hidden_state BLOB, attention_mask TEXT);"
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, v BLOB);"
        "CREATE TABLE questions (id INTEGER PRIMARY KEY, v BLOB);"
    )
    db.executemany(
        "INSERT INTO documents VALUES (?, ?, ?, ?)",
        [(i + 1, f"text {i + 1}", f"2026-01-{i % 28 + 1:02}", row.tobytes()) for i, row in enumerate(embeddings)],
    )
    db.execute("INSERT INTO tokens VALUES (1, '[1,2]', 1), (1, '[3,4]', 1), (1, '[9,9]', 0), (2, '[5,6]', 1)")
    states = numpy.arange(3 * 384, dtype="<f4")
    db.execute("INSERT INTO texts VALUES (1, ?, '[1,1,0]')", (states.tobytes(),))
    db.executemany("INSERT INTO posts VALUES (?, ?)", [(i, f"[{i}]") for i in range(8)])
    db.execute("INSERT INTO questions SELECT id, embedding FROM documents WHERE id IN (3, 9)")
    found = []
    bound = {"query": embeddings[0].tobytes(), "embedding": (embeddings[1] - embeddings[2] + 0.8).tobytes()}
    for block in blocks("README.md", "sql") + blocks("sql/README.md", "sql"):
        block = "\n".join(line for line in block.split("\n") if not line.startswith("."))
        for statement in split(block):
            found.append((statement, db.execute(statement, bound if re.search(":(query|embedding)", statement) else ()).fetchall()))
    db.close()
    return found


def split(block):
    statement = ""
    for part in block.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if re.sub(r"--.*", "", statement).strip(" \n;"):
                yield statement
            statement = ""


def rows_of(results, pattern):
    (rows,) = [rows for statement, rows in results if re.search(pattern, statement)]
    return rows


def test_measures(results):
    ((cosine, isotropy),) = rows_of(results, r"mean_cosine\(embedding\)")
    assert cosine > 0.5 and isotropy < 0.9


def test_nearest(results):
    """The document itself comes first, and five come."""
    rows = rows_of(results, r"SELECT d.id.* FROM cosine_topk".replace(" FROM", r"\s+FROM"))
    assert len(rows) == 5 and rows[0] == (1, "text 1", 1.0)


def test_a_new_text(results):
    """The query is the embedding of the first document, bound."""
    rows = rows_of(results, r"SELECT d.text, t.similarity\s+FROM cosine_topk")
    assert len(rows) == 5 and rows[0] == ("text 1", 1.0)
    similarities = [similarity for _, similarity in rows]
    assert similarities == sorted(similarities, reverse=True)


def test_pooling(results):
    means = dict(rows_of(results, r"pool_mean\(v, mask\)"))
    assert {key: numpy.frombuffer(v, "<f4").tolist() for key, v in means.items()} == {1: [2.0, 3.0], 2: [5.0, 6.0]}
    ((_, pooled),) = rows_of(results, "pool_tokens")
    assert numpy.frombuffer(pooled, "<f4").tolist() == (numpy.arange(384) + 192).tolist()


def test_moving_average(results):
    rows = rows_of(results, "4 PRECEDING")
    assert [numpy.frombuffer(v, "<f4")[0] for _, v in rows] == [0, 0.5, 1, 1.5, 2, 3, 4, 5]


def test_near_duplicates(results):
    ((a, b, similarity),) = rows_of(results, "SELECT .* FROM cosine_pairs")
    assert (a, b) == (5, ROWS) and similarity > 0.99


def test_shards(results):
    ((model,),) = rows_of(results, "whiten_merge")
    assert len(model) > 4 * DIM * 128


def run_demo(path, **variables):
    """What `make demo` prints; the database that it leaves is at path."""
    environment = {**os.environ, "DB": str(path), **variables}
    done = subprocess.run(
        [ROOT / DEMO, WHITEN_SO], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "demo.db"
    return run_demo(path, REPORT=str(path.with_suffix(".html"))), path


def test_output(demo):
    """What the README shows of the demo's output is a piece of it; a query more or less where LAPACK differs."""
    _, shown = blocks("README.md", "text")
    words, figures = numbers(shown)
    start = demo[0].index(shown.split("\n")[0])
    printed = "\n".join(demo[0][start:].split("\n")[: shown.count("\n")]) + "\n"
    assert len(figures) > 50 and words == numbers(printed)[0]
    assert numpy.abs(numpy.subtract(figures, numbers(printed)[1])).max() <= 1.3


def test_the_first_lines(demo):
    """The README's first statements, as they stand there, on the demo's texts; a last digit may be another where LAPACK
    differs."""
    block, (shown, _) = blocks("README.md", "sql")[0], blocks("README.md", "text")
    db = sqlite3.connect(":memory:", isolation_level=None)
    load_into(db)
    db.execute("ATTACH ? AS demo", (str(demo[1]),))
    db.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, text TEXT, embedding BLOB)")
    db.execute("INSERT INTO documents SELECT id, text, vector FROM demo.item")
    ((new,),) = db.execute(
        "SELECT vector FROM demo.question JOIN demo.embedded USING (id) WHERE kind = 'encoder' AND text = 'They say it will rain tonight.'"
    )
    ((query,),) = db.execute("SELECT vector FROM demo.query")
    rows = []
    for statement in split(re.sub(r"^\..*$", "", block, flags=re.MULTILINE)):
        bound = {"query": query, "embedding": new} if re.search(":(query|embedding)", statement) else ()
        rows += db.execute(statement, bound).fetchall()
    db.close()
    lines = [line.split("|") for line in shown.strip().split("\n")]
    assert [text for text, _ in lines] == [text for text, _ in rows] and len(rows) == 3
    assert [float(number) for _, number in lines] == pytest.approx([number for _, number in rows], abs=1e-6)


def test_the_search_index(results):
    """The reference's statements: the document itself comes first; a filter, a threshold and pages keep to it."""
    first = rows_of(results, r"^\s*SELECT rowid, similarity FROM documents_search\(:query\)")
    assert len(first) == 10 and first[0] == (1, 1.0)
    filtered = rows_of(results, r"FROM documents_search WHERE query = :query AND similarity")
    assert filtered and all(similarity >= 0.05 and rowid % 28 in range(1, 15) for rowid, similarity in filtered)
    page = rows_of(results, r"FROM documents_search AS s JOIN")
    assert len(page) == 10 and page[0][2] <= first[9][1]
    joined = rows_of(results, r"FROM questions AS q JOIN documents_search")
    assert [(q, hit) for q, hit, similarity in joined if similarity == 1] == [(3, 3), (9, 9)] and len(joined) == 20
    assert rows_of(results, r"whiten_index_info\('documents_search'\) ->> 'rows'") == [(ROWS + 1,)]
    ((recall, *_),) = rows_of(results, r"FROM whiten_index_recall\('documents_search'")
    assert recall > 0.9


def test_the_demo_writes_a_page(demo):
    page = demo[1].with_suffix(".html")
    assert demo[0].endswith(f"\nREPORT  All of this as a page, to be opened in a browser: {page}\n")
    assert page.read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_picture(tmp_path):
    """The committed picture is what the code draws; a count may move a bar by a pixel where LAPACK differs."""
    files = {name: tmp_path / name for name in ("file", "picture")}
    settings = ", ".join(f"('@{name}', '{path}')" for name, path in files.items())
    insert = f"INSERT INTO temp.sqlite_parameters VALUES {settings};"
    run_demo(tmp_path / "words.db", VECTORS="words", REPORT="")
    done = run_shell(f".parameter init\n{insert}\n.read examples/demo/report.sql", tmp_path / "words.db")
    assert done.returncode == 0, done.stderr
    picture = files["picture"].read_text(encoding="utf-8")
    committed, drawn = (numbers(text) for text in (read("examples/demo/before_after.svg"), picture))
    assert committed[0] == drawn[0]
    assert numpy.abs(numpy.subtract(committed[1], drawn[1])).max() <= 1


def numbers(text):
    """The text without its numbers, and those."""
    number = r"(?<![\w#])-?\d+(?:\.\d+)?"
    return re.split(number, text), [float(found) for found in re.findall(number, text)]


def test_links():
    """A link to a file leads to it, and an anchor to a heading."""
    found = 0
    for name in MARKDOWN:
        for target in re.findall(r"\]\(([^)#:]+(?:#[^)]*)?|#[^)]*)\)", read(name)):
            path, _, anchor = target.partition("#")
            file = (ROOT / name).parent / path if path else ROOT / name
            assert file.exists(), (name, target)
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
                assert anchor in slugs, (name, target)
            found += 1
    assert found > 10


def test_the_files_that_install_it():
    """What the README and the guides say to install is what make packages makes, each name one file or, for pip, a wheel."""
    made = {path.name for path in (ROOT / "dist").glob("*")}
    if not made:
        pytest.skip("dist/ holds no packages (make packages-deps packages)")
    (lines,) = [block for block in blocks("README.md", "sh") if "npm install" in block]
    assert [line.split()[0] for line in lines.splitlines()][:4] == ["apt", "pip", "npm", "make"]
    names = re.findall(r"\./dist/(\S+)", lines)
    assert len(names) == 3 and [len(fnmatch.filter(made, name)) for name in names] == [1, 1, 1]
    assert fnmatch.filter(made, "sqlite_whiten-*.whl") and "--find-links dist sqlite-whiten " in lines


def test_the_entrance_is_short():
    assert len(read("README.md").split("\n")) <= 110
