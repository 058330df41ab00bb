"""The corpus of the bits: inputs made by integer arithmetic alone, and the hash of what each statement of
bits.sql returns on them.

`bits.py DATABASE` writes the inputs to a new database, without the extension; `bits.py DATABASE EXTENSION` prints
a line `name hash` per statement. tests/bits/bits.expected keeps those lines, tests/bits/test_bits.py compares them between
kernels, threads and compilers; the programs of tests/threads run the same statements from many threads.

No libm, no random module, no numpy: every float is put together from its bits, so the corpus is the same
everywhere. The models are written in the format that ext/core/model.h specifies, since a fit, and the inverse
that whiten_import solves for, come from LAPACK.
"""

import hashlib
import pathlib
import re
import sqlite3
import struct
import sys

from seal import sealed

SQL = pathlib.Path(__file__).with_name("bits.sql")
ENTRY = "sqlite3_whiten_init"
PCA, ZCA, CHOLESKY = 0, 1, 4
NORMALIZE, IMPORTED, SCALES, INVERSE, OFFSET = 1, 4, 8, 16, 128


class Source:
    """SplitMix64 (Steele et al. 2014)."""

    def __init__(self, seed):
        self.state = seed

    def bits(self, count):
        mask = 2**64 - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return (z ^ (z >> 31)) >> (64 - count)

    def below(self, n):
        return self.bits(53) * n >> 53

    def float32(self, lowest, highest):
        """The bits of a float32 of either sign, its biased exponent within the bounds; 0 gives denormals."""
        exponent = lowest + self.below(highest - lowest + 1)
        return self.bits(1) << 31 | exponent << 23 | self.bits(23)

    def float64(self, lowest, highest, sign=None):
        exponent = 1023 + lowest + self.below(highest - lowest + 1)
        return (self.bits(1) if sign is None else sign) << 63 | exponent << 52 | self.bits(52)

    def vector(self, d, lowest=124, highest=128):
        return pack32(self.float32(lowest, highest) for _ in range(d))


def pack32(bits):
    bits = list(bits)
    return struct.pack(f"<{len(bits)}I", *bits)


def pack64(bits):
    bits = list(bits)
    return struct.pack(f"<{len(bits)}Q", *bits)


def one_apart(blob):
    """The same vector but for the last bit of every third element."""
    words = struct.unpack(f"<{len(blob) // 4}I", blob)
    return pack32(word ^ (i % 3 == 0) for i, word in enumerate(words))


def sparse(source, d):
    """Zeros of both signs among ordinary numbers."""
    return pack32(
        (0, 0x80000000, source.float32(124, 128), source.float32(110, 130))[source.bits(2)] for _ in range(d)
    )


def pairs(source):
    """(kind, a, b): every length to 67, some that are used, and magnitudes up to the ends of float32."""
    for d in [*range(1, 68), 96, 100, 128, 255, 256, 300, 384, 768, 1024, 1536]:
        a = source.vector(d)
        yield "ordinary", a, source.vector(d)
        yield "near", a, one_apart(a)
        yield "mixed", source.vector(d, 87, 167), source.vector(d, 87, 167)
        yield "sparse", sparse(source, d), sparse(source, d)
        if d < 70 or d == 768:
            yield "large", source.vector(d, 230, 251), source.vector(d, 230, 251)
            yield "tiny", source.vector(d, 0, 30), source.vector(d, 0, 30)
            yield "denormal", source.vector(d, 0, 0), source.vector(d, 0, 1)
            any_size = source.vector(d, 0, 254)
            small = struct.unpack(f"<{d}I", source.vector(d))
            yield "far apart", any_size, pack32(bits & 0x83FFFFFF for bits in small)


def model(source, d, k, method=PCA, flags=0, n=1000):
    """A model BLOB: kernel and mean at random, eigenvalues that fall."""
    m = d if method in (ZCA, CHOLESKY) else k
    if not flags & IMPORTED:
        flags |= INVERSE if method in (ZCA, CHOLESKY) else SCALES
    n = 0 if flags & IMPORTED else n
    body = pack64(source.float64(-3, 1) for _ in range(d))
    if not flags & IMPORTED:
        body += pack64(sorted((source.float64(-9, 3, sign=0) for _ in range(d)), reverse=True))
    if flags & SCALES:
        body += pack64(source.float64(-2, 2, sign=0) for _ in range(d + k))
    body += source.vector(d * m, 119, 126)
    if flags & INVERSE:
        body += source.vector(m * d, 119, 126)
    head = b"whitenM\0" + struct.pack("<IIQQ", 1, 0x01020304, 128 + len(body), 0)
    head += struct.pack("<IIIIqdIIIIdddd", d, k, m, d, n, float(n), method, flags, 0, 0, 0.25, 0.0, 0.5, 1.0)
    return sealed(head + bytes(16) + body)


def aligned(source, d, k, m, side, flags=0):
    """One of version 2, as whiten_align makes it: of side 1 and 2 without, of 3 and 4 with an offset."""
    flags |= INVERSE | (OFFSET if side > 2 else 0)
    body = pack64(source.float64(-3, 1) for _ in range(d))
    if side > 2:
        body += pack64(source.float64(-3, 1) for _ in range(m))
    body += source.vector(d * m, 119, 126) + source.vector(m * d, 119, 126)
    head = b"whitenM\0" + struct.pack("<IIQQ", 2, 0x01020304, 128 + len(body), 0)
    head += struct.pack("<IIIIqdIIIIdddd", d, k, m, k, 100, 100.0, PCA, flags, 0, side, 0.3, 0.0, 0.5, 0.5)
    return sealed(head + bytes(16) + body)


def aligned_models(source):
    for side, d, k, m in [(1, 24, 10, 10), (2, 24, 17, 17), (3, 24, 10, 67), (4, 24, 20, 20), (3, 24, 3, 49)]:
        for flags in (0, NORMALIZE):
            yield side, aligned(source, d, k, m, side, flags)


def stats(source, d, n):
    cross = [[source.float64(-2, 1, sign=0 if i == j else None) for j in range(i, d)] for i in range(d)]
    body = pack64(source.float64(-3, 1) for _ in range(d)) + b"".join(pack64(row) for row in cross)
    head = b"whitenS\0" + struct.pack("<IIQQ", 1, 0x01020304, 56 + len(body), 0)
    return sealed(head + struct.pack("<IIqd", d, 0, n, float(n)) + body)


def models(source):
    for d, k in [(1, 1), (3, 2), (7, 5), (17, 16), (24, 10), (33, 33), (67, 40), (300, 70), (768, 128)]:
        yield f"pca {d}", d, model(source, d, k)
    for d, k in [(24, 12), (67, 48)]:
        yield f"normalized {d}", d, model(source, d, k, flags=NORMALIZE)
    for d in (5, 24, 67):
        yield f"zca {d}", d, model(source, d, d, method=ZCA)
        yield f"cholesky {d}", d, model(source, d, d, method=CHOLESKY)
    yield "imported 24", 24, model(source, 24, 20, flags=IMPORTED | INVERSE)
    yield "imported without inverse 24", 24, model(source, 24, 20, flags=IMPORTED)


def fixed_model(d=8, k=4):
    """The small model that the clients apply."""
    return model(Source(8), d, k, flags=NORMALIZE)


def documents(source, n, d):
    """Rows around a mean; some NULL, some zero, some twice."""
    rows = []
    for i in range(n):
        if i % 97 == 13:
            rows.append(None)
        elif i % 101 == 17:
            rows.append(bytes(4 * d))
        elif i % 29 == 11:
            rows.append(rows[i - 7])
        else:
            rows.append(source.vector(d, 122, 127))
    return rows


def encoded(source):
    """(encoding, BLOB): every finite float16, and the others at random."""
    half = [bits for bits in range(65536) if bits & 0x7C00 != 0x7C00]
    for at in range(0, len(half), 16384):
        part = half[at : at + 16384]
        yield "f16", struct.pack(f"<{len(part)}H", *part)
    for _ in range(20):
        yield "bf16", struct.pack("<64H", *(source.float32(1, 254) >> 16 for _ in range(64)))
        yield "i8", bytes(source.bits(8) for _ in range(64))
        yield "f64", pack64(source.float64(-150, 126) for _ in range(64))
        yield "f32", source.vector(64, 0, 254)


def json_texts(source):
    """Decimal numbers of every length, and around the middle between two float32."""
    for i in range(150):
        numbers = []
        for _ in range(1 + source.below(9)):
            digits = str(source.bits(4 + source.below(60)))
            point = source.below(len(digits))
            tail = digits[point:]
            fraction = f".{tail}" if tail and point else ""
            numbers.append(
                ("-" if source.bits(1) else "")
                + (str(int(digits[:point] or digits)) + fraction)
                + (f"e{source.below(30) - 18 - len(digits)}" if i % 2 else "")
            )
        yield "[" + ", ".join(numbers) + "]"
    for i in range(40):
        middle = (2**24 + 2 * source.bits(23)) * 2 + 1  # 25 bits, the last one set
        yield f"[{middle}, {middle}.0000000000000000001, {middle - 1}.99999999999, {middle}e-{i}]"


def write_database(path):
    source = Source(20210329)
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(
        """
      PRAGMA journal_mode = OFF;
      BEGIN;
      CREATE TABLE pairs(id INTEGER PRIMARY KEY, kind TEXT, a BLOB, b BLOB);
      CREATE TABLE models(id INTEGER PRIMARY KEY, name TEXT, d INTEGER, model BLOB);
      CREATE TABLE aligned_models(id INTEGER PRIMARY KEY, side, model BLOB);
      CREATE TABLE inputs(id INTEGER PRIMARY KEY, d INTEGER, v BLOB);
      CREATE TABLE documents(id INTEGER PRIMARY KEY, v BLOB);
      CREATE TABLE long(id INTEGER PRIMARY KEY, v BLOB);
      CREATE TABLE queries(id INTEGER PRIMARY KEY, v BLOB);
      CREATE TABLE tokens(id INTEGER PRIMARY KEY, text_id, position, mask, weight, v BLOB);
      CREATE TABLE states(id INTEGER PRIMARY KEY, d INTEGER, count INTEGER, x BLOB, mask BLOB);
      CREATE TABLE encoded(id INTEGER PRIMARY KEY, encoding TEXT, x BLOB);
      CREATE TABLE texts(id INTEGER PRIMARY KEY, json TEXT);
      CREATE TABLE shards(id INTEGER PRIMARY KEY, d INTEGER, stats BLOB);
      CREATE TABLE scores(id INTEGER PRIMARY KEY, x, y);
    """
    )

    def put(table, rows):
        for row in rows:
            db.execute(f"INSERT INTO {table} VALUES (NULL, {', '.join('?' * len(row))})", row)

    put("pairs", pairs(source))
    put("models", models(source))
    dims = sorted({d for (d,) in db.execute("SELECT d FROM models")})
    put("inputs", ((d, source.vector(d, 120, 128)) for d in dims for _ in range(9)))
    put("inputs", ((d, sparse(source, d)) for d in dims))
    put("documents", ((v,) for v in documents(source, 1500, 24)))
    put("long", ((v,) for v in documents(source, 150, 300)))
    rows = db.execute("SELECT v FROM documents WHERE id % 70 = 5").fetchall()
    put("queries", [*rows, *((source.vector(24, 122, 127),) for _ in range(20))])
    for d, count in [(1, 40), (8, 30), (67, 20), (384, 12)]:
        for position in range(1, count + 1):
            row = (d, position, int(source.below(4) > 0), source.bits(12) / 1024, source.vector(d, 115, 130))
            put("tokens", [row])
        mask = bytes(source.bits(1) for _ in range(count - 1)) + b"\1"
        put("states", [(d, count, source.vector(d * count, 115, 130), mask)])
    put("encoded", encoded(source))
    put("texts", ((text,) for text in json_texts(source)))
    put("shards", ((d, stats(source, d, 1 + source.bits(10))) for d in (1, 6, 40) for _ in range(5)))
    put("scores", ((source.bits(6), source.bits(16) / 256 - 100) for _ in range(500)))
    put("aligned_models", aligned_models(Source(2)))
    db.execute("COMMIT")
    db.close()


def statements():
    """(name, SQL): `-- name` opens a statement, a line that ends in `;` closes it."""
    found = re.findall(r"^-- ([\w ]+)\n((?:(?!--).*\n)*?.*;)$", SQL.read_text(encoding="utf-8"), re.MULTILINE)
    assert len({name for name, _ in found}) == len(found)
    return found


def image(value):
    """A value as bytes that tell type and every bit."""
    if value is None:
        return b"N"
    if isinstance(value, int):
        return b"I" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"R" + struct.pack("<d", value)
    data = value if isinstance(value, bytes) else value.encode()
    return (b"B" if isinstance(value, bytes) else b"T") + struct.pack("<q", len(data)) + data


def results(database, extension):
    """name -> hash of the rows, in order."""
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    db.enable_load_extension(True)
    db.execute("SELECT load_extension(?, ?)", (str(pathlib.Path(extension).resolve()), ENTRY))
    hashes = {}
    for name, sql in statements():
        digest, rows = hashlib.sha256(), 0
        for row in db.execute(sql):
            digest.update(b"".join(image(value) for value in row))
            rows += 1
        assert rows, f"{name}: no rows"
        hashes[name] = digest.hexdigest()[:16]
    db.close()
    return hashes


if __name__ == "__main__":
    if len(sys.argv) == 2:
        write_database(sys.argv[1])
    else:
        for line in results(sys.argv[1], sys.argv[2]).items():
            print(*line)
