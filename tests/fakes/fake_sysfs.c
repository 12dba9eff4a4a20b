/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_sysfs: see fake_sysfs.h. A failure here is a broken test, so it aborts. */
#include "tests/fakes/fake_sysfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void must(int ok, const char *what, const char *path)
{
	if (ok)
		return;
	fprintf(stderr, "fake_sysfs: %s %s: %s\n", what, path, strerror(errno));
	abort();
}

void fake_sysfs_make(struct fake_sysfs *fake)
{
	/* In memory where that can be had: the ledger in there asks for its rows to be on the disk.
	 */
	strcpy(fake->dir, "/dev/shm/fake_sysfs.XXXXXX");
	if (!mkdtemp(fake->dir)) {
		strcpy(fake->dir, "/tmp/fake_sysfs.XXXXXX");
		must(mkdtemp(fake->dir) != NULL, "mkdtemp", fake->dir);
	}
	must(sysfs_open(&fake->fs, fake->dir) == 0, "open", fake->dir);
	fake_put(&fake->fs, "", "bus/pci/drivers_probe");
	fake_driver(&fake->fs, "vfio-pci");
}

void fake_sysfs_remove(struct fake_sysfs *fake)
{
	char command[64];

	sysfs_close(&fake->fs);
	snprintf(command, sizeof(command), "rm -rf %s", fake->dir);
	must(system(command) == 0, "rm", fake->dir);
}

#define MAKE_PATH(path, fmt)                             \
	do {                                             \
		va_list args_;                           \
		va_start(args_, fmt);                    \
		vsnprintf(path, SYSFS_PATH, fmt, args_); \
		va_end(args_);                           \
	} while (0)

static void make_parents(const struct sysfs *fs, const char *path)
{
	char dir[SYSFS_PATH];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		must(!mkdirat(fs->root, dir, 0755) || errno == EEXIST, "mkdir", dir);
	}
}

void fake_put(const struct sysfs *fs, const char *text, const char *fmt, ...)
{
	char path[SYSFS_PATH];

	MAKE_PATH(path, fmt);
	make_parents(fs, path);
	int fd = openat(fs->root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	must(fd >= 0, "open", path);
	must(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write", path);
	close(fd);
}

void fake_link(const struct sysfs *fs, const char *target, const char *fmt, ...)
{
	char path[SYSFS_PATH];

	MAKE_PATH(path, fmt);
	make_parents(fs, path);
	unlinkat(fs->root, path, 0);
	must(!symlinkat(target, fs->root, path), "symlink", path);
}

void fake_unlink(const struct sysfs *fs, const char *fmt, ...)
{
	char path[SYSFS_PATH];

	MAKE_PATH(path, fmt);
	must(!unlinkat(fs->root, path, 0) || errno == ENOENT, "unlink", path);
}

static void remove_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	for (struct dirent *e; list && (e = readdir(list));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			remove_at(fd, e->d_name);
	must(!unlinkat(dir, name, list ? AT_REMOVEDIR : 0) || errno == ENOENT, "unlink", name);
	if (list)
		closedir(list);
}

void fake_remove(const struct sysfs *fs, const char *fmt, ...)
{
	char path[SYSFS_PATH];

	MAKE_PATH(path, fmt);
	remove_at(fs->root, path);
}

void fake_driver(const struct sysfs *fs, const char *name)
{
	fake_put(fs, "", "bus/pci/drivers/%s/unbind", name);
}

void fake_bind(const struct sysfs *fs, const char *bdf, const char *driver)
{
	char target[128];

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	fake_link(fs, target, "bus/pci/devices/%s/driver", bdf);
}

void fake_device(const struct sysfs *fs, const char *bdf, int group, const char *driver)
{
	char target[128];

	fake_put(fs, "0x020000\n", "bus/pci/devices/%s/class", bdf);
	fake_put(fs, "(null)\n", "bus/pci/devices/%s/driver_override", bdf);
	fake_put(fs, driver, "bus/pci/devices/%s/matches", bdf);
	if (group >= 0) {
		snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%d", group);
		fake_link(fs, target, "bus/pci/devices/%s/iommu_group", bdf);
		snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", bdf);
		fake_link(fs, target, "kernel/iommu_groups/%d/devices/%s", group, bdf);
		fake_put(fs, "DMA-FQ\n", "kernel/iommu_groups/%d/type", group);
		fake_put(fs, "0x00000000fee00000 0x00000000feefffff msi\n",
			 "kernel/iommu_groups/%d/reserved_regions", group);
	}
	if (!*driver)
		return;
	fake_driver(fs, driver);
	fake_bind(fs, bdf, driver);
}

void fake_pf(const struct sysfs *fs, const char *bdf, const char *ifname, unsigned total)
{
	char text[16];

	fake_device(fs, bdf, 10, "igb");
	fake_put(fs, "0x8086\n", "bus/pci/devices/%s/vendor", bdf);
	fake_put(fs, "0x10c9\n", "bus/pci/devices/%s/device", bdf);
	fake_put(fs, "-1\n", "bus/pci/devices/%s/numa_node", bdf);
	snprintf(text, sizeof(text), "%u\n", total);
	fake_put(fs, text, "bus/pci/devices/%s/sriov_totalvfs", bdf);
	fake_put(fs, "0\n", "bus/pci/devices/%s/sriov_numvfs", bdf);
	fake_put(fs, "1\n", "bus/pci/devices/%s/sriov_drivers_autoprobe", bdf);
	fake_put(fs, "52:54:00:12:34:56\n", "bus/pci/devices/%s/net/%s/address", bdf, ifname);
	fake_put(fs, "1\n", "bus/pci/devices/%s/net/%s/carrier", bdf, ifname);
}
