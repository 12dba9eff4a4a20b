/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpus: the registers through which processors come and go (a design of our own; their driver is
 * the code in our DSDT, hv-core/dsdt.c). Four sets of 64 bits, bit n for processor n:
 *
 *     0x620  present   read only
 *     0x628  insert    this one has come, and the guest has not heard of it; writing 1 clears
 *     0x630  remove    this one shall go; writing 1 clears
 *     0x638  eject     writing 1: the guest has let go of it, and it is not present any more
 *
 * An event of the generic event device (ACPI 6.5, 5.6.9) makes the guest look. The processor itself
 * is there from the start, in KVM and as a thread, and waits for INIT and SIPI, which cost nothing
 * until a guest sends them: so nothing of the engine has to be made or unmade while the guest runs.
 */
#include "vdev/cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum { PRESENT, INSERT, REMOVE, EJECT, SETS };

#define BYTES 8u /* of a set */

struct vdev_cpus {
	struct hv_vm *vm;
	struct vdev_power *power;
	struct hv_region *region;
	uint64_t set[SETS];
};

static uint64_t first(unsigned count)
{
	return count < 64 ? (UINT64_C(1) << count) - 1 : UINT64_MAX;
}

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_cpus *c = opaque;
	uint8_t *out = data;

	for (unsigned i = 0; i < len; i++, offset++)
		out[i] = (uint8_t)(c->set[offset / BYTES] >> (offset % BYTES * 8));
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_cpus *c = opaque;
	const uint8_t *in = data;

	for (unsigned i = 0; i < len; i++, offset++) {
		uint64_t bits = (uint64_t)in[i] << (offset % BYTES * 8);

		if (offset / BYTES == EJECT) /* the first one stays, whatever the guest thinks */
			c->set[PRESENT] &= ~(bits & ~UINT64_C(1));
		else if (offset / BYTES != PRESENT)
			c->set[offset / BYTES] &= ~bits;
	}
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_cpus_create(struct hv_vm *vm, struct vdev_power *power, unsigned present,
		     struct vdev_cpus **out)
{
	struct vdev_cpus *c = calloc(1, sizeof(*c));

	if (!c)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its CPU registers");
	*c = (struct vdev_cpus){.vm = vm, .power = power, .set[PRESENT] = first(present)};
	int err = hv_bus_add(vm, HV_PIO, "cpu-hotplug", VDEV_CPUS_PORT, SETS * BYTES, &port_ops, c,
			     &c->region);
	if (err < 0) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void vdev_cpus_destroy(struct vdev_cpus *c)
{
	if (!c)
		return;
	hv_bus_remove(c->vm, c->region);
	free(c);
}

int vdev_cpus_want(struct vdev_cpus *c, unsigned count)
{
	if (count < 1 || count > hv_vm_cpus(c->vm))
		return -EINVAL;
	uint64_t wanted = first(count), come = wanted & ~c->set[PRESENT];

	c->set[PRESENT] |= come;
	c->set[INSERT] = (c->set[INSERT] | come) & wanted;
	c->set[REMOVE] = c->set[PRESENT] & ~wanted;
	return vdev_power_raise(c->power, HV_ACPI_EVENT_CPU);
}

unsigned vdev_cpus_present(const struct vdev_cpus *c)
{
	return (unsigned)__builtin_popcountll(c->set[PRESENT]);
}

unsigned vdev_cpus_unheard(const struct vdev_cpus *c)
{
	return (unsigned)__builtin_popcountll(c->set[INSERT] | c->set[REMOVE]);
}

void vdev_cpus_forget(struct vdev_cpus *c)
{
	c->set[REMOVE] = 0;
}

void vdev_cpus_save(const struct vdev_cpus *c, struct state *s)
{
	state_put(s, "present", c->set[PRESENT]);
	state_put(s, "insert", c->set[INSERT]);
	state_put(s, "remove", c->set[REMOVE]);
}

void vdev_cpus_load(struct vdev_cpus *c, struct state *s)
{
	uint64_t all = first(hv_vm_cpus(c->vm));

	c->set[PRESENT] = state_take(s, "present", all);
	c->set[INSERT] = state_take(s, "insert", all);
	c->set[REMOVE] = state_take(s, "remove", all);
	if (!state_error(s) && !(c->set[PRESENT] & 1))
		state_refuse(s, -EINVAL, "the first CPU is not there");
}
