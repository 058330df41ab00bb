/* See index.h. */
#include "index/index.h"

#include "core/hash.h"
#include "core/vector.h"
#include "host/memory.h"

struct call index_call(struct index *index) {
  return call_of_table(index->name, index->connection, &index->base.zErrMsg);
}

/* ---- what is set ---- */

/* Under which the connection keeps it. */
static char *setting_name(const struct index *index) {
  return sqlite3_mprintf("%s.%s.recall", index->schema, index->name);
}

int index_set_factor(struct call *call, struct index *index, double factor) {
  char *name = setting_name(index);
  if (name == NULL || !setting_put(index->connection, name, factor))
    fail_nomem(call);
  else
    index->error_factor = factor;
  sqlite3_free(name);
  return call->failed;
}

int index_restore_factor(struct call *call, struct index *index) {
  char *name = setting_name(index);
  if (name == NULL) return fail_nomem(call), call->failed;
  const struct setting *set = setting_find(index->connection, name);
  index->error_factor = set != NULL ? set->value : index->arguments.error_factor;
  sqlite3_free(name);
  return 0;
}

/* ---- generations ---- */

void generation_clear(struct generation *g) {
  model_release(g->model);
  codes_clear(&g->codes);
  dir_clear(&g->dir);
  sqlite3_free(g->workspace);
  *g = (struct generation){0};
}

static int make_workspace(struct call *call, struct generation *g) {
  size_t d = g->bare.header.d, m = g->bare.header.m, padded = (m + 15) / 16 * 16;
  g->workspace = sqlite3_malloc64(63 + (padded + d + d % 2) * sizeof(float) + codes_row_bytes(&g->codes));
  if (g->workspace == NULL) return fail_nomem(call), call->failed;
  g->y = memory_align64(g->workspace);
  g->shifted = g->y + padded;
  g->code = (struct code *)(void *)(g->shifted + d + d % 2);
  return 0;
}

/* What belongs to a generation and does not change. */
static int load_model(struct call *call, struct index *index, struct generation *g) {
  void *blob;
  size_t bytes;
  if (store_model(call, &index->store, g->stored.id, &blob, &bytes) == 0) {
    g->model = model_of_blob(call, blob, bytes);
    if (g->model != NULL) {
      g->bare = g->model->whitener;
      g->bare.header.flags &= ~(uint32_t)MODEL_NORMALIZE;
      if (codes_init(&g->codes, g->bare.header.m, &sqlite_memory) != STATUS_OK)
        fail_nomem(call);
      else
        g->full = store_full_rows(&index->store, &g->codes);
    }
  }
  sqlite3_free(blob);
  return call->failed ? call->failed : make_workspace(call, g);
}

static int load_generation(struct call *call, struct index *index, int place,
                           const struct store_generation *stored) {
  struct generation *g = &index->generations[place];
  if (g->model == NULL || g->stored.stamp != stored->stamp) {
    generation_clear(g);
    g->stored = *stored;
    if (load_model(call, index, g)) return generation_clear(g), call->failed;
  }
  g->stored = *stored;
  return store_dir(call, &index->store, stored->id, &g->dir);
}

/* Of all that a reader goes by, but for models and chunks, which have their own. */
static int64_t hash_of(const struct index *index) {
  uint64_t hash = 0;
  for (int i = 0; i < 2; i++) {
    const struct generation *g = &index->generations[i];
    if (g->model == NULL) continue;
    hash = hash_xxh64(&g->stored, sizeof g->stored, hash);
    hash = hash_xxh64(g->dir.chunks, g->dir.count * sizeof *g->dir.chunks, hash);
  }
  return (int64_t)hash;
}

void index_forget(struct index *index) {
  index->root = 0;
}

int index_is_same(const struct index *a, const struct index *b) {
  return a->db == b->db && sqlite3_stricmp(a->schema, b->schema) == 0 && sqlite3_stricmp(a->name, b->name) == 0;
}

/* Nothing may have failed halfway. */
static int check_whole(struct call *call, const struct index *index) {
  for (const struct index *i = index->connection->indexes; i != NULL; i = i->next)
    if (pending_is_torn(&i->pending) && i->writing == 0 && index_is_same(i, index))
      fail(call, "a change of '%s' failed halfway in this transaction, expected ROLLBACK", index->name);
  return call->failed;
}

static int read_generations(struct call *call, struct index *index) {
  struct store_generation stored[2];
  int count;
  index_forget(index);
  if (store_generations(call, &index->store, stored, &count)) return call->failed;
  /* A next one that has become the current one keeps what was made of its model. */
  if (count > 0 && index->generations[1].stored.stamp == stored[0].stamp) {
    generation_clear(&index->generations[0]);
    index->generations[0] = index->generations[1];
    index->generations[1] = (struct generation){0};
  }
  for (int i = 0; i < 2 && !call->failed; i++)
    if (i < count)
      load_generation(call, index, i, &stored[i]);
    else
      generation_clear(&index->generations[i]);
  return call->failed;
}

int index_look(struct call *call, struct index *index) {
  int64_t root, hash;
  if (check_whole(call, index) || store_root(call, &index->store, &root, &hash)) return call->failed;
  if (root == index->root || read_generations(call, index)) return call->failed;
  if (hash != hash_of(index))
    fail(call,
         "chunks are not those that '%s' was left with: %s_dir or %s_config is damaged; 'rebuild' makes them anew",
         index->name, index->name, index->name);
  else
    index->root = root;
  return call->failed;
}

/* ---- writing ---- */

int index_write(struct call *call, struct index *index) {
  if (check_whole(call, index)) return call->failed;
  if (index->writing++ == 0) {
    index->writes = index->store.writes;
    pending_write(&index->pending);
  }
  return 0;
}

void index_written(struct call *call, struct index *index) {
  if (call->failed) index_forget(index);
  if (--index->writing > 0) return;
  if (!call->failed || index->store.writes == index->writes) pending_written(&index->pending);
}

int index_touch(struct call *call, struct index *index) {
  return store_touch(call, &index->store, hash_of(index), &index->root);
}

int index_renew(struct call *call, struct index *index) {
  return read_generations(call, index) ? call->failed : index_touch(call, index);
}

/* ---- coding ---- */

int index_encode(struct call *call, const struct index *index, struct generation *g, int64_t rowid,
                 const struct vector *v) {
  const char *column = index->arguments.column;
  size_t d = g->bare.header.d, place;
  if (v->dim != d) return fail_dim(call, column, v->dim, d, ", what the model takes"), 0;
  if (whitener_apply(&g->bare, v->data, g->shifted, g->y, &place) != STATUS_OK) {
    if (!fail_not_finite(call, column, d, v->data)) fail_overflow(call, "the whitened vector", place);
    return 0;
  }
  g->code->rowid = rowid;
  return codes_encode(&g->codes, g->y, g->code) == STATUS_OK;
}
