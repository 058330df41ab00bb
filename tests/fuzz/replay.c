/* Replays files, and all files of folders, through a fuzz target: `replay PATH...`; prints how many. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed;

static void replay_file(const char *path, size_t size) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = malloc(size + 1); /* a block of its own: reads beyond it are seen by valgrind and ASan */
  fuzz_must(file != NULL && data != NULL && fread(data, 1, size, file) == size, path);
  fclose(file);
  fprintf(stderr, "%s\n", path);
  LLVMFuzzerTestOneInput(data, size);
  free(data);
  replayed++;
}

static void replay(const char *path) {
  struct stat status;
  fuzz_must(stat(path, &status) == 0, path);
  if (!S_ISDIR(status.st_mode)) {
    replay_file(path, (size_t)status.st_size);
    return;
  }
  DIR *folder = opendir(path);
  fuzz_must(folder != NULL, path);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char name[4096];
    if (entry->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    replay(name);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  printf("%d replayed\n", replayed);
  return 0;
}
