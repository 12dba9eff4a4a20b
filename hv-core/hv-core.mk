# SPDX-License-Identifier: BSD-3-Clause
hv-core_SRCS := hv-core/bus.c hv-core/engine_kvm.c hv-core/engine_kvm_stats.c \
	hv-core/engine_kvm_vcpu.c hv-core/exit.c hv-core/ioapic.c hv-core/irq.c hv-core/mem.c \
	hv-core/mem_back.c hv-core/mem_layout.c hv-core/stat.c hv-core/vcpu.c hv-core/vm.c
