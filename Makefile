# sqlite-whiten. `make help` lists the targets.

CC      = gcc
CFLAGS  = -O3 -g
PREFIX  = /usr/local
DESTDIR =
B       = build
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)

OS := $(shell uname -s)
ifeq ($(OS),Darwin)
  SO = dylib
  LINK_SHARED = -dynamiclib -Wl,-undefined,dynamic_lookup
  LINK_OBJECT = -r -nostdlib
  HIDE_NAMES = echo _sqlite3_whiten_init | nmedit -s /dev/stdin
else
  SO = so
  # nodelete: the threads of BLAS outlive dlclose()
  LINK_SHARED = -shared -Wl,-z,nodelete -Wl,-z,defs -Wl,-soname,whiten.so
  # With -flto gcc is told to make code of it here, whose names can be hidden.
  LINK_OBJECT = -r -nostdlib $(if $(findstring clang,$(CC)),,$(if $(findstring -flto,$(CFLAGS)),-flinker-output=nolto-rel))
  HIDE_NAMES = objcopy --keep-global-symbol=sqlite3_whiten_init
endif

WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
# Same bits everywhere: no contraction but where fma is written, no fast-math, no -march.
COMPILE  = $(CC) -std=c11 $(WARNINGS) -fPIC -fvisibility=hidden -ffp-contract=off -fno-fast-math -Iext $(CFLAGS) $(EXTRA)
# Asked when a recipe runs, not when the file is read: `make deps all` installs what they describe first.
INCLUDES = $(shell pkg-config --cflags openblas lapacke sqlite3)
LIBS     = $(shell pkg-config --libs openblas lapacke) -lpthread -lm

CORE      := $(wildcard ext/core/*.c ext/core/simd/*.c)
FUNCTIONS := $(wildcard ext/host/*.c ext/functions/*.c) ext/init.c
CORE_O    := $(CORE:ext/%.c=$B/%.o)
SHARED_O  := $(FUNCTIONS:ext/%.c=$B/%.o)
STATIC_O  := $(FUNCTIONS:ext/%.c=$B/static/%.o)
UNIT      := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*.c))
FUZZ      := vectors models stats options tokens sql
VERSION    = $(shell sed -n 's/.*WHITEN_VERSION "\(.*\)"/\1/p' ext/whiten.h)

all: whiten.$(SO) libwhiten.a ## build the extension and the static library

whiten.$(SO) $B/whiten.$(SO): $(CORE_O) $(SHARED_O)
	$(CC) $(LINK_SHARED) $(EXTRA) -o $@ $^ $(LIBS)

# What the tests link, with every name in it; libwhiten.a, for applications, has the entry point's alone, so that none
# clashes with a name of theirs.
$B/libcore.a: $(CORE_O) $(STATIC_O)
	rm -f $@
	$(AR) rcs $@ $^

libwhiten.a: $(CORE_O) $(STATIC_O)
	$(CC) $(CFLAGS) $(LINK_OBJECT) -o $B/libwhiten.o $^
	$(HIDE_NAMES) $B/libwhiten.o
	rm -f $@
	$(AR) rcs $@ $B/libwhiten.o

# A file per instruction set; which one runs is decided when the extension is loaded.
ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
$B/core/simd/avx2.o: COMPILE += -mavx2 -mfma
$B/core/simd/avx512.o: COMPILE += -mavx512f -mavx512dq -mfma
endif

$B/%.o: ext/%.c
	@mkdir -p $(@D)
	$(COMPILE) $(INCLUDES) -MMD -MP -c -o $@ $<

$B/static/%.o: ext/%.c
	@mkdir -p $(@D)
	$(COMPILE) -DWHITEN_STATIC $(INCLUDES) -MMD -MP -c -o $@ $<

$B/unit/%: tests/unit/%.c $B/libcore.a
	@mkdir -p $(@D)
	$(COMPILE) $(INCLUDES) -MMD -MP -o $@ $< $B/libcore.a -lcmocka -lsqlite3 $(LIBS)

-include $(shell find $B -name '*.d' 2>/dev/null)

DEBIAN = gcc clang valgrind make pkg-config libsqlite3-dev sqlite3 libopenblas-dev liblapacke-dev libcmocka-dev \
         python3 python3-numpy python3-scipy python3-pytest

deps: ## install what building and testing need (Debian, Ubuntu; elsewhere: names it)
	@tests/deps $(DEBIAN)

examples/c/search: examples/c/search.c libwhiten.a ## the example in C
	$(CC) $(CFLAGS) $(INCLUDES) -Iext $< libwhiten.a -lsqlite3 $(LIBS) -o $@

demo: all ## the main job end to end: pool, whiten, search; DATA=file.f32 DIM=300 PAIRS=pairs.tsv runs it on yours
	@examples/demo/demo.sh ./whiten

test: all $(UNIT) $B/oom/oom $(FUZZ:%=$B/replay/%) ## run every test; T=pool runs the part whose names contain "pool"
	@PYTHON="$(PYTHON)" CC="$(CC)" tests/run $(if $(T),-k "$(T)")

unit: $(UNIT) ## the tests of the numeric core alone
	@for t in $^; do $$t || exit 1; done

oracle: all ## the comparison with numpy alone
	@PYTHON="$(PYTHON)" tests/run -k oracle

bench: all $B/libcore.a ## measure against the peers that are there; CASE=fit runs one case
	@PYTHON="$(PYTHON)" tests/bench/run $(CASE)

bench-deps: ## install the peers
	@tests/bench/deps

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

# Builds that must give the same bits: gcc and clang, with and without optimisation.
BITS_BUILDS = $(foreach cc,gcc clang,$(foreach level,0 3,build-$(cc)-O$(level)/whiten.$(SO)))
build-%/whiten.$(SO): $(CORE) $(FUNCTIONS) $(wildcard ext/*.h ext/*/*.h ext/*/*/*.h)
	@$(MAKE) --no-print-directory B=build-$* CC="$(firstword $(subst -O, ,$*))" CFLAGS="-g -O$(lastword $(subst -O, ,$*))" $@

bits: all $(BITS_BUILDS) ## the same bits from gcc and clang, -O0 and -O3, every kernel
	@WHITEN_BUILDS="$(subst $() ,:,$(abspath $(BITS_BUILDS)))" PYTHON="$(PYTHON)" tests/run -k test_bits

# Debian: dpkg --add-architecture arm64; then gcc-aarch64-linux-gnu, qemu-user and libcmocka-dev:arm64.
neon: CC = aarch64-linux-gnu-gcc
neon: ## the kernel's tests on ARM: cross-compiled, run by qemu, their comparisons counted
	@mkdir -p $B/neon && rm -f $B/neon/*
	@for t in simd vector; do \
	  $(COMPILE) --coverage -fprofile-filter-files='tests/unit/.*' -o $B/neon/$$t \
	    $(wildcard ext/core/simd/*.c) ext/core/vector.c tests/unit/$$t.c -lcmocka -lm && qemu-aarch64 $B/neon/$$t || exit 1; \
	done
	@aarch64-linux-gnu-gcov -b -t $B/neon/simd-simd.gcda | \
	  awk '/^function check_(double|float) / { n += $$4 } END { print n + 0 " comparisons"; exit !n }'

# pthread_create is wrapped, so that it can be made to fail.
$B/oom/oom: $(wildcard tests/oom/*.c tests/oom/*.h) $B/libcore.a
	@mkdir -p $(@D)
	$(COMPILE) -D_GNU_SOURCE $(INCLUDES) -o $@ $(filter %.c,$^) $B/libcore.a -Wl,--wrap=pthread_create -lsqlite3 $(LIBS)

oom: all $B/oom/oom ## fail every allocation of every function; F=pool_mean: of one
	@WHITEN_SO=./whiten.$(SO) $B/oom/oom $(F)

tsan: ## threads and fork under ThreadSanitizer
	@tests/checks/variant build-tsan -fsanitize=thread "-O1 -g"
	@for t in workers scatter moments join; do build-tsan/build/unit/$$t > build-tsan/unit.log 2>&1 || { cat build-tsan/unit.log; exit 1; }; done
	@WHITEN_SO="$(abspath build-tsan/whiten.$(SO))" WHITEN_CFLAGS="-O1 -g -fsanitize=thread" CC=gcc PYTHON="$(PYTHON)" tests/run -k test_threads

blas: all ## the tests that compute, on each of Debian's three builds of OpenBLAS
	@PYTHON="$(PYTHON)" tests/threads/openblas

power: all ## the scripts killed at 200 moments (KILLS=n), full disks, read-only databases
	@WHITEN_KILLS=$(or $(KILLS),200) PYTHON="$(PYTHON)" tests/run -k test_power

clients: all ## every client there is, against the sqlite3 shell; the contract on the oldest and the newest SQLite
	@PYTHON="$(PYTHON)" tests/run -k test_clients

clients-deps: ## install the clients: Perl, Ruby, PHP, Tcl, Go, Java, Node, and SQLite 3.38
	@tests/clients/deps

FUZZ_O   := $(patsubst ext/%.c,$B/fuzz/ext/%.o,$(CORE) $(FUNCTIONS))
FUZZ_SHARED = tests/fuzz/common.c tests/fuzz/blobs.c
SANITIZE  = address,undefined,float-cast-overflow
SECONDS   = 60
$(FUZZ_O) $(FUZZ:%=$B/fuzz/%): CC = clang
$(FUZZ_O) $(FUZZ:%=$B/fuzz/%): CFLAGS = -O1 -g -fno-sanitize-recover=all
ifneq ($(filter x86_64 amd64,$(shell uname -m)),)
$B/fuzz/ext/core/simd/avx2.o: COMPILE += -mavx2 -mfma
$B/fuzz/ext/core/simd/avx512.o: COMPILE += -mavx512f -mavx512dq -mfma
endif

$(FUZZ_O): $B/fuzz/ext/%.o: ext/%.c
	@mkdir -p $(@D)
	$(COMPILE) -DWHITEN_STATIC -fsanitize=fuzzer-no-link,$(SANITIZE) $(INCLUDES) -MMD -MP -c -o $@ $<

$(FUZZ:%=$B/fuzz/%): $B/fuzz/%: tests/fuzz/%.c $(FUZZ_SHARED) $(FUZZ_O) $(wildcard tests/fuzz/*.h)
	$(COMPILE) -fsanitize=fuzzer,$(SANITIZE) $(INCLUDES) -o $@ $(filter %.c %.o,$^) -lsqlite3 $(LIBS)

# The same targets without libFuzzer: they replay files.
$(FUZZ:%=$B/replay/%): $B/replay/%: tests/fuzz/%.c $(FUZZ_SHARED) tests/fuzz/replay.c $B/libcore.a $(wildcard tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(COMPILE) $(INCLUDES) -o $@ $(filter %.c,$^) $B/libcore.a -lsqlite3 $(LIBS)

fuzz: $(FUZZ:%=$B/fuzz/%) ## fuzz for SECONDS=60 in all, split among the targets; TARGET=models: one of them
	@tests/fuzz/run $(SECONDS) $(or $(TARGET),$(FUZZ))

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer; T=pool runs a part
	@MAKE="$(MAKE)" PYTHON="$(PYTHON)" tests/checks/asan $(if $(T),-k "$(T)")

valgrind: all $(UNIT) ## the unit tests and the SQL of tests/sql and the contract under valgrind
	@tests/checks/valgrind

coverage: ## lines and branches of ext/ that the tests reach, by file; T=pool for a part of the tests
	@MAKE="$(MAKE)" PYTHON="$(PYTHON)" tests/checks/coverage $(if $(T),-k "$(T)")

CHECKERS = clang clang-tidy cppcheck shellcheck libclang-rt-dev valgrind lcov
check-deps: ## install what check-all needs beyond `make deps`
	@tests/deps $(CHECKERS)

check-all: test lint valgrind asan tsan bits fuzz clients ## every check in its short form; power in its own with 20 kills
	@$(MAKE) --no-print-directory power KILLS=20

lint: ## what gcc, clang, clang-tidy, cppcheck and shellcheck find; it fails if that is anything
	@MAKE="$(MAKE)" tests/checks/lint

format: ## lay out the C code
	clang-format -i $(CORE) $(FUNCTIONS) $(wildcard ext/*.h ext/*/*.h ext/*/*/*.h tests/unit/*.c tests/fuzz/*.c tests/oom/*.c)

clean: ## remove what was built
	rm -rf $B build-* whiten.$(SO) libwhiten.a examples/c/search sqlite-whiten-*.tar.gz

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{printf "  %-12s %s\n", $$1, $$2}'

.PHONY: check-all check-deps fuzz asan valgrind coverage lint bits tsan blas power clients clients-deps all deps demo test unit oracle oom bench bench-deps install uninstall dist neon format clean help
