/* See connection.h. A connection is used by one thread at a time, so the counts need no lock. */
#include "host/connection.h"

#include <string.h>

static const char POINTER_TYPE[] = "whiten_model";
static const char EXPECTED[] = "a model BLOB or a whiten_model() handle";

struct shared_model *model_retain(struct shared_model *model) {
  model->references++;
  return model;
}

static void release_pointer(void *model) {
  model_release(model);
}

void model_release(struct shared_model *model) {
  if (model == NULL || --model->references > 0) return;
  whitener_clear(&model->whitener);
  sqlite3_free(model);
}

struct connection *connection_create(void) {
  struct connection *connection = sqlite3_malloc64(sizeof *connection);
  if (connection != NULL) *connection = (struct connection){.references = 1, .cores = 1, .most_cores = 1};
  return connection;
}

void connection_release(struct connection *connection) {
  if (connection == NULL || --connection->references > 0) return;
  for (int i = 0; i < MODELS_CACHED; i++) model_release(connection->cached[i]);
  for (struct setting *s = connection->settings, *next; s != NULL; s = next) {
    next = s->next;
    sqlite3_free(s);
  }
  sqlite3_free(connection);
}

static struct setting *find(struct setting *s, const char *name) {
  while (s != NULL && sqlite3_stricmp(s->name, name) != 0) s = s->next;
  return s;
}

const struct setting *setting_find(const struct connection *connection, const char *name) {
  return find(connection->settings, name);
}

int setting_put(struct connection *connection, const char *name, double value) {
  struct setting *s = find(connection->settings, name);
  if (s == NULL) {
    size_t bytes = strlen(name) + 1;
    s = sqlite3_malloc64(sizeof *s + bytes);
    if (s == NULL) return 0;
    s->next = connection->settings;
    memcpy(s->name, name, bytes);
    connection->settings = s;
  }
  s->value = value;
  return 1;
}

int connection_models(const struct connection *connection) {
  int count = 0;
  while (count < MODELS_CACHED && connection->cached[count] != NULL) count++;
  return count;
}

/* Moves model to the front of the cache, most recently used first; retains it if it is new, releases what falls out. */
static void bring_forward(struct connection *connection, struct shared_model *model) {
  struct shared_model **cached = connection->cached;
  int i = 0;
  while (i < MODELS_CACHED && cached[i] != model) i++;
  if (i == MODELS_CACHED) {
    model_retain(model);
    i = MODELS_CACHED - 1;
    model_release(cached[i]);
  }
  for (; i > 0; i--) cached[i] = cached[i - 1];
  cached[0] = model;
}

/* The cached model that this BLOB is, byte for byte. Neither where a BLOB lies nor the hash in its header would do: the
** next row's may lie in its place, and one that has rotted has the same header. */
static struct shared_model *recall(const struct connection *connection, const void *blob, size_t bytes) {
  for (int i = 0; i < MODELS_CACHED && connection->cached[i] != NULL; i++)
    if (whitener_is_of(&connection->cached[i]->whitener, blob, bytes)) return model_retain(connection->cached[i]);
  return NULL;
}

static struct shared_model *parse(struct call *call, const void *blob, size_t bytes) {
  struct shared_model *model = sqlite3_malloc64(sizeof *model);
  if (model == NULL) return fail_nomem(call), NULL;
  *model = (struct shared_model){.references = 1};
  enum status rc = whitener_init(&model->whitener, blob, bytes, &sqlite_memory);
  if (rc == STATUS_OK) {
    call->connection->parsed++;
    return model;
  }
  uint64_t claimed = model->whitener.header.size;
  model_release(model);
  fail_blob(call, "model", rc, blob, bytes, claimed);
  return NULL;
}

struct shared_model *model_of_blob(struct call *call, const void *blob, size_t bytes) {
  struct shared_model *model = recall(call->connection, blob, bytes);
  if (model == NULL) model = parse(call, blob, bytes);
  if (model != NULL) bring_forward(call->connection, model);
  return model;
}

static struct shared_model *from_value(struct call *call, sqlite3_value *value) {
  const void *blob = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value);
  if (blob == NULL && bytes > 0) return fail_nomem(call), NULL;
  struct shared_model *model = model_of_blob(call, blob, bytes);
  if (model != NULL && call->context != NULL)
    sqlite3_set_auxdata(call->context, 0, model_retain(model), release_pointer);
  return model;
}

struct shared_model *model_argument(struct call *call, sqlite3_value *value) {
  struct shared_model *model = sqlite3_value_pointer(value, POINTER_TYPE);
  if (model == NULL && call->context != NULL) model = sqlite3_get_auxdata(call->context, 0);
  if (model != NULL) return model_retain(model);
  switch (sqlite3_value_type(value)) {
    case SQLITE_BLOB: return from_value(call, value);
    case SQLITE_NULL:
      fail(call,
           "model is NULL, expected %s (a handle does not survive a CTE, a view or a column: use it where it "
           "is made)",
           EXPECTED);
      return NULL;
    default: fail_type(call, "model", sqlite3_value_type(value), EXPECTED); return NULL;
  }
}

int is_model_handle(sqlite3_value *value) {
  return sqlite3_value_pointer(value, POINTER_TYPE) != NULL;
}

int value_is_same(sqlite3_value *copy, sqlite3_value *value) {
  if (copy == NULL || value == NULL) return copy == value;
  int type = sqlite3_value_type(value);
  if (type != sqlite3_value_type(copy)) return 0;
  if (type == SQLITE_NULL) return !is_model_handle(value);
  if (type == SQLITE_INTEGER) return sqlite3_value_int64(copy) == sqlite3_value_int64(value);
  if (type == SQLITE_FLOAT) return sqlite3_value_double(copy) == sqlite3_value_double(value);
  const void *a = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(copy) : sqlite3_value_blob(copy);
  const void *b = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(value) : sqlite3_value_blob(value);
  int bytes = sqlite3_value_bytes(value);
  return sqlite3_value_bytes(copy) == bytes &&
         (bytes == 0 || (a != NULL && b != NULL && memcmp(a, b, (size_t)bytes) == 0));
}

void result_model(struct call *call, struct shared_model *model) {
  sqlite3_result_pointer(call->context, model_retain(model), POINTER_TYPE, release_pointer);
}

int model_bind(sqlite3_stmt *statement, int index, struct shared_model *model) {
  return sqlite3_bind_pointer(statement, index, model_retain(model), POINTER_TYPE, release_pointer);
}
