/* The panel layout, and the choice of a variant: portable unless the CPU is known to run a faster one. */
#include "kernel.h"

#include <string.h>

const struct kernel *kernel = &kernel_portable;

static size_t panel_width(size_t m, size_t first) {
  size_t left = m - first;
  return left >= PANEL_WIDTH ? PANEL_WIDTH : (left + 15) / 16 * 16;
}

size_t kernel_panel_elements(size_t n, size_t m) {
  size_t full = m / PANEL_WIDTH * PANEL_WIDTH;
  return n * (full + (m > full ? panel_width(m, full) : 0));
}

size_t kernel_panel_index(size_t n, size_t m, size_t i, size_t j) {
  size_t first = j / PANEL_WIDTH * PANEL_WIDTH;
  return n * first + i * panel_width(m, first) + (j - first);
}

void kernel_pack(size_t n, size_t m, const void *w, float *panels) {
  memset(panels, 0, kernel_panel_elements(n, m) * sizeof *panels);
  for (size_t first = 0; first < m; first += PANEL_WIDTH) {
    size_t columns = m - first < PANEL_WIDTH ? m - first : PANEL_WIDTH;
    for (size_t i = 0; i < n; i++)
      memcpy(&panels[kernel_panel_index(n, m, i, first)], (const char *)w + 4 * (i * m + first), 4 * columns);
  }
}

const char *kernel_choose(const char *name) {
  (void)name;
  kernel = &kernel_portable;
  return kernel->name;
}
