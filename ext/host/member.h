/* The members of a JSON object that is an argument named options: taken apart by SQLite itself. */
#ifndef WHITEN_HOST_MEMBER_H
#define WHITEN_HOST_MEMBER_H

#include "host/call.h"

/* One member: what json_each says of it. 2.0 is an integer, as everywhere. */
struct member {
  const char *key, *type, *text;
  double number;
  int64_t integer;
  int is_integer, is_number;
};

/* What a function knows of a key; `out` is what members_read was given. */
struct member_reader {
  const char *key; /* NULL ends a list */
  void (*read)(struct call *call, const struct member *m, void *out);
};

/* An object, or NULL, whose members are all in the list, each at most once. 0 on success. */
int members_read(struct call *call, sqlite3_value *value, const struct member_reader *readers, void *out);

/* For readers: `function: options.key is X, expected ...`; whether it is this text; a finite number >= 0;
** true or false. */
void fail_member(struct call *call, const struct member *m, const char *expected);
int member_is_text(const struct member *m, const char *text);
int member_is_from_0(const struct member *m);
int member_boolean(struct call *call, const struct member *m);

#endif
