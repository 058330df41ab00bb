"""The unit tests of the core, in C: each test of each cmocka program under build/unit/ is a test here.

Builds nothing. The programs run once, when the tests are collected.
"""

import os
import re
import subprocess

import pytest
from conftest import PATIENCE, ROOT

UNIT = ROOT / "build" / "unit"


def programs():
    if not UNIT.is_dir():
        return []
    return [
        path
        for path in sorted(UNIT.iterdir())
        if path.is_file() and os.access(path, os.X_OK) and not path.suffix
    ]


def parse(text):
    """(name, "ok", "not ok" or "skip") of each test in TAP output. cmocka has had three ways to say that a test was
    skipped: `not ok 9 # SKIP name`, `ok 9 # SKIP name`, `ok 9 - name # SKIP`."""
    for word, before, name, after in re.findall(
        r"^(not ok|ok) \d+(?: -)?( # SKIP)? (\w+)(.*)", text, re.MULTILINE
    ):
        yield name, "skip" if before or "# SKIP" in after else word


def run(path):
    """Yields (name, result, text) from a program's TAP output, and its end as one more if that went wrong."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
    try:
        done = subprocess.run(
            [str(path)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=PATIENCE,
        )  # fmt: skip
        text, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        text, status = str(error.stdout), "timeout"
    planned = sum(int(n) for n in re.findall(r"^1\.\.(\d+)", text, re.MULTILINE))
    results = list(parse(text))
    for name, result in results:
        yield name, result, text
    failed = any(result == "not ok" for _, result in results)
    if len(results) < max(planned, 1) or (status != 0 and not failed):
        yield "end", f"{len(results)} of {planned} tests reported, exit status {status}", text


def cases():
    found = [pytest.param(*case, id=f"{path.name}-{case[0]}") for path in programs() for case in run(path)]
    return found or [pytest.param("none", "skip", "", id="none")]


@pytest.mark.parametrize("name, result, text", cases())
def test_unit(name, result, text):
    if result == "skip":
        pytest.skip("not built (make unit)" if name == "none" else "skipped by the program")
    assert result == "ok", text


def test_a_skip_is_a_skip():
    tap = "1..5\nnot ok 1 # SKIP one\nok 2 # SKIP two\nok 3 - three # SKIP\nnot ok 4 - four\nok 5 - five\n# not ok - tests\n"
    assert list(parse(tap)) == [("one", "skip"), ("two", "skip"), ("three", "skip"), ("four", "not ok"), ("five", "ok")]
