/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pvpanic: one I/O port, ACPI device QEMU0001, as every Linux driver of that name expects it.
 *
 * Reading tells which events may be reported; writing reports them. Bit 0: the kernel panicked,
 * which ends the run. Bit 1: it panicked and is starting its crash kernel, so it is left alone.
 */
#include "vdev/pvpanic.h"

#include <string.h>

#include "base/log.h"

#define EVENT_PANICKED	   0x01
#define EVENT_CRASH_LOADED 0x02

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	uint8_t *out = data;

	(void)opaque;
	(void)offset;
	memset(out, 0, len);
	out[0] = EVENT_PANICKED | EVENT_CRASH_LOADED;
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	static const struct hv_event event = {.what = "guest-panic"};
	struct hv_vm *vm = opaque;
	uint8_t value;

	(void)offset;
	(void)len;
	memcpy(&value, data, 1);
	if (value & (EVENT_PANICKED | EVENT_CRASH_LOADED))
		hv_vm_event(vm, &event);
	if (value & EVENT_PANICKED)
		hv_vm_end(vm, HV_END_PANIC);
	else if (value & EVENT_CRASH_LOADED)
		log_warn(hv_vm_name(vm),
			 "the guest's kernel panicked; its crash kernel takes over");
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_pvpanic_create(struct hv_vm *vm, struct hv_region **out)
{
	return hv_bus_add(vm, HV_PIO, "pvpanic", VDEV_PVPANIC_PORT, 1, &port_ops, vm, out);
}

void vdev_pvpanic_destroy(struct hv_vm *vm, struct hv_region *region)
{
	if (region)
		hv_bus_remove(vm, region);
}
