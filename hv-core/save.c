/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * save: a paused VM written down, and a new one that becomes it.
 *
 * What is in RAM is not here, but where RAM lies is checked: devices, page tables and the tables
 * of ACPI all name guest physical addresses.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "hv-core/vm.h"

static void save_layout(const struct hv_vm *vm, struct state *s)
{
	const struct hv_mem_layout *layout = &vm->mem.layout;

	state_put(s, "ram", vm->mem.back.size);
	state_put(s, "low", range_size(layout->low_ram));
	state_put(s, "high", layout->high_ram.start);
	state_put(s, "pci64", layout->pci64.start);
}

static void load_layout(const struct hv_vm *vm, struct state *s)
{
	const struct hv_mem_layout *layout = &vm->mem.layout;
	bool same = state_take(s, "ram", UINT64_MAX) == vm->mem.back.size;

	same &= state_take(s, "low", UINT64_MAX) == range_size(layout->low_ram);
	same &= state_take(s, "high", UINT64_MAX) == layout->high_ram.start;
	same &= state_take(s, "pci64", UINT64_MAX) == layout->pci64.start;
	if (!same)
		state_refuse(s, -ENOTSUP,
			     "its memory lay elsewhere: this host's CPU or IOMMU has another "
			     "address width, or other devices are passed through");
}

int hv_vm_save(struct hv_vm *vm, struct state *s)
{
	int rc = 0;

	state_put(s, "cpus", vm->cpus);
	save_layout(vm, state_child(s, "memory"));
	for (unsigned i = 0; rc == 0 && i < vm->cpus; i++)
		rc = vm->ops->save(vm->engine, vm->vcpus[i].engine, state_item(s, "cpu", i));
	if (rc == 0)
		rc = vm->ops->save(vm->engine, NULL, state_child(s, "engine"));
	if (rc < 0)
		return log_fail(rc, vm->subject, "not saved: its CPUs are not readable: %s",
				strerror(-rc));
	hv_device_lock(vm);
	state_put(s, "clock", hv_clock_now(vm));
	if (vm->irqchip)
		hv_lines_save(vm, s);
	else
		hv_ioapic_save(&vm->ioapic, state_child(s, "ioapic"));
	if (vm->legacy)
		hv_legacy_save(vm->legacy, state_child(s, "legacy"));
	hv_device_unlock(vm);
	return state_error(s);
}

/* A state from before the clock was saved has nothing that counts by it. */
static void load_devices(struct hv_vm *vm, struct state *s)
{
	hv_clock_set(vm, state_has(s, "clock") ? state_take(s, "clock", INT64_MAX) : 0);
	if (vm->irqchip)
		hv_lines_load(vm, s);
	else
		hv_ioapic_load(&vm->ioapic, state_open(s, "ioapic"));
	if (vm->legacy)
		hv_legacy_load(vm->legacy, state_open(s, "legacy"));
	else if (state_has(s, "legacy"))
		state_refuse(s, -EINVAL, "the VM had the timer and interrupt controllers of a PC");
}

int hv_vm_load(struct hv_vm *vm, struct state *s)
{
	int rc;

	if (state_take(s, "cpus", HV_MAX_CPUS) != vm->cpus)
		state_refuse(s, -EINVAL, "another number of CPUs");
	load_layout(vm, state_open(s, "memory"));
	rc = state_error(s);
	for (unsigned i = 0; rc == 0 && i < vm->cpus; i++)
		rc = vm->ops->load(vm->engine, vm->vcpus[i].engine, state_open_item(s, "cpu", i));
	if (rc == 0)
		rc = vm->ops->load(vm->engine, NULL, state_open(s, "engine"));
	if (rc < 0)
		return rc;
	hv_device_lock(vm);
	load_devices(vm, s);
	hv_device_unlock(vm);
	vm->paused = true;
	return state_error(s);
}
