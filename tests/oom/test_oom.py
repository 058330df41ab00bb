"""Out of memory: every allocation of statements that exercise every function is made to fail (tests/oom), here in
the short form; `make oom` runs the long one. Each function is a test. Builds nothing."""

import os
import re
import subprocess

import pytest
from conftest import PATIENCE, ROOT, WHITEN_SO, registered_names

PROGRAM = ROOT / "build" / "oom" / "oom"
BESIDES = {"errors", "writes", "load", "threads"}


def run(*arguments):
    return subprocess.run(
        [str(PROGRAM), *arguments], cwd=ROOT, env=dict(os.environ, WHITEN_SO=str(WHITEN_SO)),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE,
    )  # fmt: skip


def functions():
    return run("--list").stdout.split() if PROGRAM.exists() else ["none"]


@pytest.mark.parametrize("function", functions())
def test_out_of_memory(function):
    if function == "none":
        pytest.skip("not built (make oom)")
    done = run("--short", function)
    found = re.search(r"^(not ok|ok) 1 - (\w+) # (\d+) allocations failed in (\d+)", done.stdout, re.MULTILINE)
    assert found, f"exit status {done.returncode}: {done.stdout}"
    assert found[1] == "ok" and found[2] == function and done.returncode == 0, done.stdout
    assert int(found[3]) > 0 and int(found[4]) > 0, done.stdout


def test_every_function():
    if not PROGRAM.exists():
        pytest.skip("not built (make oom)")
    assert registered_names() == set(functions()) - BESIDES
