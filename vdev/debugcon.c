/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * debugcon: port 0x402, where OVMF and SeaBIOS write what they do. Reading gives 0xe9, by which
 * they see that somebody listens. Lines go to the log with SLUICE_LOG=debug; without, nothing is
 * kept.
 */
#include "vdev/debugcon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define PORT	 0x402
#define READBACK 0xe9
#define LINE_MAX 160u

struct vdev_debugcon {
	struct hv_vm *vm;
	struct hv_region *region;
	char line[LINE_MAX];
	size_t len;
};

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque;
	(void)offset;
	memset(data, READBACK, len);
}

static void put(struct vdev_debugcon *c, char byte)
{
	if (byte >= ' ' && byte < 0x7f)
		c->line[c->len++] = byte;
	if (c->len == 0 || (byte != '\n' && c->len < LINE_MAX - 1))
		return;
	c->line[c->len] = '\0';
	c->len = 0;
	log_debug(hv_vm_name(c->vm), "firmware: %s", c->line);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	(void)offset;
	for (unsigned i = 0; i < len; i++)
		put(opaque, ((const char *)data)[i]);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_debugcon_create(struct hv_vm *vm, struct vdev_debugcon **out)
{
	struct vdev_debugcon *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for firmware's messages");
	c->vm = vm;
	err = hv_bus_add(vm, HV_PIO, "debugcon", PORT, 1, &port_ops, c, &c->region);
	if (err < 0) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void vdev_debugcon_destroy(struct vdev_debugcon *c)
{
	if (!c)
		return;
	hv_bus_remove(c->vm, c->region);
	free(c);
}
