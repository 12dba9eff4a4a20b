/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_mdev: mediated devices (Documentation/driver-api/vfio-mediated-device.rst): Intel GVT-g,
 * NVIDIA vGPU before Linux 6.8, and the kernel's samples mbochs and mdpy.
 *
 * A UUID written to a type's `create` makes one; what is left of a pool that types share shows in
 * every type's available_instances, so that is read again each time. Our UUIDs follow from GPU and
 * index: the same slice has the same after every boot. The definition is written to mdevctl's
 * folder before the device is made, and removed after it.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/backend.h"
#include "gpu/mdevctl.h"

#define MDEVS 256

static uint64_t hash(uint64_t h, const char *text)
{
	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

/* RFC 9562 section 5.8: version 8, made up by whoever uses it. */
static char *uuid_of(const struct gpu_device *dev, int index, char out[MDEV_UUID])
{
	char text[GPU_NAME + 16];

	snprintf(text, sizeof(text), "%.60s/%d", dev->name, index);
	uint64_t a = hash(UINT64_C(0xcbf29ce484222325), text), b = hash(a, "sluice");
	snprintf(out, MDEV_UUID, "%08x-%04x-8%03x-a%03x-%012llx", (unsigned)(a >> 32),
		 (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff), (unsigned)(b >> 52),
		 (unsigned long long)(b & UINT64_C(0xffffffffffff)));
	return out;
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	if (sysfs_exists(&gpu->fs, "class/mdev_bus/%s/mdev_supported_types", dev->name))
		return true;
	snprintf(why, GPU_WHY, "driver %.40s offers no mediated devices",
		 dev->driver[0] ? dev->driver : "(none)");
	return false;
}

/* ---- profiles ---- */

/* "virtual display, 4 MB video memory", "num_heads=4, framebuffer=2048M" */
static uint64_t memory_in(const char *text)
{
	for (const char *p = text; *p; p++) {
		char *end;
		if (!isdigit((unsigned char)*p))
			continue;
		uint64_t n = strtoul(p, &end, 10);
		const char *unit = *end == ' ' ? end + 1 : end;
		if (*unit == 'M' && (unit[1] == 'B' || !isalnum((unsigned char)unit[1])))
			return n << 20;
		if (*unit == 'G' && (unit[1] == 'B' || !isalnum((unsigned char)unit[1])))
			return n << 30;
		p = end - 1;
	}
	return 0;
}

struct types {
	const struct gpu *gpu;
	const struct gpu_device *dev;
	struct gpu_profile *list;
	size_t count;
};

static int add_type(const char *name, void *opaque)
{
	struct types *t = opaque;
	struct gpu_profile *grown = realloc(t->list, (t->count + 1) * sizeof(*grown));
	char text[1024] = "", words[96] = "";
	uint64_t left = 0;

	if (!grown)
		return -ENOMEM;
	t->list = grown;
	struct gpu_profile *p = &grown[t->count++];
	*p = (struct gpu_profile){0};
	snprintf(p->name, sizeof(p->name), "%s", name);
	sysfs_read(&t->gpu->fs, words, sizeof(words),
		   "class/mdev_bus/%s/mdev_supported_types/%s/name", t->dev->name, name);
	sysfs_read_text(&t->gpu->fs, text, sizeof(text),
			"class/mdev_bus/%s/mdev_supported_types/%s/description", t->dev->name,
			name);
	text[strcspn(text, "\n")] = '\0';
	snprintf(p->text, sizeof(p->text), "%s%s%.24s", words, *words && *text ? ": " : "", text);
	p->memory = memory_in(text);
	sysfs_read_u64(&t->gpu->fs, &left,
		       "class/mdev_bus/%s/mdev_supported_types/%s/available_instances",
		       t->dev->name, name);
	p->available = (int)left;
	if (!left)
		snprintf(p->why_not, sizeof(p->why_not), "its pool is used up");
	return 0;
}

static int profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count)
{
	struct types t = {.gpu = gpu, .dev = dev};
	int err = sysfs_list(&gpu->fs, add_type, &t, "class/mdev_bus/%s/mdev_supported_types",
			     dev->name);

	*out = t.list;
	*count = t.count;
	return err;
}

/* ---- what is there ---- */

struct listing {
	const struct gpu *gpu;
	const struct gpu_device *dev;
	const char *type;
	struct gpu_found *list;
	size_t count;
};

static int index_of(const struct gpu_device *dev, const char *uuid)
{
	char ours[MDEV_UUID];

	for (int i = 0; i < MDEVS; i++)
		if (!strcmp(uuid_of(dev, i, ours), uuid))
			return i;
	return -1;
}

static int add_found(struct listing *l, const char *uuid, const char *type, bool absent)
{
	struct gpu_found *grown = realloc(l->list, (l->count + 1) * sizeof(*grown));
	char dir[96];

	if (!grown)
		return -ENOMEM;
	l->list = grown;
	struct gpu_found *f = &grown[l->count++];
	*f = (struct gpu_found){.made = true, .absent = absent};
	f->slice.index = index_of(l->dev, uuid);
	f->slice.bdf = bdf_stand_in(uuid);
	f->slice.access = GPU_AS_IS;
	snprintf(f->slice.vfio, sizeof(f->slice.vfio), "%s", uuid);
	snprintf(f->slice.profile, sizeof(f->slice.profile), "%s", type);
	snprintf(dir, sizeof(dir), "bus/mdev/devices/%s", f->slice.vfio);
	f->slice.iommu_group = absent ? -1 : gpu_group(l->gpu, dir);
	return 0;
}

static int add_device(const char *uuid, void *opaque)
{
	struct listing *l = opaque;

	return strlen(uuid) == MDEV_UUID - 1 ? add_found(l, uuid, l->type, false) : 0;
}

static int add_defined(const char *uuid, const char *type, void *opaque)
{
	struct listing *l = opaque;

	for (size_t i = 0; i < l->count; i++)
		if (!strcmp(l->list[i].slice.vfio, uuid))
			return 0;
	return add_found(l, uuid, type, true);
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	struct listing l = {.gpu = gpu, .dev = dev};
	struct types t = {.gpu = gpu, .dev = dev};
	int err = profiles(gpu, dev, &t.list, &t.count);

	for (size_t i = 0; i < t.count && !err; i++) {
		size_t first = l.count;
		l.type = t.list[i].name;
		err = sysfs_list(&gpu->fs, add_device, &l,
				 "class/mdev_bus/%s/mdev_supported_types/%s/devices", dev->name,
				 l.type);
		if (err == -ENOENT)
			err = 0;
		for (size_t j = first; j < l.count; j++)
			l.list[j].slice.memory = t.list[i].memory;
	}
	if (!err)
		err = mdevctl_list(gpu, dev->name, add_defined, &l);
	free(t.list);
	*out = l.list;
	*count = l.count;
	return err;
}

/* ---- making ---- */

static bool is_there(const struct gpu *gpu, const char *uuid, char type[GPU_NAME])
{
	type[0] = '\0';
	sysfs_link_name(&gpu->fs, type, GPU_NAME, "bus/mdev/devices/%s/mdev_type", uuid);
	return sysfs_exists(&gpu->fs, "bus/mdev/devices/%s", uuid);
}

static int remove_device(const struct gpu *gpu, const struct gpu_device *dev, int index,
			 const char *uuid)
{
	char type[GPU_NAME];

	if (!is_there(gpu, uuid, type))
		return 0;
	int err = gpu_write(gpu, "1", "bus/mdev/devices/%s/remove", uuid);
	if (err == -ENOENT)
		return 0;
	return err ? log_fail(err, dev->name, "slice %d (%s) not removed: %s", index, uuid,
			      err == -EBUSY || err == -EAGAIN ? "a process has it open"
							      : strerror(-err))
		   : 0;
}

static int make_device(const struct gpu *gpu, const struct gpu_device *dev, int index,
		       const char *uuid, const char *type)
{
	char now[GPU_NAME];
	int err = gpu_write(gpu, uuid, "class/mdev_bus/%s/mdev_supported_types/%s/create",
			    dev->name, type);

	if (err == -ENOENT)
		return log_fail(err, dev->name,
				"slice %d: driver %s has no type '%s' any more; `sluice gpu show "
				"%s` lists those there are",
				index, dev->driver, type, dev->name);
	if (err == -ENOSPC || err == -EUSERS)
		return log_fail(-ENOSPC, dev->name,
				"slice %d: no more '%s': the pool that its types share is used up",
				index, type);
	if (err && err != -EEXIST)
		return log_fail(err, dev->name, "slice %d: '%s' not made: %s", index, type,
				strerror(-err));
	return is_there(gpu, uuid, now) ? 0
					: log_fail(-EIO, dev->name,
						   "slice %d: the driver took the UUID and made "
						   "nothing",
						   index);
}

static int destroy(const struct gpu *gpu, const struct gpu_device *dev, int index)
{
	char uuid[MDEV_UUID];
	int err = remove_device(gpu, dev, index, uuid_of(dev, index, uuid));

	return err ? err : mdevctl_remove(gpu, dev->name, uuid);
}

static int create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile)
{
	char uuid[MDEV_UUID], now[GPU_NAME];
	bool there = is_there(gpu, uuid_of(dev, index, uuid), now);

	if (strchr(profile, '/') || *profile == '.')
		return log_fail(-EINVAL, dev->name, "'%s' is no type", profile);
	int err = there && *now && strcmp(now, profile) ? remove_device(gpu, dev, index, uuid) : 0;
	if (err || (there && (!*now || !strcmp(now, profile))))
		return err ? err : mdevctl_put(gpu, dev->name, uuid, profile);
	err = mdevctl_put(gpu, dev->name, uuid, profile);
	return err ? err : make_device(gpu, dev, index, uuid, profile);
}

/* The first index whose UUID leads to a stand-in address that no other mediated device has. */
static int place(const struct gpu *gpu, const struct gpu_device *dev, const char *profile)
{
	struct gpu_found *found = NULL;
	char uuid[MDEV_UUID];
	size_t count = 0;
	int err = query(gpu, dev, &found, &count), at = err ? err : -ENOSPC;

	(void)profile;
	for (int i = 0; i < MDEVS && at == -ENOSPC; i++) {
		struct bdf bdf = bdf_stand_in(uuid_of(dev, i, uuid));
		bool free_one = true;
		for (size_t f = 0; f < count; f++)
			free_one &= !bdf_equal(found[f].slice.bdf, bdf);
		if (free_one)
			at = i;
	}
	free(found);
	return at;
}

static int no_set(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const struct gpu_setting *setting, const char *value)
{
	(void)gpu, (void)value;
	return log_fail(-EOPNOTSUPP, dev->name,
			"slice %d: a mediated device has no %s beside its type", index,
			setting->name);
}

/* Made anew: whatever its last guest drew is gone with the old one. */
static int reset(const struct gpu *gpu, const struct gpu_device *dev, const struct gpu_slice *slice,
		 enum gpu_scrub *scrub, char words[GPU_WHY])
{
	int err = remove_device(gpu, dev, slice->index, slice->vfio);

	*scrub = GPU_SCRUB_US;
	snprintf(words, GPU_WHY, "removed and made anew, with memory that the driver has cleared");
	return err ? err : make_device(gpu, dev, slice->index, slice->vfio, slice->profile);
}

const struct gpu_backend gpu_back_mdev = {
	.name = "mdev",
	.mode = GPU_MDEV,
	.can = GPU_CAN_MIX | GPU_CAN_RESET,
	.discover = discover,
	.profiles = profiles,
	.query = query,
	.create = create,
	.destroy = destroy,
	.set = no_set,
	.place = place,
	.reset = reset,
};
