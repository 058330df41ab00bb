"""Python: client.py EXTENSION MODEL-FILE [DRIVER]. What every client here does and prints: see test_clients.py.

DRIVER is sqlite3, apsw, sqlalchemy, sqlite_utils or django: each is a function that returns how a statement with `?` is run."""

import sqlite3
import struct
import sys
import time

extension, model_file, *rest = sys.argv[1:]
driver = rest[0] if rest else "sqlite3"


def load(connection, _record=None):
    connection.enable_load_extension(True)
    connection.load_extension(extension)
    connection.enable_load_extension(False)


def by_sqlite3():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    load(connection)
    return lambda sql, *values: connection.execute(sql, values).fetchall()


def by_apsw():
    import apsw

    connection = apsw.Connection(":memory:")
    connection.enableloadextension(True)  # enable_load_extension in newer versions
    connection.loadextension(extension)
    connection.enableloadextension(False)
    return lambda sql, *values: connection.cursor().execute(sql, values).fetchall()


def by_sqlalchemy():
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://", future=True)
    sqlalchemy.event.listen(engine, "connect", load)
    connection = engine.connect()

    def run(sql, *values):
        result = connection.exec_driver_sql(sql, values)
        return [tuple(row) for row in result.fetchall()] if result.returns_rows else []

    return run


def by_sqlite_utils():
    import sqlite_utils

    database = sqlite_utils.Database(memory=True)
    load(database.conn)
    return lambda sql, *values: database.execute(sql, values).fetchall()


def by_django():
    import django
    from django.conf import settings
    from django.db import connection
    from django.db.backends.signals import connection_created

    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    django.setup()
    connection_created.connect(lambda connection, **_: load(connection.connection), weak=False)

    def run(sql, *values):
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []

    return run


run = {"sqlite3": by_sqlite3, "apsw": by_apsw, "sqlalchemy": by_sqlalchemy, "sqlite_utils": by_sqlite_utils, "django": by_django}[driver]()
with open(model_file, "rb") as file:
    model = file.read()

run("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB, white BLOB)")
x = 1
for _ in range(50):
    v = []
    for _ in range(8):
        x = x * 48271 % 2147483647
        v.append((x % 2001 - 1000) / 256)
    run("INSERT INTO t(v) VALUES (?)", struct.pack("<8f", *v))

((fitted,),) = run("SELECT whiten_fit(v, ?) FROM t", 4)
print("fit", *run("SELECT i ->> 'n', i ->> 'd', i ->> 'k' FROM (SELECT whiten_info(?) AS i)", fitted)[0])
run("UPDATE t SET white = whiten_apply(?, v)", model)
for id, white in run("SELECT id, white FROM t ORDER BY id"):
    print("apply", id, bytes(white).hex())
run("CREATE VIRTUAL TABLE s USING whiten_index(content = t, column = v, k = 4)")
((white, v),) = run("SELECT white, v FROM t WHERE id = 7")
NEAREST = "SELECT rowid, similarity FROM s(?) LIMIT 5"
for name, sql, query in (
    ("search", "SELECT id, cosine_sim(white, ?) AS s FROM t ORDER BY s DESC, id LIMIT 5", white),
    ("topk", "SELECT rowid, similarity FROM cosine_topk('t', 'white', ?, 5)", white),
    ("index", NEAREST, v),
):
    for id, similarity in run(sql, query):
        print(name, id, struct.pack(">d", similarity).hex())
start = time.perf_counter()
for _ in range(200):
    run(NEAREST, v)
microseconds = (time.perf_counter() - start) / 200 * 1e6
version = run("SELECT sqlite_version()")[0][0]
try:
    run("SELECT whiten_fit(v, ?) FROM t", 9)
except Exception as error:
    print("error", *str(error).split())  # in a line
print(f"# SQLite {version}, {microseconds:.0f} us")
