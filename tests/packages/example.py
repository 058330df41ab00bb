"""The ten lines of the guide: a table, an index, the nearest rows."""

import array
import sqlite3

import sqlite_whiten

db = sqlite3.connect(":memory:")
sqlite_whiten.load(db)
db.execute("CREATE TABLE documents (id INTEGER PRIMARY KEY, embedding BLOB)")
rows = [array.array("f", [(i * j) % 7, (i + j) % 5, i % 3, j, 1 + i * j % 2]) for i in range(9) for j in range(9)]
db.executemany("INSERT INTO documents (embedding) VALUES (?)", [(sqlite_whiten.vector(row),) for row in rows])
db.execute("CREATE VIRTUAL TABLE search USING whiten_index(content = documents, column = embedding, k = 3)")
for row in db.execute("SELECT rowid, round(similarity, 5) FROM search(?) LIMIT 3", (sqlite_whiten.vector(rows[40]),)):
    print(*row)
