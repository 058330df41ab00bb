"""Loading: what the environment asks for and this build or machine does not have; functions that are in use."""

import os
import sqlite3
import subprocess
import sys

import pytest
from conftest import ENTRY, PATIENCE, WHITEN_SO, connect, load_into

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


def test_again_while_a_statement_runs():
    """SQLite does not replace a function that may be in use: the error says so, and what there was still works."""
    db = connect()
    running = db.execute("SELECT whiten_version() FROM json_each('[1,2,3]')")
    running.fetchone()
    with pytest.raises(sqlite3.OperationalError, match="whiten: cannot register embedding: .*active statements"):
        load_into(db)
    assert len(running.fetchall()) == 2
    db.enable_load_extension(True)
    db.load_extension(str(WHITEN_SO))
    assert db.execute("SELECT embedding_dim('[1,2]')").fetchone() == (2,)
    db.close()
