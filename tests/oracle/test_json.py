"""JSON vectors: numpy.float32(json.loads(text)) to the bit, strictly RFC 8259, and the shortest digits back.
"""

import decimal
import json
import sqlite3

import numpy
import pytest
from conftest import one, unvec, vec


def want(texts):
    """What Python and numpy read; -0 is an int for Python, so its sign is kept by hand."""
    numbers = json.loads("[" + ",".join(texts) + "]", parse_int=float)
    return numpy.array(numbers, dtype="f8").astype("<f4")


def check(db, texts):
    for i in range(0, len(texts), 16384):
        piece = texts[i : i + 16384]
        expected = want(piece)
        got = unvec(one(db, "SELECT embedding(?)", "[" + ",".join(piece) + "]"))
        wrong = numpy.flatnonzero(got.view("<u4") != expected.view("<u4"))
        assert len(wrong) == 0, [(piece[j], float(got[j]), float(expected[j])) for j in wrong[:5]]


def fits(texts):
    """Those that do not overflow float32."""
    return [text for text in texts if abs(float(text)) < 3.4028235677e38]


def test_random_floats_as_python_writes_them(db, rng):
    bits = rng.integers(0, 2**32, 40000, dtype="u4").view("<f4")
    bits = bits[numpy.isfinite(bits)]
    check(db, [repr(float(x)) for x in bits])
    check(db, [str(x) for x in bits])
    check(db, [f"{x:.9g}" for x in bits])


def test_random_doubles(db, rng):
    bits = rng.integers(0, 2**63, 60000, dtype="u8").view("<f8")
    bits = bits[numpy.isfinite(bits)]
    texts = [f"{x:.17g}" for x in bits] + [f"{-x:.17e}" for x in bits]
    check(db, fits(texts))


def test_exponents_and_digits(db, chance):
    """Numbers of any shape the grammar allows."""
    texts = []
    for _ in range(20000):
        whole = chance.choice(
            ["0", str(chance.randint(1, 9)), str(chance.randint(1, 10 ** chance.randint(1, 30)))]
        )
        part = (
            "." + "".join(chance.choices("0123456789", k=chance.randint(1, 40)))
            if chance.random() < 0.7
            else ""
        )
        power = (
            chance.choice(["e", "E"]) + chance.choice(["", "+", "-"]) + str(chance.randint(0, 60))
            if chance.random() < 0.6
            else ""
        )
        texts.append(chance.choice(["", "-"]) + whole + part + power)
    check(db, fits(texts))


def exact(x):
    """All decimal digits of a double."""
    return format(decimal.Decimal(float(x)), "f")


def test_half_way_between_two_float32(db, rng):
    """The tie goes to even; a digit beyond the tie decides only if float64 can see it (two roundings, as
    numpy does)."""
    low = rng.integers(0x00800000, 0x7F000000, 4000).astype("<u4").view("<f4")
    half = (low.astype("f8") + numpy.nextafter(low, numpy.float32(numpy.inf)).astype("f8")) / 2
    texts = [exact(h) for h in half]
    texts += [t + ("" if "." in t else ".") + "0" * 30 + "1" for t in texts[:1000]]
    texts += [exact(numpy.nextafter(h, 0)) for h in half] + [
        exact(numpy.nextafter(h, numpy.inf)) for h in half
    ]
    check(db, texts)


def test_half_way_between_two_float64(db, rng):
    """Decimal ties of float64 that decide a float32 tie: the hard case of every fast parser."""
    low = rng.integers(0x30800000, 0x4F000000, 1500).astype("<u4").view("<f4")
    tie = (low.astype("f8") + numpy.nextafter(low, numpy.float32(numpy.inf)).astype("f8")) / 2
    texts = []
    with decimal.localcontext() as context:
        context.prec = 400
        for t in tie:
            near = decimal.Decimal(float(numpy.nextafter(t, numpy.inf)))
            middle = (decimal.Decimal(float(t)) + near) / 2
            step = middle.scaleb(-40)
            texts += [format(middle, "f"), format(middle + step, "f"), format(middle - step, "f")]
    check(db, texts)


def test_denormals_and_underflow(db):
    texts = [
        "1e-45",
        "7e-46",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "7.1e-46",
        "1e-46",
        "1e-400",
        "0e999",
        "-1e-999",
    ]
    texts += [
        "4.9e-324",
        "2e-324",
        "1.1754943508222875e-38",
        "1.1754942e-38",
        "0." + "0" * 400 + "1",
        "1" + "0" * 30 + "e-400",
    ]
    texts += ["0", "-0", "0.0", "-0.0", "0e0", "-0E+0", "1" + "0" * 38, "123456789012345678901234567890e-20"]
    check(db, texts)


def test_overflow(db):
    # half way to the float32 that does not exist is ...661637539395458142568448; a unit less is the same
    # float64
    top = "340282356779733600000000000000000000000"
    assert unvec(one(db, "SELECT embedding(?)", f"[{top}]"))[0] == numpy.finfo("f4").max
    for text in (
        "340282356779733661637539395458142568448",
        "340282356779733661637539395458142568447",
        "3.4028235678e38",
        "1e39",
        "-1e39",
        "1e308",
        "1e309",
        "1e99999999999",
        "1" + "0" * 400,
    ):
        with pytest.raises(sqlite3.OperationalError, match=r"embedding: x\[1\] "):
            db.execute("SELECT embedding(?)", (f"[0,{text}]",)).fetchone()


GOOD = [
    "[1]", " [1]", "[1] ", "\t[\n1\r,\n 2 ]\r\n", "[0]", "[-0]", "[0.5]", "[1e5]", "[1E+5]", "[1e-05]",
    "[10, 20]", "[1.000000000000000000000000000000000000000]", "[" + "0," * 16383 + "0]",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD, ids=lambda t: repr(t[:30]))
def test_accepted(db, text):
    assert numpy.array_equal(
        unvec(one(db, "SELECT embedding(?)", text)), numpy.array(json.loads(text), dtype="f4")
    )


BAD = [
    "", " ", "[", "]", "[]", "[ ]", "{}", "1", "null", '"[1]"', "[1", "1]", "[1,]", "[,1]", "[,]", "[1,,2]",
    "[1 2]", "[1];", "[1]x", "[1][2]", "[1] [2]", "[[1]]", "[[1],[2]]", "[null]", "[true]", "[false]",
    '["1"]', "[{}]", "[01]", "[-01]", "[00]", "[+1]", "[.5]", "[-.5]", "[5.]", "[1.e5]", "[1e]", "[1e+]",
    "[1e5.0]", "[1.2.3]", "[-]", "[--1]", "[- 1]", "[1 e5]", "[NaN]", "[nan]", "[Infinity]", "[-Infinity]",
    "[inf]", "[0x10]", "[1_000]", "[1,000.5.1]", "[1f]", "[1d]", "\ufeff[1]", "[1\u00a0]", "[\u0661]",
    "[1\f]", "[1\v]", "[1]\0", "[1]\0junk", "\0[1]", "[1\0]", "(1)", "[1}", "{1]", "[1//c\n]", "[1/**/]",
    "['1']", "[1e5,", "[1,\n", "[-1e", "[0,1,2,3,4,5,6,7,8,9,x]", "[1;2]", "1,2", "[" + "0," * 16384 + "0]",
    "[" * 1000, "[\u22121]", "[1\u2028]", "[∞]", "[１]",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda t: repr(t[:30]))
def test_refused(db, text):
    with pytest.raises(sqlite3.OperationalError, match=r"^embedding: x(\[\d+\])? (is|has) "):
        db.execute("SELECT embedding(?)", (text,)).fetchone()


def test_text_that_is_not_utf8(db):
    for raw in ("5b31ff5d", "5b31c35d", "ff", "5b315dff"):
        with pytest.raises(sqlite3.OperationalError, match="^embedding: x is "):
            db.execute(f"SELECT embedding(CAST(x'{raw}' AS TEXT))").fetchone()


def test_utf16_database(tmp_path):
    """A database in UTF-16 hands text over all the same."""
    from conftest import connect

    db = connect(tmp_path / "u16.db")
    db.execute("PRAGMA encoding = 'UTF-16le'")
    db.execute("CREATE TABLE t(v)")
    db.execute("INSERT INTO t VALUES ('[1,2.5]')")
    assert one(db, "SELECT embedding(v) FROM t") == vec([1, 2.5])
    assert one(db, "SELECT embedding_as(embedding(v), 'json') FROM t") == "[1,2.5]"
    db.close()


def shortest(x):
    """numpy writes the shortest digits that read back to the same float32."""
    digits = numpy.format_float_scientific(x, unique=True, trim="-")
    return len(digits.split("e")[0].replace(".", "").replace("-", "").strip("0")) or 1


def test_writing_reads_back_and_is_shortest(db, rng):
    bits = rng.integers(0, 2**32, 30000, dtype="u4").view("<f4")
    special = [
        0.0,
        -0.0,
        1,
        -1,
        0.1,
        1e10,
        1e-10,
        16777216,
        16777217,
        3.4028235e38,
        1e-45,
        1.1754944e-38,
        9.999999e-5,
        123456.79,
    ]
    x = numpy.concatenate(
        [bits[numpy.isfinite(bits)], numpy.array(special, dtype="f4"), rng.standard_normal(9000).astype("f4")]
    )
    for i in range(0, len(x), 16384):
        piece = x[i : i + 16384]
        text = one(db, "SELECT embedding_as(?, 'json')", vec(piece))
        numbers = text[1:-1].split(",")
        assert numpy.array_equal(want(numbers).view("<u4"), piece.view("<u4"))
        assert one(db, "SELECT embedding(?)", text) == vec(piece)
        assert json.loads(text) is not None
        for number, value in zip(numbers, piece):
            digits = number.lower().split("e")[0].replace(".", "").replace("-", "").strip("0")
            assert (len(digits) or 1) == shortest(value), (number, value)


def test_sqlite_reads_what_is_written(db, rng):
    """json_each gives the numbers to SQL."""
    x = rng.standard_normal(100).astype("f4")
    got = [v for (v,) in db.execute("SELECT value FROM json_each(embedding_as(?, 'json'))", (vec(x),))]
    assert numpy.array_equal(numpy.array(got, dtype="f8").astype("f4"), x)
    assert one(db, "SELECT json_valid(embedding_as(?, 'json'))", vec(x)) == 1
