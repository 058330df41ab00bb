/* k and options of whiten_fit and whiten_solve, from SQL to struct whiten_options. */
#ifndef WHITEN_FUNCTIONS_OPTIONS_H
#define WHITEN_FUNCTIONS_OPTIONS_H

#include "../core/whiten.h"
#include "error.h"

/*
** Reads k (INTEGER 1..d, REAL in (0, 1), NULL) and options (a JSON object, or NULL); either value may be missing
** (a NULL pointer). 0 on success.
*/
int options_read(struct call *call, sqlite3_value *k, sqlite3_value *options, size_t d, struct whiten_options *out);

/* Words why whiten_solve refused: rank is what it reported. */
void fail_solve(struct call *call, enum status status, const struct moments *moments,
                const struct whiten_options *options, size_t rank);

#endif
