# SPDX-License-Identifier: Apache-2.0
# One file, not recursive. `make` builds, `make help` tells the rest.

prefix ?= /usr/local
# Its rules.d gets the udev rules; udev looks in these places only.
udevdir ?= $(prefix)/lib/udev
UDEV_PLACES := /usr/lib/udev /usr/local/lib/udev /lib/udev /etc/udev
CC ?= gcc
PKG_CONFIG ?= pkg-config
V ?= 0
# A build tree per variant: make VARIANT=asan, VARIANT=clang, VARIANT=fuzz
VARIANT ?= release
B := build/$(VARIANT)

VERSION := 0.1.0
LIBS := libuv libcurl sqlite3 jansson openssl inih libmicrohttpd gnutls libusb-1.0 libudev p11-kit-1
LIBS_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LIBS_LDLIBS := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
CHECK_CFLAGS := $(shell $(PKG_CONFIG) --cflags check libcbor 2>/dev/null)
CHECK_LDLIBS := $(shell $(PKG_CONFIG) --libs check libcbor 2>/dev/null)
# Not our headers: their warnings are not ours either.
USB_CFLAGS := $(patsubst -I%,-isystem%,$(shell $(PKG_CONFIG) --cflags libusbredirparser-0.5 2>/dev/null))
USB_LDLIBS := $(shell $(PKG_CONFIG) --libs libusbredirparser-0.5 2>/dev/null)
MOCK_CFLAGS := $(patsubst -I%,-isystem%,$(shell $(PKG_CONFIG) --cflags umockdev-1.0 2>/dev/null))
MOCK_LDLIBS := $(shell $(PKG_CONFIG) --libs umockdev-1.0 2>/dev/null)

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
FIXTURES := $(B)/camera-sim $(B)/hvca-sim $(B)/est-sim $(B)/vault-sim $(B)/ejbca-sim
CHECKS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/check_*.c))
SIMS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/sim_*.c))
FUZZERS := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/fuzz_*.c))
BENCHES := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/bench_*.c))
E2E := $(wildcard tests/e2e_*.sh)

.PHONY: all test-programs check check-vm demo bench fuzz lint install clean help docs
all: $(BINARY) $(FIXTURES)
test-programs: all $(CHECKS) $(SIMS) $(B)/camera-gadget

help:
	@echo 'make              the program and the simulators, in $(B)'
	@echo 'make check        every test, with sanitizers (scripts/check also installs what is missing)'
	@echo 'make check-vm     the tests on USB stacks of a virtual machine, as make check does at its end'
	@echo 'make demo         a simulated bench, end to end'
	@echo 'make bench        speed, beside the floor of the cryptography alone'
	@echo 'make fuzz         every fuzzer for FUZZ_SECONDS (60) each'
	@echo 'make lint         include rules, lengths, clang-tidy, cppcheck, shellcheck'
	@echo 'make docs         rewrites what the documentation takes from the code'
	@echo 'make install      DESTDIR= prefix=/usr/local udevdir=$(prefix)/lib/udev'

# ---- rules ---------------------------------------------------------------------------------------

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) '  CC  $<'
	$(Q)$(CC) $(CPPFLAGS) $(if $(filter tests/%,$<),$(CHECK_CFLAGS)) $(if $(filter fixtures/camera_usb%,$<),$(USB_CFLAGS)) $(if $(filter tests/check_ports.c tests/check_ports_watch.c tests/mock_%,$<),$(MOCK_CFLAGS)) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

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

# The simulated cameras once more, on USB: for tests, with libraries of its own.
USB_SOURCES := $(filter-out fixtures/camera_sim_kinds.c,$(wildcard fixtures/camera_sim*.c fixtures/camera_usb*.c))
$(B)/camera-usb: $(patsubst %.c,$(B)/%.o,$(USB_SOURCES)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(USB_LDLIBS) $(LIBS_LDLIBS)

# The reference camera, for a board with a USB device controller.
$(B)/camera-gadget: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/camera_gadget*.c)) \
		$(B)/fixtures/camera_sim_crypto.o $(B)/fixtures/camera_sim_store.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# What the simulated CAs share is fixtures/sim_*.c.
$(B)/hvca-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/hvca_sim*.c fixtures/sim_*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

$(B)/est-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/est_sim*.c fixtures/sim_*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

$(B)/vault-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/vault_sim*.c fixtures/sim_*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

$(B)/ejbca-sim: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/ejbca_sim*.c fixtures/sim_*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# Between the program and a CA's server, for tests.
$(B)/fault-proxy: $(patsubst %.c,$(B)/%.o,$(wildcard fixtures/fault_proxy*.c)) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# The same between a bench and its forwarder, for tests.
$(B)/outbox-cut: $(B)/fixtures/outbox_cut.o $(B)/fixtures/fault_proxy_end.o \
		$(B)/fixtures/fault_proxy_rules.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# What several test programs share is tests/support_*.c.
SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard tests/support_*.c))
$(B)/tests/check_ports $(B)/tests/check_ports_watch: $(B)/tests/mock_bed.o
$(B)/tests/check_ports $(B)/tests/check_ports_watch: CHECK_LDLIBS += $(MOCK_LDLIBS)
$(B)/tests/check_outbox $(B)/tests/check_outbox_broken: $(B)/tests/outbox_peer.o
$(B)/tests/check_outbox $(B)/tests/check_outbox_broken: \
	CHECK_LDLIBS += -Wl,--wrap=send,--wrap=clock_monotonic_ms
$(B)/tests/check_usb_rig: $(patsubst %,$(B)/fixtures/camera_%.o,sim_noise usb_descriptor usb_fault \
	usb_wire usb_mock_call usb_mock_node usb_mock_usbfs)
$(B)/tests/check_%: $(B)/tests/check_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

$(B)/tests/sim_%: $(B)/tests/sim_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

$(B)/tests/bench_%: $(B)/tests/bench_%.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

# What it starts from nobody but a test makes.
$(B)/tests/fuzz_x509_crl: $(B)/tests/support_pki.o

$(B)/tests/fuzz_%: $(B)/tests/fuzz_%.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS_LDLIBS)

# The program on a machine whose ports come and go as a test says; see tests/mock_ports.c.
$(B)/mock-ports: $(B)/tests/mock_ports.o
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(MOCK_LDLIBS)

# The program with every transition counted, to be killed at any of them; see tests/kill_at.c.
KILL_WRAPS := -Wl,--wrap=unit_step,--wrap=request_step,--wrap=pool_committed
$(B)/birthcert-kill: $(B)/station/app/main.o $(B)/tests/kill_at.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(KILL_WRAPS) -o $@ $^ $(LIBS_LDLIBS)

# The program without the padding rule of USB; see tests/unpadded.c.
$(B)/birthcert-unpadded: $(B)/station/app/main.o $(B)/tests/unpadded.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=usb_match_device -o $@ $^ $(LIBS_LDLIBS)

# The program where clearing a halt takes seconds; see tests/slow_clear.c.
$(B)/birthcert-slow-clear: $(B)/station/app/main.o $(B)/tests/slow_clear.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=libusb_clear_halt -o $@ $^ $(LIBS_LDLIBS)

# A CMP server with many transactions; see tests/cmp_ca.c.
$(B)/cmp-ca: $(B)/tests/cmp_ca.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

# What a wire can do, to measure the station against; see tests/wire_floor.c.
$(B)/wire-floor: $(B)/tests/wire_floor.o $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS_LDLIBS)

# A station's half of the CA alone; see tests/ca_driver.c.
$(B)/ca-driver: $(B)/tests/ca_driver.o $(SUPPORT) $(LIBRARY)
	$(SAY) '  LD  $@'
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(CHECK_LDLIBS) $(LIBS_LDLIBS)

# ---- doing things --------------------------------------------------------------------------------

.PHONY: fuzzers e2e-programs vm-programs
fuzzers: $(FUZZERS)
e2e-programs: all $(B)/birthcert-kill $(B)/cmp-ca $(B)/mock-ports $(B)/camera-usb $(B)/birthcert-slow-clear \
	$(B)/fault-proxy $(B)/outbox-cut $(B)/ca-driver
vm-programs: all $(B)/camera-gadget $(B)/camera-usb $(B)/birthcert-unpadded $(B)/wire-floor

check:
	scripts/check --no-setup

check-vm:
	scripts/check-vm

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
	install -D -m 644 scripts/systemd/birthcert-forward.service \
		$(DESTDIR)$(prefix)/share/doc/birthcert/birthcert-forward.service
	install -D -m 644 station/app/OUTPUT.md $(DESTDIR)$(prefix)/share/doc/birthcert/OUTPUT.md
	install -d $(DESTDIR)$(prefix)/share/doc/birthcert/ca
	install -m 644 ca-client/docs/*.md fixtures/exec-ca.sh $(DESTDIR)$(prefix)/share/doc/birthcert/ca
	install -D -m 644 README.md $(DESTDIR)$(prefix)/share/doc/birthcert/README.md
	install -D -m 644 scripts/udev/70-birthcert.rules $(DESTDIR)$(udevdir)/rules.d/70-birthcert.rules
	install -D -m 644 scripts/udev/71-birthcert-authorize.rules.example \
		$(DESTDIR)$(prefix)/share/doc/birthcert/71-birthcert-authorize.rules.example
	$(if $(filter $(UDEV_PLACES),$(abspath $(udevdir))),,@echo 'udev does not look in $(udevdir)/rules.d: \
		install with udevdir=/usr/local/lib/udev')
	$(if $(DESTDIR),,@echo 'Now, as root, for the USB ports: udevadm control --reload && udevadm trigger')

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
.SECONDARY:
