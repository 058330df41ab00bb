/*
** Whole statements from a grammar of the extension's functions, over tables with hostile contents: every byte of the
** input is a decision. Arguments are mostly of the right kind, now and then of any.
**
** A statement ends in rows or in an error with a message, not in corruption, misuse or a crash; run again, when models
** and constants are cached, it gives the same; and what it wrote can be rolled back.
*/
#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "sql_statements.h"

enum { LONGEST = 4000, STEPS = 400, DEEPEST = 5 };

/* Names with quotes, points, unicode; vectors of several lengths, NaN, JSON, numbers, nothing; models that are cut,
** damaged or forged. */
static const char SCHEMA[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, g, v, w, p, j);"
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)"
    " INSERT INTO t SELECT i, i % 3, embedding('[' || i || ',' || (i * i % 7) || ',' || (i * 5 % 11) || ']'), i * 0.25,"
    "   i, '[' || (i % 4) || ', 1.5, ' || (-i) || ']' FROM n;"
    "CREATE TABLE \"it's; a \"\"t.\"(\"a b\" PRIMARY KEY, v);"
    "INSERT INTO \"it's; a \"\"t.\" SELECT id * 3, v FROM t;"
    "CREATE TABLE bad(rowid, v, w);"
    "INSERT INTO bad VALUES (1, NULL, NULL), (2, x'', -1), (3, x'0000c07f', 9e999), (4, x'0000807f', 'x'), (5, 1, 1),"
    " (6, 1.5, 0), (7, '[1,2', 2), (8, '[]', x'00'), (9, '[1e39]', 3), (10, zeroblob(12), 4), (11, zeroblob(7), 5),"
    " (12, '[1e30,-1e30,1e-40]', 1e300), (13, x'ffff7f7fffff7fffffff7f7f', 1e-300), (14, '[0,0,0]', 0);"
    "CREATE TABLE models(name, model);"
    "INSERT INTO models SELECT 'pca', whiten_fit(v) FROM t;"
    "INSERT INTO models SELECT 'zca', whiten_fit(v, 2, '{\"method\":\"zca\",\"normalize\":true}') FROM t;"
    "INSERT INTO models SELECT 'import', whiten_import('[1,0,2,1,0,3]', '[1,2,3]');"
    "INSERT INTO models SELECT 'cut', substr(model, 1, 100) FROM models WHERE name = 'pca';"
    "INSERT INTO models SELECT 'long', CAST(model || x'00' AS BLOB) FROM models WHERE name = 'pca';"
    "INSERT INTO models VALUES ('null', NULL), ('text', 'model'), ('zero', zeroblob(128));"
    "CREATE TABLE shards AS SELECT whiten_stats(v, w) AS stats FROM t GROUP BY g;"
    "INSERT INTO shards SELECT whiten_stats('[1,2]');"
    "CREATE VIEW seen AS SELECT id, v FROM t;"
    "CREATE TABLE keyed(k PRIMARY KEY, v) WITHOUT ROWID;"
    "CREATE TABLE docs AS SELECT v, j FROM t;"
    "CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 2);";

struct writer {
  struct input input;
  char text[LONGEST + 1];
  size_t length;
  int depth;
};

static unsigned choose(struct writer *w, unsigned choices) {
  return fuzz_take(&w->input) % choices;
}

static void expand(struct writer *w, const char *pattern);

static void append(struct writer *w, char c) {
  if (w->length < LONGEST) w->text[w->length++] = c;
}

#define PICK(W, LIST) expand(W, (LIST)[choose(W, sizeof(LIST) / sizeof *(LIST))])

/* $v vector, $m model, $s stats, $n number, $i integer, $a aggregate, $x any scalar, $o options, $k how many,
** $t table name, $c column name, $e encoding, $f frame, $w WHERE, $r table function, $l term on its rows, $y what follows
** a WHERE, $q statement. */
static const char *const VECTORS[] = {"v",
                                      "j",
                                      "'[1,2,3]'",
                                      "embedding(j)",
                                      "x'0000803f0000004000004040'",
                                      "embedding_normalize($v)",
                                      "embedding_scale($v,$n)",
                                      "embedding_truncate($v,$k)",
                                      "whiten_apply($m,$v)",
                                      "whiten_inverse($m,$v)",
                                      "pool_tokens($v,$k,'mean')",
                                      "pool_tokens($v,$k,'max',$v)",
                                      "whiten_bias($m)",
                                      "whiten_offset($m)",
                                      "embedding(embedding_as($v,$e),$e)",
                                      "whiten_kernel($m)",
                                      "(SELECT pool_mean($v,$n) FROM t)",
                                      "(SELECT v FROM bad WHERE rowid=$k)",
                                      "NULL",
                                      "$n",
                                      "zeroblob($k)",
                                      "embedding_as($v,'json')"};
static const char *const MODELS[] = {
    "(SELECT model FROM models LIMIT 1)",
    "(SELECT whiten_model(model) FROM models LIMIT 1)",
    "(SELECT model FROM models WHERE name='zca')",
    "(SELECT whiten_fit($v,$k,$o) FROM t)",
    "whiten_import($v,$v)",
    "whiten_import($v,$v,$v)",
    "whiten_solve($s,$k,$o)",
    "whiten_align($s,'a->b',$o)",
    "whiten_solve($s,$k,$o,(SELECT whiten_pair_stats($v,$v) FROM t))",
    "whiten_solve((SELECT whiten_stats(v) FROM t),$k,'{\"within\":0.5}',$s)",
    "whiten_model($m)",
    "(SELECT model FROM models LIMIT 1 OFFSET $k)",
    "NULL",
    "$v",
    "(WITH c AS MATERIALIZED (SELECT whiten_model(model) AS h FROM models) SELECT h FROM c)"};
static const char *const STATS[] = {"(SELECT whiten_merge(stats) FROM shards)",
                                    "(SELECT stats FROM shards LIMIT 1)",
                                    "(SELECT whiten_stats($v,$n) FROM t)",
                                    "(SELECT whiten_stats($v) FROM bad)",
                                    "(SELECT whiten_pair_stats($v,$v) FROM t)",
                                    "$m",
                                    "NULL"};
static const char *const NUMBERS[] = {"1",
                                      "0",
                                      "0.5",
                                      "-1",
                                      "w",
                                      "id",
                                      "p",
                                      "2",
                                      "1e300",
                                      "1e-300",
                                      "9e999",
                                      "NULL",
                                      "'x'",
                                      "x'00'",
                                      "cosine_sim($v,$v)",
                                      "dot_product($v,$v)",
                                      "l2_distance($v,$v)",
                                      "l1_distance($v,$v)",
                                      "embedding_valid($v)",
                                      "embedding_valid($v,2)",
                                      "embedding_norm($v)",
                                      "9223372036854775807",
                                      "(SELECT w FROM bad WHERE rowid=$k)"};
static const char *const COUNTS[] = {"2",   "1", "3", "0.9", "NULL", "0", "-1", "4", "100", "9223372036854775807",
                                     "'2'", "id"};
static const char *const AGGREGATES[] = {"pool_mean($v)",
                                         "pool_mean($v,$n)",
                                         "pool_position_mean($v,p)",
                                         "pool_position_mean($v,$n,$n)",
                                         "pool_max($v,$n)",
                                         "pool_mean_sqrt_len($v,$n)",
                                         "pool_cls($v,$n)",
                                         "pool_last($v,p,$n)",
                                         "whiten_fit($v,$k,$o)",
                                         "whiten_stats($v,$n)",
                                         "whiten_pair_stats($v,$v,$n)",
                                         "mean_cosine($v)",
                                         "isotropy($v)",
                                         "spearman($n,$n)",
                                         "pearson($n,w)",
                                         "whiten_merge($s)",
                                         "whiten_tune($s,$v,$v,$n,'{\"guard\":0}')",
                                         "whiten_tune($s,$v,$v)",
                                         "count(*)"};
static const char *const SCALARS[] = {"$v",
                                      "$n",
                                      "$a",
                                      "cosine_sim($v,$v)",
                                      "embedding_as($v,$e)",
                                      "whiten_info($m)",
                                      "whiten_check($m)",
                                      "embedding_dim($v)",
                                      "embedding($v,$e)",
                                      "pool_mean($v,$n) OVER ($f)",
                                      "whiten_version()",
                                      "(whiten_config('threads',$k)>0)",
                                      "hex($v)",
                                      "$m",
                                      "$s",
                                      "length($x)",
                                      "pool_mean($v) FILTER (WHERE $n) OVER ($f)"};
static const char *const OPTIONS[] = {"NULL",
                                      "'{}'",
                                      "'{\"ridge\":\"oas\"}'",
                                      "'{\"method\":\"zca\",\"ridge\":0.1}'",
                                      "'{\"method\":\"cholesky\"}'",
                                      "'{\"method\":\"pca-cor\",\"power\":0.5}'",
                                      "'{\"method\":\"zca-cor\",\"remove\":1}'",
                                      "'{\"precision\":\"single\"}'",
                                      "'{\"normalize\":true}'",
                                      "'{\"within\":1,\"ridge\":0.1}'",
                                      "'{\"within\":0.5,\"order\":\"variance\"}'",
                                      "'{\"ridge\":-1}'",
                                      "'[]'",
                                      "'{'",
                                      "$n"};

static void expand_symbol(struct writer *w, char symbol) {
  if (choose(w, 40) == 39) symbol = 'x';
  switch (symbol) {
    case 'v': PICK(w, VECTORS); break;
    case 'm': PICK(w, MODELS); break;
    case 's': PICK(w, STATS); break;
    case 'n': PICK(w, NUMBERS); break;
    case 'k': PICK(w, COUNTS); break;
    case 'a': PICK(w, AGGREGATES); break;
    case 'o': PICK(w, OPTIONS); break;
    case 't': PICK(w, TABLES); break;
    case 'c': PICK(w, COLUMNS); break;
    case 'e': PICK(w, ENCODINGS); break;
    case 'f': PICK(w, FRAMES); break;
    case 'w': PICK(w, WHERES); break;
    case 'r': PICK(w, RELATIONS); break;
    case 'l': PICK(w, TERMS); break;
    case 'y': PICK(w, ENDS); break;
    case 'q': PICK(w, STATEMENTS); break;
    default: PICK(w, SCALARS); break;
  }
}

/* Too deep, a symbol becomes a constant. */
static void expand(struct writer *w, const char *pattern) {
  w->depth++;
  for (const char *p = pattern; *p != 0; p++) {
    if (*p != '$') {
      append(w, *p);
    } else if (w->depth > DEEPEST) {
      p++;
      append(w, '1');
    } else {
      expand_symbol(w, *++p);
    }
  }
  w->depth--;
}

static uint64_t digest(uint64_t hash, const void *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u;
  return (hash ^ n) * 1099511628211u;
}

static int steps;

static int stop_late(void *data) {
  (void)data;
  return ++steps > STEPS;
}

/* Runs it, and hashes all values; the code is in *rc. */
static uint64_t run(sqlite3 *db, const char *sql, int *rc) {
  uint64_t hash = 14695981039346656037u;
  sqlite3_stmt *statement = NULL;
  steps = 0;
  *rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  while (*rc == SQLITE_OK || *rc == SQLITE_ROW) {
    *rc = sqlite3_step(statement);
    for (int i = 0; *rc == SQLITE_ROW && i < sqlite3_column_count(statement); i++) {
      const void *blob = sqlite3_column_blob(statement, i);
      hash = digest(hash, blob, blob ? (size_t)sqlite3_column_bytes(statement, i) : 0);
    }
  }
  sqlite3_finalize(statement);
  return hash;
}

static uint64_t run_and_undo(sqlite3 *db, const char *sql, int *rc) {
  steps = 0;
  fuzz_must(sqlite3_exec(db, "BEGIN", 0, 0, 0) == SQLITE_OK, "cannot begin");
  uint64_t hash = run(db, sql, rc);
  steps = 0;
  if (!sqlite3_get_autocommit(db))
    fuzz_must(sqlite3_exec(db, "ROLLBACK", 0, 0, 0) == SQLITE_OK, "cannot be rolled back");
  return hash;
}

static void prepare(sqlite3 *db) {
  if (sqlite3_exec(db, SCHEMA, 0, 0, 0) != SQLITE_OK) fuzz_must(0, sqlite3_errmsg(db));
  sqlite3_progress_handler(db, 1000, stop_late, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int ready;
  static struct writer w;
  int first_rc, second_rc;
  sqlite3 *db = fuzz_connection();
  if (!ready) prepare(db), ready = 1;
  w.input = (struct input){data, size};
  w.length = 0;
  w.depth = 0;
  expand(&w, "$q");
  w.text[w.length] = 0;
  uint64_t first = run_and_undo(db, w.text, &first_rc), second = run_and_undo(db, w.text, &second_rc);
  int is_fine = first_rc == SQLITE_DONE || first_rc == SQLITE_ERROR || first_rc == SQLITE_INTERRUPT ||
                first_rc == SQLITE_TOOBIG || first_rc == SQLITE_CONSTRAINT || first_rc == SQLITE_MISMATCH ||
                first_rc == SQLITE_SCHEMA; /* what SQLite 3.40 says of an unknown column after a rollback of DDL */
  int is_cut = first_rc == SQLITE_INTERRUPT || second_rc == SQLITE_INTERRUPT;
  if (!is_fine || (!is_cut && (first_rc != second_rc || first != second)))
    fprintf(stderr, "fuzz: %s\nfuzz: codes %d, %d; last message: %s\n", w.text, first_rc, second_rc,
            sqlite3_errmsg(db));
  fuzz_must(is_fine, "an unexpected code");
  fuzz_must(is_cut || (first_rc == second_rc && first == second), "twice the same, and two answers");
  return 0;
}
