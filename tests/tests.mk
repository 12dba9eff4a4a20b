# SPDX-License-Identifier: BSD-3-Clause
#
# Unit tests: one program per tests/FOLDER/NAME_test.c. Of NAME_test, _LIBS names the folders it links (in
# link order), _EXTRA libraries, _LDFLAGS flags such as --wrap, _OBJS single objects (fakes).

# unit_tests FOLDER, NAMES, LIBS: adds tests/FOLDER/NAME_test for every name.
define unit_tests
UNIT_TESTS += $(2:%=$(1)/%_test)
$(foreach t,$(2),$(eval $(t)_test_LIBS := $(3)))
endef
UNIT_TESTS :=

$(eval $(call unit_tests,base,cpuset parse bdf range loop bitmap io sysfs rpc state util,base))
rpc_test_EXTRA := -ljansson -lpthread
rpc_test_OBJS := $(O)/tests/fakes/served.o
loop_test_EXTRA := -lpthread
state_test_EXTRA := -ljansson
$(eval $(call unit_tests,base,http_text,base))
http_text_test_EXTRA := -ljansson -lpthread
http_text_test_OBJS := $(O)/tests/fakes/served.o

# hv-core: on an engine without hardware where one is needed at all.
HV_TESTS := acpi boot bus bzimage cpuid elf ioapic irq kcache mem_back mem_layout unpack vm vmlinux
HV_TESTS += cpuid_check mem_file pause
HV_TESTS += mem_grow
HV_TESTS += multiboot
HV_TESTS += pic pit boot_firmware clock
HV_TESTS += caps exit_names numa timing
$(eval $(call unit_tests,hv-core,$(HV_TESTS),hv-core base))
$(foreach t,$(HV_TESTS),$(eval $(t)_test_EXTRA := -ljansson))
boot_test_EXTRA += -lz
unpack_test_EXTRA += -lzstd -llzma -llz4 -lz
$(foreach t,boot boot_firmware clock irq mem_grow pause vm,$(eval $(t)_test_OBJS := $(O)/tests/fakes/fake_engine.o))
numa_test_OBJS := $(O)/tests/fakes/fake_engine.o $(O)/tests/fakes/fake_sysfs.o

# The engine itself, on this machine's /dev/kvm: a ring of its own.
$(eval $(call unit_tests,kvm,tiny,hv-core base))
tiny_test_EXTRA := -ljansson
$(eval $(call unit_tests,kvm,conformance,hv-core base))
conformance_test_EXTRA := -ljansson

# vdev: against a fake hv_vm, and a VFIO device made of a memfd.
VDEV_TESTS := pci_config pci_host pci_bridge pci_bar vfio_config vfio_irq vfio_pci serial power
VDEV_TESTS += vfio_picture
VDEV_TESTS += watchdog net_ctrl
VDEV_TESTS += pci_slot cpus
VDEV_TESTS += acpi_slots
VDEV_TESTS += exit_port test_device
VDEV_TESTS += bootorder flash fw_cfg fw_image pm q35 rtc smbios
$(eval $(call unit_tests,vdev,$(VDEV_TESTS),vdev base))
VDEV_FAKES := $(O)/tests/vdev/rig.o $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/fakes/fake_vfio.o
$(foreach t,$(VDEV_TESTS),$(eval $(t)_test_OBJS := $(VDEV_FAKES)))
$(foreach t,$(VDEV_TESTS),$(eval $(t)_test_LDFLAGS := -Wl,--wrap=ioctl))
$(foreach t,$(VDEV_TESTS),$(eval $(t)_test_EXTRA := -ljansson -luring -lpthread))

# virtio: a guest driver in the same process.
VIRTIO_TESTS := iothread virtq virtio_pci virtio_blk blk_limit
VIRTIO_TESTS += virtio_mem
$(eval $(call unit_tests,vdev,$(VIRTIO_TESTS),vdev base))
$(foreach t,$(VIRTIO_TESTS),$(eval $(t)_test_OBJS := $(VDEV_FAKES) $(O)/tests/vdev/guest_ring.o $(O)/tests/vdev/guest_virtio.o))
$(foreach t,$(VIRTIO_TESTS),$(eval $(t)_test_LDFLAGS := -Wl,--wrap=ioctl))
$(foreach t,$(VIRTIO_TESTS),$(eval $(t)_test_EXTRA := -ljansson -luring -lpthread))

# Devices whose host side is the test's too: no fake of VFIO, which would take their ioctls.
HOST_TESTS := virtio_net virtio_balloon virtio_console
$(eval $(call unit_tests,vdev,$(HOST_TESTS),vdev base))
$(foreach t,$(HOST_TESTS),$(eval $(t)_test_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/vdev/guest_ring.o $(O)/tests/vdev/guest_virtio.o))
$(eval $(call unit_tests,vdev,vhost_user,vdev base))
vhost_user_test_OBJS := $(virtio_console_test_OBJS) $(O)/tests/fakes/fake_vhost_user.o
vhost_user_test_EXTRA := -ljansson -luring -lpthread
virtio_net_test_LDFLAGS := -Wl,--wrap=ioctl
$(eval $(call unit_tests,vdev,e1000e,vdev base))
e1000e_test_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/vdev/guest_e1000e.o
e1000e_test_LDFLAGS := -Wl,--wrap=ioctl
e1000e_test_EXTRA := -ljansson -luring -lpthread
$(foreach t,$(HOST_TESTS),$(eval $(t)_test_EXTRA := -ljansson -luring -lpthread))

$(eval $(call unit_tests,iommu,group domain lock,iommu base))
group_test_OBJS := $(O)/tests/fakes/fake_sysfs.o
domain_test_LDFLAGS := -Wl,--wrap=ioctl
iommufd_test_LDFLAGS := -Wl,--wrap=ioctl
# VT-d: the walker on an arena of table pages.
$(eval $(call unit_tests,iommu,pagetable vtd_format vtd vtd_driver,iommu base))
pagetable_test_OBJS := $(O)/tests/fakes/fake_pages.o
vtd_test_OBJS := $(O)/tests/fakes/fake_vtd.o
vtd_driver_test_OBJS := $(O)/tests/fakes/fake_vtd.o $(O)/tests/fakes/fake_sysfs.o
vtd_driver_test_LDFLAGS := $(foreach f,vtd_window_open vtd_window_close vtd_hugefile_open \
	vtd_hugefile_close vtd_mem_create,-Wl,--wrap=$(f))

$(eval $(call unit_tests,iommu,vtd_backend vtd_place vtd_window vtd_hugefile,iommu base))
vtd_backend_test_OBJS := $(O)/tests/fakes/fake_vtd.o
vtd_place_test_OBJS := $(O)/tests/fakes/fake_sysfs.o
vtd_hugefile_test_LDFLAGS := $(foreach f,fstatfs fallocate mmap mlock,-Wl,--wrap=$(f))

# what the firmware tells, and what a live unit holds
$(eval $(call unit_tests,iommu,dmar audit audit_live topology posting iommufd,iommu base))
audit_live_test_OBJS := $(O)/tests/fakes/fake_sysfs.o
topology_test_OBJS := $(O)/tests/fakes/fake_sysfs.o
dmar_test_OBJS := $(O)/tests/fakes/fake_sysfs.o

# sriov: over a made-up machine (fakes/) instead of the kernel's.
SRIOV_TESTS := pf attrs bind claim
SRIOV_TESTS += channel identity profile
SRIOV_TESTS += change kill fault pool
$(eval $(call unit_tests,sriov,$(SRIOV_TESTS) attr ledger holder netlink plan,sriov iommu base))
SRIOV_FAKES := $(O)/tests/sriov/host.o $(O)/tests/fakes/fake_card.o $(O)/tests/fakes/fake_kernel.o $(O)/tests/fakes/fake_sysfs.o
$(foreach t,$(SRIOV_TESTS),$(eval $(t)_test_OBJS := $(SRIOV_FAKES)))
$(foreach t,$(SRIOV_TESTS),$(eval $(t)_test_LDFLAGS := \
	-Wl,--wrap=sysfs_write,--wrap=holders_scan,--wrap=sqlite3_step))
$(foreach t,$(SRIOV_TESTS),$(eval $(t)_test_EXTRA := -lpci -lnl-route-3 -lnl-3 -lnvme -lsqlite3))
ledger_test_EXTRA := -lsqlite3
holder_test_OBJS := $(O)/tests/fakes/fake_sysfs.o
plan_test_EXTRA := -lpci -lnl-route-3 -lnl-3 -lnvme -lsqlite3
netlink_test_EXTRA := -lnl-3 -lnvme

# gpu: over the same made-up machine, with GPUs in it.
GPU_TESTS := gpu_kill gpu_slice gpu_stat
$(eval $(call unit_tests,gpu,$(GPU_TESTS) place,gpu sriov iommu base))
GPU_FAKES := $(O)/tests/gpu/rig.o $(filter-out %/sriov/host.o,$(SRIOV_FAKES))
$(foreach t,$(GPU_TESTS),$(eval $(t)_test_OBJS := $(GPU_FAKES)))
$(foreach t,$(GPU_TESTS),$(eval $(t)_test_LDFLAGS := \
	-Wl,--wrap=sysfs_write,--wrap=holders_scan,--wrap=sqlite3_step))
$(foreach t,$(GPU_TESTS) place,$(eval $(t)_test_EXTRA := -lpci -lnl-route-3 -lnl-3 -lnvme -lsqlite3 -ljansson -ldl))
$(O)/tests/gpu/gpu_stat_test: | $(O)/tests/gpu/libfake-nvml.so
$(O)/tests/gpu/libfake-nvml.so: tests/gpu/fake_nvml.c
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -shared $(if $(SAN),-fsanitize=$(SAN)) -o $@ $<

# cli: all of sluice but its main; what a test does not call is linked and never run.
CLI_TESTS := args output proc vf_spec vmm_config vmm_console
CLI_TESTS += net_spec numa_spec vm_place
CLI_TESTS += vm_request
CLI_TESTS += vm_def
CLI_TESTS += vm_file vm_record vmm_events
CLI_TESTS += disk_engine disk_spec
CLI_TESTS += exit_trace vm_costs vm_sample trace_dat trace_json patience
CLI_TESTS += console doctor help host_file host_steps
CLI_TESTS += switch_rules vm_port
CLI_TESTS += bench_guest bench_initrd bench_report
CLI_TESTS += switch_acl
CLI_TESTS += gpu_file
CLI_TESTS += vm_dial vm_threads
CLI_TESTS += host_look redact tune
CLI_REST = $(filter-out $(O)/cli/main.o,$(call objs,$(cli_SRCS)))
CLI_ALONE := console vm_file vmm_config vmm_console vmm_events
$(eval $(call unit_tests,cli,$(CLI_TESTS),gpu sriov hv-core iommu netqueue bench base))
$(foreach t,$(filter-out $(CLI_ALONE),$(CLI_TESTS)),$(eval $(t)_test_OBJS = $$(CLI_REST)))
$(foreach t,$(CLI_ALONE),$(eval $(t)_test_OBJS := $(O)/cli/$(t).o))
$(foreach t,vmm_console vmm_events,$(eval $(t)_test_OBJS += $(O)/tests/fakes/served.o))
vm_place_test_OBJS = $(CLI_REST) $(O)/tests/fakes/fake_sysfs.o
$(foreach t,$(CLI_TESTS),$(eval $(t)_test_EXTRA = $$(SLUICE_LIBS)))

switch_acl_test_OBJS = $(CLI_REST) $(O)/cli/switch_acl.o
vm_def_test_LDFLAGS := -Wl,--wrap=io_write_full,--wrap=fsync,--wrap=renameat
doctor_test_OBJS = $(CLI_REST) $(O)/tests/fakes/fake_sysfs.o
gpu_file_test_OBJS = $(O)/cli/gpu_file.o $(O)/cli/show_plan.o $(O)/cli/output.o $(O)/cli/context.o $(GPU_FAKES)
gpu_file_test_LDFLAGS := -Wl,--wrap=sysfs_write,--wrap=holders_scan,--wrap=sqlite3_step
$(foreach t,host_look tune vm_threads,$(eval $(t)_test_OBJS = $$(CLI_REST) $(O)/tests/fakes/fake_sysfs.o))

# What scenarios on the emulated host run beside the product.
TEST_TOOLS := edu extra_map vfio_edu vu_net
TEST_TOOLS += gpu_check gpu_draw
$(O)/tests/tools/gpu_check: $(O)/tests/tools/gpu_check.o
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpng
# For a guest without libraries, and never under a sanitizer.
$(O)/tests/tools/gpu_draw: tests/tools/gpu_draw.c tests/tools/gpu_pattern.h
	$(call say,LD)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. $(shell $(PKG_CONFIG) --cflags libdrm | sed s/-I/-isystem/) $(WARN) -O2 -static -o $@ $<
$(O)/tests/tools/vu_net: $(O)/tests/tools/vu_net.o $(O)/tests/fakes/fake_vhost_user.o $(O)/tests/fakes/fake_hv.o $(O)/vdev.a $(O)/base.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -ljansson -luring -lpthread
$(O)/tests/tools/extra_map: $(O)/tests/tools/extra_map.o
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
$(O)/tests/tools/edu $(O)/tests/tools/vfio_edu: %: %.o $(O)/iommu.a $(O)/base.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

# All of sluice-vmm but its main, on an engine without hardware.
$(eval $(call unit_tests,cli,sandbox,base))
sandbox_test_OBJS := $(O)/cli/sandbox.o $(O)/cli/sandbox_calls.o $(O)/cli/sandbox_paths.o
sandbox_test_EXTRA := -ljansson -lseccomp -lpthread
$(eval $(call unit_tests,cli,switch_sandbox,base))
switch_sandbox_test_OBJS := $(O)/cli/switch_sandbox.o
switch_sandbox_test_EXTRA := -lseccomp
$(eval $(call unit_tests,cli,api,vdev iommu hv-core base))
api_test_OBJS = $(filter-out $(O)/cli/vmm_main.o,$(call objs,$(vmm_SRCS))) $(O)/tests/fakes/fake_engine.o
api_test_EXTRA = $(VMM_LIBS)

# bench: flows over the loopback interface, and what is made of their numbers.
$(eval $(call unit_tests,bench,flow hdr sample,bench base))
flow_test_EXTRA := -ljansson -lpthread
sample_test_EXTRA := -lm

# netqueue: DPDK without huge pages or root, in the test's own process.
NETQUEUE_TESTS := bond lacp ports security switch tunnel vhost vhost_move
NETQUEUE_TESTS += offload policy
NETQUEUE_TESTS += hostile
$(eval $(call unit_tests,netqueue,$(NETQUEUE_TESTS),netqueue base))
$(foreach t,$(NETQUEUE_TESTS),$(eval $(t)_test_OBJS := $(O)/tests/netqueue/rig.o))
$(foreach t,ports tunnel,$(eval $(t)_test_OBJS += $(O)/tests/netqueue/host.o))
vhost_test_OBJS += $(O)/tests/fakes/vhost_front.o
offload_test_OBJS += $(O)/tests/fakes/vhost_front.o $(O)/tests/netqueue/packet.o
policy_test_OBJS += $(O)/tests/netqueue/packet.o
vhost_move_test_OBJS += $(O)/tests/fakes/vhost_front.o
hostile_test_OBJS += $(O)/tests/fakes/vhost_front.o
$(foreach t,$(NETQUEUE_TESTS),$(eval $(t)_test_EXTRA := $(DPDK_LIBS) -lpthread))
