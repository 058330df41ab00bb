"""Power cuts: the scripts that write, killed with SIGKILL at random moments, then run again; a full disk; a
read-only database. Every row is migrated once, none is lost, the database is sound, in WAL and rollback mode.

WHITEN_KILLS kills in all (10, or 200 with `make power`), dealt out to the scripts and journal modes; each begins
with a fresh copy, hits a script at work, and takes the whole process group, pipes included. What a SIGKILL cannot
show is a disk that loses what it acknowledged: that is SQLite's own promise, and its tests.
"""

import itertools
import os
import signal
import sqlite3
import subprocess
import time

import numpy
import pytest
from conftest import vec
from test_scripts import close_to, command, draw, fill, whitened

KILLS = int(os.environ.get("WHITEN_KILLS") or 10)
N, DIM, K, BATCH = 3000, 48, 16, 100
SETTINGS = {
    "import_raw": {"file": "x.f32", "dim": DIM},
    "import_npy": {"file": "x.npy"},
    "import_column": {"encoding": "json"},
    "fit": {"model": "default", "k": DIM, "replace": 1},
    "apply": {"model": "default", "batch": BATCH, "verify": 0},
}
SCRIPTS = list(SETTINGS)
CASES = list(itertools.product(SCRIPTS, ["delete", "wal"]))
RESULT = {
    "fit": ("whitening", "SELECT name, n, d, k FROM whitening WHERE k = d"),
    "apply": ("whitened", "SELECT id, v, model_hash FROM whitened ORDER BY id"),
}


class Migration:
    """A script, the database it works on, as it was, and what the script leaves when nothing happens."""

    def __init__(self, script, journal, folder, rng):
        self.script, self.folder, self.path = script, folder, folder / "my.db"
        self.table, self.query = RESULT.get(script, ("imported", "SELECT id, v FROM imported ORDER BY id"))
        x = draw(rng, N, DIM)
        numpy.save(folder / "x.npy", x)
        x.tofile(folder / "x.f32")
        base = sqlite3.connect(self.path, isolation_level=None)
        base.execute(f"PRAGMA journal_mode = {journal}")
        fill(base, x)
        base.close()
        self.run_other("fit", model="default", k=K)
        if script == "import_column":
            base = sqlite3.connect(self.path, isolation_level=None)
            base.create_function("json", 1, lambda v: str(numpy.frombuffer(v, "<f4").astype(float).tolist()))
            base.execute("UPDATE documents SET embedding = json(embedding)")
            base.close()
        self.before = self.path.read_bytes()
        self.documents = self.read("SELECT id, embedding FROM documents ORDER BY id")
        start = time.monotonic()
        assert self.run().returncode == 0
        self.duration = time.monotonic() - start
        self.wanted = self.result()
        if script.startswith("import"):
            first = 1 if script == "import_column" else 0
            assert self.wanted == [(i, vec(row)) for i, row in enumerate(x, first)]
        elif script == "fit":
            assert self.wanted == [("default", N, DIM, DIM)]
        else:
            assert [i for i, _, _ in self.wanted] == list(range(1, N + 1))
            assert close_to([v for _, v, _ in self.wanted], whitened(x, k=K))

    def arguments(self, *before):
        return command(self.script, self.path, *before, **SETTINGS[self.script])

    def run(self, *before, options=()):
        shell, *rest = self.arguments(*before)
        return self.finish([shell, *options, *rest])

    def run_other(self, script, **settings):
        assert self.finish(command(script, self.path, **settings)).returncode == 0

    def finish(self, arguments):
        return subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=120,
            cwd=self.folder,
        )

    def kill_after(self, seconds):
        """Whether it was still at work."""
        shell = subprocess.Popen(
            self.arguments(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            start_new_session=True,
        )
        time.sleep(seconds)
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return shell.wait() == -signal.SIGKILL

    def restore(self):
        for path in [*self.folder.glob("my.db*"), *self.folder.glob(".whiten-*")]:
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
        assert self.read("SELECT name FROM whitening") == [("default",)], "the model, old or new"
        found = self.result()
        assert found == self.wanted[: len(found)], "other rows than those of an undisturbed run"
        if self.script == "apply":
            assert len(found) % BATCH == 0, "a part of a batch"
        else:
            assert len(found) in (0, len(self.wanted)), "a part of a transaction"
        return found

    def check_again(self, found):
        """Runs it again: it goes on, or refuses since all is done; then everything is there once."""
        done = self.run()
        if found and self.script.startswith("import"):
            assert done.returncode != 0 and "expected a new name" in done.stderr
        else:
            assert (done.returncode, done.stderr) == (0, "")
        assert self.check_sound() == self.wanted


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda case: "-".join(CASES[case]))
def test_killed(case, chance, rng, tmp_path):
    kills = KILLS // len(CASES) + (case < KILLS % len(CASES))
    migration, runs, killed, partly = Migration(*CASES[case], tmp_path, rng), 0, 0, 0
    while killed < kills:
        runs += 1
        assert runs < 20 + 10 * kills, "the shell is too quick to be killed"
        migration.restore()
        if migration.kill_after(chance.random() * migration.duration):
            killed += 1
        else:
            migration.duration *= 0.8
        found = migration.check_sound()
        partly += 0 < len(found) < len(migration.wanted)
        migration.check_again(found)
    print(f"{runs} runs, {killed} of them killed at work, {partly} between two batches")


@pytest.mark.parametrize("script, journal", CASES)
def test_no_more_pages(script, journal, chance, rng, tmp_path):
    """A limit of the connection: the error is that of a full disk."""
    migration = Migration(script, journal, tmp_path, rng)
    migration.restore()
    ((pages,),) = migration.read("PRAGMA page_count")
    for more in (0, 40) if script == "apply" else (0,):
        done = migration.run(f"PRAGMA max_page_count = {pages + more}")
        assert done.returncode != 0 and "database or disk is full" in done.stderr
        found = migration.check_sound()
        assert len(found) < len(migration.wanted) and bool(found) == (more > 0)
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
    resize(used + (160 if script == "apply" else 8))
    done = migration.run()
    assert done.returncode != 0 and done.stderr
    assert (
        "full" in done.stderr or "disk I/O error" in done.stderr or "cannot be written" in done.stderr
    ), done.stderr
    resize(32768)
    found = migration.check_sound()
    assert len(found) < len(migration.wanted)
    for left in folder.glob(".whiten-*"):
        left.unlink()
    migration.check_again(found)


@pytest.mark.parametrize("script, journal", CASES)
def test_read_only(script, journal, rng, tmp_path):
    migration = Migration(script, journal, tmp_path, rng)
    migration.restore()
    done = migration.run(options=["-readonly"])
    assert done.returncode != 0 and "attempt to write a readonly database" in done.stderr
    assert migration.check_sound() == []
    assert migration.path.read_bytes() == migration.before
    migration.check_again([])
