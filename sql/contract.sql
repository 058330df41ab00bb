-- The contract of sqlite-whiten: every function, a sentence on what it promises, and examples that the tests
-- execute.
--
-- How to read it, and how to run it from another language:
--   `-- name(args): ...` opens a function; `[, x]` is an argument that may be left out.
--   A statement runs to the line that ends in `;`. One without rows prepares those behind it: each function
--   begins with an empty database, and keeps it to its end.
--   The `--> ` lines after it are its rows, columns separated by ` | `. A value is written as a SQL literal
--   and is exact; `~ x` is a REAL within 1e-6 of x, relative; `error: text` is the whole message of an error.
--   Every other comment is for the reader.
--
-- A vector is a BLOB of d float32, little-endian, without a header, 1 <= d <= 16384. A JSON array of numbers
-- in TEXT is taken wherever a vector is; what comes back is always a BLOB. Scalars give NULL for NULL;
-- aggregates skip a row in which any of v, weight, position, mask is NULL, and give NULL when no row is left.
-- whiten_fit, whiten_stats, mean_cosine and isotropy refuse a column of float64, which would pass for float32 of twice the
-- dimension, where its halves tell (256 numbers and more; not where all low halves are 0): embedding(v, 'f64') reads it.
-- A model that is NULL is an error. Where an INTEGER is expected, a REAL without a fraction is one: 5.0 is 5.
-- Dot-like sums run in 32 float32 lanes, pooling and statistics in float64.
-- Everything but what solves for a model (whiten_fit, whiten_solve, whiten_align, whiten_import; whiten_tune) gives the same bits on every machine;
-- whiten_stats and isotropy with every kernel variant that fuses multiply and add: all but 'portable' on x86.
-- In a host that sets its CPU to flush-to-zero, elements, results and products below 2^-126 in magnitude may count as 0
-- in embedding, embedding_as, embedding_norm, embedding_normalize, embedding_scale, cosine_sim, dot_product, l2_distance,
-- l1_distance, embedding_rows and what is built on them; ordinary numbers keep their bits.


-- EMBEDDING: vectors in, vectors out

-- embedding(x [, encoding]): the vector in x, checked - JSON text, or a BLOB in 'f32' (default), 'f64',
--   'f16', 'bf16' or 'i8' (plain numbers -128..127); rounds to the nearest float32, ties to even; refuses
--   what is not finite.
SELECT embedding('[1, -2.5]');
--> x'0000803f000020c0'
SELECT embedding(x'0000803f000020c0');
--> x'0000803f000020c0'
SELECT embedding('[1, -2.5]', 'json');
--> x'0000803f000020c0'
SELECT embedding(x'000000000000f03f', 'f64'), embedding(x'003c', 'f16'), embedding(x'803f', 'bf16'),
  embedding(x'01ff', 'i8');
--> x'0000803f' | x'0000803f' | x'0000803f' | x'0000803f000080bf'
-- 16777217 is half way between two float32: the even one
SELECT embedding_as(embedding(' [16777217 , 1e-46] '), 'json');
--> '[16777216,0]'
SELECT embedding(NULL), embedding(NULL, 'f16');
--> NULL | NULL
SELECT embedding(x'0000803f00');
--> error: embedding: x is a BLOB of 5 bytes, expected a multiple of 4
SELECT embedding(x'0000803f0000c07f');
--> error: embedding: x[1] is NaN, expected a finite number
SELECT embedding('[1, 2');
--> error: embedding: x is not a JSON array of numbers: expected ',' or ']' at byte 5, found the end
SELECT embedding('[1e39]');
--> error: embedding: x[0] is beyond float32, expected a magnitude below 3.4e38
SELECT embedding('[]');
--> error: embedding: x is empty, expected 1 to 16384 elements
SELECT embedding(1);
--> error: embedding: x is INTEGER, expected a vector (BLOB of float32 or JSON array)
SELECT embedding(x'0000', 'f8');
--> error: embedding: encoding is 'f8', expected 'f32', 'f64', 'f16', 'bf16', 'i8' or 'json'

-- embedding_as(v, encoding): v written as 'json' (TEXT, the shortest digits that read back to the same
--   float32), 'f32', 'f64', 'f16', 'bf16' or 'i8', rounded to nearest, ties to even; an element beyond the
--   encoding is an error, and so is a nonzero vector that 'i8' would turn into zeros.
SELECT embedding_as('[0.1, 3, -1e-7]', 'json');
--> '[0.1,3,-1e-7]'
SELECT embedding_as('[1]', 'f32'), embedding_as('[1]', 'f64'), embedding_as('[1]', 'f16'),
  embedding_as('[1]', 'bf16');
--> x'0000803f' | x'000000000000f03f' | x'003c' | x'803f'
SELECT embedding_as('[0.5, 1.5, -128.4, 127.4]', 'i8');
--> x'0002807f'
SELECT embedding_as(NULL, 'json'), embedding_as('[1]', NULL);
--> NULL | NULL
SELECT embedding_as('[1, 65520]', 'f16');
--> error: embedding_as: v[1] is beyond f16, expected magnitudes up to 65504
SELECT embedding_as('[0.1, -0.2]', 'i8');
--> error: embedding_as: v has no element that rounds to anything but 0 in i8, expected magnitudes up to 127: see embedding_scale

-- embedding_dim(v): the number of elements, an INTEGER; the vector is checked.
SELECT embedding_dim('[1, 2, 3]'), embedding_dim(x'0000803f000020c0');
--> 3 | 2
SELECT embedding_dim(NULL);
--> NULL
SELECT embedding_dim('[1, null]');
--> error: embedding_dim: v is not a JSON array of numbers: expected a number at byte 4, found 'n'

-- embedding_valid(x [, dim]): 1 if x is a vector (with dim elements), 0 if it is anything else; NULL for NULL, and
--   never an error, so that WHERE NOT embedding_valid(x) finds the rows that the other functions refuse.
SELECT embedding_valid('[1, 2]'), embedding_valid(x'0000803f'), embedding_valid('[1, 2]', 2), embedding_valid('[1, 2]', 2.0);
--> 1 | 1 | 1 | 1
SELECT embedding_valid('[1, 2]', 3), embedding_valid('[1, "a"]'), embedding_valid(''), embedding_valid(x''),
  embedding_valid(x'000080'), embedding_valid(1), embedding_valid(2.5);
--> 0 | 0 | 0 | 0 | 0 | 0 | 0
-- NaN, and infinity
SELECT embedding_valid(x'0000c07f'), embedding_valid(x'0000803f0000807f'), embedding_valid('[1e39]');
--> 0 | 0 | 0
-- a dim that no vector has
SELECT embedding_valid('[1]', 0), embedding_valid('[1]', -1), embedding_valid('[1]', 'one'), embedding_valid('[1]', 1.5);
--> 0 | 0 | 0 | 0
SELECT embedding_valid(NULL), embedding_valid(NULL, 3), embedding_valid('[1]', NULL);
--> NULL | NULL | NULL

-- embedding_norm(v): the L2 norm, a REAL.
SELECT embedding_norm('[3, 4]'), embedding_norm('[0, 0]');
--> 5.0 | 0.0
SELECT embedding_norm('[1e30, 1e30]'), embedding_norm('[1e-30, 1e-30]');
--> ~ 1.41421356e30 | ~ 1.41421356e-30
SELECT embedding_norm(NULL);
--> NULL
SELECT embedding_norm(x'');
--> error: embedding_norm: v is empty, expected 1 to 16384 elements

-- embedding_normalize(v): v divided by its L2 norm; NULL for a zero vector.
SELECT embedding_as(embedding_normalize('[3, 4]'), 'json');
--> '[0.6,0.8]'
SELECT embedding_as(embedding_normalize('[1e30, 0]'), 'json'),
  embedding_as(embedding_normalize('[0, -1e-30]'), 'json');
--> '[1,0]' | '[0,-1]'
SELECT embedding_normalize('[0, 0]'), embedding_normalize(NULL);
--> NULL | NULL
SELECT embedding_normalize(0.5);
--> error: embedding_normalize: v is REAL, expected a vector (BLOB of float32 or JSON array)

-- embedding_truncate(v, k): the first k elements, 1 <= k <= d, for vectors trained to be cut (Kusupati et al.
--   2022).
SELECT embedding_as(embedding_truncate('[1, 2, 3]', 2), 'json');
--> '[1,2]'
SELECT embedding_truncate(NULL, 2), embedding_truncate('[1]', NULL);
--> NULL | NULL
SELECT embedding_truncate('[1, 2, 3]', 4);
--> error: embedding_truncate: k is 4, expected 1 to 3, the elements of v
SELECT embedding_truncate('[1, 2, 3]', '2');
--> error: embedding_truncate: k is TEXT '2', expected an INTEGER: bind it as a number, or write CAST(? AS INTEGER)
SELECT embedding_truncate('[1, 2, 3]', 2.0) = embedding_truncate('[1, 2, 3]', 2);
--> 1

-- embedding_scale(v, factor): v times a finite number, each product rounded once to float32; what 'i8' needs
--   first.
SELECT embedding_as(embedding_scale('[0.5, -1]', 127), 'json');
--> '[63.5,-127]'
SELECT embedding_as(embedding_scale(embedding_normalize('[3, 4]'), 100), 'i8');
--> x'3c50'
SELECT embedding_scale(NULL, 2), embedding_scale('[1]', NULL);
--> NULL | NULL
SELECT embedding_scale('[1e30]', 1e10);
--> error: embedding_scale: the result[0] is beyond float32, expected a magnitude below 3.4e38


-- SIMILARITY: two vectors in, a number out

-- cosine_sim(a, b): the cosine of the angle, a REAL in [-1, 1]; NULL if either is a zero vector, so that
--   ORDER BY ... DESC puts it last; no overflow or underflow at any magnitude.
SELECT cosine_sim('[1, 0]', '[1, 1]'), cosine_sim('[1, 0]', '[0, 1]'), cosine_sim('[1, 2]', '[-1, -2]');
--> ~ 0.70710678 | 0.0 | -1.0
SELECT cosine_sim('[1e30, 1e30]', '[1e30, 1e30]'), cosine_sim('[1e-30, 1e-30]', '[1e-30, 1e-30]');
--> 1.0 | 1.0
SELECT cosine_sim(x'0000803f00000000', '[2, 0]');
--> 1.0
SELECT cosine_sim('[0, 0]', '[1, 1]'), cosine_sim(NULL, '[1]'), cosine_sim('[1]', NULL);
--> NULL | NULL | NULL
SELECT cosine_sim('[1, 2, 3]', '[1, 2]');
--> error: cosine_sim: b has 2 elements, expected 3 as in a
SELECT cosine_sim(1, '[1]');
--> error: cosine_sim: a is INTEGER, expected a vector (BLOB of float32 or JSON array)

-- dot_product(a, b): the sum of the products, a REAL.
SELECT dot_product('[1, 2, 3]', '[4, 5, 6]'), dot_product('[0, 0]', '[1, 1]');
--> 32.0 | 0.0
SELECT dot_product('[1]', NULL);
--> NULL
SELECT dot_product('[1]', '[1, 2]');
--> error: dot_product: b has 2 elements, expected 1 as in a

-- l2_distance(a, b): the Euclidean distance, a REAL.
SELECT l2_distance('[1, 2]', '[4, 6]'), l2_distance('[1, 2]', '[1, 2]');
--> 5.0 | 0.0
SELECT l2_distance(NULL, '[1]');
--> NULL
SELECT l2_distance('[1]', 'x');
--> error: l2_distance: b is not a JSON array of numbers: expected '[' at byte 0, found 'x'

-- l1_distance(a, b): the sum of the absolute differences (the Manhattan distance), a REAL; of any magnitudes.
SELECT l1_distance('[1, 2]', '[4, 6]'), l1_distance('[1, 2]', '[1, 2]'), l1_distance('[3e38, 3e38]', '[-3e38, -3e38]') > 1.19e39;
--> 7.0 | 0.0 | 1
SELECT l1_distance(NULL, '[1]');
--> NULL
SELECT l1_distance('[1]', '[1, 2]');
--> error: l1_distance: b has 2 elements, expected 1 as in a


-- POOLING: the token vectors of a text in, one vector out

-- pool_mean(v [, weight]): the mean of the rows, each times its weight, divided by the sum of the weights; a
--   weight is an attention mask or any number >= 0; weights that are all 0 give NULL. Also a
--   window function: a frame's mean is that of its own rows, whatever passed before it and however large. A group, and a
--   frame with EXCLUDE, which SQLite sums anew, are summed in row order.
SELECT embedding_as(pool_mean(value), 'json') FROM json_each('[[1,2],[3,6]]');
--> '[2,4]'
SELECT embedding_as(pool_mean(column1, column2), 'json')
  FROM (VALUES ('[1,2]', 3), ('[5,6]', 1), ('[9,9]', 0));
--> '[2,3]'
SELECT embedding_as(pool_mean(value) OVER (ORDER BY key ROWS 1 PRECEDING), 'json')
  FROM json_each('[[1],[3],[7]]');
--> '[1]'
--> '[2]'
--> '[5]'
SELECT embedding_as(pool_mean(value) OVER (ORDER BY key ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING), 'json')
  FROM json_each('[[1e30],[1],[-1e30],[3],[1e-30],[1e-30]]');
--> '[5e29]'
--> '[-5e29]'
--> '[-5e29]'
--> '[1.5]'
--> '[1e-30]'
--> '[1e-30]'
SELECT pool_mean(value, 0), pool_mean(NULL) FROM json_each('[[1,2],[3,6]]');
--> NULL | NULL
SELECT embedding_as(pool_mean(column1, column2), 'json') FROM (VALUES ('[1]', 1), (NULL, 1), ('[9]', NULL));
--> '[1]'
SELECT pool_mean(value) FROM json_each('[[1,2,3],[4,5,6],[7,8]]');
--> error: pool_mean: row 3 of the group: v has 2 elements, expected 3 as in the rows before
SELECT pool_mean(value, -1) FROM json_each('[[1]]');
--> error: pool_mean: row 1 of the group: weight is -1.0, expected a finite number >= 0

-- pool_position_mean(v, position [, mask]): the mean with weight position * mask, position an INTEGER counted
--   from 1: later tokens of a causal model have seen more (Muennighoff 2022, SGPT).
SELECT embedding_as(pool_position_mean(value, key + 1), 'json') FROM json_each('[[0,3],[3,0]]');
--> '[2,1]'
SELECT embedding_as(pool_position_mean(value, key + 1, key < 1), 'json') FROM json_each('[[0,3],[3,0]]');
--> '[0,3]'
SELECT pool_position_mean(value, key + 1, 0), pool_position_mean(value, NULL) FROM json_each('[[0,3],[3,0]]');
--> NULL | NULL
SELECT pool_position_mean(value, key) FROM json_each('[[0,3],[3,0]]');
--> error: pool_position_mean: row 1 of the group: position is 0, expected at least 1

-- pool_max(v [, mask]): the largest value of each element over the rows with mask <> 0.
SELECT embedding_as(pool_max(value), 'json') FROM json_each('[[1,-5],[3,-6]]');
--> '[3,-5]'
SELECT embedding_as(pool_max(value, key < 1), 'json') FROM json_each('[[1,-5],[3,-6]]');
--> '[1,-5]'
SELECT pool_max(value, 0), pool_max(NULL) FROM json_each('[[1],[3]]');
--> NULL | NULL
SELECT pool_max(value, 'x') FROM json_each('[[1],[3]]');
--> error: pool_max: row 1 of the group: mask is TEXT, expected a number >= 0

-- pool_mean_sqrt_len(v [, mask]): sum(v * mask) / sqrt(sum(mask)), as sentence-transformers defines it.
SELECT embedding_as(pool_mean_sqrt_len(value), 'json') FROM json_each('[[1,0],[1,0],[1,0],[1,4]]');
--> '[2,2]'
SELECT embedding_as(pool_mean_sqrt_len(value, key = 3), 'json') FROM json_each('[[1,0],[1,0],[1,0],[1,4]]');
--> '[1,4]'
SELECT pool_mean_sqrt_len(value, 0), pool_mean_sqrt_len(NULL) FROM json_each('[[1],[3]]');
--> NULL | NULL
SELECT pool_mean_sqrt_len(value, -2) FROM json_each('[[1],[3]]');
--> error: pool_mean_sqrt_len: row 1 of the group: mask is -2.0, expected a finite number >= 0

-- pool_cls(v, position [, mask]): the vector at the lowest position with mask <> 0, to the bit, whatever the
--   order of the rows; two rows at that position are an error.
SELECT embedding_as(pool_cls(value, -key), 'json') FROM json_each('[[1],[2],[3]]');
--> '[3]'
SELECT embedding_as(pool_cls(value, key, key > 0), 'json') FROM json_each('[[1],[2],[3]]');
--> '[2]'
SELECT pool_cls(value, key, 0), pool_cls(value, NULL) FROM json_each('[[1],[2],[3]]');
--> NULL | NULL
SELECT pool_cls(value, 7) FROM json_each('[[1],[2]]');
--> error: pool_cls: position is 7 in two rows of the group, expected one row to come first
SELECT pool_cls(value, 0.5) FROM json_each('[[1],[2]]');
--> error: pool_cls: row 1 of the group: position is 0.5, expected an INTEGER

-- pool_last(v, position [, mask]): the vector at the highest position with mask <> 0, as pool_cls at the
--   lowest.
SELECT embedding_as(pool_last(value, -key), 'json') FROM json_each('[[1],[2],[3]]');
--> '[1]'
SELECT embedding_as(pool_last(value, key, key < 2), 'json') FROM json_each('[[1],[2],[3]]');
--> '[2]'
SELECT pool_last(value, key, 0), pool_last(NULL, 1) FROM json_each('[[1],[2],[3]]');
--> NULL | NULL
SELECT pool_last(value, 7) FROM json_each('[[1],[2]]');
--> error: pool_last: position is 7 in two rows of the group, expected one row to come last

-- pool_tokens(states, dim, mode [, mask]): the same six poolings ('mean', 'position_mean', 'max',
--   'mean_sqrt_len', 'cls', 'last') over one BLOB of seq_len x dim float32, token i at position i from 1;
--   mask: a JSON array of seq_len numbers, or a BLOB of seq_len bytes or seq_len int64; a mask that is all 0
--   gives NULL.
SELECT embedding_as(pool_tokens(embedding('[1,2, 3,6]'), 2, 'mean'), 'json'),
  embedding_as(pool_tokens(embedding('[0,3, 3,0]'), 2, 'position_mean'), 'json');
--> '[2,4]' | '[2,1]'
SELECT embedding_as(pool_tokens(embedding('[1,2,3,4]'), 1, 'max'), 'json'),
  embedding_as(pool_tokens(embedding('[1,2,3,4]'), 1, 'mean_sqrt_len'), 'json');
--> '[4]' | '[5]'
SELECT embedding_as(pool_tokens(embedding('[1,2,3,4]'), 2, 'cls'), 'json'),
  embedding_as(pool_tokens(embedding('[1,2,3,4]'), 2, 'last'), 'json');
--> '[1,2]' | '[3,4]'
SELECT embedding_as(pool_tokens(embedding('[1,2,3]'), 1, 'mean', '[1,1,0]'), 'json'),
  embedding_as(pool_tokens(embedding('[1,2,3]'), 1, 'last', x'010100'), 'json');
--> '[1.5]' | '[2]'
SELECT embedding_as(pool_tokens(embedding('[1,2]'), 1, 'mean', x'00000000000000000100000000000000'), 'json');
--> '[2]'
SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', '[0,0]'), pool_tokens(NULL, 1, 'mean'),
  pool_tokens(embedding('[1,2]'), 1, 'mean', NULL);
--> NULL | NULL | NULL
SELECT pool_tokens(embedding('[1,2,3]'), 2, 'mean');
--> error: pool_tokens: states is a BLOB of 12 bytes, expected a positive multiple of 8 (4 * dim)
SELECT pool_tokens(embedding('[1,2]'), 1, 'median');
--> error: pool_tokens: mode is 'median', expected 'mean', 'position_mean', 'max', 'mean_sqrt_len', 'cls' or 'last'
SELECT pool_tokens(embedding('[1,2]'), 1, 'mean', '[1]');
--> error: pool_tokens: mask has 1 element, expected 2, the number of tokens


-- WHITENING: a column of vectors in, a model out; a model and a vector in, a better vector out
--
-- Most examples use [3,3] [3,1] [-1,3] [-1,1] [1,2]: mean (1, 2), variances 4 and 1, uncorrelated; so
-- their whitened form is ((x - 1) / 2, y - 2). The others use [2,11] [10,5] [-2,-11] [-10,-5] [0,0]: mean 0,
-- covariance (52 36; 36 73), with eigenvalue 100 along (0.6, 0.8) and 25 along (0.8, -0.6).

-- whiten_fit(v [, k [, options]]): the model of the rows, a BLOB: mean, covariance (divided by n - 1, in
--   float64) and its eigenvectors, each with its element of largest magnitude positive; y = (x - mean) @
--   kernel, column j of the kernel is u_j * s_j^(-1/2) (Su et al. 2021). k: an integer 1..d; a REAL in (0, 1), the
--   share to keep of the variance that remove leaves; NULL or absent, every direction with variance. A direction
--   counts as one when its variance is more than rounding the elements to float32, or solving in float64, leaves; that
--   is judged with the columns at one scale, so that units do not matter. options, a JSON object: method 'pca',
--   'zca', 'pca-cor', 'zca-cor', 'cholesky' (Kessy et al. 2018); ridge r >= 0 (s_j + r * mean(s)) or 'oas' (Chen et
--   al. 2010, eq. 23); power p in [0, 1] (s_j^(-p/2)); remove m (drops the first m components; Mu & Viswanath
--   2018); normalize (whiten_apply returns y / |y|); precision 'double' or 'single' (sums of float32 blocks:
--   faster, about 1e-6 off, and below some 1e-5 sqrt(p) of the columns' variance p directions are not told from rounding).
SELECT embedding_as(whiten_apply((SELECT whiten_fit(value)
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]')), '[3,3]'), 'json');
--> '[1,1]'
SELECT embedding_as(whiten_kernel(whiten_fit(value)), 'json')
  FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]');
--> '[0.06,0.16,0.08,-0.12]'
SELECT embedding_as(whiten_kernel(whiten_fit(value, 1)), 'json')
  FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]');
--> '[0.06,0.08]'
-- 4 / (4 + 1) of the variance is in the first component
SELECT embedding_dim(whiten_kernel(whiten_fit(value, 0.75))) / 2,
  embedding_dim(whiten_kernel(whiten_fit(value, 0.85))) / 2
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> 1 | 2
SELECT embedding_as(whiten_kernel(whiten_fit(value, NULL, '{"method":"zca"}')), 'json')
  FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]');
--> '[0.164,-0.048,-0.048,0.136]'
-- zca-cor: V^(-1/2) P^(-1/2), V the variances, P the correlation matrix
SELECT e.value
  FROM json_each(embedding_as(whiten_kernel((SELECT whiten_fit(value, NULL, '{"method":"zca-cor"}')
    FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]'))), 'json')) AS e;
--> ~ 0.1626296449
--> ~ -0.0524556824
--> ~ -0.0442723712
--> ~ 0.1372587234
-- cholesky: the lower triangle L with L L' = the inverse of the covariance:
-- sqrt(73) / 50, 0, -36 / (50 sqrt(73)), 1 / sqrt(73)
SELECT e.value
  FROM json_each(embedding_as(whiten_kernel((SELECT whiten_fit(value, NULL, '{"method":"cholesky"}')
    FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]'))), 'json')) AS e;
--> ~ 0.1708800749
--> 0
--> ~ -0.0842696260
--> ~ 0.1170411472
-- ridge 2 adds 2 * 2.5 to 4 and 1: 1 / 3 and 1 / sqrt(6)
SELECT e.value FROM json_each(embedding_as(whiten_kernel((SELECT whiten_fit(value, NULL, '{"ridge":2}')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]'))), 'json')) AS e;
--> ~ 0.3333333333
--> 0
--> 0
--> ~ 0.4082482905
-- power 0 only rotates; remove 1 leaves the second component
SELECT embedding_as(whiten_kernel(whiten_fit(value, NULL, '{"power":0}')), 'json'),
  embedding_as(whiten_kernel(whiten_fit(value, NULL, '{"remove":1}')), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[1,0,0,1]' | '[0,1]'
-- one column 2^24 times the size of the other: both have variance
SELECT embedding_as(whiten_kernel(whiten_fit(value)), 'json')
  FROM json_each('[[1048576,0.0625],[1048576,-0.0625],[-1048576,0.0625],[-1048576,-0.0625],[0,0]]');
--> '[9.536743e-7,0,0,16]'
-- remove takes 4 of 5, and 0.75 of what is left is the second component; explained is of the same
SELECT i ->> 'k', i ->> 'explained'
  FROM (SELECT whiten_info(whiten_fit(value, 0.75, '{"remove":1}')) AS i
    FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]'));
--> 1 | 1.0
SELECT whiten_fit(NULL), whiten_fit(NULL, 2, '{}');
--> NULL | NULL
SELECT whiten_fit('[1,2]');
--> error: whiten_fit: the rows have no variance (n = 1), expected at least two different ones
SELECT whiten_fit(value) FROM json_each('[[1,2],[1,2]]');
--> error: whiten_fit: the rows have no variance (n = 2), expected at least two different ones
SELECT whiten_fit(value, 2) FROM json_each('[[1,2],[2,3],[3,4]]');
--> error: whiten_fit: k is 2, expected at most 1: the rows (n = 3) have variance in no more directions; use a smaller k or a ridge
SELECT whiten_fit(value, 3) FROM json_each('[[1,2],[2,1],[3,4]]');
--> error: whiten_fit: row 1 of the group: k is 3, expected 1 to 2 (the dimensions), or a share of the variance between 0 and 1
SELECT whiten_fit(value, NULL, '{"rigde":1}') FROM json_each('[[1,2],[2,1],[3,4]]');
--> error: whiten_fit: row 1 of the group: options has the key 'rigde', expected method, ridge, power, remove, normalize or precision

-- whiten_model(model): a handle on the checked model; every whiten_*(model, ...) takes it in place of the
--   BLOB, so that (SELECT whiten_model(model) FROM ...) passes a model to each row of a query at no cost.
--   SQLite turns a handle that goes through a stored column or a CTE into NULL, which those functions refuse.
SELECT embedding_as(whiten_apply((SELECT whiten_model(whiten_fit(value))
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]')), '[3,3]'), 'json');
--> '[1,1]'
SELECT typeof(whiten_model(whiten_import('[1]', '[0]')));
--> 'null'
SELECT whiten_model(NULL);
--> error: whiten_model: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)
SELECT whiten_model(x'0102');
--> error: whiten_model: model is a foreign BLOB of 2 bytes, expected one made by whiten_fit, whiten_solve, whiten_align or whiten_import

-- whiten_apply(model, v): (v - mean) @ kernel, k elements (d for 'zca' and 'zca-cor'); divided by its norm if
--   the model says normalize, and then NULL for a zero result.
SELECT embedding_as(whiten_apply(whiten_import('[1,0, 0,2, 1,1]', '[-1,-1,-1]'), '[2,3,4]'), 'json');
--> '[4,7]'
SELECT embedding_as(whiten_apply(whiten_fit(value, NULL, '{"normalize":true}'), '[7,6]'), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[0.6,0.8]'
SELECT whiten_apply(whiten_import('[1]', '[0]'), NULL);
--> NULL
SELECT whiten_apply(whiten_fit(value, NULL, '{"normalize":true}'), '[1,2]')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> NULL
SELECT whiten_apply(whiten_import('[1,0, 0,2, 1,1]', '[-1,-1,-1]'), '[2,3]');
--> error: whiten_apply: v has 2 elements, expected 3, what the model takes
SELECT whiten_apply(NULL, '[1]');
--> error: whiten_apply: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)
SELECT whiten_apply(whiten_stats(value), '[1,2]') FROM json_each('[[1,2],[2,1],[3,4]]');
--> error: whiten_apply: model is a foreign BLOB of 96 bytes (it is a stats BLOB: whiten_solve makes a model of it), expected one made by whiten_fit, whiten_solve, whiten_align or whiten_import

-- whiten_inverse(model, y): back to d elements: the least-squares reconstruction mean + y @ pseudo-inverse of
--   the kernel, exact up to rounding when k = d.
SELECT embedding_as(whiten_inverse(whiten_fit(value), '[1,1]'), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[3,3]'
SELECT embedding_as(whiten_inverse(whiten_fit(value, 1), '[1]'), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[3,2]'
SELECT whiten_inverse(whiten_fit(value), NULL) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> NULL
SELECT whiten_inverse(whiten_fit(value), '[1]') FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> error: whiten_inverse: y has 1 element, expected 2, what the model returns

-- whiten_info(model): JSON with version, method, n, d, k, rank, explained (share kept of the variance that remove
--   leaves), ridge ("oas" has rho beside it), power, remove, normalize, condition (largest / smallest eigenvalue
--   kept, ridge included), hash (16 hex digits), warnings (an array of texts: fewer than 10 d rows, and no ridge or
--   one so small that along the last components other rows vary more than (1 - sqrt(0.1))^-2 times as much as the
--   model expects, by Marchenko & Pastur's law; components beyond the rank, which a ridge alone scales; ...). A model of
--   pairs has within, order and pairs (how many) besides.
SELECT i ->> 'method', i ->> 'n', i ->> 'd', i ->> 'k', i ->> 'rank', i ->> 'explained', i ->> 'condition',
  json_array_length(i, '$.warnings')
  FROM (SELECT whiten_info(whiten_fit(value, 1)) AS i FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]'));
--> 'pca' | 5 | 2 | 1 | 2 | ~ 0.8 | ~ 1 | 1
SELECT i ->> 'ridge', i ->> 'power', i ->> 'remove', i ->> 'normalize', i ->> 'condition',
  json_array_length(i, '$.warnings')
  FROM (SELECT whiten_info(whiten_fit(value, NULL, '{"ridge":2,"normalize":true}')) AS i
    FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]'));
--> ~ 2 | ~ 1 | 0 | 1 | ~ 1.5 | 0
-- three rows span two directions: a ridge makes up the third, and a small one makes too much of it
SELECT w.value
  FROM json_each((SELECT whiten_info(whiten_fit(value, 3, '{"ridge":0.001}'))
    FROM json_each('[[1,0,0],[0,1,0],[0,0,1]]')), '$.warnings') AS w;
--> 'n = 3 is below 10 d = 30, and the ridge is small against the sampling error: along the last components other rows vary some 1.5e+03 times as much as the model expects; use a larger ridge or a smaller k'
--> 'k = 3 goes beyond the rank, 2: in the last 1 components the rows have no variance, and only the ridge scales them'
-- the rows ten times each: rho = 25 / (50 * (17 - 12.5))
SELECT i ->> 'ridge', i ->> 'rho'
  FROM (SELECT whiten_info(whiten_solve(whiten_stats(value, 10), NULL, '{"ridge":"oas"}')) AS i
    FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]'));
--> 'oas' | ~ 0.1111111111
SELECT whiten_info(whiten_import('[1]', '[0]')) ->> 'hash' GLOB '[0-9a-f][0-9a-f][0-9a-f][0-9a-f]*';
--> 1
SELECT whiten_info(NULL);
--> error: whiten_info: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)

-- whiten_check(model): 1 if every byte of the model is as it was written, 0 if not, or if it is no model at all;
--   NULL for NULL. Each row is read in full, whatever the one before was: WHERE NOT whiten_check(model) finds what has
--   rotted, whiten_info says what is wrong with it.
SELECT whiten_check(whiten_import('[1]', '[0]')), whiten_check(whiten_model(whiten_import('[1]', '[0]'))),
  whiten_check(NULL);
--> 1 | 1 | NULL
SELECT whiten_check(x''), whiten_check(x'0102'), whiten_check(zeroblob(200)), whiten_check('model'), whiten_check(1.5),
  whiten_check(whiten_stats('[1,2]')), whiten_check(substr(whiten_import('[1]', '[0]'), 1, 139));
--> 0 | 0 | 0 | 0 | 0 | 0 | 0
CREATE TABLE models (name TEXT, model BLOB);
INSERT INTO models SELECT 'sound', whiten_import('[1]', '[0]');
INSERT INTO models SELECT 'rotten', CAST(substr(model, 1, 130) || x'01' || substr(model, 132) AS BLOB) FROM models;
SELECT name FROM models WHERE NOT whiten_check(model);
--> 'rotten'
SELECT whiten_info(model) FROM models WHERE NOT whiten_check(model);
--> error: whiten_info: model is damaged: its content does not match its hash, expected an unaltered BLOB
SELECT whiten_check();
--> error: wrong number of arguments to function whiten_check()

-- whiten_kernel(model): the d x k kernel, row-major float32, so that y = (x + bias) @ kernel in numpy too.
SELECT embedding_as(whiten_kernel(whiten_fit(value)), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[0.5,0,0,1]'
SELECT embedding_as(whiten_kernel(whiten_import('[1,0, 0,2, 1,1]', '[-1,-1,-1]')), 'json');
--> '[1,0,0,2,1,1]'
SELECT whiten_kernel(NULL);
--> error: whiten_kernel: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)

-- whiten_bias(model): the bias, minus the mean of the rows, d float32.
SELECT embedding_as(whiten_bias(whiten_fit(value)), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[-1,-2]'
SELECT whiten_bias(NULL);
--> error: whiten_bias: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)

-- whiten_offset(model): what is added to the result, m float32: y = (x + bias) @ kernel + offset. Zeros but for models of
--   whiten_align that lead into the other's space, where it is the mean of that.
SELECT embedding_as(whiten_offset(whiten_import('[1,0, 0,2, 1,1]', '[-1,-1,-1]')), 'json');
--> '[0,0]'
SELECT embedding_as(whiten_offset(whiten_align(whiten_pair_stats(column1, column2), 'a->b')), 'json')
  FROM (VALUES ('[1,5]', '[2]'), ('[3,4]', '[6]'), ('[2,9]', '[7]'));
--> '[5]'
SELECT whiten_offset(NULL);
--> error: whiten_offset: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)

-- whiten_import(kernel, bias [, offset]): a model from arrays fitted elsewhere: d is the length of bias, kernel is d x
--   k, row-major, k up to d. With an offset, which is added to the result, kernel is d x m, m its length and any number:
--   what whiten_kernel, whiten_bias and whiten_offset give of a model makes one that does the same.
SELECT embedding_as(whiten_apply(whiten_import('[0.5,0, 0,1]', '[-1,-2]'), '[3,3]'), 'json');
--> '[1,1]'
SELECT whiten_import(NULL, '[1]'), whiten_import('[1]', NULL);
--> NULL | NULL
SELECT whiten_import('[1,2,3]', '[1,2]');
--> error: whiten_import: kernel has 3 elements, expected a multiple of 2 (the elements of bias) up to 4
SELECT embedding_as(whiten_apply(whiten_import('[0.5,0,2, 0,1,-1]', '[-1,-2]', '[10,20,30]'), '[3,3]'), 'json');
--> '[11,21,33]'
SELECT embedding_as(whiten_apply(whiten_import(whiten_kernel(m), whiten_bias(m), whiten_offset(m)), '[2,6]'), 'json') =
    embedding_as(whiten_apply(m, '[2,6]'), 'json')
  FROM (SELECT whiten_align(whiten_pair_stats(column1, column2), 'a->b') AS m
        FROM (VALUES ('[1,5]', '[2]'), ('[3,4]', '[6]'), ('[2,9]', '[7]')));
--> 1
SELECT whiten_import('[1,0, 0,1]', '[0,0]', '[0,0]') = whiten_import('[1,0, 0,1]', '[0,0]'), whiten_import('[1]', '[0]', NULL);
--> 1 | NULL
SELECT whiten_import('[1,2,3]', '[1,2]', '[1,2]');
--> error: whiten_import: kernel has 3 elements, expected 4 (the elements of bias times those of offset)

-- whiten_stats(v [, weight]): the moments of the rows - n, mean, centred cross-products, in float64 - as a
--   BLOB that whiten_merge joins and whiten_solve turns into a model; weights count rows: weight 2 is the row
--   twice (divisor: sum of the weights - 1), and a row with weight 0 is skipped.
SELECT whiten_solve(whiten_stats(value)) = whiten_fit(value)
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> 1
SELECT embedding_as(whiten_bias(whiten_solve(whiten_stats(column1, column2))), 'json')
  FROM (VALUES ('[1]', 3), ('[5]', 1), ('[9]', 0));
--> '[-2]'
SELECT whiten_stats(NULL), whiten_stats('[1]', NULL);
--> NULL | NULL
SELECT whiten_stats(value) FROM json_each('[[1,2],[1]]');
--> error: whiten_stats: row 2 of the group: v has 1 element, expected 2 as in the rows before

-- whiten_pair_stats(a, b [, weight]): the moments of pairs of vectors, which may be of different dimensions: of rows
--   that are a, then b, as a BLOB of d_a + d_b dimensions (at most 16383), which whiten_merge joins with others of pairs, and
--   which whiten_solve takes for "within"; weights as with whiten_stats. It holds the mean of each, E aa, E ab and E bb: what
--   a map from one to the other, or the difference of the two, needs.
SELECT length(whiten_pair_stats(column1, column2)),
  substr(whiten_pair_stats(column1, column2, 2), 41) = substr(whiten_stats(column3, 2), 41)
  FROM (VALUES ('[3,3]', '[1]', '[3,3,1]'), ('[3,1]', '[2]', '[3,1,2]'), ('[-1,3]', '[5]', '[-1,3,5]'));
--> 128 | 1
SELECT whiten_pair_stats(NULL, '[1]'), whiten_pair_stats('[1]', NULL), whiten_pair_stats('[1]', '[1]', NULL),
  whiten_pair_stats('[1]', '[2]', 0);
--> NULL | NULL | NULL | NULL
SELECT whiten_pair_stats(value, '[1]') FROM json_each('[[1,2],[1]]');
--> error: whiten_pair_stats: row 2 of the group: a has 1 element, expected 2 as in the rows before

-- whiten_merge(stats): the moments of all rows that went into the stats, however they were split (Chan et al.
--   1979); of pairs, if all are of pairs. That a column is float64 shows in its rows, not in stats: whiten_stats refuses it, whiten_merge and
--   whiten_solve cannot.
SELECT whiten_info(whiten_solve(whiten_merge(s))) ->> 'n',
  embedding_as(whiten_kernel(whiten_solve(whiten_merge(s))), 'json') FROM (
  SELECT whiten_stats(value) AS s FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]') GROUP BY key % 2);
--> 5 | '[0.5,0,0,1]'
SELECT whiten_merge(s) = (SELECT whiten_pair_stats(value, value) FROM json_each('[[3],[1],[5]]')) FROM (
  SELECT whiten_pair_stats(value, value) AS s FROM json_each('[[3],[1],[5]]') GROUP BY key);
--> 1
SELECT whiten_merge(s) FROM (
  SELECT whiten_stats('[1,2]') AS s UNION ALL SELECT whiten_pair_stats('[1]', '[2]'));
--> error: whiten_merge: row 2 of the group: stats is of pairs, expected one of single vectors as in the rows before
SELECT whiten_merge(NULL);
--> NULL
SELECT whiten_merge(x'00');
--> error: whiten_merge: row 1 of the group: stats is a foreign BLOB of 1 bytes, expected one made by whiten_stats or whiten_merge

-- whiten_solve(stats [, k [, options [, pair_stats]]]): the model from moments; whiten_solve(whiten_stats(v), ...) is
--   whiten_fit(v, ...) to the bit.
SELECT embedding_as(whiten_kernel(whiten_solve(whiten_stats(value), 1)), 'json')
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> '[0.5,0]'
SELECT whiten_solve(NULL);
--> NULL
SELECT whiten_solve(whiten_stats(value), 1.5) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> error: whiten_solve: k is 1.5, expected an INTEGER 1 to 2, or a share of the variance between 0 and 1
SELECT whiten_solve(whiten_import('[1]', '[0]'));
--> error: whiten_solve: stats is a foreign BLOB of 144 bytes (it is a model BLOB), expected one made by whiten_stats or whiten_merge

--   With pair_stats, of pairs of related rows, and "within": w, above 0 and up to 1, the difference of related rows is
--   whitened: S_T is the covariance, S_w = E (a - b)(a - b)^T / 2, M = (1 - w) S_T + w S_w tr S_T / tr S_w + ridge t I, t
--   the mean eigenvalue of S_T, and kernel = M^(-1/2) Q. "order": "ratio", the default: Q and the model's eigenvalues are
--   those of M^(-1/2) S_T M^(-1/2), the ratios of the variance to that of M, and whiten_inverse is the regression of the
--   rows on their k components; "variance": Q and eigenvalues are those of M itself. method is pca, without remove, power
--   and "oas". (w = 1: RCA of Bar-Hillel et al. 2005, WCCN of Hatch et al. 2006, and, with k, discriminant analysis.)
-- here S_T is diag(4, 1), S_w diag(0.25, 1), and so M diag(1, 4)
CREATE TABLE related AS SELECT column1 AS a, column2 AS b FROM (VALUES ('[1,1]', '[2,1]'), ('[0,0]', '[0,2]'));
CREATE TABLE moments AS SELECT whiten_stats(value) AS stats, (SELECT whiten_pair_stats(a, b) FROM related) AS pair_stats
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
SELECT embedding_as(whiten_kernel(whiten_solve(stats, NULL, '{"within":1}', pair_stats)), 'json'),
  embedding_as(whiten_kernel(whiten_solve(stats, NULL, '{"within":1,"order":"variance"}', pair_stats)), 'json'),
  embedding_as(whiten_kernel(whiten_solve(stats, 1, '{"within":1,"ridge":1.2}', pair_stats)), 'json') FROM moments;
--> '[1,0,0,0.5]' | '[0,1,0.5,0]' | '[0.5,0]'
SELECT component, eigenvalue FROM moments, whiten_spectrum(whiten_solve(stats, 1, '{"within":1}', pair_stats));
--> 1 | ~ 4
--> 2 | ~ 0.25
SELECT i ->> 'version', i ->> 'method', i ->> 'within', i ->> 'order', i ->> 'pairs', i ->> 'ridge', i ->> 'explained'
  FROM (SELECT whiten_info(whiten_solve(stats, 1, '{"within":0.5,"ridge":0.1}', pair_stats)) AS i FROM moments);
--> 2 | 'pca' | ~ 0.5 | 'ratio' | 2 | ~ 0.1 | ~ 0.8
SELECT embedding_as(whiten_inverse(m, whiten_apply(m, '[5,7]')), 'json')
  FROM (SELECT whiten_solve(stats, NULL, '{"within":1}', pair_stats) AS m FROM moments);
--> '[5,7]'
SELECT whiten_solve(stats, NULL, '{"within":1}') FROM moments;
--> error: whiten_solve: pair_stats is missing or NULL and options.within is 1.0, expected a pair stats BLOB from whiten_pair_stats or whiten_merge
SELECT whiten_solve(stats, NULL, NULL, pair_stats) FROM moments;
--> error: whiten_solve: options is without within, expected the share of pair_stats, a number above 0, up to 1

-- whiten_align(pair_stats, side [, options]): from the moments of pairs of vectors of the same texts by two embedding
--   models, a and b, a model of one side of them: 'a' and 'b' lead from each into one shared space, 'a->b' and 'b->a' from
--   one into the other's. Options: JSON with "k" (components kept, at most the smaller of the dimensions; all that the
--   sides share), "ridge" (a number >= 0, in units of each side's mean variance of a column; 0.3), "exponent" (0 to 1, of
--   the correlations that the components are scaled by: 1 is ridge regression, 0 whitened Procrustes; 0.5) and "normalize".
--   Whatever takes a model takes it; the 'a' and 'b' of the same moments and options belong together. What comes of it
--   is for ranking: similarities across are lower than within, so a threshold of before does not hold.
CREATE TABLE both (old, new);
INSERT INTO both VALUES ('[3,3]', '[10,0]'), ('[3,1]', '[10,4]'), ('[-1,3]', '[2,0]'), ('[-1,1]', '[2,4]');
CREATE TABLE pairs AS SELECT whiten_pair_stats(old, new) AS s FROM both;
SELECT embedding_as(whiten_apply(whiten_align(s, 'a->b', '{"ridge":0}'), '[1,2]'), 'json'),
  embedding_as(whiten_apply(whiten_align(s, 'a->b', '{"ridge":0}'), '[5,2]'), 'json'),
  embedding_as(whiten_apply(whiten_align(s, 'b->a', '{"ridge":0}'), '[10,0]'), 'json') FROM pairs;
--> '[6,2]' | '[14,2]' | '[3,3]'
-- (x + bias) @ kernel + offset
SELECT embedding_as(whiten_bias(m), 'json'), embedding_as(whiten_kernel(m), 'json'), embedding_as(whiten_offset(m), 'json')
  FROM (SELECT whiten_align(s, 'a->b', '{"ridge":0,"exponent":1}') AS m FROM pairs);
--> '[-1,-2]' | '[2,0,0,-2]' | '[6,2]'
SELECT cosine_sim(whiten_apply(whiten_align(s, 'a'), old), whiten_apply(whiten_align(s, 'b'), new))
  FROM both, pairs ORDER BY both.rowid LIMIT 2;
--> ~ 1
--> ~ 1
SELECT embedding_as(whiten_inverse(whiten_align(s, 'a->b'), whiten_apply(whiten_align(s, 'a->b'), '[3,1]')), 'json') FROM pairs;
--> '[3,1]'
SELECT i ->> 'version', i ->> 'method', i ->> 'side', i ->> 'n', i ->> 'd', i ->> 'k', i ->> 'ridge', i ->> 'exponent'
  FROM (SELECT whiten_info(whiten_align(s, 'b', '{"k":1}')) AS i FROM pairs);
--> 2 | 'align' | 'b' | 4 | 2 | 1 | 0.3 | 0.5
SELECT whiten_align(NULL, 'a');
--> NULL
SELECT whiten_align(s, 'c') FROM pairs;
--> error: whiten_align: side is 'c', expected 'a', 'b', 'a->b' or 'b->a'
SELECT whiten_align(s, 'a', '{"k":3}') FROM pairs;
--> error: whiten_align: options.k is 3, expected an integer from 1 to 2, the smaller of the dimensions
SELECT whiten_align(whiten_pair_stats(column1, column2), 'a', '{"ridge":0}')
  FROM (VALUES ('[1,5]', '[2]'), ('[3,4]', '[6]'));
--> error: whiten_align: options.ridge is 0, expected one above: the 2 pairs have variance in 1 of a's 2 dimensions

-- whiten_spectrum(model): a table of component (from 1), eigenvalue (before the ridge), ratio of the
--   variance, cumulative; all d components.
SELECT * FROM whiten_spectrum((SELECT whiten_fit(value, 1)
  FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]')));
--> 1 | ~ 4 | ~ 0.8 | ~ 0.8
--> 2 | ~ 1 | ~ 0.2 | ~ 1
-- of the correlation matrix: 1 + r and 1 - r, r = 36 / sqrt(52 * 73)
SELECT component, eigenvalue FROM whiten_spectrum((SELECT whiten_fit(value, NULL, '{"method":"pca-cor"}')
  FROM json_each('[[2,11],[10,5],[-2,-11],[-10,-5],[0,0]]')));
--> 1 | ~ 1.5843047258
--> 2 | ~ 0.4156952742
SELECT * FROM whiten_spectrum(NULL);
--> error: whiten_spectrum: model is NULL, expected a model BLOB or a whiten_model() handle (a handle does not survive a CTE, a view or a column: use it where it is made)
SELECT * FROM whiten_spectrum(whiten_import('[1]', '[0]'));
--> error: whiten_spectrum: model is imported and has no eigenvalues, expected one from whiten_fit or whiten_solve

-- whiten_rows(model, table, column): a table of rowid and vector: the whole column of a table of the database
--   through the model, in the order of the rowids, in blocks, on all cores; vector is what whiten_apply gives,
--   to the bit, and NULL for a NULL.
CREATE TABLE doc(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO doc VALUES (7, '[3,3]'), (8, NULL), (9, embedding('[1,2]'));
SELECT rowid, embedding_as(vector, 'json')
  FROM whiten_rows(whiten_import('[0.5,0, 0,1]', '[-1,-2]'), 'doc', 'v');
--> 7 | '[1,1]'
--> 8 | NULL
--> 9 | '[0,0]'
SELECT * FROM whiten_rows(whiten_import('[1]', '[0]'), 'doc', 'v');
--> error: whiten_rows: rowid 7: column has 2 elements, expected 1
-- Comparisons of the rowid, and IN, seek the rows.
SELECT rowid, vector IS NULL FROM whiten_rows(whiten_import('[0.5,0, 0,1]', '[-1,-2]'), 'doc', 'v')
  WHERE rowid IN (SELECT id FROM doc WHERE id > 7);
--> 8 | 1
--> 9 | 0
SELECT * FROM whiten_rows(whiten_import('[1]', '[0]'), 'nowhere', 'v');
--> error: whiten_rows: table is 'nowhere', expected the name of a table


-- SEARCH: a query or many, the most similar rows out

-- cosine_topk(table, column, query, k): a table of rowid and similarity: the k rows with the largest
--   cosine_sim to the query, best first, ties by rowid; rows that are NULL or zero vectors are left out.
CREATE TABLE doc(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO doc VALUES (1, '[0,1]'), (2, '[1,1]'), (3, '[0,0]'), (4, NULL), (5, '[5,0]'), (6, '[1,1]');
SELECT * FROM cosine_topk('doc', 'v', '[2,0]', 3);
--> 5 | 1.0
--> 2 | ~ 0.70710678
--> 6 | ~ 0.70710678
SELECT count(*), min(similarity) FROM cosine_topk('doc', 'v', '[2,0]', 100);
--> 4 | 0.0
SELECT count(*), max(similarity) FROM cosine_topk('doc', 'v', NULL, 3);
--> 0 | NULL
-- rowid IN, <, <=, >, >= and BETWEEN, and similarity > and >=, are taken before the k best are; rowid = a value, as in
-- a join, and all else choose among the k.
SELECT rowid FROM cosine_topk('doc', 'v', '[2,0]', 2) WHERE rowid IN (SELECT id FROM doc WHERE id <> 5);
--> 2
--> 6
SELECT rowid FROM cosine_topk('doc', 'v', '[2,0]', 2) WHERE rowid < 5;
--> 2
--> 1
SELECT count(*) FROM cosine_topk('doc', 'v', '[2,0]', 2) WHERE rowid = 6;
--> 0
-- A view is a table, if it has a column named rowid.
CREATE VIEW few AS SELECT id AS rowid, v FROM doc WHERE id < 3;
SELECT rowid FROM cosine_topk('few', 'v', '[2,0]', 5);
--> 2
--> 1
SELECT * FROM cosine_topk('doc', 'v', '[2,0]', 0);
--> error: cosine_topk: k is 0, expected at least 1
SELECT * FROM cosine_topk('doc', 'v', '[1,2,3]', 1);
--> error: cosine_topk: rowid 1: column has 2 elements, expected 3

-- cosine_join(table, column, queries_table, queries_column, k): a table of query_rowid, rowid and similarity:
--   for every row of the second table what cosine_topk finds in the first one, which is read once for every 2^23 / d
--   queries; queries that are NULL or zero vectors find nothing.
CREATE TABLE doc(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO doc VALUES (1, '[0,1]'), (2, '[1,1]'), (3, '[0,0]'), (4, NULL), (5, '[5,0]');
CREATE TABLE query(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO query VALUES (10, '[2,0]'), (20, NULL), (30, '[0,0]'), (40, '[0,-1]');
SELECT * FROM cosine_join('doc', 'v', 'query', 'v', 2);
--> 10 | 5 | 1.0
--> 10 | 2 | ~ 0.70710678
--> 40 | 5 | 0.0
--> 40 | 2 | ~ -0.70710678
SELECT * FROM cosine_join('doc', 'v', 'query', 'v', NULL);
--> error: cosine_join: k is NULL, expected an INTEGER

-- cosine_pairs(table, column, threshold): a table of rowid_a, rowid_b and similarity: every pair of rows, rowid_a <
--   rowid_b, whose cosine_sim is at least the threshold, a number above -1 and up to 1; rows that are NULL or zero
--   vectors are in no pair. The order is the same whatever the number of threads, and no other is promised: say ORDER
--   BY. Near-duplicates of an earlier row are those that stand in rowid_b.
CREATE TABLE doc(id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO doc VALUES (1, '[0,1]'), (2, '[1,1]'), (3, '[0,0]'), (4, NULL), (5, '[0,2]'), (6, '[0,1]'), (7, '[0,-1]');
SELECT * FROM cosine_pairs('doc', 'v', 1) ORDER BY rowid_a, rowid_b;
--> 1 | 5 | 1.0
--> 1 | 6 | 1.0
--> 5 | 6 | 1.0
SELECT count(*), min(similarity) FROM cosine_pairs('doc', 'v', 0.5);
--> 6 | ~ 0.70710678
SELECT group_concat(id) FROM doc WHERE id NOT IN (SELECT rowid_b FROM cosine_pairs('doc', 'v', 0.99));
--> '1,2,3,4,7'
SELECT * FROM cosine_pairs('doc', 'v', -1);
--> error: cosine_pairs: threshold is -1, expected a cosine above -1 and up to 1
SELECT * FROM cosine_pairs('doc', 'v', NULL);
--> error: cosine_pairs: threshold is NULL, expected a number


-- INDEX: search that whitens, codes and compares by itself

-- whiten_index(content, column [, arguments]): the module of CREATE VIRTUAL TABLE name USING whiten_index(content =
--   table, column = its column of vectors, ...). The vectors stay in the content, an ordinary table with rowids of
--   the same schema (for a temp index, of temp or main); the index keeps a model and codes of the whitened vectors,
--   which find candidates. similarity is, to the bit, cosine_sim(whiten_apply(model, v), whiten_apply(model, query)):
--   what an answer can be wrong in is a row that it misses. Arguments: model = the name of a row of the table
--   whitening(name, model), sought in the index's schema first, or k and the options of whiten_fit; triggers = 1
--   (three of them keep the index in step, in the statement that changes the content) or 0; build = 1 (CREATE codes
--   the rows that there are) or 0; recall = 'fast', 'default' or 'safe' (candidates are what may be among the best by
--   1.5, 2, 3 standard errors of an estimate) or 'exact' (every row is compared). Each is given once; names and
--   values may be quoted.
CREATE TABLE documents (id INTEGER PRIMARY KEY, lang TEXT, embedding BLOB);
INSERT INTO documents VALUES (1, 'en', '[1,0]'), (2, 'de', '[0,2]'), (3, 'en', '[3,3]'), (4, 'de', '[-5,0]'),
  (5, 'en', '[0,0]'), (6, 'en', NULL), (7, 'de', '[2,0]');
CREATE TABLE questions (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO questions VALUES (10, '[1,0]'), (20, NULL), (30, '[0,0]'), (40, '[-1,0]');
CREATE TABLE whitening (name TEXT PRIMARY KEY, model BLOB);
INSERT INTO whitening VALUES ('plain', whiten_import('[1,0,0,1]', '[0,0]')), ('none', NULL);
CREATE VIRTUAL TABLE docs_search USING whiten_index(content = documents, column = embedding, model = plain);
-- Rows come best first, ties by rowid, also without ORDER BY; rows that are NULL or have no direction are in no
-- answer.
SELECT rowid, similarity FROM docs_search('[1,0]');
--> 1 | 1.0
--> 7 | 1.0
--> 3 | ~ 0.7071067811865475
--> 2 | 0.0
--> 4 | -1.0
-- query takes whatever is a vector. k is how many rows at most, and so is LIMIT, which counts what passes every
-- condition; without both, rows come as long as they are asked for.
SELECT rowid FROM docs_search(x'0000803f00000000', 2);
--> 1
--> 7
SELECT rowid FROM docs_search WHERE query = '[1,0]' AND k = 2.0;
--> 1
--> 7
SELECT rowid FROM docs_search WHERE docs_search MATCH '[1,0]' ORDER BY similarity DESC LIMIT 2 OFFSET 1;
--> 7
--> 3
SELECT rowid FROM docs_search WHERE query MATCH '[1,0]' ORDER BY similarity LIMIT 1;
--> 4
SELECT rowid FROM docs_search WHERE docs_search MATCH '[1,0]' ORDER BY rank LIMIT 2;
--> 1
--> 7
-- The hidden columns query and k hold what was given; the others nothing.
SELECT rowid, query, k, docs_search, rank, vector FROM docs_search('[1,0]', 1);
--> 1 | '[1,0]' | 1 | NULL | NULL | NULL
-- rowid IN (...), a range of rowid, a least similarity: taken before the k best are, so that there are k when k pass.
SELECT rowid FROM docs_search('[1,0]', 2) WHERE rowid IN (SELECT id FROM documents WHERE lang = 'en');
--> 1
--> 3
SELECT rowid FROM docs_search('[1,0]', 2) WHERE rowid BETWEEN 2 AND 4 AND similarity > -0.5;
--> 3
--> 2
-- rowid = x, and what SQLite does not pass on (NOT, <>, OR, functions of rowid): chosen among the k; with LIMIT
-- instead of k there are as many as pass. +rowid is never passed on.
SELECT rowid FROM docs_search('[1,0]', 2) WHERE rowid <> 1;
--> 7
SELECT rowid FROM docs_search('[1,0]') WHERE rowid <> 1 LIMIT 2;
--> 7
--> 3
SELECT count(*) FROM docs_search('[1,0]', 2) WHERE rowid = 3;
--> 0
-- In a join each row is a search; a query that is NULL, or has no direction, finds nothing.
SELECT q.id, s.rowid, s.similarity FROM questions AS q JOIN docs_search AS s ON s.query = q.v AND s.k = 1;
--> 10 | 1 | 1.0
--> 40 | 4 | 1.0
SELECT q.id, s.rowid FROM questions AS q LEFT JOIN docs_search AS s ON s.query = q.v AND s.k = 1;
--> 10 | 1
--> 20 | NULL
--> 30 | NULL
--> 40 | 4
SELECT d.lang, s.similarity FROM docs_search('[1,0]') AS s JOIN documents AS d ON d.id = s.rowid WHERE d.lang = 'de' LIMIT 2;
--> 'de' | 1.0
--> 'de' | 0.0
SELECT (SELECT count(*) FROM docs_search(NULL)), (SELECT count(*) FROM docs_search('[0,0]', 3));
--> 0 | 0
SELECT rowid FROM docs_search LIMIT 3;
--> error: docs_search: query is missing, expected docs_search(query [, k]) or WHERE query = ...
SELECT rowid FROM docs_search('[1,0,0]', 3);
--> error: docs_search: query has 3 elements, expected 2, what the model takes
SELECT rowid FROM docs_search('[1,0]', 0);
--> error: docs_search: k is 0, expected at least 1
SELECT rowid FROM docs_search('[1,0]', 1, 2);
--> error: docs_search: there are more arguments, or = where MATCH belongs, expected docs_search(query [, k]) or docs_search MATCH query
-- What changes in the content is found from the next statement on, and what cannot be coded cannot be written.
INSERT INTO documents VALUES (8, 'fr', '[9,1]');
UPDATE documents SET embedding = NULL WHERE id = 1;
DELETE FROM documents WHERE id = 7;
SELECT rowid FROM docs_search('[1,0]', 2);
--> 8
--> 3
UPDATE documents SET embedding = '[1,2,3]' WHERE id = 2;
--> error: docs_search: rowid 2: embedding has 3 elements, expected 2, what the model takes
-- Where there are no triggers: INSERT INTO name(rowid, vector) VALUES (...) codes a row that was written, (name,
-- rowid) VALUES ('delete', ...) tells of one that is gone, and the command 'sync' finds all that changed.
CREATE VIRTUAL TABLE later USING whiten_index(content = documents, column = embedding, model = plain, triggers = 0, build = 0);
INSERT INTO later(later) VALUES ('build');
INSERT INTO documents VALUES (9, 'fr', '[-9,0]');
INSERT INTO later(rowid, vector) VALUES (9, '[-9,0]');
DELETE FROM documents WHERE id = 4;
INSERT INTO later(later, rowid) VALUES ('delete', 4);
SELECT rowid FROM later('[-1,0]', 1);
--> 9
INSERT INTO later(later) VALUES ('integrity-check');
UPDATE documents SET embedding = '[5,5]' WHERE id = 9;
INSERT INTO later(later) VALUES ('integrity-check'), ('nothing more');
--> error: later: rowid 9: embedding is not coded as it is, expected the code of what 'documents' has: 'sync' codes what has changed
INSERT INTO later(later) VALUES ('sync'), ('integrity-check'), ('nothing more');
--> error: later: there is no command 'nothing more', expected 'build', 'rebuild', 'optimize', 'integrity-check', 'sync', 'cache' or 'recall'
-- Commands: INSERT INTO name(name [, rank]) VALUES ('command' [, value]). 'build' codes the rows that are not coded
-- yet, 'rebuild' all rows with a new model, while the old codes answer; with a rank, so many of them. 'optimize'
-- fills chunks, 'integrity-check' reads everything, 'cache' sets the bytes of codes that the process keeps, 'recall'
-- how sure the connection wants to be.
CREATE VIRTUAL TABLE stepwise USING whiten_index('content' = "documents", [column] = `embedding`, K = .9, ridge = 1, build = 0);
SELECT rowid FROM stepwise('[1,0]');
--> error: stepwise: the index is not built, expected rows in 'documents' and INSERT INTO stepwise(stepwise) VALUES ('build')
INSERT INTO stepwise(stepwise, rank) VALUES ('build', 2);
SELECT whiten_index_info('stepwise') ->> 'rows', whiten_index_info('stepwise') ->> 'pending';
--> 1 | 4
INSERT INTO stepwise(stepwise) VALUES ('build'), ('rebuild'), ('optimize'), ('integrity-check');
INSERT INTO stepwise(stepwise, rank) VALUES ('recall', 'exact');
SELECT whiten_index_info('stepwise') ->> 'pending', whiten_index_info('stepwise') ->> 'recall';
--> 0 | 'exact'
INSERT INTO stepwise(stepwise, rank) VALUES ('recall', 'perfect');
--> error: stepwise: rank is 'perfect', expected 'fast', 'default', 'safe' or 'exact'
INSERT INTO stepwise(stepwise, rank) VALUES ('build', 0);
--> error: stepwise: rank is 0, expected at least 1
DELETE FROM stepwise WHERE query = '[1,0]';
--> error: stepwise: the rows of an index are those of its content, expected changes of 'documents'
-- ALTER TABLE may rename the index, the content and the column; DROP TABLE of the index drops its triggers.
ALTER TABLE docs_search RENAME TO found;
ALTER TABLE documents RENAME TO texts;
ALTER TABLE texts RENAME COLUMN embedding TO v;
INSERT INTO texts VALUES (10, 'fr', '[0,-1]');
SELECT rowid FROM found('[0,-1]', 1);
--> 10
-- What cannot be an index is none.
CREATE VIRTUAL TABLE x USING whiten_index(content = texts);
--> error: x: column is missing, expected content = the table, column = its column of vectors
CREATE VIRTUAL TABLE x USING whiten_index(content = nothing, column = v);
--> error: x: content is 'nothing', expected a table of the schema main
CREATE VIEW seen AS SELECT * FROM texts;
CREATE VIRTUAL TABLE x USING whiten_index(content = seen, column = v);
--> error: x: content is 'seen', a view, expected an ordinary table
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = w);
--> error: x: column is 'w', expected a column of texts
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, k = 3);
--> error: x: whiten_fit: row 2 of the group: k is 3, expected 1 to 2 (the dimensions), or a share of the variance between 0 and 1
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, model = plain, k = 2);
--> error: x: model is 'plain' and k is given, expected one or the other: a model has its own
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, model = nobody);
--> error: x: model is 'nobody', expected the name of a row of the table whitening
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, model = none);
--> error: x: model 'none' is not a BLOB, expected a model of whiten_fit
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, 'recall' = fast, recall = safe);
--> error: x: recall is given twice, expected it once
CREATE VIRTUAL TABLE x USING whiten_index(content = texts, column = v, metric = l2);
--> error: x: there is no argument 'metric', expected content, column, model, k, triggers, build, recall, or an option of whiten_fit: method, ridge, power, remove, normalize, precision
CREATE VIRTUAL TABLE query USING whiten_index(content = texts, column = v);
--> error: query: the name is that of a column of every index, expected another

-- whiten_index_info(index): JSON with rows (coded), pending (not coded yet), chunks, bytes (of the codes), d, k
--   (elements of a code), model (its hash, as whiten_info has it), recall, rebuilt (rows of the next codes while
--   there are some, else null), drift (0 where the rows are those of the fit, to 1), and cache: bytes kept, limit.
CREATE TABLE documents (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO documents VALUES (1, '[1,0]'), (2, '[0,2]'), (3, '[3,4]'), (4, NULL);
CREATE VIRTUAL TABLE documents_search USING whiten_index(content = documents, column = v, k = 1);
SELECT i ->> 'rows', i ->> 'pending', i ->> 'd', i ->> 'k', i ->> 'recall', i ->> 'rebuilt', i ->> 'drift' < 1e-6
  FROM (SELECT whiten_index_info('documents_search') AS i);
--> 3 | 0 | 2 | 1 | 'default' | NULL | 1
SELECT whiten_index_info('documents');
--> error: whiten_index_info: index is 'documents', expected the name of a whiten_index table

-- whiten_index_recall(index, queries, k): a row that says how an index does on its own rows: recall (the share of the
--   k most similar rows that it finds, mean over so many stored vectors as queries), candidates (rows fetched, mean),
--   microseconds (of a search, median), exact_microseconds (of comparing every row), queries (how many there were).
CREATE TABLE documents (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO documents VALUES (1, '[1,0]'), (2, '[0,2]'), (3, '[3,4]'), (4, NULL);
CREATE VIRTUAL TABLE documents_search USING whiten_index(content = documents, column = v);
SELECT recall, queries, microseconds >= 0, exact_microseconds >= 0 FROM whiten_index_recall('documents_search', 200, 10);
--> 1.0 | 3 | 1 | 1
SELECT recall FROM whiten_index_recall(NULL, 200, 10);
--> error: whiten_index_recall: index is NULL, expected TEXT, the name of a whiten_index table
SELECT recall FROM whiten_index_recall('documents', 200, 10);
--> error: whiten_index_recall: index is 'documents', expected the name of a whiten_index table

-- whiten_index_join(index, queries_table, queries_column, k): the k rows that the index finds for every row of a table of
--   queries; the same as the join `FROM queries AS q JOIN index AS s ON s.query = q.v AND s.k = k`, but batches of
--   queries share passes of the codes. By query_rowid, best first, ties by rowid. Queries that are NULL or have no
--   direction have no rows.
CREATE TABLE documents (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO documents VALUES (1, '[1,0]'), (2, '[0,2]'), (3, '[-1,0]'), (4, NULL), (5, '[0,-2]');
CREATE VIRTUAL TABLE documents_search USING whiten_index(content = documents, column = v);
CREATE TABLE questions (id INTEGER PRIMARY KEY, v BLOB);
INSERT INTO questions VALUES (10, '[3,0]'), (20, NULL), (30, '[0,0]'), (40, '[-1,-9]');
SELECT query_rowid, rowid, similarity FROM whiten_index_join('documents_search', 'questions', 'v', 1);
--> 10 | 1 | ~ 1.0
--> 40 | 5 | ~ 0.97618706
SELECT count(*) FROM whiten_index_join('documents_search', 'questions', 'v', 100);
--> 8
SELECT rowid FROM whiten_index_join(NULL, 'questions', 'v', 1);
--> error: whiten_index_join: index is NULL, expected TEXT, the name of a whiten_index table
SELECT rowid FROM whiten_index_join('documents', 'questions', 'v', 1);
--> error: whiten_index_join: index is 'documents', expected the name of a whiten_index table
SELECT rowid FROM whiten_index_join('documents_search', 'questions', 'v', 0);
--> error: whiten_index_join: k is 0, expected at least 1


-- STATISTICS: does it help?

-- mean_cosine(v): the mean cosine over all pairs of different rows, in O(n d): (|sum of v / |v||^2 - n) / (n
--   (n - 1)); near 0 where the space is isotropic (Ethayarajh 2019). Zero vectors are skipped; NULL below two
--   rows.
SELECT mean_cosine(value) FROM json_each('[[1,0],[0,2],[3,0]]');
--> ~ 0.3333333333
SELECT mean_cosine(value) FROM json_each('[[1,0],[0,0],[-1,0]]');
--> ~ -1
SELECT mean_cosine('[1,2]'), mean_cosine(NULL);
--> NULL | NULL
SELECT mean_cosine(value) FROM json_each('[[1,0],[1]]');
--> error: mean_cosine: row 2 of the group: v has 1 element, expected 2 as in the rows before

-- isotropy(v): the IsoScore of the rows, 0 (one direction) .. 1 (all directions alike) (Rudman et al. 2022,
--   algorithm 1); NULL for d = 1, below two rows, and for rows that are all equal.
SELECT isotropy(value) FROM json_each('[[3,3],[3,1],[-1,3],[-1,1],[1,2]]');
--> ~ 0.4705882353
SELECT isotropy(value) FROM json_each('[[1,1],[1,-1],[-1,1],[-1,-1]]');
--> ~ 1
SELECT isotropy('[1,2]'), isotropy(NULL);
--> NULL | NULL
SELECT isotropy(value) FROM json_each('["x"]');
--> error: isotropy: row 1 of the group: v is not a JSON array of numbers: expected '[' at byte 0, found 'x'

-- spearman(x, y): the rank correlation of two numeric columns, ties at their mean rank: the score of the STS
--   papers; the same bits whatever the order of the rows.
SELECT spearman(column1, column2) FROM (VALUES (1, 10), (2, 100), (3, 1000.5));
--> ~ 1
-- ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4
SELECT spearman(column1, column2) FROM (VALUES (1, 1), (2, 2), (2, 3), (5, 4), (NULL, 9));
--> ~ 0.9486832981
SELECT spearman(1, 2), spearman(NULL, 1);
--> NULL | NULL
SELECT spearman(column1, 1) FROM (VALUES (1), (2));
--> NULL
SELECT spearman('1', 2);
--> error: spearman: row 1 of the group: x is TEXT '1', expected a number: bind it as a number, or write CAST(? AS INTEGER)

-- pearson(x, y): the linear correlation of two numeric columns.
SELECT pearson(column1, column2) FROM (VALUES (1, -2), (2, -4), (3, -6));
--> ~ -1
SELECT pearson(column1, column2) FROM (VALUES (1, 1), (2, 3), (3, 2));
--> ~ 0.5
SELECT pearson(1, 2), pearson(1, NULL);
--> NULL | NULL
SELECT pearson(1, x'00');
--> error: pearson: row 1 of the group: y is a BLOB, expected a number

-- whiten_tune(stats, a [, b [, score [, options]]]): which settings are good for the user's own data, as JSON, from
--   whiten_stats of the rows and
--   - pairs a, b with a score of how alike they are: the measure is Spearman's correlation of score and cosine;
--   - pairs of a query a and a relevant document b, without a score in any row: the measure is MRR, the mean of
--     1 / (1 + the number of documents with a higher cosine than the query's best relevant one), among all b of the group but
--     the query itself; a row whose a is NULL adds a document that is relevant to none;
--   - rows a alone: no measure, but a cautious default, said to be that.
--   Measured are raw vectors and some 35 settings: power 0, .25, .5, .75, and power 1 with ridge 0, .1, 1, 10, all with remove
--   0 to 3 (power 1 with ridge 0 where the rank is full, and rows are more than twice the dimensions); then the best of
--   these with fewer components. `se` is the standard error of the gain over raw, both on the same pairs. `chosen` are k
--   and options as whiten_solve takes them: the best setting, of it the smallest k that with its standard error loses no
--   more than .0025, if its gain is more than `guard` of its standard errors (an option; 1 unless it is given); null where
--   raw is as good for all one can tell. Fewer than 10 pairs or queries tell nothing.
--   From 200 pairs with scores, a full rank and up to 2,048 dimensions on, "within" of whiten_solve is a candidate, unless the
--   option "within" is false: related are the pairs whose score is at least `within_score`, of which the pair stats must be;
--   its score is cross-validated, no row in two folds, and must be a standard error above the best of the others.
--   A vector is known by its bytes; pairs with a zero vector are skipped, and once any row has a score those without.
--   Beyond 20,000 pairs, 1,000 queries or 10,000 documents, or fewer in more than 800 dimensions (350 for documents), those
--   with the least hash are a sample: it does not depend on the order of the rows.
-- Points on a circle of radius 5 around (20, 0), and the products of their centred vectors: centring is right.
CREATE TABLE point(x, y, v);
INSERT INTO point SELECT a.value, b.value, json_array(a.value + 20, b.value)
  FROM json_each('[-5,-4,-3,0,3,4,5]') AS a, json_each('[-5,-4,-3,0,3,4,5]') AS b
  WHERE a.value * a.value + b.value * b.value = 25;
CREATE TABLE pair AS SELECT a.v AS a, b.v AS b, a.x * b.x + a.y * b.y AS score
  FROM point AS a, point AS b GROUP BY score;
SELECT json -> 'chosen', json ->> 'measure', json ->> 'pairs', json ->> 'raw' < 0.9, json ->> '$.settings[0].score'
  FROM (SELECT whiten_tune((SELECT whiten_stats(v) FROM point), a, b, score) AS json FROM pair);
--> '{"k":2,"options":{"ridge":1}}' | 'spearman' | 11 | 1 | ~ 1
-- what is chosen is what whiten_solve takes
SELECT whiten_info(whiten_solve(stats, json ->> '$.chosen.k', json -> '$.chosen.options')) ->> 'ridge'
  FROM (SELECT stats, whiten_tune(stats, a, b, score) AS json
    FROM pair, (SELECT whiten_stats(v) AS stats FROM point));
--> 1.0
SELECT whiten_tune((SELECT whiten_stats(v) FROM point), a, b, 1) ->> 'reason' FROM pair;
--> 'all scores are equal: they tell nothing'
SELECT json ->> 'chosen', json ->> 'measure', json ->> 'queries', json ->> 'reason'
  FROM (SELECT whiten_tune((SELECT whiten_stats(v) FROM point), a, b) AS json FROM pair);
--> NULL | 'mrr' | 2 | 'too few queries to tell: 2, expected 10 or more'
-- the gain is 2.5 standard errors
SELECT whiten_tune((SELECT whiten_stats(v) FROM point), a, b, score, '{"guard":3}') -> 'chosen' FROM pair;
--> 'null'
SELECT json ->> 'labels', json -> 'chosen', json ->> '$.before.isotropy'
  FROM (SELECT whiten_tune((SELECT whiten_stats(v) FROM point), v) AS json FROM point);
--> 0 | '{"k":2,"options":{"power":0.5,"ridge":0.1}}' | ~ 1
SELECT whiten_tune(NULL, '[1]', '[2]'), whiten_tune(NULL, NULL);
--> NULL | NULL
SELECT whiten_tune(x'00', '[1]', '[2]');
--> error: whiten_tune: row 1 of the group: stats is a foreign BLOB of 1 bytes, expected one made by whiten_stats or whiten_merge
SELECT whiten_tune((SELECT whiten_stats(v) FROM point), a, b, NULL, '{"gard":1}') FROM pair;
--> error: whiten_tune: row 1 of the group: options has the key 'gard', expected guard or within


-- FILES: what numpy and others leave

-- embedding_rows(data [, encoding [, dim]]): a table of position (from 1) and vector: the rows of a file's content, raw
--   numbers or what numpy.save wrote, each decoded when it is asked for. Raw numbers are f32 unless encoding says 'f64',
--   'f16', 'bf16' or 'i8', and need dim.
SELECT position, embedding_as(vector, 'json') FROM embedding_rows(x'0000803f000000400000404000008040', 'f32', 2);
--> 1 | '[1,2]'
--> 2 | '[3,4]'
SELECT position, embedding_as(vector, 'json') FROM embedding_rows(x'01ff7f80', 'i8', 2) WHERE position = 2;
--> 2 | '[127,-128]'
SELECT count(*) FROM embedding_rows(x'', 'f32', 2);
--> 0
-- A .npy file says itself what it holds: <f4, <f8, <f2 or |i1, C order, (n, dim), or (n,) with dim.
SELECT embedding_as(vector, 'json') FROM embedding_rows(CAST(x'934e554d50590100' || x'3300'
  || '{''descr'':''<f4'',''fortran_order'':False,''shape'':(1,2)}' || x'0000803f00000040' AS BLOB));
--> '[1,2]'
SELECT * FROM embedding_rows(x'0000803f00000040', 'f32', 3);
--> error: embedding_rows: data has 8 bytes of numbers, expected a multiple of 12 (3 f32)
SELECT * FROM embedding_rows(x'0000803f0000c07f', 'f32', 1);
--> error: embedding_rows: rowid 2: data[0] is NaN, expected a finite number
SELECT * FROM embedding_rows(x'0000803f');
--> error: embedding_rows: dim is missing, expected how many numbers a row has
SELECT * FROM embedding_rows(NULL, 'f32', 1);
--> error: embedding_rows: data is NULL, expected a BLOB, the content of a file (readfile gives NULL if it cannot)


-- BATCHES: a table whitened step by step

-- whiten_batch(model, source, target, after, rows [, verify]): whitens the next rows of source(id, v), a table or view,
--   those whose id comes after `after` (NULL: from the first on), into the table target(id, v, model_hash) of main, and
--   returns the last id of them; NULL when there was none left. A batch is one statement, and is a transaction where none
--   is open and the statement that calls reads no table: as the loop below, with the model bound.
CREATE TABLE documents (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO documents VALUES (1, '[1,2]'), (2, '[3,4]'), (5, NULL), (7, '[5,6]'), (9, '[7,8]');
WITH RECURSIVE batch(last) AS (
  SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 2)
  UNION ALL
  SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', last, 2)
  FROM batch WHERE last IS NOT NULL)
  SELECT last FROM batch;
--> 2
--> 7
--> 9
--> NULL
-- The target is made when it is missing; its id is the rowid where all ids are integers. A NULL v stays one.
DROP TABLE IF EXISTS white;
CREATE TABLE made AS SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 3) AS last;
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', 5, 1),
  (SELECT json_group_array(embedding_as(v, 'json')) FROM white),
  (SELECT type FROM pragma_table_info('white') WHERE name = 'id');
--> 7 | '[[2,3],[4,5],null,[6,7]]' | 'INTEGER'
-- A row is written when it is missing, was made by another model, or (unless verify is 0) is not what the model gives.
CREATE TABLE again AS SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 9) AS last;
UPDATE white SET v = x'00' WHERE id = 1;
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 9, 0),
  whiten_pending(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white') ->> 'pending';
--> 9 | 1
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 9),
  whiten_pending(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white') ->> 'pending';
--> 9 | 0
-- Ids that are NULL and lengths that do not fit are found before anything is written; an id that comes twice, in its batch.
CREATE VIEW twofold AS SELECT id % 2 AS id, v FROM documents;
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'twofold', 'other', NULL, 9);
--> error: whiten_batch: source has the id 1 more than once, expected ids that are unique
CREATE VIEW nameless AS SELECT NULL AS id, v FROM documents;
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'nameless', 'other', NULL, 9);
--> error: whiten_batch: source has 5 rows whose id is NULL, expected ids
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'documents', NULL, 9);
--> error: whiten_batch: target is 'documents', as source is, expected another table
SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), NULL, 'white', NULL, 9);
--> error: whiten_batch: source is NULL, expected TEXT, the name of a table or view with id and v

-- whiten_pending(model, source, target [, verify]): JSON with the rows of source, how many of them are done, as
--   whiten_batch judges it, nulls among these, pending ones, and orphans: rows of target whose id source does not have.
CREATE TABLE documents (id INTEGER PRIMARY KEY, v TEXT);
INSERT INTO documents VALUES (1, '[1,2]'), (2, '[3,4]'), (5, NULL), (7, '[5,6]');
CREATE TABLE made AS SELECT whiten_batch(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white', NULL, 3) AS last;
DELETE FROM documents WHERE id = 1;
SELECT whiten_pending(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'white');
--> '{"rows":3,"done":2,"nulls":1,"pending":1,"orphans":1}'
SELECT whiten_pending(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', NULL);
--> error: whiten_pending: target is NULL, expected TEXT, the name of a table
SELECT whiten_pending(whiten_import('[1,0,0,1]', '[1,1]'), 'documents', 'nowhere');
--> error: whiten_pending: no such table: main.nowhere


-- CONFIG: what is running

-- whiten_version(): the semantic version.
SELECT whiten_version() GLOB '[0-9]*.[0-9]*.[0-9]*';
--> 1

-- whiten_config([name [, value]]): without arguments JSON with sqlite, blas (versions), kernel (the variant in use),
--   threads, and models: cached, and parsed, how often this connection has read a model in full. 'threads' is the one
--   name there is: how many threads fits, whiten_rows, cosine_join and cosine_pairs of this connection may use; with
--   a value, 1 to 64, it is set, but to no more than WHITEN_THREADS and the machine allow, which is what NULL goes back
--   to. Returns what it is now. Setting is for top-level SQL alone.
SELECT json_type(c, '$.sqlite'), json_type(c, '$.blas'), json_type(c, '$.kernel'), json_type(c, '$.threads'),
  json_type(c, '$.models.parsed')
  FROM (SELECT whiten_config() AS c);
--> 'text' | 'text' | 'text' | 'integer' | 'integer'
SELECT whiten_config('threads', 1), whiten_config('threads'), whiten_config() ->> 'threads';
--> 1 | 1 | 1
SELECT whiten_config('threads', NULL) = whiten_config('threads', 64), whiten_config(NULL), whiten_config(NULL, 1);
--> 1 | NULL | NULL
SELECT whiten_config('threads', 0);
--> error: whiten_config: threads is 0, expected at least 1
SELECT whiten_config('threads', 65);
--> error: whiten_config: threads is 65, expected 1 to 64, or NULL for as many as there may be
SELECT whiten_config('kernel');
--> error: whiten_config: name is 'kernel', expected 'threads'
CREATE VIEW whiten_config_view AS SELECT whiten_config('threads', 1) AS threads;
SELECT threads FROM whiten_config_view;
--> error: unsafe use of whiten_config()
