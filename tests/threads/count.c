/*
** How many threads each statement starts: pthread_create is counted on its way. Arguments: the extension, a database, and
** statements; a line of output for each is a number.
*/
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>

#include "run.h"

typedef int (*create_function)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static int started;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  create_function create;
  void *symbol = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&create, &symbol, sizeof create);
  started++;
  return create(thread, attributes, start, argument);
}

int main(int argc, char **argv) {
  if (argc < 3) die("count", "expected an extension, a database, statements");
  sqlite3 *db = open_with_extension(argv[2], argv[1]);
  for (int i = 3; i < argc; i++) {
    char *error = NULL;
    started = 0;
    if (sqlite3_exec(db, argv[i], NULL, NULL, &error) != SQLITE_OK) die(argv[i], error);
    printf("%d\n", started);
  }
  sqlite3_close(db);
  return 0;
}
