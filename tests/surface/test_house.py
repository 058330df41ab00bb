"""The house: what stands where, what may include what, how long a file, how long and how wide a function is.

The entries are those that the design names, present or to come: a file in none of the rooms fails, and so does a
room that is missing. C code is read as clang-format lays it out: a definition begins in the first column and ends
with a brace there.
"""

import fnmatch
import re
import shutil
import subprocess

import pytest
from conftest import ROOT

LINES, FUNCTION, PARAMETERS = 400, 40, 6

TOP = {
    "Makefile", "README.md", "CHANGELOG.md", "LICENSE", ".ci", ".clang-format", ".clang-tidy", ".editorconfig",
    ".gitignore", "ext", "sql", "tests", "examples",
}  # fmt: skip
TESTS = {
    "README.md", "conftest.py", "deps", "run", "unit", "sql", "oracle", "surface", "scripts", "bits", "threads", "clients",
    "oom", "fuzz", "checks", "bench",
}  # fmt: skip
GUIDES = {
    f"{guide}.md" for guide in (
        "shell", "python", "node", "go", "rust", "java", "php", "ruby", "million_rows", "new_rows", "new_text", "hybrid", "filters",
        "settings", "numpy_faiss", "pgvector",
    )
}  # fmt: skip
# folder: (what stands there, what may come)
ROOMS = {
    ".": (TOP, set()),
    ".ci": ({"run"}, set()),
    "ext": ({"README.md", "init.c", "whiten.h", "functions", "index", "host", "core"}, {"packages"}),
    "tests": (TESTS, {"packages", "cluster"}),
    "examples": ({"README.md", "documents.sql", "demo", "c", "python", "node", "app"} | GUIDES, {"cluster"}),
}
# Subjects: file names without .c and .h.
SUBJECTS = {
    "ext/core": {
        "base", "system", "workers", "quota", "linalg", "hash", "blob", "exact", "vector", "encoding", "json", "halves", "npy", "pool", "moments",
        "scatter", "spectrum", "kernel", "within", "solve", "model", "whitener", "align", "codes", "chunk", "topk", "join", "pairs", "products",
        "space", "correlation", "tune", "simd", "distinct", "labels", "ranks", "eigenbasis", "grid", "ranking", "neighbours",
        "blind", "folds", "supervised",
    },
    "ext/core/simd": {"simd", "template", "matrix", "codes", "variants", "portable", "avx2", "avx512", "neon"},
    "ext/host": {
        "sqlite", "memory", "function", "connection", "call", "value", "member", "source", "rowids", "table", "plan",
    },
    "ext/functions": {
        "embedding", "similarity", "pool", "moments", "fit", "options", "model", "align", "rows", "npy", "batch", "spectrum", "topk", "join",
        "pairs", "tune", "measure", "config",
    },
    "ext/index": {
        "module", "arguments", "schema", "command", "cursor", "index", "content", "statements", "store", "parts", "pages", "cache", "pending", "sync",
        "build", "check", "query", "run", "scan", "filter", "candidates", "compare", "info", "recall",
        "scans", "searches", "join",
    },
}  # fmt: skip
# Which rooms a file of a room may include from: downwards only.
BELOW = {
    "core": {"core"},
    "host": {"core", "host"},
    "functions": {"core", "host", "functions"},
    "index": {"core", "host", "index"},
}


def entries(folder):
    """What stands in a folder: what git knows, or where there is no git, what .gitignore does not name."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard", folder]
        paths = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        depth = 0 if folder == "." else folder.count("/") + 1
        return {path.split("/")[depth] for path in paths if (ROOT / path).exists()}
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    ignored = [pattern.strip("/").rpartition("/")[2] for pattern in lines] + [".git"]
    names = {path.name for path in (ROOT / folder).iterdir()}
    return {name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in ignored)}


@pytest.mark.parametrize("folder", ROOMS)
def test_rooms(folder):
    there, to_come = ROOMS[folder]
    assert entries(folder) - to_come == there


@pytest.mark.parametrize("folder", SUBJECTS)
def test_a_file_has_a_subject_of_the_design(folder):
    if not (ROOT / folder).is_dir():
        pytest.skip("not built yet")
    assert {name.partition(".")[0] for name in entries(folder)} <= SUBJECTS[folder]


@pytest.mark.parametrize("folder", ["core", "host", "functions", "index"])
def test_every_file_is_named_under_the_hood(folder):
    """ext/README.md says what each is for, and names none that is not there."""
    text = (ROOT / "ext" / "README.md").read_text(encoding="utf-8")
    before = r"^In `core/`: (?:.+\n)+" if folder == "core" else rf"^\| `{folder}/` .*$"
    (words,) = re.findall(before, text, re.MULTILINE)
    stems = {path.stem for path in (ROOT / "ext" / folder).iterdir() if path.suffix in (".c", ".h")}
    assert set(re.findall(r"`(\w+)`", words)) == stems


def c_files(*folders):
    folders = folders or ("ext", "tests", "examples")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.[ch]"))]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def included(path):
    return re.findall(r'^\s*#\s*include\s+(["<])([^">]+)', path.read_text(encoding="utf-8"), re.MULTILINE)


def test_a_file_says_its_subject():
    """In its first lines: a comment, before anything else but the line that names an interpreter."""
    found = []
    scripts = [ROOT / "tests" / name for name in ("run", "deps")] + sorted((ROOT / "tests" / "checks").iterdir())
    others = [path for kind in ("*.py", "*.sql", "*.sh", "*.mjs") for path in sorted(ROOT.glob(f"[tes]*/**/{kind}"))]
    for path in [*c_files(), *others, *(path for path in scripts if path.is_file() and path.suffix != ".info")]:
        text = re.sub(r"^#!.*\n", "", path.read_text(encoding="utf-8"))
        if not re.match(r'(/\*|//|#|--|r?""")\W*\w', text):
            found.append(name_of(path))
    assert found == []


def test_files_are_short():
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in c_files()}
    assert {name: lines for name, lines in lengths.items() if lines > LINES} == {}


def functions(path):
    """(name, lines, parameters) of each definition."""
    lines = path.read_text(encoding="utf-8").split("\n")
    start = None
    for number, line in enumerate(lines):
        # A new one, too, behind a macro that stands alone.
        if re.match(r"[A-Za-z_]", line) and (start is None or "\n".join(lines[start:number]).rstrip().endswith(")")):
            start = number
        if start is None:
            continue
        head = " ".join(lines[start : number + 1])
        if line == "}":
            opened = re.match(r"([^({]*?\b(\w+))\((.*?)\)\s*(?:\{|$)", head)
            if opened:
                yield opened[2], number - start + 1, parameters(head[opened.end(1) :])
            start = None
        elif line.endswith(";") and re.match(r"[A-Za-z_}]", line) or (line.endswith(";") and "{" not in head):
            start = None  # a declaration


def parameters(text):
    """How many there are between the first parenthesis and the one that closes it."""
    depth = count = 0
    for character in text:
        depth += (character == "(") - (character == ")")
        count += character == "," and depth == 1
        if depth == 0:
            break
    return count + 1


def test_functions_are_short():
    found = [
        f"{name_of(path)}: {name} has {lines} lines"
        for path in c_files() for name, lines, _ in functions(path)
        if lines > FUNCTION
    ]  # fmt: skip
    assert found == []


def test_functions_take_few_parameters():
    """Kernels aside: what a variant of simd computes takes pointers, sizes and strides; and what a test puts in the
    place of a routine of LAPACK takes what that takes."""
    found = [
        f"{name_of(path)}: {name} takes {count}"
        for path in c_files() if "simd" not in path.parent.name
        for name, _, count in functions(path)
        if count > PARAMETERS and not name.startswith("LAPACKE_")
    ]  # fmt: skip
    assert found == []


def test_the_reader_of_functions(tmp_path):
    """It finds what there is, one of every kind; broken, the two tests above would find nothing."""
    path = tmp_path / "a.c"
    path.write_text(
        "static int first;\nstatic const struct {\n  int x;\n} TABLE[] = {\n    {1},\n};\n\n"
        "static int one(void) {\n  return 1;\n}\n\nint two(int a,\n        int (*b)(int, int)) {\n  if (a) {\n  }\n  return b(a, a);\n}\n\n"
        "MACRO(A,\n      (int a, int b))\n\nTEST(three) {\n}\n\nstruct s {\n  int x;\n};\n\n"
        "enum status four(int a, int b, int c, int d, int e, int f, int g) {\n" + "  a++;\n" * 40 + "}\n",
        encoding="ascii",
    )
    assert list(functions(path)) == [("one", 3, 1), ("two", 6, 2), ("TEST", 2, 1), ("four", 42, 7)]
    assert sum(1 for path in c_files("ext") for _ in functions(path)) > 400


def test_includes_point_downwards():
    found = []
    for path in c_files("ext"):
        room = path.relative_to(ROOT / "ext").parts[0]
        for quote, name in included(path):
            if quote == "<" or room not in BELOW:  # init.c and whiten.h are above all
                continue
            if name.split("/")[0] not in BELOW[room] and name != "whiten.h":
                found.append(f"{name_of(path)} includes {name}")
    assert found == []


def test_includes_are_written_from_ext():
    """No way up, no C file, and only simd.h of simd, from outside."""
    found = []
    for path in c_files():
        for _, name in included(path):
            inner = "simd/" in name and not name.endswith("simd/simd.h") and path.parent.name != "simd"
            if name.startswith("../") or "/../" in name or name.endswith(".c") or inner:
                found.append(f"{name_of(path)} includes {name}")
        for quote, name in included(path) if path.is_relative_to(ROOT / "ext") else []:
            if quote == '"' and not (ROOT / "ext" / name).is_file():
                found.append(f"{name_of(path)} includes {name}, which is not written from ext/")
    assert found == []


def test_core_knows_nothing_of_sqlite():
    for path in c_files("ext/core"):
        names = [name for _, name in included(path)]
        assert not any(name.startswith("sqlite") for name in names), path
        if path.stem != "linalg":
            assert not any(re.match("cblas|lapacke|openblas", name) for name in names), path


def test_libraries_stand_in_one_place():
    """SQLite's headers are included through host/sqlite.h, but for whiten.h, which is the application's."""
    found = [
        name_of(path) for path in c_files("ext") for _, name in included(path)
        if name.startswith("sqlite3") and name_of(path) not in ("ext/host/sqlite.h", "ext/whiten.h")
    ]  # fmt: skip
    assert found == []
