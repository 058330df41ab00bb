"""What `make packages` left in dist/, installed where nothing else is, and the main job run from there: no compiler, no
OpenBLAS, no path of this tree. Packages of another version, or none, are skipped (make deps test).
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest
from conftest import PATIENCE, ROOT

PEERS = ROOT / "build" / "peers" / "node_modules"
HERE = ROOT / "tests" / "packages"
VERSION = re.search(r'WHITEN_VERSION "(.*)"', (ROOT / "ext" / "whiten.h").read_text(encoding="utf-8"))[1]
DEB, NODE, WHEEL = {"x86_64": ("amd64", "x64", "x86_64"), "aarch64": ("arm64", "arm64", "aarch64")}.get(
    platform.machine(), ("none", "none", "none")
)
FOUND = "41 1\n13 0.9042\n5 0.8635\n"
pytestmark = pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer that is preloaded would be in the packages' process")


def package(name):
    path = ROOT / "dist" / name
    if not path.exists():
        pytest.skip(f"dist/{name} is not there (make deps test)")
    return path


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not there")


def run(*command, cwd=None, **environment):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# ---- Python


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of an environment that has the wheel alone."""
    wheel = package(f"sqlite_whiten-{VERSION}-py3-none-manylinux_2_28_{WHEEL}.whl")
    folder = tmp_path_factory.mktemp("venv")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("pip is not there")
    run(sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q", "--no-index", wheel, **os.environ)
    return folder / "bin" / "python"


def test_wheel(python, tmp_path):
    """No PATH, so no compiler; and the libraries of the process are the C library's and SQLite's."""
    code = (HERE / "example.py").read_text(encoding="utf-8") + "print(open('/proc/self/maps').read())"
    (tmp_path / "example.py").write_text(code, encoding="utf-8")
    printed = run(python, "example.py", cwd=tmp_path)
    assert printed.startswith(FOUND.replace("41 1\n", "41 1.0\n"))
    loaded = {line.split("/")[-1] for line in printed.split("\n") if ".so" in line}
    assert "whiten.so" in loaded
    assert not [name for name in loaded if re.match(r"lib(openblas|blas|lapack|gfortran|quadmath)", name)]


@pytest.fixture
def site(python):
    """Its modules, for the Python that has Debian's."""
    (folder,) = python.parent.parent.glob("lib/python3*/site-packages")
    return folder


def need_module(name):
    if subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"{name} is not there (make deps test)")


APSW = """
import apsw, array, sqlite_whiten
db = apsw.Connection(":memory:")
sqlite_whiten.load(db)
print(db.cursor().execute("SELECT embedding_dim(?)", (sqlite_whiten.vector(array.array("f", [1, 2])),)).fetchall())
try:
    db.cursor().execute("SELECT load_extension('x')")
except apsw.SQLError as error:
    print(error)
"""
SQLALCHEMY = """
import sqlalchemy, sqlite_whiten
engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.NullPool)
sqlalchemy.event.listen(engine, "connect", sqlite_whiten.load)
for _ in range(2):
    with engine.connect() as connection:
        print(connection.execute(sqlalchemy.text("SELECT embedding_dim('[1, 2]')")).scalar())
"""


@pytest.mark.parametrize(
    "module, code, printed",
    [("apsw", APSW, "[(2,)]\nSQLError: not authorized\n"), ("sqlalchemy", SQLALCHEMY, "2\n2\n")],
)
def test_wheel_in_other_drivers(site, module, code, printed):
    """What has loaded it cannot load anything else by SQL: that is off again."""
    need_module(module)
    assert run(sys.executable, "-c", code, **{**os.environ, "PYTHONPATH": str(site)}) == printed


def test_wheel_with_numpy(site):
    """A row of float32 as it is; float64, numpy's default, is refused with the remedy."""
    lines = "import numpy, sqlite_whiten; x = numpy.arange(6.0).reshape(2, 3); print(sqlite_whiten.vector(x.astype('<f4')[1]) == x[1].astype('<f4').tobytes())"
    assert run(sys.executable, "-c", lines, **{**os.environ, "PYTHONPATH": str(site)}) == "True\n"
    lines = "import numpy, sqlite_whiten\ntry: sqlite_whiten.vector(numpy.ones(3))\nexcept TypeError as e: print(e)"
    printed = run(sys.executable, "-c", lines, **{**os.environ, "PYTHONPATH": str(site)})
    assert printed == "sqlite_whiten.vector: the array is of float64, expected float32: array.astype('<f4') converts it\n"


def test_wheel_types(python, tmp_path):
    """mypy finds the types, and what is called against them."""
    need("mypy")
    (tmp_path / "sound.py").write_text((HERE / "example.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "wrong.py").write_text("import sqlite_whiten\npath: int = sqlite_whiten.loadable_path()\n", encoding="utf-8")
    command = ["mypy", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    assert run(*command, "sound.py", cwd=tmp_path, **os.environ).startswith("Success")
    done = subprocess.run([*map(str, command), "wrong.py"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1 and 'expression has type "str", variable has type "int"' in done.stdout


@pytest.mark.parametrize(
    "code, error",
    [
        ("sqlite_whiten.vector(array.array('d', [1, 2]))", "TypeError: .*array is of float64, expected float32: array.astype"),
        ("sqlite_whiten.vector([1.0, 2.0])", "TypeError: .*"),
        ("sqlite_whiten.vector(memoryview(array.array('f', [1, 2])).cast('B').cast('f', (1, 2)))", "ValueError: .*2 dimensions, expected 1"),
        ("sqlite_whiten.load(object())", "NotImplementedError: .*object has no enable_load_extension"),
    ],
)
def test_wheel_refuses(python, code, error):
    lines = f"import array, sqlite_whiten\ntry:\n  {code}\nexcept Exception as e:\n  print(type(e).__name__ + ':', e)"
    assert re.match(error, run(python, "-c", lines))


def test_wheel_has_scripts_types_and_licenses(python):
    lines = "import sqlite_whiten; print(*sorted(p.name for p in sqlite_whiten.sql_folder.iterdir()))"
    assert set(run(python, "-c", lines).split()) == {path.name for path in (ROOT / "sql").glob("*.sql")}
    lines = "import sqlite_whiten, pathlib; print(*sorted(str(p.name) for p in pathlib.Path(sqlite_whiten.__file__).parent.rglob('*')))"
    assert {"py.typed", "openblas.txt", "lapack.txt", "libgfortran.txt"} <= set(run(python, "-c", lines).split())


def test_beside_numpy_and_across_a_fork(python):
    """numpy has an OpenBLAS of its own in the process, which both go on using, also in a child."""
    so = python.parent.parent.glob("lib/python3*/site-packages/sqlite_whiten/whiten.so")
    lines = f"""
import os, sqlite3, numpy
x = numpy.random.default_rng(1).normal(size=(400, 64)).astype("<f4")
def job():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.load_extension({str(next(so))!r})
    db.execute("CREATE TABLE t (v BLOB)")
    db.executemany("INSERT INTO t VALUES (?)", [(row.tobytes(),) for row in x])
    (found,) = db.execute("SELECT group_concat(eigenvalue) FROM whiten_spectrum((SELECT whiten_fit(v) FROM t))").fetchone()
    values = numpy.linalg.eigvalsh(numpy.cov(x, rowvar=False))[::-1]
    assert numpy.allclose([float(v) for v in found.split(",")], values, rtol=1e-6), "eigenvalues"
    assert numpy.allclose(x @ x.T, numpy.einsum("ik,jk->ij", x, x), atol=1e-3)
job()
child = os.fork()
if child == 0:
    job()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
job()
print("ok")
"""
    assert run(sys.executable, "-c", lines, **os.environ) == "ok\n"


# ---- npm


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    need("npm")
    folder = tmp_path_factory.mktemp("npm")
    (folder / "package.json").write_text("{}", encoding="utf-8")
    tarballs = [package(f"sqlite-whiten{part}-{VERSION}.tgz") for part in ("", f"-linux-{NODE}")]
    run("npm", "install", "--offline", "--silent", "--no-audit", "--no-fund", *tarballs, cwd=folder, **os.environ)
    for example in HERE.glob("example*.*js"):
        shutil.copy(example, folder)
    return folder


def test_npm_require(modules):
    need("node")
    there, *errors = run(shutil.which("node"), "example.cjs", cwd=modules).split("\n")
    assert there == "true true"
    assert errors[0].startswith("sqlite-whiten: load takes a database with loadExtension")
    assert errors[1] == "sqlite-whiten: a vector is Float64Array, expected Float32Array: Float32Array.from(vector) makes one"
    assert errors[2].startswith("sqlite-whiten: a vector is Array, expected Float32Array")


def test_npm_import_in_node(modules):
    """By a Node that brings SQLite."""
    for node in (*PEERS.glob("node-linux-*/bin/node"), shutil.which("node")):
        if node and subprocess.run([node, "-e", "require('node:sqlite')"], capture_output=True, check=False).returncode == 0:
            assert run(node, "example.mjs", cwd=modules) == FOUND
            return
    pytest.skip("no Node has node:sqlite (make deps test)")


def test_npm_in_bun(modules):
    for bun in PEERS.glob("@oven/bun-linux-*/bin/bun"):
        assert run(bun, "example_bun.mjs", cwd=modules, HOME=str(modules)) == FOUND
        return
    pytest.skip("Bun is not there (make deps test)")


def test_npm_in_better_sqlite3(modules):
    """By the Node that it was built with."""
    clients = ROOT / "build" / "clients" / "node_modules"
    node = clients / ".bin" / "node"
    if not (clients / "better-sqlite3" / "build").exists() or not node.exists():
        pytest.skip("better-sqlite3 is not there (make clients-deps)")
    for name in ("better-sqlite3", "bindings", "file-uri-to-path"):
        (modules / "node_modules" / name).symlink_to(clients / name)
    assert run(node, "example_better.mjs", cwd=modules) == FOUND


def test_npm_types(modules):
    """tsc finds the types; lines that must not compile say so themselves."""
    need("node")
    tsc = PEERS / "typescript" / "bin" / "tsc"
    if not tsc.exists():
        pytest.skip("typescript is not there (make deps test)")
    shutil.copy(HERE / "example.ts", modules / "example.mts")
    flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"]
    assert run(shutil.which("node"), tsc, *flags, "example.mts", cwd=modules) == ""


def test_npm_without_its_platform(modules, tmp_path):
    need("node")
    shutil.copytree(modules / "node_modules" / "sqlite-whiten", tmp_path / "node_modules" / "sqlite-whiten")
    lines = "try { require('sqlite-whiten').getLoadablePath() } catch (e) { console.log(e.message) }"
    printed = run(shutil.which("node"), "-e", lines, cwd=tmp_path)
    assert printed.startswith(f"sqlite-whiten: the package sqlite-whiten-linux-{NODE} is not installed")


# ---- Debian


def test_debian(tmp_path):
    """.load whiten, by its name alone, from where the package puts it."""
    need("dpkg-deb")
    need("sqlite3")
    deb = package(f"libsqlite3-mod-whiten_{VERSION}_{DEB}.deb")
    run("dpkg-deb", "-x", deb, tmp_path, **os.environ)
    (library,) = tmp_path.glob("usr/lib/*/whiten.so")
    printed = run(shutil.which("sqlite3"), ":memory:", ".load whiten", "SELECT whiten_version()", LD_LIBRARY_PATH=str(library.parent))
    assert printed == VERSION + "\n"
    assert {p.name for p in tmp_path.glob("usr/share/sqlite-whiten/sql/*")} == {p.name for p in (ROOT / "sql").glob("*.sql")}
    fields = run("dpkg-deb", "-f", deb, **os.environ)
    assert re.search(r"^Depends: .*libopenblas0.*libsqlite3-0 \(>= 3\.38\)", fields, re.M)


def test_debian_is_clean():
    need("lintian")
    deb = package(f"libsqlite3-mod-whiten_{VERSION}_{DEB}.deb")
    assert run("lintian", "--fail-on", "warning", deb, **os.environ).strip() == ""


# ---- what is promised of the files


@pytest.mark.parametrize("name", [f"sqlite-whiten-linux-{cpu}-{VERSION}.tgz" for cpu in ("x64", "arm64")]
                         + [f"sqlite_whiten-{VERSION}-py3-none-manylinux_2_28_{cpu}.whl" for cpu in ("x86_64", "aarch64")])  # fmt: skip
def test_files(name, tmp_path):
    """Sizes; one symbol; nothing newer of the C library than glibc 2.28, of which only the C library is needed."""
    path = package(name)
    assert path.stat().st_size < 10e6
    archive = tarfile.open(path) if name.endswith(".tgz") else zipfile.ZipFile(path)
    with archive:
        archive.extractall(tmp_path)
    (so,) = tmp_path.rglob("whiten.so")
    assert so.stat().st_size < 30e6
    need("readelf")
    dynamic = run("readelf", "-dW", so, **os.environ)
    assert set(re.findall(r"NEEDED.*\[(.*)\]", dynamic)) <= {
        "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"
    }  # fmt: skip
    assert "NODELETE" in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic
    symbols = run("readelf", "--dyn-syms", "-W", so, **os.environ)
    needed = [tuple(map(int, version.split("."))) for version in re.findall(r"@GLIBC_([\d.]+)", symbols)]
    assert needed and max(needed) <= (2, 28)
    defined = [line.split()[7] for line in symbols.split("\n") if re.search(r"(GLOBAL|WEAK) +DEFAULT +\d+ ", line)]
    assert defined == ["sqlite3_whiten_init"]


def test_the_version_stands_once():
    """In ext/whiten.h; the packages' files have none of their own."""
    for path in (ROOT / "ext" / "packages").rglob("*"):
        if path.is_file():
            assert VERSION not in path.read_text(encoding="utf-8"), path
