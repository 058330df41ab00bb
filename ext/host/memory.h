/* SQLite's allocator, as the core takes it: so SQLite's heap limits and failure injection see every byte. */
#ifndef WHITEN_HOST_MEMORY_H
#define WHITEN_HOST_MEMORY_H

#include "core/base.h"

extern const struct memory sqlite_memory;

/* Of a block that is about to be filled, has the system give all pages at once: one by one, as they are first written
** to, they take ten times as long, and longer still in a virtual machine. */
void memory_touch(void *block, size_t bytes);

#endif
