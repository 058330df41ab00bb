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

/* The same with "within" and "order" besides, which are there if and only if there are pair stats (the moments, or
** NULL). */
int options_read_within(struct call *call, sqlite3_value *const *k_and_options, size_t d,
                        const struct moments *pairs, struct solve_options *out);

/* STATUS_OVERFLOW of whatever makes a kernel. */
void fail_kernel_overflow(struct call *call);
/* Solves for the model and returns it, or words why there is none. */
void result_solved(struct call *call, struct moments *moments, const struct solve_options *options);

#endif
