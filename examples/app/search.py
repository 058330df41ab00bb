#!/usr/bin/env python3
"""Searches the file that search.mjs makes, with Python's standard library alone. It has no encoder, so the query is a text
that is stored: what is like text 12?

Run from the root of the repository: python3 examples/app/search.py notes.db 12 --in 'guides/*' --least 0.3 --page 2
"""
import argparse
import sqlite3
import sys

PAGE = 5
NEAREST = """
    SELECT id, path, text, similarity
    FROM (SELECT rowid AS id, similarity FROM texts_search
          WHERE query = (SELECT embedding FROM texts WHERE id = :id) AND similarity >= :least {within}
          ORDER BY similarity DESC LIMIT :size OFFSET :skip) JOIN texts USING (id)
    ORDER BY similarity DESC, id"""
WITHIN = "AND rowid IN (SELECT id FROM texts WHERE path GLOB :in)"


def arguments():
    parser = argparse.ArgumentParser(description="Finds the texts most similar to one that is stored.")
    parser.add_argument("database")
    parser.add_argument("id", type=int)
    parser.add_argument("--in", metavar="GLOB", help="keep the files whose path fits")
    parser.add_argument("--least", type=float, default=-1, help="smallest similarity")
    parser.add_argument("--page", type=int, default=1)
    parser.add_argument("--extension", default="./whiten")
    return vars(parser.parse_args())


def connect(database, extension):
    db = sqlite3.connect(database)
    if not hasattr(db, "enable_load_extension"):
        sys.exit("search.py: this Python cannot load SQLite extensions, try the system's: /usr/bin/python3")
    db.enable_load_extension(True)
    db.load_extension(extension)
    db.enable_load_extension(False)  # nothing else may be loaded through SQL
    return db


asked = arguments()
found = connect(asked["database"], asked["extension"]).execute(
    NEAREST.format(within=WITHIN if asked["in"] else ""),
    {**asked, "size": PAGE, "skip": PAGE * (asked["page"] - 1)},
)
for row, path, text, similarity in found:
    print(f"{similarity:.4f}  {row}  {path}  {' '.join(text.split())[:80]}")
