/* core/codes: the rotation, the quantiser and the layout of a block against what codes.h specifies, in float64. */
#define _GNU_SOURCE
#include "core/codes.h"

#include <float.h>

#include "faulty_memory.h"
#include "simd.h"

enum { K_MAX = 1100 };

static const size_t SOME[] = {1,  2,   3,   4,   5,   8,   15,  16,  17,  31,  64,
                              67, 100, 127, 128, 129, 255, 256, 257, 300, 768, 1100};

static struct codes begin(size_t k) {
  struct codes c;
  assert_int_equal(codes_init(&c, k, &faulty_memory), STATUS_OK);
  assert_int_equal(c.k, k);
  assert_int_equal(c.bytes, (k + 7) / 8);
  assert_int_equal(c.signs_bytes, 64 * (4 + c.bytes));
  assert_int_equal(c.rest_bytes, 64 * (16 + 4 * c.bytes));
  return c;
}

static void end(struct codes *c) {
  codes_clear(c);
  codes_clear(c);
  assert_int_equal(faulty.live, 0);
}

static void fill_normal(struct random *r, size_t n, float *x) {
  for (size_t i = 0; i < n; i++) x[i] = (float)random_normal(r);
}

static double dot_of(size_t n, const float *a, const float *b) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
  return sum;
}

/* ---- The rotation ---- */

/* By the definition of the matrix, not of the fast transform. */
static void hadamard_slowly(size_t n, const double *x, double *out) {
  for (size_t i = 0; i < n; i++) {
    out[i] = 0;
    for (size_t j = 0; j < n; j++) out[i] += (__builtin_popcountll(i & j) % 2 ? -1 : 1) * x[j] / sqrt((double)n);
  }
}

static void rotate_slowly(size_t k, double *x) {
  static double part[K_MAX];
  struct random bits = {k};
  size_t window = 1;
  while (window <= k / 2) window *= 2;
  for (size_t round = 0; round < 4; round++) {
    uint64_t flips = 0;
    for (size_t i = 0; i < k; i++) {
      if (i % 64 == 0) flips = random_bits(&bits);
      if (flips >> i % 64 & 1) x[i] = -x[i];
    }
    double *at = round % 2 ? x + k - window : x;
    hadamard_slowly(window, at, part);
    memcpy(at, part, window * sizeof *part);
    for (size_t i = 0, j = (k + 1) / 2; round % 2 && window < k && j < k; i++, j++) {
      double sum = x[i] + x[j], difference = x[i] - x[j];
      x[i] = sum / sqrt(2);
      x[j] = difference / sqrt(2);
    }
  }
}

TEST(rotates_as_specified) {
  struct random r = {random_seed()};
  for (size_t k = 1; k <= (is_quick() ? 20 : 300); k += k < 70 || k % 64 < 3 || k % 64 > 60 ? 1 : 7) {
    struct codes c = begin(k);
    float x[300];
    double expected[300];
    for (size_t kind = 0; kind < 3; kind++) {
      fill_normal(&r, k, x);
      for (size_t i = 0; kind && i < k; i++) x[i] = kind == 2 || i == k - 1;
      for (size_t i = 0; i < k; i++) expected[i] = x[i];
      rotate_slowly(k, expected);
      codes_rotate(&c, x);
      for (size_t i = 0; i < k; i++) assert_near(x[i], expected[i], 3e-6);
    }
    end(&c);
  }
}

TEST(rotation_keeps_products) {
  static float x[LARGEST], y[LARGEST];
  static const size_t LONG[] = {1000, 2100, 4097, 16383, LARGEST};
  struct random r = {random_seed() + 1};
  for (size_t at = 0; at < COUNT(SOME) + (is_quick() ? 0 : COUNT(LONG)); at++) {
    size_t k = at < COUNT(SOME) ? SOME[at] : LONG[at - COUNT(SOME)];
    struct codes c = begin(k);
    fill_normal(&r, k, x);
    fill_normal(&r, k, y);
    double xx = dot_of(k, x, x), yy = dot_of(k, y, y), xy = dot_of(k, x, y);
    codes_rotate(&c, x);
    codes_rotate(&c, y);
    assert_near(dot_of(k, x, x), xx, 1e-6 * xx);
    assert_near(dot_of(k, y, y), yy, 1e-6 * yy);
    assert_near(dot_of(k, x, y), xy, 1e-6 * sqrt(xx * yy));
    end(&c);
  }
}

/* ---- Rows and blocks ---- */

struct room {
  struct codes c;
  struct code_block block;
  struct code *row, *other;
  float *y;
};

static void *aligned(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
  assert_non_null(p);
  memset(p, 0x5a, bytes);
  return p;
}

static struct room open_room(size_t k) {
  struct room room = {.c = begin(k)};
  size_t bytes = codes_row_bytes(&room.c);
  assert_int_equal(bytes % 8, 0);
  assert_true(bytes >= sizeof(struct code) + 5 * room.c.bytes &&
              bytes < sizeof(struct code) + 5 * room.c.bytes + 8);
  room.block = (struct code_block){aligned(room.c.signs_bytes), aligned(room.c.rest_bytes)};
  room.row = aligned(bytes);
  room.other = aligned(bytes);
  room.y = aligned(4 * k);
  return room;
}

static void close_room(struct room *room) {
  free(room->block.signs);
  free(room->block.rest);
  free(room->row);
  free(room->other);
  free(room->y);
  end(&room->c);
}

static enum status encode(struct room *room, const float *x) {
  memcpy(room->y, x, 4 * room->c.k);
  return codes_encode(&room->c, room->y, room->row);
}

/* The five bits of a component. */
static int level_of(struct room *room, size_t i) {
  unsigned byte = code_signs(room->row)[i / 8], low = code_rest(&room->c, room->row)[i / 2];
  return (int)((byte >> i % 8 & 1) * 16 + (low >> i % 2 * 4 & 15));
}

static void check_code(struct room *room, const float *x) {
  static double o[K_MAX];
  const size_t k = room->c.k;
  double norm = sqrt(dot_of(k, x, x)), signs = 0, all = 0;
  for (size_t i = 0; i < k; i++) o[i] = x[i] / norm;
  rotate_slowly(k, o);
  assert_int_equal(encode(room, x), STATUS_OK);
  assert_int_equal(room->row->rowid, 77);
  for (size_t i = 0; i < k; i++) {
    int level = level_of(room, i);
    double t = o[i] * sqrt((double)k) / 0.1881 + 16;
    if (!(t >= level - 1e-3 && t <= level + 1 + 1e-3) && !(level == 0 && t < 0) && !(level == 31 && t > 31))
      fail_msg("k = %zu: component %zu is %d, expected %g", k, i, level, t);
    signs += level >= 16 ? o[i] : -o[i];
    all += (level - 15.5) * o[i];
  }
  for (size_t i = k; i < 8 * room->c.bytes; i++) assert_int_equal(level_of(room, i), 0);
  assert_near(room->row->signs_factor * signs, 1, 1e-5);
  assert_near(room->row->factor * all, 1, 1e-5);
  assert_near(room->row->norm / norm, 1, 1e-6);
}

TEST(encodes_as_specified) {
  struct random r = {random_seed() + 2};
  static float x[K_MAX];
  for (size_t k = 1; k <= (is_quick() ? 20 : 300); k += k < 70 || k % 64 < 3 || k % 64 > 60 ? 1 : 13) {
    struct room room = open_room(k);
    room.row->rowid = 77;
    for (int kind = 0; kind < 4; kind++) { /* normal, one large, one hot, all equal */
      fill_normal(&r, k, x);
      if (kind == 1) x[k / 3] = 30;
      for (size_t i = 0; kind > 1 && i < k; i++) x[i] = kind == 3 ? -3 : i == k / 2 ? -1e-3f : 0;
      check_code(&room, x);
    }
    close_room(&room);
  }
}

/* A magnitude changes nothing but the norm: powers of two, exactly. */
TEST(encodes_any_magnitude) {
  static const float SCALES[] = {0x1p-100f, 0x1p-126f, 0x1p-140f, 0x1p100f, 0x1p120f};
  struct random r = {random_seed() + 3};
  for (size_t at = 0; at < COUNT(SOME); at++) {
    static float x[K_MAX], scaled[K_MAX];
    struct room room = open_room(SOME[at]);
    size_t k = room.c.k, bytes = codes_row_bytes(&room.c);
    for (size_t i = 0; i < k; i++) x[i] = (float)(int)(random_bits(&r) % 127 + 1);
    room.row->rowid = 5;
    assert_int_equal(encode(&room, x), STATUS_OK);
    memcpy(room.other, room.row, bytes);
    for (size_t s = 0; s < COUNT(SCALES); s++) {
      for (size_t i = 0; i < k; i++) scaled[i] = x[i] * SCALES[s];
      assert_int_equal(encode(&room, scaled), STATUS_OK);
      double norm = fmin(room.other->norm * (double)SCALES[s], FLT_MAX);
      assert_near(room.row->norm / norm, 1, 0x1p-9);
      room.row->norm = room.other->norm;
      assert_memory_equal(room.row, room.other, bytes);
    }
    for (size_t i = 0; i < k; i++) scaled[i] = FLT_MAX;
    assert_int_equal(encode(&room, scaled), STATUS_OK);
    assert_same_float(room.row->norm, FLT_MAX);
    memset(scaled, 0, sizeof scaled);
    assert_int_equal(encode(&room, scaled), STATUS_NO_VARIANCE);
    close_room(&room);
  }
}

TEST(encodes_to_the_same_bits) {
  struct random r = {random_seed() + 4};
  const struct simd *before = simd;
  for (size_t at = 0; at < COUNT(SOME); at++) {
    static float x[K_MAX];
    struct room room = open_room(SOME[at]);
    for (int times = repeats(20); times > 0; times--) {
      fill_normal(&r, room.c.k, x);
      FOR_EACH_VARIANT(v) {
        simd = *v;
        assert_int_equal(encode(&room, x), STATUS_OK);
        if (v != simd_variants()) assert_memory_equal(room.row, room.other, codes_row_bytes(&room.c));
        memcpy(room.other, room.row, codes_row_bytes(&room.c));
      }
    }
    close_room(&room);
  }
  simd = before;
}

/* Each byte where codes.h has it, and the others left alone. */
TEST(blocks_as_specified) {
  struct random r = {random_seed() + 5};
  for (size_t k = 1; k <= 67; k++) {
    struct room room = open_room(k);
    const struct codes *c = &room.c;
    unsigned char *signs = aligned(c->signs_bytes), *rest = aligned(c->rest_bytes);
    for (size_t i = 0; i < 100; i++) {
      size_t place = i < 64 ? i : random_below(&r, 64);
      int erase = i % 5 == 4;
      for (size_t j = 0; j < codes_row_bytes(c); j++) ((char *)room.row)[j] = erase ? 0 : (char)random_bits(&r);
      memcpy(signs + 4 * place, &room.row->signs_factor, 4);
      for (size_t j = 0; j < c->bytes; j++) signs[256 + 64 * j + place] = code_signs(room.row)[j];
      memcpy(rest + 8 * place, &room.row->rowid, 8);
      memcpy(rest + 512 + 4 * place, &room.row->factor, 4);
      memcpy(rest + 768 + 4 * place, &room.row->norm, 4);
      memcpy(rest + 1024 + place * 4 * c->bytes, code_rest(c, room.row), 4 * c->bytes);
      if (erase)
        codes_erase(c, &room.block, place);
      else
        codes_put(c, &room.block, place, room.row);
      assert_memory_equal(room.block.signs, signs, c->signs_bytes);
      assert_memory_equal(room.block.rest, rest, c->rest_bytes);
      assert_int_equal(codes_rowid(rest, place), room.row->rowid);
      assert_same_float(codes_norm(rest, place), room.row->norm);
      memcpy(room.other, room.row, codes_row_bytes(c)); /* what pads it is nobody's */
      memset(room.other, 0, 8 + 12);
      memset(code_signs(room.other), 0, 5 * c->bytes);
      codes_get(c, &room.block, place, room.other);
      assert_memory_equal(room.other, room.row, codes_row_bytes(c));
    }
    free(signs);
    free(rest);
    close_room(&room);
  }
}

UNIT_MAIN(faulty_test(rotates_as_specified), faulty_test(rotation_keeps_products),
          faulty_test(encodes_as_specified), faulty_test(encodes_any_magnitude),
          faulty_test(encodes_to_the_same_bits), faulty_test(blocks_as_specified))
