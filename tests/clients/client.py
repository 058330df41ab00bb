"""Python's sqlite3: client.py EXTENSION MODEL-FILE. What every client here does and prints: see test_clients.py."""

import sqlite3
import struct
import sys

db = sqlite3.connect(":memory:")
db.enable_load_extension(True)
db.load_extension(sys.argv[1].removesuffix(".so"))
db.enable_load_extension(False)
model = open(sys.argv[2], "rb").read()

db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)")
x = 1
for _ in range(50):
    v = []
    for _ in range(8):
        x = x * 48271 % 2147483647
        v.append((x % 2001 - 1000) / 256)
    db.execute("INSERT INTO t(v) VALUES (?)", (struct.pack("<8f", *v),))

fitted = db.execute("SELECT whiten_fit(v, 4) FROM t").fetchone()[0]
print(
    "fit",
    *db.execute(
        "SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", (fitted,)
    ).fetchone()
)
db.execute("UPDATE t SET white = whiten_apply(?, v)", (model,))
for id, white in db.execute("SELECT id, white FROM t ORDER BY id"):
    print("apply", id, white.hex())
query = db.execute("SELECT white FROM t WHERE id = 7").fetchone()[0]
for name, sql in (
    ("search", "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5"),
    ("topk", "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)"),
):
    for id, similarity in db.execute(sql, (query,)):
        print(name, id, struct.pack(">d", similarity).hex())
db.close()
print("# SQLite", sqlite3.sqlite_version)
