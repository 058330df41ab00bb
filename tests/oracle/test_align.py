"""whiten_align against numpy: kernels, means and offsets of each side; moments merged in any order; and what it is for:
the vectors of one embedding model found by those of another, better than by Procrustes and by ridge regression."""

import json

import numpy
import pytest
from conftest import one, unvec, vec
from test_index_search import index, recall, whitened

SIDES = ["a", "b", "a->b", "b->a"]


def inverse_root(cov):
    values, vectors = numpy.linalg.eigh(cov)
    return (vectors / numpy.sqrt(values)) @ vectors.T


def reference(a, b, ridge=0.3, exponent=0.5, k=None):
    """Of each side mean, kernel, offset; singular values. Signs as core/align.h has them."""
    means, x, y = (a.mean(0), b.mean(0)), a - a.mean(0), b - b.mean(0)
    cov = {(i, j): p.T @ q / (len(a) - 1) for i, p in enumerate((x, y)) for j, q in enumerate((x, y))}
    ridged = [cov[i, i] + ridge * numpy.trace(cov[i, i]) / len(cov[i, i]) * numpy.eye(len(cov[i, i])) for i in (0, 1)]
    roots = [inverse_root(r) for r in ridged]
    u, s, vt = numpy.linalg.svd(roots[0] @ cov[0, 1] @ roots[1], full_matrices=False)
    u, s, v = u[:, :k], s[:k], vt.T[:, :k]
    of_a = roots[0] @ u
    signs = numpy.sign(of_a[numpy.abs(of_a).argmax(0), numpy.arange(len(s))])
    turned, scale = [u * signs, v * signs], s**exponent
    sides = {}
    for i, name in enumerate("ab"):
        kernel = roots[i] @ turned[i] * scale
        sides[name] = means[i], kernel, numpy.zeros(len(s))
        out = turned[1 - i].T @ numpy.linalg.inv(roots[1 - i])
        sides[f"{name}->{'ba'[i]}"] = means[i], kernel @ out, means[1 - i]
    return sides, s


def pair_table(db, a, b):
    db.execute("DROP TABLE IF EXISTS pair")
    db.execute("CREATE TABLE pair(id INTEGER PRIMARY KEY, a BLOB, b BLOB)")
    db.executemany("INSERT INTO pair(a, b) VALUES (?, ?)", [(vec(x), vec(y)) for x, y in zip(a, b)])


def align(db, side, **options):
    sql = "SELECT whiten_align(whiten_pair_stats(a, b), ?, ?) FROM pair"
    return one(db, sql, side, json.dumps(options))


def parts(db, model):
    info = json.loads(one(db, "SELECT whiten_info(?)", model))
    kernel = unvec(one(db, "SELECT whiten_kernel(?)", model)).reshape(info["d"], -1).astype("f8")
    return -unvec(one(db, "SELECT whiten_bias(?)", model)), kernel, unvec(one(db, "SELECT whiten_offset(?)", model))


def apply(db, model, rows):
    return numpy.array([unvec(one(db, "SELECT whiten_apply(?, ?)", model, vec(row))) for row in rows]).astype("f8")


def two_spaces(rng, n, d_a, d_b, shared, noise):
    """Vectors of the same texts by two models: what they share, and more of each; far from zero."""
    causes = rng.standard_normal((n, shared)) * numpy.geomspace(3, 0.5, shared)
    a = causes @ rng.standard_normal((shared, d_a)) + noise * rng.standard_normal((n, d_a)) + 2
    b = causes @ rng.standard_normal((shared, d_b)) + noise * rng.standard_normal((n, d_b)) - 1
    return a.astype("f4").astype("f8"), b.astype("f4").astype("f8")


@pytest.mark.parametrize("options", [{}, {"ridge": 0, "exponent": 1}, {"ridge": 2, "exponent": 0, "k": 5}, {"k": 1}], ids=str)
@pytest.mark.parametrize("d_a, d_b", [(12, 20), (20, 12), (9, 9), (1, 7)])
def test_against_numpy(db, rng, d_a, d_b, options):
    if options.get("k", 1) > min(d_a, d_b):
        options = {**options, "k": min(d_a, d_b)}
    a, b = two_spaces(rng, 400, d_a, d_b, 6, 1.0)
    pair_table(db, a, b)
    sides, _ = reference(a, b, **options)
    for side in SIDES:
        found, want = parts(db, align(db, side, **options)), sides[side]
        for part, expected in zip(found, want):
            assert part.shape == expected.shape
            assert numpy.abs(part - expected).max() < 2e-6 * max(1, numpy.abs(expected).max()), side
    model = align(db, "a->b", **options, normalize=True)
    mean, kernel, offset = sides["a->b"]
    y = (a[:5] - mean) @ kernel + offset
    y /= numpy.linalg.norm(y, axis=1, keepdims=True)
    assert numpy.abs(apply(db, model, a[:5]) - y).max() < 1e-6


def test_rows_and_info(db, rng):
    a, b = two_spaces(rng, 300, 10, 16, 6, 1.0)
    pair_table(db, a, b)
    model = align(db, "b->a", k=4, ridge=0.1, exponent=0.25)
    rows = db.execute("SELECT vector FROM whiten_rows(?, 'pair', 'b') ORDER BY rowid", (model,)).fetchall()
    assert [v for (v,) in rows] == [v for (v,) in db.execute("SELECT whiten_apply(?, b) FROM pair ORDER BY id", (model,))]
    info = json.loads(one(db, "SELECT whiten_info(?)", model))
    want = {"version": 2, "method": "align", "side": "b->a", "n": 300, "d": 16, "k": 4, "rank": 10, "ridge": 0.1,
            "exponent": 0.25, "normalize": False, "warnings": []}  # fmt: skip
    assert {key: info[key] for key in want} == want
    db.execute("DELETE FROM pair WHERE id > 15")
    (warning,) = json.loads(one(db, "SELECT whiten_info(?)", align(db, "b")))["warnings"]
    assert "n = 15 pairs is below d = 16" in warning


def test_inverse(db, rng):
    """From the shared space and back to it nothing is lost; with all components of the smaller side, nothing of that."""
    a, b = two_spaces(rng, 300, 8, 14, 8, 1.0)
    pair_table(db, a, b)
    for side, rows in [("a", a), ("b", b)]:
        model = align(db, side, k=5)
        y = rng.standard_normal((6, 5))
        back = [one(db, "SELECT whiten_apply(?1, whiten_inverse(?1, ?2))", model, vec(row)) for row in y]
        assert numpy.abs(numpy.array([unvec(v) for v in back]) - y).max() < 1e-5
    for side in ("a", "a->b"):
        model = align(db, side)
        back = [one(db, "SELECT whiten_inverse(?1, whiten_apply(?1, ?2))", model, vec(row)) for row in a[:6]]
        assert numpy.abs(numpy.array([unvec(v) for v in back]) - a[:6]).max() < 1e-4


@pytest.mark.parametrize("side", SIDES)
def test_splits_give_one_model(db, rng, side):
    """Means and offsets to 1e-10; the kernel, which is float32, to a unit in its last place or two."""
    a, b = two_spaces(rng, 500, 12, 18, 8, 1.0)
    pair_table(db, a, b)
    whole = align(db, side)
    doubles = slice(128, 128 + 8 * (12 + 18)) if ">" in side else slice(128, 128 + 8 * {"a": 12, "b": 18}[side])
    floats = numpy.frombuffer(whole[doubles.stop :], "<f4").astype("f8")
    for split in ("id % 7", "id < 20", "id / 100", "id"):
        sql = f"SELECT whiten_align(whiten_merge(s), ?) FROM (SELECT whiten_pair_stats(a, b) AS s FROM pair GROUP BY {split})"
        merged = one(db, sql, side)
        assert merged[32:96] == whole[32:96]
        found, want = (numpy.frombuffer(m[doubles], "<f8") for m in (merged, whole))
        assert numpy.abs(found - want).max() < 1e-10
        found = numpy.frombuffer(merged[doubles.stop :], "<f4").astype("f8")
        assert (numpy.abs(found - floats) <= 2.5e-7 * numpy.abs(floats) + 1e-10).all()


# ---- what it is for


def unit(x):
    return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def share_found(queries, documents, k=10):
    """Per cent of the queries whose own document is among the k nearest; documents beyond them distract."""
    similarity = unit(queries) @ unit(documents).T
    better = (similarity > numpy.diag(similarity[:, : len(queries)])[:, None]).sum(1)
    return 100 * (better < k).mean()


def procrustes(a, b):
    """Orthogonal, of vectors filled up with zeros."""
    width = max(a.shape[1], b.shape[1])

    def wide(x):
        return numpy.pad(x, ((0, 0), (0, width - x.shape[1])))

    u, _, vt = numpy.linalg.svd(wide(a - a.mean(0)).T @ wide(b - b.mean(0)))
    return lambda x: wide(x - a.mean(0)) @ u @ vt, lambda y: wide(y - b.mean(0))


def views(rng, z, shared, d_a, d_b):
    """Two models' views of rows in their principal axes: `shared` axes, each at scales of its own; 40 and 80 axes that the
    other has not; turned; noise; means."""
    result = []
    for first, own, width in ((shared, 40, d_a), (shared + 40, 80, d_b)):
        kept = numpy.hstack([z[:, :shared] * 10 ** rng.uniform(-0.7, 0.7, shared), z[:, first : first + own]])
        turn = numpy.linalg.qr(rng.standard_normal((width, shared + own)))[0]
        x = kept @ turn.T + 0.5 * z[:, shared].std() * rng.standard_normal((len(z), width)) + rng.uniform(-0.3, 0.3)
        result.append(x.astype("f4").astype("f8"))
    return result


def topics(rng):
    """Where no real set is: 620 texts that are about the same as another one, and 1,300 more, in a spectrum that falls."""
    scales = numpy.geomspace(1, 0.03, 300)
    x = rng.standard_normal((1920, 300)) * scales
    first = x[:620] + 0.9 * rng.standard_normal((620, 300)) * scales
    return numpy.vstack([first, x]), numpy.arange(620), numpy.arange(620, 1240), numpy.arange(1240, 2540)


def sentences(data_set):
    """STS-B: pairs of three points and more that share no sentence; the other sentences."""
    data = data_set("sts_w2v300_stsb")
    taken, queries, documents = set(), [], []
    for i, j, score in ((int(i), int(j), float(s)) for i, j, s in data.pairs):
        if score >= 3 and i != j and not taken & {i, j}:
            taken |= {i, j}
            queries.append(i)
            documents.append(j)
    rest = [i for i in range(len(data.x)) if i not in taken]
    return data.x.astype("f8"), numpy.array(queries), numpy.array(documents), numpy.array(rest)


@pytest.mark.parametrize("shared", [60, 80, 100])
@pytest.mark.parametrize("kind", ["real", "generated"])
def test_found_across(db, rng, data_set, kind, shared):
    """1,000 pairs; queries are texts, and what is to be found another text about the same, of neither of which a pair
    was seen. Native is the retrieval within the poorer of the spaces: none can know more across."""
    x, queries, documents, rest = sentences(data_set) if kind == "real" else topics(rng)
    centred = x - x.mean(0)
    a, b = views(rng, centred @ numpy.linalg.svd(centred, full_matrices=False)[2].T, shared, 200, 300)
    rest = rng.permutation(rest)
    fitted, asked = rest[:1000], numpy.concatenate([documents, rest[1000:]])
    pair_table(db, a[fitted], b[fitted])
    of_a, of_b = (lambda rows, m=align(db, side): apply(db, m, rows) for side in "ab")
    native = min(share_found(x[queries] - x[fitted].mean(0), x[asked] - x[fitted].mean(0)) for x in (a, b))
    found = [share_found(of_a(a[queries]), of_b(b[asked])), share_found(of_b(b[queries]), of_a(a[asked]))]
    left, right = procrustes(a[fitted], b[fitted])
    turned = [share_found(left(a[queries]), right(b[asked])), share_found(right(b[queries]), left(a[asked]))]
    sides, _ = reference(a[fitted], b[fitted], exponent=1)

    def regressed(side, rows):
        mean, kernel, offset = sides[side]
        return (rows - mean) @ kernel + offset

    ridge = [share_found(regressed("a->b", a[queries]), b[asked]), share_found(regressed("b->a", b[queries]), a[asked])]
    print(f"native {native:.1f}, shared {found}, procrustes {turned}, ridge {ridge}")
    for i in (0, 1):
        assert found[i] >= 0.96 * native
        assert found[i] > turned[i] and found[i] > ridge[i]


# ---- in the index


@pytest.mark.parametrize("options", [{}, {"normalize": True}], ids=str)
def test_an_index_over_vectors_led_across(db, rng, options):
    """Rows and queries of a through 'a->b': numbers to the bit (check_numbers in recall), the right candidates, drift
    measured from the mean that the model adds."""
    a, b = two_spaces(rng, 3000, 24, 40, 20, 1.0)
    b += 30  # much more is added than is left of a row
    pair_table(db, a[:600], b[:600])
    db.execute("CREATE TABLE whitening(name TEXT PRIMARY KEY, model BLOB)")
    db.execute("INSERT INTO whitening VALUES ('across', ?)", (align(db, "a->b", **options),))
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)")
    db.executemany("INSERT INTO t(v) VALUES (?)", [(vec(row),) for row in a])
    index(db, "model = across")
    y, _ = whitened(db)
    assert y.shape == (3000, 40)
    assert recall(db, a[:150] + 0.3 * rng.standard_normal((150, 24))) >= 0.98
    assert one(db, "SELECT whiten_index_info('search') ->> 'drift'") < 0.1
    assert one(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0
