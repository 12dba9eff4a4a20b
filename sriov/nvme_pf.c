/* SPDX-License-Identifier: BSD-3-Clause */
/* nvme_pf: see nvme_pf.h. */
#include "sriov/nvme_pf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/util.h"
#include "sriov/nvme.h"
#include "sriov/pf.h"
#include "sriov/slow.h"

#define READ_BACK_TICKS 100 /* of a tenth of a second */

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

bool nvme_busy(const struct sriov *ctx, const struct sriov_pf *pf, char text[SRIOV_BLOCKER])
{
	char path[NVME_PATH], user[160];

	if (!nvme_path(ctx, pf->bdf, path) || !in_use(ctx, pf->bdf, path, user, sizeof(user)))
		return false;
	snprintf(text, SRIOV_BLOCKER, "this takes a reset, and its disk is %s", user);
	return true;
}

int nvme_kept(const struct sriov *ctx, const struct sriov_pf *pf)
{
	char path[NVME_PATH];
	struct nvme_virt virt;

	if (!nvme_path(ctx, pf->bdf, path) || nvme_virt_read(path, &virt) ||
	    virt.queues.primary != virt.interrupts.primary)
		return -1;
	return (int)virt.queues.primary;
}

static int check_idle(struct sriov *ctx, const struct sriov_pf *pf, const char *name)
{
	char text[SRIOV_BLOCKER];

	if (pf->num_vfs)
		return log_fail(-EBUSY, name,
				"keeps what it has while it has VFs: the reset that this takes "
				"would stop all %u; `sluice vf destroy %s` first",
				pf->num_vfs, name);
	if (nvme_busy(ctx, pf, text))
		return log_fail(-EBUSY, name, "keeps what it has: %s", text);
	return 0;
}

/* The kernel starts the controller again in its own time, and answers only then. */
static int read_back(const struct sriov *ctx, const struct sriov_pf *pf, const char *name,
		     unsigned count)
{
	const struct timespec tick = {.tv_nsec = 100000000};
	int kept = nvme_kept(ctx, pf);

	for (int i = 0; i < READ_BACK_TICKS && kept != (int)count; i++) {
		nanosleep(&tick, NULL);
		kept = nvme_kept(ctx, pf);
	}
	return kept == (int)count
		       ? 0
		       : log_fail(-EIO, name, "was told to keep %u, and keeps %d after its reset",
				  count, kept);
}

int nvme_keep(struct sriov *ctx, const struct sriov_pf *pf, unsigned count)
{
	char path[NVME_PATH], dev[BDF_TEXT], name[SRIOV_NAME];
	struct nvme_virt virt;

	pf_name(pf, name);
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
	err = check_idle(ctx, pf, name);
	if (!err)
		err = tell(name, path, count);
	if (err)
		return err;
	err = slow_write(ctx, "1", "bus/pci/devices/%s/reset", bdf_format(pf->bdf, dev));
	return err ? log_fail(err, name, "not reset: %s", strerror(-err))
		   : read_back(ctx, pf, name, count);
}
