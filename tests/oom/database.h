/* The database that the statements of statements.c read, and the parameters that they take. */
#ifndef OOM_DATABASE_H
#define OOM_DATABASE_H

#include <sqlite3.h>

/* Ends the program, with what is wrong, when what the tests stand on does not hold. */
void must(int ok, const char *what);

/* Where database_make put it, in a temporary file of its own. */
extern char database_path[];

/* Makes a new one, in that encoding of text, and takes the parameters out of it. */
void database_make(const char *encoding);
void database_remove(void);

/* Binds :model, :zca, :stats, :v and :json, where the statement has them. A code of SQLite. */
int parameters_bind(sqlite3_stmt *statement);

#endif
