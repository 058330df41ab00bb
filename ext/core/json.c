/*
** Reading: the digits are gathered into a 64-bit integer m and a power of ten. m * 10^e in float64 is then at most
** 1.5 units in the last place off; rounding it to float32 gives the right answer unless it lies that close to the
** middle between two float32, which is seen in its low 29 bits. Only then, for more than 19 digits and for powers
** beyond 10^22 (the last one exact in float64; Clinger 1990), strtod decides, in the "C" locale.
*/
#include "core/json.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/system.h"

static const double POWER_OF_TEN[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* A number as it stands in the text. */
struct decimal {
  const char *start, *end;
  uint64_t digits; /* the first 19 significant digits */
  int exponent;    /* power of ten that digits is to be multiplied with */
  int negative;
  int exact; /* no digit was left out of `digits` */
};

size_t json_count(const char *text, size_t bytes) {
  size_t commas = 0;
  for (size_t i = 0; i < bytes; i++) commas += text[i] == ',';
  return commas + 1;
}

static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

static const char *skip_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
  return p;
}

/* Appends the digits at p to number; those behind the point lower the exponent. */
static const char *scan_digits(const char *p, const char *end, int behind_point, struct decimal *number) {
  for (; p < end && is_digit(*p); p++) {
    if (number->digits < 1000000000000000000u) {
      number->digits = number->digits * 10 + (uint64_t)(*p - '0');
      number->exponent -= behind_point;
    } else {
      if (*p != '0') number->exact = 0;
      if (number->exponent < 1000000) number->exponent += !behind_point;
    }
  }
  return p;
}

/* The grammar of a number. Returns NULL when the text is one, else what was expected at *at. */
static const char *scan_number(const char *p, const char *end, struct decimal *number, const char **at) {
  *number = (struct decimal){.start = p, .exact = 1};
  if (p < end && *p == '-') number->negative = 1, p++;
  *at = p;
  if (p >= end || !is_digit(*p)) return "a number";
  int leading_zero = *p == '0';
  const char *first = p;
  p = scan_digits(p, end, 0, number);
  *at = first + 1;
  if (leading_zero && p - first > 1) return "no digit behind a leading zero";
  if (p < end && *p == '.') {
    const char *fraction = ++p;
    p = scan_digits(p, end, 1, number);
    *at = p;
    if (p == fraction) return "a digit behind the decimal point";
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    int sign = 1, exponent = 0;
    if (++p < end && (*p == '+' || *p == '-')) sign = *p++ == '-' ? -1 : 1;
    *at = p;
    if (p >= end || !is_digit(*p)) return "a digit in the exponent";
    for (; p < end && is_digit(*p); p++)
      if (exponent < 1000000) exponent = exponent * 10 + (*p - '0');
    number->exponent += sign * exponent;
  }
  number->end = p;
  return NULL;
}

/* strtod in the "C" locale. It stops where the number does: what follows is no part of one, or the terminator. */
static enum status convert_slowly(const struct decimal *number, double *value) {
  return system_strtod(number->start, value) ? STATUS_OK : STATUS_NOMEM;
}

/* Whether an error of 2 units in the last place of x cannot change what x rounds to as float32. */
static int rounds_safely(double x) {
  if (!(x >= 2 * (double)FLT_MIN && x <= 0.5 * (double)FLT_MAX)) return 0;
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint64_t low = bits & 0x1fffffffu; /* what float32 drops: half is 0x10000000 */
  return low + 4 < 0x10000000u || low > 0x10000004u;
}

static enum status convert(const struct decimal *number, float *out) {
  double value = 0;
  int fast = 0;
  if (number->digits == 0 && number->exact) {
    fast = 1;
  } else if (number->exact && number->exponent >= -22 && number->exponent <= 22) {
    value = (double)number->digits;
    if (number->exponent < 0)
      value /= POWER_OF_TEN[-number->exponent];
    else
      value *= POWER_OF_TEN[number->exponent];
    fast = rounds_safely(value);
  }
  if (fast) {
    if (number->negative) value = -value;
  } else {
    enum status rc = convert_slowly(number, &value);
    if (rc) return rc;
  }
  *out = (float)value;
  return isfinite(*out) ? STATUS_OK : STATUS_OVERFLOW;
}

/* The reader's place: `at` and `expected` say where and why it stopped. */
struct reader {
  const char *at, *end, *expected;
  size_t count;
};

/* Reads "number, number ... ]". */
static enum status read_elements(struct reader *r, size_t cap, float *out) {
  for (;;) {
    struct decimal number;
    if (r->count == cap) return STATUS_DIM;
    r->expected = scan_number(r->at, r->end, &number, &r->at);
    if (r->expected != NULL) return STATUS_FOREIGN;
    enum status rc = convert(&number, &out[r->count]);
    if (rc) return rc;
    r->count++;
    r->at = skip_space(number.end, r->end);
    r->expected = "',' or ']'";
    if (r->at >= r->end || (*r->at != ',' && *r->at != ']')) return STATUS_FOREIGN;
    if (*r->at++ == ']') return STATUS_OK;
    r->at = skip_space(r->at, r->end);
  }
}

static enum status read_array(struct reader *r, size_t cap, float *out) {
  r->at = skip_space(r->at, r->end);
  r->expected = "'['";
  if (r->at >= r->end || *r->at != '[') return STATUS_FOREIGN;
  r->at = skip_space(r->at + 1, r->end);
  if (r->at < r->end && *r->at == ']') {
    r->at++;
  } else {
    enum status rc = read_elements(r, cap, out);
    if (rc) return rc;
  }
  r->at = skip_space(r->at, r->end);
  r->expected = "the end of the text";
  return r->at < r->end ? STATUS_FOREIGN : STATUS_OK;
}

enum status json_read(const char *text, size_t bytes, size_t cap, float *out, size_t *count,
                      struct json_fault *fault) {
  struct reader r = {.at = text, .end = text + bytes};
  enum status rc = read_array(&r, cap, out);
  *count = r.count;
  *fault = (struct json_fault){.offset = (size_t)(r.at - text), .index = r.count, .expected = r.expected};
  return rc;
}

/* Significant digits as an integer, and the power of ten of the last one. */
struct digits {
  uint64_t number;
  int count, exponent;
};

/* x > 0 rounded to `count` significant digits. snprintf's decimal point follows the locale: only digits are taken. */
static struct digits round_to(float x, int count) {
  char text[64];
  struct digits d = {.count = count};
  snprintf(text, sizeof text, "%.*e", count - 1, (double)x);
  const char *p = text;
  for (; *p != 'e'; p++)
    if (is_digit(*p)) d.number = d.number * 10 + (uint64_t)(*p - '0');
  d.exponent = atoi(p + 1) - (count - 1);
  return d;
}

static int reads_back_to(struct digits d, float x) {
  char text[40];
  const char *at;
  struct decimal number;
  float back;
  int length = snprintf(text, sizeof text, "%llue%d", (unsigned long long)d.number, d.exponent);
  return scan_number(text, text + length, &number, &at) == NULL && convert(&number, &back) == STATUS_OK &&
         back == x;
}

/* Nine digits always suffice. Below a power of two floats lie twice as dense: the nearest number of few digits may read
** back to the float below, and the next one up to x. */
static struct digits shortest(float x) {
  struct digits d = round_to(x, 1);
  for (int count = 1; count <= 9; count++) {
    d = round_to(x, count);
    if (reads_back_to(d, x)) break;
    d.number++;
    if (reads_back_to(d, x)) break;
  }
  return d;
}

/* Plain notation from 1e-5 up to 1e16, else scientific. */
static size_t lay_out(struct digits d, char *out) {
  char digits[24];
  int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)d.number);
  int point = count + d.exponent; /* digits before the decimal point */
  char *p = out;
  if (point < -4 || point > 16) {
    *p++ = digits[0];
    if (count > 1) *p++ = '.';
    for (int i = 1; i < count; i++) *p++ = digits[i];
    return (size_t)(p - out) + (size_t)sprintf(p, "e%d", point - 1);
  }
  if (point <= 0) *p++ = '0';
  for (int i = 0; i < count || i < point; i++) {
    if (i == 0 && point <= 0) {
      *p++ = '.';
      for (int zero = point; zero < 0; zero++) *p++ = '0';
    } else if (i == point) {
      *p++ = '.';
    }
    *p++ = i < count ? digits[i] : '0';
  }
  return (size_t)(p - out);
}

size_t json_write_number(float x, char *out) {
  char *p = out;
  if (signbit(x)) *p++ = '-';
  if (x == 0)
    *p++ = '0';
  else
    p += lay_out(shortest(fabsf(x)), p);
  return (size_t)(p - out);
}
