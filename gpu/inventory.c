/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inventory: which GPUs there are, and what is known of each.
 *
 * By class code (PCI Code and ID Assignment 1.15: base class 03h display controllers, 12h
 * processing accelerators); VFs are parts of another. A parent in /sys/class/mdev_bus without an
 * address is a software device, such as the kernel's samples
 * (Documentation/driver-api/vfio-mediated-device.rst).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/backend.h"

const char *gpu_mode_name(enum gpu_mode mode)
{
	static const char *const names[] = {"whole", "vf", "mdev", "mig"};

	return names[mode];
}

/* ---- one function ---- */

static uint64_t number(const struct gpu *gpu, const char *dev, const char *file)
{
	uint64_t value = 0;

	sysfs_read_u64(&gpu->fs, &value, "bus/pci/devices/%s/%s", dev, file);
	return value;
}

/* Lines "START END FLAGS" (Documentation/ABI/testing/sysfs-bus-pci, linux/ioport.h). */
#define RESOURCE_MEM	  0x200u
#define RESOURCE_PREFETCH 0x2000u
#define RESOURCE_64	  0x100000u

static void read_bars(const struct gpu *gpu, const char *dev, struct gpu_device *out)
{
	char text[2048], *save = NULL;
	unsigned index = 0;

	if (sysfs_read_text(&gpu->fs, text, sizeof(text), "bus/pci/devices/%s/resource", dev))
		return;
	for (char *line = strtok_r(text, "\n", &save); line && index < 6;
	     line = strtok_r(NULL, "\n", &save), index++) {
		uint64_t start, end, flags;
		if (sscanf(line, "0x%" SCNx64 " 0x%" SCNx64 " 0x%" SCNx64, &start, &end, &flags) !=
			    3 ||
		    !(flags & RESOURCE_MEM) || end <= start)
			continue;
		struct gpu_bar *bar = &out->bars[out->bar_count++];
		*bar = (struct gpu_bar){index, end - start + 1, flags & RESOURCE_64,
					flags & RESOURCE_PREFETCH};
		if (bar->prefetchable && bar->size > out->vram)
			out->vram = bar->size;
	}
}

/* amdgpu and xe tell; a BAR may be only a window. */
static void read_vram(const struct gpu *gpu, const char *dev, struct gpu_device *out)
{
	uint64_t bytes = number(gpu, dev, "mem_info_vram_total");

	if (!bytes)
		bytes = number(gpu, dev, "tile0/physical_vram_size_bytes");
	if (!bytes)
		return;
	out->vram = bytes;
	out->vram_told = true;
}

/* The HDMI audio of a graphics card is a function beside it (class 0403h). */
static void read_audio(const struct gpu *gpu, struct bdf bdf, char audio[BDF_TEXT])
{
	for (uint8_t fn = 0; fn < 8; fn++) {
		struct bdf other = {bdf.domain, bdf.bus, bdf.dev, fn};
		char dev[BDF_TEXT];
		if (fn != bdf.fn && (number(gpu, bdf_format(other, dev), "class") >> 8) == 0x0403)
			strcpy(audio, dev);
	}
}

/* The kernel's console on a framebuffer that is this card's: firmware's (boot_vga), or its own. */
static bool has_console(const struct gpu *gpu, const char *dev)
{
	return number(gpu, dev, "boot_vga") == 1;
}

static bool is_gpu(const struct gpu *gpu, const char *dev, uint32_t *class)
{
	*class = (uint32_t)number(gpu, dev, "class");
	uint32_t base = *class >> 16, sub = *class >> 8;
	bool display = sub == 0x0300 || sub == 0x0302 || sub == 0x0380;

	return (display || (base == 0x12 && sub == 0x1200)) &&
	       !sysfs_exists(&gpu->fs, "bus/pci/devices/%s/physfn", dev);
}

int gpu_read(const struct gpu *gpu, struct bdf bdf, struct gpu_device *out)
{
	char dev[BDF_TEXT], dir[64], text[96];

	*out = (struct gpu_device){.bdf = bdf, .numa_node = -1, .iommu_group = -1};
	if (!is_gpu(gpu, bdf_format(bdf, dev), &out->class))
		return -ENODEV;
	snprintf(out->name, sizeof(out->name), "%s", dev);
	out->vendor = (uint16_t)number(gpu, dev, "vendor");
	out->device_id = (uint16_t)number(gpu, dev, "device");
	sysfs_link_name(&gpu->fs, out->driver, sizeof(out->driver), "bus/pci/devices/%s/driver",
			dev);
	snprintf(dir, sizeof(dir), "bus/pci/devices/%s", dev);
	out->iommu_group = gpu_group(gpu, dir);
	if (!sysfs_read(&gpu->fs, text, sizeof(text), "bus/pci/devices/%s/numa_node", dev))
		out->numa_node = (int)strtol(text, NULL, 10);
	if (sysfs_read(&gpu->fs, out->resets, sizeof(out->resets),
		       "bus/pci/devices/%s/reset_method", dev))
		out->resets[0] = '\0';
	read_bars(gpu, dev, out);
	read_vram(gpu, dev, out);
	read_audio(gpu, bdf, out->audio);
	out->console = has_console(gpu, dev);
	sriov_device_words(gpu->sriov, out->vendor, out->device_id, out->device);
	gpu_backends_ask(gpu, out);
	return 0;
}

int gpu_read_named(const struct gpu *gpu, const char *name, struct gpu_device *out)
{
	*out = (struct gpu_device){.bdf = bdf_stand_in(name), .numa_node = -1, .iommu_group = -1};
	if (strlen(name) >= sizeof(out->name) || strchr(name, '/') || *name == '.' || !*name ||
	    !sysfs_exists(&gpu->fs, "class/mdev_bus/%s/mdev_supported_types", name))
		return -ENODEV;
	snprintf(out->name, sizeof(out->name), "%s", name);
	snprintf(out->device, sizeof(out->device), "software device");
	sysfs_link_name(&gpu->fs, out->driver, sizeof(out->driver), "class/mdev_bus/%s/driver",
			name);
	gpu_backends_ask(gpu, out);
	return 0;
}

/* ---- all ---- */

struct listing {
	struct gpu *gpu;
	struct gpu_device *list;
	size_t count;
	struct bdf wanted;
};

static int add(struct listing *l, const struct gpu_device *device)
{
	struct gpu_device *grown = realloc(l->list, (l->count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	l->list = grown;
	l->list[l->count++] = *device;
	return 0;
}

static int add_function(const char *name, void *opaque)
{
	struct listing *l = opaque;
	struct gpu_device device;
	struct bdf bdf;

	if (bdf_parse(name, &bdf) || gpu_read(l->gpu, bdf, &device))
		return 0;
	return add(l, &device);
}

static int add_parent(const char *name, void *opaque)
{
	struct listing *l = opaque;
	struct gpu_device device;
	struct bdf bdf;

	if (!bdf_parse(name, &bdf) || gpu_read_named(l->gpu, name, &device))
		return 0;
	return add(l, &device);
}

static void add_owners(struct gpu *gpu, struct gpu_device *list, size_t count)
{
	struct sriov_claim *claims = NULL;
	size_t n = 0;

	if (sriov_claims(gpu->sriov, &claims, &n))
		return;
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < n; c++)
			if (bdf_equal(claims[c].bdf, list[i].bdf))
				memcpy(list[i].claimed, claims[c].owner, sizeof(list[i].claimed));
	free(claims);
}

int gpu_list(struct gpu *gpu, struct gpu_device **out, size_t *count)
{
	struct listing l = {.gpu = gpu};
	int err = sysfs_list(&gpu->fs, add_function, &l, "bus/pci/devices");

	if (err == -ENOENT)
		err = 0;
	if (!err)
		err = sysfs_list(&gpu->fs, add_parent, &l, "class/mdev_bus");
	if (err && err != -ENOENT) {
		free(l.list);
		return log_fail(err, "gpu", "not listed: %s", strerror(-err));
	}
	add_owners(gpu, l.list, l.count);
	*out = l.list;
	*count = l.count;
	return 0;
}

static int match_parent(const char *name, void *opaque)
{
	struct listing *l = opaque;
	struct gpu_device device;

	if (!bdf_equal(bdf_stand_in(name), l->wanted) || gpu_read_named(l->gpu, name, &device))
		return 0;
	int err = add(l, &device);
	return err ? err : 1;
}

int gpu_read_any(const struct gpu *gpu, struct bdf bdf, struct gpu_device *out)
{
	struct listing l = {.gpu = (struct gpu *)(uintptr_t)gpu, .wanted = bdf};

	if (!bdf_is_stand_in(bdf))
		return gpu_read(gpu, bdf, out);
	int found = sysfs_list(&gpu->fs, match_parent, &l, "class/mdev_bus");
	if (found == 1)
		*out = l.list[0];
	free(l.list);
	return found == 1 ? 0 : -ENODEV;
}

static int tell_unknown(struct gpu *gpu, const char *name)
{
	struct gpu_device *list = NULL;
	char text[512] = "";
	size_t count = 0, used = 0;

	if (gpu_list(gpu, &list, &count))
		return -ENODEV;
	for (size_t i = 0; i < count && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
					 list[i].name);
	free(list);
	return log_fail(-ENODEV, name, "no such GPU; there %s %s", count == 1 ? "is" : "are",
			count ? text : "none");
}

int gpu_find(struct gpu *gpu, const char *name, struct gpu_device *out)
{
	struct bdf bdf;
	int err = bdf_parse(name, &bdf) ? gpu_read_named(gpu, name, out) : gpu_read(gpu, bdf, out);

	if (err)
		return tell_unknown(gpu, name);
	add_owners(gpu, out, 1);
	return 0;
}
