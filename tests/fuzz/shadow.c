/*
** The tables of a whiten_index, damaged through SQL: bytes of its BLOBs, rows that are gone, twice or somebody else's,
** counts and ranges that lie, values of another type. The first byte says whether the hashes of blocks and of the
** directory are forged to match, every three bytes behind it are a change; then queries, changes and every command.
**
** Each ends in an error with a message, or well; what a query returns are rows of the content with their similarities
** to the bit. Where no hash is forged it is the answer of the undamaged index. After 'rebuild' all is as it should be.
*/
#include <stdio.h>
#include <string.h>

#include "core/chunk.h"
#include "core/hash.h"
#include "fuzz.h"
#include "whiten.h"

enum { K = 4, BEST = 12 };

static const char MAKE[] =
    "CREATE TABLE docs(id INTEGER PRIMARY KEY, v);"
    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1100) INSERT INTO docs SELECT i,"
    " embedding(printf('[%d,%d,%d,%d,%d,%d]', i % 7, i % 11, i % 13, i % 17, i % 19, i * i % 23)) FROM n;"
    "CREATE VIRTUAL TABLE s USING whiten_index(content = docs, column = v, k = 4, recall = safe);"
    "DELETE FROM docs WHERE id % 8 AND id <= 1024;"
    "INSERT INTO s(s, rank) VALUES ('rebuild', 100);";

/* ---- a database ---- */

static unsigned char *image;
static sqlite3_int64 image_bytes;

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fuzz_must(0, sqlite3_errmsg(db));
}

static sqlite3 *open_empty(void) {
  sqlite3 *db;
  fuzz_must(sqlite3_open(":memory:", &db) == SQLITE_OK, "no connection");
  fuzz_must(sqlite3_whiten_init(db, NULL, NULL) == SQLITE_OK, "does not load");
  return db;
}

static sqlite3 *open_copy(void) {
  sqlite3 *db = open_empty();
  unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)image_bytes);
  fuzz_must(copy != NULL, "memory");
  memcpy(copy, image, (size_t)image_bytes);
  fuzz_must(sqlite3_deserialize(db, "main", copy, image_bytes, image_bytes,
                                SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK,
            "no copy");
  return db;
}

/* ---- answers ---- */

struct answer {
  int count;
  sqlite3_int64 rowids[BEST];
};

/* An error is one that says something of the index, or of its content; never of memory, corruption or misuse. */
static void check_error(sqlite3 *db, const char *sql) {
  int rc = sqlite3_errcode(db);
  const char *message = sqlite3_errmsg(db);
  if (rc == SQLITE_ERROR && strstr(message, ": ") != NULL) return;
  fprintf(stderr, "fuzz: %s\nfuzz: code %d: %s\n", sql, rc, message);
  fuzz_must(0, "an unexpected error");
}

/* A similarity is that of the scalar functions. A model that was damaged after it was read is the connection's still. */
static void check_row(sqlite3_stmt *right, sqlite3_int64 rowid, double similarity) {
  sqlite3_bind_int64(right, 1, rowid);
  int rc = sqlite3_step(right);
  if (rc == SQLITE_ERROR && strstr(sqlite3_errmsg(sqlite3_db_handle(right)), "whiten_apply: model is") != NULL)
    return;
  fuzz_must(rc == SQLITE_ROW, "a row that the content does not have, or no model");
  double number = sqlite3_column_double(right, 0);
  fuzz_must(memcmp(&number, &similarity, sizeof number) == 0, "a wrong similarity");
  sqlite3_reset(right);
}

static sqlite3_stmt *prepare_right(sqlite3 *db) {
  static const char SQL[] =
      "WITH m AS MATERIALIZED (SELECT model FROM s_config WHERE id = (SELECT min(id) FROM s_config WHERE id > 0)),"
      " q AS MATERIALIZED (SELECT whiten_apply(model, '[3,1,4,1,5,9]') AS v FROM m)"
      " SELECT cosine_sim(whiten_apply(m.model, docs.v), q.v) FROM docs, m, q WHERE id = ?1";
  sqlite3_stmt *statement = NULL;
  fuzz_must(sqlite3_prepare_v2(db, SQL, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
  return statement;
}

static const char *const QUERIES[] = {
    "SELECT rowid, similarity FROM s('[3,1,4,1,5,9]', 12)",
    "SELECT rowid, similarity FROM s('[3,1,4,1,5,9]') WHERE rowid BETWEEN 300 AND 1050 AND rowid <> 7 LIMIT 12",
    "SELECT rowid, similarity FROM s('[3,1,4,1,5,9]', 5) WHERE similarity > 0.4",
};
enum { QUERY_COUNT = sizeof QUERIES / sizeof *QUERIES };

/* 0 after an error. */
static int ask(sqlite3 *db, const char *sql, struct answer *answer) {
  sqlite3_stmt *statement = NULL, *right = prepare_right(db);
  *answer = (struct answer){0};
  int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
  while (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    fuzz_must(answer->count < BEST, "more rows than asked for");
    answer->rowids[answer->count++] = sqlite3_column_int64(statement, 0);
    check_row(right, sqlite3_column_int64(statement, 0), sqlite3_column_double(statement, 1));
  }
  sqlite3_finalize(right);
  rc = sqlite3_finalize(statement);
  if (rc != SQLITE_OK) check_error(db, sql);
  return rc == SQLITE_OK;
}

/* ---- damage ---- */

static const char *const TABLES[] = {"s_signs", "s_rest", "s_dir", "s_config"};
static const char *const KEYS[] = {"chunk", "chunk", "chunk", "id"};
static const char *const VALUES[] = {"NULL",
                                     "0",
                                     "1",
                                     "2",
                                     "-1",
                                     "3",
                                     "64",
                                     "65",
                                     "1024",
                                     "1025",
                                     "2147483648",
                                     "9223372036854775807",
                                     "-9223372036854775808",
                                     "1.5",
                                     "1e300",
                                     "'x'",
                                     "x''",
                                     "x'00'",
                                     "zeroblob(100000)",
                                     "zeroblob(1536)"};
static const char *const COLUMNS[] = {
    "s_dir SET first", "s_dir SET count",    "s_dir SET stamp",    "s_dir SET generation",
    "s_dir SET chunk", "s_config SET stamp", "s_config SET built", "s_config SET hash",
    "s_config SET id", "s_config SET text",  "s_config SET model", "s_signs SET data",
    "s_rest SET data", "s_signs SET chunk",  "s_rest SET chunk",   "docs SET v"};
#define OF(LIST, NUMBER) (LIST)[(NUMBER) % (sizeof(LIST) / sizeof *(LIST))]

/* A statement of which errors do not matter: what it does it does. */
static void damage_by(sqlite3 *db, char *sql) {
  fuzz_must(sql != NULL, "memory");
  sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_free(sql);
}

/* Of a row of a table, by its place: bytes at the end of the input count rows. */
static char *row_of(const char *table, const char *key, unsigned place) {
  return sqlite3_mprintf("%s = (SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %u)", key, key, table, key, place);
}

static void change_byte(sqlite3 *db, unsigned what, unsigned a, unsigned b) {
  const char *table = what % 3 == 2 ? "s_config" : OF(TABLES, what % 3);
  sqlite3_blob *blob = NULL;
  sqlite3_int64 key = 1 + (a >> 5) % 5;
  if (sqlite3_blob_open(db, "main", table, what % 3 == 2 ? "model" : "data", key, 1, &blob) == SQLITE_OK &&
      sqlite3_blob_bytes(blob) > 0) {
    int at = (int)((a % 32 * 256 + b) * 37 % (unsigned)sqlite3_blob_bytes(blob));
    unsigned char byte;
    sqlite3_blob_read(blob, &byte, 1, at);
    byte = (unsigned char)(byte ^ (1 + b % 255));
    sqlite3_blob_write(blob, &byte, 1, at);
  }
  sqlite3_blob_close(blob);
}

static void damage(sqlite3 *db, unsigned what, unsigned a, unsigned b) {
  const char *table = OF(TABLES, a), *key = OF(KEYS, a), *column = OF(COLUMNS, a), *value = OF(VALUES, b);
  char name[16] = {0}, *row;
  memcpy(name, column, strcspn(column, " "));
  const char *own_key = strcmp(name, "s_config") == 0 || strcmp(name, "docs") == 0 ? "id" : "chunk";
  switch (what % 8) {
    case 0:
    case 1:
    case 2: change_byte(db, what, a, b); break;
    case 3:
      row = row_of(table, key, b % 4);
      damage_by(db, sqlite3_mprintf("DELETE FROM %s WHERE %s", table, row));
      sqlite3_free(row);
      break;
    case 4:
    case 5:
      row = row_of(name, own_key, what / 8 % 4);
      damage_by(db, sqlite3_mprintf("UPDATE OR REPLACE %s = %s WHERE %s", column, value, row));
      sqlite3_free(row);
      break;
    case 6: /* two chunks change places */
      table = OF(TABLES, a % 3);
      damage_by(
          db, sqlite3_mprintf("UPDATE %s SET chunk = -chunk - 1 WHERE chunk IN (%u, %u);"
                              "UPDATE %s SET chunk = CASE -chunk - 1 WHEN %u THEN %u ELSE %u END WHERE chunk < 0",
                              table, 1 + a / 4 % 4, 1 + b % 4, table, 1 + a / 4 % 4, 1 + b % 4, 1 + a / 4 % 4));
      break;
    default: /* a little more or less, or another's */
      row = row_of(name, own_key, b / 2 % 4);
      damage_by(db, sqlite3_mprintf("UPDATE OR REPLACE %s = %s %s 1 WHERE %s", column, strchr(column, 'T') + 2,
                                    b % 2 ? "+" : "-", row));
      sqlite3_free(row);
  }
}

/* ---- hashes that match again ---- */

static void forge_blocks(sqlite3 *db, const char *table, int rest) {
  sqlite3_stmt *statement = NULL;
  char *sql = sqlite3_mprintf("SELECT chunk FROM %s WHERE typeof(data) = 'blob' AND length(data) > 0", table);
  size_t bytes = (K + 7) / 8, part = rest ? CODES_BLOCK * (16 + 4 * bytes) : CODES_BLOCK * (4 + bytes);
  unsigned char block[8 + CODES_BLOCK * 20], place[16];
  fuzz_must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
  sqlite3_free(sql);
  while (sqlite3_step(statement) == SQLITE_ROW) {
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_blob *blob = NULL;
    fuzz_must(sqlite3_blob_open(db, "main", table, "data", number, 1, &blob) == SQLITE_OK, sqlite3_errmsg(db));
    for (uint32_t b = 0; (b + 1) * (8 + part) <= (size_t)sqlite3_blob_bytes(blob); b++) {
      int at = (int)(b * (8 + part));
      uint32_t kind = (uint32_t)rest;
      sqlite3_blob_read(blob, block, (int)(8 + part), at);
      memcpy(place, &number, 8);
      memcpy(place + 8, &b, 4);
      memcpy(place + 12, &kind, 4);
      uint64_t hash = hash_xxh64(block + 8, part, hash_xxh64(place, sizeof place, 0));
      sqlite3_blob_write(blob, &hash, 8, at);
    }
    sqlite3_blob_close(blob);
  }
  sqlite3_finalize(statement);
}

/* Adds the integers of each row to the hash: those of a row's columns, one after the other. */
static uint64_t hash_rows(sqlite3 *db, const char *sql, int64_t generation, uint64_t hash) {
  static int64_t numbers[4096];
  sqlite3_stmt *statement = NULL;
  size_t count = 0;
  fuzz_must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
  sqlite3_bind_int64(statement, 1, generation);
  while (sqlite3_step(statement) == SQLITE_ROW && count < 4000)
    for (int i = 0; i < sqlite3_column_count(statement); i++)
      numbers[count++] = sqlite3_column_int64(statement, i);
  sqlite3_finalize(statement);
  return hash_xxh64(numbers, count * sizeof *numbers, hash);
}

static void forge_root(sqlite3 *db) {
  sqlite3_stmt *statement = NULL;
  uint64_t hash = 0;
  fuzz_must(sqlite3_prepare_v2(db, "SELECT id FROM s_config WHERE id > 0 ORDER BY id LIMIT 2", -1, &statement,
                               NULL) == SQLITE_OK,
            sqlite3_errmsg(db));
  while (sqlite3_step(statement) == SQLITE_ROW) {
    int64_t id = sqlite3_column_int64(statement, 0);
    hash = hash_rows(db, "SELECT id, stamp, ifnull(built, 9223372036854775807) FROM s_config WHERE id = ?1", id,
                     hash);
    hash = hash_rows(db, "SELECT chunk, first, count, stamp FROM s_dir WHERE generation = ?1 ORDER BY first", id,
                     hash);
  }
  sqlite3_finalize(statement);
  damage_by(db, sqlite3_mprintf("UPDATE s_config SET hash = %lld WHERE id = 0", (sqlite3_int64)hash));
}

/* ---- one input ---- */

/* Whether it ends well. */
static int attempt(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK) return 1;
  check_error(db, sql);
  return 0;
}

static void use(sqlite3 *db) {
  static const char *const STATEMENTS[] = {"INSERT INTO docs VALUES (0, '[1,2,3,4,5,7]'), (5000, '[2,2,3,4,5,7]')",
                                           "UPDATE docs SET v = '[9,2,3,4,5,7]' WHERE id IN (64, 65, 1024)",
                                           "DELETE FROM docs WHERE id IN (3, 1100)",
                                           "INSERT INTO s(s) VALUES ('integrity-check')",
                                           "INSERT INTO s(s) VALUES ('optimize')",
                                           "INSERT INTO s(s, rank) VALUES ('build', 9)",
                                           "SELECT whiten_index_info('s')",
                                           "SELECT recall FROM whiten_index_recall('s', 2, 2)",
                                           "SELECT count(*) FROM whiten_index_join('s', 'docs', 'v', 2)",
                                           "INSERT INTO s(s, rank) VALUES ('rebuild', 300)",
                                           "INSERT INTO s(s) VALUES ('sync')"};
  struct answer answer;
  for (size_t i = 0; i < sizeof STATEMENTS / sizeof *STATEMENTS; i++) {
    attempt(db, STATEMENTS[i]);
    ask(db, QUERIES[i % QUERY_COUNT], &answer);
  }
}

/* Afterwards nothing of the damage is left, but of the content's. */
static void rebuild(sqlite3 *db) {
  struct answer answer;
  if (!attempt(db, "INSERT INTO s(s) VALUES ('rebuild')")) {
    fuzz_must(strstr(sqlite3_errmsg(db), "damaged") == NULL, "'rebuild' does not mend it");
  } else {
    if (!attempt(db, "INSERT INTO s(s) VALUES ('integrity-check')")) fuzz_must(0, sqlite3_errmsg(db));
    for (int i = 0; i < QUERY_COUNT; i++) fuzz_must(ask(db, QUERIES[i], &answer), "an error after 'rebuild'");
  }
  run(db, "DROP TABLE s");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct answer right[QUERY_COUNT];
  struct input input = {data, size};
  if (image == NULL) {
    sqlite3 *db = open_empty();
    run(db, MAKE);
    for (int i = 0; i < QUERY_COUNT; i++)
      fuzz_must(ask(db, QUERIES[i], &right[i]) && right[i].count > 0, "no rows");
    image = sqlite3_serialize(db, "main", &image_bytes, 0);
    fuzz_must(image != NULL, "no image");
    sqlite3_close(db);
  }
  sqlite3 *db = open_copy();
  unsigned forges = fuzz_take(&input) % 4, changes_content = 0;
  while (input.size >= 3) {
    unsigned what = fuzz_take(&input), a = fuzz_take(&input), b = fuzz_take(&input);
    changes_content |= strcmp(OF(COLUMNS, a), "docs SET v") == 0;
    damage(db, what, a, b);
  }
  if (forges & 1) forge_blocks(db, "s_signs", 0), forge_blocks(db, "s_rest", 1);
  if (forges & 2) forge_root(db);
  for (int i = 0; i < QUERY_COUNT; i++) {
    struct answer answer;
    if (ask(db, QUERIES[i], &answer) && !forges && !changes_content)
      fuzz_must(memcmp(&answer, &right[i], sizeof answer) == 0, "a wrong answer");
  }
  use(db);
  rebuild(db);
  fuzz_must(sqlite3_close(db) == SQLITE_OK, "does not close");
  return 0;
}
