/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group: which functions the IOMMU cannot tell apart, as the kernel shows them in sysfs.
 *
 * Membership is what the kernel decided (from ACS, quirks and topology), so it is read and never
 * worked out again. Documentation/ABI/testing/sysfs-kernel-iommu_groups.
 */
#include "iommu/iommu.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"

#define RESERVED_MAX 65536 /* bytes of text; sysfs gives at most a page */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* Drivers that leave DMA to user space (driver_managed_dma in the kernel): vfio-pci, its variants
 * (mlx5_vfio_pci, xe-vfio-pci, ...), pci-stub, and pcieport for bridges. */
static enum iommu_member_state member_state(const char *driver)
{
	if (!*driver)
		return IOMMU_MEMBER_FREE;
	if (ends_with(driver, "vfio-pci") || ends_with(driver, "vfio_pci") ||
	    !strcmp(driver, "pci-stub"))
		return IOMMU_MEMBER_VFIO;
	return strcmp(driver, "pcieport") ? IOMMU_MEMBER_HOST : IOMMU_MEMBER_BRIDGE;
}

struct filling {
	const struct sysfs *fs;
	struct iommu_group *group;
};

static int add_member(const char *name, void *opaque)
{
	struct filling *f = opaque;
	struct iommu_group *group = f->group;
	struct iommu_member member = {0};

	if (bdf_parse(name, &member.bdf) < 0)
		return log_fail(-ENOTSUP, name,
				"in IOMMU group %d but no PCI function; sluice cannot check it",
				group->id);
	int err = sysfs_link_name(f->fs, member.driver, sizeof(member.driver),
				  "bus/pci/devices/%s/driver", name);
	if (err && err != -ENOENT)
		return log_fail(err, name, "driver not read: %s", strerror(-err));
	member.state = member_state(member.driver);
	struct iommu_group *grown =
		realloc(group, sizeof(*group) + (group->count + 1) * sizeof(member));
	if (!grown)
		return -ENOMEM;
	grown->members[grown->count++] = member;
	f->group = grown;
	return 0;
}

static int by_address(const void *a, const void *b)
{
	return bdf_compare(((const struct iommu_member *)a)->bdf,
			   ((const struct iommu_member *)b)->bdf);
}

static int group_number(const struct sysfs *fs, const char *dev, int *out)
{
	char text[16];
	uint32_t id;

	if (!sysfs_exists(fs, "bus/pci/devices/%s", dev))
		return log_fail(-ENODEV, dev, "no such PCI device");
	int err = sysfs_link_name(fs, text, sizeof(text), "bus/pci/devices/%s/iommu_group", dev);
	if (err == -ENOENT)
		return log_fail(err, dev,
				"no IOMMU group: the IOMMU is absent or off; enable VT-d or AMD-Vi "
				"in the firmware and boot with intel_iommu=on (AMD: amd_iommu=on)");
	if (!err)
		err = parse_u32(text, 0, INT32_MAX, &id);
	if (err)
		return log_fail(err, dev, "IOMMU group not read: %s", strerror(-err));
	*out = (int)id;
	return 0;
}

int iommu_group_read(const struct sysfs *fs, struct bdf bdf, struct iommu_group **out)
{
	char dev[BDF_TEXT];
	struct filling f = {.fs = fs};
	int id = -1, err = group_number(fs, bdf_format(bdf, dev), &id);

	if (err)
		return err;
	f.group = calloc(1, sizeof(*f.group));
	if (!f.group)
		return -ENOMEM;
	f.group->id = id;
	/* Kernels before 4.x have no `type`; it is only shown. */
	if (sysfs_read(fs, f.group->type, sizeof(f.group->type), "kernel/iommu_groups/%d/type", id))
		f.group->type[0] = '\0';
	err = sysfs_list(fs, add_member, &f, "kernel/iommu_groups/%d/devices", id);
	if (err) {
		free(f.group);
		return err;
	}
	qsort(f.group->members, f.group->count, sizeof(f.group->members[0]), by_address);
	*out = f.group;
	return 0;
}

const struct iommu_member *iommu_group_blocker(const struct iommu_group *group, struct bdf except)
{
	for (size_t i = 0; i < group->count; i++)
		if (group->members[i].state == IOMMU_MEMBER_HOST &&
		    !bdf_equal(group->members[i].bdf, except))
			return &group->members[i];
	return NULL;
}

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct iommu_reserved *)a)->range.start;
	uint64_t y = ((const struct iommu_reserved *)b)->range.start;

	return (x > y) - (x < y);
}

/* Lines "0x00000000fee00000 0x00000000feefffff msi". */
static int parse_reserved(char *text, struct iommu_reserved *out, size_t *count)
{
	char *save = NULL;

	*count = 0;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct iommu_reserved r;
		if (sscanf(line, "0x%" SCNx64 " 0x%" SCNx64 " %23s", &r.range.start, &r.range.last,
			   r.type) != 3 ||
		    r.range.last < r.range.start)
			return -EINVAL;
		out[(*count)++] = r;
	}
	qsort(out, *count, sizeof(*out), by_start);
	return 0;
}

int iommu_group_reserved(const struct sysfs *fs, int group, struct iommu_reserved **out,
			 size_t *count)
{
	char path[64], subject[32], *text;
	size_t len, lines = 1;

	snprintf(subject, sizeof(subject), "iommu group %d", group);
	snprintf(path, sizeof(path), "kernel/iommu_groups/%d/reserved_regions", group);
	int fd = openat(fs->root, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return log_fail(-errno, subject, "reserved regions not read: %m");
	int err = io_read_file(fd, RESERVED_MAX, &text, &len);
	io_close(&fd);
	if (err)
		return log_fail(err, subject, "reserved regions not read: %s", strerror(-err));
	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	*out = calloc(lines, sizeof(**out));
	err = *out ? parse_reserved(text, *out, count) : -ENOMEM;
	free(text);
	if (err) {
		free(*out);
		return log_fail(err, subject, "reserved regions not understood");
	}
	return 0;
}
