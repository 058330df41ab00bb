"""Loading: what the environment asks for and this build or machine does not have; again, in one connection; for good."""

import os
import pathlib
import re
import shlex
import shutil
import sqlite3
import struct
import subprocess
import sys

import pytest
from conftest import ENTRY, PATIENCE, ROOT, WHITEN_SO, connect, load_into, one

LOAD = """
import sqlite3, sys
db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
try:
    db.execute("SELECT load_extension(?, ?)", sys.argv[1:])
    print(db.execute("SELECT whiten_config()").fetchone()[0])
except sqlite3.OperationalError as error:
    print(str(error).removeprefix("error during initialization: "))
"""


def load(**environment):
    """What a process with this environment prints: whiten_config(), or why it was not loaded."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(WHITEN_SO), ENTRY],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return done.stdout


@pytest.mark.parametrize("name", ["", "sse2", "AVX2", "portable ", "avx1024", "neon-or-not"])
def test_a_kernel_that_is_none(name):
    assert load(WHITEN_KERNEL=name).startswith(f"whiten: WHITEN_KERNEL is '{name}', expected 'portable', or ")


def test_the_portable_kernel_is_everywhere():
    assert '"kernel":"portable"' in load(WHITEN_KERNEL="portable")


@pytest.mark.parametrize("threads", ["", "0", "-1", "two", "2.5", "2 ", "99999999999"])
def test_no_number_of_threads(threads):
    assert load(WHITEN_THREADS=threads) == f"whiten: WHITEN_THREADS is '{threads}', expected a positive integer\n"


def test_one_thread():
    assert '"threads":1' in load(WHITEN_THREADS="1").replace('"blas_threads"', "")


AGAIN = "SELECT load_extension(?, ?)"


@pytest.fixture
def loaded():
    db = connect()
    db.enable_load_extension(True)
    yield db
    db.close()


@pytest.fixture
def copy(tmp_path):
    """The same library elsewhere: the process loads it a second time, with data of its own."""
    path = tmp_path / WHITEN_SO.name
    shutil.copy(WHITEN_SO, path)
    return str(path)


def whole(db):
    """Every function is there, once, and works."""
    db.execute("CREATE TABLE IF NOT EXISTS t(v)")
    db.execute("INSERT INTO t SELECT embedding(value) FROM json_each('[[1,2],[3,1],[2,5]]')")
    assert one(db, "SELECT count(*) FROM cosine_topk('t', 'v', '[1,1]', 2)") == 2
    model = one(db, "SELECT whiten_fit(v) FROM t")
    assert one(db, "SELECT whiten_check(?) AND whiten_version() IS NOT NULL", model) == 1
    return True


def test_twice(loaded):
    """In one statement, in two, and through the API."""
    for _ in range(2):
        loaded.execute("SELECT load_extension(?1, ?2), load_extension(?1, ?2)", (str(WHITEN_SO), ENTRY)).fetchall()
        load_into(loaded)
        loaded.enable_load_extension(True)
    assert whole(loaded)


def test_twice_in_a_new_connection():
    """The second call of a statement meets what the first has registered."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?1, ?2), load_extension(?1, ?2)", (str(WHITEN_SO), ENTRY)).fetchall()
    assert whole(db)
    db.close()


def test_another_copy(loaded, copy):
    parsed = "SELECT whiten_config() ->> '$.models.parsed'"
    one(loaded, "SELECT whiten_info(whiten_import('[1]', '[0]'))")
    loaded.execute(AGAIN, (copy, ENTRY))
    assert one(loaded, parsed) == 1 and whole(loaded)
    second = sqlite3.connect(":memory:", isolation_level=None)
    load_into(second, copy)
    load_into(second)
    assert whole(second)
    second.close()


@pytest.mark.parametrize("other", ["copy", "same"])
def test_again_while_statements_run(loaded, copy, other):
    """Nothing is replaced, so what runs goes on."""
    running = loaded.execute("SELECT whiten_version(), whiten_info(whiten_import('[1]', '[0]')) FROM json_each('[1,2,3]')")
    first = running.fetchone()
    path = copy if other == "copy" else str(WHITEN_SO)
    for _ in range(3):
        loaded.execute(AGAIN, (path, ENTRY)).fetchall()
    assert running.fetchall() == [first, first]
    assert whole(loaded)


def test_another_version(copy):
    """Told by what whiten_version() says; both are named, and what was there stays."""
    ours = one(connect(), "SELECT whiten_version()")
    for version in ("0.0.9", "99.0.0-dev", ours + ".1"):
        db = sqlite3.connect(":memory:")
        db.create_function("whiten_version", 0, lambda version=version: version)
        for path in (WHITEN_SO, copy):
            with pytest.raises(sqlite3.OperationalError) as raised:
                load_into(db, path)
            said = f"whiten: this connection has version {version} loaded, expected {ours}, as this library is"
            assert said in str(raised.value)
        assert db.execute("SELECT whiten_version()").fetchone() == (version,)
        assert db.execute("SELECT count(*) FROM pragma_function_list WHERE name = 'whiten_fit'").fetchone() == (0,)
        db.close()


def test_what_a_failure_left_is_made_whole():
    """A connection that has some of the functions, but not the one that is registered last: loading goes on."""
    if WHITEN_SO.stem != "whiten":
        pytest.skip("the entry point cannot be told from the name of the file")
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.create_function("whiten_fit", 1, lambda v: None)
    db.create_function("whiten_config", 0, lambda: "{}")
    db.enable_load_extension(True)
    db.load_extension(str(WHITEN_SO))
    assert whole(db)
    db.close()


def test_a_function_of_that_name_that_is_another():
    """Whose it is cannot be asked."""
    db = sqlite3.connect(":memory:")
    db.create_function("whiten_version", 1, lambda x: x)
    with pytest.raises(sqlite3.OperationalError, match="whiten: cannot see what is loaded: wrong number of arguments"):
        load_into(db)
    db.close()


@pytest.mark.parametrize("denied", [sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_SELECT])
@pytest.mark.parametrize("verdict", [sqlite3.SQLITE_DENY, sqlite3.SQLITE_IGNORE])
def test_a_host_that_authorizes(denied, verdict):
    """What an authorizer hides from the entry point is taken for not there, and loading goes on."""
    if WHITEN_SO.stem != "whiten":
        pytest.skip("the entry point cannot be told from the name of the file")
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.enable_load_extension(True)
    db.set_authorizer(lambda action, *names: verdict if action == denied else sqlite3.SQLITE_OK)
    db.load_extension(str(WHITEN_SO))
    db.set_authorizer(None)
    assert whole(db)
    db.close()


def test_loading_reads_no_schema(tmp_path):
    """The file may be locked, or not yet readable to this connection (newer SQLite then runs no SELECT at all)."""
    if WHITEN_SO.stem != "whiten":
        pytest.skip("the entry point cannot be told from the name of the file")
    path = tmp_path / "no.db"
    path.write_bytes(b"this is no database" * 100)
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    db.load_extension(str(WHITEN_SO))
    assert "whiten_fit" in {row[0] for row in db.execute("PRAGMA function_list")}
    db.close()


STATIC = """
#include <sqlite3.h>
#include <stdio.h>
#include "whiten.h"
static int logged;
static void count(void *p, int code, const char *text) {
  (void)p;
  fprintf(stderr, "%d %s\\n", code, text);
  logged++;
}
static int show(void *p, int n, char **values, char **names) {
  (void)p, (void)n, (void)names;
  return printf("%s\\n", values[0]) < 0;
}
int main(int argc, char **argv) {
  sqlite3 *db;
  char *error = NULL;
  sqlite3_config(SQLITE_CONFIG_LOG, count, NULL);
  sqlite3_auto_extension((void (*)(void))sqlite3_whiten_init);
  for (int i = 0; i < 2; i++) {
    if (sqlite3_open(":memory:", &db) != SQLITE_OK || sqlite3_errcode(db) != SQLITE_OK) return 1;
    sqlite3_enable_load_extension(db, 1);
    if (argc > 1 && sqlite3_load_extension(db, argv[1], "sqlite3_whiten_init", &error) != SQLITE_OK) return 2;
    if (sqlite3_exec(db, "SELECT whiten_config() ->> '$.models.parsed'", show, NULL, &error) != SQLITE_OK) return 3;
    sqlite3_close(db);
  }
  return logged;
}
"""


def program(folder, source, *libraries):
    path = folder / "program.c"
    path.write_text(source, encoding="ascii")
    flags = subprocess.check_output(
        ["pkg-config", "--cflags", "--libs", "openblas", "lapacke", "sqlite3"], text=True
    ).split()
    command = [*shlex.split(os.environ.get("CC") or "cc"), "-o", folder / "program", f"-I{ROOT / 'ext'}", path]
    subprocess.run([*command, *libraries, *flags, "-lpthread", "-lm"], check=True)
    return folder / "program"


@pytest.mark.parametrize("linked", ["libwhiten.a", WHITEN_SO.name])
def test_linked_and_loaded(tmp_path, copy, linked):
    """An application that registers the entry point for every connection, from either library, and then loads the
    extension as well. Nothing may be logged: to find no functions yet is no error."""
    library = WHITEN_SO.parent / linked
    if not library.exists() or re.search(r" U __(asan|ubsan|tsan|gcov)", subprocess.getoutput(f"nm {library}")):
        pytest.skip("no static library beside it, or one that wants the runtime of its instrument")
    path = program(tmp_path, STATIC, library)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(WHITEN_SO.parent)}
    for arguments in ([], [WHITEN_SO], [copy]):
        done = subprocess.run([path, *arguments], env=environment, stdout=subprocess.PIPE, text=True)
        assert (done.returncode, done.stdout) == (0, "0\n0\n"), arguments


def without_nodelete(path):
    """Clears the flag of the linker that says the library stays, as on systems whose linker has none (macOS)."""
    data = bytearray(path.read_bytes())
    (at,) = struct.unpack_from("<Q", data, 32)  # ELF64's program headers
    size, count = struct.unpack_from("<HH", data, 54)
    for header in range(at, at + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, header)
        if kind == 2:  # PT_DYNAMIC
            for entry in range(offset, offset + length, 16):
                tag, value = struct.unpack_from("<QQ", data, entry)
                if tag == 0x6FFFFFFB:  # DT_FLAGS_1
                    struct.pack_into("<Q", data, entry + 8, value & ~8)
    path.write_bytes(data)


UNLOADED = """
import sqlite3, sys
for _ in range(2):
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?, ?)", sys.argv[1:]).fetchall()
    db.execute("SELECT whiten_fit(value, 2) FROM json_each('[[1,2],[3,1],[2,5]]')").fetchall()
    db.close()
    print(sys.argv[1] in open("/proc/self/maps").read())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads ELF and /proc")
def test_stays_without_the_linkers_help(copy):
    """SQLite closes the library with the connection; it holds itself."""
    without_nodelete(pathlib.Path(copy))
    assert "NODELETE" not in subprocess.check_output(["readelf", "-d", copy], text=True)
    done = subprocess.run([sys.executable, "-c", UNLOADED, copy, ENTRY], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "True\nTrue\n"
