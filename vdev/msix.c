/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msix: the MSI-X capability and its table (PCIe 6.0, 7.7.2).
 *
 * The table is ours alone: a guest's messages name the guest's CPUs and vectors and must never
 * reach the device. It starts, as after any reset, with all vectors masked.
 */
#include "vdev/msix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

int vdev_msix_init(struct vdev_msix *msix, struct vdev_config *c, unsigned cap)
{
	uint32_t table = vdev_config_get(c, cap + PCI_MSIX_TABLE, 4);

	*msix = (struct vdev_msix){
		.cap = cap,
		.count = (vdev_config_get(c, cap + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1,
		.table_bar = table & PCI_MSIX_TABLE_BIR,
		.table_offset = table & PCI_MSIX_TABLE_OFFSET,
	};
	msix->table = calloc(msix->count, sizeof(*msix->table));
	if (!msix->table)
		return -ENOMEM;
	vdev_config_allow(c, cap + PCI_MSIX_FLAGS, 2,
			  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	vdev_msix_reset(msix, c);
	return 0;
}

void vdev_msix_finish(struct vdev_msix *msix)
{
	free(msix->table);
	*msix = (struct vdev_msix){0};
}

void vdev_msix_reset(struct vdev_msix *msix, struct vdev_config *c)
{
	if (!msix->cap)
		return;
	vdev_config_set(c, msix->cap + PCI_MSIX_FLAGS, 2, msix->count - 1);
	for (unsigned i = 0; i < msix->count; i++)
		msix->table[i] = (struct vdev_msix_entry){.control = PCI_MSIX_ENTRY_CTRL_MASKBIT};
}

static bool has_flag(const struct vdev_msix *msix, const struct vdev_config *c, uint32_t flag)
{
	return msix->cap && (vdev_config_get(c, msix->cap + PCI_MSIX_FLAGS, 2) & flag);
}

bool vdev_msix_enabled(const struct vdev_msix *msix, const struct vdev_config *c)
{
	return has_flag(msix, c, PCI_MSIX_FLAGS_ENABLE);
}

bool vdev_msix_masked(const struct vdev_msix *msix, const struct vdev_config *c, unsigned vector)
{
	return has_flag(msix, c, PCI_MSIX_FLAGS_MASKALL) ||
	       (msix->table[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

struct hv_msi vdev_msix_message(const struct vdev_msix *msix, unsigned vector)
{
	const struct vdev_msix_entry *e = &msix->table[vector];

	return (struct hv_msi){.addr = (uint64_t)e->addr_high << 32 | e->addr_low, .data = e->data};
}

void vdev_msix_read(const struct vdev_msix *msix, uint64_t offset, void *data, unsigned len)
{
	memcpy(data, (const uint8_t *)msix->table + offset, len);
}

unsigned vdev_msix_write(struct vdev_msix *msix, uint64_t offset, const void *data, unsigned len,
			 unsigned *last)
{
	unsigned first = (unsigned)(offset / PCI_MSIX_ENTRY_SIZE);

	memcpy((uint8_t *)msix->table + offset, data, len);
	*last = (unsigned)((offset + len - 1) / PCI_MSIX_ENTRY_SIZE);
	for (unsigned i = first; i <= *last; i++) {
		msix->table[i].control &= PCI_MSIX_ENTRY_CTRL_MASKBIT; /* the rest is reserved */
		msix->table[i].addr_low &= ~UINT32_C(3);
	}
	return first;
}

/* ---- standing still ---- */

void vdev_msix_save(const struct vdev_msix *msix, struct state *s)
{
	if (msix->cap)
		state_put_bytes(s, "msix", msix->table, msix->count * sizeof(*msix->table));
}

void vdev_msix_load(struct vdev_msix *msix, struct state *s)
{
	if (!msix->cap)
		return;
	state_take_bytes(s, "msix", msix->table, msix->count * sizeof(*msix->table));
	for (unsigned i = 0; i < msix->count; i++) {
		msix->table[i].control &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		msix->table[i].addr_low &= ~UINT32_C(3);
	}
}
