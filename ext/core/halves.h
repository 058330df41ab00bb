/*
** float64 that is read as float32 of twice the dimension: told by what its halves look like.
**
** numpy's default is float64, and a BLOB of 768 of them is a well-formed vector of 1536 float32. In memory each number is
** its low half, then its high half. The low half is the end of a mantissa: its bits are as good as random, so read as
** float32 it lies, with equal chance, on either side of 0 and in each of four bands of magnitude - below 2^-63, to 2, to
** 2^65, above. (A float64 that was rounded from float32 has three bits there, which are just those: 0, 2^-63, 2, 2^65.)
** The high half holds sign, exponent and the mantissa's beginning: read as float32, a step of its exponent is 2^8, so
** numbers of one kind lie close together. No float32 looks like that.
**
** So, of 256 pairs or more of an even and an odd element, with zeros left out: each of the 8 cells of sign and band holds
** 1/16 or more of the even elements (1/8 is expected), and the odd ones lie within 16 exponents of float32.
**
** - False alarms. A window of 16 exponents meets at most two bands, so a quarter of the even elements lie outside, and
**   none of the odd ones. If even and odd elements come from one distribution with share w inside the window, that has
**   the chance w^m C(m, m/4) (1-w)^(m/4) w^(3m/4), which is largest at w = 7/8: e^(-0.191 m), times 241 windows; 1e-19
**   at m = 256 for the worst of all distributions, which would have to reach from 1e-19 to 1e19. Where even and odd
**   elements differ, it takes even ones that fill all eight cells: magnitudes that no embedding has. Constants, integers,
**   one-hot and sparse vectors, numbers of 16 or 8 bits all leave cells empty.
** - Misses. Fewer pairs than 256. float64 whose low halves are zeros, such as integers or numbers rounded to 16 bits: as
**   float32 they are no different from vectors with a zero in every second place, and nothing is said. Of true float64,
**   0.3 % at 256 pairs, 1e-12 at 2048, by the binomial distribution of the cells.
*/
#ifndef WHITEN_CORE_HALVES_H
#define WHITEN_CORE_HALVES_H

#include "core/base.h"

/* What was seen of a column. Zeroed = nothing. */
struct halves {
  int rows;        /* that were looked at */
  int pairs;       /* in them that are not zeros */
  int cells[8];    /* of the low halves: sign, band */
  int least, most; /* exponent of the high halves */
};

/* Looks at every pair of a vector of dim float32, unaligned. */
void halves_look(struct halves *h, size_t dim, const void *v);

/*
** Looks at up to 16 pairs, at places that change from row to row, until 2048 are found or 4096 rows are through: so a
** column costs next to nothing. Returns 1 at the row that completes the sample, once.
*/
int halves_sample(struct halves *h, size_t dim, const void *v);

/* Whether it is float64. */
int halves_are_float64(const struct halves *h);

/* Whether it may be: from 32 pairs on, with 1/32 or more in each cell. For a message about an element that is not finite,
** which one in 256 of the low halves is: there is an error anyway, and most columns of float64 meet it before 256 pairs. */
int halves_may_be_float64(const struct halves *h);

#endif
