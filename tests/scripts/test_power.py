"""Power cuts: the scripts that write, killed with SIGKILL, then run again; a full disk; a read-only database. Every
row is migrated once, none is lost, the database is sound, in WAL and rollback mode.

WHITEN_KILLS kills in all (10, or 200 with `make power`), dealt out to the scripts and journal modes; each begins
with a fresh copy, and comes instead of one of the calls that change a file, drawn from all of them (kill.c). What a
SIGKILL cannot show is a disk that loses what it acknowledged: that is SQLite's own promise, and its tests.
"""

import atexit
import functools
import itertools
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest
from conftest import PATIENCE, ROOT
from test_scripts import close_to, command, draw, fill, whitened

KILLS = int(os.environ.get("WHITEN_KILLS") or 10)
N, DIM, K, BATCH = 3000, 48, 16, 100
SETTINGS = {
    "fit": {"model": "second", "k": DIM},
    "apply": {"model": "default", "batch": BATCH, "verify": 0},
    "migrate_model": {"model": "shared", "target": "migrated", "batch": BATCH, "verify": 0},
}
SCRIPTS = list(SETTINGS)
CASES = list(itertools.product(SCRIPTS, ["delete", "wal"]))
RESULT = {
    "fit": ("whitening", "SELECT name, length(model) FROM whitening ORDER BY name"),
    "apply": ("whitened", "SELECT id, v, model_hash FROM whitened ORDER BY id"),
    "migrate_model": ("migrated", "SELECT id, v, model_hash FROM migrated ORDER BY id"),
}


class Migration:
    """A script, the database it works on, as it was, and what the script leaves when nothing happens."""

    def __init__(self, script, journal, folder, rng):
        self.script, self.folder, self.path = script, folder, folder / "my.db"
        self.table, self.query = RESULT[script]
        x = draw(rng, N, DIM)
        base = sqlite3.connect(self.path, isolation_level=None)
        base.execute(f"PRAGMA journal_mode = {journal}")
        fill(base, x)
        # Another model's vectors of every fifth document.
        other = x[::5] @ rng.standard_normal((DIM, DIM)) + rng.standard_normal((N // 5, DIM)) / 9
        fill(base, other, table="sample", ids=range(1, N + 1, 5))
        base.close()
        self.run_other("fit", model="default", k=K)
        self.before = self.path.read_bytes()
        self.documents = self.read("SELECT id, embedding FROM documents ORDER BY id")
        self.empty = self.result()
        counted = folder / "calls"
        assert self.run(environment={"KILL_COUNT": str(counted)}).returncode == 0
        self.calls = int(counted.read_text())
        self.wanted = self.result()
        if script == "fit":
            assert [name for name, _ in self.wanted] == ["default", "second"] and self.wanted[0][1] < self.wanted[1][1]
        else:
            assert [i for i, _, _ in self.wanted] == list(range(1, N + 1))
        if script == "apply":
            assert close_to([v for _, v, _ in self.wanted], whitened(x, k=K))

    def arguments(self, *before):
        return command(self.script, self.path, *before, **SETTINGS[self.script])

    def run(self, *before, options=(), environment={}):
        shell, *rest = self.arguments(*before)
        return self.finish([shell, *options, *rest], environment)

    def run_other(self, script, **settings):
        assert self.finish(command(script, self.path, **settings)).returncode == 0

    def finish(self, arguments, environment={}):
        if environment:
            preload = [str(kill_library()), *os.environ.get("LD_PRELOAD", "").split()]
            environment = {**os.environ, "LD_PRELOAD": " ".join(preload), **environment}
        return subprocess.run(
            arguments,
            env=environment or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=PATIENCE,
            cwd=self.folder,
        )

    def kill_at(self, call):
        assert self.run(environment={"KILL_AT": str(call)}).returncode == -signal.SIGKILL

    def restore(self):
        for path in self.folder.glob("my.db*"):
            path.unlink()
        self.path.write_bytes(self.before)

    def read(self, sql):
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def result(self):
        there = self.read(f"SELECT 1 FROM sqlite_schema WHERE name = '{self.table}'")
        return self.read(self.query) if there else []

    def check_sound(self):
        """What holds at every moment; returns what is there of the result."""
        assert self.read("PRAGMA integrity_check") == [("ok",)]
        assert self.read("SELECT id, embedding FROM documents ORDER BY id") == self.documents
        found = self.result()
        assert found == self.wanted[: len(found)], "other rows than those of an undisturbed run"
        if self.script != "fit":
            assert len(found) % BATCH == 0, "a part of a batch"
        return found

    def check_again(self, found):
        """Runs it again: it goes on, or refuses since all is done; then everything is there once."""
        done = self.run()
        if self.script == "fit" and found == self.wanted:
            assert done.returncode != 0 and "expected a new name" in done.stderr
        else:
            assert (done.returncode, done.stderr) == (0, "")
        assert self.check_sound() == self.wanted


@functools.lru_cache(maxsize=None)
def kill_library():
    """kill.c, compiled; it lives as long as the tests do."""
    folder = pathlib.Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    source, library = ROOT / "tests" / "scripts" / "kill.c", folder / "kill.so"
    compiler = os.environ.get("CC") or "cc"
    subprocess.run([*compiler.split(), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda case: "-".join(CASES[case]))
def test_killed(case, chance, rng, tmp_path):
    kills = KILLS // len(CASES) + (case < KILLS % len(CASES))
    migration = Migration(*CASES[case], tmp_path, rng)
    first_and_last = [1, migration.calls][:kills]
    others = [chance.randint(1, migration.calls) for _ in range(kills - len(first_and_last))]
    for call in first_and_last + others:
        migration.restore()
        migration.kill_at(call)
        migration.check_again(migration.check_sound())


@pytest.mark.parametrize("script, journal", CASES)
def test_no_more_pages(script, journal, chance, rng, tmp_path):
    """A limit of the connection: the error is that of a full disk."""
    migration = Migration(script, journal, tmp_path, rng)
    migration.restore()
    ((pages,),) = migration.read("PRAGMA page_count")
    for more in (0,) if script == "fit" else (0, 60):
        done = migration.run(f"PRAGMA max_page_count = {pages + more}")
        assert done.returncode != 0 and "database or disk is full" in done.stderr
        found = migration.check_sound()
        assert len(found) < len(migration.wanted) and (found > migration.empty) == (more > 0)
    migration.check_again(found)


@pytest.fixture
def small_disk(tmp_path):
    """A folder with a disk of its own, and how to give it another size in kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", str(folder)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no disk can be mounted here")

    def resize(kilobytes):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(folder)], check=True)

    yield folder, resize
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("script, journal", CASES)
def test_full_disk(script, journal, small_disk, rng):
    folder, resize = small_disk
    migration = Migration(script, journal, folder, rng)
    migration.restore()
    used = sum(path.stat().st_blocks for path in folder.iterdir()) // 2
    resize(used + (8 if script == "fit" else 160))
    done = migration.run()
    assert done.returncode != 0 and done.stderr
    assert "full" in done.stderr or "disk I/O error" in done.stderr, done.stderr
    resize(32768)
    found = migration.check_sound()
    assert len(found) < len(migration.wanted)
    migration.check_again(found)


@pytest.mark.parametrize("script, journal", CASES)
def test_read_only(script, journal, rng, tmp_path):
    migration = Migration(script, journal, tmp_path, rng)
    migration.restore()
    done = migration.run(options=["-readonly"])
    assert done.returncode != 0 and "attempt to write a readonly database" in done.stderr
    assert migration.check_sound() == migration.empty
    assert migration.path.read_bytes() == migration.before
    migration.check_again(migration.empty)
