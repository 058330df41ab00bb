/*
** whiten_index, the virtual table: what SQLite calls. The format and the tables are in store.h, the search in query.h,
** the changes in sync.h, what stands in CREATE VIRTUAL TABLE in arguments.h.
**
** It touches its own tables and its content alone, so it may be used in triggers and views whatever the schema comes
** from.
*/
#include <string.h>

#include "host/memory.h"
#include "host/plan.h"
#include "index/build.h"
#include "index/cache.h"
#include "index/check.h"
#include "index/command.h"
#include "index/cursor.h"
#include "index/schema.h"
#include "index/sync.h"

static void clear(struct index *index) {
  struct index **at = &index->connection->indexes;
  while (*at != NULL && *at != index) at = &(*at)->next;
  if (*at != NULL) *at = index->next;
  for (int i = 0; i < 2; i++) generation_clear(&index->generations[i]);
  pending_clear(&index->pending);
  index_close_content(index);
  store_close(&index->store);
  arguments_clear(&index->arguments);
  sqlite3_free(index->base.zErrMsg);
  sqlite3_free(index->schema);
  sqlite3_free(index->name);
  cache_leave();
  connection_release(index->connection);
  sqlite3_free(index);
}

static int declare(struct call *call, sqlite3 *db, const char *name) {
  static const char *const COLUMNS[] = {"rowid", "similarity", "query", "k", "rank", "vector"};
  for (int i = 0; i < 6; i++)
    if (sqlite3_stricmp(name, COLUMNS[i]) == 0)
      return fail(call, "the name is that of a column of every index, expected another"), call->failed;
  char *sql = sqlite3_mprintf(
      "CREATE TABLE x(rowid INTEGER, similarity REAL, query HIDDEN, k HIDDEN, \"%w\" HIDDEN,"
      " rank HIDDEN, vector HIDDEN)",
      name);
  int rc = sql != NULL ? sqlite3_declare_vtab(db, sql) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_vtab_config(db, SQLITE_VTAB_INNOCUOUS);
  if (rc != SQLITE_OK) fail_sqlite(call, rc, db);
  return call->failed;
}

/* An index as its CREATE VIRTUAL TABLE says; NULL after an error, whose message is in *error. */
static struct index *open_index(sqlite3 *db, struct connection *connection, int argc, const char *const *argv,
                                struct call *call) {
  struct index *index = sqlite3_malloc64(sizeof *index);
  if (index == NULL) return fail_nomem(call), NULL;
  memset(index, 0, sizeof *index);
  *index = (struct index){.db = db, .connection = connection, .next = connection->indexes};
  connection->references++;
  connection->indexes = index;
  cache_join();
  index->schema = sqlite3_mprintf("%s", argv[1]);
  index->name = sqlite3_mprintf("%s", argv[2]);
  pending_init(&index->pending, &sqlite_memory);
  if (index->schema == NULL || index->name == NULL)
    fail_nomem(call);
  else if (arguments_read(call, argc, argv, &index->arguments) == 0 && declare(call, db, argv[2]) == 0)
    store_open(call, &index->store, db, argv[1], argv[2]);
  if (!call->failed) index_restore_factor(call, index);
  if (call->failed) clear(index);
  return call->failed ? NULL : index;
}

static int connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **error) {
  struct call call = call_of_table(argv[2], aux, error);
  struct index *index = open_index(db, aux, argc, argv, &call);
  if (index != NULL) *vtab = &index->base;
  return call.failed;
}

/* Tables, triggers, and codes of the rows that there are. */
static void fill(struct call *call, struct index *index) {
  /* one of that name may have been dropped */
  if (index_set_factor(call, index, index->arguments.error_factor)) return;
  if (store_create(call, &index->store) || index_find_content(call, index) || schema_check_content(call, index))
    return;
  if (index->arguments.triggers && schema_create_triggers(call, index, index->name)) return;
  if (index->arguments.build || index->arguments.model != NULL) build_begin(call, index);
  if (!call->failed && index->arguments.build) build_step(call, index, INT64_MAX);
}

static int create(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **vtab, char **error) {
  struct call call = call_of_table(argv[2], aux, error);
  struct index *index = open_index(db, aux, argc, argv, &call);
  int64_t last = sqlite3_last_insert_rowid(db);
  if (index == NULL) return call.failed;
  call.function = index->name; /* argv goes when an error rolls the schema back */
  fill(&call, index);
  sqlite3_set_last_insert_rowid(db, last);
  if (call.failed)
    clear(index);
  else
    *vtab = &index->base;
  return call.failed;
}

static int disconnect(sqlite3_vtab *vtab) {
  clear((struct index *)vtab);
  return SQLITE_OK;
}

static int destroy(sqlite3_vtab *vtab) {
  struct index *index = (struct index *)vtab;
  struct call call = index_call(index);
  /* Would be lost if the savepoint came back: SQLite tells a table that is dropped of nothing. It shows no message. */
  if (pending_is_needed(&index->pending)) return SQLITE_LOCKED;
  if (schema_drop_triggers(&call, index) || store_destroy(&call, &index->store)) return call.failed;
  for (struct index *i = index->connection->indexes; i != NULL; i = i->next)
    if (index_is_same(i, index)) pending_applied(&i->pending);
  clear(index);
  return SQLITE_OK;
}

/* A comparison with a column that holds nothing is a third argument, or FTS5's other spelling of MATCH. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
  struct call call = index_call((struct index *)vtab);
  for (int i = 0; i < info->nConstraint; i++)
    if (info->aConstraint[i].iColumn >= INDEX_COMMAND && info->aConstraint[i].op == SQLITE_INDEX_CONSTRAINT_EQ)
      return fail(&call,
                  "there are more arguments, or = where MATCH belongs, expected %s(query [, k]) or %s MATCH query",
                  call.function, call.function),
             call.failed;
  return plan_make(((struct index *)vtab)->db, &index_function, info);
}

/* ---- changes ---- */

static int insert(struct call *call, struct index *index, sqlite3_value **columns) {
  struct vector v = {0};
  int64_t rowid;
  for (int i = INDEX_SIMILARITY; i < INDEX_COMMAND; i++)
    if (sqlite3_value_type(columns[i]) != SQLITE_NULL)
      return fail(call, "there is a value for a column of answers, expected rowid and vector, or a command"),
             call->failed;
  if (integer_read(call, columns[INDEX_ROWID], "rowid", INT64_MIN, &rowid)) return call->failed;
  call->rowid = &rowid;
  if (sqlite3_value_type(columns[INDEX_VECTOR]) == SQLITE_NULL)
    sync_look(call, index, rowid);
  else if (vector_read(call, columns[INDEX_VECTOR], index->arguments.column, &v) == 0)
    sync_put(call, index, rowid, &v);
  call->rowid = NULL;
  vector_free(&v);
  return call->failed;
}

static int update(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *rowid) {
  struct index *index = (struct index *)vtab;
  struct call call = index_call(index);
  *rowid = sqlite3_last_insert_rowid(index->db); /* stays what it is */
  if (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL) {
    if (index_find_content(&call, index) == 0)
      fail(&call, "the rows of an index are those of its content, expected changes of '%s'", index->content_name);
    return call.failed;
  }
  sqlite3_value **columns = argv + 2;
  if (sqlite3_value_type(columns[INDEX_COMMAND]) != SQLITE_NULL)
    command_run(&call, index, columns);
  else
    insert(&call, index, columns);
  sqlite3_set_last_insert_rowid(index->db, *rowid);
  return call.failed;
}

static int begin(sqlite3_vtab *vtab) {
  (void)vtab;
  return SQLITE_OK;
}

/* What failed halfway and was not undone is not committed. */
static int sync(sqlite3_vtab *vtab) {
  struct index *index = (struct index *)vtab;
  struct call call = index_call(index);
  if (index_write(&call, index)) return call.failed;
  sync_flush(&call, index);
  index_written(&call, index);
  return call.failed;
}

static int commit(sqlite3_vtab *vtab) {
  pending_end(&((struct index *)vtab)->pending);
  return SQLITE_OK;
}

static int rollback(sqlite3_vtab *vtab) {
  index_forget((struct index *)vtab);
  return commit(vtab);
}

static int savepoint(sqlite3_vtab *vtab, int number) {
  return pending_savepoint(&((struct index *)vtab)->pending, number) == STATUS_OK ? SQLITE_OK : SQLITE_NOMEM;
}

static int release(sqlite3_vtab *vtab, int number) {
  pending_release(&((struct index *)vtab)->pending, number);
  return SQLITE_OK;
}

static int rollback_to(sqlite3_vtab *vtab, int number) {
  pending_rollback_to(&((struct index *)vtab)->pending, number);
  index_forget((struct index *)vtab);
  return SQLITE_OK;
}

static int rename_index(sqlite3_vtab *vtab, const char *name) {
  struct index *index = (struct index *)vtab;
  struct call call = index_call(index);
  if (sync_flush(&call, index)) return call.failed;
  if (schema_rename(&call, index, name)) index_forget(index);
  return call.failed;
}

static int shadow_name(const char *suffix) {
  static const char *const SUFFIXES[] = {"config", "dir", "signs", "rest"};
  for (int i = 0; i < 4; i++)
    if (sqlite3_stricmp(suffix, SUFFIXES[i]) == 0) return 1;
  return 0;
}

/*
** PRAGMA integrity_check, quick_check. What is wrong is a message, not an error. Without triggers an index may be out of
** step; the chunks must be whole all the same. A quick check reads what every query reads, the root and the directory.
*/
static int integrity(sqlite3_vtab *vtab, const char *schema, const char *name, int is_quick, char **message) {
  struct index *index = (struct index *)vtab;
  struct call call = call_of_table(index->name, index->connection, message);
  (void)schema;
  (void)name;
  index_forget(index);
  index_close_content(index); /* a trigger may have been dropped since it was found by it */
  for (int i = 0; i < 2 && !is_quick; i++) generation_clear(&index->generations[i]);
  if (sync_refresh(&call, index) == 0 && !is_quick && index_find_content(&call, index) == 0)
    check_index(&call, index, index->has_triggers ? CHECK_ROWS : CHECK_CHUNKS);
  return call.failed == SQLITE_ERROR || call.failed == SQLITE_CORRUPT ? SQLITE_OK : call.failed;
}

/* sqlite3_module from SQLite 3.44 on, whichever version's header this is compiled with. */
struct module {
  sqlite3_module base;
#if SQLITE_VERSION_NUMBER < 3044000
  int (*xIntegrity)(sqlite3_vtab *vtab, const char *schema, const char *name, int is_quick, char **message);
#define INTEGRITY .xIntegrity
#else
#define INTEGRITY .base.xIntegrity
#endif
};

static const struct module MODULE = {
    .base = {.iVersion = 4,
             .xCreate = create,
             .xConnect = connect,
             .xBestIndex = best_index,
             .xDisconnect = disconnect,
             .xDestroy = destroy,
             .xOpen = cursor_open,
             .xClose = cursor_close,
             .xFilter = cursor_filter,
             .xNext = cursor_next,
             .xEof = cursor_eof,
             .xColumn = cursor_column,
             .xRowid = cursor_rowid,
             .xUpdate = update,
             .xBegin = begin,
             .xSync = sync,
             .xCommit = commit,
             .xRollback = rollback,
             .xRename = rename_index,
             .xSavepoint = savepoint,
             .xRelease = release,
             .xRollbackTo = rollback_to,
             .xShadowName = shadow_name},
    INTEGRITY = integrity,
};

static void release_connection(void *connection) {
  connection_release(connection);
}

int index_register(sqlite3 *db, struct connection *connection) {
  connection->references++;
  return sqlite3_create_module_v2(db, "whiten_index", &MODULE.base, connection, release_connection);
}
