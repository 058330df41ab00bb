"""Real clients: each program of tests/clients loads the extension as its language does, makes a table of 50 vectors
of 8 elements, binds BLOBs and integers, fits with a k that is bound, applies a fixed model, searches by ORDER BY, by
cosine_topk and by whiten_index, fails, and prints what must be what the sqlite3 shell gives, to the bit:

    fit N D K                  of the model it fitted
    apply ID HEX               each whitened vector
    search ID BITS             the five nearest to row 7, with the bits of the similarity
    topk ID BITS
    index ID BITS
    error TEXT                 of a k beyond d, in which the extension's sentence stands
    # SQLite VERSION, N us     (not compared) and what a query of the index takes, through all of the client

And the contract on the oldest SQLite that is supported and the newest there is. `make clients-deps` installs the
clients; one that is not there is skipped. build/clients/figures.tsv has the last lines.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys

import bits
import pytest
from conftest import ENTRY, PATIENCE, ROOT, SHELL, WHITEN_SO, one

HERE = ROOT / "tests" / "clients"
FETCHED = ROOT / "build" / "clients"
OLDEST = FETCHED / "sqlite-3.38"
JDBC = [pathlib.Path("/usr/share/java/sqlite-jdbc.jar")]
GOPATH = pathlib.Path("/usr/share/gocode")
ERROR = "k is 9, expected 1 to 8 (the dimensions)"
PRELOADED = "LD_PRELOAD" in os.environ
pytestmark = pytest.mark.skipif(
    PRELOADED, reason="not every client starts under a sanitizer that is preloaded"
)


def execute(command, cwd=None, **environment):
    return subprocess.run(
        list(map(str, command)),
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        timeout=PATIENCE,
        cwd=cwd,
    )


def works(*command):
    return shutil.which(str(command[0])) is not None and execute(command).returncode == 0


def need(condition, what):
    if not condition:
        pytest.skip(f"{what} is not installed (make clients-deps)")


@functools.lru_cache(maxsize=None)
def node_with_sqlite():
    for node in (FETCHED / "node_modules" / ".bin" / "node", shutil.which("node")):
        if node and works(node, "-e", "require('node:sqlite')"):
            return node
    return None


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("clients") / "model"
    path.write_bytes(bits.fixed_model())
    return path


@pytest.fixture(scope="module")
def wanted(model_file):
    """What the shell prints, its REALs as bits: quote() writes digits that read back to the same double."""
    done = execute(
        [SHELL, "-batch", "-init", "/dev/null", ":memory:", f".load '{WHITEN_SO}' {ENTRY}", ".parameter init"]
        + [f".parameter set @model \"'{model_file}'\"", f".read '{HERE / 'client.sql'}'"]
    )
    assert done.returncode == 1 and ERROR in done.stderr
    lines = []
    for line in done.stdout.splitlines()[:-1]:
        if line.startswith(("search ", "topk ", "index ")):
            name, rowid, real = line.split()
            line = f"{name} {rowid} {struct.pack('>d', float(real)).hex()}"
        lines.append(line)
    return lines


def same(name, done, wanted):
    assert (done.returncode, done.stderr) == (0, "")
    *lines, error, last = done.stdout.splitlines()
    assert [line.rstrip() for line in lines] == wanted
    assert error.startswith("error ") and ERROR in error, error
    version, microseconds = re.fullmatch(r"# SQLite (3\.[\d.]+), (\d+) us", last).groups()
    FETCHED.mkdir(parents=True, exist_ok=True)
    with open(FETCHED / "figures.tsv", "a", encoding="utf-8") as file:
        file.write(f"{name}\t{version}\t{microseconds}\n")


def test_shell(wanted):
    assert wanted[0] == "fit 50 8 4" and len(wanted) == 66
    assert wanted[51].startswith("search 7 3f")  # itself: 1, or the last bit below
    assert [line.split()[1:] for line in wanted[51:56]] == [line.split()[1:] for line in wanted[56:61]]
    assert wanted[61].startswith("index 7 3f")


def has(name):
    return works(sys.executable, "-c", f"import {name}")


@pytest.mark.parametrize("driver", ["sqlite3", "apsw", "sqlalchemy", "sqlite_utils", "django"])
def test_python(wanted, model_file, driver):
    need(has(driver), f"Python's {driver}")
    same(f"Python, {driver}", execute([sys.executable, HERE / "client.py", WHITEN_SO, model_file, driver]), wanted)


def test_node(wanted, model_file):
    node = node_with_sqlite()
    need(node, "Node with node:sqlite")
    quiet = "--disable-warning=ExperimentalWarning"
    same("Node, node:sqlite", execute([node, quiet, HERE / "client.mjs", WHITEN_SO, model_file]), wanted)


@pytest.mark.parametrize("driver, package", [("better-sqlite3", "better-sqlite3"), ("knex", "knex"), ("drizzle", "drizzle-orm")])
def test_packages_of_node(wanted, model_file, driver, package):
    """By the Node that better-sqlite3 was built with."""
    modules = FETCHED / "node_modules"
    need(works("node", "-e", f"new (require({json.dumps(str(modules / 'better-sqlite3'))}))(':memory:')"), "better-sqlite3")
    need((modules / package).is_dir(), package)
    same(f"Node, {driver}", execute(["node", HERE / "client.mjs", WHITEN_SO, model_file, driver, FETCHED]), wanted)


@pytest.mark.parametrize("program, driver, flags", [("bun", "bun", []), ("deno", "node", ["run", "--allow-all", "--quiet"])])
def test_other_runtimes(wanted, model_file, program, driver, flags):
    path = FETCHED / "node_modules" / ".bin" / program
    need(path.exists() and works(path, "--version"), program.title())
    command = [path, *flags, HERE / "client.mjs", WHITEN_SO, model_file, driver]
    same(f"{program.title()}, {driver}:sqlite", execute(command, NO_COLOR="1", DENO_NO_UPDATE_CHECK="1"), wanted)


def test_perl(wanted, model_file):
    need(works("perl", "-MDBD::SQLite", "-e1"), "Perl's DBD::SQLite")
    same("Perl, DBD::SQLite", execute(["perl", HERE / "client.pl", WHITEN_SO, model_file]), wanted)


def test_ruby(wanted, model_file):
    need(works("ruby", "-rsqlite3", "-e", "1"), "Ruby's sqlite3")
    same("Ruby, sqlite3", execute(["ruby", HERE / "client.rb", WHITEN_SO, model_file]), wanted)


def test_php(wanted, model_file):
    need(works("php", "-r", "exit(class_exists('SQLite3') ? 0 : 1);"), "PHP's SQLite3")
    folder = f"sqlite3.extension_dir={WHITEN_SO.parent}"
    same("PHP, SQLite3", execute(["php", "-d", folder, HERE / "client.php", WHITEN_SO, model_file]), wanted)


def test_php_data_objects():
    """They load no extension before PHP 8.4, whose Pdo\\Sqlite has a method for it."""
    need(works("php", "-r", "exit(in_array('sqlite', PDO::getAvailableDrivers()) ? 0 : 1);"), "PHP's PDO for SQLite")
    code = "$db = new PDO('sqlite::memory:'); try { $db->query(\"SELECT load_extension('whiten')\"); echo 'loaded'; } catch (PDOException $e) { echo $e->getMessage(); }"
    assert "not authorized" in execute(["php", "-r", code]).stdout


def test_tcl(wanted, model_file, tmp_path):
    (tmp_path / "probe.tcl").write_text("package require sqlite3\n", encoding="ascii")
    need(works("tclsh", tmp_path / "probe.tcl"), "Tcl's sqlite3")
    same("Tcl, sqlite3", execute(["tclsh", HERE / "client.tcl", WHITEN_SO, model_file]), wanted)


def test_r(wanted, model_file):
    need(works("Rscript", "-e", "library(RSQLite)"), "R's RSQLite")
    same("R, RSQLite", execute(["Rscript", HERE / "client.R", WHITEN_SO, model_file]), wanted)


def test_go(wanted, model_file):
    source = GOPATH / "src" / "github.com" / "mattn" / "go-sqlite3"
    need(source.is_dir() and works("go", "version"), "Go's mattn/go-sqlite3")
    program, cache = FETCHED / "client-go", FETCHED / "go-cache"
    FETCHED.mkdir(parents=True, exist_ok=True)
    flags = {
        "GO111MODULE": "off",
        "GOPATH": str(GOPATH),
        "GOCACHE": str(cache),
        "GOFLAGS": "-tags=libsqlite3",
    }
    built = execute(["go", "build", "-o", program, HERE / "client.go"], **flags)
    assert built.returncode == 0, built.stderr
    same("Go, mattn/go-sqlite3", execute([program, WHITEN_SO, model_file]), wanted)


def test_java(wanted, model_file):
    jar = next((jar for jar in JDBC if jar.exists()), None)
    need(jar and works("java", "-version") and works("javac", "-version"), "Java's xerial driver")
    same("Java, xerial", execute(["java", "-cp", jar, HERE / "Client.java", WHITEN_SO, model_file]), wanted)


def test_contract_on_the_newest_sqlite():
    node = node_with_sqlite()
    need(node, "Node with node:sqlite")
    quiet = "--disable-warning=ExperimentalWarning"
    done = execute([node, quiet, HERE / "contract.mjs", WHITEN_SO, ROOT / "sql" / "contract.sql"])
    print(done.stdout.splitlines()[-1])
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def on_the_oldest(*arguments):
    need((OLDEST / "libsqlite3.so.0").exists(), "SQLite 3.38")
    return execute([sys.executable, *arguments], cwd=ROOT, LD_LIBRARY_PATH=str(OLDEST), WHITEN_COUNTS="")


def test_contract_on_the_oldest_sqlite(tmp_path):
    version = on_the_oldest("-c", "import sqlite3; print(sqlite3.sqlite_version)").stdout
    assert version.startswith("3.38.")
    chosen = [ROOT / "tests" / "surface" / f"test_{name}.py" for name in ("contract", "lists", "errors")]
    done = on_the_oldest("-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", *chosen)
    print(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout


def test_bits_on_the_oldest_sqlite(tmp_path, db):
    bits.write_database(tmp_path / "inputs.db")
    done = on_the_oldest(ROOT / "tests" / "bits" / "bits.py", tmp_path / "inputs.db", WHITEN_SO)
    assert done.returncode == 0, done.stderr
    expected = (ROOT / "tests" / "bits" / "bits.expected").read_text(encoding="ascii").splitlines()
    assert done.stdout.splitlines() == [line for line in expected if not line.startswith(("#", "unfused"))]
    assert one(db, "SELECT sqlite_version()") != "3.38.2"
