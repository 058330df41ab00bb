/* Model and stats BLOBs from what is left of an input, repaired: 1 the hash, 2 the size (cut, or filled up with zeros),
** 4 magic, version and byte order; of stats, 8 makes it the magic of pair stats. */
#ifndef FUZZ_BLOBS_H
#define FUZZ_BLOBS_H

#include "core/blob.h"
#include "core/model.h"
#include "core/moments.h"
#include "fuzz.h"

struct blob {
  uint8_t *bytes;
  size_t size;
};

struct blob blob_model(unsigned repairs, const struct input *input);
struct blob blob_stats(unsigned repairs, const struct input *input);
void blob_free(struct blob *blob);

#endif
