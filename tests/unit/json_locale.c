/*
** core/json in a locale whose decimal point is a comma, or two bytes long: reading and writing do not change.
**
** No such locale is installed on a fresh machine, nor what Debian's localedef makes one from, so the test brings
** its own character map and two locales that say nothing but their decimal point, has localedef compile them in
** a temporary folder, and names that in LOCPATH. Where there is no localedef, locales that are installed do.
*/
#define _GNU_SOURCE
#include "core/json.h"

#include <locale.h>
#include <unistd.h>

#include "unit.h"

static const char CHARACTERS[] =
    "<code_set_name> UTF-8\n<mb_cur_min> 1\n<mb_cur_max> 6\n<escape_char> /\nCHARMAP\n"
    "<U0000>..<U007F> /x00 ASCII\n<U066B> /xd9/xab MOMAYYEZ\nEND CHARMAP\n";
static const struct { const char *name, *decimal_point; } OWN[] = {{"comma", "<U002C>"}, {"momayyez", "<U066B>"}};
static const char *const INSTALLED[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8", "fa_IR.UTF-8"};

static char folder[64];

static void write_file(const char *name, const char *text) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) fail_msg("%s cannot be written", path);
}

/* What came of it says setlocale: localedef's status is 1 for everything that a locale leaves out. */
static int make_locales(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/json-locale-XXXXXX");
  if (mkdtemp(folder) == NULL) return -1;
  write_file("characters", CHARACTERS);
  for (size_t i = 0; i < COUNT(OWN); i++) {
    char source[128], command[256];
    snprintf(source, sizeof source,
             "LC_NUMERIC\ndecimal_point \"%s\"\nthousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n",
             OWN[i].decimal_point);
    write_file("source", source);
    snprintf(command, sizeof command,
             "cd %s && localedef --no-archive -c -f ./characters -i ./source ./%s >log 2>&1", folder, OWN[i].name);
    if (system(command) < 0) return -1; // NOLINT: there is no other way to ask for it
  }
  return setenv("LOCPATH", folder, 1);
}

static int remove_locales(void **state) {
  (void)state;
  char command[128];
  setlocale(LC_NUMERIC, "C");
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command); // NOLINT
}

/* Whether the locale is there, and has a decimal point of its own. */
static int enter(const char *name) {
  if (setlocale(LC_NUMERIC, name) == NULL || strcmp(localeconv()->decimal_point, ".") == 0) return 0;
  char text[16];
  snprintf(text, sizeof text, "%.1f", 1.5);
  assert_string_not_equal(text, "1.5");
  return 1;
}

static void check_here(void) {
  static const struct {
    const char *text;
    float value;
  } READ[] = {{"[1.5]", 1.5f},
              {"[1.50000000000000000000000000000001e0]", 1.5f},
              {"[1.000000178813934326171875]", 1.00000024f}},
    WRITTEN[] = {{"-1234.5", -1234.5f}, {"1.5e-7", 1.5e-7f}};
  for (size_t i = 0; i < COUNT(READ); i++) {
    float x = NAN;
    size_t count = 0;
    struct json_fault fault;
    assert_int_equal(json_read(READ[i].text, strlen(READ[i].text), 1, &x, &count, &fault), STATUS_OK);
    assert_int_equal(count, 1);
    assert_same_float(x, READ[i].value);
  }
  for (size_t i = 0; i < COUNT(WRITTEN); i++) {
    char text[JSON_NUMBER_MAX];
    size_t length = strlen(WRITTEN[i].text);
    assert_int_equal(json_write_number(WRITTEN[i].value, text), length);
    assert_memory_equal(text, WRITTEN[i].text, length);
  }
}

TEST(json_ignores_the_locale) {
  int tried = 0;
  for (size_t i = 0; i < COUNT(OWN); i++)
    if (enter(OWN[i].name)) tried++, check_here();
  unsetenv("LOCPATH");
  for (size_t i = 0; i < COUNT(INSTALLED); i++)
    if (enter(INSTALLED[i])) tried++, check_here();
  if (!tried) skip();
}

UNIT_MAIN(cmocka_unit_test_setup_teardown(json_ignores_the_locale, make_locales, remove_locales))
