/* SQLite as this extension sees it: through the table of routines when loaded, directly when linked statically. */
#ifndef WHITEN_HOST_SQLITE_H
#define WHITEN_HOST_SQLITE_H

#ifdef WHITEN_STATIC
#include <sqlite3.h>
#else
#include <sqlite3ext.h>
extern const sqlite3_api_routines *sqlite3_api;
#endif

#endif
