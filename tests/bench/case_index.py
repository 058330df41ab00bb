"""The search index: queries against the extensions and libraries that a user would take instead, at the recall that
each can have; filters, the first query, no cache; build, insert, bytes, memory.

Peers search vectors that are whitened already; whiten_index takes the raw ones, whitens the query, and reads the table.
A peer whose recall stays below .99 is shown without a bar.
"""

import statistics

import index_data
import index_sides
from client import Missing
from harness import Side, at_least, at_most, below, compare, no_less, up_to

TARGET = 0.99
MMAP = "PRAGMA mmap_size = 2147418112"
PEERS = {
    "sqlite-vec float": ("index_peers:vec", {"form": "float"}),
    "sqlite-vec int8": ("index_peers:vec", {"form": "int8"}),
    "sqlite-vec bit": ("index_peers:vec", {"form": "bit"}),
    "sqlite-vector UINT8": ("index_peers:vector", {"form": "UINT8"}),
    "sqlite-vector 1BIT": ("index_peers:vector", {"form": "1BIT"}),
    "sqlite-vector TURBO4": ("index_peers:vector", {"form": "TURBO4"}),
}
MEMORY = {
    "faiss HNSW": ("index_peers:hnsw", {}),
    "usearch HNSW": ("index_peers:node", {"kind": "usearch"}),
    "libSQL DiskANN": ("index_peers:node", {"kind": "libsql"}),
    "numpy": ("index_peers:brute", {}),
}


class Index:
    """A set with its index of k components, made by the build under test, and what its answers are compared with."""

    def __init__(self, path, k, options="{}"):
        self.path, self.k, self.settings = path, k, (path, k, options)
        self.model = index_data.model(*self.settings)
        self.space = index_data.space(*self.settings)
        self.name = index_sides.index(path, self.model)

    def white(self):
        return index_data.white(*self.settings)

    def side(self, limit=10, setup=(), share=1, count=index_data.QUERIES):
        sql = f"SELECT rowid, similarity FROM {self.name} WHERE query = ?"
        if share != 1:
            sql += f" AND rowid IN (SELECT id FROM tags WHERE share = {share})"
        sql += f" ORDER BY similarity DESC LIMIT {limit}"
        more = {"setup": setup, "share": share, "k": limit, "count": count}
        return Side("index_sides:searches", 1, database=self.path, sql=sql, space=self.space, queries=self.path, **more)


def _recall(value):
    return f"{value:.4f}"


def _search(options, table, case, index, seconds=None, recall=0.995):
    """Ours alone: median, 95th percentile, recall, memory."""
    r = compare(options, ours=index.side())
    case = f"{case}, k = {index.k}"
    limits = f"95 % within {r.text('ours', 'p95')}"
    table.figure(f"{case}: a query", r.of("ours"), seconds and up_to(seconds), limits)
    table.figure(f"{case}: recall@10", r.of("ours", "recall"), no_less(recall), text=_recall)
    table.figure(f"{case}: memory", r.peak("ours"), text="{:.0f} MB".format)


def _against(options, table, case, index, peers, bar, count):
    """A peer after the other, each beside ours: at_least(bar) where it has the recall."""
    for label in peers:
        function, more = PEERS[label] if label in PEERS else MEMORY[label]
        if label in MEMORY:
            more = {**more, "dim": index.k}
        if label not in MEMORY or not label.endswith("HNSW"):
            more = {**more, "count": count}
        white = index.white()
        r = compare(options, ours=index.side(), peer=Side(function, 1, white=white, space=index.space, **more))
        theirs, note, equal = r.of("peer"), "", True
        if not isinstance(theirs, str):
            recall, n = r.of("peer", "recall")[0], r.rows[0]["peer"].get("n")
            equal = recall >= TARGET
            note = f"recall {recall:.3f}" + (f" at {n}" if n else "") + _build_time(r)
        wanted = at_least(bar[label]) if isinstance(bar, dict) and label in bar else None
        if not isinstance(bar, dict) and label in PEERS:
            wanted = at_least(bar)
        table.row(f"{case}, k = {index.k}", r.of("ours"), label, theirs, wanted if equal else None, note)


def _build_time(r):
    seconds = r.rows[0]["peer"].get("build")
    return f", built in {seconds:.0f} s" if seconds else ""


def _or_skip(table, case, make):
    """What make() gives; or None, and a row that says what is missing."""
    try:
        return make()
    except Missing as reason:
        table.figure(case, str(reason))
        return None


def _clustered(options, table, case="", k=256):
    path = index_data.generated("clustered", options.rows, 768)
    return _or_skip(table, case, lambda: Index(path, k))


def clustered(options, table):
    case = f"{options.rows:,} in clusters, d = 768"
    if index := _clustered(options, table, case):
        _search(options, table, case, index, 0.5e-3)
        _against(options, table, case, index, [*PEERS, "numpy"], 5, 50)


def million(options, table):
    rows = 10 * options.rows
    case = f"{rows:,} in clusters, d = 256"
    path = index_data.generated("clustered", rows, 256)
    if index := _or_skip(table, case, lambda: Index(path, 256)):
        _search(options, table, case, index, 2e-3)
    if index := _or_skip(table, case, lambda: Index(path, 100)):
        _search(options, table, case, index, 1.3e-3)
        # sqlite-vec's bits take seconds a query for as many candidates as they need here.
        peers = ["sqlite-vec int8", "sqlite-vector UINT8", "sqlite-vector 1BIT", "numpy"]
        _against(options.with_repeat(3), table, case, index, peers, 8, 20)


def iid(options, table):
    rows = 10 * options.rows
    path = index_data.generated("iid", rows, 100)
    case = f"{rows:,} independent, d = 100"
    if index := _or_skip(table, case, lambda: Index(path, 100)):
        _search(options, table, case, index, 5e-3, 0.99)


def _real(options, table, case, make, k, model="{}", peers=(), bar=None):
    """A real set; its path is made in here, since what it is made from may be missing."""
    if index := _or_skip(table, case, lambda: Index(make(), k, model)):
        _search(options, table, case, index)
        _against(options, table, case, index, peers, bar, 50)


def words(options, table):
    _real(options, table, "341,000 word vectors", index_data.words, 100)


def glosses(options, table):
    peers = ["sqlite-vec bit", "sqlite-vector 1BIT", "faiss HNSW", "usearch HNSW", "numpy"]
    bars = {"faiss HNSW": 1, "usearch HNSW": 1}
    _real(options, table, "117,000 glosses", index_data.glosses, 100, "{}", peers, bars)


def windows(options, table):
    rows = 10 * options.rows
    _real(options, table, f"{rows:,} windows", lambda: index_data.windows(rows), 100)


def encoder(options, table):
    for k in (128, 256):
        rows, make = index_data.encoded()
        _real(options, table, f"{rows:,} glosses by an encoder", make, k)


def libsql(options, table):
    """An index of libSQL's takes minutes for these."""
    peers = ["libSQL DiskANN", "usearch HNSW", "sqlite-vector UINT8"]
    make = lambda: index_data.file_of("use512_glosses")  # noqa: E731
    _real(options, table, "30,000 glosses by an encoder", make, 128, "{}", peers, {})


def codes(options, table):
    """What a hundred times the rows would take: their codes in memory, without a table to fetch from."""
    rows = 100 * options.rows
    r = compare(options, ours=Side("index_sides:codes", 1, rows=rows, k=100))
    case = f"codes of {rows:,} in clusters, k = 100, rows not fetched"
    limits = f"95 % within {r.text('ours', 'p95')}, {statistics.median(r.of('ours', 'n')):.0f} candidates"
    table.figure(f"{case}: a query", r.of("ours"), None, limits)
    table.figure(f"{case}: the nearest 10 among the candidates", r.of("ours", "recall"), no_less(0.99), text=_recall)
    table.figure(f"{case}: memory", r.of("ours", "bytes", 1e-6), None, text="{:.0f} MB".format)


def join(options, table):
    """Many queries: together, and one after the other."""
    for rows, dim, k in ((options.rows, 768, 256), (10 * options.rows, 256, 256), (10 * options.rows, 256, 100)):
        path = index_data.generated("clustered", rows, dim)
        case = f"{index_data.QUERIES} queries of {rows:,}, k = {k}"
        if not (index := _or_skip(table, case, lambda: Index(path, k))):
            continue
        for cores in (1, None):
            sides = {
                name: Side("index_sides:joined", cores, database=path, sql=sql)
                for name, sql in index_sides.joins(index.name).items()
            }
            r = compare(options, **sides)
            threads = "one thread" if cores else "all cores"
            table.row(f"{case}, {threads}: each", r.of("together"), "the join one by one", r.of("each"))


def small(options, table):
    for name, k, model in (
        ("sts_w2v300_stsb", 128, "{}"),
        ("sts_use512_stsb", 128, "{}"),
        ("bgem3_alice_1024", 256, '{"ridge":1}'),
    ):
        _real(options, table, name, lambda: index_data.file_of(name), k, model)


def top(options, table):
    if index := _clustered(options, table, "top 100"):
        r = compare(options, ours=index.side(100), ten=index.side())
        case = f"top 100 of {options.rows:,}, k = {index.k}"
        table.row(case, r.of("ours"), "itself, top 10", r.of("ten"))
        table.figure(f"{case}: recall@100", r.of("ours", "recall"), no_less(0.995), text=_recall)


def filters(options, table):
    if not (index := _clustered(options, table, "filter")):
        return
    whitened = f"whiten_apply((SELECT whiten_model(model) FROM whitening WHERE name = '{index.model}'), {{}})"
    scan = (
        f"SELECT id, cosine_sim({whitened.format('v')}, q.w) AS s FROM (SELECT {whitened.format('?')} AS w) AS q, "
        "tags CROSS JOIN t USING (id) WHERE share = {} ORDER BY s DESC LIMIT 10"
    )
    for share in index_data.SHARES:
        more = {"space": index.space, "queries": index.path, "share": share, "count": 10}
        exhaustive = Side("index_sides:searches", 1, database=index.path, sql=scan.replace("{}", str(share)), **more)
        r = compare(options, ours=index.side(share=share), exhaustive=exhaustive)
        case = f"filter that keeps {share:g} of {options.rows:,}"
        table.row(case, r.of("ours"), "cosine_sim of the rows, whitened", r.of("exhaustive"), at_least(1))
        table.figure(f"{case}: recall@10", r.of("ours", "recall"), no_less(0.995), text=_recall)


def build(options, table):
    path = index_data.generated("clustered", options.rows, 768)
    model = index_data.model(path, 256)
    sides = {
        name: Side("index_sides:build", cores, database=path, model=model, name=name)
        for name, cores in (("one", 1), ("two", 2))
    }
    sides["read"] = Side("sides:read_loop", 1, database=path)
    r = compare(options, **sides)
    for name, rate in (("one", 100_000), ("two", 150_000)):
        case = f"build of {options.rows:,}, d = 768, k = 256, threads: {name}; rows a second"
        limits = f"{r.text(name)} in all, read loop {r.text('read')}"
        table.figure(case, r.of(name, "rate"), no_less(rate), limits, "{:,.0f}".format)
    case = "bytes a row of the codes in the file, k = 256"
    ours = r.of("one", "bytes")
    bound = ours if isinstance(ours, str) else [5 * 256 // 8 + 24] * len(ours)
    table.row(case, ours, "5k / 8 + 24 =", bound, at_most(1), text="{:.1f}".format)


def insert(options, table):
    path = index_data.generated("clustered", options.rows, 768)
    model = index_data.model(path, 256)
    r = compare(
        options,
        ours=Side("index_sides:inserts", 1, database=path, model=model, name="index"),
        plain=Side("index_sides:inserts", 1, database=path, model=None, name="plain"),
    )
    ours, plain = r.of("ours"), r.of("plain")
    if not isinstance(ours, str):
        ours = [max(a - b, 0) for a, b in zip(ours, plain)]
    table.figure("an insert, above the table's own", ours, up_to(30e-6), f"the table's own {r.text('plain')}")


def first(options, table):
    rows = 10 * options.rows
    path = index_data.generated("clustered", rows, 256)
    index = _or_skip(table, "first query", lambda: Index(path, 100))
    if not index:
        return
    sql = f"SELECT rowid, similarity FROM {index.name}(?) LIMIT 10"
    zero = f"INSERT INTO {index.name}({index.name}, rank) VALUES ('cache', 0)"
    for name, setup, seconds in (("mmap", [MMAP], 25e-3), ("default pragmas", [], 100e-3)):
        side = Side("index_sides:first", 1, database=path, sql=sql, space=path, setup=setup)
        r = compare(options, ours=side, zero=index.side(setup=[*setup, zero], count=20))
        table.figure(f"first query of a process, {rows:,}, {name}", r.of("ours"), up_to(seconds))
        bound = 30e-3 if setup else 100e-3
        table.figure(f"cache 0, {rows:,}, {name}", r.of("zero"), up_to(bound))
        if not setup:  # pages that are mapped are the system's
            table.figure(f"cache 0, {rows:,}: memory", r.peak("zero"), below(40), text="{:.0f} MB".format)


def growth(options, table):
    smallest = None
    for rows in (options.rows // 10, options.rows, 10 * options.rows):
        path = index_data.generated("clustered", rows, 256)
        if not (index := _or_skip(table, "growth", lambda: Index(path, 100))):
            return
        r = compare(options, ours=index.side())
        seconds = statistics.median(r.of("ours"))
        smallest = smallest or seconds
        limits = f"{seconds / smallest:.1f} times the smallest, recall {r.of('ours', 'recall')[0]:.4f}"
        case = f"growth, {rows:,} rows, k = 100"
        table.figure(f"{case}: a query", r.of("ours"), None, f"95 % within {r.text('ours', 'p95')}, {limits}")
        table.figure(f"{case}: memory", r.peak("ours"), text="{:.0f} MB".format)
        made = compare(options.with_repeat(3), ours=Side("index_sides:build", 1, database=path, model=index.model, name="growth"))
        limits = f"{statistics.median(made.of('ours', 'bytes')):.1f} bytes a row"
        table.figure(f"{case}: build on one thread, rows a second", made.of("ours", "rate"), None, limits, "{:,.0f}".format)


CASES = {
    "index_clustered": clustered,
    "index_million": million,
    "index_iid": iid,
    "index_words": words,
    "index_glosses": glosses,
    "index_windows": windows,
    "index_encoder": encoder,
    "index_small": small,
    "index_top": top,
    "index_filter": filters,
    "index_build": build,
    "index_insert": insert,
    "index_first": first,
    "index_growth": growth,
    "index_join": join,
    "index_libsql": libsql,
    "index_1e7": codes,
}
