/* SQLite's allocator, as the core takes it: so SQLite's heap limits and failure injection see every byte. */
#ifndef WHITEN_HOST_MEMORY_H
#define WHITEN_HOST_MEMORY_H

#include "core/base.h"

extern const struct memory sqlite_memory;

#endif
