# SPDX-License-Identifier: BSD-3-Clause
#
# Fuzzers: one program per tests/fuzz/NAME_fuzz.c, on libFuzzer with ASan and UBSan. They are built by clang in a
# tree of their own (make FUZZ=1). Of NAME_fuzz, _LIBS, _EXTRA, _LDFLAGS and _OBJS are as in tests.mk.
# What they start from lies in tests/fuzz/corpus/NAME/, what they find in build/fuzz/findings/.

# fuzzer NAME, LIBS
define fuzzer
FUZZERS += $(1)
$(1)_fuzz_LIBS := $(2)
endef
FUZZERS :=

$(eval $(call fuzzer,state,base))
state_fuzz_EXTRA := -ljansson

$(eval $(call fuzzer,dmar,iommu base))
# What a kernel file can be.
$(foreach t,multiboot bzimage elf vmlinux unpack,$(eval $(call fuzzer,$(t),hv-core base)))
unpack_fuzz_EXTRA := -lzstd -llzma -llz4 -lz

# A saved VM: the file, and the state in it.
$(eval $(call fuzzer,vm_file,hv-core base))
vm_file_fuzz_OBJS := $(O)/cli/vm_file.o
vm_file_fuzz_EXTRA := -ljansson
$(eval $(call fuzzer,vm_state,vdev iommu hv-core base))
vm_state_fuzz_OBJS := $(O)/tests/fakes/fake_engine.o
vm_state_fuzz_EXTRA := -ljansson -lcmocka -luring

# What a network driver and a balloon driver say.
$(eval $(call fuzzer,net_ctrl,vdev base))
net_ctrl_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o
net_ctrl_fuzz_EXTRA := -ljansson
$(eval $(call fuzzer,balloon,vdev base))
balloon_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/vdev/guest_ring.o $(O)/tests/vdev/guest_virtio.o
balloon_fuzz_EXTRA := -ljansson -luring -lpthread

$(eval $(call fuzzer,mem,vdev base))
mem_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/vdev/guest_ring.o $(O)/tests/vdev/guest_virtio.o
mem_fuzz_EXTRA := -ljansson -luring -lpthread

$(eval $(call fuzzer,pagetable,iommu base))
$(eval $(call fuzzer,audit,iommu base))

# virtio: the rings, and the registers in front of a disk.
$(foreach t,virtq virtio_pci,$(eval $(call fuzzer,$(t),vdev base)))
virtq_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o
virtio_pci_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/tests/vdev/guest_ring.o $(O)/tests/vdev/guest_virtio.o
$(foreach t,virtq virtio_pci,$(eval $(t)_fuzz_EXTRA := -ljansson -luring -lpthread))

# The registers, rings and wire of an emulated NIC.
$(eval $(call fuzzer,e1000e,vdev base))
e1000e_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o $(O)/tests/vdev/guest_e1000e.o
e1000e_fuzz_LDFLAGS := -Wl,--wrap=ioctl
e1000e_fuzz_EXTRA := -ljansson -luring -lpthread

# The interrupt controllers and the timer; what a machine has for its firmware; images of that.
$(eval $(call fuzzer,legacy,hv-core base))
legacy_fuzz_EXTRA := -ljansson
$(eval $(call fuzzer,firmware,vdev base))
firmware_fuzz_OBJS := $(O)/tests/fakes/fake_hv.o
firmware_fuzz_EXTRA := -ljansson -luring -lpthread

# A back-end of vhost-user, which answers anything.
$(eval $(call fuzzer,vhost_user,vdev base))
vhost_user_fuzz_OBJS := $(balloon_fuzz_OBJS)
vhost_user_fuzz_EXTRA := -ljansson -luring -lpthread

# Configuration space of all functions, and the MSI-X table of a passed-through one.
$(eval $(call fuzzer,pci,vdev base))
pci_fuzz_OBJS := $(O)/tests/vdev/rig.o $(O)/tests/fakes/fake_hv.o $(O)/hv-core/mem_discard.o $(O)/tests/fakes/fake_vfio.o
pci_fuzz_LDFLAGS := -Wl,--wrap=ioctl
pci_fuzz_EXTRA := -ljansson -luring -lpthread

# netqueue: frames, and what the other side of vhost-user may say.
$(eval $(call fuzzer,switch,netqueue base))
switch_fuzz_EXTRA := $(DPDK_LIBS) -lpthread
$(eval $(call fuzzer,vhost,netqueue base))
vhost_fuzz_OBJS := $(O)/tests/fakes/vhost_front.o
vhost_fuzz_EXTRA := $(DPDK_LIBS) -lpthread
