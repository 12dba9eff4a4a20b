/* SPDX-License-Identifier: BSD-3-Clause */
/* stat: what a VM costs: exits by reason, accesses by region, the engine's own numbers. */
#include <errno.h>

#include "hv-core/vm.h"

const char *hv_exit_name(enum hv_exit_reason reason)
{
	static const char *const names[HV_EXIT_COUNT] = {
		[HV_EXIT_IO_READ] = "io-read",
		[HV_EXIT_IO_WRITE] = "io-write",
		[HV_EXIT_MMIO_READ] = "mmio-read",
		[HV_EXIT_MMIO_WRITE] = "mmio-write",
		[HV_EXIT_EOI] = "eoi",
		[HV_EXIT_HALT] = "halt",
		[HV_EXIT_MSR_READ] = "msr-read",
		[HV_EXIT_MSR_WRITE] = "msr-write",
		[HV_EXIT_SIGNAL] = "signal",
		[HV_EXIT_SHUTDOWN] = "shutdown",
		[HV_EXIT_SYSTEM_EVENT] = "system-event",
		[HV_EXIT_FAIL_ENTRY] = "fail-entry",
		[HV_EXIT_INTERNAL_ERROR] = "internal-error",
		[HV_EXIT_OTHER] = "other",
	};

	return (unsigned)reason < HV_EXIT_COUNT ? names[reason] : "unknown";
}

void hv_stat_vcpu(const struct hv_vm *vm, unsigned cpu, struct hv_vcpu_stat *out)
{
	*out = (struct hv_vcpu_stat){0};
	if (cpu >= vm->cpus)
		return;
	out->thread = atomic_load(&vm->vcpus[cpu].tid);
	for (unsigned i = 0; i < HV_EXIT_COUNT; i++) {
		out->exits[i] =
			atomic_load_explicit(&vm->vcpus[cpu].exits[i], memory_order_relaxed);
		out->total += out->exits[i];
		out->ns[i] = atomic_load_explicit(&vm->vcpus[cpu].ns[i], memory_order_relaxed);
	}
}

int hv_stat_regions(struct hv_vm *vm, struct hv_region_stat **out, size_t *count)
{
	return hv_bus_stat(&vm->bus, out, count);
}

int hv_stat_engine(struct hv_vm *vm, int cpu, struct hv_engine_stat **out, size_t *count)
{
	if (cpu >= (int)vm->cpus)
		return -EINVAL;
	return vm->ops->stats(vm->engine, cpu < 0 ? NULL : vm->vcpus[cpu].engine, out, count);
}
