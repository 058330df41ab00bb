/*
** whiten_batch(model, source, target, after, rows [, verify]): the next rows of source(id, v) through a model into
** main.target(id, v, model_hash). A batch is one INSERT, so it is there as a whole or not at all, whatever happens.
** whiten_pending(model, source, target [, verify]): what is left to do.
**
** SQLite commits what a statement wrote when no other statement is writing, and gives its locks back when no other is
** reading: so a SELECT that reads no table - model and names are values, the loop is a recursive CTE - makes each of its
** calls a transaction, between which others may write. As a table-valued function this could not be: a statement that
** names one holds a read lock on main from its first row to its last, and in WAL mode is refused the next write after
** somebody else's. An explicit BEGIN per batch was rejected: an interrupt would leave it open, since nothing runs
** before the interrupted statement has ended, a ROLLBACK neither.
*/
#include "host/connection.h"
#include "host/value.h"

struct batch {
  struct call *call;
  sqlite3 *db;
  const char *source, *target;
  sqlite3_value *after,
      *last; /* ids between which the rows lie: the first excluded, or NULL; the second included */
  int64_t rows, verify;
};

enum { AFTER = 1, LAST, MODEL, HASH, VERIFY };

/* Prepares the text, which is freed, and binds what there is of ?1 and ?2; NULL after an error. */
static sqlite3_stmt *prepare(struct batch *batch, char *sql) {
  sqlite3_stmt *statement = NULL;
  int rc = sql != NULL ? sqlite3_prepare_v2(batch->db, sql, -1, &statement, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  int parameters = sqlite3_bind_parameter_count(statement);
  if (rc == SQLITE_OK && parameters >= AFTER && batch->after != NULL)
    rc = sqlite3_bind_value(statement, AFTER, batch->after);
  if (rc == SQLITE_OK && parameters >= LAST && batch->last != NULL)
    rc = sqlite3_bind_value(statement, LAST, batch->last);
  if (rc == SQLITE_OK) return statement;
  fail_sqlite(batch->call, rc, batch->db);
  sqlite3_finalize(statement);
  return NULL;
}

/* One step; whether there is a row. Of a NULL statement, none. */
static int step(struct batch *batch, sqlite3_stmt *statement) {
  if (statement == NULL) return 0;
  int rc = sqlite3_step(statement);
  if (rc == SQLITE_MISMATCH)
    fail(batch->call,
         "source has an id that is no integer, and the id of '%s' is INTEGER PRIMARY KEY, expected a new target",
         batch->target);
  else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
    fail_sqlite(batch->call, rc, batch->db);
  return rc == SQLITE_ROW;
}

/* Looks at all rows, before anything is written; the type that the target's id should have, so that it is the rowid where
** that can be: searches take that. NULL after an error. */
static const char *check_source(struct batch *batch, size_t d) {
  const char *type = "";
  sqlite3_stmt *statement = prepare(
      batch, sqlite3_mprintf("SELECT count(*), count(*) - count(id), total(typeof(id) = 'integer'),"
                             " total(typeof(id) = 'text'), total(misfit), quote(min(CASE WHEN misfit THEN id END))"
                             " FROM (SELECT id, typeof(v) = 'blob' AND length(v) <> %lld AS misfit FROM \"%w\")",
                             (long long)d * 4, batch->source));
  if (step(batch, statement)) {
    long long rows = sqlite3_column_int64(statement, 0), nulls = sqlite3_column_int64(statement, 1),
              misfits = sqlite3_column_int64(statement, 4);
    if (nulls > 0)
      fail(batch->call, "source has %lld rows whose id is NULL, expected ids", nulls);
    else if (misfits > 0)
      fail(batch->call,
           "source has %lld vectors that do not fit the model, the first at id %s, expected %lld bytes", misfits,
           sqlite3_column_text(statement, 5), (long long)d * 4);
    if (sqlite3_column_int64(statement, 2) == rows)
      type = "INTEGER";
    else if (sqlite3_column_int64(statement, 3) == rows)
      type = "TEXT";
  }
  sqlite3_finalize(statement);
  return batch->call->failed ? NULL : type;
}

static void make_target(struct batch *batch, const char *type) {
  sqlite3_stmt *statement = prepare(
      batch, sqlite3_mprintf("CREATE TABLE IF NOT EXISTS main.\"%w\" (\n  id %s PRIMARY KEY NOT NULL,"
                             "\n  v BLOB,\n  model_hash TEXT NOT NULL\n)",
                             batch->target, type));
  step(batch, statement);
  sqlite3_finalize(statement);
}

/* The condition on the rows of the batch, without `last`. */
static const char *behind(const struct batch *batch) {
  return sqlite3_value_type(batch->after) == SQLITE_NULL ? "?1 IS NULL" : "id > ?1";
}

/* The last id of the batch; NULL when no row is left, and after an error. */
static void find_last(struct batch *batch) {
  sqlite3_stmt *statement = prepare(
      batch, sqlite3_mprintf("SELECT max(id) FROM (SELECT id FROM \"%w\" WHERE %s ORDER BY id LIMIT %lld)",
                             batch->source, behind(batch), (long long)batch->rows));
  if (step(batch, statement) && sqlite3_column_type(statement, 0) != SQLITE_NULL) {
    batch->last = sqlite3_value_dup(sqlite3_column_value(statement, 0));
    if (batch->last == NULL) fail_nomem(batch->call);
  }
  sqlite3_finalize(statement);
}

static void check_unique(struct batch *batch) {
  sqlite3_stmt *statement = prepare(
      batch,
      sqlite3_mprintf("SELECT quote(id) FROM \"%w\" WHERE %s AND id <= ?2 GROUP BY id HAVING count(*) > 1 LIMIT 1",
                      batch->source, behind(batch)));
  if (step(batch, statement))
    fail(batch->call, "source has the id %s more than once, expected ids that are unique",
         sqlite3_column_text(statement, 0));
  sqlite3_finalize(statement);
}

/* Binds what the statement names from ?3 on, the model, its hash and whether to verify, and makes a step; whether there is
** a row. */
static int step_with_model(struct batch *batch, sqlite3_stmt *statement, struct shared_model *model) {
  char hash[17];
  if (statement == NULL) return 0;
  sqlite3_snprintf(sizeof hash, hash, "%016llx", (unsigned long long)model->whitener.header.hash);
  int rc = model_bind(statement, MODEL, model);
  if (rc == SQLITE_OK) rc = sqlite3_bind_text(statement, HASH, hash, -1, SQLITE_TRANSIENT);
  if (rc == SQLITE_OK) rc = sqlite3_bind_int64(statement, VERIFY, batch->verify);
  if (rc == SQLITE_OK) return step(batch, statement);
  fail_sqlite(batch->call, rc, batch->db);
  return 0;
}

/* Writes the rows that are missing, made by another model, or - looking at them - not what the model gives. */
static void put(struct batch *batch, struct shared_model *model) {
  sqlite3_stmt *statement = prepare(
      batch, sqlite3_mprintf("INSERT INTO main.\"%w\" (id, v, model_hash)"
                             " SELECT s.id, whiten_apply(?3, s.v), ?4"
                             " FROM (SELECT id, v FROM \"%w\" WHERE %s AND id <= ?2) AS s"
                             " LEFT JOIN main.\"%w\" AS t ON t.id = s.id"
                             " WHERE t.model_hash IS NOT ?4 OR ?5 AND t.v IS NOT whiten_apply(?3, s.v)"
                             " ON CONFLICT (id) DO UPDATE SET v = excluded.v, model_hash = excluded.model_hash",
                             batch->target, batch->source, behind(batch), batch->target));
  step_with_model(batch, statement, model);
  sqlite3_finalize(statement);
}

/* What is wrong with the rows is found before the target is made: an error leaves no empty table behind. */
static void run(struct batch *batch, struct shared_model *model) {
  const char *type = NULL;
  if (sqlite3_value_type(batch->after) == SQLITE_NULL) type = check_source(batch, model->whitener.header.d);
  if (!batch->call->failed) find_last(batch);
  if (batch->last != NULL) check_unique(batch);
  if (!batch->call->failed && type != NULL) make_target(batch, type);
  if (!batch->call->failed && batch->last != NULL) put(batch, model);
  if (!batch->call->failed && batch->last != NULL) sqlite3_result_value(batch->call->context, batch->last);
  sqlite3_value_free(batch->last);
}

static const char *name_argument(struct call *call, sqlite3_value *value, const char *argument,
                                 const char *expected) {
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, argument, sqlite3_value_type(value), expected);
    return NULL;
  }
  const char *name = (const char *)sqlite3_value_text(value);
  if (name == NULL) fail_nomem(call);
  return name;
}

/* Reads source, target, model and, in the last argument if there are so many, verify; NULL after an error. */
static struct shared_model *read_arguments(struct batch *batch, int argc, sqlite3_value **argv, int with_verify) {
  struct call *call = batch->call;
  batch->verify = 1;
  batch->source = name_argument(call, argv[1], "source", "TEXT, the name of a table or view with id and v");
  if (batch->source == NULL) return NULL;
  batch->target = name_argument(call, argv[2], "target", "TEXT, the name of a table");
  if (batch->target == NULL) return NULL;
  if (sqlite3_stricmp(batch->source, batch->target) == 0)
    fail(call, "target is '%s', as source is, expected another table", batch->target);
  else if (argc == with_verify)
    integer_read(call, argv[argc - 1], "verify", 0, &batch->verify);
  return call->failed ? NULL : model_argument(call, argv[0]);
}

/* whiten_batch(model, source, target, after, rows [, verify]) */
static void whiten_batch(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct batch batch = {.call = &call, .db = sqlite3_context_db_handle(context), .after = argv[3]};
  if (integer_read(&call, argv[4], "rows", 1, &batch.rows)) return;
  struct shared_model *model = read_arguments(&batch, argc, argv, 6);
  if (model != NULL) run(&batch, model);
  model_release(model);
}

static void count(struct batch *batch, struct shared_model *model) {
  sqlite3_stmt *statement = prepare(
      batch,
      sqlite3_mprintf(
          "SELECT json_object('rows', count(*), 'done', count(done), 'nulls', count(done AND v IS NULL OR NULL),"
          " 'pending', count(*) - count(done), 'orphans',"
          " (SELECT count(*) FROM main.\"%w\" AS o LEFT JOIN \"%w\" AS m ON m.id = o.id WHERE m.id IS NULL))"
          " FROM (SELECT t.v AS v, nullif(t.model_hash IS ?4 AND (?5 = 0 OR t.v IS whiten_apply(?3, s.v)), 0) AS done"
          " FROM \"%w\" AS s LEFT JOIN main.\"%w\" AS t ON t.id = s.id)",
          batch->target, batch->source, batch->source, batch->target));
  if (step_with_model(batch, statement, model))
    sqlite3_result_value(batch->call->context, sqlite3_column_value(statement, 0));
  sqlite3_finalize(statement);
}

/* whiten_pending(model, source, target [, verify]) */
static void whiten_pending(sqlite3_context *context, int argc, sqlite3_value **argv) {
  struct call call = call_of(context);
  struct batch batch = {.call = &call, .db = sqlite3_context_db_handle(context)};
  struct shared_model *model = read_arguments(&batch, argc, argv, 4);
  if (model != NULL) count(&batch, model);
  model_release(model);
}

/* They write, and read tables by name: for top-level SQL alone, never for what stands in a schema. */
const struct function batch_functions[] = {{.name = "whiten_batch",
                                            .min_args = 5,
                                            .max_args = 6,
                                            .flags = SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                            .call = whiten_batch},
                                           {.name = "whiten_pending",
                                            .min_args = 3,
                                            .max_args = 4,
                                            .flags = SQLITE_UTF8 | SQLITE_DIRECTONLY | SQLITE_RESULT_SUBTYPE,
                                            .call = whiten_pending},
                                           {.name = NULL}};
