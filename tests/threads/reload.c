/*
** reload EXTENSION DATABASE [times]: opens, loads, uses, closes, again and again. Once warm, neither what the
** allocator has handed out nor the memory of the process may grow.
*/
#include "run.h"

#include <malloc.h>

static const char USE[] =
    "SELECT whiten_fit(v, 5) FROM documents WHERE id < 60;"
    "SELECT whiten_apply(model, v), whiten_inverse(model, whiten_apply(model, v)) FROM models, queries"
    "  WHERE name = 'pca 24' AND v IS NOT NULL;"
    "SELECT rowid, vector FROM whiten_rows((SELECT model FROM models WHERE name = 'pca 24'), 'queries', 'v');"
    "SELECT rowid FROM cosine_topk('queries', 'v', (SELECT v FROM queries WHERE id = 1), 3);"
    "SELECT rowid FROM cosine_join('queries', 'v', 'queries', 'v', 2) LIMIT 3;"
    "SELECT pool_mean(v, mask), mean_cosine(v) FROM tokens WHERE length(v) = 32;"
    "SELECT embedding(json) FROM texts LIMIT 5;";

/* In kB. */
static long resident(void) {
  char line[256];
  long found = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (sscanf(line, "VmRSS: %ld", &found) == 1) break;
  if (file != NULL) fclose(file);
  return found;
}

int main(int argc, char **argv) {
  if (argc < 3) die(argv[0], "expected EXTENSION DATABASE [times]");
  int times = argc > 3 ? atoi(argv[3]) : 1000, warm = times / 5;
  static struct results results;
  size_t used = 0;
  long rss = 0;
  for (int i = 0; i < times; i++) {
    sqlite3 *db = open_with_extension(argv[2], argv[1]);
    run_statements(db, USE, 1, &results);
    if (i % 2) /* an error on the way must not leak either */
      sqlite3_exec(db, "SELECT rowid FROM whiten_rows(x'00', 'queries', 'v')", NULL, NULL, NULL);
    sqlite3_close(db);
    if (i == warm) used = mallinfo2().uordblks, rss = resident();
  }
  long grown = (long)(mallinfo2().uordblks - used), swollen = resident() - rss;
  printf("%d times: %ld bytes allocated more than after %d, %ld kB more resident\n", times, grown, warm, swollen);
  return grown > 4096 || swollen > 1024;
}
