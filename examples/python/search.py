#!/usr/bin/env python3
"""The smallest complete Python program: the standard library's sqlite3 and the extension, nothing else.

Run from the root of the repository: python3 examples/python/search.py [EXTENSION]
"""
import sqlite3
import sys
from array import array

ROWS, DIM = 300, 8


def connect(extension):
    db = sqlite3.connect(":memory:")
    if not hasattr(db, "enable_load_extension"):
        sys.exit("search.py: this Python cannot load SQLite extensions, try the system's: /usr/bin/python3")
    db.enable_load_extension(True)
    db.load_extension(extension)
    db.enable_load_extension(False)  # nothing else may be loaded through SQL
    return db


def embeddings():
    """Your model's embeddings go here. These stand-ins share an offset and spread less in each direction."""
    x = 1
    for _ in range(ROWS):
        vector = array("f")  # d little-endian float32, nothing more; from numpy: a.astype("<f4").tobytes()
        for i in range(DIM):
            x = x * 48271 % 2147483647
            vector.append(1 + (x / 2147483647 - 0.5) * 2 / (i + 1))
        yield vector.tobytes()


db = connect(sys.argv[1] if len(sys.argv) > 1 else "./whiten")
db.execute("CREATE TABLE doc(id INTEGER PRIMARY KEY, raw BLOB, white BLOB)")
db.executemany("INSERT INTO doc(raw) VALUES (?)", ((v,) for v in embeddings()))

# Fit a model that keeps 6 of 8 directions, then apply it to every row.
db.execute("CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB)")
db.execute("INSERT INTO whitening SELECT 'doc', whiten_fit(raw, 6) FROM doc")
db.execute("UPDATE doc SET white = whiten_apply((SELECT whiten_model(model) FROM whitening), raw)")
db.commit()

raw, white = db.execute("SELECT mean_cosine(raw), mean_cosine(white) FROM doc").fetchone()
print(f"mean cosine: raw {raw:.4f}, whitened {white:.4f}")

# Search: a new vector would go through whiten_apply first; row 1 has already been.
(query,) = db.execute("SELECT white FROM doc WHERE id = 1").fetchone()
nearest = "SELECT id, cosine_sim(white, ?) AS score FROM doc WHERE id <> 1 ORDER BY score DESC LIMIT 3"
for row, similarity in db.execute(nearest, (query,)):
    print(f"row {row}: {similarity:.4f}")
