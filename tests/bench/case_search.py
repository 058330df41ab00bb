"""Search: one query over a table by cosine_sim and cosine_topk, a query as JSON text, many queries by
cosine_join."""

import data
from harness import Side, at_least, at_most, compare

MMAP = "PRAGMA mmap_size = 1073741824"
QUERY = "SELECT v FROM q WHERE id = 1"
OURS = "SELECT id FROM t ORDER BY cosine_sim(v, ?) DESC LIMIT 10"
VEC = "SELECT id FROM t ORDER BY vec_distance_cosine(v, ?) LIMIT 10"
VECTOR = "SELECT rowid FROM vector_full_scan('t', 'v', ?, 10)"
VECTOR_SETUP = "SELECT vector_init('t', 'v', 'type=FLOAT32,dimension={},distance=COSINE')"
TOPK = "SELECT rowid, similarity FROM cosine_topk('t', 'v', ?, 10)"


def _scan(options, table, name, setup, bar):
    database = data.vectors(options.rows, 768)

    def side(sql, extension="whiten", more=()):
        return Side(
            "sides:query",
            database=database,
            sql=sql,
            bind=[QUERY],
            extensions=[extension],
            setup=[*setup, *more],
            rows=10,
        )

    r = compare(
        options,
        ours=side(OURS),
        vec=side(VEC, "sqlite-vec"),
        read=Side("sides:read_loop", database=database, sql="SELECT id, v FROM t", setup=setup),
        topk=side(TOPK),
        vector=side(VECTOR, "sqlite-vector", [VECTOR_SETUP.format(768)]),
    )
    case, ours, topk = f"cosine_sim, top 10, {name}", r.of("ours"), r.of("topk")
    table.row(case, ours, "sqlite-vec vec_distance_cosine", r.of("vec"), at_least(bar))
    table.row(case, ours, "read loop", r.of("read"), at_most(1.05))
    table.row(
        case, ours, "sqlite-vector vector_full_scan", r.of("vector"), limits=f"read loop {r.text('read')}"
    )
    table.row(
        f"cosine_topk, {name}",
        topk,
        "sqlite-vector vector_full_scan",
        r.of("vector"),
        limits=f"read loop {r.text('read')}",
    )


def scan(options, table):
    _scan(options, table, "default pragmas", [], 1.6)


def scan_mmap(options, table):
    _scan(options, table, "mmap", [MMAP], 2.3)


def json_query(options, table):
    database = data.vectors(options.rows, 768)
    text = "SELECT embedding_as(v, 'json') FROM q WHERE id = 1"
    sides = {
        name: Side("sides:query", database=database, sql=OURS, bind=[bind], rows=10)
        for name, bind in (("text", text), ("blob", QUERY))
    }
    r = compare(options, **sides)
    table.row(
        "cosine_sim, query as JSON text", r.of("text"), "itself, query as BLOB", r.of("blob"), at_most(1.02)
    )


def join(options, table):
    database = data.vectors(options.rows, 768)
    sql = "SELECT query_rowid, rowid, similarity FROM cosine_join('t', 'v', 'q', 'v', 10)"
    sample = 20
    r = compare(
        options,
        ours=Side("sides:query", database=database, sql=sql, rows=10 * data.QUERIES),
        vec=Side(
            "sides:queries",
            database=database,
            sql=VEC,
            bind="SELECT v FROM q LIMIT ?",
            extensions=["sqlite-vec"],
            count=sample,
        ),
        numpy=Side("peers:numpy_join", database=database, dim=768, k=10),
        gemm=Side("sides:gemm", rows=options.rows, dim=768, k=data.QUERIES, block=4096),
        read=Side("sides:read_loop", database=database),
    )
    case, ours = f"cosine_join, {data.QUERIES:,} queries, k = 10", r.of("ours")
    vec = r.of("vec", scale=data.QUERIES / sample)
    limits = f"sgemm {r.text('gemm')} + read loop {r.text('read')}"
    table.row(case, ours, f"sqlite-vec, {data.QUERIES:,} queries", vec, at_least(100), limits)
    table.row(case, ours, "numpy Q @ M.T, argpartition, in memory", r.of("numpy"), at_least(0.5), limits)


CASES = {"cosine": scan, "cosine_mmap": scan_mmap, "cosine_json": json_query, "join": join}
