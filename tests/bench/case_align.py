"""whiten_align between the spaces of two models of today's kind of difference: means of 100-d skip-gram vectors (npm,
make bench-deps) and of 300-d word2vec vectors (WHITEN_DATA) of the same sentences of STS-B.

1,000 sentences of which no pair is judged are the sample. Queries are the first sentences of the pairs that people gave 3
of 5 points or more; the second one of the pair is to be among the 10 nearest of all second ones and of the sentences
that are left. Native: within one space, centred. Procrustes of vectors filled up with zeros and ridge regression by numpy."""

import json
import re

import client
import data
import index_data
import sides
from harness import no_less

SAMPLE, SCORE, K = 1000, 3, 10


def _percent(value):
    return f"{value:.1f} %"


def _lines(kind):
    path = index_data.DATA / f"sts_w2v300_stsb.{kind}.tsv"
    if not path.exists():
        raise client.Missing("sts_w2v300_stsb is not in WHITEN_DATA")
    return [line.split("\t") for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]]


def _spaces():
    """Both spaces, a row a sentence, of those that have a word in each; places of queries, answers, sample, others."""
    np = data.numpy_module()
    place, vectors = index_data.word_vectors()
    words = [[place[w] for w in re.findall(r"[a-z]+", text.lower()) if w in place] for _, text in _lines("labels")]
    old = np.array([vectors[w].mean(0) if w else np.zeros(vectors.shape[1]) for w in words], np.float64)
    new = np.fromfile(index_data.DATA / "sts_w2v300_stsb.f32", "<f4").reshape(len(old), -1).astype(np.float64)
    usable = {i for i in range(len(old)) if old[i].any() and new[i].any()}
    taken, pairs = set(), []
    for a, b, score in _lines("pairs"):
        both = {int(a), int(b)}
        if float(score) >= SCORE and len(both) == 2 and both <= usable and not both & taken:
            taken |= both
            pairs.append((int(a), int(b)))
    rest = np.random.default_rng(11).permutation(sorted(usable - taken))
    queries, answers = np.array(pairs).T
    return (old, new), (queries, np.concatenate([answers, rest[SAMPLE:]]), rest[:SAMPLE])


def _found(queries, documents):
    np = data.numpy_module()
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, documents)]
    similarity = unit[0] @ unit[1].T
    better = (similarity > np.diag(similarity[:, : len(queries)])[:, None]).sum(1)
    return 100 * float((better < K).mean())


def _models(sample):
    """Of both sides, by whiten_align: functions of rows."""
    np = data.numpy_module()
    connection = sides.connect(":memory:")
    connection.execute("CREATE TABLE pair (a, b)")
    blobs = [[row.astype("<f4").tobytes() for row in side] for side in sample]
    connection.executemany("INSERT INTO pair VALUES (?, ?)", zip(*blobs))

    def of(side):
        sql = "SELECT whiten_align(whiten_pair_stats(a, b), ?) FROM pair"
        model = connection.execute(sql, (side,)).fetchone()[0]

        def apply(rows):
            json_rows = json.dumps([row.tolist() for row in rows])
            found = connection.execute("SELECT whiten_apply(?, value) FROM json_each(?)", (model, json_rows))
            return np.array([np.frombuffer(v, "<f4") for (v,) in found], np.float64)

        return apply

    return of("a"), of("b")


def _procrustes(sample):
    np = data.numpy_module()
    width = max(x.shape[1] for x in sample)

    def wide(x, mean):
        return np.pad(x - mean, ((0, 0), (0, width - x.shape[1])))

    means = [x.mean(0) for x in sample]
    u, _, vt = np.linalg.svd(wide(sample[0], means[0]).T @ wide(sample[1], means[1]))
    return lambda x: wide(x, means[0]) @ u @ vt, lambda x: wide(x, means[1])


def _regression(source, target, ridge=0.3):
    np = data.numpy_module()
    x = source - source.mean(0)
    cov = x.T @ x
    ridged = cov + ridge * np.trace(cov) / len(cov) * np.eye(len(cov))
    kernel = np.linalg.solve(ridged, x.T @ (target - target.mean(0)))
    return lambda rows: (rows - source.mean(0)) @ kernel + target.mean(0)


def align(options, table):
    try:
        spaces, (queries, documents, sample) = _spaces()
    except client.Missing as reason:
        table.figure("align, R@10 across", str(reason), no_less(0))
        return
    fitted = [x[sample] for x in spaces]
    shared, turned = _models(fitted), _procrustes(fitted)
    native = [_found(x[queries] - y.mean(0), x[documents] - y.mean(0)) for x, y in zip(spaces, fitted)]
    for one, other, name in ((0, 1, "100-d to 300-d"), (1, 0, "300-d to 100-d")):
        ours = _found(shared[one](spaces[one][queries]), shared[other](spaces[other][documents]))
        regressed = _regression(fitted[one], fitted[other])
        peers = {
            "Procrustes": _found(turned[one](spaces[one][queries]), turned[other](spaces[other][documents])),
            "ridge regression": _found(regressed(spaces[one][queries]), spaces[other][documents]),
        }
        limits = f"native {native[one]:.1f} and {native[other]:.1f} %, " + ", ".join(f"{k} {v:.1f} %" for k, v in peers.items())
        least = round(max(0.96 * min(native), *peers.values()), 1)
        table.figure(f"align, words of STS-B, {name}: R@10", [ours], no_less(least), limits, text=_percent)


CASES = {"align": align}
