/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msi: the MSI capability (PCIe 6.0, 7.7.1), in its four layouts: with a 32- or 64-bit address,
 * with or without a mask bit per vector. Its registers live in the function's configuration space;
 * this file only gives them masks and reads their meaning.
 */
#include "vdev/msi.h"

#include <string.h>

#include "base/util.h"

static unsigned data_offset(const struct vdev_msi *msi)
{
	return msi->cap + (msi->wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
}

static unsigned mask_offset(const struct vdev_msi *msi)
{
	return msi->cap + (msi->wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
}

unsigned vdev_msi_size(const struct vdev_msi *msi)
{
	unsigned size = msi->wide ? PCI_MSI_DATA_64 + 2 : PCI_MSI_DATA_32 + 2;

	return msi->maskable ? mask_offset(msi) - msi->cap + 8 : size;
}

unsigned vdev_msi_init(struct vdev_msi *msi, struct vdev_config *c, unsigned cap)
{
	uint32_t flags = vdev_config_get(c, cap + PCI_MSI_FLAGS, 2);

	flags &= ~(uint32_t)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	*msi = (struct vdev_msi){.cap = cap,
				 .wide = flags & PCI_MSI_FLAGS_64BIT,
				 .maskable = flags & PCI_MSI_FLAGS_MASKBIT};
	for (unsigned i = PCI_MSI_ADDRESS_LO; i < vdev_msi_size(msi); i++)
		c->data[cap + i] = c->write[cap + i] = 0;
	vdev_config_set(c, cap + PCI_MSI_FLAGS, 2, flags);
	vdev_config_allow(c, cap + PCI_MSI_FLAGS, 2, PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
	vdev_config_allow(c, cap + PCI_MSI_ADDRESS_LO, 4, 0xfffffffc);
	if (msi->wide)
		vdev_config_allow(c, cap + PCI_MSI_ADDRESS_HI, 4, 0xffffffff);
	vdev_config_allow(c, data_offset(msi), 2, 0xffff);
	if (msi->maskable)
		vdev_config_allow(c, mask_offset(msi), 4, 0xffffffff);
	return vdev_msi_size(msi);
}

bool vdev_msi_enabled(const struct vdev_msi *msi, const struct vdev_config *c)
{
	return msi->cap && (vdev_config_get(c, msi->cap + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE);
}

unsigned vdev_msi_vectors(const struct vdev_msi *msi, const struct vdev_config *c)
{
	uint32_t flags = vdev_config_get(c, msi->cap + PCI_MSI_FLAGS, 2);
	unsigned able = (flags & PCI_MSI_FLAGS_QMASK) >> 1;
	unsigned wanted = (flags & PCI_MSI_FLAGS_QSIZE) >> 4;

	return 1u << MIN(MIN(able, wanted), 5u); /* encodings 6 and 7 are reserved */
}

/* Vector n is sent with the low bits of the data replaced by n. */
struct hv_msi vdev_msi_message(const struct vdev_msi *msi, const struct vdev_config *c,
			       unsigned vector)
{
	uint64_t high = msi->wide ? vdev_config_get(c, msi->cap + PCI_MSI_ADDRESS_HI, 4) : 0;
	uint32_t data = vdev_config_get(c, data_offset(msi), 2);
	uint32_t low_bits = vdev_msi_vectors(msi, c) - 1;

	return (struct hv_msi){
		.addr = high << 32 | vdev_config_get(c, msi->cap + PCI_MSI_ADDRESS_LO, 4),
		.data = (data & ~low_bits) | vector,
	};
}

bool vdev_msi_masked(const struct vdev_msi *msi, const struct vdev_config *c, unsigned vector)
{
	return msi->maskable && (vdev_config_get(c, mask_offset(msi), 4) >> vector & 1);
}
