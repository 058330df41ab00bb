"""Pooling: token vectors, a row each, to text vectors."""

import data
from harness import Side, at_most, compare

DIM = 384


def pool(options, table):
    rows = 10 * options.rows
    groups = rows // data.TOKENS_PER_TEXT
    database = data.tokens(rows, DIM)
    r = compare(
        options,
        ours=Side(
            "sides:query",
            database=database,
            sql="SELECT text, pool_mean(v) FROM tokens GROUP BY text",
            rows=groups,
        ),
        ordered=Side("sides:read_loop", database=database, sql="SELECT text, v FROM tokens ORDER BY text"),
        scan=Side("sides:read_loop", database=database, sql="SELECT v FROM tokens"),
    )
    case = f"pool_mean, {rows:,} tokens, {groups:,} texts, d = {DIM}"
    limits = f"read loop in the order of rowid {r.text('scan')}"
    table.row(
        case, r.of("ours"), "read loop in the order of the groups", r.of("ordered"), at_most(1.3), limits
    )


CASES = {"pool": pool}
