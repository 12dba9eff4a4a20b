/* SPDX-License-Identifier: BSD-3-Clause */
/* backend: the table of them. See backend.h. */
#include "gpu/backend.h"

#include <stdio.h>
#include <string.h>

#include "base/util.h"

static const struct gpu_backend *const table[] = {
	&gpu_back_whole, &gpu_back_xe, &gpu_back_xe_debugfs, &gpu_back_i915, &gpu_back_nvidia,
	&gpu_back_gim,	 &gpu_back_vf, &gpu_back_mdev,	     &gpu_back_mig,
};

const struct gpu_backend *const *gpu_backends(size_t *count)
{
	*count = ARRAY_SIZE(table);
	return table;
}

const struct gpu_backend *gpu_backend_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (!strcmp(table[i]->name, name))
			return table[i];
	return NULL;
}

/* The generic backend of a mode comes last, and what it says holds for all of them. */
void gpu_backends_ask(const struct gpu *gpu, struct gpu_device *dev)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct gpu_backend *b = table[i];
		if (dev->modes & 1u << b->mode)
			continue;
		dev->why_not[b->mode][0] = '\0';
		if (!b->discover(gpu, dev, dev->why_not[b->mode]))
			continue;
		dev->modes |= 1u << b->mode;
		snprintf(dev->backend[b->mode], sizeof(dev->backend[b->mode]), "%s", b->name);
		dev->why_not[b->mode][0] = '\0';
	}
}
