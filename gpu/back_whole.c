/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_whole: a GPU as one slice. The host lets go of it first: of the console that it draws on a
 * framebuffer which firmware has left in the card's memory (efifb, simple-framebuffer), and of the
 * text consoles on it (Documentation/fb/fbcon.rst, /sys/class/vtconsole); then vfio-pci takes the
 * function, and the card's audio function goes along.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "gpu/backend.h"
#include "iommu/iommu.h"

#define BOCHS_VENDOR 0x1234 /* QEMU's and Bochs' display: BAR 0 is all of its memory */

/* Whoever else is in the group must not be the host's; bridges and the card's audio are all right.
 */
static bool group_is_ours(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	struct iommu_group *group = NULL;
	bool ours = true;
	char name[BDF_TEXT];

	if (iommu_group_read(&gpu->fs, dev->bdf, &group)) {
		snprintf(why, GPU_WHY, "its IOMMU group %d cannot be read", dev->iommu_group);
		return false;
	}
	for (size_t i = 0; i < group->count && ours; i++) {
		const struct iommu_member *m = &group->members[i];
		bdf_format(m->bdf, name);
		ours = m->state != IOMMU_MEMBER_HOST || bdf_equal(m->bdf, dev->bdf) ||
		       !strcmp(name, dev->audio);
		if (!ours)
			snprintf(why, GPU_WHY,
				 "it shares IOMMU group %d with %s, which the host uses (driver "
				 "%.32s)",
				 dev->iommu_group, name, m->driver);
	}
	free(group);
	return ours;
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	uint64_t vfs = 0;

	sysfs_read_u64(&gpu->fs, &vfs, "bus/pci/devices/%s/sriov_numvfs", dev->name);
	if (bdf_is_stand_in(dev->bdf))
		snprintf(why, GPU_WHY, "it is no PCI function");
	else if (dev->iommu_group < 0)
		snprintf(why, GPU_WHY, "it has no IOMMU group: the IOMMU is absent or off");
	else if (vfs)
		snprintf(why, GPU_WHY, "it has %u VFs, which would go with it", (unsigned)vfs);
	else
		return group_is_ours(gpu, dev, why);
	return false;
}

static int profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count)
{
	struct gpu_profile *p = calloc(1, sizeof(*p));

	(void)gpu;
	if (!p)
		return -ENOMEM;
	snprintf(p->name, sizeof(p->name), "whole");
	snprintf(p->text, sizeof(p->text), "all of it");
	p->memory = dev->vram;
	p->share = 100;
	p->available = -1;
	*out = p;
	*count = 1;
	return 0;
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	struct gpu_found *f = calloc(1, sizeof(*f));

	(void)gpu;
	if (!f)
		return -ENOMEM;
	f->slice.bdf = dev->bdf;
	f->slice.access = GPU_AS_DEVICE;
	f->slice.memory = dev->vram;
	f->slice.share = 100;
	f->slice.iommu_group = dev->iommu_group;
	memcpy(f->slice.profile, "whole", 6);
	memcpy(f->slice.vfio, dev->name, sizeof(f->slice.vfio));
	*out = f;
	*count = 1;
	return 0;
}

/* ---- the console ---- */

struct console {
	const struct gpu *gpu;
	const char *dev, *bind; /* "0" or "1" */
	int err;
};

static int switch_vt(const char *name, void *opaque)
{
	struct console *c = opaque;
	char text[64];

	if (sysfs_read(&c->gpu->fs, text, sizeof(text), "class/vtconsole/%s/name", name) ||
	    !strstr(text, "frame buffer") ||
	    sysfs_read(&c->gpu->fs, text, sizeof(text), "class/vtconsole/%s/bind", name) ||
	    !strcmp(text, c->bind))
		return 0;
	c->err = gpu_write(c->gpu, c->bind, "class/vtconsole/%s/bind", name);
	return c->err;
}

static const char *const framebuffers[][2] = {
	{"efi-framebuffer", "efi-framebuffer.0"},
	{"simple-framebuffer", "simple-framebuffer.0"},
	{"vesa-framebuffer", "vesa-framebuffer.0"},
};

static int switch_firmware(struct console *c, bool release)
{
	for (size_t i = 0; i < ARRAY_SIZE(framebuffers); i++) {
		const char *driver = framebuffers[i][0], *device = framebuffers[i][1];
		bool bound =
			sysfs_exists(&c->gpu->fs, "bus/platform/drivers/%s/%s", driver, device);
		bool there = sysfs_exists(&c->gpu->fs, "bus/platform/devices/%s", device) &&
			     sysfs_exists(&c->gpu->fs, "bus/platform/drivers/%s", driver);
		if (!there || bound != release)
			continue;
		int err = gpu_write(c->gpu, device, "bus/platform/drivers/%s/%s", driver,
				    release ? "unbind" : "bind");
		if (err)
			return log_fail(err, c->dev, "%s %s %s: %s", driver,
					release ? "not taken from" : "not given back to", device,
					strerror(-err));
	}
	return 0;
}

static int switch_console(const struct gpu *gpu, const struct gpu_device *dev, bool release)
{
	struct console c = {.gpu = gpu, .dev = dev->name, .bind = release ? "0" : "1"};

	if (!dev->console)
		return 0;
	int err = release ? 0 : switch_firmware(&c, false);
	if (!err) {
		sysfs_list(&gpu->fs, switch_vt, &c, "class/vtconsole");
		err = c.err ? log_fail(c.err, dev->name, "the text console stays on it: %s",
				       strerror(-c.err))
			    : 0;
	}
	return err || !release ? err : switch_firmware(&c, true);
}

static int create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile)
{
	if (index || strcmp(profile, "whole"))
		return log_fail(-EINVAL, dev->name, "all of it is one slice, 0, 'whole'");
	return switch_console(gpu, dev, true);
}

static int destroy(const struct gpu *gpu, const struct gpu_device *dev, int index)
{
	(void)index;
	return switch_console(gpu, dev, false);
}

static int no_set(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const struct gpu_setting *setting, const char *value)
{
	(void)gpu, (void)index, (void)value;
	return log_fail(-EOPNOTSUPP, dev->name, "all of it has no %s to set", setting->name);
}

/* ---- between owners ---- */

static const struct gpu_bar *memory_bar(const struct gpu_device *dev)
{
	for (size_t i = 0; i < dev->bar_count; i++) {
		const struct gpu_bar *bar = &dev->bars[i];
		bool all = dev->vendor == BOCHS_VENDOR || dev->vram_told;
		if (bar->prefetchable && all && bar->size >= dev->vram)
			return bar;
	}
	return NULL;
}

/* Zeros, through the BAR. The function must decode its memory for that, and no driver be at it. */
static int clear_memory(const struct gpu *gpu, const struct gpu_device *dev,
			const struct gpu_bar *bar)
{
	char path[SYSFS_PATH];
	int err = gpu_write(gpu, "1", "bus/pci/devices/%s/enable", dev->name);

	if (err)
		return err;
	snprintf(path, sizeof(path), "bus/pci/devices/%s/resource%u", dev->name, bar->index);
	int fd = openat(gpu->fs.root, path, O_RDWR | O_CLOEXEC);
	void *at = fd < 0 ? MAP_FAILED
			  : mmap(NULL, dev->vram, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = at == MAP_FAILED ? -errno : 0;
	if (!err) {
		volatile uint64_t *word = at;
		for (uint64_t i = 0; i < dev->vram / sizeof(*word); i++)
			word[i] = 0;
		munmap(at, dev->vram);
	}
	io_close(&fd);
	gpu_write(gpu, "0", "bus/pci/devices/%s/enable", dev->name);
	return err;
}

static int reset(const struct gpu *gpu, const struct gpu_device *dev, const struct gpu_slice *slice,
		 enum gpu_scrub *scrub, char words[GPU_WHY])
{
	const struct gpu_bar *bar = memory_bar(dev);
	int err = 0;

	(void)slice;
	*scrub = GPU_SCRUB_NONE;
	snprintf(words, GPU_WHY,
		 "it has no reset, and not all its memory can be reached: what its "
		 "last VM left stays in it");
	if (dev->resets[0]) {
		err = gpu_write(gpu, "1", "bus/pci/devices/%s/reset", dev->name);
		*scrub = err ? GPU_SCRUB_NONE : GPU_SCRUB_HARDWARE;
		snprintf(words, GPU_WHY, "reset (%.60s)", dev->resets);
	} else if (bar && !dev->driver[0]) {
		err = clear_memory(gpu, dev, bar);
		*scrub = err ? GPU_SCRUB_NONE : GPU_SCRUB_US;
		snprintf(words, GPU_WHY,
			 "it has no reset; its memory was filled with zeros through "
			 "BAR %u",
			 bar->index);
	} else if (dev->vendor == BOCHS_VENDOR) {
		*scrub = GPU_SCRUB_US;
		snprintf(words, GPU_WHY,
			 "it has no reset; the VM's process fills its memory with zeros when it "
			 "opens it and when it closes it");
	}
	return err ? log_fail(err, dev->name, "not cleared: %s", strerror(-err)) : 0;
}

const struct gpu_backend gpu_back_whole = {
	.name = "whole",
	.mode = GPU_WHOLE,
	.can = GPU_CAN_RESET,
	.places = true,
	.discover = discover,
	.profiles = profiles,
	.query = query,
	.create = create,
	.destroy = destroy,
	.set = no_set,
	.reset = reset,
};
