"""Malformed input: each is refused with a message that starts with the function's name and names the
argument, what was found and what was expected; nothing crashes, and the connection works on.
"""

import json
import re
import sqlite3
import struct

import numpy
import pytest
from conftest import SEED, connect, fill, one, vec
from seal import sealed

NAN, INF = float("nan"), float("inf")
A_VECTOR = r"a vector \(BLOB of float32 or JSON array\)"
A_MODEL = r"a model BLOB or a whiten_model\(\) handle"
ROWS = "json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2],[0,5]]')"
LINE = "json_each('[[1,2,3],[2,3,4],[3,4,5],[7,8,9]]')"
IMPORT = "whiten_import('[1,0,0,1,1,1]', '[0,0,0]')"
STATS = f"(SELECT whiten_stats(value) FROM {ROWS})"
PAIRED = "whiten_pair_stats('[1,2]', '[3]')"
OF_TWO = "whiten_import('[1,0,0,1]', '[0,0]')"


def within(options='{"within":0.5}', pairs="whiten_pair_stats(value, '[1,5]')", k="NULL"):
    return f"SELECT whiten_solve(whiten_stats(value), {k}, '{options}', {pairs}) FROM {ROWS}"


def fitting(k="NULL", options="'{}'", rows=ROWS):
    return f"SELECT whiten_fit(value, {k}, {options}) FROM {rows}"


def aligning(side, options="{}", a="json_array(x)", b="json_array(3 - 2 * x)", weight=1):
    """Four pairs, of x from 1 to 4."""
    return (
        f"SELECT whiten_align(whiten_pair_stats({a}, {b}, {weight}), {side}, '{options}')"
        " FROM (SELECT value AS x FROM json_each('[1,2,3,4]'))"
    )


def option(key, value, **more):
    text = json.dumps({key: value, **more}).replace("'", "''")
    return fitting(options=f"'{text}'")


# what reads a table by its rowids, and tables that have none: names end at the first "-"
READERS = {
    "cosine_topk": "cosine_topk('{}', 'v', '[1,1]', 2)",
    "cosine_join": "cosine_join('{}', 'v', 'c', 'v', 2)",
    "cosine_join-queries": "cosine_join('c', 'v', '{}', 'v', 2)",
    "cosine_pairs": "cosine_pairs('{}', 'v', 0.5)",
    "whiten_rows": f"whiten_rows({OF_TWO}, '{{}}', 'v')",
}
WITHOUT_ROWIDS = {
    "named_null": ("NULL", "unique INTEGERs, its own or in a column of that name: read it through a view"),
    "named_text": ("TEXT", "unique INTEGERs, its own or in a column of that name: read it through a view"),
    "named_twice": ("7 twice", "unique INTEGERs in a column named rowid"),
}


# (name, SQL, argument with what was found, what was expected): regular expressions; None in place of both: an
# answer
CASES = [
    # vectors: wrong types and lengths
    ("embedding-integer", "SELECT embedding(1)", "x is INTEGER", A_VECTOR),
    ("embedding-real", "SELECT embedding(1.5)", "x is REAL", A_VECTOR),
    ("embedding-3-bytes", "SELECT embedding(x'000000')", "x is a BLOB of 3 bytes", "a multiple of 4"),
    ("embedding-empty-blob", "SELECT embedding(x'')", "x is empty", "1 to 16384 elements"),
    ("embedding-empty-json", "SELECT embedding('[]')", "x is empty", "1 to 16384 elements"),
    ("embedding-empty-text", "SELECT embedding('')",
     "x is not a JSON array of numbers", r"'\[' at byte 0, found the end"),
    ("embedding-too-long", "SELECT embedding(zeroblob(65540))", "x has 16385 elements", "1 to 16384"),
    ("embedding-nan", "SELECT embedding(x'0000c07f')", r"x\[0\] is NaN", "a finite number"),
    ("embedding-inf", "SELECT embedding(x'000000000000807f')", r"x\[1\] is Inf", "a finite number"),
    ("embedding-minus-inf", "SELECT embedding(x'000080ff')", r"x\[0\] is -Inf", "a finite number"),
    ("embedding-json-overflow", "SELECT embedding('[0,-1e39]')",
     r"x\[1\] is beyond float32", "a magnitude below 3.4e38"),
    ("embedding-encoding-unknown", "SELECT embedding(x'00', 'f8')", "encoding is 'f8'", "'f16'"),
    ("embedding-encoding-type", "SELECT embedding(x'00', 16)", "encoding is INTEGER", "'f16'"),
    ("embedding-f16-odd", "SELECT embedding(x'000000', 'f16')", "x is a BLOB of 3 bytes", "a multiple of 2"),
    ("embedding-f64-length", "SELECT embedding(x'00000000', 'f64')",
     "x is a BLOB of 4 bytes", "a multiple of 8"),
    ("embedding-f16-text", "SELECT embedding('[1]', 'f16')", "x is TEXT", "BLOB"),
    ("embedding-json-blob", "SELECT embedding(x'00000000', 'json')", "x is a BLOB", "JSON|TEXT"),
    ("embedding-f16-nan", "SELECT embedding(x'007e', 'f16')", r"x\[0\] is NaN", "a finite number"),
    ("embedding-bf16-inf", "SELECT embedding(x'0000807f', 'bf16')", r"x\[1\] is Inf", "a finite number"),
    ("embedding-f64-nan", "SELECT embedding(x'000000000000f87f', 'f64')",
     r"x\[0\] is NaN", "a finite number"),
    ("embedding-f64-beyond", "SELECT embedding(x'9c7500883ce4377e', 'f64')",
     r"x\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("embedding_as-f16", "SELECT embedding_as('[1,70000]', 'f16')",
     r"v\[1\] is beyond f16", "magnitudes up to 65504"),
    ("embedding_as-bf16", "SELECT embedding_as('[3.4e38]', 'bf16')",
     r"v\[0\] is beyond bf16", "float32's range"),
    ("embedding_as-i8", "SELECT embedding_as('[1,-129]', 'i8')", r"v\[1\] is beyond i8", "-128 to 127"),
    ("embedding_as-i8-zeros", "SELECT embedding_as('[0.1,-0.4]', 'i8')",
     "v has no element that rounds to anything but 0 in i8", "magnitudes up to 127: see embedding_scale"),
    ("embedding_as-encoding", "SELECT embedding_as('[1]', 'float32')", "encoding is 'float32'", "'json'"),
    ("embedding_as-encoding-blob", "SELECT embedding_as('[1]', x'00')", "encoding is a BLOB", "'json'"),
    ("embedding_as-nan", "SELECT embedding_as(x'0000c07f', 'json')", r"v\[0\] is NaN", "a finite number"),
    ("embedding_dim-type", "SELECT embedding_dim(3)", "v is INTEGER", A_VECTOR),
    ("embedding_dim-nan", "SELECT embedding_dim(x'0000c07f')", r"v\[0\] is NaN", "a finite number"),
    ("embedding_norm-inf", "SELECT embedding_norm(x'0000807f')", r"v\[0\] is Inf", "a finite number"),
    ("embedding_normalize-nan", "SELECT embedding_normalize(x'0000c07f')",
     r"v\[0\] is NaN", "a finite number"),
    ("embedding_truncate-0", "SELECT embedding_truncate('[1,2]', 0)", "k is 0", "at least 1"),
    ("embedding_truncate-3", "SELECT embedding_truncate('[1,2]', 3)", "k is 3", "1 to 2"),
    ("embedding_truncate-negative", "SELECT embedding_truncate('[1,2]', -1)", "k is -1", "at least 1"),
    ("embedding_truncate-huge", "SELECT embedding_truncate('[1,2]', 9223372036854775807)",
     "k is 9223372036854775807", "1 to 2"),
    ("embedding_truncate-real", "SELECT embedding_truncate('[1,2]', 1.5)", "k is 1.5", "an INTEGER"),
    ("embedding_truncate-huge-real", "SELECT embedding_truncate('[1,2]', 1e300)", "k is 1.0e\\+300", "an INTEGER"),
    ("embedding_truncate-text", "SELECT embedding_truncate('[1,2]', ' 1 ')", "k is TEXT ' 1 '",
     r"an INTEGER: bind it as a number, or write CAST\(\? AS INTEGER\)"),
    ("embedding_truncate-nan", "SELECT embedding_truncate(x'0000803f0000c07f', 1)",
     r"v\[1\] is NaN", "a finite number"),
    ("embedding_scale-type", "SELECT embedding_scale('[1]', '2')", "factor is TEXT '2'",
     r"a number: bind it as a number, or write CAST\(\? AS INTEGER\)"),
    ("embedding_scale-inf", "SELECT embedding_scale('[1]', 9e999)", "factor is Inf", "finite"),
    ("embedding_scale-overflow", "SELECT embedding_scale('[1,1e38]', 10)",
     r"the result\[1\] is beyond float32", "a magnitude below 3.4e38"),
    # similarity
    ("cosine_sim-a-type", "SELECT cosine_sim(1, '[1]')", "a is INTEGER", A_VECTOR),
    ("cosine_sim-b-type", "SELECT cosine_sim('[1]', 2.5)", "b is REAL", A_VECTOR),
    ("cosine_sim-dims", "SELECT cosine_sim('[1,2]', '[1,2,3]')", "b has 3 elements", "2 as in a"),
    ("cosine_sim-nan-a", "SELECT cosine_sim(x'0000803f0000c07f', '[1,2]')",
     r"a\[1\] is NaN", "a finite number"),
    ("cosine_sim-nan-b", "SELECT cosine_sim('[1,2]', x'0000803f0000c07f')",
     r"b\[1\] is NaN", "a finite number"),
    ("cosine_sim-inf-zero", "SELECT cosine_sim('[0,0]', x'0000807f00000000')",
     r"b\[0\] is Inf", "a finite number"),
    ("cosine_sim-empty", "SELECT cosine_sim('[]', '[]')", "a is empty", "1 to 16384 elements"),
    ("cosine_sim-json", "SELECT cosine_sim('[1]', '[NaN]')",
     "b is not a JSON array of numbers", "a number at byte 1"),
    ("dot_product-bytes", "SELECT dot_product(x'00', '[1]')", "a is a BLOB of 1 bytes?", "a multiple of 4"),
    ("dot_product-dims", "SELECT dot_product('[1,2]', '[1]')", "b has 1 element", "2 as in a"),
    ("dot_product-inf-times-zero", "SELECT dot_product(x'0000807f', '[0]')",
     r"a\[0\] is Inf", "a finite number"),
    ("l1_distance-dims", "SELECT l1_distance('[1]', '[1,2]')", "b has 2 elements", "1 as in a"),
    ("l1_distance-nan", "SELECT l1_distance('[1]', x'0000c07f')", r"b\[0\] is NaN", "a finite number"),
    ("l1_distance-inf-inf", "SELECT l1_distance(x'0000807f', x'0000807f')", r"a\[0\] is Inf", "a finite number"),
    ("l2_distance-dims", "SELECT l2_distance('[1]', '[1,2]')", "b has 2 elements", "1 as in a"),
    ("l2_distance-inf-inf", "SELECT l2_distance(x'0000807f', x'0000807f')",
     r"a\[0\] is Inf", "a finite number"),
    # pooling
    ("pool_mean-type", "SELECT pool_mean(5)", "v is INTEGER", A_VECTOR),
    ("pool_mean-row", "SELECT pool_mean(value) FROM json_each('[[1,2],[1,2],[1]]')",
     "row 3 of the group: v has 1 element", "2 as in the rows before"),
    ("pool_mean-null-row-counts", "SELECT pool_mean(column1) FROM (VALUES ('[1,2]'), (NULL), ('[1]'))",
     "row 3 of the group: v has 1 element", "2"),
    ("pool_mean-group", "SELECT key % 2, pool_mean(value) FROM json_each('[[1],[1],[1],[1,2]]') GROUP BY 1",
     "row 2 of the group: v has 2 elements", "1 as in the rows before"),
    ("pool_mean-nan", "SELECT pool_mean(x'0000c07f')",
     r"row 1 of the group: v\[0\] is NaN", "a finite number"),
    ("pool_mean-negative", "SELECT pool_mean('[1]', -0.5)",
     "row 1 of the group: weight is -0.5", "number >= 0"),
    ("pool_mean-weight-text", "SELECT pool_mean('[1]', '0.5')", "row 1 of the group: weight is TEXT '0.5'",
     r"a number >= 0: bind it as a number, or write CAST\(\? AS REAL\)"),
    ("pool_mean-weight-inf", "SELECT pool_mean('[1]', 9e999)",
     "row 1 of the group: weight is Inf", "number >= 0"),
    ("pool_mean-window", "SELECT pool_mean(value) OVER (ORDER BY key) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: v has 2 elements", "1 as in the rows before"),
    ("pool_mean-overflow", "SELECT pool_mean('[1]', 1e-320) * 0", None, None),
    ("pool_position_mean-0", "SELECT pool_position_mean('[1]', 0)", "row 1 of the group: position is 0", "1"),
    ("pool_position_mean-real", "SELECT pool_position_mean('[1]', 1.25)",
     "row 1 of the group: position is 1.25", "an INTEGER"),
    ("pool_position_mean-mask", "SELECT pool_position_mean('[1]', 1, x'01')",
     "row 1 of the group: mask is a BLOB", "a number >= 0"),
    ("pool_max-mask", "SELECT pool_max('[1]', -1)", "row 1 of the group: mask is -1", "number >= 0"),
    ("pool_max-nan", "SELECT pool_max(column1) FROM (VALUES ('[1]'), (x'0000c07f'))",
     r"row 2 of the group: v\[0\] is NaN", "a finite number"),
    ("pool_mean_sqrt_len-dims", "SELECT pool_mean_sqrt_len(value) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: v has 2 elements", "1"),
    ("pool_mean_sqrt_len-overflow",
     "SELECT pool_mean_sqrt_len(value) FROM json_each('[[3e38],[3e38],[3e38],[3e38]]')",
     r"the result\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("pool_cls-tie", "SELECT pool_cls(value, 3) FROM json_each('[[1],[2]]')",
     "position is 3 in two rows of the group", "one row to come first"),
    ("pool_last-tie", "SELECT pool_last(value, key / 2) FROM json_each('[[1],[2],[3],[4]]')",
     "position is 1 in two rows of the group", "one row to come last"),
    ("pool_cls-position", "SELECT pool_cls('[1]', 'first')",
     "row 1 of the group: position is TEXT", "an INTEGER"),
    ("pool_last-dims", "SELECT pool_last(value, key) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: v has 2 elements", "1"),
    ("pool_tokens-dim", "SELECT pool_tokens(embedding('[1,2,3]'), 2, 'mean')",
     "states is a BLOB of 12 bytes", r"a positive multiple of 8 \(4 \* dim\)"),
    ("pool_tokens-dim-0", "SELECT pool_tokens(embedding('[1,2]'), 0, 'mean')", "dim is 0", "1"),
    ("pool_tokens-dim-type", "SELECT pool_tokens(embedding('[1,2]'), '2', 'mean')", "dim is TEXT '2'",
     "an INTEGER: bind"),
    ("pool_tokens-dim-huge", "SELECT pool_tokens(embedding('[1,2]'), 4611686018427387904, 'mean')",
     "dim is 4611686018427387904", "16384"),
    ("pool_tokens-mode", "SELECT pool_tokens(embedding('[1,2]'), 1, 'average')",
     "mode is 'average'", "'mean'"),
    ("pool_tokens-mode-type", "SELECT pool_tokens(embedding('[1,2]'), 1, 2)", "mode is INTEGER", "'mean'"),
    ("pool_tokens-empty", "SELECT pool_tokens(x'', 1, 'mean')",
     "states is a BLOB of 0 bytes", "a positive multiple of 4"),
    ("pool_tokens-nan", "SELECT pool_tokens(x'0000803f0000c07f', 1, 'mean')",
     r"states\[1\] is NaN", "a finite number"),
    ("pool_tokens-nan-max", "SELECT pool_tokens(x'0000803f0000c07f', 1, 'max')",
     r"states\[1\] is NaN", "a finite number"),
    ("pool_tokens-mask-length", "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', '[1,1,1]')",
     "mask has 3 elements", "2"),
    ("pool_tokens-mask-bytes", "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', x'010101')",
     "mask is a BLOB of 3 bytes", r"2 \(a byte per token\) or 16 \(an int64 per token\)"),
    ("pool_tokens-mask-type", "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', 1)",
     "mask is INTEGER", "a JSON array, or a BLOB"),
    ("pool_tokens-mask-negative", "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', '[1,-1]')",
     r"mask\[1\] is -1", "a number >= 0"),
    ("pool_tokens-mask-int64-negative",
     "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', x'0100000000000000ffffffffffffffff')",
     r"mask\[1\] is -1", "a number >= 0"),
    ("pool_tokens-mask-json", "SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', '1,1')",
     "mask is not a JSON array of numbers", r"'\[' at byte 0"),
    # fits: rows
    ("whiten_fit-type", "SELECT whiten_fit(3)", "row 1 of the group: v is INTEGER", A_VECTOR),
    ("whiten_fit-dims", "SELECT whiten_fit(value) FROM json_each('[[1,2],[3,4],[5]]')",
     "row 3 of the group: v has 1 element", "2 as in the rows before"),
    ("whiten_fit-nan", "SELECT whiten_fit(column1) FROM (VALUES ('[1]'), (x'0000c07f'))",
     r"row 2 of the group: v\[0\] is NaN", "a finite number"),
    ("whiten_fit-one-row", "SELECT whiten_fit('[1,2]')",
     r"the rows have no variance \(n = 1\)", "at least two different ones"),
    ("whiten_fit-one-row-ridge", "SELECT whiten_fit('[1,2]', NULL, '{\"ridge\":1}')",
     r"the rows have no variance \(n = 1\)", "at least two different ones"),
    ("whiten_fit-equal-rows", "SELECT whiten_fit(value) FROM json_each('[[1,2],[1,2],[1,2]]')",
     r"the rows have no variance \(n = 3\)", "at least two different ones"),
    ("whiten_fit-zero-rows",
     "SELECT whiten_fit(value, NULL, '{\"ridge\":1}') FROM json_each('[[0,0],[0,0]]')",
     r"the rows have no variance \(n = 2\)", "at least two different ones"),
    # fits: k
    ("whiten_fit-k-0", fitting("0"), "k is 0", "1 to 2"),
    ("whiten_fit-k-negative", fitting("-3"), "k is -3", "1 to 2"),
    ("whiten_fit-k-3", fitting("3"), "k is 3", "1 to 2"),
    ("whiten_fit-k-huge", fitting("9223372036854775807"), "k is 9223372036854775807", "1 to 2"),
    ("whiten_fit-k-1.0", fitting("1.0"), None, None),
    ("whiten_fit-k-3.0", fitting("3.0"), "k is 3", "1 to 2"),
    ("whiten_fit-k-1.5", fitting("1.5"), "k is 1.5", r"INTEGER|in \(0, ?1\)"),
    ("whiten_fit-k-0.0", fitting("0.0"), "k is 0", "1 to 2"),
    ("whiten_fit-k-negative-share", fitting("-0.5"), "k is -0.5", r"INTEGER|in \(0, ?1\)"),
    ("whiten_fit-k-inf", fitting("9e999"), "k is Inf", r"INTEGER|in \(0, ?1\)"),
    ("whiten_fit-k-text", fitting("'2'"), "k is TEXT '2'",
     r"an INTEGER, a REAL between 0 and 1, or NULL: bind it as a number, or write CAST\(\? AS INTEGER\)"),
    ("whiten_fit-k-text-share", fitting("'0.5'"), "k is TEXT '0.5'", r"CAST\(\? AS REAL\)"),
    ("whiten_fit-k-words", fitting("'two'"), "k is TEXT", "an INTEGER, a REAL between 0 and 1, or NULL$"),
    ("whiten_fit-k-blob", fitting("x'02'"), "k is a BLOB", "INTEGER"),
    ("whiten_fit-k-above-rank", fitting("2", rows=LINE), "k is 2", "1"),
    ("whiten_fit-k-above-n", fitting("3", rows="json_each('[[1,2,4],[2,3,9],[5,7,8]]')"), "k is 3", "2"),
    ("whiten_fit-k-constant-column", fitting("2", rows="json_each('[[1,7],[2,7],[5,7]]')"), "k is 2", "1"),
    ("whiten_fit-k-and-remove", fitting("2", "'{\"remove\":1}'"), "k is 2", "1"),
    ("whiten_fit-k-changes", f"SELECT whiten_fit(value, 1 + key % 2) FROM {ROWS}",
     "row 2 of the group: k differs from the row before", "the same in every row"),
    ("whiten_fit-options-change",
     f"SELECT whiten_fit(value, 1, CASE key WHEN 3 THEN '{{\"ridge\":1}}' ELSE '{{}}' END) FROM {ROWS}",
     "row 4 of the group: options differs from the row before", "the same in every row"),
    # fits: why there are no more components
    ("whiten_fit-rank-rows", fitting("2", rows=LINE), "k is 2",
     r"at most 1: the rows \(n = 4\) have variance in no more directions; use a smaller k or a ridge$"),
    ("whiten_fit-rank-remove", fitting("2", "'{\"remove\":1}'", rows="json_each('[[1,2,4],[2,3,9],[5,7,8]]')"), "k is 2",
     r"at most 1: .* no more directions after remove; use a smaller k or a ridge$"),
    ("whiten_fit-rank-default-k", fitting("NULL", "'{\"remove\":1}'", rows=LINE), "k is 1", "at most 0: .* after remove"),
    ("whiten_fit-rank-single", fitting("2", "'{\"precision\":\"single\"}'", rows=LINE), "k is 2",
     r"at most 1: precision single cannot tell more directions of the rows \(n = 4\) from rounding; .*, or precision double$"),
    ("whiten_fit-rank-scale",
     fitting("2", rows="json_each('[[1000000,333333.34375,1e-3],[1000001,333333.6875,2e-3],[999999,333333,5e-4],"
             "[1000003,333334.34375,7e-4]]')"), "k is 2",
     "at most 1: float64 cannot tell more directions of the rows .* or method pca-cor, which brings the columns to one"),
    ("whiten_fit-rank-cholesky-single", fitting(options="'{\"method\":\"cholesky\",\"precision\":\"single\"}'", rows=LINE),
     "method is cholesky and the rank 1", r"rank 3 or a ridge: precision single cannot tell .* \(n = 4\) from rounding$"),
    ("whiten_solve-rank", f"SELECT whiten_solve(whiten_stats(value), 2) FROM {LINE}", "k is 2",
     r"at most 1: the rows \(n = 4\) have variance in no more directions"),
    # fits: options
    ("options-not-json", fitting(options="'ridge'"), "options is not JSON", "a JSON object"),
    ("options-array", fitting(options="'[1]'"), "options", "object"),
    ("options-integer", fitting(options="3"), "options is INTEGER", "object"),
    ("options-blob", fitting(options="x'7b7d'"), "options is a BLOB", "object"),
    ("options-empty-text", fitting(options="''"), "options is not JSON", "a JSON object"),
    ("options-trailing", fitting(options="'{} {}'"), "options is not JSON", "a JSON object"),
    ("options-unclosed", fitting(options="'{\"ridge\":1'"), "options is not JSON", "a JSON object"),
    ("options-unknown", option("rigde", 1),
     "options has the key 'rigde'", "method, ridge, power, remove, normalize or precision"),
    ("options-case", option("Ridge", 1), "options has the key 'Ridge'", "method, ridge"),
    ("options-empty-key", option("", 1), "options has the key ''", "method, ridge"),
    ("options-duplicate", fitting(options="'{\"ridge\":1,\"ridge\":2}'"),
     "options has the key 'ridge' twice", "it once"),
    ("options-duplicate-same", fitting(options="'{\"power\":1,\"power\":1}'"),
     "options has the key 'power' twice", "it once"),
    ("options-method-unknown", option("method", "ica"), 'options.*method.*ica', "pca"),
    ("options-method-number", option("method", 1), "options.*method", "pca"),
    ("options-method-null", option("method", None), "options.*method", "pca"),
    ("options-ridge-negative", option("ridge", -0.1), "options.*ridge.*-0.1", ">= 0"),
    ("options-ridge-text", option("ridge", "1"), 'options.*ridge.*1', '"?oas'),
    ("options-ridge-bool", option("ridge", True), "options.*ridge.*true", "number"),
    ("options-ridge-huge", fitting(options="'{\"ridge\":1e999}'"), "options.ridge is Inf", ">= 0"),
    ("options-power-above", option("power", 1.01), "options.*power.*1.01", "0.*1"),
    ("options-power-negative", option("power", -1), "options.*power.*-1", "0.*1"),
    ("options-power-text", option("power", "1"), "options.*power", "0.*1"),
    ("options-remove-negative", option("remove", -1), "options.*remove.*-1", "0"),
    ("options-remove-real", option("remove", 1.5), "options.*remove.*1.5", "INTEGER|integer"),
    ("options-remove-all", option("remove", 2), "options.*remove.*2", "0 to 1|below|less"),
    ("options-remove-huge", fitting(options="'{\"remove\":99999999999999999999}'"),
     "options.remove is 1.0e.20", "an integer from 0"),
    ("options-remove-text", option("remove", "1"), "options.*remove", "INTEGER|integer"),
    ("options-normalize-1", option("normalize", 1), "options.*normalize.*1", "true or false"),
    ("options-normalize-text", option("normalize", "true"), "options.*normalize", "true or false"),
    ("options-cholesky-k", fitting("1", "'{\"method\":\"cholesky\"}'"),
     "method is cholesky with k, power or remove", "none of them"),
    ("options-cholesky-remove", option("method", "cholesky", remove=1),
     "method is cholesky with k, power or remove", "none of them"),
    ("options-cholesky-power", option("method", "cholesky", power=0.5),
     "method is cholesky with k, power or remove", "none of them"),
    ("options-cholesky-rank", fitting(options="'{\"method\":\"cholesky\"}'", rows=LINE),
     "method is cholesky and the rank 1", "rank 3 or a ridge"),
    ("options-nested", option("ridge", [1]), "options.*ridge", "number"),
    # stats
    ("whiten_stats-weight", "SELECT whiten_stats('[1]', -1)",
     "row 1 of the group: weight is -1", "number >= 0"),
    ("whiten_stats-weight-type", "SELECT whiten_stats('[1]', 'a')",
     "row 1 of the group: weight is TEXT", "a number >= 0"),
    ("whiten_stats-dims", "SELECT whiten_stats(value) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: v has 2 elements", "1"),
    ("whiten_stats-weight-sum", "SELECT whiten_stats(value, 1e308) FROM json_each('[[1],[3],[4]]')",
     "weight sums to Inf", "a finite sum"),
    ("whiten_pair_stats-type", "SELECT whiten_pair_stats(1, '[1]')", "row 1 of the group: a is INTEGER", "BLOB"),
    ("whiten_pair_stats-type-b", "SELECT whiten_pair_stats('[1]', 1.5)", "row 1 of the group: b is REAL", "BLOB"),
    ("whiten_pair_stats-json", "SELECT whiten_pair_stats('[1]', '[')", "row 1 of the group: b is not a JSON array",
     "a number"),
    ("whiten_pair_stats-empty", "SELECT whiten_pair_stats(x'', '[1]')", "row 1 of the group: a is empty", "1 to 16384"),
    ("whiten_pair_stats-bytes", "SELECT whiten_pair_stats('[1]', x'0000')", "b is a BLOB of 2 bytes", "multiple of 4"),
    ("whiten_pair_stats-weight", "SELECT whiten_pair_stats('[1]', '[1]', -1)",
     "row 1 of the group: weight is -1", "number >= 0"),
    ("whiten_pair_stats-dims-a", "SELECT whiten_pair_stats(value, '[1]') FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: a has 2 elements", "1 as in the rows before"),
    ("whiten_pair_stats-dims-b", "SELECT whiten_pair_stats('[1,2]', value) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: b has 2 elements", "1 as in the rows before"),
    ("whiten_pair_stats-swapped",
     "SELECT whiten_pair_stats(column1, column2) FROM (VALUES ('[1]', '[1,2]'), ('[1,2]', '[1]'))",
     "row 2 of the group: a has 2 elements", "1 as in the rows before"),
    ("whiten_pair_stats-too-long", "SELECT whiten_pair_stats(zeroblob(4 * 16383), '[1]')",
     "row 1 of the group: a and b have 16384 elements together", "2 to 16383: SQLite"),
    ("whiten_pair_stats-weight-sum",
     "SELECT whiten_pair_stats(value, value, 1e308) FROM json_each('[[1],[3],[4]]')", "weight sums to Inf",
     "a finite sum"),
    ("whiten_pair_stats-beyond", "SELECT whiten_pair_stats('[1]', '[1e20]', 1e300) FROM json_each('[1,2]')",
     "the weighted sums are beyond float64", "smaller weights"),
    ("whiten_merge-mixed", f"SELECT whiten_merge(s) FROM (SELECT {PAIRED} AS s UNION ALL SELECT whiten_stats('[1]'))",
     "row 2 of the group: stats is of single vectors", "one of pairs as in the rows before"),
    ("whiten_merge-mixed-too",
     f"SELECT whiten_merge(s) FROM (SELECT whiten_stats('[1,2,3]') AS s UNION ALL SELECT {PAIRED})",
     "row 2 of the group: stats is of pairs", "one of single vectors as in the rows before"),
    ("whiten_merge-dim-a",
     f"SELECT whiten_merge(s) FROM (SELECT {PAIRED} AS s UNION ALL SELECT whiten_pair_stats('[1]', '[1,2]'))",
     "row 2 of the group: stats is of pairs of 1 and 2 dimensions", "2 and 1 as in the rows before"),
    ("whiten_solve-pairs-as-stats", f"SELECT whiten_solve({PAIRED})", r"stats is .* \(it is a pair stats BLOB\)",
     "whiten_stats"),
    ("whiten_apply-pairs", f"SELECT whiten_apply({PAIRED}, '[1]')", r"model is .* \(it is a pair stats BLOB\)",
     "whiten_fit"),
    ("whiten_tune-stats", "SELECT whiten_tune(1, '[1]')", "row 1 of the group: stats is INTEGER", "BLOB"),
    ("whiten_tune-model", f"SELECT whiten_tune({IMPORT}, '[1]')", "row 1 of the group: stats is .*model", "whiten_stats"),
    ("whiten_tune-pair-stats", f"SELECT whiten_tune((SELECT {PAIRED}), '[1]')",
     r"row 1 of the group: stats is .* \(it is a pair stats BLOB\)", "whiten_stats"),
    ("whiten_tune-two-stats", "SELECT whiten_tune(s, '[1,2]') FROM (SELECT whiten_stats(value) AS s FROM"
     " json_each('[[1,2],[2,2],[3,1],[1,1]]') GROUP BY key % 2)",
     "row 2 of the group: stats is another one than in the rows before", "the same in all rows"),
    ("whiten_tune-stats-then-text", f"SELECT whiten_tune(iif(value = 1, {STATS}, 'x'), '[1,2]') FROM json_each('[1,2]')",
     "row 2 of the group: stats is another one", "the same in all rows"),
    ("whiten_tune-dims", f"SELECT whiten_tune({STATS}, '[1,2,3]')", "row 1 of the group: v has 3 elements", "2 as in stats"),
    ("whiten_tune-dims-a", f"SELECT whiten_tune({STATS}, '[1]', '[1,2]')",
     "row 1 of the group: a has 1 element", "2 as in stats"),
    ("whiten_tune-dims-b", f"SELECT whiten_tune({STATS}, '[1,2]', '[1]')",
     "row 1 of the group: b has 1 element", "2 as in stats"),
    ("whiten_tune-type", f"SELECT whiten_tune({STATS}, '[1,2]', 5)", "row 1 of the group: b is INTEGER", A_VECTOR),
    ("whiten_tune-document", f"SELECT whiten_tune({STATS}, NULL, 5)", "row 1 of the group: b is INTEGER", A_VECTOR),
    ("whiten_tune-nan", f"SELECT whiten_tune({STATS}, x'0000c07f00000000', '[1,2]')",
     r"row 1 of the group: a\[0\] is NaN", "a finite number"),
    ("whiten_tune-score", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', '5')",
     "row 1 of the group: score is TEXT '5'", "a number"),
    ("whiten_tune-score-infinite", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', 9e999)",
     "row 1 of the group: score is", "finite"),
    ("whiten_tune-options", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', 1, '{{\"guards\":1}}')",
     "row 1 of the group: options has the key 'guards'", "guard"),
    ("whiten_tune-guard", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', 1, '{{\"guard\":-1}}')",
     "row 1 of the group: options.guard is -1", "a number >= 0"),
    ("whiten_tune-guard-text", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', 1, '{{\"guard\":\"x\"}}')",
     'row 1 of the group: options.guard is "x"', "a number >= 0"),
    ("whiten_tune-within", f"SELECT whiten_tune({STATS}, '[1,2]', '[2,1]', 1, '{{\"within\":0.5}}')",
     "row 1 of the group: options.within is 0.5", "true or false"),
    ("whiten_tune-variance", f"SELECT whiten_tune((SELECT whiten_stats('[1,2]')), v) FROM (SELECT json_array(value, 1)"
     " AS v FROM json_each('[1,2,3,4,5,6,7,8,9,10]'))",
     r"the rows of stats have no variance \(n = 1\)", "at least two different ones"),
    ("whiten_tune-weight", "SELECT whiten_tune((SELECT whiten_stats(value, 0.1) FROM json_each('[[1],[2]]')), '[1]')",
     r"the weights of stats sum to 0\.2", "above 1"),
    ("whiten_merge-type", "SELECT whiten_merge(1)", "row 1 of the group: stats is INTEGER", "BLOB"),
    ("whiten_merge-text", "SELECT whiten_merge('[1]')", "row 1 of the group: stats is TEXT", "BLOB"),
    ("whiten_merge-foreign", "SELECT whiten_merge(zeroblob(100))",
     "row 1 of the group: stats is a foreign BLOB of 100 bytes", "whiten_stats"),
    ("whiten_merge-model", f"SELECT whiten_merge({IMPORT})",
     "row 1 of the group: stats is .*model", "whiten_stats"),
    ("whiten_merge-dims",
     "SELECT whiten_merge(s) FROM (SELECT whiten_stats('[1]') AS s UNION ALL SELECT whiten_stats('[1,2]'))",
     "row 2 of the group: stats", "1"),
    ("whiten_solve-type", "SELECT whiten_solve(1)", "stats is INTEGER", "BLOB"),
    ("whiten_solve-model", f"SELECT whiten_solve({IMPORT})", "stats is .*model", "whiten_stats"),
    ("whiten_solve-one-row", "SELECT whiten_solve(whiten_stats('[1,2]'))",
     r"the rows have no variance \(n = 1\)", "at least two different ones"),
    ("whiten_solve-weight-1", "SELECT whiten_solve(whiten_stats(value, 0.1)) FROM json_each('[[1],[2]]')",
     "weight sums to 0.2", "a finite sum above 1"),
    ("whiten_solve-k", f"SELECT whiten_solve(whiten_stats(value), 3) FROM {ROWS}", "k is 3", "1 to 2"),
    ("whiten_solve-options", f"SELECT whiten_solve(whiten_stats(value), 1, '{{\"x\":1}}') FROM {ROWS}",
     "options has the key 'x'", "method, ridge"),
    ("whiten_align-type", "SELECT whiten_align(1, 'a')", "pair_stats is INTEGER", "a pair stats BLOB"),
    ("whiten_align-stats", "SELECT whiten_align(whiten_stats('[1]'), 'a')",
     r"pair_stats is a foreign BLOB.*\(it is a stats BLOB", "whiten_pair_stats or whiten_merge"),
    ("whiten_align-foreign", "SELECT whiten_align(zeroblob(100), 'a')", "pair_stats is a foreign BLOB", "whiten_pair_stats"),
    ("whiten_align-damaged", f"SELECT whiten_align(CAST(substr({PAIRED}, 1, 70) || x'01' || substr({PAIRED}, 72) AS BLOB), 'a')",
     "pair_stats is damaged", "an unaltered BLOB"),
    ("whiten_align-side-null", f"SELECT whiten_align({PAIRED}, NULL)", "side is NULL", "'a', 'b', 'a->b' or 'b->a'"),
    ("whiten_align-side-type", f"SELECT whiten_align({PAIRED}, 1)", "side is INTEGER", "'a', 'b'"),
    ("whiten_align-side-blob", f"SELECT whiten_align({PAIRED}, x'61')", "side is a BLOB", "'a', 'b'"),
    ("whiten_align-side", f"SELECT whiten_align({PAIRED}, 'A')", "side is 'A'", "'a', 'b', 'a->b' or 'b->a'"),
    ("whiten_align-weight", aligning("'a'", weight=0.1), "weight sums to 0.4", "a finite sum above 1"),
    ("whiten_align-one-pair", f"SELECT whiten_align({PAIRED}, 'a')",
     r"the pairs have no variance \(n = 1\)", "at least two different ones"),
    ("whiten_align-constant-a", aligning("'a'", a="'[1,1]'"), r"the a have no variance \(n = 4\)", "two different ones"),
    ("whiten_align-constant-b", aligning("'b->a'", b="'[5]'"), r"the b have no variance \(n = 4\)", "two different ones"),
    ("whiten_align-ridge-0", aligning("'a'", "{\"ridge\":0}", a="json_array(x, 2 * x)"),
     "options.ridge is 0", "one above: the 4 pairs have variance in 1 of a's 2 dimensions"),
    ("whiten_align-ridge-0-b", aligning("'a'", "{\"ridge\":0}", b="json_array(x, x, 3)"),
     "options.ridge is 0", "variance in 1 of b's 3 dimensions"),
    ("whiten_align-nothing", aligning("'a'", b="json_array((x % 2) * 2 - 1)", a="json_array((x > 2) * 2 - 1)"),
     r"a and b have nothing in common \(n = 4\)", "vectors of the same texts"),
    ("whiten_align-k-0", aligning("'a'", '{"k":0}'), "options.k is 0", "an integer from 1 to 1, the smaller"),
    ("whiten_align-k-above", aligning("'b'", '{"k":2}'), "options.k is 2", "an integer from 1 to 1, the smaller"),
    ("whiten_align-k-share", aligning("'b'", '{"k":0.5}'), "options.k is 0.5", "an integer from 1"),
    ("whiten_align-k-text", aligning("'b'", '{"k":"1"}'), 'options.k is "1"', "an integer from 1"),
    ("whiten_align-k-shared", aligning("'b'", '{"k":2}', a="json_array(x, x)", b="json_array(x, 2 * x)"),
     "options.k is 2", r"at most 1: a and b share no more directions \(n = 4\)"),
    ("whiten_align-ridge", aligning("'a'", '{"ridge":-1}'), "options.ridge is -1", "a number >= 0"),
    ("whiten_align-ridge-oas", aligning("'a'", '{"ridge":"oas"}'), 'options.ridge is "oas"', "a number >= 0"),
    ("whiten_align-ridge-inf", aligning("'a'", '{"ridge":1e999}'), "options.ridge is Inf", "a number >= 0"),
    ("whiten_align-exponent", aligning("'a'", '{"exponent":1.5}'), "options.exponent is 1.5", "a number from 0 to 1"),
    ("whiten_align-exponent-text", aligning("'a'", '{"exponent":"1"}'), "options.exponent is", "a number from 0 to 1"),
    ("whiten_align-normalize", aligning("'a'", '{"normalize":1}'), "options.normalize is 1", "true or false"),
    ("whiten_align-unknown", aligning("'a'", '{"power":1}'), "options has the key 'power'", "k, ridge, exponent or normalize"),
    ("whiten_align-twice", aligning("'a'", '{"k":1,"k":1}'), "options has the key 'k' twice", "it once"),
    ("whiten_align-options", aligning("'a'", "[]"), "options is a JSON array", "a JSON object"),
    ("whiten_align-not-json", aligning("'a'", "{"), "options is not JSON", "a JSON object"),
    ("whiten_align-beyond", aligning("'a'", a="json_array(x * 1e-40)"), "the kernel is beyond float32", "ordinary numbers"),
    ("whiten_offset-type", "SELECT whiten_offset(5)", "model is INTEGER", A_MODEL),
    ("whiten_offset-pairs", f"SELECT whiten_offset({PAIRED})", "model is .*pair stats", "whiten_fit"),
    ("whiten_spectrum-aligned", f"SELECT * FROM whiten_spectrum(({aligning(chr(39) + 'a' + chr(39))}))",
     "model is aligned and has no eigenvalues", "whiten_fit or whiten_solve"),
    # the difference of related pairs
    ("whiten_solve-within-type", within(pairs="1"), "pair_stats is INTEGER", "a pair stats BLOB from whiten_pair_stats"),
    ("whiten_solve-within-text", within(pairs="'[1]'"), "pair_stats is TEXT", "a pair stats BLOB"),
    ("whiten_solve-within-foreign", within(pairs="zeroblob(100)"), "pair_stats is a foreign BLOB of 100 bytes", "whiten_pair_stats or"),
    ("whiten_solve-within-stats", within(pairs="whiten_stats(value)"), r"pair_stats is a foreign BLOB of 96 bytes \(it is a stats BLOB",
     "whiten_pair_stats"),
    ("whiten_solve-within-model", within(pairs=IMPORT), r"pair_stats is .*\(it is a model BLOB\)", "whiten_pair_stats"),
    ("whiten_solve-within-dims", within(pairs=PAIRED), "pair_stats is of pairs of 2 and 1 dimensions", "2 and 2 as in stats"),
    ("whiten_solve-within-dims-both", within(pairs="whiten_pair_stats('[1]', '[2]')"), "pair_stats is of pairs of 1 and 1", "2 and 2"),
    ("whiten_solve-within-missing", f"SELECT whiten_solve(whiten_stats(value), NULL, '{{\"within\":1}}') FROM {ROWS}",
     "pair_stats is missing or NULL and options.within is 1", "a pair stats BLOB"),
    ("whiten_solve-within-null", within(pairs="NULL"), "pair_stats is missing or NULL and options.within is 0.5", "a pair stats BLOB"),
    ("whiten_solve-within-none", within(options="{}"), "options is without within", "the share of pair_stats"),
    ("whiten_solve-within-zero", within(options='{"within":0}'), "options.within is 0", "a number above 0, up to 1"),
    ("whiten_solve-within-two", within(options='{"within":2}'), "options.within is 2", "a number above 0, up to 1"),
    ("whiten_solve-within-word", within(options='{"within":"all"}'), 'options.within is "all"', "a number above 0"),
    ("whiten_solve-within-null-share", within(options='{"within":null}'), "options.within is null", "a number above 0"),
    ("whiten_solve-within-order", within(options='{"within":1,"order":"size"}'), 'options.order is "size"', '"ratio" or "variance"'),
    ("whiten_solve-order-alone", within(options='{"order":"ratio"}', pairs="NULL"), "options has order without within", "within besides"),
    ("whiten_solve-within-method", within(options='{"within":1,"method":"zca"}'), 'options.method is "zca" with within', '"pca"'),
    ("whiten_solve-within-oas", within(options='{"within":1,"ridge":"oas"}'), 'options.ridge is "oas" with within', "a number >= 0"),
    ("whiten_solve-within-power", within(options='{"within":1,"power":0.5}'), "options has power or remove with within", "neither"),
    ("whiten_solve-within-remove", within(options='{"within":1,"remove":1}'), "options has power or remove with within", "neither"),
    ("whiten_solve-within-single", within(options='{"within":1,"precision":"single"}'), "options.precision is single", "double"),
    ("whiten_fit-within", fitting(options="'{\"within\":1}'"), "options has the key 'within'", "method, ridge"),
    ("whiten_solve-within-k", within(k="3"), "k is 3", "1 to 2"),
    ("whiten_solve-within-same", within(pairs="whiten_pair_stats(value, value)"), r"pair_stats has no differences \(n = 6\)",
     "pairs of different vectors"),
    ("whiten_solve-within-few", within(options='{"within":1}', pairs="whiten_pair_stats(value, '[1,5]') FILTER (WHERE key = 0)"),
     r"pair_stats has differences in fewer directions \(n = 1\)", "more pairs, a ridge, or within below 1"),
    ("whiten_solve-within-no-variance", "SELECT whiten_solve(whiten_stats(value), NULL, '{\"within\":1}', whiten_pair_stats(value, '[0,0]'))"
     " FROM json_each('[[1,2],[1,2]]')", r"the rows have no variance \(n = 2\)", "two different ones"),
    # models
    ("whiten_apply-null", "SELECT whiten_apply(NULL, '[1]')", "model is NULL", A_MODEL),
    ("whiten_apply-null-row", "SELECT whiten_apply((SELECT 1 WHERE 0), '[1]')", "model is NULL", A_MODEL),
    ("whiten_apply-integer", "SELECT whiten_apply(1, '[1]')", "model is INTEGER", A_MODEL),
    ("whiten_apply-text", "SELECT whiten_apply('pca', '[1]')", "model is TEXT", A_MODEL),
    ("whiten_apply-empty", "SELECT whiten_apply(x'', '[1]')", "model is .*0 bytes", "whiten_fit"),
    ("whiten_apply-foreign", "SELECT whiten_apply(randomblob(500), '[1]')",
     "model is a foreign BLOB of 500 bytes", "whiten_fit"),
    ("whiten_apply-vector-as-model", "SELECT whiten_apply('[1,2,3]', '[1]')", "model is TEXT", A_MODEL),
    ("whiten_apply-stats", "SELECT whiten_apply(whiten_stats('[1]'), '[1]')",
     "model is .*stats", "whiten_fit"),
    ("whiten_apply-dims", f"SELECT whiten_apply({IMPORT}, '[1]')", "v has 1 element", "3"),
    ("whiten_apply-nan", f"SELECT whiten_apply({IMPORT}, x'00000000000000000000c07f')",
     r"v\[2\] is NaN", "a finite number"),
    ("whiten_apply-inf-times-zero", "SELECT whiten_apply(whiten_import('[0]', '[0]'), x'0000807f')",
     r"v\[0\] is Inf", "a finite number"),
    ("whiten_apply-overflow", "SELECT whiten_apply(whiten_import('[1e30]', '[0]'), '[1e30]')",
     r"the result\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("whiten_apply-v-type", f"SELECT whiten_apply({IMPORT}, 7)", "v is INTEGER", A_VECTOR),
    ("whiten_apply-null-both", "SELECT whiten_apply(NULL, NULL)", "model is NULL", A_MODEL),
    ("whiten_inverse-null", "SELECT whiten_inverse(NULL, '[1]')", "model is NULL", A_MODEL),
    ("whiten_inverse-dims", f"SELECT whiten_inverse({IMPORT}, '[1,2,3]')", "y has 3 elements", "2"),
    ("whiten_inverse-overflow", "SELECT whiten_inverse(whiten_import('[1e-30]', '[0]'), '[1e20]')",
     r"the result\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("whiten_inverse-nan", f"SELECT whiten_inverse({IMPORT}, x'0000c07f00000000')",
     r"y\[0\] is NaN", "a finite number"),
    ("whiten_info-null", "SELECT whiten_info(NULL)", "model is NULL", A_MODEL),
    ("whiten_info-text", "SELECT whiten_info('x')", "model is TEXT", A_MODEL),
    ("whiten_config-name", "SELECT whiten_config('thread')", "name is 'thread'", "'threads'"),
    ("whiten_config-name-type", "SELECT whiten_config(1, 2)", "name is INTEGER", "'threads'"),
    ("whiten_config-name-blob", "SELECT whiten_config(x'74687265616473')", "name is a BLOB", "'threads'"),
    ("whiten_config-none", "SELECT whiten_config('threads', 0)", "threads is 0", "at least 1"),
    ("whiten_config-negative", "SELECT whiten_config('threads', -1)", "threads is -1", "at least 1"),
    ("whiten_config-many", "SELECT whiten_config('threads', 65)", "threads is 65", "1 to 64, or NULL"),
    ("whiten_config-huge", "SELECT whiten_config('threads', 9223372036854775807)", "threads is 9223372036854775807",
     "1 to 64, or NULL"),
    ("whiten_config-part", "SELECT whiten_config('threads', 1.5)", "threads is ", "an INTEGER"),
    ("whiten_config-text", "SELECT whiten_config('threads', 'two')", "threads is ", "an INTEGER"),
    ("whiten_check-any", "SELECT whiten_check(x'00'), whiten_check('x'), whiten_check(1), whiten_check(0.5)", None, None),
    ("whiten_kernel-null", "SELECT whiten_kernel(NULL)", "model is NULL", A_MODEL),
    ("whiten_bias-stats", "SELECT whiten_bias(whiten_stats('[1]'))", "model is .*stats", "whiten_fit"),
    ("whiten_model-null", "SELECT whiten_model(NULL)", "model is NULL", A_MODEL),
    ("whiten_model-real", "SELECT whiten_model(0.5)", "model is REAL", A_MODEL),
    ("whiten_spectrum-null", "SELECT * FROM whiten_spectrum(NULL)", "model is NULL", A_MODEL),
    ("whiten_spectrum-none", "SELECT * FROM whiten_spectrum",
     "model is missing", r"whiten_spectrum\(model\)"),
    ("whiten_spectrum-imported", f"SELECT * FROM whiten_spectrum({IMPORT})", "model is imported", "fit"),
    ("embedding_rows-data", "SELECT * FROM embedding_rows('x')", "data is TEXT", "a BLOB"),
    ("embedding_rows-encoding", "SELECT * FROM embedding_rows(x'00', 'f8', 1)", "encoding is 'f8'", "'f32'"),
    ("embedding_rows-type", "SELECT * FROM embedding_rows(x'00', 5, 1)", "encoding is INTEGER", "'f32'"),
    ("embedding_rows-dim", "SELECT * FROM embedding_rows(x'00', 'i8', 0)", "dim is 0", "at least 1"),
    ("embedding_rows-wide", "SELECT * FROM embedding_rows(x'00', 'i8', 16385)", "dim is 16385", "1 to 16384"),
    ("embedding_rows-npy", "SELECT * FROM embedding_rows(x'934e554d5059')", "data has a .npy header", "numpy.save"),
    ("embedding_rows-data-null", "SELECT * FROM embedding_rows(NULL, 'f32', 1)", "data is NULL", "a BLOB, .*readfile"),
    ("embedding_rows-none", "SELECT * FROM embedding_rows", "data is missing", r"embedding_rows\(data, encoding, dim\)"),
    ("embedding_rows-json", "SELECT * FROM embedding_rows(x'00', 'json', 1)", "encoding is 'json'", "'i8'"),
    ("embedding_rows-dim-missing", "SELECT * FROM embedding_rows(x'00', 'i8')", "dim is missing", "how many numbers"),
    ("embedding_rows-dim-text", "SELECT * FROM embedding_rows(x'00', 'i8', '1')", "dim is TEXT '1'", "an INTEGER: bind"),
    ("embedding_rows-dim-part", "SELECT * FROM embedding_rows(x'00', 'i8', 1.5)", "dim is 1.5", "an INTEGER"),
    ("embedding_rows-length", "SELECT * FROM embedding_rows(x'00', NULL, 1)", "data has 1 bytes", r"a multiple of 4 \(1 f32\)"),
    ("embedding_rows-nan", "SELECT * FROM embedding_rows(x'0000803f0000c07f', 'f32', 1)",
     r"rowid 2: data\[0\] is NaN", "a finite number"),
    ("embedding_rows-beyond", "SELECT * FROM embedding_rows(x'9c7500883ce4377e', 'f64', 1)",
     r"rowid 1: data\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("whiten_batch-model-null", "SELECT whiten_batch(NULL, 'c', 'w', NULL, 1)", "model is NULL", A_MODEL),
    ("whiten_batch-target-null", f"SELECT whiten_batch({IMPORT}, 'c', NULL, NULL, 1)", "target is NULL", "TEXT, the name"),
    ("whiten_batch-rows-null", f"SELECT whiten_batch({IMPORT}, 'c', 'w', NULL, NULL)", "rows is NULL", "an INTEGER"),
    ("whiten_batch-rows-part", f"SELECT whiten_batch({IMPORT}, 'c', 'w', NULL, 1.5)", "rows is 1.5", "an INTEGER"),
    ("whiten_batch-rows-text", f"SELECT whiten_batch({IMPORT}, 'c', 'w', NULL, '1')", "rows is TEXT '1'", "an INTEGER: bind"),
    ("whiten_batch-verify-negative", f"SELECT whiten_batch({IMPORT}, 'c', 'w', NULL, 1, -1)", "verify is -1", "at least 0"),
    ("whiten_batch-misfits", f"SELECT whiten_batch({IMPORT}, 'c', 'w', NULL, 1)",
     "source has 2 vectors that do not fit the model, the first at id 1", "12 bytes"),
    ("whiten_batch-twice", f"SELECT whiten_batch({OF_TWO}, 'twice', 'w', NULL, 9)",
     "source has the id 1 more than once", "ids that are unique"),
    ("whiten_batch-nameless", f"SELECT whiten_batch({OF_TWO}, 'nameless', 'w', NULL, 9)",
     "source has 1 rows whose id is NULL", "ids"),
    ("whiten_batch-texts", f"SELECT whiten_batch({OF_TWO}, 'texts', 'whole', NULL, 9)",
     "source has an id that is no integer, and the id of 'whole' is INTEGER PRIMARY KEY", "a new target"),
    ("whiten_batch-model", "SELECT whiten_batch('x', 't', 'w', NULL, 1)", "model is TEXT", A_MODEL),
    ("whiten_batch-source", f"SELECT whiten_batch({IMPORT}, 5, 'w', NULL, 1)", "source is INTEGER", "TEXT, the name"),
    ("whiten_batch-target", f"SELECT whiten_batch({IMPORT}, 't', x'00', NULL, 1)", "target is a BLOB", "TEXT, the name"),
    ("whiten_batch-same", f"SELECT whiten_batch({IMPORT}, 't', 'T', NULL, 1)", "target is 'T'", "another table"),
    ("whiten_batch-rows", f"SELECT whiten_batch({IMPORT}, 't', 'w', NULL, 0)", "rows is 0", "at least 1"),
    ("whiten_batch-verify", f"SELECT whiten_batch({IMPORT}, 't', 'w', NULL, 1, 'x')", "verify is TEXT", "INTEGER"),
    ("whiten_pending-model", "SELECT whiten_pending(NULL, 't', 'w')", "model is NULL", A_MODEL),
    ("whiten_pending-source", f"SELECT whiten_pending({IMPORT}, NULL, 'w')", "source is NULL", "TEXT, the name"),
    ("whiten_pending-target", f"SELECT whiten_pending({IMPORT}, 'c', 7)", "target is INTEGER", "TEXT, the name of a table"),
    ("whiten_pending-same", f"SELECT whiten_pending({IMPORT}, 'c', 'C')", "target is 'C'", "another table"),
    ("whiten_pending-verify", f"SELECT whiten_pending({IMPORT}, 'c', 'whole', 'x')", "verify is TEXT", "an INTEGER"),
    ("whiten_import-kernel", "SELECT whiten_import('[1,2,3]', '[1,2]')",
     "kernel has 3 elements", "multiple of 2"),
    ("whiten_import-wide", "SELECT whiten_import('[1,2,3,4]', '[1]')", "kernel has 4 elements", "1"),
    ("whiten_import-bias", "SELECT whiten_import('[1]', 5)", "bias is INTEGER", A_VECTOR),
    ("whiten_import-nan", "SELECT whiten_import(x'0000c07f', '[1]')",
     r"kernel\[0\] is NaN", "a finite number"),
    ("whiten_import-bias-nan", "SELECT whiten_import('[1]', x'0000c07f')",
     r"bias\[0\] is NaN", "a finite number"),
    ("whiten_import-offset", "SELECT whiten_import('[1]', '[1]', 5)", "offset is INTEGER", A_VECTOR),
    ("whiten_import-offset-nan", "SELECT whiten_import('[1]', '[1]', x'0000c07f')", r"offset\[0\] is NaN", "finite"),
    ("whiten_import-offset-long", "SELECT whiten_import('[1]', '[1]', '[1,2]')", "kernel has 1 elements",
     r"2 \(the elements of bias times those of offset\)"),
    ("whiten_import-empty", "SELECT whiten_import(x'', '[1]')",
     "kernel is a BLOB of 0 bytes", "a positive multiple of 4"),
    # handles that are lost
    ("handle-cte",
     f"WITH m AS MATERIALIZED (SELECT whiten_model({IMPORT}) AS h) SELECT whiten_apply(h, '[1,2,3]') FROM m",
     "model is NULL", A_MODEL + ".*CTE"),
    ("handle-union", f"SELECT whiten_info(h) FROM (SELECT whiten_model({IMPORT}) AS h UNION SELECT NULL)",
     "model is NULL", A_MODEL),
    ("handle-coalesce-of-vector", f"SELECT cosine_sim(whiten_model({IMPORT}), '[1]')", None, None),
    # tables
    ("cosine_topk-table", "SELECT * FROM cosine_topk('nowhere', 'v', '[1]', 1)",
     "table is 'nowhere'", "the name of a table"),
    ("cosine_topk-table-null", "SELECT * FROM cosine_topk(NULL, 'v', '[1]', 1)",
     "table is NULL", "TEXT, the name of a table"),
    ("cosine_topk-table-injected", "SELECT * FROM cosine_topk('c; DROP TABLE c', 'v', '[1]', 1)",
     "table is 'c; DROP TABLE c'",
     "the name of a table"),
    ("cosine_topk-column", "SELECT * FROM cosine_topk('c', 'nowhere', '[1]', 1)",
     "column is 'nowhere'", "column"),
    ("cosine_topk-column-injected", "SELECT * FROM cosine_topk('c', 'v FROM c; --', '[1]', 1)",
     "column is", "column"),
    ("cosine_topk-k-real", "SELECT * FROM cosine_topk('c', 'v', '[1]', 1.5)", "k is 1.5", "an INTEGER"),
    ("cosine_topk-k-0", "SELECT * FROM cosine_topk('c', 'v', '[1,2]', 0)", "k is 0", "at least 1"),
    ("cosine_topk-k-text", "SELECT * FROM cosine_topk('c', 'v', '[1,2]', '1')",
     "k is TEXT '1'", "an INTEGER: bind it as a number"),
    ("cosine_topk-k-missing", "SELECT * FROM cosine_topk('c', 'v', '[1,2]')", "k is missing", "cosine_topk"),
    ("cosine_topk-query-type", "SELECT * FROM cosine_topk('c', 'v', 7, 1)", "query is INTEGER", A_VECTOR),
    ("cosine_topk-query-nan", "SELECT * FROM cosine_topk('c', 'v', x'0000c07f00000000', 1)",
     r"query\[0\] is NaN", "a finite number"),
    ("cosine_topk-dims", "SELECT * FROM cosine_topk('c', 'v', '[1]', 1)",
     "rowid 1: column has 2 elements", "1"),
    ("cosine_topk-row", "SELECT * FROM cosine_topk('c', 'bad', '[1,1]', 1)",
     "rowid 2: column is not a JSON array", "."),
    ("cosine_topk-row-nan", "SELECT * FROM cosine_topk('c', 'nan', '[1,1]', 1)",
     r"rowid 2: column\[1\] is NaN", "a finite number"),
    # an argument that no plan can pass on
    ("cosine_topk-missing-or", "SELECT * FROM cosine_topk('c', 'v') WHERE rowid = 1 OR similarity > 0",
     "query is missing", r"cosine_topk\(table, column, query, k\)$"),
    ("cosine_topk-missing-all", "SELECT * FROM cosine_topk WHERE rowid = 1 OR rowid = 2", "table is missing",
     r"cosine_topk\(table, column, query, k\)"),
    ("cosine_topk-missing-column", "SELECT * FROM cosine_topk WHERE arg_table = 'c' AND arg_k = 3", "column is missing",
     r"cosine_topk\(table, column, query, k\)$"),
    ("cosine_topk-or", "SELECT * FROM cosine_topk('c', 'v', '[1,1]', 2) WHERE rowid = 1 OR rowid = 2", None, None),
    ("cosine_topk-k-twice", "SELECT * FROM cosine_topk('c', 'v', '[1,1]', 2) WHERE arg_k = 3", None, None),
    ("cosine_join-missing-or", "SELECT * FROM cosine_join('c', 'v', 'c') WHERE rowid = 1 OR query_rowid = 2",
     "queries_column is missing", r"cosine_join\(table, column, queries_table, queries_column, k\)$"),
    ("cosine_pairs-missing-or", "SELECT * FROM cosine_pairs('c') WHERE rowid_a = 1 OR rowid_b = 1",
     "column is missing", r"cosine_pairs\(table, column, threshold\)$"),
    ("whiten_rows-missing-in", f"SELECT * FROM whiten_rows({OF_TWO}) WHERE rowid IN (1, 2) LIMIT 1",
     "table is missing", r"whiten_rows\(model, table, column\)$"),
    *(
        (f"{function}-rowid-{table}", f"SELECT * FROM {call.format(table)}", f"rowid of '{table}' is {found}", expected)
        for function, call in READERS.items()
        for table, (found, expected) in WITHOUT_ROWIDS.items()
    ),
    *(
        (f"{function}-rowid-keyed", f"SELECT * FROM {call.format('keyed')}",
         "(queries_)?table is 'keyed', a view or a WITHOUT ROWID table that has no column named rowid",
         r"rowids: read it through CREATE TEMP VIEW name AS SELECT key AS rowid, .* FROM keyed$")
        for function, call in READERS.items()
    ),
    *(
        # Debian's SQLite gives a view rowids that are NULL, SQLite's own builds give it none.
        (f"{function}-rowid-unnamed", f"SELECT * FROM {call.format('unnamed')}",
         "(rowid of 'unnamed' is NULL|(queries_)?table is 'unnamed', a view or a WITHOUT ROWID table that has no column named rowid)",
         "(unique INTEGERs|rowids).*: read it through")
        for function, call in READERS.items()
    ),
    ("cosine_pairs-table", "SELECT * FROM cosine_pairs('x', 'v', 1)", "table is 'x'", "the name of a table"),
    ("cosine_pairs-column", "SELECT * FROM cosine_pairs('c', 'x', 1)", "column is 'x'", "column"),
    ("cosine_pairs-threshold-high", "SELECT * FROM cosine_pairs('c', 'v', 1.5)", "threshold is 1.5", "above -1 and up to 1"),
    ("cosine_pairs-threshold-low", "SELECT * FROM cosine_pairs('c', 'v', -1)", "threshold is -1", "above -1 and up to 1"),
    ("cosine_pairs-threshold-infinite", "SELECT * FROM cosine_pairs('c', 'v', 9e999)", "threshold is ", "number"),
    ("cosine_pairs-threshold-text", "SELECT * FROM cosine_pairs('c', 'v', '1')", "threshold is TEXT", "a number"),
    ("cosine_pairs-threshold-null", "SELECT * FROM cosine_pairs('c', 'v', NULL)", "threshold is NULL", "a number"),
    ("cosine_pairs-threshold-missing", "SELECT * FROM cosine_pairs('c', 'v')", "threshold is missing", "cosine_pairs"),
    ("cosine_pairs-row", "SELECT * FROM cosine_pairs('c', 'bad', 1)", "rowid 2: column is not a JSON array", "."),
    ("cosine_pairs-row-nan", "SELECT * FROM cosine_pairs('c', 'nan', 1)", r"rowid 2: column\[1\] is NaN", "a finite number"),
    ("cosine_join-queries_column", "SELECT * FROM cosine_join('c', 'v', 'c', 'x', 1)",
     "queries_column is 'x'", "column"),
    ("cosine_join-queries_table", "SELECT * FROM cosine_join('c', 'v', 'x', 'v', 1)",
     "queries_table is 'x'", "the name of a table"),
    ("cosine_join-k", "SELECT * FROM cosine_join('c', 'v', 'c', 'v', -1)", "k is -1", "at least 1"),
    ("cosine_join-row", "SELECT * FROM cosine_join('c', 'v', 'c', 'bad', 1)",
     "rowid 2: queries_column is not a JSON array", "."),
    ("cosine_join-row-nan", "SELECT * FROM cosine_join('c', 'nan', 'c', 'v', 1)",
     r"rowid 2: column\[1\] is NaN", "a finite number"),
    ("cosine_join-dims", "SELECT * FROM cosine_join('c', 'v', 'c', 'short', 1)",
     "rowid 1: column has 2 elements", "1"),
    ("whiten_rows-model", "SELECT * FROM whiten_rows(NULL, 'c', 'v')", "model is NULL", A_MODEL),
    ("whiten_rows-table", "SELECT * FROM whiten_rows(whiten_import('[1]', '[0]'), 'x', 'v')",
     "table is 'x'", "the name of a table"),
    ("whiten_rows-missing", "SELECT * FROM whiten_rows(whiten_import('[1]', '[0]'), 'c')",
     "column is missing", "whiten_rows"),
    ("whiten_rows-dims", "SELECT * FROM whiten_rows(whiten_import('[1]', '[0]'), 'c', 'v')",
     "rowid 1: column has 2 elements", "1"),
    ("whiten_rows-row", "SELECT * FROM whiten_rows(whiten_import('[1,1]', '[0,0]'), 'c', 'bad')",
     "rowid 2: column is not a JSON array", "."),
    ("whiten_rows-row-nan", "SELECT * FROM whiten_rows(whiten_import('[1,1]', '[0,0]'), 'c', 'nan')",
     r"rowid 2: column\[1\] is NaN",
     "a finite number"),
    ("whiten_rows-row-overflow", "SELECT * FROM whiten_rows(whiten_import('[3e38,0,0,1]', '[0,0]'), 'c', 'v')",
     r"rowid 2: the result\[0\] is beyond float32", "a magnitude below 3.4e38"),
    ("cosine_join-query-nan", "SELECT * FROM cosine_join('c', 'v', 'c', 'nan', 1)",
     r"rowid 2: queries_column\[1\] is NaN", "a finite number"),
    ("pool_tokens-states-type", "SELECT pool_tokens(5, 2, 'mean')", "states is INTEGER",
     "a BLOB of tokens x dim float32"),
    ("whiten_import-kernel-type", "SELECT whiten_import(5, '[1]')", "kernel is INTEGER",
     "a BLOB of d x k float32, row-major"),
    ("isotropy-long", "SELECT isotropy(zeroblob(65536))", "v has 16384 elements", "1 to 16383"),
    ("whiten_fit-tiny", "SELECT whiten_fit(value) FROM json_each('[[1e-42],[2e-42],[4e-42]]')",
     "the kernel is beyond float32", "ordinary numbers"),
    ("whiten_fit-huge-ridge", option("ridge", 1e84), "the kernel is beyond float32: .*ridge", "ordinary numbers"),
    ("whiten_fit-huge-ridge-zca", option("ridge", 1e300, method="zca"),
     "the kernel is beyond float32: .*ridge", "ordinary numbers"),
    ("whiten_fit-single-tiny",
     "SELECT whiten_fit(value, NULL, '{\"precision\":\"single\"}') FROM json_each('[[1e-16],[2e-16],[4e-16]]')",
     "the kernel is beyond float32", "ordinary numbers"),
    ("whiten_fit-single-huge",
     "SELECT whiten_fit(value, NULL, '{\"precision\":\"single\"}') FROM json_each('[[1e20],[2e20],[4e20]]')",
     "the kernel is beyond float32", "ordinary numbers"),
    ("whiten_stats-beyond", "SELECT whiten_stats('[1e20]', 1e300) FROM json_each('[1,2]')",
     "the weighted sums are beyond float64", "smaller weights"),
    ("options-precision", option("precision", "half"), 'options.precision is "half"', '"double" or "single"'),
    ("whiten_solve-precision",
     f"SELECT whiten_solve(whiten_stats(value), 1, '{{\"precision\":\"single\"}}') FROM {ROWS}",
     "options.precision is single", "double"),
    # statistics
    ("mean_cosine-dims", "SELECT mean_cosine(value) FROM json_each('[[1],[1,2]]')",
     "row 2 of the group: v has 2 elements", "1"),
    ("mean_cosine-nan", "SELECT mean_cosine(x'0000c07f')",
     r"row 1 of the group: v\[0\] is NaN", "a finite number"),
    ("isotropy-type", "SELECT isotropy(1)", "row 1 of the group: v is INTEGER", A_VECTOR),
    ("isotropy-dims", "SELECT isotropy(value) FROM json_each('[[1,2],[1,2,3]]')",
     "row 2 of the group: v has 3 elements", "2"),
    ("isotropy-inf", "SELECT isotropy(x'0000807f00000000')",
     r"row 1 of the group: v\[0\] is Inf", "a finite number"),
    ("spearman-text", "SELECT spearman('1', 2)", "row 1 of the group: x is TEXT '1'",
     r"a number: bind it as a number, or write CAST\(\? AS INTEGER\)"),
    ("spearman-blob", "SELECT spearman(1, x'00')", "row 1 of the group: y is a BLOB", "a number"),
    ("pearson-text", "SELECT pearson(column1, 1) FROM (VALUES (1), ('b'))",
     "row 2 of the group: x is TEXT", "a number"),
    ("pearson-inf", "SELECT pearson(1, 9e999)", "row 1 of the group: y is Inf", "finite"),
]  # fmt: skip


def test_enough_cases():
    assert len(CASES) >= 60
    assert len({case[0] for case in CASES}) == len(CASES)


# Rowids that are none, ids that are none; a target that stands.
ODD_TABLES = """
CREATE TABLE named_null(rowid, v);
INSERT INTO named_null SELECT nullif(id, 2), v FROM c;
CREATE TABLE named_text(rowid, v);
INSERT INTO named_text SELECT 'k' || id, v FROM c;
CREATE TABLE named_twice(rowid, v);
INSERT INTO named_twice SELECT 7, v FROM c;
CREATE VIEW unnamed AS SELECT id, v FROM c;
CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE twice(id, v);
INSERT INTO twice SELECT 1, v FROM c;
CREATE TABLE nameless(id, v);
INSERT INTO nameless SELECT nullif(id, 1), v FROM c;
CREATE TABLE texts(id, v);
INSERT INTO texts SELECT 'a', v FROM c LIMIT 1;
CREATE TABLE whole(id INTEGER PRIMARY KEY, v, model_hash);
"""


@pytest.fixture(scope="module")
def shared():
    """One connection for all cases: each must leave it working."""
    connection = connect()
    connection.execute("CREATE TABLE c(id INTEGER PRIMARY KEY, v, bad, nan, short)")
    rows = [(vec([1, 2]), "[1,2]", vec([1, 2]), "[1]"), (vec([3, 4]), "[3,", vec([3, NAN]), "[3]")]
    connection.executemany("INSERT INTO c(v, bad, nan, short) VALUES (?, ?, ?, ?)", rows)
    connection.executescript(ODD_TABLES)
    yield connection
    connection.close()


def still_works(connection):
    assert one(connection, "SELECT cosine_sim('[1,0]', '[1,0]')") == 1.0
    got = one(connection, f"SELECT embedding_as(whiten_apply({IMPORT}, '[1,2,3]'), 'json')")
    assert got == "[4,5]"


def refused(connection, sql, pattern, *args):
    """The message of the error that the statement must raise."""
    with pytest.raises(sqlite3.OperationalError) as error:
        connection.execute(sql, args).fetchall()
    assert re.search(pattern, str(error.value), re.DOTALL), str(error.value)
    # SQLITE_ERROR: neither corruption nor misuse (Python 3.11 tells)
    assert getattr(error.value, "sqlite_errorcode", 1) == 1


@pytest.mark.parametrize("name, sql, found, expected", CASES, ids=[case[0] for case in CASES])
def test_refused(shared, name, sql, found, expected):
    function = name.split("-")[0]
    if found is None:
        shared.execute(sql).fetchall()
    else:
        function = {"options": "whiten_fit", "handle": r"whiten_\w+"}.get(function, function)
        row = "" if found.startswith("row ") else r"(row \d+ of the group: )?"
        refused(shared, sql, f"^{function}: {row}{found}.*[,:] expected .*{expected}")
    still_works(shared)


RIGHT_JOIN = r"; on the right of RIGHT JOIN, where SQLite before 3.42 does not pass arguments, \(SELECT \* FROM {}\(...\)\)$"


@pytest.mark.skipif(not (3, 39) <= sqlite3.sqlite_version_info < (3, 42), reason="SQLite has no RIGHT JOIN, or passes arguments")
@pytest.mark.parametrize("call", [
    "cosine_topk('c', 'v', '[1,1]', 2)", "cosine_join('c', 'v', 'c', 'v', 2)", "cosine_pairs('c', 'v', 0.5)",
    f"whiten_rows({OF_TWO}, 'c', 'v')", "whiten_spectrum(NULL)", "embedding_rows(x'00', 'i8', 1)",
])  # fmt: skip
def test_right_join(shared, call):
    """What a plan without arguments says names the way."""
    function = call.split("(")[0]
    message = rf"^{function}: \w+ is missing, expected {function}\(.*\)" + RIGHT_JOIN.format(function)
    refused(shared, f"SELECT * FROM c RIGHT JOIN {call} AS r ON r.rowid = c.id", message)
    still_works(shared)


def test_whiten_batch_says_what_sqlite_says(shared):
    for call, message in {
        f"whiten_batch({OF_TWO}, 'nowhere', 'w', NULL, 1)": "whiten_batch: no such table: nowhere",
        f"whiten_batch({OF_TWO}, 'twice', 'c', 2, 1)": None,
        f"whiten_batch({OF_TWO}, 'c', 'texts', NULL, 1)": "whiten_batch: table main.texts has no column named model_hash",
        f"whiten_pending({OF_TWO}, 'nowhere', 'whole')": "whiten_pending: no such table: nowhere",
        f"whiten_pending({OF_TWO}, 'c', 'nowhere')": "whiten_pending: no such table: main.nowhere",
        f"whiten_pending({OF_TWO}, 'c', 'texts')": "whiten_pending: no such column: t.model_hash",
    }.items():
        if message is None:  # no row behind: nothing is written
            assert one(shared, f"SELECT {call}") is None
        else:
            refused(shared, f"SELECT {call}", f"^{message}$")
    for table in ("twice", "nameless"):  # what is refused makes no target
        refused(shared, f"SELECT whiten_batch({OF_TWO}, '{table}', 'w', NULL, 9)", "^whiten_batch: source has ")
    assert one(shared, "SELECT count(*) FROM sqlite_schema WHERE name = 'w'") == 0
    still_works(shared)


def test_bound_values(shared):
    """What only a host can pass: NaN arrives as NULL; text with a zero byte; huge arrays."""
    assert one(shared, "SELECT embedding_scale('[1]', ?)", NAN) is None
    refused(
        shared,
        "SELECT cosine_sim(?, ?)",
        r"^cosine_sim: b\[299\] is NaN, expected a finite number",
        vec([1] * 300),
        vec([1] * 299 + [NAN]),
    )
    refused(shared, "SELECT embedding(?)", "^embedding: x is not a JSON array of numbers", "[1]\0")
    refused(
        shared,
        "SELECT cosine_sim(?, ?)",
        "^cosine_sim: b has 16384 elements?, expected 1 as in a",
        vec([1]),
        vec([1] * 16384),
    )
    still_works(shared)


@pytest.mark.parametrize("position", [0, 1, 31, 32, 63, 64, 300, 767])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_not_finite_anywhere(shared, position, value):
    """Every function that computes finds it, wherever it stands."""
    x = numpy.ones(768, dtype="f4")
    good = vec(x)
    x[position] = value
    bad = vec(x)
    word = {"nan": "NaN", "inf": "Inf", "-inf": "-Inf"}[str(value)]
    for sql, name in [
        ("embedding(?1)", "x"), ("embedding_as(?1, 'json')", "v"), ("embedding_as(?1, 'f16')", "v"),
        ("embedding_as(?1, 'i8')", "v"), ("embedding_as(?1, 'f64')", "v"), ("embedding_dim(?1)", "v"),
        ("embedding_norm(?1)", "v"), ("embedding_normalize(?1)", "v"), ("embedding_truncate(?1, 768)", "v"),
        ("embedding_scale(?1, 0)", "v"), ("cosine_sim(?1, ?2)", "a"), ("cosine_sim(?2, ?1)", "b"),
        ("dot_product(?1, ?2)", "a"), ("l2_distance(?2, ?1)", "b"), ("pool_mean(?1)", "v"),
        ("pool_mean(?1, 0)", "v"), ("pool_max(?1)", "v"), ("pool_mean_sqrt_len(?1)", "v"),
        ("pool_position_mean(?1, 2)", "v"), ("pool_cls(?1, 1)", "v"), ("pool_last(?1, 1)", "v"),
        ("pool_tokens(?1, 768, 'mean')", "states"), ("pool_tokens(?1, 768, 'cls')", "states"),
        ("pool_tokens(?1, 384, 'max', '[1,1]')", "states"), ("whiten_stats(?1)", "v"),
        ("whiten_pair_stats(?1, ?2)", "a"), ("whiten_pair_stats(?2, ?1)", "b"), ("whiten_pair_stats(?2, ?1, 0)", "b"),
        ("whiten_fit(?1)", "v"), ("mean_cosine(?1)", "v"), ("isotropy(?1)", "v"),
        ("whiten_import(?1, ?2)", "kernel"), ("whiten_import(?2, ?1)", "bias"),
        ("whiten_apply(whiten_import(?2, ?2), ?1)", "v"),
    ]:  # fmt: skip
        function = re.match(r"\w+", sql).group()
        pattern = (
            rf"^{function}: (row 1 of the group: )?{name}\[{position}\] is {word}(inity)?, expected a"
            rf" finite number"
        )
        with pytest.raises(sqlite3.OperationalError) as error:
            # both parameters must be in use
            shared.execute(f"SELECT {sql}, length(?1), length(?2)", (bad, good)).fetchall()
        assert re.search(pattern, str(error.value)), (sql, str(error.value))
    still_works(shared)


def test_message_is_readable_whatever_the_text_holds(shared):
    """Quoted text may be cut, but never inside of a character, and never with bytes that are not UTF-8."""
    overlong = [f"SELECT embedding(x'00', CAST(x'{hex}' AS TEXT))"
                for hex in ("e09f80", "eda080", "f0808080", "f4908080", "c3", "c341")]  # fmt: skip
    for sql, args in [
        *((sql, ()) for sql in overlong),
        ("SELECT embedding(?)", ('["ééééééééééééééé"]',)),
        ("SELECT embedding(?)", ("[é" * 20,)),
        ("SELECT embedding(?)", ("[1,日本語日本語日本語]",)),
        ("SELECT embedding(CAST(x'5b31ff5d' AS TEXT))", ()),
        ("SELECT embedding(x'00', ?)", ("é" * 500,)),
        ("SELECT pool_tokens('[1]', 1, ?)", ("日本" * 300,)),
        (fitting(options="?"), ('{"' + "é" * 500 + '":1}',)),
        (fitting(options="?"), ('{"method":"' + "語" * 500 + '"}',)),
        (fitting(options="CAST(x'7b22ff223a317d' AS TEXT)"), ()),
    ]:
        with pytest.raises(sqlite3.OperationalError) as error:
            shared.execute(sql, args).fetchall()
        assert str(error.value).startswith(re.search(r"whiten_fit|embedding|pool_tokens", sql).group() + ": ")
    still_works(shared)


# ---- damaged models and stats


@pytest.fixture(scope="module")
def blobs():
    """A model and stats of 6 dimensions, made elsewhere."""
    connection = connect()
    rng = numpy.random.default_rng(SEED)
    fill(connection, rng.standard_normal((60, 6)))
    row = connection.execute(
        'SELECT whiten_fit(v, 4), whiten_stats(v), whiten_fit(v, 4, \'{"method":"zca"}\'),'
        " whiten_import('[1,2,3,4,5,6]', '[0,0,0]'), whiten_pair_stats(v, embedding_truncate(v, 2)),"
        " whiten_align(whiten_pair_stats(v, embedding_truncate(v, 5)), 'a->b') FROM t"
    ).fetchone()
    connection.close()
    return dict(zip(("model", "stats", "zca", "imported", "pairs", "across"), row))


def flipped(blob, at, bit=0):
    return blob[:at] + bytes([blob[at] ^ (1 << bit)]) + blob[at + 1 :]


def test_the_hash_is_xxh64(blobs):
    for blob in blobs.values():
        assert sealed(blob) == blob


MODEL_ERROR = r"^whiten_apply: model (is|has) .*, expected "
VECTOR = "'[1,2,3,4,5,6]'"


@pytest.mark.parametrize("genuine_first", [False, True])
@pytest.mark.parametrize("kind", ["model", "zca", "across"])
def test_every_byte_of_a_model_counts(blobs, kind, genuine_first):
    """A flipped bit anywhere: header, mean, eigenvalues, scales, kernel, hash - also when the cache knows the
    hash."""
    blob, connection = blobs[kind], connect()
    sql = f"SELECT whiten_apply(?, {VECTOR})"
    if genuine_first:
        genuine = one(connection, sql, blob)
    for at in range(len(blob)):
        refused(connection, sql, MODEL_ERROR, flipped(blob, at, at % 8))
        if genuine_first and at % 50 == 0:
            assert one(connection, sql, blob) == genuine
    still_works(connection)
    connection.close()


@pytest.mark.parametrize(
    "way",
    ["whiten_model", "whiten_info", "whiten_kernel", "whiten_bias", "whiten_offset", "whiten_inverse", "whiten_spectrum"],
)
def test_every_function_checks_the_model(blobs, way):
    connection, blob = connect(), blobs["model"]
    sql = {
        "whiten_inverse": "SELECT whiten_inverse(?, '[1,2,3,4]')",
        "whiten_spectrum": "SELECT * FROM whiten_spectrum(?)",
    }.get(way, f"SELECT {way}(?)")  # fmt: skip
    for warm in (False, True):
        if warm:
            connection.execute(sql, (blob,)).fetchall()
        for at in (0, 8, 12, 16, 24, 32, 36, 40, 60, 70, 100, 127, 130, 190, 250, len(blob) - 1):
            refused(connection, sql, rf"^{way}: model (is|has) .*, expected ", flipped(blob, at))
        for size in (0, 1, 31, 32, 100, 127, 128, len(blob) - 1):
            refused(connection, sql, rf"^{way}: model (is|has) .*, expected ", blob[:size])
    connection.close()


def test_damage_between_two_rows(blobs):
    """Genuine and damaged alternate in one statement: the damaged row is refused, even with the same hash."""
    connection, blob = connect(), blobs["model"]
    connection.execute("CREATE TABLE m(id INTEGER PRIMARY KEY, model BLOB)")
    damaged = flipped(blob, len(blob) - 2)
    connection.executemany("INSERT INTO m(model) VALUES (?)", [(blob,), (damaged,), (blob,)])
    sql = f"SELECT whiten_apply(model, {VECTOR}) FROM m WHERE id <> ? ORDER BY id"
    assert len(connection.execute(sql, (2,)).fetchall()) == 2
    refused(connection, sql, "^whiten_apply: model is damaged.*, expected ", 3)
    refused(connection, sql, "^whiten_apply: model is damaged.*, expected ", 1)
    connection.close()


@pytest.mark.parametrize("genuine_first", [False, True])
def test_truncated_and_extended_models(blobs, genuine_first):
    blob, connection = blobs["model"], connect()
    sql = f"SELECT whiten_apply(?, {VECTOR})"
    if genuine_first:
        one(connection, sql, blob)
    for size in range(len(blob)):
        refused(connection, sql, MODEL_ERROR, blob[:size])
    for more in (1, 4, 1000):
        refused(connection, sql, MODEL_ERROR, blob + bytes(more))
    still_works(connection)
    connection.close()


@pytest.mark.parametrize("function", ["whiten_merge", "whiten_solve"])
@pytest.mark.parametrize("kind", ["stats", "pairs"])
def test_every_byte_of_stats_counts(blobs, kind, function):
    blob, connection = blobs[kind], connect()
    pattern = rf"^{function}: (row 1 of the group: )?stats (is|has) .*, expected "
    for at in range(len(blob)):
        refused(connection, f"SELECT {function}(?)", pattern, flipped(blob, at, at % 8))
    for size in list(range(0, len(blob), 3)) + [len(blob) - 1]:
        refused(connection, f"SELECT {function}(?)", pattern, blob[:size])
    refused(connection, f"SELECT {function}(?)", pattern, blob + b"\0")
    still_works(connection)
    connection.close()


# (offset, format, value): fields that say what cannot be, under a hash that is right
FORGED_MODEL = [
    (0, "8s", b"whitenX\0"), (8, "<I", 0), (8, "<I", 2), (12, "<I", 0x04030201), (16, "<Q", 0),
    (16, "<Q", 2**63), (32, "<I", 0), (32, "<I", 7), (32, "<I", 16385), (32, "<I", 2**32 - 1), (36, "<I", 0),
    (36, "<I", 5), (36, "<I", 7), (36, "<I", 2**32 - 1), (40, "<I", 0), (40, "<I", 3), (40, "<I", 2**31),
    (44, "<I", 7), (44, "<I", 2**32 - 1), (48, "<q", -1), (48, "<q", -(2**63)), (56, "<d", NAN),
    (56, "<d", -1.0), (56, "<d", INF), (64, "<I", 5), (64, "<I", 2**32 - 1), (68, "<I", 32),
    (68, "<I", 2**31), (68, "<I", 4), (68, "<I", 16), (72, "<I", 6), (72, "<I", 2**32 - 1), (76, "<I", 1),
    (80, "<d", -1.0), (80, "<d", NAN), (80, "<d", INF), (88, "<d", 2.0), (88, "<d", NAN), (88, "<d", -0.5),
    (96, "<d", NAN), (96, "<d", -1.0), (96, "<d", INF), (104, "<d", NAN), (104, "<d", 1.5), (104, "<d", -1.0),
    (112, "<Q", 1), (120, "<Q", 1), (128, "<d", NAN), (128, "<d", INF), (176, "<d", NAN), (224, "<d", NAN),
    (272, "<d", INF), (-4, "<f", NAN), (-4, "<f", INF),
]  # fmt: skip


@pytest.mark.parametrize("at, form, value", FORGED_MODEL, ids=lambda v: str(v))
def test_forged_models(shared, blobs, at, form, value):
    """The hash is no secret: a BLOB that lies in a field of its header or holds NaN is refused."""
    blob = bytearray(blobs["model"])
    struct.pack_into(form, blob, at % len(blob), value)
    blob = sealed(bytes(blob))
    for sql in (
        f"SELECT whiten_apply(?, {VECTOR})",
        "SELECT whiten_info(?)",
        "SELECT whiten_inverse(?, '[1,2,3,4]')",
        "SELECT * FROM whiten_spectrum(?)",
    ):
        function = re.search(r"whiten_\w+", sql).group()
        refused(shared, sql, rf"^{function}: model (is|has) .*, expected ", blob)
    still_works(shared)


def test_forged_flags(shared, blobs):
    """A zca model that claims to carry the scales of a pca model: they would be read past their end."""
    blob = blobs["zca"]
    head, mean_and_eigenvalues, kernel = blob[:128], blob[128 : 128 + 96], blob[224 : 224 + 144]
    forged = bytearray(head + mean_and_eigenvalues + numpy.ones(6 + 4).tobytes() + kernel)
    struct.pack_into("<Q", forged, 16, len(forged))
    struct.pack_into("<I", forged, 68, 8)
    for sql in ("SELECT whiten_inverse(?, '[1,2,3,4,5,6]')", f"SELECT whiten_apply(?, {VECTOR})"):
        function = re.search(r"whiten_\w+", sql).group()
        refused(shared, sql, rf"^{function}: model (is|has) .*, expected ", sealed(bytes(forged)))
    still_works(shared)


FORGED_STATS = [
    (8, "<I", 9), (32, "<I", 0), (32, "<I", 7), (32, "<I", 65536), (32, "<I", 2**32 - 1), (36, "<I", 1),
    (40, "<q", -5), (40, "<q", 0), (48, "<d", NAN), (48, "<d", -1.0), (48, "<d", INF), (48, "<d", 0.0),
    (56, "<d", NAN), (56, "<d", INF), (104, "<d", NAN), (104, "<d", -1.0), (-8, "<d", INF), (-8, "<d", -1.0),
]  # fmt: skip


@pytest.mark.parametrize("at, form, value", FORGED_STATS, ids=lambda v: str(v))
def test_forged_stats(shared, blobs, at, form, value):
    blob = bytearray(blobs["stats"])
    struct.pack_into(form, blob, at % len(blob), value)
    for function in ("whiten_merge", "whiten_solve"):
        pattern = rf"^{function}: (row 1 of the group: )?stats (is|has) .*, expected "
        refused(shared, f"SELECT {function}(?)", pattern, sealed(bytes(blob)))
    still_works(shared)


def test_imported_model_has_no_spectrum_but_the_rest(blobs):
    connection, blob = connect(), blobs["imported"]
    assert one(connection, "SELECT whiten_apply(?, '[1,1,1]')", blob) == vec([9, 12])
    refused(connection, "SELECT * FROM whiten_spectrum(?)", "^whiten_spectrum: model is imported", blob)
    connection.close()


def test_errors_in_the_middle_of_a_statement(shared):
    """An UPDATE that meets a bad row changes nothing."""
    shared.execute("CREATE TABLE e(id INTEGER PRIMARY KEY, v, n)")
    shared.executemany("INSERT INTO e(v) VALUES (?)", [("[3,4]",), ("[1,2]",), ("oops",)])
    refused(
        shared,
        "UPDATE e SET n = embedding_normalize(v)",
        "^embedding_normalize: v is not a JSON array of numbers",
    )
    assert one(shared, "SELECT count(*) FROM e WHERE n IS NOT NULL") == 0
    shared.execute("DROP TABLE e")


def test_error_then_the_same_statement_with_good_input(shared):
    """A prepared statement recovers: nothing of the failed call is kept."""
    sql = "SELECT cosine_sim(?, ?)"
    for _ in range(3):
        refused(shared, sql, "^cosine_sim: a is not a JSON", "[1,", "[1]")
        assert one(shared, sql, "[2]", "[4]") == 1.0
        refused(shared, sql, "^cosine_sim: b has 2 elements", "[2]", "[1,2]")


def test_error_in_one_group_of_many(shared):
    """Aggregates that fail leave no state behind for the next statement."""
    for call in (
        "pool_mean(value)",
        "pool_max(value)",
        "whiten_fit(value)",
        "whiten_stats(value)",
        "whiten_pair_stats(value, value)",
        "mean_cosine(value)",
        "isotropy(value)",
        "whiten_tune((SELECT whiten_stats(value) FROM json_each('[[1],[2]]')), value)",
    ):
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                shared.execute(
                    f"SELECT key % 3, {call} FROM json_each('[[1],[2],[3],[4],[5],[6,7]]') GROUP BY 1"
                ).fetchall()
    still_works(shared)


def test_interrupted_by_a_limit(shared):
    """length() of results obeys the limit that the host has set."""
    shared.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000)
    try:
        with pytest.raises((sqlite3.DataError, sqlite3.OperationalError)):
            shared.execute(
                "SELECT whiten_stats(embedding_truncate(v, 20)) FROM (SELECT embedding('[' ||"
                " '0,0,0,0,0,0,0,0,0,' || '0,0,0,0,0,0,0,0,0,0,0,1]') AS v)"
            ).fetchall()
    finally:
        shared.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000_000)
    still_works(shared)


@pytest.mark.parametrize(
    "call",
    [
        "cosine_sim('[1]')",
        "cosine_sim('[1]','[1]','[1]')",
        "embedding()",
        "whiten_fit()",
        "pool_tokens('[1]', 1)",
        "whiten_version(1)",
    ],
)
def test_wrong_number_of_arguments(shared, call):
    """SQLite's own message."""
    with pytest.raises(sqlite3.OperationalError, match=r"^wrong number of arguments to function "):
        shared.execute(f"SELECT {call}")


@pytest.mark.parametrize(
    "call", ["pool_max(value)", "whiten_fit(value)", "spearman(key, key)", "mean_cosine(value)"]
)
def test_no_window_function(shared, call):
    with pytest.raises(sqlite3.OperationalError, match="may not be used as a window function"):
        shared.execute(f"SELECT {call} OVER () FROM json_each('[[1],[2]]')")
