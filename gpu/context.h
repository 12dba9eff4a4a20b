/* SPDX-License-Identifier: BSD-3-Clause */
/* context: what every file of this folder hangs on (private to gpu/). */
#ifndef GPU_CONTEXT_H
#define GPU_CONTEXT_H

#include "base/sysfs.h"
#include "gpu/gpu.h"

struct gpu_nvml;

struct gpu {
	struct sriov *sriov;
	struct sysfs fs;
	struct sysfs root; /* "/", for files outside /sys */
	char *root_path, *smi, *nvml_path;
	struct gpu_nvml *nvml; /* opened with the first question */
	bool nvml_tried;
	unsigned tool_ms;
	struct sriov_resource_driver driver;
};

/* sriov_slow_write() of a path made like printf does. */
int gpu_write(const struct gpu *gpu, const char *text, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Fills one device from its address; -ENODEV when it is none. Modes are asked for. */
int gpu_read(const struct gpu *gpu, struct bdf bdf, struct gpu_device *out);
/* The same of a parent of mediated devices without an address. */
int gpu_read_named(const struct gpu *gpu, const char *name, struct gpu_device *out);
/* By address or stand-in, as steps name it. */
int gpu_read_any(const struct gpu *gpu, struct bdf bdf, struct gpu_device *out);

/* IOMMU group of a device's directory below the sysfs root; -1. */
int gpu_group(const struct gpu *gpu, const char *dir);

#endif
