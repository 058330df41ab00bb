"""Writes tests/fuzz/seeds from valid values: a folder per target, a file per input, all small.

Run it again after a change of a format or of what the first bytes of a target's inputs mean.
"""

import json
import pathlib
import sqlite3
import struct
import sys

import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"
ROWS = "[[1,2,3],[2,1,0],[0.5,4,1],[3,3,3],[-1,0,2],[1,1,-2],[2,5,1]]"
OPTIONS = [
    {}, {"method": "zca"}, {"method": "pca-cor", "ridge": 0.1}, {"method": "zca-cor", "ridge": "oas"},
    {"method": "cholesky"}, {"remove": 1, "power": 0.5, "normalize": True}, {"precision": "single"},
]  # fmt: skip


def connect():
    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?, 'sqlite3_whiten_init')", (str(ROOT / "whiten.so"),))
    return db


def vectors(db):
    for i, text in enumerate(
        ["[1]", " [ -0.0 , 1e-45,3.4028235e38 ] ", "[0.1,2.5E+3,123456789012345678901234567890e-20]", "[1,,2]"]
    ):
        yield f"json{i}", b"\5" + text.encode()
    values = [1.5, -2, 0.25, 100]
    for i, kind in enumerate(["<f4", "<f8", "<f2"]):
        yield kind[1:], bytes([i]) + numpy.array(values, kind).tobytes()
    yield "bf16", b"\3" + numpy.array(values, "<f4").view("<u2")[1::2].tobytes()
    yield "i8", b"\4" + bytes([1, 255, 127, 128, 0])


def models(db):
    for i, options in enumerate(OPTIONS):
        sql = "SELECT whiten_fit(value, ?, ?) FROM json_each(?)"
        k = None if options.get("method") == "cholesky" else 2
        (model,) = db.execute(sql, (k, json.dumps(options), ROWS)).fetchone()
        yield f"fit{i}", bytes([i]) + model
    (model,) = db.execute("SELECT whiten_import('[1,0,2,1,0,3]', '[1,2,3]')").fetchone()
    yield "import", b"\7" + model
    sql = "SELECT whiten_solve(whiten_stats(value), 2, '{\"within\":0.5}', whiten_pair_stats(value, '[1,1,1]')) FROM json_each(?)"
    (model,) = db.execute(sql, (ROWS,)).fetchone()
    yield "within", b"\3" + model
    (model,) = db.execute("SELECT whiten_import('[1,1,1,1]', '[1,2]')").fetchone()
    yield "dependent", b"\0" + model
    sql = "SELECT whiten_align(whiten_pair_stats(value, embedding_truncate(value, 2)), ?, ?) FROM json_each(?)"
    for i, side in enumerate(["a", "b", "a->b", "b->a"]):
        (model,) = db.execute(sql, (side, json.dumps({"normalize": i % 2 == 0}), ROWS)).fetchone()
        yield f"align{i}", bytes([2 * i + 1]) + model


def stats(db):
    for i in range(6):
        (blob,) = db.execute("SELECT whiten_stats(value, ?) FROM json_each(?)", (i + 0.5, ROWS)).fetchone()
        yield f"stats{i}", bytes([i, i]) + blob
    (blob,) = db.execute("SELECT whiten_stats(value) FROM json_each('[[1],[2]]')").fetchone()
    yield "line", b"\7\0" + blob
    for i in range(6):
        sql = "SELECT whiten_pair_stats(value, json_array(key, key * key % 5, 1), ?) FROM json_each(?)"
        (blob,) = db.execute(sql, (i + 0.5, ROWS)).fetchone()
        yield f"pairs{i}", bytes([8 + i, i]) + blob
    (blob,) = db.execute("SELECT whiten_pair_stats(value, '[1]') FROM json_each('[[1,2],[2,2]]')").fetchone()
    yield "unlike", b"\17\0" + blob


def options(db):
    for i, value in enumerate(OPTIONS):
        yield f"options{i}", bytes([i]) + json.dumps(value).encode()
    for i, text in enumerate(["[]", "{", "null", '{"ridge":-1}', '{"colour":1}', '{"power":0,"power":1}', '{"ridge":1e300}']):
        yield f"wrong{i}", b"\2" + text.encode()


def tokens(db):
    states = numpy.arange(12, dtype="<f4").tobytes()
    masks = {0: b"", 1: b"[1,0,0.5,1]", 2: bytes([1, 0, 2, 1]), 3: struct.pack("<4q", 1, 0, 3, 2)}
    for mode in range(6):
        for kind, mask in masks.items():
            yield f"mode{mode}mask{kind}", bytes([3, mode, kind, len(mask)]) + mask + states


def chunks(db):
    """Zeros, whose hashes are repaired; rows that count up; one that would be refused."""
    for k in (1, 8, 9, 24):
        yield f"zeros{k}", bytes([1, k - 1, 129, 0, 0])
    counting = bytes(i * 37 % 251 for i in range(1700))
    yield "bytes", bytes([1, 7, 130, 3, 0]) + counting
    yield "blocks", bytes([1, 2, 0, 13, 2]) + counting
    yield "refused", bytes([0, 7, 130, 3, 0]) + counting
    yield "not_a_number", bytes([1, 0, 128, 0, 0]) + b"\xff" * 1620


def shadow(db):
    """No damage; one of each kind, with and without forged hashes; several at once."""
    yield "nothing", b""
    for what in range(8):
        for a in range(16):
            yield f"one{what}_{a}", bytes([what * 5 % 4, what, a, a * 7 % 31])
    for forges in range(4):
        yield f"many{forges}", bytes([forges]) + bytes(i * 37 % 251 for i in range(21))


def sql(db):
    for statement in range(40):
        yield f"statement{statement}", bytes([statement]) + bytes((statement * 7 + i * 5) % 23 for i in range(40))
        yield f"plain{statement}", bytes([statement])


def main():
    db = connect()
    count = size = 0
    for target in [vectors, models, stats, options, tokens, chunks, shadow, sql]:
        folder = SEEDS / target.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for name, data in target(db):
            (folder / name).write_bytes(data)
            count, size = count + 1, size + len(data)
    print(f"{count} seeds, {size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
