/*
** The arithmetic of codes (core/codes.h), as template.h has the rest. No include guard: template.h includes it.
**
** All sums are integer, so their order is free. Bytes are summed in pairs: `even` takes a pair as the 16-bit number it
** is, `odd` its upper byte, and in the end the upper bytes are taken from the former; what overflows there, modulo 2^16,
** was never of the lower bytes' sum. A byte's two entries add up to 254, so 258 of them fit 16 bits.
*/

typedef uint8_t bytes __attribute__((vector_size(WIDTH)));
typedef uint16_t shorts __attribute__((vector_size(WIDTH)));
typedef int32_t ints __attribute__((vector_size(WIDTH)));
typedef bytes bytes_anywhere ANYWHERE;
typedef shorts shorts_anywhere ANYWHERE;
typedef ints ints_anywhere ANYWHERE;

enum { CODE_REGISTERS = CODE_ROWS / WIDTH, CODE_PART = 256 };

INLINE bytes bytes_at(const void *p) {
  return *(const bytes_anywhere *)p;
}

/* sums (of 64 rows) += the entries for up to CODE_PART bytes. */
INLINE void add_entries(size_t n, const unsigned char *tables, const unsigned char *codes, int32_t *sums) {
  shorts even[CODE_REGISTERS], odd[CODE_REGISTERS];
  uint16_t first[CODE_ROWS / 2], second[CODE_ROWS / 2];
  UNROLL for (size_t r = 0; r < CODE_REGISTERS; r++) even[r] = odd[r] = (shorts){0};
  for (size_t i = 0; i < n; i++, tables += 32, codes += CODE_ROWS) {
    UNROLL for (size_t r = 0; r < CODE_REGISTERS; r++) {
      bytes code = bytes_at(codes + WIDTH * r);
      shorts pair = (shorts)((bytes)LOOKUP(TABLE(tables), code & 15) +
                             (bytes)LOOKUP(TABLE(tables + 16), code >> 4));
      even[r] += pair;
      odd[r] += pair >> 8;
    }
  }
  UNROLL for (size_t r = 0; r < CODE_REGISTERS; r++) {
    *(shorts_anywhere *)(first + WIDTH / 2 * r) = even[r] - (odd[r] << 8);
    *(shorts_anywhere *)(second + WIDTH / 2 * r) = odd[r];
  }
  for (size_t i = 0; i < CODE_ROWS / 2; i++) {
    sums[2 * i] += first[i];
    sums[2 * i + 1] += second[i];
  }
}

/* Two roundings and a third, as long as -ffp-contract=off holds. */
static uint64_t scan_codes(size_t n, const unsigned char *tables, const unsigned char *rows, float scale,
                           float base, float least) {
  const unsigned char *codes = rows + 4 * CODE_ROWS;
  int32_t sums[CODE_ROWS] = {0};
  uint64_t mask = 0;
  for (; n > CODE_PART; n -= CODE_PART, tables += 32 * CODE_PART, codes += CODE_ROWS * CODE_PART)
    add_entries(CODE_PART, tables, codes, sums);
  add_entries(n, tables, codes, sums);
  UNROLL for (size_t r = 0; r < CODE_ROWS; r += FLOATS) {
    floats factor = floats_at(rows + 4 * r),
           sum = __builtin_convertvector(*(const ints_anywhere *)(sums + r), floats);
    floats estimate = (sum * SPLAT(scale) + SPLAT(base)) * factor;
    mask |= (uint64_t)MASK((estimate >= SPLAT(least)) & (factor > SPLAT(0.0f))) << r;
  }
  return mask;
}

/* A register of pairs is at most 2 * 2 * 15 * 128 each, so four of them fit 16 bits. */
static int32_t dot_codes(size_t n, const unsigned char *halves, const signed char *weights) {
  ints total = {0};
  int32_t sum = 0, lane[FLOATS];
  for (size_t i = 0; i < n; i += 64) {
    shorts pairs = {0};
    UNROLL for (size_t r = 0; r < 64; r += WIDTH) {
      bytes byte = bytes_at(halves + i + r);
      pairs += (shorts)PAIRS(byte & 15, bytes_at(weights + i + r));
      pairs += (shorts)PAIRS(byte >> 4, bytes_at(weights + n + i + r));
    }
    total += (ints)((words)pairs << 16) >> 16;
    total += (ints)pairs >> 16;
  }
  *(ints_anywhere *)lane = total;
  UNROLL for (size_t i = 0; i < FLOATS; i++) sum += lane[i];
  return sum;
}
