/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_i915: VFs of Intel's i915 with SR-IOV, which is not in the kernel's tree (strongtz/
 * i915-sriov-dkms). Its directory is PF/drm/cardN/prelim_iov, in older trees iov; N of vfN counts
 * from 1, and each graphics engine (gtN) has its own files. Integrated GPUs have no memory of their
 * own, so a slice is a share of time; discrete ones have lmem_quota.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "gpu/backend.h"

static const struct gpu_file files[] = {
	{"memory", {"vf%d/gt*/lmem_quota", NULL}, true},
	{"quantum", {"vf%d/gt*/exec_quantum_ms", NULL}, false},
	{"preempt", {"vf%d/gt*/preempt_timeout_us", NULL}, false},
};

struct search {
	const struct gpu *gpu;
	const char *dev;
	char *base;
};

static int try_card(const char *name, void *opaque)
{
	static const char *const dirs[] = {"prelim_iov", "iov"};
	const struct search *s = opaque;

	if (strncmp(name, "card", 4) != 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(s->base, SYSFS_PATH, "bus/pci/devices/%s/drm/%.32s/%s", s->dev, name,
			 dirs[i]);
		if (sysfs_exists(&s->gpu->fs, "%s/vf1", s->base))
			return 1;
	}
	return 0;
}

static bool find_base(const struct gpu *gpu, const struct gpu_device *dev, char base[SYSFS_PATH])
{
	struct search s = {gpu, dev->name, base};

	return sysfs_list(&gpu->fs, try_card, &s, "bus/pci/devices/%s/drm", dev->name) == 1;
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	char base[SYSFS_PATH];

	return !strcmp(dev->driver, "i915") && gpu_vf_discover(gpu, dev, why) &&
	       find_base(gpu, dev, base);
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	char base[SYSFS_PATH];
	int err = gpu_vf_query(gpu, dev, out, count);

	if (err || !find_base(gpu, dev, base))
		return err;
	for (size_t i = 0; i < *count; i++) {
		struct gpu_slice *s = &(*out)[i].slice;
		gpu_files_read(gpu, base, files, ARRAY_SIZE(files), s->index + 1, s);
		parse_u64(s->value[0], 0, UINT64_MAX, &s->memory);
	}
	return 0;
}

static int set(const struct gpu *gpu, const struct gpu_device *dev, int index,
	       const struct gpu_setting *setting, const char *value)
{
	char base[SYSFS_PATH], subject[GPU_SLICE_NAME];

	snprintf(subject, sizeof(subject), "%.60s/%d", dev->name, index);
	if (!find_base(gpu, dev, base))
		return log_fail(-ENODEV, subject, "i915 shows no prelim_iov directory any more");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (!strcmp(files[i].setting, setting->name))
			return gpu_files_write(gpu, subject, base, &files[i], index + 1, value);
	return log_fail(-EOPNOTSUPP, subject, "i915 has no %s", setting->name);
}

const struct gpu_backend gpu_back_i915 = {
	.name = "i915",
	.mode = GPU_VF,
	.can = GPU_CAN_MEMORY | GPU_CAN_QUANTUM | GPU_CAN_PREEMPT | GPU_CAN_LIVE | GPU_CAN_RESET |
	       GPU_CAN_MIX,
	.places = true,
	.discover = discover,
	.profiles = gpu_vf_profiles,
	.query = query,
	.create = gpu_vf_create,
	.destroy = gpu_vf_destroy,
	.set = set,
	.reset = gpu_vf_reset,
};
