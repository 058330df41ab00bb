/* See system.h. */
#define _GNU_SOURCE
#include "core/system.h"

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>
#endif
#if defined(__APPLE__)
#include <xlocale.h>
#endif

#if defined(_WIN32)

typedef _locale_t locale_t;
#define strtod_l _strtod_l

static locale_t new_c_locale(void) {
  return _create_locale(LC_ALL, "C");
}

int system_cores(void) {
  SYSTEM_INFO info;
  GetSystemInfo(&info);
  return info.dwNumberOfProcessors > 1 ? (int)info.dwNumberOfProcessors : 1;
}

int system_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
  return pthread_create(thread, NULL, run, argument);
}

void system_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  (void)before, (void)parent, (void)child;
}

void system_touch(void *block, size_t bytes) {
  (void)block, (void)bytes;
}

void system_stay_loaded(const void *address) {
  HMODULE self;
  (void)GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN, address, &self);
}

#else

static locale_t new_c_locale(void) {
  return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

int system_cores(void) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
#endif
  return cores > 1 ? (int)cores : 1;
}

int system_thread(pthread_t *thread, void *(*run)(void *), void *argument) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(thread, NULL, run, argument);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

void system_at_fork(void (*before)(void), void (*parent)(void), void (*child)(void)) {
  pthread_atfork(before, parent, child);
}

void system_touch(void *block, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  size_t page = (size_t)sysconf(_SC_PAGESIZE), skipped = (page - (uintptr_t)block % page) % page;
  if (bytes >= skipped + page)
    (void)madvise((char *)block + skipped, (bytes - skipped) / page * page, MADV_POPULATE_WRITE);
#else
  (void)block, (void)bytes;
#endif
}

/* A handle of one's own, never closed. */
void system_stay_loaded(const void *address) {
  Dl_info self;
  if (dladdr(address, &self) != 0 && self.dli_fname != NULL)
    (void)dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

#endif

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void) {
  c_locale = new_c_locale();
}

int system_strtod(const char *text, double *value) {
  pthread_once(&c_locale_once, make_c_locale);
  if (c_locale == (locale_t)0) return 0;
  *value = strtod_l(text, NULL, c_locale);
  return 1;
}
