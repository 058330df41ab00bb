/* See exact.h. */
#include "core/exact.h"

#include <math.h>
#include <string.h>

#include "core/simd/simd.h"

enum { DIGIT_BITS = 32, LEAST = -1074 }; /* digit k counts 2^(32 k - 1074) */
enum { CARRIED = 5 };                    /* digits that a number meets, and those that many of it carry to */

/* A digit takes less than 2^32 from each row. */
static const int64_t CARRY_AFTER = (int64_t)1 << 30;

enum status exact_init(struct exact *e, size_t n, const struct memory *mem) {
  *e = (struct exact){.mem = mem, .n = n};
  e->sum = memory_array(mem, n, 3 * sizeof *e->sum);
  if (e->sum == NULL) return STATUS_NOMEM;
  e->low = e->sum + n;
  e->lost = e->low + n;
  exact_reset(e);
  return STATUS_OK;
}

void exact_clear(struct exact *e) {
  if (e->mem == NULL) return;
  e->mem->release(e->sum);
  e->mem->release(e->wide);
  *e = (struct exact){0};
}

void exact_reset(struct exact *e) {
  memset(e->sum, 0, 3 * e->n * sizeof *e->sum);
  e->mem->release(e->wide);
  e->wide = NULL;
  e->range = (struct exact_range){EXACT_DIGITS, 0};
  e->added = 0;
}

/* *sum += x; what that lost, exactly. */
static double two_sum(double *sum, double x) {
  double before = *sum, after = before + x, part = after - before;
  *sum = after;
  return (before - (after - part)) + (x - part);
}

static uint64_t bits_of(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* sum_i += lost_i, lost_i = what that lost in turn; whether it lost anything at all. */
static int add_lost(size_t n, double *restrict sum, double *restrict lost) {
  uint64_t any = 0;
  for (size_t i = 0; i < n; i++) {
    lost[i] = two_sum(&sum[i], lost[i]);
    any |= bits_of(lost[i]);
  }
  return any << 1 != 0;
}

/* Digits into -2^31 .. 2^31 - 1, what is above goes to the next; the last one takes it all. */
static void carry(int64_t digits[EXACT_DIGITS], const struct exact_range *range) {
  const int64_t half = (int64_t)1 << (DIGIT_BITS - 1), base = 2 * half;
  for (int k = range->first; k + 1 < range->end; k++) {
    int64_t rest = digits[k] % base;
    if (rest >= half) rest -= base;
    if (rest < -half) rest += base;
    digits[k + 1] += (digits[k] - rest) / base;
    digits[k] = rest;
  }
}

/* A float64 is 53 bits at a multiple of 2^-1074: they meet three digits. What is not finite is left out: it is in the
** stages before. */
static void add_to_digits(int64_t digits[EXACT_DIGITS], struct exact_range *range, double x) {
  int exponent;
  if (x == 0 || !isfinite(x)) return;
  int64_t bits = (int64_t)ldexp(frexp(fabs(x), &exponent), 53), sign = x < 0 ? -1 : 1;
  int at = exponent - 53 - LEAST;
  if (at < 0) { /* a denormal: its lowest bits are zeros */
    bits >>= -at;
    at = 0;
  }
  int k = at / DIGIT_BITS, shift = at % DIGIT_BITS;
  uint64_t low = ((uint64_t)bits & 0xffffffffu) << shift, high = ((uint64_t)bits >> DIGIT_BITS) << shift;
  digits[k] += sign * (int64_t)(low & 0xffffffffu);
  digits[k + 1] += sign * (int64_t)((low >> DIGIT_BITS) + (high & 0xffffffffu));
  digits[k + 2] += sign * (int64_t)(high >> DIGIT_BITS);
  if (k < range->first) range->first = k;
  if (k + CARRIED > range->end) range->end = k + CARRIED < EXACT_DIGITS ? k + CARRIED : EXACT_DIGITS;
}

/* Room for another row in `wide`. */
static enum status prepare_wide(struct exact *e) {
  if (e->wide == NULL) {
    e->wide = memory_array(e->mem, e->n, EXACT_DIGITS * sizeof *e->wide);
    if (e->wide == NULL) return STATUS_NOMEM;
    memset(e->wide, 0, e->n * EXACT_DIGITS * sizeof *e->wide);
  }
  if (++e->added < CARRY_AFTER) return STATUS_OK;
  for (size_t i = 0; i < e->n; i++) carry(e->wide + i * EXACT_DIGITS, &e->range);
  e->added = 1;
  return STATUS_OK;
}

/* The second and third stage take what the first lost in elements first .. end - 1. */
static enum status keep_lost(struct exact *e, size_t first, size_t end) {
  if (!add_lost(end - first, e->low + first, e->lost + first)) return STATUS_OK;
  if (prepare_wide(e) != STATUS_OK) return STATUS_NOMEM;
  for (size_t i = first; i < end; i++) add_to_digits(e->wide + i * EXACT_DIGITS, &e->range, e->lost[i]);
  memset(e->lost + first, 0, (end - first) * sizeof *e->lost);
  return STATUS_OK;
}

enum status exact_add(struct exact *e, size_t count, const void *v, double weight) {
  if (!simd->add_exact(count, e->sum, v, weight, e->lost)) return STATUS_OK;
  return simd->is_finite(count, v) ? keep_lost(e, 0, count) : STATUS_NOT_FINITE;
}

enum status exact_add_one(struct exact *e, size_t i, double x) {
  e->lost[i] = two_sum(&e->sum[i], x);
  return e->lost[i] != 0 ? keep_lost(e, i, i + 1) : STATUS_OK;
}

/* The number that carried digits make, rounded to even once. A digit is at most half of what one of the digit above counts,
** so whatever follows a remainder can only decide a tie (the last step of fsum, in CPython's mathmodule.c). */
static double round_digits(const int64_t digits[EXACT_DIGITS], const struct exact_range *range) {
  int top = range->end - 1, k;
  while (top > range->first && digits[top] == 0) top--;
  double high = (double)digits[top], rest = 0;
  for (k = top - 1; k >= range->first && rest == 0; k--) {
    double next = ldexp((double)digits[k], DIGIT_BITS * (k - top)), sum = high + next;
    rest = next - (sum - high);
    high = sum;
  }
  while (k >= range->first && digits[k] == 0) k--;
  if (k >= range->first && (rest > 0) == (digits[k] > 0)) {
    double twice = 2 * rest, up = high + twice;
    if (up - high == twice) high = up;
  }
  return ldexp(high, DIGIT_BITS * top + LEAST);
}

double exact_value(const struct exact *e, size_t i) {
  if (e->wide == NULL || !isfinite(e->sum[i] + e->low[i])) return e->sum[i] + e->low[i];
  int64_t digits[EXACT_DIGITS];
  struct exact_range range = e->range;
  memcpy(digits, e->wide + i * EXACT_DIGITS, sizeof digits);
  add_to_digits(digits, &range, e->sum[i]);
  add_to_digits(digits, &range, e->low[i]);
  carry(digits, &range);
  return range.first < range.end ? round_digits(digits, &range) : 0;
}
