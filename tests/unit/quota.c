/* core/quota: a tree of files stands for the machine's. */
#define _GNU_SOURCE
#include "core/quota.h"

#include <limits.h>
#include <unistd.h>

#include "unit.h"

#define TEMPLATE "/tmp/whiten-quota-XXXXXX"
static char root[] = TEMPLATE;

/* Runs a command in the root. */
static void sh(const char *command) {
  char text[2000];
  snprintf(text, sizeof text, "cd '%s' && %s", root, command);
  assert_int_equal(system(text), 0); // NOLINT: test programs may ask a shell
}

/* The groups of the process, then a line "folder file content" for each file. */
static void check(int expected, const char *groups, const char *const *files) {
  FILE *file;
  char path[1000];
  sh("rm -rf proc sys && mkdir -p proc/self sys/fs/cgroup");
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  file = fopen(path, "w");
  assert_non_null(file);
  fputs(groups, file);
  fclose(file);
  for (; *files != NULL; files += 2) {
    char command[1000];
    snprintf(command, sizeof command, "mkdir -p \"$(dirname sys/fs/cgroup/%s)\" && echo '%s' > 'sys/fs/cgroup/%s'",
             files[0], files[1], files[0]);
    sh(command);
  }
  assert_int_equal(quota_cores(root), expected);
}

#define FILES(...) \
  (const char *const[]) { \
    __VA_ARGS__, NULL \
  }

TEST(quota_version_2) {
  check(2, "0::/\n", FILES("cpu.max", "200000 100000"));
  check(2, "0::/\n", FILES("cpu.max", "150000 100000"));
  check(1, "0::/\n", FILES("cpu.max", "1000 100000"));
  check(1, "0::/\n", FILES("cpu.max", "100000 100000"));
  check(2, "0::/\n", FILES("cpu.max", "100001 100000"));
  check(INT_MAX, "0::/\n", FILES("cpu.max", "max 100000"));
  check(3, "0::/a/b\n", FILES("a/b/cpu.max", "max 100000", "a/cpu.max", "300000 100000"));
  check(1, "0::/a/b\n", FILES("a/b/cpu.max", "50000 100000", "a/cpu.max", "300000 100000"));
  /* A container whose group is called as it is outside. */
  check(4, "0::/system.slice/docker-1.scope\n", FILES("cpu.max", "400000 100000"));
  check(4, "0::/../../outside\n", FILES("cpu.max", "400000 100000"));
}

TEST(quota_version_1) {
  const char *groups = "12:memory:/m\n3:cpuset:/s\n2:cpu,cpuacct:/x/y\n1:name=systemd:/\n0::/\n";
  check(3, groups, FILES("cpu/x/y/cpu.cfs_quota_us", "250000", "cpu/x/y/cpu.cfs_period_us", "100000"));
  check(2, "1:cpuacct,cpu:/\n", FILES("cpu/cpu.cfs_quota_us", "20000", "cpu/cpu.cfs_period_us", "10000"));
  check(INT_MAX, groups, FILES("cpu/x/y/cpu.cfs_quota_us", "-1", "cpu/x/y/cpu.cfs_period_us", "100000"));
  check(1, groups, FILES("cpu/cpu.cfs_quota_us", "5", "cpu/cpu.cfs_period_us", "100000"));
  check(INT_MAX, "3:cpuset:/s\n4:cpuacct:/\n",
        FILES("cpu/s/cpu.cfs_quota_us", "5", "cpu/s/cpu.cfs_period_us", "9"));
}

TEST(quota_of_nonsense) {
  static const char *const NOTHING[] = {NULL};
  char longest[9000];
  check(INT_MAX, "", NOTHING);
  check(INT_MAX, "0::/\n", NOTHING);
  check(INT_MAX, "nothing of the kind\n:\n::\n0:\n\n", NOTHING);
  check(INT_MAX, "0::/\n", FILES("cpu.max", ""));
  check(INT_MAX, "0::/\n", FILES("cpu.max", "100000"));
  check(INT_MAX, "0::/\n", FILES("cpu.max", "-5 -5"));
  check(INT_MAX, "0::/\n", FILES("cpu.max", "9223372036854775807 1"));
  check(INT_MAX, "0::/\n", FILES("cpu.max", "5 0"));
  check(INT_MAX, "1:cpu:/\n", FILES("cpu/cpu.cfs_quota_us", "100000"));
  snprintf(longest, sizeof longest, "0::/%0*d", (int)sizeof longest - 5, 0);
  check(INT_MAX, longest, NOTHING);
  sh("rm -rf proc sys");
  assert_int_equal(quota_cores(root), INT_MAX);
  assert_int_equal(quota_cores(longest), INT_MAX);
  assert_in_range(quota_cores(""), 1, INT_MAX);
}

static int make_root(void **state) {
  (void)state;
  strcpy(root, TEMPLATE);
  return mkdtemp(root) == NULL;
}

static int remove_root(void **state) {
  (void)state;
  sh("rm -rf proc sys");
  return rmdir(root);
}

#define in_root(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)

UNIT_MAIN(in_root(quota_version_2), in_root(quota_version_1), in_root(quota_of_nonsense))
