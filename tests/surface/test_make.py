"""The Makefile for who builds: the environment's compiler and flags, what is printed, what is installed, and the
sentence that says what is missing."""

import os
import re
import shutil
import subprocess

import pytest
from conftest import PATIENCE, ROOT

BUILDING = {"gcc", "pkg-config", "libsqlite3-dev", "sqlite3", "libopenblas-dev", "liblapacke-dev"}
TESTING = {"libcmocka-dev", "python3", "python3-numpy", "python3-scipy", "python3-pytest", "python3-pytest-xdist"}
SYSTEMS = ("Debian", "Fedora", "Arch", "macOS")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


def run(*command, **environment):
    """A command in the root, without what a make around this one says; None takes a variable away."""
    env = {**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "", **environment}
    for name in ("CC", "CPPFLAGS", "CFLAGS", "LDFLAGS", "V"):
        if name not in environment:
            env.pop(name, None)
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, env={k: v for k, v in env.items() if v is not None},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
    )  # fmt: skip


def commands(folder, goal, **environment):
    """What make would run, a command a line, for a build in a folder that is empty."""
    done = run("make", "-n", "V=1", f"B={folder}", goal, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("\\\n", " ").split("\n")


def only(lines, *parts):
    (found,) = [line for line in lines if all(part in line for part in parts)]
    return found


def test_flags_of_the_environment(tmp_path):
    flags = {"CC": "my-cc", "CPPFLAGS": "-DCPP", "CFLAGS": "-Ofast", "LDFLAGS": "-Wl,-z,now"}
    lines = commands(tmp_path, f"{tmp_path}/whiten.so", **flags)
    compiled = only(lines, "-c ", "ext/core/hash.c")
    linked = only(lines, "-shared ")
    assert compiled.startswith("my-cc ") and linked.startswith("my-cc ")
    assert {"-DCPP", "-Ofast"} <= set(compiled.split()) and "-Wl,-z,now" not in compiled
    assert {"-Wl,-z,now", "-Ofast"} <= set(linked.split())
    # What keeps the bits the same has the last word.
    for line in (compiled, linked):
        assert line.index("-Ofast") < line.index("-fno-fast-math")
    assert "-ffp-contract=off" in compiled
    line = only(commands(tmp_path, f"{tmp_path}/core/hash.o", CFLAGS=None), "-c ")
    assert line.startswith("cc ") and " -O3 " in line


def test_flags_of_the_command_line(tmp_path):
    done = run("make", "-n", "V=1", f"B={tmp_path}", "CC=my-cc -m64", "CFLAGS=-O1", "-s", f"{tmp_path}/core/hash.o", CC="not")
    assert re.search(r"^my-cc -m64 +-O1 .*-c -o", done.stdout, re.MULTILINE)


def test_a_quiet_line_a_file(tmp_path):
    goal = f"{tmp_path}/core/hash.o"

    def build(*flags):
        (tmp_path / "core" / "hash.o").unlink(missing_ok=True)
        done = run("make", f"B={tmp_path}", *flags, goal)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    assert build() == "CC ext/core/hash.c\n"
    assert " -fvisibility=hidden " in build("V=1") and "CC ext" not in build("V=1")
    assert build("-s") == ""


def test_macos_in_a_dry_run(tmp_path):
    """What is not run anywhere here: the flags of its linker, and packages that Homebrew keeps out of the way."""
    for package, modules in {"openblas": ["openblas"], "lapack": ["lapacke"], "sqlite": ["sqlite3"]}.items():
        keg = tmp_path / "opt" / package
        (keg / "lib" / "pkgconfig").mkdir(parents=True)
        for name in modules:
            text = f"Name: x\nDescription: x\nVersion: 1\nCflags: -I{keg}/include\nLibs: -L{keg}/lib -l{name}\n"
            (keg / "lib" / "pkgconfig" / f"{name}.pc").write_text(text, encoding="ascii")
    keg = {"HOMEBREW_PREFIX": str(tmp_path), "PKG_CONFIG_LIBDIR": "/nowhere", "PKG_CONFIG_PATH": None}

    def macos(goal):
        done = run("make", "-n", "V=1", "OS=Darwin", f"B={tmp_path}/b", goal, **keg)
        assert done.returncode == 0, done.stderr
        return done.stdout.replace("\\\n", " ").split("\n")

    linked = only(macos(f"{tmp_path}/b/whiten.dylib"), "-dynamiclib ").split()
    assert "-Wl,-undefined,dynamic_lookup" in linked and not {word for word in linked if word.startswith(("-Wl,-z", "-Wl,-soname"))}
    assert {f"-L{tmp_path}/opt/{package}/lib" for package in ("openblas", "lapack")} | {"-lopenblas", "-llapacke"} <= set(linked)
    compiled = only(macos(f"{tmp_path}/b/core/hash.o"), "-c ", "ext/core/hash.c").split()
    assert {f"-I{tmp_path}/opt/{package}/include" for package in ("openblas", "lapack", "sqlite")} <= set(compiled)
    hidden = only(macos("libwhiten.a"), "nmedit")
    assert "echo _sqlite3_whiten_init" in hidden and "objcopy" not in "".join(macos("libwhiten.a"))


@pytest.mark.parametrize(
    "environment, what, packages",
    [
        ({"PKG_CONFIG_LIBDIR": "/nowhere"}, r"the headers of SQLite.*OpenBLAS.*LAPACKE", "libsqlite3-dev libopenblas-dev liblapacke-dev"),
        ({"PKG_CONFIG": "no-pkg-config"}, "pkg-config", "pkg-config"),
        ({"CC": "no-compiler"}, "a C compiler", "gcc"),
    ],
    ids=["libraries", "pkg-config", "compiler"],
)  # fmt: skip
def test_one_sentence_says_what_is_missing(tmp_path, environment, what, packages):
    if environment.get("PKG_CONFIG_LIBDIR"):
        environment = {**environment, "PKG_CONFIG_PATH": ""}
    done = run("make", f"B={tmp_path}", f"{tmp_path}/core/hash.o", **environment)
    sentence, *rest = done.stderr.split("\n")
    assert done.returncode != 0 and re.match(rf"Missing here: {what}", sentence)
    assert f"install {packages} on Debian" in sentence and all(system in sentence for system in SYSTEMS)
    assert sum(1 for line in rest if line and not line.startswith("make")) == 0
    for goal in ("help", "clean"):
        assert run("make", f"B={tmp_path}/other", "-n", goal, **environment).returncode == 0


@pytest.fixture
def installed(tmp_path):
    """What `make GOAL...` installs with apt-get and npm, on a machine that has nothing, of a user who may use sudo."""
    log = tmp_path / "log"
    for name, text in {
        "dpkg-query": "exit 1",
        "apt-get": f'echo apt-get "$@" >> {log}',
        "npm": f'echo npm "$@" >> {log}',
        "id": "echo 1000",
        "sudo": f'echo sudo >> {log}; exec "$@"',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)

    def start(*goals):
        log.write_text("", encoding="ascii")
        path = f"{tmp_path}:{os.environ['PATH']}"
        # The goals beside it are asked what they need, and not made: they are as old as this file.
        others = [argument for goal in goals if not goal.endswith("deps") for argument in ("-o", goal)]
        done = run("make", *goals, *others, f"B={tmp_path}/b", PATH=path, BENCH_PEERS=str(tmp_path / "peers"))
        assert done.returncode == 0, done.stderr
        lines = log.read_text(encoding="ascii").split("\n")
        packages = [line.split()[5:] for line in lines if line.startswith("apt-get") and " install " in line]
        npm = [line.split("--silent ")[1].split() for line in lines if line.startswith("npm")]
        assert len(packages) == 1 and lines[0] == "sudo" and len(npm) <= 1
        return set(packages[0]), {name.rpartition("@")[0] for name in sum(npm, [])}, done.stdout

    return start


def test_deps_install_what_the_goals_need(installed):
    packages, npm, said = installed("deps")
    assert (packages, npm) == (BUILDING, set()) and "make deps test" in said
    packages, npm, said = installed("deps", "demo")
    assert (packages, npm) == (BUILDING, set()) and "make deps test" not in said
    packages, npm, _ = installed("deps", "test")
    assert packages > BUILDING | TESTING | {"debhelper", "lintian", "python3-apsw"} and "clang" not in packages
    assert {re.match("sqlite-vec|node|@oven/bun|", name)[0] or name for name in npm} == {"sqlite-vec", "node", "@oven/bun", "typescript"}
    packages, npm, _ = installed("check-deps")
    assert packages > BUILDING | TESTING | {"clang", "clang-format", "valgrind", "cppcheck", "debootstrap", "chromium"}
    packages, npm, _ = installed("bench-deps")
    assert packages > BUILDING | {"python3-faiss"} and "clang" not in packages


def test_deps_elsewhere(tmp_path):
    """Without apt-get: the same sentence."""
    for tool in ("sh", "awk", "cat", "paste", "make", "uname", "sed", "find", "dirname", "touch", "mkdir"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    done = run("make", "deps", "test", "PYTHON=no-python", PATH=str(tmp_path))
    sentence = done.stderr.split("\n")[0]
    assert done.returncode != 0 and sentence.startswith("Missing here: a C compiler, ")
    assert "python-numpy python-pytest python-scipy sqlite on Arch" in sentence and all(s in sentence for s in SYSTEMS)


def test_help_lists_the_targets():
    listed = set(re.findall(r"^  ([a-z0-9/-]+) ", run("make", "help").stdout, re.MULTILINE))
    texts = [(ROOT / path).read_text(encoding="utf-8") for path in ("Makefile", "ext/packages/packages.mk", "tests/checks/checks.mk")]
    phony = set()
    for text in texts:
        phony |= set(re.search(r"^\.PHONY: (.*)", text.replace("\\\n", " "), re.MULTILINE)[1].split())
    assert phony - {"tested", "packages-fetched"} == listed - {"examples/c/search"}
