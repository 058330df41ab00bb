/* How many cores the control groups of Linux let a process keep busy: a container has fewer than its machine. */
#ifndef WHITEN_CORE_QUOTA_H
#define WHITEN_CORE_QUOTA_H

/* The least of the quotas of the process's groups and those above them, in cores, rounded up: cpu.max in version 2,
** cpu.cfs_quota_us over cpu.cfs_period_us in version 1. INT_MAX without one, or where there is nothing of the kind.
** `root` stands before /proc and /sys: "", unless it is a test's. */
int quota_cores(const char *root);

#endif
