/* AVX2 and FMA: 16 registers of 32 bytes, so a sum's 32 lanes are four and a tile is 4 x 3. */
#if defined(__x86_64__)
#include <immintrin.h>

#define VARIANT avx2
#define TARGET "avx2,fma"
#define WIDTH 32
#define FMA(a, b, sum) _Generic(sum, floats : _mm256_fmadd_ps, doubles : _mm256_fmadd_pd)(a, b, sum)
#define SPLAT(x) _Generic(x, float : _mm256_set1_ps, double : _mm256_set1_pd)(x)
#define LOW(v) _mm256_castps256_ps128(v)
#define HIGH(v) _mm256_extractf128_ps(v, 1)
#define WIDE(half) _mm256_cvtps_pd(half)
#define NARROW(v) _mm256_cvtpd_ps(v)
#define ANY(v) (!_mm256_testz_si256((__m256i)(v), (__m256i)(v)))
#define MASK(v) ((uint32_t)_mm256_movemask_ps((__m256)(v)))
#define TABLE(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const void *)(p)))
#define LOOKUP(table, index) _mm256_shuffle_epi8(table, (__m256i)(index))
#define PAIRS(u, s) _mm256_maddubs_epi16((__m256i)(u), (__m256i)(s))
#define SWAP1(v) _mm256_permute_ps(v, 0xb1)
#define SWAP2(v) _mm256_permute_ps(v, 0x4e)
#define SWAP4(v) _mm256_permute2f128_ps(v, v, 1)
#define TILE_ROWS 4
#define PANELS_AT_ONCE 2
#include "core/simd/template.h"
#endif
