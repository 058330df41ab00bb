/*
** AVX-512: 32 registers of 64 bytes, so a panel is three of them and a tile is 8 x 3.
**
** Dot-like sums are AVX2's: a row that SQLite hands out is never aligned, so that every load of 64 bytes would cross a
** cache line, and a scan beyond the second cache takes 1.2 to 1.6 times as long (d = 256 .. 1536, Zen 5).
*/
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx512
#define TARGET "avx512f,avx512dq,avx512bw,avx2,fma"
#define WIDTH 64
#define FMA(a, b, sum) _Generic(sum, floats : _mm512_fmadd_ps, doubles : _mm512_fmadd_pd)(a, b, sum)
#define SPLAT(x) _Generic(x, float : _mm512_set1_ps, double : _mm512_set1_pd)(x)
#define LOW(v) _mm512_castps512_ps256(v)
#define HIGH(v) _mm512_extractf32x8_ps(v, 1)
#define WIDE(half) _mm512_cvtps_pd(half)
#define NARROW(v) _mm512_cvtpd_ps(v)
#define ANY(v) (_mm512_test_epi32_mask((__m512i)(v), (__m512i)(v)) != 0)
#define MASK(v) ((uint32_t)_mm512_movepi32_mask((__m512i)(v)))
#define TABLE(p) _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)(p)))
#define LOOKUP(table, index) _mm512_shuffle_epi8(table, (__m512i)(index))
#define PAIRS(u, s) _mm512_maddubs_epi16((__m512i)(u), (__m512i)(s))
#define SWAP1(v) _mm512_permute_ps(v, 0xb1)
#define SWAP2(v) _mm512_permute_ps(v, 0x4e)
#define SWAP4(v) _mm512_shuffle_f32x4(v, v, 0xb1)
#define SWAP8(v) _mm512_shuffle_f32x4(v, v, 0x4e)
#define TILE_ROWS 8
#define PANELS_AT_ONCE 4
#define SUMS avx2
#include "core/simd/template.h"
#endif
