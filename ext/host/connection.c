/* See connection.h. A connection is used by one thread at a time, so the counts need no lock. */
#include "host/connection.h"

#include "core/blob.h"

static const char POINTER_TYPE[] = "whiten_model";
static const char EXPECTED[] = "a model BLOB or a whiten_model() handle";

/* Auxiliary data with a negative index belong to the statement, whichever function asks: SQLite's own JSON functions
** keep their cache so. Should that cease, models are hashed more often, and nothing else changes. */
enum { STATEMENT_MODELS = -2083165 };

/*
** What one statement has met: models, and where their BLOBs lay when their content was hashed. A sub-query's BLOB stays
** where it is from row to row; one at a new address may be another, whatever its header says, and is hashed. So is one
** below HASHED_ALWAYS, where that is cheap: SQLite may put another row's BLOB at the same address.
*/
enum { ADDRESSES = 4, HASHED_ALWAYS = 65536 };
struct statement_models {
  struct shared_model *models[MODELS_CACHED];
  struct {
    const struct shared_model *model;
    const void *blob;
  } seen[ADDRESSES];
  unsigned next;
};

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
  if (connection != NULL) *connection = (struct connection){.references = 1, .cores = 1};
  return connection;
}

void connection_release(struct connection *connection) {
  if (connection == NULL || --connection->references > 0) return;
  for (int i = 0; i < MODELS_CACHED; i++) model_release(connection->cached[i]);
  sqlite3_free(connection);
}

int connection_models(const struct connection *connection) {
  int count = 0;
  while (count < MODELS_CACHED && connection->cached[count] != NULL) count++;
  return count;
}

/* Moves model to the front of a list, most recently used first; retains it if it is new, releases what falls out. */
static void bring_forward(struct shared_model *list[MODELS_CACHED], struct shared_model *model) {
  int i = 0;
  while (i < MODELS_CACHED && list[i] != model) i++;
  if (i == MODELS_CACHED) {
    model_retain(model);
    i = MODELS_CACHED - 1;
    model_release(list[i]);
  }
  for (; i > 0; i--) list[i] = list[i - 1];
  list[0] = model;
}

static struct shared_model *find(struct shared_model *list[MODELS_CACHED], uint64_t hash, size_t bytes) {
  for (int i = 0; i < MODELS_CACHED && list[i] != NULL; i++) {
    const struct model_header *header = &list[i]->whitener.header;
    if (header->hash == hash && header->size == bytes) return list[i];
  }
  return NULL;
}

static void release_statement_models(void *p) {
  struct statement_models *statement = p;
  for (int i = 0; i < MODELS_CACHED; i++) model_release(statement->models[i]);
  sqlite3_free(statement);
}

static struct statement_models *statement_models(struct call *call) {
  return call->context != NULL ? sqlite3_get_auxdata(call->context, STATEMENT_MODELS) : NULL;
}

/* Remembers that this statement has hashed the BLOB of model; without memory it will just be hashed again. */
static void remember(struct call *call, struct shared_model *model, const void *blob) {
  struct statement_models *statement = statement_models(call), *fresh = NULL;
  if (call->context == NULL) return;
  if (statement == NULL) {
    statement = fresh = sqlite3_malloc64(sizeof *fresh);
    if (fresh == NULL) return;
    *fresh = (struct statement_models){.next = 0};
  }
  bring_forward(statement->models, model);
  statement->seen[statement->next].model = model;
  statement->seen[statement->next].blob = blob;
  statement->next = (statement->next + 1) % ADDRESSES;
  if (fresh != NULL) sqlite3_set_auxdata(call->context, STATEMENT_MODELS, fresh, release_statement_models);
}

/* The model of a BLOB that this statement has hashed where it lies. */
static struct shared_model *recall(struct call *call, const void *blob, size_t bytes) {
  struct statement_models *statement = statement_models(call);
  if (statement == NULL || bytes < HASHED_ALWAYS) return NULL;
  struct shared_model *model = find(statement->models, model_stored_hash(blob), bytes);
  for (int i = 0; model != NULL && i < ADDRESSES; i++)
    if (statement->seen[i].model == model && statement->seen[i].blob == blob) return model;
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

/* The model of a BLOB that this statement has not met: from the cache if its content is what its hash says. */
static struct shared_model *load(struct call *call, const void *blob, size_t bytes) {
  struct model_header header;
  struct model_arrays arrays;
  struct shared_model *model = NULL;
  if (model_read(blob, bytes, &header, &arrays) == STATUS_OK) {
    model = find(call->connection->cached, header.hash, bytes);
    if (model != NULL && blob_check_hash(blob, bytes) != STATUS_OK) model = NULL;
  }
  model = model != NULL ? model_retain(model) : parse(call, blob, bytes);
  if (model == NULL) return NULL;
  bring_forward(call->connection->cached, model);
  remember(call, model, blob);
  if (call->context != NULL) sqlite3_set_auxdata(call->context, 0, model_retain(model), release_pointer);
  return model;
}

static struct shared_model *from_blob(struct call *call, sqlite3_value *value) {
  const void *blob = sqlite3_value_blob(value);
  size_t bytes = (size_t)sqlite3_value_bytes(value);
  if (blob == NULL && bytes > 0) return fail_nomem(call), NULL;
  struct shared_model *model = recall(call, blob, bytes);
  return model != NULL ? model_retain(model) : load(call, blob, bytes);
}

struct shared_model *model_argument(struct call *call, sqlite3_value *value) {
  struct shared_model *model = sqlite3_value_pointer(value, POINTER_TYPE);
  if (model == NULL && call->context != NULL) model = sqlite3_get_auxdata(call->context, 0);
  if (model != NULL) return model_retain(model);
  switch (sqlite3_value_type(value)) {
    case SQLITE_BLOB: return from_blob(call, value);
    case SQLITE_NULL:
      fail(call,
           "model is NULL, expected %s (a handle does not survive a CTE, a view or a column: use it where it "
           "is made)",
           EXPECTED);
      return NULL;
    default: fail_type(call, "model", sqlite3_value_type(value), EXPECTED); return NULL;
  }
}

void result_model(struct call *call, struct shared_model *model) {
  sqlite3_result_pointer(call->context, model_retain(model), POINTER_TYPE, release_pointer);
}
