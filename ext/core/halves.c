/* See halves.h. */
#include "core/halves.h"

#include <string.h>

enum { LEAST_PAIRS = 256, SHARE = 16, LEAST_FOR_HINT = 32, SHARE_FOR_HINT = 32, WINDOW = 16 };
enum { PAIRS_OF_ROW = 16, ENOUGH_PAIRS = 2048, ENOUGH_ROWS = 4096 };

static void look_at_pair(struct halves *h, const unsigned char *pair) {
  uint32_t low, high;
  memcpy(&low, pair, sizeof low);
  memcpy(&high, pair + sizeof low, sizeof high);
  int exponent = (int)(high >> 23 & 0xff);
  if (low == 0 && high << 1 == 0) return;
  if (h->pairs == 0 || exponent < h->least) h->least = exponent;
  if (h->pairs == 0 || exponent > h->most) h->most = exponent;
  h->cells[low >> 29]++;
  h->pairs++;
}

void halves_look(struct halves *h, size_t dim, const void *v) {
  for (size_t i = 0; i < dim / 2 && dim % 2 == 0; i++) look_at_pair(h, (const unsigned char *)v + 8 * i);
}

int halves_sample(struct halves *h, size_t dim, const void *v) {
  size_t count = dim / 2, looked = count < PAIRS_OF_ROW ? count : PAIRS_OF_ROW;
  if (h->pairs >= ENOUGH_PAIRS || h->rows >= ENOUGH_ROWS || dim % 2 != 0) return 0;
  for (size_t i = 0; i < looked; i++) {
    size_t place = ((size_t)h->rows * PAIRS_OF_ROW + i) % count;
    look_at_pair(h, (const unsigned char *)v + 8 * place);
  }
  h->rows++;
  return h->pairs >= ENOUGH_PAIRS || h->rows >= ENOUGH_ROWS;
}

static int look_alike(const struct halves *h, int pairs, int share) {
  if (h->pairs < pairs || h->most - h->least >= WINDOW) return 0;
  for (int cell = 0; cell < 8; cell++)
    if (h->cells[cell] < h->pairs / share) return 0;
  return 1;
}

int halves_are_float64(const struct halves *h) {
  return look_alike(h, LEAST_PAIRS, SHARE);
}

int halves_may_be_float64(const struct halves *h) {
  return look_alike(h, LEAST_FOR_HINT, SHARE_FOR_HINT);
}
