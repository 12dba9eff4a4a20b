/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: see gpu.h (private to gpu/). */
#ifndef GPU_POOL_H
#define GPU_POOL_H

#include "gpu/gpu.h"

/* -ENOENT; nothing is logged. */
int pool_find(struct gpu *gpu, const char *name, struct gpu_pool *out);
bool pool_has(const struct gpu_pool *pool, const char *gpu);

#endif
