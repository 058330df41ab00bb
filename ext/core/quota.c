/*
** See quota.h. /proc/self/cgroup names the groups, below /sys/fs/cgroup. In a container the name may be the one outside,
** and what is mounted the group itself; so is a name that leads nowhere: its parents are asked in any case.
*/
#define _POSIX_C_SOURCE 200809L
#include "core/quota.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 4096, PATH = 3 * TEXT };

/* The beginning of a file, as a string; empty if it cannot be read. */
static void read_file(const char *path, char text[TEXT]) {
  FILE *file = fopen(path, "re"); /* e: not for a program that another thread starts meanwhile */
  size_t bytes = file == NULL ? 0 : fread(text, 1, TEXT - 1, file);
  if (file != NULL) fclose(file);
  text[bytes] = 0;
}

/* The first two numbers of a file in a folder; 0 for what is none, like "max". */
static void read_numbers(const char *folder, const char *name, long long number[2]) {
  char path[PATH + 64], text[TEXT], *end = text;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  read_file(path, text);
  for (int i = 0; i < 2; i++) number[i] = strtoll(end, &end, 10);
}

static int cores_of(const char *folder, int is_version_2) {
  long long number[2], period[2];
  read_numbers(folder, is_version_2 ? "cpu.max" : "cpu.cfs_quota_us", number);
  if (!is_version_2) {
    read_numbers(folder, "cpu.cfs_period_us", period);
    number[1] = period[0];
  }
  if (number[0] <= 0 || number[1] <= 0 || number[0] / number[1] >= INT_MAX) return INT_MAX;
  return (int)(number[0] / number[1] + (number[0] % number[1] > 0));
}

/* The least of a group and those above it, up to what is mounted. */
static int cores_of_group(const char *root, const char *mount, const char *group, int is_version_2) {
  char folder[PATH];
  int least = INT_MAX, length = snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s", root, mount, group);
  if (length < 0 || (size_t)length >= sizeof folder) return INT_MAX;
  char *end = folder + length - strlen(group), *slash;
  do {
    int cores = cores_of(folder, is_version_2);
    if (cores < least) least = cores;
    slash = strrchr(end, '/');
    if (slash != NULL) *slash = 0;
  } while (slash != NULL);
  return least;
}

/* Whether a list of controllers, with commas between them, has the one of the CPU. */
static int has_cpu(const char *controllers) {
  for (const char *p = controllers; p != NULL; p = strchr(p, ',')) {
    if (*p == ',') p++;
    if (strncmp(p, "cpu", 3) == 0 && (p[3] == 0 || p[3] == ',')) return 1;
  }
  return 0;
}

int quota_cores(const char *root) {
  char path[PATH], text[TEXT], *rest = NULL;
  int least = INT_MAX;
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  read_file(path, text);
  for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *controllers++ = *group++ = 0;
    int is_version_2 = *controllers == 0, cores = INT_MAX;
    if (is_version_2 || has_cpu(controllers))
      cores = cores_of_group(root, is_version_2 ? "" : "/cpu", group, is_version_2);
    if (cores < least) least = cores;
  }
  return least;
}
