/* SPDX-License-Identifier: BSD-3-Clause */
/* gpu_json: GPUs and slices as commands show them. */
#ifndef CLI_GPU_JSON_H
#define CLI_GPU_JSON_H

#include "cli/cli.h"

json_t *gpu_json_slice(const struct gpu_slice *slice);
/* All of one GPU, or (NULL) of all; -errno. */
int gpu_json_slices(struct gpu *gpu, const struct gpu_device *device, json_t **out);

#endif
