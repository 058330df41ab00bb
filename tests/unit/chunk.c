/*
** core/chunk: rows that come, change and go, and chunks that are split, against a map; what is stored, written out
** here from the formats that codes.h and chunk.h specify; damage.
*/
#include "core/chunk.h"

#include "core/hash.h"
#include "faulty_memory.h"

enum { ROWIDS = 1500, BYTES_MAX = 16, ROW_MAX = 24 + 5 * BYTES_MAX + 8 };

/* The rowids of the tests, of which a few are extreme. */
static int64_t rowid_of(size_t i) {
  static const int64_t EXTREME[] = {0, INT64_MIN, INT64_MAX, -1, INT64_MIN + 1, INT64_MAX - 1};
  return i < COUNT(EXTREME) ? EXTREME[i] : ((int64_t)i * 7919 - 5000000) * 1000003;
}

/* A row, in no element zero, that is told from every other by its number. */
static void make_row(const struct codes *codes, int64_t rowid, uint64_t number, struct code *row) {
  struct random r = {number};
  unsigned char *bits = (unsigned char *)(row + 1);
  *row = (struct code){.rowid = rowid,
                       .signs_factor = (float)(1 + random_uniform(&r)),
                       .factor = (float)(1 + random_uniform(&r)),
                       .norm = (float)(1 + random_uniform(&r))};
  for (size_t i = 0; i < 5 * codes->bytes; i++) bits[i] = (unsigned char)(1 + random_below(&r, 255));
}

/* numbers[i]: the row of rowid_of(i), 0 if it is not there. */
struct model {
  struct codes codes;
  struct chunk chunk;
  uint64_t numbers[ROWIDS], changes;
  size_t count;
};

/* ---- the stored form, from the specification ---- */

enum { BLOCK_MAX = 8 + 1024 + 64 * 4 * BYTES_MAX };
struct image {
  size_t blocks;
  unsigned char parts[2][CHUNK_BLOCKS][BLOCK_MAX];
};

static void put_row(unsigned char *signs, unsigned char *rest, size_t bytes, size_t place,
                    const struct code *row) {
  const unsigned char *bits = (const unsigned char *)(row + 1);
  memcpy(signs + 4 * place, &row->signs_factor, 4);
  for (size_t j = 0; j < bytes; j++) signs[256 + 64 * j + place] = bits[j];
  memcpy(rest + 8 * place, &row->rowid, 8);
  memcpy(rest + 512 + 4 * place, &row->factor, 4);
  memcpy(rest + 768 + 4 * place, &row->norm, 4);
  memcpy(rest + 1024 + 4 * bytes * place, bits + bytes, 4 * bytes);
}

static void seal(unsigned char *block, size_t bytes, int64_t number, size_t index, int rest) {
  unsigned char place[16] = {0};
  memcpy(place, &number, 8);
  place[8] = (unsigned char)index;
  place[12] = (unsigned char)rest;
  uint64_t hash = hash_xxh64(block + 8, bytes, hash_xxh64(place, sizeof place, 0));
  memcpy(block, &hash, 8);
}

/* What the model has, each row where the chunk says that it is; each place is taken once. */
static void expect(const struct model *m, struct image *image) {
  union {
    struct code head;
    unsigned char bytes[ROW_MAX];
  } row;
  static unsigned char taken[CHUNK_ROWS];
  size_t bytes = m->codes.bytes;
  memset(image, 0, sizeof *image);
  memset(taken, 0, sizeof taken);
  image->blocks = (m->count + 63) / 64;
  for (size_t i = 0; i < ROWIDS; i++) {
    size_t place = chunk_find(&m->chunk, rowid_of(i));
    assert_int_equal(place != SIZE_MAX, m->numbers[i] != 0);
    if (place == SIZE_MAX) continue;
    assert_true(place < m->count && !taken[place]++);
    make_row(&m->codes, rowid_of(i), m->numbers[i], &row.head);
    put_row(image->parts[0][place / 64] + 8, image->parts[1][place / 64] + 8, bytes, place % 64, &row.head);
  }
  for (size_t b = 0; b < image->blocks; b++)
    for (int rest = 0; rest < 2; rest++)
      seal(image->parts[rest][b], rest ? 1024 + 256 * bytes : 256 + 64 * bytes, m->chunk.number, b, rest);
}

/* Writes what is dirty. */
static void save(struct chunk *c, struct image *image) {
  image->blocks = (c->count + 63) / 64;
  for (size_t b = 0; b < CHUNK_BLOCKS; b++)
    for (int rest = 0; rest < 2; rest++) {
      unsigned char *block = image->parts[rest][b];
      if (b >= image->blocks) memset(block, 0, BLOCK_MAX);
      if (c->dirty >> b & 1) chunk_write_block(c, rest, b, block);
    }
  assert_true(c->dirty >> image->blocks == 0); /* nothing of a block that is no more */
  c->dirty = 0;
}

/* ---- changes ---- */

static void start(struct model *m, size_t k, int64_t number) {
  memset(m, 0, sizeof *m);
  assert_int_equal(codes_init(&m->codes, k, &faulty_memory), STATUS_OK);
  assert_in_range(m->codes.bytes, 1, BYTES_MAX);
  assert_int_equal(chunk_init(&m->chunk, &m->codes, number), STATUS_OK);
  assert_true((uintptr_t)m->chunk.signs % 64 == 0 && (uintptr_t)m->chunk.rest % 64 == 0);
}

static void stop(struct model *m) {
  chunk_clear(&m->chunk);
  chunk_clear(&m->chunk); /* harmless twice */
  codes_clear(&m->codes);
  assert_int_equal(faulty.live, 0);
}

static void put(struct model *m, size_t i) {
  union {
    struct code head;
    unsigned char bytes[ROW_MAX];
  } row;
  m->count += m->numbers[i] == 0;
  m->numbers[i] = ++m->changes;
  make_row(&m->codes, rowid_of(i), m->numbers[i], &row.head);
  chunk_put(&m->chunk, &row.head);
}

static void remove_row(struct model *m, size_t i) {
  assert_int_equal(chunk_remove(&m->chunk, rowid_of(i)), m->numbers[i] != 0);
  m->count -= m->numbers[i] != 0;
  m->numbers[i] = 0;
}

/* A change, as there is room for it; `growth` in a hundred are puts. */
static void change(struct model *m, struct random *r, size_t growth) {
  size_t i = random_below(r, ROWIDS);
  if (random_below(r, 100) >= growth)
    remove_row(m, i);
  else if (m->count < CHUNK_ROWS || m->numbers[i] != 0)
    put(m, i);
  assert_int_equal(m->chunk.count, m->count);
}

/* Which of the blocks that there are differ. */
static uint32_t differences(const struct image *before, const struct image *after) {
  uint32_t found = 0;
  for (size_t b = 0; b < after->blocks; b++)
    for (int rest = 0; rest < 2; rest++)
      if (memcmp(before->parts[rest][b], after->parts[rest][b], BLOCK_MAX) != 0) found |= UINT32_C(1) << b;
  return found;
}

static void check_range(const struct model *m) {
  int64_t first, last, least = INT64_MAX, most = INT64_MIN;
  if (m->count == 0) return;
  for (size_t i = 0; i < ROWIDS; i++)
    if (m->numbers[i] != 0) {
      if (rowid_of(i) < least) least = rowid_of(i);
      if (rowid_of(i) > most) most = rowid_of(i);
    }
  chunk_range(&m->chunk, &first, &last);
  assert_true(first == least && last == most);
}

static const size_t KS[] = {1, 8, 9, 100};

/* Up and down, saved now and then: the image that is kept by the dirty bits is the whole. A single change from a clean
** state marks what it changes, and no more. */
TEST(chunk_against_a_map) {
  struct random r = {random_seed()};
  static struct model m;
  static struct image image, whole, before;
  for (size_t k = 0; k < COUNT(KS); k++) {
    start(&m, KS[k], (int64_t)random_bits(&r));
    memset(&image, 0, sizeof image);
    for (int i = 0; i < repeats(150); i++) {
      size_t growth = i / 30 % 2 ? 20 : 95, changes = 1 + random_below(&r, 60);
      int is_single = random_below(&r, 4) == 0;
      for (size_t j = 0; j < (is_single ? 1 : changes); j++) change(&m, &r, growth);
      before = image;
      expect(&m, &whole);
      uint32_t dirty = m.chunk.dirty;
      save(&m.chunk, &image);
      assert_memory_equal(&image, &whole, sizeof image);
      if (is_single) assert_int_equal(dirty, differences(&before, &whole));
      check_range(&m);
    }
    stop(&m);
  }
}

/* The edges of blocks, by hand: a block is begun, left, begun again. */
TEST(chunk_at_the_edge_of_a_block) {
  static struct model m;
  start(&m, 9, 1);
  assert_int_equal(chunk_find(&m.chunk, 0), SIZE_MAX);
  assert_int_equal(chunk_remove(&m.chunk, 0), 0);
  for (size_t i = 0; i < 65; i++) put(&m, i);
  assert_int_equal(m.chunk.dirty, 3);
  m.chunk.dirty = 0;
  remove_row(&m, 64); /* the last row, alone in its block */
  assert_int_equal(m.chunk.dirty, 0);
  put(&m, 64);
  assert_int_equal(m.chunk.dirty, 2);
  m.chunk.dirty = 0;
  remove_row(&m, 3); /* the last row goes to its place */
  assert_int_equal(m.chunk.dirty, 1);
  assert_int_equal(chunk_find(&m.chunk, rowid_of(64)), 3);
  for (size_t i = 0; i < 65; i++) remove_row(&m, i);
  assert_int_equal(m.chunk.count, 0);
  assert_int_equal(m.chunk.dirty, 0);
  stop(&m);
}

/* ---- splitting ---- */

static int by_value(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* What the lower half has stays in m, what the upper one has goes to `upper`: by sorting. */
static void split_model(struct model *m, struct model *upper) {
  static int64_t rowids[ROWIDS];
  size_t count = 0;
  for (size_t i = 0; i < ROWIDS; i++)
    if (m->numbers[i] != 0) rowids[count++] = rowid_of(i);
  qsort(rowids, count, sizeof *rowids, by_value);
  for (size_t i = 0; i < ROWIDS; i++)
    if (m->numbers[i] != 0 && count > 1 && rowid_of(i) >= rowids[(count + 1) / 2]) {
      upper->numbers[i] = m->numbers[i];
      m->numbers[i] = 0;
      upper->count++;
      m->count--;
    }
}

TEST(chunk_split_by_rowid) {
  struct random r = {random_seed()};
  static const size_t COUNTS[] = {CHUNK_ROWS, CHUNK_ROWS, 1001, 130, 128, 3, 2, 1};
  static struct model m, upper;
  static struct image before, lower_image, upper_image;
  for (size_t n = 0; n < COUNT(COUNTS); n++) {
    memset(&lower_image, 0, sizeof lower_image);
    memset(&upper_image, 0, sizeof upper_image);
    start(&m, KS[n % COUNT(KS)], 5);
    while (m.count < COUNTS[n]) put(&m, random_below(&r, ROWIDS));
    save(&m.chunk, &lower_image);
    before = lower_image;
    memset(&upper, 0, sizeof upper);
    upper.codes = m.codes;
    assert_int_equal(chunk_init(&upper.chunk, &m.codes, 6), STATUS_OK);
    chunk_split(&m.chunk, &upper.chunk);
    split_model(&m, &upper);
    assert_int_equal(m.chunk.count, (COUNTS[n] + 1) / 2);
    assert_int_equal(upper.chunk.count, COUNTS[n] / 2);
    uint32_t dirty = m.chunk.dirty;
    save(&m.chunk, &lower_image);
    save(&upper.chunk, &upper_image);
    static struct image whole;
    expect(&m, &whole);
    assert_memory_equal(&lower_image, &whole, sizeof whole);
    assert_int_equal(dirty, differences(&before, &whole));
    expect(&upper, &whole);
    assert_memory_equal(&upper_image, &whole, sizeof whole);
    chunk_clear(&upper.chunk);
    stop(&m);
  }
}

/* As no chunk should be: one rowid 1,024 times. Both halves have room then. */
TEST(chunk_split_of_equal_rowids) {
  static struct model m;
  struct chunk upper = {0};
  start(&m, 8, 1);
  for (size_t i = 0; i < CHUNK_ROWS; i++) put(&m, i);
  for (size_t b = 0; b < CHUNK_BLOCKS; b++) memset(chunk_block(&m.chunk, b).rest, 0, 64 * sizeof(int64_t));
  assert_int_equal(chunk_init(&upper, &m.codes, 2), STATUS_OK);
  chunk_split(&m.chunk, &upper);
  assert_int_equal(m.chunk.count, CHUNK_ROWS / 2);
  assert_int_equal(upper.count, CHUNK_ROWS / 2);
  chunk_clear(&upper);
  stop(&m);
}

/* ---- what is stored ---- */

/* A chunk of three blocks, and its parts as stored; *stored to be freed. */
static size_t store(struct model *m, int rest, unsigned char **stored) {
  size_t size = chunk_stored_bytes(&m->codes, rest, 1);
  assert_int_equal(chunk_stored_bytes(&m->codes, rest, 3), 3 * size);
  assert_int_equal(size, 8 + (rest ? m->codes.rest_bytes : m->codes.signs_bytes));
  *stored = malloc(3 * size);
  for (size_t b = 0; b < 3; b++) chunk_write_block(&m->chunk, rest, b, *stored + b * size);
  return size;
}

static enum status read_back(const struct chunk_part *part, size_t first, size_t blocks, const void *stored) {
  static _Alignas(64) unsigned char out[CHUNK_BLOCKS * BLOCK_MAX];
  return chunk_read_blocks(part, first, blocks, stored, out);
}

static void fill_three_blocks(struct model *m) {
  start(m, 9, -77);
  for (size_t i = 0; i < 150; i++) put(m, i);
}

TEST(chunk_stored_and_read) {
  static struct model m;
  static _Alignas(64) unsigned char out[CHUNK_BLOCKS * BLOCK_MAX];
  fill_three_blocks(&m);
  for (int rest = 0; rest < 2; rest++) {
    struct chunk_part part = {&m.codes, -77, rest};
    unsigned char *stored, *parts = rest ? m.chunk.rest : m.chunk.signs;
    size_t size = store(&m, rest, &stored);
    for (size_t first = 0; first < 3; first++)
      for (size_t blocks = 0; first + blocks <= 3; blocks++) {
        memset(out, 0xcc, sizeof out);
        assert_int_equal(chunk_read_blocks(&part, first, blocks, stored + first * size, out), STATUS_OK);
        assert_memory_equal(out, parts + first * (size - 8), blocks * (size - 8));
        assert_int_equal(out[blocks * (size - 8)], 0xcc);
      }
    free(stored);
  }
  stop(&m);
}

TEST(chunk_damage_is_found) {
  struct random r = {random_seed()};
  static struct model m;
  fill_three_blocks(&m);
  for (int rest = 0; rest < 2; rest++) {
    struct chunk_part part = {&m.codes, -77, rest};
    unsigned char *stored;
    size_t size = store(&m, rest, &stored);
    for (size_t i = 0; i < 3 * size; i += is_quick() ? 31 : 1) {
      unsigned char flip = (unsigned char)(1 + random_below(&r, 255));
      stored[i] ^= flip;
      assert_int_equal(read_back(&part, 0, 3, stored), STATUS_HASH);
      stored[i] ^= flip;
    }
    assert_int_equal(read_back(&part, 0, 3, stored), STATUS_OK);
    free(stored);
  }
  stop(&m);
}

/* A block is good in its place alone, in its chunk, and in its part. */
TEST(chunk_displaced_blocks_are_found) {
  static struct model m;
  fill_three_blocks(&m);
  for (int rest = 0; rest < 2; rest++) {
    unsigned char *stored;
    size_t size = store(&m, rest, &stored);
    for (size_t from = 0; from < 3; from++)
      for (size_t to = 0; to < CHUNK_BLOCKS; to++)
        assert_int_equal(read_back(&(struct chunk_part){&m.codes, -77, rest}, to, 1, stored + from * size),
                         from == to ? STATUS_OK : STATUS_HASH);
    for (int64_t number = -80; number < -70; number++)
      assert_int_equal(read_back(&(struct chunk_part){&m.codes, number, rest}, 0, 3, stored),
                       number == -77 ? STATUS_OK : STATUS_HASH);
    free(stored);
  }
  stop(&m);
}

static enum status chunk_once(void) {
  struct codes codes = {.mem = &faulty_memory};
  struct chunk c = {0};
  enum status rc = codes_init(&codes, 20, &faulty_memory);
  if (rc == STATUS_OK) rc = chunk_init(&c, &codes, 1);
  chunk_clear(&c);
  codes_clear(&codes);
  return rc;
}

TEST(chunk_out_of_memory) {
  assert_in_range(faulty_exhaust(chunk_once), 1, 2);
}

UNIT_MAIN(faulty_test(chunk_against_a_map), faulty_test(chunk_at_the_edge_of_a_block),
          faulty_test(chunk_split_by_rowid), faulty_test(chunk_split_of_equal_rowids),
          faulty_test(chunk_stored_and_read), faulty_test(chunk_damage_is_found),
          faulty_test(chunk_displaced_blocks_are_found), faulty_test(chunk_out_of_memory))
