/* See plan.h. */
#include "host/plan.h"

#include <math.h>
#include <string.h>

#include "host/source.h"

static const double PROHIBITIVE = 1e90;
static const double ROWS_OF_A_LIST = 25; /* as SQLite assumes of IN (SELECT ...) */
static const double COST_OF_A_ROW = 40;  /* that is sought by its rowid */

/* What can be taken into account besides the arguments. */
struct condition {
  const char *text;
  int op;
  int of_rowid;
};
enum { LIST, LIMIT, OFFSET, SIMILARITY_ABOVE, SIMILARITY_LEAST, ROWID_IS, CONDITIONS = ROWID_IS + 5 };
static const struct condition CONDITION[CONDITIONS] = {
    [LIST] = {"rowid IN", SQLITE_INDEX_CONSTRAINT_EQ, 1},
    [LIMIT] = {"LIMIT", SQLITE_INDEX_CONSTRAINT_LIMIT, 0},
    [OFFSET] = {"OFFSET", SQLITE_INDEX_CONSTRAINT_OFFSET, 0},
    [SIMILARITY_ABOVE] = {"similarity >", SQLITE_INDEX_CONSTRAINT_GT, 0},
    [SIMILARITY_LEAST] = {"similarity >=", SQLITE_INDEX_CONSTRAINT_GE, 0},
    [ROWID_IS] = {"rowid =", SQLITE_INDEX_CONSTRAINT_EQ, 1},
    {"rowid >", SQLITE_INDEX_CONSTRAINT_GT, 1},
    {"rowid >=", SQLITE_INDEX_CONSTRAINT_GE, 1},
    {"rowid <", SQLITE_INDEX_CONSTRAINT_LT, 1},
    {"rowid <=", SQLITE_INDEX_CONSTRAINT_LE, 1}};

struct table_plan {
  sqlite3 *db;
  const struct table_function *function;
  sqlite3_index_info *info;
  int count;                       /* of the arguments */
  int places[TABLE_ARGUMENTS_MAX]; /* of their constraints; -1 if there is none */
  unsigned waits;                  /* a bit for each argument that a table further out in the join may give */
  int passed;                      /* values to xFilter so far */
  sqlite3_str *text;
  double rows, cost;
  int takes_all; /* the constraints, exactly, so that LIMIT counts the rows that come */
};

/* ---- estimates ---- */

static sqlite3_value *literal(const struct table_plan *plan, int argument) {
  sqlite3_value *value = NULL;
  if (plan->places[argument] < 0) return NULL;
  return sqlite3_vtab_rhs_value(plan->info, plan->places[argument], &value) == SQLITE_OK ? value : NULL;
}

double plan_rows(const struct table_plan *plan, int argument) {
  sqlite3_value *value = literal(plan, argument);
  const char *text = NULL;
  if (value != NULL && sqlite3_value_type(value) == SQLITE_TEXT) text = (const char *)sqlite3_value_text(value);
  return source_size(plan->db, text != NULL ? text : "");
}

double plan_integer(const struct table_plan *plan, int argument, double otherwise) {
  sqlite3_value *value = literal(plan, argument);
  int type = value != NULL ? sqlite3_value_type(value) : SQLITE_NULL;
  return type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_value_double(value) : otherwise;
}

static void estimate(struct table_plan *plan) {
  plan->rows = plan->cost = 1000;
  if (plan->function->estimate != NULL) plan->function->estimate(plan, &plan->rows, &plan->cost);
}

/*
** What a condition saves. Nothing where only the best are taken: a plan with the condition must not be cheaper than one
** without, or SQLite answers `condition OR condition` by a search for each, which gives k rows each, and no order.
*/
static void narrow(struct table_plan *plan, int condition) {
  int picks = (plan->function->takes & TABLE_PICKS_ROWID) != 0;
  double most = condition == ROWID_IS ? 1 : condition == LIST ? ROWS_OF_A_LIST : plan->rows / 4;
  if (!CONDITION[condition].of_rowid && condition != LIMIT) return;
  if (condition == ROWID_IS) plan->info->idxFlags |= SQLITE_INDEX_SCAN_UNIQUE;
  if (condition == LIMIT || (picks && condition != ROWID_IS)) return;
  if (!picks) plan->cost = fmin(plan->cost, condition > ROWID_IS ? plan->cost / 4 : most * COST_OF_A_ROW);
  plan->rows = fmin(plan->rows, fmax(1, most));
}

/* ---- arguments and conditions ---- */

/* Has the value of a constraint passed to xFilter. */
static void pass(struct table_plan *plan, int place, const char *text) {
  plan->info->aConstraintUsage[place].argvIndex = ++plan->passed;
  plan->info->aConstraintUsage[place].omit = 1;
  sqlite3_str_appendf(plan->text, "%s%s", plan->passed > 1 ? ", " : "", text);
}

/* Which argument a constraint gives; -1 if none. */
static int argument_of(const struct table_function *function, const struct sqlite3_index_constraint *c) {
  int argument = c->iColumn - function->column_count, count = 0;
  int matches = c->op == SQLITE_INDEX_CONSTRAINT_MATCH && function->match_column > 0;
  if (matches && (argument == 0 || c->iColumn == function->match_column)) return 0;
  while (function->arguments[count] != NULL) count++;
  return argument >= 0 && argument < count && c->op == SQLITE_INDEX_CONSTRAINT_EQ ? argument : -1;
}

/* Of two constraints for one argument the first is taken; SQLite checks the other. */
static void find_arguments(struct table_plan *plan) {
  memset(plan->places, -1, sizeof plan->places);
  while (plan->function->arguments[plan->count] != NULL) plan->count++;
  for (int i = 0; i < plan->info->nConstraint; i++) {
    int argument = argument_of(plan->function, &plan->info->aConstraint[i]);
    if (argument < 0) continue;
    if (!plan->info->aConstraint[i].usable)
      plan->waits |= 1u << argument;
    else if (plan->places[argument] < 0)
      plan->places[argument] = i;
  }
}

/* Passes the arguments; SQLITE_CONSTRAINT if one must still wait. */
static int pass_arguments(struct table_plan *plan) {
  for (int i = 0; i < plan->count; i++) {
    if (plan->places[i] >= 0)
      plan->info->idxNum |= 1 << i;
    else if (plan->waits >> i & 1)
      return SQLITE_CONSTRAINT;
    else if (i < plan->count - plan->function->optional)
      plan->info->idxNum |= PLAN_INCOMPLETE;
  }
  for (int i = 0; i < plan->count && !(plan->info->idxNum & PLAN_INCOMPLETE); i++)
    if (plan->places[i] >= 0) pass(plan, plan->places[i], plan->function->arguments[i]);
  return SQLITE_OK;
}

/* Which condition a constraint is, if the function takes it; -1 if not. */
static int condition_of(const struct table_plan *plan, int place) {
  const struct sqlite3_index_constraint *c = &plan->info->aConstraint[place];
  unsigned takes = plan->function->takes;
  if (c->op == SQLITE_INDEX_CONSTRAINT_LIMIT) return LIMIT;
  if (c->op == SQLITE_INDEX_CONSTRAINT_OFFSET) return OFFSET;
  int of_rowid = c->iColumn <= 0;
  if (c->iColumn > 1 || !(takes & (of_rowid ? TABLE_ROWIDS : TABLE_SIMILARITY))) return -1;
  if (of_rowid && c->op == SQLITE_INDEX_CONSTRAINT_EQ)
    return sqlite3_vtab_in(plan->info, place, -1) ? LIST : ROWID_IS;
  for (int i = SIMILARITY_ABOVE; i < CONDITIONS; i++)
    if (CONDITION[i].op == c->op && CONDITION[i].of_rowid == of_rowid) return i;
  return -1;
}

/* Passes the conditions but LIMIT, unless one that changes the rows found must still wait. */
static void pass_conditions(struct table_plan *plan) {
  int picks = plan->function->takes & TABLE_PICKS_ROWID;
  plan->takes_all = 1;
  for (int i = 0; i < plan->info->nConstraint; i++) {
    int condition = condition_of(plan, i), is_passed = plan->info->aConstraintUsage[i].argvIndex > 0;
    if (is_passed || condition == LIMIT || condition == OFFSET) continue;
    if (condition >= 0 && !plan->info->aConstraint[i].usable && picks && CONDITION[condition].of_rowid &&
        condition != ROWID_IS)
      plan->info->idxNum |= PLAN_WAITS;
    if (condition < 0 || !plan->info->aConstraint[i].usable || (picks && condition == ROWID_IS))
      plan->takes_all = 0;
    if (condition < 0 || !plan->info->aConstraint[i].usable) continue;
    if (condition == LIST) sqlite3_vtab_in(plan->info, i, 1);
    pass(plan, i, CONDITION[condition].text);
    narrow(plan, condition);
  }
}

/* A hidden column is the same in every row, so ORDER BY it asks for nothing: FTS5's ORDER BY rank. */
static int is_sorted(const struct table_plan *plan) {
  const struct table_function *function = plan->function;
  int place = 0;
  for (int i = 0; i < plan->info->nOrderBy && place < function->order_count; i++) {
    int column = plan->info->aOrderBy[i].iColumn;
    const struct table_order *order = &function->order[place];
    if (column < 0 && (function->takes & TABLE_ROWIDS)) column = 0;
    if (column >= function->column_count) continue;
    if (column != order->column || plan->info->aOrderBy[i].desc != order->desc) return 0;
    place++;
  }
  return plan->info->nOrderBy > 0 && function->order_count > 0;
}

/* SQLite still counts LIMIT, and skips OFFSET: they only tell how many rows are enough. */
static void pass_limit(struct table_plan *plan) {
  int places[] = {-1, -1};
  for (int i = 0; i < plan->info->nConstraint; i++) {
    int condition = condition_of(plan, i);
    if (condition != LIMIT && condition != OFFSET) continue;
    if (!plan->info->aConstraint[i].usable) return;
    places[condition == OFFSET] = i;
  }
  if (places[0] < 0 || !(plan->function->takes & TABLE_LIMIT) || !plan->takes_all) return;
  if (plan->info->nOrderBy > 0 && !plan->info->orderByConsumed) return;
  for (int i = 0; i < 2; i++) {
    if (places[i] < 0) continue;
    pass(plan, places[i], CONDITION[i ? OFFSET : LIMIT].text);
    plan->info->aConstraintUsage[places[i]].omit = 0;
  }
}

static int make(struct table_plan *plan) {
  find_arguments(plan);
  int rc = pass_arguments(plan);
  if (rc != SQLITE_OK) return rc;
  if (plan->info->idxNum & PLAN_INCOMPLETE) {
    plan->info->estimatedCost = PROHIBITIVE;
    sqlite3_str_appendall(plan->text, "arguments are missing");
    return SQLITE_OK;
  }
  estimate(plan);
  pass_conditions(plan);
  plan->info->orderByConsumed = is_sorted(plan);
  if (plan->info->orderByConsumed) plan->info->idxNum |= PLAN_SORTED;
  pass_limit(plan);
  plan->info->estimatedCost = (plan->info->idxNum & PLAN_WAITS) != 0 ? PROHIBITIVE : plan->cost;
  plan->info->estimatedRows = (sqlite3_int64)fmin(plan->rows, 1e15);
  return SQLITE_OK;
}

int plan_make(sqlite3 *db, const struct table_function *function, sqlite3_index_info *info) {
  struct table_plan plan = {.db = db, .function = function, .info = info, .text = sqlite3_str_new(NULL)};
  int rc = make(&plan);
  info->idxStr = sqlite3_str_finish(plan.text);
  info->needToFreeIdxStr = 1;
  return rc == SQLITE_OK && info->idxStr == NULL && plan.passed > 0 ? SQLITE_NOMEM : rc;
}

/* ---- in xFilter ---- */

int plan_refuse(struct call *call, int given) {
  if (given & PLAN_WAITS)
    fail(
        call,
        "rowid is compared with what must wait for these rows, expected +rowid there, to choose among the best k");
  return (given & PLAN_WAITS) != 0;
}

static void read_least(struct table_query *query, int above, sqlite3_value *value) {
  int type = sqlite3_value_numeric_type(value);
  double x = type == SQLITE_INTEGER || type == SQLITE_FLOAT ? sqlite3_value_double(value) : INFINITY;
  if (x < query->least) return;
  query->above = above || (x == query->least && query->above);
  query->least = x;
}

static void read_condition(struct call *call, struct table_query *query, int condition, sqlite3_value *value,
                           int picks) {
  sqlite3_int64 number;
  switch (condition) {
    case LIST: rowids_in(call, &query->rowids, value); break;
    case LIMIT:
      number = sqlite3_value_int64(value);
      if (number >= 0) query->limit = (uint64_t)number;
      break;
    case OFFSET:
      number = sqlite3_value_int64(value);
      if (number > 0 && query->limit != UINT64_MAX) query->limit += (uint64_t)number;
      break;
    case SIMILARITY_ABOVE:
    case SIMILARITY_LEAST: read_least(query, condition == SIMILARITY_ABOVE, value); break;
    default:
      rowids_compare(picks && condition == ROWID_IS ? &query->picked : &query->rowids, CONDITION[condition].op,
                     value);
      break;
  }
}

int plan_read(struct call *call, const struct table_function *function, const char *text, sqlite3_value **argv,
              struct table_query *query) {
  *query = (struct table_query){rowids_all(), rowids_all(), -INFINITY, 0, UINT64_MAX};
  for (int place = 0; text != NULL && !call->failed; place++) {
    size_t length = strcspn(text, ",");
    for (int i = 0; i < CONDITIONS; i++)
      if (strlen(CONDITION[i].text) == length && memcmp(CONDITION[i].text, text, length) == 0)
        read_condition(call, query, i, argv[place], (function->takes & TABLE_PICKS_ROWID) != 0);
    text = text[length] == 0 ? NULL : text + length + 2;
  }
  return call->failed;
}

int plan_is_same(const struct table_query *a, const struct table_query *b) {
  return a->least == b->least && a->above == b->above && a->limit == b->limit &&
         rowids_are_same(&a->rowids, &b->rowids);
}
