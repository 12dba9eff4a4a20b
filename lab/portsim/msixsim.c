// SPDX-License-Identifier: BSD-3-Clause
/*
 * msixsim: a kernel module of the lab's: a driver for any PF that it is bound to by
 * driver_override, which hands interrupt vectors out to its VFs (sriov_vf_msix_count). mlx5 and ice
 * do, and no driver of an emulated card. What a VF was given stands in its configuration space, as
 * the size of its MSI-X table; no emulated card changes that, so reads of it pass through here.
 * Built beside portsim; never installed.
 */
#include <linux/module.h>
#include <linux/pci.h>

#define TOTAL 64 /* vectors for all VFs */
#define MOST  16 /* for one */
#define VFS   8

#define DEFAULT 2 /* 0 is the driver's choice (Documentation/ABI/testing/sysfs-bus-pci) */

struct given {
	unsigned int devfn, control; /* where Message Control is */
	unsigned int count;
};

static struct given vfs[VFS];
static unsigned int vf_count;
static struct pci_bus *bus; /* of the VFs */
static struct pci_ops *real, ops;

/* PCIe 6.0, 7.7.2.2: the size less one is in bits 10:0. */
static void put_size(const struct given *vf, int where, int size, u32 *value)
{
	for (int i = 0; i < size; i++) {
		unsigned int shift = 8 * i, at = where + i;

		if (at == vf->control)
			*value = (*value & ~(0xffu << shift)) | ((vf->count - 1) & 0xff) << shift;
		else if (at == vf->control + 1)
			*value = (*value & ~(0x07u << shift)) | ((vf->count - 1) >> 8 & 7) << shift;
	}
}

static int read_config(struct pci_bus *on, unsigned int devfn, int where, int size, u32 *value)
{
	int err = real->read(on, devfn, where, size, value);

	for (unsigned int i = 0; !err && i < vf_count; i++)
		if (vfs[i].devfn == devfn)
			put_size(&vfs[i], where, size, value);
	return err;
}

static struct given *find(const struct pci_dev *vf)
{
	for (unsigned int i = 0; i < vf_count; i++)
		if (vfs[i].devfn == vf->devfn)
			return &vfs[i];
	if (vf_count == VFS || (bus && bus != vf->bus))
		return NULL;
	vfs[vf_count] = (struct given){vf->devfn, vf->msix_cap + PCI_MSIX_FLAGS, DEFAULT};
	return &vfs[vf_count++];
}

static int set_count(struct pci_dev *vf, int count)
{
	struct given *given;

	if (!vf->msix_cap)
		return -EOPNOTSUPP;
	if (count > MOST)
		return -EINVAL;
	given = find(vf);
	if (!given)
		return -ENOSPC;
	given->count = count ? count : DEFAULT;
	if (!bus) {
		bus = vf->bus;
		real = bus->ops;
		ops = *real;
		ops.read = read_config;
		pci_bus_set_ops(bus, &ops);
	}
	return 0;
}

static u32 total(struct pci_dev *pf)
{
	return TOTAL;
}

static int probe(struct pci_dev *pf, const struct pci_device_id *id)
{
	return 0;
}

static void remove(struct pci_dev *pf)
{
	pci_disable_sriov(pf);
	if (bus)
		pci_bus_set_ops(bus, real);
	bus = NULL;
	vf_count = 0;
}

static const struct pci_device_id none[] = {{}};

static struct pci_driver msixsim = {
	.name = "msixsim",
	.id_table = none,
	.probe = probe,
	.remove = remove,
	.sriov_configure = pci_sriov_configure_simple,
	.sriov_get_vf_total_msix = total,
	.sriov_set_msix_vec_count = set_count,
};
module_pci_driver(msixsim);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Driver of a PF that hands interrupt vectors out, for the lab");
