"""The arithmetic of vectors stands once: in ext/core/simd/template.h, and in portable.c, which is the reference."""

import itertools
import platform
import subprocess

import pytest
from conftest import ROOT

SIMD = ROOT / "ext" / "core" / "simd"
VARIANTS = ("avx2.c", "avx512.c", "neon.c")
SHARED = 6  # lines in a row that may not stand twice


def code(name):
    """The lines that are code, without their indentation and what only closes a block."""
    lines = (line.strip() for line in (SIMD / name).read_text(encoding="utf-8").split("\n"))
    return [line for line in lines if line.strip("{}; \\")]


def runs(lines):
    return [tuple(lines[i : i + SHARED]) for i in range(len(lines) - SHARED + 1)]


def test_no_six_lines_stand_twice():
    files = {path.name: runs(code(path.name)) for path in sorted(SIMD.glob("*.[ch]"))}
    assert {*VARIANTS, "template.h", "portable.c"} <= set(files)
    for name, own in files.items():
        assert len(own) == len(set(own)), name
    for one, other in itertools.combinations(files, 2):
        assert not set(files[one]) & set(files[other]), (one, other)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_defines_registers_and_no_arithmetic(name):
    text = (SIMD / name).read_text(encoding="utf-8")
    directives = text[text.index("#if") :].rstrip("\n").split("\n")
    assert [line for line in directives if line and not line.startswith("#")] == []
    assert directives[-2:] == ['#include "core/simd/template.h"', "#endif"]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_any_compiler_builds_every_variant_without_flags_of_its_own(compiler, tmp_path):
    """Which instructions a variant uses stands in its file: a build that lists the sources has every variant."""
    names = ["simd", "portable", *(name.removesuffix(".c") for name in VARIANTS)]
    for name in names:
        target = str(tmp_path / f"{name}.o")
        command = [compiler, "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-ffp-contract=off"]
        try:
            subprocess.run([*command, f"-I{ROOT / 'ext'}", "-c", str(SIMD / f"{name}.c"), "-o", target], check=True)
        except FileNotFoundError:
            pytest.skip(f"{compiler} is not installed")
    symbols = subprocess.run(
        ["nm", *(str(tmp_path / f"{name}.o") for name in names)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    expected = {"x86_64": ("avx2", "avx512"), "aarch64": ("neon",)}.get(platform.machine(), ())
    for name in ("portable", *expected):
        assert f" simd_{name}\n" in symbols
