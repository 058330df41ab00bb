/* The content of an index, for index.h: what it and its column are called now, and its rows. */
#include <string.h>

#include "index/index.h"

/* ---- names ---- */

/* Behind the first `new.` outside of quotes; NULL if there is none. */
static const char *find_column(const char *sql) {
  for (const char *at = sql; *at != 0; at++) {
    if (*at == '"') at += 1 + strcspn(at + 1, "\"");
    if (*at == 0) break;
    if (sqlite3_strnicmp(at, "new.", 4) == 0) return at + 4;
  }
  return NULL;
}

/* The column that the trigger on UPDATE compares, which SQLite renames in its text; from sqlite3_malloc, NULL without
** memory. */
static char *column_of_trigger(const char *sql, const char *otherwise) {
  const char *at = find_column(sql);
  if (at == NULL) return sqlite3_mprintf("%s", otherwise);
  if (*at != '"') return sqlite3_mprintf("%.*s", (int)strcspn(at, " \t\n\r,;)"), at);
  char *name = sqlite3_malloc64(strlen(at)), *out = name;
  if (name == NULL) return NULL;
  for (at++; *at != 0; at++) {
    if (*at == '"' && *++at != '"') break;
    *out++ = *at;
  }
  *out = 0;
  return name;
}

/* What the content is called now, and its column: by what its trigger says, if there is one. */
static void set_names(struct call *call, struct index *index, const char *name, const char *sql) {
  if (name == NULL) return fail_nomem(call);
  char *column = column_of_trigger(sql != NULL ? sql : "", index->arguments.column);
  char *copy = sqlite3_mprintf("%s", name);
  if (column == NULL || copy == NULL) {
    sqlite3_free(column);
    sqlite3_free(copy);
    return fail_nomem(call);
  }
  sqlite3_free(index->arguments.column);
  index->arguments.column = column;
  index->content_name = copy;
  index->has_triggers = sql != NULL;
}

/* Where there are triggers SQLite keeps the names up to date in them. */
int index_find_content(struct call *call, struct index *index) {
  sqlite3_stmt *s = NULL;
  if (index->content_name != NULL) return 0;
  char *sql = sqlite3_mprintf("SELECT t.tbl_name, t.sql FROM \"%w\".sqlite_schema AS t, \"%w\".\"%w_config\" AS c"
                              " WHERE t.type = 'trigger' AND t.name = c.text || '_update' AND c.id = 0",
                              index->schema, index->schema, index->name);
  int rc = sql != NULL ? sqlite3_prepare_v2(index->db, sql, -1, &s, NULL) : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc == SQLITE_OK) rc = sqlite3_step(s);
  const char *name = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 0) : NULL;
  const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(s, 1) : NULL;
  if (name != NULL && text != NULL)
    set_names(call, index, name, text);
  else if (rc == SQLITE_ROW)
    fail_nomem(call);
  else if (rc == SQLITE_DONE)
    set_names(call, index, index->arguments.content, NULL);
  else
    fail_sqlite(call, rc, index->db);
  sqlite3_finalize(s);
  return call->failed;
}

const char *index_content_schema(const struct index *index) {
  int is_there = sqlite3_table_column_metadata(index->db, index->schema, index->content_name, NULL, NULL, NULL,
                                               NULL, NULL, NULL) == SQLITE_OK;
  return is_there || sqlite3_stricmp(index->schema, "temp") != 0 ? index->schema : "main";
}

/* ---- rows in order ---- */

int index_open_content(struct call *call, struct index *index) {
  if (index_find_content(call, index)) return call->failed;
  if (index->content.all != NULL) return 0;
  const char *column = index->arguments.column;
  struct source_names names = {"content", column, index_content_schema(index), index->content_name, column};
  source_close(&index->content);
  index->content.db = index->db;
  return source_open_named(call, &index->content, &names);
}

void index_close_content(struct index *index) {
  source_close(&index->content);
  sqlite3_finalize(index->fetch);
  sqlite3_free(index->content_name);
  index->fetch = NULL;
  index->content_name = NULL;
}

/* ---- one row ---- */

static int prepare_fetch(struct call *call, struct index *index) {
  if (index->fetch != NULL || index_find_content(call, index)) return call->failed;
  char *sql = sqlite3_mprintf("SELECT t.\"%w\" FROM \"%w\".\"%w\" AS t WHERE t.rowid = ?1",
                              index->arguments.column, index_content_schema(index), index->content_name);
  int rc = sql != NULL ? sqlite3_prepare_v3(index->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &index->fetch, NULL)
                       : SQLITE_NOMEM;
  sqlite3_free(sql);
  if (rc != SQLITE_OK) fail_sqlite(call, rc, index->db);
  return call->failed;
}

/* A row's value as a vector. */
static void read_fetched(struct call *call, struct index *index, sqlite3_value *value, struct vector *v) {
  size_t d = index->generations[0].bare.header.d;
  if (sqlite3_value_type(value) == SQLITE_NULL) return;
  if (vector_read(call, value, index->arguments.column, v) == 0 && v->dim != d)
    fail_dim(call, index->arguments.column, v->dim, d, ", what the model takes");
}

int index_fetch(struct call *call, struct index *index, int64_t rowid, struct vector *v) {
  const int64_t *before = call->rowid;
  *v = (struct vector){0};
  if (prepare_fetch(call, index)) return call->failed;
  sqlite3_bind_int64(index->fetch, 1, rowid);
  int rc = sqlite3_step(index->fetch);
  call->rowid = &rowid;
  if (rc == SQLITE_ROW)
    read_fetched(call, index, sqlite3_column_value(index->fetch, 0), v);
  else if (rc != SQLITE_DONE)
    fail_sqlite(call, rc, index->db);
  call->rowid = before;
  if (call->failed) index_fetch_done(index, v);
  return call->failed;
}

void index_fetch_done(struct index *index, struct vector *v) {
  vector_free(v);
  *v = (struct vector){0};
  sqlite3_reset(index->fetch);
}
