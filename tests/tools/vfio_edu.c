/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio_edu: a domain on the kernel's own backends and QEMU's teaching device, on the emulated host.
 * Speaks TAP.
 *
 *     vfio_edu BDF [BACKEND]    the device is on vfio-pci; BACKEND is what iommu_open must have
 * chosen
 *
 * What is mapped is what the device reaches: memory that is there from the start, memory that comes
 * and goes while the device runs (hot plug), and not what was taken away. And what the kernel tells
 * along the way: map entries left, written pages. The device is described in edu.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "iommu/iommu.h"

#define DMA_SRC 0x80
#define DMA_DST 0x88
#define DMA_LEN 0x90
#define DMA_CMD 0x98
#define START	1u
#define TO_RAM	2u
#define BUFFER	0x40000u
#define LENGTH	256u

#define RAM	 (8 * MIB) /* each piece */
#define IOVA_RAM 0u
#define IOVA_HOT (64 * MIB)
#define RW	 (IOMMU_READ | IOMMU_WRITE)

struct rig {
	struct iommu_domain *domain;
	int device;
	char *ram, *hot;
	char *bar;
	size_t bar_size;
	int failed;
};

static void say(struct rig *rig, bool good, const char *fmt, ...)
{
	va_list args;

	printf("%s - ", good ? "ok" : "not ok");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	rig->failed |= !good;
}

static void must(int err, const char *what)
{
	if (err >= 0)
		return;
	printf("not ok - %s: %s\n", what, strerror(-err));
	exit(1);
}

/* ---- the device ---- */

static struct vfio_region_info region_of(const struct rig *rig, uint32_t index)
{
	struct vfio_region_info region = {.argsz = sizeof(region), .index = index};

	must(ioctl(rig->device, VFIO_DEVICE_GET_REGION_INFO, &region) < 0 ? -errno : 0, "region");
	return region;
}

static void device_open(struct rig *rig)
{
	struct vfio_region_info config = region_of(rig, VFIO_PCI_CONFIG_REGION_INDEX);
	struct vfio_region_info bar = region_of(rig, VFIO_PCI_BAR0_REGION_INDEX);
	uint16_t command;

	must(io_pread_full(rig->device, &command, 2, (off_t)config.offset + 4), "command");
	command |= 6; /* memory space, bus master */
	must(pwrite(rig->device, &command, 2, (off_t)config.offset + 4) == 2 ? 0 : -EIO, "command");
	rig->bar = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, rig->device,
			(off_t)bar.offset);
	rig->bar_size = bar.size;
	must(rig->bar == MAP_FAILED ? -errno : 0, "BAR 0");
}

static volatile uint64_t *reg_at(struct rig *rig, unsigned reg)
{
	return (volatile uint64_t *)(volatile void *)(rig->bar + reg);
}

static void dma(struct rig *rig, uint64_t iova, unsigned direction)
{
	unsigned rounds = 2000;

	*reg_at(rig, DMA_SRC) = direction & TO_RAM ? BUFFER : iova;
	*reg_at(rig, DMA_DST) = direction & TO_RAM ? iova : BUFFER;
	*reg_at(rig, DMA_LEN) = LENGTH;
	*reg_at(rig, DMA_CMD) = direction | START;
	while (*reg_at(rig, DMA_CMD) & START && rounds--)
		usleep(10000);
	must(*reg_at(rig, DMA_CMD) & START ? -ETIMEDOUT : 0, "the device is through");
}

static bool all_of(const char *at, char value)
{
	for (unsigned i = 0; i < LENGTH; i++)
		if (at[i] != value)
			return false;
	return true;
}

/* The device copies from one address to the other. */
static bool copies(struct rig *rig, uint64_t from, char *from_at, uint64_t to, char *to_at,
		   char value)
{
	memset(from_at, value, LENGTH);
	memset(to_at, 0, LENGTH);
	dma(rig, from, 0);
	dma(rig, to, TO_RAM);
	return all_of(to_at, value);
}

/* ---- checks ---- */

static uint32_t maps_left(struct rig *rig)
{
	struct iommu_info info;

	must(iommu_domain_info(rig->domain, &info), "info");
	return info.maps_left;
}

static void map_checks(struct rig *rig)
{
	uint32_t left = maps_left(rig);

	must(iommu_map(rig->domain, IOVA_RAM, RAM, rig->ram, RW), "map");
	must(iommu_map(rig->domain, IOVA_RAM, RAM, rig->ram, RW), "the very same map again");
	say(rig, left == UINT32_MAX || maps_left(rig) == left - 1,
	    "%" PRIu32 " map entries left; two equal maps take one", maps_left(rig));
	say(rig, iommu_map(rig->domain, IOVA_RAM + 4096, 4096, rig->hot, RW) == -EEXIST,
	    "another map over it is refused");
	say(rig, iommu_map(rig->domain, 0xfee00000, 4096, rig->hot, RW) == -EINVAL,
	    "so is one where interrupts are sent");
	say(rig, copies(rig, IOVA_RAM, rig->ram, IOVA_RAM + 0x123000, rig->ram + 0x123000, 0x5a),
	    "the device reaches what is mapped");
}

/* Memory that comes while the device runs, goes, and comes back with other pages. */
static void plug_checks(struct rig *rig)
{
	uint32_t left = maps_left(rig);

	for (int round = 0; round < 10; round++) {
		char *at = rig->hot + (round & 1 ? RAM / 2 : 0);
		must(iommu_map(rig->domain, IOVA_HOT, RAM / 2, at, RW), "plug");
		if (!copies(rig, IOVA_RAM, rig->ram, IOVA_HOT + 0x3000, at + 0x3000,
			    (char)(round + 1)))
			say(rig, false, "round %d: plugged memory is not reached", round);
		must(iommu_unmap(rig->domain, IOVA_HOT, RAM / 2), "unplug");
		memset(at + 0x3000, 0x22, LENGTH);
		dma(rig, IOVA_HOT + 0x3000, TO_RAM);
		if (!all_of(at + 0x3000, 0x22))
			say(rig, false, "round %d: unplugged memory is reached", round);
	}
	say(rig, maps_left(rig) == left, "after ten rounds of plug and unplug, no entry is lost");
	say(rig, iommu_unmap(rig->domain, IOVA_HOT, RAM / 2) == -ENOENT,
	    "what is gone cannot be unmapped");
}

/* Without help of the hardware, written is what is pinned: all of it. */
static void dirty_checks(struct rig *rig)
{
	uint64_t bits[RAM / 4096 / 64] = {0}, pages = 0;
	int err = iommu_dirty_start(rig->domain);

	if (err == -EOPNOTSUPP) {
		printf("ok - written pages # SKIP %s cannot tell them\n",
		       iommu_domain_backend(rig->domain));
		return;
	}
	must(err, "dirty pages are tracked");
	dma(rig, IOVA_RAM + 0x5000, TO_RAM);
	must(iommu_dirty_read(rig->domain, IOVA_RAM, RAM, bits), "dirty pages are read");
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++)
		pages += (uint64_t)__builtin_popcountll(bits[i]);
	say(rig, bits[0] & 1 << 5, "a page that the device wrote is told");
	say(rig, pages == RAM / 4096, "as are all that it could have written");
	must(iommu_dirty_stop(rig->domain), "dirty pages are tracked no more");
	say(rig, iommu_dirty_read(rig->domain, IOVA_RAM, RAM, bits) == -EINVAL,
	    "nothing is told after that");
}

int main(int argc, char **argv)
{
	struct iommu_group *group;
	struct rig rig = {0};
	struct sysfs fs;
	struct bdf bdf;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || bdf_parse(argv[1], &bdf) < 0)
		return 2;
	must(sysfs_open(&fs, "/sys"), "/sys");
	must(iommu_group_read(&fs, bdf, &group), "its group");
	int container = iommu_open("test"), file = iommu_open_group("test", group->id);
	must(container < 0 ? container : file, "its files");
	must(iommu_domain_create(container, &rig.domain), "a domain");
	must(iommu_domain_attach(rig.domain, file, argv[1]), "attach");
	const char *backend = iommu_domain_backend(rig.domain);
	say(&rig, argc < 3 || !strcmp(backend, argv[2]), "the backend is %s", backend);
	rig.device = iommu_device_open(rig.domain, file, argv[1]);
	must(rig.device, "the device");
	rig.ram = mmap(NULL, 2 * RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(rig.ram == MAP_FAILED ? -errno : 0, "memory");
	rig.hot = rig.ram + RAM;
	device_open(&rig);
	map_checks(&rig);
	plug_checks(&rig);
	dirty_checks(&rig);
	munmap(rig.bar, rig.bar_size);
	close(rig.device);
	iommu_domain_destroy(rig.domain);
	return rig.failed;
}
