/*
** Changes of a transaction that are not in the tables yet: coded rows and rowids that go, in the order in which they
** came, with what savepoints need.
**
** SQLite opens a savepoint of its own for every statement that may fail halfway, so writing everything at each would
** be writing row by row. A savepoint is a mark instead: how long the list was, and up to where the tables had it. When
** the tables have all of it (pending_applied), the list keeps what some mark still needs; rolled back to a mark, it is
** as it was there (the tables SQLite takes back by itself).
*/
#ifndef WHITEN_INDEX_PENDING_H
#define WHITEN_INDEX_PENDING_H

#include "core/codes.h"

/* A change: a code follows it in memory, see pending_code, unless the rowid goes. */
struct change {
  int64_t rowid;
  int generation; /* 0: the current one, 1: the one that is being built */
  int is_put;
};

/* Count and applied as they were when a savepoint was opened. */
struct pending_mark {
  size_t count, applied;
};

/* Zeroed = empty; owned: every pointer. marks[i] is savepoint i's, the innermost the last; none counts more than the
** next or the list. */
struct pending {
  const struct memory *mem;
  size_t count, applied, capacity; /* changes; of these, the tables have the first ones */
  struct change **changes;
  size_t mark_count, mark_capacity;
  struct pending_mark *marks;
  size_t torn; /* marks that there were, and one, when writing began that has not ended; 0: the tables are whole */
};

void pending_init(struct pending *p, const struct memory *mem);
void pending_clear(struct pending *p);

/* Appends; code is copied, NULL for a rowid that goes. STATUS_NOMEM, and the list is as before. */
enum status pending_add(struct pending *p, int generation, int64_t rowid, const struct code *code,
                        size_t code_bytes);
const struct code *pending_code(const struct change *change); /* NULL if it goes */
/* How many there are that the tables do not have. */
size_t pending_count(const struct pending *p);
const struct change *pending_at(const struct pending *p, size_t index); /* of those, the oldest first */
/* The tables have them all now. */
void pending_applied(struct pending *p);

/*
** Around whatever writes the tables. What has begun and not ended has failed halfway, which SQLite undoes where the
** statement has a savepoint of its own; where it has not, the tables stay torn until a savepoint from before comes
** back.
*/
void pending_write(struct pending *p);
void pending_written(struct pending *p);
int pending_is_torn(const struct pending *p);
/* Whether there is something to write once the tables are as they were at a savepoint that is open around the innermost
** one. */
int pending_is_needed(const struct pending *p);

/*
** xSavepoint, xRelease, xRollbackTo: savepoints are numbered from the outermost, 0, on; but one that began the
** transaction is -1, and what SQLite tells of it is a rollback alone.
**
** A savepoint that opens may have those below it that SQLite never told of, because they were opened before the table
** was used: they get marks, too, for the list was empty then. Marks of its number or above are of savepoints that came
** to nothing, and go. STATUS_NOMEM, and all is as before; SQLite then rolls back to the savepoint that has no mark,
** which changes nothing.
*/
enum status pending_savepoint(struct pending *p, int savepoint);
/* With those inside it. */
void pending_release(struct pending *p, int savepoint);
/* It stays open, those inside it are gone. */
void pending_rollback_to(struct pending *p, int savepoint);
/* xCommit, xRollback. */
void pending_end(struct pending *p);

#endif
