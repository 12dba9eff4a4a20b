/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_config: what of a device's configuration space its guest may see and change.
 *
 *     ours      header (but for the status register), BARs, MSI, MSI-X, power state, the links of
 *               both capability lists
 *     hidden    what moves or splits the device behind our back (SR-IOV, ARI, resizable BARs,
 *               enhanced allocation) and what only an IOMMU of the guest could use (ATS, PRI,
 * PASID) passed    everything else; the kernel's VFIO filters it once more
 *
 * Hidden bodies read zero. Power states are emulated because a device that sleeps makes the
 * kernel withdraw the BAR pages under the guest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "vdev/vfio.h"

#define CAPS_MAX 64u
#define EXT_BASE 0x100u

struct cap_list {
	struct cap {
		unsigned at;
		unsigned id;
	} cap[CAPS_MAX];
	unsigned count;
};

/* ---- the device's own registers ---- */

static uint32_t device_read(struct vdev_vfio *dev, unsigned offset, unsigned len)
{
	uint32_t value = 0;
	ssize_t n = pread(dev->fd, &value, len, (off_t)(dev->config.fd_offset + offset));

	return n == (ssize_t)len ? value : ~UINT32_C(0);
}

static void device_write(struct vdev_vfio *dev, unsigned offset, unsigned len, uint32_t value)
{
	ssize_t n = pwrite(dev->fd, &value, len, (off_t)(dev->config.fd_offset + offset));

	if (n != (ssize_t)len)
		log_debug(dev->name, "config write of %u bytes at 0x%x refused", len, offset);
}

void vdev_vfio_config_command(struct vdev_vfio *dev, uint16_t command)
{
	/* no size: not described yet, so nobody knows where in the descriptor it would land */
	if (dev->fd >= 0 && dev->config.size)
		device_write(dev, PCI_COMMAND, 2, command);
}

/* ---- finding capabilities ---- */

static void add_cap(struct cap_list *list, unsigned at, unsigned id)
{
	list->cap[list->count++] = (struct cap){at, id};
}

static bool seen(const struct cap_list *list, unsigned at)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->cap[i].at == at)
			return true;
	return false;
}

/* PCIe 6.0, 7.5.1.1.11: the two low bits of a link are reserved. */
static void find_caps(const struct vdev_config *c, struct cap_list *list)
{
	unsigned at = c->data[PCI_CAPABILITY_LIST] & 0xfcu;

	list->count = 0;
	if (!(c->data[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		return;
	while (at >= PCI_STD_HEADER_SIZEOF && list->count < CAPS_MAX && !seen(list, at)) {
		add_cap(list, at, c->data[at]);
		at = c->data[at + 1] & 0xfcu;
	}
}

/* 7.6.3: a header of zero at 0x100 means that there is none. */
static void find_ext_caps(const struct vdev_config *c, struct cap_list *list)
{
	unsigned at = EXT_BASE;

	list->count = 0;
	while (at >= EXT_BASE && list->count < CAPS_MAX && !seen(list, at)) {
		uint32_t header = vdev_config_get(c, at, 4);

		if (!header || header == ~UINT32_C(0))
			return;
		add_cap(list, at, PCI_EXT_CAP_ID(header));
		at = PCI_EXT_CAP_NEXT(header);
	}
}

/* A capability ends at the latest where the next one in memory starts. */
static unsigned cap_end(const struct cap_list *list, unsigned at, unsigned limit)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->cap[i].at > at && list->cap[i].at < limit)
			limit = list->cap[i].at;
	return limit;
}

/* ---- policy ---- */

static void own(struct vdev_vfio *dev, unsigned at, unsigned len)
{
	memset(&dev->pass[at], 0, len);
}

static void hide(struct vdev_vfio *dev, unsigned at, unsigned end)
{
	own(dev, at, end - at);
	memset(&dev->fn.config.data[at], 0, end - at);
}

/* PCIe 6.0, 7.5.2: D0 and D3hot only, no PME, state kept in D3hot. */
static void take_power(struct vdev_vfio *dev, unsigned at)
{
	struct vdev_config *c = &dev->fn.config;
	uint32_t caps = vdev_config_get(c, at + PCI_PM_PMC, 2) & PCI_PM_CAP_VER_MASK;

	own(dev, at, PCI_PM_SIZEOF);
	vdev_config_set(c, at + PCI_PM_PMC, 2, caps);
	vdev_config_set(c, at + PCI_PM_CTRL, 4, PCI_PM_CTRL_NO_SOFT_RESET);
	vdev_config_allow(c, at + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);
	dev->cap_power = at;
}

/* Behind a root port of ours even an integrated endpoint is an ordinary one (7.5.3.2). */
static void take_express(struct vdev_vfio *dev, unsigned at)
{
	struct vdev_config *c = &dev->fn.config;
	uint32_t flags = vdev_config_get(c, at + PCI_EXP_FLAGS, 2);

	if ((flags & PCI_EXP_FLAGS_TYPE) >> 4 == PCI_EXP_TYPE_RC_END) {
		own(dev, at + PCI_EXP_FLAGS, 2);
		vdev_config_set(c, at + PCI_EXP_FLAGS, 2, flags & ~(uint32_t)PCI_EXP_FLAGS_TYPE);
	}
	dev->cap_express = at;
}

/* Returns whether the guest sees it; *err on a device we cannot serve. */
static bool take_cap(struct vdev_vfio *dev, struct cap cap, unsigned end, int *err)
{
	struct vdev_config *c = &dev->fn.config;
	/* what a capability whose body would leave configuration space is worth */
	unsigned room = PCI_CFG_SPACE_SIZE - cap.at;

	switch (cap.id) {
	case PCI_CAP_ID_PM:
		if (room < PCI_PM_SIZEOF)
			break;
		take_power(dev, cap.at);
		return true;
	case PCI_CAP_ID_MSI:
		if (room < PCI_MSI_MASK_64 + 8 || !dev->irq_count[VFIO_PCI_MSI_IRQ_INDEX])
			break;
		own(dev, cap.at, vdev_msi_init(&dev->msi, c, cap.at));
		return true;
	case PCI_CAP_ID_MSIX:
		if (room < PCI_CAP_MSIX_SIZEOF || !dev->irq_count[VFIO_PCI_MSIX_IRQ_INDEX])
			break;
		own(dev, cap.at, PCI_CAP_MSIX_SIZEOF);
		*err = vdev_msix_init(&dev->msix, c, cap.at);
		return true;
	case PCI_CAP_ID_EXP:
		if (room < PCI_EXP_DEVSTA + 2)
			break;
		take_express(dev, cap.at);
		return true;
	case PCI_CAP_ID_EA:
		break;
	default:
		return true;
	}
	hide(dev, cap.at, end);
	return false;
}

static int take_caps(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	struct cap_list list;
	unsigned link = PCI_CAPABILITY_LIST;
	int err = 0;

	find_caps(c, &list);
	c->data[link] = 0;
	for (unsigned i = 0; i < list.count && !err; i++) {
		struct cap cap = list.cap[i];

		if (!take_cap(dev, cap, cap_end(&list, cap.at, PCI_CFG_SPACE_SIZE), &err))
			continue;
		own(dev, cap.at, 2);
		c->data[link] = (uint8_t)cap.at;
		link = cap.at + 1;
		c->data[link] = 0;
	}
	return err < 0 ? log_fail(err, dev->name, "no memory for its MSI-X table") : 0;
}

static bool is_hidden(unsigned id)
{
	static const uint8_t hidden[] = {
		PCI_EXT_CAP_ID_ARI,   PCI_EXT_CAP_ID_ATS,	   PCI_EXT_CAP_ID_SRIOV,
		PCI_EXT_CAP_ID_PRI,   PCI_EXT_CAP_ID_PASID,	   PCI_EXT_CAP_ID_REBAR,
		PCI_EXT_CAP_ID_MRIOV, 0x24 /* VF resizable BAR */,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(hidden); i++)
		if (hidden[i] == id)
			return true;
	return false;
}

/* The list must start at 0x100: if that one is hidden, a null capability (7.9.28) stands there. */
static void take_ext_caps(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	struct cap_list list;
	unsigned link = EXT_BASE;

	find_ext_caps(c, &list);
	own(dev, EXT_BASE, 4);
	for (unsigned i = 0; i < list.count; i++) {
		struct cap cap = list.cap[i];
		uint32_t header = vdev_config_get(c, cap.at, 4) & 0x000fffff;

		own(dev, cap.at, 4);
		if (is_hidden(cap.id)) {
			hide(dev, cap.at, cap_end(&list, cap.at, VDEV_CONFIG_SIZE));
			continue;
		}
		vdev_config_set(c, cap.at, 4, header);
		if (cap.at == EXT_BASE)
			continue;
		header = vdev_config_get(c, link, 4);
		header = header ? header & 0x000fffff : 1u << 16;
		vdev_config_set(c, link, 4, header | cap.at << 20);
		link = cap.at;
	}
}

static void take_header(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;

	own(dev, 0, PCI_STD_HEADER_SIZEOF);
	memset(&dev->pass[PCI_STATUS], 1, 2);
	c->data[PCI_HEADER_TYPE] &= PCI_HEADER_TYPE_MASK;
	vdev_config_set(c, PCI_COMMAND, 2, 0);
	vdev_config_allow(c, PCI_COMMAND, 2,
			  PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				  PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE);
	vdev_config_allow(c, PCI_CACHE_LINE_SIZE, 1, 0xff);
	vdev_config_allow(c, PCI_INTERRUPT_LINE, 1, 0xff);
	c->data[PCI_BIST] = 0;
	vdev_config_set(c, PCI_CARDBUS_CIS, 4, 0);
	vdev_config_set(c, PCI_ROM_ADDRESS, 4, 0);
	if (!dev->irq_count[VFIO_PCI_INTX_IRQ_INDEX] || c->data[PCI_INTERRUPT_PIN] > 4)
		c->data[PCI_INTERRUPT_PIN] = 0;
}

int vdev_vfio_config_build(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;
	unsigned size = dev->config.size < VDEV_CONFIG_SIZE ? 256 : VDEV_CONFIG_SIZE;

	if (pread(dev->fd, c->data, size, (off_t)dev->config.fd_offset) != (ssize_t)size)
		return log_fail(-EIO, dev->name, "its configuration space cannot be read");
	if ((c->data[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK) != PCI_HEADER_TYPE_NORMAL)
		return log_fail(-ENOTSUP, dev->name, "is a bridge; only endpoints can be lent");
	memset(dev->pass, 1, size);
	take_header(dev);
	if (size == VDEV_CONFIG_SIZE)
		take_ext_caps(dev);
	return take_caps(dev);
}

void vdev_vfio_config_reset(struct vdev_vfio *dev)
{
	struct vdev_config *c = &dev->fn.config;

	vdev_config_set(c, PCI_COMMAND, 2, 0);
	vdev_config_set(c, PCI_CACHE_LINE_SIZE, 1, 0);
	for (unsigned i = 0; i < VDEV_BARS; i++)
		if (dev->fn.bar[i].size)
			vdev_bar_set_address(&dev->fn, i, 0);
	if (dev->msi.cap)
		vdev_msi_init(&dev->msi, c, dev->msi.cap);
	vdev_msix_reset(&dev->msix, c);
	if (dev->cap_power)
		vdev_config_set(c, dev->cap_power + PCI_PM_CTRL, 4, PCI_PM_CTRL_NO_SOFT_RESET);
}

/* ---- the guest's accesses ---- */

static bool passes(const struct vdev_vfio *dev, unsigned offset, unsigned len, bool *all)
{
	bool any = false;

	*all = true;
	for (unsigned i = 0; i < len; i++) {
		any |= dev->pass[offset + i];
		*all &= dev->pass[offset + i];
	}
	return any;
}

uint32_t vdev_vfio_config_read(struct vdev_function *fn, unsigned offset, unsigned len)
{
	struct vdev_vfio *dev = container_of(fn, struct vdev_vfio, fn);
	uint32_t value = vdev_config_get(&fn->config, offset, len);
	bool all;

	dev->config_reads++;
	if (dev->fd < 0)
		return ~UINT32_C(0);
	if (!passes(dev, offset, len, &all))
		return value;
	if (all)
		return device_read(dev, offset, len);
	for (unsigned i = 0; i < len; i++) {
		if (!dev->pass[offset + i])
			continue;
		value &= ~(UINT32_C(0xff) << (8 * i));
		value |= (device_read(dev, offset + i, 1) & 0xff) << (8 * i);
	}
	return value;
}

static void pass_write(struct vdev_vfio *dev, unsigned offset, unsigned len, uint32_t value)
{
	bool all;

	if (!passes(dev, offset, len, &all))
		return;
	if (all) {
		device_write(dev, offset, len, value);
		return;
	}
	for (unsigned i = 0; i < len; i++)
		if (dev->pass[offset + i])
			device_write(dev, offset + i, 1, value >> (8 * i) & 0xff);
}

/* The device decodes before the guest can reach it and until it no longer can: the pages of a BAR
 * that is not decoded fault on the host. */
static void follow_command(struct vdev_vfio *dev)
{
	uint16_t command = (uint16_t)vdev_config_get(&dev->fn.config, PCI_COMMAND, 2);

	if (command & PCI_COMMAND_MEMORY)
		vdev_vfio_config_command(dev, command);
	vdev_bridge_update(dev->fn.bridge);
	if (!(command & PCI_COMMAND_MEMORY))
		vdev_vfio_config_command(dev, command);
	vdev_vfio_irq_update(dev);
}

/* Initiate Function Level Reset, bit 15 of Device Control (7.5.3.4), on a device that has it. */
static bool asks_reset(struct vdev_vfio *dev, unsigned offset, unsigned len, uint32_t value)
{
	unsigned byte = dev->cap_express + PCI_EXP_DEVCTL + 1;

	if (!dev->cap_express || !vdev_config_hits(offset, len, byte, 1))
		return false;
	if (!(value >> (8 * (byte - offset)) & PCI_EXP_DEVCTL_BCR_FLR >> 8))
		return false;
	return device_read(dev, dev->cap_express + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR;
}

static bool hits_msi(const struct vdev_vfio *dev, unsigned offset, unsigned len)
{
	return (dev->msi.cap &&
		vdev_config_hits(offset, len, dev->msi.cap, vdev_msi_size(&dev->msi))) ||
	       (dev->msix.cap && vdev_config_hits(offset, len, dev->msix.cap, PCI_CAP_MSIX_SIZEOF));
}

void vdev_vfio_config_write(struct vdev_function *fn, unsigned offset, unsigned len, uint32_t value)
{
	struct vdev_vfio *dev = container_of(fn, struct vdev_vfio, fn);

	dev->config_writes++;
	if (dev->fd < 0)
		return;
	if (asks_reset(dev, offset, len, value)) {
		vdev_vfio_reset(dev);
		return;
	}
	vdev_config_write(&fn->config, offset, len, value);
	pass_write(dev, offset, len, value);
	if (vdev_config_hits(offset, len, PCI_COMMAND, 2))
		follow_command(dev);
	if (vdev_config_hits(offset, len, PCI_BASE_ADDRESS_0, 4 * VDEV_BARS))
		vdev_bridge_update(fn->bridge);
	if (hits_msi(dev, offset, len))
		vdev_vfio_irq_update(dev);
}
