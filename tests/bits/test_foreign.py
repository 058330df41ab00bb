"""Other processors, in short: the bits on 64-bit ARM and on 32-bit x86, and that a big-endian machine is refused. `make
arm64` and `make i386` run all tests there. Raw doubles are compared: as text SQLite prints them through long double,
which differs between processors.
"""

import os
import platform
import re
import shutil
import subprocess

import pytest
from conftest import PATIENCE, ROOT


def foreign(arch, *arguments):
    if not (ROOT / "build" / "foreign" / arch).is_dir():
        pytest.skip(f"no system of {arch} here (make foreign-deps)")
    return subprocess.run(
        [ROOT / "tests" / "checks" / "foreign", arch, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
    )  # fmt: skip


@pytest.mark.parametrize("arch", ["arm64", "i386"])
def test_the_same_bits_on(arch):
    done = foreign(arch, "bits")
    assert done.returncode == 0 and re.fullmatch(r"[1-9]\d* passed, 0 failed", done.stdout.splitlines()[-1]), done.stdout


def test_windows_compiles_and_links():
    """Against the headers of SQLite and the names of OpenBLAS; nothing is run."""
    if shutil.which("x86_64-w64-mingw32-gcc-posix") is None:
        pytest.skip("no mingw-w64 here (make foreign-deps)")
    done = subprocess.run([ROOT / "tests" / "checks" / "mingw"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0 and "whiten.dll is linked" in done.stdout, done.stdout


def test_a_big_endian_machine_is_refused():
    done = foreign("s390x")
    assert done.returncode == 0 and "this machine is big-endian, expected little-endian" in done.stdout, done.stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the x87 is part of x86")
def test_a_compiler_for_the_x87_is_refused():
    """Its registers are wider than the types, so that a sum would depend on when they are stored."""

    def compiled(*flags):
        command = [os.environ.get("CC") or "gcc", "-std=c11", *flags, "-Iext", "-fsyntax-only", "ext/core/blob.c"]
        return subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True).stderr

    assert compiled("-mfpmath=sse") == ""
    assert "on 32-bit x86 add -msse2 -mfpmath=sse to CFLAGS" in compiled("-mfpmath=387")
