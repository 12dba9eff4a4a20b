/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_host: the PCIe root complex: bus 0, its ECAM window, and firmware's one-time work.
 *
 * ECAM (PCIe 6.0, 7.2.2) maps configuration space into memory: bus in bits 27:20, device 19:15,
 * function 14:12, register 11:0. It is the only mechanism offered; the older pair of I/O ports
 * would cost two exits where this costs one. Bus 0 holds the host bridge at 00.0 and the root
 * ports from 01.0; the bus behind a port is the one in its secondary bus register. What is not
 * there reads all ones.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/pci.h"

#define HOST_VENDOR 0x1b36u
#define HOST_DEVICE 0x0008u

/* ---- routing ---- */

static struct vdev_function *find(struct vdev_host *host, unsigned bus, unsigned devfn)
{
	if (devfn & 7)
		return NULL; /* every device here has function 0 only */
	if (bus == 0) {
		struct vdev_bridge *b = host->bridge[devfn >> 3];

		return devfn == 0 ? &host->root : b ? &b->fn : NULL;
	}
	if (devfn) /* a link has one device, number 0: 7.3.1 */
		return NULL;
	for (unsigned slot = 1; slot <= host->bridges; slot++)
		if (vdev_bridge_secondary(host->bridge[slot]) == bus)
			return host->bridge[slot]->child;
	return NULL;
}

static struct vdev_function *decode(struct vdev_host *host, uint64_t offset)
{
	return find(host, (unsigned)(offset >> 20) & 0xff, (unsigned)(offset >> 12) & 0xff);
}

/* Length of the largest naturally aligned piece at `offset`, at most 4 bytes. */
static unsigned piece(uint64_t offset, unsigned len)
{
	unsigned size = 4;

	while (size > len || (offset & (size - 1)))
		size /= 2;
	return size;
}

void vdev_host_read(struct vdev_host *host, uint64_t offset, void *data, unsigned len)
{
	uint8_t *out = data;

	while (len) {
		unsigned size = piece(offset, len);
		struct vdev_function *fn = decode(host, offset);
		uint32_t value = ~UINT32_C(0);

		if (fn)
			value = fn->ops->config_read(fn, (unsigned)offset & 0xfff, size);
		memcpy(out, &value, size);
		out += size;
		offset += size;
		len -= size;
	}
}

void vdev_host_write(struct vdev_host *host, uint64_t offset, const void *data, unsigned len)
{
	const uint8_t *in = data;

	while (len) {
		unsigned size = piece(offset, len);
		struct vdev_function *fn = decode(host, offset);
		uint32_t value = 0;

		memcpy(&value, in, size);
		if (fn)
			fn->ops->config_write(fn, (unsigned)offset & 0xfff, size, value);
		in += size;
		offset += size;
		len -= size;
	}
}

static void ecam_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	vdev_host_read(opaque, offset, data, len);
}

static void ecam_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	vdev_host_write(opaque, offset, data, len);
}

static const struct hv_region_ops ecam_ops = {.read = ecam_read, .write = ecam_write};

/* ---- INTx lines ---- */

/* Ports are spread over the eight inputs, so that few devices share one. */
unsigned vdev_host_intx_gsi(unsigned slot, unsigned pin)
{
	return VDEV_INTX_FIRST + (slot - 1 + pin) % 8;
}

static unsigned function_gsi(const struct vdev_function *fn)
{
	return vdev_host_intx_gsi(fn->bridge->slot, fn->config.data[PCI_INTERRUPT_PIN] - 1u);
}

static bool uses_line(const struct vdev_function *fn, unsigned gsi)
{
	return fn->config.data[PCI_INTERRUPT_PIN] && function_gsi(fn) == gsi;
}

void vdev_host_intx_set(struct vdev_function *fn, bool asserted)
{
	struct vdev_host *host = fn->bridge->host;
	unsigned gsi = function_gsi(fn);
	bool level = false;

	if (fn->intx_asserted == asserted)
		return;
	fn->intx_asserted = asserted;
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		const struct vdev_function *child = host->bridge[slot]->child;

		level |= child->intx_asserted && uses_line(child, gsi);
	}
	hv_irq_set(host->vm, gsi, level);
}

static void line_eoi(void *opaque)
{
	struct vdev_intx_line *line = opaque;
	struct vdev_host *host = line->host;

	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_function *child = host->bridge[slot]->child;

		if (child->intx_asserted && uses_line(child, line->gsi))
			child->ops->intx_eoi(child);
	}
}

/* ---- the host bridge itself ---- */

static uint32_t root_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

static void root_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	vdev_config_write(&fn->config, offset, len, value);
}

static const struct vdev_function_ops root_ops = {
	.config_read = root_read,
	.config_write = root_write,
};

static void root_build(struct vdev_config *c)
{
	memset(c, 0, sizeof(*c));
	vdev_config_set(c, PCI_VENDOR_ID, 2, HOST_VENDOR);
	vdev_config_set(c, PCI_DEVICE_ID, 2, HOST_DEVICE);
	vdev_config_set(c, PCI_CLASS_DEVICE, 2, 0x0600);
	vdev_config_allow(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

int vdev_host_create(struct hv_vm *vm, struct vdev_host **out)
{
	struct vdev_host *host = calloc(1, sizeof(*host));

	if (!host)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for the PCIe host bridge");
	host->vm = vm;
	host->root.name = "host bridge";
	host->root.ops = &root_ops;
	root_build(&host->root.config);
	hv_mem_layout(vm, &host->layout);
	*out = host;
	return 0;
}

void vdev_host_destroy(struct vdev_host *host)
{
	if (!host)
		return;
	if (host->ecam)
		hv_bus_remove(host->vm, host->ecam);
	while (host->bridges) { /* fewer each time: a child that lowers its line looks at the rest */
		struct vdev_bridge *b = host->bridge[host->bridges--];

		b->child->ops->destroy(b->child);
		free(b);
	}
	free(host);
}

int vdev_host_add(struct vdev_host *host, struct vdev_function *child)
{
	uint8_t slot = (uint8_t)(host->bridges + 1);
	struct vdev_bridge *b;

	if (slot >= VDEV_SLOTS)
		return log_fail(-ENOSPC, child->name,
				"not added: the root bus is full (%u devices)", host->bridges);
	b = calloc(1, sizeof(*b));
	if (!b)
		return log_fail(-ENOMEM, child->name, "no memory for its root port");
	vdev_bridge_init(b, host, slot, child);
	host->bridge[slot] = b;
	host->bridges++;
	return 0;
}

uint8_t vdev_host_last_bus(const struct vdev_host *host)
{
	return (uint8_t)host->bridges; /* one behind each root port */
}

/* ---- firmware's work ---- */

/* Packs the child's BARs of one kind, largest first so that alignment costs nothing; returns the
 * bytes used from `at` on, which is aligned for the largest. at 0 only measures. */
static uint64_t pack(struct vdev_function *child, bool prefetch64, uint64_t at)
{
	uint64_t used = 0;

	for (unsigned bit = 63; bit >= 4; bit--)
		for (unsigned i = 0; i < VDEV_BARS; i++) {
			struct vdev_bar *bar = &child->bar[i];

			if (bar->size != UINT64_C(1) << bit || bar->prefetch != prefetch64)
				continue;
			used = ALIGN_UP(used, bar->size);
			if (at)
				bar->firmware = at + used;
			/* a page each, so that pages can be mapped without their neighbours */
			used += MAX(bar->size, 4 * KIB);
		}
	return used;
}

static uint64_t largest(const struct vdev_function *child, bool prefetch64)
{
	uint64_t size = MIB; /* the unit of bridge windows */

	for (unsigned i = 0; i < VDEV_BARS; i++)
		if (child->bar[i].prefetch == prefetch64)
			size = MAX(size, child->bar[i].size);
	return size;
}

static int assign_window(struct vdev_bridge *b, bool prefetch64, struct range *left,
			 struct range *window)
{
	uint64_t used = ALIGN_UP(pack(b->child, prefetch64, 0), MIB), at;

	*window = (struct range){1, 0};
	if (!used)
		return 0;
	if (range_place(*left, NULL, 0, NULL, 0, used, largest(b->child, prefetch64), &at) < 0)
		return log_fail(-ENOSPC, b->child->name,
				"its BARs (%llu MiB) do not fit the %s PCI window",
				(unsigned long long)(used / MIB), prefetch64 ? "64-bit" : "32-bit");
	pack(b->child, prefetch64, at);
	*window = (struct range){at, at + used - 1};
	left->start = at + used;
	return 0;
}

static int listen(struct vdev_host *host)
{
	for (unsigned i = 0; i < ARRAY_SIZE(host->line); i++) {
		host->line[i] = (struct vdev_intx_line){host, VDEV_INTX_FIRST + i};
		int err = hv_irq_on_eoi(host->vm, host->line[i].gsi, line_eoi, &host->line[i]);

		if (err < 0)
			return err;
	}
	uint64_t size = (vdev_host_last_bus(host) + UINT64_C(1)) * MIB;
	return hv_bus_add(host->vm, HV_MMIO, "pcie-config", host->layout.ecam.start, size,
			  &ecam_ops, host, &host->ecam);
}

int vdev_host_assign(struct vdev_host *host)
{
	struct range left32 = host->layout.pci32, left64 = host->layout.pci64;

	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_bridge *b = host->bridge[slot];
		int err = assign_window(b, false, &left32, &b->window32);

		if (!err)
			err = assign_window(b, true, &left64, &b->window64);
		if (err < 0)
			return err;
		b->bus = (uint8_t)slot;
	}
	vdev_host_program(host);
	return listen(host);
}

void vdev_host_program(struct vdev_host *host)
{
	root_build(&host->root.config);
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_bridge *b = host->bridge[slot];
		uint8_t pin = b->child->config.data[PCI_INTERRUPT_PIN];

		vdev_bridge_program(b);
		if (pin)
			b->child->config.data[PCI_INTERRUPT_LINE] = (uint8_t)function_gsi(b->child);
	}
}

void vdev_host_reset(struct vdev_host *host)
{
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_function *child = host->bridge[slot]->child;

		child->ops->reset(child);
	}
	vdev_host_program(host);
}
