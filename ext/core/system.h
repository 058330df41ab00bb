/*
** What operating systems have under different names. Windows is that of mingw-w64, whose winpthreads has the threads and
** locks that the other files use; all that differs besides stands here. It has no fork() and no signals to keep away.
*/
#ifndef WHITEN_CORE_SYSTEM_H
#define WHITEN_CORE_SYSTEM_H

#include <pthread.h>
#include <stddef.h>

/* Processors that this process may run on, at least 1. */
int system_cores(void);

/* pthread_create, with all signals blocked: they are the host's. */
int system_thread(pthread_t *thread, void *(*run)(void *), void *argument);

/* pthread_atfork. */
void system_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void));

/* strtod in the "C" locale, whatever the host's is. Returns 0 when there is no memory for that locale. */
int system_strtod(const char *text, double *value);

/* Of a block that is about to be filled, has the system give all pages at once, where it can (Linux 5.14): one by one, as they
** are first written to, they take ten times as long, and longer still in a virtual machine. */
void system_touch(void *block, size_t bytes);

/* Keeps the library that has the address in the process. Should that not be had, there is nothing to be done about it. */
void system_stay_loaded(const void *address);

#endif
