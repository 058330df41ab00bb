"""f16, bf16, f64, i8 and f32 against numpy: every 16-bit pattern, rounding, overflow."""

import sqlite3

import numpy
import pytest
from conftest import one, unvec, vec

PATTERNS = numpy.arange(65536, dtype="<u2")


def bf16_to_f32(patterns):
    return (patterns.astype("<u4") << 16).view("<f4")


def f32_to_bf16(x):
    """Round to nearest, ties to even, on the bits."""
    bits = x.astype("<f4").view("<u4").astype("u8")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def decoded(db, blob, encoding):
    """The elements, in pieces of the longest vector."""
    size = {"f16": 2, "bf16": 2, "f64": 8, "i8": 1, "f32": 4}[encoding] * 16384
    pieces = [blob[i : i + size] for i in range(0, len(blob), size)]
    return numpy.concatenate([unvec(one(db, "SELECT embedding(?, ?)", piece, encoding)) for piece in pieces])


def encoded(db, x, encoding):
    return b"".join(
        one(db, "SELECT embedding_as(?, ?)", vec(x[i : i + 16384]), encoding) for i in range(0, len(x), 16384)
    )


@pytest.mark.parametrize(
    "encoding, values", [("f16", PATTERNS.view("<f2").astype("f4")), ("bf16", bf16_to_f32(PATTERNS))]
)
def test_every_pattern(db, encoding, values):
    """Decodes as numpy does, encodes back to itself; NaN and infinity are refused."""
    finite = numpy.isfinite(values)
    got = decoded(db, PATTERNS[finite].tobytes(), encoding)
    assert got.tobytes() == values[finite].tobytes()
    assert encoded(db, values[finite], encoding) == PATTERNS[finite].tobytes()
    for pattern in PATTERNS[~finite]:
        with pytest.raises(
            sqlite3.OperationalError, match=r"embedding: x\[0\] is (NaN|infinite|Infinity|-Infinity|Inf|-Inf)"
        ):
            db.execute("SELECT embedding(?, ?)", (pattern.tobytes(), encoding)).fetchone()


def neighbours(values):
    """Values, the points half way to the next, and a float32 step to both sides of all."""
    values = numpy.sort(values.astype("f8"))
    points = numpy.concatenate([values, (values[1:] + values[:-1]) / 2]).astype("f4")
    return numpy.concatenate(
        [
            points,
            numpy.nextafter(points, numpy.float32(numpy.inf)),
            numpy.nextafter(points, numpy.float32(-numpy.inf)),
        ]
    )


def test_f16_rounds_to_nearest_even(db, rng):
    values = PATTERNS.view("<f2").astype("f4")
    x = neighbours(values[numpy.isfinite(values)])
    x = numpy.concatenate(
        [x, rng.standard_normal(16384).astype("f4") * 1e3, rng.standard_normal(16384).astype("f4") * 1e-6]
    )
    with numpy.errstate(over="ignore"):
        want = x.astype("<f2")
    keep = numpy.isfinite(want)
    assert encoded(db, x[keep], "f16") == want[keep].tobytes()


def test_bf16_rounds_to_nearest_even(db, rng):
    values = bf16_to_f32(PATTERNS)
    x = neighbours(values[numpy.isfinite(values)])
    x = numpy.concatenate([x[numpy.isfinite(x)], rng.standard_normal(16384).astype("f4")])
    want = f32_to_bf16(x)
    keep = numpy.isfinite(bf16_to_f32(want))
    assert encoded(db, x[keep], "bf16") == want[keep].tobytes()


@pytest.mark.parametrize("encoding, largest, beyond", [
    ("f16", 65519.996, 65520.0), ("bf16", 3.3895313e38, 3.4e38), ("i8", 127.5 - 1e-5, 127.5),
])  # fmt: skip
def test_overflow(db, encoding, largest, beyond):
    for sign in (1, -1):
        if encoding == "i8" and sign < 0:
            largest, beyond = 128.5, 128.50002
        assert one(db, "SELECT embedding_as(?, ?)", vec([1, sign * largest]), encoding)
        with pytest.raises(sqlite3.OperationalError, match=r"embedding_as: v\[1\] "):
            db.execute("SELECT embedding_as(?, ?)", (vec([1, sign * beyond]), encoding)).fetchone()


def test_f64(db, rng):
    """To float32: nearest, ties to even, denormals too; float32 to f64 is exact."""
    x = rng.standard_normal(16384) * 10.0 ** rng.integers(-46, 38, 16384)
    single = rng.integers(0, 0x7F7FFFFF, 16384).astype("<u4").view("<f4")
    half = (single.astype("f8") + numpy.nextafter(single, numpy.float32(0)).astype("f8")) / 2
    for values in (x, half, numpy.nextafter(half, 0), numpy.nextafter(half, 1e300)):
        assert decoded(db, values.astype("<f8").tobytes(), "f64").tobytes() == values.astype("<f4").tobytes()
    assert encoded(db, single, "f64") == single.astype("<f8").tobytes()


def test_f64_overflow(db):
    top = float(numpy.finfo("f4").max)
    edge = top + 2.0**103  # half way to the float32 that does not exist
    below = numpy.nextafter(edge, 0)
    assert unvec(one(db, "SELECT embedding(?, 'f64')", numpy.array([below]).tobytes()))[0] == numpy.float32(
        top
    )
    for value in (edge, -edge, 1e39, 1e308):
        with pytest.raises(sqlite3.OperationalError, match=r"embedding: x\[1\] "):
            db.execute("SELECT embedding(?, 'f64')", (numpy.array([0, value]).tobytes(),)).fetchone()


def test_i8(db, rng):
    """All 256 bytes; encoding rounds to nearest even."""
    numbers = numpy.arange(-128, 128, dtype="i1")
    assert decoded(db, numbers.tobytes(), "i8").tolist() == numbers.tolist()
    x = numpy.concatenate([numpy.arange(-128, 127.5, 0.5), rng.uniform(-128, 127, 1000)]).astype("f4")
    assert encoded(db, x, "i8") == numpy.rint(x).astype("i1").tobytes()


def test_i8_of_small_vectors(db):
    """Zeros stay zeros; a nonzero vector does not silently become the zero vector."""
    assert one(db, "SELECT embedding_as('[0,0]', 'i8')") == b"\0\0"
    assert one(db, "SELECT embedding_as('[0.5,0.50001]', 'i8')") == b"\0\1"
    with pytest.raises(sqlite3.OperationalError, match="embedding_as: v "):
        db.execute("SELECT embedding_as('[0.5,-0.5]', 'i8')").fetchone()


def test_i8_quantisation_as_people_do_it(db, rng):
    """A unit vector times 127, and back: half a step off at most."""
    x = rng.standard_normal(384).astype("f4")
    sql = (
        "SELECT embedding_scale(embedding(embedding_as(embedding_scale(embedding_normalize(?), 127), 'i8'),"
        " 'i8'), 1 / 127.0)"
    )
    unit = x / numpy.linalg.norm(x)
    assert numpy.abs(unvec(one(db, sql, vec(x))) - unit).max() <= 0.5 / 127 + 1e-6


def test_scale(db, rng):
    x = rng.standard_normal(1000).astype("f4")
    for factor in (2, -3, 0.1, 1e-40, 0, 1 / 3):
        got = one(db, "SELECT embedding_scale(?, ?)", vec(x), factor)
        assert got == (x.astype("f8") * factor).astype("f4").tobytes()


def test_truncate_is_a_prefix(db, rng):
    x = rng.standard_normal(300).astype("f4")
    for k in (1, 31, 299, 300):
        assert one(db, "SELECT embedding_truncate(?, ?)", vec(x), k) == vec(x[:k])


def test_bytes_are_kept(db, rng):
    """Denormals, signed zeros: embedding() of a BLOB is that BLOB."""
    bits = rng.integers(0, 2**32, 16384, dtype="u4")
    x = bits.view("<f4")
    x = x[numpy.isfinite(x)]
    assert one(db, "SELECT embedding(?)", x.tobytes()) == x.tobytes()
    assert one(db, "SELECT embedding_as(?, 'f32')", x.tobytes()) == x.tobytes()


def test_longest_vector(db):
    assert one(db, "SELECT embedding_dim(zeroblob(65536))") == 16384
    for sql in ("SELECT embedding_dim(zeroblob(65540))", "SELECT embedding(zeroblob(16385), 'i8')"):
        with pytest.raises(sqlite3.OperationalError, match="16384"):
            db.execute(sql).fetchone()
