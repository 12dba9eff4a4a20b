/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvml: see nvml.h. The library is NVIDIA's and comes with its driver, so it is looked for when the
 * program runs, and its few structures stand here as its reference documents them (docs.nvidia.com,
 * NVML API: nvmlMemory_t, nvmlUtilization_t). Numbers of nvmlReturn_t: 0 is success.
 */
#include "gpu/nvml.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#define TEMPERATURE_GPU 0 /* nvmlTemperatureSensors_t */

struct memory {
	unsigned long long total, free, used;
};
_Static_assert(sizeof(struct memory) == 24, "nvmlMemory_t");

struct utilization {
	unsigned gpu, memory;
};
_Static_assert(sizeof(struct utilization) == 8, "nvmlUtilization_t");

struct gpu_nvml {
	void *library;
	int (*init)(void);
	int (*shutdown)(void);
	int (*by_address)(const char *address, void **device);
	int (*temperature)(void *device, int sensor, unsigned *celsius);
	int (*memory)(void *device, struct memory *out);
	int (*utilization)(void *device, struct utilization *out);
	int (*power)(void *device, unsigned *milliwatts);
	bool up;
};

static bool find(void *library, const char *name, void *slot)
{
	void *symbol = dlsym(library, name);

	memcpy(slot, &symbol, sizeof(symbol)); /* a function's pointer, which C does not convert */
	return symbol;
}

static bool find_all(struct gpu_nvml *n)
{
	return find(n->library, "nvmlInit_v2", &n->init) &&
	       find(n->library, "nvmlShutdown", &n->shutdown) &&
	       find(n->library, "nvmlDeviceGetHandleByPciBusId_v2", &n->by_address) &&
	       find(n->library, "nvmlDeviceGetTemperature", &n->temperature) &&
	       find(n->library, "nvmlDeviceGetMemoryInfo", &n->memory) &&
	       find(n->library, "nvmlDeviceGetUtilizationRates", &n->utilization) &&
	       find(n->library, "nvmlDeviceGetPowerUsage", &n->power);
}

struct gpu_nvml *nvml_open(const char *path)
{
	struct gpu_nvml *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	n->up = n->library && find_all(n) && !n->init();
	if (n->up)
		return n;
	nvml_close(n);
	return NULL;
}

void nvml_close(struct gpu_nvml *n)
{
	if (!n)
		return;
	if (n->up)
		n->shutdown();
	if (n->library)
		dlclose(n->library);
	free(n);
}

bool nvml_stat(struct gpu_nvml *n, const char *address, struct gpu_stat *out)
{
	struct utilization rates;
	struct memory memory;
	unsigned number;
	void *device;

	if (n->by_address(address, &device))
		return false;
	if (!n->temperature(device, TEMPERATURE_GPU, &number))
		out->celsius = number;
	if (!n->utilization(device, &rates))
		out->busy = rates.gpu;
	if (!n->memory(device, &memory)) {
		out->memory_used = (double)memory.used;
		out->memory_total = (double)memory.total;
	}
	if (!n->power(device, &number))
		out->watts = number / 1000.0;
	return true;
}
