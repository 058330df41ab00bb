/* See workers.h. One lock: jobs take from 10 us to 0.3 ms, so handing them out costs next to nothing. */
#include "core/workers.h"

#include <string.h>

#include "core/quota.h"
#include "core/system.h"

int workers_cores(int cap) {
  int cores = system_cores();
#if defined(__linux__)
  int quota = quota_cores("");
  if (cores > quota) cores = quota;
#endif
  if (cores > WORKERS_MAX) cores = WORKERS_MAX;
  return cap > 0 && cap < cores ? cap : cores;
}

/* The next job, on the thread whose place is `self`; the mutex is held before and after. */
static void take_job(struct workers *w, int self) {
  size_t index = w->next++;
  w->running[self] = index;
  pthread_mutex_unlock(&w->mutex);
  w->job(w->argument, index);
  pthread_mutex_lock(&w->mutex);
  w->running[self] = SIZE_MAX;
  w->finished++;
  if (w->is_waited_for) pthread_cond_signal(&w->done);
}

static void *run(void *p) {
  struct workers *w = p;
  pthread_mutex_lock(&w->mutex);
  int self = ++w->started;
  while (!w->stop) {
    while (w->next < w->count) take_job(w, self);
    if (!w->stop) pthread_cond_wait(&w->work, &w->mutex);
  }
  pthread_mutex_unlock(&w->mutex);
  return NULL;
}

void workers_init(struct workers *w, int cores) {
  memset(w, 0, sizeof *w);
  pthread_mutex_init(&w->mutex, NULL);
  pthread_cond_init(&w->work, NULL);
  pthread_cond_init(&w->done, NULL);
  for (size_t i = 0; i <= WORKERS_MAX; i++) w->running[i] = SIZE_MAX;
  w->cores = cores <= WORKERS_MAX ? cores : WORKERS_MAX + 1;
  w->initialized = 1;
}

/* Threads for so many jobs that nobody has finished. If the system gives fewer now, later ones are asked for again. */
static void start_threads(struct workers *w, size_t jobs) {
  while ((size_t)w->threads + 1 < jobs && w->threads + 1 < w->cores) {
    if (system_thread(&w->thread[w->threads], run, w) != 0) break;
    w->threads++;
  }
}

void workers_submit(struct workers *w, workers_job job, void *argument, size_t count) {
  pthread_mutex_lock(&w->mutex);
  w->job = job;
  w->argument = argument;
  w->count = count;
  w->next = w->finished = 0;
  pthread_cond_broadcast(&w->work);
  pthread_mutex_unlock(&w->mutex);
  start_threads(w, count);
}

void workers_add(struct workers *w) {
  pthread_mutex_lock(&w->mutex);
  size_t jobs = ++w->count - w->finished;
  pthread_cond_signal(&w->work);
  pthread_mutex_unlock(&w->mutex);
  start_threads(w, jobs);
}

/* The caller lends a hand, or sleeps until another thread has finished a job; the mutex is held before and after. */
static void help(struct workers *w) {
  if (w->next < w->count) {
    take_job(w, 0);
    return;
  }
  w->is_waited_for = 1;
  pthread_cond_wait(&w->done, &w->mutex);
  w->is_waited_for = 0;
}

void workers_wait(struct workers *w) {
  pthread_mutex_lock(&w->mutex);
  while (w->finished < w->count) help(w);
  pthread_mutex_unlock(&w->mutex);
}

static int is_finished(const struct workers *w, size_t index) {
  for (int i = 0; i <= w->started; i++)
    if (w->running[i] == index) return 0;
  return index < w->next;
}

void workers_wait_for(struct workers *w, size_t index) {
  pthread_mutex_lock(&w->mutex);
  while (!is_finished(w, index)) help(w);
  pthread_mutex_unlock(&w->mutex);
}

void workers_clear(struct workers *w) {
  if (!w->initialized) return;
  pthread_mutex_lock(&w->mutex);
  w->count = w->next;
  w->stop = 1;
  pthread_cond_broadcast(&w->work);
  pthread_mutex_unlock(&w->mutex);
  for (int i = 0; i < w->threads; i++) pthread_join(w->thread[i], NULL);
  pthread_mutex_destroy(&w->mutex);
  pthread_cond_destroy(&w->work);
  pthread_cond_destroy(&w->done);
  memset(w, 0, sizeof *w);
}
