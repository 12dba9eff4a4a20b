/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme_pf: see nvme_pf.h and sriov_nvme_keep(). */
#include "sriov/nvme_pf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "sriov/lock.h"
#include "sriov/nvme.h"
#include "sriov/pf.h"
#include "sriov/slow.h"
#include "sriov/work.h"

static int take_controller(const char *name, void *opaque)
{
	if (strncmp(name, "nvme", 4) || strlen(name) + sizeof("/dev/") > NVME_PATH)
		return 0;
	snprintf(opaque, NVME_PATH, "/dev/%s", name);
	return 1;
}

bool nvme_path(const struct sriov *ctx, struct bdf bdf, char path[NVME_PATH])
{
	char dev[BDF_TEXT];

	path[0] = '\0';
	/* No directory: the driver nvme does not hold it. */
	sysfs_list(&ctx->fs, take_controller, path, "bus/pci/devices/%s/nvme",
		   bdf_format(bdf, dev));
	return path[0] != '\0';
}

/* ---- who uses its disks ---- */

struct disks {
	const struct sriov *ctx;
	const char *dir; /* of the controller or of a disk, below the root of sysfs */
	char *user;	 /* what is in the way, "" for nothing */
	size_t size;
};

/* A line of mountinfo: "ID PARENT MAJOR:MINOR ROOT WHERE ...", proc(5). */
static bool mounted(const char *number, char *where, size_t size)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char line[1024], device[32], at[256];
	bool found = false;

	while (in && !found && fgets(line, sizeof(line), in))
		found = sscanf(line, "%*s %*s %31s %*s %255s", device, at) == 2 &&
			!strcmp(device, number);
	if (in)
		fclose(in);
	if (found)
		snprintf(where, size, "mounted on %s", at);
	return found;
}

static int note_holder(const char *name, void *opaque)
{
	struct disks *d = opaque;

	snprintf(d->user, d->size, "used by %s", name);
	return 1;
}

static int look_at_disk(const char *name, void *opaque);

/* A disk or partition, by its directory; what is none has no file `dev`. */
static int look_into(const struct disks *d, const char *dir)
{
	struct disks below = *d;
	char number[32];

	below.dir = dir;
	if (sysfs_read(&d->ctx->fs, number, sizeof(number), "%s/dev", dir))
		return 0;
	if (mounted(number, d->user, d->size))
		return 1;
	if (sysfs_list(&d->ctx->fs, note_holder, &below, "%s/holders", dir) > 0)
		return 1;
	return sysfs_list(&d->ctx->fs, look_at_disk, &below, "%s", dir) > 0;
}

/* A disk that several controllers may reach stands below this one as its path "nvme0c1n1"; what is
 * mounted is "nvme0n1" (drivers/nvme/host/multipath.c). */
static int look_at_disk(const char *name, void *opaque)
{
	const struct disks *d = opaque;
	unsigned subsystem, path, disk;
	char dir[256];

	if (strncmp(name, "nvme", 4))
		return 0;
	if (sscanf(name, "nvme%uc%un%u", &subsystem, &path, &disk) == 3)
		snprintf(dir, sizeof(dir), "block/nvme%un%u", subsystem, disk);
	else if (snprintf(dir, sizeof(dir), "%s/%s", d->dir, name) >= (int)sizeof(dir))
		return 0;
	return look_into(d, dir);
}

/* Whether a disk of the controller is in use, and how. */
static bool in_use(const struct sriov *ctx, struct bdf bdf, const char *path, char *user,
		   size_t size)
{
	char dir[128], dev[BDF_TEXT];
	struct disks disks = {ctx, dir, user, size};

	snprintf(dir, sizeof(dir), "bus/pci/devices/%s/nvme/%s", bdf_format(bdf, dev),
		 path + strlen("/dev/"));
	user[0] = '\0';
	return sysfs_list(&ctx->fs, look_at_disk, &disks, "%s", dir) > 0;
}

/* ---- what it keeps ---- */

static int tell(const char *name, const char *path, unsigned count)
{
	static const enum nvme_resource resources[] = {NVME_INTERRUPTS, NVME_QUEUES};
	char words[NETLINK_WORDS];

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		int err = nvme_virt_keep(path, resources[i], count, words);
		if (err)
			return log_fail(err, name, "does not keep %u %s: %s%s%s%s", count,
					i ? "queues" : "interrupts", strerror(-err),
					*words ? " (controller: \"" : "", words,
					*words ? "\")" : "");
	}
	return 0;
}

static int check_idle(struct sriov *ctx, const struct sriov_pf *pf, const char *name,
		      const char *path)
{
	char user[320];

	if (pf->num_vfs)
		return log_fail(-EBUSY, name,
				"keeps what it has while it has VFs: the reset that this takes "
				"would stop all %u; `sluice vf destroy %s` first",
				pf->num_vfs, name);
	if (in_use(ctx, pf->bdf, path, user, sizeof(user)))
		return log_fail(-EBUSY, name,
				"keeps what it has: this takes a reset, and its disk is %s", user);
	return 0;
}

static int keep(struct sriov *ctx, const struct sriov_pf *pf, const char *name, unsigned count)
{
	char path[NVME_PATH], dev[BDF_TEXT];
	struct nvme_virt virt;

	if (!nvme_path(ctx, pf->bdf, path))
		return log_fail(-EOPNOTSUPP, name, "is no NVMe controller (driver %s)",
				pf->driver[0] ? pf->driver : "none");
	int err = nvme_virt_read(path, &virt);
	if (err)
		return log_fail(err, name, "%s: %s", path,
				err == -EOPNOTSUPP ? "has no virtualization management"
						   : strerror(-err));
	if (virt.queues.primary == count && virt.interrupts.primary == count)
		return 0;
	err = check_idle(ctx, pf, name, path);
	if (!err)
		err = tell(name, path, count);
	if (err)
		return err;
	err = slow_write(ctx, "1", "bus/pci/devices/%s/reset", bdf_format(pf->bdf, dev));
	return err ? log_fail(err, name, "not reset: %s", strerror(-err)) : 0;
}

int sriov_nvme_keep(struct sriov *ctx, const struct sriov_pf *pf, unsigned count)
{
	char name[SRIOV_NAME];
	struct sriov_pf now;
	struct ledger *ledger;
	int err = context_ledger(ctx, &ledger);

	if (!err)
		err = work_lock(ctx, ledger, pf->bdf);
	if (err)
		return err;
	pf_name(pf, name);
	err = pf_read(ctx, pf->bdf, &now);
	err = err ? log_fail(err, name, "gone: %s", strerror(-err)) : keep(ctx, &now, name, count);
	lock_drop(ctx);
	return err;
}
