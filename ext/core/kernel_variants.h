/* The variants of kernel.h, for the file that chooses among them and the files that define them. */
#ifndef WHITEN_CORE_KERNEL_VARIANTS_H
#define WHITEN_CORE_KERNEL_VARIANTS_H

#include "kernel.h"

extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_avx2, kernel_avx512;
#elif defined(__aarch64__)
extern const struct kernel kernel_neon;
#endif

#endif
