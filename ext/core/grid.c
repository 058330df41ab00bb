/* See grid.h. */
#include "core/grid.h"

#include <float.h>
#include <math.h>

size_t grid_fill(size_t d, size_t rank, int64_t rows, struct grid_setting settings[GRID_SETTINGS]) {
  static const double POWERS[] = {1, 1, .5, .75, .25, 1, 0, 1}, RIDGES[] = {1, .1, 0, 0, 0, 10, 0, 0};
  enum { KINDS = sizeof POWERS / sizeof *POWERS };
  int is_full = rank == d && rows / 2 > (int64_t)d;
  size_t count = 0;
  for (size_t i = 0; i < (size_t)4 * KINDS; i++) {
    size_t remove = i / KINDS, kind = i % KINDS, usable = RIDGES[kind] > 0 ? d : rank;
    if (rank <= remove || (POWERS[kind] == 1 && RIDGES[kind] == 0 && !is_full)) continue;
    settings[count++] = (struct grid_setting){POWERS[kind], RIDGES[kind], remove, usable - remove, 0};
  }
  return count;
}

static double mean_of(size_t d, const double *eigenvalues) {
  double sum = 0;
  for (size_t j = 0; j < d; j++) sum += eigenvalues[j] > 0 ? eigenvalues[j] : 0;
  return sum / (double)d;
}

/* What the component at that place, from the largest, is multiplied by. */
static double scale_at(size_t d, const double *eigenvalues, const struct grid_setting *setting, size_t place) {
  double value = eigenvalues[d - 1 - place];
  return pow((value > 0 ? value : 0) + setting->ridge * mean_of(d, eigenvalues), -setting->power / 2);
}

size_t grid_sift(size_t d, const double *eigenvalues, struct grid_setting *settings, size_t count) {
  size_t left = 0;
  for (size_t i = 0; i < count; i++) {
    double least = scale_at(d, eigenvalues, &settings[i], settings[i].remove);
    double most = scale_at(d, eigenvalues, &settings[i], settings[i].remove + settings[i].k - 1);
    if (least >= FLT_MIN * sqrt((double)d) && most <= FLT_MAX) settings[left++] = settings[i];
  }
  return left;
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
  double mean = mean_of(d, eigenvalues);
  for (size_t j = 0; j < d; j++) {
    size_t place = d - 1 - j; /* from the largest */
    double value = (eigenvalues[j] > 0 ? eigenvalues[j] : 0) / mean + setting->ridge;
    int is_kept = place >= setting->remove && place < setting->remove + setting->k;
    weights[j] = !is_kept              ? 0
                 : setting->power == 0 ? 1
                 : setting->power == 1 ? 1 / value
                                       : pow(value, -setting->power);
  }
}
