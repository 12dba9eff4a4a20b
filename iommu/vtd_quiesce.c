/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_quiesce: see vtd_quiesce.h. */
#include "iommu/vtd_quiesce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "iommu/dmar.h"

/* Configuration space (PCIe 6.0 7.5.1.1). */
#define COMMAND		   0x04
#define COMMAND_BUS_MASTER 0x04u
#define HEADER_TYPE	   0x0e

struct walk {
	const struct sysfs *fs;
	const struct dmar *dmar;
	uint64_t base;
	int stopped;
};

static bool is_meant(const struct walk *walk, const char *name)
{
	const struct dmar_entry *unit;
	struct bdf bdf;

	if (bdf_parse(name, &bdf) || sysfs_exists(walk->fs, "bus/pci/devices/%s/driver", name))
		return false;
	unit = dmar_unit_of(walk->dmar, walk->fs, bdf);
	return unit && unit->range.start == walk->base;
}

/* 1 when it was stopped, 0 when there was nothing to stop. */
static int stop(int fd)
{
	uint8_t header[HEADER_TYPE + 1], command[2];
	int err = io_pread_full(fd, header, sizeof(header), 0);

	if (err || (header[HEADER_TYPE] & 0x7f) || !(header[COMMAND] & COMMAND_BUS_MASTER))
		return err;
	command[0] = (uint8_t)(header[COMMAND] & ~COMMAND_BUS_MASTER);
	command[1] = header[COMMAND + 1];
	if (pwrite(fd, command, sizeof(command), COMMAND) != (ssize_t)sizeof(command))
		return errno ? -errno : -EIO;
	return 1;
}

static int look_at(const char *name, void *opaque)
{
	struct walk *walk = opaque;
	char path[SYSFS_PATH];

	if (!is_meant(walk, name))
		return 0;
	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", name);
	int fd = openat(walk->fs->root, path, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0; /* pulled out meanwhile */
	int result = fd < 0 ? -errno : stop(fd);
	io_close(&fd);
	if (result < 0)
		return log_fail(result, name, "its DMA not stopped: %s; its IOMMU unit stays on",
				strerror(-result));
	if (result)
		log_warn(name, "its driver was killed: kept from DMA from here on");
	walk->stopped += result;
	return 0;
}

int vtd_quiesce(const struct sysfs *fs, uint64_t base)
{
	struct dmar *dmar;
	int err = dmar_read(fs, &dmar);

	if (err)
		return err;
	struct walk walk = {.fs = fs, .dmar = dmar, .base = base};
	err = sysfs_list(fs, look_at, &walk, "bus/pci/devices");
	dmar_destroy(dmar);
	return err ? err : walk.stopped;
}
