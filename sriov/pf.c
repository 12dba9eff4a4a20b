/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pf: the functions that can make VFs, found by the file sriov_totalvfs, which the kernel shows for
 * every function with the SR-IOV capability (PCIe 6.0 section 9.3.3; drivers/pci/pci-sysfs.c).
 */
#include "sriov/pf.h"

#include <errno.h>
#include <pci/pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "sriov/identity.h"

static unsigned read_number(const struct sriov *ctx, const char *dev, const char *file)
{
	uint64_t value = 0;

	sysfs_read_u64(&ctx->fs, &value, "bus/pci/devices/%s/%s", dev, file); /* absent: 0 */
	return (unsigned)value;
}

static void read_interface(const struct sriov *ctx, const char *dev, struct sriov_pf *pf)
{
	uint64_t carrier = 0;
	char text[32];

	context_ifname(ctx, dev, pf->ifname);
	if (!pf->ifname[0])
		return;
	/* EINVAL while the interface is down: no link either. */
	sysfs_read_u64(&ctx->fs, &carrier, "bus/pci/devices/%s/net/%s/carrier", dev, pf->ifname);
	pf->link_up = carrier == 1;
	if (!sysfs_read(&ctx->fs, text, sizeof(text), "bus/pci/devices/%s/net/%s/address", dev,
			pf->ifname))
		parse_mac(text, pf->mac); /* stays zero when it is no Ethernet address */
}

int pf_read(const struct sriov *ctx, struct bdf bdf, struct sriov_pf *out)
{
	char dev[BDF_TEXT], text[16];

	bdf_format(bdf, dev);
	if (!sysfs_exists(&ctx->fs, "bus/pci/devices/%s/sriov_totalvfs", dev))
		return -ENODEV;
	*out = (struct sriov_pf){.bdf = bdf, .numa_node = -1};
	int err = context_driver(ctx, dev, out->driver);
	if (err)
		return err;
	out->vendor = (uint16_t)read_number(ctx, dev, "vendor");
	out->device_id = (uint16_t)read_number(ctx, dev, "device");
	out->total_vfs = read_number(ctx, dev, "sriov_totalvfs");
	out->num_vfs = read_number(ctx, dev, "sriov_numvfs");
	out->iommu_group = context_group(ctx, dev);
	if (!sysfs_read(&ctx->fs, text, sizeof(text), "bus/pci/devices/%s/numa_node", dev))
		out->numa_node = (int)strtol(text, NULL, 10);
	read_interface(ctx, dev, out);
	identity_read(ctx, out);
	return 0;
}

void sriov_device_words(struct sriov *ctx, uint16_t vendor, uint16_t device, char text[128])
{
	pci_lookup_name(ctx->names, text, 128, PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, vendor,
			device);
}

/* Apart from the rest, because libpci reads its whole table at the first question. */
static void name_device(const struct sriov *ctx, struct sriov_pf *pf)
{
	pci_lookup_name(ctx->names, pf->device, sizeof(pf->device),
			PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE, pf->vendor, pf->device_id);
}

const char *pf_name(const struct sriov_pf *pf, char text[SRIOV_NAME])
{
	char dev[BDF_TEXT];

	snprintf(text, SRIOV_NAME, "%s", pf->ifname[0] ? pf->ifname : bdf_format(pf->bdf, dev));
	return text;
}

struct pf_text pf_text(const struct sriov_pf *pf)
{
	struct pf_text text = {0};

	pf_name(pf, text.text);
	return text;
}

int pf_virtfn(const struct sriov *ctx, struct bdf pf, unsigned index, struct bdf *out)
{
	char dev[BDF_TEXT], vf[32];
	int err = sysfs_link_name(&ctx->fs, vf, sizeof(vf), "bus/pci/devices/%s/virtfn%u",
				  bdf_format(pf, dev), index);

	return err ? err : bdf_parse(vf, out);
}

struct listing {
	struct sriov *ctx;
	struct sriov_pf *list;
	size_t count;
};

static int add_pf(const char *name, void *opaque)
{
	struct listing *l = opaque;
	struct sriov_pf pf;
	struct bdf bdf;

	if (bdf_parse(name, &bdf) < 0)
		return 0;
	int err = pf_read(l->ctx, bdf, &pf);
	if (err == -ENODEV) /* no PF, or unplugged meanwhile */
		return 0;
	if (err)
		return log_fail(err, name, "not read: %s", strerror(-err));
	struct sriov_pf *list = realloc(l->list, (l->count + 1) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	l->list = list;
	l->list[l->count++] = pf;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	return bdf_compare(((const struct sriov_pf *)a)->bdf, ((const struct sriov_pf *)b)->bdf);
}

int pf_list(struct sriov *ctx, struct sriov_pf **out, size_t *count)
{
	struct listing l = {.ctx = ctx};
	int err = sysfs_list(&ctx->fs, add_pf, &l, "bus/pci/devices");

	if (err == -ENOENT) /* a machine without PCI */
		err = 0;
	if (err) {
		free(l.list);
		return err;
	}
	if (l.count)
		qsort(l.list, l.count, sizeof(*l.list), by_address);
	*out = l.list;
	*count = l.count;
	return 0;
}

int sriov_pf_list(struct sriov *ctx, struct sriov_pf **out, size_t *count)
{
	int err = pf_list(ctx, out, count);

	if (!err)
		identity_name(ctx, *out, *count);
	for (size_t i = 0; !err && i < *count; i++)
		name_device(ctx, &(*out)[i]);
	return err;
}

/* "ens1f0 (0000:01:00.0), ..." */
static void list_names(const struct sriov_pf *list, size_t count, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		char dev[BDF_TEXT];
		bdf_format(list[i].bdf, dev);
		int n = list[i].ifname[0]
				? snprintf(text + used, size - used, "%s%s (%s)", i ? ", " : "",
					   list[i].ifname, dev)
				: snprintf(text + used, size - used, "%s%s", i ? ", " : "", dev);
		used += n < 0 ? 0 : (size_t)n;
	}
}

/* By anything but an alias. */
static bool is_called(const struct sriov_pf *pf, const char *name)
{
	char identity[SRIOV_IDENTITY];
	struct bdf bdf;

	if (!bdf_parse(name, &bdf))
		return bdf_equal(pf->bdf, bdf);
	return !strcmp(pf->ifname, name) || !strcmp(pf->identity.path, name) ||
	       !strcmp(sriov_identity_format(&pf->identity, identity), name);
}

static int not_found(const struct sriov_pf *list, size_t count, const char *name)
{
	char names[512];

	list_names(list, count, names, sizeof(names));
	return log_fail(-ENODEV, name, "no such PF: %s%s",
			count ? "this host has " : "no device of this host can make VFs", names);
}

int pf_find(struct sriov *ctx, const char *name, struct sriov_pf *out)
{
	struct sriov_pf *list;
	size_t count;
	int err = pf_list(ctx, &list, &count), found = 0;

	if (err)
		return err;
	for (size_t i = 0; !found && i < count; i++) {
		found = is_called(&list[i], name);
		if (found)
			*out = list[i];
	}
	if (!found)
		found = identity_find(ctx, name, list, count, out);
	if (!found)
		found = not_found(list, count, name);
	free(list);
	if (found < 0)
		return found;
	identity_name(ctx, out, 1);
	return 0;
}

int sriov_pf_find(struct sriov *ctx, const char *name, struct sriov_pf *out)
{
	int err = pf_find(ctx, name, out);

	if (!err)
		name_device(ctx, out);
	return err;
}
