/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_nvml: a libnvidia-ml.so that knows one GPU, with the signatures that NVIDIA's NVML reference
 * documents. */
#include <string.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long out[3]);
int nvmlDeviceGetUtilizationRates(void *device, unsigned out[2]);
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts);

static int gpu;

int nvmlInit_v2(void)
{
	return 0;
}

int nvmlShutdown(void)
{
	return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device)
{
	*device = &gpu;
	return strcmp(address, "0000:03:00.0") ? 6 : 0; /* NVML_ERROR_NOT_FOUND */
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
	*celsius = 61;
	return device == &gpu && !sensor ? 0 : 2;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long out[3])
{
	out[0] = 48ull << 30;
	out[1] = 40ull << 30;
	out[2] = 8ull << 30;
	return device == &gpu ? 0 : 2;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned out[2])
{
	out[0] = 37;
	out[1] = 5;
	return device == &gpu ? 0 : 2;
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts)
{
	*milliwatts = 120500;
	return device == &gpu ? 0 : 2;
}
