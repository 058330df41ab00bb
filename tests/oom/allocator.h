/* SQLite's allocator with a count and a fault: what SQLITE_CONFIG_MALLOC installs. */
#ifndef OOM_ALLOCATOR_H
#define OOM_ALLOCATOR_H

/* Installs it; before sqlite3_initialize. Returns an SQLite error code. */
int allocator_install(void);

/* From here on the n-th allocation (from 1) fails; with `persistently` those behind it too. n = 0 only counts. */
void allocator_arm(long n, int persistently);
/* Nothing fails any more. Returns how many allocations were asked for since allocator_arm. */
long allocator_disarm(void);
/* How many of them failed. */
long allocator_failed(void);

/* Bytes that are allocated now, as they were asked for. */
long long allocator_outstanding(void);

#endif
