/*
** States and masks of pool_tokens: the first bytes choose dimension, mode and the kind of mask, and how long it is; the
** rest is the mask and the states.
**
** The result is what the aggregate of that name gives for the same rows, to the bit; or both refuse.
*/
#include <string.h>

#include "fuzz.h"

enum { MEAN, POSITION_MEAN, MAX, MEAN_SQRT_LEN, CLS, LAST, MODES };
enum { NO_MASK, JSON_MASK, BYTE_MASK, INT64_MASK, MASKS };
static const char *const NAMES[MODES] = {"mean", "position_mean", "max", "mean_sqrt_len", "cls", "last"};

static struct input cut(struct input *input, size_t bytes) {
  struct input front = {input->data, bytes < input->size ? bytes : input->size};
  input->data += front.size;
  input->size -= front.size;
  return front;
}

/* The tokens as rows: position, v, mask. */
static void make_rows(struct input states, size_t dim, int kind, struct input mask) {
  size_t tokens = states.size / (4 * dim);
  sqlite3_exec(fuzz_connection(), "CREATE TEMP TABLE IF NOT EXISTS token(position, v, mask); DELETE FROM token", 0,
               0, 0);
  for (size_t i = 0; i < tokens; i++) {
    struct argument position = INTEGER_OF((int64_t)i + 1), v = BLOB_OF(states.data + 4 * dim * i, 4 * dim);
    int64_t weight = 1;
    if (kind == BYTE_MASK) weight = mask.data[i];
    if (kind == INT64_MASK) memcpy(&weight, mask.data + 8 * i, sizeof weight);
    sqlite3_value_free(QUERY("INSERT INTO token VALUES (?1, ?2, ?3)", position, v, INTEGER_OF(weight)));
  }
}

static sqlite3_value *pool_rows(int mode) {
  static const char *const SQL[MODES] = {
      "SELECT pool_mean(v, mask) FROM token",          "SELECT pool_position_mean(v, position, mask) FROM token",
      "SELECT pool_max(v, mask) FROM token",           "SELECT pool_mean_sqrt_len(v, mask) FROM token",
      "SELECT pool_cls(v, position, mask) FROM token", "SELECT pool_last(v, position, mask) FROM token"};
  return fuzz_query(SQL[mode], 0, NULL);
}

/* A mask of the right length, so that the aggregate can be asked. A JSON mask is float32: the rows' would not be. */
static int is_comparable(struct input states, size_t dim, int kind, struct input mask) {
  size_t tokens = states.size / (4 * dim);
  if (tokens == 0 || tokens > 64 || states.size % (4 * dim) != 0 || kind == JSON_MASK) return 0;
  return kind == NO_MASK || mask.size == tokens * (kind == BYTE_MASK ? 1 : 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct input input = {data, size};
  size_t dim = fuzz_take(&input) % 9;
  int mode = (int)(fuzz_take(&input) % MODES), kind = (int)(fuzz_take(&input) % MASKS);
  struct input mask = cut(&input, fuzz_take(&input));
  struct argument states = BLOB_OF(input.data, input.size), d = INTEGER_OF((int64_t)dim);
  struct argument name = TEXT_OF(NAMES[mode], strlen(NAMES[mode]));
  struct argument m = kind == JSON_MASK ? TEXT_OF(mask.data, mask.size) : BLOB_OF(mask.data, mask.size);
  sqlite3_value *pooled = kind == NO_MASK ? QUERY("SELECT pool_tokens(?1, ?2, ?3)", states, d, name)
                                          : QUERY("SELECT pool_tokens(?1, ?2, ?3, ?4)", states, d, name, m);
  if (dim == 0) fuzz_must(pooled == NULL, "dimension 0 is taken");
  if (dim > 0 && is_comparable(input, dim, kind, mask)) {
    make_rows(input, dim, kind, mask);
    sqlite3_value *rows = pool_rows(mode);
    fuzz_must(fuzz_same(pooled, rows), "pool_tokens and the aggregate differ");
    sqlite3_value_free(rows);
  }
  sqlite3_value_free(pooled);
  return 0;
}
