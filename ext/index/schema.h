/*
** What an index has in the database's schema besides its shadow tables: it checks the content when it is created, and
** makes three triggers on it that keep the codes in step, in the transaction of each change.
*/
#ifndef WHITEN_INDEX_SCHEMA_H
#define WHITEN_INDEX_SCHEMA_H

#include "index/index.h"

/* Whether the content is a table with rowids that has the column: an error if not. */
int schema_check_content(struct call *call, struct index *index);
/* For an index of that name. */
int schema_create_triggers(struct call *call, struct index *index, const char *name);
int schema_drop_triggers(struct call *call, struct index *index);
/* In ALTER TABLE ... RENAME TO: shadow tables and triggers follow. */
int schema_rename(struct call *call, struct index *index, const char *name);

#endif
