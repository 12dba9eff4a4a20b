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
#include "vdev/q35.h"

#define HOST_VENDOR 0x1b36u
#define HOST_DEVICE 0x0008u
#define ISA_DEVFN   0xf8u /* 1f.0, where PC firmware looks for it */

/* What is kept for a function that may come: room for two BARs of a megabyte below 4 GiB, and above
 * it for what VFs and most GPUs have. */
#define RESERVE32     (2 * MIB)
#define RESERVE64_MAX (32 * GIB)

/* ---- routing ---- */

static struct vdev_function *find(struct vdev_host *host, unsigned bus, unsigned devfn)
{
	if (devfn & 7)
		return NULL; /* every device here has function 0 only */
	if (bus == 0) {
		struct vdev_bridge *b = host->bridge[devfn >> 3];

		if (devfn == ISA_DEVFN && host->isa)
			return host->isa;
		return devfn == 0 ? &host->root : b ? &b->fn : NULL;
	}
	if (devfn) /* a link has one device, number 0: 7.3.1 */
		return NULL;
	for (unsigned slot = 1; slot <= host->bridges; slot++)
		if (vdev_bridge_secondary(host->bridge[slot]) == bus)
			return vdev_bridge_child(host->bridge[slot]);
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

unsigned vdev_host_function_gsi(const struct vdev_function *fn)
{
	return vdev_host_intx_gsi(fn->bridge->slot, fn->config.data[PCI_INTERRUPT_PIN] - 1u);
}

static bool uses_line(const struct vdev_function *fn, unsigned gsi)
{
	return fn->config.data[PCI_INTERRUPT_PIN] && vdev_host_function_gsi(fn) == gsi;
}

void vdev_host_intx_set(struct vdev_function *fn, bool asserted)
{
	struct vdev_host *host = fn->bridge->host;
	unsigned gsi = vdev_host_function_gsi(fn);
	bool level = false;

	if (fn->intx_asserted == asserted)
		return;
	fn->intx_asserted = asserted;
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		const struct vdev_function *child = host->bridge[slot]->child;

		level |= child && child->intx_asserted && uses_line(child, gsi);
	}
	hv_irq_set(host->vm, gsi, level);
	if (host->isa)
		vdev_q35_line(host, gsi - VDEV_INTX_FIRST, level);
}

static void line_eoi(void *opaque)
{
	struct vdev_intx_line *line = opaque;
	struct vdev_host *host = line->host;

	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_function *child = host->bridge[slot]->child;

		if (child && child->intx_asserted && uses_line(child, line->gsi))
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
	while (host->bridges) { /* fewer each time: a child that lowers its line looks at the rest
				 */
		struct vdev_bridge *b = host->bridge[host->bridges--];

		if (b->child)
			b->child->ops->destroy(b->child);
		free(b);
	}
	free(host);
}

uint8_t vdev_host_last_bus(const struct vdev_host *host)
{
	/* One behind each root port; firmware numbers them as it likes. */
	return host->isa ? 0xff : (uint8_t)host->bridges;
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

/* Takes a window for what the port holds out of `left`, at least `reserve` (a power of two) large.
 */
static int assign_window(struct vdev_bridge *b, bool prefetch64, uint64_t reserve,
			 struct range *left, struct range *window)
{
	uint64_t used = b->child ? pack(b->child, prefetch64, 0) : 0;
	uint64_t align = MAX(b->child ? largest(b->child, prefetch64) : MIB, reserve), at;

	*window = (struct range){1, 0};
	used = ALIGN_UP(MAX(used, reserve), MIB);
	if (!used)
		return 0;
	if (range_place(*left, NULL, 0, NULL, 0, used, align, &at) < 0)
		return reserve ? -ENOSPC
			       : log_fail(-ENOSPC, b->child->name,
					  "its BARs (%llu MiB) do not fit the %s PCI window",
					  (unsigned long long)(used / MIB),
					  prefetch64 ? "64-bit" : "32-bit");
	if (b->child)
		pack(b->child, prefetch64, at);
	*window = (struct range){at, at + used - 1};
	left->start = at + used;
	return 0;
}

static int add_ecam(struct vdev_host *host, uint64_t base)
{
	uint64_t size = (vdev_host_last_bus(host) + UINT64_C(1)) * MIB;

	return hv_bus_add(host->vm, HV_MMIO, "pcie-config", base, size, &ecam_ops, host,
			  &host->ecam);
}

/* What an empty port is given of the 64-bit window: a quarter goes to all of them together, the
 * rest is for alignment and for what needs more. */
static uint64_t share64(const struct vdev_host *host)
{
	uint64_t size = range_size(host->layout.pci64);
	uint64_t share = MIB;

	if (host->layout.pci64.last < host->layout.pci64.start || !host->bridges)
		return 0;
	while (share < RESERVE64_MAX && share * 2 * 4 * host->bridges <= size)
		share *= 2;
	return share * 4 * host->bridges <= size ? share : 0;
}

static bool has_empty_port(const struct vdev_host *host)
{
	for (unsigned slot = 1; slot <= host->bridges; slot++)
		if (!host->bridge[slot]->child)
			return true;
	return false;
}

static int assign_windows(struct vdev_host *host, uint64_t reserve32, uint64_t reserve64)
{
	struct range left32 = host->layout.pci32, left64 = host->layout.pci64;
	int err = 0;

	for (unsigned slot = 1; slot <= host->bridges && !err; slot++) {
		struct vdev_bridge *b = host->bridge[slot];

		err = assign_window(b, false, reserve32, &left32, &b->window32);
		if (!err)
			err = assign_window(b, true, reserve64, &left64, &b->window64);
		b->bus = (uint8_t)slot;
	}
	return err;
}

static int listen(struct vdev_host *host)
{
	for (unsigned i = 0; i < ARRAY_SIZE(host->line); i++) {
		host->line[i] = (struct vdev_intx_line){host, VDEV_INTX_FIRST + i};
		int err = hv_irq_on_eoi(host->vm, host->line[i].gsi, line_eoi, &host->line[i]);

		if (err < 0)
			return err;
	}
	host->assigned = true;
	if (host->isa)
		return 0; /* firmware places it */
	return add_ecam(host, host->layout.ecam.start);
}

void vdev_host_place_ecam(struct vdev_host *host, uint64_t base)
{
	if (host->ecam)
		hv_bus_remove(host->vm, host->ecam);
	host->ecam = NULL;
	if (!base)
		return;
	if (add_ecam(host, base) == 0)
		host->layout.ecam = (struct range){base, base + 256 * MIB - 1};
	else if (!host->root.complained)
		log_warn(hv_vm_name(host->vm),
			 "the firmware wants PCI configuration space at 0x%llx, where something "
			 "else is",
			 (unsigned long long)base);
	host->root.complained |= !host->ecam;
}

uint64_t vdev_host_ecam(const struct vdev_host *host)
{
	return host->layout.ecam.start;
}

int vdev_host_assign(struct vdev_host *host)
{
	bool reserve = has_empty_port(host);
	int err = reserve ? assign_windows(host, RESERVE32, share64(host)) : -ENOSPC;

	if (err && reserve)
		log_warn(hv_vm_name(host->vm),
			 "its devices leave no room for others: hot plug will not find any");
	if (err)
		err = assign_windows(host, 0, 0);
	if (err)
		return err;
	vdev_host_program(host);
	return listen(host);
}

/* ---- adding ---- */

static bool fits(struct vdev_function *child, bool prefetch64, struct range window)
{
	uint64_t used = pack(child, prefetch64, 0);
	uint64_t at = ALIGN_UP(window.start, largest(child, prefetch64));

	return !used || (window.start <= window.last && at >= window.start && at <= window.last &&
			 window.last - at >= used - 1);
}

static bool has_room(const struct vdev_bridge *b, struct vdev_function *child)
{
	return fits(child, false, b->window32) && fits(child, true, b->window64);
}

/* Where firmware will put its BARs when the machine is reset. */
static void place(const struct vdev_bridge *b, struct vdev_function *child)
{
	pack(child, false, ALIGN_UP(b->window32.start, largest(child, false)));
	pack(child, true, ALIGN_UP(b->window64.start, largest(child, true)));
}

static int add_port(struct vdev_host *host)
{
	uint8_t slot = (uint8_t)(host->bridges + 1);

	if (slot >= VDEV_SLOTS - (host->isa ? 1u : 0u))
		return log_fail(-ENOSPC, hv_vm_name(host->vm),
				"the root bus is full: %u root ports", host->bridges);
	struct vdev_bridge *b = calloc(1, sizeof(*b));
	if (!b)
		return log_fail(-ENOMEM, hv_vm_name(host->vm), "no memory for a root port");
	vdev_bridge_init(b, host, slot);
	host->bridge[slot] = b;
	host->bridges++;
	return 0;
}

int vdev_host_add_ports(struct vdev_host *host, unsigned count)
{
	unsigned before = host->bridges;
	int err = 0;

	while (!err && host->bridges < count)
		err = add_port(host);
	if (err || !host->ecam || before == host->bridges)
		return err;
	hv_bus_remove(host->vm, host->ecam); /* it has to reach further now */
	host->ecam = NULL;
	return add_ecam(host, host->layout.ecam.start);
}

/* The empty port that `child` goes to while the guest runs. */
static int find_room(const struct vdev_host *host, struct vdev_function *child, unsigned wanted,
		     unsigned *slot)
{
	unsigned empty = 0;

	for (*slot = 1; *slot <= host->bridges; (*slot)++) {
		const struct vdev_bridge *b = host->bridge[*slot];

		if (b->child || (wanted && wanted != *slot))
			continue;
		empty++;
		/* Windows that firmware chose are the guest's to widen. */
		if (host->isa || has_room(b, child))
			return 0;
	}
	if (empty)
		return log_fail(
			-ENOSPC, child->name,
			"its BARs fit the window of no free root port; start the VM with it");
	return log_fail(-ENOSPC, child->name,
			"no root port is free (of %u); start the VM with more: --hotplug-ports",
			host->bridges);
}

int vdev_host_add(struct vdev_host *host, struct vdev_function *child)
{
	return vdev_host_add_at(host, child, 0);
}

int vdev_host_add_at(struct vdev_host *host, struct vdev_function *child, unsigned slot)
{
	bool running = host->assigned;
	int err = 0;

	if (running)
		err = find_room(host, child, slot, &slot);
	for (unsigned s = 1; !slot && s < VDEV_SLOTS; s++)
		if ((s > host->bridges || !host->bridge[s]->child) && !(host->empty >> s & 1))
			slot = s;
	if (!slot)
		slot = VDEV_SLOTS; /* which cannot be made: the bus is full */
	if (!err)
		err = vdev_host_add_ports(host, slot);
	if (err)
		return err;
	if (host->bridge[slot]->child)
		return log_fail(-EEXIST, child->name, "not added: %s is behind root port %u",
				host->bridge[slot]->child->name, slot);
	if (running) {
		place(host->bridge[slot], child);
		vdev_slot_insert(host->bridge[slot], child);
		return 0;
	}
	child->bridge = host->bridge[slot];
	host->bridge[slot]->child = child;
	return 0;
}

void vdev_host_program(struct vdev_host *host)
{
	if (host->isa) { /* the rest is for real firmware to do */
		for (unsigned slot = 1; slot <= host->bridges; slot++)
			vdev_bridge_power_on(host->bridge[slot]);
		return;
	}
	root_build(&host->root.config);
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_bridge *b = host->bridge[slot];

		vdev_bridge_program(b);
		if (b->child && b->child->config.data[PCI_INTERRUPT_PIN])
			b->child->config.data[PCI_INTERRUPT_LINE] =
				(uint8_t)vdev_host_function_gsi(b->child);
	}
}

void vdev_host_reset(struct vdev_host *host)
{
	for (unsigned slot = 1; slot <= host->bridges; slot++) {
		struct vdev_function *child = host->bridge[slot]->child;

		if (child)
			child->ops->reset(child);
	}
	vdev_host_program(host);
}
