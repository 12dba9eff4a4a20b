/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme_pf: see nvme_pf.h and sriov_nvme_release(). */
#include "sriov/nvme_pf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sriov/lock.h"
#include "sriov/nvme.h"
#include "sriov/pf.h"
#include "sriov/slow.h"

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

/* A disk or partition. Everything that is none has no file `dev`. */
static int look_at_disk(const char *name, void *opaque)
{
	struct disks *d = opaque;
	char number[32], dir[256];

	if (strncmp(name, "nvme", 4) ||
	    snprintf(dir, sizeof(dir), "%s/%s", d->dir, name) >= (int)sizeof(dir) ||
	    sysfs_read(&d->ctx->fs, number, sizeof(number), "%s/dev", dir))
		return 0;
	if (mounted(number, d->user, d->size))
		return 1;
	struct disks below = *d;
	below.dir = dir;
	if (sysfs_list(&d->ctx->fs, note_holder, &below, "%s/holders", dir) > 0)
		return 1;
	return sysfs_list(&d->ctx->fs, look_at_disk, &below, "%s", dir) > 0;
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

/* ---- release ---- */

static int keep_none(const char *name, const char *path)
{
	static const enum nvme_resource resources[] = {NVME_INTERRUPTS, NVME_QUEUES};
	char words[NETLINK_WORDS];

	for (size_t i = 0; i < 2; i++) {
		int err = nvme_virt_keep(path, resources[i], 0, words);
		if (err)
			return log_fail(err, name, "%s not released: %s%s%s%s",
					i ? "queues" : "interrupts", strerror(-err),
					*words ? " (controller: \"" : "", words,
					*words ? "\")" : "");
	}
	return 0;
}

static int release(struct sriov *ctx, const struct sriov_pf *pf, const char *name)
{
	char path[NVME_PATH], user[320], dev[BDF_TEXT];
	struct nvme_virt virt;

	if (!nvme_path(ctx, pf->bdf, path))
		return log_fail(-EOPNOTSUPP, name, "is no NVMe controller (driver %s)",
				pf->driver[0] ? pf->driver : "none");
	int err = nvme_virt_read(path, &virt);
	if (err)
		return log_fail(err, name, "%s: %s", path,
				err == -EOPNOTSUPP ? "has no virtualization management"
						   : strerror(-err));
	if (!virt.queues.primary && !virt.interrupts.primary)
		return 0;
	if (pf->num_vfs)
		return log_fail(-EBUSY, name,
				"keeps its queues while it has VFs: the reset that frees them "
				"would stop all %u; `sluice vf destroy %s` first",
				pf->num_vfs, name);
	if (in_use(ctx, pf->bdf, path, user, sizeof(user)))
		return log_fail(-EBUSY, name,
				"keeps its queues: they are freed by a reset, and its disk is %s",
				user);
	err = keep_none(name, path);
	if (err)
		return err;
	err = slow_write(ctx, "1", "bus/pci/devices/%s/reset", bdf_format(pf->bdf, dev));
	return err ? log_fail(err, name, "not reset: %s", strerror(-err)) : 0;
}

int sriov_nvme_release(struct sriov *ctx, const struct sriov_pf *pf)
{
	char name[SRIOV_NAME];
	struct sriov_pf now;
	int err = lock_take(ctx, pf->bdf);

	if (err)
		return err;
	pf_name(pf, name);
	err = pf_read(ctx, pf->bdf, &now);
	err = err ? log_fail(err, name, "gone: %s", strerror(-err)) : release(ctx, &now, name);
	lock_drop(ctx);
	return err;
}
