/*
** sqlite-whiten: pool, whiten and compare embeddings in SQL.
**
** Link libwhiten.a with SQLite, OpenBLAS and LAPACKE, and register the extension for every connection opened from
** then on:
**
**     sqlite3_auto_extension((void (*)(void))sqlite3_whiten_init);
*/
#ifndef SQLITE_WHITEN_H
#define SQLITE_WHITEN_H

#define WHITEN_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct sqlite3_api_routines;

/* The entry point that SQLite looks for in whiten.so. Returns SQLITE_OK, or an error code with a message in *error,
** to be freed with sqlite3_free(). */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
int sqlite3_whiten_init(struct sqlite3 *db, char **error, const struct sqlite3_api_routines *api);

#ifdef __cplusplus
}
#endif

#endif
