"""The examples: the demo on data of one's own, its refusals, and the smallest programs.

Every figure that the demo prints is computed again here with numpy in float64. The demo on its corpus is in test_demo.py.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import spearmanr

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTENSION = pathlib.Path(os.environ.get("WHITEN_SO") or ROOT / "whiten.so").resolve()
DATA = pathlib.Path(os.environ.get("WHITEN_DATA") or ROOT.parent / "shared" / "data")
VARIABLES = ("DATA", "DIM", "PAIRS", "LABELS", "QUERY", "DB", "REPORT", "VECTORS")

pytestmark = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the sqlite3 shell is not installed")


# ---- running the demo and reading its report


def run_demo(extension=EXTENSION, cwd=ROOT, **variables):
    env = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    env.update({name: str(value) for name, value in {"REPORT": "", **variables}.items()})  # without the page but where asked for
    return subprocess.run(
        [str(ROOT / "examples" / "demo" / "demo.sh"), str(extension)],
        cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=300,
    )  # fmt: skip


def report_of(**variables):
    done = run_demo(**variables)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def section(report, title):
    """The lines of a section: from its title in capitals to the next one."""
    found = re.search(rf"^{title}  .*?(?=^[A-Z]{{3,}}  |\Z)", report, re.M | re.S)
    assert found, f"no section {title}"
    return found.group().rstrip("\n").split("\n")


def table(report, title, columns):
    """{model: [numbers]} of the section's table, whose rows have that many figures after the model's name."""
    rows = {}
    for line in section(report, title):
        figures = r"\s+(-?[\d,.]+|-)(?: %)?" * columns
        found = re.match(rf"  (raw|centred|k = \d+(?:, ridge 1)?|ridge 1|power 0\.5){figures}(?:\s|$)", line)
        if found:
            cells = [cell.replace(",", "") for cell in found.groups()[1:]]
            rows[found.group(1)] = [None if cell == "-" else float(cell) for cell in cells]
    return rows


def names(kept, smaller):
    careful = [f"k = {smaller[-1]}, ridge 1"] if smaller else []
    return ["centred", f"k = {kept}", *(f"k = {k}" for k in smaller), "ridge 1", *careful, "power 0.5"]


# ---- the reference


def eigen(x):
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return values[::-1], vectors[:, ::-1]


def whiten(x, k, ridge=0.0, power=1.0, of=None):
    """The rows of `of` (default x) through the model fitted on x."""
    values, vectors = eigen(x)
    scale = (values[:k] + ridge * values.mean()) ** (-power / 2)
    return ((x if of is None else of) - x.mean(axis=0)) @ (vectors[:, :k] * scale)


def through(name, x, kept, of=None):
    """The recipe of that name."""
    if name == "raw":
        return x if of is None else of
    if name == "centred":
        return whiten(x, kept, power=0.0, of=of)
    if name == "ridge 1":
        return whiten(x, x.shape[1], ridge=1.0, of=of)
    if name == "power 0.5":
        return whiten(x, kept, power=0.5, of=of)
    k, careful = re.fullmatch(r"k = (\d+)(, ridge 1)?", name).groups()
    return whiten(x, int(k), ridge=1.0 if careful else 0.0, of=of)


def cosines(a, b):
    norm = np.linalg.norm
    return (a / norm(a, axis=1, keepdims=True)) @ (b / norm(b, axis=1, keepdims=True)).T


def mean_cosine(x):
    every = cosines(x, x)
    return (every.sum() - np.trace(every)) / (len(x) * (len(x) - 1))


def isotropy(x):
    """IsoScore, from the definition in section 3 of Rudman et al. 2022."""
    variance = eigen(x)[0].clip(min=0)
    d = len(variance)
    variance *= np.sqrt(d) / np.linalg.norm(variance)
    defect = np.linalg.norm(variance - 1) / np.sqrt(2 * (d - np.sqrt(d)))
    share = (d - defect**2 * (d - np.sqrt(d))) ** 2 / d**2
    return (d * share - 1) / (d - 1)


def retrieval(x, pairs):
    """First hit, hit in ten, MRR in per cent. Candidates: rows that answer something or ask nothing."""
    asked, answers = {a for a, _ in pairs}, {b for _, b in pairs}
    candidates = np.array([row for row in range(len(x)) if row in answers or row not in asked])
    ranks = []
    for a in sorted(asked):
        similarity = cosines(x[[a]], x[candidates])[0]
        right = np.isin(candidates, [b for q, b in pairs if q == a])
        ranks.append(1 + np.sum((similarity > similarity[right].max()) & (candidates != a)))
    ranks = np.array(ranks)
    return [100 * np.mean(ranks == 1), 100 * np.mean(ranks <= 10), 100 * np.mean(1 / ranks)]


def check_space(report, x, kept, smaller):
    space = table(report, "SPACE", 3)
    assert list(space) == ["raw", *names(kept, smaller)]
    for name, (k, cosine, score) in space.items():
        y = through(name, x, kept)
        assert k == y.shape[1], name
        assert cosine == pytest.approx(mean_cosine(y), abs=1.5e-4), name
        if k > 1:
            assert score == pytest.approx(isotropy(y), abs=1.5e-4), name
        else:
            assert score is None


def check_retrieval(report, x, pairs, kept, slack):
    """Slack, in points: what one query whose two best cosines differ only beyond float32 may move."""
    rows = table(report, "RETRIEVAL", 3)
    for name, figures in rows.items():
        assert figures == pytest.approx(retrieval(through(name, x, kept), pairs), abs=0.051 + slack), name
    return rows


def corpus():
    lines = (ROOT / "examples" / "demo" / "corpus.tsv").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return lines[0].split("\t"), [line.split("\t") for line in lines[1:]]


def spectrum_of(report):
    pattern = r"  +(\d+)(?:-(\d+))? +([\d.]+) +([\d.]+)  (█*)([▏▎▍▌▋▊▉]?)"
    found = [m.groups() for m in (re.fullmatch(pattern, line) for line in section(report, "SPECTRUM")) if m]
    eighths = " ▏▎▍▌▋▊▉"
    return [
        (int(a), int(b or a), float(share), float(total), len(bar) + eighths.index(tip or " ") / 8)
        for a, b, share, total, bar, tip in found
    ]


def check_spectrum(report, x, rank=None):
    share = eigen(x)[0].clip(min=0)[:rank]
    share = 100 * share / share.sum()
    lines = spectrum_of(report)
    assert len(lines) <= 40
    assert [line[0] for line in lines] == [1] + [line[1] + 1 for line in lines[:-1]]
    assert lines[-1][1] == len(share)
    sums = np.array([share[first - 1 : last].sum() for first, last, *_ in lines])
    assert [line[2] for line in lines] == pytest.approx(sums, abs=0.0051)
    assert [line[3] for line in lines] == pytest.approx(sums.cumsum(), abs=0.051)
    assert [line[4] for line in lines] == pytest.approx(60 * sums / sums.max(), abs=0.063)
    return lines


def nearest_of(report):
    """[(raw cosine, raw text), ...], [(whitened cosine, text), ...]"""
    pattern = r"  [1-5] +(-?[\d.]+)  (.{44}) +(-?[\d.]+)  (.*)"
    found = [m.groups() for m in (re.fullmatch(pattern, line) for line in section(report, "SEARCH")) if m]
    return [(float(a), b.rstrip()) for a, b, *_ in found], [(float(c), d) for *_, c, d in found]


def cut(text):
    return text if len(text) <= 44 else text[:43] + "…"


def check_nearest(report, x, query, labels, name, kept, but=None):
    raw, whitened = nearest_of(report)
    query = query[None]
    for found, q, y in (
        (raw, query, x),
        (whitened, through(name, x, kept, of=query), through(name, x, kept)),
    ):
        similarity = cosines(q, y)[0]
        order = [row for row in np.argsort(-similarity, kind="stable") if row != but][:5]
        assert [text for _, text in found] == [cut(labels[row]) for row in order]
        assert [value for value, _ in found] == pytest.approx(similarity[order], abs=1.1e-3)


# ---- data of one's own


class Own:
    """A small set with a common offset and a falling spectrum, and the files of it."""

    def __init__(self, folder, n, d, seed):
        rng = np.random.default_rng(seed)
        self.x = (rng.normal(size=(n, d)) / np.arange(1, d + 1) ** 0.7 + 0.8).astype("<f4")
        self.folder = folder
        self.file = folder / "it's my data.f32"
        self.x.tofile(self.file)
        self.x = self.x.astype(np.float64)

    def write(self, name, lines, end="\n"):
        path = self.folder / name
        path.write_bytes(end.join(lines).encode() + end.encode())
        return path


@pytest.fixture
def own(tmp_path):
    return lambda n=60, d=12, seed=7: Own(tmp_path, n, d, seed)


def test_scores_give_spearman(own):
    data = own()
    rng = np.random.default_rng(8)
    pairs = rng.permutation([(a, b) for a in range(60) for b in range(a)])[:200]
    gold = np.round(5 * rng.random(200), 1)
    lines = [f"{a}\t{b}\t{g}" for (a, b), g in zip(pairs, gold)]
    report = report_of(DATA=data.file, DIM=12, PAIRS=data.write("my pairs.tsv", ["a\tb\tgold", *lines]))
    rows = table(report, "CORRELATION", 1)
    assert list(rows) == ["raw", *names(12, [8, 4, 2])]
    for name, (score,) in rows.items():
        every = cosines(*[through(name, data.x, 12)] * 2)
        expected = spearmanr(gold, [every[a, b] for a, b in pairs])[0]
        assert score == pytest.approx(100 * expected, abs=0.006), name
    best = max(rows, key=lambda name: rows[name][0])
    gain = rows[best][0] - rows["raw"][0]
    if best == "raw":
        assert "No model beats raw on these pairs" in report
    else:
        assert f"Best: {best}, {gain:.1f} points above raw." in report
    check_space(report, data.x, 12, [8, 4, 2])
    check_spectrum(report, data.x)
    assert "RETRIEVAL" not in report


def test_constant_gold_gives_retrieval(own):
    data = own(n=50, d=9, seed=3)
    rng = np.random.default_rng(4)
    answers = 20 + rng.integers(0, 15, size=20)
    pairs = [(a, int(b)) for a, b in enumerate(answers)]
    lines = ["query\tanswer\tgold", *(f"{a}\t{b}\t1" for a, b in pairs)]
    report = report_of(DATA=data.file, DIM=9, PAIRS=data.write("pairs.tsv", lines, end="\r\n"))
    rows = check_retrieval(report, data.x, pairs, 9, slack=0)
    assert list(rows) == ["raw", *names(9, [8, 4, 2])]
    assert "20 queries, 30 candidates" in report and "R@1" in report and "R@10" in report
    assert "CORRELATION" not in report


def test_whitening_that_does_not_help_is_called_so(own):
    data = own(n=60, d=4)
    gold = cosines(data.x[[0]], data.x[1:])[0] ** 3  # any increasing function of the raw cosine
    lines = ["a\tb\tgold", *(f"0\t{b}\t{value:.9f}" for b, value in enumerate(gold, 1))]
    report = report_of(DATA=data.file, DIM=4, PAIRS=data.write("pairs.tsv", lines))
    assert table(report, "CORRELATION", 1)["raw"] == [100.0]
    assert "No model beats raw on these pairs" in report
    check_space(report, data.x, 4, [2])


@pytest.mark.parametrize("query, row", [("", 0), ("17", 17), ('SAYS "row', 5)])
def test_labels_and_queries(own, query, row):
    data = own()
    labels = [f"text {i} says nothing" for i in range(60)]
    labels[5] = 'Text five says "row \\n five" – naïvely, at a length that does not fit the column'
    lines = ["row\tkind\ttext", *(f"{i}\tx\t{label}" for i, label in enumerate(labels))]
    report = report_of(DATA=data.file, DIM=12, LABELS=data.write("labels.tsv", lines), QUERY=query)
    assert section(report, "SEARCH")[1].strip() == labels[row]
    check_nearest(report, data.x, data.x[row], labels, "ridge 1", 12, but=row)


def test_without_pairs_or_labels(own):
    data = own(n=130, d=90)
    report = report_of(DATA=data.file, DIM=90)
    assert "RETRIEVAL" not in report and "CORRELATION" not in report and "Best:" not in report
    assert "90 components, 3 to a line" in report
    assert len(check_spectrum(report, data.x)) == 30
    check_space(report, data.x, 90, [64, 32, 16])
    check_nearest(report, data.x, data.x[0], [f"row {i}" for i in range(130)], "ridge 1", 90, but=0)


def test_variance_in_one_direction_only(own):
    data = own(n=30, d=6)
    data.x[:, 1:] = 0.5
    data.x.astype("<f4").tofile(data.file)
    report = report_of(DATA=data.file, DIM=6)
    check_space(report, data.x, 1, [])
    check_spectrum(report, data.x, rank=1)


def test_fewer_rows_than_dimensions(own):
    data = own(n=10, d=24)
    report = report_of(DATA=data.file, DIM=24)
    assert list(table(report, "FIT", 4)) == names(9, [8, 4, 2])
    assert "Note on k = 9:\n" in report
    check_space(report, data.x, 9, [8, 4, 2])


# ---- what it refuses


def refused(message, **variables):
    done = run_demo(**variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(message, done.stderr.rstrip("\n")), done.stderr


def test_bad_files_and_dimensions(own, tmp_path):
    file = own().file
    refused(r"demo: DATA is nowhere\.f32, expected a file that can be read", DATA="nowhere.f32", DIM=12)
    refused(rf"demo: DATA is {tmp_path}, expected a file that can be read", DATA=tmp_path, DIM=12)
    refused(r"demo: DIM is missing, expected how many numbers a vector of .*\.f32 has", DATA=file)
    refused(r"demo: DATA has 2880 bytes, expected a multiple of 4 \* DIM = 44", DATA=file, DIM=11)
    refused(r"demo: DATA has 2880 bytes, expected at least two rows of 2880", DATA=file, DIM=720)
    for dim in ("0", "1", "-3", "twelve", "16385", "1e2", "012", "99999999999999999999"):
        refused(rf"demo: DIM is {dim}, expected an integer from 2 to 16384", DATA=file, DIM=dim)
    refused(r"demo: PAIRS is no\.tsv, expected a file that can be read", DATA=file, DIM=12, PAIRS="no.tsv")
    refused(r"demo: LABELS is no\.tsv, expected a file that can be read", DATA=file, DIM=12, LABELS="no.tsv")
    refused(r"demo: DATA is missing, PAIRS and LABELS describe the rows of DATA", PAIRS=file)


@pytest.mark.parametrize(
    "lines, message",
    [
        (["0\t1\t2", "60\t1\t3"], "PAIRS line 3: row_a is 60, expected a row number from 0 to 59"),
        (["0\t-1\t2"], "PAIRS line 2: row_b is -1, expected a row number from 0 to 59"),
        (["0\tone\t2"], "PAIRS line 2: row_b is one, expected a row number from 0 to 59"),
        (["0\t1.5\t2"], "PAIRS line 2: row_b is 1.5, expected a row number from 0 to 59"),
        (["0"], "PAIRS line 2: row_b is missing, expected a row number from 0 to 59"),
        (["0\t1\t2", "", "3\t4"], "PAIRS line 4: gold is missing, expected a number"),
        (["0\t1\tgood"], "PAIRS line 2: gold is good, expected a number"),
        ([], "PAIRS has no pair, expected a header line and at least one line of row_a, row_b, gold"),
    ],
)
def test_bad_pairs(own, lines, message):
    data = own()
    pairs = data.write("pairs.tsv", ["a\tb\tgold", *lines])
    refused(re.escape("demo: " + message), DATA=data.file, DIM=12, PAIRS=pairs)


def test_bad_labels_and_queries(own):
    data = own()
    labels = data.write("labels.tsv", ["row\ttext", "0\tfirst", "60\tlast"])
    message = "demo: LABELS line 3: row is 60, expected a row number from 0 to 59"
    refused(message, DATA=data.file, DIM=12, LABELS=labels)
    for query in ("60", "no such text"):
        message = f"demo: QUERY is {query}, expected a row number from 0 to 59 or a piece of a label"
        refused(message, DATA=data.file, DIM=12, QUERY=query)
    refused("demo: QUERY is rain in Spain, expected a piece of a text in .*", QUERY="rain in Spain")
    refused("demo: VECTORS is glove, expected encoder or words", VECTORS="glove")


def test_data_that_is_not_finite(own):
    data = own()
    broken = data.x.astype("<f4")
    broken[5, 2] = np.nan
    broken.tofile(data.file)
    refused(r".*embedding_rows: rowid 6: data\[2\] is NaN, expected a finite number", DATA=data.file, DIM=12)


def test_the_database_is_never_overwritten(own):
    path = own().write("old.db", ["precious"])
    refused(r"demo: DB is .*old\.db, which exists already, expected the name of a new file", DB=path)
    assert path.read_text() == "precious\n"
    refused(r"demo: DB is /no/such/x\.db, expected a name in a folder that exists", DB="/no/such/x.db")


def test_a_run_that_fails_leaves_no_database(own, tmp_path):
    refused("demo: QUERY is rain in Spain, .*", QUERY="rain in Spain", DB=tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_wrong_folder_or_extension(tmp_path):
    done = run_demo(cwd=tmp_path)
    assert done.returncode == 1 and "run this from the root of the repository" in done.stderr
    refused(r"demo: the extension \./nothing does not load, run make first", extension="./nothing")


# ---- the sets of real embeddings, against their published figures


def real(name):
    if not (DATA / f"{name}.f32").exists():
        pytest.skip(f"the set {name} is not in the data folder (WHITEN_DATA)")
    return {key: DATA / f"{name}.{end}" for key, end in
            (("DATA", "f32"), ("PAIRS", "pairs.tsv"), ("LABELS", "labels.tsv"))}  # fmt: skip


def test_real_scores():
    report = report_of(**real("sts_w2v300_stsb"), DIM=300)
    found = {name: score for name, (score,) in table(report, "CORRELATION", 1).items()}
    expected = {"raw": 46.06, "centred": 50.18, "k = 300": 63.36, "k = 256": 63.32, "k = 128": 61.21,
                "k = 64": 56.96, "ridge 1": 62.70, "k = 64, ridge 1": 55.83, "power 0.5": 61.43}  # fmt: skip
    assert found == pytest.approx(expected, abs=0.02)
    space = table(report, "SPACE", 3)
    assert space["raw"][1:] == pytest.approx([0.4026, 0.0960], abs=5e-4)
    assert space["k = 300"][1:] == pytest.approx([-0.0001, 1.0], abs=5e-4)
    assert [space["ridge 1"][2], space["power 0.5"][2]] == pytest.approx([0.7076, 0.6106], abs=5e-4)
    assert section(report, "SEARCH")[1].strip() == "a girl is styling her hair ."


def test_real_retrieval():
    report = report_of(**real("bgem3_alice_1024"), DIM=1024)
    found = table(report, "RETRIEVAL", 3)
    expected = {"raw": [74.0, 88.8, 79.1], "k = 256": [81.0, 92.0, 84.8], "k = 128": [76.6, 90.8, 81.7],
                "ridge 1": [81.8, 93.4, 86.0]}  # fmt: skip
    for name, figures in expected.items():
        assert found[name] == pytest.approx(figures, abs=0.3), name
    assert "500 queries, 500 candidates" in report
    assert "Best: ridge 1, 7.8 points above raw." in report


# ---- the smallest programs


def expected_search():
    """What each of them prints: 300 made-up vectors of 8, whitened to 6, the three nearest of row 1."""
    draws, x = [], 1
    for _ in range(300 * 8):
        x = x * 48271 % (2**31 - 1)
        draws.append(x / (2**31 - 1))
    raw = 1 + (np.array(draws).reshape(300, 8) - 0.5) * 2 / np.arange(1, 9)
    raw = raw.astype("<f4").astype(np.float64)
    white = whiten(raw, 6)
    similarity = cosines(white[[0]], white)[0]
    order = np.argsort(-similarity)[1:4]
    numbers = [mean_cosine(raw), mean_cosine(white), *similarity[order]]
    return numbers, [int(row) + 1 for row in order]


def check_search(done):
    assert done.returncode == 0 and done.stderr == "", done.stderr
    lines = done.stdout.rstrip("\n").split("\n")
    first = re.fullmatch(r"mean cosine: raw (-?\d\.\d{4}), whitened (-?\d\.\d{4})", lines[0])
    found = [re.fullmatch(r"row (\d+): (-?\d\.\d{4})", line) for line in lines[1:]]
    numbers, rows = expected_search()
    assert [int(m.group(1)) for m in found] == rows
    printed = [float(x) for x in (*first.groups(), *(m.group(2) for m in found))]
    assert printed == pytest.approx(numbers, abs=1.1e-4)


def run_program(*command):
    return subprocess.run(
        [str(x) for x in command], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def test_c_program():
    """Built by its rule in the Makefile, so with the flags and libraries of the extension."""
    if not (shutil.which("make") and shutil.which(os.environ.get("CC", "cc"))):
        pytest.skip("no C compiler")
    built = run_program("make", "-s", "examples/c/search")
    assert built.returncode == 0, built.stderr
    check_search(run_program(ROOT / "examples" / "c" / "search"))


def test_python_program():
    check_search(run_program(sys.executable, "examples/python/search.py", EXTENSION))


def test_node_program():
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    done = run_program("node", "--no-warnings", "examples/node/search.mjs", EXTENSION)
    if done.returncode == 3:
        assert re.match(r"search\.mjs: Node v\S+ has no node:sqlite and ", done.stderr)
        pytest.skip("this Node has neither node:sqlite nor better-sqlite3")
    check_search(done)


@pytest.mark.parametrize("name", ["c/search.c", "python/search.py", "node/search.mjs"])
def test_programs_are_small(name):
    lines = (ROOT / "examples" / name).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 61 and max(map(len, lines)) <= 110
