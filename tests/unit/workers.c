/* core/workers: every job of every batch runs once, whatever the number of threads, and the caller lends a
** hand. */
#define _GNU_SOURCE
#include "core/workers.h"

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "unit.h"

#define JOBS_MAX 200

static atomic_int runs[JOBS_MAX];
static atomic_int own; /* jobs that ran on the caller's thread */
static pthread_t caller;

static void job(void *argument, size_t index) {
  atomic_fetch_add(&runs[index], *(const int *)argument);
  if (pthread_equal(pthread_self(), caller)) atomic_fetch_add(&own, 1);
}

static void check_batch(struct workers *w, size_t count, int step) {
  for (size_t i = 0; i < JOBS_MAX; i++) atomic_store(&runs[i], 0);
  workers_submit(w, job, &step, count);
  workers_wait(w);
  for (size_t i = 0; i < JOBS_MAX; i++) assert_int_equal(atomic_load(&runs[i]), i < count ? step : 0);
}

TEST(workers_run_each_job_once) {
  static const size_t COUNTS[] = {0, 1, 2, 3, 7, 64, JOBS_MAX};
  static const int CORES[] = {1, 2, 3, 8, 64, 1000};
  caller = pthread_self();
  for (size_t c = 0; c < COUNT(CORES); c++) {
    struct workers w = {0};
    workers_init(&w, CORES[c]);
    assert_in_range(w.threads, 0, CORES[c] - 1 < WORKERS_MAX ? CORES[c] - 1 : WORKERS_MAX);
    for (int repeat = 1; repeat < 20; repeat++)
      for (size_t i = 0; i < COUNT(COUNTS); i++) check_batch(&w, COUNTS[i], repeat);
    workers_wait(&w); /* nothing is under way */
    workers_clear(&w);
    workers_clear(&w); /* harmless twice */
  }
}

TEST(workers_one_core_is_the_caller) {
  struct workers w = {0};
  caller = pthread_self();
  atomic_store(&own, 0);
  workers_init(&w, 1);
  assert_int_equal(w.threads, 0);
  check_batch(&w, 9, 1);
  assert_int_equal(atomic_load(&own), 9);
  workers_clear(&w);
}

static void slow_job(void *argument, size_t index) {
  if (index % 8 == 3) nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  job(argument, index);
}

/* A batch that goes on: each job is waited for some jobs after it was added, and was run once by then. */
TEST(workers_wait_for_one) {
  int step = 1;
  caller = pthread_self();
  for (int cores = 1; cores <= 4; cores++)
    for (size_t behind = 0; behind < 6; behind++) {
      struct workers w = {0};
      for (size_t i = 0; i < JOBS_MAX; i++) atomic_store(&runs[i], 0);
      workers_init(&w, cores);
      workers_submit(&w, slow_job, &step, 0);
      for (size_t i = 0; i < JOBS_MAX; i++) {
        workers_add(&w);
        if (i < behind) continue;
        workers_wait_for(&w, i - behind);
        assert_int_equal(atomic_load(&runs[i - behind]), 1);
      }
      workers_wait(&w);
      for (size_t i = 0; i < JOBS_MAX; i++) assert_int_equal(atomic_load(&runs[i]), 1);
      workers_clear(&w);
    }
}

/* Clearing with a batch under way: no job runs afterwards, and none twice. */
TEST(workers_clear_waits) {
  int step = 1, left = 0;
  for (int repeat = 0; repeat < 50; repeat++) {
    struct workers w = {0};
    for (size_t i = 0; i < JOBS_MAX; i++) atomic_store(&runs[i], 0);
    workers_init(&w, 3);
    workers_submit(&w, slow_job, &step, JOBS_MAX);
    workers_clear(&w);
    for (size_t i = 0; i < JOBS_MAX; i++) {
      assert_in_range(atomic_load(&runs[i]), 0, 1);
      left += atomic_load(&runs[i]) == 0;
    }
  }
  assert_true(left > 0);
}

static atomic_int blocked;

static void look_at_signals(void *argument, size_t index) {
  sigset_t now;
  (void)argument, (void)index;
  pthread_sigmask(SIG_SETMASK, NULL, &now);
  if (!pthread_equal(pthread_self(), caller) && !sigismember(&now, SIGINT)) atomic_store(&blocked, 0);
}

/* The host's signals go to the host's threads; the caller's mask is as before. */
TEST(workers_take_no_signals) {
  struct workers w = {0};
  sigset_t before, after;
  caller = pthread_self();
  atomic_store(&blocked, 1);
  sigemptyset(&before);
  sigaddset(&before, SIGUSR1);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  workers_init(&w, 4);
  for (int i = 0; i < 50; i++) {
    workers_submit(&w, look_at_signals, NULL, 20);
    workers_wait(&w);
  }
  workers_clear(&w);
  pthread_sigmask(SIG_SETMASK, NULL, &after);
  assert_int_equal(atomic_load(&blocked), 1);
  for (int s = 1; s < 32; s++) assert_int_equal(sigismember(&before, s), sigismember(&after, s));
}

TEST(workers_count_cores) {
  int all = workers_cores(0);
  assert_in_range(all, 1, WORKERS_MAX);
  assert_int_equal(workers_cores(-5), all);
  assert_int_equal(workers_cores(1), 1);
  assert_int_equal(workers_cores(1000000), all);
#if defined(__linux__)
  cpu_set_t before, one;
  assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (size_t cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
  assert_int_equal(workers_cores(0), 1);
  sched_setaffinity(0, sizeof before, &before);
#endif
}

UNIT_MAIN(cmocka_unit_test(workers_run_each_job_once), cmocka_unit_test(workers_one_core_is_the_caller),
          cmocka_unit_test(workers_wait_for_one), cmocka_unit_test(workers_clear_waits),
          cmocka_unit_test(workers_take_no_signals), cmocka_unit_test(workers_count_cores))
