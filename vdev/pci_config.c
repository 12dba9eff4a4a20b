/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_config: a configuration space as bytes and masks.
 *
 * Every bit of a register is one of: fixed, changed by writes (`write`), or cleared by writing 1
 * (`clear`; PCIe 6.0, 7.4 names these RO, RW and RW1C). With the masks in place a guest's write
 * needs no code per register; only side effects do. A BAR's size, for one, is nothing but the
 * lowest bit that its mask lets change (7.5.1.2.1).
 */
#include <string.h>

#include "base/util.h"
#include "vdev/pci.h"

uint32_t vdev_config_get(const struct vdev_config *config, unsigned offset, unsigned len)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < len; i++)
		value |= (uint32_t)config->data[offset + i] << (8 * i);
	return value;
}

void vdev_config_set(struct vdev_config *config, unsigned offset, unsigned len, uint32_t value)
{
	for (unsigned i = 0; i < len; i++)
		config->data[offset + i] = (uint8_t)(value >> (8 * i));
}

void vdev_config_allow(struct vdev_config *config, unsigned offset, unsigned len, uint32_t mask)
{
	for (unsigned i = 0; i < len; i++)
		config->write[offset + i] = (uint8_t)(mask >> (8 * i));
}

void vdev_config_write(struct vdev_config *config, unsigned offset, unsigned len, uint32_t value)
{
	for (unsigned i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));
		uint8_t *data = &config->data[offset + i];
		uint8_t mask = config->write[offset + i];

		*data = (uint8_t)((*data & ~mask) | (byte & mask));
		*data = (uint8_t)(*data & ~(byte & config->clear[offset + i]));
	}
}

unsigned vdev_config_add_cap(struct vdev_config *config, uint8_t id, unsigned size)
{
	unsigned at = config->free ? config->free : PCI_STD_HEADER_SIZEOF;

	config->data[config->link ? config->link : PCI_CAPABILITY_LIST] = (uint8_t)at;
	config->data[at] = id;
	config->data[at + 1] = 0;
	config->link = (uint8_t)(at + 1);
	config->free = (uint16_t)ALIGN_UP(at + size, 4u);
	config->data[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	return at;
}

bool vdev_config_hits(unsigned offset, unsigned len, unsigned first, unsigned count)
{
	return offset < first + count && first < offset + len;
}
