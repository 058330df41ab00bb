"""Vectors through a model: whole tables, the blocked kernel alone, row by row."""

import data
from harness import Side, at_least, at_most, compare
from peers import COMPONENTS, MODEL

DIM = 768
BLOCK = 64  # rows


def rows(options, table):
    database = data.vectors(options.rows, DIM)
    sql = "INSERT INTO out.w SELECT rowid, vector FROM whiten_rows(?, 't', 'v')"
    copy = f"INSERT INTO out.w SELECT id, substr(v, 1, {4 * COMPONENTS}) FROM t"
    r = compare(
        options,
        ours=Side("sides:python_query", database=database, sql=sql, bind=[MODEL], output="out_ours"),
        numpy=Side("peers:numpy_rows", database=database, dim=DIM, model=MODEL, output="out_numpy"),
        copy=Side("sides:python_query", database=database, sql=copy, output="out_copy"),
        gemm=Side("sides:gemm", rows=options.rows, dim=DIM, k=COMPONENTS, block=4096),
    )
    limits = f"reading and writing alone {r.text('copy')}, sgemm {r.text('gemm')}"
    table.row(
        f"INSERT ... whiten_rows, k = {COMPONENTS}",
        r.of("ours"),
        "numpy fetchall, matmul, executemany",
        r.of("numpy"),
        at_least(3),
        limits,
    )


def transform(options, table):
    for k, bar in ((256, 1.0), (768, 0.9)):
        r = compare(options, ours=Side("sides:transform", 1, rows=4096, dim=DIM, k=k, block=BLOCK))
        table.row(
            f"blocked kernel, {DIM} to {k}, 1 thread",
            r.of("ours"),
            "cblas_sgemm",
            r.of("ours", "gemm"),
            at_least(bar),
            f"{r.text('ours', 'shift')} of it subtracts the mean",
        )


def apply(options, table):
    database = data.vectors(options.rows, DIM)
    r = compare(
        options,
        ours=Side("sides:query", 1, database=database, sql="SELECT whiten_apply(?, v) FROM t", bind=[MODEL]),
        loop=Side("sides:read_and_gemm", 1, database=database, model=MODEL, dim=DIM, k=COMPONENTS),
        read=Side("sides:read_loop", 1, database=database),
    )
    table.row(
        f"whiten_apply per row, k = {COMPONENTS}",
        r.of("ours"),
        "read loop + cblas_sgemm of one row",
        r.of("loop"),
        at_most(1.1),
        f"read loop {r.text('read')}",
    )


CASES = {"rows": rows, "transform": transform, "apply": apply}
