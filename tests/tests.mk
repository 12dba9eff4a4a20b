# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests: one line per program, tests/<name>.c. NAME_LIBS names the folders it links (in link
# order), NAME_EXTRA libraries, NAME_LDFLAGS e.g. -Wl,--wrap=ioctl, NAME_OBJS single objects.
UNIT_TESTS :=

UNIT_TESTS += base/parse_test
parse_test_LIBS := base

UNIT_TESTS += base/bdf_test
bdf_test_LIBS := base

UNIT_TESTS += base/range_test
range_test_LIBS := base

UNIT_TESTS += base/loop_test
loop_test_LIBS := base

UNIT_TESTS += base/bitmap_test
bitmap_test_LIBS := base

UNIT_TESTS += base/io_test
io_test_LIBS := base

UNIT_TESTS += base/sysfs_test
sysfs_test_LIBS := base

# vdev: against a fake hv_vm, and a VFIO device made of a memfd.
VDEV_TESTS := pci_config_test pci_host_test pci_bridge_test pci_bar_test vfio_config_test vfio_irq_test \
	vfio_pci_test serial_test power_test
UNIT_TESTS += $(VDEV_TESTS:%=vdev/%)
define vdev_test
$(1)_LIBS := vdev base
$(1)_OBJS := $(O)/tests/vdev/rig.o $(O)/tests/fakes/fake_hv.o $(O)/tests/fakes/fake_vfio.o
$(1)_LDFLAGS := -Wl,--wrap=ioctl
endef
$(foreach t,$(VDEV_TESTS),$(eval $(call vdev_test,$(t))))
UNIT_TESTS += kvm/tiny_test
tiny_test_LIBS := hv-core base

UNIT_TESTS += hv-core/elf_test
elf_test_LIBS := hv-core base

UNIT_TESTS += hv-core/bzimage_test
bzimage_test_LIBS := hv-core base

UNIT_TESTS += hv-core/vmlinux_test
vmlinux_test_LIBS := hv-core base

UNIT_TESTS += hv-core/kcache_test
kcache_test_LIBS := hv-core base

UNIT_TESTS += hv-core/unpack_test
unpack_test_LIBS := hv-core base
unpack_test_EXTRA := -lzstd -llzma -llz4 -lz

UNIT_TESTS += hv-core/cpuid_test
cpuid_test_LIBS := hv-core base

UNIT_TESTS += hv-core/acpi_test
acpi_test_LIBS := hv-core base

UNIT_TESTS += hv-core/boot_test
boot_test_LIBS := hv-core base
boot_test_EXTRA := -lz
UNIT_TESTS += base/rpc_test
rpc_test_LIBS := base
rpc_test_EXTRA := -ljansson -lpthread

UNIT_TESTS += iommu/group_test
group_test_LIBS := iommu base
group_test_OBJS := $(O)/tests/fakes/fake_sysfs.o

UNIT_TESTS += iommu/domain_test
domain_test_LIBS := iommu base
domain_test_LDFLAGS := -Wl,--wrap=ioctl

UNIT_TESTS += iommu/lock_test
lock_test_LIBS := iommu base

UNIT_TESTS += hv-core/bus_test
bus_test_LIBS := hv-core base

UNIT_TESTS += hv-core/ioapic_test
ioapic_test_LIBS := hv-core base

UNIT_TESTS += hv-core/irq_test
irq_test_LIBS := hv-core base
irq_test_OBJS := $(O)/tests/fakes/fake_engine.o

UNIT_TESTS += hv-core/mem_layout_test
mem_layout_test_LIBS := hv-core base

UNIT_TESTS += hv-core/vm_test
vm_test_LIBS := hv-core base
vm_test_OBJS := $(O)/tests/fakes/fake_engine.o
# sriov: over a made-up machine (fakes/) instead of the kernel's.
sriov_FAKES := $(O)/tests/sriov/host.o $(O)/tests/fakes/fake_kernel.o $(O)/tests/fakes/fake_sysfs.o
sriov_WRAPS := -Wl,--wrap=sysfs_write,--wrap=holders_scan,--wrap=sqlite3_step
sriov_EXTRA := -lpci -lnl-route-3 -lnl-3 -lsqlite3

define sriov_unit
UNIT_TESTS += sriov/$(1)
$(1)_OBJS := $(sriov_FAKES)
$(1)_LIBS := sriov iommu base
$(1)_LDFLAGS := $(sriov_WRAPS)
$(1)_EXTRA := $(sriov_EXTRA)
endef
$(foreach t,pf_test attrs_test bind_test claim_test,$(eval $(call sriov_unit,$(t))))

UNIT_TESTS += sriov/ledger_test
ledger_test_LIBS := sriov base
ledger_test_EXTRA := -lsqlite3

UNIT_TESTS += sriov/holder_test
holder_test_LIBS := sriov base
holder_test_OBJS := $(O)/tests/fakes/fake_sysfs.o

UNIT_TESTS += sriov/netlink_test
netlink_test_LIBS := sriov base
netlink_test_EXTRA := -lnl-3

UNIT_TESTS += hv-core/elf_test
elf_test_LIBS := hv-core base

UNIT_TESTS += hv-core/bzimage_test
bzimage_test_LIBS := hv-core base

UNIT_TESTS += hv-core/vmlinux_test
vmlinux_test_LIBS := hv-core base

# cli: its objects without main; the ledger and netlink parts are linked and never called.
CLI_TESTS := args_test output_test vf_spec_test vmm_config_test vmm_console_test proc_test
UNIT_TESTS += $(CLI_TESTS:%=cli/%)
cli_args_OBJS = $(filter-out $(O)/cli/main.o,$(call objs,$(cli_SRCS)))
args_test_OBJS = $(cli_args_OBJS)
args_test_LIBS := sriov iommu base
args_test_EXTRA = $(SLUICE_LIBS)
output_test_OBJS := $(O)/cli/output.o
output_test_LIBS := base
output_test_EXTRA := -ljansson
vf_spec_test_OBJS = $(cli_args_OBJS)
vf_spec_test_LIBS := sriov iommu base
vf_spec_test_EXTRA = $(SLUICE_LIBS)
vmm_config_test_OBJS := $(O)/cli/vmm_config.o
vmm_config_test_LIBS := base
vmm_config_test_EXTRA := -ljansson
vmm_console_test_OBJS := $(O)/cli/vmm_console.o
vmm_console_test_LIBS := base
vmm_console_test_EXTRA := -ljansson -lpthread
proc_test_OBJS := $(O)/cli/proc.o
UNIT_TESTS += hv-core/mem_back_test
mem_back_test_LIBS := hv-core base
