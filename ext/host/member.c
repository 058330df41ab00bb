/* See member.h. */
#include "host/member.h"

#include <math.h>
#include <string.h>

#include "host/value.h"

void fail_member(struct call *call, const struct member *m, const char *expected) {
  int is_boolean = strcmp(m->type, "true") == 0 || strcmp(m->type, "false") == 0;
  const char *quote = strcmp(m->type, "text") == 0 ? "\"" : "";
  fail(call, "options.%s is %s%s%s, expected %s", m->key, quote, m->text && !is_boolean ? m->text : m->type, quote,
       expected);
}

int member_is_text(const struct member *m, const char *text) {
  return strcmp(m->type, "text") == 0 && strcmp(m->text, text) == 0;
}

int member_is_from_0(const struct member *m) {
  return m->is_number && m->number >= 0 && !isinf(m->number);
}

int member_boolean(struct call *call, const struct member *m) {
  int is_true = strcmp(m->type, "true") == 0;
  if (!is_true && strcmp(m->type, "false") != 0) fail_member(call, m, "true or false");
  return is_true;
}

/* The key is none of the list, which the error names. */
static void fail_key(struct call *call, const struct member *m, const struct member_reader *readers) {
  char known[200] = "";
  for (int i = 0, length = 0; readers[i].key != NULL; i++) {
    const char *comma = i == 0 ? "" : readers[i + 1].key != NULL ? ", " : " or ";
    sqlite3_snprintf((int)sizeof known - length, known + length, "%s%s", comma, readers[i].key);
    length = (int)strlen(known);
  }
  fail(call, "options has the key '%s', expected %s", m->key, known);
}

/* The member's bit, to see one that comes twice; 0 when it is none. */
static unsigned read_member(struct call *call, const struct member *m, const struct member_reader *readers,
                            void *out) {
  for (unsigned i = 0; readers[i].key != NULL; i++) {
    if (strcmp(m->key, readers[i].key) != 0) continue;
    readers[i].read(call, m, out);
    return 1u << i;
  }
  fail_key(call, m, readers);
  return 0;
}

/* A column as text: NULL where it is NULL, or after an error. The type is asked first: when memory runs out, reading the
** text leaves a NULL behind. */
static const char *text_of(struct call *call, sqlite3_stmt *statement, int column) {
  int type = sqlite3_column_type(statement, column);
  const char *text = (const char *)sqlite3_column_text(statement, column);
  if (text == NULL && type != SQLITE_NULL) fail_nomem(call);
  return text;
}

static struct member member_of(struct call *call, sqlite3_stmt *statement) {
  struct member m = {.key = text_of(call, statement, 0),
                     .type = text_of(call, statement, 1),
                     .text = text_of(call, statement, 2)};
  m.is_number = m.type != NULL && (strcmp(m.type, "integer") == 0 || strcmp(m.type, "real") == 0);
  m.number = sqlite3_column_double(statement, 2);
  m.integer = sqlite3_column_int64(statement, 2);
  m.is_integer = m.is_number && (m.type[0] == 'i' || integer_of_real(m.number, &m.integer));
  return m;
}

static void read_all(struct call *call, sqlite3_stmt *statement, const struct member_reader *readers, void *out) {
  int rc = SQLITE_DONE;
  unsigned seen = 0;
  while (!call->failed && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
    const char *whole = text_of(call, statement, 3);
    struct member m = member_of(call, statement);
    if (call->failed) break;
    if (whole != NULL && strcmp(whole, "object") != 0) {
      fail(call, "options is a JSON %s, expected a JSON object", whole);
      break;
    }
    if (m.key == NULL) continue; /* the row that stands for an empty object */
    unsigned option = read_member(call, &m, readers, out);
    if (seen & option) fail(call, "options has the key '%s' twice, expected it once", m.key);
    seen |= option;
  }
  if (!call->failed && rc == SQLITE_NOMEM) fail_nomem(call);
  if (!call->failed && rc != SQLITE_DONE)
    fail(call, "options is not JSON (%s), expected a JSON object",
         sqlite3_errmsg(sqlite3_context_db_handle(call->context)));
}

int members_read(struct call *call, sqlite3_value *value, const struct member_reader *readers, void *out) {
  static const char SQL[] =
      "SELECT e.key, e.type, e.atom, w.type FROM (SELECT json_type(?1) AS type) AS w LEFT JOIN json_each(?1) AS e";
  sqlite3_stmt *statement = NULL;
  if (sqlite3_value_type(value) == SQLITE_NULL) return 0;
  if (sqlite3_value_type(value) != SQLITE_TEXT) {
    fail_type(call, "options", sqlite3_value_type(value), "TEXT, a JSON object");
    return call->failed;
  }
  int rc = sqlite3_prepare_v2(sqlite3_context_db_handle(call->context), SQL, -1, &statement, NULL);
  if (rc == SQLITE_OK) rc = sqlite3_bind_value(statement, 1, value);
  if (rc == SQLITE_OK)
    read_all(call, statement, readers, out);
  else if (rc == SQLITE_NOMEM)
    fail_nomem(call);
  else
    fail(call, "options cannot be read (%s), expected SQLite's JSON functions",
         sqlite3_errmsg(sqlite3_context_db_handle(call->context)));
  sqlite3_finalize(statement);
  return call->failed;
}
