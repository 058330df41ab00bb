/*
** The arithmetic of codes (core/codes.h), as template.h has the rest. No include guard: template.h includes it.
**
** All sums are integer, so their order is free. Bytes are summed in pairs: `even` takes a pair as the 16-bit number it
** is, `odd` its upper byte, and in the end the upper bytes are taken from the former; what overflows there, modulo
** 2^16, was never of the lower bytes' sum. A byte's two entries add up to 254, so 258 of them fit 16 bits.
*/

typedef uint8_t bytes __attribute__((vector_size(WIDTH)));
typedef uint16_t shorts __attribute__((vector_size(WIDTH)));
typedef int8_t signed_bytes __attribute__((vector_size(WIDTH)));
typedef int32_t ints __attribute__((vector_size(WIDTH)));
typedef bytes bytes_anywhere ANYWHERE;
typedef ints ints_anywhere ANYWHERE;

enum { CODE_REGISTERS = CODE_ROWS / WIDTH, CODE_PART = 256 };

INLINE bytes bytes_at(const void *p) {
  return *(const bytes_anywhere *)p;
}

/* sums (of 64 rows) = the entries for up to CODE_PART bytes, added to what is there unless these are the first. */
INLINE void add_entries(int is_first, size_t n, const unsigned char *tables, const unsigned char *codes,
                        int32_t *sums) {
  shorts even[CODE_REGISTERS], odd[CODE_REGISTERS];
  uint16_t first[CODE_ROWS / 2], second[CODE_ROWS / 2], row[CODE_ROWS];
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
    const shorts lower = even[r] - (odd[r] << 8);
    memcpy(first + WIDTH / 2 * r, &lower, WIDTH);
    memcpy(second + WIDTH / 2 * r, &odd[r], WIDTH);
  }
  for (size_t i = 0; i < CODE_ROWS / 2; i++) {
    row[2 * i] = first[i];
    row[2 * i + 1] = second[i];
  }
  for (size_t i = 0; i < CODE_ROWS; i++) sums[i] = row[i] + (is_first ? 0 : sums[i]);
}

/* Each step is rounded, as long as -ffp-contract=off holds. */
static uint64_t scan_codes(const struct code_scan *scan, const unsigned char *rows, float least,
                           int32_t sums[CODE_ROWS]) {
  const unsigned char *codes = rows + 4 * CODE_ROWS, *tables = scan->tables;
  const size_t n = scan->bytes;
  uint64_t mask = 0;
  add_entries(1, n < CODE_PART ? n : CODE_PART, tables, codes, sums);
  for (size_t i = CODE_PART; i < n; i += CODE_PART)
    add_entries(0, n - i < CODE_PART ? n - i : CODE_PART, tables + 32 * i, codes + CODE_ROWS * i, sums);
  UNROLL for (size_t r = 0; r < CODE_ROWS; r += FLOATS) {
    floats factor = floats_at(rows + 4 * r),
           sum = __builtin_convertvector(*(const ints_anywhere *)(sums + r), floats);
    floats estimate = (sum * SPLAT(scan->scale) + SPLAT(scan->base)) * factor;
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
      pairs += (shorts)PAIRS((signed_bytes)(byte & 15), (signed_bytes)bytes_at(weights + i + r));
      pairs += (shorts)PAIRS((signed_bytes)(byte >> 4), (signed_bytes)bytes_at(weights + n + i + r));
    }
    total += (ints)((words)pairs << 16) >> 16;
    total += (ints)pairs >> 16;
  }
  *(ints_anywhere *)lane = total;
  UNROLL for (size_t i = 0; i < FLOATS; i++) sum += lane[i];
  return sum;
}

/* The signs of floats whose index has bit 0, 1, 2 or 3 set: in memory, for gcc 12 would make them anew each time. */
#define S 0x80000000u
static _Alignas(64) const uint32_t SIGNS[4][16] = {
    {0, S, 0, S, 0, S, 0, S, 0, S, 0, S, 0, S, 0, S},
    {0, 0, S, S, 0, 0, S, S, 0, 0, S, S, 0, 0, S, S},
    {0, 0, 0, 0, S, S, S, S, 0, 0, 0, 0, S, S, S, S},
    {0, 0, 0, 0, 0, 0, 0, 0, S, S, S, S, S, S, S, S},
};
#undef S

/* A stage within a register: of two floats that differ in a bit of their index, the one with it is subtracted. */
#define STAGE(v, bit, swap) (swap(v) + (floats)((words)(v) ^ (words)floats_at(SIGNS[bit])))

INLINE floats hadamard_register(floats v) {
#if WIDTH > 32
  v = STAGE(v, 3, SWAP8);
#endif
#if WIDTH > 16
  v = STAGE(v, 2, SWAP4);
#endif
  v = STAGE(v, 1, SWAP2);
  return STAGE(v, 0, SWAP1);
}

/* Two stages at once. */
INLINE void hadamard_registers(float *x, size_t half) {
  floats a = floats_at(x), b = floats_at(x + half), c = floats_at(x + 2 * half), d = floats_at(x + 3 * half);
  floats a_c = a + c, b_d = b + d;
  c = a - c;
  d = b - d;
  put_floats(x, a_c + b_d);
  put_floats(x + half, a_c - b_d);
  put_floats(x + 2 * half, c + d);
  put_floats(x + 3 * half, c - d);
}

static void hadamard(size_t n, float *x) {
  size_t apart = n / 2;
  if (n < FLOATS) {
    simd_portable.hadamard(n, x);
    return;
  }
  for (; apart >= 2 * FLOATS; apart /= 4)
    for (size_t first = 0; first < n; first += 2 * apart)
      for (size_t i = 0; i < apart / 2; i += FLOATS) hadamard_registers(x + first + i, apart / 2);
  for (size_t i = 0; apart == FLOATS && i < n; i += 2 * FLOATS) {
    floats a = floats_at(x + i), b = floats_at(x + i + FLOATS);
    put_floats(x + i, a + b);
    put_floats(x + i + FLOATS, a - b);
  }
  for (size_t i = 0; i < n; i += FLOATS) put_floats(x + i, hadamard_register(floats_at(x + i)));
}
