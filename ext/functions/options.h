/* k and options of whiten_fit and whiten_solve, from SQL to struct solve_options. */
#ifndef WHITEN_FUNCTIONS_OPTIONS_H
#define WHITEN_FUNCTIONS_OPTIONS_H

#include "core/solve.h"
#include "host/call.h"

/*
** Reads k (an integer 1..d, REAL in (0, 1), NULL) and options (a JSON object, or NULL); either value may be missing
** (a NULL pointer). 0 on success.
*/
int options_read(struct call *call, sqlite3_value *k, sqlite3_value *options, size_t d, struct solve_options *out);

/* Solves for the model and returns it, or words why there is none. */
void result_solved(struct call *call, struct moments *moments, const struct solve_options *options);

#endif
