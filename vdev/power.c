/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power: the registers of hardware-reduced ACPI (ACPI 6.5, 4.8.3.7 and 4.8.3.6).
 *
 *     0x600  sleep control   SLP_TYP in bits 4:2, SLP_EN bit 5; type 5 with SLP_EN turns off
 *     0x601  sleep status    WAK_STS bit 7; always 0: nothing wakes us, we do not sleep
 *     0x604  reset           the value that the FADT names resets
 *     0x608  events          32 bits, for the generic event device's _EVT; reading clears
 *
 * The interrupt is a level one, asserted while there are events: what happens before the guest's
 * driver is there waits for it.
 */
#include "vdev/power.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define SLEEP_TYPE(v) ((v) >> 2 & 7)
#define SLEEP_ENABLE  0x20
#define SLEEP_S5      5

#define PORTS	     12u /* 0x600 .. 0x60b */
#define RESET_OFFSET (VDEV_POWER_RESET_PORT - VDEV_POWER_SLEEP_PORT)
#define EVENT_OFFSET (VDEV_POWER_EVENT_PORT - VDEV_POWER_SLEEP_PORT)

struct vdev_power {
	struct hv_vm *vm;
	struct hv_region *region;
	uint32_t events;
};

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_power *p = opaque;

	memset(data, 0, len);
	if (offset != EVENT_OFFSET)
		return;
	memcpy(data, &p->events, len < 4 ? len : 4);
	p->events = 0;
	hv_irq_set(p->vm, VDEV_POWER_GSI, false);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_power *p = opaque;
	uint8_t value;

	memcpy(&value, data, 1);
	(void)len; /* the registers are bytes; what lies above them is not looked at */
	if (offset == 0 && (value & SLEEP_ENABLE) && SLEEP_TYPE(value) == SLEEP_S5)
		hv_vm_end(p->vm, HV_END_POWEROFF);
	else if (offset == RESET_OFFSET && value == VDEV_POWER_RESET_VALUE)
		hv_vm_end(p->vm, HV_END_RESET);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_power_create(struct hv_vm *vm, struct vdev_power **out)
{
	struct vdev_power *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its power registers");
	p->vm = vm;
	err = hv_bus_add(vm, HV_PIO, "power", VDEV_POWER_SLEEP_PORT, PORTS, &port_ops, p,
			 &p->region);
	if (err < 0) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void vdev_power_destroy(struct vdev_power *p)
{
	if (!p)
		return;
	hv_bus_remove(p->vm, p->region);
	free(p);
}

void vdev_power_reset(struct vdev_power *p)
{
	p->events = 0;
	hv_irq_set(p->vm, VDEV_POWER_GSI, false);
}

void vdev_power_save(const struct vdev_power *p, struct state *s)
{
	state_put(s, "events", p->events);
}

void vdev_power_load(struct vdev_power *p, struct state *s)
{
	p->events = (uint32_t)state_take(s, "events", UINT32_MAX);
	hv_irq_set(p->vm, VDEV_POWER_GSI, p->events != 0);
}

int vdev_power_press(struct vdev_power *p)
{
	return vdev_power_raise(p, HV_ACPI_EVENT_POWER_BUTTON);
}

int vdev_power_raise(struct vdev_power *p, uint32_t events)
{
	p->events |= events;
	return hv_irq_set(p->vm, VDEV_POWER_GSI, true);
}
