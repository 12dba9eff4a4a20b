/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exit_port: four I/O ports, by custom from 0xf4 on, for kernels whose whole purpose is to test.
 *
 * Writing a value ends the VM with status (value << 1) | 1, of which a process can pass on eight
 * bits. That it is always odd tells a guest that spoke from one that only ended.
 */
#include "vdev/exit_port.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PORTS 4u

struct vdev_exit_port {
	struct hv_vm *vm;
	struct hv_region *region;
	uint8_t status; /* of the first write, which is the one that counts */
	bool written;
};

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque, (void)offset;
	memset(data, 0, len);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_exit_port *e = opaque;
	uint8_t value;

	(void)offset, (void)len; /* the bits above the first byte do not fit a status */
	memcpy(&value, data, 1);
	if (!e->written)
		e->status = (uint8_t)(value << 1 | 1);
	e->written = true;
	hv_vm_end(e->vm, HV_END_STATUS);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_exit_port_create(struct hv_vm *vm, uint16_t port, struct vdev_exit_port **out)
{
	struct vdev_exit_port *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its exit port");
	e->vm = vm;
	err = hv_bus_add(vm, HV_PIO, "exit-port", port, PORTS, &port_ops, e, &e->region);
	if (err < 0) {
		free(e);
		return log_fail(err, hv_vm_name(vm),
				"no exit port at 0x%x: %s; name a free one with --exit-port", port,
				strerror(-err));
	}
	*out = e;
	return 0;
}

void vdev_exit_port_destroy(struct vdev_exit_port *e)
{
	if (!e)
		return;
	hv_bus_remove(e->vm, e->region);
	free(e);
}

uint8_t vdev_exit_port_status(const struct vdev_exit_port *e)
{
	return e ? e->status : 0;
}
