/*
** Exact sums of float64, element by element: what was added can be taken out again, and nothing of it is left.
**
** A moving window over values of any magnitude needs this: after 1e30 has left it, the sum of what stays must be right,
** and any number of compensation terms can be outrun by magnitudes that differ more. Three stages, each of which takes
** exactly what the one before lost to rounding (Knuth's two-sum, TAOCP 2, 4.2.2, theorem B, gives it exactly):
**
** - `sum`, the plain float64 sum, rounded with every addition, in the order of the additions;
** - `low`, in float64 too. Its own additions are exact as long as what is added spans less than some 80 binary orders
**   of magnitude, as embeddings do;
** - `wide`, an integer in 66 digits to the base 2^32 (in the manner of Kulisch & Miranker 1986), which holds every
**   multiple of 2^-1074 up to 2^1024 and so never rounds. It is made when `low` first loses something: 528 bytes an
**   element.
**
** So sum + low + wide is the sum itself, whatever came and went before, and in whichever order.
** Rejected: expansions of any length (Shewchuk 1997), whose number of terms has no good bound without renormalising; and
** summing each frame anew, which takes the length of the frame for every row.
*/
#ifndef WHITEN_CORE_EXACT_H
#define WHITEN_CORE_EXACT_H

#include "core/base.h"

/* Zeroed = empty; owned: sum (low and lost are in its block), wide. */
struct exact {
  const struct memory *mem;
  size_t n;
  double *sum, *low;
  double *lost;  /* what the addition under way lost; else zeros */
  int64_t *wide; /* n x EXACT_DIGITS, least first; NULL: zeros */
  int64_t added; /* rows in `wide` since its digits were last carried */
  struct exact_range {
    int first, end;
  } range; /* of the digits in use */
};

#define EXACT_DIGITS 66

enum status exact_init(struct exact *e, size_t n, const struct memory *mem);
void exact_clear(struct exact *e);

/*
** Element i += weight * v_i, the product rounded to float64, for the first `count` elements: v is unaligned float32.
** STATUS_NOT_FINITE: v has an element that is NaN or infinite. A product or a sum beyond float64 makes the element's
** value NaN or infinite until exact_reset.
*/
enum status exact_add(struct exact *e, size_t count, const void *v, double weight);

/* Element i += x. */
enum status exact_add_one(struct exact *e, size_t i, double x);

/* Element i, the sum of all that was added, rounded once. */
double exact_value(const struct exact *e, size_t i);

/* All elements 0 again. */
void exact_reset(struct exact *e);

#endif
