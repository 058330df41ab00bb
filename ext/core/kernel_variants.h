/* The variants of kernel.h, for the file that chooses among them and the files that define them. */
#ifndef WHITEN_CORE_KERNEL_VARIANTS_H
#define WHITEN_CORE_KERNEL_VARIANTS_H

#include "kernel.h"

extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2, kernel_avx512;

/* What the AVX-512 variant takes from the AVX2 one. */
double avx2_dot(size_t n, const void *a, const void *b);
void avx2_dot2(size_t n, const void *a, const void *b, double out[2]);
double avx2_l2sq(size_t n, const void *a, const void *b);
#elif defined(__aarch64__)
extern const struct kernel kernel_neon;
#endif

#endif
