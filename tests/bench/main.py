"""The command line of the benchmarks: see `run`."""

import argparse
import datetime
import importlib.util
import os
import pathlib
import platform
import sqlite3
import sys

import case_align
import case_fit
import case_growth
import case_index
import case_json
import case_pool
import case_search
import case_shards
import case_transform
import case_tune
import client
from harness import Failed, Side, Table, compare

CASES = {}
MODULES = (
    case_search, case_fit, case_transform, case_pool, case_json, case_growth, case_index, case_align, case_tune,
    case_shards,
)
for module in MODULES:
    CASES.update(module.CASES)


class Options:
    """rows: of the tables; repeat: repetitions at least; share: of the time that a comparison may take."""

    def __init__(self, rows, repeat, share=1.0):
        self.rows, self.repeat, self.share = rows, repeat, share

    def with_repeat(self, repeat):
        return Options(self.rows, repeat, 0)


def _arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description="Measures the extension against its peers."
    )
    parser.add_argument("case", nargs="?", default="", help="how the names of the cases begin (default: all)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows: for trying out")
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="repetitions at least (default 5)")
    parser.add_argument(
        "--cpu", action="store_true", help="count processor time: for one thread on a busy machine"
    )
    parser.add_argument("--list", action="store_true", help="list the cases")
    return parser.parse_args()


def _processor():
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _header(options):
    """When, where and how; and what the machine can do."""
    once = options.with_repeat(3)
    config = compare(once, config=Side("sides:config")).rows[0]["config"]
    cores = config["threads"]
    r = compare(once, one=Side("sides:machine", 1), all=Side("sides:machine"))
    best = {
        (side, key): max(r.of(side, key)) for side in ("one", "all") for key in ("memory", "dsyrk", "sgemm")
    }
    lines = [
        f"{datetime.date.today()}, {_processor()}, {cores} threads, kernel {config['kernel']},",
        f"SQLite {config['sqlite']}, {config['blas']}.",
        f"One thread reads {best['one', 'memory']:.1f} GB/s from memory.",
        f"GFLOP/s on one thread, on all: dsyrk {best['one', 'dsyrk']:.0f}, {best['all', 'dsyrk']:.0f};",
        f"sgemm {best['one', 'sgemm']:.0f}, {best['all', 'sgemm']:.0f}.",
        f"Tables of {options.rows:,} rows unless said otherwise, d = 768.",
        f"At least {options.repeat} repetitions. Command: {' '.join(['tests/bench/run', *sys.argv[1:]])}",
    ]
    print("\n".join(lines))
    print("Ratio: peer / ours, so above 1 is faster; where the bar is <= or 1 +-, ours / peer.\n", flush=True)


def main():
    arguments = _arguments()
    chosen = {name: run for name, run in CASES.items() if name.startswith(arguments.case)}
    if arguments.list or not chosen:
        print("\n".join(CASES))
        return 0 if arguments.list else f"bench: no case is called {arguments.case}"
    if arguments.cpu:
        os.environ["BENCH_CPU"] = "1"
    if not client.WHITEN_SO.exists():
        return f"bench: {client.WHITEN_SO} is not there: run make"
    if not hasattr(sqlite3.Connection, "enable_load_extension") or importlib.util.find_spec("numpy") is None:
        return f"bench: {sys.executable} has no numpy or loads no extensions: PYTHON names another one"
    client.build()
    options = Options(10_000 if arguments.quick else 100_000, arguments.repeat)
    _header(options)
    table = Table()
    for name, run in chosen.items():
        try:
            run(options, table)
        except Failed as error:
            table.failure(name, error)
    counts = f"{table.reached} bars reached, {table.missed} missed, {table.skipped} rows skipped"
    print(f"\n{counts}, {table.failed} failed")
    return 1 if table.failed else 0


sys.exit(main())
