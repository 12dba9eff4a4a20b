/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_ports: configuration mechanism #1 (PCI 3.0, 3.2.2.3.2): an address at port 0xcf8, the
 * register it names at 0xcfc. Enough for the first 256 bytes of a function; firmware needs it to
 * find out where ECAM is to be.
 *
 * The address is a register of four bytes that only a dword access reaches; a byte written to 0xcf9
 * is the reset control register instead.
 */
#include "vdev/pci_ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "vdev/pm.h"

#define PORT	       0xcf8
#define DATA	       4u /* offset of the window */
#define PORTS	       8u
#define ADDRESS_ENABLE 0x80000000u

struct vdev_pci_ports {
	struct vdev_host *host;
	struct hv_region *region;
	uint32_t address;
};

/* Where ECAM would have the register at `offset` of the window. */
static uint64_t ecam_offset(const struct vdev_pci_ports *p, uint64_t offset)
{
	return (uint64_t)(p->address & 0x00ffff00) << 4 | (p->address & 0xfc) | (offset - DATA);
}

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct vdev_pci_ports *p = opaque;

	memset(data, 0xff, len);
	if (offset >= DATA && (p->address & ADDRESS_ENABLE))
		vdev_host_read(p->host, ecam_offset(p, offset), data, len);
	else if (offset == 0 && len == 4)
		memcpy(data, &p->address, 4);
	else if (offset == VDEV_RESET_PORT - PORT)
		((uint8_t *)data)[0] = 0;
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_pci_ports *p = opaque;

	if (offset >= DATA && (p->address & ADDRESS_ENABLE))
		vdev_host_write(p->host, ecam_offset(p, offset), data, len);
	else if (offset == 0 && len == 4)
		memcpy(&p->address, data, 4);
	else if (offset == VDEV_RESET_PORT - PORT && len == 1)
		vdev_pm_reset_write(p->host->vm, ((const uint8_t *)data)[0]);
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_pci_ports_create(struct vdev_host *host, struct vdev_pci_ports **out)
{
	struct vdev_pci_ports *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for its PCI ports");
	p->host = host;
	err = hv_bus_add(host->vm, HV_PIO, "pci-ports", PORT, PORTS, &port_ops, p, &p->region);
	if (err < 0) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

void vdev_pci_ports_destroy(struct vdev_pci_ports *p)
{
	if (!p)
		return;
	hv_bus_remove(p->host->vm, p->region);
	free(p);
}

void vdev_pci_ports_save(const struct vdev_pci_ports *p, struct state *s)
{
	state_put(s, "address", p->address);
}

void vdev_pci_ports_load(struct vdev_pci_ports *p, struct state *s)
{
	p->address = (uint32_t)state_take(s, "address", UINT32_MAX);
}
