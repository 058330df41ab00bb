"""Codes of vectors (ext/core/codes.h) against numpy: the rotation and the quantiser by their definition, estimates
against cosines in float64, on random, awkward and real vectors. No function of SQL shows codes, so the core is built here
with codes.c, which calls it."""

import ctypes
import functools
import math
import os
import shlex
import subprocess

import numpy
import pytest
from conftest import ROOT

LIST = [1, 2, 3, 5, 8, 16, 31, 64, 67, 100, 129, 256, 300]
VARIANTS = ["portable", "avx2", "avx512", "neon"]


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    target = tmp_path_factory.mktemp("codes") / "codes.so"
    sources = [ROOT / "tests" / "oracle" / "codes.c", ROOT / "ext/core/codes.c", ROOT / "ext/core/vector.c"]
    sources += sorted((ROOT / "ext" / "core" / "simd").glob("*.c"))
    flags = ["-O2", "-std=c11", "-fPIC", "-shared", "-ffp-contract=off", f"-I{ROOT / 'ext'}"]
    command = [*shlex.split(os.environ.get("CC") or "cc"), *flags, "-o", str(target), *map(str, sources), "-lm"]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        pytest.skip("no compiler")
    library = ctypes.CDLL(str(target))
    assert library.start(None)
    return library


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


class Rows(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("k", "n")] + [(name, ctypes.c_void_p) for name in ("signs", "rest")]


class Codes:
    """Rows, coded; what codes.h says of the layout is read with numpy."""

    def __init__(self, core, x):
        self.core, (self.n, self.k) = core, x.shape
        self.x = numpy.ascontiguousarray(x, "<f4")
        self.bytes, blocks = (self.k + 7) // 8, (self.n + 63) // 64
        self.signs = self.aligned(blocks, 64 * (4 + self.bytes))
        self.rest = self.aligned(blocks, 64 * (16 + 4 * self.bytes))
        errors = numpy.zeros(2)
        self.rows = Rows(self.k, self.n, pointer(self.signs), pointer(self.rest))
        assert core.code(ctypes.byref(self.rows), pointer(self.x), pointer(errors)) == 0
        self.error_signs, self.error = errors

    @staticmethod
    def aligned(rows, columns):
        flat = numpy.zeros(rows * columns + 64, "u1")
        first = -flat.ctypes.data % 64
        return flat[first : first + rows * columns].reshape(rows, columns)

    def ask(self, query, least):
        """Which rows a scan finds, and the estimates of all."""
        query = numpy.ascontiguousarray(query, "<f4")
        found, estimates = numpy.zeros(len(self.signs), "<u8"), numpy.zeros(self.n, "<f4")
        results = (pointer(found), pointer(estimates))
        assert self.core.ask(ctypes.byref(self.rows), pointer(query), ctypes.c_float(least), *results) == 0
        bits = numpy.unpackbits(found.view("u1"), bitorder="little")
        assert not bits[self.n :].any()
        return bits[: self.n].astype(bool), estimates

    def factors(self):
        """Of the top bits, of all; and the norms."""
        signs = self.signs[:, :256].copy().view("<f4").reshape(-1)
        rest = self.rest[:, 512:1024].copy().view("<f4").reshape(-1, 2, 64)
        return (part.reshape(-1)[: self.n] for part in (signs, rest[:, 0], rest[:, 1]))

    def levels(self):
        """The five bits of every component, n x 8 bytes."""
        top = self.signs[:, 256:].reshape(-1, self.bytes, 64).transpose(0, 2, 1).reshape(-1, self.bytes)
        low = self.rest[:, 1024:].reshape(-1, 4 * self.bytes)
        low = numpy.stack([low & 15, low >> 4], axis=2).reshape(len(low), -1)
        return (16 * numpy.unpackbits(top, axis=1, bitorder="little") + low)[: self.n]


def splitmix64(seed):
    mask = 2**64 - 1
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = ((seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        yield z ^ (z >> 31)


@functools.lru_cache(maxsize=None)
def rotation(k):
    """As a dense matrix, from codes.h."""
    window = 1 << (k.bit_length() - 1)
    hadamard = numpy.ones((1, 1))
    while len(hadamard) < window:
        hadamard = numpy.block([[hadamard, hadamard], [hadamard, -hadamard]]) / math.sqrt(2)
    kac, half = numpy.eye(k), (k + 1) // 2
    for i in range(k - half):
        kac[i, [i, i + half]] = kac[i + half, i] = math.sqrt(0.5)
        kac[i + half, i + half] = -math.sqrt(0.5)
    numbers, matrix = splitmix64(k), numpy.eye(k)
    for turn in range(4):
        words = numpy.array([next(numbers) for _ in range((k + 63) // 64)], "<u8")
        flips = 1.0 - 2 * numpy.unpackbits(words.view("u1"), bitorder="little")[:k]
        step, first = numpy.eye(k), (turn % 2) * (k - window)
        step[first : first + window, first : first + window] = hadamard
        matrix = step @ (flips[:, None] * matrix)
        if turn % 2 and window < k:
            matrix = kac @ matrix
    return matrix


def unit(x):
    x = numpy.asarray(x, "f8")
    return x / numpy.linalg.norm(x, axis=-1, keepdims=True)


def vectors(rng, n, k):
    """Normal ones, and what a rotation must dissolve."""
    x = rng.standard_normal((n, k))
    x[0], x[1], x[2] = 1, numpy.eye(k)[0], -numpy.eye(k)[-1]
    x[3] = x[4]
    x[5] *= 1e30 / numpy.abs(x[5]).max()
    x[6] *= 1e-30 / numpy.abs(x[6]).max()
    return x.astype("<f4")


@pytest.mark.parametrize("k", LIST)
def test_codes_by_definition(core, rng, k):
    x = vectors(rng, 70, k)
    codes = Codes(core, x)
    matrix = rotation(k)
    assert numpy.abs(matrix @ matrix.T - numpy.eye(k)).max() < 1e-12
    o = unit(x) @ matrix.T
    levels = codes.levels()
    assert not levels[:, k:].any()
    levels = levels[:, :k]
    t = o * math.sqrt(k) / 0.1881 + 16
    assert ((levels <= t + 1e-3) | (levels == 0)).all() and ((levels >= t - 1 - 1e-3) | (levels == 31)).all()
    signs, all_bits, norms = codes.factors()
    numpy.testing.assert_allclose(signs * (o * numpy.where(levels >= 16, 1, -1)).sum(1), 1, rtol=1e-5)
    numpy.testing.assert_allclose(all_bits * (o * (levels - 15.5)).sum(1), 1, rtol=1e-5)
    numpy.testing.assert_allclose(norms, numpy.linalg.norm(x.astype("f8"), axis=1), rtol=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("k", LIST)
def test_estimates_by_definition(core, rng, k, variant):
    """Within six standard deviations of what rounding the query to 8 bits, and its sums to 7, takes."""
    if not core.start(variant.encode()):
        pytest.skip("not of this CPU")
    codes = Codes(core, vectors(rng, 200, k))
    levels = codes.levels()[:, :k].astype("f8")
    signs, all_bits, _ = (part.astype("f8") for part in codes.factors())
    for query in rng.standard_normal((5, k)):
        q = rotation(k) @ unit(query)
        expected = ((levels - 15.5) @ q) * all_bits
        by_signs = (numpy.where(levels >= 16, 1, -1) @ q) * signs
        width = 2 * numpy.add.reduceat(numpy.abs(q), range(0, k, 4)).max() / 127
        tolerance = 6 * width * math.sqrt((k + 3) // 4 / 12) * signs + 1e-5
        for least in (-math.inf, 0, 0.1, math.inf):
            found, estimates = codes.ask(query, least)
            assert found[by_signs >= least + tolerance].all() and not found[by_signs < least - tolerance].any()
        noise = numpy.abs(q).max() / 127 * numpy.sqrt(((levels % 16 - 7.5) ** 2).sum(1) / 12) * all_bits
        noise += 8 * width * math.sqrt((k + 3) // 4 / 12) * all_bits
        assert (numpy.abs(estimates - expected) < 6 * noise + 1e-6).all()
    assert core.start(None)


# How much of the square of the error of an estimate from all bits is rounding of the query, whatever the cosine is: with
# the step of 0.1881, (10 * 3 / 4 + 64 * 0.1881^2 * 36) / (12 * 127^2) of that and 0.003507.
ROUNDED = 0.1187


def check_errors(core, x, queries, tolerance):
    """The standard deviation of estimates, in sqrt(1 - cosine^2), against what is stated."""
    codes, sums = Codes(core, x), []
    signs, _, _ = codes.factors()
    top = numpy.where(codes.levels()[:, : codes.k] >= 16, 1.0, -1.0)
    matrix = rotation(codes.k)
    for query in queries:
        cosines = unit(x) @ unit(query)
        _, estimates = codes.ask(query, 0)
        scale = numpy.sqrt(numpy.maximum(1 - cosines**2, 0))
        kept = scale > 0.03
        by_signs = top @ (matrix @ unit(query)) * signs
        errors = [(by_signs - cosines) / codes.error_signs, (estimates - cosines) / codes.error]
        scales = [scale, numpy.sqrt((1 - ROUNDED) * scale**2 + ROUNDED)]
        sums.append([((e[kept] / s[kept]) ** 2).mean() for e, s in zip(errors, scales)])
    found = numpy.sqrt(numpy.mean(sums, axis=0))
    assert found == pytest.approx([1, 1], abs=tolerance)


@pytest.mark.parametrize("k", [16, 24, 64, 100, 256, 300, 768])
@pytest.mark.parametrize("kind", ["normal", "clusters", "decay", "hot"])
def test_errors_are_those_stated(core, rng, k, kind):
    centres = rng.standard_normal((20, k))
    x = {
        "normal": rng.standard_normal((1000, k)),
        "clusters": numpy.repeat(centres, 50, axis=0) + 0.6 * rng.standard_normal((1000, k)),
        "decay": rng.standard_normal((1000, k)) * 0.97 ** numpy.arange(k),
        "hot": numpy.eye(k)[rng.integers(0, k, 1000)],
    }[kind]
    check_errors(core, x.astype("<f4"), centres, 0.15)


@pytest.mark.parametrize("name", ["sts_w2v300_stsb", "sts_use512_stsb", "bgem3_alice_1024"])
@pytest.mark.parametrize("whitened", [False, True])
def test_errors_on_real_vectors(core, data_set, rng, name, whitened):
    x = data_set(name).x
    x = x[rng.permutation(len(x))[:3000]].astype("f8")
    x = x[numpy.linalg.norm(x, axis=1) > 0]
    if whitened:
        x -= x.mean(0)
        _, s, directions = numpy.linalg.svd(x, full_matrices=False)
        x = x @ (directions[:100] / s[:100, None]).T
    x = x.astype("<f4")
    check_errors(core, x[50:], x[:50], 0.1)
