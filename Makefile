# SPDX-License-Identifier: BSD-3-Clause
#
# One Makefile. Sources are listed by hand in FOLDER/FOLDER.mk; everything made lands in build/.
# `make help` lists what can be asked for.
#
#   make SAN=address,undefined    a sanitizer build, in build/san-address,undefined/

VERSION := 0.1.0
CC      ?= cc
AR      ?= ar
PKG_CONFIG ?= pkg-config
prefix  ?= /usr/local
SAN     ?=
O       := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
comma   := ,

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DSLUICE_VERSION='"$(VERSION)"' -I. $(WARN) \
	-fno-common -ffunction-sections -fdata-sections -fPIE -fstack-protector-strong \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer) $(CFLAGS)
ALL_LDFLAGS := -pie -Wl,--gc-sections -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)

.PHONY: all
all:

include base/base.mk hv-core/hv-core.mk iommu/iommu.mk sriov/sriov.mk vdev/vdev.mk cli/cli.mk
include tests/tests.mk

FOLDERS := base hv-core iommu sriov vdev
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
SLUICE_LIBS := -lpci -lnl-route-3 -lnl-3 -lsqlite3 -ljansson
VMM_LIBS    := -ljansson -lzstd -llzma -llz4 -lpthread

$(O)/bin/sluice: $(call objs,$(cli_SRCS)) $(O)/sriov.a $(O)/iommu.a $(O)/base.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SLUICE_LIBS)

$(O)/bin/sluice-vmm: $(call objs,$(vmm_SRCS)) $(O)/vdev.a $(O)/hv-core.a $(O)/iommu.a $(O)/base.a
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VMM_LIBS)

all: $(O)/bin/sluice $(O)/bin/sluice-vmm

# ---- unit tests: tests/<folder>/<file>_test.c, one program each ----

define unit_rule
$(O)/tests/$(1): $(O)/tests/$(1).o $$($(notdir $(1))_OBJS) $$(foreach f,$$($(notdir $(1))_LIBS),$(O)/$$(f).a)
	$$(call say,LD)
	$$(Q)$$(CC) $$(ALL_LDFLAGS) $$($(notdir $(1))_LDFLAGS) -o $$@ $$^ -lcmocka $$($(notdir $(1))_EXTRA)
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t))))

.PHONY: unit-programs
unit-programs: $(UNIT_TESTS:%=$(O)/tests/%)

.PHONY: clean
clean:
	rm -rf build/obj build/bin build/*.a build/tests build/san-* $(FOLDERS:%=build/%) build/cli

-include $(shell find $(O) -name '*.d' 2>/dev/null)
