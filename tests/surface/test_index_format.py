"""The shadow tables of an index, read by what ext/README.md and the headers say of their format, and nothing else."""

import struct

import numpy
import pytest
from conftest import connect, fill, one, unvec, vec
from seal import xxh64

ROWS, DIM = 2500, 24


def flips(k):
    """Four rounds of signs, from splitmix64 seeded with k."""
    state, numbers = k, []
    for _ in range(4 * ((k + 63) // 64)):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        numbers.append(z ^ (z >> 31))
    words = (k + 63) // 64
    bits = [[numbers[words * r + i // 64] >> (i % 64) & 1 for i in range(k)] for r in range(4)]
    return 1 - 2 * numpy.array(bits)


def rotated(y):
    """For k that is a power of two: in each round flips, then a Hadamard transform."""
    k = y.shape[1]
    hadamard = numpy.ones((1, 1))
    while len(hadamard) < k:
        hadamard = numpy.block([[hadamard, hadamard], [hadamard, -hadamard]])
    for signs in flips(k):
        y = (y * signs) @ hadamard / numpy.sqrt(k)
    return y


def blocks(data, size, chunk, rest):
    """The parts of a BLOB, whose hashes must be right."""
    assert len(data) % (8 + size) == 0
    for b in range(len(data) // (8 + size)):
        (found,) = struct.unpack_from("<Q", data, b * (8 + size))
        part = data[b * (8 + size) + 8 : (b + 1) * (8 + size)]
        assert found == xxh64(part, seed=xxh64(struct.pack("<qII", chunk, b, rest)))
        yield part


def read(db, generation, k):
    """rowid -> (top bits, low four bits, the two factors, norm), of each row."""
    n, rows = (k + 7) // 8, {}
    for chunk, first, count in db.execute("SELECT chunk, first, count FROM t_dir WHERE generation = ? ORDER BY first", (generation,)):
        signs, rest = (one(db, f"SELECT data FROM t_{name} WHERE chunk = ?", chunk) for name in ("signs", "rest"))
        parts = list(zip(blocks(signs, 64 * (4 + n), chunk, 0), blocks(rest, 64 * (16 + 4 * n), chunk, 1), strict=True))
        used, places = (count + 63) // 64, 0
        assert len(parts) in (used, used + 1)
        for s, r in parts[:used]:
            signs_factors, top = numpy.frombuffer(s, "<f4", 64), numpy.frombuffer(s, "u1", offset=256).reshape(n, 64)
            rowids, factors, norms = (numpy.frombuffer(r, *of) for of in (("<i8", 64), ("<f4", 64, 512), ("<f4", 64, 768)))
            low = numpy.frombuffer(r, "u1", offset=1024).reshape(64, 4 * n)
            for p in range(64):
                if signs_factors[p] == 0:
                    assert not (top[:, p].any() or low[p].any() or rowids[p] or factors[p] or norms[p])
                    continue
                assert int(rowids[p]) not in rows and rowids[p] >= first
                nibbles = numpy.stack([low[p] & 15, low[p] >> 4], axis=1).reshape(-1)
                top_bits = numpy.unpackbits(top[:, p], bitorder="little")
                assert not (top_bits[k:].any() or nibbles[k:].any())
                rows[int(rowids[p])] = (top_bits[:k], nibbles[:k], signs_factors[p], factors[p], norms[p])
                places += 1
        assert places == count
    return rows


@pytest.mark.parametrize("k", [16, 8, 20])
def test_blocks(rng, k):
    db = connect()
    fill(db, rng.standard_normal((ROWS, DIM)) * numpy.arange(1, DIM + 1), "d")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = {k})")
    db.execute("DELETE FROM d WHERE id % 5 = 0")
    db.execute("UPDATE d SET id = -id WHERE id % 7 = 0")
    generation, model = db.execute("SELECT id, model FROM t_config WHERE id > 0").fetchone()
    rows = read(db, generation, k)
    whitened = {i: unvec(y).astype("f8") for i, y in db.execute("SELECT id, whiten_apply(?, v) FROM d", (model,))}
    assert rows.keys() == whitened.keys()
    ids = list(rows)
    y = numpy.array([whitened[i] for i in ids])
    top, low = (numpy.array([rows[i][j] for i in ids]).astype(int) for j in (0, 1))
    signs_factor, factor, norm = (numpy.array([rows[i][j] for i in ids]) for j in (2, 3, 4))
    assert numpy.allclose(norm, numpy.linalg.norm(y, axis=1), rtol=1e-6)
    bits = 16 * top + low
    assert 0.45 < top.mean() < 0.55
    if k & (k - 1) == 0:
        o = rotated(y / numpy.linalg.norm(y, axis=1, keepdims=True))
        assert (bits != numpy.clip(numpy.floor(o * numpy.sqrt(k) / 0.1881 + 16), 0, 31)).sum() <= 2
        assert numpy.allclose(1 / signs_factor, ((2 * top - 1) * o).sum(axis=1), rtol=1e-5)
        assert numpy.allclose(1 / factor, ((bits - 15.5) * o).sum(axis=1), rtol=1e-5)


def test_size(rng):
    """5 k / 8 + 20.25 bytes a row."""
    db, k = connect(), 24
    fill(db, rng.standard_normal((4096, DIM)), "d")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = {k})")
    stored = one(db, "SELECT sum(length(s.data) + length(r.data)) FROM t_signs AS s JOIN t_rest AS r USING (chunk)")
    assert stored == 4096 * (5 * k / 8 + 20.25) == one(db, "SELECT whiten_index_info('t') ->> 'bytes'")


@pytest.mark.parametrize("page_size", [1024, 4096, 8192])
def test_pages_are_used(page_size, rng):
    """What the parts take of whole pages: at most 3.75 bytes a row more than they have."""
    db, k, rows = connect(), 64, 7 * 4 * 640
    db.execute(f"PRAGMA page_size = {page_size}")
    fill(db, rng.standard_normal((rows, k)), "d")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = {k})")
    pages = one(db, "SELECT sum(pgsize) FROM dbstat WHERE aggregate = 1 AND name IN ('t_dir', 't_signs', 't_rest')")
    assert pages <= rows * (5 * k / 8 + 24)
    assert one(db, "PRAGMA page_size") == page_size and one(db, "SELECT sum(count) FROM t_dir") == rows


@pytest.mark.parametrize("state", ["built", "building", "rebuilding"])
def test_root(rng, state):
    """Its hash is that of generations and chunks; each transaction draws a stamp."""
    db = connect()
    fill(db, rng.standard_normal((ROWS, DIM)), "d")
    db.execute(f"CREATE VIRTUAL TABLE t USING whiten_index(content = d, column = v, k = 16, build = {state != 'building':d})")
    if state != "built":
        db.execute("INSERT INTO t(t, rank) VALUES (?, 1500)", ("build" if state == "building" else "rebuild",))
    stamps = set()
    for change in ("SELECT 1", "DELETE FROM d WHERE id < 10", "UPDATE d SET v = (SELECT v FROM d WHERE id = 10) WHERE id % 50 = 0"):
        db.execute(change)
        (root,) = db.execute("SELECT stamp, built, text, hash, model FROM t_config WHERE id = 0").fetchall()
        hashed = 0
        for g in db.execute("SELECT id, stamp, ifnull(built, 0x7fffffffffffffff) FROM t_config WHERE id > 0 ORDER BY id").fetchall():
            chunks = db.execute("SELECT chunk, first, count, stamp FROM t_dir WHERE generation = ? ORDER BY first", (g[0],)).fetchall()
            hashed = xxh64(struct.pack("<3q", *g), seed=hashed)
            hashed = xxh64(b"".join(struct.pack("<4q", *chunk) for chunk in chunks), seed=hashed)
        assert root[1:] == (1, "t", hashed - (hashed >> 63 << 64), None)
        assert 0 < root[0] < 2**63
        stamps.add(root[0])
    assert len(stamps) == 3
    built = [b for (b,) in db.execute("SELECT built FROM t_config WHERE id > 0 ORDER BY id")]
    assert built == {"built": [None], "building": [1500], "rebuilding": [None, 1500]}[state]


@pytest.mark.parametrize("how", ["build", "insert"])
def test_signs_lie_side_by_side(how, rng, tmp_path):
    """In the file, pages of the signs come one after the other, not each chunk's before its rest, which takes four
    times as many: what every query reads that is not warm."""
    db = connect(tmp_path / "my.db")
    db.execute("PRAGMA page_size = 1024")
    if not one(db, "SELECT sqlite_compileoption_used('ENABLE_DBSTAT_VTAB')"):
        pytest.skip("this SQLite has no dbstat")
    rows = rng.normal(size=(9000, 16))
    fill(db, rows if how == "build" else rows[:1000], "docs")
    db.execute("CREATE VIRTUAL TABLE t USING whiten_index(content = docs, column = v, k = 16)")
    if how == "insert":
        db.execute("BEGIN")
        db.executemany("INSERT INTO docs(v) VALUES (?)", ((vec(row),) for row in rows[1000:]))
        db.execute("COMMIT")
    pages = [n for (n,) in db.execute("SELECT pageno FROM dbstat WHERE name = 't_signs' AND pagetype = 'overflow' ORDER BY pageno")]
    assert len(pages) > 40
    assert sum(b - a > 10 for a, b in zip(pages, pages[1:])) <= 2
    db.execute("INSERT INTO t(t) VALUES ('integrity-check')")
