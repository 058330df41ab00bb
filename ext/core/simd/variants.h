/* The variants of core/simd/simd.h, for the file that chooses among them and the files that define them. */
#ifndef WHITEN_CORE_SIMD_VARIANTS_H
#define WHITEN_CORE_SIMD_VARIANTS_H

#include "core/simd/simd.h"

extern const struct simd simd_portable;
#if defined(__x86_64__)
extern const struct simd simd_avx2, simd_avx512;

/* What the AVX-512 variant takes from the AVX2 one. */
double avx2_dot(size_t n, const void *a, const void *b);
void avx2_dot2(size_t n, const void *a, const void *b, double out[2]);
double avx2_l2sq(size_t n, const void *a, const void *b);
#elif defined(__aarch64__)
extern const struct simd simd_neon;
#endif

#endif
