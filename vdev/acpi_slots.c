/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi_slots: the registers through which functions come to PCI slots and leave them (a design of
 * our own; their driver is the code in our DSDT, hv-core/dsdt.c). Sets of 32 bits, bit n for slot
 * n:
 *
 *     0x640  insert   something has come, and the guest has not heard of it; writing 1 clears
 *     0x644  remove   what is there shall go; writing 1 clears
 *     0x648  eject    writing 1: the guest has let go of it
 *
 * Why this beside the slot registers of PCI Express: a guest that is asked through those has to
 * wait five seconds for a second thought (PCIe 6.0, 6.7.1.5) and one more for the power, and there
 * is no other way in them that lets its driver finish first. Through ACPI (6.5, 6.3) the driver is
 * stopped at once, and then _EJ0 runs. So _OSC does not grant native hot plug, and a guest that
 * takes it all the same (it enables the slot's interrupt) is served natively: see pci_slot.c.
 */
#include "vdev/acpi_slots.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"

enum { INSERT, REMOVE, EJECT, SETS };

#define BYTES 4u /* of a set */

struct vdev_acpi_slots {
	struct vdev_host *host;
	int (*raise)(void *opaque, uint32_t events);
	void *opaque;
	struct hv_region *region;
	uint32_t set[EJECT]; /* eject keeps nothing */
};

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_acpi_slots *s = opaque;
	uint8_t *out = data;

	for (unsigned i = 0; i < len; i++, offset++) {
		uint32_t set = offset / BYTES < EJECT ? s->set[offset / BYTES] : 0;
		out[i] = (uint8_t)(set >> (offset % BYTES * 8));
	}
}

static void eject(struct vdev_acpi_slots *s, uint32_t slots)
{
	for (unsigned slot = 1; slot <= s->host->bridges; slot++)
		if (slots >> slot & 1)
			vdev_slot_let_go(s->host->bridge[slot]);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_acpi_slots *s = opaque;
	const uint8_t *in = data;
	uint32_t gone = 0;

	for (unsigned i = 0; i < len; i++, offset++) {
		uint32_t bits = (uint32_t)in[i] << (offset % BYTES * 8);

		if (offset / BYTES == EJECT)
			gone |= bits;
		else
			s->set[offset / BYTES] &= ~bits;
	}
	eject(s, gone);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_acpi_slots_create(struct vdev_host *host, int (*raise)(void *opaque, uint32_t events),
			   void *opaque)
{
	struct vdev_acpi_slots *s = calloc(1, sizeof(*s));

	if (!s)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for its slot registers");
	*s = (struct vdev_acpi_slots){.host = host, .raise = raise, .opaque = opaque};
	int err = hv_bus_add(host->vm, HV_PIO, "pci-hotplug", VDEV_ACPI_SLOTS_PORT, SETS * BYTES,
			     &port_ops, s, &s->region);
	if (err < 0) {
		free(s);
		return err;
	}
	host->acpi = s;
	return 0;
}

void vdev_acpi_slots_destroy(struct vdev_host *host)
{
	struct vdev_acpi_slots *s = host ? host->acpi : NULL;

	if (!s)
		return;
	host->acpi = NULL;
	hv_bus_remove(host->vm, s->region);
	free(s);
}

static void tell(struct vdev_acpi_slots *s, unsigned set, unsigned slot)
{
	s->set[set] |= UINT32_C(1) << slot;
	s->raise(s->opaque, HV_ACPI_EVENT_SLOT);
}

void vdev_acpi_slots_insert(struct vdev_acpi_slots *s, unsigned slot)
{
	vdev_acpi_slots_forget(s, slot);
	tell(s, INSERT, slot);
}

void vdev_acpi_slots_ask(struct vdev_acpi_slots *s, unsigned slot)
{
	tell(s, REMOVE, slot);
}

void vdev_acpi_slots_forget(struct vdev_acpi_slots *s, unsigned slot)
{
	for (unsigned set = 0; set < ARRAY_SIZE(s->set); set++)
		s->set[set] &= ~(UINT32_C(1) << slot);
}

void vdev_acpi_slots_reset(struct vdev_acpi_slots *s)
{
	for (unsigned set = 0; set < ARRAY_SIZE(s->set); set++)
		s->set[set] = 0;
}

void vdev_acpi_slots_save(const struct vdev_acpi_slots *slots, struct state *s)
{
	state_put(s, "insert", slots->set[INSERT]);
	state_put(s, "remove", slots->set[REMOVE]);
}

void vdev_acpi_slots_load(struct vdev_acpi_slots *slots, struct state *s)
{
	slots->set[INSERT] = (uint32_t)state_take(s, "insert", UINT32_MAX);
	slots->set[REMOVE] = (uint32_t)state_take(s, "remove", UINT32_MAX);
}
