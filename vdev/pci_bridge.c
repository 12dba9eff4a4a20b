/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_bridge: a PCI Express root port (type 1 header, PCIe 6.0, 7.5.1.3); its slot is pci_slot.c.
 *
 * The guest owns its registers: it may renumber buses, move or close windows and turn decoding
 * off, and what lies behind follows. There is no error reporting here; the one reason to interrupt
 * is the slot.
 */
#include <stdio.h>
#include <string.h>

#include "base/range.h"
#include "base/util.h"
#include "vdev/pci.h"

#define ROOT_PORT_VENDOR 0x1b36u
#define ROOT_PORT_DEVICE 0x000cu

#define WINDOW_UNIT MIB /* windows have a granularity of 1 MiB (7.5.1.3.8) */

static uint64_t window_base(const struct vdev_config *c, unsigned offset, unsigned upper)
{
	uint64_t value = (uint64_t)(vdev_config_get(c, offset, 2) & 0xfff0u) << 16;

	return upper ? value | (uint64_t)vdev_config_get(c, upper, 4) << 32 : value;
}

static struct range window32(const struct vdev_bridge *b)
{
	const struct vdev_config *c = &b->fn.config;

	return (struct range){window_base(c, PCI_MEMORY_BASE, 0),
			      window_base(c, PCI_MEMORY_LIMIT, 0) | (WINDOW_UNIT - 1)};
}

static struct range window64(const struct vdev_bridge *b)
{
	const struct vdev_config *c = &b->fn.config;

	return (struct range){window_base(c, PCI_PREF_MEMORY_BASE, PCI_PREF_BASE_UPPER32),
			      window_base(c, PCI_PREF_MEMORY_LIMIT, PCI_PREF_LIMIT_UPPER32) |
				      (WINDOW_UNIT - 1)};
}

/* The address may be decoded only where both the bridge forwards and the platform has PCI space:
 * never over RAM or the platform's own registers, whatever the guest writes. */
static bool reachable(const struct vdev_bridge *b, struct range want)
{
	const struct hv_mem_layout *layout = &b->host->layout;
	struct range w32 = window32(b), w64 = window64(b);
	bool forwarded = (w32.start < w32.last && range_contains(w32, want)) ||
			 (w64.start < w64.last && range_contains(w64, want));

	return forwarded &&
	       (range_contains(layout->pci32, want) || range_contains(layout->pci64, want));
}

void vdev_bridge_update(struct vdev_bridge *b)
{
	struct vdev_function *child = vdev_bridge_child(b);
	uint64_t target[VDEV_BARS] = {0};

	if (!child)
		return;
	uint32_t decode = vdev_config_get(&b->fn.config, PCI_COMMAND, 2) &
			  vdev_config_get(&child->config, PCI_COMMAND, 2);

	for (unsigned i = 0; i < VDEV_BARS && (decode & PCI_COMMAND_MEMORY); i++) {
		uint64_t at = vdev_bar_address(child, i), size = child->bar[i].size;

		if (!size || !at || at > UINT64_MAX - (size - 1))
			continue;
		if (reachable(b, (struct range){at, at + size - 1}))
			target[i] = at;
	}
	vdev_bars_move(child, target);
}

uint8_t vdev_bridge_secondary(const struct vdev_bridge *b)
{
	return b->fn.config.data[PCI_SECONDARY_BUS];
}

struct vdev_function *vdev_bridge_child(const struct vdev_bridge *b)
{
	uint32_t status = vdev_config_get(&b->fn.config, b->express + PCI_EXP_LNKSTA, 2);

	return status & PCI_EXP_LNKSTA_DLLLA ? b->child : NULL;
}

static uint32_t bridge_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	return vdev_config_get(&fn->config, offset, len);
}

static void bridge_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_bridge *b = container_of(fn, struct vdev_bridge, fn);
	uint32_t before = vdev_config_get(&fn->config, PCI_BRIDGE_CONTROL, 2);
	uint32_t slot = vdev_config_get(&fn->config, b->express + PCI_EXP_SLTCTL, 2);
	struct vdev_function *child = vdev_bridge_child(b);

	vdev_config_write(&fn->config, offset, len, value);
	uint32_t after = vdev_config_get(&fn->config, PCI_BRIDGE_CONTROL, 2);
	if (child && (~before & after & PCI_BRIDGE_CTL_BUS_RESET)) /* hot reset: 6.6.1 */
		child->ops->reset(child);
	if (vdev_config_hits(offset, len, b->express + PCI_EXP_SLTCTL, 4) ||
	    vdev_config_hits(offset, len, b->msi + PCI_MSI_FLAGS, 2))
		vdev_slot_written(b, slot);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2) ||
	    vdev_config_hits(offset, len, PCI_MEMORY_BASE, PCI_IO_BASE_UPPER16 - PCI_MEMORY_BASE))
		vdev_bridge_update(b);
}

static const struct vdev_function_ops bridge_ops = {
	.config_read = bridge_read,
	.config_write = bridge_write,
};

/* PCI Express capability, 7.5.3: root port with a slot, version 2, 16 GT/s x16. */
static unsigned add_express(struct vdev_config *c, uint8_t slot)
{
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_EXP, PCI_EXP_LNKSTA2 + 2 + 8);

	vdev_config_set(c, at + PCI_EXP_FLAGS, 2,
			PCI_EXP_FLAGS_SLOT | PCI_EXP_TYPE_ROOT_PORT << 4 | 2);
	vdev_config_set(c, at + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER);
	vdev_config_allow(c, at + PCI_EXP_DEVCTL, 2, 0x70ff);
	vdev_config_set(c, at + PCI_EXP_LNKCAP, 4,
			(uint32_t)slot << 24 | PCI_EXP_LNKCAP_DLLLARC | 16u << 4 | 4u);
	vdev_config_allow(c, at + PCI_EXP_RTCTL, 2, 0x000f);
	vdev_config_set(c, at + PCI_EXP_LNKCAP2, 4, 0x1e); /* 2.5 to 16 GT/s */
	vdev_config_set(c, at + PCI_EXP_LNKCTL2, 2, 4);
	return at;
}

/* MSI capability, 7.7.1: one vector, 64-bit address. */
static unsigned add_msi(struct vdev_config *c)
{
	unsigned at = vdev_config_add_cap(c, PCI_CAP_ID_MSI, 14);

	vdev_config_set(c, at + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_64BIT);
	vdev_config_allow(c, at + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE);
	vdev_config_allow(c, at + PCI_MSI_ADDRESS_LO, 4, 0xfffffffc);
	vdev_config_allow(c, at + PCI_MSI_ADDRESS_HI, 4, 0xffffffff);
	vdev_config_allow(c, at + PCI_MSI_DATA_64, 2, 0xffff);
	return at;
}

static void build(struct vdev_bridge *b)
{
	struct vdev_config *c = &b->fn.config;

	memset(c, 0, sizeof(*c));
	vdev_config_set(c, PCI_VENDOR_ID, 2, ROOT_PORT_VENDOR);
	vdev_config_set(c, PCI_DEVICE_ID, 2, ROOT_PORT_DEVICE);
	vdev_config_set(c, PCI_CLASS_DEVICE, 2, 0x0604);
	vdev_config_set(c, PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE);
	vdev_config_allow(c, PCI_COMMAND, 2,
			  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY |
				  PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	vdev_config_allow(c, PCI_CACHE_LINE_SIZE, 1, 0xff);
	vdev_config_allow(c, PCI_PRIMARY_BUS, 4, 0x00ffffff);
	vdev_config_allow(c, PCI_MEMORY_BASE, 4, 0xfff0fff0);
	vdev_config_set(c, PCI_PREF_MEMORY_BASE, 4, 0x00010001); /* 64-bit addresses */
	vdev_config_allow(c, PCI_PREF_MEMORY_BASE, 4, 0xfff0fff0);
	vdev_config_allow(c, PCI_PREF_BASE_UPPER32, 4, 0xffffffff);
	vdev_config_allow(c, PCI_PREF_LIMIT_UPPER32, 4, 0xffffffff);
	vdev_config_allow(c, PCI_INTERRUPT_LINE, 1, 0xff);
	vdev_config_allow(c, PCI_BRIDGE_CONTROL, 2,
			  PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_BUS_RESET);
	b->express = add_express(c, b->slot);
	b->msi = add_msi(c);
	vdev_slot_build(b);
}

void vdev_bridge_init(struct vdev_bridge *b, struct vdev_host *host, uint8_t slot)
{
	snprintf(b->name, sizeof(b->name), "root port %u", slot);
	b->fn.name = b->name;
	b->fn.ops = &bridge_ops;
	b->host = host;
	b->slot = slot;
	b->window32 = b->window64 = (struct range){1, 0};
	build(b);
}

/* A closed window has its base above its limit (7.5.1.3.8). */
static void program_window(struct vdev_config *c, unsigned offset, struct range w)
{
	bool open = w.start <= w.last;

	vdev_config_write(c, offset, 2, open ? (uint32_t)(w.start >> 16) & 0xfff0 : 0xfff0);
	vdev_config_write(c, offset + 2, 2, open ? (uint32_t)(w.last >> 16) & 0xfff0 : 0);
	if (offset != PCI_PREF_MEMORY_BASE)
		return;
	vdev_config_write(c, PCI_PREF_BASE_UPPER32, 4, open ? (uint32_t)(w.start >> 32) : ~0u);
	vdev_config_write(c, PCI_PREF_LIMIT_UPPER32, 4, open ? (uint32_t)(w.last >> 32) : 0);
}

void vdev_bridge_program(struct vdev_bridge *b)
{
	struct vdev_config *c = &b->fn.config;
	struct vdev_function *child = b->child;

	build(b);
	vdev_config_set(c, PCI_PRIMARY_BUS, 1, 0);
	vdev_config_set(c, PCI_SECONDARY_BUS, 1, b->bus);
	vdev_config_set(c, PCI_SUBORDINATE_BUS, 1, b->bus);
	program_window(c, PCI_MEMORY_BASE, b->window32);
	program_window(c, PCI_PREF_MEMORY_BASE, b->window64);
	vdev_config_set(c, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	for (unsigned i = 0; child && i < VDEV_BARS; i++)
		if (child->bar[i].size)
			vdev_bar_set_address(child, i, child->bar[i].firmware);
	vdev_bridge_update(b);
}
