/* See command.h. */
#include "index/command.h"

#include <string.h>

#include "index/build.h"
#include "index/cache.h"
#include "index/check.h"
#include "index/cursor.h"
#include "index/sync.h"

/* Rows of a step: all, unless rank says how many. */
static int64_t read_rows(struct call *call, sqlite3_value *rank) {
  int64_t rows = INT64_MAX;
  if (sqlite3_value_type(rank) != SQLITE_NULL) integer_read(call, rank, "rank", 1, &rows);
  return rows;
}

static void build(struct call *call, struct index *index, sqlite3_value **columns) {
  int64_t rows = read_rows(call, columns[INDEX_RANK]);
  if (!call->failed) build_step(call, index, rows);
}

static void rebuild(struct call *call, struct index *index, sqlite3_value **columns) {
  int64_t rows = read_rows(call, columns[INDEX_RANK]);
  if (!call->failed) build_again(call, index, rows);
}

static void optimize(struct call *call, struct index *index, sqlite3_value **columns) {
  (void)columns;
  if (sync_refresh(call, index) == 0) sync_optimize(call, index);
}

static void check(struct call *call, struct index *index, sqlite3_value **columns) {
  (void)columns;
  index_forget(index); /* what the tables have now is to be checked */
  if (sync_refresh(call, index) == 0) check_index(call, index, CHECK_ROWS);
}

static void repair(struct call *call, struct index *index, sqlite3_value **columns) {
  (void)columns;
  index_forget(index);
  if (sync_refresh(call, index) == 0) check_index(call, index, CHECK_MEND);
}

static void set_cache(struct call *call, struct index *index, sqlite3_value **columns) {
  int64_t bytes;
  (void)index;
  if (integer_read(call, columns[INDEX_RANK], "rank", 0, &bytes) == 0) cache_limit((uint64_t)bytes);
}

static void set_recall(struct call *call, struct index *index, sqlite3_value **columns) {
  const char *name = (const char *)sqlite3_value_text(columns[INDEX_RANK]);
  double factor = name != NULL ? arguments_error_factor(name) : -1;
  if (factor < 0)
    fail(call, "rank is '%s', expected 'fast', 'default', 'safe' or 'exact'", name != NULL ? name : "NULL");
  else
    index_set_factor(call, index, factor);
}

static void delete_row(struct call *call, struct index *index, sqlite3_value **columns) {
  int64_t rowid;
  if (integer_read(call, columns[INDEX_ROWID], "rowid", INT64_MIN, &rowid) == 0) sync_remove(call, index, rowid);
}

static const struct {
  const char *name;
  void (*run)(struct call *call, struct index *index, sqlite3_value **columns);
  int writes;
} COMMANDS[] = {{"delete", delete_row, 0}, {"build", build, 1},          {"rebuild", rebuild, 1},
                {"optimize", optimize, 1}, {"sync", repair, 1},          {"cache", set_cache, 0},
                {"recall", set_recall, 0}, {"integrity-check", check, 0}};

int command_run(struct call *call, struct index *index, sqlite3_value **columns) {
  const char *name = (const char *)sqlite3_value_text(columns[INDEX_COMMAND]);
  if (name == NULL) return fail_nomem(call), call->failed;
  for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
    if (strcmp(name, COMMANDS[i].name) != 0) continue;
    if (COMMANDS[i].writes && index_write(call, index)) return call->failed;
    COMMANDS[i].run(call, index, columns);
    if (COMMANDS[i].writes) index_written(call, index);
    return call->failed;
  }
  fail(call,
       "there is no command '%s', expected 'build', 'rebuild', 'optimize', 'integrity-check', 'sync', 'cache' or "
       "'recall'",
       name);
  return call->failed;
}
