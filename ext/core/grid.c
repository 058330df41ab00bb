/* See grid.h. */
#include "core/grid.h"

#include <math.h>

static size_t add(struct grid_setting *settings, size_t count, struct grid_setting setting, size_t usable) {
  if (usable <= setting.remove) return count;
  settings[count] = setting;
  settings[count].k = usable - setting.remove;
  return count + 1;
}

size_t grid_fill(size_t d, size_t rank, struct grid_setting settings[GRID_SETTINGS]) {
  static const double POWERS[] = {.25, .5, .75}, RIDGES[] = {0, .03, .1, .3, 1, 3, 10};
  static const size_t REMOVE[] = {0, 1, 3};
  size_t count = 0;
  for (size_t remove = 0; remove < 2; remove++)
    count = add(settings, count, (struct grid_setting){.power = 0, .remove = remove}, rank);
  for (size_t i = 0; i < sizeof POWERS / sizeof *POWERS; i++)
    count = add(settings, count, (struct grid_setting){.power = POWERS[i]}, rank);
  for (size_t i = 0; i < sizeof REMOVE / sizeof *REMOVE; i++)
    for (size_t j = 0; j < sizeof RIDGES / sizeof *RIDGES; j++)
      count = add(settings, count, (struct grid_setting){.power = 1, .ridge = RIDGES[j], .remove = REMOVE[i]},
                  RIDGES[j] > 0 ? d : rank);
  return count;
}

size_t grid_shorten(size_t d, const struct grid_setting *setting, struct grid_setting settings[GRID_HALVINGS]) {
  size_t count = 0;
  for (size_t k = d / 2; k >= GRID_LEAST_K && count < GRID_HALVINGS; k /= 2) {
    if (k >= setting->k) continue;
    settings[count] = *setting;
    settings[count++].k = k;
  }
  return count;
}

void grid_weigh(size_t d, const double *eigenvalues, const struct grid_setting *setting, double *weights) {
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += eigenvalues[j] > 0 ? eigenvalues[j] : 0;
  for (size_t j = 0; j < d; j++) {
    size_t place = d - 1 - j; /* from the largest */
    double value = (eigenvalues[j] > 0 ? eigenvalues[j] : 0) / (sum / (double)d) + setting->ridge;
    int is_kept = place >= setting->remove && place < setting->remove + setting->k;
    weights[j] = !is_kept              ? 0
                 : setting->power == 0 ? 1
                 : setting->power == 1 ? 1 / value
                                       : pow(value, -setting->power);
  }
}
