/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open: the files through which the kernel's backends are reached.
 *
 * iommufd is taken where the kernel offers both /dev/iommu and device files for VFIO
 * (CONFIG_VFIO_DEVICE_CDEV); Debian's offers neither, and gets the container and its groups.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sysfs.h"
#include "iommu/iommu.h"

#define DEVICE_FILES "/dev/vfio/devices"

static bool has_iommufd(void)
{
	return !access("/dev/iommu", F_OK) && !access(DEVICE_FILES, F_OK);
}

int iommu_open(const char *subject)
{
	const char *path = has_iommufd() ? "/dev/iommu" : "/dev/vfio/vfio";
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd >= 0 ? fd : log_fail(-errno, subject, "%s not opened: %m; load vfio_pci", path);
}

struct search {
	const struct sysfs *fs;
	char name[64]; /* "vfio3" */
	unsigned count;
};

static int take_name(const char *name, void *opaque)
{
	struct search *s = opaque;

	snprintf(s->name, sizeof(s->name), "%s", name);
	return 0;
}

static int take_device(const char *bdf, void *opaque)
{
	struct search *s = opaque;

	/* Without that folder it is none of VFIO's: a bridge. */
	if (sysfs_list(s->fs, take_name, s, "bus/pci/devices/%s/vfio-dev", bdf) == 0)
		s->count++;
	return 0;
}

int iommu_device_file(const struct sysfs *fs, int group, char path[IOMMU_PATH])
{
	struct search s = {.fs = fs};
	int err = sysfs_list(fs, take_device, &s, "kernel/iommu_groups/%d/devices", group);

	if (err || !s.count)
		return err ? err : -ENOENT;
	if (s.count > 1)
		return -EOPNOTSUPP;
	snprintf(path, IOMMU_PATH, DEVICE_FILES "/%s", s.name);
	return 0;
}

int iommu_open_group(const char *subject, int group)
{
	char path[IOMMU_PATH];
	struct sysfs fs;
	int err = 0;

	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	if (has_iommufd()) {
		err = sysfs_open(&fs, "/sys");
		if (!err)
			err = iommu_device_file(&fs, group, path);
		sysfs_close(&fs);
	}
	if (err)
		return log_fail(err, subject, "IOMMU group %d has no VFIO device file: %s", group,
				err == -EOPNOTSUPP ? "with iommufd, groups of several devices are "
						     "not handed out"
						   : strerror(-err));
	int fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : log_fail(-errno, subject, "%s not opened: %m", path);
}
