/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stat: what a GPU tells about itself now. NVIDIA's by NVML; else by hwmon (Documentation/hwmon/
 * sysfs-interface.rst: millidegrees, microwatts) and amdgpu's files (Documentation/gpu/amdgpu/
 * driver-misc.rst: gpu_busy_percent, mem_info_vram_used).
 */
#include <stdio.h>
#include <string.h>

#include "gpu/context.h"
#include "gpu/nvml.h"

struct search {
	const struct gpu *gpu;
	const char *dev;
	struct gpu_stat *out;
};

static bool read_number(const struct search *s, const char *hwmon, const char *file, double scale,
			double *out)
{
	uint64_t value;

	if (sysfs_read_u64(&s->gpu->fs, &value, "bus/pci/devices/%s/hwmon/%s/%s", s->dev, hwmon,
			   file))
		return false;
	*out = (double)value / scale;
	return true;
}

static int read_hwmon(const char *name, void *opaque)
{
	struct search *s = opaque;
	bool any = read_number(s, name, "temp1_input", 1000, &s->out->celsius);

	any |= read_number(s, name, "power1_average", 1e6, &s->out->watts) ||
	       read_number(s, name, "power1_input", 1e6, &s->out->watts);
	if (any)
		strcpy(s->out->source, "hwmon");
	return any;
}

static void read_files(const struct gpu *gpu, const char *dev, struct gpu_stat *out)
{
	uint64_t value;

	if (!sysfs_read_u64(&gpu->fs, &value, "bus/pci/devices/%s/gpu_busy_percent", dev)) {
		out->busy = (double)value;
		strcpy(out->source, "sysfs");
	}
	if (!sysfs_read_u64(&gpu->fs, &value, "bus/pci/devices/%s/mem_info_vram_used", dev))
		out->memory_used = (double)value;
}

void gpu_stat(struct gpu *gpu, const struct gpu_device *device, struct gpu_stat *out)
{
	struct search s = {gpu, device->name, out};

	*out = (struct gpu_stat){.celsius = -1, .busy = -1, .memory_used = -1, .watts = -1};
	out->memory_total = device->vram ? (double)device->vram : -1;
	if (bdf_is_stand_in(device->bdf))
		return;
	if (!strcmp(device->driver, "nvidia")) {
		if (!gpu->nvml_tried)
			gpu->nvml = nvml_open(gpu->nvml_path);
		gpu->nvml_tried = true;
		if (gpu->nvml && nvml_stat(gpu->nvml, device->name, out)) {
			strcpy(out->source, "nvml");
			return;
		}
	}
	sysfs_list(&gpu->fs, read_hwmon, &s, "bus/pci/devices/%s/hwmon", device->name);
	read_files(gpu, device->name, out);
}
