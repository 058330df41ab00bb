/*
** core/simd, of codes: the scan of top bits, the product with the others and the Hadamard transform, of every variant
** that this machine runs, as simd.c does it with sums.
*/
#define _GNU_SOURCE
#include "core/simd/simd.h"

#include "simd.h"

/* ---- The Hadamard transform ---- */

/* As core/simd/simd.h words it, each half by itself once it is split. */
static void hadamard_reference(size_t n, float *x) { /* NOLINT(misc-no-recursion) */
  if (n == 1) return;
  for (size_t i = 0; i < n / 2; i++) {
    float sum = x[i] + x[i + n / 2], difference = x[i] - x[i + n / 2];
    x[i] = sum;
    x[i + n / 2] = difference;
  }
  hadamard_reference(n / 2, x);
  hadamard_reference(n / 2, x + n / 2);
}

TEST(hadamard_to_the_bit) {
  struct random r = {random_seed()};
  static float given[LARGEST], expected[LARGEST];
  for (size_t kind = 0; kind < kinds(); kind++)
    for (size_t n = 1; n <= (is_quick() ? 256 : LARGEST); n *= 2) {
      fill(&r, kind, n, given);
      memcpy(expected, given, 4 * n);
      hadamard_reference(n, expected);
      for (size_t place = 0; place < PLACES; place += 3) FOR_EACH_VARIANT(k) {
          float *x = memcpy(guarded_place(&ga, 4 * n, place), given, 4 * n);
          (*k)->hadamard(n, x);
          for (size_t i = 0; i < n; i++) check_float(x[i], expected[i], *k, "hadamard", n);
        }
    }
}

/* Row i of the matrix has -1 where i and j share an odd number of bits. */
TEST(hadamard_of_unit_vectors) {
  for (size_t n = 1; n <= 256; n *= 2)
    for (size_t j = 0; j < n; j++) FOR_EACH_VARIANT(k) {
        float *x = guarded_place(&ga, 4 * n, 0);
        for (size_t i = 0; i < n; i++) x[i] = i == j;
        (*k)->hadamard(n, x);
        for (size_t i = 0; i < n; i++)
          check_float(x[i], __builtin_popcountll(i & j) % 2 ? -1 : 1, *k, "hadamard of a unit vector", n);
      }
}

/* ---- The scan ---- */

enum { BYTES_MAX = LARGEST / 8 };

/* 1 .. 17 bytes, so every k up to 130; around where 16 bits end; the largest. 0 at the end of the list. */
static size_t bytes_of(size_t i) {
  static const size_t MORE[] = {31,  32,  33,  127, 128, 255, 256,  257,
                                258, 259, 260, 511, 512, 513, 1025, BYTES_MAX};
  size_t more = is_quick() ? 3 : COUNT(MORE);
  return i < 17 ? i + 1 : i - 17 < more ? MORE[i - 17] : 0;
}

static struct guarded tables, rows;

static int make_scan(void **state) {
  tables = guarded_make(32 * BYTES_MAX);
  rows = guarded_make(64 * (4 + BYTES_MAX));
  return make_buffers(state);
}

static int free_scan(void **state) {
  guarded_free(&tables);
  guarded_free(&rows);
  return free_buffers(state);
}

/* Row r's sum, whole; every entry is one of 32 for each byte. */
static float sum_of(size_t n, const unsigned char *table, const unsigned char *block, size_t r) {
  uint64_t sum = 0;
  for (size_t j = 0; j < n; j++) {
    unsigned byte = block[256 + 64 * j + r];
    sum += table[32 * j + byte % 16];
    sum += table[32 * j + 16 + byte / 16];
  }
  return (float)sum;
}

/* Each step is stored, so none is fused with another. */
static uint64_t scan_reference(const unsigned char *block, const float *sums, const float by[2], float least) {
  uint64_t mask = 0;
  for (size_t r = 0; r < 64; r++) {
    float factor;
    memcpy(&factor, block + 4 * r, 4);
    volatile float product = sums[r] * by[0], sum = product + by[1], estimate = sum * factor;
    if (factor > 0 && estimate >= least) mask |= (uint64_t)1 << r;
  }
  return mask;
}

static void check_scans(size_t n, const unsigned char *table, const unsigned char *block, const float by[2]) {
  const struct code_scan scan = {n, table, by[0], by[1]};
  float sums[64], factor;
  memcpy(&factor, block + 4 * 20, 4);
  for (size_t r = 0; r < 64; r++) sums[r] = sum_of(n, table, block, r);
  volatile float product = sums[20] * by[0], sum = product + by[1], exactly = sum * factor;
  const float least[] = {exactly, nextafterf(exactly, INFINITY), 0, -0.0f, 0.01f, -0.3f, -INFINITY, INFINITY, NAN,
                         1e-45f};
  for (size_t i = 0; i < COUNT(least); i++) {
    uint64_t expected = scan_reference(block, sums, by, least[i]);
    if (i < 2) assert_int_equal(expected >> 20 & 1, i == 0);
    FOR_EACH_VARIANT(k) {
      int32_t left[64];
      uint64_t found = (*k)->scan_codes(&scan, block, least[i], left);
      for (size_t r = 0; r < 64; r++) assert_true((float)left[r] == sums[r]);
      if (found != expected)
        fail_msg("%s, %zu bytes, at least %g: %016llx, expected %016llx", (*k)->name, n, (double)least[i],
                 (unsigned long long)found, (unsigned long long)expected);
    }
  }
}

TEST(scans_to_the_bit) {
  struct random r = {random_seed() + 1};
  for (size_t i = 0, n; (n = bytes_of(i)) > 0; i++)
    for (size_t kind = 0; kind < 4;
         kind++) { /* random; the largest sums; empty places; factors that are no factors */
      unsigned char *table = guarded_place(&tables, 32 * n, 3 * (kind % 2));
      unsigned char *block = guarded_place(&rows, 64 * (4 + n), 3 * (kind % 2));
      static const float ODD[] = {0, -0.0f, -1, INFINITY, NAN, 1e-45f, 3e38f};
      for (size_t j = 0; j < 32 * n; j++) table[j] = kind == 1 ? 127 : (unsigned char)random_below(&r, 128);
      for (size_t j = 0; j < 64 * n; j++) block[256 + j] = (unsigned char)random_bits(&r);
      for (size_t j = 0; j < 64; j++) {
        float factor = (float)(1 + random_uniform(&r)) / (float)n;
        if (kind == 2 && j % 3 == 0) factor = 0;
        if (kind == 3 && j % 2 != 0) factor = ODD[j / 2 % COUNT(ODD)];
        memcpy(block + 4 * j, &factor, 4);
      }
      const float by[2] = {0.01f, kind == 1 ? -1 : -1.27f * (float)n};
      check_scans(n, table, block, by);
    }
}

/* Every row of its own, every byte: 127 from one half, 0 .. 15 from the other. */
TEST(scan_tells_rows_apart) {
  unsigned char *table = guarded_place(&tables, 32, 0), *block = guarded_place(&rows, 64 * 5, 0);
  const struct code_scan scan = {1, table, 1, 0};
  int32_t sums[64];
  for (unsigned i = 0; i < 16; i++) table[i] = (unsigned char)(8 * i), table[16 + i] = (unsigned char)i;
  for (size_t at = 0; at < 64; at++)
    for (unsigned byte = 1; byte < 256; byte++) {
      const float one = 1;
      memset(block + 256, 0, 64);
      block[256 + at] = (unsigned char)byte;
      for (size_t j = 0; j < 64; j++) memcpy(block + 4 * j, &one, 4);
      float sum = (float)(8 * (byte % 16) + byte / 16);
      FOR_EACH_VARIANT(k) {
        assert_int_equal((*k)->scan_codes(&scan, block, sum, sums), (uint64_t)1 << at);
        assert_int_equal((*k)->scan_codes(&scan, block, sum + 0.5f, sums), 0);
      }
    }
}

/* ---- The product ---- */

TEST(dots_to_the_bit) {
  struct random r = {random_seed() + 2};
  for (size_t n = 0; n <= LARGEST / 2; n += n < 1024 ? 64 : 1024)
    for (size_t kind = 0; kind < 3; kind++) { /* random; the largest sum; the least */
      unsigned char *halves = guarded_place(&ga, n, kind % 2 * 3);
      signed char *weights = guarded_place(&gb, 2 * n, kind % 2 * 3);
      int64_t expected = 0;
      for (size_t i = 0; i < n; i++) halves[i] = kind ? 255 : (unsigned char)random_bits(&r);
      for (size_t i = 0; i < 2 * n; i++)
        weights[i] = (signed char)(kind == 1 ? 127 : kind == 2 ? -128 : (int)random_below(&r, 256) - 128);
      for (size_t i = 0; i < n; i++) {
        expected += (int64_t)(halves[i] % 16) * weights[i];
        expected += (int64_t)(halves[i] / 16) * weights[n + i];
      }
      FOR_EACH_VARIANT(k) {
        int32_t found = (*k)->dot_codes(n, halves, weights);
        if (found != expected)
          fail_msg("%s, %zu bytes: %d, expected %lld", (*k)->name, n, found, (long long)expected);
      }
    }
}

#define WITH_SCAN(test) cmocka_unit_test_setup_teardown(test, make_scan, free_scan)

UNIT_MAIN(WITH_BUFFERS(hadamard_to_the_bit), WITH_BUFFERS(hadamard_of_unit_vectors), WITH_SCAN(scans_to_the_bit),
          WITH_SCAN(scan_tells_rows_apart), WITH_BUFFERS(dots_to_the_bit))
