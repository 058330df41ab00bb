/*
** What stands in the parentheses of CREATE VIRTUAL TABLE ... USING whiten_index(content = documents, column =
** embedding, ...).
**
**   content   the table that has the vectors: an ordinary table with rowids (required)
**   column    its column (required)
**   model     name of a model in the table `whitening`; else the model is fitted: k and any option of whiten_fit
**   k         components, an integer or a share of the variance
**   triggers  1 (default): triggers on the content keep the index in step; 0: the user does
**   build     1 (default): CREATE builds; 0: the command 'build' does
**   recall    'fast', 'default', 'safe', 'exact': candidates within 1.5, 2.25, 3 standard errors; every row
*/
#ifndef WHITEN_INDEX_ARGUMENTS_H
#define WHITEN_INDEX_ARGUMENTS_H

#include "host/call.h"

struct arguments {
  char *content, *column, *model, *k,
      *options; /* options: the JSON object that whiten_fit takes, or NULL; k as SQL literal or NULL; owned */
  int triggers, build;
  double error_factor;
};

/* argv as xCreate has it. 0 on success. */
int arguments_read(struct call *call, int argc, const char *const *argv, struct arguments *arguments);
void arguments_clear(struct arguments *arguments);
/* The factor of a name of recall, -1 if there is none; and back. */
double arguments_error_factor(const char *recall);
const char *arguments_recall(double error_factor);

#endif
