"""JSON: a column of text to vectors."""

import data
from harness import Side, at_least, compare

DIM = 768


def embedding(options, table):
    database = data.texts(options.rows // 10, DIM)
    for column, digits in (("long", 17), ("short", 9)):
        r = compare(
            options,
            ours=Side("sides:query", database=database, sql=f"SELECT embedding({column}) FROM t"),
            vec=Side(
                "sides:query",
                database=database,
                sql=f"SELECT vec_f32({column}) FROM t",
                extensions=["sqlite-vec"],
            ),
            read=Side("sides:read_loop", database=database, sql=f"SELECT {column} FROM t"),
        )
        table.row(
            f"embedding(json), {DIM} numbers of {digits} digits",
            r.of("ours"),
            "sqlite-vec vec_f32(json)",
            r.of("vec"),
            at_least(1),
            f"read loop {r.text('read')}",
        )


CASES = {"embedding": embedding}
