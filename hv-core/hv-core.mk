# SPDX-License-Identifier: BSD-3-Clause
hv-core_SRCS := hv-core/bus.c hv-core/engine_kvm.c hv-core/engine_kvm_stats.c \
	hv-core/engine_kvm_vcpu.c hv-core/exit.c hv-core/ioapic.c hv-core/irq.c hv-core/mem.c hv-core/mem_discard.c \
	hv-core/mem_back.c hv-core/mem_grow.c hv-core/mem_layout.c hv-core/stat.c hv-core/vcpu.c hv-core/vm.c
hv-core_SRCS += hv-core/pause.c hv-core/save.c hv-core/mem_file.c hv-core/cpuid_check.c \
	hv-core/engine_kvm_clock.c hv-core/engine_kvm_state.c
hv-core_SRCS += hv-core/acpi.c hv-core/aml.c hv-core/boot.c hv-core/bootmem.c hv-core/bzimage.c \
	hv-core/bzimage_load.c hv-core/cpuid.c hv-core/dsdt.c hv-core/elf.c hv-core/kcache.c \
	hv-core/pvh.c hv-core/unpack.c hv-core/vmlinux.c hv-core/vmlinux_load.c
hv-core_SRCS += hv-core/caps.c hv-core/caps_read.c
hv-core_SRCS += hv-core/elf_load.c hv-core/kernel_kind.c hv-core/multiboot.c hv-core/multiboot_load.c
hv-core_SRCS += hv-core/boot_firmware.c hv-core/legacy.c hv-core/pic.c hv-core/pit.c
hv-core_SRCS += hv-core/exit_names.c hv-core/timing.c
