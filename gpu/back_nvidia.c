/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_nvidia: NVIDIA vGPUs on VFs, as its driver has them since vGPU 17 on Linux 6.8.
 *
 * A VF stays with the driver nvidia, which serves VFIO itself, and has a directory nvidia/:
 * creatable_vgpu_types (lines "1428 : NVIDIA H200X-141C"), current_vgpu_type (0: none; write a
 * type's number to make one, 0 to remove it), gpu_instance_id, placement_id, vgpu_params
 * (vgpu-device-manager, kubevirt-gpu-device-plugin). What can be made depends on what its siblings
 * are, so it is read again for every vGPU.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/backend.h"

#define TYPES 16384 /* bytes of creatable_vgpu_types */
#define GIB   (UINT64_C(1) << 30)

static bool vf_dir(const struct gpu *gpu, const struct gpu_device *dev, int index, char dir[96])
{
	char vf[32];

	if (sysfs_link_name(&gpu->fs, vf, sizeof(vf), "bus/pci/devices/%s/virtfn%d", dev->name,
			    index))
		return false;
	snprintf(dir, 96, "bus/pci/devices/%s/nvidia", vf);
	return sysfs_exists(&gpu->fs, "%s/current_vgpu_type", dir);
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	char dir[96];

	if (strcmp(dev->driver, "nvidia") != 0)
		return false;
	if (!gpu_vf_discover(gpu, dev, why)) {
		snprintf(why, GPU_WHY,
			 "it has no VFs yet; `/usr/lib/nvidia/sriov-manage -e %.20s` makes them",
			 dev->name);
		return false;
	}
	return vf_dir(gpu, dev, 0, dir);
}

/* "NVIDIA A40-8Q": 8 GiB. */
static uint64_t memory_of(const char *name)
{
	const char *dash = strrchr(name, '-');
	unsigned long gib = dash ? strtoul(dash + 1, NULL, 10) : 0;

	return gib * GIB;
}

static int add_type(const char *line, struct gpu_profile **out, size_t *count)
{
	struct gpu_profile *grown = realloc(*out, (*count + 1) * sizeof(*grown));
	unsigned id;
	char name[96];

	if (!grown)
		return -ENOMEM;
	*out = grown;
	if (sscanf(line, " %u : %95[^\n]", &id, name) != 2)
		return 0;
	struct gpu_profile *p = &grown[(*count)++];
	*p = (struct gpu_profile){.available = -1, .memory = memory_of(name)};
	snprintf(p->name, sizeof(p->name), "%u", id);
	snprintf(p->text, sizeof(p->text), "%s", name);
	return 0;
}

/* Those of one VF without a vGPU; they are the same for each. */
static int read_types(const struct gpu *gpu, const char *dir, struct gpu_profile **out,
		      size_t *count)
{
	char *text = malloc(TYPES), *save = NULL;
	int err = text ? sysfs_read_text(&gpu->fs, text, TYPES, "%s/creatable_vgpu_types", dir)
		       : -ENOMEM;

	for (char *line = err ? NULL : strtok_r(text, "\n", &save); line && !err;
	     line = strtok_r(NULL, "\n", &save))
		err = add_type(line, out, count);
	free(text);
	return err;
}

static int profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count)
{
	char dir[96];
	uint64_t type;

	*out = NULL;
	*count = 0;
	for (int i = 0; vf_dir(gpu, dev, i, dir); i++)
		if (!sysfs_read_u64(&gpu->fs, &type, "%s/current_vgpu_type", dir) && !type)
			return read_types(gpu, dir, out, count);
	return 0;
}

static void read_file(const struct gpu *gpu, const char *dir, const char *file, char out[GPU_VALUE])
{
	if (sysfs_read(&gpu->fs, out, GPU_VALUE, "%s/%s", dir, file))
		out[0] = '\0';
}

enum { MEMORY, QUANTUM, PREEMPT, PRIORITY, POLICY, PARAMS, PLACE }; /* as in gpu_settings */

/* Below MIG the place is a partition; else a part of the memory. */
static const char *place_file(const struct gpu *gpu, const char *dir)
{
	char text[32];

	return !sysfs_read(&gpu->fs, text, sizeof(text), "%s/gpu_instance_id", dir) &&
			       text[0] != '-' && strcmp(text, "4294967295") != 0
		       ? "gpu_instance_id"
		       : "placement_id";
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	int err = gpu_vf_query(gpu, dev, out, count);

	for (size_t i = 0; i < *count && !err; i++) {
		struct gpu_found *f = &(*out)[i];
		char dir[96];
		uint64_t type = 0;
		f->slice.access = GPU_AS_IS;
		f->slice.profile[0] = '\0';
		/* An open VF is its VM's; the driver that it has is its own. */
		if (!vf_dir(gpu, dev, f->slice.index, dir))
			continue;
		sysfs_read_u64(&gpu->fs, &type, "%s/current_vgpu_type", dir);
		if (!type)
			continue;
		f->made = true;
		snprintf(f->slice.profile, sizeof(f->slice.profile), "%u", (unsigned)type);
		read_file(gpu, dir, "vgpu_params", f->slice.value[PARAMS]);
		read_file(gpu, dir, place_file(gpu, dir), f->slice.value[PLACE]);
	}
	return err;
}

static int write_type(const struct gpu *gpu, const struct gpu_device *dev, int index,
		      const char *type)
{
	char dir[96], now[GPU_VALUE] = "";

	if (!vf_dir(gpu, dev, index, dir))
		return !strcmp(type, "0") ? 0
					  : log_fail(-ENODEV, dev->name,
						     "no VF %d with NVIDIA's files", index);
	read_file(gpu, dir, "current_vgpu_type", now);
	if (!strcmp(now, type))
		return 0;
	int err = gpu_write(gpu, type, "%s/current_vgpu_type", dir);
	if (err)
		return log_fail(err, dev->name, "slice %d: vGPU type %s refused: %s", index, type,
				err == -EPERM || err == -EBUSY ? "a VM has it open"
							       : strerror(-err));
	read_file(gpu, dir, "current_vgpu_type", now);
	return strcmp(now, type)
		       ? log_fail(-ERANGE, dev->name,
				  "slice %d: type %s was asked for, and it is %s", index, type, now)
		       : 0;
}

/* Another type goes by way of none. */
static int create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile)
{
	char dir[96], now[GPU_VALUE] = "0";
	uint32_t number;

	if (parse_u32(profile, 1, UINT32_MAX, &number))
		return log_fail(-EINVAL, dev->name, "vGPU types are numbers, not '%s'", profile);
	if (vf_dir(gpu, dev, index, dir))
		read_file(gpu, dir, "current_vgpu_type", now);
	int err = strcmp(now, profile) && strcmp(now, "0") ? write_type(gpu, dev, index, "0") : 0;
	return err ? err : write_type(gpu, dev, index, profile);
}

static int destroy(const struct gpu *gpu, const struct gpu_device *dev, int index)
{
	return write_type(gpu, dev, index, "0");
}

static int set(const struct gpu *gpu, const struct gpu_device *dev, int index,
	       const struct gpu_setting *setting, const char *value)
{
	char dir[96], now[GPU_VALUE] = "";
	bool params = !strcmp(setting->name, "params");

	if (!vf_dir(gpu, dev, index, dir))
		return *value ? log_fail(-ENODEV, dev->name, "no VF %d", index) : 0;
	const char *file = params ? "vgpu_params" : place_file(gpu, dir);
	read_file(gpu, dir, file, now);
	if (!strcmp(now, value) || (!*value && !params))
		return 0;
	int err = gpu_write(gpu, *value ? value : "\n", "%s/%s", dir, file);
	if (err)
		return log_fail(err, dev->name, "slice %d: %s '%s' refused: %s", index,
				setting->name, value,
				err == -EPERM ? "its VM runs; stop it first" : strerror(-err));
	read_file(gpu, dir, file, now);
	return strcmp(now, value) ? log_fail(-ERANGE, dev->name,
					     "slice %d: %s '%s' was asked for, and it is '%s'",
					     index, setting->name, value, now)
				  : 0;
}

const struct gpu_backend gpu_back_nvidia = {
	.name = "nvidia",
	.mode = GPU_VF,
	.can = GPU_CAN_PARAMS | GPU_CAN_PLACE | GPU_CAN_RESET,
	.places = true,
	.discover = discover,
	.profiles = profiles,
	.query = query,
	.create = create,
	.destroy = destroy,
	.set = set,
	.reset = gpu_vf_reset,
};
