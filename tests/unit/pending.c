/*
** index/pending: sequences of changes, savepoints and writes, against a map with nested copies of itself.
**
** The tables that the list is written to are a second map, of which a copy is taken at every savepoint, and which goes
** back to it as SQLite's do. What a reader sees, these tables and the list on top of them, is at all times what the
** plain map is that every change was made to at once.
*/
#include "index/pending.h"

#include "faulty_memory.h"

enum { ROWIDS = 12, DEPTH = 6, CODE_BYTES = 64 };

/* By generation and rowid: the number of the change that put it there, 0 for none. */
struct table {
  int64_t values[2][ROWIDS];
};

/* visible: what a plain table would have; tables: what was written; both begun as they were when the transaction began,
** and saved as they were when savepoint i was opened. */
struct model {
  struct pending pending;
  struct table visible, tables, begun, saved_visible[DEPTH], saved_tables[DEPTH];
  int depth;
  int is_torn, saved_torn[DEPTH]; /* writing has begun, and failed halfway */
  int64_t changes;
};

/* A code that says which change it is of, in its head and at its end. */
static const struct code *code_of(int64_t rowid, int64_t number) {
  static struct {
    struct code head;
    int64_t number;
    char rest[CODE_BYTES - sizeof(struct code) - sizeof(int64_t)];
  } code;
  code.head = (struct code){.rowid = rowid, .norm = (float)number};
  code.number = number;
  return &code.head;
}

static int64_t number_of(const struct code *code, int64_t rowid) {
  int64_t number;
  memcpy(&number, code + 1, sizeof number);
  assert_int_equal(code->rowid, rowid);
  assert_true(code->norm == (float)number);
  return number;
}

/* What pending has, written on a table. */
static void apply(const struct pending *p, struct table *table) {
  for (size_t i = 0; i < pending_count(p); i++) {
    const struct change *change = pending_at(p, i);
    const struct code *code = pending_code(change);
    assert_int_equal(code != NULL, change->is_put);
    table->values[change->generation][change->rowid] = code != NULL ? number_of(code, change->rowid) : 0;
  }
}

static void check(const struct model *m) {
  struct table seen = m->tables;
  apply(&m->pending, &seen);
  assert_memory_equal(&seen, &m->visible, sizeof seen);
  assert_int_equal(pending_is_torn(&m->pending), m->is_torn);
}

static enum status add(struct model *m, int generation, int64_t rowid, int is_put) {
  int64_t number = is_put ? m->changes + 1 : 0;
  const struct code *code = is_put ? code_of(rowid, number) : NULL;
  enum status rc = pending_add(&m->pending, generation, rowid, code, CODE_BYTES);
  if (rc != STATUS_OK) return rc;
  m->changes++;
  m->visible.values[generation][rowid] = number;
  return STATUS_OK;
}

static void applied(struct model *m) {
  if (m->is_torn) return; /* then nobody writes */
  pending_write(&m->pending);
  apply(&m->pending, &m->tables);
  pending_written(&m->pending);
  pending_applied(&m->pending);
  assert_int_equal(pending_count(&m->pending), 0);
}

static enum status savepoint(struct model *m) {
  enum status rc = pending_savepoint(&m->pending, m->depth);
  if (rc != STATUS_OK) return rc;
  m->saved_visible[m->depth] = m->visible;
  m->saved_torn[m->depth] = m->is_torn;
  m->saved_tables[m->depth++] = m->tables;
  return STATUS_OK;
}

static void release(struct model *m, int savepoint) {
  pending_release(&m->pending, savepoint);
  m->depth = savepoint;
}

/* -1: to the beginning of the transaction, which goes on. */
static void rollback_to(struct model *m, int savepoint) {
  pending_rollback_to(&m->pending, savepoint);
  m->visible = savepoint < 0 ? m->begun : m->saved_visible[savepoint];
  m->tables = savepoint < 0 ? m->begun : m->saved_tables[savepoint];
  m->is_torn = savepoint < 0 ? 0 : m->saved_torn[savepoint];
  m->depth = savepoint + 1;
}

/* Commits or rolls back. */
static void end(struct model *m, int commit) {
  if (commit && !m->is_torn)
    applied(m);
  else
    m->tables = m->visible = m->begun;
  if (commit)
    pending_end(&m->pending);
  else
    pending_rollback_to(&m->pending, -1);
  m->is_torn = 0;
  m->depth = 0;
  m->begun = m->tables;
  assert_int_equal(m->pending.count, 0);
  assert_memory_equal(&m->tables, &m->visible, sizeof m->tables);
}

/* The table is first used in a transaction that has savepoints already: SQLite tells of the innermost one. */
static void begin_within(struct model *m, int savepoints) {
  for (m->depth = 0; m->depth < savepoints; m->depth++) {
    m->saved_visible[m->depth] = m->visible;
    m->saved_tables[m->depth] = m->tables;
    m->saved_torn[m->depth] = 0;
  }
  if (savepoints > 0) assert_int_equal(pending_savepoint(&m->pending, savepoints - 1), STATUS_OK);
}

/* What is kept is what is to be written, or what some mark needs. */
static void check_kept(const struct pending *p) {
  assert_true(p->applied <= p->count);
  for (size_t m = 0; m < p->mark_count; m++)
    assert_true(p->marks[m].count <= (m + 1 < p->mark_count ? p->marks[m + 1].count : p->count));
  for (size_t i = 0; i < p->count; i++) {
    int is_needed = i >= p->applied;
    for (size_t m = 0; m < p->mark_count; m++) is_needed |= i >= p->marks[m].applied && i < p->marks[m].count;
    assert_true(is_needed);
  }
  assert_int_equal(faulty.live, p->count + (p->capacity > 0) + (p->mark_capacity > 0));
}

/* One of what may happen next; an allocation of it fails now and then. */
static void step(struct model *m, struct random *r) {
  size_t what = random_below(r, 100);
  faulty.failed = 0;
  faulty.calls = 0;
  faulty.fail_at = random_below(r, 8) == 0 ? 1 + random_below(r, 2) : 0;
  enum status rc = STATUS_OK;
  if (what < 50)
    rc = add(m, (int)random_below(r, 2), (int64_t)random_below(r, ROWIDS), random_below(r, 3) > 0);
  else if (what < 68 && m->depth < DEPTH)
    rc = savepoint(m);
  else if (what < 70) /* a savepoint that this table opens and another one fails to */
    rc = pending_savepoint(&m->pending, m->depth);
  else if (what < 78 && m->depth > 0)
    release(m, (int)random_below(r, (size_t)m->depth));
  else if (what < 87)
    rollback_to(m, (int)random_below(r, (size_t)m->depth + 1) - 1);
  else if (what < 96)
    applied(m);
  else if (what < 97)
    pending_write(&m->pending), m->is_torn = 1;
  else
    end(m, random_below(r, 2) > 0);
  assert_int_equal(rc, faulty.failed ? STATUS_NOMEM : STATUS_OK);
  faulty.fail_at = 0;
  if (rc != STATUS_OK && what >= 50)
    pending_rollback_to(&m->pending, m->depth); /* as SQLite does, unopened as it is */
  if (what >= 97) begin_within(m, (int)random_below(r, 4));
}

TEST(pending_against_copies) {
  struct random r = {random_seed()};
  static struct model m;
  for (int i = 0; i < repeats(400); i++) {
    memset(&m, 0, sizeof m);
    pending_init(&m.pending, &faulty_memory);
    for (int j = 0; j < 500; j++) {
      step(&m, &r);
      check(&m);
      check_kept(&m.pending);
    }
    pending_clear(&m.pending);
    pending_clear(&m.pending); /* harmless twice */
    assert_int_equal(faulty.live, 0);
  }
}

/* A statement a row, each with its savepoint, in a transaction with one of its own: what is kept is no more than what
** was not written when the outer one was opened. */
TEST(pending_stays_small) {
  static struct model m;
  memset(&m, 0, sizeof m);
  pending_init(&m.pending, &faulty_memory);
  for (int64_t i = 0; i < 5; i++) assert_int_equal(add(&m, 0, i, 1), STATUS_OK);
  assert_int_equal(savepoint(&m), STATUS_OK);
  for (int i = 0; i < 10000; i++) {
    assert_int_equal(savepoint(&m), STATUS_OK);
    assert_int_equal(add(&m, 0, i % ROWIDS, i % 3), STATUS_OK);
    if (i % 100 == 99) applied(&m);
    release(&m, 1);
    assert_in_range(m.pending.count, 5, 5 + 100);
  }
  check(&m);
  rollback_to(&m, 0);
  assert_int_equal(pending_count(&m.pending), 5);
  check(&m);
  pending_clear(&m.pending);
  assert_int_equal(faulty.live, 0);
}

/* Savepoints 0 to 2 are open when the table is first used: SQLite tells of 2, and then releases or rolls back any. */
TEST(pending_savepoints_before_its_time) {
  static struct model m;
  for (int first = 0; first < 3; first++)
    for (int second = 0; second <= first; second++) {
      memset(&m, 0, sizeof m);
      pending_init(&m.pending, &faulty_memory);
      begin_within(&m, 3);
      assert_int_equal(add(&m, 0, 1, 1), STATUS_OK);
      release(&m, first);
      check(&m);
      if (second < m.depth) rollback_to(&m, second);
      check(&m);
      pending_clear(&m.pending);
    }
  assert_int_equal(faulty.live, 0);
}

/* What must be written again if the table were to come back by a savepoint: what was not when that was opened. */
TEST(pending_needed) {
  static struct model m;
  for (int is_written = 0; is_written < 2; is_written++) {
    memset(&m, 0, sizeof m);
    pending_init(&m.pending, &faulty_memory);
    assert_int_equal(add(&m, 0, 1, 1), STATUS_OK);
    assert_int_equal(savepoint(&m), STATUS_OK);
    assert_false(pending_is_needed(&m.pending)); /* the statement's own */
    release(&m, 0);
    if (is_written) applied(&m);
    assert_int_equal(savepoint(&m), STATUS_OK);
    assert_int_equal(add(&m, 0, 2, 1), STATUS_OK);
    assert_int_equal(savepoint(&m), STATUS_OK);
    assert_int_equal(pending_is_needed(&m.pending), !is_written);
    applied(&m);
    assert_int_equal(pending_is_needed(&m.pending), !is_written);
    pending_clear(&m.pending);
  }
  assert_int_equal(faulty.live, 0);
}

static enum status pending_once(void) {
  struct pending p;
  enum status rc = STATUS_OK;
  pending_init(&p, &faulty_memory);
  for (int i = 0; i < 40 && rc == STATUS_OK; i++) {
    rc = pending_savepoint(&p, i);
    if (rc == STATUS_OK) rc = pending_add(&p, 0, i, i % 2 ? code_of(i, i) : NULL, CODE_BYTES);
  }
  pending_clear(&p);
  return rc;
}

TEST(pending_out_of_memory) {
  assert_int_equal(faulty_exhaust(pending_once), 40 + 3 + 3); /* each array grows to 16, 32, 64 */
}

TEST(pending_zeroed_is_empty) {
  struct pending p = {0};
  pending_clear(&p);
  assert_int_equal(pending_count(&p), 0);
}

UNIT_MAIN(faulty_test(pending_against_copies), faulty_test(pending_stays_small),
          faulty_test(pending_savepoints_before_its_time), faulty_test(pending_needed),
          faulty_test(pending_out_of_memory), faulty_test(pending_zeroed_is_empty))
