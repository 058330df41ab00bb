/* See codes.h. */
#include "core/codes.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/simd/simd.h"
#include "core/vector.h"

enum {
  ROUNDS = 4,
  LANES = 16,                      /* in which a row's products are summed */
  GROUP = 64,                      /* components that are quantised at once */
  REST = CODES_BLOCK * (8 + 4 + 4) /* where the codes of `rest` begin */
};

#define STEP 0.1881 /* of the quantiser, in standard deviations of a component */
/* 1 / r^2 - 1 of the top bits, pi / 2 - 1; and of all, with the noise of a query that is rounded: in 8 bits within 1 / 127
** of the largest component, whose square is about 10 / k, times what of a row's square is its lower bits', 3 / 4; and, 8
** times, the k / 4 entries of tables in 7 bits, within 2 / 127 of the widest table's, whose square is about 36 / k. */
static const double LOSS_SIGNS = 0.5707963,
                    LOSS = 0.003507 + (10 * 0.75 + 64 * STEP * STEP * 4 * 36 / 4) / (12 * 127 * 127);

/* ---- The rotation ---- */

/* splitmix64 (Steele, Lea & Flood 2014). */
static uint64_t next_bits(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* Where the components begin that a round transforms. */
static size_t window_of(const struct codes *c, size_t round) {
  return round % 2 == 0 ? 0 : c->k - c->window;
}

/* A component that is transformed is multiplied by what makes the transform orthogonal, too. */
static void draw_flips(struct codes *c) {
  uint64_t state = c->k, bits = 0;
  double unit = 1 / sqrt((double)c->window);
  for (size_t round = 0; round < ROUNDS; round++) {
    size_t first = window_of(c, round);
    for (size_t i = 0; i < c->k; i++, bits >>= 1) {
      if (i % 64 == 0) bits = next_bits(&state);
      double factor = i >= first && i - first < c->window ? unit : 1;
      c->flips[round * c->k + i] = (float)(bits & 1 ? -factor : factor);
    }
  }
}

/* The smaller k, the less there is of the normal distribution's tails, which the quantiser cuts: instead of k - 1,
** k + 2 was found, on vectors of every kind. */
enum status codes_init(struct codes *c, size_t k, const struct memory *mem) {
  size_t bytes = (k + 7) / 8, window = 1;
  while (2 * window <= k) window *= 2;
  *c = (struct codes){
      .mem = mem,
      .k = k,
      .bytes = bytes,
      .signs_bytes = CODES_BLOCK * (sizeof(float) + bytes),
      .rest_bytes = REST + CODES_BLOCK * 4 * bytes,
      .window = window,
      .error_signs = sqrt(LOSS_SIGNS / (k > 1 ? (double)k - 1 : 1)),
      .error = sqrt(LOSS / ((double)k + 2)),
      .flips = memory_array(mem, ROUNDS * k, sizeof *c->flips),
  };
  if (c->flips == NULL) return STATUS_NOMEM;
  draw_flips(c);
  return STATUS_OK;
}

void codes_clear(struct codes *c) {
  if (c->mem != NULL) c->mem->release(c->flips);
  *c = (struct codes){0};
}

/* Sums and differences of the components of both halves; of an odd number the middle one is left out. */
static void kac_step(size_t k, float *x) {
  const float unit = 0.70710678f;
  float *y = x + (k + 1) / 2;
  for (size_t i = 0; i < k / 2; i++) {
    float a = x[i], b = y[i];
    x[i] = (a + b) * unit;
    y[i] = (a - b) * unit;
  }
}

void codes_rotate(const struct codes *c, float *x) {
  const float *flips = c->flips;
  for (size_t round = 0; round < ROUNDS; round++, flips += c->k) {
    for (size_t i = 0; i < c->k; i++) x[i] *= flips[i];
    simd->hadamard(c->window, x + window_of(c, round));
    if (c->window < c->k && round % 2 != 0) kac_step(c->k, x);
  }
}

/* ---- Rows ---- */

size_t codes_row_bytes(const struct codes *c) {
  return (sizeof(struct code) + 5 * c->bytes + 7) / 8 * 8;
}

unsigned char *code_signs(struct code *row) {
  return (unsigned char *)(row + 1);
}

unsigned char *code_rest(const struct codes *c, struct code *row) {
  return code_signs(row) + c->bytes;
}

/* The sums <c, o>, of the top bits and of all, in lanes. */
struct products {
  float signs[LANES], all[LANES];
};

static double fold(const float lane[LANES]) {
  double sum = 0;
  for (size_t i = 0; i < LANES; i++) sum += lane[i];
  return sum;
}

/* The five bits of each of the components, and their products. */
static void quantise(const float o[GROUP], float per_step, unsigned char level[GROUP], struct products *sums) {
  for (size_t i = 0; i < GROUP; i++) {
    float t = o[i] * per_step + 16;
    t = t > 0 ? t : 0;
    t = t < 31 ? t : 31;
    level[i] = (unsigned char)(int)t;
  }
  for (size_t i = 0; i < GROUP; i += LANES)
    for (size_t j = 0; j < LANES; j++) {
      sums->signs[j] += level[i + j] >= 16 ? o[i + j] : -o[i + j];
      sums->all[j] += ((float)level[i + j] - 15.5f) * o[i + j];
    }
}

/* The top bits of 64 components in 8 bytes, the others in 32. */
static void pack(const unsigned char level[GROUP], unsigned char signs[GROUP / 8], unsigned char rest[GROUP / 2]) {
  for (size_t i = 0; i < GROUP / 8; i++) {
    uint64_t eight;
    memcpy(&eight, level + 8 * i, sizeof eight);
    /* byte j to bit j of the highest byte */
    signs[i] = (unsigned char)((eight >> 4 & 0x0101010101010101u) * 0x0102040810204080u >> 56);
  }
  for (size_t i = 0; i < GROUP / 2; i++)
    rest[i] = (unsigned char)((level[2 * i] & 15) | (level[2 * i + 1] & 15) << 4);
}

/* Codes the components from `first` on: a group, or the last ones. */
static void encode_group(const struct codes *c, const float *o, size_t first, struct products *sums,
                         struct code *row) {
  const float per_step = (float)(sqrt((double)c->k) / STEP);
  unsigned char *signs = code_signs(row) + first / 8, *rest = code_rest(c, row) + first / 2;
  unsigned char level[GROUP], packed[GROUP / 8 + GROUP / 2];
  size_t left = c->k - first;
  if (left >= GROUP) {
    quantise(o + first, per_step, level, sums);
    pack(level, signs, rest);
    return;
  }
  float padded[GROUP] = {0};
  memcpy(padded, o + first, left * sizeof *o);
  quantise(padded, per_step, level, sums);
  memset(level + left, 0, GROUP - left);
  pack(level, packed, packed + GROUP / 8);
  memcpy(signs, packed, c->bytes - first / 8);
  memcpy(rest, packed + GROUP / 8, 4 * c->bytes - first / 2);
}

enum status codes_encode(const struct codes *c, float *y, struct code *row) {
  struct products sums = {{0}, {0}};
  double norm = vector_norm(c->k, y);
  if (!(norm > 0)) return STATUS_NO_VARIANCE;
  vector_scale(c->k, y, 1 / norm, y);
  codes_rotate(c, y);
  for (size_t first = 0; first < c->k; first += GROUP) encode_group(c, y, first, &sums, row);
  row->signs_factor = (float)(1 / fold(sums.signs));
  row->factor = (float)(1 / fold(sums.all));
  row->norm = (float)(norm < FLT_MAX ? norm : FLT_MAX);
  return STATUS_OK;
}

/* ---- Blocks ---- */

/* Where a row's part begins, in `signs` and in `rest`. */
static unsigned char *signs_at(const struct code_block *block, size_t place) {
  return block->signs + CODES_BLOCK * sizeof(float) + place;
}

static unsigned char *rest_at(const struct codes *c, const struct code_block *block, size_t place) {
  return block->rest + REST + place * 4 * c->bytes;
}

static unsigned char *factor_at(unsigned char *rest, size_t place) {
  return rest + CODES_BLOCK * sizeof(int64_t) + place * sizeof(float);
}

static unsigned char *norm_at(unsigned char *rest, size_t place) {
  return factor_at(rest, CODES_BLOCK + place);
}

void codes_put(const struct codes *c, const struct code_block *block, size_t place, const struct code *row) {
  const unsigned char *bits = (const unsigned char *)(row + 1);
  unsigned char *signs = signs_at(block, place);
  memcpy(block->signs + place * sizeof row->signs_factor, &row->signs_factor, sizeof row->signs_factor);
  for (size_t j = 0; j < c->bytes; j++) signs[j * CODES_BLOCK] = bits[j];
  memcpy(block->rest + place * sizeof row->rowid, &row->rowid, sizeof row->rowid);
  memcpy(factor_at(block->rest, place), &row->factor, sizeof row->factor);
  memcpy(norm_at(block->rest, place), &row->norm, sizeof row->norm);
  memcpy(rest_at(c, block, place), bits + c->bytes, 4 * c->bytes);
}

void codes_get(const struct codes *c, const struct code_block *block, size_t place, struct code *row) {
  const unsigned char *signs = signs_at(block, place);
  memcpy(&row->signs_factor, block->signs + place * sizeof row->signs_factor, sizeof row->signs_factor);
  for (size_t j = 0; j < c->bytes; j++) code_signs(row)[j] = signs[j * CODES_BLOCK];
  memcpy(&row->rowid, block->rest + place * sizeof row->rowid, sizeof row->rowid);
  memcpy(&row->factor, factor_at(block->rest, place), sizeof row->factor);
  memcpy(&row->norm, norm_at(block->rest, place), sizeof row->norm);
  memcpy(code_rest(c, row), rest_at(c, block, place), 4 * c->bytes);
}

void codes_erase(const struct codes *c, const struct code_block *block, size_t place) {
  unsigned char *signs = signs_at(block, place);
  memset(block->signs + place * sizeof(float), 0, sizeof(float));
  for (size_t j = 0; j < c->bytes; j++) signs[j * CODES_BLOCK] = 0;
  memset(block->rest + place * sizeof(int64_t), 0, sizeof(int64_t));
  memset(factor_at(block->rest, place), 0, sizeof(float));
  memset(norm_at(block->rest, place), 0, sizeof(float));
  memset(rest_at(c, block, place), 0, 4 * c->bytes);
}

float codes_norm(const unsigned char *rest, size_t place) {
  float norm;
  memcpy(&norm, rest + CODES_BLOCK * (sizeof(int64_t) + sizeof norm) + place * sizeof norm, sizeof norm);
  return norm;
}

/* ---- Queries ---- */

/* The components of a table, and the sum of their magnitudes. */
static float magnitude(const float q[4]) {
  return (fabsf(q[0]) + fabsf(q[1])) + (fabsf(q[2]) + fabsf(q[3]));
}

/* Tables of the sums of four components, added or subtracted: 0 .. 127 from the least to the largest of the widest. */
static void fill_tables(struct codes_query *q, const float *o) {
  const size_t count = 2 * q->codes->bytes;
  double base = 0;
  float widest = 0;
  for (size_t t = 0; t < count; t++) {
    float sum = magnitude(o + 4 * t);
    if (sum > widest) widest = sum;
    base -= sum;
  }
  q->scale = 2 * widest / 127;
  q->base = (float)base;
  for (size_t t = 0; t < count; t++, o += 4)
    for (unsigned x = 0; x < 16; x++) {
      float pair = (x & 1 ? o[0] : -o[0]) + (x & 2 ? o[1] : -o[1]);
      float sum = pair + ((x & 4 ? o[2] : -o[2]) + (x & 8 ? o[3] : -o[3]));
      q->tables[16 * t + x] = (unsigned char)(int)((sum + magnitude(o)) / q->scale + 0.5f);
    }
}

/* The components in 8 bits. */
static void fill_fine(struct codes_query *q, const float *o) {
  const size_t half = 4 * q->codes->bytes, stored = half + q->padding;
  float largest = 0;
  int32_t sum = 0;
  for (size_t i = 0; i < 2 * half; i++) largest = fabsf(o[i]) > largest ? fabsf(o[i]) : largest;
  q->fine_scale = largest / 127;
  memset(q->fine, 0, 2 * stored);
  for (size_t i = 0; i < 2 * half; i++) {
    float t = o[i] / q->fine_scale;
    int fine = (int)(t + (t < 0 ? -0.5f : 0.5f));
    q->fine[i % 2 * stored + q->padding + i / 2] = (signed char)fine;
    sum += fine;
  }
  q->fine_offset = 15 * sum;
}

enum status codes_query_init(struct codes_query *q, const struct codes *c, const float *direction) {
  const size_t tables = 32 * c->bytes, stored = (4 * c->bytes + 63) / 64 * 64;
  const size_t bytes = tables + 2 * stored + 8 * c->bytes * sizeof(float) + 63;
  double norm = vector_norm(c->k, direction);
  *q = (struct codes_query){.codes = c};
  if (!(norm > 0)) return STATUS_NO_VARIANCE;
  q->block = memory_array(c->mem, bytes, 1);
  if (q->block == NULL) return STATUS_NOMEM;
  q->tables = memory_align64(q->block);
  q->fine = (void *)(q->tables + tables);
  q->padding = stored - 4 * c->bytes;
  float *rotated = (void *)(q->fine + 2 * stored);
  memset(rotated + c->k, 0, (8 * c->bytes - c->k) * sizeof *rotated);
  vector_scale(c->k, direction, 1 / norm, rotated);
  codes_rotate(c, rotated);
  fill_tables(q, rotated);
  fill_fine(q, rotated);
  return STATUS_OK;
}

void codes_query_clear(struct codes_query *q) {
  if (q->codes != NULL) q->codes->mem->release(q->block);
  *q = (struct codes_query){0};
}

uint64_t codes_scan(const struct codes_query *q, const unsigned char *signs, float least,
                    int32_t sums[CODES_BLOCK]) {
  struct code_scan scan = {q->codes->bytes, q->tables, q->scale, q->base};
  return simd->scan_codes(&scan, signs, least, sums);
}

float codes_estimate_signs(const struct codes_query *q, const unsigned char *signs, size_t place, int32_t sum) {
  float factor;
  memcpy(&factor, signs + place * sizeof factor, sizeof factor);
  return ((float)sum * q->scale + q->base) * factor;
}

void codes_prefetch(const struct codes_query *q, const unsigned char *rest, size_t place) {
  const size_t bytes = 4 * q->codes->bytes;
  const unsigned char *low = rest + REST + place * bytes;
  __builtin_prefetch(rest + CODES_BLOCK * sizeof(int64_t) + place * sizeof(float));
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(low + i);
  __builtin_prefetch(low + bytes - 1);
}

/* c = five bits - 15.5 is 8 times the top bit as -1 or 1, and the low four bits - 7.5. What is added before a row's first
** byte, to make a multiple of 64, lies in the block, too, and counts 0 times. */
float codes_estimate(const struct codes_query *q, const unsigned char *rest, size_t place, int32_t sum) {
  const struct codes *c = q->codes;
  float factor;
  memcpy(&factor, rest + CODES_BLOCK * sizeof(int64_t) + place * sizeof factor, sizeof factor);
  const unsigned char *low = rest + REST + place * 4 * c->bytes;
  int32_t dot = simd->dot_codes(4 * c->bytes + q->padding, low - q->padding, q->fine);
  float signs = 8 * ((float)sum * q->scale + q->base);
  return (signs + (float)(2 * dot - q->fine_offset) * (0.5f * q->fine_scale)) * factor;
}
