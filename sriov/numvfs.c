/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * numvfs: see numvfs.h and sriov_vfs_create().
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

#include "base/io.h"
#include "base/log.h"
#include "sriov/lock.h"
#include "sriov/module.h"
#include "sriov/pf.h"
#include "sriov/profile.h"
#include "sriov/slow.h"
#include "sriov/vf.h"

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
				"this moment; try again",
				count);
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

/* Writes and reads back; fewer than asked are taken away again. */
static int set_count(struct sriov *ctx, const struct sriov_pf *pf, const char *name, unsigned count)
{
	char dev[BDF_TEXT], text[16];
	uint64_t now = 0;

	snprintf(text, sizeof(text), "%u", count);
	int err =
		slow_write(ctx, text, "bus/pci/devices/%s/sriov_numvfs", bdf_format(pf->bdf, dev));
	if (err)
		return explain(ctx, pf, name, count, err);
	err = sysfs_read_u64(&ctx->fs, &now, "bus/pci/devices/%s/sriov_numvfs", dev);
	if (err)
		return log_fail(err, name, "count of VFs not read back: %s", strerror(-err));
	if (now == count)
		return 0;
	slow_write(ctx, "0", "bus/pci/devices/%s/sriov_numvfs", dev);
	return log_fail(-EIO, name, "asked for %u VFs, driver %s made %u; removed again", count,
			pf->driver, (unsigned)now);
}

/* ---- sriov_drivers_autoprobe, journalled ---- */

#define AUTOPROBE "bus/pci/devices/%s/sriov_drivers_autoprobe"

/* The caller holds the PF's lock. */
static int probe_on(struct sriov *ctx, struct ledger *ledger, struct bdf pf)
{
	char dev[BDF_TEXT], was[8];
	int found = ledger_probe_get(ledger, pf, was);

	if (found <= 0)
		return found;
	int err = sysfs_write(&ctx->fs, was, AUTOPROBE, bdf_format(pf, dev));
	if (err && err != -ENOENT) /* a PF that is gone needs nothing */
		return log_fail(err, dev, "sriov_drivers_autoprobe not put back to %s: %s", was,
				strerror(-err));
	return ledger_probe_drop(ledger, pf);
}

static int probe_off(struct sriov *ctx, struct ledger *ledger, struct bdf pf)
{
	char dev[BDF_TEXT], was[8];

	bdf_format(pf, dev);
	int err = sysfs_read(&ctx->fs, was, sizeof(was), AUTOPROBE, dev);
	if (err)
		return log_fail(err, dev, "sriov_drivers_autoprobe not read: %s", strerror(-err));
	if (!strcmp(was, "0"))
		return 0;
	err = ledger_probe_put(ledger, pf, was);
	if (err)
		return err;
	err = sysfs_write(&ctx->fs, "0", AUTOPROBE, dev);
	if (err) {
		ledger_probe_drop(ledger, pf);
		return log_fail(err, dev, "sriov_drivers_autoprobe not written: %s",
				strerror(-err));
	}
	return 0;
}

void numvfs_repair(struct sriov *ctx, struct ledger *ledger)
{
	struct bdf *pfs = NULL;
	size_t count = 0;

	if (ledger_probe_list(ledger, &pfs, &count))
		return; /* logged */
	for (size_t i = 0; i < count; i++) {
		int lock = lock_try(ctx, pfs[i]);
		if (lock < 0)
			continue; /* its maker is at work, and cleans up itself */
		probe_on(ctx, ledger, pfs[i]);
		io_close(&lock);
	}
	free(pfs);
}

/* ---- creating ---- */

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

static int create(struct sriov *ctx, const struct sriov_pf *pf, const char *name, unsigned count,
		  bool probe)
{
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = probe_on(ctx, ledger, pf->bdf); /* left by one that was killed just now */
	if (!err && !probe)
		err = probe_off(ctx, ledger, pf->bdf);
	if (!err && pf->num_vfs)
		err = set_count(ctx, pf, name, 0);
	if (!err && count)
		err = set_count(ctx, pf, name, count);
	if (!err && count && probe)
		load_vf_driver(ctx, pf->bdf);
	if (err && pf->num_vfs && count && err != -ETIMEDOUT) {
		log_warn(name, "making its %u VFs again", pf->num_vfs);
		set_count(ctx, pf, name, pf->num_vfs);
	}
	if (!probe && ledger) {
		int err2 = probe_on(ctx, ledger, pf->bdf);
		err = err ? err : err2;
	}
	return err;
}

static int check_count(struct sriov *ctx, const struct sriov_pf *pf, const char *name,
		       unsigned count)
{
	char what[64];

	if (count > pf->total_vfs)
		return explain(ctx, pf, name, count, -ERANGE);
	if (!pf->driver[0])
		return explain(ctx, pf, name, count, -ENOENT);
	int err = profile_refuse(ctx, pf);
	if (err)
		return err;
	snprintf(what, sizeof(what), count ? "%u VFs refused" : "VFs not removed", count);
	return pf->num_vfs ? vf_all_free(ctx, pf, what) : 0;
}

int sriov_vfs_create(struct sriov *ctx, const struct sriov_pf *pf, unsigned count, bool probe)
{
	struct sriov_pf now;
	char name[SRIOV_NAME];
	int err = lock_take(ctx, pf->bdf);

	if (err)
		return err;
	pf_name(pf, name);
	err = pf_read(ctx, pf->bdf, &now);
	if (err)
		err = log_fail(err, name, "gone: %s", strerror(-err));
	else if (now.num_vfs != count)
		err = check_count(ctx, &now, name, count);
	if (!err && now.num_vfs != count)
		err = create(ctx, &now, name, count, probe);
	if (!err && count && now.ifname[0] && !now.link_up)
		log_warn(name,
			 "has no link: its VFs pass no traffic, and their drivers may not "
			 "start; `ip link set %s up` first",
			 now.ifname);
	lock_drop(ctx);
	return err;
}

int sriov_vfs_destroy(struct sriov *ctx, const struct sriov_pf *pf)
{
	return sriov_vfs_create(ctx, pf, 0, true);
}
