/* See arguments.h. Options of whiten_fit are passed on as the JSON object that it takes, and it is whiten_fit that
** judges them. */
#include "index/arguments.h"

#include <string.h>

#include "host/value.h"

static const char EXPECTED[] =
    "content, column, model, k, triggers, build, recall, or an option of whiten_fit: method, ridge, "
    "power, remove, normalize, precision";

static int is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The text between, without spaces around it and without one pair of quotes; NULL without memory. */
static char *unquoted(const char *from, const char *to) {
  while (from < to && is_space(*from)) from++;
  while (from < to && is_space(to[-1])) to--;
  char open = from < to ? *from : 0, close = open == '[' ? ']' : open;
  int quoted = to - from >= 2 && strchr("'\"`[", open) != NULL && open != 0 && to[-1] == close;
  if (quoted) from++, to--;
  char *text = sqlite3_malloc64((uint64_t)(to - from) + 1), *out = text;
  if (text == NULL) return NULL;
  while (from < to) {
    *out++ = *from;
    from += quoted && *from == close && from + 1 < to && from[1] == close ? 2 : 1;
  }
  *out = 0;
  return text;
}

/* ---- values ---- */

static void read_flag(struct call *call, const char *name, const char *value, int *flag) {
  *flag = strcmp(value, "1") == 0;
  if (!*flag && strcmp(value, "0") != 0) fail(call, "%s is '%s', expected 0 or 1", name, value);
}

static const struct {
  const char *name;
  double factor;
} RECALLS[] = {{"fast", 1.5}, {"default", 2.25}, {"safe", 3}, {"exact", 0}, {NULL, -1}};

double arguments_error_factor(const char *recall) {
  int i = 0;
  while (RECALLS[i].name != NULL && strcmp(recall, RECALLS[i].name) != 0) i++;
  return RECALLS[i].factor;
}

const char *arguments_recall(double error_factor) {
  int i = 0;
  while (RECALLS[i].name != NULL && RECALLS[i].factor != error_factor) i++;
  return RECALLS[i].name;
}

static void read_recall(struct call *call, const char *value, double *factor) {
  *factor = arguments_error_factor(value);
  if (*factor < 0) fail(call, "recall is '%s', expected 'fast', 'default', 'safe' or 'exact'", value);
}

/* Whether the whole text is a number, or true or false, which JSON writes as they are. */
static int is_plain(const char *value) {
  if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) return 1;
  return number_type(value) != SQLITE_TEXT && *value != '+' && value[strlen(value) - 1] != '.';
}

/* Another member of the options: normalize = 1 is true, and .5 a number, as SQL has it. */
static void add_option(struct call *call, const char *name, const char *value, struct arguments *a) {
  const char *quote = is_plain(value) ? "" : "\"", *zero = *quote == 0 && *value == '.' ? "0" : "";
  if (value[strspn(value, "+-.0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")] != 0)
    return fail(call, "%s is '%s', expected what whiten_fit takes for it", name, value);
  if (strcmp(name, "normalize") == 0 && (strcmp(value, "0") == 0 || strcmp(value, "1") == 0))
    value = *value == '1' ? "true" : "false";
  char *options = sqlite3_mprintf("%.*s%s\"%s\":%s%s%s%s}", a->options ? (int)strlen(a->options) - 1 : 1,
                                  a->options ? a->options : "{", a->options ? "," : "", name, quote, zero, value,
                                  quote);
  if (options == NULL) return fail_nomem(call);
  sqlite3_free(a->options);
  a->options = options;
}

static int is_option(const char *name) {
  static const char *const OPTIONS[] = {"method", "ridge", "power", "remove", "normalize", "precision"};
  for (int i = 0; i < 6; i++)
    if (strcmp(name, OPTIONS[i]) == 0) return 1;
  return 0;
}

/* Where a text that is kept goes; NULL if the name is none of these. */
static char **place_of(const char *name, struct arguments *a) {
  if (strcmp(name, "content") == 0) return &a->content;
  if (strcmp(name, "column") == 0) return &a->column;
  if (strcmp(name, "model") == 0) return &a->model;
  if (strcmp(name, "k") == 0) return &a->k;
  return NULL;
}

static void read_value(struct call *call, const char *name, const char *value, struct arguments *a) {
  char **place = place_of(name, a);
  if (place != NULL) {
    sqlite3_free(*place);
    *place = sqlite3_mprintf("%s", value);
    if (*place == NULL) fail_nomem(call);
  } else if (strcmp(name, "triggers") == 0) {
    read_flag(call, name, value, &a->triggers);
  } else if (strcmp(name, "build") == 0) {
    read_flag(call, name, value, &a->build);
  } else if (strcmp(name, "recall") == 0) {
    read_recall(call, value, &a->error_factor);
  } else if (is_option(name)) {
    add_option(call, name, value, a);
  } else {
    fail(call, "there is no argument '%s', expected %s", name, EXPECTED);
  }
}

/* ---- all of them ---- */

static int is_given_before(int count, const char *const *argv, const char *name) {
  size_t length = strlen(name);
  for (int i = 0; i < count; i++) {
    const char *at = argv[i];
    at += strspn(at, " \t\n\v\f\r");
    at += strspn(at, "'\"`[");
    if (sqlite3_strnicmp(at, name, (int)length) == 0 && strcspn(at + length, " \t\n\v\f\r'\"`]=") == 0) return 1;
  }
  return 0;
}

static void read_argument(struct call *call, int index, const char *const *argv, struct arguments *a) {
  const char *argument = argv[index], *equals = strchr(argument, '=');
  if (equals == NULL) return fail(call, "an argument is '%s', expected name = value: %s", argument, EXPECTED);
  char *name = unquoted(argument, equals), *value = unquoted(equals + 1, argument + strlen(argument));
  if (name == NULL || value == NULL) {
    fail_nomem(call);
  } else {
    for (char *c = name; *c != 0; c++)
      if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    if (is_given_before(index, argv, name))
      fail(call, "%s is given twice, expected it once", name);
    else
      read_value(call, name, value, a);
  }
  sqlite3_free(name);
  sqlite3_free(value);
}

/* A number with a digit before its exponent that is not 0. */
static int is_positive(const char *text) {
  char first = text[strspn(text, "+.0")];
  return number_type(text) != SQLITE_TEXT && first >= '1' && first <= '9';
}

static void check(struct call *call, const struct arguments *a) {
  if (a->content == NULL || a->column == NULL)
    fail(call, "%s is missing, expected content = the table, column = its column of vectors",
         a->content == NULL ? "content" : "column");
  if (a->model != NULL && (a->k != NULL || a->options != NULL))
    fail(call, "model is '%s' and %s is given, expected one or the other: a model has its own", a->model,
         a->k != NULL ? "k" : "an option of whiten_fit");
  if (a->k != NULL && !is_positive(a->k))
    fail(call, "k is '%s', expected a positive integer, or a share of the variance between 0 and 1", a->k);
}

int arguments_read(struct call *call, int argc, const char *const *argv, struct arguments *arguments) {
  *arguments = (struct arguments){.triggers = 1, .build = 1, .error_factor = arguments_error_factor("default")};
  for (int i = 3; i < argc && !call->failed; i++) read_argument(call, i - 3, argv + 3, arguments);
  if (!call->failed) check(call, arguments);
  return call->failed;
}

void arguments_clear(struct arguments *arguments) {
  char *owned[] = {arguments->content, arguments->column, arguments->model, arguments->k, arguments->options};
  for (int i = 0; i < 5; i++) sqlite3_free(owned[i]);
  *arguments = (struct arguments){0};
}
