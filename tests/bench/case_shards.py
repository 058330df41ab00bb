"""A table split over files: examples/cluster/shards.sh, which fits one model to all, indexes each and searches all, with a
worker a file."""

import pathlib
import shutil
import sqlite3
import subprocess
import time

import client
import data

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIM, K, SHARDS = 256, 100, (1, 2, 4)


def _split(source, shards):
    """The files, made once; rows in turn."""
    files = []
    for i in range(shards):

        def fill(db, i=i):
            db.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB)")
            db.execute("ATTACH ? AS whole", (str(source),))
            db.execute(f"INSERT INTO documents SELECT rowid, v FROM whole.t WHERE rowid % {shards} = {i}")

        files.append(data.database(f"{pathlib.Path(source).stem}_{i}_of_{shards}", fill))
    return files


def _seconds(options, *command):
    times = []
    for _ in range(options.repeat):
        start = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, capture_output=True, env={"PATH": "/usr/bin:/bin", "WHITEN": str(client.WHITEN_SO)})
        times.append(time.perf_counter() - start)
    return times


def shards(options, table):
    if shutil.which("sqlite3") is None:
        table.figure("shards", "there is no sqlite3")
        return
    source = data.vectors(options.rows, DIM)
    (query,) = sqlite3.connect(source).execute("SELECT v FROM t WHERE rowid = 7").fetchone()
    path = pathlib.Path(source).with_suffix(".query")
    path.write_bytes(query)
    script = ROOT / "examples" / "cluster" / "shards.sh"
    for count in SHARDS:
        files = _split(source, count)
        fit = _seconds(options, script, "fit", K, '{"ridge": 1}', *files)
        search = _seconds(options, script, "search", path, 10, *files)
        name = f"{options.rows:,} x {DIM} over {count} file{'s' * (count > 1)}, k = {K}"
        table.figure(f"{name}: fit and index", fit)
        table.figure(f"{name}: search, by processes of their own", search)


CASES = {"shards": shards}
