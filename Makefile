# SPDX-License-Identifier: BSD-3-Clause
#
# One Makefile. Sources are listed by hand in FOLDER/FOLDER.mk; everything made lands in build/.
# `make help` lists what can be asked for.
#
#   make SAN=address,undefined    a sanitizer build, in build/san-address-undefined/
#   make FUZZ=1                   clang's sanitizers and coverage for the fuzzers, in build/fuzz/

#: make              build sluice, sluice-vmm and sluice-switch
#: make deps         install what is missing (apt; root or sudo)
#: make demo         a VF in a guest, on an emulated host, in a minute
#: make test         every ring of tests: unit, sanitizers, local KVM, the lab's two rigs
#: make test-unit | test-asan | test-tsan | test-kvm | test-lab | test-lab-asan | test-rig2
#: make test-fuzz    every fuzzer for SLUICE_FUZZ_SECONDS (15); make fuzz: for ten minutes each
#: make test-report  the page of a bench, in headless Chromium if that is there
#: make bench        every path that a packet can take, measured on the emulated host (bench-nic)
#: make bench-iommu  cost of map and unmap by page size: our walker, and VFIO on the emulated host
#: make coverage     lines of iommu/ that its unit tests run (gcov)
#: make bench-switch cycles per frame from guest to guest, beside DPDK's own forwarding
#: make bench-boot   start to first user-space line, beside QEMU, in one run
#: make bench-blk    random reads from a virtio disk, beside QEMU, in one run
#: make bench-hotplug  a VF comes and goes, beside QEMU, in one run
#: make bench-sriov  vf list and plan on a made-up machine with 1,000 VFs
#: make lint         include direction, headers, format, shellcheck, cppcheck, clang-tidy, man pages
#: make install | uninstall  [DESTDIR=] [prefix=/usr/local]
#: make packages     Debian packages, in build/packages
#: make test-packages  install, upgrade and remove them on a fresh Debian root (root)
#: make clean        everything but the lab's cache

VERSION := 0.1.0
CC      ?= cc
AR      ?= ar
PKG_CONFIG ?= pkg-config
prefix  ?= /usr/local
SAN     ?=
comma   := ,
O       := build$(if $(FUZZ),/fuzz,$(if $(SAN),/san-$(subst $(comma),-,$(SAN))))

ifdef FUZZ
CC  := clang
SAN := address,undefined
FUZZ_CFLAGS := -fsanitize=fuzzer-no-link
endif

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
ALL_CFLAGS := -std=gnu17 $(CPPFLAGS) -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -I. $(WARN) \
	-fno-common -ffunction-sections -fdata-sections -fPIE -fstack-protector-strong \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
	$(FUZZ_CFLAGS) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,--gc-sections -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

.PHONY: all help
all:

help:
	@sed -n 's/^#: //p' Makefile

include base/base.mk hv-core/hv-core.mk iommu/iommu.mk sriov/sriov.mk vdev/vdev.mk cli/cli.mk
include netqueue/netqueue.mk
include gpu/gpu.mk
include bench/bench.mk
include tests/tests.mk tests/fuzz.mk

FOLDERS := base hv-core iommu sriov vdev
FOLDERS += netqueue
FOLDERS += gpu
FOLDERS += bench
ARCHIVES := $(FOLDERS:%=$(O)/%.a)
objs = $(patsubst %,$(O)/%.o,$(basename $(1)))

define archive_rule
$(O)/$(1).a: $$(call objs,$$($(1)_SRCS))
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call archive_rule,$(f))))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)

$(O)/%.o: %.c
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(O)/%.o: %.S
	$(call say,AS)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# What links what. sluice links libpci (GPL-2+), so that binary as a whole is under the GPL;
# sluice-vmm links only permissive and LGPL libraries.
SLUICE_LIBS := -lpci -lnl-route-3 -lnl-3 -lnvme -lsqlite3 -ljansson -lpng -lyaml -lseccomp -lz -ldl -lpthread -lm
VMM_LIBS    := -ljansson -luring -lseccomp -lpthread
SWITCH_LIBS := $(DPDK_LIBS) -ljansson -lseccomp -lpthread

$(O)/bin/sluice: $(call objs,$(cli_SRCS)) $(O)/hv-core.a $(O)/gpu.a $(O)/sriov.a $(O)/iommu.a $(O)/netqueue.a $(O)/bench.a $(O)/base.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SLUICE_LIBS)

$(O)/bin/sluice-vmm: $(call objs,$(vmm_SRCS)) $(O)/vdev.a $(O)/hv-core.a $(O)/iommu.a $(O)/base.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VMM_LIBS)

$(O)/bin/sluice-switch: $(call objs,$(switch_SRCS)) $(O)/netqueue.a $(O)/base.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SWITCH_LIBS)

# All of a bench guest's user land: static, and without sanitizers, which a machine's first process
# cannot have.
$(O)/bin/sluice-work: $(work_SRCS) bench/bench.h
	$(call say,CC)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -Wconversion -Wshadow -Werror -I. -static -s \
		-o $@ $(work_SRCS)

all: $(O)/bin/sluice $(O)/bin/sluice-vmm $(O)/bin/sluice-switch $(O)/bin/sluice-work

# ---- unit tests: tests/<folder>/<file>_test.c, one program each ----

define unit_rule
$(O)/tests/$(1): $(O)/tests/$(1).o $$($(notdir $(1))_OBJS) $$(foreach f,$$($(notdir $(1))_LIBS),$(O)/$$(f).a)
	$$(call say,LD)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$($(notdir $(1))_LDFLAGS) -o $$@ $$^ -lcmocka $$($(notdir $(1))_EXTRA)
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))

.PHONY: unit-programs
unit-programs: $(UNIT_TESTS:%=$(O)/tests/%)

.PHONY: list-unit-tests
list-unit-tests:
	@printf '%s\n' $(filter-out kvm/%,$(UNIT_TESTS))

# ---- fuzzers: tests/fuzz/<name>_fuzz.c, one program each ----

define fuzz_rule
$(O)/tests/fuzz/$(1)_fuzz: $(O)/tests/fuzz/$(1)_fuzz.o $$($(1)_fuzz_OBJS) $$(foreach f,$$($(1)_fuzz_LIBS),$(O)/$$(f).a)
	$$(call say,LD)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) -fsanitize=fuzzer $$($(1)_fuzz_LDFLAGS) -o $$@ $$^ $$($(1)_fuzz_EXTRA)
endef
$(foreach t,$(FUZZERS),$(eval $(call fuzz_rule,$(t))))

.PHONY: fuzzers list-fuzzers
fuzzers: $(FUZZERS:%=$(O)/tests/fuzz/%_fuzz)

list-fuzzers:
	@printf '%s\n' $(FUZZERS)

# ---- what a person types ----

# Recursive, because what is built may need what `deps` has just installed.
.PHONY: deps demo test lint format
deps:
	@packaging/deps.sh build test lint lab

RINGS := unit kvm asan fuzz lab-self lab lab-asan rig2
.PHONY: $(RINGS:%=test-%) test-tsan

test:
	@packaging/deps.sh build test lab
	@$(MAKE) --no-print-directory staged unit-programs
	@$(MAKE) --no-print-directory SAN=address,undefined staged unit-programs
	@$(MAKE) --no-print-directory FUZZ=1 fuzzers
	@lab/lab fetch --rig all
	@tests/run $(RINGS)

test-unit test-kvm:
	@$(MAKE) --no-print-directory unit-programs $(if $(filter test-kvm,$@),$(O)/guest/mb-environment)
	@tests/run $(@:test-%=%)

test-asan:
	@$(MAKE) --no-print-directory SAN=address,undefined unit-programs
	@tests/run asan

# What has threads of its own: the switch's workers beside its control thread.
TSAN_TESTS := $(filter netqueue/%,$(UNIT_TESTS))
.PHONY: tsan-programs list-tsan-tests
tsan-programs: $(TSAN_TESTS:%=$(O)/tests/%)

list-tsan-tests:
	@printf '%s\n' $(TSAN_TESTS)

test-tsan:
	@$(MAKE) --no-print-directory SAN=thread tsan-programs
	@tests/run tsan

test-fuzz:
	@$(MAKE) --no-print-directory FUZZ=1 fuzzers
	@tests/run fuzz

.PHONY: test-report
test-report:
	@$(MAKE) --no-print-directory $(O)/tests/cli/bench_report_test
	@tests/report

.PHONY: fuzz
fuzz:
	@$(MAKE) --no-print-directory FUZZ=1 fuzzers
	@SLUICE_FUZZ_SECONDS=600 tests/run fuzz

test-lab test-rig2:
	@$(MAKE) --no-print-directory staged $(if $(filter test-rig2,$@),$(O)/tests/kvm/tiny_test)
	@lab/lab fetch --rig $(if $(filter test-rig2,$@),2,1)
	@tests/run $(@:test-%=%)

test-lab-asan:
	@$(MAKE) --no-print-directory SAN=address,undefined staged
	@lab/lab fetch --rig 1
	@tests/run lab-asan

demo:
	@packaging/deps.sh build lab
	@$(MAKE) --no-print-directory staged
	@lab/lab fetch --rig 1
	@lab/lab run --name demo /usr/bin/env SLUICE_BUILD=$(CURDIR)/build docs/demo.sh

IOMMU_BENCH := $(O)/bench/iommu_walker $(O)/bench/iommu_vfio
$(IOMMU_BENCH): %: %.o $(O)/iommu.a $(O)/base.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(O)/bench/switch_cycles: $(O)/bench/switch_cycles.o $(O)/tests/fakes/vhost_front.o $(O)/netqueue.a $(O)/base.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpthread

.PHONY: bench-programs install-bench packages
bench-programs: $(IOMMU_BENCH)
install-bench: bench-programs
	@install -d $(libexecdir)/bench
	@install -m 755 $(IOMMU_BENCH) $(libexecdir)/bench

packages:
	@packaging/deps.sh build package
	@packaging/packages.sh

.PHONY: test-packages
test-packages: packages $(O)/guest/counter
	@packaging/deps.sh package
	@packaging/test-packages.sh

SWITCH_BENCH := $(O)/bench/switch_rate $(O)/bench/switch_blocked
$(SWITCH_BENCH): %: %.o $(O)/bench/switch_guests.o
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DPDK_LIBS) -lpthread

$(O)/bench/switch_restart: $(O)/bench/switch_restart.o $(O)/tests/fakes/vhost_front.o
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

.PHONY: bench-switch
bench-switch:
	@packaging/deps.sh build bench
	@$(MAKE) --no-print-directory $(O)/bench/switch_cycles $(SWITCH_BENCH) $(O)/bench/switch_restart $(O)/bin/sluice-switch
	@bench/switch.sh

.PHONY: bench-iommu
bench-iommu:
	@packaging/deps.sh build lab
	@$(MAKE) --no-print-directory $(IOMMU_BENCH)
	@lab/lab fetch --rig 1
	@bench/iommu.sh

.PHONY: bench-sriov
bench-sriov:
	@packaging/deps.sh build
	@$(MAKE) --no-print-directory $(O)/bin/sluice
	@O=$(O) bench/sriov.sh

# Lines of iommu/ that its unit tests run; below COVERAGE_MIN percent is a failure.
.PHONY: coverage
coverage:
	@$(MAKE) --no-print-directory O=build/coverage CFLAGS="-O0 -g --coverage" LDFLAGS=--coverage \
		$(patsubst %,build/coverage/tests/%,$(filter iommu/%,$(UNIT_TESTS)))
	@tests/coverage build/coverage iommu

.PHONY: bench bench-boot bench-blk bench-hotplug bench-nic
bench: bench-nic
bench-boot bench-blk bench-hotplug bench-nic:
	@packaging/deps.sh build lab
	@$(MAKE) --no-print-directory staged
	@lab/lab fetch --rig 1
	@bench/$(@:bench-%=%).sh

lint:
	@packaging/deps.sh build test lint
	@tests/lint

format:
	@clang-format -i $$(git ls-files '*.c' '*.h')

# ---- installing ----

DATA := docs/man
bindir := $(DESTDIR)$(prefix)/bin
libexecdir := $(DESTDIR)$(prefix)/libexec/sluice
mandir := $(DESTDIR)$(prefix)/share/man
compdir := $(DESTDIR)$(prefix)/share/bash-completion/completions
zshdir := $(DESTDIR)$(prefix)/share/zsh/vendor-completions
fishdir := $(DESTDIR)$(prefix)/share/fish/vendor_completions.d
sharedir := $(DESTDIR)$(prefix)/share/sluice
sysusersdir := $(DESTDIR)$(prefix)/lib/sysusers.d
udevdir := $(DESTDIR)$(prefix)/lib/udev/rules.d
unitdir := $(DESTDIR)$(prefix)/lib/systemd/system
gendir  := $(DESTDIR)$(prefix)/lib/systemd/system-generators

.PHONY: install uninstall staged
install: all
	@install -d $(bindir) $(libexecdir) $(mandir)/man1 $(mandir)/man8 $(compdir)
	@install -m 755 $(O)/bin/sluice $(bindir)/sluice
	@install -m 755 $(O)/bin/sluice-vmm $(libexecdir)/sluice-vmm
	@install -m 755 $(O)/bin/sluice-switch $(libexecdir)/sluice-switch
	@install -m 755 $(O)/bin/sluice-work $(libexecdir)/sluice-work
	@install -m 644 $(DATA)/sluice.1 $(mandir)/man1/sluice.1
	@install -m 644 $(DATA)/sluice-vmm.8 $(mandir)/man8/sluice-vmm.8
	@install -m 644 $(DATA)/sluice-switch.8 $(mandir)/man8/sluice-switch.8
	@$(O)/bin/sluice --man $(mandir)/man1
	@install -d $(zshdir) $(fishdir) $(sharedir) $(sysusersdir)
	@$(O)/bin/sluice completion bash >$(compdir)/sluice
	@$(O)/bin/sluice completion zsh >$(zshdir)/_sluice
	@$(O)/bin/sluice completion fish >$(fishdir)/sluice.fish
	@install -m 644 packaging/monitoring/sluice-alerts.yaml packaging/monitoring/sluice-dashboard.json $(sharedir)
	@install -m 644 packaging/sysusers/sluice.conf $(sysusersdir)/sluice.conf
	@install -d $(udevdir) $(unitdir) $(gendir)
	@sed 's,/usr/bin/,$(prefix)/bin/,' packaging/systemd/sluice-generator >$(gendir)/sluice-generator
	@chmod 755 $(gendir)/sluice-generator
	@for unit in packaging/systemd/*.*; do sed 's,/usr/bin/,$(prefix)/bin/,' $$unit \
		>$(unitdir)/$${unit##*/}; done
	@install -m 644 packaging/udev/*.rules $(udevdir)
	@echo "installed below $(DESTDIR)$(prefix)"

uninstall:
	rm -f $(bindir)/sluice $(mandir)/man1/sluice.1 $(mandir)/man8/sluice-vmm.8 \
		$(mandir)/man8/sluice-switch.8 $(compdir)/sluice $(mandir)/man1/sluice-*.1 \
		$(zshdir)/_sluice $(fishdir)/sluice.fish $(sysusersdir)/sluice.conf
	rm -rf $(sharedir)
	rm -f $(patsubst packaging/udev/%,$(udevdir)/%,$(wildcard packaging/udev/*.rules))
	rm -f $(patsubst packaging/systemd/%,$(unitdir)/%,$(wildcard packaging/systemd/*.*))
	rm -f $(gendir)/sluice-generator
	rm -rf $(libexecdir)

TINY_GUESTS := tiny counter
TINY_GUESTS += fault
TINY_GUESTS += mb-environment mb-cpu mb-long mb-apic

# An installed tree inside build/, for the lab: what is tested there is what a user would have.
staged: $(TINY_GUESTS:%=$(O)/guest/%) $(TEST_TOOLS:%=$(O)/tests/tools/%)
	@$(MAKE) --no-print-directory install DESTDIR=$(CURDIR)/$(O)/root prefix=/usr >/dev/null

# Tiny guests: flat 32-bit ELFs, entered the PVH or the Multiboot way, without a library.
$(O)/guest/%: tests/guest/%.S $(wildcard tests/guest/*.inc)
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -m32 -nostdlib -static -no-pie -Wl,-N,-Ttext=0x100000,-e,start,--build-id=none,--no-warn-rwx-segments -Wl,--section-start=.note=0x101000 -o $@ $<

.PHONY: clean
clean:
	rm -rf $(filter-out build/lab,$(wildcard build/*))

-include $(shell find $(O) -path '*/lab' -prune -o -name '*.d' -type f -print 2>/dev/null)
