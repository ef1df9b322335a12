# SPDX-License-Identifier: Apache-2.0
# One file, not recursive. `make` builds, `make help` tells the rest.

prefix ?= /usr/local
CC ?= gcc
PKG_CONFIG ?= pkg-config
V ?= 0
# A build tree per variant: make VARIANT=asan, VARIANT=clang, VARIANT=fuzz
VARIANT ?= release
B := build/$(VARIANT)

VERSION := 0.1.0
LIBS := libuv libcurl sqlite3 jansson openssl inih libmicrohttpd gnutls
LIBS_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LIBS_LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
CHECK_CFLAGS := $(shell $(PKG_CONFIG) --cflags check libcbor 2>/dev/null)
CHECK_LDLIBS := $(shell $(PKG_CONFIG) --libs check libcbor 2>/dev/null)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
ifdef WERROR
WARNINGS += -Werror
endif
HARDEN := -fstack-protector-strong -fPIE
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
CPPFLAGS += -I. -D_GNU_SOURCE -DBIRTHCERT_VERSION='"$(VERSION)"' $(LIBS_CFLAGS)

CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS_clang := -O2 -g -D_FORTIFY_SOURCE=2
CFLAGS_fuzz := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=address,undefined
ifneq ($(filter $(VARIANT),clang fuzz),)
override CC := clang
endif
ifeq ($(CFLAGS_$(VARIANT)),)
$(error VARIANT is release, asan, clang or fuzz)
endif

ALL_CFLAGS = -std=c17 $(WARNINGS) $(HARDEN) $(CFLAGS_$(VARIANT)) $(CFLAGS)
ALL_LDFLAGS = $(HARDEN_LD) $(LDFLAGS_$(VARIANT)) $(LDFLAGS) -Wl,--as-needed
Q := $(if $(filter 0,$(V)),@,)
# make -s says nothing while all is well.
SAY := @$(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,echo)

# ---- what there is -------------------------------------------------------------------------------

ROOMS := station/base station/core station/io station/app protocol db ca-client
SOURCES := $(filter-out station/app/main.c,$(foreach room,$(ROOMS),$(wildcard $(room)/*.c)))
OBJECTS := $(SOURCES:%.c=$(B)/%.o)
LIBRARY := $(B)/libbirthcert.a
MIGRATIONS := $(wildcard db/migrations/*.sql)

BINARY := $(B)/birthcert
# A program fixtures/NAME.c may have parts fixtures/NAME_*.c.
FIXTURES := $(B)/camera-sim $(B)/hvca-sim
CHECKS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/check_*.c))
SIMS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/sim_*.c))
FUZZERS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/fuzz_*.c))
BENCHES := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/bench_*.c))
E2E := $(wildcard tests/e2e_*.sh)

.PHONY: all test-programs check demo bench fuzz lint install clean help docs
all: $(BINARY) $(FIXTURES)
test-programs: all $(CHECKS) $(SIMS)

help:
	@echo 'make              the program and the simulators, in $(B)'
	@echo 'make check        every test, with sanitizers (scripts/check also installs what is missing)'
	@echo 'make demo         a simulated bench, end to end'
	@echo 'make bench        speed, beside the floor of the cryptography alone'
	@echo 'make fuzz         every fuzzer for FUZZ_SECONDS (60) each'
	@echo 'make lint         include rules, lengths, clang-tidy, cppcheck, shellcheck'
	@echo 'make docs         rewrites what the documentation takes from the code'
	@echo 'make install      DESTDIR= prefix=/usr/local'

# ---- rules ---------------------------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) $(if $(filter tests/%,$<),$(CHECK_CFLAGS)) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The schema is part of the program: its .sql files are embedded.
$(B)/db/migrations.o: $(MIGRATIONS)

$(LIBRARY): $(OBJECTS)
	$(Q)rm -f $@.$$$$ && $(AR) rcs $@.$$$$ $^ && mv $@.$$$$ $@

$(BINARY): $(B)/station/app/main.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

$(B)/camera-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/camera_sim*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

$(B)/hvca-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/hvca_sim*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# What several test programs share is tests/support_*.c.
SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard tests/support_*.c))
$(B)/tests/check_%: $(B)/tests/check_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

$(B)/tests/sim_%: $(B)/tests/sim_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

$(B)/tests/bench_%: $(B)/tests/bench_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

$(B)/tests/fuzz_%: $(B)/tests/fuzz_%.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_LDLIBS)

# The program with every transition counted, to be killed at any of them; see tests/kill_at.c.
KILL_WRAPS := -Wl,--wrap=unit_step,--wrap=request_step,--wrap=pool_committed
$(B)/birthcert-kill: $(B)/station/app/main.o $(B)/tests/kill_at.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(KILL_WRAPS) -o $@ $^ $(LIBS_LDLIBS)

# ---- doing things --------------------------------------------------------------------------------

.PHONY: fuzzers e2e-programs
fuzzers: $(FUZZERS)
e2e-programs: all $(B)/birthcert-kill

check:
	scripts/check --no-setup

demo:
	scripts/demo --prepared
demo: all

bench: all $(BENCHES)
	scripts/bench $(B)

fuzz:
	$(MAKE) -s VARIANT=fuzz fuzzers
	scripts/fuzz $(or $(FUZZ_SECONDS),60)

lint:
	scripts/lint

docs: all
	$(BINARY) diagram > station/core/STATES.md

install: all
	install -D -m 755 $(BINARY) $(DESTDIR)$(prefix)/bin/birthcert
	install -D -m 644 protocol/PROTOCOL.md $(DESTDIR)$(prefix)/share/doc/birthcert/PROTOCOL.md
	install -D -m 644 protocol/bench.cddl $(DESTDIR)$(prefix)/share/doc/birthcert/bench.cddl
	install -D -m 644 station/app/OUTPUT.md $(DESTDIR)$(prefix)/share/doc/birthcert/OUTPUT.md
	install -D -m 644 README.md $(DESTDIR)$(prefix)/share/doc/birthcert/README.md

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
.SECONDARY:
