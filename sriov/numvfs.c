/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numvfs: see numvfs.h.
 *
 * The count is one file, sriov_numvfs; the kernel takes 0 -> N and N -> 0 only, and the driver may
 * enable fewer and call it success (drivers/pci/iov.c, sriov_numvfs_store), so it is read back.
 * Removing VFs pulls them from under whoever uses them, or waits for him for ever; hence no count
 * is changed while one of them is in anybody's hands.
 */
#include "sriov/numvfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "sriov/module.h"
#include "sriov/pf.h"
#include "sriov/profile.h"
#include "sriov/slow.h"

static int explain(const struct sriov *ctx, const struct sriov_pf *pf, const char *name,
		   unsigned count, int err)
{
	switch (err) {
	case -ENOENT:
		return log_fail(err, name,
				"no VFs: its driver (%s) cannot make any; bind one that can, such "
				"as the maker's own or pci-pf-stub",
				pf->driver[0] ? pf->driver : "none");
	case -ERANGE:
		return log_fail(err, name, "%u VFs refused: it has at most %u", count,
				pf->total_vfs);
	case -EBUSY:
		return log_fail(err, name,
				"%u VFs refused: it has some already, made by somebody else at "
				"this moment; try again. Or driver %s makes them only for a device "
				"in use, as virtio-pci does: load virtio_net",
				count, pf->driver);
	case -ENOMEM:
		return log_fail(
			err, name,
			"%u VFs refused: not enough address space or bus numbers for them; "
			"enable \"Above 4G decoding\" and SR-IOV in the firmware, boot with "
			"pci=realloc, or make fewer",
			count);
	case -EPERM:
		return log_fail(err, name,
				"%u VFs refused by driver %s: VFs are assigned to guests, or the "
				"card lacks MSI-X or is locked by its firmware; see dmesg",
				count, pf->driver);
	case -EACCES:
		return log_fail(err, name, "%u VFs refused: not permitted; run as root", count);
	case -ETIMEDOUT:
		return log_fail(err, name,
				"the kernel has not answered for %u s to a count of %u: something "
				"holds a VF (`sluice vf list %s`); it goes on when that one ends",
				ctx->slow_ms / 1000, count, name);
	default:
		return log_fail(err, name, "%u VFs refused by driver %s: %s; see dmesg", count,
				pf->driver[0] ? pf->driver : "none", strerror(-err));
	}
}

/* udev loads the VFs' driver where it runs; where it does not, a probe would find none. */
static void load_vf_driver(const struct sriov *ctx, struct bdf pf)
{
	char dev[BDF_TEXT], alias[256], driver[SRIOV_DRIVER];
	struct bdf vf;

	if (pf_virtfn(ctx, pf, 0, &vf) || context_driver(ctx, bdf_format(vf, dev), driver) ||
	    *driver)
		return;
	if (!sysfs_read(&ctx->fs, alias, sizeof(alias), "bus/pci/devices/%s/modalias", dev))
		module_load(alias);
}

/* Writes and reads back; fewer than asked are taken away again. */
int numvfs_set(struct sriov *ctx, const struct sriov_pf *pf, unsigned count)
{
	char dev[BDF_TEXT], text[16], name[SRIOV_NAME];
	uint64_t now = 0, probes = 0;

	pf_name(pf, name);

	snprintf(text, sizeof(text), "%u", count);
	int err =
		slow_write(ctx, text, "bus/pci/devices/%s/sriov_numvfs", bdf_format(pf->bdf, dev));
	if (err)
		return explain(ctx, pf, name, count, err);
	err = sysfs_read_u64(&ctx->fs, &now, "bus/pci/devices/%s/sriov_numvfs", dev);
	if (err)
		return log_fail(err, name, "count of VFs not read back: %s", strerror(-err));
	if (now == count) {
		sysfs_read_u64(&ctx->fs, &probes, "bus/pci/devices/%s/sriov_drivers_autoprobe",
			       dev);
		if (count && probes)
			load_vf_driver(ctx, pf->bdf);
		return 0;
	}
	slow_write(ctx, "0", "bus/pci/devices/%s/sriov_numvfs", dev);
	return log_fail(-EIO, name, "asked for %u VFs, driver %s made %u; removed again", count,
			pf->driver, (unsigned)now);
}

int numvfs_check(struct sriov *ctx, const struct sriov_pf *pf, unsigned count)
{
	char name[SRIOV_NAME];

	pf_name(pf, name);
	if (count > pf->total_vfs)
		return explain(ctx, pf, name, count, -ERANGE);
	if (!pf->driver[0])
		return explain(ctx, pf, name, count, -ENOENT);
	return profile_refuse(ctx, pf);
}
