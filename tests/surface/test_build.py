"""What was built and what stands in the tree: the exported symbol, the flags of the library, the version, the
paths."""

import os
import re
import shlex
import subprocess

import pytest
from conftest import ROOT, WHITEN_SO, one


def output(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


INSTRUMENTS = ("__asan", "__odr_asan", "__ubsan", "__gcov", "mangle_path")


def global_names(*nm):
    """(kind, name) of what a file defines for others."""
    lines = output("nm", *nm, "--defined-only").split("\n")
    symbols = [line.split()[-2:] for line in lines if len(line.split()) > 1]
    if any(name.startswith(INSTRUMENTS) for _, name in symbols):
        pytest.skip("an instrumented build exports the symbols of its instrument")
    return symbols


def test_one_exported_symbol():
    """SQLite opens extensions with RTLD_GLOBAL: anything else we export could be called in place of
    another's."""
    assert global_names("-D", WHITEN_SO) == [["T", "sqlite3_whiten_init"]]


def test_one_exported_symbol_of_the_static_library():
    """In an application anything else could clash with a name of its own."""
    assert global_names("-g", WHITEN_SO.parent / "libwhiten.a") == [["T", "sqlite3_whiten_init"]]


def test_an_application_with_the_same_names(tmp_path):
    """examples/c, linked with functions and data of its own that are called as ours are inside."""
    library = WHITEN_SO.parent / "libwhiten.a"
    if re.search(r" U __(asan|ubsan|tsan|gcov)", output("nm", library)):
        pytest.skip("an instrumented library wants the runtime of its instrument")
    own = tmp_path / "own.c"
    own.write_text(
        "int simd = 1, whiten_rows_table = 2;\n"
        "void fail(void) { __builtin_abort(); }\n"
        "void vector_dot(void) { __builtin_abort(); }\n"
        "void workers_init(void) { __builtin_abort(); }\n",
        encoding="ascii",
    )
    packages = output("pkg-config", "--cflags", "--libs", "openblas", "lapacke", "sqlite3").split()
    program = tmp_path / "search"
    command = [*shlex.split(os.environ.get("CC") or "cc"), "-o", program, f"-I{ROOT / 'ext'}", own]
    command += [ROOT / "examples" / "c" / "search.c", library, *packages, "-lpthread", "-lm"]
    subprocess.run(command, check=True)
    assert output(program).count("\n") > 3


def test_never_unloaded():
    """Threads of OpenBLAS may still run when a connection closes."""
    dynamic = output("readelf", "-d", str(WHITEN_SO))
    assert re.search(r"FLAGS_1.*\bNODELETE\b", dynamic)


def test_libraries_needed():
    """OpenBLAS, LAPACKE and the C library; SQLite comes from the host."""
    needed = re.findall(r"NEEDED.*\[(.+?)\]", output("readelf", "-d", str(WHITEN_SO)))
    allowed = (
        r"lib(openblas|lapacke|blas|lapack|m|c|pthread|gcc_s|asan|ubsan|tsan|gfortran|gcov)\.so|ld-linux"
    )
    assert [name for name in needed if not re.match(allowed, name)] == []


def test_version_stands_once(db):
    header = (ROOT / "ext" / "whiten.h").read_text(encoding="utf-8")
    versions = re.findall(r'"(\d+\.\d+\.\d+)"', header)
    assert len(versions) == 1
    assert one(db, "SELECT whiten_version()") == versions[0]
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    top = re.search(r"^## \[?v?(\d+\.\d+\.\d+)", changes, re.MULTILINE)
    assert top.group(1) == versions[0]
    for path in sources():
        if path.suffix in (".c", ".h") and path.name != "whiten.h":
            assert f'"{versions[0]}"' not in path.read_text(encoding="utf-8"), path


def test_config(db):
    import json
    import sqlite3

    config = json.loads(one(db, "SELECT whiten_config()"))
    assert config["sqlite"] == sqlite3.sqlite_version
    assert config["blas"] and config["kernel"]
    assert config["threads"] >= 1


def sources():
    """Text files of the tree, without what was built or fetched."""
    skipped = {".git", "build", "node_modules", "__pycache__", ".pytest_cache", "dist"}
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if (
            path.is_file()
            and not skipped & set(parts)
            and path.suffix not in (".so", ".a", ".o", ".db", ".f32", ".npy", ".tgz")
        ):
            yield path


def test_only_the_data_lookup_leaves_the_tree():
    """Nobody who clones the repository has the folder next to it."""
    outside = "../" + "shared"
    found = set()
    for path in sources():
        if outside in path.read_text(encoding="utf-8", errors="replace"):
            found.add(path.relative_to(ROOT).as_posix())
    assert found <= {"Makefile", "tests/conftest.py"}


def test_no_flags_that_change_bits():
    """Same bits everywhere: no -ffast-math, and no -march=native in what is shipped."""
    makefiles = (ROOT / "Makefile", ROOT / "tests" / "checks" / "checks.mk")
    text = "\n".join(path.read_text(encoding="utf-8") for path in makefiles)
    code = "\n".join(line for line in text.split("\n") if not line.lstrip().startswith("#"))
    assert "-ffast-math" not in code and "-march=native" not in code
    assert "-ffp-contract=off" in code
