/*
** A small pool of threads for one query: jobs are handed out in the background while the caller goes on, and the
** caller lends a hand when it waits. Nothing here touches SQLite, and no job may.
*/
#ifndef WHITEN_CORE_WORKERS_H
#define WHITEN_CORE_WORKERS_H

#include <pthread.h>

#include "core/base.h"

#define WORKERS_MAX 64

/* One of a batch of jobs: index counts from 0. */
typedef void (*workers_job)(void *argument, size_t index);

/* A zeroed struct is empty. */
struct workers {
  int initialized, cores, threads, stop;
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  pthread_t thread[WORKERS_MAX];
  workers_job job;
  void *argument;
  size_t count, next, finished;
  size_t running[WORKERS_MAX + 1]; /* the job of the caller, then of each thread; SIZE_MAX: none */
  int started;                     /* threads that have taken their place there */
  int is_waited_for;               /* the caller sleeps until some job is finished */
};

/* Cores that this process may use, by its affinity and its control groups' quotas; at most `cap` if that is positive. */
int workers_cores(int cap);

/* For up to cores - 1 threads, or as many as the system gives: the caller is one more. They start when there are jobs for
** them besides the caller's one, and take no signals. */
void workers_init(struct workers *w, int cores);
/* Lets go of jobs that nobody has begun, waits for the others, and joins the threads. */
void workers_clear(struct workers *w);

/* Hands out jobs 0 .. count - 1 of a new batch; the last one must have been waited for. */
void workers_submit(struct workers *w, workers_job job, void *argument, size_t count);
/* One more job for the batch: what the caller wrote before, the job sees. */
void workers_add(struct workers *w);
/* Takes part in the batch until it is finished. */
void workers_wait(struct workers *w);
/* Takes part in the batch until job `index`, which it has, is finished: for a batch that goes on. */
void workers_wait_for(struct workers *w, size_t index);

#endif
