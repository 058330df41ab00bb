/*
** Products, norms and distances of vectors of any magnitude, on top of core/simd/simd.h.
**
** Squares of normal float32 leave its range beyond 1e19 and below 1e-23. When a sum is suspiciously large or small it
** is taken again in 32 float64 lanes, in the same order: a product of two float32 is exact there and cannot leave the
** range. So [1e30, 1e30] and [1e-30, 1e-30] are handled like [1, 1]. Vectors are unaligned float32; n is their length.
*/
#ifndef WHITEN_CORE_VECTOR_H
#define WHITEN_CORE_VECTOR_H

#include "core/base.h"

/* Sum of a_i * b_i; NaN when an element of a or b is not finite. */
double vector_dot(size_t n, const void *a, const void *b);
/* Euclidean norm, and distance; NaN as above. */
double vector_norm(size_t n, const void *a);
double vector_l2(size_t n, const void *a, const void *b);
/* Sum of |a_i - b_i|; NaN as above. */
double vector_l1(size_t n, const void *a, const void *b);

/* Sum of the squares, which cosine similarity needs of a constant vector once; 0 for the zero vector, NaN as above. */
double vector_square(size_t n, const void *a);
/* Whether a sum of squares is far from where float32 ends: then every partial product was, too. */
int vector_square_is_safe(double sum);
/* Cosine of a, whose vector_square is given, and b, in [-1, 1]; COSINE_UNDEFINED when either is the zero vector; NaN
** when an element is not finite. */
double vector_cosine(size_t n, const void *a, double square, const void *b);
#define COSINE_UNDEFINED 2.0

/* out = a / norm, each quotient taken in float64 and rounded once. */
void vector_divide(size_t n, const void *a, double norm, float *out);

/* out = factor * a, each product taken in float64 and rounded once. */
void vector_scale(size_t n, const void *a, double factor, float *out);

/* Index of the first element that is NaN or infinite, n when there is none. */
size_t vector_find_not_finite(size_t n, const void *a);

/* Sum in 8 float64 lanes of a_i^2: for statistics. */
double vector_square_f64(size_t n, const void *a);

#endif
