"""Threads and processes: 32 threads with a connection each, fork, and a thousand times load and close.

The programs are tests/threads/*.c, compiled here with CC and WHITEN_CFLAGS; `make tsan` runs them, and a build of
the extension, under ThreadSanitizer. `make blas` runs this and the core of the suite on each build of OpenBLAS that
Debian has.
"""

import os
import re
import shlex
import subprocess

import bits
import pytest
from conftest import PATIENCE, ROOT, WHITEN_SO

HERE = ROOT / "tests" / "threads"
CFLAGS = shlex.split(os.environ.get("WHITEN_CFLAGS", "-O1 -g"))
THREAD_SANITIZER = "-fsanitize=thread" in CFLAGS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("threads")
    bits.write_database(path / "inputs.db")
    return path


@pytest.fixture
def run(folder):
    def start(name, *arguments, statements=True, sources=(), **environment):
        program = folder / name
        if not program.exists():
            compiler = shlex.split(os.environ.get("CC") or "gcc")
            command = [*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *CFLAGS, "-rdynamic", "-o", program]
            parts = ["-DWHITEN_STATIC", f"-I{ROOT / 'ext'}", *(ROOT / "ext" / source for source in sources)]
            subprocess.run([*command, HERE / f"{name}.c", *parts, "-lsqlite3", "-lpthread", "-lm", "-ldl"], check=True)
        options = f"suppressions={HERE / 'tsan.supp'}:die_after_fork=0"
        if name == "cache":  # in a child, threads that ended in its parent are none to join
            options += ":report_thread_leaks=0"
        files = [bits.SQL, HERE / "fits.sql"] if statements else []
        done = subprocess.run(
            list(map(str, [program, WHITEN_SO, folder / "inputs.db", *files, *arguments])),
            env={**os.environ, "TSAN_OPTIONS": options, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        print(done.stdout)
        return done.stdout

    return start


def test_32_threads(run):
    assert run("parallel", 32).endswith(": 0 differences\n")


def test_threads_that_have_threads(run):
    """The fits, whiten_rows and cosine_join start workers of their own."""
    threads = 4 if THREAD_SANITIZER else 8
    assert run("parallel", threads, WHITEN_THREADS="2", WHITEN_KERNEL="portable").endswith(
        ": 0 differences\n"
    )


@pytest.mark.skipif(THREAD_SANITIZER, reason="it has a pthread_create of its own")
@pytest.mark.parametrize("cap", [None, 3])
def test_no_more_threads_than_whiten_config_says(run, cap):
    """On a machine that is made to have 8 cores, of which WHITEN_THREADS leaves 3; or as many as a quota leaves."""
    environment = {"WHITEN_THREADS": str(cap)} if cap else {}
    said = run("bounded", statements=False, **environment)
    most = int(re.fullmatch(r"up to (\d) threads: 0 wrong\n", said).group(1))
    assert most == cap if cap else 1 <= most <= 8


@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="ASan holds no lock of its allocator across fork()"
)
def test_fork(run):
    assert ": 0 children failed, 0 differences" in run("fork", 10)


@pytest.mark.skipif(
    THREAD_SANITIZER or "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="a thread that sleeps may be one of the sanitizer's",
)
def test_a_fork_waits_for_one_call(run):
    assert run("turn", statements=False) == "1 of all calls before the fork\n"


@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="ASan holds no lock of its allocator across fork()"
)
def test_the_cache_of_whiten_index(run):
    said = run("cache", 16, 500 if THREAD_SANITIZER else 5000, statements=False, sources=["index/cache.c", "host/memory.c", "core/system.c"])
    assert said == "16 threads: some found, 0 wrong, 0 children failed, few kept, 0 left\n"


def test_searches_while_others_write(run):
    assert run("searches", 8, 20, statements=False) == "8 threads, 360 searches: 0 wrong\n"


@pytest.mark.skipif("libasan" in os.environ.get("LD_PRELOAD", ""), reason="ASan's quarantine grows by intent")
def test_a_thousand_loads(run):
    """Without the cache of malloc, which would count what it keeps as allocated."""
    tunables = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
    times = 100 if THREAD_SANITIZER else 1000
    assert run("reload", times, statements=False, GLIBC_TUNABLES=tunables).startswith(
        f"{times} times: 0 bytes"
    )


ROWS = (
    "CREATE TEMP TABLE {0} AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {1})"
    " SELECT i AS id, embedding('[' || substr(replace(hex(zeroblob(255)), '00', ',' || (i % 7)), 2) || ',' || i || ']')"
    " AS v FROM n"
)
MODEL = "(SELECT whiten_fit(v, 2, '{{\"ridge\": 1}}') FROM {0})"


@pytest.mark.skipif(THREAD_SANITIZER, reason="pthread_create is ThreadSanitizer's own")
def test_no_threads_for_little_work(run):
    """One row, one query: none. Work for several: some. The number is what WHITEN_THREADS allows, the caller apart."""
    little = [
        "SELECT whiten_fit(v, 1, '{\"ridge\": 1}') FROM few",
        "SELECT * FROM whiten_rows(" + MODEL.format("few") + ", 'few', 'v')",
        "SELECT * FROM few, cosine_topk('many', 'v', few.v, 3)",
        "SELECT * FROM cosine_join('few', 'v', 'few', 'v', 3)",
        "SELECT * FROM cosine_join('many', 'v', 'single', 'v', 3)",
        "SELECT * FROM cosine_join('single', 'v', 'many', 'v', 3)",
        "SELECT * FROM single, whiten_rows(" + MODEL.format("few") + ", 'single', 'v')",
    ]
    much = [
        "SELECT whiten_fit(v, 1, '{\"ridge\": 1}') FROM many",
        "SELECT * FROM whiten_rows(" + MODEL.format("few") + ", 'many', 'v')",
        "SELECT * FROM cosine_join('many', 'v', 'many', 'v', 3)",
    ]
    tables = [ROWS.format("single", 1), ROWS.format("few", 20), ROWS.format("many", 3000)]
    out = run("count", *tables, *little, *much, statements=False, WHITEN_THREADS="2", OPENBLAS_NUM_THREADS="1")
    counts = [int(line) for line in out.split()]
    assert counts == [0] * 3 + [0] * len(little) + [1] * len(much)
