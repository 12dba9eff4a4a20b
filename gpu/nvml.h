/* SPDX-License-Identifier: BSD-3-Clause */
/* nvml: NVIDIA's management library, when it is there. */
#ifndef GPU_NVML_H
#define GPU_NVML_H

#include "gpu/gpu.h"

struct gpu_nvml;

/* NULL when the library or one of its functions is missing. */
struct gpu_nvml *nvml_open(const char *path);
void nvml_close(struct gpu_nvml *nvml);
/* Fills what it tells of the GPU at an address; false when it does not know it. */
bool nvml_stat(struct gpu_nvml *nvml, const char *address, struct gpu_stat *out);

#endif
