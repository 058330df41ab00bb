"""float32 arithmetic in numpy, to the bit: fused multiply-add, the 32 lanes of dot-like sums, the chain of a
transform."""

import numpy

LANES = 32


def fma(a, b, c):
    """a * b + c rounded once to float32. The product of two float32 is exact in float64; the sum is rounded
    to odd there, so that the second rounding is the only one that counts (Boldo & Melquiond 2008)."""
    p = numpy.multiply(a, b, dtype=numpy.float64)
    c = numpy.asarray(c, dtype=numpy.float64)
    s = p + c
    back = s - p
    error = (p - (s - back)) + (c - back)
    even = (s.view(numpy.int64) & 1) == 0
    odd = numpy.where(
        (error != 0) & even, numpy.nextafter(s, numpy.where(error > 0, numpy.inf, -numpy.inf)), s
    )
    return odd.astype(numpy.float32)


def lanes(a, b):
    """The 32 float32 sums of a_i * b_i: lane i takes elements i, i + 32, ..."""
    size = -(-len(a) // LANES) * LANES
    a, b = (numpy.pad(v.astype("f4"), (0, size - len(v))).reshape(-1, LANES) for v in (a, b))
    total = numpy.zeros(LANES, dtype="f4")
    for x, y in zip(a, b):
        total = fma(x, y, total)
    return total


def fold(total):
    """The lanes, folded in halves in float64."""
    total = total.astype("f8")
    while len(total) > 1:
        half = len(total) // 2
        total = total[:half] + total[half:]
    return float(total[0])


def dot(a, b):
    return fold(lanes(a, b))


def norm(a):
    return float(numpy.sqrt(dot(a, a)))


def l2(a, b):
    difference = (a.astype("f4") - b.astype("f4")).astype("f4")
    return float(numpy.sqrt(dot(difference, difference)))


def cosine(a, b):
    return float(numpy.clip(dot(a, b) / numpy.sqrt(dot(a, a) * dot(b, b)), -1, 1))


def transform(x, mean, kernel):
    """(x - mean) @ kernel: the difference in float64, rounded once; then a chain over the input elements."""
    shifted = (x.astype("f8") - mean).astype("f4")
    total = numpy.zeros((len(x), kernel.shape[1]), dtype="f4")
    for i in range(kernel.shape[0]):
        total = fma(shifted[:, i : i + 1], kernel[i : i + 1], total)
    return total
