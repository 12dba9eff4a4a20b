/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_xe: VFs of Intel's xe driver.
 *
 * Since 6.19 in sysfs (Documentation/ABI/testing/sysfs-driver-intel-xe-sriov):
 * PF/sriov_admin/vfN/profile/{exec_quantum_ms,preempt_timeout_us,sched_priority}, N from 1, and
 * vram_quota since 7.0. Before that in debugfs, below kernel/debug/dri/PF/, where each tile has its
 * own files and the layout has changed once: sriov/vfN/tileT/gtG/… and, older, gtG/vfN/…; that is
 * no ABI and needs a kernel that is not locked down.
 *
 * What is set in debugfs outlives the VFs; what is set in sysfs does not, so it is wished and set
 * again after each boot.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "gpu/backend.h"

static const struct gpu_file sysfs_files[] = {
	{"memory", {"vf%d/profile/vram_quota", NULL}, true},
	{"quantum", {"vf%d/profile/exec_quantum_ms", NULL}, false},
	{"preempt", {"vf%d/profile/preempt_timeout_us", NULL}, false},
	{"priority", {"vf%d/profile/sched_priority", NULL}, false},
};

static const struct gpu_file debugfs_files[] = {
	{"memory", {"sriov/vf%d/tile*/vram_quota", "gt*/vf%d/lmem_quota"}, true},
	{"quantum", {"sriov/vf%d/tile*/gt0/exec_quantum_ms", "gt*/vf%d/exec_quantum_ms"}, false},
	{"preempt",
	 {"sriov/vf%d/tile*/gt0/preempt_timeout_us", "gt*/vf%d/preempt_timeout_us"},
	 false},
	{"priority", {"sriov/vf%d/tile*/gt0/sched_priority", "gt*/vf%d/sched_priority"}, false},
};

static char *base_of(const struct gpu_device *dev, bool debugfs, char base[SYSFS_PATH])
{
	snprintf(base, SYSFS_PATH,
		 debugfs ? "kernel/debug/dri/%s" : "bus/pci/devices/%s/sriov_admin", dev->name);
	return base;
}

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, bool debugfs,
		     char why[GPU_WHY])
{
	char base[SYSFS_PATH];

	if (strcmp(dev->driver, "xe") != 0 || !gpu_vf_discover(gpu, dev, why))
		return false;
	base_of(dev, debugfs, base);
	return debugfs ? sysfs_exists(&gpu->fs, "%s/sriov/vf1", base) ||
				 sysfs_exists(&gpu->fs, "%s/gt0/vf1", base)
		       : sysfs_exists(&gpu->fs, "%s/vf1/profile", base);
}

static bool discover_sysfs(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	return discover(gpu, dev, false, why);
}

static bool discover_debugfs(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	return discover(gpu, dev, true, why);
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, bool debugfs,
		 struct gpu_found **out, size_t *count)
{
	char base[SYSFS_PATH];
	int err = gpu_vf_query(gpu, dev, out, count);

	base_of(dev, debugfs, base);
	for (size_t i = 0; i < *count && !err; i++) {
		struct gpu_slice *s = &(*out)[i].slice;
		err = debugfs ? gpu_files_read(gpu, base, debugfs_files, ARRAY_SIZE(debugfs_files),
					       s->index + 1, s)
			      : gpu_files_read(gpu, base, sysfs_files, ARRAY_SIZE(sysfs_files),
					       s->index + 1, s);
		parse_u64(s->value[0], 0, UINT64_MAX, &s->memory);
	}
	return err;
}

static int query_sysfs(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		       size_t *count)
{
	return query(gpu, dev, false, out, count);
}

static int query_debugfs(const struct gpu *gpu, const struct gpu_device *dev,
			 struct gpu_found **out, size_t *count)
{
	return query(gpu, dev, true, out, count);
}

static int set(const struct gpu *gpu, const struct gpu_device *dev, bool debugfs, int index,
	       const struct gpu_setting *setting, const char *value)
{
	const struct gpu_file *table = debugfs ? debugfs_files : sysfs_files;
	char base[SYSFS_PATH], subject[GPU_SLICE_NAME];

	snprintf(subject, sizeof(subject), "%.60s/%d", dev->name, index);
	for (size_t i = 0; i < ARRAY_SIZE(sysfs_files); i++)
		if (!strcmp(table[i].setting, setting->name))
			return gpu_files_write(gpu, subject, base_of(dev, debugfs, base), &table[i],
					       index + 1, value);
	return log_fail(-EOPNOTSUPP, subject, "xe has no %s", setting->name);
}

static int set_sysfs(const struct gpu *gpu, const struct gpu_device *dev, int index,
		     const struct gpu_setting *setting, const char *value)
{
	return set(gpu, dev, false, index, setting, value);
}

static int set_debugfs(const struct gpu *gpu, const struct gpu_device *dev, int index,
		       const struct gpu_setting *setting, const char *value)
{
	return set(gpu, dev, true, index, setting, value);
}

/* The PF itself tells, where debugfs can be read; else what is in no quota. */
static int memory_free(const struct gpu *gpu, const struct gpu_device *dev, uint64_t *out)
{
	char base[SYSFS_PATH];
	struct gpu_found *found = NULL;
	uint64_t used = 0;
	size_t count = 0;

	if (!gpu_files_sum(gpu, base_of(dev, true, base), "sriov/pf/tile*/vram_available", 0, out))
		return 0;
	if (!dev->vram)
		return -ENOENT;
	int err = query_sysfs(gpu, dev, &found, &count);
	for (size_t i = 0; i < count; i++)
		used += found[i].slice.memory;
	free(found);
	*out = dev->vram > used ? dev->vram - used : 0;
	return err;
}

#define XE_CAN                                                                                  \
	(GPU_CAN_MEMORY | GPU_CAN_QUANTUM | GPU_CAN_PREEMPT | GPU_CAN_PRIORITY | GPU_CAN_LIVE | \
	 GPU_CAN_RESET | GPU_CAN_MIX)

const struct gpu_backend gpu_back_xe = {
	.name = "xe",
	.mode = GPU_VF,
	.can = XE_CAN,
	.places = true,
	.discover = discover_sysfs,
	.profiles = gpu_vf_profiles,
	.query = query_sysfs,
	.create = gpu_vf_create,
	.destroy = gpu_vf_destroy,
	.set = set_sysfs,
	.memory_free = memory_free,
	.reset = gpu_vf_reset,
};

const struct gpu_backend gpu_back_xe_debugfs = {
	.name = "xe-debugfs",
	.mode = GPU_VF,
	.can = XE_CAN,
	.places = true,
	.discover = discover_debugfs,
	.profiles = gpu_vf_profiles,
	.query = query_debugfs,
	.create = gpu_vf_create,
	.destroy = gpu_vf_destroy,
	.set = set_debugfs,
	.memory_free = memory_free,
	.reset = gpu_vf_reset,
};
