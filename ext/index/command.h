/*
** INSERT INTO docs_search(docs_search [, rank]) VALUES ('command' [, value]): what is done with an index besides asking
** it.
**
**   'build' [, rows]    codes the rows that are not coded yet, all or the next so many; the first time fits the model
**   'rebuild' [, rows]  the same with a new model, which replaces the old one when all rows are coded
**   'optimize'          joins chunks that have become small
**   'integrity-check'   reads everything: an error says what is wrong
**   'sync'              codes what has changed without triggers
**   'cache', bytes      of memory for the codes of all indexes of the process
**   'recall', name      for this connection: 'fast', 'default', 'safe' or 'exact'
**   'delete' with rowid the row is gone: what the trigger says
*/
#ifndef WHITEN_INDEX_COMMAND_H
#define WHITEN_INDEX_COMMAND_H

#include "index/index.h"

/* The values of all columns. 0 on success. */
int command_run(struct call *call, struct index *index, sqlite3_value **columns);

#endif
