/* SPDX-License-Identifier: BSD-3-Clause */
/* context: opens what the other files work on, and takes the steps of jobs. */
#include "gpu/context.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "gpu/nvml.h"
#include "gpu/slice.h"

#define TOOL_MS 30000

static bool present(void *opaque, struct bdf bdf)
{
	struct gpu_device device;

	return !gpu_read_any(opaque, bdf, &device);
}

static int do_step(void *opaque, struct bdf bdf, const struct sriov_step *step, const char *to)
{
	return slice_step(opaque, bdf, step, to);
}

static int open_trees(struct gpu *gpu, const struct gpu_config *config)
{
	int err = sysfs_open(&gpu->fs, config->sysfs);

	if (err)
		return log_fail(err, config->sysfs, "not opened: %s", strerror(-err));
	err = sysfs_open(&gpu->root, gpu->root_path);
	return err ? log_fail(err, gpu->root_path, "not opened: %s", strerror(-err)) : 0;
}

int gpu_open(const struct gpu_config *config, struct gpu **out)
{
	struct gpu *gpu = calloc(1, sizeof(*gpu));

	if (!gpu)
		return -ENOMEM;
	gpu->sriov = config->sriov;
	gpu->fs.root = gpu->root.root = -1;
	gpu->tool_ms = config->tool_ms ? config->tool_ms : TOOL_MS;
	gpu->root_path = strdup(config->root ? config->root : "/");
	gpu->smi = strdup(config->smi ? config->smi : "nvidia-smi");
	gpu->nvml_path = strdup(config->nvml ? config->nvml : "libnvidia-ml.so.1");
	int err = gpu->root_path && gpu->smi && gpu->nvml_path ? 0 : -ENOMEM;
	if (!err)
		err = open_trees(gpu, config);
	if (err) {
		gpu_close(gpu);
		return err;
	}
	gpu->driver = (struct sriov_resource_driver){do_step, present, gpu};
	sriov_resource_driver(gpu->sriov, &gpu->driver);
	*out = gpu;
	return 0;
}

void gpu_close(struct gpu *gpu)
{
	if (!gpu)
		return;
	if (gpu->driver.step)
		sriov_resource_driver(gpu->sriov, NULL);
	nvml_close(gpu->nvml);
	sysfs_close(&gpu->fs);
	sysfs_close(&gpu->root);
	free(gpu->root_path);
	free(gpu->smi);
	free(gpu->nvml_path);
	free(gpu);
}

int gpu_write(const struct gpu *gpu, const char *text, const char *fmt, ...)
{
	char path[SYSFS_PATH];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(path, sizeof(path), fmt, args);
	va_end(args);
	if (n < 0 || n >= SYSFS_PATH)
		return -ENAMETOOLONG;
	return sriov_slow_write(gpu->sriov, text, path);
}

int gpu_group(const struct gpu *gpu, const char *dir)
{
	char text[16];
	uint32_t id;

	if (sysfs_link_name(&gpu->fs, text, sizeof(text), "%s/iommu_group", dir) ||
	    parse_u32(text, 0, INT32_MAX, &id))
		return -1;
	return (int)id;
}
