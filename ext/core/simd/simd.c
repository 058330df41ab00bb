/* The layouts that transforms read, and the choice of a variant. */
#include <string.h>

#include "core/simd/simd.h"

const struct simd *simd = &simd_portable;

static size_t panel_width(size_t m, size_t first) {
  size_t left = m - first;
  return left >= PANEL_WIDTH ? PANEL_WIDTH : (left + 15) / 16 * 16;
}

size_t simd_panel_elements(size_t n, size_t m) {
  size_t full = m / PANEL_WIDTH * PANEL_WIDTH;
  return n * (full + (m > full ? panel_width(m, full) : 0));
}

size_t simd_panel_index(size_t n, size_t m, size_t i, size_t j) {
  size_t first = j / PANEL_WIDTH * PANEL_WIDTH;
  return n * first + i * panel_width(m, first) + (j - first);
}

void simd_pack(size_t n, size_t m, const void *w, float *panels) {
  memset(panels, 0, simd_panel_elements(n, m) * sizeof *panels);
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH;
    for (size_t i = 0; i < n; i++)
      memcpy(&panels[simd_panel_index(n, m, i, first)], (const char *)w + 4 * (i * m + first), 4 * columns);
  }
}

int simd_is_packed(size_t n, size_t m, const void *w, const float *panels) {
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH;
    for (size_t i = 0; i < n; i++)
      if (memcmp(&panels[simd_panel_index(n, m, i, first)], (const char *)w + 4 * (i * m + first), 4 * columns) !=
          0)
        return 0;
  }
  return 1;
}

#if defined(__x86_64__)
static int runs_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static int runs_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && runs_avx2();
}
#endif

const struct simd *const *simd_variants(void) {
#if defined(__x86_64__)
  static const struct simd *const ALL[] = {&simd_avx512, &simd_avx2, &simd_portable, NULL};
  return runs_avx512() ? ALL : runs_avx2() ? ALL + 1 : ALL + 2;
#elif defined(__aarch64__)
  static const struct simd *const ALL[] = {&simd_neon, &simd_portable, NULL};
  return ALL;
#else
  static const struct simd *const ALL[] = {&simd_portable, NULL};
  return ALL;
#endif
}

int simd_choose(const char *name) {
  for (const struct simd *const *variant = simd_variants(); *variant != NULL; variant++) {
    if (name != NULL && strcmp(name, (*variant)->name) != 0) continue;
    simd = *variant;
    return 1;
  }
  return 0;
}
