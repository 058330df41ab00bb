/*
** The header of a .npy file, as numpy.save writes it: \x93NUMPY, the version in two bytes, the length of the header in two
** bytes (1.0) or four (2.0, 3.0), lowest first, and a Python dictionary with descr, fortran_order and shape; the numbers
** follow. (numpy.lib.format.)
*/
#ifndef WHITEN_CORE_NPY_H
#define WHITEN_CORE_NPY_H

#include "core/encoding.h"

enum npy_fault { NPY_OK, NPY_VERSION, NPY_HEADER, NPY_DTYPE, NPY_FORTRAN, NPY_SHAPE };

struct npy {
  enum encoding encoding;
  size_t data;     /* offset of the first number */
  int axes;        /* 1 or 2 */
  uint64_t n, dim; /* the shape; dim is 1 where there is one axis */
  char dtype[8];   /* as it stands there, cut; for messages */
};

/* Whether a file begins as one of these does. */
int npy_is_npy(const void *file, size_t bytes);

/* Reads the header of one that does: <f4, <f8, <f2 or |i1, C order, one axis or two. */
enum npy_fault npy_read(const void *file, size_t bytes, struct npy *npy);

#endif
