"""The checkers in a short form: clang, both compilers without a warning, AddressSanitizer and UBSan, valgrind. The long
forms are `make lint`, `make asan` and `make valgrind`."""
import os
import shutil
import subprocess

import pytest
from conftest import PATIENCE, ROOT


def run(*command, **environment):
    env = {**os.environ, "MAKEFLAGS": "", **environment}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stdout + done.stderr


def needs(program):
    if shutil.which(program) is None:
        pytest.skip(f"no {program}")
    if os.environ.get("LD_PRELOAD"):
        pytest.skip("under a sanitizer already")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_no_warning(compiler):
    needs(compiler)
    status, output = run("tests/checks/variant", f"build-{compiler}", "-Werror", "-O2 -g", CC=compiler)
    assert status == 0, output


def test_clang_keeps_the_contract():
    needs("clang")
    status, output = run("tests/checks/variant", "build-clang", "-Werror", "-O2 -g", CC="clang")
    assert status == 0, output
    status, output = run("tests/run", "-k", "test_contract or test_sql", WHITEN_SO=str(ROOT / "build-clang" / "whiten.so"))
    assert status == 0 and " passed, 0 failed" in output, output


def test_address_and_undefined_behaviour():
    needs("gcc")
    status, output = run("tests/checks/asan", "-k", "(test_contract or test_sql or test_errors) and not test_codes", CC="gcc")
    assert status == 0 and " passed, 0 failed" in output, output


def test_valgrind():
    needs("valgrind")
    status, output = run("tests/checks/valgrind", "sql/contract.sql", *(f"build/unit/{name}" for name in ("pool", "whitener", "topk")))
    assert status == 0 and output.count("ok ") == 4 and "not ok" not in output, output
