"""embedding_rows against numpy: what np.save and tofile write, every dtype and version, and files that are broken."""

import io

import numpy
import pytest
from conftest import connect, unvec
from numpy.lib import format as npy_format

X = numpy.arange(12, dtype="<f4").reshape(3, 4)
HEADER = b"{'descr':'<f4','fortran_order':False,'shape':(3,4)}"


def rows(data, *arguments):
    places = ", ".join("?" * (1 + len(arguments)))
    found = connect().execute(f"SELECT position, vector FROM embedding_rows({places})", (data, *arguments)).fetchall()
    assert [position for position, _ in found] == list(range(1, len(found) + 1))
    return numpy.array([unvec(v) for _, v in found])


def npy(array, version=(1, 0), change=()):
    file = io.BytesIO()
    npy_format.write_array(file, array, version=version)
    data = file.getvalue()
    if change:
        assert change[0] in data and len(change[0]) == len(change[1])
        data = data.replace(*change)
    return data


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2", "|i1"])
def test_npy(rng, version, dtype):
    x = (rng.normal(size=(300, 7)) * 20).astype(dtype)
    assert rows(npy(x, version)).tobytes() == x.astype("<f4").tobytes()
    assert rows(npy(x.ravel(), version), None, 7).tobytes() == x.astype("<f4").tobytes()


@pytest.mark.parametrize("encoding, dtype", [("f32", "<f4"), ("f64", "<f8"), ("f16", "<f2"), ("i8", "|i1")])
def test_raw(rng, encoding, dtype):
    x = (rng.normal(size=(300, 7)) * 20).astype(dtype)
    assert rows(x.tobytes(), encoding, 7).tobytes() == x.astype("<f4").tobytes()


def test_bf16(rng):
    bits = rng.normal(size=(30, 7)).astype("<f4").view("<u4") >> 16
    assert rows(bits.astype("<u2").tobytes(), "bf16", 7).tobytes() == (bits << 16).astype("<u4").tobytes()


def test_other_writers():
    """A header without spaces, without padding, as numpy also reads it."""
    data = b"\x93NUMPY\x01\x00" + bytes([len(HEADER), 0]) + HEADER + X.tobytes()
    assert numpy.array_equal(numpy.load(io.BytesIO(data)), X) and numpy.array_equal(rows(data), X)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\x93NUMPY\x04\x00" + npy(X)[8:], "unknown version, expected 1.0, 2.0 or 3.0"),
        (npy(X)[:8], "header that cannot be read"),
        (npy(X)[:40], "header that cannot be read"),
        (npy(X, change=(b"'shape'", b"'shapE'")), "header that cannot be read"),
        (npy(X.astype(">f4")), "dtype >f4, expected <f4"),
        (npy(X.astype("<i4")), "dtype <i4, expected <f4"),
        (npy(X.astype("<f4, <i2")), "dtype .*, expected <f4"),
        (npy(numpy.asfortranarray(X)), "Fortran order, expected C order"),
        (npy(X[0]), "dim is missing"),
        (npy(X[0, 0]), "another shape"),
        (npy(X.reshape(3, 2, 2)), "another shape"),
        (npy(X[:, :0]), "rows of 0 numbers, expected 1 to 16384"),
        (npy(numpy.zeros((1, 16385), "<f4")), "rows of 16385 numbers, expected 1 to 16384"),
        (npy(X)[:-1], "47 bytes of numbers, expected those of 3 x 4 <f4"),
        (npy(X) + b"\0", "49 bytes of numbers, expected those of 3 x 4 <f4"),
        (npy(X + numpy.float32("nan")), r"rowid 1: data\[0\] is NaN"),
        (npy(X.astype("<f8") * 1e38), r"rowid 2: data\[0\] is beyond float32"),
    ],
)
def test_broken_npy(data, message):
    with pytest.raises(Exception, match=f"embedding_rows: .*{message}"):
        rows(data)


def test_every_prefix_of_a_header_is_refused():
    data = npy(X)
    for length in range(6, len(data)):
        with pytest.raises(Exception, match="embedding_rows: "):
            rows(data[:length])


def test_arguments_that_a_file_contradicts():
    with pytest.raises(Exception, match="encoding is 'f64', expected 'f32' as in data"):
        rows(npy(X), "f64")
    with pytest.raises(Exception, match="dim is 3, expected 4 as in data"):
        rows(npy(X), None, 3)
